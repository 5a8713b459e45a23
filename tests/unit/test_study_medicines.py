"""Daily dose and any opioid at time zero and at visits, and what is not known.

Oxycodone 10 mg, 2 a day, is 30 MME a day (factor 1.5).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outcomes.study.dataset import StudyDataset, build_dataset
from tests.unit.study_records import (
    MEDICATION,
    PAIN,
    delivered,
    episode,
    score,
    study,
    treated,
    write_records,
)

pytestmark = pytest.mark.slow

FOUR = range(1, 5)
VISITS = [
    {"label": "week_6", "day": 42, "from_day": 28, "to_day": 63},
    {"label": "discharge", "event": "discharge"},
]


def fill(patient: int, day: int, days: int = 7, **given: Any) -> dict[str, Any]:
    """Two oxycodone 10 mg a day."""
    return {
        "patient_id": f"p{patient:04d}",
        "day": day,
        "drug": "oxycodone",
        "route": "oral",
        "strength": 10,
        "unit": "mg",
        "quantity": 2 * days,
        "days_supply": days,
        **given,
    }


def built(
    folder: Path,
    medications: list[dict[str, Any]] | None,
    *,
    episodes: list[dict[str, Any]] | None = None,
    **given: Any,
) -> StudyDataset:
    """Two of exercise, two of usual care, followed for a year unless said otherwise."""
    tables = {} if medications is None else {"medications": medications}
    records = write_records(
        folder,
        episodes=episodes or [episode(n, followed_to_day=365) for n in FOUR],
        **delivered(treated(n, ("exercise", 30)) for n in (1, 2)),
        assessments=[score(n, 56, 5) for n in FOUR],
        **tables,
    )
    return build_dataset(records, study(visits=VISITS, outcomes=[PAIN, MEDICATION], **given))


def at(dataset: StudyDataset, number: int, visit: str, column: str = "medication") -> float:
    rows = dataset.visit_rows.set_index(["episode_id", "visit"])
    return float(rows.loc[(number, visit), column])


def test_means_run_over_the_days_up_to_time_zero_and_to_the_visit(tmp_path: Path) -> None:
    """Windows of 28 days: -13..14, 29..56, and 63..90 at discharge."""
    medications = [
        fill(1, -20, 14), fill(1, 50, 14), fill(2, -14, 1), fill(3, 15, 14), fill(4, 57, 6),
    ]  # fmt: skip
    dataset = built(tmp_path, medications)
    frame = dataset.episodes
    assert frame["baseline_medication"].tolist() == pytest.approx([30 * 7 / 28, 0, 0, 0])
    assert frame["baseline_any_opioid"].tolist() == [True, False, False, False]
    assert at(dataset, 1, "week_6") == pytest.approx(30 * 7 / 28)
    assert at(dataset, 1, "discharge") == pytest.approx(30 * 1 / 28)
    assert [at(dataset, n, "week_6") for n in (2, 3, 4)] == [0, 0, 0]
    assert [at(dataset, n, "week_6", "any_opioid") for n in FOUR] == [1, 0, 0, 0]
    assert [at(dataset, n, "discharge", "any_opioid") for n in FOUR] == [1, 0, 0, 0]
    row = dataset.long.set_index(["episode_id", "visit"]).loc[(1, "discharge")]
    assert row["medication_improvement"] == pytest.approx(30 * 6 / 28)


def test_days_are_the_patients_own(tmp_path: Path) -> None:
    """The second episode of patient 1 starts on day 500 of the patient's clock."""
    episodes = [episode(n, followed_to_day=365) for n in FOUR]
    episodes[1] |= {"patient_id": "p0001", "patient_day": 500}
    dataset = built(tmp_path, [fill(1, 508)], episodes=episodes)
    assert dataset.episodes["baseline_medication"][:2].tolist() == pytest.approx([0, 7.5])


def test_without_a_record_unknown_is_not_zero(tmp_path: Path) -> None:
    """Known to time zero only; not at all; to the end of care; without a patient's clock."""
    episodes = [
        episode(1, followed_to_day=20),
        episode(2, followed_to_day=5),
        episode(3, followed_to_day=""),
        episode(4, followed_to_day=365, patient_day=""),
    ]
    dataset = built(tmp_path, [fill(1, 0)], episodes=episodes)
    assert dataset.episodes["baseline_medication"].isna().tolist() == [False, True, False, True]
    assert dataset.episodes["baseline_any_opioid"].isna().tolist() == [False, True, False, True]
    assert [at(dataset, n, "week_6") for n in FOUR] == pytest.approx(
        [np.nan, np.nan, 0, np.nan], nan_ok=True
    )
    assert at(dataset, 3, "week_6", "any_opioid") == 0
    assert any("not known for 2 of 4 episodes" in note for note in dataset.notes)


def test_declared_coverage_takes_nothing_for_granted(tmp_path: Path) -> None:
    episodes = [episode(n, followed_to_day=365 if n == 1 else "") for n in FOUR]
    dataset = built(tmp_path, [fill(1, 0)], episodes=episodes, medication={"coverage": "declared"})
    assert dataset.episodes["baseline_medication"].isna().tolist() == [False, True, True, True]


def test_prescriptions_do_not_make_a_patient_known_for_longer(tmp_path: Path) -> None:
    """Nothing but a prescription is dated after day 56 in an episode that has no end."""
    episodes = [episode(n, end_day="") for n in FOUR]
    visits = [{"label": "week_12", "day": 84, "from_day": 64, "to_day": 126}, *VISITS]
    primary = {"outcome": "pain", "visit": "week_6"}
    records = write_records(
        tmp_path,
        episodes=episodes,
        **delivered(treated(n, ("exercise", 30)) for n in (1, 2)),
        assessments=[score(n, 56, 5) for n in FOUR],
        medications=[fill(1, 90), fill(1, 100)],
    )
    spec = study(visits=visits, outcomes=[PAIN, MEDICATION], primary=primary)
    dataset = build_dataset(records, spec)
    assert at(dataset, 1, "week_6") == 0
    assert np.isnan(at(dataset, 1, "week_12"))
    assert np.isnan(at(dataset, 1, "discharge"))


def test_agonist_treatment_and_doses_that_cannot_be_had(tmp_path: Path) -> None:
    medications = [
        fill(1, 5, drug="buprenorphine", route="sublingual"),
        fill(2, 5, strength=""),
        fill(3, 5, drug="ibuprofen", strength=400),
        fill(4, 5, drug="hocus_pocus"),
    ]
    dataset = built(tmp_path, medications)
    assert dataset.episodes["baseline_medication"].tolist() == pytest.approx(
        [0, np.nan, 0, 0], nan_ok=True
    )
    assert dataset.episodes["baseline_any_opioid"].tolist() == [True, True, False, False]
    notes = "\n".join(dataset.notes)
    assert "1 records of opioids give no dose" in notes
    assert "1 records name no medicine of the catalog" in notes
    assert "time zero: the dose is not known of 1 of 2 episodes with an opioid." in notes


def test_a_lost_length_of_supply_is_a_dose_not_known_and_no_stop(tmp_path: Path) -> None:
    """Window of week 6: days 29..56 of the patient's clock."""
    medications = [
        fill(1, 0), fill(1, 40, days_supply=""), fill(2, 0), fill(2, 40), fill(2, 45, strength=""),
    ]  # fmt: skip
    dataset = built(tmp_path, medications)
    assert dataset.episodes["baseline_medication"].tolist() == [7.5, 7.5, 0, 0]
    assert [at(dataset, n, "week_6") for n in FOUR] == pytest.approx(
        [np.nan, np.nan, 0, 0], nan_ok=True
    )
    assert [at(dataset, n, "week_6", "any_opioid") for n in FOUR] == [1, 1, 0, 0]


def test_use_is_on_the_days_of_the_dose(tmp_path: Path) -> None:
    """28 days' supply on day 5 and day 7: carried to day 14 and on to 41, not over on day 34."""
    visits = [{"label": "week_6", "day": 42, "from_day": 28, "to_day": 63}]
    short = [{**MEDICATION, "window_days": 20}]
    records = write_records(
        tmp_path,
        episodes=[episode(n, followed_to_day=365) for n in FOUR],
        **delivered(treated(n, ("exercise", 30)) for n in (1, 2)),
        assessments=[score(n, 56, 5) for n in FOUR],
        medications=[fill(1, 5, 28), fill(1, 7, 28)],
    )
    dataset = build_dataset(records, study(visits=visits, outcomes=[PAIN, *short]))
    assert at(dataset, 1, "week_6") == pytest.approx(30 * 5 / 20)
    assert at(dataset, 1, "week_6", "any_opioid") == 1


def test_without_medications_the_study_goes_on(tmp_path: Path) -> None:
    dataset = built(tmp_path, None)
    assert dataset.episodes["baseline_medication"].isna().all()
    assert dataset.visit_rows[["medication", "any_opioid"]].isna().all(axis=None)
    assert any("no table 'medications'" in note for note in dataset.notes)


def test_one_episode_a_patient_starts_the_patients_clock(tmp_path: Path) -> None:
    episodes = [episode(n, followed_to_day=365) for n in FOUR]
    for row in episodes:
        del row["patient_day"]
    episodes[3]["patient_id"] = "p0003"
    dataset = built(tmp_path, [fill(1, 8)], episodes=episodes)
    assert dataset.episodes["baseline_medication"].tolist() == pytest.approx(
        [7.5, 0, np.nan, np.nan], nan_ok=True
    )
    assert dataset.episodes["patient_day"].isna().tolist() == [False, False, True, True]
