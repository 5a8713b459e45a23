"""Standardised shares against fits done one by one, and against a planted truth."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.stats import t as t_distribution

from outcomes.core.errors import EstimationError
from outcomes.models.shares import Answers, Population, _risks, observation_weights
from outcomes.models.shares import standardised_shares as all_shares


def make(n, seed, unseen=0.0, n_draws=1):
    rng = np.random.default_rng(seed)
    severity = rng.normal(size=(n, 2))
    exposure = (rng.random(n) < 1 / (1 + np.exp(-severity[:, 0]))).astype(np.int64)
    risk = 1 / (1 + np.exp(-(-0.3 + 0.7 * exposure + severity @ [0.6, -0.3])))
    event = (rng.random(n) < risk).astype(float)
    missing = rng.random(n) < unseen
    draws = np.tile(event[:, None], n_draws)
    redrawn = rng.random((n, n_draws)) < risk[:, None]
    draws[missing] = redrawn[missing]
    population = Population(
        exposure=exposure, covariates=severity, cluster=np.arange(n), n_exposures=2
    )
    return population, draws, event, missing


def standardised_shares(draws, population, **options):
    """The shares of one event."""
    (found,) = all_shares([Answers.of(draws, population, **options)], population)
    if isinstance(found, EstimationError):
        raise found
    return found


def g_computation(population, response):
    """The same by statsmodels, one response at a time."""
    x = np.column_stack([np.eye(2)[population.exposure], population.covariates])
    fit = sm.GLM(response, x, family=sm.families.Binomial()).fit(tol=1e-12)
    return np.array(
        [
            fit.predict(np.column_stack([np.tile(np.eye(2)[a], (len(x), 1)), x[:, 2:]])).mean()
            for a in (0, 1)
        ]
    )


def test_without_draws_it_is_g_computation():
    population, draws, event, _ = make(3000, 1)
    shares = standardised_shares(draws, population)
    np.testing.assert_allclose(shares.risk, g_computation(population, event), atol=2e-5)


def test_draws_agree_with_separate_fits_joined_by_rubins_rule():
    population, draws, *_ = make(4000, 2, unseen=0.3, n_draws=40)
    shares = standardised_shares(draws, population)
    each = np.array([g_computation(population, draws[:, m]) for m in range(40)])
    np.testing.assert_allclose(shares.risk, each.mean(axis=0), atol=1e-3)
    within = np.mean(
        [np.diag(standardised_shares(draws[:, [m]], population).covariance) for m in range(40)],
        axis=0,
    )
    total = within + (1 + 1 / 40) * each.var(axis=0, ddof=1)
    np.testing.assert_allclose(np.diag(shares.covariance), total, rtol=0.02)
    assert (shares.df < 4000).all()


def test_without_covariates_a_share_has_its_exact_variance_and_degrees_of_freedom():
    n, events = np.array([40, 60]), np.array([13, 44])
    response = np.concatenate([np.arange(size) < k for size, k in zip(n, events, strict=True)])
    population = Population(
        exposure=np.repeat([0, 1], n),
        covariates=np.zeros((100, 0)),
        cluster=np.arange(100),
        n_exposures=2,
    )
    shares = standardised_shares(response[:, None].astype(float), population)
    risk = events / n
    unbiased = risk * (1 - risk) / (n - 1)
    np.testing.assert_allclose(np.diag(shares.covariance), unbiased * 100 / 99, rtol=1e-7)
    np.testing.assert_allclose(np.diag(shares.df), n, rtol=1e-7)
    spread = risk * (1 - risk) / n
    welch = spread.sum() ** 2 / (spread**2 / n).sum()
    np.testing.assert_allclose(shares.df[0, 1], welch, rtol=1e-7)


def test_episodes_of_the_same_patients_add_no_degrees_of_freedom():
    rng = np.random.default_rng(6)
    exposure, x = np.repeat([0, 1], 30), rng.normal(size=(60, 1))
    response = (rng.random(60) < 0.4).astype(float)

    def degrees(times):
        population = Population(
            exposure=np.repeat(exposure, times),
            covariates=np.repeat(x, times, axis=0),
            cluster=np.repeat(np.arange(60), times),
            n_exposures=2,
        )
        return standardised_shares(np.repeat(response, times)[:, None], population).df

    np.testing.assert_allclose(degrees(4), degrees(1), rtol=1e-3)


@pytest.mark.parametrize(("size", "columns"), [(35, 30), (60, 45)])
def test_small_groups_with_many_covariates_are_covered(size, columns):
    rng = np.random.default_rng(5)
    held, studies = 0, 150
    for _ in range(studies):
        exposure = np.repeat(np.arange(3), size)
        clinic = rng.integers(0, columns // 2, 3 * size)
        x = np.column_stack(
            [
                rng.normal(size=(3 * size, columns - columns // 2)),
                clinic[:, None] == np.arange(1, columns // 2),
            ]
        )
        logits = 0.6 * (exposure == 1) + 0.8 * x[:, 0]
        response = rng.random(3 * size) < 1 / (1 + np.exp(-logits))
        population = Population(
            exposure=exposure, covariates=x, cluster=np.arange(3 * size), n_exposures=3
        )
        shares = standardised_shares(response[:, None].astype(float), population)
        truth = [np.mean(1 / (1 + np.exp(-(gain + 0.8 * x[:, 0])))) for gain in (0, 0.6)]
        variance = shares.covariance[0, 0] + shares.covariance[1, 1] - 2 * shares.covariance[0, 1]
        distance = abs(np.diff(shares.risk[:2])[0] - np.diff(truth)[0]) / np.sqrt(variance)
        held += distance <= t_distribution.ppf(0.975, shares.df[0, 1])
    assert 0.92 <= held / studies <= 0.99


def test_confounding_is_taken_away():
    population, draws, event, _ = make(60_000, 3)
    shares = standardised_shares(draws, population)
    severity = population.covariates @ [0.6, -0.3]
    truth = [float(np.mean(1 / (1 + np.exp(-(-0.3 + 0.7 * a + severity))))) for a in (0, 1)]
    crude = [event[population.exposure == a].mean() for a in (0, 1)]
    assert abs((crude[1] - crude[0]) - (truth[1] - truth[0])) > 0.05
    error = np.sqrt(np.diag(shares.covariance))
    assert (np.abs(shares.risk - truth) < 4 * error).all()


def test_observation_weights_mend_a_selected_sample():
    population, _, event, _ = make(60_000, 4)
    rng = np.random.default_rng(9)
    chance = 1 / (1 + np.exp(-(0.4 + population.covariates[:, 0])))
    seen = rng.random(len(event)) < chance
    (weights,) = observation_weights(seen[:, None], population, truncate=1.0)
    assert (weights[~seen] == 0).all()
    assert np.average(population.covariates[:, 0], weights=weights) == pytest.approx(0, abs=0.03)
    assert population.covariates[seen, 0].mean() > 0.2


def test_everyone_seen_needs_no_weights():
    population, *_ = make(50, 5)
    (weights,) = observation_weights(np.ones((50, 1), dtype=bool), population)
    assert (weights == 1).all()


def test_a_group_without_values_is_named():
    population, draws, *_ = make(200, 6)
    with pytest.raises(EstimationError, match="group has no episode"):
        standardised_shares(draws, population, weights=(population.exposure == 0).astype(float))


def test_a_group_of_one_patient_is_named():
    population, draws, *_ = make(200, 6)
    patients = np.where(population.exposure == 0, 7, 1000 + population.cluster)
    with pytest.raises(EstimationError, match="fewer than two patients"):
        standardised_shares(draws, replace(population, cluster=patients))


def test_separated_groups_are_named_and_not_a_share_near_nothing():
    population, draws, *_ = make(200, 6)
    draws[population.exposure == 0] = 0.0
    with pytest.raises(EstimationError, match="no finite solution"):
        standardised_shares(draws, population)


@pytest.mark.parametrize("code", [-1, 0, 10**6])
def test_any_code_of_a_place_keeps_its_rows(code):
    population, draws, *_ = make(300, 9)
    place = np.where(np.arange(300) % 3 == 0, code, 5)
    by_place = replace(
        population,
        place=place,
        covariates=np.column_stack([population.covariates, (place == 5).astype(float)]),
    )
    found = standardised_shares(draws, by_place)
    plain = standardised_shares(draws, replace(by_place, place=None))
    np.testing.assert_allclose(found.risk, plain.risk, rtol=1e-12)
    np.testing.assert_allclose(found.covariance, plain.covariance, rtol=1e-10)


def test_errors_are_those_of_a_generalised_estimating_equation(monkeypatch):
    monkeypatch.setattr("outcomes.models.shares.RIDGE", 0.0)
    population, draws, *_ = make(900, 10)
    patients = np.random.default_rng(3).integers(0, 300, 900)
    found = standardised_shares(draws, replace(population, cluster=patients))
    x = np.column_stack([np.eye(2)[population.exposure], population.covariates])
    model = sm.GEE(draws[:, 0], x, groups=patients, family=sm.families.Binomial())
    fit = model.fit(ctol=1e-12, maxiter=200)
    risk, gradient = _risks(np.asarray(fit.params), population)
    n = len(np.unique(patients))
    expected = n / (n - 1) * gradient @ np.asarray(fit.cov_params()) @ gradient.T
    np.testing.assert_allclose(found.risk, risk, rtol=1e-8)
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-6)


def test_the_gradient_of_a_share_against_differences():
    population, *_ = make(300, 7)
    beta = np.array([-0.3, 0.4, 0.6, -0.3])
    _, gradient = _risks(beta, population)
    for j in range(4):
        step = np.eye(4)[j] * 1e-6
        up, down = (_risks(beta + sign * step, population)[0] for sign in (1, -1))
        np.testing.assert_allclose(gradient[:, j], (up - down) / 2e-6, atol=1e-8)


def test_coverage_of_a_planted_risk_difference():
    covered, studies = 0, 200
    for seed in range(studies):
        population, draws, *_ = make(400, 1000 + seed)
        severity = population.covariates @ [0.6, -0.3]
        truth = [np.mean(1 / (1 + np.exp(-(-0.3 + 0.7 * a + severity)))) for a in (0, 1)]
        shares = standardised_shares(draws, population)
        error = np.sqrt(np.array([-1, 1]) @ shares.covariance @ np.array([-1, 1]))
        covered += abs(np.diff(shares.risk)[0] - (truth[1] - truth[0])) <= 1.96 * error
    assert 0.90 <= covered / studies <= 0.985


def test_an_exposure_not_asked_for_changes_no_other():
    population, draws, *_ = make(2000, 8)
    third = np.where(np.arange(2000) % 5 == 0, 2, population.exposure)
    three = replace(population, exposure=third, n_exposures=3)
    found = standardised_shares(draws, three, asked=np.array([True, True, False]))
    fewer = replace(population, exposure=np.where(third == 2, 0, third))
    plain = standardised_shares(draws, fewer, weights=(third != 2).astype(float))
    np.testing.assert_allclose(found.risk[:2], plain.risk, atol=1e-9)
    np.testing.assert_allclose(found.covariance[:2, :2], plain.covariance, rtol=1e-7)
    assert np.isnan(found.risk[2])
    np.testing.assert_allclose(found.df[:2, :2], plain.df, rtol=1e-7)
