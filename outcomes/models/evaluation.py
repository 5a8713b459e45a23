"""The columns of a formula at rows, each of which has to follow from its own row alone.

A mean inside a formula, as in ``I(age - np.mean(age))``, is one number for the fitted rows, another
for each part of a file, and another again for new rows or a reference grid. The transforms that
formulas bring with them (center, scale, poly, bs, ...) keep what they learned of the fitted rows;
any other function is evaluated once more at single rows, those at which one of its columns is
smallest or largest. A row by itself is its own mean, median and extreme, has no spread and no
neighbour: what depends on other rows is not the same there at both ends.
"""

from __future__ import annotations

import re
import warnings
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from formulaic.errors import FormulaicError, FormulaicWarning

from outcomes.core.errors import UsageError
from outcomes.models.formula import calculated, columns_of

Array = npt.NDArray[np.float64]

_NOT_COMPUTED = (
    FormulaicError,
    FormulaicWarning,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
)
"""What a term may end in."""
_OUTSIDE = re.compile(r"`(.+)`\. \[ValueError: Some field values extend beyond")
_LAST_DIGITS: Final = 1e-8
"""Of the largest number of a column: functions of arrays round otherwise than those of a number."""


def evaluate(model_spec: Any, frame: pd.DataFrame) -> Any:
    """The model matrix of a side of a formula.

    Raises
    ------
    UsageError
        Where a term cannot be computed.
    """
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            # Such as of levels that a term leaves out, which would become missing.
            warnings.simplefilter("error", FormulaicWarning)
            return model_spec.get_model_matrix(frame, context={}, na_action="ignore")
    except _NOT_COMPUTED as error:
        raise UsageError(_reason(str(error).split("\n")[0])) from error


def _reason(text: str) -> str:
    outside = _OUTSIDE.search(text)
    if outside:
        return (
            f"'{outside[1]}' has no value beyond its bounds, which are the smallest and largest "
            "number of the fitted rows unless the formula says otherwise. Ask within them, or fit "
            "with lower_bound= and upper_bound= in the term, or with extrapolation='extend' or "
            "'clip'."
        )
    return (
        f"A term of the formula cannot be computed: {text} Visits and texts are categories: a "
        "slope or a function needs a numeric column."
    )


def check_row_by_row(matrix: Any, frame: pd.DataFrame) -> None:
    """Raise where a column of the matrix of ``frame`` depends on other rows than its own.

    Raises
    ------
    UsageError
    """
    terms = calculated(matrix.model_spec.formula)
    wrong = [term for term in terms if not _is_its_own(term, matrix, frame)]
    if wrong:
        raise UsageError(
            f"{', '.join(repr(str(term)) for term in wrong)} depends on other rows than its own, "
            "such as on their mean or rank, and would be another number in new rows. Write "
            "center(...) or scale(...), which keep the mean of the fitted rows, or make the column "
            "in the data first."
        )


def _is_its_own(term: Any, matrix: Any, frame: pd.DataFrame) -> bool:
    """Whether a term is the same at single rows."""
    spec = matrix.model_spec.subset([term])
    together = np.asarray(matrix.iloc[:, matrix.model_spec.term_slices[term]], dtype=np.float64)
    sizes = np.where(np.isfinite(together), np.abs(together), 0.0).max(axis=0)
    for row in _ends(frame[sorted(columns_of([term]))]):
        try:
            alone = np.asarray(evaluate(spec, frame.iloc[[row]]), dtype=np.float64)[0]
        except UsageError:
            return False
        near = _LAST_DIGITS * sizes
        if not np.isclose(alone, together[row], rtol=0.0, atol=near, equal_nan=True).all():
            return False
    return True


def _ends(frame: pd.DataFrame) -> set[int]:
    """Rows at which a column is smallest or largest."""
    columns = [
        column.cat.codes if isinstance(column.dtype, pd.CategoricalDtype) else column
        for _, column in frame.items()
    ]
    return {int(end) for c in columns for end in (c.to_numpy().argmin(), c.to_numpy().argmax())}
