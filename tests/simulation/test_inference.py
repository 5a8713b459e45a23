"""The stored counts of :mod:`tests.simulation.inference`: whole, of this code, and as promised."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest

from docs.levels import TABLES, monte_carlo_error, results, targets
from tests.simulation.inference import DEAR_STUDIES, FIRST, _inferences, _p_value, name, one_trial
from tests.simulation.trials import SHAPES, Design, designs, draw

pytestmark = pytest.mark.slow

ROWS = results()["rows"]
COUNTS = [count for row in ROWS for tests in row["tests"].values() for count in tests.values()]


def test_every_row_has_its_trials_and_every_test_its_answers():
    assert [{key: row[key] for key in ("table", "groups", "dropout")} for row in ROWS] == [
        name(design) for design in designs()
    ]
    assert {row["studies"] for row in ROWS} == {2000}
    assert min(row["fitted"] for row in ROWS) >= 1999
    for row in ROWS:
        methods = {"kenward-roger", "satterthwaite", "CR0", "CR2", "CR3", "jackknife"}
        for tests in row["tests"].values():
            assert methods <= tests.keys()
            assert {tests[method]["asked"] for method in methods - {"jackknife"}} == {2000}
            assert tests["jackknife"]["asked"] >= DEAR_STUDIES
            assert all(test["answered"] >= 0.99 * test["asked"] for test in tests.values())


def test_every_percentage_follows_from_its_count():
    for count in COUNTS:
        significant, answered = count["significant"], count["answered"]
        assert count["percent"] == pytest.approx(100 * significant / answered, abs=1e-3)
        assert count["error"] == pytest.approx(monte_carlo_error(significant, answered), abs=1e-3)


@pytest.mark.parametrize("table", SHAPES)
def test_the_counts_are_of_this_code(table):
    for design, row in zip(designs(), ROWS, strict=True):
        if design.table != table:
            continue
        for seed in range(1, FIRST + 1):
            found = one_trial(design, seed)
            stored = {
                (question, method): values[seed - 1]
                for question, methods in row["first_p_values"].items()
                for method, values in methods.items()
                if values[seed - 1] is not None
            }
            assert found == pytest.approx(stored, rel=1e-6)


def test_what_is_promised_was_reached():
    assert [target.says for target in targets(ROWS) if target.room < 0] == []


def test_a_test_that_finds_too_much_would_be_seen():
    rows = deepcopy(ROWS)
    for row in rows:
        if row["table"] == "people" and row["groups"] == [20, 20]:
            row["tests"]["one"]["kenward-roger"].update(significant=145, percent=7.25, error=0.58)
    missed = [target for target in targets(rows) if target.room < 0]
    assert len(missed) == 2
    assert all("people, 20 and 20" in target.worst for target in missed)


def test_clinics_need_to_be_told():
    for row in ROWS:
        if row["table"] == "clinics":
            tests = row["tests"]["one"]
            assert tests["kenward-roger"]["percent"] > 15
            for method in ("CR2", "CR3", "jackknife"):
                assert tests[method]["percent"] < tests["kenward-roger"]["percent"] / 2


@pytest.mark.parametrize("dropout", [False, True])
def test_an_interval_holds_what_is_planted_as_often_as_nothing(dropout):
    design = Design("people", (10, 30), dropout)
    shape, trial, planted = design.shape, draw(design, 5), 0.8
    shifted = replace(trial, y=trial.y + planted * trial.z[:, [1]])
    row = shape.row(1, 3)[None]
    before = dict(_inferences(shape, trial, jackknife_too=True))
    after = dict(_inferences(shape, shifted, jackknife_too=True))
    for method in before:
        expected = _p_value(before[method], row, 0.0)
        assert _p_value(after[method], row, planted) == pytest.approx(expected, rel=1e-6)


def test_a_seed_gives_the_same_trial():
    design = Design("people", (10, 30), dropout=True)
    np.testing.assert_array_equal(draw(design, 3).y, draw(design, 3).y)
    assert not np.array_equal(draw(design, 3).z, draw(design, 4).z)
    other = replace(design, dropout=False)
    assert not np.array_equal(draw(design, 3).z, draw(other, 3).z)


def test_every_table_asks_what_was_counted():
    for shown in TABLES.values():
        rows = [row for row in ROWS if row["table"] == shown.trials]
        assert rows
        assert all(shown.question in row["tests"] for row in rows)
