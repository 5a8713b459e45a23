"""No count from 1 to 10 can be narrowed down from the release of any random study."""

from __future__ import annotations

import numpy as np
import pytest

from outcomes.results.audit import audit_release
from outcomes.results.disclosure import release_tables
from tests import disclosure_example

SIZES = ((3, 30), (20, 80), (100, 900))


def _leaks(seed: int, threshold: int = 11) -> list[str]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(*SIZES[seed % 3], size=int(rng.integers(2, 5)))
    exact = disclosure_example.tables(seed, tuple(int(n) for n in sizes))
    released = release_tables(exact, profile="strict", threshold=threshold)
    return audit_release(exact, released, threshold=threshold)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_leaks(seed: int) -> None:
    assert _leaks(seed) == []


@pytest.mark.parametrize("threshold", [5, 20])
def test_nothing_leaks_at_another_threshold(threshold: int) -> None:
    assert _leaks(11, threshold) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 130))
def test_nothing_leaks_from_many_studies(seed: int) -> None:
    assert _leaks(seed) == []
