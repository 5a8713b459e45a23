"""Impossible values: those that only describe cost their cell, the others their row."""

from __future__ import annotations

from pathlib import Path

import pytest

from outcomes.records import read_records
from tests.records_example import ASSESSED_ROWS, write_example

EPISODES = "episode_id,patient_id,body_region,bmi,age,leg_pain,start_month,end_day\n"
RIGHT = "E1,P1,low_back,24,40,yes,2024-01,80\nE2,P2,low_back,25,41,no,2024-02,75\n"
AFTER = "E3,P3,neck,26,42,no,2024-03,90\nE4,P1,neck,27,43,no,2024-04,90\n"


@pytest.mark.parametrize(
    ("column", "at_fault", "rule"),
    [
        ("bmi", "E2,P2,low_back,270,41,no,2024-02,75", "range"),
        ("bmi", "E2,P2,low_back,slim,41,no,2024-02,75", "type"),
        ("leg_pain", "E2,P2,low_back,25,41,perhaps,2024-02,75", "type"),
        ("start_month", "E2,P2,low_back,25,41,no,May,75", "type"),
    ],
)
def test_an_impossible_value_that_only_describes_costs_its_cell_alone(
    column: str, at_fault: str, rule: str, tmp_path: Path
) -> None:
    rows = RIGHT.splitlines()[0] + f"\n{at_fault}\n" + AFTER
    records = read_records(write_example(tmp_path, {"episodes.csv": EPISODES + rows}))
    (problem,) = records.problems
    assert (problem.severity, problem.rule, problem.column) == ("error", rule, column)
    assert (problem.count, problem.rows) == (1, (2,))
    assert problem.remedy.endswith("The cells are read as empty, and the rows kept.")
    assert records.frame("episodes")[column].isna().sum() == 1
    assert not any(records.n_quarantined.values())
    assert records.n_rows["assessments"] == ASSESSED_ROWS


def test_an_impossible_birth_year_leaves_the_person(tmp_path: Path) -> None:
    people = "patient_id,sex,birth_year\nP1,female,1960\nP2,male,19\nP3,female,1970\n"
    records = read_records(write_example(tmp_path, {"patients.csv": people}))
    assert records.frame("patients")["sex"].tolist() == ["female", "male", "female"]
    assert [problem.rule for problem in records.problems] == ["range"]


def test_an_impossible_day_on_the_clock_still_costs_the_episode(tmp_path: Path) -> None:
    rows = RIGHT.replace(",80", ",99999") + AFTER
    records = read_records(write_example(tmp_path, {"episodes.csv": EPISODES + rows}))
    assert records.n_quarantined["episodes"] == 1
    (problem,) = [one for one in records.problems if one.rule == "range"]
    assert problem.remedy.endswith("The rows are set aside.")


def test_an_impossible_age_may_decide_who_is_studied_and_costs_the_episode(tmp_path: Path) -> None:
    rows = RIGHT.replace(",25,41,", ",25,410,") + AFTER
    records = read_records(write_example(tmp_path, {"episodes.csv": EPISODES + rows}))
    assert records.n_quarantined["episodes"] == 1
    assert len(records.frame("episodes")) == 3


@pytest.mark.parametrize("written", ["270", "slim"])
def test_a_column_that_the_mapping_requires_still_costs_the_episode(
    written: str, tmp_path: Path
) -> None:
    rows = RIGHT.replace(",24,", f",{written},") + AFTER
    folder = write_example(tmp_path / "records", {"episodes.csv": EPISODES + rows})
    (tmp_path / "mapping.toml").write_text(
        'pseudonymous = ["episode_id", "patient_id"]\n'
        '[[tables]]\nsource = "episodes.csv"\ntable = "episodes"\n'
        'columns.bmi = { from = "bmi", required = true }\n'
    )
    records = read_records(folder, tmp_path / "mapping.toml")
    assert records.n_quarantined["episodes"] == 1
