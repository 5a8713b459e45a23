"""What a reader learns of the unseen from a stress test beside its main comparison.

The two differ by a known amount times the unseen share of the better type. Where the difference is
that of a share that is released anyway, the test was made from it and says nothing new. Otherwise
both were rounded by themselves, and the share lies within half their steps of what they tell:

    (gap - h) / amount <= u <= (gap + h) / amount,   h = (step of the one + step of the other) / 2.

The amount is the largest ratio of exact gap and share of the outcome: the page states it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from outcomes.results.coarse_stress import MAIN, PAIR, STRESS
from outcomes.results.rounding import BASE, ladder
from outcomes.results.view import Row, as_float

Rows = Mapping[str, list[Row]]
ROUNDING: Final = 2e-4
"""Of a share and an estimate made again from released numbers, of four decimals each."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A test beside its main comparison, and the row of ``completeness`` it tells of."""

    outcome: str
    seen: int
    exact: float
    released: float
    half: float


def told_shares(exact: Rows, shown: Rows) -> Iterator[tuple[int, float, float]]:
    """Yield rows of ``completeness`` with the lowest and highest unseen share that is told.

    Parameters
    ----------
    exact, shown : mapping of str to list of dict
        Rows before and after the gate, in the same order.
    """
    gaps = list(_gaps(exact, shown))
    amounts: dict[str, float] = {}
    for gap in gaps:
        if (unseen := _unseen(exact, gap.seen)) > 0:
            amounts[gap.outcome] = max(amounts.get(gap.outcome, 0.0), gap.exact / unseen)
    for gap in gaps:
        amount = amounts.get(gap.outcome, 0.0)
        told, reach = (x / amount if amount > 0 else math.nan for x in (gap.released, gap.half))
        made_again = abs(told - _unseen(shown, gap.seen)) <= ROUNDING
        if amount > 0 and not made_again:
            yield gap.seen, told - reach, told + reach


def _unseen(rows: Rows, place: int) -> float:
    return 1 - as_float(rows["completeness"][place]["share"])


def _gaps(exact: Rows, shown: Rows) -> Iterator[Gap]:
    mains = {_key(row, PAIR): k for k, row in enumerate(exact.get(MAIN, []))}
    cells = ("outcome", "visit", "exposure")
    seen = {_key(row, cells): k for k, row in enumerate(exact.get("completeness", []))}
    for k, test in enumerate(exact.get("sensitivity", [])):
        place = mains.get(_key(test, PAIR)) if test["method"] == STRESS else None
        if place is None:
            continue
        main = exact[MAIN][place]
        both = [seen.get((test["outcome"], test["visit"], main[e])) for e in ("level", "reference")]
        released = _gap(shown["sensitivity"][k], shown[MAIN][place])
        groups = [p for p in both if p is not None]
        if len(groups) < 2 or not math.isfinite(released):
            continue
        n = min(as_float(exact["completeness"][p]["n_observed"]) for p in groups)
        yield Gap(
            outcome=test["outcome"],
            seen=groups[0 if as_float(main["estimate"]) > 0 else 1],
            exact=_gap(test, main),
            released=released,
            half=sum(ladder(BASE * as_float(row["std_error"]) / n) for row in (test, main)) / 2,
        )


def _key(row: Row, keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(row[key] for key in keys)


def _gap(test: Row, main: Row) -> float:
    return abs(as_float(test["estimate"]) - as_float(main["estimate"]))
