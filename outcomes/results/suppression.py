"""Which counts are hidden: the small ones, and those that would give a small one away.

First every count is hidden that would round to less than may be shown, and every part of a whole of
which so few are left over. Zeros that stand beside a hidden count are hidden with it, so that a
hidden count may be zero for all a reader knows; where nobody in any group has it, zero is shown.

Then, as long as a reader could still place a small count inside 1 to threshold - 1
(:mod:`outcomes.results.derivable`), one more count is hidden for every such place: of the sum that
says most about what is given away, the count that stands in most sums with it; of these a total
rather than a group's own count (groups are what is compared), and then the smallest. The size of a
group comes last. The choice depends on the numbers alone, so the same tables always give the same
release.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from outcomes.core.errors import DisclosureError
from outcomes.results.derivable import Bounds, narrowed
from outcomes.results.ledger import Entry, Ledger, Relation
from outcomes.results.rounding import BASE, REACH, is_small, round_count, smallest_shown

if TYPE_CHECKING:
    from collections.abc import Iterable


def choose_hidden(ledger: Ledger, threshold: int) -> frozenset[int]:
    """Return the entries that must not be shown.

    Parameters
    ----------
    ledger : Ledger
        With the exact numbers.
    threshold : int
        Smallest count that may be known.

    Returns
    -------
    frozenset of int

    Raises
    ------
    DisclosureError
        Where nothing is left to hide and a count is still given away.
    """
    hidden = small_entries(ledger, threshold)
    shown = released_bounds(ledger, (), threshold)
    sums = _sums_of(ledger)
    while True:
        bounds = _without(shown, hidden)
        found = narrowed(ledger, bounds, threshold)
        if not found:
            return frozenset(hidden)
        hidden |= _round(ledger, sums, bounds, found)


def _without(shown: Bounds, hidden: Iterable[int]) -> Bounds:
    """Return the bounds with the hidden entries open."""
    out = np.fromiter(hidden, dtype=np.intp)
    low, high = shown.low.copy(), shown.high.copy()
    low[out], high[out] = 0.0, np.inf
    return Bounds(low, high)


Sums = dict[int, list[int]]
"""Entry to the places of the sums it stands in."""


def _sums_of(ledger: Ledger) -> Sums:
    found: Sums = {}
    for place, relation in enumerate(ledger.relations):
        for entry in relation.entries:
            found.setdefault(entry, []).append(place)
    return found


def _near(ledger: Ledger, sums: Sums, entries: Iterable[int]) -> list[Relation]:
    """Return the sums that any of the entries stands in, in their order."""
    places = sorted({place for entry in entries for place in sums.get(entry, ())})
    return [ledger.relations[place] for place in places]


def _round(ledger: Ledger, sums: Sums, bounds: Bounds, given_away: list[int]) -> set[int]:
    """Return one count to hide for each part of what is given away that shares a sum."""
    left, chosen = set(given_away), set()
    while left:
        first = min(left)
        beside = {entry for relation in _near(ledger, sums, [first]) for entry in relation.entries}
        part = left & (beside | {first})
        chosen.add(_next(ledger, sums, bounds, part))
        left -= part
    return chosen


def small_entries(ledger: Ledger, threshold: int) -> set[int]:
    """Return what is hidden for its own sake: small counts, small rests, zeros beside them."""
    hidden = {i for i, e in enumerate(ledger.entries) if e.cells and is_small(e.value, threshold)}
    hidden |= {
        part for part, rest in ledger.guarded if is_small(ledger.entries[rest].value, threshold)
    }
    for entries, total in ledger.lines:
        zeros = {entry for entry in entries if ledger.entries[entry].value == 0}
        if total is not None and ledger.entries[total].value == 0:
            continue
        if total is not None or not hidden.isdisjoint(entries):
            hidden |= zeros
    return hidden


def released_bounds(ledger: Ledger, hidden: Iterable[int], threshold: int) -> Bounds:
    """Return what a reader knows of each entry from its own place alone."""
    out = set(hidden)
    ends = [
        (0.0, np.inf) if i in out or not e.cells else shown_interval(e, threshold)
        for i, e in enumerate(ledger.entries)
    ]
    low, high = np.array(ends, dtype=np.float64).reshape(-1, 2).T
    return Bounds(low, high)


def shown_interval(entry: Entry, threshold: int) -> tuple[float, float]:
    """Return the lowest and highest number that a shown count may stand for."""
    released = round_count(entry.value)
    if entry.value == 0:
        return 0.0, 0.0
    reach = REACH if entry.whole else BASE / 2
    least = smallest_shown(threshold) - reach
    return max(released - reach, min(least, entry.value)), released + reach


def _next(ledger: Ledger, sums: Sums, bounds: Bounds, given_away: set[int]) -> int:
    """Return the count to hide next, from the sums that say most about what is given away."""
    reached = set(given_away)
    while True:
        near = _near(ledger, sums, reached)
        able = [(_width(r, bounds, reached), r) for r in near if _hideable(r, ledger, bounds)]
        if able:
            least = min(width for width, _ in able)
            return _cheapest(ledger, bounds, near, [r for width, r in able if width == least])
        wider = reached.union(*(relation.entries for relation in near))
        if wider == reached:
            raise DisclosureError(
                "A count below the threshold can be worked out and nothing is left to hide. "
                "Nothing was released; merge intervention types or raise the threshold."
            )
        reached = wider


def _hideable(relation: Relation, ledger: Ledger, bounds: Bounds) -> list[int]:
    """Return the entries of a sum that are shown."""
    return [e for e in relation.entries if ledger.entries[e].cells and np.isfinite(bounds.high[e])]


def _width(relation: Relation, bounds: Bounds, reached: set[int]) -> float:
    """Return how far a sum leaves open what is reached."""
    others = [entry for entry in relation.entries if entry not in reached]
    return float((bounds.high[others] - bounds.low[others]).sum())


def _cheapest(
    ledger: Ledger, bounds: Bounds, near: list[Relation], tightest: list[Relation]
) -> int:
    times = Counter(entry for relation in near for entry in relation.entries)
    able = {entry for relation in tightest for entry in _hideable(relation, ledger, bounds)}

    def order(place: int) -> tuple[bool, int, bool, float, int]:
        entry = ledger.entries[place]
        return (entry.size, -times[place], not entry.total, entry.value, place)

    return min(able, key=order)
