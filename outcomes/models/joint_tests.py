r"""Type II and III tests: for each term of the formula, that all it says is zero.

Type III
--------
A term of factors is tested by the interaction contrasts of its levels against the first ones, in
adjusted means that average over all other factors with equal weights and hold numeric covariates at
their means [1]_. A term with numeric covariates is tested by the same contrasts of their slopes. A
term with a transformed covariate, such as a spline, is tested by its coefficients.

Where some of these comparisons are not estimable, such as with an empty cell, or have no standard
error because a single cluster determines them, the others are tested and ``gate`` says how many are
missing: that is then not the hypothesis of a complete table.

Type II
-------
A term is tested in what it adds to all terms that do not contain it, those that do left out of the
hypothesis and not out of the model [2]_. With the coefficients in the order of those others, the
term, and the terms that contain it, and :math:`R'R = \sum_i X_i' V_i^{-1} X_i` triangular, the
hypothesis is that the rows of R that belong to the term are zero: by generalised least squares, at
the fitted covariance, the F statistic is the reduction of the weighted sum of squares. It has more
power than type III where there is no interaction, and is a statement about the people who were seen
where there is one. Programs that weigh by :math:`X'X` instead of by the fitted covariance give
other numbers where visits are missing.

References
----------
.. [1] Searle SR, Speed FM, Milliken GA. Population marginal means in the linear model: an
   alternative to least squares means. Am Stat 1980;34:216-221.
.. [2] Langsrud O. ANOVA for unbalanced data: use type II instead of type III sums of squares. Stat
   Comput 2003;13:163-167.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import NotEstimable, UsageError
from outcomes.models.estimate_rows import NO_ERROR, NOT_ESTIMABLE, estimate
from outcomes.models.formula import plain_name
from outcomes.models.reference_grid import ReferenceGrid
from outcomes.stats.inference import Inference

Array = npt.NDArray[np.float64]

_NO_TEST: Final = {"num_df": 0, "den_df": np.nan, "statistic": np.nan, "p_value": np.nan}


def joint_tests(grid: ReferenceGrid, inference: Inference, kind: int = 3) -> pd.DataFrame:
    """One row a term: term, num_df, den_df, statistic, p_value, gate.

    Raises
    ------
    UsageError
        Where ``kind`` is neither 2 nor 3.
    """
    if kind not in (2, 3):
        raise UsageError(f"type={kind!r}: type II and type III tests are made, 2 and 3.")
    spec = grid.design.model_spec
    found = [
        {
            "term": str(term),
            **_test(
                inference,
                _hypothesis(grid, term, place) if kind == 3 else _added(grid, inference, term),
            ),
        }
        for term, place in spec.term_slices.items()
        if str(term) != "1" and place.stop > place.start
    ]
    columns = ["term", "num_df", "den_df", "statistic", "p_value", "gate"]
    table = pd.DataFrame(found, columns=columns)
    numbers = dict.fromkeys(columns[2:5], "float64")
    return table.astype({"num_df": "int64", **numbers, "gate": object})


def _hypothesis(grid: ReferenceGrid, term: Any, place: slice) -> Array:
    """Rows (m, p) that the hypothesis sets to zero."""
    names = [plain_name(str(factor.expr)) for factor in term.factors]
    if any(name not in grid.covariates for name in names):
        return np.eye(len(grid.design.columns))[place]
    factors = [name for name in names if name in grid.levels]
    numbers = [name for name in names if name not in grid.levels]
    rows = grid.slopes(factors, numbers) if numbers else grid.cell_means(factors).rows
    return _against_first([len(grid.levels[name]) for name in factors]) @ rows


def _added(grid: ReferenceGrid, inference: Inference, term: Any) -> Array:
    """Rows (m, p) of what a term adds to those that do not contain it."""
    basis = inference.cells.basis
    # 0 for the columns of the terms that do not contain it, 1 for its own, 2 for those that do.
    role = np.zeros(basis.estimable.size, dtype=np.int64)
    own = set(map(str, term.factors))
    for other, place in grid.design.model_spec.term_slices.items():
        names = set(map(str, other.factors))
        role[place] = 1 if names == own else 2 * (names > own)
    role = role[basis.estimable]
    order = np.argsort(role, kind="stable")
    root = np.linalg.cholesky(inference.point.phi)
    triangle = np.linalg.qr(np.linalg.solve(root, basis.triangle[:, order]), mode="r")
    own_rows = triangle[role[order] == 1]
    # As they are, the rows are uncorrelated with variance one, and any turn of them would do as
    # well; degrees of freedom need those that stand for one coefficient of the term each.
    own_rows = np.linalg.solve(own_rows[:, role[order] == 1], own_rows)
    kept = np.zeros((len(own_rows), role.size))
    kept[:, order] = own_rows
    out = np.zeros((len(kept), basis.estimable.size))
    out[:, basis.estimable] = kept
    out[:, ~basis.estimable] = kept @ basis.combination
    return out


def _against_first(sizes: Sequence[int]) -> Array:
    """Interaction contrasts of cells whose last factor runs fastest."""
    parts = [np.hstack([-np.ones((size - 1, 1)), np.eye(size - 1)]) for size in sizes]
    return reduce(lambda done, part: np.asarray(np.kron(done, part)), parts, np.eye(1))


def _test(inference: Inference, rows: Array) -> dict[str, Any]:
    found = estimate(inference, rows)
    known = ~np.isnan(found.std_error)
    if not known.any():
        estimable = not np.isnan(found.estimate).all()
        return {**_NO_TEST, "gate": NO_ERROR if estimable else NOT_ESTIMABLE}
    try:
        joint = inference.joint(rows[known])
    except NotEstimable as error:
        return {**_NO_TEST, "gate": f"no test: {error.reason}"}
    gate = "open"
    if not known.all():
        left_out = f"{int((~known).sum())} of {known.size} comparisons"
        gate = f"{left_out} are not estimable or have no standard error, left out"
    return {
        "num_df": joint.num_df,
        "den_df": joint.den_df,
        "statistic": joint.statistic,
        "p_value": joint.p_value,
        "gate": gate,
    }
