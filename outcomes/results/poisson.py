"""Exact Poisson limits of a count of events, and the count behind limits.

With n events the exact (Garwood) limits of their expected number are

    chi2(a/2, 2n) / 2   and   chi2(1 - a/2, 2n + 2) / 2,

zero below where n is 0. The upper limit over the rate, both in any unit of time, depends on n alone
and falls as n grows, so whoever sees a rate with an exact limit also sees how many events there
were. Reference: Garwood F. Fiducial limits for the Poisson distribution. Biometrika
1936;28:437-442.
"""

from __future__ import annotations

import math
from typing import Final

LEVEL: Final = 0.95
_MOST: Final = 2**40


def stated_level(level: float) -> float:
    """Return the confidence level that a row states; the usual one where it states none."""
    return LEVEL if math.isnan(level) else level


def poisson_limits(n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact limits of an expected count of which ``n`` were seen.

    Half the quantiles of chi-squared with ``2 n`` and ``2 n + 2`` degrees of freedom, which are
    quantiles of gamma with shape ``n`` and ``n + 1``.
    """
    from scipy.special import gammaincinv

    tail = (1 - level) / 2
    low = float(gammaincinv(n, tail)) if n else 0.0
    return low, float(gammaincinv(n + 1, 1 - tail))


def events_behind(rate: float, high: float, level: float = LEVEL) -> int | None:
    """Return the number of events behind a rate and its upper limit; None where either is missing.

    Parameters
    ----------
    rate, high : float
        In the same unit, whatever it is.
    level : float
        Confidence level of the limit.
    """
    if not (math.isfinite(rate) and math.isfinite(high)):
        return None
    if rate <= 0:
        return 0
    wanted = high / rate
    below, above = 0, 1
    while above < _MOST and poisson_limits(above, level)[1] / above > wanted:
        below, above = above, 2 * above
    while above - below > 1:
        middle = (below + above) // 2
        if poisson_limits(middle, level)[1] / middle > wanted:
            below = middle
        else:
            above = middle
    return min((n for n in (below, above) if n), key=lambda n: _gap(n, wanted, level))


def _gap(n: int, wanted: float, level: float) -> float:
    return abs(poisson_limits(n, level)[1] / n - wanted)
