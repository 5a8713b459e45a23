"""Rows of the estimate tables for shares: one an exposure, one a pair of exposures and scale.

Intervals of a share are made on the logit scale, so that they stay between 0 and 1; those of a risk
difference on its own scale; those of a risk ratio on the log scale. All use the t distribution with
the degrees of freedom that the draws leave.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import expit, logit, stdtr, stdtrit

if TYPE_CHECKING:
    import numpy.typing as npt

    from outcomes.models.shares import Shares

Row = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Observed values behind the shares, one entry an exposure."""

    n_episodes: npt.NDArray[np.int64]
    n_patients: npt.NDArray[np.int64]


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
    quantile = float(stdtrit(shares.df, (1 + conf_level) / 2))
    shared = {**common, "term": "exposure", "conf_level": conf_level, "df": shares.df}
    rows = list(_risk_rows(shares, exposures, counts, quantile, shared))
    for level, reference in permutations(range(len(exposures)), 2):
        pair = {
            **shared,
            "contrast": f"{exposures[level]} - {exposures[reference]}",
            "level": exposures[level],
            "reference": exposures[reference],
            "n_episodes": int(counts.n_episodes[[level, reference]].sum()),
            "n_patients": int(counts.n_patients[[level, reference]].sum()),
        }
        rows.append({"unit": "share", **pair, **_difference(shares, level, reference, quantile)})
        rows.append({**pair, **_ratio(shares, level, reference, quantile)})
    return [_gated(row, gates or {}) for row in rows]


NUMBERS: Final = ("estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high")


def _gated(row: Row, gates: Mapping[str, str]) -> Row:
    """Say that a row is open, or why it is not, without its numbers then."""
    sides = (str(row["level"]), str(row.get("reference", "")))
    reasons = dict.fromkeys(gates[side] for side in sides if side in gates)
    if not reasons:
        return {**row, "gate": "open"}
    kept = {name: value for name, value in row.items() if name not in NUMBERS}
    return {**kept, "gate": "; ".join(reasons)}


def _risk_rows(
    shares: Shares, exposures: Sequence[str], counts: Counts, quantile: float, common: Row
) -> Iterator[Row]:
    for index, exposure in enumerate(exposures):
        risk = float(shares.risk[index])
        error = float(np.sqrt(shares.covariance[index, index]))
        middle = np.clip(risk, 1e-12, 1 - 1e-12)
        spread = quantile * error / (middle * (1 - middle))
        yield {
            "unit": "share",
            **common,
            "scale": "risk",
            "contrast": exposure,
            "level": exposure,
            "estimate": risk,
            "std_error": error,
            "conf_low": float(expit(logit(middle) - spread)),
            "conf_high": float(expit(logit(middle) + spread)),
            "n_episodes": int(counts.n_episodes[index]),
            "n_patients": int(counts.n_patients[index]),
        }


def _difference(shares: Shares, level: int, reference: int, quantile: float) -> Row:
    estimate = float(shares.risk[level] - shares.risk[reference])
    covariance = shares.covariance
    variance = (
        covariance[level, level]
        + covariance[reference, reference]
        - 2 * covariance[level, reference]
    )
    error = float(np.sqrt(max(variance, 0.0)))
    return {
        "scale": "risk_difference",
        "estimate": estimate,
        "std_error": error,
        **_test(estimate, error, shares.df),
        "conf_low": estimate - quantile * error,
        "conf_high": estimate + quantile * error,
    }


def _ratio(shares: Shares, level: int, reference: int, quantile: float) -> Row:
    high, low = (float(np.clip(shares.risk[i], 1e-12, None)) for i in (level, reference))
    gradient = np.array([1 / high, -1 / low])
    pair = shares.covariance[np.ix_([level, reference], [level, reference])]
    error = math.sqrt(max(float(gradient @ pair @ gradient), 0.0))
    estimate = high / low
    return {
        "scale": "risk_ratio",
        "unit": "ratio",
        "estimate": estimate,
        "std_error": error * estimate,
        **_test(float(np.log(estimate)), error, shares.df),
        "conf_low": estimate * float(np.exp(-quantile * error)),
        "conf_high": estimate * float(np.exp(quantile * error)),
    }


def _test(estimate: float, error: float, df: float) -> Row:
    if error == 0:
        return {"statistic": float("nan"), "p_value": float("nan")}
    statistic = estimate / error
    return {"statistic": statistic, "p_value": float(2 * stdtr(df, -abs(statistic)))}
