"""Where visits stand along an axis of weeks, and the range of the values above it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from outcomes.figures.theme import nice_ticks

CLOSE = 0.1
"""Neighbours nearer than this share of the axis drop their label on a narrow screen."""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The places of visits in weeks.

    Events such as discharge have no day: they stand after the last planned visit and are not
    joined to it.

    Attributes
    ----------
    labels : tuple of str
        Visit labels; ``"baseline"`` first where the start is drawn.
    ticks : tuple of str
        Words under the axis.
    weeks : tuple of float
    joined : tuple of bool
        Whether a line may run from the visit before.
    """

    labels: tuple[str, ...]
    ticks: tuple[str, ...]
    weeks: tuple[float, ...]
    joined: tuple[bool, ...]

    @property
    def low(self) -> float:
        """Left end of the axis."""
        return min(self.weeks)

    @property
    def high(self) -> float:
        """Right end of the axis."""
        return max(max(self.weeks), self.low + 1)

    def percent(self, place: int) -> float:
        """Where a visit stands, in percent of the axis."""
        return round(100 * (self.weeks[place] - self.low) / (self.high - self.low), 2)

    def tight(self, place: int) -> bool:
        """Whether the visit stands so near the one after it that its label may go."""
        if place in (0, len(self.weeks) - 1):
            return False
        return self.percent(place + 1) - self.percent(place) < 100 * CLOSE


def build_timeline(
    visits: Sequence[tuple[str, str, float | None]], *, start: bool = True
) -> Timeline:
    """Place visits on an axis.

    Parameters
    ----------
    visits : sequence of (label, tick, day)
        In order; ``day`` is None for an event.
    start : bool
        Whether time zero is drawn.

    Returns
    -------
    Timeline
    """
    rows: list[tuple[str, str, float, bool]] = [("baseline", "0", 0.0, True)] if start else []
    rows += [(label, tick, day / 7, True) for label, tick, day in visits if day is not None]
    end = max((row[2] for row in rows), default=0.0)
    gap = max(1.0, 0.2 * end)
    events = [(label, tick) for label, tick, day in visits if day is None]
    rows += [(label, tick, end + gap * (k + 1), False) for k, (label, tick) in enumerate(events)]
    labels, ticks, weeks, joined = zip(*rows, strict=True)
    return Timeline(labels=labels, ticks=ticks, weeks=weeks, joined=joined)


@dataclass(frozen=True, kw_only=True)
class Level:
    """The vertical range of a figure, with its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def percent(self, value: float) -> float:
        """Where a value stands, in percent from the top, held within the range."""
        share = (self.high - value) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)


def build_level(values: Iterable[float], *, floor: float | None = None) -> Level:
    """Return a range of round numbers that holds all values."""
    known = list(values) or [0.0, 1.0]
    low, high = min(known), max(known)
    if high <= low:
        low, high = low - 1, high + 1
    ticks = nice_ticks(low, high, 5)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else high - low
    bottom = step * (low // step)
    top = step * -(-high // step)
    if floor is not None:
        bottom = max(floor, bottom)
    return Level(low=bottom, high=top, ticks=tuple(nice_ticks(bottom, top, 6)))
