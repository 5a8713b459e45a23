"""Rows of any table in the terms of a fitted mixed model, checked against what it knows.

A row is at one of the fitted visits, has every covariate of the formula, and no level that the fit
has not seen; a subject may be new. Where the response matters, an empty one is an unseen visit.
Nothing is left out in silence: a row that cannot be understood is an error that says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import UsageError
from outcomes.models.categories import as_category, as_number, factors
from outcomes.models.design import Design
from outcomes.models.formula import parse_formula
from outcomes.models.long_rows import check_constant
from outcomes.models.long_tables import take_columns
from outcomes.models.mmrm_request import MmrmSpec
from outcomes.models.reference_grid import ReferenceGrid
from outcomes.models.used_rows import LongRows
from outcomes.stats.conditional import VisitRows
from outcomes.stats.subjects import Subjects

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Rows to be predicted.

    Attributes
    ----------
    about : DataFrame
        What the answer says of each row: subject and visit; indexed by the row of the table it
        came from, counted from 0.
    rows : VisitRows
    y : (N,) array
        Responses less the offset; NaN where unseen, or not asked for.
    offset : (N,) array
    """

    about: pd.DataFrame
    rows: VisitRows
    y: Array
    offset: Array


def fitted_subjects(design: Design, *, instead: str = "") -> Subjects:
    """Return the subjects that the model was fitted to.

    Parameters
    ----------
    instead : str
        What else could be done where there are none.

    Raises
    ------
    UsageError
        Where they are in files.
    """
    if not isinstance(design.subjects, Subjects):
        raise UsageError(
            f"The model was fitted to Parquet files, of which no rows are kept: {instead}fit the "
            "model to a table in memory."
        )
    return design.subjects


def fitted_rows(spec: MmrmSpec, grid: ReferenceGrid, *, instead: str = "") -> Rows:
    """Return the rows that the model was fitted to; see :func:`fitted_subjects`."""
    data, design, subjects = grid.data, grid.design, fitted_subjects(grid.design, instead=instead)
    root = np.ones(len(data.subject))
    if data.weights is not None and spec.weight_kind == "precision":
        root = np.sqrt(data.weights)
    x = np.empty((len(data.subject), len(design.columns)))
    for t, to_row in enumerate(design.maps):
        here = data.visit == t
        x[here] = subjects.z[data.subject[here]] @ to_row.T
    return Rows(
        about=about_fitted(spec, data),
        rows=VisitRows(x=x, subject=data.subject, visit=data.visit, group=data.group, root=root),
        y=subjects.y[data.subject, data.visit],
        offset=np.zeros(len(x)) if data.offset is None else data.offset.values,
    )


def about_fitted(spec: MmrmSpec, data: LongRows) -> pd.DataFrame:
    """Subject and visit of the fitted rows."""
    return pd.DataFrame(
        {
            spec.subject: data.labels[data.subject],
            spec.visit: np.array(data.visits, dtype=object)[data.visit],
        },
        index=pd.Index(data.place, name="row"),
    )


def read_rows(
    data: Any,
    spec: MmrmSpec,
    grid: ReferenceGrid,
    *,
    spread: bool,
    together: bool,
    response: bool,
) -> Rows:
    """Take the rows of a pandas, polars or Arrow table.

    Parameters
    ----------
    spread : bool
        Whether the covariance of the visits matters, and with it group and weights.
    together : bool
        Whether rows of a subject belong together; else the subject takes no part.
    response : bool
        Whether the responses matter.

    Raises
    ------
    UsageError
        Where a column is absent, or rows are not such as the model was fitted to.
    """
    design, names = grid.design, list(grid.covariates)
    answer = list(parse_formula(spec.formula).response) if response else []
    weighted = spread and spec.weights is not None and spec.weight_kind == "precision"
    group = spec.group if spread else None
    known = [spec.offset] if spec.offset else []
    extra = known + [spec.subject] * together + [group] * bool(group) + [spec.weights] * weighted
    table = take_columns(data, [spec.visit, *names, *answer, *(name for name in extra if name)])
    if table.empty:
        raise UsageError("The table has no rows to predict.")
    fitted_visits = np.array(grid.data.visits, dtype=object)
    visit = _codes(table[spec.visit], grid.data.visits, "are at a visit that was not fitted")
    frame = pd.DataFrame({n: _covariate(table[n], grid.levels.get(n)) for n in names})
    subject, about = np.arange(len(table)), {spec.visit: fitted_visits[visit]}
    if together:
        subject = _subjects(table[spec.subject], visit)
        about = {spec.subject: table[spec.subject].to_numpy(), **about}
    codes = np.zeros(len(table), dtype=np.int64)
    if group:
        codes = _codes(table[group], grid.data.groups, "are in a group without a covariance")
        check_constant(codes, subject, f"Column '{group}'", "a covariance group is one level")
    rows = VisitRows(
        x=_finite(design.rows(frame), "A term of the formula"),
        subject=subject,
        visit=visit,
        group=codes,
        root=_root(table[spec.weights]) if weighted else np.ones(len(table)),
    )
    offset = _covariate(table[spec.offset], None) if spec.offset else np.zeros(len(table))
    y = _responses(table[answer], design) - offset if response else np.full(len(table), np.nan)
    return Rows(
        about=pd.DataFrame(about, index=pd.RangeIndex(len(table), name="row")),
        rows=rows,
        y=y,
        offset=offset,
    )


def _covariate(series: pd.Series, levels: tuple[str, ...] | None) -> Any:
    if levels is None:
        values = as_number(series)
        _check_none(np.isnan(values), series.name, "are empty", "Complete or drop them")
        _check_none(np.isinf(values), series.name, "are infinite", "Mend or drop them")
        return values
    codes = _codes(series, levels, "are at a level that the fit has not seen")
    return pd.Categorical.from_codes(list(codes), pd.Index(levels, dtype=object))


def _codes(series: pd.Series, levels: tuple[str, ...], lacking: str) -> npt.NDArray[np.int64]:
    """Places of the labels among ``levels``."""
    given = as_category(series)
    _check_none(np.asarray(given.codes < 0), series.name, "are empty", "Complete or drop them")
    unknown = np.asarray(~given.isin(list(levels)))
    _check_none(unknown, series.name, lacking, f"The model knows {', '.join(map(repr, levels))}")
    return np.asarray(given.set_categories(list(levels)).codes, dtype=np.int64)


def _subjects(series: pd.Series, visit: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Codes; one row a subject and visit."""
    codes, _ = factors(series)
    _check_none(codes < 0, series.name, "are empty", "Complete or drop them")
    repeated = pd.Series(codes * (visit.max(initial=0) + 1) + visit).duplicated().to_numpy()
    _check_none(repeated, series.name, "repeat a visit of their subject", "Keep one of each")
    return codes.astype(np.int64)


def _root(series: pd.Series) -> Array:
    weights = as_number(series)
    wrong: Flags = ~(np.isfinite(weights) & (weights > 0))
    _check_none(wrong, series.name, "have a weight that is not positive", "Mend or drop them")
    return np.asarray(np.sqrt(weights))


def _responses(table: pd.DataFrame, design: Design) -> Array:
    frame = pd.DataFrame({name: as_number(table[name]) for name in table})
    unseen: Flags = np.asarray(frame.isna().any(axis=1))
    out = design.responses(frame)
    _finite(out[~unseen], "The response")
    return np.where(unseen, np.nan, out)


def _finite(values: Array, what: str) -> Array:
    if not np.isfinite(values).all():
        raise UsageError(f"{what} is not finite in some rows, such as a logarithm of zero.")
    return values


def _check_none(wrong: Flags, name: Any, what: str, remedy: str) -> None:
    if wrong.any():
        first = ", ".join(map(str, np.flatnonzero(wrong)[:3]))
        raise UsageError(
            f"Column '{name}': {int(wrong.sum()):,} rows {what} (first rows {first}, counted from "
            f"0). {remedy}."
        )
