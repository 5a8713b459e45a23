"""Estimates of linear functions as rows of the estimate tables: t limits, p-values, reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t as t_distribution

from outcomes.core.errors import UsageError
from outcomes.models.adjustment import Adjusted, dunnett, holm
from outcomes.results.tables import build_table
from outcomes.stats.inference import Inference, Linear

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

NOT_ESTIMABLE = "not estimable: the used rows hold no information on it"
NO_ERROR = "no standard error: a single cluster determines it"
FIXED = "no test: the model holds it at zero"


def estimate(inference: Inference, rows: Array) -> Linear:
    """Rows (m, p) times beta; NaN where a row is not estimable or is itself NaN."""
    absent: npt.NDArray[np.bool_] = np.asarray(np.isnan(rows).any(axis=1))
    found = inference.linear(np.where(absent[:, None], 0.0, rows))
    covariance = found.covariance.copy()
    covariance[absent], covariance[:, absent] = np.nan, np.nan
    return Linear(
        estimate=np.where(absent, np.nan, found.estimate),
        std_error=np.where(absent, np.nan, found.std_error),
        df=np.where(absent, np.nan, found.df),
        covariance=covariance,
    )


def check_level(level: float) -> None:
    """Raise where a confidence level is not between 0 and 1.

    Raises
    ------
    UsageError
    """
    if not 0 < level < 1:
        raise UsageError(f"A confidence level lies between 0 and 1, such as 0.95; not {level}.")


def estimate_table(
    name: str,
    about: Mapping[str, Any],
    linear: Linear,
    *,
    level: float,
    adjusted: Mapping[str, Array] | None = None,
) -> pd.DataFrame:
    """The table of these estimates.

    Parameters
    ----------
    name : str
        Table of the contract.
    about : mapping
        Columns that say what each estimate is; one value, or one a row.
    linear : Linear
    level : float
        Confidence level.
    adjusted : mapping, optional
        Columns from :func:`adjust`.
    """
    half = t_distribution.ppf((1 + level) / 2, linear.df) * linear.std_error
    statistic, p_value = tests(linear)
    columns: dict[str, Any] = {
        "method": "mmrm",
        **about,
        "estimate": linear.estimate,
        "std_error": linear.std_error,
        "df": linear.df,
        "statistic": statistic,
        "p_value": p_value,
        "conf_low": linear.estimate - half,
        "conf_high": linear.estimate + half,
        "conf_level": level,
        **(adjusted or {}),
        "gate": np.select(
            [np.isnan(linear.estimate), np.isnan(linear.std_error), linear.std_error == 0],
            [NOT_ESTIMABLE, NO_ERROR, FIXED],
            "open",
        ),
    }
    return build_table(name, pd.DataFrame(columns))


def tests(linear: Linear) -> tuple[Array, Array]:
    """t statistics and two-sided p-values."""
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = linear.estimate / linear.std_error
    return statistic, np.asarray(2 * t_distribution.sf(np.abs(statistic), linear.df))


def adjust(
    linear: Linear, families: Sequence[Integers], method: str | None, level: float
) -> dict[str, Array]:
    """Columns for several comparisons at once, each family by itself.

    Raises
    ------
    UsageError
        Where the method is not known.
    """
    if method is None:
        return {}
    if method not in ("holm", "dunnett"):
        raise UsageError(
            f"adjust={method!r} is not known; choose None, 'holm' or 'dunnett'. For all pairs, as "
            "by Tukey, kind='pairwise' with adjust='dunnett' is the single-step multivariate t; in "
            "place of Bonferroni's or Sidak's p-values take Holm's."
        )
    statistic, p_value = tests(linear)
    names = ("p_adjusted", "conf_low_adjusted", "conf_high_adjusted")
    out = {name: np.full(p_value.size, np.nan) for name in names}
    for family in families:
        done: Adjusted = holm(p_value[family])
        if method == "dunnett":
            covariance = linear.covariance[np.ix_(family, family)]
            done = dunnett(statistic[family], covariance, linear.df[family], level)
        half = done.critical * linear.std_error[family]
        out["p_adjusted"][family] = done.p_values
        out["conf_low_adjusted"][family] = linear.estimate[family] - half
        out["conf_high_adjusted"][family] = linear.estimate[family] + half
    return out
