"""Rates against published exact values, and harms counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from outcomes.results.poisson import poisson_limits
from outcomes.results.tables import TABLES
from outcomes.study.description import Description, flag
from outcomes.study.events import described_table, harms_table
from outcomes.study.rates import free_of_event, rate
from tests.unit.descriptive_standin import StandIn, StandInRecords, stand_in


# ------------------------------------------------------------------------------------------ rates
@pytest.mark.parametrize(
    ("n", "low", "high"),
    [  # exact limits as printed in tables of the Poisson distribution
        (0, 0.0, 3.689),
        (1, 0.0253, 5.572),
        (5, 1.623, 11.668),
        (10, 4.795, 18.390),
        (100, 81.364, 121.627),
    ],
)
def test_exact_limits(n: int, low: float, high: float) -> None:
    assert poisson_limits(n) == pytest.approx((low, high), abs=6e-4)


def test_rate_scales_and_has_none_without_time() -> None:
    found = rate(10, 2000, 1000)
    assert (found.estimate, found.low) == (5.0, pytest.approx(4.795 / 2, abs=1e-3))
    assert math.isnan(rate(3, 0).estimate)


def test_product_limit_by_hand() -> None:
    days = np.array([10.0, 20.0, 20.0, 30.0, 50.0, 50.0])
    happened = np.array([True, True, False, True, False, False])
    # 6 at risk: 5/6; 5 at risk: 4/5; then 3 at risk: 2/3
    found = free_of_event(days, happened, 40)
    assert found.estimate == pytest.approx(5 / 6 * 4 / 5 * 2 / 3)
    spread = math.sqrt(1 / (6 * 5) + 1 / (5 * 4) + 1 / (3 * 2))
    width = 1.959964 * spread / abs(math.log(found.estimate))
    assert found.low == pytest.approx(found.estimate ** math.exp(width), rel=1e-6)
    assert found.complement().high == pytest.approx(1 - found.low)


def test_limits_have_the_level_that_is_asked_for() -> None:
    found = rate(10, 2000, 1000, level=0.8)
    # printed tables: 6.221 and 15.407 events where 10 were seen
    assert (found.low, found.high) == pytest.approx((6.221 / 2, 15.407 / 2), abs=1e-3)
    days, happened = np.array([10.0, 20.0, 50.0, 50.0]), np.array([True, True, False, False])
    narrow, wide = (free_of_event(days, happened, 40, level=level) for level in (0.8, 0.95))
    logs = [math.log(math.log(f.high) / math.log(f.low)) for f in (narrow, wide)]
    assert logs[0] / logs[1] == pytest.approx(1.281552 / 1.959964, rel=1e-6)


def test_nobody_followed_that_long_is_no_estimate() -> None:
    assert math.isnan(free_of_event(np.array([10.0, 20.0]), np.array([False, False]), 40).estimate)


def test_nobody_with_an_event_is_all_free() -> None:
    found = free_of_event(np.array([50.0, 60.0]), np.array([False, False]), 40)
    assert found.estimate == 1
    assert math.isnan(found.low)


# ------------------------------------------------------------------------------------------ harms
EPISODES = pd.DataFrame(
    {
        "episode_id": [1, 2, 3],
        "patient_id": [1, 2, 3],
        "exposure": ["exercise", "exercise", "usual_care"],
        "patient_day": [0.0, 0.0, 0.0],
        "end_day": [50.0, 50.0, 50.0],
        "followed_to_day": [730.0, 730.0, 730.0],
    }
)


@pytest.fixture
def dataset() -> StandIn:
    return stand_in(EPISODES)


def _event(episode: int, kind: str, day: int, severity: str | None = None) -> dict[str, object]:
    return {"episode_id": episode, "kind": kind, "day": day, "severity": severity}


@pytest.fixture
def records() -> StandInRecords:
    return StandInRecords(
        sessions=[
            {"session_id": k, "episode_id": 1 + k // 10, "day": k % 10, "attended": k % 10 < 8}
            for k in range(30)
        ],
        events=[
            _event(1, "flare", 3, "minor"),
            _event(1, "flare", 9, "moderate"),
            _event(2, "flare", 80, "minor"),  # after care: not of sessions
            _event(3, "flare", -2, "minor"),  # before care
            _event(2, "fall", 80),
            _event(2, "fall", 800),  # after follow-up
        ],
    )


def _one(table: pd.DataFrame, **where: object) -> pd.Series:
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1, f"{len(table)} rows match {where}"
    return table.iloc[0]


def test_harms_of_sessions(dataset: StandIn, records: StandInRecords) -> None:
    table = harms_table(dataset, records)
    assert list(table.columns) == list(TABLES["harms"].names)
    flare = _one(table, event="flare", severity="any", exposure="exercise")
    assert (flare.n_events, flare.n_episodes, flare.n_total) == (2, 1, 2)
    assert (flare.denominator, flare.rate_unit) == (16.0, "per 1,000 sessions")
    assert flare.rate == pytest.approx(2 / 16 * 1000)
    low, high = poisson_limits(2)
    assert (flare.conf_low, flare.conf_high) == pytest.approx((low / 0.016, high / 0.016))
    none = _one(table, event="flare", severity="any", exposure="usual_care")
    assert (none.n_events, none.rate, none.conf_low) == (0, 0.0, 0.0)
    assert none.conf_high == pytest.approx(3.689 / 0.008, rel=1e-3)


def test_harms_in_life_are_per_patient_years(dataset: StandIn, records: StandInRecords) -> None:
    fall = _one(harms_table(dataset, records), event="fall", severity="any", exposure="")
    assert (fall.n_events, fall.rate_unit) == (1, "per 100 patient-years")
    assert fall.denominator == pytest.approx(3 * 730 / 365.25)


def test_grades_add_up(dataset: StandIn, records: StandInRecords) -> None:
    table = harms_table(dataset, records)
    flares = table[(table.event == "flare") & (table.exposure == "")]
    counts = flares.set_index("severity").n_events.to_dict()
    assert counts == {"any": 2, "minor": 1, "moderate": 1}
    assert list(flares.severity) == ["any", "minor", "moderate"]


def test_serious_events_have_their_zero_and_others_a_reason(
    dataset: StandIn, records: StandInRecords
) -> None:
    left_out: list[tuple[str, str]] = []
    table = harms_table(dataset, records, left_out=left_out)
    serious = _one(table, event="serious_adverse_event", severity="any", exposure="")
    assert serious.n_events == 0
    assert "soreness" not in set(table.event)
    assert dict(left_out)["Soreness after a session"].startswith("No such event is recorded")


def test_units_fall_back_with_a_reason() -> None:
    left_out: list[tuple[str, str]] = []
    plain = stand_in(EPISODES.drop(columns=["end_day", "followed_to_day"]))
    records = StandInRecords(events=[_event(1, "flare", 3), _event(1, "fall", 5)])
    table = harms_table(plain, records, left_out=left_out)
    assert set(table.rate_unit) == {"per 100 episodes"}
    assert {what for what, _ in left_out} >= {
        "Harms per 1,000 sessions",
        "Harms per 100 patient-years",
    }


def test_no_events_table_is_an_empty_table(dataset: StandIn) -> None:
    left_out: list[tuple[str, str]] = []
    assert harms_table(dataset, StandInRecords(), left_out=left_out).empty
    assert left_out == [("Harms", "The records hold no table 'events'.")]


def test_time_at_risk_ends_where_the_next_episode_of_the_region_begins() -> None:
    starts = {1: 0, 2: 100, 3: 40}
    regions = {1: "low_back", 2: "low_back", 3: "neck"}
    records = StandInRecords(
        episodes=[
            {"episode_id": k, "patient_id": 1, "patient_day": starts[k], "body_region": regions[k]}
            for k in starts
        ],
        events=[_event(1, "fall", 99), _event(1, "fall", 120)],
    )
    one = stand_in(EPISODES.iloc[:1].assign(patient_id=1))
    fall = _one(harms_table(one, records), event="fall", severity="any", exposure="")
    assert (fall.n_events, fall.denominator) == (1, pytest.approx(99 / 365.25))


def test_rates_have_the_study_s_confidence_level(records: StandInRecords) -> None:
    table = harms_table(stand_in(EPISODES, conf_level=0.9), records)
    flare = _one(table, event="flare", severity="any", exposure="exercise")
    low, high = poisson_limits(2, 0.9)
    assert (flare.conf_low, flare.conf_high) == pytest.approx((low / 0.016, high / 0.016))
    assert table["conf_level"].eq(0.9).all()


def test_sessions_after_the_end_of_care_are_no_denominator_of_its_events(dataset: StandIn) -> None:
    held = [{"session_id": k, "episode_id": 1, "day": day} for k, day in enumerate((0, 50, 51))]
    events = [_event(1, "flare", 50), _event(1, "flare", 51)]
    table = harms_table(dataset, StandInRecords(sessions=held, events=events))
    flare = _one(table, event="flare", severity="any", exposure="exercise")
    assert (flare.n_events, flare.denominator) == (1, 2.0)


# -------------------------------------------------------------------------------------- described
def test_pain_can_return_only_after_the_score_that_confirms_recovery(dataset: StandIn) -> None:
    """Recovered from day 20, known on day 80; known on the last day; held for too short a time."""
    scores = {
        1: [(20, 0), (40, 1), (80, 0), (90, 1), (180, 5)],
        2: [(20, 3), (30, 0), (60, 0)],
        3: [(20, 0), (40, 0), (60, 4)],
    }
    listed = [
        {"episode_id": k, "instrument": "nprs", "day": day, "score": score}
        for k, given in scores.items()
        for day, score in given
    ]
    table = described_table(dataset, StandInRecords(assessments=listed))
    rate = _one(table, measure="recurrence_pain", exposure="")
    assert (rate["count"], rate.n_episodes) == (1, 1)
    assert rate.estimate == pytest.approx(100 * 365.25 / 100)
    assert _one(table, measure="sustained_remission", exposure="")["count"] == 2
    assert "from the score that confirmed" in rate.label


def test_nobody_with_an_opioid_on_record_is_described_as_stopped(dataset: StandIn) -> None:
    """Week 6 is day 56: changed to agonist treatment; of a dose not known; stopped."""

    def fill(patient: int, day: int, **given: object) -> dict[str, object]:
        return {
            "patient_id": patient,
            "day": day,
            "drug": "oxycodone",
            "route": "oral",
            "strength": 10.0,
            "unit": "mg",
            "quantity": 14.0,
            "days_supply": 7,
            **given,
        }

    later = [fill(1, 40, drug="buprenorphine", route="sublingual"), fill(2, 40, days_supply=None)]
    records = StandInRecords(medications=[*(fill(k, 0) for k in (1, 2, 3)), *later])
    table = described_table(dataset, records)
    found = {
        measure: _one(table, measure=f"opioid_{measure}", exposure="", visit="week_6")
        for measure in ("stopped", "halved")
    }
    assert (found["stopped"]["count"], found["stopped"].n_episodes) == (1, 3)
    assert (found["halved"]["count"], found["halved"].n_episodes) == (2, 2)


# -------------------------------------------------------------------------------------- collector
def test_described_rates_and_shares_have_the_study_s_confidence_level() -> None:
    found = Description(dataset=stand_in(EPISODES, conf_level=0.9))  # type: ignore[arg-type]
    days, happened = np.array([10.0, 400.0, 400.0]), np.array([True, False, False])
    found.add_rate("D", "rate", "R", events=np.array([2.0, 0, 1]), days=np.full(3, 365.25))
    found.add_reached("D", "free", "F", days=days, happened=happened, by_day=365, free=True)
    found.add("D", "share", "S", np.array([1.0, 0, 1]))
    table = found.table()
    rates = _one(table, measure="rate", exposure="")
    assert rates.conf_high == pytest.approx(100 * poisson_limits(3, 0.9)[1] / 3)
    free = _one(table, measure="free", exposure="")
    assert free.conf_low == pytest.approx(free_of_event(days, happened, 365, level=0.9).low)
    assert (rates.conf_level, free.conf_level) == (0.9, 0.9)
    assert math.isnan(_one(table, measure="share", exposure="").conf_level)


def test_a_measure_nobody_has_leaves_no_row(dataset: StandIn) -> None:
    found = Description(dataset=dataset)  # type: ignore[arg-type]
    found.add("D", "m", "M", np.full(3, np.nan))
    assert found.rows == []


def test_shares_means_and_rates_by_exposure(dataset: StandIn) -> None:
    found = Description(dataset=dataset)  # type: ignore[arg-type]
    found.add("D", "share", "S", flag(np.array([True, False, True]), np.array([1, 1, 0], bool)))
    found.add("D", "mean", "M", np.array([1.0, 3.0, 8.0]), statistic="mean", unit="x")
    found.add_rate("D", "rate", "R", events=np.array([2.0, 0, 1]), days=np.full(3, 365.25))
    table = found.table()
    assert list(table.columns) == list(TABLES["described"].names)
    share = _one(table, measure="share", exposure="")
    assert (share["count"], share.n_episodes, share.estimate) == (1, 2, 0.5)
    assert _one(table, measure="mean", exposure="exercise").std_dev == pytest.approx(math.sqrt(2))
    rates = _one(table, measure="rate", exposure="exercise")
    assert (rates.estimate, rates["count"], rates.n_episodes) == (pytest.approx(100), 1, 2)


def test_bare_records_describe_nothing_and_say_why(dataset: StandIn) -> None:
    left_out: list[tuple[str, str]] = []
    table = described_table(dataset, StandInRecords(), left_out=left_out)
    assert set(table.domain) <= {"Home and equipment"}
    assert len(left_out) == len(set(left_out)) >= 10


def test_a_further_note_while_away_is_the_same_absence() -> None:
    episodes = pd.DataFrame(
        [
            {"episode_id": k, "patient_id": k, "exposure": "exercise", "patient_day": 0,
             "end_day": 60, "followed_to_day": 400, "work_status": "working"}
            for k in (1, 2)
        ]
    )  # fmt: skip
    days = {1: [("work_absence_start", 10), ("work_absence_start", 15), ("return_to_work", 30),
                ("work_absence_start", 100), ("return_to_work", 104)],
            2: [("work_absence_start", 390), ("work_absence_start", 395)]}  # fmt: skip
    events = [
        {"episode_id": k, "kind": kind, "day": day}
        for k, listed in days.items()
        for kind, day in listed
    ]
    table = described_table(
        stand_in(episodes, exposures=("exercise",)), StandInRecords(events=events)
    )
    lost = _one(table, measure="days_lost", statistic="mean", exposure="exercise")
    assert lost.estimate == pytest.approx(((30 - 10) + 4 + (400 - 390)) / 2)
