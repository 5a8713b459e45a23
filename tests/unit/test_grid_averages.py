"""Averages over some levels, and differences of nothing but rounding."""

import numpy as np
import pandas as pd
import pytest

from outcomes import fit_mmrm
from outcomes.core.errors import UsageError
from outcomes.models import long_tables, used_rows

WHO = {"subject": "id", "visit": "week"}


@pytest.fixture
def trial():
    rng = np.random.default_rng(12)
    n, weeks = 120, [1, 3, 5, 7]
    sex = rng.integers(0, 2, n)
    site = (rng.random(n) < np.where(sex == 1, 0.8, 0.1)).astype(int)
    effect = np.array([[0.0, 2.0], [1.0, 9.0]])[sex, site]
    data = pd.DataFrame(
        {
            "id": np.repeat(np.arange(n), 4),
            "week": np.tile(weeks, n),
            "arm": np.repeat(np.array(list("abcd"))[np.arange(n) % 4], 4),
            "sex": np.repeat(np.array(["f", "m"])[sex], 4),
            "site": np.repeat(np.array(["s1", "s2"])[site], 4),
            "base": np.repeat(rng.normal(50, 9, n), 4),
            "score": (effect[:, None] + rng.normal(size=(n, 1)) + rng.normal(size=(n, 4))).ravel(),
        }
    )
    return data[rng.random(4 * n) < 0.85].reset_index(drop=True)


@pytest.mark.parametrize("average_over", ["rows", "patients"])
@pytest.mark.parametrize("weights", ["proportional", "cells"])
def test_some_levels_are_averaged_over_alike_in_all_terms(trial, weights, average_over):
    fit = fit_mmrm(trial, "score ~ sex*site + week", **WHO)
    cells = fit.ls_means(["sex", "site"]).set_index("level").estimate
    asked = fit.ls_means(
        "week", weights=weights, average_over=average_over, at={"sex": "m"}
    ).set_index("visit")
    men = trial[trial.sex == "m"]
    week_effects = fit.ls_means("week").set_index("visit").estimate
    for week, estimate in asked.estimate.items():
        counted = men[men.week == int(week)] if weights == "cells" else men
        if average_over == "patients":
            counted = counted.drop_duplicates("id")
        share = counted.site.value_counts(normalize=True)
        mean = share["s1"] * cells["m:s1"] + share["s2"] * cells["m:s2"]
        expected = mean + week_effects[week] - week_effects.mean()
        assert estimate == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "coded", ["C(arm)", "C(arm, contr.treatment('b'))", "C(arm, contr.sum)", "`arm`"]
)
def test_type_three_does_not_depend_on_how_a_factor_is_coded(trial, coded):
    plain = fit_mmrm(trial, "score ~ arm*week", **WHO).joint_tests()
    found = fit_mmrm(trial, f"score ~ {coded}*week", **WHO).joint_tests()
    columns = ["num_df", "den_df", "statistic", "p_value"]
    np.testing.assert_allclose(found[columns], plain[columns], rtol=1e-7)


THIRDS = {"k": {"a": 1.0, "b": -1 / 3, "c": -1 / 3, "d": -1 / 3}}


def test_what_a_model_holds_at_zero_is_not_tested(trial):
    shared = fit_mmrm(trial, "score ~ week + week:arm", **WHO, equal_at={"arm": 1})
    custom = {"kind": "custom", "coefficients": THIRDS}
    same = fit_mmrm(trial, "score ~ week*sex*site*base + arm", **WHO, covariance="cs")
    answers = [
        shared.contrasts("arm", by="week", **custom).query("visit == '1'"),
        same.contrasts("arm", between=(1, 7), **custom),
        same.standardised_contrasts("arm", between=(1, 7), **custom),
        same.standardised_contrasts("arm", between=(1, 7)),
    ]
    for found in answers:
        assert (found[["estimate", "std_error"]] == 0).all(axis=None)
        assert found.p_value.isna().all()
        assert found.gate.str.startswith("no test").all()


def test_a_contrast_of_visits_is_within_however_it_is_weighed(trial):
    fit = fit_mmrm(trial, "score ~ base + arm + week", **WHO, inference="between-within")
    thirds = {"k": {1: 1.0, 3: -1 / 3, 5: -1 / 3, 7: -1 / 3}}
    found = fit.contrasts("week", kind="custom", coefficients=thirds)
    assert found.df.tolist() == [fit.contrasts("week").df.iloc[0]]


@pytest.mark.parametrize("far", [0.0, 1e7, 1e9])
def test_a_column_far_from_zero_still_varies_between_patients(trial, far):
    moved = trial.assign(base=trial.base + far)
    fit = fit_mmrm(moved, "score ~ base + arm + week", **WHO, inference="between-within")
    degrees = fit.coefficients().set_index("term").df
    assert degrees["base"] == degrees["armb"] == trial.id.nunique() - 5


def test_a_first_cluster_of_many_batches(trial, tmp_path, monkeypatch):
    for module in (long_tables, used_rows):
        monkeypatch.setattr(module, "ROWS_AT_ONCE", 40)
    many = trial.assign(clinic=np.where(trial.id < 60, -1, trial.id)).reset_index(drop=True)
    many.to_parquet(tmp_path / "rows.parquet", index=False)
    options = {**WHO, "inference": "CR2", "cluster": "clinic"}
    formula = "score ~ bs(base, df=4) + arm*week"
    ours, other = (fit_mmrm(d, formula, **options) for d in (tmp_path / "rows.parquet", many))
    columns = ["estimate", "std_error", "df"]
    np.testing.assert_allclose(ours.coefficients()[columns], other.coefficients()[columns], 1e-6)
    parts = list(ours.grid.data.parts())
    assert len(parts) > 2
    assert sum(len(set(part.cluster)) for part in parts) == many.clinic.nunique()


def test_an_order_of_visits_that_is_a_guess_is_said(trial):
    names = {1: "baseline", 3: "6 weeks", 5: "12 weeks", 7: "24 weeks"}
    text = trial.assign(week=trial.week.map(names))
    fit = fit_mmrm(text, "score ~ week", **WHO)
    assert any("in the order 6 weeks, 12 weeks, 24 weeks, baseline" in note for note in fit.notes)
    for quiet in (
        fit_mmrm(text, "score ~ week", **WHO, visits=list(names.values())),
        fit_mmrm(text.astype({"week": "category"}), "score ~ week", **WHO),
        fit_mmrm(trial, "score ~ week", **WHO),
    ):
        assert not any("in the order" in note for note in quiet.notes)


def test_type_two_degrees_of_freedom_do_not_depend_on_the_order_of_rows(trial):
    columns = ["num_df", "den_df", "statistic", "p_value"]
    options = {**WHO, "covariance": "csh", "inference": "satterthwaite"}
    first, other = (
        fit_mmrm(data, "score ~ arm*week + base", **options).joint_tests(type=2)[columns]
        for data in (trial, trial.sample(frac=1, random_state=3).assign(score=3 * trial.score + 1))
    )
    np.testing.assert_allclose(first, other, rtol=1e-6)


@pytest.mark.parametrize(
    "term",
    [
        "np.where(arm == 'b', base - base[arm == 'b'].mean(), 0)",
        "np.where(np.abs(base - 50) < 5, base - np.median(base), 0)",
        "I(base.index.to_numpy() * 1.0)",
    ],
)
def test_a_term_that_depends_on_rows_in_between_is_refused(trial, term):
    with pytest.raises(UsageError, match="depends on other rows"):
        fit_mmrm(trial, f"score ~ arm + week + {term}", **WHO)
