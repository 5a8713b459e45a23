"""The published trial from its CSV to the result tables, against the same numbers made another way.

One follow-up visit and one covariance for all arms: the mixed model must then be an analysis of
covariance by ordinary least squares, with its residual degrees of freedom. The other way reads the
CSV with pandas alone and fits with statsmodels and scipy; nothing of this package takes part in it.

The data are not part of this repository; ``OUTCOMES_TRIAL_DATA`` says where they are (the CSV or
its folder).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from outcomes import read_study, run_study

pytestmark = pytest.mark.slow

STUDY = Path(__file__).parents[2] / "analyses" / "chronic-back-pain-trial"
ARMS = {1: "prt", 2: "placebo", 3: "usual_care"}
OUTCOMES = {"pain": "pain_avg", "disability": "odi", "interference": "bpi_interference"}
PAIRS = [(o, a, b) for o in OUTCOMES for a, b in permutations(ARMS.values(), 2)]
NUMBERS = ["estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"]


@pytest.fixture(scope="module")
def tables(trial_csv: Path) -> Mapping[str, pd.DataFrame]:
    """The result tables of a whole run."""
    return run_study(read_study(STUDY, records=trial_csv.parent)).tables


@pytest.fixture(scope="module")
def people(trial_csv: Path) -> pd.DataFrame:
    """One row a randomised person: arm, covariates, ``<outcome>_0`` and ``<outcome>_1``."""
    raw = pd.read_csv(trial_csv, na_values=["<undefined>", "NaN"])
    raw = raw[(raw["is_patient"] == 1) & raw["group"].notna()]
    before = raw[raw["time"] == 1].set_index("id")
    after = raw[raw["time"] == 2].set_index("id")
    frame = pd.DataFrame(
        {
            "arm": before["group"].map(ARMS),
            "age": before["age"],
            "male": (before["gender"] == 1).astype(float),
            "pain_duration_months": 12 * before["backpain_length"],
        }
    )
    for outcome, column in OUTCOMES.items():
        frame[f"{outcome}_0"], frame[f"{outcome}_1"] = before[column], after[column]
    return frame


def only(table: pd.DataFrame, **wanted: str) -> pd.Series:
    """The one row that says this."""
    rows = table[np.logical_and.reduce([table[name] == value for name, value in wanted.items()])]
    assert len(rows) == 1, (wanted, len(rows))
    return rows.iloc[0]


def covariance_analysis(people: pd.DataFrame, outcome: str) -> sm.regression.linear_model.Results:
    """Score afterwards on arms, baseline, age and sex, centred at the mean of all randomised."""
    held = people[[f"{outcome}_0", "age", "male"]]
    arms = pd.get_dummies(people["arm"])[list(ARMS.values())].astype(float)
    design = pd.concat([arms, held - held.mean()], axis=1)
    seen = people[f"{outcome}_1"].notna()
    return sm.OLS(people.loc[seen, f"{outcome}_1"], design[seen]).fit()


def test_the_flow_counts_who_was_randomised_and_who_came_back(
    tables: Mapping[str, pd.DataFrame], people: pd.DataFrame
) -> None:
    flow = tables["flow"].set_index("step")["n_episodes"]
    after = people[[f"{outcome}_1" for outcome in OUTCOMES]]
    assert flow["analysed"] == len(people) == 151
    assert flow["followed"] == after.notna().any(axis=1).sum()
    assert flow["no_follow_up"] == after.isna().all(axis=1).sum()
    assert flow["records"] - flow["set_aside"] == len(people)


def test_groups_at_baseline_and_who_was_seen(
    tables: Mapping[str, pd.DataFrame], people: pd.DataFrame
) -> None:
    names = {"age": "age", "pain_duration_months": "pain_duration_months"}
    names |= {f"baseline_{outcome}": f"{outcome}_0" for outcome in OUTCOMES}
    for arm in ARMS.values():
        group = people[people["arm"] == arm]
        for name, column in names.items():
            row = only(tables["baseline"], variable=name, exposure=arm)
            assert row["estimate"] == pytest.approx(group[column].mean(), rel=1e-12)
            assert row["std_dev"] == pytest.approx(group[column].std(), rel=1e-12)
            assert row["n_episodes"] == len(group)
        row = only(tables["baseline"], variable="sex", level="male", exposure=arm)
        assert row["count"] == group["male"].sum()
        for outcome in OUTCOMES:
            row = only(tables["completeness"], outcome=outcome, visit="after", exposure=arm)
            assert row["n_observed"] == group[f"{outcome}_1"].notna().sum()


def test_standardised_differences(tables: Mapping[str, pd.DataFrame], people: pd.DataFrame) -> None:
    base = people[people["arm"] == "usual_care"]
    for arm in ("prt", "placebo"):
        group = people[people["arm"] == arm]
        for outcome in OUTCOMES:
            a, b = group[f"{outcome}_0"], base[f"{outcome}_0"]
            expected = (a.mean() - b.mean()) / np.sqrt((a.var() + b.var()) / 2)
            row = only(tables["balance"], variable=f"baseline_{outcome}", exposure=arm)
            assert row["smd"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_adjusted_means(
    tables: Mapping[str, pd.DataFrame], people: pd.DataFrame, outcome: str
) -> None:
    fit = covariance_analysis(people, outcome)
    limits = fit.conf_int()
    for arm in ARMS.values():
        row = only(tables["ls_means"], analysis_id="primary", outcome=outcome, level=arm)
        expected = [fit.params[arm], fit.bse[arm], fit.df_resid, *limits.loc[arm]]
        found = row[["estimate", "std_error", "df", "conf_low", "conf_high"]].astype(float)
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize(("outcome", "level", "reference"), PAIRS)
def test_adjusted_and_plain_differences(
    tables: Mapping[str, pd.DataFrame],
    people: pd.DataFrame,
    outcome: str,
    level: str,
    reference: str,
) -> None:
    """Less is better in all three outcomes, so an improvement is reference minus level."""
    asked = {"outcome": outcome, "level": level, "reference": reference, "scale": "improvement"}
    fit = covariance_analysis(people, outcome)
    test = fit.t_test(f"{reference} - {level} = 0")
    row = only(tables["contrasts"], analysis_id="primary", **asked)
    expected = [
        float(np.squeeze(value))
        for value in (test.effect, test.sd, fit.df_resid, test.tvalue, test.pvalue)
    ]
    expected += [float(limit) for limit in test.conf_int()[0]]
    np.testing.assert_allclose(row[NUMBERS].astype(float), expected, rtol=1e-8)

    scores = people.set_index("arm")[f"{outcome}_1"].dropna()
    plain = stats.ttest_ind(scores[reference], scores[level], equal_var=False)
    difference = scores[reference].mean() - scores[level].mean()
    expected = [difference, difference / plain.statistic, plain.df, plain.statistic, plain.pvalue]
    expected += [float(limit) for limit in plain.confidence_interval()]
    row = only(tables["unadjusted"], **asked)
    np.testing.assert_allclose(row[NUMBERS].astype(float), expected, rtol=1e-9)
    assert row["n_episodes"] == len(scores[reference]) + len(scores[level])
