"""The published trial through its mapping: who is in it, and the faults its file really has.

The data are not part of this repository; ``OUTCOMES_TRIAL_DATA`` says where they are (the CSV or
its folder).
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from outcomes.core.problems import Problem
from outcomes.records import Records, read_records
from outcomes.records.mapping import read_mapping

NAME = "Ashar2022_outcomes_demographics.csv"
MAPPING = Path(__file__).parents[2] / "analyses" / "chronic-back-pain-trial" / "mapping.toml"
SCORES = {
    "pain_avg": "nprs", "odi": "odi", "bpi_intensity": "bpi_sf.severity",
    "bpi_interference": "bpi_sf.interference", "pcs": "pcs", "tsk11": "tsk_11",
}  # fmt: skip


@pytest.fixture(scope="module")
def raw(trial_csv: Path) -> pd.DataFrame:
    """The patients of the file, read another way."""
    frame = pd.read_csv(trial_csv, na_values=["<undefined>", "NaN"])
    return frame[frame["is_patient"] == 1]


@pytest.fixture(scope="module")
def records(trial_csv: Path) -> Records:
    """The trial through its mapping."""
    return read_records(trial_csv, MAPPING)


def one(records: Records, rule: str, table: str, words: str = "") -> Problem:
    """The only problem of a rule and table whose message holds some words."""
    (problem,) = [
        problem
        for problem in records.problems
        if (problem.rule, problem.table) == (rule, table) and words in problem.message
    ]
    return problem


def test_the_mapping_can_be_read_where_the_data_are_not() -> None:
    plan = read_mapping(MAPPING)
    assert {table.table for table in plan.tables} == {"patients", "episodes", "assessments"}
    assert all(table.source == NAME for table in plan.tables)


def test_those_randomised_are_there_in_their_arms(records: Records, raw: pd.DataFrame) -> None:
    assert records.n_rows["episodes"] == records.n_rows["patients"] == 151
    arms = records.frame("SELECT program, count(*) AS n FROM episodes GROUP BY 1 ORDER BY 1")
    assert dict(zip(arms["program"], arms["n"], strict=True)) == {
        "placebo": 51, "prt": 50, "usual_care": 50,
    }  # fmt: skip
    people = raw[(raw["time"] == 1) & raw["group"].notna()]
    held = records.frame("SELECT age, pain_duration_months FROM episodes")
    assert held["age"].sum() == people["age"].sum()
    assert held["pain_duration_months"].sum() == pytest.approx(12 * people["backpain_length"].sum())


@pytest.mark.parametrize(("column", "name"), SCORES.items())
@pytest.mark.parametrize(("time", "day"), [(1, 0), (2, 28)])
def test_every_score_is_where_it_was(
    column: str, name: str, time: int, day: int, records: Records, raw: pd.DataFrame
) -> None:
    held = records.frame(
        "SELECT k.source AS id, a.score FROM assessments AS a "
        "JOIN key_episode_id AS k ON a.episode_id = k.id "
        f"WHERE instrument = '{name}' AND day = {day}"
    )
    wanted = raw[(raw["time"] == time) & raw["group"].notna()]
    expected = dict(zip(wanted["id"].astype(str), wanted[column], strict=True))
    assert len(held) == len(expected) == (151 if time == 1 else 135)
    assert dict(zip(held["id"], held["score"], strict=True)) == pytest.approx(expected)


def test_change_as_felt_is_turned_to_the_catalog_s_direction(records: Records) -> None:
    means = records.frame(
        "SELECT program, avg(score) AS felt FROM assessments JOIN episodes USING (episode_id) "
        "WHERE instrument = 'pgic' GROUP BY program ORDER BY felt"
    )
    assert means["program"].tolist() == ["prt", "placebo", "usual_care"]


def test_controls_are_left_out_and_counted(records: Records) -> None:
    for table in ("patients", "episodes", "assessments"):
        assert one(records, "filtered", table, "'is_patient'").count == 54


def test_the_patient_without_a_group_is_set_aside(records: Records) -> None:
    problem = one(records, "missing_value", "episodes")
    assert (problem.severity, problem.column, problem.rows) == ("error", "program", (211,))
    assert records.n_quarantined["episodes"] == 1
    assert one(records, "parent_set_aside", "assessments").rows == (211,)


def test_texts_for_nothing_are_named(records: Records) -> None:
    problem = one(records, "missing_text", Path(NAME).stem)
    assert "'<undefined>' or 'nan'" in problem.message
    assert "32 columns" in problem.message
    assert problem.count == 216


def test_what_was_asked_at_one_time_only_is_named(records: Records) -> None:
    assert "'pgic'" in one(records, "one_time", "assessments").message


def test_people_without_a_second_row_are_counted(records: Records, raw: pd.DataFrame) -> None:
    rows = raw[raw["group"].notna()].groupby("id").size()
    assert one(records, "one_assessment", "episodes").count == (rows == 1).sum() == 16


def test_nothing_else_is_wrong(records: Records) -> None:
    assert {problem.rule for problem in records.problems} == {
        "filtered", "missing_value", "parent_set_aside", "missing_text", "one_time",
        "one_assessment",
    }  # fmt: skip


def test_the_folder_stands_for_its_file(trial_csv: Path, records: Records) -> None:
    assert read_records(trial_csv.parent, MAPPING).n_rows == records.n_rows
