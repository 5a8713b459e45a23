"""From files to canonical tables: which source column feeds which declared one.

A :class:`Feed` is one source of one canonical table, as SQL expressions over its relation. Without
a mapping a file feeds the table of its own name, and a column the declared one of its own name;
case, spaces and punctuation do not matter (``Patient ID`` is ``patient_id``).
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from outcomes.core.contract import Table
from outcomes.core.problems import Problem
from outcomes.records.names import normalised
from outcomes.records.patterns import named_kind
from outcomes.records.schema import TABLES
from outcomes.records.sources import Loaded
from outcomes.records.sql import ident


@dataclass(frozen=True)
class Cell:
    """SQL of one value, its DuckDB type, and the source column it stands for (for messages)."""

    sql: str
    duck_type: str
    source: str = ""
    decimal: str = "."


@dataclass(frozen=True, kw_only=True)
class Feed:
    """Rows of one source for one canonical table.

    ``relation`` is what to select from, with ``_row``; ``where`` keeps some of its rows;
    ``required`` names columns in which the mapping allows no empty cell, ``dated`` those that it
    makes from dates. ``stacked`` says that a row of the source makes several of these.
    """

    table: Table
    loaded: Loaded
    relation: str
    cells: Mapping[str, Cell]
    where: str = ""
    required: tuple[str, ...] = field(default=())
    dated: tuple[str, ...] = field(default=())
    stacked: bool = False


class SourceNames:
    """Column names of a source as a mapping may write them: but for case and punctuation."""

    def __init__(self, source: Loaded) -> None:
        self._source = source
        self._plain: dict[str, str] = {}
        for column in source.columns:
            self._plain.setdefault(normalised(column), column)

    def __contains__(self, name: str) -> bool:
        return name in self._source.columns or normalised(name) in self._plain

    def found(self, name: str) -> str:
        """Name as it stands in the source."""
        return name if name in self._source.columns else self._plain[normalised(name)]

    def cell(self, name: str) -> Cell:
        """The column as it is."""
        return cell_of(self._source, self.found(name))

    def near(self, name: str, taken: Iterable[str] = ()) -> str:
        """A column with a similar name that is not taken, or nothing."""
        used = {normalised(column) for column in taken}
        free = [column for column in self._plain if column not in used]
        found = difflib.get_close_matches(normalised(name), free, n=1, cutoff=0.6)
        return self._plain[found[0]] if found else ""


def canonical_feeds(loaded: Iterable[Loaded]) -> tuple[list[Feed], list[Problem]]:
    """Match sources and columns by name alone."""
    feeds: list[Feed] = []
    problems: list[Problem] = []
    unused: dict[str, list[Loaded]] = {}
    for source in loaded:
        table = TABLES.get(normalised(source.origin.stem))
        if table is None:
            unused.setdefault(source.origin.stem, []).append(source)
            continue
        cells, found = named_cells(table, source)
        problems += found
        feeds.append(Feed(table=table, loaded=source, relation=source.relation, cells=cells))
    problems += [_unused_files(stem, files) for stem, files in unused.items()]
    return feeds, problems + _two_kinds(feeds)


def named_cells(table: Table, source: Loaded) -> tuple[dict[str, Cell], list[Problem]]:
    """Columns of a source that bear a declared name, and what is wrong with the names."""
    by_name: dict[str, list[str]] = {}
    for name in (*source.columns, *source.repeated):
        by_name.setdefault(normalised(name), []).append(name)
    cells = {name: cell_of(source, by_name[name][0]) for name in table.names if name in by_name}
    problems = [
        Problem(
            severity="fatal",
            table=table.name,
            column=name,
            rule="duplicate_column",
            message="stands in the file more than once",
            remedy="Keep one of the columns, or name the right one in a mapping.",
            source=source.origin.name,
        )
        for name in table.names
        if len(by_name.get(name, ())) > 1
    ]
    if repeated := sum(normalised(name) not in table for name in source.repeated):
        problems.append(_repeated(table, source, repeated))
    if cells and (unused := [n for n in source.columns if normalised(n) not in table]):
        problems.append(unused_columns(table.name, source, unused))
    return cells, problems


def cell_of(source: Loaded, column: str) -> Cell:
    """Return one source column as it is."""
    return Cell(ident(column), source.columns[column], column, source.decimal)


def missing_columns(feeds: Iterable[Feed]) -> list[Problem]:
    """Name required columns that a feed does not fill."""
    problems: list[Problem] = []
    for feed in feeds:
        for column in feed.table.columns:
            if column.required and column.name not in feed.cells:
                near = _near(column.name, feed)
                hint = f"Is it {near}? Say so in a mapping" if near else "Add it, or map it"
                problems.append(
                    Problem(
                        severity="fatal",
                        table=feed.table.name,
                        column=column.name,
                        rule="missing_column",
                        message="is required and not there",
                        remedy=f"{hint} (outcomes init proposes one).",
                        source=feed.loaded.origin.name,
                    )
                )
    return problems


def missing_tables(present: Iterable[str]) -> list[Problem]:
    """Say which required tables are not there."""
    there = set(present)
    wanted = [
        ("episodes", "episodes" in there, "one row an episode of care"),
        ("assessments", bool(there & {"assessments", "items"}), "scores, or items to score"),
    ]
    return [
        Problem(
            severity="fatal",
            table=name,
            rule="missing_table",
            message=f"is required and not there ({what})",
            remedy=f"Name a file {name}.csv or {name}.parquet, or write a mapping "
            "(outcomes init proposes one).",
        )
        for name, fine, what in wanted
        if not fine
    ]


def _near(name: str, feed: Feed) -> str:
    """Return a source column with a similar name; only where the header is surely a header.

    What is named like a person, a telephone or a date is never offered in place of an id.
    """
    if not feed.cells:
        return ""
    kinds = {column: named_kind(column) for column in feed.loaded.columns}
    plain = {
        normalised(column): column
        for column, kind in kinds.items()
        if kind is None or kind.group == "record_number"
    }
    free = [key for key in plain if key not in feed.table]
    found = difflib.get_close_matches(name, free, n=1, cutoff=0.6)
    return repr(plain[found[0]]) if found else ""


def _unused_files(stem: str, files: Sequence[Loaded]) -> Problem:
    """Say that a file was not read; the parts of a folder are one."""
    names = [source.origin.name for source in files]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return Problem(
        severity="note",
        table=stem,
        rule="unused_file",
        message=f"is not the name of a canonical table, so {names[0]}{more} was not read",
        remedy="Name it in a mapping if it holds records.",
        source=names[0],
    )


def unused_columns(table: str, source: Loaded, names: Sequence[str]) -> Problem:
    """Say which columns of a source nothing is made of."""
    listed = ", ".join(repr(name) for name in names[:12]) + (", ..." if len(names) > 12 else "")
    return Problem(
        severity="note",
        table=table,
        rule="unused_column",
        message=f"has columns that are not used: {listed}",
        remedy="Map them if they are needed; drop them from the export if not.",
        source=source.origin.name,
    )


def _repeated(table: Table, source: Loaded, count: int) -> Problem:
    return Problem(
        severity="warning",
        table=table.name,
        rule="duplicate_column",
        message=f"has {count} column names that stand in the header more than once",
        remedy="Only the first of each is looked at; rename the others.",
        source=source.origin.name,
    )


def _two_kinds(feeds: list[Feed]) -> list[Problem]:
    """Refuse ``episodes.csv`` beside ``episodes.parquet``: one of them is a copy."""
    kinds = {
        (feed.table.name, feed.loaded.origin.path.parent, feed.loaded.origin.kind) for feed in feeds
    }
    counts = Counter(table for table, _, _ in kinds)
    return [
        Problem(
            severity="fatal",
            table=table,
            rule="two_sources",
            message="is there in two kinds of file, one of them surely a copy",
            remedy="Keep one, or name the right one in a mapping.",
        )
        for table, count in counts.items()
        if count > 1
    ]
