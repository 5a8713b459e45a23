"""Attack a release: what could a reader work out who knows everything but the records?

The gate looks for what gives a count away before it releases. This module starts from the other
end: from the released numbers, whoever made them. It takes from the exact tables only which counts
add up, and sets against them what each released cell stands for:

- a count r: the whole numbers that round to r, of those that may be shown; a hidden one: anything;
- a share s of a shown number: the count behind it rounds to s times that number;
- a share of a hidden number n, rounded to a step d from a rounded count:
  (s - d/2) n - 2.5 <= k <= (s + d/2) n + 2.5;
- a rate with exact limits: the number of events that has such limits;
- a stress test of unseen values beside its main comparison: the share that was not seen
  (:mod:`outcomes.results.audit_stress`).

Then it asks for the smallest interval of every count from 1 to threshold - 1, in whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.core.errors import DisclosureError
from outcomes.results.audit_stress import told_shares
from outcomes.results.derivable import TOLERANCE, Bounds, narrowed, tighten
from outcomes.results.ledger import Ledger, Relation
from outcomes.results.poisson import events_behind, stated_level
from outcomes.results.pooling import pool_rare
from outcomes.results.relations import RATE, SHARE, build_ledger
from outcomes.results.relations_estimates import RISK
from outcomes.results.rounding import BASE, REACH, round_count, share_step, smallest_shown
from outcomes.results.tables import ESTIMATE_TABLES
from outcomes.results.view import Row, as_float, records

if TYPE_CHECKING:
    import pandas as pd

SHARES: Final = {
    "baseline": ("estimate", "count", "n_episodes"),
    "completeness": ("share", "n_observed", "n_episodes"),
    "components": ("share", "n_episodes", "n_total"),
    "dose": ("estimate", "estimate", "n_episodes"),
    "described": ("estimate", "count", "n_episodes"),
    **dict.fromkeys(ESTIMATE_TABLES, ("estimate", "estimate", "n_episodes")),
}
"""Columns of a share, of the count behind it, and of the number it is out of."""
DIGITS: Final = 3


def audit_release(
    exact: Mapping[str, pd.DataFrame],
    released: Mapping[str, pd.DataFrame],
    *,
    threshold: int,
    integral: bool = True,
) -> list[str]:
    """Return the counts from 1 to threshold - 1 that a reader of the release can place there.

    Parameters
    ----------
    exact, released : mapping of str to DataFrame
        Contract tables before and after the gate, rows in the same order.
    threshold : int
    integral : bool
        Let the reader use that counts are whole numbers.

    Returns
    -------
    list of str
        One line a count, with the interval found; empty where nothing leaks.

    Raises
    ------
    DisclosureError
        Where no counts at all could have led to the release.
    """
    given = pool_rare(exact, threshold)
    ledger = build_ledger(given)
    shown = {name: records(released[name]) for name in given}
    low = np.zeros(len(ledger.entries))
    high = np.full(len(ledger.entries), np.inf)
    for entry, interval in _readings(ledger, shown, threshold):
        low[entry], high[entry] = max(low[entry], interval[0]), min(high[entry], interval[1])
    _share_bands(ledger, shown)
    _stress_bands(ledger, {name: records(table) for name, table in given.items()}, shown)
    extra = len(ledger.entries) - len(low)
    bounds = Bounds(np.pad(low, (0, extra)), np.pad(high, (0, extra), constant_values=np.inf))
    passed = tighten(ledger, bounds)
    if np.any(passed.low > passed.high + TOLERANCE):
        raise DisclosureError(
            "The released counts contradict each other: no numbers have them all."
        )
    found = narrowed(ledger, bounds, threshold, integral=integral)
    return [f"{_place(ledger, i)}: between {passed.low[i]:g} and {passed.high[i]:g}" for i in found]


# ------------------------------------------------------------------------------- reading the cells
def _readings(
    ledger: Ledger, shown: Mapping[str, list[Row]], threshold: int
) -> Iterator[tuple[int, tuple[float, float]]]:
    """Yield each entry with the interval that one of its released cells stands for."""
    for (table, k, column), entry in ledger.placed.items():
        row, whole = shown[table][k], ledger.entries[entry].whole
        if column != "estimate" and math.isfinite(as_float(row[column])):
            yield entry, _stands_for(as_float(row[column]), threshold, whole=whole)
        elif (table, column) == ("described", "estimate") and row["statistic"] == RATE:
            yield entry, _events(row, threshold)
    for name, (share, _, known) in SHARES.items():
        for k, row in enumerate(shown.get(name, [])):
            placed = _behind(ledger, name, k)
            count = as_float(row[share]) * as_float(row[known])
            if placed is not None and _is_share(name, row) and math.isfinite(count):
                whole = ledger.entries[placed].whole
                yield placed, _stands_for(round_count(count), threshold, whole=whole)


def _events(row: Row, threshold: int) -> tuple[float, float]:
    """Return how many events a rate with its limit stands for, both of three digits."""
    rate, high = as_float(row["estimate"]), as_float(row["conf_high"])
    level = stated_level(as_float(row["conf_level"]))
    if not (math.isfinite(rate) and math.isfinite(high)):
        return 0.0, math.inf
    if rate == 0:
        return 0.0, 0.0
    near, far = (10.0 ** (math.floor(math.log10(x)) - DIGITS + 1) / 2 for x in (rate, high))
    least = events_behind(rate - near, high + far, level) or 0
    most = events_behind(rate + near, max(high - far, rate + 2 * near), level) or 0
    low, _ = _stands_for(BASE * math.ceil(least / BASE), threshold, whole=True)
    return low, BASE * math.floor(most / BASE) + REACH


def _behind(ledger: Ledger, name: str, k: int) -> int | None:
    """Return the count behind a share: its own, where it is not the row's count over its number."""
    share, count, _ = SHARES[name]
    return ledger.placed.get((name, k, share), ledger.placed.get((name, k, count)))


def _is_share(name: str, row: Row) -> bool:
    if name in ESTIMATE_TABLES:
        return bool(row["scale"] == RISK and not row["reference"])
    return bool(row.get("statistic", SHARE) == SHARE)


def _stands_for(released: float, threshold: int, *, whole: bool) -> tuple[float, float]:
    reach = REACH if whole else BASE / 2
    if released == 0:
        return 0.0, 0.0 if whole else reach
    return max(released, smallest_shown(threshold)) - reach, released + reach


# ------------------------------------------------------------------------- shares of hidden numbers
def _share_bands(ledger: Ledger, shown: Mapping[str, list[Row]]) -> None:
    """Tie counts to hidden numbers by the shares that are shown."""
    for name, (share, _, known) in SHARES.items():
        for k, row in enumerate(shown.get(name, [])):
            part = _behind(ledger, name, k)
            whole = ledger.placed.get((name, k, known))
            value = as_float(row[share])
            hidden = math.isnan(as_float(row[known]))
            if part is None or whole is None or not (_is_share(name, row) and hidden):
                continue
            if math.isfinite(value):
                number = ledger.entries[whole].value
                half = (share_step(number) + BASE / number) / 2
                _band(ledger, part, whole, value - half, value + half)


def _stress_bands(
    ledger: Ledger, exact: Mapping[str, list[Row]], shown: Mapping[str, list[Row]]
) -> None:
    """Tie who was seen to the size of the group by what the stress tests tell of the unseen."""
    for place, least, most in told_shares(exact, shown):
        seen = ledger.placed["completeness", place, "n_observed"]
        size = ledger.placed["completeness", place, "n_episodes"]
        _band(ledger, seen, size, 1 - most, 1 - least)


def _band(ledger: Ledger, part: int, whole: int, least: float, most: float) -> None:
    """Say that a count lies within a band of shares of another number."""
    _at_most(ledger, (part, 1.0), (whole, most))
    if least > 0:
        _at_most(ledger, (whole, least), (part, 1.0))


def _at_most(ledger: Ledger, less: tuple[int, float], more: tuple[int, float]) -> None:
    """Say that one weighted count is at most another."""
    gap = more[1] * ledger.entries[more[0]].value - less[1] * ledger.entries[less[0]].value
    left = ledger.add(max(gap, 0.0))
    ledger.entries[left].protected = False
    ledger.entries[left].whole = False
    weights = (more[1], -less[1], -1.0)
    ledger.relations.append(Relation(entries=(more[0], less[0], left), weights=weights))


# ------------------------------------------------------------------------------------------- words
def _place(ledger: Ledger, entry: int) -> str:
    """Say where a count stands, or which counts it is the difference of."""
    cells = ledger.entries[entry].cells
    if cells:
        return " row ".join(map(str, cells[0][:2])) + f", {cells[0][2]}"
    relation = next(r for r in ledger.relations if entry in r.entries)
    others = [e for e in relation.entries if e != entry and ledger.entries[e].cells]
    return " less ".join(_place(ledger, other) for other in others)
