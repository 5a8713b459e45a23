"""Scores that no visit takes: when they are told, on which days, and in the notes of a dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from outcomes.study.dataset import build_dataset
from outcomes.study.unplaced import find_unplaced
from tests.unit.study_records import delivered, episode, score, study, treated, write_records


def test_the_fewest_weeks_that_hold_most_are_named() -> None:
    days = {0: 100, 16: 10, 37: 14, 38: 15, 41: 12, 50: 60, 300: 9}
    found = find_unplaced(days, study(), 14)
    assert found is not None
    assert (found.n, found.n_after) == (60, 120)
    assert (found.first_day, found.last_day) == (35, 41)


@pytest.mark.parametrize(
    ("days", "told"),
    [({40: 15, 50: 85}, True), ({40: 15, 50: 135}, False), ({40: 12}, False), ({}, False),
     ({3: 90, 50: 10}, False)],
)  # fmt: skip
def test_they_are_told_only_where_they_are_many(days: dict[int, int], told: bool) -> None:
    assert (find_unplaced(days, study(), 14) is not None) == told


def test_the_threshold_of_the_study_counts() -> None:
    open_data = {"disclosure": {"profile": "internal", "threshold": 3}}
    assert find_unplaced({40: 12}, study(**open_data), 14) is not None


def test_the_days_hold_as_many_as_may_be_told() -> None:
    found = find_unplaced({20: 8, 27: 8}, study(), 14)
    assert found is not None
    assert (found.first_day, found.last_day) == (14, 27)


def test_a_dataset_notes_it(tmp_path: Path) -> None:
    people = [episode(k) for k in range(40)]
    care = delivered([treated(k, ("exercise.strength", 30)) for k in range(0, 40, 2)])
    scores = [score(k, day, 5) for k in range(40) for day in (0, 40 if k < 20 else 56)]
    records = write_records(tmp_path, episodes=people, assessments=scores, **care)
    notes = build_dataset(records, study()).notes
    assert [note for note in notes if "20 of 40 scores after time zero lie in no" in note]
