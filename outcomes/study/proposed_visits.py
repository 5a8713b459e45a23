"""The visits of a proposed study, planned where the scores lie.

Days of scores count from the start of an episode; a study counts its visits from time zero, the end
of the exposure window. The days are smoothed on a logarithmic scale, because what is planned late
comes less punctually, and cut in two wherever the density falls below half of the lower peak beside
it. Each part is a visit: planned on the median of its days, with windows that meet halfway between
parts. Where scores lie everywhere there are no parts, and the windows of the catalog are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from outcomes.results.rounding import is_small, round_count, smallest_shown
from outcomes.study.sections import DEFAULT_VISITS, TimeSpec

WINDOW: Final[int] = TimeSpec().window_days
FEWEST_SHARE: Final = 0.1
"""A visit is proposed where this share of the episodes was seen in its window."""
PRIMARY_DAY: Final = 84
"""The primary comparison is proposed at the visit nearest to twelve weeks."""
BANDWIDTH: Final = 0.08
VALLEY: Final = 0.5
GRID: Final = 400
WIDEST: Final = 2.0
"""A part of which the days of the middle 80 % differ by more than this factor is no visit."""
THRESHOLD: Final = 11
"""Smaller counts are not written, and larger ones rounded: others may read a study."""


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Days that lie together, from the start."""

    days: NDArray[np.float64]

    @property
    def median(self) -> int:
        return round(float(np.median(self.days)))

    @property
    def is_wide(self) -> bool:
        low, high = np.quantile(self.days, [0.1, 0.9])
        return bool(high > WIDEST * low)


def propose_visits(days: Sequence[int], n_episodes: int) -> list[dict[str, Any]]:
    """Plan visits from the days of all scores, counted from the start; empty for none later."""
    later = np.sort(np.array([day for day in days if day > WINDOW], dtype=np.float64))
    if not len(later):
        return []
    fewest = max(1.0, FEWEST_SHARE * n_episodes)
    parts = [_Part(days=one) for one in _parts(later) if len(one) >= fewest]
    if parts and not any(part.is_wide for part in parts):
        return _planned(parts, later)
    return _usual(later, fewest) or [_all_of_them(later)]


def primary_visit(visits: Sequence[Mapping[str, Any]]) -> str:
    """Label of the visit for the primary comparison."""
    nearest = min(visits or DEFAULT_VISITS, key=lambda one: abs(int(one["day"]) - PRIMARY_DAY))
    return str(nearest["label"])


def many(count: int) -> str:
    """A count as it may stand in a file that is passed on: one taken from another tells no few."""
    if is_small(count, THRESHOLD):
        return f"fewer than {smallest_shown(THRESHOLD)}"
    return f"about {round_count(count)}"


def _parts(days: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Cut sorted days where few lie between many."""
    grid = np.geomspace(days[0], days[-1], GRID)
    at, counts = np.unique(days, return_counts=True)
    distance = (np.log(grid)[:, None] - np.log(at)) / BANDWIDTH
    cuts = _valleys(np.exp(-(distance**2) / 2) @ counts, 0, GRID)
    return np.split(days, np.searchsorted(days, grid[cuts]))


def _valleys(density: NDArray[np.float64], low: int, high: int) -> list[int]:
    """Positions at which a density is low between two peaks, the deepest first, in order."""
    part = density[low:high]
    peaks = np.minimum(np.maximum.accumulate(part), np.maximum.accumulate(part[::-1])[::-1])
    at = int(np.argmin(part / peaks))
    if part[at] >= VALLEY * peaks[at]:
        return []
    cut = low + at
    return [*_valleys(density, low, cut), cut, *_valleys(density, cut, high)]


def _planned(parts: Sequence[_Part], days: NDArray[np.float64]) -> list[dict[str, Any]]:
    """One visit a part; the outer edges are whole weeks, so that they are nobody's days."""
    first, last = parts[0], parts[-1]
    low = min(_weeks(first.days[0], floor), ceil(0.75 * first.median))
    high = max(_weeks(last.days[-1], ceil), floor(1.25 * last.median))
    between = [floor((one.days[-1] + other.days[0]) / 2) for one, other in pairwise(parts)]
    starts = [max(low, WINDOW + 1), *(day + 1 for day in between)]
    windows = zip(parts, starts, [*between, high], strict=True)
    return [
        _visit(f"week_{max(1, round((part.median - WINDOW) / 7))}", part.median, start, end, days)
        for part, start, end in windows
    ]


def _weeks(day: float, whole: Callable[[float], int]) -> int:
    return 7 * whole(day / 7)


def _visit(label: str, day: int, start: int, end: int, days: NDArray[np.float64]) -> dict[str, Any]:
    """A visit by days from the start, with the reason in both counts of days."""
    seen = int(np.sum((start <= days) & (days <= end)))
    return {
        "label": label,
        "day": max(1, day - WINDOW),
        "from_day": start - WINDOW,
        "to_day": end - WINDOW,
        "why": f"{_after(day - WINDOW)} after time zero, that is day {day} from the start:"
        f" {many(seen)} scores lie in its window, days {start} to {end} from the start",
    }


def _after(day: int) -> str:
    weeks = round(day / 7)
    number, unit = (weeks, "week") if weeks else (day, "day")
    return f"{number} {unit}{'s' * (number != 1)}"


def _usual(days: NDArray[np.float64], fewest: float) -> list[dict[str, Any]]:
    """The windows of the catalog in which enough scores lie."""
    visits = []
    for usual in DEFAULT_VISITS:
        day, start, end = (int(str(usual[key])) + WINDOW for key in ("day", "from_day", "to_day"))
        if np.sum((start <= days) & (days <= end)) >= fewest:
            visits.append(_visit(str(usual["label"]), day, start, end, days))
    return visits


def _all_of_them(days: NDArray[np.float64]) -> dict[str, Any]:
    return {
        "label": "follow_up",
        "day": max(1, round(float(np.median(days))) - WINDOW),
        "from_day": 1,
        "to_day": _weeks(days[-1], ceil) - WINDOW,
        "why": "GAP: no usual visit fits the days of the scores; this one takes them all",
    }
