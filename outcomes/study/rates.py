"""Rates of events with exact Poisson limits, and the share still free of an event.

With n events over T units of time the rate is n / T; its limits are the exact ones of n
(:mod:`outcomes.results.poisson`) over T. They take every event as independent of the others: where
some people have many, the truth is less certain than they say.

The share free of an event by a day is the product-limit (Kaplan-Meier) estimate: people leave the
risk set when their time is over without being counted as free. Its limits use Greenwood's variance
on the log(-log) scale. Where the last of the group leaves before the day, there is no estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from outcomes.results.poisson import LEVEL, poisson_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Limits:
    """An estimate with its limits; NaN where there is none."""

    estimate: float
    low: float
    high: float

    def complement(self) -> Limits:
        """Return the same of what did not happen."""
        return Limits(estimate=1 - self.estimate, low=1 - self.high, high=1 - self.low)


def rate(n: int, time: float, per: float = 1.0, *, level: float = LEVEL) -> Limits:
    """Return ``n`` events in ``time`` as a rate in ``per`` units of it, with exact limits."""
    if not time > 0:
        return Limits(estimate=math.nan, low=math.nan, high=math.nan)
    low, high = poisson_limits(n, level)
    return Limits(estimate=per * n / time, low=per * low / time, high=per * high / time)


def free_of_event(
    days: NDArray[np.float64],
    happened: NDArray[np.bool_],
    by_day: float,
    *,
    level: float = LEVEL,
) -> Limits:
    """Return the share free of the event by a day, people leaving when their time is over.

    Parameters
    ----------
    days : (n,) array
        Day of the event, or the last day of those without.
    happened : (n,) array
    by_day : float
    level : float
        Confidence level of the limits.
    """
    none = Limits(estimate=math.nan, low=math.nan, high=math.nan)
    if not len(days) or days.max() < by_day:
        return none
    at = np.unique(days[happened & (days <= by_day)])
    events = np.array([np.count_nonzero(happened & (days == day)) for day in at])
    at_risk = np.array([np.count_nonzero(days >= day) for day in at])
    free = float(np.prod(1 - events / at_risk))
    if not 0 < free < 1:
        return Limits(estimate=free, low=math.nan, high=math.nan)
    spread = math.sqrt(float(np.sum(events / (at_risk * (at_risk - events)))))
    width = NormalDist().inv_cdf((1 + level) / 2) * spread / abs(math.log(free))
    return Limits(estimate=free, low=free ** math.exp(width), high=free ** math.exp(-width))
