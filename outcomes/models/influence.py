"""Which clinic, or other part of the subjects, moves the estimates of a fit, and how far.

Each value of a column that is constant within a subject is left out in turn, covariance and all
estimated anew (:mod:`outcomes.stats.influence`). The question stays the same: rows of coefficients
of contrasts are those of the fit to all, so that a change is one of the estimates and not of the
people whom a mean is averaged over. A part without which the model cannot be fitted stays in the
table, with the reason.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import EstimationError, UsageError
from outcomes.models.adjusted_means import Contrasts
from outcomes.models.design import Design
from outcomes.models.estimate_rows import NOT_ESTIMABLE
from outcomes.models.long_rows import check_constant
from outcomes.models.long_tables import take_columns
from outcomes.models.mmrm_request import MmrmSpec
from outcomes.models.new_rows import fitted_subjects
from outcomes.models.reference_grid import ReferenceGrid
from outcomes.models.used_rows import LongRows
from outcomes.stats.inference import Inference
from outcomes.stats.influence import influence_on
from outcomes.stats.jackknife import fit_without
from outcomes.stats.moments import Moments, accumulate
from outcomes.stats.reml import RemlFit

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[Any]

_ABOUT: Final[tuple[str, ...]] = ("term", "contrast", "visit", "subgroup")


def parts_of(name: str, data: Any, spec: MmrmSpec, grid: ReferenceGrid) -> Labels:
    """(n,): the part that each fitted subject belongs to.

    Parameters
    ----------
    name : str
        A column of ``data``; or else the subject, the group, the cluster or a covariate of the fit.
    data : table or None

    Raises
    ------
    UsageError
        Where the column is not known, changes within a subject or is empty.
    """
    rows = grid.data
    fitted_subjects(grid.design)  # without them there is nothing to leave out
    if data is not None:
        return _from_table(name, data, spec, rows)
    known: dict[str | None, Any] = {
        n: rows.frame[n].to_numpy() for n in grid.covariates if n in rows.frame
    }
    if rows.clusters is not None and rows.cluster is not None:
        known[spec.cluster] = rows.clusters[rows.cluster]
    known[spec.group] = np.array(rows.groups, dtype=object)[rows.group]
    known[spec.subject] = rows.labels[rows.subject]
    if name not in known:
        raise UsageError(
            f"The fit did not use a column '{name}': give data= a table with '{spec.subject}' and "
            f"'{name}', such as the one that was fitted."
        )
    return _by_subject(known[name], rows.subject, name)


def every_coefficient(grid: ReferenceGrid) -> Contrasts:
    """The coefficients themselves as what is followed."""
    names = grid.design.columns
    every = np.eye(len(names))
    return Contrasts(about={"term": list(names)}, rows=every, weights=every, n_places=1)


def influence_table(
    fit: RemlFit, inference: Inference, design: Design, parts: Labels, name: str, asked: Contrasts
) -> pd.DataFrame:
    """One row a part and question.

    Parameters
    ----------
    parts : (n,) array
        From :func:`parts_of`.
    name : str
        What they are called.
    """
    codes, labels = pd.factorize(parts, sort=True)
    if len(labels) < 2:
        raise UsageError(f"All subjects have the same '{name}': nothing can be left out.")
    total, subjects = fit.cells.moments, fitted_subjects(design)
    moments = accumulate(
        total.layout,
        subjects.z,
        subjects.y,
        group=subjects.group,
        cluster=codes,
        weights=subjects.weights,
    )
    _, std_error = inference.pointwise(asked.rows)
    about = {key: asked.about[key] for key in _ABOUT if key in asked.about}
    tables = []
    for code, label in enumerate(labels):
        part = moments.select([code])
        found = _without(fit, total, part, design.maps, asked.rows)
        head: dict[str, Any] = {name: label, "n_patients": part.n_subjects, **about}
        found.insert(2, "change_in_std_errors", found["change"] / std_error)
        tables.append(pd.concat([pd.DataFrame(head, index=found.index), found], axis=1))
    return pd.concat(tables, ignore_index=True)


def _without(
    fit: RemlFit, total: Moments, part: Moments, maps: Array, asked: Array
) -> pd.DataFrame:
    try:
        found = influence_on(fit, fit_without(fit, total, part, maps), asked)
    except EstimationError as error:
        columns = ["estimate", "change", "distance", "covariance_distance"]
        empty = pd.DataFrame(np.nan, index=range(len(asked)), columns=columns)
        return empty.assign(gate=f"no fit: {error.reason}")
    return pd.DataFrame(
        {
            "estimate": found.estimate,
            "change": found.change,
            "distance": found.distance,
            "covariance_distance": found.covariance_distance,
            "gate": np.where(np.isnan(found.estimate), NOT_ESTIMABLE, "open"),
        }
    )


def _from_table(name: str, data: Any, spec: MmrmSpec, rows: LongRows) -> Labels:
    table = take_columns(data, [spec.subject, name])
    places = pd.Index(rows.labels).get_indexer(pd.Index(table[spec.subject]))
    used = places >= 0
    lacking = rows.n_subjects - len(np.unique(places[used]))
    if lacking:
        raise UsageError(f"{lacking:,} fitted subjects are not in column '{spec.subject}'.")
    return _by_subject(table[name].to_numpy()[used], places[used], name)


def _by_subject(values: Labels, subject: npt.NDArray[Any], name: str) -> Labels:
    codes, labels = pd.factorize(values)
    empty = int((codes < 0).sum())
    if empty:
        raise UsageError(f"Column '{name}': {empty:,} rows are empty. Complete or drop them.")
    check_constant(codes, subject, f"Column '{name}'", "what is left out is one value")
    out = np.zeros(subject.max() + 1, dtype=np.int64)
    out[subject] = codes
    return np.asarray(labels)[out]
