"""Dates become days, and stay behind.

The episode's clock starts with its first day (day 0), the patient's own clock with the first day of
the earliest episode that is known. What a date turns into follows from the column it is for: a day,
a month (``start_month``), a year (``birth_year``) or an age in completed years (``age``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from outcomes.core.contract import Column
from outcomes.records.cells import cell_sql
from outcomes.records.columns import cell_text, converted, date_text, family, in_years
from outcomes.records.feeds import Cell, SourceNames
from outcomes.records.mapping import Dates, Value, is_source
from outcomes.records.names import normalised
from outcomes.records.sources import Loaded
from outcomes.records.sql import literal

ON_PATIENT_CLOCK = (("medications", "day"), ("episodes", "patient_day"))
_KEY = Column(name="id", kind="key", description="Any id")
OLDEST_BIRTH = 90
"""A birth year that would tell of a greater age is raised to this one."""


def date_sql(cell: Cell, formats: tuple[str, ...], words: tuple[str, ...] = ()) -> str:
    """Read a date; NULL where it cannot be. Without a format only ISO dates are understood."""
    if family(cell.duck_type) == "date":
        return f"CAST({cell.sql} AS DATE)"
    text = date_text(cell.sql, words)
    tried = [f"try_strptime({text}, {literal(form)})" for form in formats]
    read = ", ".join(map(in_years, tried or [f"TRY_CAST({text} AS TIMESTAMP)"]))
    return f"CAST(coalesce({read}) AS DATE)"


@dataclass(frozen=True)
class DateCells:
    """A source's column of dates, with the forms and the missing words by which it is read."""

    source: Loaded
    cell: Cell
    formats: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def read(self) -> str:
        """The date; NULL where it cannot be read."""
        return date_sql(self.cell, self.formats, self.words)

    @property
    def unreadable(self) -> str:
        """Condition that a cell holds something that is no date."""
        return f"({cell_text(self.cell.sql, self.words)} IS NOT NULL AND {self.read} IS NULL)"


class Clock:
    """When every episode and every patient began, as two tables of the connection."""

    def __init__(self, connection: Any, dates: Dates, source: Loaded, names: SourceNames) -> None:
        self._dates = dates
        episode = _joined_id(dates.episode, names)
        patient = _joined_id(dates.patient, names) if dates.patient else "CAST(NULL AS VARCHAR)"
        start = date_sql(names.cell(dates.start), dates.format)
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE clock_episode AS "
            "SELECT episode, min(patient) AS patient, min(start) AS start "
            f"FROM (SELECT {episode} AS episode, {patient} AS patient, {start} AS start "
            f"FROM {source.relation}) WHERE episode IS NOT NULL GROUP BY episode"
        )
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE clock_patient AS SELECT patient, min(start) AS first "
            "FROM clock_episode WHERE patient IS NOT NULL GROUP BY patient"
        )

    def joined(
        self, table: str, values: Mapping[str, Value], names: SourceNames, relation: str
    ) -> str:
        """Put the starts beside every row of a source, by its episode or its patient."""
        episode = _id_of(values.get("episode_id"), names)
        patient = _id_of(values.get("patient_id"), names)
        whose = "r._patient" if table in ("patients", "medications") else "e.patient"
        return (
            "(SELECT r.*, e.start AS _start, p.first AS _first "
            f"FROM (SELECT *, {episode} AS _episode, {patient} AS _patient FROM {relation}) AS r "
            "LEFT JOIN clock_episode AS e ON r._episode = e.episode "
            f"LEFT JOIN clock_patient AS p ON {whose} = p.patient)"
        )

    @property
    def formats(self) -> tuple[str, ...]:
        """The declared forms of dates."""
        return self._dates.format

    def starts_with(self, source: Loaded, column: str) -> bool:
        """Whether a column of a source holds the starts themselves."""
        own = is_source(source.origin, self._dates.source)
        return own and normalised(column) == normalised(self._dates.start)

    def cell(self, table: str, column: str, cell: Cell, words: tuple[str, ...]) -> Cell:
        """What a date becomes in a canonical column."""
        date = date_sql(cell, self._dates.format, words)
        if column in ("birth_year", "age"):
            date = self._birth(date)
        if column == "start_month":
            return Cell(f"strftime({date}, '%Y-%m')", "VARCHAR", cell.source)
        if column == "birth_year":
            oldest = f"coalesce(year(_first) - {OLDEST_BIRTH}, 0)"
            return Cell(f"greatest(year({date}), {oldest})", "BIGINT", cell.source)
        start = "_first" if (table, column) in ON_PATIENT_CLOCK else "_start"
        unit = "year" if column == "age" else "day"
        first, then = (date, start) if column == "age" else (start, date)
        return Cell(f"date_sub('{unit}', {first}, {then})", "BIGINT", cell.source)

    def _birth(self, date: str) -> str:
        """Put a birth of which the year has two digits into the century before the start."""
        if not any("%y" in form for form in self._dates.format):
            return date
        before = f"CAST({date} - INTERVAL 100 YEAR AS DATE)"
        return f"(CASE WHEN {date} > coalesce(_first, _start) THEN {before} ELSE {date} END)"


def _joined_id(columns: tuple[str, ...], names: SourceNames) -> str:
    value = Value.model_validate({"from": list(columns)})
    return _id_of(value, names)


def _id_of(value: Value | None, names: SourceNames) -> str:
    if value is None or not value.source:
        return "CAST(NULL AS VARCHAR)"
    cell = cell_sql(value, [names.cell(name) for name in value.source], ())
    return converted(_KEY, cell.sql, cell.duck_type).value
