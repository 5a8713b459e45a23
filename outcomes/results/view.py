"""One row at the gate: its exact numbers beside its released counts."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from outcomes.results.ledger import Ledger
from outcomes.results.rounding import is_small, round_count

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Exact:
    """All tables with exact numbers, and what of their counts is hidden."""

    tables: Mapping[str, pd.DataFrame]
    ledger: Ledger
    hidden: frozenset[int]
    threshold: int
    reasons: dict[str, str] = field(default_factory=dict)
    indexed: dict[tuple[str, ...], dict[tuple[Any, ...], int]] = field(default_factory=dict)

    @cached_property
    def rows(self) -> dict[str, list[Row]]:
        """The rows of every table."""
        return {name: records(table) for name, table in self.tables.items()}

    def view(self, table: str, place: int) -> View:
        """Return one row with its released counts."""
        return View(exact=self, table=table, place=place, row=self.rows[table][place])

    def find(self, table: str, wanted: Mapping[str, Any]) -> View | None:
        """Return the first row with the wanted values; None where there is none."""
        keys = ("find", table, *wanted)
        if keys not in self.indexed:
            rows = reversed(list(enumerate(self.rows.get(table, []))))
            self.indexed[keys] = {tuple(row[key] for key in wanted): place for place, row in rows}
        place = self.indexed[keys].get(tuple(wanted.values()))
        return None if place is None else self.view(table, place)

    def levels(self, table: str, keys: tuple[str, ...]) -> dict[tuple[Any, ...], int]:
        """Return where the row of each single group stands, by level and ``keys``."""
        if (table, *keys) not in self.indexed:
            self.indexed[table, *keys] = {
                level_key(row, keys): place
                for place, row in reversed(list(enumerate(self.rows.get(table, []))))
                if not row["reference"]
            }
        return self.indexed[table, *keys]

    def told(self, entry: int) -> bool:
        """Whether a count is shown at any of its places.

        The count of a share stands there only where the number that it is of does.
        """
        return entry not in self.hidden and any(map(self._stands, self.ledger.entries[entry].cells))

    def _stands(self, cell: tuple[str, int, str]) -> bool:
        table, place, column = cell
        known = self.ledger.placed.get((table, place, "n_episodes"))
        return column not in ("count", "estimate") or known not in self.hidden

    def enough(self, n: float) -> bool:
        """Whether a number may rest on ``n`` people; not where ``n`` is unknown."""
        return n > 0 and not is_small(n, self.threshold)


@dataclass(frozen=True, kw_only=True)
class View:
    """One row: its exact numbers and its released counts."""

    exact: Exact
    table: str
    place: int
    row: Row

    def number(self, column: str) -> float:
        """Return an exact number, NaN where there is none."""
        return as_float(self.row[column])

    def hidden(self, column: str) -> bool:
        """Whether a count, or the count behind a share, is hidden."""
        entry = self.exact.ledger.placed.get((self.table, self.place, column))
        return entry is not None and entry in self.exact.hidden

    def count(self, column: str) -> float:
        """Return a released count, or the one behind a share; NaN where hidden or absent."""
        entry = self.exact.ledger.placed.get((self.table, self.place, column))
        if entry is None or entry in self.exact.hidden:
            return math.nan
        return float(round_count(self.exact.ledger.entries[entry].value))

    def told(self, column: str) -> bool:
        """Whether a count, or the one behind a share, is shown here or elsewhere."""
        entry = self.exact.ledger.placed.get((self.table, self.place, column))
        return entry is not None and self.exact.told(entry)

    def enough(self, column: str) -> bool:
        """Whether a number may rest on the people counted in ``column``."""
        return self.exact.enough(self.number(column))


def records(table: pd.DataFrame) -> list[Row]:
    """Return the rows of a table by column name."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def level_key(row: Row, keys: tuple[str, ...]) -> tuple[Any, ...]:
    """Return what a row speaks of; a missing number becomes None, which equals itself."""
    values = (row[key] for key in keys)
    return (row["level"], *(None if value != value else value for value in values))


def as_float(value: object) -> float:
    """Return a float, NaN where the value is missing."""
    return float(value) if isinstance(value, numbers.Real) else math.nan
