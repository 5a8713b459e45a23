"""How coarse a released number is.

Counts go to the nearest multiple of five. A count is shown only where its rounded value stands for
no number below the threshold *and* the hidden ones include some at or above it: with a threshold of
11 the smallest shown value is 15, so "hidden" means 1 to 12 and not even that tells 1 to 10.

Other numbers are rounded so that they say no more about a count than its rounded value does. With n
people behind a mean, a share or a standard error,

- a share k / n moves by 5 / n when five people change sides, so it stands on multiples of 5 / n;
- a mean moves by 2 s / n when one person moves by two standard deviations;
- a standard error proportional to n^(-1/2) moves by 2.5 / n of itself when n moves by five,

and the step is the next of 1, 2, 5, 10, 20, 50, ... (times a power of ten) at or above that.
"""

from __future__ import annotations

import math
from typing import Final

BASE: Final = 5
REACH: Final = BASE // 2
"""A released count stands for whole numbers at most this far away."""

_LADDER: Final = (1.0, 2.0, 5.0, 10.0, 20.0)
_SLACK: Final = 1e-9


def round_count(value: float) -> int:
    """Return the nearest multiple of five; a tie, which only a share's count can be, goes up."""
    return BASE * math.floor(value / BASE + 0.5)


def smallest_shown(threshold: int) -> int:
    """Return the smallest released count that is not zero.

    It is the first multiple of five so far above the threshold that the threshold itself rounds
    below it: 15 for 11.
    """
    return BASE * math.ceil((threshold + REACH + 1) / BASE)


def is_small(value: float, threshold: int) -> bool:
    """Whether a count above zero rounds to less than may be shown."""
    return value > 0 and round_count(value) < smallest_shown(threshold)


def ladder(step: float) -> float:
    """Return the next step of 1, 2, 5 times a power of ten at or above ``step``; 0 for none."""
    if not (math.isfinite(step) and step > 0):
        return 0.0
    power = 10.0 ** math.floor(math.log10(step))
    return next(rung for rung in _LADDER if rung * power >= step * (1 - _SLACK)) * power


def to_step(value: float, step: float) -> float:
    """Round to a multiple of ``step``; to three significant digits where there is no step."""
    if not math.isfinite(value):
        return math.nan
    if not step > 0:
        return significant(value, 3)
    decimals = max(0, 1 - math.floor(math.log10(step)))
    return round(step * math.floor(value / step + 0.5), decimals)


def significant(value: float, digits: int) -> float:
    """Round to a number of significant digits."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def mean_step(spread: float, n: float) -> float:
    """Return how far one person at two standard deviations moves a mean of ``n``."""
    return ladder(2 * spread / n) if n else 0.0


def error_step(error: float, n: float) -> float:
    """Return how far five people more or less move a standard error that rests on ``n``."""
    return ladder(BASE / 2 * error / n) if n else 0.0


def share_step(n: float) -> float:
    """Return how far five people move a share of ``n``."""
    return ladder(BASE / n) if n else 0.0
