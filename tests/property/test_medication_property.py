"""Doses against the slow, obvious reading: a dictionary of days."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from outcomes.measures.medication import average_mme, classes_used, daily_mme
from outcomes.measures.sweep import sweep

PRODUCTS = {"oxycodone": 1.5, "hydrocodone": 1.0, "tramadol": 0.2}

rows = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(-20, 60),
        st.sampled_from(sorted(PRODUCTS)),
        st.sampled_from([5.0, 10.0]),
        st.sampled_from([10.0, 21.0, 60.0]),
        st.integers(1, 30),
    ),
    max_size=12,
)


def table(given_rows: list[tuple[int, int, str, float, float, int]]) -> pd.DataFrame:
    names = ["patient_id", "day", "drug", "strength", "quantity", "days_supply"]
    return pd.DataFrame(given_rows, columns=names).assign(unit="mg", route="oral")


def by_dictionary(records: pd.DataFrame, carry: bool) -> dict[tuple[int, int], float]:
    doses: dict[tuple[int, int], float] = defaultdict(float)
    supply: dict[tuple[int, str, float], int] = {}
    for row in records.drop_duplicates().sort_values("day", kind="stable").itertuples():
        key = (row.patient_id, row.drug, row.strength)
        moved = max(0, min(7, supply.get(key, row.day) - row.day)) if carry else 0
        first = row.day + moved
        supply[key] = max(supply.get(key, first), first + row.days_supply)
        for day in range(first, first + row.days_supply):
            dose = row.strength * row.quantity / row.days_supply * PRODUCTS[row.drug]
            doses[row.patient_id, day] += dose
    return doses


@settings(max_examples=60, deadline=None)
@given(rows, st.booleans())
def test_days_agree_with_a_dictionary(
    given_rows: list[tuple[int, int, str, float, float, int]], carry: bool
) -> None:
    records = table(given_rows)
    expected = by_dictionary(records, carry)
    got = daily_mme(records, overlap="sum" if carry else "concurrent", by_day=True)
    assert {*zip(got["patient_id"], got["day"], strict=True)} == set(expected)
    wanted = [expected[key] for key in zip(got["patient_id"], got["day"], strict=True)]
    np.testing.assert_allclose(got["mme"], wanted, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(rows, st.integers(-30, 70), st.integers(0, 60))
def test_window_means_agree_with_days(
    given_rows: list[tuple[int, int, str, float, float, int]], start: int, length: int
) -> None:
    records = table(given_rows)
    windows = pd.DataFrame(
        {"patient_id": [1, 2, 3, 4], "start_day": start, "end_day": start + length}
    )
    days = daily_mme(records, by_day=True)
    inside = days.loc[days["day"].between(start, start + length)]
    expected = inside.groupby("patient_id")["mme"].sum().reindex([1, 2, 3, 4], fill_value=0.0)
    got = average_mme(daily_mme(records), windows)
    np.testing.assert_allclose(got, expected / (length + 1), atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(rows, st.integers(-30, 70), st.integers(0, 10))
def test_use_agrees_with_days(
    given_rows: list[tuple[int, int, str, float, float, int]], start: int, length: int
) -> None:
    records = table(given_rows)
    windows = pd.DataFrame({"patient_id": [1, 2, 4], "start_day": start, "end_day": start + length})
    days = daily_mme(records, overlap="concurrent", by_day=True)
    users = set(days.loc[days["day"].between(start, start + length), "patient_id"])
    assert classes_used(records, windows)["opioid"].tolist() == [one in users for one in (1, 2, 4)]


def test_sums_return_to_zero_exactly() -> None:
    rng = np.random.default_rng(5)
    n = 20_000
    key = rng.integers(0, 50, n)
    start = rng.integers(-500, 500, n)
    end = start + rng.integers(0, 40, n)
    values = rng.integers(1, 10**9, (n, 2))
    who, first, last, sums = sweep(key, start, end, values)
    assert (sums > 0).all()
    total = (values * (end - start + 1)[:, None]).sum(axis=0)
    assert ((sums * (last - first + 1)[:, None]).sum(axis=0) == total).all()
    same = who[1:] == who[:-1]
    assert (first[1:][same] > last[:-1][same]).all()
