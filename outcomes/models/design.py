r"""The columns of a formula, factored into what a subject is and which visit it is.

Method
------
Moments need the design row of a subject at visit t as a fixed linear function of one row of
numbers, :math:`x_{it} = B_t z_i`. The formula is evaluated once on the used rows. Then, visit by
visit, each of its columns is

* zero for everyone: it has no part at this visit;
* the same number c for everyone: c times the column of ones;
* equal, exactly, to a column of z at every subject seen at this visit (where that column is not
  yet known for a subject, it becomes known): one times that column;
* or new: it becomes a column of z.

A column that does not change over time is thus one column of z however many interactions with the
visit it has; one that does is a column a visit. Only exact equality counts, so that
:math:`B_t z_i` gives back every used row to the last digit; columns that are all but combinations
of others are then untangled (:mod:`outcomes.stats.untangle`). Values of z that no used row needs
are set to the mean of their column; they take no part.
"""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from formulaic.errors import FormulaicError, FormulaicWarning

from outcomes.core.errors import UsageError
from outcomes.models.formula import Parsed, coefficient_names
from outcomes.models.long_rows import LongRows
from outcomes.stats.subjects import Subjects
from outcomes.stats.untangle import untangle

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LARGEST = 1e30
"""Of a number and, inverted, of a difference: covariances of variances are fourth powers."""
_SAMPLE = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """A formula over used rows, ready for moments.

    Attributes
    ----------
    columns : tuple of str
        Names of the p coefficients.
    z : (n, q) array
        One row a subject.
    z_names : tuple of str
    maps : (T, p, q) array
        ``maps[t] @ z`` is the design row at visit t.
    y : (n, T) array
        NaN where unseen.
    weights : (n, T) array or None
        One where unseen.
    group : (n,) array
        Codes of the covariance groups.
    cluster : (n,) array or None
        Codes of what a sandwich keeps together.
    model_spec : formulaic.ModelSpec
        Of the right side: gives the design of any other rows.
    response_spec : formulaic.ModelSpec
        Of the left side.
    """

    columns: tuple[str, ...]
    z: Array
    z_names: tuple[str, ...]
    maps: Array
    y: Array
    weights: Array | None
    group: Integers
    cluster: Integers | None
    model_spec: Any
    response_spec: Any

    @property
    def linked(self) -> tuple[frozenset[str], ...]:
        """The names that each term of the right side uses."""
        variables = self.model_spec.factor_variables
        return tuple(
            frozenset(str(name) for factor in term.factors for name in variables[factor])
            for term in self.model_spec.term_slices
        )

    @property
    def subjects(self) -> Subjects:
        """The wide rows, for a second pass."""
        return Subjects(
            z=self.z, y=self.y, group=self.group, weights=self.weights, cluster=self.cluster
        )

    def rows(self, frame: pd.DataFrame) -> Array:
        """(m, p): design rows of a frame with the covariates of the formula."""
        return _matrix(self.model_spec, frame)

    def responses(self, frame: pd.DataFrame) -> Array:
        """(m,): the left side at a frame with its columns; NaN where one is missing."""
        return _matrix(self.response_spec, frame)[:, 0]


def _matrix(model_spec: Any, frame: pd.DataFrame) -> Array:
    with np.errstate(all="ignore"):
        matrix = model_spec.get_model_matrix(frame, context={}, na_action="ignore")
    return np.asarray(matrix, dtype=np.float64)


def build_design(rows: LongRows, parsed: Parsed) -> Design:
    """Evaluate the formula once and factor its columns.

    Raises
    ------
    UsageError
        Where a term cannot be evaluated, or gives numbers that are not finite.
    """
    response, response_spec, matrix = _evaluate(rows, parsed)
    n_visits = len(rows.visits)
    by_visit = [np.flatnonzero(rows.visit == t) for t in range(n_visits)]
    z, z_names, maps = _factor(matrix, rows, by_visit)
    z, maps = untangle(z, maps)
    weights = None
    if rows.weights is not None:
        weights = _wide(rows.weights, rows, 1.0)
    return Design(
        columns=coefficient_names(list(map(str, matrix.columns))),
        z=z,
        z_names=z_names,
        maps=maps,
        y=_wide(response, rows, np.nan),
        weights=weights,
        group=_by_subject(rows.group, rows),
        cluster=None if rows.cluster is None else _by_subject(rows.cluster, rows),
        model_spec=matrix.model_spec,
        response_spec=response_spec,
    )


def _evaluate(rows: LongRows, parsed: Parsed) -> tuple[Array, Any, Any]:
    """The response, how it is made, and the design."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            # Such as of levels that a term leaves out, which would become missing.
            warnings.simplefilter("error", FormulaicWarning)
            left, right = (
                side.get_model_matrix(rows.frame, context={}, na_action="ignore")
                for side in (parsed.response_formula, parsed.formula)
            )
    except (FormulaicError, FormulaicWarning, LookupError, TypeError, ValueError) as error:
        raise UsageError(
            f"A term of the formula cannot be computed: {str(error).split(chr(10))[0]} Visits and "
            "texts are categories: a slope or a function needs a numeric column."
        ) from error
    if left.shape[1] != 1:
        raise UsageError("The left side of the formula must be one column of numbers.")
    _check_distinct([name for part in right.model_spec.structure for name in part.columns])
    for matrix in (left, right):
        _check_sizes(matrix)
    return left.iloc[:, 0].to_numpy(dtype=np.float64), left.model_spec, right


def _check_sizes(matrix: pd.DataFrame) -> None:
    """Raise where a column is not finite, or of a size whose fourth power is not."""
    values = {str(name): matrix[name].to_numpy(dtype=np.float64) for name in matrix.columns}
    wrong = [name for name, column in values.items() if not np.isfinite(column).all()]
    if wrong:
        raise UsageError(
            f"{', '.join(map(repr, wrong))} is not finite in some rows, such as a logarithm of "
            "zero. Change the term, or set those rows missing."
        )
    spread = {name: float(np.ptp(column)) for name, column in values.items()}
    size = {name: max(float(np.abs(column).max()), spread[name]) for name, column in values.items()}
    wrong = [name for name in values if size[name] > LARGEST or 0 < spread[name] < 1 / LARGEST]
    if wrong:
        raise UsageError(
            f"{', '.join(map(repr, wrong))} has numbers beyond {LARGEST:g}, or differences below "
            f"{1 / LARGEST:g}, of which no squares can be taken. Change the unit."
        )


def _check_distinct(names: list[str]) -> None:
    """Raise where terms make columns of one name, one of which would be lost."""
    repeated = sorted(name for name, times in Counter(names).items() if times > 1)
    if repeated:
        raise UsageError(
            f"Several terms of the formula make a column {', '.join(map(repr, repeated))}: copy "
            "one of their columns in the data under another name."
        )


def _factor(
    matrix: pd.DataFrame, rows: LongRows, by_visit: list[Integers]
) -> tuple[Array, tuple[str, ...], Array]:
    """z, its names and the maps."""
    pool = _Pool(rows.n_subjects)
    entries: list[tuple[int, int, int, float]] = []
    for j, name in enumerate(matrix.columns):
        column = matrix[name].to_numpy(dtype=np.float64)
        last = -1
        for t, here in enumerate(by_visit):
            values = column[here]
            if not values.size or not values.any():
                continue
            if (values == values[0]).all():
                entries.append((t, j, pool.constant(), float(values[0])))
                continue
            subjects = rows.subject[here]
            last = pool.place(values, subjects, first=last, name=f"{name} at {rows.visits[t]}")
            entries.append((t, j, last, 1.0))
    maps = np.zeros((len(by_visit), matrix.shape[1], len(pool.names)))
    for t, j, k, factor in entries:
        maps[t, j, k] = factor
    return pool.finished(), tuple(pool.names), maps


class _Pool:
    """Columns of z found so far; NaN where a value is not yet known."""

    def __init__(self, n_subjects: int) -> None:
        self.names: list[str] = []
        self._values = np.empty((8, n_subjects))
        self._ones = -1

    def constant(self) -> int:
        """The column of ones."""
        if self._ones < 0:
            self._ones = self._add("1")
            self._values[self._ones] = 1.0
        return self._ones

    def place(self, values: Array, subjects: Integers, *, first: int, name: str) -> int:
        """The column that holds these values at these subjects; a new one where none does."""
        for k in self._candidates(values, subjects, first):
            known = self._values[k, subjects]
            new = np.isnan(known)
            if (new | (known == values)).all():
                if new.any():
                    self._values[k, subjects] = values
                return k
        k = self._add(name)
        self._values[k, subjects] = values
        return k

    def finished(self) -> Array:
        """(n, q) with the mean of its column for what is not known."""
        values = self._values[: len(self.names)]
        for row in values:
            unknown = np.isnan(row)
            if unknown.any():
                row[unknown] = row[~unknown].mean()
        return np.ascontiguousarray(values.T)

    def _candidates(self, values: Array, subjects: Integers, first: int) -> list[int]:
        """Columns that agree at a few subjects, the one that served last before the others."""
        some = np.linspace(0, values.size - 1, min(_SAMPLE, values.size)).astype(np.int64)
        known = self._values[: len(self.names), subjects[some]]
        agree = np.flatnonzero((np.isnan(known) | (known == values[some])).all(axis=1))
        return sorted((int(k) for k in agree), key=lambda k: k != first)

    def _add(self, name: str) -> int:
        k = len(self.names)
        if k == len(self._values):
            self._values = np.concatenate([self._values, np.empty_like(self._values)])
        self._values[k] = np.nan
        self.names.append(name)
        return k


def _by_subject(codes: Integers, rows: LongRows) -> Integers:
    out = np.zeros(rows.n_subjects, dtype=np.int64)
    out[rows.subject] = codes
    return out


def _wide(values: Array, rows: LongRows, blank: float) -> Array:
    wide = np.full((rows.n_subjects, len(rows.visits)), blank)
    wide[rows.subject, rows.visit] = values
    return wide
