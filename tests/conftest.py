"""What holds for every test: no wall clocks, the same examples, no global random state."""

from __future__ import annotations

import fcntl
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

HERE = Path(__file__).parent


LONGEST_FIRST = (
    "notebooks",
    "simulation/test_coverage.py",
    "browser",
    "spec/test_release_attack.py",
    "spec/test_hostile_studies.py",
    "unit/test_simulate.py",
)
"""Files that take longest: begun last, one of them would keep one worker busy alone."""


def _place_in_queue(item: pytest.Item) -> int:
    path = item.path.as_posix()
    starts = [path.startswith(f"{HERE.as_posix()}/{place}") for place in LONGEST_FIRST]
    return [*starts, True].index(True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; ``--no-loadscope-reorder`` keeps the workers to this order."""
    items.sort(key=_place_in_queue)


@pytest.fixture(autouse=True)
def _global_random_state_is_left_alone() -> Iterator[None]:
    before = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]  # noqa: NPY002
    yield
    after = np.random.get_state()[1]  # type: ignore[index]  # noqa: NPY002
    assert np.array_equal(before, after), "a test moved NumPy's global random state"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results folder of a real run on synthetic records, made once for all workers."""
    from outcomes.workflow import run_demo

    own = tmp_path_factory.getbasetemp()
    out = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "demo"
    with out.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a worker that comes second waits for the first
        if not (out / "results").exists():  # it is there whole or not at all
            run_demo(episodes=1500, seed=7, out=out)
    return out / "results"


@pytest.fixture(scope="session")
def trial_csv() -> Path:
    """Where the file of the published trial is, if it is said."""
    place = os.environ.get("OUTCOMES_TRIAL_DATA")
    if not place:
        pytest.skip("OUTCOMES_TRIAL_DATA does not say where the trial's CSV is")
    path = Path(place)
    return path / "Ashar2022_outcomes_demographics.csv" if path.is_dir() else path
