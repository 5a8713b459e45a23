"""Sums by cell: adding, taking away, bytes, weights, and numbers far from zero."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outcomes.core.errors import UsageError
from outcomes.stats.moments import Moments, accumulate, choose_layout

SUMS = ("cluster", "group", "pattern", "count", "weight", "log_weight", "products")


def some_rows(seed, n=60, q=3, visits=3):
    rng = np.random.default_rng(seed)
    z = np.column_stack([np.ones(n), rng.normal(40, 9, (n, q - 1))])
    y = rng.normal(5, 2, (n, visits))
    y[rng.random(y.shape) < 0.35] = np.nan
    return {
        "z": z,
        "y": y,
        "group": rng.integers(0, 2, n),
        "cluster": rng.integers(3, 6, n),
        "weights": rng.uniform(0.5, 2, (n, visits)),
    }


def layout_of(rows):
    q, visits = rows["z"].shape[1], rows["y"].shape[1]
    return choose_layout(
        rows["z"],
        rows["y"],
        columns=[f"z{j}" for j in range(q)],
        visits=[f"w{t}" for t in range(visits)],
        groups=("a", "b"),
    )


def part(rows, where):
    return {name: values[where] for name, values in rows.items()}


def assert_same(first, second):
    assert first.n_cells == second.n_cells
    for name in SUMS if first.n_cells else ():  # of nobody there is nothing to compare
        np.testing.assert_allclose(
            getattr(first, name), getattr(second, name), rtol=1e-11, atol=1e-9
        )


def test_products_are_sums_over_subjects():
    rows = some_rows(1)
    layout = layout_of(rows)
    moments = accumulate(layout, **rows)
    wide = np.column_stack([rows["z"], rows["y"]])
    wide = np.column_stack([np.ones(len(wide)), (wide - layout.shift) / layout.scale])
    seen = ~np.isnan(rows["y"])
    pairs = [(a, b) for a in range(3) for b in range(a, 3)]
    for k in range(moments.n_cells):
        same = (seen == moments.seen[k]).all(axis=1)
        same &= (rows["group"] == moments.group[k]) & (rows["cluster"] == moments.cluster[k])
        assert moments.count[k] == same.sum()
        for j, (a, b) in enumerate(pairs):
            root = np.sqrt(rows["weights"][same, a] * rows["weights"][same, b])
            own = np.nan_to_num(wide[same])
            expected = (own * root[:, None]).T @ own
            if not moments.seen[k, [a, b]].all():
                expected = np.zeros_like(expected)
            np.testing.assert_allclose(moments.products[k, j], expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), cut=st.integers(0, 60), weighted=st.sampled_from([0, 1, 2]))
@example(seed=0, cut=60, weighted=2)
def test_parts_add_up_and_can_be_taken_away(seed, cut, weighted):
    rows = some_rows(seed)
    rows["weights"] = [None, rows["weights"][:, 0], rows["weights"]][weighted]
    if weighted == 0:
        del rows["weights"]
    layout = layout_of(rows)
    whole = accumulate(layout, **rows)
    first = accumulate(layout, **part(rows, slice(None, cut)))
    second = accumulate(layout, **part(rows, slice(cut, None)))
    assert_same(first + second, whole)
    assert_same(second + first, whole)
    assert_same(whole - first, second)
    assert (first + second).n_observations == int(np.isfinite(rows["y"]).sum())


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_bytes_are_read_back_to_the_last_bit(seed):
    rows = some_rows(seed)
    moments = accumulate(layout_of(rows), **rows)
    again = Moments.from_bytes(moments.to_bytes())
    assert again.layout.same_as(moments.layout)
    for name in SUMS:
        np.testing.assert_array_equal(getattr(again, name), getattr(moments, name))
    assert again.to_bytes() == moments.to_bytes()


def test_damaged_and_foreign_bytes_are_refused():
    rows = some_rows(2)
    data = accumulate(layout_of(rows), **rows).to_bytes()
    with pytest.raises(UsageError, match="not moments"):
        Moments.from_bytes(b"PK" + data)
    with pytest.raises(UsageError, match="damaged"):
        Moments.from_bytes(data[:-3])
    with pytest.raises(UsageError, match="version 7"):
        Moments.from_bytes(data.replace(b'"version": 1', b'"version": 7', 1))


def test_clusters_select_and_sum():
    rows = some_rows(3)
    layout = layout_of(rows)
    moments = accumulate(layout, **rows)
    assert moments.clusters.tolist() == [3, 4, 5]
    own = rows["cluster"] == 4
    assert_same(moments.select([4]), accumulate(layout, **part(rows, own)))
    assert_same(moments - moments.select([4]), moments.without([4]))
    del rows["cluster"]
    assert_same(moments.total(), accumulate(layout, **rows))


@pytest.mark.parametrize("weighted", [False, True])
def test_visits_can_be_left_out(weighted):
    rows = some_rows(6)
    rows["weights"] = rows["weights"][:, 0] if weighted else None
    layout = layout_of(rows)
    fewer = (layout.visits[0], layout.visits[2])
    expected = accumulate(layout.at(fewer), **rows | {"y": rows["y"][:, [0, 2]]})
    assert_same(accumulate(layout, **rows).at(fewer), expected)


def test_visits_stay_where_weights_vary_by_visit():
    rows = some_rows(6)
    moments = accumulate(layout_of(rows), **rows)
    with pytest.raises(UsageError, match="weights by visit"):
        moments.at(moments.layout.visits[:1])


def test_weights_that_do_not_vary_by_visit_are_stored_once():
    rows = some_rows(4)
    rows["weights"] = np.repeat(rows["weights"][:, :1], 3, axis=1)
    rows["weights"][np.isnan(rows["y"])] = 99.0
    moments = accumulate(layout_of(rows), **rows)
    assert moments.products.shape[1] == 1
    assert not moments.varies_by_visit


def test_constant_and_by_visit_weights_add():
    rows = some_rows(5)
    layout = layout_of(rows)
    unit = rows | {"weights": np.ones_like(rows["y"])}
    mixed = accumulate(layout, **part(unit, slice(None, 30))) + accumulate(
        layout, **part(rows, slice(30, None))
    )
    rows["weights"][:30] = 1.0
    whole = accumulate(layout, **rows)
    # A block of a pair that a cell never has takes no part; only the others must agree.
    pairs = [(a, b) for a in range(3) for b in range(a, 3)]
    for j, (a, b) in enumerate(pairs):
        both = whole.seen[:, a] & whole.seen[:, b]
        np.testing.assert_allclose(
            mixed.products[both, j], whole.products[both, j], rtol=1e-11, atol=1e-9
        )


def test_patterns_count_subjects():
    y = np.array([[1.0, 2.0], [1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    z = np.ones((4, 1))
    moments = accumulate(choose_layout(z, y, columns=["1"], visits=["a", "b"]), z, y)
    assert moments.patterns == {(True, False): 2, (True, True): 1}
    assert (moments.n_subjects, moments.n_observations) == (3, 4)


def test_scales_are_powers_of_two_and_constants_stay():
    rng = np.random.default_rng(6)
    z = np.column_stack([np.ones(50), 1e9 + rng.normal(size=50)])
    layout = choose_layout(z, z[:, 1:], columns=["1", "far"], visits=["a"])
    assert (layout.shift[0], layout.scale[0]) == (0.0, 1.0)
    assert np.log2(layout.scale).tolist() == np.round(np.log2(layout.scale)).tolist()
    assert abs(layout.shift[1] - 1e9) < 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": np.full((4, 1), np.nan)}, "must be finite"),
        ({"y": np.array([[np.inf, 1.0]] * 4)}, "finite or missing"),
        ({"weights": np.zeros(4)}, "must be positive"),
        ({"group": np.array([0, 0, 0, 1])}, "Group codes"),
        ({"cluster": np.zeros(3)}, "one code for each of the 4"),
        ({"z": np.ones((4, 2))}, "2 columns and 2 visits"),
    ],
)
def test_wrong_rows_are_refused(change, message):
    good = {"z": np.ones((4, 1)), "y": np.arange(8.0).reshape(4, 2)}
    layout = choose_layout(good["z"], good["y"], columns=["1"], visits=["a", "b"])
    with pytest.raises(UsageError, match=message):
        accumulate(layout, **(good | change))


def test_other_layouts_and_strangers_are_refused():
    rows = some_rows(7)
    moments = accumulate(layout_of(rows), **rows)
    other = some_rows(8)
    other["z"] *= 100
    with pytest.raises(UsageError, match="can only be added"):
        moments + accumulate(layout_of(other), **other)
    with pytest.raises(UsageError, match="taken away"):
        moments.select([3]) - moments


def test_a_thousand_patterns():
    rng = np.random.default_rng(9)
    y = rng.normal(size=(6000, 10))
    y[rng.random(y.shape) < 0.5] = np.nan
    z = np.ones((6000, 1))
    layout = choose_layout(z, y, columns=["1"], visits=[str(t) for t in range(10)])
    moments = accumulate(layout, z, y)
    assert moments.n_cells > 1000
    assert moments.n_observations == np.isfinite(y).sum()
