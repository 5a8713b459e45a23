"""A table declares itself once.

From one :class:`Table` follow the checks at intake, the data dictionary, the columns that
synthetic records must fill, the disclosure rules and the reference pages. Declarations hold no
code that could disagree with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["key", "string", "integer", "number", "boolean", "category", "month"]
Disclosure = Literal["identifier", "quasi", "measure", "count", "label"]
"""``identifier`` never leaves; ``quasi`` only in groups; ``measure`` only in summaries; ``count``
through the small-number gate; ``label`` a name the study gives, free to show."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: its type, unit, limits and how far it may travel.

    ``required`` columns must exist; ``nullable`` ones may hold empty cells. ``low`` and ``high``
    are hard limits (a row outside is set aside); ``warn_low`` and ``warn_high`` plausible ones
    (kept, reported). ``values`` closes a category; with ``open_values`` unknown codes are kept and
    reported. ``references`` names the column (``table.column``) that must hold the same key.
    """

    name: str
    kind: Kind
    description: str
    required: bool = False
    nullable: bool = True
    unit: str = ""
    low: float | None = None
    high: float | None = None
    warn_low: float | None = None
    warn_high: float | None = None
    values: tuple[str, ...] = ()
    open_values: bool = False
    references: str = ""
    disclosure: Disclosure = "measure"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A named set of columns with a key."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    required: bool = False

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name!r}")

    def __contains__(self, name: object) -> bool:
        return any(column.name == name for column in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)
