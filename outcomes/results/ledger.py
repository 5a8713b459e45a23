"""Every count of a set of tables, where it stands, and how counts hang together.

The same count may stand in several tables: the size of a group is in ``completeness``,
``components`` and ``harms``. It has one entry here, so that it is shown everywhere or nowhere. A
count that stands nowhere but follows from others (who was *not* measured) has an entry without a
place. What ties entries together are sums that come out at zero,

    total - part_1 - ... - part_k = 0        whole - part - rest = 0,

kept only where the exact numbers satisfy them. Shares of a known number are entries, too: they hold
the count behind the share, which need not be a whole number where values were drawn.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final

Cell = tuple[str, int, str]
"""Table, position of the row, column."""

WHOLE_TOLERANCE: Final = 1e-6


@dataclass(kw_only=True)
class Entry:
    """One count.

    To protect others a ``total`` is hidden rather than a cell, and the ``size`` of a group last.
    An entry that is not ``protected`` may be known: second events of the same person. One that was
    ``merged`` into another stands nowhere itself.
    """

    value: float
    whole: bool = True
    protected: bool = True
    total: bool = False
    size: bool = False
    merged: int | None = None
    cells: list[Cell] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Relation:
    """Entries whose weighted sum is zero; the weights of counts that add up are 1 and -1."""

    entries: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(kw_only=True)
class Ledger:
    """Counts, their places, the sums they satisfy, and which guard or accompany each other.

    Attributes
    ----------
    entries : list of Entry
    relations : list of Relation
    guarded : list of (part, rest)
        The part is hidden where the rest is small: a share tells both.
    lines : list of (entries, total or None)
        Cells that stand side by side: a zero among them is hidden with the small ones.
    """

    entries: list[Entry] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    guarded: list[tuple[int, int]] = field(default_factory=list)
    lines: list[tuple[tuple[int, ...], int | None]] = field(default_factory=list)
    known: dict[Hashable, int] = field(default_factory=dict)
    placed: dict[Cell, int] = field(default_factory=dict)
    subtracted: set[tuple[int, int]] = field(default_factory=set)

    def add(self, value: float, *, cell: Cell | None = None, key: Hashable = None) -> int:
        """Return the entry of a count: a known one where key and value agree, else a new one."""
        found = self.find(key, value) if key is not None else None
        if found is None:
            found = len(self.entries)
            whole = abs(value - round(value)) < WHOLE_TOLERANCE
            self.entries.append(Entry(value=round(value) if whole else value, whole=whole))
            if key is not None:
                self.known.setdefault(key, found)
        if cell is not None:
            self.place(found, cell)
        return found

    def place(self, entry: int, cell: Cell) -> None:
        """Say that a cell shows an entry."""
        self.entries[entry].cells.append(cell)
        self.placed[cell] = entry

    def find(self, key: Hashable, value: float | None = None) -> int | None:
        """Return the entry of a key, where its value is the given one."""
        found = self.known.get(key)
        if found is None or value is None:
            return found
        return found if abs(self.entries[found].value - value) < WHOLE_TOLERANCE else None

    def add_up(self, total: int, parts: Sequence[int]) -> None:
        """Say that the parts add up to the total, where they do."""
        if total in parts:
            return
        gap = self.entries[total].value - sum(self.entries[part].value for part in parts)
        if abs(gap) < WHOLE_TOLERANCE * (1 + len(parts)):
            weights = (1.0, *(-1.0 for _ in parts))
            self.relations.append(Relation(entries=(total, *parts), weights=weights))

    def subtract(self, whole: int, part: int, *, guard: bool = False, protect: bool = True) -> None:
        """Say that the part lies within the whole, so that a reader can subtract.

        With ``guard`` the part is hidden wherever the rest is small; without ``protect`` the rest
        may be known.
        """
        rest = self.entries[whole].value - self.entries[part].value
        if whole == part or rest < -WHOLE_TOLERANCE or (whole, part) in self.subtracted:
            return
        self.subtracted.add((whole, part))
        left = self.add(max(rest, 0.0))
        self.entries[left].protected = protect
        self.relations.append(Relation(entries=(whole, part, left), weights=(1.0, -1.0, -1.0)))
        if guard:
            self.guarded.append((part, left))

    def merge_alike(self) -> None:
        """Make lines with the same numbers in every group one: they are of one thing.

        Who was measured stands under several names, in several tables; a number hidden under one
        and shown under another would be no secret. Fewer than three different numbers may agree by
        chance.
        """
        first: dict[tuple[float, ...], tuple[tuple[int, ...], int | None]] = {}
        for entries, total in self.lines:
            numbers = tuple(self.entries[entry].value for entry in entries)
            if len(set(numbers)) < 3:
                continue
            same, whole = first.setdefault(numbers, (entries, total))
            for one, other in zip(same, entries, strict=True):
                self._merge(one, other)
            if whole is not None and total is not None:
                self._merge(whole, total)
        self._settle()

    def _merge(self, one: int, other: int) -> None:
        kept, gone = self._standing(one), self._standing(other)
        if kept == gone or self.entries[kept].value != self.entries[gone].value:
            return
        entry, lost = self.entries[kept], self.entries[gone]
        entry.cells += lost.cells
        entry.total, entry.size = entry.total or lost.total, entry.size or lost.size
        entry.protected = entry.protected or lost.protected
        lost.cells, lost.protected, lost.merged = [], False, kept

    def _standing(self, place: int) -> int:
        """Return the entry that a place has been merged into."""
        while (merged := self.entries[place].merged) is not None:
            place = merged
        return place

    def _settle(self) -> None:
        """Speak of the entries that are left in sums, guards, lines and places."""
        at = [self._standing(place) for place in range(len(self.entries))]
        sums = {relation: None for old in self.relations if (relation := _moved(old, at))}
        self.relations = list(sums)
        self.guarded = [(at[part], at[rest]) for part, rest in self.guarded]
        self.lines = [
            (tuple(at[e] for e in entries), None if total is None else at[total])
            for entries, total in self.lines
        ]
        self.known = {key: at[place] for key, place in self.known.items()}
        self.placed = {cell: at[place] for cell, place in self.placed.items()}


def _moved(relation: Relation, at: Sequence[int]) -> Relation | None:
    """Return a sum of the entries left; None where nothing is left to tie."""
    weights: dict[int, float] = {}
    for entry, weight in zip(relation.entries, relation.weights, strict=True):
        weights[at[entry]] = weights.get(at[entry], 0.0) + weight
    left = {entry: weight for entry, weight in weights.items() if weight}
    if len(left) < 2:
        return None
    return Relation(entries=tuple(left), weights=tuple(left.values()))
