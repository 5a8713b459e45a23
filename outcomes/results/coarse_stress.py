"""The stress test of unseen values, made again from what is released.

Beside the main comparison the test tells who was not seen: the two differ by a known amount times
the unseen share of the better type (:mod:`outcomes.models.sensitivity`). On steps of its own it
would give a hidden count away: with 325 people, 2 points and steps of .01, to less than one person.
So the released test is the released main comparison, moved by that share as it is released; its
standard error grows by the variance that belongs to the released share. Where the share is hidden,
so is the test.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from outcomes.results.coarse_descriptions import released_share
from outcomes.results.rounding import error_step, to_step
from outcomes.results.view import View, as_float

STRESS: Final = "mmrm-delta"
"""Method of the test."""
MAIN: Final = "contrasts"
ENDS: Final = (("conf_low", -1.0), ("conf_high", 1.0))
PAIR: Final = ("outcome", "estimand", "population", "subgroup", "visit", "level", "reference")


def main_of(view: View) -> View | None:
    """Return the main comparison that a test is of."""
    return view.exact.find(MAIN, {key: view.row[key] for key in PAIR})


def seen_of_better(main: View) -> View | None:
    """Return who was seen at the visit of the type that fared better."""
    better = main.row["level" if main.number("estimate") > 0 else "reference"]
    place = {"outcome": main.row["outcome"], "visit": main.row["visit"], "exposure": better}
    return main.exact.find("completeness", place)


def stressed(view: View, main: View, shown: Mapping[str, object], n: float) -> dict[str, float]:
    """Return estimate, error and limits of a test; nothing where they would tell who was seen.

    Parameters
    ----------
    view, main : View
        The test, and the comparison it is of.
    shown : mapping
        What is released of the comparison.
    n : float
        People behind the smaller group.
    """
    error, seen = as_float(shown["std_error"]), seen_of_better(main)
    if seen is None or not error > 0:
        return {}
    exact = 1 - seen.number("n_observed") / seen.number("n_episodes")
    unseen = 1 - released_share(seen, "n_observed", "n_episodes", "share")
    if not math.isfinite(unseen):
        return {}
    moved = view.number("estimate") - main.number("estimate")
    moved *= _ratio(unseen, exact)
    added = view.number("std_error") ** 2 - main.number("std_error") ** 2
    added *= _ratio(unseen * (1 - unseen), exact * (1 - exact))
    grown = math.sqrt(error**2 + max(added, 0.0))
    wider = (grown / error - 1) * (as_float(shown["conf_high"]) - as_float(shown["conf_low"])) / 2
    return {
        "estimate": round(as_float(shown["estimate"]) + moved, 4),
        "std_error": to_step(grown, error_step(grown, n)),
        **{end: round(as_float(shown[end]) + moved + sign * wider, 4) for end, sign in ENDS},
    }


def _ratio(released: float, exact: float) -> float:
    """Return the ratio of two shares; 0 where nobody is unseen, so that the test moves nothing."""
    return released / exact if exact > 0 else 0.0
