"""Rates of events with exact Poisson limits, and the share still free of an event.

With n events over T units of time the rate is n / T; its exact (Garwood) limits are

    chi2(a/2, 2n) / 2T   and   chi2(1 - a/2, 2n + 2) / 2T,

zero below where n is 0. They take every event as independent of the others: where some people have
many, the truth is less certain than they say. Reference: Garwood F. Fiducial limits for the Poisson
distribution. Biometrika 1936;28:437-442.

The share free of an event by a day is the product-limit (Kaplan-Meier) estimate: people leave the
risk set when their time is over without being counted as free. Its limits use Greenwood's variance
on the log(-log) scale. Where the last of the group leaves before the day, there is no estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Limits:
    """An estimate with its limits; NaN where there is none."""

    estimate: float
    low: float
    high: float

    def complement(self) -> Limits:
        """Return the same of what did not happen."""
        return Limits(estimate=1 - self.estimate, low=1 - self.high, high=1 - self.low)


def poisson_limits(n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact limits of an expected count of which ``n`` were seen."""
    from scipy.stats import chi2

    tail = (1 - level) / 2
    low = float(chi2.ppf(tail, 2 * n)) / 2 if n else 0.0
    return low, float(chi2.ppf(1 - tail, 2 * n + 2)) / 2


def rate(n: int, time: float, per: float = 1.0) -> Limits:
    """Return ``n`` events in ``time`` as a rate in ``per`` units of it, with exact limits."""
    if not time > 0:
        return Limits(estimate=math.nan, low=math.nan, high=math.nan)
    low, high = poisson_limits(n)
    return Limits(estimate=per * n / time, low=per * low / time, high=per * high / time)


def free_of_event(days: NDArray[np.float64], happened: NDArray[np.bool_], by_day: float) -> Limits:
    """Return the share free of the event by a day, people leaving when their time is over.

    Parameters
    ----------
    days : (n,) array
        Day of the event, or the last day of those without.
    happened : (n,) array
    by_day : float
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
    width = 1.959963984540054 * spread / abs(math.log(free))
    return Limits(estimate=free, low=free ** math.exp(width), high=free ** math.exp(-width))
