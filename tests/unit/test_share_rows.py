"""Rows of shares where a large-sample error says nothing: exact limits, no test, no ratio."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from outcomes.models.share_rows import Counts, share_rows
from outcomes.models.shares import Shares
from outcomes.results.disclosure import release_tables
from outcomes.results.tables import build_table
from outcomes.results.wording import NO_RATIO


def rows_of(risk: list[float], n: list[int], error: list[float]) -> pd.DataFrame:
    shares = Shares(
        risk=np.array(risk),
        covariance=np.diag(np.square(error)),
        df=np.full((3, 3), 1e6),
        one_sided=np.isin(risk, [0.0, 1.0]),
    )
    counts = Counts(n_episodes=np.array(n), n_patients=np.array(n))
    rows = share_rows(shares, ["a", "b", "c"], counts, conf_level=0.95, common={})
    return pd.DataFrame(rows).set_index(["scale", "contrast"])


def test_nobody_and_everybody_have_the_limits_of_clopper_and_pearson() -> None:
    rows = rows_of([0.0, 1.0, 0.4], [50, 40, 60], [0.0, 0.0, 0.06])
    none, all_ = rows.loc[("risk", "a")], rows.loc[("risk", "b")]
    assert none["conf_low"] == 0
    assert none["conf_high"] == pytest.approx(1 - 0.025 ** (1 / 50), rel=1e-12)
    assert all_["conf_low"] == pytest.approx(0.025 ** (1 / 40), rel=1e-12)
    assert all_["conf_high"] == 1
    same = stats.binomtest(0, 50).proportion_ci(0.95, method="exact")
    assert none["conf_high"] == pytest.approx(same.high, rel=1e-12)


def test_a_difference_from_nobody_is_squared_and_added() -> None:
    rows = rows_of([0.0, 0.3, 0.4], [50, 40, 60], [0.0, 0.07, 0.06])
    row, other = rows.loc[("risk_difference", "a - b")], rows.loc[("risk_difference", "b - a")]
    low, high = rows.loc[("risk", "b"), "conf_low"], rows.loc[("risk", "b"), "conf_high"]
    top = 1 - 0.025 ** (1 / 50)
    assert row["conf_low"] == pytest.approx(-0.3 - (high - 0.3), rel=1e-6)
    assert row["conf_high"] == pytest.approx(-0.3 + np.hypot(top, 0.3 - low), rel=1e-6)
    assert (row["conf_low"], row["conf_high"]) == pytest.approx(
        (-other["conf_high"], -other["conf_low"])
    )
    assert np.isnan(row["p_value"])
    assert rows.loc[("risk_ratio", "a - b"), "gate"] == NO_RATIO
    assert np.isnan(rows.loc[("risk_ratio", "a - b"), "estimate"])


def test_a_share_of_less_than_half_an_event_is_not_one_of_nobody() -> None:
    rows = rows_of([0.0004, 0.3, 0.9996], [1000, 40, 1000], [0.0004, 0.07, 0.0004])
    low, high = rows.loc[("risk", "a")], rows.loc[("risk", "c")]
    spread = stats.norm.ppf(0.975) * 0.0004 / (0.0004 * 0.9996)
    assert low["conf_high"] == pytest.approx(1 / (1 + 0.9996 / 0.0004 * np.exp(-spread)), rel=1e-4)
    assert low["std_error"] == high["std_error"] == 0.0004
    assert high["conf_low"] == pytest.approx(1 - low["conf_high"])
    assert rows.loc[("risk_ratio", "a - b"), "gate"] == "open"


def test_shares_between_stay_as_they_were() -> None:
    rows = rows_of([0.0, 0.3, 0.4], [50, 40, 60], [0.0, 0.07, 0.06])
    row = rows.loc[("risk", "c")]
    spread = 1.959964 * 0.06 / 0.24
    assert row["conf_low"] == pytest.approx(1 / (1 + 1.5 * np.exp(spread)), rel=1e-4)
    ratio = rows.loc[("risk_ratio", "b - c")]
    assert ratio["gate"] == "open"
    assert ratio["estimate"] == pytest.approx(0.75)
    difference = rows.loc[("risk_difference", "b - c")]
    assert difference["p_value"] == pytest.approx(
        2 * stats.norm.sf(0.1 / np.hypot(0.07, 0.06)), 1e-3
    )


def test_a_hidden_zero_looks_like_a_hidden_small_count() -> None:
    shown = []
    for events in (0, 4):
        share = events / 60
        shares = Shares(
            risk=np.array([share, 3 / 50, 0.4]),
            covariance=np.diag([share * (1 - share) / 60, 0.03**2, 0.06**2]),
            df=np.full((3, 3), 1e6),
            one_sided=np.array([events == 0, False, False]),
        )
        counts = Counts(n_episodes=np.array([60, 50, 70]), n_patients=np.array([60, 50, 70]))
        rows = share_rows(shares, ["a", "b", "c"], counts, conf_level=0.95, common={})
        tables = {"responders": build_table("responders", rows)}
        shown.append(release_tables(tables, profile="strict")["responders"])
    assert not shown[0].set_index(["scale", "contrast"]).loc[("risk", "c"), "suppressed"]
    pd.testing.assert_frame_equal(*shown)
