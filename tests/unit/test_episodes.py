"""Eligibility and the flow: who is left out, for which reason, and that everybody is counted."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from outcomes.study.dataset import StudyDataset, build_dataset
from tests.unit.study_records import delivered, episode, score, study, treated, write_records

TREATED = range(1, 4)


def built(folder: Path, episodes: list[dict[str, Any]], **given: Any) -> StudyDataset:
    """Episodes 1-3 had exercise, everybody has a pain score at both times."""
    tables = {"episodes": episodes, **delivered(treated(n, ("exercise", 30)) for n in TREATED)}
    ids = {int(str(row["episode_id"])[1:]) for row in episodes}
    tables["assessments"] = [score(n, day, 5) for n in sorted(ids) for day in (0, 56)]
    tables |= given.pop("tables", {})
    return build_dataset(write_records(folder, **tables), study(**given))


def counts(dataset: StudyDataset) -> dict[str, tuple[int, int]]:
    table = dataset.flow
    pairs = zip(table["n_episodes"], table["n_patients"], strict=True)
    return dict(zip(table["step"], pairs, strict=True))


def test_the_first_rule_that_fails_is_the_reason_and_all_add_up(tmp_path: Path) -> None:
    episodes = [episode(n, red_flags=False) for n in range(1, 7)]
    episodes += [
        episode(10, body_region=""),
        episode(11, body_region="unknown", age=10),
        episode(12, body_region="neck", red_flags=True),
        episode(13, age=17),
        episode(14, age=71),
        episode(15, red_flags=True),
        episode(16, chronicity="acute"),
        episode(17, chronicity=""),
        episode(18, age="", red_flags="", chronicity="chronic"),
    ]
    for row in episodes[:6] + episodes[9:12]:
        row.setdefault("chronicity", "chronic")
    dataset = built(
        tmp_path, episodes, population={"max_age": 70, "chronicity": ["chronic", "subacute"]}
    )
    flow = dataset.flow
    assert flow["step"].tolist() == [
        "records", "region_missing", "region", "young", "old", "chronicity", "red_flag", "eligible",
        "ended_exercise", "ended_usual_care", "ended_other", "unclassified", "analysed",
        "no_follow_up", "followed",
    ]  # fmt: skip
    assert flow["n_episodes"].tolist() == [15, 2, 1, 1, 1, 2, 1, 7, 0, 0, 0, 0, 7, 0, 7]
    assert flow["order"].tolist() == list(range(15))
    assert dataset.episodes["episode_id"].tolist() == [1, 2, 3, 4, 5, 6, 15]
    assert "The age of 1 eligible episodes is not recorded; they were kept." in dataset.notes
    assert any("Red flags at intake are not recorded for 1" in note for note in dataset.notes)


def test_reasons_add_up_between_the_boxes(tmp_path: Path) -> None:
    episodes = [episode(n) for n in range(1, 9)]
    episodes[6] |= {"body_region": "neck"}
    episodes[7] |= {"end_day": 5}
    table = built(tmp_path, episodes).flow
    box = (table["kind"] == "kept").cumsum()
    kept = table.loc[table["kind"] == "kept", "n_episodes"].tolist()
    left = table.loc[table["kind"] == "left_out"].groupby(box)["n_episodes"].sum()
    assert [a - b for a, b in pairwise(kept)] == left.tolist()


def test_who_was_gone_before_time_zero_is_counted_by_type(tmp_path: Path) -> None:
    episodes = [episode(n) for n in range(1, 8)]
    episodes += [
        episode(8, end_day=13),
        episode(9, end_day=14),
        episode(10, end_day="", followed_to_day=2),
        episode(11, end_day="", followed_to_day=""),
        episode(12, end_day=90, followed_to_day=2),
    ]
    tables = delivered(
        [treated(n, ("exercise", 30)) for n in (*TREATED, 8)]
        + [treated(10, ("manual.massage", 30), day=0)]
    )
    dataset = built(tmp_path, episodes, tables=tables)
    assert dataset.episodes["episode_id"].tolist() == [1, 2, 3, 4, 5, 6, 7, 9, 11, 12]
    found = counts(dataset)
    assert found["ended_exercise"] == (1, 1)
    assert found["ended_usual_care"] == (0, 0)
    assert found["ended_other"] == (1, 1)
    label = dataset.flow.set_index("step").loc["ended_exercise", "label"]
    assert label == "Ended before day 14: exercise"


def test_a_second_episode_is_another_episode(tmp_path: Path) -> None:
    episodes = [episode(n) for n in range(1, 7)]
    episodes[5] |= {"patient_id": "p0001", "patient_day": 400}
    dataset = built(tmp_path, episodes)
    found = counts(dataset)
    assert found["records"] == found["analysed"] == (6, 5)
    assert len(dataset.episodes) == 6


def test_the_first_eligible_episode_of_a_patient_can_be_taken_alone(tmp_path: Path) -> None:
    episodes = [episode(n) for n in range(1, 8)]
    episodes[3] |= {"patient_id": "p0001", "red_flags": True}
    episodes[0] |= {"patient_day": 400}
    episodes[5] |= {"patient_id": "p0002", "patient_day": 400}
    episodes[6] |= {"patient_id": "p0003"}
    episodes[2] |= {"patient_day": 400}
    dataset = built(tmp_path, episodes, population={"episodes": "first"})
    found = counts(dataset)
    assert found["records"] == (7, 4)
    assert found["red_flag"] == (1, 1)  # an episode that is left out is nobody's first
    assert found["later_episode"] == (2, 2)
    assert dataset.episodes["episode_id"].tolist() == [1, 2, 5, 7]


def test_without_a_clock_the_episode_whose_id_comes_first_is_taken(tmp_path: Path) -> None:
    episodes = [episode(n, patient_day=None) for n in range(1, 7)]
    for row in episodes:
        del row["patient_day"]
    episodes[5]["patient_id"] = "p0001"
    dataset = built(tmp_path, episodes, population={"episodes": "first"})
    assert counts(dataset)["later_episode"] == (1, 1)
    assert any("id comes first" in note for note in dataset.notes)


def test_rows_that_intake_set_aside_are_in_the_flow(tmp_path: Path) -> None:
    episodes = [episode(n) for n in range(1, 7)] + [episode(7, end_day=-3), episode(1)]
    dataset = built(tmp_path, episodes)
    flow = dataset.flow.set_index("step")
    assert flow.loc["set_aside", "n_episodes"] == 2
    assert pd.isna(flow.loc["set_aside", "n_patients"])
    assert flow.loc["records", ["n_episodes", "label"]].tolist() == [
        8, "episodes of care in the records, rows set aside included",
    ]  # fmt: skip
    assert flow.loc["eligible", "n_episodes"] == 6


def test_a_rule_that_the_records_cannot_answer_is_said(tmp_path: Path) -> None:
    episodes = [episode(n) for n in range(1, 7)]
    for row in episodes:
        del row["body_region"]
    dataset = built(tmp_path, episodes, population={"programs": ["back school"]})
    assert len(dataset.episodes) == 6
    said = " ".join(dataset.notes)
    for column in ("body_region", "red_flags", "program"):
        assert f"The records hold no 'episodes.{column}'" in said


def test_programs_and_age_bands_make_eligible_too(tmp_path: Path) -> None:
    episodes = [episode(n, program="a") for n in range(1, 9)]
    episodes[6]["program"], episodes[7]["program"] = "b", ""
    for row in episodes:
        del row["age"]
    bands = ["45-54"] * 5 + ["0-17"] + ["45-54"] * 2
    patients = [{"patient_id": f"p{n:04d}", "age_band": b} for n, b in enumerate(bands, start=1)]
    dataset = built(
        tmp_path, episodes, tables={"patients": patients}, population={"programs": ["a"]}
    )
    found = counts(dataset)
    assert (found["young"], found["program"]) == ((1, 1), (2, 2))
    assert dataset.episodes["episode_id"].tolist() == [1, 2, 3, 4, 5]
