"""A model of Parquet files is that of the same table in memory, however its rows lie."""

import gc
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from outcomes import fit_mmrm
from outcomes.core.errors import NotEstimable, UsageError
from outcomes.models import long_tables, used_rows

WHO = {"subject": "id", "visit": "week"}
FORMULAS = [
    "score ~ age*week + exposure*week + dose",
    "score ~ bs(age, df=4)*exposure + center(dose):week + sex*week",
    "np.log(score + 30) - center(age) ~ poly(age, 2) + exposure*week",
    "score ~ 0 + week + late*week",
    "score ~ week + I(center(age)**2) + scale(dose * (sex == 'm'))",
    "np.exp(center(score) / 9) ~ week + poly(late, 2)",
    "score ~ 1",
]


@pytest.fixture
def table():
    rng = np.random.default_rng(8)
    n, weeks = 120, [6, 12, 26, 52]
    subject = np.repeat(np.arange(n), 4)
    clinic = rng.integers(0, 12, n)
    data = pd.DataFrame(
        {
            "id": np.array([f"p{k:04d}" for k in rng.permutation(n)])[subject],
            "week": np.tile(weeks, n),
            "exposure": np.array(["usual", "exercise", "manual"])[rng.integers(0, 3, n)][subject],
            "sex": pd.Categorical(
                np.array(["m", "f"])[rng.integers(0, 2, n)][subject], categories=["m", "f"]
            ),
            "age": rng.normal(50, 9, n).round(1)[subject],
            "dose": rng.integers(0, 9, 4 * n).astype(float),
            # What is zero, one number or constant over time in the first part need not stay so.
            "late": np.where(subject > 75, rng.normal(size=4 * n).round(2), 0.0),
            "clinic": clinic[subject],
            "weight": rng.uniform(0.5, 2.0, n)[subject],
            "row_weight": rng.uniform(0.5, 2.0, 4 * n),
            "score": (rng.normal(size=n)[subject] + rng.normal(size=4 * n)).round(3),
        }
    )
    data.loc[rng.random(4 * n) < 0.25, "score"] = np.nan
    data.loc[rng.random(4 * n) < 0.02, "age"] = np.nan
    data.loc[(subject > 100) & (data.week == 52), "late"] = 4.0
    return data


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(long_tables, "ROWS_AT_ONCE", 50)
    monkeypatch.setattr(used_rows, "ROWS_AT_ONCE", 100)


def written(data, folder, *, files=1):
    for k, part in enumerate(np.array_split(np.arange(len(data)), files)):
        data.iloc[part].to_parquet(folder / f"part-{k}.parquet", row_group_size=90, index=False)
    return folder


def assert_same(ours, other):
    # The scale of the sums is chosen from the first part, which changes the last digits.
    assert ours.notes == other.notes
    assert ours.n_patients == other.n_patients
    assert ours.n_observations == other.n_observations
    assert ours.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-11)
    error = np.sqrt(np.diag(other.beta_cov))
    np.testing.assert_array_less(np.abs(ours.beta - other.beta) / error, 1e-8)
    np.testing.assert_allclose(ours.beta_cov, other.beta_cov, rtol=1e-7, atol=1e-9)
    for name in ("coefficients", "joint_tests"):
        pd.testing.assert_frame_equal(getattr(ours, name)(), getattr(other, name)(), rtol=1e-6)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("lying", ["together", "scattered"])
def test_files_give_the_fit_of_the_table(table, tmp_path, small_parts, formula, lying):
    if lying == "scattered":
        table = table.sample(frac=1, random_state=2)
    table = table.reset_index(drop=True)
    options = {**WHO, "covariance": "ar1h", "inference": "satterthwaite"}
    assert_same(
        fit_mmrm(written(table, tmp_path, files=3), formula, **options),
        fit_mmrm(table, formula, **options),
    )


@pytest.mark.parametrize(
    "options",
    [
        {"inference": "CR2"},
        {"inference": "CR3", "cluster": "clinic"},
        {"inference": "jackknife", "cluster": "clinic"},
        {"weights": "row_weight"},
        {"weights": "weight", "weight_kind": "probability", "inference": "CR0"},
        {"group": "sex", "covariance": "cs"},
        {"visits": [6, 52]},
    ],
    ids=str,
)
def test_options_that_need_whole_subjects_or_clusters(table, tmp_path, small_parts, options):
    formula = "score ~ age + exposure*week + dose"
    ours = fit_mmrm(written(table, tmp_path), formula, **WHO, **options)
    other = fit_mmrm(table, formula, **WHO, **options)
    assert_same(ours, other)
    for over in ("rows", "patients"):
        means = [f.ls_means(["exposure", "week"], average_over=over) for f in (ours, other)]
        pd.testing.assert_frame_equal(*means, rtol=1e-6)
    compared = [f.contrasts("exposure", by="week", adjust="holm") for f in (ours, other)]
    pd.testing.assert_frame_equal(*compared, rtol=1e-6)
    new = table[table.week.isin([6, 52])].head(20).dropna()
    pd.testing.assert_frame_equal(ours.predict(new), other.predict(new), rtol=1e-6)
    # The way to the optimum may differ by a step.
    lines = zip(*(f.summary().splitlines() for f in (ours, other)), strict=True)
    assert all(a.startswith("method ") for a, b in lines if a != b)


def test_a_mean_of_what_varies_in_later_parts_alone_is_refused(table, tmp_path, small_parts):
    formula = "score ~ week + I(ward - ward.mean())"
    wards = table.assign(ward=np.arange(len(table)) // 240)
    with pytest.raises(UsageError, match="depends on other rows than its own"):
        fit_mmrm(written(wards, tmp_path), formula, **WHO)


def test_parts_hold_whole_clusters_and_each_row_once(table, tmp_path, small_parts):
    options = {**WHO, "inference": "CR0", "cluster": "clinic"}
    fit = fit_mmrm(written(table, tmp_path), "score ~ age", **options)
    parts = list(fit.grid.data.parts())
    assert len(parts) > 3
    rows = np.concatenate([part.place for part in parts])
    assert sorted(rows) == list(fit.grid.data.place)
    clinics = [set(part.cluster) for part in parts]
    assert sum(map(len, clinics)) == len(set.union(*clinics)) == 12
    for part in parts:
        asked = table.iloc[part.place]
        assert np.array_equal(part.frame["age"], asked["age"])
        assert np.array_equal(part.labels[part.subject], asked["id"])


def test_a_sorted_copy_goes_with_the_fit(table, tmp_path, small_parts, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shuffled = table.sample(frac=1, random_state=2)
    source = tmp_path / "records"
    source.mkdir()
    fit = fit_mmrm(written(shuffled, source), "score ~ age", **WHO)
    assert len(list(tmp_path.iterdir())) == 2
    del fit
    gc.collect()
    assert list(tmp_path.iterdir()) == [source]


def test_rows_that_are_not_kept_are_asked_for_where_that_helps(table, tmp_path):
    fit = fit_mmrm(written(table, tmp_path), "score ~ age + week", **WHO)
    kept = "fitted to Parquet files, of which no rows are kept: "
    for question in (fit.predict, lambda: fit.simulate(seed=1)):
        with pytest.raises(UsageError, match=f"{kept}give data= the rows"):
            question()
    for question in (
        fit.residuals,
        lambda: fit.influence("id"),
        lambda: fit.influence("clinic", data=table.assign(clinic=1)),
        lambda: fit.influence("clinic"),
        lambda: fit.compare(fit),
    ):
        with pytest.raises(UsageError, match=f"{kept}fit the model to a table in memory"):
            question()


def test_files_that_change_between_passes_are_noticed(table, tmp_path):
    fit = fit_mmrm(written(table, tmp_path), "score ~ age + week", **WHO, inference="CR2")
    written(table.assign(score=table.score + 1), tmp_path)
    with pytest.raises(UsageError, match="have changed"):
        fit.contrasts("week")
    (tmp_path / "part-0.parquet").unlink()
    with pytest.raises(UsageError, match="no longer be read"):
        fit.contrasts("week")


def test_files_that_cannot_be_used(table, tmp_path):
    with pytest.raises(UsageError, match="No Parquet file at"):
        fit_mmrm(tmp_path, "score ~ age", **WHO)
    (tmp_path / "text.parquet").write_text("id,week,score\n")
    with pytest.raises(UsageError, match="cannot be read as a Parquet file"):
        fit_mmrm(tmp_path / "text.parquet", "score ~ age", **WHO)
    (tmp_path / "text.parquet").unlink()
    written(table, tmp_path, files=2)
    with pytest.raises(UsageError, match="No column 'height'"):
        fit_mmrm(tmp_path, "score ~ height", **WHO)
    half = pd.read_parquet(tmp_path / "part-1.parquet")
    half.assign(age=half.age.astype(str)).to_parquet(tmp_path / "part-1.parquet", index=False)
    with pytest.raises(UsageError, match=r"'age' of 'part-1.parquet' is of another type"):
        fit_mmrm(tmp_path, "score ~ age", **WHO)
    shuffled = table.assign(Age=1.0).sample(frac=1, random_state=1)
    shuffled.to_parquet(tmp_path / "whole.parquet", index=False)
    with pytest.raises(UsageError, match="differ in capitals alone"):
        fit_mmrm(tmp_path / "whole.parquet", "score ~ age", **WHO)
    table.assign(age=np.inf).to_parquet(tmp_path / "whole.parquet", index=False)
    with pytest.raises(UsageError, match="Infinite numbers: 'age'"):
        fit_mmrm(tmp_path / "whole.parquet", "score ~ age", **WHO)
    table.assign(score=np.nan).to_parquet(tmp_path / "whole.parquet", index=False)
    with pytest.raises(NotEstimable, match="0 usable rows"):
        fit_mmrm(Path(tmp_path / "whole.parquet"), "score ~ age", **WHO)


@pytest.mark.parametrize("inference", ["kenward-roger", "CR2"])
@pytest.mark.parametrize("lying", ["together", "scattered"])
def test_people_of_files_are_averaged_over(table, tmp_path, small_parts, inference, lying):
    if lying == "scattered":
        table = table.sample(frac=1, random_state=3)
    formula = "score ~ age*exposure + sex + exposure*week"
    fits = [
        fit_mmrm(source, formula, **WHO, inference=inference)
        for source in (written(table, tmp_path), table.reset_index(drop=True))
    ]
    found = [f.standardised_contrasts("exposure", by="week") for f in fits]
    pd.testing.assert_frame_equal(*found, rtol=1e-6)
