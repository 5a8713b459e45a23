"""Cells into the ledger: one count, the size of a group, a share, a line across the groups."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from typing import Any, Final

from outcomes.results.ledger import Cell, Ledger
from outcomes.results.view import Row, as_float

ALL: Final = ""
"""The exposure of a row about all groups together."""


def number_or_none(value: object) -> float | None:
    """Return a float, None where the value is missing."""
    number = as_float(value)
    return None if math.isnan(number) else number


def enter(ledger: Ledger, cell: Cell, value: object, key: Hashable = None) -> int | None:
    """Enter one cell, where it holds a number."""
    number = number_or_none(value)
    return None if number is None else ledger.add(number, cell=cell, key=key)


def enter_size(ledger: Ledger, cell: Cell, value: object, exposure: str) -> int | None:
    """Enter the size of a group; a second, different number of it lies within the first."""
    number = number_or_none(value)
    if number is None:
        return None
    size = ledger.add(number, cell=cell, key=("size", exposure))
    ledger.entries[size].size = True
    lie_within_size(ledger, size, exposure)
    return size


def lie_within_size(ledger: Ledger, part: int | None, exposure: str) -> None:
    """Say that a count lies within its group, where both are known."""
    whole = ledger.find(("size", exposure))
    if whole is not None and part is not None:
        ledger.subtract(whole, part)


def grouped(rows: list[Row], *keys: str) -> Iterator[list[tuple[int, Row]]]:
    """Yield rows that agree on ``keys``, with their positions."""
    found: dict[tuple[Any, ...], list[tuple[int, Row]]] = {}
    for k, row in enumerate(rows):
        values = (row[key] for key in keys)
        place = tuple(None if value != value else value for value in values)  # NaN equals nothing
        found.setdefault(place, []).append((k, row))
    yield from found.values()


def add_lines(ledger: Ledger, name: str, rows: list[Row], column: str, *keys: str) -> None:
    """Add the groups of each line up to the row of all together."""
    for line in grouped(rows, *keys):
        placed = {row["exposure"]: ledger.placed.get((name, k, column)) for k, row in line}
        total = placed.pop(ALL, None)
        parts = [entry for entry in placed.values() if entry is not None]
        ledger.lines.append((tuple(parts), total))
        if total is not None and len(parts) == len(placed) and parts:
            ledger.entries[total].total = True
            ledger.add_up(total, parts)


def enter_patients(ledger: Ledger, name: str, k: int, row: Row, episodes: int | None) -> int | None:
    """Enter the patients behind episodes; those with several episodes are the rest.

    No patient is no episode: one zero is not shown beside the other where that is hidden.
    """
    if episodes is not None and number_or_none(row["n_patients"]) == 0:
        ledger.place(episodes, (name, k, "n_patients"))
        return episodes
    patients = enter(ledger, (name, k, "n_patients"), row["n_patients"])
    if episodes is not None and patients is not None:
        ledger.subtract(episodes, patients)
    return patients


def enter_share(ledger: Ledger, cell: Cell, share: object, known: int | None) -> int | None:
    """Enter the count behind a share of a known number."""
    number = number_or_none(share)
    if number is None or known is None:
        return None
    part = ledger.add(number * ledger.entries[known].value, cell=cell)
    ledger.subtract(known, part, guard=True)
    return part
