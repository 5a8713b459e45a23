"""Attack a release: what could a reader work out who knows everything but the records?

The gate looks for what gives a count away before it releases. This module starts from the other
end: from the released numbers, whoever made them. It takes from the exact tables only which counts
add up, and sets against them what each released cell stands for:

- a count r: the whole numbers that round to r, of those that may be shown; a hidden one: anything;
- a share s of a shown number: the count behind it rounds to s times that number;
- a share of a hidden number n, rounded to a step d: (s - d/2) n <= k <= (s + d/2) n;
- a rate with exact limits: the number of events that has such limits.

Then it asks for the smallest interval of every count from 1 to threshold - 1, in whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.results.derivable import Bounds, narrowed, tighten
from outcomes.results.ledger import Cell, Ledger, Relation
from outcomes.results.poisson import events_behind
from outcomes.results.pooling import pool_combinations
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
    """
    given = {name: table.reset_index(drop=True) for name, table in exact.items()}
    if "combinations" in given:
        given["combinations"] = pool_combinations(given["combinations"], threshold)
    ledger = build_ledger(given)
    shown = {name: records(released[name]) for name in given}
    low = np.zeros(len(ledger.entries))
    high = np.full(len(ledger.entries), np.inf)
    for entry, interval in _readings(ledger, shown, threshold):
        low[entry], high[entry] = max(low[entry], interval[0]), min(high[entry], interval[1])
    low, high = _share_bands(ledger, shown, low, high)
    bounds = Bounds(low, high)
    found = narrowed(ledger, bounds, threshold, integral=integral)
    passed = tighten(ledger, bounds) if found else bounds
    return [f"{_place(ledger, i)}: between {passed.low[i]:g} and {passed.high[i]:g}" for i in found]


# ------------------------------------------------------------------------------- reading the cells
def _readings(
    ledger: Ledger, shown: Mapping[str, list[Row]], threshold: int
) -> Iterator[tuple[int, tuple[float, float]]]:
    """Yield each entry with the interval that one of its released cells stands for."""
    for cell, entry in ledger.placed.items():
        released = _released_count(cell, shown)
        if math.isfinite(released):
            yield entry, _stands_for(released, threshold, whole=ledger.entries[entry].whole)
    for name, (share, count, known) in SHARES.items():
        for k, row in enumerate(shown.get(name, [])):
            placed = ledger.placed.get((name, k, count), ledger.placed.get((name, k, share)))
            behind = round_or_nan(as_float(row[share]) * as_float(row[known]))
            if placed is not None and _is_share(name, row) and math.isfinite(behind):
                yield placed, _stands_for(behind, threshold, whole=ledger.entries[placed].whole)


def _is_share(name: str, row: Row) -> bool:
    if name in ESTIMATE_TABLES:
        return bool(row["scale"] == RISK and not row["reference"])
    return bool(row.get("statistic", SHARE) == SHARE)


def _released_count(cell: Cell, shown: Mapping[str, list[Row]]) -> float:
    """Return the released count in a cell, NaN where there is none; of a rate, its events."""
    table, k, column = cell
    row = shown[table][k]
    if column != "estimate":
        return as_float(row[column])
    if table == "described" and row["statistic"] == RATE:
        events = events_behind(as_float(row["estimate"]), as_float(row["conf_high"]))
        return math.nan if events is None else round_or_nan(events)
    return math.nan


def round_or_nan(value: float) -> float:
    """Return the nearest multiple of five, NaN for NaN."""
    return float(round_count(value)) if math.isfinite(value) else math.nan


def _stands_for(released: float, threshold: int, *, whole: bool) -> tuple[float, float]:
    reach = REACH if whole else BASE / 2
    if released == 0:
        return 0.0, 0.0 if whole else reach
    return max(released, smallest_shown(threshold)) - reach, released + reach


# ------------------------------------------------------------------------- shares of hidden numbers
def _share_bands(
    ledger: Ledger,
    shown: Mapping[str, list[Row]],
    low: np.ndarray,
    high: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Tie counts to hidden numbers by the shares that are shown; return the longer bounds."""
    for name, (share, count, known) in SHARES.items():
        for k, row in enumerate(shown.get(name, [])):
            part = ledger.placed.get((name, k, count))
            whole = ledger.placed.get((name, k, known))
            value = as_float(row[share])
            hidden = math.isnan(as_float(row[known]))
            if part is None or whole is None or not (_is_share(name, row) and hidden):
                continue
            if math.isfinite(value):
                _band(ledger, part, whole, value)
    extra = len(ledger.entries) - len(low)
    return np.pad(low, (0, extra)), np.pad(high, (0, extra), constant_values=np.inf)


def _band(ledger: Ledger, part: int, whole: int, share: float) -> None:
    """Say that a count lies within a band of shares of a number that is not shown."""
    half = share_step(ledger.entries[whole].value) / 2
    _at_most(ledger, (part, 1.0), (whole, share + half))
    if share > half:
        _at_most(ledger, (whole, share - half), (part, 1.0))


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
