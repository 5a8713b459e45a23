"""Scores after time zero that lie in the window of no analysed visit, and so count nowhere.

A few are usual. Where they are many, the windows most likely count from another day than the scores
do. They are told by whole weeks from the start of the episode, so that no end is anybody's day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from outcomes.results.rounding import is_small

if TYPE_CHECKING:
    from outcomes.study.spec import StudySpec

LARGEST_SHARE: Final = 0.1
"""Share of the scores after time zero that may lie outside without a word."""
MOST: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Unplaced:
    """How many scores count nowhere, and the days from the start on which more than half lie."""

    n: int
    n_after: int
    first_day: int
    last_day: int

    def __str__(self) -> str:
        return (
            f"{self.n:,} of {self.n_after:,} scores after time zero lie in no analysed visit's"
            f" window, most on days {self.first_day} to {self.last_day} from the start"
        )


def find_unplaced(days: Mapping[int, int], spec: StudySpec, window_days: int) -> Unplaced | None:
    """Look at the days of one outcome's scores; None where few, or too few to be told, are outside.

    Parameters
    ----------
    days : mapping of int to int
        Scores by day from the start of the episode.
    spec : StudySpec
    window_days : int
        Day of time zero.
    """
    visits = spec.analysed_visits
    if any(visit.event for visit in visits):
        # The window of an event is another for every episode: no day lies in none.
        return None
    after = {day: n for day, n in days.items() if day > window_days}
    windows = [
        (one.from_day + window_days, one.to_day + window_days)
        for one in visits
        if one.from_day is not None and one.to_day is not None
    ]
    outside = {
        day: n for day, n in after.items() if not any(low <= day <= high for low, high in windows)
    }
    n, n_after = sum(outside.values()), sum(after.values())
    if n <= LARGEST_SHARE * n_after or is_small(n, spec.disclosure.threshold):
        return None
    first, last = _most(outside, max(MOST * n, spec.disclosure.threshold))
    return Unplaced(n=n, n_after=n_after, first_day=7 * first, last_day=7 * last + 6)


def _most(days: Mapping[int, int], enough: float) -> tuple[int, int]:
    """Return the fewest weeks in a row that hold enough of the scores."""
    weeks: Counter[int] = Counter()
    for day, n in days.items():
        weeks[day // 7] += n
    spans: list[tuple[int, int, int]] = []
    first, held = min(weeks), 0
    for last in range(min(weeks), max(weeks) + 1):
        held += weeks[last]
        while held >= enough:
            spans.append((last - first, first, last))
            held -= weeks[first]
            first += 1
    _, first, last = min(spans)
    return first, last
