"""What holds for every test: no wall clocks, the same examples, no global random state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

# Machines differ in speed, so no test fails for being slow; in CI the examples are always the same.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(autouse=True)
def _global_random_state_is_left_alone() -> Iterator[None]:
    before = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]  # noqa: NPY002
    yield
    after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
    assert np.array_equal(before, after), "a test moved NumPy's global random state"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results folder of a real run on synthetic records, made once."""
    from outcomes.workflow import run_demo

    out = tmp_path_factory.mktemp("demo")
    return run_demo(episodes=1500, seed=7, out=out).parent


@pytest.fixture(scope="session")
def trial_csv() -> Path:
    """Where the file of the published trial is, if it is said."""
    place = os.environ.get("OUTCOMES_TRIAL_DATA")
    if not place:
        pytest.skip("OUTCOMES_TRIAL_DATA does not say where the trial's CSV is")
    path = Path(place)
    return path / "Ashar2022_outcomes_demographics.csv" if path.is_dir() else path
