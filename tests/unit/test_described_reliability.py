"""Consistency of items and likeness within clinics, as a study describes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import outcomes
from outcomes.records.files import Records
from outcomes.results.disclosure import release_tables
from outcomes.simulate import write_records
from outcomes.study import described_reliability
from outcomes.study.dataset import StudyDataset, build_dataset
from outcomes.study.events import described_table
from outcomes.workflow.demo import demo_study

pytestmark = pytest.mark.slow

Opened = tuple[StudyDataset, Records]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    folder = write_records(tmp_path_factory.mktemp("records") / "r", episodes=900, seed=8)
    records = outcomes.read_records(folder)
    return build_dataset(records, demo_study(folder)), records


@pytest.fixture(scope="module")
def rows(opened: Opened) -> pd.DataFrame:
    table = described_table(*opened)
    return table[table["domain"] == described_reliability.DOMAIN].set_index("measure")


def test_alpha_is_that_of_the_last_form_up_to_time_zero(opened: Opened, rows: pd.DataFrame) -> None:
    dataset, records = opened
    items = records.frame("items")
    items = items[items["episode_id"].isin(dataset.episodes["episode_id"])]
    items = items[items["day"] <= dataset.window_days]
    last = items.groupby("episode_id")["day"].transform("max")
    forms = items[items["day"] == last].pivot(index="episode_id", columns="item", values="answer")
    complete = forms.dropna()
    k = complete.shape[1]
    alpha = k / (k - 1) * (1 - complete.var().sum() / complete.sum(axis=1).var())
    row = rows.loc["alpha_promis_pf_4a"]
    assert row["estimate"] == pytest.approx(alpha, rel=1e-12)
    assert row["n_episodes"] == len(complete)
    assert row["conf_low"] < alpha < row["conf_high"]


@pytest.mark.parametrize(
    ("measure", "column"),
    [("icc_pain_clinic", "clinic_id"), ("icc_mobility_provider", "provider_id")],
)
def test_icc_is_the_one_way_anova_of_changes(
    opened: Opened, rows: pd.DataFrame, measure: str, column: str
) -> None:
    dataset, _ = opened
    outcome = measure.split("_")[1]
    visit = dataset.visit_rows[dataset.visit_rows["visit"] == dataset.spec.primary.visit]
    both = visit.merge(dataset.episodes, on="episode_id")
    both["change"] = both[outcome] - both[f"baseline_{outcome}"]
    groups = both.dropna(subset=["change", column]).groupby(column)["change"]
    sizes, means, total = groups.size(), groups.mean(), int(groups.size().sum())
    grand = (sizes * means).sum() / total
    between = (sizes * (means - grand) ** 2).sum() / (len(sizes) - 1)
    within = ((sizes - 1) * groups.var().fillna(0)).sum() / (total - len(sizes))
    average = (total - (sizes**2).sum() / total) / (len(sizes) - 1)
    expected = (between - within) / (between + (average - 1) * within)
    assert rows.loc[measure, "estimate"] == pytest.approx(expected, rel=1e-9)
    assert rows.loc[measure, "n_episodes"] == total


def test_coefficients_have_the_study_s_confidence_level(opened: Opened, rows: pd.DataFrame) -> None:
    dataset, records = opened
    model = dataset.spec.model.model_copy(update={"conf_level": 0.8})
    spec = dataset.spec.model_copy(update={"model": model})
    table = described_table(replace(dataset, spec=spec), records).set_index("measure")
    for measure in ("alpha_promis_pf_4a", "icc_pain_clinic"):
        narrow, wide = table.loc[measure], rows.loc[measure]
        assert (narrow["conf_level"], wide["conf_level"]) == (0.8, 0.95)
        assert narrow["conf_low"] > wide["conf_low"]
        assert narrow["conf_high"] < wide["conf_high"]


def test_the_release_rounds_them(rows: pd.DataFrame) -> None:
    tables = {"described": rows.reset_index()[rows.reset_index().columns.difference(["x"])]}
    released = release_tables(tables, profile="strict", threshold=10)["described"]
    shown = released.set_index("measure").loc[rows.index, "estimate"]
    np.testing.assert_allclose(shown, rows["estimate"].round(2), atol=0.00501)
    assert (shown.round(2) == shown).all()


def test_without_the_extra_they_are_left_out_and_it_is_said(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(described_reliability, "find_spec", lambda _name: None)
    left_out: list[tuple[str, str]] = []
    table = described_table(*opened, left_out=left_out)
    assert described_reliability.DOMAIN not in set(table["domain"])
    assert (described_reliability.DOMAIN, "The extra 'reliability' is not installed.") in left_out
