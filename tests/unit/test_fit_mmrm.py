"""`fit_mmrm` on long tables: what it takes, what it answers, what it refuses."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import statsmodels.formula.api as smf
from scipy.stats import multivariate_t
from statsmodels.stats.anova import anova_lm

from outcomes import fit_mmrm
from outcomes.core.errors import EstimationError, NotEstimable, UsageError
from outcomes.models.adjustment import dunnett, holm

FORMULA = "score ~ age*week + exposure*week + sex"
WEEKS = (6, 12, 52)


def trial(n=90, weeks=WEEKS, missing=0.2, seed=1):
    rng = np.random.default_rng(seed)
    subject = np.repeat(np.arange(n), len(weeks))
    corr = 0.6 ** np.abs(np.subtract.outer(range(len(weeks)), range(len(weeks))))
    noise = rng.standard_normal((n, len(weeks))) @ np.linalg.cholesky(corr).T
    data = pd.DataFrame(
        {
            "id": [f"p{k:03}" for k in subject],
            "week": np.tile(weeks, n),
            "exposure": np.array(["usual", "exercise", "manual"])[np.arange(n) % 3][subject],
            "sex": np.array(["f", "m"])[rng.integers(0, 2, n)][subject],
            "age": rng.normal(50, 9, n)[subject],
            "score": noise.ravel(),
        }
    )
    data["score"] += 0.02 * data.age + 0.5 * (data.exposure == "manual")
    data.loc[rng.random(len(data)) < missing, "score"] = np.nan
    return data


def fit(data, formula=FORMULA, **options):
    return fit_mmrm(data, formula, **{"subject": "id", "visit": "week", **options})


def same(one, other, rtol=1e-9):
    np.testing.assert_allclose(one.beta, other.beta, rtol=rtol)
    np.testing.assert_allclose(one.beta_cov, other.beta_cov, rtol=rtol)
    np.testing.assert_allclose(one.log_likelihood, other.log_likelihood, rtol=1e-12)


@pytest.fixture(scope="module")
def data():
    return trial()


@pytest.fixture(scope="module")
def fitted(data):
    return fit(data)


@pytest.mark.parametrize(
    "turn",
    [
        pl.from_pandas,
        lambda d: pa.Table.from_pandas(d, preserve_index=False),
        lambda d: pl.from_pandas(d).lazy(),
        lambda d: d.convert_dtypes(),
        lambda d: d.assign(week=d.week.astype(str)),
        lambda d: d.assign(week=d.week.astype(float)),
        lambda d: d.assign(week=pd.Categorical(d.week)),
        lambda d: d.sample(frac=1, random_state=1),
    ],
    ids=["polars", "arrow", "lazy", "nullable", "text", "float", "category", "shuffled"],
)
def test_any_table_gives_the_same_fit(data, fitted, turn):
    other = fit(turn(data))
    assert list(other.covariance.index) == ["6", "12", "52"]
    assert list(other.beta.index) == list(fitted.beta.index)
    same(fitted, other)


def test_visits_choose_and_order_whatever_their_type(data, fitted):
    for visits in ([52, 6, 12], ["52", "6", "12"], [52.0, 6.0, 12.0]):
        other = fit(data, visits=visits)
        assert list(other.covariance.index) == ["52", "6", "12"]
        assert other.log_likelihood == pytest.approx(fitted.log_likelihood, rel=1e-10)
    less = fit(data, visits=[6, 12])
    assert any("90 rows are at visits that were not asked for" in note for note in less.notes)
    same(less, fit(data[data.week < 52]))


def test_one_visit_is_least_squares(data):
    one = data[data.week == 6]
    found = fit(one, "score ~ age + exposure + sex").coefficients()
    ols = smf.ols("score ~ age + exposure + sex", one.dropna()).fit()
    order = ["Intercept", "age", "exposure[T.manual]", "exposure[T.usual]", "sex[T.m]"]
    np.testing.assert_allclose(found.estimate, ols.params[order], rtol=1e-9)
    np.testing.assert_allclose(found.std_error, ols.bse[order], rtol=1e-9)
    np.testing.assert_allclose(found.df, ols.df_resid, rtol=1e-9)


def test_two_complete_visits_are_a_paired_comparison():
    data = trial(weeks=(6, 12), missing=0.0)
    found = fit(data, "score ~ week").contrasts("week").iloc[0]
    wide = data.pivot(index="id", columns="week", values="score")
    change = wide[12] - wide[6]
    assert found.contrast == "12 - 6"
    assert found.estimate == pytest.approx(change.mean(), rel=1e-10)
    assert found.std_error == pytest.approx(change.std() / np.sqrt(90), rel=1e-9)
    assert found.df == pytest.approx(89, rel=1e-8)


def test_twelve_visits():
    found = fit(trial(n=150, weeks=tuple(range(1, 13)), missing=0.1), "score ~ exposure*week")
    assert found.converged
    assert found.covariance.shape == (12, 12)
    assert list(found.covariance.index) == [str(k) for k in range(1, 13)]


def test_a_huge_mean_costs_no_digits(data, fitted):
    moved = fit(data.assign(score=data.score + 1e9))
    size = np.sqrt(np.diag(fitted.beta_cov))
    # The responses themselves are rounded to 1e-7 where they are 1e9.
    assert (np.abs(moved.beta - fitted.beta) / size).iloc[1:].max() < 1e-6
    assert (np.abs(moved.beta_cov - fitted.beta_cov) / np.outer(size, size)).max(axis=None) < 1e-6


def test_ls_means_are_predictions_averaged(data, fitted):
    used = data.dropna()
    beta = fitted.beta
    week, manual = beta["age:week12"] * used.age.mean(), beta["exposuremanual"]
    base = beta["(Intercept)"] + beta["age"] * used.age.mean() + beta["week12"] + week
    mean = base + manual + beta["week12:exposuremanual"]
    found = {
        name: fitted.ls_means(["exposure", "week"], weights=name).set_index(["level", "visit"])
        for name in ("equal", "proportional", "cells")
    }
    male = (used.sex == "m").astype(float)
    cell = male[(used.exposure == "manual") & (used.week == 12)]
    for name, share in (("equal", 0.5), ("proportional", male.mean()), ("cells", cell.mean())):
        row = found[name].loc[("manual", "12")]
        assert row.estimate == pytest.approx(mean + share * beta["sexm"], rel=1e-10)
        assert row.n_patients == len(cell)


def test_patients_count_once_where_asked(data, fitted):
    used = data.dropna()
    by_patient = used.groupby("id").age.first().mean()
    rows = fitted.ls_means(["week"], at={"age": by_patient}).estimate
    patients = fitted.ls_means(["week"], average_over="patients").estimate
    np.testing.assert_allclose(patients, rows, rtol=1e-12)
    assert not np.allclose(patients, fitted.ls_means("week").estimate, rtol=1e-9)


def test_contrasts_of_every_kind(fitted):
    pairs = fitted.contrasts("exposure", by="week", kind="pairwise")
    assert len(pairs) == 9
    means = fitted.ls_means(["exposure", "week"]).set_index(["level", "visit"]).estimate
    for row in pairs.itertuples():
        difference = means[(row.level, row.visit)] - means[(row.reference, row.visit)]
        assert row.estimate == pytest.approx(difference, abs=1e-12)
    against = fitted.contrasts("exposure", reference="usual")
    assert list(against.contrast) == ["exercise - usual", "manual - usual"]
    steps = fitted.contrasts("week", by="exposure", kind="consecutive")
    assert list(steps.contrast[:2]) == ["12 - 6", "52 - 12"]
    assert steps.subgroup[0] == "exposure=exercise"
    both = fitted.contrasts("exposure", by=["sex", "week"])
    assert list(zip(both.subgroup, both.visit, strict=True))[2:4] == [
        ("sex=f", "12"),
        ("sex=f", "12"),
    ]
    active = {"active": {"exercise": 0.5, "manual": 0.5, "usual": -1}}
    custom = fitted.contrasts("exposure", kind="custom", coefficients=active)
    assert custom.estimate[0] == pytest.approx(against.estimate.mean(), rel=1e-10)


def test_a_family_of_one_needs_no_adjustment(fitted):
    found = fitted.contrasts("sex", by="week", adjust="dunnett")
    np.testing.assert_allclose(found.p_adjusted, found.p_value, rtol=1e-8)
    np.testing.assert_allclose(found.conf_low_adjusted, found.conf_low, rtol=1e-8)


def test_adjustment_is_by_family(fitted):
    by = fitted.contrasts("exposure", by="week", adjust="dunnett")
    everything = fitted.contrasts("exposure", by="week", adjust="dunnett", family="all")
    assert (by.p_adjusted >= by.p_value).all()
    assert (everything.p_adjusted > by.p_adjusted).all()
    assert (everything.conf_low_adjusted < by.conf_low_adjusted).all()
    step = fitted.contrasts("exposure", by="week", adjust="holm")
    first = step[step.visit == "6"]
    assert first.p_adjusted.min() == pytest.approx(min(1, 2 * first.p_value.min()))
    assert step.conf_low_adjusted.isna().all()


def test_dunnett_is_the_multivariate_t():
    correlation = np.array([[1, 0.5, 0.5, 0.3], [0.5, 1, 0.5, 0.3], [0.5, 0.5, 1, 0.3], [0.3] * 4])
    correlation[3, 3] = 1.0
    statistics = np.array([2.4, 1.0, 3.5, 0.2])
    found = dunnett(statistics, correlation, np.array([20.0, 25.0, 30.0, 40.0]), 0.95)
    for t, p in zip(statistics, found.p_values, strict=True):
        box = np.full(4, t)
        inside = multivariate_t(shape=correlation, df=20, seed=1).cdf(
            box, lower_limit=-box, maxpts=400_000
        )
        assert p == pytest.approx(1 - inside, abs=2e-4)
    # Dunnett's table: three comparisons, correlation 1/2, 20 degrees of freedom, two-sided 5 %.
    equal = np.full((3, 3), 0.5) + np.eye(3) / 2
    assert dunnett(np.ones(3), equal, np.full(3, 20.0), 0.95).critical == pytest.approx(
        2.54, abs=0.005
    )


def test_tukeys_range_is_the_singular_case():
    pairs = np.array([[1, -1, 0], [1, 0, -1], [0, 1, -1]]) / np.sqrt(2)
    found = dunnett(np.array([1.0, 2.0, np.nan]), pairs @ pairs.T, np.full(3, 10.0), 0.95)
    assert np.isnan(found.p_values[2])
    whole = dunnett(np.array([1.0, 2.0, 3.0]), pairs @ pairs.T, np.full(3, 10.0), 0.95)
    assert whole.critical * np.sqrt(2) == pytest.approx(3.877, abs=0.002)  # studentised range


def test_holm_steps_down():
    found = holm(np.array([0.01, np.nan, 0.04, 0.03])).p_values
    np.testing.assert_allclose(found, [0.03, np.nan, 0.06, 0.06])


def test_groups_have_a_covariance_of_their_own(data):
    found = fit(data, group="sex")
    assert set(found.covariance) == {"f", "m"}
    assert not np.allclose(found.covariance["f"], found.covariance["m"], rtol=0.01)


def test_weights_of_one_change_nothing(data, fitted):
    same(fitted, fit(data.assign(w=1.0), weights="w"))
    halves = fit(data.assign(w=0.5), weights="w")
    np.testing.assert_allclose(halves.covariance, fitted.covariance / 2, rtol=1e-9)
    np.testing.assert_allclose(halves.beta_cov, fitted.beta_cov, rtol=1e-9)


def test_a_list_of_structures_falls_back_and_says_so(data):
    sparse = data.copy()
    even = sparse.id.isin(sorted(set(sparse.id))[::2])
    sparse.loc[even & (sparse.week == 6), "score"] = np.nan
    sparse.loc[~even & (sparse.week == 52), "score"] = np.nan
    with pytest.raises(NotEstimable, match="'6' and '52'"):
        fit(sparse)
    for tried in (["us", "cs"], ["us", "cs", "toep"]):
        found = fit(sparse, covariance=tried)
        assert any("'us' could not be fitted" in note for note in found.notes)
        assert any("'cs' was used instead" in note for note in found.notes)
    assert not any("used instead" in note for note in fit(data, covariance=tried).notes)


def test_what_was_dropped_is_counted(data):
    holes = data.copy()
    holes.loc[holes.index[:5], "age"] = np.nan
    found = fit(holes)
    seen = data.score.notna()
    lost = int(seen.iloc[:5].sum())
    text = " ".join(found.notes)
    assert f"{int((~seen).sum())} of 270 rows have no response" in text
    assert f"age {lost}" in text
    assert found.n_observations == int(seen.sum()) - lost


def test_what_is_missing_is_called_what_it_is(data):
    rows = data.dropna().reset_index(drop=True)
    rows = rows.assign(w=1.0, ward="a", clinic=rows.id.str[-1])
    rows.loc[0, ["age", "w"]] = np.nan
    rows.loc[rows.id == rows.id[20], "ward"] = None
    rows.loc[[30, 31], "clinic"] = None
    options = {"weights": "w", "group": "ward", "cluster": "clinic", "inference": "CR0"}
    n_ward = int((rows.id == rows.id[20]).sum())
    assert (
        f"{3 + n_ward} rows with a response miss a covariate (age 1) or the covariance group "
        f"(ward {n_ward}) or the weight (w 1) or the cluster (clinic 2) and were dropped."
    ) in fit(rows, **options).notes


def test_one_is_no_plural(data):
    rows = data[data.id != "p000"].dropna()
    rows = pd.concat([rows, data.assign(score=np.nan).head(1)])
    rows.iloc[5, rows.columns.get_loc("age")] = np.nan
    notes = fit(rows).notes
    assert f"1 of {len(rows)} rows has no response and was dropped." in notes
    assert "1 row with a response misses a covariate (age 1) and was dropped." in notes
    assert "1 subject has no usable row and takes no part." in notes


def test_a_term_of_one_level_is_said_to_have_no_coefficient(data):
    found = fit(data.assign(site="A"), "score ~ site*week + C(age > 500)")
    assert list(found.beta.index) == ["(Intercept)", "week12", "week52"]
    assert (
        "site, C(age > 500), site:week: no coefficient, as a factor in it has one level among the "
        "used rows and can have no effect."
    ) in found.notes


def test_a_table_without_rows_says_so_whatever_the_visits(data):
    for visits in (None, list(WEEKS)):
        with pytest.raises(NotEstimable, match="The table has no rows"):
            fit(data.iloc[:0], visits=visits)


def test_aliased_columns_are_named(data):
    found = fit(data.assign(years=2 * data.age), "score ~ age + years + week")
    assert np.isnan(found.beta["years"])
    assert any("years" in note for note in found.notes)
    row = found.coefficients().set_index("term").loc["years"]
    assert row.gate.startswith("not estimable")
    assert np.isfinite(found.ls_means("week").estimate).all()


def test_joint_tests_of_one_row_are_t_squared(fitted):
    tests = fitted.joint_tests().set_index("term")
    sex = fitted.contrasts("sex").iloc[0]
    assert tests.statistic["sex"] == pytest.approx(sex.statistic**2, rel=1e-8)
    assert tests.p_value["sex"] == pytest.approx(sex.p_value, rel=1e-6)
    assert tests.num_df["age:week"] == 2
    with pytest.raises(UsageError, match="type III"):
        fitted.joint_tests(type=1)


def test_a_spline_or_polynomial_is_tested_by_its_coefficients(data):
    tests = fit(data, "score ~ poly(age, 3) + week").joint_tests().set_index("term")
    assert tests.num_df["poly(age, 3)"] == 3


def test_a_centred_cubic_spline_is_the_natural_one_of_its_knots(data):
    low, *inner, high = np.quantile(data.dropna().age, [0, 0.3, 0.6, 1])

    def bend(knot):
        # Truncated powers whose difference is a line beyond the last knot.
        above = np.maximum(data.age - knot, 0) ** 3 - np.maximum(data.age - high, 0) ** 3
        return above / (high - knot)

    powers = data.assign(one=bend(low) - bend(inner[1]), two=bend(inner[0]) - bend(inner[1]))
    natural = fit(powers, "score ~ age + one + two + week")
    curve = f"score ~ cr(age, knots=[{inner[0]}, {inner[1]}], constraints='center') + week"
    found = fit(data, curve)
    np.testing.assert_allclose(found.predict().estimate, natural.predict().estimate, rtol=1e-8)


def test_summary_names_what_was_done(fitted):
    text = fitted.summary()
    assert FORMULA in text
    assert "kenward-roger" in text
    assert "rows have no response" in text
    assert len(text.splitlines()) < 60


def test_summary_says_what_was_seen_and_tested(data, fitted):
    text = fitted.summary()
    used = data.dropna(subset="score")
    seen = ", ".join(f"{n} at {week}" for week, n in used.groupby("week").id.count().items())
    assert f"Seen: {seen}" in text
    complete = int((used.groupby("id").score.count() == 3).sum())
    assert f" x  x  x  {complete}\n" in text
    tests = fitted.joint_tests().set_index("term")
    line = next(row for row in text.splitlines() if row.startswith("week:exposure "))
    assert f"{tests.statistic['week:exposure']:.4g}" in line.split()
    assert f"AICc {fitted.aicc:.2f}" in text
    correlation = fitted.covariance.loc["6", "52"] / np.sqrt(
        fitted.covariance.loc["6", "6"] * fitted.covariance.loc["52", "52"]
    )
    row = next(r for r in text.splitlines() if r.startswith("6 ") and len(r.split()) == 4)
    assert row.split()[3] == f"{correlation:.4g}"


@pytest.mark.slow
def test_summary_of_a_large_fit_stays_a_page():
    data = trial(n=300, weeks=tuple(range(1, 13)), missing=0.3)
    text = fit(data, "score ~ exposure*week*sex", covariance="toep").summary()
    assert len(text.splitlines()) < 70
    assert "and 48 more: fit.coefficients()" in text
    assert "Covariance of 12 visits: fit.covariance" in text
    assert "other patterns" in text


def test_summary_of_a_mean(data):
    assert "Type III tests, covariates at their means\nnone" in fit(data, "score ~ 1").summary()


def test_summary_says_where_the_matrices_of_many_groups_are(data):
    by_exposure = fit(data, "score ~ week", covariance="cs", group="exposure")
    assert set(by_exposure.covariance) == set(data.exposure)
    said = "Covariance of 3 visits: fit.covariance, a dict by level of exposure\n"
    assert said in by_exposure.summary()


def test_summary_has_no_criteria_where_the_likelihood_is_none(data):
    weighted = {"weights": "age", "weight_kind": "probability", "inference": "CR0"}
    text = fit(data, **weighted).summary()
    assert f"pseudo-log-likelihood {fit(data, **weighted).log_likelihood:.3f}" in text
    assert "AICc" not in text


def test_type_two_of_one_visit_is_that_of_linear_regression(data):
    one = data[data.week == 6].dropna()
    formula = "score ~ exposure*age + exposure*sex"
    table = anova_lm(smf.ols(formula, one).fit(), typ=2)
    found = fit(one, formula).joint_tests(type=2).set_index("term")
    for term in found.index:
        row = table.loc[term]
        assert found.num_df[term] == row.df
        assert found.statistic[term] == pytest.approx(row.F, rel=1e-8)
        assert found.p_value[term] == pytest.approx(row["PR(>F)"], rel=1e-7)


def test_type_two_is_the_fall_of_the_weighted_squares(data):
    """Of models without the terms that contain it, at the covariance of the full one."""
    result = fit(data, inference="residual")
    found = result.joint_tests(type=2).set_index("term")
    sigma = result.fit.reml.sigmas[0]
    alone = {
        "exposure": ("age*week + sex", "age*week + sex + exposure"),
        "week": ("age + exposure + sex", "age + exposure + sex + week"),
    }
    for term, (without, with_term) in alone.items():
        less, more = (
            weighted_squares(data, f"score ~ {right}", sigma) for right in (without, with_term)
        )
        row = found.loc[term]
        assert row.statistic == pytest.approx((less[0] - more[0]) / row.num_df, rel=1e-8)
        assert row.num_df == more[1] - less[1]


def weighted_squares(data, formula, sigma):
    used = data.dropna().assign(week=lambda d: pd.Categorical(d.week.astype(str)))
    model = smf.ols(formula, used)
    A, b, c = 0.0, 0.0, 0.0
    for place in used.reset_index().groupby("id").indices.values():
        visit = used.week.iloc[place].map({"6": 0, "12": 1, "52": 2}).to_numpy(int)
        W = np.linalg.inv(sigma[np.ix_(visit, visit)])
        x, y = model.exog[place], model.endog[place]
        A, b, c = A + x.T @ W @ x, b + x.T @ W @ y, c + y @ W @ y
    return c - b @ np.linalg.solve(A, b), len(b)


def test_type_two_and_three_agree_on_the_highest_terms(fitted):
    two, three = (fitted.joint_tests(type=kind).set_index("term") for kind in (2, 3))
    highest = ["age:week", "week:exposure", "sex"]
    for column in ("num_df", "den_df", "statistic", "p_value"):
        np.testing.assert_allclose(two.loc[highest, column], three.loc[highest, column], rtol=1e-7)


@pytest.mark.parametrize("kind", [2, 3])
def test_a_covariate_that_never_changes_is_not_tested(data, kind):
    found = fit(data.assign(site=3.0), "score ~ site + week").joint_tests(type=kind)
    gates = found.set_index("term")["gate"]
    assert "not estimable" in gates["site"]
    assert gates["week"] == "open"


def test_type_two_leaves_out_what_is_aliased(data):
    lost = data[~((data.exposure == "manual") & (data.week == 52))]
    found = fit(lost, "score ~ exposure*week").joint_tests(type=2).set_index("term")
    assert list(found.num_df) == [2, 2, 3]
    assert (found.gate == "open").all()


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda d: d.drop(columns="id"), {}, "No column 'id'"),
        (lambda d: d.drop(columns="week"), {}, "No column 'week'"),
        (lambda d: pd.concat([d, d.iloc[:4]]), {}, "4 rows repeat"),
        (lambda d: d.assign(age=np.inf), {}, "Infinite"),
        (lambda d: d.assign(score=-np.inf), {}, "Infinite"),
        (lambda d: d.assign(age=pd.Timestamp("2020-01-01")), {}, "number"),
        (lambda d: d.assign(score=pd.Timestamp("2020-01-01")), {}, "'score' is no number"),
        (lambda d: d.assign(score=["high", 2.0] * 135), {}, "'score' is no number. Convert"),
        (lambda d: d.assign(age=1j), {}, "complex"),
        (lambda d: d.assign(age=10**400), {}, "numbers are needed"),
        (lambda d: d.assign(id=None), {}, "are empty"),
        (lambda d: d.to_dict(), {}, "pandas, polars or Arrow"),
        (lambda d: d.assign(w=-1.0), {"weights": "w"}, "not positive"),
        (lambda d: d, {"weights": "w"}, "No column 'w'"),
        (lambda d: d, {"visits": [6, 7]}, "'7'"),
        (lambda d: d, {"visits": [6, 6]}, "twice"),
        (lambda d: d, {"covariance": "banded"}, "'us'"),
        (lambda d: d, {"covariance": []}, "nothing"),
        (lambda d: d, {"inference": "wald"}, "'kenward-roger'"),
        (lambda d: d, {"cluster": "id"}, "'CR2'"),
        (lambda d: d, {"weight_kind": "probability"}, "'CR2'"),
        (lambda d: d, {"inference": "CR2", "cluster": "week"}, "changes within"),
        (lambda d: d, {"inference": "CR2", "cluster": "clinic_id"}, "No column 'clinic_id'"),
        (lambda d: d, {"method": "ml"}, "satterthwaite"),
        (lambda d: d, {"group": "week"}, "changes within"),
    ],
)
def test_calls_that_cannot_be_understood(data, change, options, words):
    with pytest.raises(UsageError, match=words):
        fit(change(data), **options)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.iloc[:0],
        lambda d: d.assign(score=np.nan),
        lambda d: d[d.id == "p001"],
        lambda d: d.assign(score=3.0),
        lambda d: d.assign(score=d.age),
    ],
    ids=["no rows", "no responses", "one subject", "constant", "explained"],
)
def test_data_without_an_answer(data, change):
    with pytest.raises(EstimationError):
        fit(change(data))


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda f: f.ls_means("age"), r"no factor .* Write C\(age\) in the formula"),
        (lambda f: f.ls_means("nothing"), "numeric covariates 'age'.$"),
        (lambda f: f.ls_means(["week", "week"]), "twice"),
        (lambda f: f.ls_means("week", weights="outer"), "'cells'"),
        (lambda f: f.ls_means("week", level=95), "between 0 and 1"),
        (lambda f: f.ls_means("week", at={"age": "old"}), "one number"),
        (lambda f: f.ls_means("week", at={"age": [40, 50]}), "one number; ask once more"),
        (lambda f: f.ls_means("week", at={"sex": "x"}), "no level"),
        (lambda f: f.ls_means("week", at={"site": 1}), "at= names 'site'"),
        (lambda f: f.contrasts("exposure", reference="none"), "no level"),
        (lambda f: f.contrasts("exposure", kind="all"), "'pairwise'"),
        (lambda f: f.contrasts("exposure", kind="custom"), "coefficients="),
        (lambda f: f.contrasts("exposure", adjust="tukey"), "kind='pairwise' with adjust='dun"),
        (lambda f: f.contrasts("exposure", adjust="sidak"), "take Holm's"),
        (lambda f: f.contrasts("exposure", family="one"), "'by'"),
        (
            lambda f: f.contrasts("sex", kind="custom", coefficients={"x": {"f": 1}}),
            "add up to zero",
        ),
    ],
)
def test_questions_that_cannot_be_asked(fitted, ask, words):
    with pytest.raises(UsageError, match=words):
        ask(fitted)


@pytest.mark.parametrize("covariance", ["us", "csh", "toeph"])
def test_a_visit_at_which_nothing_varies_is_named(covariance):
    data = trial(missing=0.0)
    data.loc[data["week"] == 12, "score"] = 3.0
    with pytest.raises(NotEstimable, match="does not vary at '12'"):
        fit(data, "score ~ exposure*week", covariance=covariance)
    kept = fit(data, "score ~ exposure*week", covariance=[covariance, "cs"]).covariance
    assert kept.to_numpy()[0, 0] == pytest.approx(kept.to_numpy()[1, 1])  # compound symmetry


@pytest.mark.parametrize(
    ("labels", "ordered"),
    [
        (("2020-12-01", "2021-01-01", "2020-11-01"), [2, 0, 1]),
        (("week-6", "week-26", "week-2"), [2, 0, 1]),
        (("day 7", "day 84", "day -7"), [2, 0, 1]),
    ],
)
def test_a_hyphen_is_no_minus_and_visits_stand_in_time(labels, ordered):
    data = trial(missing=0.0)
    data["week"] = data["week"].map(dict(zip(WEEKS, labels, strict=True)))
    found = fit(data, "score ~ exposure*week", covariance="ar1")
    assert list(found.covariance.index) == [labels[k] for k in ordered]


@pytest.mark.parametrize(("covariance", "said"), [("us", False), ("toep", False), ("ar1h", True)])
def test_the_form_of_kenward_roger_is_said_where_programs_differ(data, covariance, said):
    notes = fit(data, covariance=covariance).notes
    assert any("kr(linear)" in note for note in notes) == said
    plain = fit(data, covariance=covariance, inference="satterthwaite").notes
    assert not any("kr(linear)" in note for note in plain)
