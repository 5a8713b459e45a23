"""Components, combinations and dose, against numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from outcomes.results.tables import TABLES
from outcomes.study.delivery import (
    combinations_table,
    component_group,
    components_table,
    dose_table,
    lineage,
)
from tests.unit.descriptive_standin import StandIn, StandInRecords, stand_in


def _one(table: pd.DataFrame, **where: object) -> pd.Series:
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1, f"{len(table)} rows match {where}"
    return table.iloc[0]


EPISODES = pd.DataFrame(
    {
        "episode_id": [1, 2, 3],
        "patient_id": [1, 2, 3],
        "exposure": ["exercise", "exercise", "usual_care"],
        "end_day": [28.0, 28.0, 28.0],
    }
)


@pytest.fixture
def dataset() -> StandIn:
    rows = [
        (1, "form.plank", "window", 2, 20.0, np.nan),
        (1, "exercise.aerobic.walking", "window", 1, 10.0, np.nan),
        (1, "manual.massage", "window", 1, 15.0, np.nan),
        (1, "form.plank", "episode", 3, 30.0, np.nan),
        (2, "form.bridge", "window", 1, 40.0, np.nan),
        (2, "modality.tens", "episode", 1, np.nan, 2.0),
        (2, "local.code", "episode", 4, np.nan, np.nan),
    ]
    names = ["episode_id", "intervention", "period", "sessions", "minutes", "units"]
    return stand_in(EPISODES, delivered=pd.DataFrame(rows, columns=names))


@pytest.fixture
def records() -> StandInRecords:
    return StandInRecords(episodes=[])


# -------------------------------------------------------------------------------------- components
def test_parents_count_their_parts_once(dataset: StandIn, records: StandInRecords) -> None:
    table = components_table(dataset, records)
    assert list(table.columns) == list(TABLES["components"].names)
    core = _one(table, intervention="exercise.strength.core", period="window", exposure="exercise")
    assert (core.n_episodes, core.n_total, core.share) == (2, 2, 1.0)
    assert core["median"] == 30.0  # of 20 and 40
    group = _one(table, intervention="exercise", period="window", exposure="exercise")
    assert group["median"] == 35.0  # of 20 + 10 and 40
    assert (group.kind, group.unit, group.label) == ("exercise", "min", "Exercise therapy")


def test_all_together_and_absent_components(dataset: StandIn, records: StandInRecords) -> None:
    table = components_table(dataset, records)
    everyone = _one(table, intervention="manual.massage", period="window", exposure="")
    assert (everyone.n_episodes, everyone.n_total) == (1, 3)
    assert everyone.share == pytest.approx(1 / 3)
    none = _one(table, intervention="manual.massage", period="window", exposure="usual_care")
    assert (none.n_episodes, none.n_total, none.share) == (0, 1, 0.0)
    assert np.isnan(none["median"])


def test_units_and_visits_where_minutes_are_not_recorded(
    dataset: StandIn, records: StandInRecords
) -> None:
    table = components_table(dataset, records)
    tens = _one(table, intervention="modality.tens", period="episode", exposure="")
    assert (tens.unit, tens["median"]) == ("units", 2.0)
    local = _one(table, intervention="unknown", period="episode", exposure="")
    assert (local.unit, local["median"], local.kind, local.label) == (
        "visits", 4.0, "other", "Codes that the catalog does not know",
    )  # fmt: skip


def test_window_stands_first_and_groups_above_their_parts(
    dataset: StandIn, records: StandInRecords
) -> None:
    table = components_table(dataset, records)
    window = table[(table.period == "window") & (table.exposure == "")]
    assert table.period.iloc[0] == "window"
    order = list(window.intervention)
    assert (
        order.index("exercise") < order.index("exercise.strength.core") < order.index("form.plank")
    )


def test_nothing_delivered_is_left_out_with_a_reason(records: StandInRecords) -> None:
    left_out: list[tuple[str, str]] = []
    assert components_table(stand_in(EPISODES), records, left_out=left_out).empty
    assert left_out == [("Components", "No component of any held session is recorded.")]


def test_lineage_follows_aliases_and_keeps_unknown_codes() -> None:
    assert lineage("form.plank") == (
        "form.plank", "exercise.strength.core", "exercise.strength", "exercise",
    )  # fmt: skip
    assert lineage("exercise.stretch") == ("exercise.flexibility", "exercise")
    assert lineage("local.code") == ("unknown",)


# ------------------------------------------------------------------------------------ combinations
@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("form.plank", "Strength and core"),
        ("form.hamstring_stretch", "Stretching and mind-body"),
        ("exercise.mindbody.yoga", "Stretching and mind-body"),
        ("exercise.aerobic.cycling", "Aerobic"),
        ("exercise.aquatic", "Balance and water"),
        ("exercise.directional", "Other exercise"),
        ("manual.massage", "Massage"),
        ("manual.manipulation", "Mobilisation and manipulation"),
        ("modality.cold", "Heat and cold"),
        ("modality.interferential", "TENS and electrical"),
        ("modality.ultrasound", "Ultrasound"),
        ("modality.traction", "Other modality"),
        ("training.ergonomics.work", "Posture and ergonomics"),
        ("education.lifestyle.stress", "Education"),
        ("care.assessment", None),
        ("local.code", "Other component"),
    ],
)
def test_groups_of_components(name: str, group: str | None) -> None:
    assert component_group(name) == group


def test_every_episode_is_in_one_combination(dataset: StandIn) -> None:
    table = combinations_table(dataset)
    assert table.values.tolist() == [
        ["None recorded", 0, 1],
        ["Strength and core", 1, 1],
        ["Strength and core + Aerobic + Massage", 3, 1],
    ]
    assert table.n_episodes.sum() == len(dataset.episodes)


# -------------------------------------------------------------------------------------------- dose
def _session(session: int, episode: int, day: int, **given: Any) -> dict[str, Any]:
    base = {"attended": True, "planned": True, "supervised": True, "rpe": 4.0}
    return {"session_id": session, "episode_id": episode, "day": day, **base, **given}


def _component(session: int, **given: Any) -> dict[str, Any]:
    return {"session_id": session, "intervention": "form.plank", **given}


@pytest.fixture
def delivered() -> StandInRecords:
    return StandInRecords(
        sessions=[
            _session(1, 1, 0),
            _session(2, 1, 7, supervised=False, rpe=6.0),
            _session(3, 1, 28),
            _session(4, 1, 30, attended=False),
            _session(5, 2, 0),
            _session(6, 2, 14),
            _session(7, 2, -5),  # before the episode: not care of this episode
        ],
        components=[
            _component(1, minutes=20.0, level=1.0, load=10.0),
            _component(2, minutes=30.0, level=2.0, load=11.0),
            _component(3, minutes=10.0, level=5.0, load=11.0),
            _component(4, minutes=99.0, level=9.0),
            _component(5, minutes=30.0, level=3.0),
            _component(6, minutes=30.0, level=3.0),
        ],
        care_plans=[
            {"episode_id": 1, "day": 0, "intervention": "form.plank", "home_per_week": 3.0},
        ],
        home_log=[
            {"episode_id": 1, "day": 6, "intervention": "form.plank", "sessions": 3.0,
             "minutes": 30.0},
            {"episode_id": 1, "day": 13, "intervention": "form.plank", "sessions": 1.5,
             "minutes": 10.0},
        ],
    )  # fmt: skip


def _dose(dataset: StandIn, delivered: StandInRecords, measure: str) -> pd.Series:
    return _one(dose_table(dataset, delivered), measure=measure, exposure="exercise")


def test_contacts(dataset: StandIn, delivered: StandInRecords) -> None:
    held = _dose(dataset, delivered, "sessions_attended")
    assert (held.estimate, held.low, held.high, held.n_episodes) == (2.5, 2.25, 2.75, 2)
    assert _dose(dataset, delivered, "weeks_in_care").estimate == 3.0  # of 4 and 2
    assert _dose(dataset, delivered, "sessions_per_week").estimate == pytest.approx(0.875)
    assert _dose(dataset, delivered, "effort").estimate == pytest.approx((14 / 3 + 4) / 2)
    supervised = _dose(dataset, delivered, "supervised_share")
    assert supervised.estimate == pytest.approx((2 / 3 + 1) / 2)


def test_attendance_is_of_what_was_planned(dataset: StandIn, delivered: StandInRecords) -> None:
    share = _dose(dataset, delivered, "attended_of_planned")
    assert share.estimate == pytest.approx((0.75 + 1) / 2)
    enough = _dose(dataset, delivered, "attended_satisfactory")
    assert (enough.statistic, enough.estimate, enough.n_episodes) == ("share", 0.5, 2)
    assert _dose(dataset, delivered, "gap_over_14_days").estimate == 0.5


def test_minutes_are_of_sessions_held(dataset: StandIn, delivered: StandInRecords) -> None:
    assert _dose(dataset, delivered, "minutes_total").estimate == 60.0
    assert _dose(dataset, delivered, "minutes_per_session").estimate == 25.0  # of 20 and 30


def test_home_bounds(dataset: StandIn, delivered: StandInRecords) -> None:
    # 4.5 done; 3 a week asked for: two weeks with a diary, four weeks in care
    assert _dose(dataset, delivered, "home_of_prescribed").estimate == pytest.approx(0.75)
    low = _dose(dataset, delivered, "home_of_prescribed_all_weeks")
    assert (low.estimate, low.n_episodes) == (pytest.approx(0.375), 1)
    assert _dose(dataset, delivered, "home_minutes_per_week").estimate == 20.0


def test_progression_start_and_jumps(dataset: StandIn, delivered: StandInRecords) -> None:
    table = dose_table(dataset, delivered)
    slope = _one(table, measure="progression_level", exposure="exercise")
    one = 7 * np.polyfit([0, 7, 28], [1, 2, 5], 1)[0]
    assert slope.estimate == pytest.approx((one + 0) / 2)
    load = _one(table, measure="progression_load", exposure="exercise")
    assert load.estimate == pytest.approx(7 * np.polyfit([0, 7, 28], [10, 11, 11], 1)[0])
    assert load.n_episodes == 1
    # episode 1 began at 1 and rose by three levels once; episode 2 began at 3 and stayed
    assert _one(table, measure="started_low", exposure="exercise").estimate == 0.5
    assert _one(table, measure="jump", exposure="exercise").estimate == 0.5


def test_dose_table_keeps_its_contract(dataset: StandIn, delivered: StandInRecords) -> None:
    table = dose_table(dataset, delivered)
    assert list(table.columns) == list(TABLES["dose"].names)
    assert set(table.exposure) == {"exercise", "usual_care", ""}
    assert set(table.statistic) == {"median", "share"}


def test_what_is_not_recorded_is_left_out_with_a_reason(dataset: StandIn) -> None:
    records = StandInRecords(sessions=[{"session_id": 1, "episode_id": 1, "day": 0}])
    left_out: list[tuple[str, str]] = []
    table = dose_table(dataset, records, left_out=left_out)
    assert set(table.measure) == {"sessions_attended"}
    reasons = dict(left_out)
    assert reasons["Supervised share"] == "Table 'sessions' has no column 'supervised'."
    assert reasons["Exercise at home"] == "The records hold no table 'home_log'."


def test_order_of_rows_does_not_matter(dataset: StandIn, delivered: StandInRecords) -> None:
    before = dose_table(dataset, delivered)
    for table in ("sessions", "components"):
        delivered.connection.execute(
            f"create or replace table {table} as select * from {table} order by _row desc"
        )
    pd.testing.assert_frame_equal(before, dose_table(dataset, delivered))
