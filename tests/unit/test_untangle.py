"""Columns that are nearly combinations of others: the same design, without the loss of digits."""

from fractions import Fraction

import numpy as np
import pytest

from outcomes.stats.untangle import untangle


def years(n=60, seed=5):
    year = np.random.default_rng(seed).integers(1935, 2004, n).astype(float)
    return np.column_stack([np.ones(n), year, year**2, year**3])


def smallest_share(z):
    """What the others leave of each column's square about its mean, at the least."""
    centred = z[:, 1:] - z[:, 1:].mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=0)
    return np.linalg.eigvalsh(unit.T @ unit)[0]


def test_the_design_is_the_same_and_its_columns_apart():
    z = years()
    maps = np.random.default_rng(6).standard_normal((3, 4, 4))
    found = untangle(z)
    apart, turned = found.columns(z), found.maps(maps)
    assert smallest_share(z) < 1e-9 < 0.1 < smallest_share(apart)
    # In fractions: rounding of the sums themselves would hide that of the columns.
    for i, t in ((0, 0), (7, 1), (31, 2)):
        for j in range(4):
            before, after = (
                sum(Fraction(a) * Fraction(b) for a, b in zip(row, column, strict=True))
                for row, column in ((z[i], maps[t, j]), (apart[i], turned[t, j]))
            )
            terms = max(abs(a * b) for a, b in zip(z[i], maps[t, j], strict=True))
            assert abs(float(before - after)) < 1e-15 * terms


@pytest.mark.parametrize(
    "column",
    [
        lambda z: z[:, 1] * 2 - 3,
        lambda z: np.full(len(z), 1e9),
        lambda z: (z[:, 1] > 1970).astype(float),
    ],
    ids=["a combination", "a constant", "a column of its own"],
)
def test_what_needs_nothing_is_left_as_it_is(column):
    z = np.column_stack([years()[:, :2], column(years())])
    maps = np.ones((2, 3, 3))
    found = untangle(z)
    assert found.columns(z) is z
    assert found.maps(maps) is maps


def test_a_combination_but_for_1e_9_is_left_to_be_found_aliased():
    z = np.column_stack([years()[:, :2], years()[:, 1] * (1 + 1e-12 * years()[::-1, 1])])
    assert untangle(z).steps == ()


def test_a_column_that_repeats_another_says_nothing_against_the_next():
    z = years()
    twice = np.column_stack([z[:, :3], z[:, 2], z[:, 3]])
    apart = untangle(twice).columns(twice)
    np.testing.assert_allclose(apart[:, [1, 2, 4]], untangle(z).columns(z)[:, 1:], rtol=1e-9)


def test_a_chain_of_columns_each_near_the_ones_before():
    # Of so few years the square is near the year, and the cube near both.
    z = years()
    z[:, 1] = 1975 + np.round((z[:, 1] - 1935) / 2)
    z[:, 2:] = z[:, [1]] ** [2, 3]
    apart = untangle(z).columns(z)
    assert smallest_share(z) < 1e-10 < 0.1 < smallest_share(apart)


def test_what_is_left_by_rounding_of_many_sums_is_no_column():
    # Slopes in cells of a few subjects each: the last ones are combinations of those before.
    rng = np.random.default_rng(8)
    for _ in range(40):
        age = rng.normal(50, 9, 9)
        cell = np.eye(6)[rng.integers(0, 6, 9)]
        z = np.column_stack([np.ones(9), age, cell[:, 1:], cell[:, 1:] * age[:, None]])
        apart = untangle(z).columns(z)
        assert np.linalg.matrix_rank(apart) == np.linalg.matrix_rank(z)
