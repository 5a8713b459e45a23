"""Covariates of a study as numbers: nothing missing, nobody dropped, the same coding everywhere.

Coding happens in two steps, so that sums made in different places can be added.

:func:`code_covariates` looks at one episode at a time. A number stands as it is; a missing one is
set to the fixed centre of its column and marked by an indicator of its own. A category has one
indicator for every level that occurs, a missing one is a level of its own. The fixed centre and
scale come from the limits that the column declares (:mod:`outcomes.records.schema`), never from the
data, and serve as shift and scale of the sums. They change no result: with the indicator beside it
any other fixed value spans the same space.

:func:`choose_terms` looks at the sums over all analysed episodes and decides what the model holds:
a category leaves out its commonest level, what is the same for everyone is left out, and every
column is centred at its mean over the analysed episodes, so that an adjusted mean at zero is the
one at the average covariates. Both are linear maps of the coded columns.

Clinics as fixed effects compare like with like within each clinic. Clinics with fewer than
``MIN_CLINIC`` episodes share one indicator, which is said in the notes: an effect of their own
would rest on too few people to adjust for.

What nobody seen at a visit has, has no effect of its own there (:func:`terms_at`): a level counts
as the one left out, a missing number as the mean, which is said in the notes. Nothing that was seen
depends on it, so that no comparison does; but a coefficient that nobody tells would leave every
adjusted mean of the visit unknown, for a clinic that stopped measuring or one odd code.

What is not done: no non-linear terms, no interaction between covariates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import SpecError
from outcomes.records.schema import EPISODES, PATIENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from outcomes.core.contract import Column

MIN_CLINIC: Final = 10
MAX_LEVELS: Final = 60
MAX_CLINICS: Final = 300
MISSING: Final = "missing"
POOLED: Final = "pooled"
Array = npt.NDArray[np.float64]
Kind = Literal["constant", "exposure", "number", "missing", "level", "unit"]

_DECLARED: Final[dict[str, Column]] = {c.name: c for c in (*PATIENTS.columns, *EPISODES.columns)}
_SCALES: Final = {"age": (48.0, 16.0), "bmi": (28.0, 4.0), "birth_year": (1968.0, 16.0)}
"""Where the declared limits say little about where people are."""


@dataclass(frozen=True, kw_only=True)
class Coded:
    """One coded column.

    Attributes
    ----------
    name : str
        Such as ``"sex=male"``.
    source : str
        Column of the episodes that it comes from.
    kind : str
        ``level`` is one of a category, ``unit`` one clinic or provider.
    centre, scale : float
        Fixed numbers; 0 and 1 for an indicator.
    """

    name: str
    source: str
    kind: Kind
    centre: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a model holds of the coded columns.

    Attributes
    ----------
    names : tuple of str
    places : tuple of int
        The coded column behind each.
    matrix : (m, q) array
        Takes the coded columns of an episode to its centred covariates.
    notes : tuple of str
    """

    names: tuple[str, ...]
    places: tuple[int, ...]
    matrix: Array
    notes: tuple[str, ...]


def check_covariates(episodes: pd.DataFrame, names: Sequence[str]) -> None:
    """Raise where a listed covariate is no column of the episodes.

    Raises
    ------
    SpecError
    """
    absent = [name for name in names if name not in episodes]
    if absent:
        raise SpecError(
            f"[model] covariates: {', '.join(absent)} not among the columns of the episodes. "
            f"There are: {', '.join(sorted(map(str, episodes.columns)))}."
        )


def code_covariates(
    episodes: pd.DataFrame, names: Sequence[str]
) -> tuple[tuple[Coded, ...], Array]:
    """Code the named columns episode by episode.

    Returns
    -------
    columns : tuple of Coded
    values : (n, q) array

    Raises
    ------
    SpecError
        Where a column is not there, or a category has more than ``MAX_LEVELS`` levels.
    """
    check_covariates(episodes, names)
    columns: list[Coded] = []
    values: list[Array] = []
    for name in names:
        coded, laid = _code(episodes[name], name)
        columns += coded
        values += laid
    return tuple(columns), np.column_stack(values) if values else np.zeros((len(episodes), 0))


def _code(series: pd.Series, name: str) -> tuple[list[Coded], list[Array]]:
    if name.endswith("_id"):
        return _code_levels(_pool_small(series), name, "unit", MAX_CLINICS)
    if pd.api.types.is_bool_dtype(series) or pd.api.types.is_numeric_dtype(series):
        return code_number(series, name, *fixed_scale(name))
    return _code_levels(series, name, "level", MAX_LEVELS)


def fixed_scale(name: str) -> tuple[float, float]:
    """Centre and scale of a covariate from the limits that its column declares."""
    declared = _DECLARED.get(name)
    low, high = (declared.low, declared.high) if declared else (None, None)
    return _SCALES[name] if name in _SCALES else range_scale(low, high)


def range_scale(low: float | None, high: float | None) -> tuple[float, float]:
    """Middle and a quarter of a range, as numbers that round nothing.

    The scale is a power of two and the centre a multiple of it; 0 and 1 where there is no range.
    """
    if low is None or high is None or high <= low:
        return 0.0, 1.0
    scale = float(2.0 ** np.round(np.log2((high - low) / 4)))
    return float(np.round((low + high) / 2 / scale) * scale), scale


def code_number(
    series: pd.Series, name: str, centre: float, scale: float
) -> tuple[list[Coded], list[Array]]:
    """Code a number: itself, and an indicator where any is missing."""
    values = np.asarray(series.astype("Float64").to_numpy(np.float64, na_value=np.nan), np.float64)
    absent = np.isnan(values)
    column = Coded(name=name, source=name, kind="number", centre=centre, scale=scale)
    if not absent.any():
        return [column], [values]
    indicator = Coded(name=f"{name}={MISSING}", source=name, kind="missing")
    return [column, indicator], [np.where(absent, centre, values), absent.astype(np.float64)]


def _pool_small(series: pd.Series) -> pd.Series:
    counts = series.value_counts()
    small = counts.index[counts < MIN_CLINIC]
    return series.astype("object").where(~series.isin(small), POOLED)


def _code_levels(
    series: pd.Series, name: str, kind: Kind, most: int
) -> tuple[list[Coded], list[Array]]:
    text = series.astype("object").where(series.notna(), MISSING).astype(str)
    codes, found = pd.factorize(text, sort=True)
    if len(found) > most:
        raise SpecError(
            f"[model] covariates: {name} has {len(found)} levels, more than {most}. "
            "Group them in mapping.toml, or leave it out."
        )
    columns = [Coded(name=f"{name}={level}", source=name, kind=kind) for level in found]
    return columns, [(codes == k).astype(np.float64) for k in range(len(found))]


# ------------------------------------------------------------------------ what the model holds
def choose_terms(
    columns: Sequence[Coded],
    total: float,
    sums: Array,
    squares: Array,
    *,
    leave_out: str = "",
) -> Terms:
    """Choose and centre the covariates of a model.

    Parameters
    ----------
    columns : sequence of Coded
        All coded columns, the constant first; exposures are passed over.
    total : float
        Number of analysed episodes.
    sums, squares : (q,) arrays
        Sums over the analysed episodes of each column, and of the square of its distance from the
        fixed centre in fixed scales.
    leave_out : str
        Suffix of the sources that the model does not hold, such as ``"clinic_id"``.
    """
    wanted: dict[str, list[int]] = {}
    for place, column in enumerate(columns):
        if column.kind not in ("constant", "exposure") and column.source != leave_out:
            wanted.setdefault(column.source, []).append(place)
    kept: list[int] = []
    notes: list[str] = []
    for source, places in wanted.items():
        varying = _varying(columns, places, total, sums, squares)
        notes += _term_notes(columns, source, places, varying)
        kept += varying
    matrix = np.zeros((len(kept), len(columns)))
    matrix[np.arange(len(kept)), kept] = 1
    matrix[:, 0] = -(matrix @ sums) / total
    return Terms(
        names=tuple(columns[p].name for p in kept),
        places=tuple(kept),
        matrix=matrix,
        notes=tuple(notes),
    )


def terms_at(
    columns: Sequence[Coded], terms: Terms, sums: Array, seen: Array
) -> tuple[Array, frozenset[str]]:
    """Return the matrix of the terms at a visit, and the sources with something nobody there has.

    Parameters
    ----------
    columns : sequence of Coded
    terms : Terms
    sums, seen : (q,) arrays
        Sums of each column over the analysed episodes, and over those seen at the visit.
    """
    matrix, place_of = terms.matrix.copy(), {p: row for row, p in enumerate(terms.places)}
    lost = _lost(columns, terms.places, seen)
    for place in lost:
        row = place_of.get(place - 1)
        if columns[place].kind == "missing" and row is not None:
            spare = sums[place - 1] - columns[place - 1].centre * sums[0]  # missing: at the centre
            matrix[row, place] = spare / (sums[0] - sums[place])
            matrix[row, 0] = -(matrix[row, 1:] @ sums[1:]) / sums[0]
    matrix[[place_of[place] for place in lost if place in place_of]] = 0
    return matrix, frozenset(columns[place].source for place in lost)


def _lost(columns: Sequence[Coded], places: Sequence[int], seen: Array) -> set[int]:
    """Columns of which those seen at a visit say nothing: nobody has it, or everybody."""
    lost = set()
    levels: dict[str, list[int]] = {}
    for place in places:
        kind = columns[place].kind
        if kind in ("level", "unit"):
            levels.setdefault(columns[place].source, []).append(place)
        if kind in ("level", "unit", "missing") and seen[place] < 1:
            lost.add(place)
        elif kind == "missing" and seen[place] > seen[0] - 1:
            lost |= {place - 1, place}
    for listed in levels.values():
        if seen[0] - seen[listed].sum() < 1:  # nobody has the level that was left out
            lost.add(max(listed, key=lambda p: (seen[p], columns[p].name)))
    return lost


def _term_notes(
    columns: Sequence[Coded], source: str, places: list[int], varying: list[int]
) -> Iterator[str]:
    """Say what of one covariate is not in the model as it was coded."""
    if not varying:
        yield f"{source} is the same for everyone and was left out of the model."
    if any(columns[p].name == f"{source}={POOLED}" for p in places):
        yield (
            f"Each {source.removesuffix('_id')} with fewer than {MIN_CLINIC} episodes"
            " shares one effect with the others like it."
        )


def _varying(
    columns: Sequence[Coded], places: list[int], total: float, sums: Array, squares: Array
) -> list[int]:
    """Columns of one source that differ between episodes, without a category's commonest level."""
    if columns[places[0]].kind in ("level", "unit"):
        there = [p for p in places if sums[p] > 0]
        commonest = min(there, key=lambda p: (-sums[p], columns[p].name), default=None)
        return [p for p in there if p != commonest]
    return [p for p in places if _spread(columns[p], total, sums[p], squares[p]) > 1e-12]


def _spread(column: Coded, total: float, value: float, square: float) -> float:
    """Variance of a column in its fixed scale."""
    middle = (value / total - column.centre) / column.scale
    return square / total - middle**2
