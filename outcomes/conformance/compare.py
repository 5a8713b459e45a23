"""How far our numbers are from the reference's, quantity by quantity.

A difference is the largest over the numbers of a quantity, in the unit of its tolerance
(:mod:`outcomes.conformance.pairs`). A number that we lack, or that the gate keeps back, is
infinitely far.

Tolerances are those of the index of the cases. It names none for AIC, AICc and BIC, which are twice
the log-likelihood and what counts make of it, nor for t, limits and p-values, which follow from
estimate, standard error and degrees of freedom and are held to about what the tolerances of these
allow. Counts are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from outcomes.conformance.cases import Case, CaseFolder
from outcomes.conformance.pairs import METHODS, Pair, pairs_of
from outcomes.core.progress import SILENT, Progress
from outcomes.core.threads import one_thread

COUNTED: Final = ("between_within", "residual")
"""Inference whose degrees of freedom are whole numbers."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The largest difference of one quantity in one case.

    Attributes
    ----------
    case, quantity : str
    method : str
        Inference as the cases call it; empty for what does not depend on it.
    part : str
        The table that the numbers stand in; empty for those of the fit.
    numbers : int
        How many were compared.
    difference, tolerance : float
    """

    case: str
    quantity: str
    method: str = ""
    part: str = ""
    numbers: int
    difference: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.difference <= self.tolerance


def tolerances(given: Mapping[str, float]) -> dict[str, float]:
    """By quantity, from those of the index."""
    return {
        "fit": 0.0,
        "rows and patients": 0.0,
        "log-likelihood": given["loglik"],
        "AIC, AICc and BIC": 2 * given["loglik"],
        "beta": given["beta"],
        "covariance matrix": given["covariance_matrix"],
        "covariance of beta": given["beta_cov (model, Kenward-Roger, sandwich)"],
        "estimate": given["estimate of a linear function"],
        "standard error": given["std_error"],
        "df": given["df, den_df"],
        "t": 10 * given["std_error"],
        "confidence limit": 10 * given["std_error"],
        "F": given["F statistic"],
        "numerator df": 0.0,
        "denominator df": given["df, den_df"],
        "p-value": given["std_error"],
    }


@one_thread
def compare_cases(
    folder: CaseFolder, names: Iterable[str] = (), progress: Progress = SILENT
) -> list[Comparison]:
    """Compare cases by name: all that can be fitted, where none are named.

    Raises
    ------
    UsageError
        Where the folder has no such case, or none of the mixed model.
    """
    chosen = folder.choose(names)
    allowed = tolerances(folder.tolerances)
    found: list[Comparison] = []
    label = f"Fitting {len(chosen)} case{'s' * (len(chosen) > 1)}, by every inference each has"
    with progress.stage("cases", label):
        for done, name in enumerate(chosen, start=1):
            found += compare_case(folder.read(name), allowed)
            progress.update(done, len(chosen))
    return found


def compare_case(case: Case, allowed: Mapping[str, float]) -> list[Comparison]:
    """Fit a case by every inference it has, and compare all that it says.

    A case that cannot be fitted has one comparison of the quantity ``fit``, infinitely far.
    """
    found: list[Comparison] = []
    for method in METHODS:
        if method in case.numbers["methods"]:
            found += [
                Comparison(
                    case=case.name,
                    quantity=pair.quantity,
                    method=method if pair.by_method else "",
                    part=pair.part,
                    numbers=np.size(pair.theirs),
                    difference=_difference(pair),
                    tolerance=0.0 if _is_count(pair, method) else allowed[pair.quantity],
                )
                for pair in pairs_of(case, method)
            ]
    return found


def _is_count(pair: Pair, method: str) -> bool:
    return method in COUNTED and pair.quantity in ("df", "denominator df")


def _difference(pair: Pair) -> float:
    ours, theirs = np.asarray(pair.ours, float), np.asarray(pair.theirs, float)
    if ours.shape != theirs.shape:
        return np.inf  # some are missing
    distance = np.abs(ours - theirs) / pair.unit
    return float(np.nan_to_num(distance, nan=np.inf).max())
