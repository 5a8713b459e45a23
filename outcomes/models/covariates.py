"""Covariates of a study as numbers: one float column each, nothing missing, nobody dropped.

Coding
------
Numbers are centred at their mean over the analysed episodes, so that an adjusted mean at zero is
the one at the average covariates. Categories become indicators against their commonest level,
centred likewise. A missing number is set to the mean and marked by an indicator of its own; a
missing category is a level of its own. With ``covariate_missing = "drop"`` the episode is left out
instead, and counted.

Clinics as fixed effects compare like with like within each clinic. Clinics with fewer than
``MIN_CLINIC`` episodes share one indicator, which is said in the notes: an effect of their own
would rest on too few people to adjust for.

What is not done: no non-linear terms, no interaction between covariates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_CLINIC = 10
MAX_LEVELS = 60
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Covariates:
    """Coded covariates.

    Attributes
    ----------
    names : tuple of str
        One name a column, such as ``"sex=male"``.
    values : (n, q) array
        Centred over the episodes that are kept.
    sources : tuple of str
        The covariate each column comes from.
    keep : (n_all,) bool array
        Episodes that are in; all of them unless missing values drop.
    notes : tuple of str
    """

    names: tuple[str, ...]
    values: Array
    sources: tuple[str, ...]
    keep: npt.NDArray[np.bool_]
    notes: tuple[str, ...]


def build_covariates(
    episodes: pd.DataFrame,
    names: Sequence[str],
    *,
    missing: Literal["indicator", "drop"] = "indicator",
) -> Covariates:
    """Code the named columns of ``episodes``.

    Raises
    ------
    SpecError
        Where a column is not there, or a category has more than ``MAX_LEVELS`` levels.
    """
    absent = [name for name in names if name not in episodes]
    if absent:
        raise SpecError(
            f"[model] covariates: {', '.join(absent)} not among the columns of the episodes. "
            f"There are: {', '.join(sorted(map(str, episodes.columns)))}."
        )
    keep = np.ones(len(episodes), dtype=bool)
    notes: list[str] = []
    if missing == "drop":
        keep = episodes[list(names)].notna().all(axis=1).to_numpy()
        notes.append(f"{int((~keep).sum()):,} episodes with a missing covariate were left out.")
    kept = episodes.loc[keep]
    columns: dict[str, Array] = {}
    sources: list[str] = []
    for name in names:
        coded, said = _code(kept[name], name)
        columns |= coded
        sources += [name] * len(coded)
        notes += said
    values = np.column_stack(list(columns.values())) if columns else np.zeros((len(kept), 0))
    return Covariates(
        names=tuple(columns),
        values=values - values.mean(axis=0) if len(values) else values,
        sources=tuple(sources),
        keep=keep,
        notes=tuple(notes),
    )


def _code(series: pd.Series, name: str) -> tuple[dict[str, Array], list[str]]:
    if name.endswith("_id"):
        return _code_units(series, name)
    if pd.api.types.is_bool_dtype(series) or pd.api.types.is_numeric_dtype(series):
        return _code_number(series.astype("float64"), name)
    return _code_levels(series.astype("object").where(series.notna(), "missing"), name)


def _code_number(series: pd.Series, name: str) -> tuple[dict[str, Array], list[str]]:
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    absent = np.isnan(values)
    if absent.all():
        return {}, [f"{name} is missing everywhere and was left out of the model."]
    coded = {name: np.where(absent, values[~absent].mean(), values)}
    if np.ptp(coded[name]) == 0:
        return {}, [f"{name} is the same for everyone and was left out of the model."]
    if absent.any():
        coded[f"{name}=missing"] = absent.astype(np.float64)
    return coded, []


def _code_levels(series: pd.Series, name: str) -> tuple[dict[str, Array], list[str]]:
    counts = series.astype(str).value_counts()
    levels = sorted(counts.index, key=lambda level: (-counts[level], level))
    if len(levels) > MAX_LEVELS:
        raise SpecError(
            f"[model] covariates: {name} has {len(levels)} levels, more than {MAX_LEVELS}. "
            "Group them in mapping.toml, or leave it out."
        )
    if len(levels) == 1:
        return {}, [f"{name} is the same for everyone and was left out of the model."]
    text = series.astype(str).to_numpy()
    return {f"{name}={level}": (text == level).astype(np.float64) for level in levels[1:]}, []


def _code_units(series: pd.Series, name: str) -> tuple[dict[str, Array], list[str]]:
    """Fixed effects of clinics or providers, small ones pooled."""
    counts = series.value_counts()
    small = list(counts.index[counts < MIN_CLINIC])
    text = series.astype("object").where(series.notna() & ~series.isin(small), "pooled")
    what = name.removesuffix("_id")
    notes = [f"{len(small)} {what}s with few episodes share one effect."] if small else []
    coded, said = _code_levels(text, name)
    return coded, notes + said
