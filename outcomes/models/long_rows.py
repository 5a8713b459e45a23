"""The rows of a long table that a mixed model uses: checked, counted, coded.

One row per subject and visit. Rows at visits that were not asked for, without a response, or
without a covariate that the formula needs are left out, and each reason is counted in the notes.
What would make the answer ambiguous is an error instead: two rows of a subject at one visit, a row
without subject or visit, an infinite number, a covariance group that changes within a subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    label,
    used_levels,
)
from outcomes.stats.layout import MAX_VISITS

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

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
    group, weights, cluster : str or None
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
    cluster: str | None = None
    visits: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class LongRows:
    """N used rows of n subjects.

    Attributes
    ----------
    frame : DataFrame
        Columns of the formula: floats, or categoricals of the levels that occur.
    subject, visit : (N,) arrays
        Codes.
    group : (N,) array
        Codes into ``groups``.
    weights : (N,) array or None
    cluster : (N,) array or None
        Codes of what a sandwich keeps together.
    n_subjects : int
    visits, groups : tuple of str
    notes : tuple of str
    place : (N,) array
        Rows of the table that was read, counted from 0.
    labels, clusters : (n,), (c,) arrays
        What the table calls the subjects and the clusters.
    """

    frame: pd.DataFrame
    subject: Integers
    visit: Integers
    group: Integers
    weights: Array | None
    cluster: Integers | None
    n_subjects: int
    visits: tuple[str, ...]
    groups: tuple[str, ...]
    notes: tuple[str, ...]
    place: Integers
    labels: npt.NDArray[Any]
    clusters: npt.NDArray[Any] | None


def read_long(data: Any, roles: Roles) -> LongRows:
    """Take the used rows out of a pandas, polars or Arrow table.

    Raises
    ------
    UsageError
        Where a column is absent or of the wrong kind, or rows contradict each other.
    NotEstimable
        Where fewer than two subjects are left.
    """
    table = _as_pandas(data, roles)
    visit, asked = _code_visits(table, roles)
    _check_unique(table[roles.subject], visit, asked, roles)
    columns = {name: _column(table[name], name, roles) for name in _names(roles)}
    group = as_category(table[roles.group]) if roles.group else None
    weights = as_number(table[roles.weights]) if roles.weights else None
    cluster, clusters = None, None
    if roles.cluster:
        cluster, clusters = factors(table[roles.cluster])
    missing = {name: _missing(values) for name, values in columns.items()}
    if group is not None and roles.group:
        missing[roles.group] = _missing(group)
    if weights is not None and roles.weights:
        missing[roles.weights] = np.isnan(weights)
    if cluster is not None and roles.cluster:
        missing[roles.cluster] = cluster < 0
    used, notes = _used(asked, missing, roles)
    subject, subjects = factors(table.loc[used, roles.subject])
    _check_subjects(len(subjects), int(used.sum()), notes)
    lost = table.loc[asked, roles.subject].nunique() - len(subjects)
    if lost:
        notes.append(f"{lost:,} subjects have no usable row and take no part.")
    frame, level_notes = _frame(columns, visit, used, roles)
    _check_identifiers(frame, subject, roles)
    group_codes, groups = _groups(group, used, subject, roles)
    if weights is not None:
        _check_weights(weights[used], roles)
    return LongRows(
        frame=frame,
        subject=subject.astype(np.int64),
        visit=visit.codes[used].astype(np.int64),
        group=group_codes,
        weights=None if weights is None else weights[used],
        cluster=None if cluster is None else _clusters(cluster[used], subject, roles),
        n_subjects=len(subjects),
        visits=tuple(visit.categories),
        groups=groups,
        notes=(*notes, *level_notes),
        place=np.flatnonzero(used),
        labels=np.asarray(subjects),
        clusters=None if clusters is None else np.asarray(clusters),
    )


def _as_pandas(data: Any, roles: Roles) -> pd.DataFrame:
    """A pandas table of the columns that some role names."""
    extra = [name for name in (roles.group, roles.weights, roles.cluster) if name]
    return take_columns(data, [roles.subject, roles.visit, *_names(roles), *extra])


def take_columns(data: Any, names: Sequence[str]) -> pd.DataFrame:
    """A pandas table of these columns, its rows counted from 0.

    Raises
    ------
    UsageError
        Where it is no table, or has a column not at all or twice.
    """
    if hasattr(data, "collect") and not hasattr(data, "to_pandas"):
        data = data.collect()
    present = data.column_names if hasattr(data, "column_names") else getattr(data, "columns", None)
    if present is None or not (isinstance(data, pd.DataFrame) or hasattr(data, "to_pandas")):
        raise UsageError("The data must be a pandas, polars or Arrow table.")
    needed = list(dict.fromkeys(names))
    absent = [name for name in needed if name not in list(present)]
    if absent:
        raise UsageError(
            f"No column {', '.join(map(repr, absent))} in the data (nor a function of that name). "
            f"There are: {', '.join(map(str, present))}."
        )
    repeated = [name for name in needed if list(present).count(name) > 1]
    if repeated:
        raise UsageError(f"Several columns are named {', '.join(map(repr, repeated))}.")
    chosen = data[needed] if isinstance(data, pd.DataFrame) else data.select(needed).to_pandas()
    return pd.DataFrame(chosen).reset_index(drop=True)


def _names(roles: Roles) -> tuple[str, ...]:
    """Columns of the formula."""
    return tuple(dict.fromkeys([*roles.response, *roles.covariates]))


def _code_visits(table: pd.DataFrame, roles: Roles) -> tuple[pd.Categorical, Flags]:
    """Visits as an ordered category, and which rows are at one that was asked for."""
    for name in (roles.subject, roles.visit):
        absent = int(table[name].isna().sum())
        if absent:
            raise UsageError(f"Column '{name}': {absent:,} rows are empty. Complete or drop them.")
    visit = as_visits(table[roles.visit])
    if roles.visits is None:
        _check_number(len(visit.remove_unused_categories().categories), roles)
        return visit.remove_unused_categories(), np.ones(len(table), dtype=np.bool_)
    _check_number(len(roles.visits), roles)
    unknown = [name for name in roles.visits if name not in visit.categories]
    if unknown or len(set(roles.visits)) < len(roles.visits):
        raise UsageError(
            f"visits= names {', '.join(map(repr, unknown)) or 'a visit twice'}; column "
            f"'{roles.visit}' has {', '.join(map(repr, visit.categories))}."
        )
    chosen = visit.set_categories(list(roles.visits))
    return chosen, np.asarray(chosen.codes >= 0)


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
        if series.notna().any() and is_category(series):
            raise UsageError(f"The response '{name}' is no number. Convert it first.")
        return as_number(series)
    if name in roles.categories or is_category(series):
        return as_category(series)
    return as_number(series)


def _missing(values: Array | pd.Categorical) -> Flags:
    if isinstance(values, pd.Categorical):
        return np.asarray(values.codes < 0)
    return np.isnan(values)


def _used(asked: Flags, missing: dict[str, Flags], roles: Roles) -> tuple[Flags, list[str]]:
    """Rows that take part, and a note for each reason why others do not."""
    notes = []
    if not asked.all():
        notes.append(f"{int((~asked).sum()):,} rows are at visits that were not asked for.")
    unseen = asked & np.any([missing[n] for n in roles.response], axis=0)
    if unseen.any():
        notes.append(
            f"{int(unseen.sum()):,} of {int(asked.sum()):,} rows have no response and were dropped."
        )
    kept = asked & ~unseen
    lacking = {n: int((kept & m).sum()) for n, m in missing.items() if n not in roles.response}
    used = kept & ~np.any(list(missing.values()), axis=0)
    if (kept & ~used).any():
        where = ", ".join(f"{name} {count:,}" for name, count in lacking.items() if count)
        notes.append(
            f"{int((kept & ~used).sum()):,} rows with a response miss a covariate ({where}) and "
            "were dropped."
        )
    return used, notes


def _check_subjects(n_subjects: int, n_rows: int, notes: Sequence[str]) -> None:
    if n_subjects < 2:
        raise NotEstimable(
            f"{n_rows} usable rows of {n_subjects} subject{'s' * (n_subjects != 1)} are left: a "
            "model of repeated measures needs two or more. "
            + " ".join([*notes, "Check missing responses and covariates."])
        )


def _frame(
    columns: dict[str, Array | pd.Categorical], visit: pd.Categorical, used: Flags, roles: Roles
) -> tuple[pd.DataFrame, list[str]]:
    kept: dict[str, Any] = {}
    notes = []
    for name, values in columns.items():
        if name == roles.visit:
            kept[name] = visit[used]
        elif isinstance(values, pd.Categorical):
            kept[name] = used_levels(values, used)
            check_levels(name, kept[name])
            absent = [level for level in values.categories if level not in kept[name].categories]
            if absent:
                notes.append(f"{name}: no usable row at {', '.join(map(repr, absent))}.")
        else:
            kept[name] = values[used]
    frame = pd.DataFrame(kept)
    _check_finite(frame)
    return frame, notes


def _check_identifiers(frame: pd.DataFrame, subject: Integers, roles: Roles) -> None:
    """Raise where a category tells every subject apart, so that nothing is left between them."""
    for name in set(roles.covariates) - {roles.visit}:
        if not isinstance(frame[name].dtype, pd.CategoricalDtype):
            continue
        n_levels = len(frame[name].cat.categories)
        pairs = np.unique(subject * n_levels + frame[name].cat.codes.to_numpy()).size
        if n_levels == subject.max() + 1 == pairs > FEW_SUBJECTS:
            raise UsageError(
                f"Column '{name}' has a level of its own for each of the {pairs:,} subjects. Is it "
                "a number stored as text, or an identifier? Convert or leave out."
            )


def _check_finite(frame: pd.DataFrame) -> None:
    numbers = frame.select_dtypes("number")
    infinite = {name: int(np.isinf(numbers[name].to_numpy()).sum()) for name in numbers}
    wrong = [f"'{name}' in {count:,} rows" for name, count in infinite.items() if count]
    if wrong:
        raise UsageError(f"Infinite numbers: {', '.join(wrong)}. Mend them or set them missing.")


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
