"""Health profiles to utilities, and utilities to quality-adjusted life years.

A main-effects value set takes one decrement per dimension and level off 1. The UK time trade-off
set for three levels also takes a constant once any level is above 1 and a term once any is at 3
(Dolan 1997); the US D1 set adds terms in the number of dimensions beyond the first that are above
level 1, at 2 and at 3 (Shaw 2005). Sources are with the value sets in the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEVELS: Final = (2, 3, 4, 5)


def profile_utility(
    levels: Floats, dimensions: Sequence[str], decrements: Mapping[str, float]
) -> Floats:
    """Return the utility of each profile, (n, 5) whole levels without gaps."""
    index = np.ones(len(levels))
    for at, name in enumerate(dimensions):
        for level in LEVELS:
            index += (levels[:, at] == level) * decrements.get(f"{name}{level}", 0.0)
    index += (levels > 1).any(axis=1) * decrements.get("constant_any_above_1", 0.0)
    index += (levels == 3).any(axis=1) * decrements.get("n3_any_level_3", 0.0)
    beyond = {
        "D1": _beyond_first(levels > 1),
        "I2": _beyond_first(levels == 2),
        "I3": _beyond_first(levels == 3),
    }
    for term, count in beyond.items():
        index += count * decrements.get(term, 0.0)
        index += count**2 * decrements.get(f"{term}_squared", 0.0)
    return index


def _beyond_first(chosen: npt.NDArray[np.bool_]) -> Floats:
    return np.asarray(np.maximum(chosen.sum(axis=1) - 1, 0), dtype=float)


def life_years(years: Floats, utility: Floats) -> tuple[float, bool]:
    """Return the area under one person's utility by the trapezium rule, and whether it spans a gap.

    A missing utility between two seen ones is bridged by a straight line and flagged; without a
    first or last utility the area is missing. Utility is 0 from the day of death on: give it so.
    """
    seen = ~np.isnan(utility)
    if len(utility) == 0 or not (seen[0] and seen[-1]):
        return float("nan"), False
    at, value = years[seen], utility[seen]
    area = float(np.sum(np.diff(at) * (value[:-1] + value[1:]) / 2.0))
    return area, bool((~seen).any())
