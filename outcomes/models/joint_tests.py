"""Type III tests: for each term of the formula, that all it says is zero.

A term of factors is tested by the interaction contrasts of its levels against the first ones, in
adjusted means that average over all other factors with equal weights and hold numeric covariates at
their means [1]_. A term with numeric covariates is tested by the same contrasts of their slopes. A
term with a transformed covariate, such as a spline, is tested by its coefficients.

Where some of these comparisons are not estimable, such as with an empty cell, the others are tested
and ``gate`` says how many are missing: that is then not the hypothesis of a complete table.

References
----------
.. [1] Searle SR, Speed FM, Milliken GA. Population marginal means in the linear model: an
   alternative to least squares means. Am Stat 1980;34:216-221.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.models.estimate_rows import NOT_ESTIMABLE, estimate
from outcomes.models.reference_grid import ReferenceGrid
from outcomes.stats.inference import Inference

Array = npt.NDArray[np.float64]


def joint_tests(grid: ReferenceGrid, inference: Inference) -> pd.DataFrame:
    """One row a term: term, num_df, den_df, statistic, p_value, gate."""
    spec = grid.design.model_spec
    found = [
        {"term": str(term), **_test(inference, _hypothesis(grid, term, place))}
        for term, place in spec.term_slices.items()
        if str(term) != "1" and place.stop > place.start
    ]
    columns = ["term", "num_df", "den_df", "statistic", "p_value", "gate"]
    table = pd.DataFrame(found, columns=columns)
    return table.astype({"num_df": "int64", "gate": object})


def _hypothesis(grid: ReferenceGrid, term: Any, place: slice) -> Array:
    """Rows (m, p) that the hypothesis sets to zero."""
    names = [_plain(str(factor.expr)) for factor in term.factors]
    if any(name not in grid.covariates for name in names):
        return np.eye(len(grid.design.columns))[place]
    factors = [name for name in names if name in grid.levels]
    numbers = [name for name in names if name not in grid.levels]
    cells = grid.slopes(factors, numbers) if numbers else grid.cell_means(factors)
    return _against_first([len(grid.levels[name]) for name in factors]) @ cells.rows


def _plain(expression: str) -> str:
    """The column behind ``x``, `` `x` `` or ``C(x)``; other text as it is."""
    inner = expression[2:-1].strip() if expression.startswith("C(") else expression
    return inner.strip("`")


def _against_first(sizes: Sequence[int]) -> Array:
    """Interaction contrasts of cells whose last factor runs fastest."""
    parts = [np.hstack([-np.ones((size - 1, 1)), np.eye(size - 1)]) for size in sizes]
    return reduce(lambda done, part: np.asarray(np.kron(done, part)), parts, np.eye(1))


def _test(inference: Inference, rows: Array) -> dict[str, Any]:
    known = ~np.isnan(estimate(inference, rows).estimate)
    if not known.any():
        empty = dict.fromkeys(("den_df", "statistic", "p_value"), np.nan)
        return {"num_df": 0, **empty, "gate": NOT_ESTIMABLE}
    joint = inference.joint(rows[known])
    gate = "open"
    if not known.all():
        gate = f"{int((~known).sum())} of {known.size} comparisons are not estimable, left out"
    return {
        "num_df": joint.num_df,
        "den_df": joint.den_df,
        "statistic": joint.statistic,
        "p_value": joint.p_value,
        "gate": gate,
    }
