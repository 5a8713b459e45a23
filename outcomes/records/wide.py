"""Columns side by side that hold one thing at several times: which of them a mapping means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from outcomes.catalog.instruments import instrument_aliases, instrument_ids
from outcomes.records.cells import code_text, codes, compared
from outcomes.records.feeds import Cell
from outcomes.records.mapping import Scalar, TableMap, Wide
from outcomes.records.names import normalised

DAYS_PER = {"day": 1.0, "week": 7.0, "month": 30.4375}
"""Days in what a column name counts in; months are rounded to whole days."""
_PLACEHOLDER = re.compile(r"\{(instrument|item|day|week|month|visit)\}")
_PARTS = {
    "instrument": r"(?P<instrument>[a-z](?:[a-z0-9_ .-]*?[a-z0-9])?)",
    "item": r"(?P<item>[0-9]+)",
    "day": r"(?P<day>-?[0-9]+)",
    "week": r"(?P<week>-?[0-9]+)",
    "month": r"(?P<month>-?[0-9]+)",
}
DEFAULT_VALUES = {"assessments": "score", "items": "answer"}


@dataclass(frozen=True)
class WideColumn:
    """One source column that becomes rows: what it sets, and the canonical column of its cell."""

    name: str
    wide: Wide
    set: Mapping[str, Scalar]
    value: str

    @property
    def fills(self) -> tuple[str, ...]:
        """Canonical columns that it fills."""
        return (*self.set, *([self.value] if self.value else []))

    def only_sql(self, cell: Cell) -> list[str]:
        """Condition on the cell, where only some of its codes make a row."""
        return [f"{compared(cell)} IN ({codes(self.wide.only)})"] if self.wide.only else []


def wide_columns(table: TableMap, names: list[str]) -> list[WideColumn]:
    """Find the source columns of every ``[[tables.wide]]``."""
    found: list[WideColumn] = []
    default = DEFAULT_VALUES.get(table.table, "")
    for wide in table.wide:
        value = default if wide.value is None else wide.value
        if wide.column:
            found.append(WideColumn(wide.column, wide, wide.set, value))
            continue
        pattern = _compiled(wide)
        for name in names:
            matched = pattern.fullmatch(name.strip())
            said = _said(wide, matched.groupdict()) if matched else None
            if said is not None:
                found.append(WideColumn(name, wide, {**wide.set, **said}, value))
    return found


def _compiled(wide: Wide) -> re.Pattern[str]:
    """A visit is one of those that have a day, so that it cannot take letters of the instrument."""
    visits = sorted(map(code_text, wide.days), key=len, reverse=True)
    parts = {**_PARTS, "visit": f"(?P<visit>{'|'.join(map(re.escape, visits))})"}
    text, end = "", 0
    for placeholder in _PLACEHOLDER.finditer(wide.pattern):
        text += re.escape(wide.pattern[end : placeholder.start()]) + parts[placeholder[1]]
        end = placeholder.end()
    return re.compile(text + re.escape(wide.pattern[end:]), re.IGNORECASE)


def _said(wide: Wide, parts: Mapping[str, str]) -> dict[str, Scalar] | None:
    """What the name of a column says; None where it speaks of something nobody knows."""
    said: dict[str, Scalar] = {}
    if "instrument" in parts:
        name = normalised(parts["instrument"])
        named = {normalised(key): value for key, value in wide.instruments.items()}
        known = named.get(name, instrument_aliases().get(name, name))
        if known not in named.values() and known not in instrument_ids():
            return None
        said["instrument"] = known
    if "item" in parts:
        said["item"] = int(parts["item"])
    for unit, days in DAYS_PER.items():
        if unit in parts:
            said["day"] = round(int(parts[unit]) * days)
    if "visit" in parts:
        days_of = {code_text(key): day for key, day in wide.days.items()}
        said["day"] = days_of[parts["visit"].lower()]
    return said
