"""Predictions, draws and residuals against dense algebra, regression and their own identities."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import statsmodels.formula.api as smf
from scipy.linalg import block_diag
from scipy.stats import t as t_distribution

from outcomes.core.errors import NotEstimable, UsageError
from tests.unit.clinic_trial import FORMULA, covariance_of, design, fit, trial

OPTIONS = {
    "plain": {"inference": "satterthwaite"},
    "weights": {"weights": "weight", "inference": "satterthwaite"},
    "groups": {"group": "sex", "covariance": "csh", "inference": "satterthwaite"},
    "kenward-roger": {},
    "CR2": {"inference": "CR2"},
    "ml": {"method": "ml", "inference": "residual"},
}


@pytest.fixture(scope="module")
def data():
    return trial()


@pytest.fixture(scope="module", params=OPTIONS)
def fitted(request, data):
    return fit(data, **OPTIONS[request.param])


@pytest.fixture(scope="module")
def plain(data):
    return fit(data, inference="satterthwaite")


def by_hand(result, data):
    """Conditional means, their standard errors and those of a new response, by subject."""
    x, beta, phi = design(result, data), result.beta.to_numpy(), result.beta_cov.to_numpy()
    out = pd.DataFrame(index=data.index, columns=["estimate", "std_error", "sd"], dtype=float)
    for _, rows in data.groupby("id"):
        V, own = covariance_of(result, rows), x[rows.index]
        s = rows.score.notna().to_numpy()
        u = ~s
        K = V[np.ix_(u, s)] @ np.linalg.inv(V[np.ix_(s, s)])
        mean = own[u] @ beta + K @ (rows.score[s] - own[s] @ beta)
        G = own[u] - K @ own[s]
        around, left = G @ phi @ G.T, V[np.ix_(u, u)] - K @ V[np.ix_(s, u)]
        sd = np.sqrt(np.diag(around + left))
        places = rows.index[u]
        out.loc[places, "estimate"] = mean
        out.loc[places, "std_error"] = np.sqrt(np.diag(around))
        out.loc[places, "sd"] = sd
        out.loc[rows.index[s], ["estimate", "std_error", "sd"]] = 0.0
        out.loc[rows.index[s], "estimate"] = rows.score[s]
    return out


def test_fitted_rows_are_predicted_by_their_means(data, fitted):
    found = fitted.predict(interval="confidence")
    used = data[data.score.notna()]
    x = design(fitted, used)
    assert list(found.index) == list(used.index)
    assert list(found.id) == list(used.id)
    assert list(found.week) == list(used.week.astype(str))
    se = np.sqrt(np.einsum("ij,jk,ik->i", x, fitted.beta_cov.to_numpy(), x))
    np.testing.assert_allclose(found.estimate, x @ fitted.beta, rtol=1e-10)
    np.testing.assert_allclose(found.std_error, se, rtol=1e-9)
    half = t_distribution.ppf(0.975, found.df) * found.std_error
    np.testing.assert_allclose(found.conf_high - found.estimate, half, rtol=1e-9)
    assert (found.gate == "open").all()


def test_a_mean_has_the_degrees_of_freedom_of_its_contrast(plain):
    """At the covariates of an LS mean, a prediction is that LS mean."""
    mean = plain.ls_means(["exposure", "sex", "week"], at={"age": 44.0})
    names = mean.level.str.split(":", expand=True)
    rows = pd.DataFrame({"exposure": names[0], "sex": names[1], "week": mean.visit, "age": 44.0})
    found = plain.predict(rows, interval="confidence", level=0.9)
    other = plain.ls_means(["exposure", "sex", "week"], at={"age": 44.0}, level=0.9)
    for name in ("estimate", "std_error", "df", "conf_low", "conf_high"):
        np.testing.assert_allclose(found[name], other[name], rtol=1e-9)
    assert "id" not in found


def test_conditional_predictions_agree_with_whole_matrices(data, fitted):
    found = fitted.predict(data, conditional=True, interval="prediction")
    expected = by_hand(fitted, data)
    np.testing.assert_allclose(found.estimate, expected.estimate, rtol=1e-9)
    np.testing.assert_allclose(found.std_error, expected.std_error, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found.prediction_sd, expected.sd, rtol=1e-8, atol=1e-12)
    seen = data.score.notna()
    assert (found.conf_low[seen] == data.score[seen]).all()
    assert (found.conf_high[~seen] > found.estimate[~seen]).all()


def test_order_and_kind_of_the_table_do_not_matter(data, plain):
    found = plain.predict(data, conditional=True)
    mixed = data.sample(frac=1, random_state=2)
    again = plain.predict(pl.from_pandas(mixed), conditional=True)
    again.index = mixed.index
    pd.testing.assert_frame_equal(again.sort_index().rename_axis("row"), found, rtol=1e-9)


def test_without_a_seen_visit_conditional_is_marginal(data, plain):
    new = data.assign(score=np.nan, id=[f"new {name}" for name in data.id])
    found = plain.predict(new, conditional=True, interval="prediction")
    expected = plain.predict(new, interval="prediction")
    assert (found.covariance_sd == 0).all()
    found = found.drop(columns=["id", "covariance_sd"])
    pd.testing.assert_frame_equal(found, expected, rtol=1e-10)


@pytest.mark.parametrize(
    "options", [{}, {"group": "sex", "covariance": "csh", "weights": "weight"}]
)
def test_limits_have_the_estimated_weights_of_the_seen_visits_in_them(data, options):
    """By difference quotients of those weights in the entries of the covariance."""
    result = fit(data, inference="satterthwaite", **options)
    found = result.predict(data, conditional=True, interval="confidence")
    new = result.predict(data, conditional=True, interval="prediction")
    np.testing.assert_allclose(new.covariance_sd, np.sqrt(2) * found.covariance_sd, rtol=1e-12)
    half = t_distribution.ppf(0.975, new.df) * np.hypot(new.prediction_sd, new.covariance_sd)
    seen = data.score.notna()
    np.testing.assert_allclose((new.conf_high - new.estimate)[~seen], half[~seen], rtol=1e-9)
    sigmas, groups = result.fit.reml.sigmas, result.grid.data.groups
    cov = result.fit.inference.entry_cov.reshape(len(sigmas), 6, len(sigmas), 6)
    for name, rows in list(data.groupby("id"))[:25]:
        s = rows.score.notna().to_numpy()
        if s.all() or not s.any():
            continue
        g = groups.index(rows.sex.iloc[0]) if options else 0
        root = np.sqrt(rows.weight.to_numpy()) if options else np.ones(3)

        def weights(sigma, s=s):
            return sigma[np.ix_(~s, s)] @ np.linalg.inv(sigma[np.ix_(s, s)])

        slopes = []
        for j, k in zip(*np.tril_indices(3), strict=True):
            step = np.zeros((3, 3))
            step[j, k] = step[k, j] = 1e-5
            slopes.append((weights(sigmas[g] + step) - weights(sigmas[g] - step)) / 2e-5)
        V = sigmas[g][np.ix_(s, s)]
        expected = np.einsum("hl,hus,sv,luv->u", cov[g, :, g], slopes, V, slopes)
        np.testing.assert_allclose(
            found.covariance_sd[rows.index[~s]] ** 2,
            expected / root[~s] ** 2,
            rtol=1e-6,
            err_msg=name,
        )


@pytest.mark.slow
def test_limits_hold_what_they_say():
    """With 24 subjects and a quarter missing: of unseen and of new responses, and of means."""
    rng = np.random.default_rng(0)
    root = np.linalg.cholesky([[4.0, 2.0, 1.5], [2.0, 5.0, 3.0], [1.5, 3.0, 6.0]])
    base, held = trial(n=24, missing=0.0), []
    for _ in range(250):
        true, new = ((rng.standard_normal((24, 3)) @ root.T).ravel() for _ in range(2))
        unseen = rng.random(72) < 0.25
        table = base.assign(score=np.where(unseen, np.nan, true))
        result = fit(table, "score ~ week + exposure")
        given = result.predict(table, conditional=True, interval="prediction")[unseen]
        marginal = result.predict(table, interval="prediction")
        mean = result.predict(table, interval="confidence")
        held.append(
            [
                inside(given, true[unseen]),
                inside(marginal, new),
                inside(mean, np.zeros(72)),
                (np.abs(true[unseen] - given.estimate) < 1.96 * given.prediction_sd).mean(),
            ]
        )
    shares, errors = np.mean(held, axis=0), np.std(held, axis=0) / np.sqrt(250)
    assert (np.abs(shares[:3] - 0.95) < 3 * errors[:3] + 0.01).all(), shares
    # By the normal distribution and without what the estimated covariance adds.
    assert shares[3] < 0.92


def inside(limits, values):
    return ((limits.conf_low < values) & (values < limits.conf_high)).mean()


def test_an_absent_row_is_an_unseen_one(data, fitted):
    """Rows without a response that no one asks about may be left out of the table."""
    whole = fitted.predict(data, conditional=True, interval="prediction")
    kept = data[data.score.notna() | (data.week == 52)]
    found = fitted.predict(kept, conditional=True, interval="prediction")
    found.index = kept.index
    pd.testing.assert_frame_equal(found, whole.loc[kept.index], check_names=False, rtol=1e-9)


@pytest.mark.parametrize("formula", ["score ~ poly(age, 3) + week", "score ~ center(age)*C(arm)"])
def test_transforms_keep_what_they_learned_in_the_fit(data, formula):
    coded = data.assign(arm=data.exposure.map({"usual": 0, "exercise": 1, "manual": 2}))
    result = fit(coded, formula)
    few = coded[coded.score.notna()].iloc[5:9]
    found = result.predict(few.assign(arm=few.arm.astype(float)))
    expected = result.predict().loc[few.index]
    np.testing.assert_allclose(found.estimate, expected.estimate, rtol=1e-9)
    np.testing.assert_allclose(found.std_error, expected.std_error, rtol=1e-9)


def test_what_one_subject_determines_has_no_standard_error(data):
    lone = data.assign(exposure=np.where(data.id == "p000", "rare", data.exposure))
    found = fit(lone, "score ~ exposure + week", inference="CR2").predict(lone)
    own = lone.id == "p000"
    assert found.gate[own].str.startswith("no standard error").all()
    assert found.estimate[own].notna().all()
    assert (found.gate[~own] == "open").all()


def test_one_visit_is_linear_regression(data):
    one = data[data.week == 6].reset_index(drop=True)
    formula = "score ~ age + exposure"
    ols = smf.ols(formula, one.dropna()).fit()
    result = fit(one, formula)
    table = ols.get_prediction(one).summary_frame(alpha=0.1)
    mean = result.predict(one, interval="confidence", level=0.9)
    new = result.predict(one, interval="prediction", level=0.9)
    np.testing.assert_allclose(mean.std_error, table.mean_se, rtol=1e-8)
    np.testing.assert_allclose(mean.conf_low, table.mean_ci_lower, rtol=1e-8)
    np.testing.assert_allclose(new.conf_low, table.obs_ci_lower, rtol=1e-8)
    np.testing.assert_allclose(new.conf_high, table.obs_ci_upper, rtol=1e-8)
    np.testing.assert_allclose(new.df, ols.df_resid, rtol=1e-8)


def test_degrees_of_a_prediction_are_two_squares_by_a_variance(data, plain):
    """Satterthwaite by difference quotients of the variance in the entries of the covariance."""
    reml = plain.fit.reml
    some = data.iloc[[3]].assign(score=np.nan)
    x = design(plain, some)
    used = data[data.score.notna()]
    own = [
        (design(plain, rows), rows.week.map({6: 0, 12: 1, 52: 2}).to_numpy())
        for _, rows in used.groupby("id")
    ]

    def variance(sigma):
        A = sum(z.T @ np.linalg.solve(sigma[np.ix_(t, t)], z) for z, t in own)
        return float((x @ np.linalg.solve(A, x.T))[0, 0] + sigma[0, 0])

    sigma, entries = reml.sigmas[0], np.tril_indices(3)
    gradient = []
    for j, k in zip(*entries, strict=True):
        step = np.zeros((3, 3))
        step[j, k] = step[k, j] = 1e-4
        gradient.append((variance(sigma + step) - variance(sigma - step)) / 2e-4)
    spread = np.array(gradient) @ plain.fit.inference.entry_cov @ np.array(gradient)
    found = plain.predict(some, interval="prediction").df.iloc[0]
    assert found == pytest.approx(2 * variance(sigma) ** 2 / spread, rel=1e-6)


def test_a_function_of_the_response_is_predicted_on_its_scale(data):
    raised = data.assign(score=data.score + 100)
    result = fit(raised, "log(score) ~ exposure*week")
    found = result.predict(raised, conditional=True)
    seen = raised.score.notna()
    np.testing.assert_allclose(found.estimate[seen], np.log(raised.score[seen]), rtol=1e-12)


def test_what_is_not_estimable_says_so(data):
    lost = data[~((data.exposure == "manual") & (data.week == 52) & data.score.notna())]
    result = fit(lost, "score ~ exposure*week")
    found = result.predict(data, interval="prediction")
    cell = (data.exposure == "manual") & (data.week == 52)
    assert found.estimate[cell].isna().all()
    assert found.gate[cell].str.startswith("not estimable").all()
    assert (found.gate[~cell] == "open").all()
    with pytest.raises(NotEstimable, match="rows have no mean"):
        result.simulate(seed=1, data=data)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda d: d.drop(columns="age"), {}, "No column 'age'"),
        (lambda d: d.assign(age=np.nan), {}, "'age': 270 rows are empty .first rows 0, 1, 2"),
        (lambda d: d.assign(age=np.inf), {}, "infinite"),
        (lambda d: d.assign(sex="x"), {}, "'sex': 270 rows are at a level"),
        (lambda d: d.assign(sex=None), {}, "'sex': 270 rows are empty"),
        (lambda d: d.assign(week=9), {}, "'week': 270 rows are at a visit that was not"),
        (lambda d: d.iloc[:0], {}, "no rows"),
        (lambda d: d.drop(columns="score"), {"conditional": True}, "No column 'score'"),
        (lambda d: d.drop(columns="id"), {"conditional": True}, "No column 'id'"),
        (lambda d: d.assign(id=None), {"conditional": True}, "'id': 270 rows are empty"),
        (lambda d: pd.concat([d, d[:4]]), {"conditional": True}, "4 rows repeat a visit"),
        (lambda d: d.assign(score=np.inf), {"conditional": True}, "not finite"),
        (lambda d: None, {"conditional": True}, "without a response"),
        (lambda d: d, {"interval": "both"}, "interval='both' is not known"),
        (lambda d: d, {"level": 95}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_predicted_is_refused(data, plain, change, options, words):
    with pytest.raises(UsageError, match=words):
        plain.predict(change(data), **options)


def test_group_and_weights_are_needed_where_the_spread_is(data):
    result = fit(data, group="sex", weights="weight", covariance="cs", formula="score ~ week")
    bare = data.drop(columns=["sex", "weight"])
    assert len(result.predict(bare, interval="confidence")) == len(data)
    with pytest.raises(UsageError, match="No column 'sex', 'weight'"):
        result.predict(bare, interval="prediction")
    with pytest.raises(UsageError, match="'sex': 270 rows are in a group without"):
        result.predict(data.assign(sex="x"), interval="prediction")
    changing = data.assign(sex=np.where(data.week == 6, "f", "m"))
    with pytest.raises(UsageError, match="'sex' changes within 90 subjects"):
        result.predict(changing, conditional=True)
    with pytest.raises(UsageError, match="not positive"):
        result.predict(data.assign(weight=-1.0), conditional=True)


# --------------------------------------------------------------------------------------- residuals
def whole(result, data):
    """Residuals and the covariance of all used rows, in the order of subjects."""
    used = data[data.score.notna()]
    r = used.score - design(result, used) @ result.beta.to_numpy()
    V = block_diag(*[covariance_of(result, rows) for _, rows in used.groupby("id", sort=False)])
    return r.to_numpy(), V


@pytest.mark.parametrize("options", OPTIONS)
def test_residuals_agree_with_whole_matrices(data, options):
    result = fit(data, **OPTIONS[options])
    r, V = whole(result, data)
    found = {k: result.residuals(k).residual for k in ("response", "pearson", "scaled")}
    np.testing.assert_allclose(found["response"], r, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found["pearson"], r / np.sqrt(np.diag(V)), rtol=1e-8, atol=1e-9)
    scaled = np.linalg.solve(np.linalg.cholesky(V), r)
    np.testing.assert_allclose(found["scaled"], scaled, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("covariance", ["us", "cs", "toeph", "ad"])
@pytest.mark.parametrize(("method", "inference"), [("reml", "kenward-roger"), ("ml", "residual")])
def test_scaled_residuals_add_up(data, covariance, method, inference):
    result = fit(data, covariance=covariance, method=method, inference=inference)
    squares = (result.residuals("scaled").residual ** 2).sum()
    lost = len(result.beta) if method == "reml" else 0
    assert squares == pytest.approx(result.n_observations - lost, rel=1e-9)


def test_a_huge_mean_costs_no_digits(data, plain):
    moved = fit(data.assign(score=data.score + 1e9), inference="satterthwaite")
    for kind in ("response", "pearson", "scaled"):
        distance = moved.residuals(kind).residual - plain.residuals(kind).residual
        # The responses themselves are rounded to 1e-7 where they are 1e9.
        assert np.abs(distance).max() < 1e-6


def test_a_residual_and_a_mean_are_the_response(data, plain):
    total = plain.residuals().residual + plain.predict().estimate
    np.testing.assert_allclose(total, data.score.dropna(), rtol=1e-12)
    with pytest.raises(UsageError, match="kind='raw'"):
        plain.residuals("raw")


# ------------------------------------------------------------------------------------------- draws
def test_the_same_seed_gives_the_same_numbers(plain):
    one, two = plain.simulate(3, seed=5), plain.simulate(3, seed=5)
    pd.testing.assert_frame_equal(one, two)
    assert not np.allclose(one.draw_1, plain.simulate(3, seed=6).draw_1)
    assert list(one.columns) == ["id", "week", "draw_1", "draw_2", "draw_3"]
    with pytest.raises(UsageError, match="n=0"):
        plain.simulate(0, seed=5)


@pytest.mark.parametrize("options", ["plain", "weights", "groups"])
def test_draws_have_the_mean_and_the_covariance_of_the_model(data, options):
    result = fit(data, **OPTIONS[options])
    n = 4000
    drawn = result.simulate(n, seed=1).drop(columns=["id", "week"]).to_numpy()
    used = data[data.score.notna()]
    around = drawn - (design(result, used) @ result.beta.to_numpy())[:, None]
    _, V = whole(result, data)
    z = around.mean(axis=1) / np.sqrt(np.diag(V) / n)
    assert np.abs(z).max() < 4.5
    # The squared lengths of whitened draws are chi-squared: a wrong covariance would show at once.
    white = np.linalg.solve(np.linalg.cholesky(V), around)
    assert (white**2).mean() == pytest.approx(1, abs=5 * np.sqrt(2 / white.size))
    assert np.abs((white[:-1] * white[1:]).mean()) < 5 / np.sqrt(white.size)


def test_conditional_draws_keep_what_is_seen_and_spread_as_predicted(data):
    result = fit(data, **OPTIONS["weights"])
    n = 4000
    drawn = result.simulate(n, seed=2, data=data, conditional=True)
    numbers = drawn.drop(columns=["id", "week"]).to_numpy()
    seen = data.score.notna().to_numpy()
    assert (numbers[seen] == data.score[seen].to_numpy()[:, None]).all()
    predicted = result.predict(data, conditional=True, interval="prediction")[~seen]
    left = np.sqrt(predicted.prediction_sd**2 - predicted.std_error**2)
    z = (numbers[~seen].mean(axis=1) - predicted.estimate) / (left / np.sqrt(n))
    assert np.abs(z).max() < 4.5
    ratio = numbers[~seen].std(axis=1) / left
    assert np.abs(ratio - 1).max() < 5 / np.sqrt(2 * n)
    wider = result.simulate(n, seed=2, data=data, conditional=True, parameter_uncertainty=True)
    spread = wider.drop(columns=["id", "week"]).to_numpy()[~seen].std(axis=1)
    assert (spread / left).mean() > 1.01


def test_a_refit_of_drawn_responses_is_near_the_fit(data, plain):
    """Coefficients of refits scatter around the fit's with its covariance."""
    drawn = plain.simulate(60, seed=4)
    z = []
    for name in [f"draw_{k + 1}" for k in range(60)]:
        again = fit(data.assign(score=drawn[name]), inference="satterthwaite")
        z.append((again.beta - plain.beta) / np.sqrt(np.diag(plain.beta_cov)))
    z = np.array(z)
    assert np.abs(z.mean(axis=0)).max() < 4 / np.sqrt(60)
    assert z.std() == pytest.approx(1, abs=0.12)


def test_the_formula_of_the_trial_is_the_one_by_hand(data, plain):
    assert plain.spec.formula == FORMULA
    assert len(plain.residuals()) == data.score.notna().sum() == plain.n_observations
