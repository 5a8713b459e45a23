"""The nearest wrong answers to a case, and whether its tolerances tell them apart.

A tolerance is worth something where it is smaller than the distance to a plausible mistake: another
adjustment, the likelihood of the other method, one covariance matrix for all groups. The index of
the cases has these distances; here they come to the quantity and the unit of our comparisons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from outcomes.conformance.cases import Case

SAME: Final = 1e-9
"""Nearer than this both answers are the same number by definition, and neither is wrong."""


@dataclass(frozen=True, kw_only=True)
class WrongAnswer:
    """How far a wrong answer would be from the right one.

    Attributes
    ----------
    case, name : str
        ``name`` as in "this for that".
    quantity, by : str
        The comparisons that it would fail: by inference, or in one table of estimates.
    distance : float
        The largest difference that it would make there, in the unit of the quantity.
    """

    case: str
    name: str
    quantity: str
    by: str
    distance: float


def wrong_answers(case: Case) -> list[WrongAnswer]:
    """List those of a case that differ from the right one at all."""
    return [
        WrongAnswer(
            case=case.name,
            name=re.sub(r" \(.*?\)", "", name),
            quantity=quantity,
            by=by,
            distance=distance,
        )
        for name, stated in case.entry["nearest_wrong"].items()
        for quantity, by, distance in _distances(name, stated, case)
        if distance > SAME
    ]


def _distances(name: str, stated: dict[str, Any], case: Case) -> Iterator[tuple[str, str, float]]:
    """Quantity, by what, and distance, of what the index states of one wrong answer."""
    for key, value in stated.items():
        if key in ("estimate_absolute", "ls_mean_absolute"):
            # Of the means with equal weights; the largest error makes it the least it can be.
            means = case.numbers["methods"]["satterthwaite"]["ls_means_equal"]
            yield "estimate", "ls_means_equal", value / np.max(means["std_error"])
        elif key in _OF_THE_FIT:
            yield _OF_THE_FIT[key], "", value
        elif key in _BY_INFERENCE:
            yield _BY_INFERENCE[key], _inference(name), value


_OF_THE_FIT: Final = {"loglik_absolute": "log-likelihood", "beta": "beta"}
_BY_INFERENCE: Final = {
    "std_error": "standard error",
    "df": "df",
    "den_df": "denominator df",
    "F": "F",
}


def _inference(name: str) -> str:
    """The inference whose number a wrong answer stands in for; else the index has Satterthwaite."""
    right = re.sub(r",.*| df$", "", name.split(" for ")[-1]).split(" ")[-1]
    known = {"kenward_roger_linear": "kenward_roger_linear"}
    known |= {kind: f"sandwich_{kind}" for kind in ("cr0", "cr2", "cr3")}
    return known.get(right, "satterthwaite")
