"""The columns of a formula at rows, each of which has to follow from its own row alone.

A mean inside a formula, as in ``I(age - np.mean(age))``, is one number for the fitted rows, another
for each part of a file, and another again for new rows or a reference grid. The transforms that
formulas bring with them (center, scale, poly, bs, ...) keep what they learned of the fitted rows;
any other function is evaluated once more at single rows, those at which one of its columns is
smallest or largest. A row by itself is its own mean, median and extreme, has no spread and no
neighbour: what depends on other rows is not the same there at both ends. A column that does not
vary in a part of a file, but does in others, is evaluated beside a row that has its overall mean.
What depends on rows in between is told by every other row, last to first, without the rest.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
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
_VALUES = re.compile(r"\.? \[|: \{|\.$")
"""Where a library's words may go on with values of the data."""
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
        f"A term of the formula cannot be computed: {_VALUES.split(text)[0]}. Visits and texts are "
        "categories: a slope or a function needs a numeric column."
    )


def check_row_by_row(matrix: Any, frame: pd.DataFrame, means: Mapping[str, float]) -> None:
    """Raise where a column of the matrix of ``frame`` depends on other rows than its own.

    Parameters
    ----------
    matrix : formulaic.ModelMatrix
        From :func:`evaluate`.
    frame : DataFrame
    means : mapping
        Of the numeric columns, over all parts.

    Raises
    ------
    UsageError
    """
    terms = calculated(matrix.model_spec.formula)
    wrong = [term for term in terms if not _is_its_own(term, matrix, frame, means)]
    if wrong:
        raise UsageError(
            f"{', '.join(repr(str(term)) for term in wrong)} depends on other rows than its own, "
            "such as on their mean or rank, and would be another number in new rows. Write "
            "center(...) or scale(...), which keep the mean of the fitted rows, or make the column "
            "in the data first."
        )


def _is_its_own(term: Any, matrix: Any, frame: pd.DataFrame, means: Mapping[str, float]) -> bool:
    """Whether rows have the same numbers in a term without the others."""
    spec = matrix.model_spec.subset([term])
    together = np.asarray(matrix.iloc[:, matrix.model_spec.term_slices[term]], dtype=np.float64)
    near = _LAST_DIGITS * np.where(np.isfinite(together), np.abs(together), 0.0).max(axis=0)
    for row, few in _some_rows(frame, sorted(columns_of([term])), means):
        try:
            found = np.asarray(evaluate(spec, few), dtype=np.float64)[0]
        except UsageError:
            return False
        if not np.isclose(found, together[row], rtol=0.0, atol=near, equal_nan=True).all():
            return False
    for rows in (np.arange(len(frame))[::-2], np.arange(len(frame) - 1)[::-2]):
        half = evaluate(spec, frame.iloc[rows].reset_index(drop=True)) if rows.size else []
        found = np.asarray(half, dtype=np.float64).reshape(rows.size, -1)
        if not np.isclose(found, together[rows], rtol=0.0, atol=near, equal_nan=True).all():
            return False
    return True


def _some_rows(
    frame: pd.DataFrame, names: Sequence[str], means: Mapping[str, float]
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Rows, and each as the first of a table without the others."""
    ends: set[int] = set()
    elsewhere = {}
    for name in names:
        column = frame[name]
        coded = isinstance(column.dtype, pd.CategoricalDtype)
        values = (column.cat.codes if coded else column).to_numpy()
        low, high = int(values.argmin()), int(values.argmax())
        ends |= {low, high}
        if not coded and values[low] == values[high] and not np.isclose(means[name], values[low]):
            elsewhere[name] = means[name]
    for row in ends:
        yield row, frame.iloc[[row]]
    if elsewhere:
        first = frame.iloc[[0]]
        yield 0, pd.concat([first, first.assign(**elsewhere)])
