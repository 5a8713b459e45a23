"""What a mapping leaves out or does not cover, counted in the rows of the source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from outcomes.core.problems import Problem, Severity
from outcomes.records.cells import code_text, holds_missing, is_recoded, unknown_codes
from outcomes.records.clock import Clock, DateCells
from outcomes.records.codes import known_codes
from outcomes.records.date_guesses import EXAMPLE
from outcomes.records.feeds import SourceNames, unused_columns
from outcomes.records.mapping import Change, is_source
from outcomes.records.mapping import Mapping as RecordsMapping
from outcomes.records.names import normalised
from outcomes.records.placing import in_source
from outcomes.records.schema import TABLES
from outcomes.records.sources import Loaded

if TYPE_CHECKING:
    from outcomes.records.reshape import Job

UNREADABLE: Final = f"Say how all dates are written: give [dates] format, {EXAMPLE}."


def check_coverage(connection: Any, job: Job, clock: Clock | None) -> list[Problem]:
    """Report rows that a filter leaves out, codes without a recode, and dates without a day."""
    return [
        *_left_out(connection, job),
        *_codes(connection, job),
        *_not_there(connection, job),
        *(_dates(connection, job, clock) if clock and job.dated else []),
    ]


def check_unused(source: Loaded, jobs: Iterable[Job], plan: RecordsMapping) -> list[Problem]:
    """Name the columns of a mapped file that the mapping neither reads nor drops."""
    used = {name for job in jobs for name in job.reads}
    if plan.dates:
        used |= {*plan.dates.episode, *plan.dates.patient, plan.dates.start}
    said = {normalised(name) for name in used} | plan.dropped(source.origin)
    left = [column for column in source.columns if normalised(column) not in said]
    return [unused_columns(source.origin.stem, source, left)] if left else []


def _problem(
    job: Job, severity: Severity, rule: str, message: str, remedy: str, column: str = ""
) -> Problem:
    return Problem(
        severity=severity,
        table=job.table.table,
        column=column,
        rule=rule,
        message=message,
        remedy=remedy,
    )


def _left_out(connection: Any, job: Job) -> list[Problem]:
    """Count what every condition of the filter leaves out of what those before it kept."""
    problems: list[Problem] = []
    kept = "TRUE"
    for column, condition in job.conditions:
        problem = _problem(
            job,
            "note",
            "filtered",
            f"are left out by the mapping's filter on {column!r}",
            "Nothing to do, if that is meant.",
        )
        left = f"{kept} AND NOT coalesce({condition}, FALSE)"
        problems += in_source(connection, job.source, left, problem)
        kept += f" AND coalesce({condition}, FALSE)"
    return problems


def _changes(job: Job) -> list[tuple[str, Change, str]]:
    """Canonical column, what happens to its cells, and the source column, of all that is read."""
    changes: list[tuple[str, Change, str]] = [
        (name, value, value.source[0]) for name, value in job.values.items() if value.source
    ]
    return changes + [(column.value, column.wide, column.name) for column in job.stacked]


def _not_there(connection: Any, job: Job) -> list[Problem]:
    """Name codes for missing that no cell holds: they may be written in another way."""
    asked: dict[tuple[str, int, str], list[tuple[str, str]]] = {}
    for name, change, column in _changes(job):
        cell = job.names.cell(column)
        for code in change.missing:
            condition = holds_missing(cell, [code], numeric=job.numeric(name))
            # Columns of one pattern share a list of codes.
            asked.setdefault((name, id(change), code_text(code)), []).append((column, condition))
    if not asked or not job.source.n_rows:
        return []
    found = ", ".join(
        f"bool_or({' OR '.join(condition for _, condition in places)})" for places in asked.values()
    )
    held = connection.execute(f"SELECT {found} FROM {job.source.relation}").fetchone()
    return [
        replace(
            _problem(
                job,
                "note",
                "unused_code",
                f"have {code!r} listed as missing, and no cell of {_columns(places)} holds it",
                "Nothing to do, unless the export writes it in another way.",
                name,
            ),
            source=job.source.origin.name,
        )
        for ((name, _, code), places), there in zip(asked.items(), held, strict=True)
        if not there
    ]


def _columns(places: list[tuple[str, str]]) -> str:
    """Name one column, or the first of several."""
    first, more = repr(places[0][0]), len(places) - 1
    return f"{first} and {more} more column{'s' * (more > 1)}" if more else first


def _codes(connection: Any, job: Job) -> list[Problem]:
    problems = []
    for name, change, column in _changes(job):
        if is_recoded(change):
            cell = job.names.cell(column)
            condition = unknown_codes(change, cell, job.words, numeric=job.numeric(name))
            problem = _problem(
                job,
                "warning",
                "unmapped_code",
                f"hold a code of {column!r} that the mapping does not recode: it counts as missing",
                f'Add it to recode or to missing, or say other = "keep".{_known(job, name)}',
                name,
            )
            kept = f"{condition} AND ({job.where})" if job.where else condition
            problems += in_source(connection, job.source, kept, problem)
    return problems


def _known(job: Job, name: str) -> str:
    """Say which codes a column may hold, in a sentence after others."""
    known = known_codes(TABLES[job.table.table][name]) if name else ""
    return f" {known}" if known else ""


def _dates(connection: Any, job: Job, clock: Clock) -> list[Problem]:
    problems = []
    for name, value in job.values.items():
        if value.date and not clock.starts_with(job.source, value.date):
            problem = _problem(
                job,
                "warning",
                "unreadable_date",
                f"hold something in {value.date!r} that is not a date of the declared form",
                UNREADABLE,
                name,
            )
            needed = value.required or TABLES[job.table.table][name].required
            cell = job.names.cell(value.date)
            dates = DateCells(job.source, cell, clock.formats, job.words_for(value))
            problems += _unread(connection, dates, problem, needed=needed)
    return problems


def check_starts(
    connection: Any, loaded: Iterable[Loaded], plan: RecordsMapping | None
) -> list[Problem]:
    """Report starts of episodes that are no dates: all days are counted from them."""
    problems: list[Problem] = []
    dates = plan.dates if plan is not None else None
    for source in loaded:
        if plan is None or dates is None or not is_source(source.origin, dates.source):
            continue
        names = SourceNames(source)
        if dates.start in names:
            problem = Problem(
                severity="warning",
                table="episodes",
                column=dates.start,
                rule="unreadable_date",
                message="hold a start that is not a date of the declared form, so no day of these"
                " episodes can be counted",
                remedy=UNREADABLE,
            )
            words = tuple(str(code) for code in plan.missing)
            cells = DateCells(source, names.cell(dates.start), dates.format, words)
            problems += _unread(connection, cells, problem, needed=True)
    return problems


def _unread(connection: Any, dates: DateCells, problem: Problem, *, needed: bool) -> list[Problem]:
    """Place what cannot be read; it is graver where rows need it, and where nothing is read."""
    (read,) = connection.execute(
        f"SELECT count({dates.read}) FROM {dates.source.relation}"
    ).fetchone()
    grave: tuple[Severity, Severity] = ("error", "fatal") if needed else ("warning", "error")
    problem = replace(problem, severity=grave[not read])
    return in_source(connection, dates.source, dates.unreadable, problem)
