r"""Fits of the same responses side by side: information criteria and likelihood-ratio tests.

What can be compared
--------------------
Likelihoods are those of the same numbers only where the fits have the same rows, responses and
weights, and were made by the same method; by REML they must have the same design as well, because
it is the likelihood of what is left of the responses after it. Anything else is refused, and so are
probability weights, which make a pseudo-likelihood.

Tests
-----
Each fit is tested against the one before it, where one of the two is a special case of the other in
its covariance (:mod:`outcomes.stats.nesting`, and the groups of the one within those of the other)
and, by ML, in its fixed effects: twice the difference of the log-likelihoods is compared with
chi-squared [1]_, whose degrees of freedom are the difference in parameters. No null hypothesis here
is on the boundary of the larger model. The limit is one of many subjects: with few, tests of
covariances find too much, and those of fixed effects are better made by ``joint_tests``.

Information criteria
--------------------
AIC, AICc [2]_ and BIC count covariance parameters, as those of one fit do; AICc takes the rows less
the coefficients for the sample size, BIC the subjects. Where the fixed effects differ the
coefficients are counted too, and AICc takes the rows. ``n_counted`` says which.

References
----------
.. [1] Wilks SS. The large-sample distribution of the likelihood ratio for testing composite
   hypotheses. Ann Math Stat 1938;9:60-62.
.. [2] Hurvich CM, Tsai C-L. Regression and time series model selection in small samples.
   Biometrika 1989;76:297-307.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import chi2

from outcomes.core.errors import UsageError
from outcomes.models.mmrm_estimates import MmrmEstimates
from outcomes.models.new_rows import fitted_rows
from outcomes.stats.nesting import is_nested
from outcomes.stats.reml import corrected_aic

Array = npt.NDArray[np.float64]

_SAME: Final = 1e-8
_ROUNDING: Final = -1e-6
_ABSENT: Final = {"statistic": np.nan, "df": np.nan, "p_value": np.nan}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Compared:
    """A fit, with its rows in the order of those of the first."""

    fit: MmrmEstimates
    x: Array
    group: npt.NDArray[np.int64]


def compare_fits(*fits: MmrmEstimates) -> pd.DataFrame:
    """Put fits side by side and test each against the one before it.

    Parameters
    ----------
    *fits : MmrmResult
        Two or more.

    Returns
    -------
    DataFrame
        One row a fit: formula, covariance, group, method, n_coefficients,
        n_covariance_parameters, n_counted, log_likelihood, aic, aicc, bic; statistic, df and
        p_value of the test against the row before, and in ``gate`` why there is none.

    Raises
    ------
    UsageError
        Where the likelihoods cannot be compared at all.
    """
    if len(fits) < 2:
        raise UsageError("A comparison needs two fits or more.")
    for fit in fits[1:]:
        _check_method(fits[0], fit)
    compared = [_aligned(fits[0], fit) for fit in fits]
    same_design = [_same_design(compared[0], other) for other in compared]
    if fits[0].spec.method == "reml" and not all(same_design):
        raise UsageError(
            "REML likelihoods of models with different fixed effects are not comparable: fit them "
            "by method='ml', or give all the same formula."
        )
    facts = [_facts(fit, coefficients=not all(same_design)) for fit in fits]
    tests: list[dict[str, Any]] = [{**_ABSENT, "gate": "the first fit"}]
    tests += [_test(a, b) for a, b in pairwise(compared)]
    return pd.DataFrame([{**f, **t} for f, t in zip(facts, tests, strict=True)])


def _check_method(first: MmrmEstimates, other: MmrmEstimates) -> None:
    if first.spec.method != other.spec.method:
        raise UsageError("A likelihood by REML and one by ML cannot be compared: fit both by one.")
    if any(f.spec.weights and f.spec.weight_kind == "probability" for f in (first, other)):
        raise UsageError("Probability weights make a pseudo-likelihood, which compares nothing.")


def _aligned(first: MmrmEstimates, fit: MmrmEstimates) -> _Compared:
    """The fit's design and groups in the order of the first fit's rows."""
    own, other = fitted_rows(first.spec, first.grid), fitted_rows(fit.spec, fit.grid)
    keys, found = (pd.MultiIndex.from_frame(rows.about) for rows in (own, other))
    place = found.get_indexer(keys)
    if len(keys) != len(found) or (place < 0).any():
        raise UsageError(
            f"The fits have different rows: {len(keys):,} and {len(found):,}, "
            f"{int((place >= 0).sum()):,} of them at the same subject and visit. Drop rows that "
            "miss any covariate of the fits from the table first."
        )
    if not np.array_equal(own.y, other.y[place]):
        raise UsageError(
            "The fits have different responses, one response on two scales, or different offsets."
        )
    if not np.allclose(own.rows.root, other.rows.root[place], rtol=1e-12, atol=0.0):
        raise UsageError("The fits have different weights.")
    return _Compared(fit=fit, x=other.rows.x[place], group=other.rows.group[place])


def _same_design(one: _Compared, other: _Compared) -> bool:
    return one.x.shape == other.x.shape and np.array_equal(one.x, other.x)


def _facts(fit: MmrmEstimates, *, coefficients: bool) -> dict[str, Any]:
    reml = fit.fit.reml
    counted = reml.n_parameters + reml.rank * coefficients
    size = reml.n_observations - reml.rank * (not coefficients)
    deviance = -2 * reml.log_likelihood
    return {
        "formula": fit.spec.formula,
        "covariance": reml.covariance,
        "group": fit.spec.group or "",
        "method": fit.spec.method,
        "n_coefficients": reml.rank,
        "n_covariance_parameters": reml.n_parameters,
        "n_counted": counted,
        "log_likelihood": reml.log_likelihood,
        "aic": deviance + 2 * counted,
        "aicc": corrected_aic(deviance, counted, size),
        "bic": deviance + counted * float(np.log(reml.n_subjects)),
    }


def _test(one: _Compared, other: _Compared) -> dict[str, Any]:
    """Likelihood-ratio test of the smaller of two fits within the larger."""
    small, large = sorted((one, other), key=lambda c: (_size(c), c.fit.fit.reml.rank))
    df = _size(large) - _size(small)
    reason = _not_nested(small, large)
    if reason is None and df == 0:
        reason = "the same model twice"
    statistic = 2 * (large.fit.log_likelihood - small.fit.log_likelihood)
    if reason is None and statistic < _ROUNDING:
        reason = "the larger model has the lower likelihood: it has more than one maximum"
    if reason is not None:
        return {**_ABSENT, "gate": reason}
    p_value = float(chi2.sf(max(statistic, 0.0), df))
    return {"statistic": statistic, "df": float(df), "p_value": p_value, "gate": "open"}


def _size(compared: _Compared) -> int:
    return compared.fit.fit.reml.rank + compared.fit.fit.reml.n_parameters


def _not_nested(small: _Compared, large: _Compared) -> str | None:
    """Why the one is no special case of the other."""
    names = [c.fit.fit.reml.covariance for c in (small, large)]
    visits = [c.fit.grid.data.visits for c in (small, large)]
    if visits[0] != visits[1]:
        return "not nested: the visits are in different orders"
    if not is_nested(names[0], names[1], len(visits[0])):
        return f"not nested: '{names[0]}' is no special case of '{names[1]}'"
    if not _within(large.group, small.group):
        return "not nested: a covariance group of the larger model is in several of the smaller"
    if not _spans(large, small.x):
        return "not nested: the larger model lacks fixed effects of the smaller"
    return None


def _within(fine: npt.NDArray[np.int64], coarse: npt.NDArray[np.int64]) -> bool:
    """Whether each group of the one lies in one group of the other."""
    pairs = np.unique(np.column_stack([fine, coarse]), axis=0)
    return len(pairs) == len(np.unique(fine))


def _spans(large: _Compared, x: Array) -> bool:
    """Whether the columns of the larger design explain ``x``."""
    root, _ = np.linalg.qr(large.x[:, large.fit.fit.reml.estimable])
    rest = x - root @ (root.T @ x)
    length, size = (np.sqrt((part**2).sum(axis=0)) for part in (rest, x))
    return bool((length <= _SAME * size).all())
