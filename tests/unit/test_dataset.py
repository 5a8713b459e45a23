"""The study dataset: time zero, visits, ties, same-day scores, items, and its contract."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from outcomes.core.errors import ExitCode, NotEstimable, OutcomesError, SpecError
from outcomes.study.dataset import StudyDataset, build_dataset, check_dataset
from outcomes.study.spec import StudySpec
from tests.unit.study_records import (
    MOBILITY,
    PAIN,
    delivered,
    episode,
    score,
    study,
    treated,
    write_records,
)

pytestmark = pytest.mark.slow

WEEKS = [
    {"label": "week_6", "day": 42, "from_day": 28, "to_day": 63},
    {"label": "week_12", "day": 84, "from_day": 64, "to_day": 126},
]
DISCHARGE = {"label": "discharge", "event": "discharge", "within_days": 10}
FOUR = range(1, 5)


def built(
    folder: Path,
    scores: Iterable[dict[str, Any]],
    spec: StudySpec | None = None,
    *,
    episodes: list[dict[str, Any]] | None = None,
    **tables: Any,
) -> StudyDataset:
    """Two of exercise, two of usual care; episodes 3 and 4 always have a score at week 6."""
    fill = [score(n, 56, 5) for n in (3, 4)]
    records = write_records(
        folder,
        episodes=episodes or [episode(n) for n in FOUR],
        **delivered(treated(n, ("exercise", 30)) for n in (1, 2)),
        assessments=[*scores, *fill],
        **tables,
    )
    return build_dataset(records, spec or study(visits=WEEKS))


def at(dataset: StudyDataset, visit: str, number: int = 1, outcome: str = "pain") -> float:
    rows = dataset.visit_rows.set_index(["episode_id", "visit"])
    return float(rows.loc[(number, visit), outcome])


def test_the_baseline_is_the_last_score_up_to_time_zero(tmp_path: Path) -> None:
    scores = [
        score(1, -31, 9), score(1, -30, 8), score(1, 14, 6), score(1, 15, 1),
        score(2, -30, 7), score(2, -40, 3), score(3, -31, 4),
    ]  # fmt: skip
    baseline = built(tmp_path, scores).episodes["baseline_pain"]
    assert baseline[:2].tolist() == [6, 7]
    assert baseline[2:].isna().all()


def test_a_visit_has_the_nearest_score_in_its_window(tmp_path: Path) -> None:
    zero = 14
    scores = [
        score(1, zero + 27, 1), score(1, zero + 28, 2), score(1, zero + 50, 3),
        score(1, zero + 63, 4), score(1, zero + 64, 5), score(1, zero + 126, 6),
        score(1, zero + 127, 7), score(2, zero + 27, 8),
    ]  # fmt: skip
    dataset = built(tmp_path, scores)
    assert at(dataset, "week_6") == 3
    assert at(dataset, "week_12") == 5
    assert np.isnan(at(dataset, "week_6", 2))
    assert np.isnan(at(dataset, "week_12", 2))


@pytest.mark.parametrize(("tie", "expected"), [("earlier", 2), ("later", 8)])
def test_ties_go_where_the_study_says(tmp_path: Path, tie: str, expected: float) -> None:
    scores = [score(1, 14 + 39, 2), score(1, 14 + 45, 8), score(2, 14 + 40, 3)]
    dataset = built(tmp_path, scores, study(visits=WEEKS, time={"tie": tie}))
    assert at(dataset, "week_6") == expected
    assert at(dataset, "week_6", 2) == 3


def test_scores_of_one_day_are_averaged_and_said(tmp_path: Path) -> None:
    scores = [score(1, 0, 4), score(1, 0, 7), score(1, 56, 1), score(1, 56, 2)]
    dataset = built(tmp_path, scores)
    assert dataset.episodes["baseline_pain"][0] == 5.5
    assert at(dataset, "week_6") == 1.5
    assert any("On 2 days an episode has several scores" in note for note in dataset.notes)


def test_discharge_is_what_is_marked_else_the_last_before_the_end(tmp_path: Path) -> None:
    spec = study(visits=[*WEEKS, DISCHARGE])
    scores = [
        score(1, 70, 3, occasion="discharge"), score(1, 88, 9, occasion="progress"),
        score(2, 79, 2), score(2, 80, 6), score(2, 91, 8),
        score(3, 79, 4),
        score(4, 10, 1, occasion="discharge"),
    ]  # fmt: skip
    dataset = built(tmp_path, scores, spec)
    found = [at(dataset, "discharge", n) for n in FOUR]
    assert found[:2] == [3, 6]
    assert np.isnan(found[2:]).all()
    assert dataset.visits == ("week_6", "week_12")
    assert dataset.visit_rows["visit"].tolist()[:3] == ["week_6", "week_12", "discharge"]


def test_days_before_time_zero_are_no_follow_up_and_windows_move_with_it(tmp_path: Path) -> None:
    scores = [score(1, 70, 3), score(1, 20, 8)]
    spec = study(visits=WEEKS)
    fill = [score(n, 70, 5) for n in (2, 3, 4)]
    records = write_records(
        tmp_path,
        episodes=[episode(n) for n in FOUR],
        **delivered(treated(n, ("exercise", 30)) for n in (1, 2)),
        assessments=[*scores, *fill],
    )
    early, late = build_dataset(records, spec), build_dataset(records, spec, window_days=28)
    assert (at(early, "week_6"), at(late, "week_6")) == (3, 3)
    assert np.isnan(early.episodes["baseline_pain"][0])
    assert late.episodes["baseline_pain"][0] == 8


def test_change_and_improvement_follow_the_instruments_direction(tmp_path: Path) -> None:
    stand = {"id": "stand", "role": "mobility", "instrument": "chair_stand_30s", "margin": 1}
    spec = study(visits=WEEKS, outcomes=[PAIN, stand])
    scores = [
        score(1, 0, 7), score(1, 56, 4),
        score(1, 0, 10, "chair_stand_30s"), score(1, 56, 14, "chair_stand_30s"),
    ]  # fmt: skip
    row = built(tmp_path, scores, spec).long.iloc[0]
    assert (row["pain_change"], row["pain_improvement"]) == (-3, 3)
    assert (row["stand_change"], row["stand_improvement"]) == (4, 4)
    assert (row["exposure"], row["visit"]) == ("exercise", "week_6")


def test_an_outcome_is_seen_only_where_it_is_planned(tmp_path: Path) -> None:
    spec = study(visits=WEEKS, outcomes=[PAIN, {**MOBILITY, "visits": ["week_12"]}])
    scores = [score(1, day, 40, "odi") for day in (0, 56, 98)]
    dataset = built(tmp_path, scores, spec)
    assert np.isnan(at(dataset, "week_6", outcome="mobility"))
    assert at(dataset, "week_12", outcome="mobility") == 40


def answers(number: int, day: int, answer: int, **given: Any) -> list[dict[str, Any]]:
    """Ten answers to the ODI that come to ``20 x answer`` percent."""
    row = {"episode_id": f"e{number:04d}", "day": day, "instrument": "odi", **given}
    return [{**row, "item": item, "answer": answer} for item in range(1, 11)]


def test_items_are_scored_and_never_mixed_with_scores_in_silence(tmp_path: Path) -> None:
    spec = study(visits=[*WEEKS, DISCHARGE], outcomes=[PAIN, MOBILITY])
    items = [
        *answers(1, 0, 2), *answers(1, 56, 1), *answers(2, 88, 3, occasion="discharge"),
        *answers(3, 56, 9), *answers(4, 56, 4)[:3],
    ]  # fmt: skip
    scores = [score(1, 0, 40, "odi"), score(1, 56, 77, "odi"), score(2, 56, 30, "odi")]
    dataset = built(tmp_path, scores, spec, items=items)
    assert dataset.episodes["baseline_mobility"][0] == 40
    assert at(dataset, "week_6", outcome="mobility") == 20
    assert at(dataset, "week_6", 2, "mobility") == 30
    assert at(dataset, "discharge", 2, "mobility") == 60
    assert np.isnan(at(dataset, "week_6", 3, "mobility"))
    assert np.isnan(at(dataset, "week_6", 4, "mobility"))
    said = " ".join(dataset.notes)
    assert "3 of 4 forms were scored from their items" in said
    assert "2 days have both items and a score" in said
    assert "(1 differ by more than 0.5)" in said


def test_items_alone_are_enough(tmp_path: Path) -> None:
    records = write_records(
        tmp_path,
        episodes=[episode(n) for n in FOUR],
        **delivered(treated(n, ("exercise", 30)) for n in (1, 2)),
        items=[row for n in FOUR for day in (0, 56) for row in answers(n, day, 2)],
    )
    spec = study(
        visits=WEEKS, outcomes=[MOBILITY], primary={"outcome": "mobility", "visit": "week_6"}
    )
    assert build_dataset(records, spec).visit_rows["mobility"].tolist()[::2] == [40] * 4


def test_one_scale_of_an_instrument_can_be_an_outcome(tmp_path: Path) -> None:
    burden = {"id": "burden", "role": "other", "instrument": "bpi_sf.interference", "margin": 0.5}
    spec = study(visits=WEEKS, outcomes=[PAIN, burden])
    scores = [score(1, 56, 3, "bpi_sf.interference"), score(1, 57, 9, "bpi_sf.severity")]
    dataset = built(tmp_path, scores, spec)
    assert at(dataset, "week_6", outcome="burden") == 3
    assert dataset.long["burden_improvement"].isna().all()


def test_a_primary_outcome_that_nobody_has_stops_the_study(tmp_path: Path) -> None:
    spec = study(
        visits=WEEKS, outcomes=[PAIN, MOBILITY], primary={"outcome": "mobility", "visit": "week_6"}
    )
    with pytest.raises(NotEstimable, match="none of the 4 analysed episodes has scores of 'odi'"):
        built(tmp_path, [score(1, 0, 5)], spec)


def test_a_secondary_outcome_that_nobody_has_is_said(tmp_path: Path) -> None:
    dataset = built(tmp_path, [], study(visits=WEEKS, outcomes=[PAIN, MOBILITY]))
    assert dataset.visit_rows["mobility"].isna().all()
    assert any("Mobility: no analysed episode has a score of 'odi'" in n for n in dataset.notes)
    flow = dataset.flow.set_index("step")["n_episodes"]
    assert (flow["no_follow_up"], flow["followed"]) == (2, 2)


def test_covariates_come_from_both_tables_with_their_types(tmp_path: Path) -> None:
    patients = [{"patient_id": f"p{n:04d}", "sex": s} for n, s in zip(FOUR, "fmfm", strict=True)]
    for row, word in zip(patients, ("female", "male", "female", ""), strict=True):
        row["sex"] = word
    episodes = [episode(n, leg_pain=n == 1, payer="public" if n < 3 else "") for n in FOUR]
    episodes[3]["leg_pain"] = ""
    spec = study(visits=WEEKS, model={"covariates": ["age", "sex", "bmi", "clinic_id"]})
    frame = built(tmp_path, [], spec, episodes=episodes, patients=patients).episodes
    assert frame["sex"].tolist()[:3] == ["female", "male", "female"]
    assert pd.isna(frame["sex"][3])
    assert frame["payer"].isna().tolist() == [False, False, True, True]
    assert str(frame["leg_pain"].dtype) == "boolean"
    assert pd.isna(frame["leg_pain"][3])
    assert str(frame["clinic_id"].dtype) == str(frame["provider_id"].dtype) == "Int64"
    assert frame["bmi"].isna().all()


def test_a_covariate_that_is_not_recorded_is_said_or_stops(tmp_path: Path) -> None:
    dataset = built(tmp_path, [], study(visits=WEEKS, model={"covariates": ["age", "bmi"]}))
    assert any("Not adjusted for" in note and "'bmi'" in note for note in dataset.notes)
    dropping = {"covariates": ["age", "bmi"], "covariate_missing": "drop"}
    with pytest.raises(SpecError, match="would leave nobody"):
        built(tmp_path / "b", [], study(visits=WEEKS, model=dropping))


def test_every_episode_has_one_row_a_visit_in_order(tmp_path: Path) -> None:
    dataset = built(tmp_path, [score(n, 0, 5) for n in FOUR])
    assert dataset.episodes["episode_id"].tolist() == [1, 2, 3, 4]
    assert len(dataset.long) == len(dataset.visit_rows) == 8
    assert dataset.long["episode_id"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    assert list(dataset.flow.columns) == [
        "order", "step", "kind", "label", "n_episodes", "n_patients",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: {"visit_rows": d.visit_rows.iloc[1:]}, "do not make one row each"),
        (lambda d: {"visit_rows": d.visit_rows.assign(visit="week_6")}, "one row each"),
        (lambda d: {"episodes": d.episodes.iloc[[0, 0, 1, 2]]}, "more than one row"),
        (lambda d: {"exposures": ("exercise", "x")}, "another exposure"),
    ],
)
def test_a_dataset_that_breaks_its_contract_is_a_bug(
    tmp_path: Path, change: Any, words: str
) -> None:
    dataset = built(tmp_path, [])
    with pytest.raises(OutcomesError, match=words) as caught:
        check_dataset(dataclasses.replace(dataset, **change(dataset)))
    assert caught.value.exit_code is ExitCode.BUG


def test_the_order_of_rows_in_the_files_changes_nothing(tmp_path: Path) -> None:
    scores = [score(n, day, (3 * n + day) % 10) for n in FOUR for day in (0, 7, 50, 56, 90)]
    first = built(tmp_path / "a", scores)
    other = built(tmp_path / "b", scores[::-1], episodes=[episode(n) for n in reversed(FOUR)])
    pd.testing.assert_frame_equal(first.long, other.long)
    pd.testing.assert_frame_equal(first.flow, other.flow)
