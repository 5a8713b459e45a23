"""Standardised means against LS means, loops over people, stacked equations and fits left out."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from outcomes.core.errors import UsageError
from outcomes.models import counterfactual_rows
from tests.unit.clinic_trial import WEEKS, design, fit, trial

CURVED = "score ~ exposure*age*week + sex*exposure"
LEVELS = ("exercise", "manual", "usual")
NUMBERS = ["estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"]
EMPIRICAL = {"CR0": 0.0, "CR2": 0.5, "CR3": 1.0}


@pytest.fixture(scope="module")
def data():
    """Older people gain more by manual therapy, the more the later."""
    data = trial()
    gain = 0.01 * data.week * (data.age - 45) * (data.exposure == "manual")
    return data.assign(score=data.score + gain)


@pytest.fixture(scope="module")
def curved(data):
    return fit(data, CURVED)


def same(one, other, columns=NUMBERS, rtol=1e-8):
    np.testing.assert_allclose(one[columns], other[columns], rtol=rtol, atol=1e-12)


def people(data):
    return data[data.score.notna()].groupby("id", sort=False).first()


def by_person(result, data, exposure, week):
    """Design rows of everyone set to one exposure and week."""
    rows = [
        person.to_dict() | {"exposure": exposure, "week": week}
        for _, person in people(data).iterrows()
    ]
    return design(result, pd.DataFrame(rows))


@pytest.mark.parametrize(
    ("by", "between", "weights"),
    [("week", None, "proportional"), (None, (6, 52), "proportional"), (None, None, "equal")],
)
def test_without_interactions_it_is_the_ls_mean_over_patients(data, by, between, weights):
    sex = " + week*sex" if weights == "proportional" else ""
    result = fit(data, f"score ~ age*week + exposure*week{sex}")
    ls = result.ls_means(
        [by, "exposure"] if by else "exposure",
        between=between,
        weights=weights,
        average_over="patients",
    )
    fixed = result.standardised_means("exposure", by, between=between, covariates="fixed")
    same(fixed, ls)
    names = ["term", "level", "n_patients", "n_episodes", "gate", "scale"]
    pd.testing.assert_frame_equal(fixed[names], ls[names])
    assert list(fixed.visit) == list(ls.visit)
    random = result.standardised_means("exposure", by, between=between)
    same(random, ls, ["estimate"])
    assert (random.std_error > 1.001 * ls.std_error).all()
    asked = {"between": between, "adjust": "dunnett"}
    contrasts = result.contrasts("exposure", by, **asked)
    for covariates in ("random", "fixed"):
        found = result.standardised_contrasts("exposure", by, covariates=covariates, **asked)
        same(found, contrasts, [*NUMBERS, "p_adjusted", "conf_low_adjusted"], rtol=1e-6)


def test_an_effect_that_is_a_line_of_age_is_that_at_the_mean_age_with_another_error(data):
    result = fit(data, "score ~ exposure*week*age")
    ls = result.ls_means(["week", "exposure"], average_over="patients")
    same(result.standardised_means("exposure", "week"), ls, ["estimate"])
    same(result.standardised_means("exposure", "week", covariates="fixed"), ls)
    asked = {"by": "week", "reference": "usual", "at": {"exposure": ["usual", "manual"]}}
    random = result.standardised_contrasts("exposure", **asked)
    fixed = result.standardised_contrasts("exposure", covariates="fixed", **asked)
    assert (random.std_error > fixed.std_error).all()
    assert random.std_error.iloc[-1] > 1.05 * fixed.std_error.iloc[-1]


def test_it_cannot_be_taken_for_an_ls_mean(curved):
    random = curved.standardised_means("exposure", "week")
    assert set(random.estimand) == {"population-average"}
    assert set(random.method) == {"mmrm-standardised"}
    assert set(random.population) == {"all analysed"}
    treated = curved.standardised_contrasts(
        "exposure", "week", covariates="fixed", population={"exposure": ["usual", "manual"]}
    )
    assert set(treated.estimand) == {"sample-average"}
    assert set(treated.population) == {"exposure=manual or usual"}
    assert set(curved.ls_means("exposure").method) == {"mmrm"}


def test_it_is_a_loop_over_people(data, curved):
    beta, phi = curved.beta.to_numpy(), curved.beta_cov.to_numpy()
    whole = curved.standardised_means("exposure", "week").set_index(["visit", "level"])
    n = len(people(data))
    for week, level in product(WEEKS, LEVELS):
        rows = by_person(curved, data, level, week)
        mean, own = rows.mean(axis=0), rows @ beta
        found = whole.loc[(str(week), level)]
        assert found.estimate == pytest.approx(mean @ beta, rel=1e-9)
        variance = mean @ phi @ mean + own.var(ddof=1) / n
        assert found.std_error == pytest.approx(np.sqrt(variance), rel=1e-9)
    assert (whole.gate == "open").all()


@pytest.mark.parametrize("who", ["all", "treated", "men"])
def test_contrasts_of_changes_in_some_people_are_a_loop_over_them(data, curved, who):
    population = {"all": {}, "treated": {"exposure": "manual"}, "men": {"sex": "m"}}[who]
    found = curved.standardised_contrasts(
        "exposure", reference="usual", between=(6, 52), population=population
    ).iloc[1]
    used = people(data)
    some = np.ones(len(used), dtype=bool)
    for name, level in population.items():
        some &= (used[name] == level).to_numpy()
    late, early = (
        by_person(curved, data, "manual", w) - by_person(curved, data, "usual", w) for w in (52, 6)
    )
    rows = (late - early)[some]
    mean, own = rows.mean(axis=0), rows @ curved.beta.to_numpy()
    assert found.contrast == "manual - usual"
    assert found.visit == "52 - 6"
    assert found.estimate == pytest.approx(mean @ curved.beta, rel=1e-9)
    fixed, added = mean @ curved.beta_cov @ mean, own.var(ddof=1) / some.sum()
    assert found.std_error == pytest.approx(np.sqrt(fixed + added), rel=1e-8)
    assert added > 0.01 * fixed
    df = curved.standardised_contrasts(
        "exposure", reference="usual", between=(6, 52), population=population, covariates="fixed"
    ).df[1]
    spread = fixed**2 / df + added**2 / (some.sum() - 1)
    assert found.df == pytest.approx((fixed + added) ** 2 / spread, rel=1e-8)


def test_by_another_factor_is_the_population_of_each_level(curved):
    by_sex = curved.standardised_contrasts("exposure", ["sex", "week"], kind="pairwise")
    assert list(by_sex.subgroup) == ["sex=f"] * 9 + ["sex=m"] * 9
    for sex in "fm":
        alone = curved.standardised_contrasts(
            "exposure", "week", kind="pairwise", population={"sex": sex}
        )
        same(by_sex[by_sex.subgroup == f"sex={sex}"], alone)
    turned = curved.standardised_means("exposure", ["week", "sex"], at={"sex": "m", "week": [6]})
    same(turned, curved.standardised_means("exposure", population={"sex": "m"}, at={"week": 6}))


def test_at_sets_everyone(data, curved):
    found = curved.standardised_means("exposure", "week", at={"age": 40, "sex": "f"})
    same(found, curved.ls_means(["week", "exposure"], at={"age": 40, "sex": "f"}))
    some = curved.standardised_means("exposure", at={"exposure": ["usual", "manual"], "week": 52})
    assert list(some.level) == ["manual", "usual"]
    whole = curved.standardised_means("exposure", "week")
    same(some, whole[(whole.visit == "52") & (whole.level != "exercise")])


@pytest.mark.parametrize(
    ("formula", "factor"),
    [
        ("score ~ exposure*bs(age, df=4) + week*exposure", "exposure"),
        ("score ~ exposure*poly(age, 2)*week + scale(age)", "exposure"),
        ("score ~ C(`dose 1`)*np.sqrt(age)*week", "dose 1"),
        ("score ~ flag*center(age)*week", "flag"),
        ("np.log(score + 20) ~ 0 + exposure:week + exposure:age", "exposure"),
    ],
)
def test_it_is_the_mean_of_predictions_whatever_the_formula(data, formula, factor):
    doses = {"usual": 0, "exercise": 1, "manual": 2}
    data = data.assign(flag=data.exposure == "usual", **{"dose 1": data.exposure.map(doses)})
    result = fit(data, formula)
    found = result.standardised_means(factor, "week", at={"week": 52})
    everyone = people(data).reset_index().assign(week=52)
    for value in data[factor].unique():
        predicted = result.predict(everyone.assign(**{factor: value})).estimate
        one = found[found.level == str(value)].estimate
        np.testing.assert_allclose(one, predicted.mean(), rtol=1e-10)


def test_custom_contrasts_and_families(curved):
    weights = {"any": {"exercise": 0.5, "manual": 0.5, "usual": -1}}
    found = curved.standardised_contrasts("exposure", "week", "custom", coefficients=weights)
    means = curved.standardised_means("exposure", "week").estimate.to_numpy().reshape(3, 3)
    np.testing.assert_allclose(found.estimate, means @ [0.5, 0.5, -1], rtol=1e-9)
    holm = curved.standardised_contrasts("exposure", "week", adjust="holm", family="all")
    assert (holm.p_adjusted >= holm.p_value).all()


def test_a_few_people_at_a_time_give_the_same(curved, monkeypatch):
    whole = curved.standardised_means("exposure", ["week", "sex"])
    monkeypatch.setattr(counterfactual_rows, "_ROWS_AT_ONCE", 60)
    same(curved.standardised_means("exposure", ["week", "sex"]), whole, rtol=1e-10)


def test_a_function_of_the_visit_has_its_value_there(data):
    data = data.assign(months=data.week / 4)
    result = fit(data, "score ~ week + age + exposure*months")
    found = result.standardised_means("exposure", "week", covariates="fixed")
    for week in WEEKS:
        at = {"week": week, "months": week / 4}
        ls = result.ls_means("exposure", at=at, weights="proportional", average_over="patients")
        same(found[found.visit == str(week)], ls)
    slope = fit(data, "score ~ age + exposure*months")
    months = {"months": float(np.mean(WEEKS)) / 4}
    ls = slope.ls_means("exposure", at=months, average_over="patients")
    same(slope.standardised_means("exposure", covariates="fixed"), ls)


# ----------------------------------------------------------------- one visit: known answers


def one_visit(missing=0.1, n=80):
    data = trial(n=n, missing=missing, seed=5)
    data = data[(data.week == 12) & data.score.notna()].reset_index(drop=True)
    return data.assign(score=data.score + 0.02 * (data.age - 45) ** 2 * (data.exposure == "manual"))


ONE = "score ~ exposure*age + sex"


def ols_rows(data, weights=None):
    """Design, and for each exposure that of everyone set to it; beta and residuals."""
    model = smf.wls(ONE, data, weights=np.ones(len(data)) if weights is None else weights)
    names = model.exog_names

    def rows(table):
        out = {"Intercept": np.ones(len(table)), "age": table.age, "sex[T.m]": table.sex == "m"}
        for level in ("manual", "usual"):
            out[f"exposure[T.{level}]"] = table.exposure == level
            out[f"exposure[T.{level}]:age"] = (table.exposure == level) * table.age
        return np.column_stack([np.asarray(out[name], float) for name in names])

    x = rows(data)
    np.testing.assert_allclose(x, model.exog)
    beta = model.fit().params.to_numpy()
    return x, {level: rows(data.assign(exposure=level)) for level in LEVELS}, beta


def stacked(data, cluster, weights=None):
    """Sandwich of beta and the three means, from their estimating equations stacked."""
    x, at, beta = ols_rows(data, weights)
    w = np.ones(len(data)) if weights is None else np.asarray(weights)
    means = np.array([np.average(at[level] @ beta, weights=w) for level in LEVELS])
    scores = np.column_stack(
        [x * (data.score - x @ beta).to_numpy()[:, None]]
        + [(at[level] @ beta - mean)[:, None] for level, mean in zip(LEVELS, means, strict=True)]
    )
    summed = pd.DataFrame(scores * w[:, None]).groupby(np.asarray(cluster)).sum().to_numpy()
    p = x.shape[1]
    slope = np.zeros((p + 3, p + 3))
    slope[:p, :p] = -(x * w[:, None]).T @ x
    for k, level in enumerate(LEVELS):
        slope[p + k, :p] = w @ at[level]
    slope[p:, p:] = -w.sum() * np.eye(3)
    bread = np.linalg.inv(slope)
    return means, (bread @ summed.T @ summed @ bread.T)[p:, p:]


@pytest.mark.parametrize("cluster", ["id", "clinic"])
@pytest.mark.parametrize("weighted", [False, True])
def test_one_visit_by_cr0_is_the_stacked_sandwich(cluster, weighted):
    data = one_visit()
    options = {"weights": "weight", "weight_kind": "probability"} if weighted else {}
    result = fit(data, ONE, inference="CR0", cluster=cluster, **options)
    means, covariance = stacked(data, data[cluster], data.weight if weighted else None)
    found = result.standardised_means("exposure")
    np.testing.assert_allclose(found.estimate, means, rtol=1e-9)
    np.testing.assert_allclose(found.std_error, np.sqrt(np.diag(covariance)), rtol=1e-8)
    contrasts = result.standardised_contrasts("exposure")
    compare = np.array([[-1, 1, 0], [-1, 0, 1]])
    spread = np.sqrt(np.diag(compare @ covariance @ compare.T))
    np.testing.assert_allclose(contrasts.std_error, spread, rtol=1e-8)
    # What a wrong model of the mean adds is not small here, so that it is tested too.
    fixed = result.standardised_contrasts("exposure", covariates="fixed").std_error
    _, at, beta = ols_rows(data, data.weight if weighted else None)
    w = data.weight.to_numpy() if weighted else np.ones(len(data))
    own = np.column_stack([at[level] @ beta for level in LEVELS]) @ compare.T
    moved = w[:, None] * (own - np.average(own, axis=0, weights=w)) / w.sum()
    added = (pd.DataFrame(moved).groupby(data[cluster]).sum() ** 2).sum()
    assert (np.abs(spread**2 / (fixed**2 + added) - 1) > 0.002).any()


def test_degrees_of_freedom_of_an_empirical_error_are_those_of_its_sum():
    data = one_visit()
    result = fit(data, ONE, inference="CR0", cluster="clinic")
    x, at, beta = ols_rows(data)
    rows = at["manual"] - at["exercise"]
    own, mean = rows @ beta, rows.mean(axis=0)
    parts = pd.DataFrame(
        {
            "beta": (data.score - x @ beta) * (x @ np.linalg.inv(x.T @ x) @ mean),
            "people": (own - own.mean()) / len(x),
            "share": 1 / len(x),
        }
    )
    by_clinic = parts.groupby(data.clinic).sum()
    v, u = (by_clinic.beta**2).sum(), (by_clinic.people**2).sum()
    fixed = result.standardised_contrasts("exposure", covariates="fixed").iloc[0]
    assert fixed.std_error == pytest.approx(np.sqrt(v), rel=1e-8)
    both = 2 * (by_clinic.beta**2 * by_clinic.people**2).sum()
    spread = v**2 / fixed.df + u**2 / (1 / (by_clinic.share**2).sum() - 1) + both
    found = result.standardised_contrasts("exposure").iloc[0]
    assert found.df == pytest.approx((v + u) ** 2 / spread, rel=1e-7)


def test_one_visit_is_linear_regression_and_the_spread_of_people():
    data = one_visit()
    x, at, beta = ols_rows(data)
    error = data.score - x @ beta
    phi = np.linalg.inv(x.T @ x) * (error @ error) / (len(x) - x.shape[1])
    found = fit(data, ONE).standardised_contrasts("exposure", reference="usual").iloc[1]
    rows = at["manual"] - at["usual"]
    mean, own = rows.mean(axis=0), rows @ beta
    expected = mean @ phi @ mean + own.var(ddof=1) / len(x)
    assert found.estimate == pytest.approx(own.mean(), rel=1e-9)
    assert found.std_error == pytest.approx(np.sqrt(expected), rel=1e-8)


def test_the_jackknife_leaves_out_people_and_their_covariates():
    data = one_visit()
    result = fit(data, ONE, inference="jackknife", cluster="clinic")
    _, at, beta = ols_rows(data)
    means = np.array([at[level].mean(axis=0) for level in LEVELS])
    moved = []
    for clinic in data.clinic.unique():
        kept = data[data.clinic != clinic]
        _, _, other = ols_rows(kept)
        left = np.array([at[level][data.clinic != clinic].mean(axis=0) for level in LEVELS])
        moved.append(means @ (other - beta) + (left - means) @ beta)
    changes = np.array(moved)
    covariance = (1 - 1 / len(changes)) * changes.T @ changes
    found = result.standardised_means("exposure")
    np.testing.assert_allclose(found.std_error, np.sqrt(np.diag(covariance)), rtol=1e-7)
    assert (found.df == len(changes) - 1).all()


@pytest.mark.parametrize("kind", EMPIRICAL)
def test_a_mean_of_people_is_adjusted_as_a_model_of_ones_is(kind):
    """With nothing but an intercept and a covariate, everyone's prediction is their own."""
    data = trial(missing=0.0)
    data = data[data.week == 12].assign(score=lambda d: d.age)
    noise = np.random.default_rng(1).normal(0, 1e-4, len(data))
    data = data.assign(score=data.score + noise)
    found = fit(data, "score ~ exposure + age", inference=kind, cluster="clinic")
    ones = fit(data, "score ~ 1", inference=kind, cluster="clinic")
    np.testing.assert_allclose(
        found.standardised_means("exposure").std_error,
        ones.coefficients().std_error[0],
        rtol=1e-4,
    )


def test_a_sandwich_without_clusters_is_one_with_subjects_as_clusters(data):
    for kind in EMPIRICAL:
        alone = fit(data, CURVED, inference=kind).standardised_contrasts("exposure", "week")
        named = fit(data, CURVED, inference=kind, cluster="id")
        same(alone, named.standardised_contrasts("exposure", "week"))


def test_a_cluster_twice_is_a_weight_of_two(data):
    """Who is twice in their cluster counts as much as with a weight of two."""
    twice = data.id.isin(data.id.unique()[::3])
    copies = pd.concat([data, data[twice].assign(id=lambda d: d.id + "b")], ignore_index=True)
    weighted = data.assign(weight=np.where(twice, 2.0, 1.0))
    options = {"inference": "CR0", "cluster": "clinic"}
    one = fit(weighted, CURVED, weights="weight", weight_kind="probability", method="ml", **options)
    two = fit(copies, CURVED, method="ml", **options)
    asked = ("exposure", ["sex", "week"])
    columns = ["estimate", "std_error"]
    same(one.standardised_means(*asked), two.standardised_means(*asked), columns, rtol=1e-6)


def test_precision_weights_do_not_count_people(data):
    result = fit(data, CURVED, weights="weight")
    found = result.standardised_means("exposure", "week", covariates="fixed")
    rows = by_person(result, data, "exercise", 6).mean(axis=0)
    assert found.estimate[0] == pytest.approx(rows @ result.beta, rel=1e-9)


def test_a_huge_mean_costs_no_digits(data):
    plain = fit(data, CURVED).standardised_contrasts("exposure", "week")
    moved = fit(data.assign(score=data.score + 1e7), CURVED)
    same(moved.standardised_contrasts("exposure", "week"), plain, rtol=1e-5)


# ------------------------------------------------------------------------------- what is refused


def test_an_empty_cell_is_named(data):
    lost = data[~((data.exposure == "manual") & (data.week == 52))]
    found = fit(lost, "score ~ exposure*week*age").standardised_means("exposure", "week")
    gone = (found.level == "manual") & (found.visit == "52")
    assert list(found.gate.str.startswith("not estimable")) == list(gone)
    assert found.loc[gone, NUMBERS].isna().all(axis=None)
    assert found.loc[~gone, NUMBERS].notna().all(axis=None)


def test_one_person_is_no_sample(data):
    data = data.assign(kind=np.where(data.id == "p004", "a", "b"))
    result = fit(data, "score ~ exposure*age + kind")
    found = result.standardised_contrasts("exposure", "kind")
    assert list(found.gate.str.startswith("no standard error")) == [True] * 2 + [False] * 2
    assert found.estimate.notna().all()
    assert (result.standardised_means("exposure", "kind", covariates="fixed").gate == "open").all()


def test_a_population_without_anyone_of_a_group_is_not_estimable(data):
    data = data.assign(kind=np.where(data.sex == "m", "a", "b"))
    result = fit(data, "score ~ exposure*age + sex + kind")
    found = result.standardised_means("exposure", "kind", population={"sex": "m"})
    assert list(found.gate.str.startswith("not estimable")) == [False] * 3 + [True] * 3


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda f: f.standardised_means("pain", "week"), "no factor of the model"),
        (lambda f: f.standardised_means("age", "week"), "no factor of the model"),
        (lambda f: f.standardised_means("week"), "goes into by="),
        (lambda f: f.standardised_means("exposure", "exposure"), "named twice"),
        (lambda f: f.standardised_means("exposure", ["week", "week"]), "named twice"),
        (lambda f: f.standardised_means("exposure", at={"pain": 1}), "the model has"),
        (lambda f: f.standardised_means("exposure", at={"sex": ["f", "m"]}), "set to one"),
        (lambda f: f.standardised_means("exposure", covariates="sampled"), "is not known"),
        (lambda f: f.standardised_means("exposure", population={"age": 50}), "no factor"),
        (lambda f: f.standardised_means("exposure", population={"sex": "x"}), "no level"),
        (lambda f: f.standardised_means("exposure", population={"week": 6}), "changes within"),
        (lambda f: f.standardised_means("exposure", population="f"), "a factor to its levels"),
        (lambda f: f.standardised_means("exposure", between=(6, 7)), "no level"),
        (lambda f: f.standardised_means("exposure", between=(6, 12), at={"week": 6}), "both"),
        (lambda f: f.standardised_means("exposure", level=95), "between 0 and 1"),
        (lambda f: f.standardised_contrasts("exposure", kind="best"), "is not known"),
        (lambda f: f.standardised_contrasts("exposure", reference="x"), "no level"),
        (lambda f: f.standardised_contrasts("exposure", adjust="tukey"), "is not known"),
    ],
)
def test_questions_that_cannot_be_asked(curved, ask, words):
    with pytest.raises(UsageError, match=words):
        ask(curved)


def test_nobody_is_no_population(data):
    data = data.assign(kind=np.where(data.sex == "m", "a", "b"))
    result = fit(data, "score ~ exposure*age + sex + kind")
    with pytest.raises(UsageError, match="leaves nobody"):
        result.standardised_means("exposure", population={"sex": "m", "kind": "b"})


def test_what_changes_over_time_is_named_and_can_be_fixed(data):
    rng = np.random.default_rng(2)
    data = data.assign(sessions=rng.poisson(4, len(data)), mood=rng.choice(["low", "high"], 270))
    result = fit(data, "score ~ exposure*week + exposure*sessions + mood")
    with pytest.raises(UsageError, match="'mood', 'sessions' change"):
        result.standardised_means("exposure", "week")
    with pytest.raises(UsageError, match="'mood' changes within"):
        result.standardised_means("exposure", "mood", at={"sessions": 4})
    at = {"sessions": 4, "mood": "low"}
    found = result.standardised_contrasts("exposure", "week", at=at)
    same(found, result.contrasts("exposure", "week", at=at))


def test_a_term_that_is_infinite_at_another_level_is_said(data):
    data = data.assign(one=(data.exposure == "usual") * 1.0)
    result = fit(data, "score ~ exposure + np.log(one + (exposure != 'usual'))")
    with pytest.raises(UsageError, match="not finite for some"):
        result.standardised_means("exposure")
