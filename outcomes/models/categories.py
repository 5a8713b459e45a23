"""Columns of any table as categories or numbers, the same whatever type they arrive in.

A category has text labels: those of a pandas categorical in their order, texts in alphabetical
order, numbers in numerical order (a whole number without its point), false before true. Visits that
are texts are ordered by the numbers in them: '6' before '12', 'w6' before 'w12'. A number is a
float with NaN for missing, also where it arrives as a nullable or decimal type.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import UsageError

_NUMBERS = {"integer", "floating", "mixed-integer-float", "decimal"}
_CATEGORIES = {"string", "boolean", "categorical", "empty"}

# A minus is one at the start of a word only: 'day -7', but not 'week-2' or '2020-11-01'.
_NUMBER = re.compile(r"((?:(?<!\S)-)?\d+(?:\.\d+)?)")

MAX_LEVELS = 500


def is_category(series: pd.Series) -> bool:
    """Whether a column of this content is a category unless the formula says otherwise.

    Raises
    ------
    UsageError
        Where it is neither a category nor a number, such as a date.
    """
    kind = _kind(series)
    if kind not in _NUMBERS | _CATEGORIES:
        raise UsageError(
            f"Column '{series.name}' holds {kind} values: make it a number (such as days) or text."
        )
    return kind in _CATEGORIES


def is_number(series: pd.Series) -> bool:
    """Whether a column is made of numbers."""
    return _kind(series) in _NUMBERS


def _kind(series: pd.Series) -> str:
    if isinstance(series.dtype, pd.CategoricalDtype):
        return "categorical"
    if pd.api.types.is_bool_dtype(series.dtype):
        return "boolean"
    if pd.api.types.is_numeric_dtype(series.dtype):
        return "floating"
    return str(pd.api.types.infer_dtype(series, skipna=True))


def as_visits(series: pd.Series) -> pd.Categorical:
    """Labels of visits: like :func:`as_category`, but texts by the numbers in them."""
    category = as_category(series)
    if isinstance(series.dtype, pd.CategoricalDtype):
        return category
    return category.reorder_categories(sorted(category.categories, key=_natural))


def as_category(series: pd.Series) -> pd.Categorical:
    """Text labels in the order the module describes; missing stays missing."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        codes: npt.NDArray[Any] = series.cat.codes.to_numpy()
        values: Sequence[Any] = list(series.cat.categories)
    else:
        codes, values = _sorted_codes(series)
    labels = [label(value) for value in values]
    distinct = list(dict.fromkeys(labels))
    if len(distinct) < len(labels):  # such as the number 6 and the text '6' in one column
        places = np.array([*map(distinct.index, labels), -1])
        codes = places[codes]
    return pd.Categorical.from_codes(list(codes), pd.Index(distinct, dtype=object))


def as_number(series: pd.Series) -> npt.NDArray[np.float64]:
    """Floats, NaN where missing.

    Raises
    ------
    UsageError
        Where the column is not made of real numbers.
    """
    if pd.api.types.is_complex_dtype(series.dtype):
        raise UsageError(f"Column '{series.name}' holds complex numbers; real ones are needed.")
    try:
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(
            f"Column '{series.name}' is of type {series.dtype}; numbers are needed."
        ) from error


def label(value: Any) -> str:
    """A level as text; 6 and 6.0 are both '6'."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def factors(series: pd.Series) -> tuple[npt.NDArray[np.intp], npt.NDArray[Any]]:
    """Codes of the values of a column, -1 where missing, and the values.

    Raises
    ------
    UsageError
        Where values cannot be told apart.
    """
    try:
        codes, values = pd.factorize(series.to_numpy())
    except TypeError as error:
        raise UsageError(
            f"Column '{series.name}' holds values such as lists, that cannot be told apart: make "
            "it text or numbers."
        ) from error
    return codes, np.asarray(values)


def used_levels(category: pd.Categorical, rows: npt.NDArray[np.bool_]) -> pd.Categorical:
    """These rows, with the levels that occur in them."""
    return category[rows].remove_unused_categories()


def check_levels(name: str, category: pd.Categorical) -> None:
    """Raise where a category has so many levels that it is an identifier or a number as text."""
    if len(category.categories) > MAX_LEVELS:
        raise UsageError(
            f"Column '{name}' is a category of {len(category.categories):,} levels, more than "
            f"{MAX_LEVELS}. Is it a number stored as text, or an identifier? Convert or leave out."
        )


def _natural(text: str) -> list[tuple[int, float, str]]:
    parts = _NUMBER.split(text)
    return [(0, float(part), "") if k % 2 else (1, 0.0, part) for k, part in enumerate(parts)]


def _sorted_codes(series: pd.Series) -> tuple[npt.NDArray[Any], Sequence[Any]]:
    try:
        codes, values = pd.factorize(series, sort=True)
    except TypeError:  # numbers and texts in one column cannot be put in order as they are
        text = series.map(label, na_action="ignore")
        codes, values = pd.factorize(text, sort=True)
    return codes, list(values)
