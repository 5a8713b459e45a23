"""The engines agree on whatever rows come."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from outcomes.engines import duckdb as duckdb_engine
from outcomes.engines import frame as frame_engine
from outcomes.stats.moments import Layout

VISITS = ("week_6", "week_12", "discharge")


@st.composite
def studies(draw):
    """Subjects in any order, values of any size about any centre, visits seen or not."""
    n, q = draw(st.integers(0, 40)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    centre, spread = draw(st.sampled_from([(0.0, 1.0), (1e9, 1.0), (-3.0, 1e-3), (50.0, 400.0)]))
    columns = tuple(f"column {k}" for k in range(q))
    subjects = pd.DataFrame(rng.normal(size=(n, q)), columns=list(columns))
    subjects.insert(0, "_group", rng.integers(0, 2, n))
    subjects.insert(0, "episode_id", rng.permutation(n) * 7)
    rows = pd.MultiIndex.from_product(
        [subjects["episode_id"], VISITS], names=["episode_id", "visit"]
    ).to_frame(index=False)
    seen = rng.random(len(rows)) < draw(st.sampled_from([0.0, 0.5, 1.0]))
    rows["score"] = np.where(seen, rng.normal(centre, spread, len(rows)), np.nan)
    rows = rows[rng.random(len(rows)) < 0.9].sample(frac=1, random_state=1)
    layout = Layout(
        columns=columns,
        visits=VISITS,
        shift=np.array([0.0] * q + [centre] * 3),
        scale=np.array([1.0] * q + [spread] * 3),
        groups=("a", "b"),
    )
    return layout, subjects, rows


@settings(max_examples=40, deadline=None)
@given(studies())
def test_engines_agree(study):
    layout, subjects, rows = study
    slow = frame_engine.sum_moments(layout, subjects, rows, response="score")
    fast = duckdb_engine.sum_moments(layout, subjects, rows, response="score")
    for name in ("cluster", "group", "pattern", "count"):
        np.testing.assert_array_equal(getattr(fast, name), getattr(slow, name))
    np.testing.assert_allclose(fast.products, slow.products, rtol=1e-10, atol=1e-10)
