"""The rows of a long table that a mixed model uses: checked, counted, coded.

One row per subject and visit. Rows at visits that were not asked for, without a response, or
without a covariate that the formula needs are left out, and each reason is counted in the notes.
What would make the answer ambiguous is an error instead: two rows of a subject at one visit, a row
without subject or visit, an infinite number, a covariance group that changes within a subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import NotEstimable, UsageError
from outcomes.models.categories import (
    as_category,
    as_number,
    as_visits,
    check_levels,
    factors,
    is_category,
    is_number,
    label,
    used_levels,
)
from outcomes.models.left_out import check_subjects, counted, missing, used_rows
from outcomes.models.long_tables import ParquetTable, open_parquet, take_columns
from outcomes.models.used_rows import Averaging, LongRows, Offset
from outcomes.stats.layout import MAX_VISITS

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Table = pd.DataFrame | ParquetTable

LARGEST_WEIGHT = 1e30
FEW_SUBJECTS = 10
"""With as few, a category may well have a level for each."""


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Which column plays which part.

    Attributes
    ----------
    response, covariates : tuple of str
        Columns that the two sides of the formula name.
    categories : frozenset of str
        Numeric columns that the formula declares categories.
    subject, visit : str
    group, weights, offset, cluster : str or None
    visits : tuple of str or None
        Labels in order; None takes all in the order of the column.
    """

    response: tuple[str, ...]
    covariates: tuple[str, ...]
    categories: frozenset[str]
    subject: str
    visit: str
    group: str | None = None
    weights: str | None = None
    offset: str | None = None
    cluster: str | None = None
    visits: tuple[str, ...] | None = None


def read_long(data: Any, roles: Roles) -> LongRows:
    """Take the used rows out of a pandas, polars or Arrow table, or of Parquet files.

    Raises
    ------
    UsageError
        Where a column is absent or of the wrong kind, or rows contradict each other.
    NotEstimable
        Where fewer than two subjects are left.
    """
    table = _table(data, roles)
    subject_column, visit_column = table[roles.subject], table[roles.visit]
    visit, asked = _code_visits(subject_column, visit_column, roles)
    _check_unique(subject_column, visit, asked, roles)
    columns, empty = _columns(table, roles)
    group = as_category(table[roles.group]) if roles.group else None
    weights = as_number(table[roles.weights]) if roles.weights else None
    offset = as_number(table[roles.offset]) if roles.offset else None
    cluster, clusters = None, None
    if roles.cluster:
        cluster, clusters = factors(table[roles.cluster])
    roles_of = {
        "the covariance group": (roles.group, group),
        "the weight": (roles.weights, weights),
        "the offset": (roles.offset, offset),
        "the cluster": (roles.cluster, cluster),
    }
    others = {
        "a covariate": {n: flags for n, flags in empty.items() if n not in roles.response},
        **{what: {str(n): missing(v)} for what, (n, v) in roles_of.items() if v is not None},
    }
    used, notes = used_rows(asked, {n: empty[n] for n in roles.response}, others)
    subject, subjects = factors(subject_column[used])
    check_subjects(len(subjects), int(used.sum()), notes)
    lost = subject_column[asked].nunique() - len(subjects)
    if lost:
        verbs = ("subject has no usable row and takes", "subjects have no usable row and take")
        notes.append(f"{counted(lost, *verbs)} no part.")
    if roles.visit in columns:
        columns[roles.visit] = visit
    frame, level_notes = _factors(columns, used, roles)
    _check_identifiers(frame, subject, roles)
    numbers = [name for name, v in columns.items() if not isinstance(v, pd.Categorical)]
    means = _means(table, frame, numbers, used, subject)
    group_codes, groups = _groups(group, used, subject, roles)
    if weights is not None:
        _check_weights(weights[used], roles)
    kept = None if cluster is None else _clusters(cluster[used], subject, roles)
    return LongRows(
        frame=frame,
        subject=subject.astype(np.int64),
        visit=visit.codes[used].astype(np.int64),
        group=group_codes,
        weights=None if weights is None else weights[used],
        offset=None if offset is None else _offset(offset[used], subject, roles),
        cluster=kept,
        n_subjects=len(subjects),
        visits=tuple(visit.categories),
        groups=groups,
        notes=(*notes, *level_notes, *_order_note(visit_column, visit, roles)),
        place=np.flatnonzero(used),
        labels=np.asarray(subjects),
        clusters=None if clusters is None else np.asarray(clusters),
        means=means,
        files=table if isinstance(table, ParquetTable) else None,
        order=_order(subject if kept is None else kept, roles),
    )


def _table(data: Any, roles: Roles) -> Table:
    """The columns that some role names."""
    extra = [name for name in (roles.group, roles.weights, roles.offset, roles.cluster) if name]
    names = [roles.subject, roles.visit, *_names(roles), *extra]
    if isinstance(data, str | Path):
        return open_parquet(data, names)
    return take_columns(data, names)


def _columns(
    table: Table, roles: Roles
) -> tuple[dict[str, Array | pd.Categorical | None], dict[str, Flags]]:
    """Columns of the formula, None for numbers that stay in their files; and what is missing."""
    columns: dict[str, Array | pd.Categorical | None] = {}
    empty = {}
    for name in _names(roles):
        values = _column(table[name], name, roles)
        empty[name] = missing(values)
        stays = isinstance(table, ParquetTable) and not isinstance(values, pd.Categorical)
        columns[name] = None if stays else values
    return columns, empty


def _names(roles: Roles) -> tuple[str, ...]:
    """Columns of the formula."""
    return tuple(dict.fromkeys([*roles.response, *roles.covariates]))


def _code_visits(
    subject: pd.Series, column: pd.Series, roles: Roles
) -> tuple[pd.Categorical, Flags]:
    """Visits as an ordered category, and which rows are at one that was asked for."""
    for name, values in ((roles.subject, subject), (roles.visit, column)):
        absent = int(values.isna().sum())
        if absent:
            raise UsageError(f"Column '{name}': {absent:,} rows are empty. Complete or drop them.")
    visit = as_visits(column)
    if roles.visits is None:
        visit = visit.remove_unused_categories()
        _check_number(len(visit.categories), roles)
        return visit, np.ones(len(visit), dtype=np.bool_)
    _check_number(len(roles.visits), roles)
    unknown = [n for n in roles.visits if n not in visit.categories] if len(visit) else []
    if unknown or len(set(roles.visits)) < len(roles.visits):
        raise UsageError(
            f"visits= names {', '.join(map(repr, unknown)) or 'a visit twice'}; column "
            f"'{roles.visit}' has {', '.join(map(repr, visit.categories[:MAX_VISITS]))}."
        )
    chosen = visit.set_categories(list(roles.visits))
    return chosen, np.asarray(chosen.codes >= 0)


def _order_note(column: pd.Series, visit: pd.Categorical, roles: Roles) -> list[str]:
    """A note where some visits have a number and others have none: their order is then a guess."""
    numbered = {any(map(str.isdigit, name)) for name in visit.categories}
    given = roles.visits is not None or isinstance(column.dtype, pd.CategoricalDtype)
    if given or len(numbered) < 2:
        return []
    return [
        f"Visits are taken in the order {', '.join(visit.categories)}: if that is not their order "
        "in time, give it by visits=."
    ]


def _check_number(n_visits: int, roles: Roles) -> None:
    if n_visits > MAX_VISITS or roles.visits == ():
        raise UsageError(
            f"Column '{roles.visit}' has {n_visits:,} visits; 1 to {MAX_VISITS} can be modelled. "
            "Name them by visits=, or make planned visits of days first."
        )


def _check_unique(subject: pd.Series, visit: pd.Categorical, asked: Flags, roles: Roles) -> None:
    codes, subjects = factors(subject)
    keys = (codes * np.int64(len(visit.categories)) + visit.codes)[asked]
    seen = np.bincount(keys, minlength=len(subjects) * len(visit.categories))
    repeated = int((seen - 1)[seen > 1].sum())
    if repeated:
        first = np.flatnonzero(asked)[pd.Series(keys).duplicated().to_numpy()][:3]
        raise UsageError(
            f"{repeated:,} rows repeat a '{roles.subject}' at a '{roles.visit}' that another row "
            f"has (first rows {', '.join(map(str, first))}, counted from 0). Keep one of each."
        )


def _column(series: pd.Series, name: str, roles: Roles) -> Array | pd.Categorical:
    if name == roles.visit:
        return as_visits(series)
    if name in roles.response:
        if series.notna().any() and not is_number(series):
            raise UsageError(f"The response '{name}' is no number. Convert it first.")
        return as_number(series)
    if name in roles.categories or is_category(series):
        return as_category(series)
    return as_number(series)


def _factors(
    columns: dict[str, Array | pd.Categorical | None], used: Flags, roles: Roles
) -> tuple[pd.DataFrame, list[str]]:
    """The used rows of the columns, factors with the levels that occur in them."""
    kept: dict[str, Any] = {}
    notes = []
    for name in _names(roles):
        values = columns[name]
        if values is None:
            continue
        if not isinstance(values, pd.Categorical) or name == roles.visit:
            kept[name] = values[used]
            continue
        kept[name] = used_levels(values, used)
        check_levels(name, kept[name])
        absent = [level for level in values.categories if level not in kept[name].categories]
        if absent:
            notes.append(f"{name}: no usable row at {', '.join(map(repr, absent))}.")
    return pd.DataFrame(kept, index=pd.RangeIndex(int(used.sum()))), notes


def _check_identifiers(frame: pd.DataFrame, subject: Integers, roles: Roles) -> None:
    """Raise where a category tells every subject apart, so that nothing is left between them."""
    n_subjects = subject.max() + 1
    for name in set(roles.covariates) & set(frame) - {roles.visit}:
        column = frame[name]
        if not isinstance(column.dtype, pd.CategoricalDtype) or n_subjects <= FEW_SUBJECTS:
            continue
        n_levels = len(column.cat.categories)
        if n_levels != n_subjects:
            continue
        if np.unique(subject * n_levels + column.cat.codes.to_numpy()).size == n_subjects:
            raise UsageError(
                f"Column '{name}' has a level of its own for each of the {n_levels:,} subjects. Is "
                "it a number stored as text, or an identifier? Convert or leave out."
            )


def _means(
    table: Table, frame: pd.DataFrame, names: Sequence[str], used: Flags, subject: Integers
) -> dict[str, dict[Averaging, float]]:
    """Means of the numeric columns, which have to be finite."""
    means: dict[str, dict[Averaging, float]] = {}
    wrong = []
    for name in names:
        values = frame[name].to_numpy() if name in frame else as_number(table[name])[used]
        infinite = int(np.isinf(values).sum())
        if infinite:
            wrong.append(f"'{name}' in {infinite:,} rows")
            continue
        means[name] = _mean(values, subject)
    if wrong:
        raise UsageError(f"Infinite numbers: {', '.join(wrong)}. Mend them or set them missing.")
    return means


def _mean(values: Array, subject: Integers) -> dict[Averaging, float]:
    by_patient = 1.0 / np.bincount(subject)[subject]
    return {
        "rows": float(values.mean()),
        "patients": float(np.average(values, weights=by_patient)),
    }


def _offset(values: Array, subject: Integers, roles: Roles) -> Offset:
    infinite = int(np.isinf(values).sum())
    if infinite:
        raise UsageError(
            f"Infinite numbers: '{roles.offset}' in {infinite:,} rows. Mend them or set them "
            "missing."
        )
    return Offset(name=str(roles.offset), values=values, means=_mean(values, subject))


def _order(unit: Integers, roles: Roles) -> str | None:
    """The column whose equal values do not stand together, if so."""
    runs = 1 + np.count_nonzero(np.diff(unit))
    return (roles.cluster or roles.subject) if runs > len(np.unique(unit)) else None


def _groups(
    group: pd.Categorical | None, used: Flags, subject: Integers, roles: Roles
) -> tuple[Integers, tuple[str, ...]]:
    if group is None:
        return np.zeros(len(subject), dtype=np.int64), ("",)
    kept = used_levels(group, used)
    codes = kept.codes.astype(np.int64)
    check_constant(codes, subject, f"Column '{roles.group}'", "a covariance group is one level")
    by_subject = np.zeros(subject.max() + 1, dtype=np.int64)
    by_subject[subject] = codes
    alone = int((np.bincount(by_subject) < 2).sum())
    if alone:
        raise NotEstimable(
            f"{alone:,} of {len(kept.categories):,} levels of column '{roles.group}' have one "
            "subject, which shows no covariance: join them with others, or use one covariance for "
            "all groups."
        )
    return codes, tuple(kept.categories)


def _clusters(codes: npt.NDArray[np.intp], subject: Integers, roles: Roles) -> Integers:
    check_constant(codes, subject, f"Column '{roles.cluster}'", "a cluster is one value")
    return codes.astype(np.int64)


def check_constant(codes: npt.NDArray[Any], subject: Integers, what: str, rule: str) -> None:
    """Raise where something changes within a subject.

    Raises
    ------
    UsageError
    """
    first = np.zeros(subject.max() + 1, dtype=np.int64)
    first[subject] = codes
    changing = np.unique(subject[first[subject] != codes]).size
    if changing:
        raise UsageError(f"{what} changes within {changing:,} subjects; {rule} a subject.")


def _check_weights(weights: Array, roles: Roles) -> None:
    wrong = int((~((weights > 1 / LARGEST_WEIGHT) & (weights < LARGEST_WEIGHT))).sum())
    if wrong:
        raise UsageError(
            f"Column '{roles.weights}': {wrong:,} rows have a weight that is not positive, or not "
            f"between {1 / LARGEST_WEIGHT:g} and {LARGEST_WEIGHT:g}. Set the response missing "
            "where a row is meant to take no part."
        )


def visit_labels(visits: Sequence[Any] | None) -> tuple[str, ...] | None:
    """Visits as a user gives them, as labels."""
    return None if visits is None else tuple(label(visit) for visit in visits)
