"""Baseline, balance and completeness, against numbers worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from outcomes.results.tables import TABLES
from outcomes.study.population import (
    balance_table,
    baseline_table,
    completeness_table,
    standardised_difference,
)
from tests.unit.descriptive_standin import MEDICATION, PAIN, StandIn, stand_in


@pytest.fixture
def dataset() -> StandIn:
    episodes = pd.DataFrame(
        {
            "episode_id": [1, 2, 3, 4, 5],
            "patient_id": [1, 2, 3, 4, 4],
            "exposure": ["exercise", "exercise", "exercise", "usual_care", "usual_care"],
            "age": [40.0, 50.0, 60.0, 50.0, 70.0],
            "sex": ["female", "male", "female", "male", None],
            "leg_pain": pd.array([True, False, None, True, True], dtype="boolean"),
            "diagnosis": ["zz", "aa", "aa", "zz", "aa"],
            "baseline_pain": [6.0, 5.0, np.nan, 4.0, 4.0],
            "baseline_medication": [0.0, 30.0, 0.0, 0.0, 10.0],
            "baseline_any_opioid": [0.0, 1.0, 0.0, 0.0, 1.0],
        }
    )
    visit_rows = pd.DataFrame(
        {
            "episode_id": [1, 2, 3, 4, 5],
            "visit": ["week_6"] * 5,
            "pain": [3.0, np.nan, 2.0, np.nan, np.nan],
            "medication": [0.0] * 5,
        }
    )
    return stand_in(episodes, visit_rows=visit_rows, outcomes=(PAIN, MEDICATION))


def _one(table: pd.DataFrame, **where: object) -> pd.Series:
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1, f"{len(table)} rows match {where}"
    return table.iloc[0]


def test_numbers_have_mean_spread_and_missing(dataset: StandIn) -> None:
    table = baseline_table(dataset)
    assert list(table.columns) == list(TABLES["baseline"].names)
    age = _one(table, variable="age", exposure="exercise")
    assert (age.statistic, age.unit, age.label) == ("mean", "years", "Age")
    assert (age.estimate, age.std_dev, age.n_episodes, age.n_missing) == (50.0, 10.0, 3, 0)
    everyone = _one(table, variable="age", exposure="")
    assert everyone.estimate == 54.0
    assert everyone.n_episodes == 5
    pain = _one(table, variable="baseline_pain", exposure="exercise")
    assert (pain.estimate, pain.n_episodes, pain.n_missing) == (5.5, 2, 1)
    assert (pain.label, pain.unit) == ("Pain at time zero", "points")
    assert _one(table, variable="baseline_medication", exposure="").unit == "MME/day"


def test_categories_are_shares_of_those_known(dataset: StandIn) -> None:
    table = baseline_table(dataset)
    female = _one(table, variable="sex", level="female", exposure="exercise")
    assert (female.statistic, female["count"], female.n_episodes) == ("share", 2, 3)
    assert female.estimate == pytest.approx(2 / 3)
    male = _one(table, variable="sex", level="male", exposure="usual_care")
    assert (male.estimate, male["count"], male.n_episodes, male.n_missing) == (1.0, 1, 1, 1)
    leg = table[(table.variable == "leg_pain") & (table.exposure == "exercise")]
    assert leg[["level", "estimate", "count", "n_missing"]].values.tolist() == [["yes", 0.5, 1, 1]]
    opioid = _one(table, variable="baseline_any_opioid", exposure="")
    assert (opioid["count"], opioid.estimate) == (2, 0.4)


def test_levels_follow_the_schema_then_the_alphabet(dataset: StandIn) -> None:
    table = baseline_table(dataset)
    everyone = table[table.exposure == ""]
    assert list(everyone.loc[everyone.variable == "sex", "level"]) == ["female", "male"]
    assert list(everyone.loc[everyone.variable == "diagnosis", "level"]) == ["aa", "zz"]


def test_a_code_that_the_contract_does_not_list_is_not_named(dataset: StandIn) -> None:
    typed = ["Ann Example", "private", "Bo Example", "private", "Ann Example"]
    named = replace(dataset, episodes=dataset.episodes.assign(payer=typed))
    for table in (baseline_table(named), balance_table(named)):
        levels = table.loc[table["variable"] == "payer", "level"]
        assert set(levels) == {"private", "codes not listed"}


def test_columns_of_the_design_are_not_described(dataset: StandIn) -> None:
    named = set(baseline_table(dataset).variable)
    assert not named & {"episode_id", "patient_id", "exposure", "end_day"}


def test_difference_of_a_number_by_hand(dataset: StandIn) -> None:
    row = _one(balance_table(dataset), variable="age")
    # means 50 and 60; sample variances 100 and 200
    assert row.smd == pytest.approx(-10 / math.sqrt(150))
    assert (row.exposure, row.reference) == ("exercise", "usual_care")
    assert math.isnan(row.smd_weighted)


def test_difference_of_a_level_by_hand(dataset: StandIn) -> None:
    table = balance_table(dataset)
    # zz: 1 of 3 against 1 of 2
    expected = (1 / 3 - 1 / 2) / math.sqrt((2 / 9 + 1 / 4) / 2)
    assert _one(table, variable="diagnosis", level="zz").smd == pytest.approx(expected)
    assert _one(table, variable="diagnosis", level="aa").smd == pytest.approx(-expected)


@pytest.mark.parametrize(
    ("group", "expected"), [((2.0, 0.0), 0.0), ((3.0, 0.0), math.nan), ((3.0, 2.0), 1.0)]
)
def test_constant_groups(group: tuple[float, float], expected: float) -> None:
    assert standardised_difference(group, (2.0, 0.0)) == pytest.approx(expected, nan_ok=True)


def test_an_empty_group_has_no_difference(dataset: StandIn) -> None:
    only = dataset.episodes[dataset.episodes.exposure == "exercise"].reset_index(drop=True)
    table = balance_table(stand_in(only))
    assert len(table)
    assert table.smd.isna().all()


def test_completeness_keeps_the_lost_in_the_denominator(dataset: StandIn) -> None:
    table = completeness_table(dataset)
    row = _one(table, outcome="pain", visit="week_6", exposure="exercise")
    assert (row.n_episodes, row.n_observed, row.planned) == (3, 2, True)
    assert row.share == pytest.approx(2 / 3)
    assert _one(table, outcome="pain", visit="week_6", exposure="usual_care").share == 0
    everyone = _one(table, outcome="pain", visit="baseline", exposure="")
    assert (everyone.n_episodes, everyone.n_observed) == (5, 4)
