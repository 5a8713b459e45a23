"""Both engines lay the same rows out, and hand the kernel what it asks for."""

import duckdb
import numpy as np
import pandas as pd
import pytest

from outcomes.engines import duckdb as duckdb_engine
from outcomes.engines import frame as frame_engine
from outcomes.stats.moments import Layout, accumulate

ENGINES = pytest.mark.parametrize("engine", [frame_engine, duckdb_engine])
LAYOUT = Layout(
    columns=("1", 'odd "name', "x=missing"),
    visits=("week_6", "it's"),
    shift=np.array([0.0, 4.0, 0.0, 2.0, 2.0]),
    scale=np.array([1.0, 2.0, 1.0, 0.5, 0.5]),
    groups=("a", "b"),
)
SUBJECTS = pd.DataFrame(
    {
        "episode_id": [30, 10, 20],
        "_group": [1, 0, 0],
        "1": [1.0, 1.0, 1.0],
        'odd "name': [3.0, 5.0, 4.0],
        "x=missing": [0.0, 0.0, 1.0],
    }
)
VISIT_ROWS = pd.DataFrame(
    {
        "episode_id": [10, 10, 30, 20, 99],
        "visit": ["it's", "week_6", "week_6", "elsewhere", "week_6"],
        "pain": [2.0, np.nan, 3.5, 9.0, 9.0],
    }
)


@ENGINES
def test_rows_meet_their_visits(engine):
    found = engine.sum_moments(LAYOUT, SUBJECTS, VISIT_ROWS, response="pain")
    z = SUBJECTS[list(LAYOUT.columns)].to_numpy()
    y = np.array([[3.5, np.nan], [np.nan, 2.0], [np.nan, np.nan]])
    by_hand = accumulate(LAYOUT, z, y, group=[1, 0, 0])
    assert found.n_subjects == 2
    np.testing.assert_array_equal(found.group, by_hand.group)
    np.testing.assert_array_equal(found.pattern, by_hand.pattern)
    np.testing.assert_allclose(found.products, by_hand.products, atol=1e-12)


@ENGINES
def test_nobody_gives_empty_moments(engine):
    found = engine.sum_moments(LAYOUT, SUBJECTS.iloc[:0], VISIT_ROWS, response="pain")
    assert found.n_cells == 0
    assert found.layout.same_as(LAYOUT)


@ENGINES
def test_the_order_of_rows_says_nothing(engine):
    found = engine.sum_moments(LAYOUT, SUBJECTS, VISIT_ROWS, response="pain")
    turned = engine.sum_moments(LAYOUT, SUBJECTS[::-1], VISIT_ROWS[::-1], response="pain")
    np.testing.assert_allclose(found.products, turned.products, atol=1e-12)


def test_a_given_database_keeps_nothing():
    connection = duckdb.connect()
    connection.execute("create table mine (x integer)")
    duckdb_engine.sum_moments(LAYOUT, SUBJECTS, VISIT_ROWS, response="pain", connection=connection)
    assert connection.execute("show tables").fetchall() == [("mine",)]


def test_batches_add_up(monkeypatch):
    rng = np.random.default_rng(5)
    n = 500
    subjects = pd.DataFrame(rng.normal(size=(n, 3)), columns=list(LAYOUT.columns))
    subjects.insert(0, "_group", rng.integers(0, 2, n))
    subjects.insert(0, "episode_id", rng.permutation(n))
    rows = pd.DataFrame(
        {
            "episode_id": np.repeat(np.arange(n), 2),
            "visit": np.tile(LAYOUT.visits, n),
            "pain": np.where(rng.random(2 * n) < 0.7, rng.normal(size=2 * n), np.nan),
        }
    )
    whole = frame_engine.sum_moments(LAYOUT, subjects, rows, response="pain")
    monkeypatch.setattr(duckdb_engine, "BATCH", 64)
    parts = duckdb_engine.sum_moments(LAYOUT, subjects, rows, response="pain")
    np.testing.assert_allclose(parts.products, whole.products, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(parts.count, whole.count)
