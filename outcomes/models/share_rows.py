"""Rows of the estimate tables for shares: one an exposure, one a pair of exposures and scale.

Intervals of a share are made on the logit scale, so that they stay between 0 and 1; those of a risk
difference on its own scale; those of a risk ratio on the log scale. All use the t distribution with
the degrees of freedom of the share or difference.

Where nobody in a group had the event, or everybody, a large-sample error says nothing. The share
then has the exact limits of Clopper and Pearson [1]_ for the episodes seen, taken as independent,
and no standard error: 0 to 1 where none was seen. A difference has the limits that Newcombe's
square-and-add makes of the limits of both shares [2]_, without a test, and there is no ratio.

References
----------
.. [1] Clopper CJ, Pearson ES. Biometrika 1934;26:404-413.
.. [2] Newcombe RG. Statistics in Medicine 1998;17:873-890. Method 10.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, expit, logit, stdtr, stdtrit

from outcomes.results.wording import NO_RATIO

if TYPE_CHECKING:
    from outcomes.models.shares import Shares

Row = dict[str, object]
Array = npt.NDArray[np.float64]
NO_ERROR: Final[Row] = {"std_error": math.nan, "df": math.nan}
"""What exact limits do without."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Observed values behind the shares, one entry an exposure.

    Attributes
    ----------
    n_episodes, n_patients : (k,) int array
    worth : (k,) array, optional
        Equally weighted episodes that the weighted ones are worth, for exact limits.
    """

    n_episodes: npt.NDArray[np.int64]
    n_patients: npt.NDArray[np.int64]
    worth: Array | None = None


def share_rows(
    shares: Shares,
    exposures: Sequence[str],
    counts: Counts,
    *,
    conf_level: float,
    common: Row,
    gates: Mapping[str, str] | None = None,
) -> list[Row]:
    """Shares of every exposure, differences and ratios of all ordered pairs.

    Parameters
    ----------
    shares : Shares
    exposures : sequence of str
        In the order of ``shares.risk``.
    counts : Counts
    conf_level : float
    common : dict
        What every row says: outcome, method, visit, threshold and the like; a ``unit`` here stands
        in place of ``"share"``.
    gates : mapping, optional
        Exposures that are not shown, with the reason: their rows hold no number.
    """
    quantile = np.asarray(stdtrit(shares.df, (1 + conf_level) / 2), dtype=np.float64)
    shared = {**common, "term": "exposure", "conf_level": conf_level}
    limits = _limits(shares, counts, quantile, conf_level)
    rows = list(_risk_rows(shares, exposures, counts, limits, shared))
    for level, reference in permutations(range(len(exposures)), 2):
        pair = {
            **shared,
            "contrast": f"{exposures[level]} - {exposures[reference]}",
            "level": exposures[level],
            "reference": exposures[reference],
            "n_episodes": int(counts.n_episodes[[level, reference]].sum()),
            "n_patients": int(counts.n_patients[[level, reference]].sum()),
        }
        if limits.exact[[level, reference]].any():
            difference = _squared_and_added(limits, shares.risk, level, reference)
            ratio: Row = {"gate": NO_RATIO}
        else:
            difference = _difference(shares, level, reference, quantile)
            ratio = _ratio(shares, level, reference, quantile)
        rows.append({"unit": "share", **pair, "scale": "risk_difference", **difference})
        rows.append({**pair, "unit": "ratio", "scale": "risk_ratio", **ratio})
    return [_gated(row, gates or {}) for row in rows]


def too_few(label: str) -> str:
    """Say that fewer than two patients of an exposure can be asked, and not how many."""
    return f"too few patients of {label} to ask"


NUMBERS: Final = ("estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high")


def _gated(row: Row, gates: Mapping[str, str]) -> Row:
    """Say that a row is open, or why it is not, without its numbers then."""
    sides = (str(row["level"]), str(row.get("reference", "")))
    reasons = dict.fromkeys(gates[side] for side in sides if side in gates)
    if not reasons:
        return {"gate": "open", **row}
    kept = {name: value for name, value in row.items() if name not in NUMBERS}
    return {**kept, "gate": "; ".join(reasons)}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Interval of every share, and where it is exact because nobody or everybody had the event."""

    low: Array
    high: Array
    exact: npt.NDArray[np.bool_]


def _limits(shares: Shares, counts: Counts, quantile: Array, conf_level: float) -> Limits:
    n = counts.n_episodes.astype(np.float64) if counts.worth is None else counts.worth
    exact = shares.one_sided | (counts.n_episodes == 0)
    middle = np.clip(shares.risk, 1e-12, 1 - 1e-12)
    spread = np.diag(quantile) * np.sqrt(np.diag(shares.covariance)) / (middle * (1 - middle))
    whole = n * (shares.risk > 0.5)
    tail = (1 - conf_level) / 2
    return Limits(
        low=np.where(
            exact, _beta_quantile(tail, whole, n - whole + 1), expit(logit(middle) - spread)
        ),
        high=np.where(
            exact, _beta_quantile(1 - tail, whole + 1, n - whole), expit(logit(middle) + spread)
        ),
        exact=exact,
    )


def _beta_quantile(share: float, first: Array, second: Array) -> Array:
    """Quantile of the beta distribution; 0 and 1 where it has all its mass there."""
    found = betaincinv(np.maximum(first, 1e-9), np.maximum(second, 1e-9), share)
    return np.where(first <= 0, 0.0, np.where(second <= 0, 1.0, found))


def _risk_rows(
    shares: Shares, exposures: Sequence[str], counts: Counts, limits: Limits, common: Row
) -> Iterator[Row]:
    for index, exposure in enumerate(exposures):
        error = float(np.sqrt(shares.covariance[index, index]))
        yield {
            "unit": "share",
            **common,
            **(
                NO_ERROR
                if limits.exact[index]
                else {"std_error": error, "df": float(shares.df[index, index])}
            ),
            "scale": "risk",
            "contrast": exposure,
            "level": exposure,
            "estimate": float(shares.risk[index]),
            "conf_low": float(limits.low[index]),
            "conf_high": float(limits.high[index]),
            "n_episodes": int(counts.n_episodes[index]),
            "n_patients": int(counts.n_patients[index]),
        }


def _squared_and_added(limits: Limits, risk: Array, level: int, reference: int) -> Row:
    """Newcombe's limits of a difference of shares; no test goes with them."""
    estimate = risk[level] - risk[reference]
    down = np.hypot(risk[level] - limits.low[level], limits.high[reference] - risk[reference])
    up = np.hypot(limits.high[level] - risk[level], risk[reference] - limits.low[reference])
    return {
        **NO_ERROR,
        "estimate": float(estimate),
        "conf_low": float(estimate - down),
        "conf_high": float(estimate + up),
    }


def _difference(shares: Shares, level: int, reference: int, quantile: Array) -> Row:
    estimate = float(shares.risk[level] - shares.risk[reference])
    covariance = shares.covariance
    variance = (
        covariance[level, level]
        + covariance[reference, reference]
        - 2 * covariance[level, reference]
    )
    error = float(np.sqrt(max(variance, 0.0)))
    df, reach = float(shares.df[level, reference]), float(quantile[level, reference]) * error
    return {
        "estimate": estimate,
        "std_error": error,
        "df": df,
        **_test(estimate, error, df),
        "conf_low": estimate - reach,
        "conf_high": estimate + reach,
    }


def _ratio(shares: Shares, level: int, reference: int, quantile: Array) -> Row:
    high, low = (float(np.clip(shares.risk[i], 1e-12, None)) for i in (level, reference))
    gradient = np.array([1 / high, -1 / low])
    pair = shares.covariance[np.ix_([level, reference], [level, reference])]
    error = math.sqrt(max(float(gradient @ pair @ gradient), 0.0))
    estimate = high / low
    df, reach = float(shares.df[level, reference]), float(quantile[level, reference]) * error
    return {
        "estimate": estimate,
        "std_error": error * estimate,
        "df": df,
        **_test(float(np.log(estimate)), error, df),
        "conf_low": estimate * math.exp(-reach),
        "conf_high": estimate * math.exp(reach),
    }


def _test(estimate: float, error: float, df: float) -> Row:
    if error == 0:
        return {"statistic": float("nan"), "p_value": float("nan")}
    statistic = estimate / error
    return {"statistic": statistic, "p_value": float(2 * stdtr(df, -abs(statistic)))}
