"""A mapping carried out: source relations become feeds of canonical tables.

Every table of the mapping becomes one subquery that yields canonical columns as text (or in their
stored type, where nothing is done to them) and ``_row``. Wide columns are stacked there, and dates
become days there.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outcomes.core.problems import Problem
from outcomes.records.cells import cell_sql, condition_sql
from outcomes.records.clock import Clock
from outcomes.records.coverage import check_coverage, check_unused
from outcomes.records.feeds import Cell, Feed, SourceNames, named_cells
from outcomes.records.mapping import Mapping as RecordsMapping
from outcomes.records.mapping import TableMap, Value, is_source
from outcomes.records.names import normalised
from outcomes.records.schema import TABLES
from outcomes.records.sources import Loaded, Origin
from outcomes.records.sql import ident, literal
from outcomes.records.wide import WideColumn, wide_columns


@dataclass(frozen=True, kw_only=True)
class Job:
    """One table of a mapping and one source for it, with everything looked up."""

    table: TableMap
    place: str
    source: Loaded
    names: SourceNames
    values: Mapping[str, Value]
    stacked: Sequence[WideColumn]
    words: tuple[str, ...]

    @property
    def conditions(self) -> list[tuple[str, str]]:
        """Column and SQL of every condition of the filter."""
        return [
            (said.column, condition_sql(said, self.names.cell(said.column), self.words))
            for said in self.table.filter
        ]

    @property
    def where(self) -> str:
        """Condition of the rows that the filter keeps; empty where there is none."""
        return " AND ".join(condition for _, condition in self.conditions)

    @property
    def reads(self) -> set[str]:
        """Source columns that something is made of."""
        return {
            *(column for value in self.values.values() for column in value.columns),
            *(column.name for column in self.stacked),
            *(condition.column for condition in self.table.filter),
        }

    def words_for(self, date: Value) -> tuple[str, ...]:
        """Texts that say that no date is there."""
        return (*self.words, *map(str, date.missing))

    def numeric(self, column: str) -> bool:
        """Whether a canonical column holds numbers."""
        return bool(column) and TABLES[self.table.table][column].kind in ("number", "integer")

    @property
    def dated(self) -> bool:
        """Whether a column is made from a date."""
        return any(value.date for value in self.values.values())


def mapped_feeds(
    connection: Any, loaded: Sequence[Loaded], plan: RecordsMapping, origins: Sequence[Origin]
) -> tuple[list[Feed], list[Problem]]:
    """Build the feeds that a mapping declares, then those of files it does not mention.

    ``origins`` are all that is there; what is not among ``loaded`` too could not be read.
    """
    clock, problems = _clock(connection, loaded, plan)
    feeds: list[Feed] = []
    jobs: dict[str, list[Job]] = {}
    for number, table in enumerate(plan.tables, start=1):
        sources = [source for source in loaded if is_source(source.origin, table.source)]
        if not sources:
            problems.append(_no_source(table, number, loaded, origins))
        for source in sources:
            job = _job(plan, table, number, source)
            jobs.setdefault(source.relation, []).append(job)
            absent = _absent_columns(job)
            problems += absent
            if not absent and not (job.dated and clock is None):
                problems += check_coverage(connection, job, clock)
                feeds.append(_feed(job, clock))
    for source in loaded:
        if source.relation in jobs:
            problems += check_unused(source, jobs[source.relation], plan)
    more, found = _unmentioned(loaded, plan, {feed.table.name for feed in feeds})
    return feeds + more, problems + found


def _clock(
    connection: Any, loaded: Sequence[Loaded], plan: RecordsMapping
) -> tuple[Clock | None, list[Problem]]:
    """Write down when every episode and every patient began, if the mapping says where."""
    if plan.dates is None:
        return None, []
    for source in loaded:
        if is_source(source.origin, plan.dates.source):
            names = SourceNames(source)
            columns = (*plan.dates.episode, plan.dates.start, *plan.dates.patient)
            wanted = {column: column for column in columns}
            absent = _absent(wanted, names, source, "episodes", "[dates]")
            return (None if absent else Clock(connection, plan.dates, source, names)), absent
    problem = Problem(
        severity="fatal",
        table="episodes",
        rule="missing_file",
        message="has its starts in a file that is not there or cannot be read",
        remedy="Correct source in [dates].",
        source=plan.dates.source,
    )
    return None, [problem]


def _no_source(
    table: TableMap, number: int, loaded: Sequence[Loaded], origins: Sequence[Origin]
) -> Problem:
    names = [source.origin.name for source in loaded]
    near = difflib.get_close_matches(table.source, names, n=1, cutoff=0.4)
    what, remedy = "is not there", "Put the file there, or correct the mapping."
    if any(is_source(origin, table.source) for origin in origins):
        what, remedy = "could not be read", "What is wrong with the file is said of it."
    elif near:
        remedy = f"Is it {near[0]!r}?"
    return Problem(
        severity="fatal",
        table=table.table,
        rule="missing_file",
        message=f"is mapped from a file that {what} (tables[{number}])",
        remedy=remedy,
        source=table.source,
    )


def _job(plan: RecordsMapping, table: TableMap, number: int, source: Loaded) -> Job:
    dropped = plan.dropped(source.origin)
    return Job(
        table=table,
        place=f"tables[{number}]",
        source=source,
        names=SourceNames(source),
        values=_with_named(plan, table, source),
        stacked=wide_columns(table, [c for c in source.columns if normalised(c) not in dropped]),
        words=tuple(str(code) for code in plan.missing),
    )


def _with_named(plan: RecordsMapping, table: TableMap, source: Loaded) -> dict[str, Value]:
    """Add columns that already bear a canonical name and are not mapped otherwise."""
    values = dict(table.columns)
    if table.take_named:
        used = {normalised(c) for value in values.values() for c in value.columns}
        taken = plan.dropped(source.origin) | used | values.keys()
        for name, cell in named_cells(TABLES[table.table], source)[0].items():
            if name not in taken:
                values[name] = Value.model_validate({"from": cell.source})
    return values


def _absent_columns(job: Job) -> list[Problem]:
    """Source columns that the mapping names and the file does not have."""
    table = job.table
    wanted = {c: name for name, value in job.values.items() for c in value.columns}
    others = [condition.column for condition in table.filter]
    others += [wide.column for wide in table.wide if wide.column]
    wanted |= {column: column for column in others if column not in wanted}
    problems = _absent(wanted, job.names, job.source, table.table, job.place)
    for wide in table.wide:
        if wide.pattern and not any(column.wide is wide for column in job.stacked):
            problems.append(
                _missing_column(
                    job.source,
                    table.table,
                    f"is mapped from columns like {wide.pattern!r}, and there is none",
                    f"Correct the pattern ({job.place}.wide).",
                )
            )
    return problems


def _absent(
    wanted: Mapping[str, str], names: SourceNames, source: Loaded, table: str, place: str
) -> list[Problem]:
    """Name columns that are not there; ``wanted`` says what each was to become."""
    problems = []
    for name, meant in wanted.items():
        if name not in names:
            near = names.near(name, wanted) or names.near(meant, wanted)
            hint = f"Is it {near!r}? Correct {place}." if near else f"Correct {place}."
            message = f"is mapped from column {name!r}, which is not there"
            problems.append(_missing_column(source, table, message, hint))
    return problems


def _missing_column(source: Loaded, table: str, message: str, remedy: str) -> Problem:
    return Problem(
        severity="fatal",
        table=table,
        rule="missing_column",
        message=message,
        remedy=remedy,
        source=source.origin.name,
    )


def _feed(job: Job, clock: Clock | None) -> Feed:
    relation = job.source.relation
    if job.dated and clock is not None:
        relation = clock.joined(job.table.table, job.values, job.names, relation)
    base = {name: _cell(job, name, value, clock) for name, value in job.values.items()}
    if job.table.wide:
        text, columns = _stack(job, base, relation)
    else:
        text = _select(base, relation, job.where)
        columns = {name: cell.duck_type for name, cell in base.items()}
    if job.table.distinct:
        listed = ", ".join(map(ident, columns))
        text = f"SELECT {listed}, min(_row) AS _row FROM ({text}) GROUP BY {listed}"
    return Feed(
        table=TABLES[job.table.table],
        loaded=job.source,
        relation=f"({text})",
        cells={
            name: Cell(ident(name), duck_type, name, job.source.decimal)
            for name, duck_type in columns.items()
        },
        required=tuple(name for name, value in job.values.items() if value.required),
        stacked=bool(job.table.wide),
        dated=tuple(name for name, value in job.values.items() if value.date),
    )


def _cell(job: Job, name: str, value: Value, clock: Clock | None) -> Cell:
    if value.date and clock is not None:
        return clock.cell(job.table.table, name, job.names.cell(value.date), job.words_for(value))
    cells = [job.names.cell(column) for column in value.source]
    return cell_sql(value, cells, job.words, numeric=job.numeric(name))


def _select(cells: Mapping[str, Cell], relation: str, where: str) -> str:
    picked = ", ".join(f"{cell.sql} AS {ident(name)}" for name, cell in cells.items())
    condition = f" WHERE {where}" if where else ""
    return f"SELECT {picked}, _row FROM {relation}{condition}"


def _stack(job: Job, base: Mapping[str, Cell], relation: str) -> tuple[str, dict[str, str]]:
    """Put wide columns under each other; everything is text there."""
    filled = [name for column in job.stacked for name in column.fills]
    columns = dict.fromkeys([*base, *filled], "VARCHAR")
    parts = []
    for column in job.stacked:
        numeric = job.numeric(column.value)
        cell = cell_sql(column.wide, [job.names.cell(column.name)], job.words, numeric=numeric)
        own = {name: Cell(literal(value), "VARCHAR") for name, value in column.set.items()}
        row = {**base, **own, **({column.value: cell} if column.value else {})}
        picked = {
            name: Cell(f"CAST({row[name].sql if name in row else 'NULL'} AS VARCHAR)", "VARCHAR")
            for name in columns
        }
        kept = [f"({cell.sql}) IS NOT NULL", *column.only_sql(cell)]
        kept += [job.where] if job.where else []
        parts.append(_select(picked, relation, " AND ".join(kept)))
    return " UNION ALL ".join(parts), columns


def _unmentioned(
    loaded: Sequence[Loaded], plan: RecordsMapping, fed: set[str]
) -> tuple[list[Feed], list[Problem]]:
    """Read canonical files that the mapping does not name and does not replace."""
    feeds: list[Feed] = []
    problems: list[Problem] = []
    for source in loaded:
        name = normalised(source.origin.stem)
        if name in TABLES and name not in fed and not plan.names(source.origin):
            cells, found = named_cells(TABLES[name], source)
            problems += found
            feeds.append(
                Feed(table=TABLES[name], loaded=source, relation=source.relation, cells=cells)
            )
    return feeds, problems
