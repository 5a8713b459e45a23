"""Adjusted means with their joint covariance, and the rows of estimate tables made from them.

A mean is asked of every type at every visit; a comparison is the difference of two means at one
visit, signed so that positive is better. Both have t intervals. What the gate does not let through
stays in the table as a row with its reason and no number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations, product
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit

if TYPE_CHECKING:
    from outcomes.models.description import Description

Array = npt.NDArray[np.float64]
Row = dict[str, object]
OPEN: Final = "open"
ESTIMAND: Final = "treatment-policy"
POPULATION: Final = "analysed"


@dataclass(frozen=True, kw_only=True)
class Effects:
    """Means of k types at T visits.

    Attributes
    ----------
    means : (k, T) array
        NaN where not estimable.
    covariance : (k, T, k, T) array
    df : (k, T) array
        Degrees of freedom of each mean.
    pair_df : (k, k, T) array
        Of each difference.
    """

    means: Array
    covariance: Array
    df: Array
    pair_df: Array

    def std_error(self) -> Array:
        """Standard errors of the means, (k, T)."""
        variance: Array = np.einsum("itit->it", self.covariance)
        return np.sqrt(np.where(np.isnan(self.means), np.nan, variance))

    def difference(self, level: int, reference: int, visit: int) -> tuple[float, float]:
        """Difference of two means at a visit, and its standard error."""
        c = self.covariance[:, visit, :, visit]
        variance = c[level, level] + c[reference, reference] - 2 * c[level, reference]
        estimate = self.means[level, visit] - self.means[reference, visit]
        return float(estimate), float(np.sqrt(max(variance, 0.0)))

    def shifted(self, shift: Array, variance: Array) -> Effects:
        """Means moved by (k, T) amounts with independent variances of their own."""
        covariance = self.covariance.copy()
        k, visits = self.means.shape
        for i, t in product(range(k), range(visits)):
            covariance[i, t, i, t] += variance[i, t]
        return replace(self, means=self.means + shift, covariance=covariance)


def interval(
    estimate: float, std_error: float, df: float, conf_level: float, *, tested: bool
) -> Row:
    """Return the numbers of a row: estimate, error, t limits, and the test where one is meant."""
    quantile = float(stdtrit(df, (1 + conf_level) / 2))
    row: Row = {
        "estimate": estimate,
        "std_error": std_error,
        "df": df,
        "conf_low": estimate - quantile * std_error,
        "conf_high": estimate + quantile * std_error,
    }
    if tested and std_error > 0:
        statistic = estimate / std_error
        row |= {"statistic": statistic, "p_value": float(2 * stdtr(df, -abs(statistic)))}
    return row


def common_row(
    about: Description, *, analysis: str = "primary", method: str = "mmrm", scale: str
) -> Row:
    """Return what every row of an outcome says."""
    return {
        "analysis_id": analysis,
        "outcome": about.outcome,
        "estimand": ESTIMAND,
        "population": POPULATION,
        "method": method,
        "scale": scale,
        "unit": about.unit,
        "term": "exposure",
        "conf_level": about.conf_level,
    }


def mean_rows(
    effects: Effects, about: Description, gates: Mapping[tuple[str, str], str], **common: str
) -> Iterator[Row]:
    """Yield a row for each type and visit, scale 'mean'.

    Parameters
    ----------
    effects : Effects
    about : Description
    gates : mapping
        Exposure and visit to the reason why they are not shown.
    common : str
        ``analysis`` and ``method`` of the rows.
    """
    errors = effects.std_error()
    for (i, exposure), (t, visit) in product(enumerate(about.exposures), enumerate(about.visits)):
        reason = gates.get((exposure, visit), "")
        numbers = (float(effects.means[i, t]), float(errors[i, t]), float(effects.df[i, t]))
        yield {
            **common_row(about, scale="mean", **common),
            **({} if reason else interval(*numbers, about.conf_level, tested=False)),
            "contrast": exposure,
            "level": exposure,
            "visit": visit,
            "n_episodes": int(about.episodes[t, i]),
            "n_patients": about.n_patients(t, [i]),
            "gate": reason or OPEN,
        }


def pair_rows(
    effects: Effects,
    about: Description,
    gates: Mapping[tuple[str, str], str],
    *,
    ways: Literal["both", "one"] = "both",
    **common: str,
) -> Iterator[Row]:
    """Yield a row for each pair of types and visit, scale 'improvement'.

    Parameters
    ----------
    ways : {"both", "one"}
        Whether each pair stands in both directions.
    """
    order = permutations if ways == "both" else combinations
    for i, j in order(range(len(about.exposures)), 2):
        level, reference = about.exposures[i], about.exposures[j]
        for t, visit in enumerate(about.visits):
            reason = _either(gates, (level, visit), (reference, visit))
            estimate, error = effects.difference(i, j, t)
            numbers = (about.direction * estimate, error, float(effects.pair_df[i, j, t]))
            yield {
                **common_row(about, scale="improvement", **common),
                **({} if reason else interval(*numbers, about.conf_level, tested=True)),
                "contrast": f"{level} - {reference}",
                "level": level,
                "reference": reference,
                "visit": visit,
                "n_episodes": int(about.episodes[t, i] + about.episodes[t, j]),
                "n_patients": about.n_patients(t, [i, j]),
                "gate": reason or OPEN,
            }


def _either(gates: Mapping[tuple[str, str], str], *cells: tuple[str, str]) -> str:
    return "; ".join(dict.fromkeys(gates[cell] for cell in cells if cell in gates))


def welch_effects(y: Array, exposure: npt.NDArray[np.int64], n_exposures: int) -> Effects:
    """Plain means of what was seen, with a variance of its own a type [Welch].

    Parameters
    ----------
    y : (n, T) array
        NaN where unseen.
    exposure : (n,) int array

    Notes
    -----
    Degrees of freedom of a difference by Welch and Satterthwaite. Groups with fewer than two values
    have no mean here.
    """
    visits = y.shape[1]
    means, variances, sizes = (np.full((n_exposures, visits), np.nan) for _ in range(3))
    for i, t in product(range(n_exposures), range(visits)):
        seen = y[exposure == i, t]
        seen = seen[~np.isnan(seen)]
        if len(seen) > 1:
            means[i, t], variances[i, t] = seen.mean(), seen.var(ddof=1) / len(seen)
            sizes[i, t] = len(seen)
    covariance = np.zeros((n_exposures, visits, n_exposures, visits))
    for i, t in product(range(n_exposures), range(visits)):
        covariance[i, t, i, t] = variances[i, t]
    total = variances[:, None] + variances[None, :]
    parts = variances**2 / np.maximum(sizes - 1, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        pair_df = total**2 / (parts[:, None] + parts[None, :])
    return Effects(means=means, covariance=covariance, df=sizes - 1, pair_df=pair_df)


def unestimated(effects: Effects, about: Description, words: str) -> dict[tuple[str, str], str]:
    """Return the reason for each type and visit without a mean."""
    missing: Sequence[tuple[int, int]] = [
        (int(i), int(t)) for i, t in np.argwhere(np.isnan(effects.means))
    ]
    return {(about.exposures[i], about.visits[t]): words for i, t in missing}
