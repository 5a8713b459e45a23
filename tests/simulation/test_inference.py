"""A short version of :mod:`tests.simulation.inference`."""

import pytest

from tests.simulation.inference import Design, one_trial, run

pytestmark = pytest.mark.slow


def test_small_trials_keep_their_level_and_clinics_need_to_be_told():
    people = run([Design(first=10, second=10, dropout=True)], studies=150, workers=1).iloc[0]
    assert people["not fitted"] == 0
    for method in ("kenward-roger", "CR2"):
        assert people[method] < 5 + 2.5 * 1.8
    assert people["kenward-roger, all visits"] < people["satterthwaite, all visits"]
    assert people["CR3"] <= people["CR2"] <= people["CR0"]
    clinics = run([Design(first=6, second=6, dropout=True, size=12)], 150, 1).iloc[0]
    assert clinics["satterthwaite"] > 10
    for method in ("CR2", "jackknife"):
        assert clinics[method] < 5 + 2.5 * 1.8


def test_a_seed_gives_the_same_trial():
    design = Design(first=10, second=30, dropout=True)
    assert one_trial(design, 3) == one_trial(design, 3)
    assert one_trial(design, 3) != one_trial(design, 4)
