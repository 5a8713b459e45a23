"""The columns of a formula, factored into what a subject is and which visit it is.

Moments need the design row of a subject at visit t as a fixed linear function of one row of
numbers, which :mod:`outcomes.models.factoring` finds. The formula is evaluated once on the used
rows, all at once or a part at a time; what depends on all of them, such as the knots of a spline,
is settled on whole columns first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from formulaic import ModelSpec
from formulaic.formula import SimpleFormula
from formulaic.parser.types import Term

from outcomes.core.errors import UsageError
from outcomes.models.equal_levels import EqualLevels
from outcomes.models.evaluation import check_row_by_row, evaluate
from outcomes.models.factoring import Factoring
from outcomes.models.formula import Parsed, coefficient_names, columns_of, remembering
from outcomes.models.used_rows import LongRows
from outcomes.stats.moments import Moments, accumulate, choose_layout
from outcomes.stats.subjects import Subjects

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LARGEST = 1e30
"""Of a number and, inverted, of a difference: covariances of variances are fourth powers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """A formula over used rows, ready for moments.

    Attributes
    ----------
    columns : tuple of str
        Names of the p coefficients.
    z_names : tuple of str
        Names of the q columns of z.
    maps : (T, p, q) array
        ``maps[t] @ z`` is the design row at visit t.
    model_spec : formulaic.ModelSpec
        Of the right side: gives the design of any other rows.
    response_spec : formulaic.ModelSpec
        Of the left side.
    equal : EqualLevels
        What the formula sees otherwise than it is.
    subjects : Subjects or PartsOfFiles
        The wide rows, for a second pass.
    """

    columns: tuple[str, ...]
    z_names: tuple[str, ...]
    maps: Array
    model_spec: Any
    response_spec: Any
    equal: EqualLevels
    subjects: Subjects | PartsOfFiles

    @property
    def linked(self) -> tuple[frozenset[str], ...]:
        """The names that each term of the right side depends on."""
        variables = self.model_spec.factor_variables
        found = [
            frozenset(str(name) for factor in term.factors for name in variables[factor])
            for term in self.model_spec.term_slices
        ]
        return tuple(n | {self.equal.visit} if n & set(self.equal.at) else n for n in found)

    def rows(self, frame: pd.DataFrame) -> Array:
        """(m, p): design rows of a frame with the covariates of the formula."""
        seen = self.equal.applied(frame)
        return np.asarray(evaluate(self.model_spec, seen), dtype=np.float64)

    def responses(self, frame: pd.DataFrame) -> Array:
        """(m,): the left side at a frame with its columns; NaN where one is missing."""
        return np.asarray(evaluate(self.response_spec, frame), dtype=np.float64)[:, 0]


@dataclass(frozen=True, kw_only=True, eq=False)
class PartsOfFiles:
    """Wide rows of a table in files, made anew at each pass."""

    rows: LongRows
    factoring: Factoring
    specs: tuple[Any, Any]
    equal: EqualLevels

    def parts(self) -> Iterator[Subjects]:
        """Some subjects at a time, in the order of the parts."""
        for part in self.rows.parts():
            y, x = _evaluate(part, self.specs, self.equal)
            z = self.factoring.apply(np.asarray(x, dtype=np.float64), part)
            yield _subjects(part, z, y)


def read_design(
    rows: LongRows, parsed: Parsed, equal: EqualLevels, *, by_cluster: bool = False
) -> tuple[Design, Moments]:
    """Evaluate the formula, factor its columns, and add up the moments: the pass over the rows.

    Parameters
    ----------
    equal : EqualLevels
    by_cluster : bool
        Whether the moments keep the clusters apart.

    Raises
    ------
    UsageError
        Where a term cannot be evaluated, or gives numbers that are not finite.
    """
    equal.check({n: levels for n, levels in rows.levels.items() if n in parsed.covariates})
    specs = _specs(rows, parsed, equal)
    factoring = Factoring(rows.visits, ())
    moments: Moments | None = None
    for part in rows.parts():
        y, x = _evaluate(part, specs, equal)
        specs = y.model_spec, x.model_spec
        if moments is None:
            factoring = Factoring(rows.visits, x.model_spec.column_names)
        subjects = _subjects(part, factoring.learn(np.asarray(x, dtype=np.float64), part), y)
        moments = _add(moments, subjects, factoring, rows, by_cluster=by_cluster)
    if moments is None:
        raise UsageError("The table has no rows.")
    files = PartsOfFiles(rows=rows, factoring=factoring, specs=specs, equal=equal)
    design = Design(
        columns=coefficient_names(list(map(str, specs[1].column_names))),
        z_names=tuple(factoring.names),
        maps=factoring.maps,
        response_spec=specs[0],
        model_spec=specs[1],
        equal=equal,
        subjects=files if rows.files else subjects,
    )
    return design, moments


def _add(
    moments: Moments | None,
    subjects: Subjects,
    factoring: Factoring,
    rows: LongRows,
    *,
    by_cluster: bool,
) -> Moments:
    # Each visit of z has its own columns where it must, so a name alone need not be unique.
    names = [f"{k}: {name}" for k, name in enumerate(factoring.names)]
    layout = moments.layout if moments else None
    if layout is None or layout.n_columns < len(names):
        layout = choose_layout(
            subjects.z,
            subjects.y,
            columns=names,
            visits=rows.visits,
            groups=rows.groups,
            onto=layout,
        )
    new = accumulate(
        layout,
        subjects.z,
        subjects.y,
        group=subjects.group,
        cluster=subjects.cluster if by_cluster else None,
        weights=subjects.weights,
    )
    if moments is None:
        return new
    return moments.widened(layout, factoring.past(moments.layout.n_columns)) + new


def _specs(rows: LongRows, parsed: Parsed, equal: EqualLevels) -> tuple[Any, Any]:
    """How the two sides are made; what depends on all rows is settled where they come in parts."""
    formulas = (parsed.response_formula, parsed.formula)
    learned: dict[str, Any] = {}
    factors = remembering([*parsed.response_formula, *parsed.formula])
    if rows.files is not None and factors:
        whole = SimpleFormula([Term([factor]) for factor in factors])
        names = columns_of(whole)
        numbers = rows.numbers([name for name in rows.means if name in names])
        frame = equal.applied(pd.concat([rows.frame, numbers], axis=1))
        learned = evaluate(ModelSpec.from_spec(whole), frame).model_spec.transform_state
    response, right = (ModelSpec.from_spec(f, transform_state=dict(learned)) for f in formulas)
    return response, right


def _evaluate(rows: LongRows, specs: tuple[Any, ...], equal: EqualLevels) -> list[Any]:
    """The response and the design, a model matrix each."""
    frame = equal.applied(rows.frame)
    sides = [evaluate(spec, frame) for spec in specs]
    if sides[0].shape[1] != 1:
        raise UsageError("The left side of the formula must be one column of numbers.")
    _check_distinct([name for part in sides[1].model_spec.structure for name in part.columns])
    means = {name: mean["rows"] for name, mean in rows.means.items()}
    for matrix in sides:
        check_row_by_row(matrix, frame, means)
        _check_sizes(matrix)
    return sides


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


def _subjects(rows: LongRows, z: Array, response: Any) -> Subjects:
    y = np.asarray(response, dtype=np.float64)[:, 0]
    if rows.offset is not None:
        y = y - rows.offset.values
    return Subjects(
        z=z,
        y=_wide(y, rows, np.nan),
        group=rows.by_subject(rows.group),
        weights=None if rows.weights is None else _wide(rows.weights, rows, 1.0),
        cluster=rows.cluster_of_subject,
    )


def _wide(values: Array, rows: LongRows, blank: float) -> Array:
    wide = np.full((rows.n_subjects, len(rows.visits)), blank)
    wide[rows.subject, rows.visit] = values
    return wide
