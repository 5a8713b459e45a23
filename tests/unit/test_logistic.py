"""Streamed logistic regression against statsmodels, and against what it must refuse."""

import numpy as np
import pytest
import statsmodels.api as sm

from outcomes.core.errors import NotConverged, NotEstimable
from outcomes.stats.logistic import fit_logistic, one_step, standardise


@pytest.fixture
def data():
    rng = np.random.default_rng(11)
    n = 900
    x = np.column_stack([np.ones(n), rng.normal(size=n), rng.integers(0, 2, n)])
    cluster = np.repeat(np.arange(n // 3), 3)
    shared = rng.normal(0, 0.7, n // 3)[cluster]
    y = (rng.random(n) < 1 / (1 + np.exp(-(x @ [-0.4, 0.8, 0.5] + shared)))).astype(float)
    weights = rng.uniform(0.5, 2.0, n)
    return x, y, weights, cluster


def chunks_of(x, y, weights, cluster, size=250):
    def chunks():
        for start in range(0, len(y), size):
            part = slice(start, start + size)
            yield x[part], y[part], weights[part], cluster[part]

    return chunks


def test_agrees_with_generalised_estimating_equations(data):
    x, y, weights, cluster = data
    ours = fit_logistic(chunks_of(*data), n_columns=3, n_clusters=300)
    gee = sm.GEE(y, x, groups=cluster, weights=weights, family=sm.families.Binomial())
    theirs = gee.fit(ctol=1e-12, maxiter=200)
    np.testing.assert_allclose(ours.beta, theirs.params, atol=1e-9)
    robust = theirs.cov_robust * 300 / 299
    np.testing.assert_allclose(ours.beta_cov, robust, rtol=1e-6)
    assert ours.gradient_norm < 1e-10


def test_chunking_changes_nothing(data):
    one = fit_logistic(chunks_of(*data, size=10_000), n_columns=3, n_clusters=300)
    many = fit_logistic(chunks_of(*data, size=7), n_columns=3, n_clusters=300)
    np.testing.assert_allclose(one.beta, many.beta, atol=1e-12)
    np.testing.assert_allclose(one.beta_cov, many.beta_cov, rtol=1e-10)


def test_standardised_gradient_against_differences(data):
    x, _, weights, _ = data
    beta = np.array([0.2, -0.4, 0.9])
    _, gradient = standardise([(x, weights)], beta)
    step = 1e-6
    for j in range(3):
        up, down = beta.copy(), beta.copy()
        up[j] += step
        down[j] -= step
        slope = (standardise([(x, weights)], up)[0] - standardise([(x, weights)], down)[0]) / (
            2 * step
        )
        assert gradient[j] == pytest.approx(float(slope), abs=1e-8)


def test_one_step_reaches_a_response_close_by(data):
    x, y, weights, cluster = data
    fit = fit_logistic(chunks_of(*data), n_columns=3, n_clusters=300)
    other = y.copy()
    other[:5] = 1 - other[:5]
    refit = fit_logistic(chunks_of(x, other, weights, cluster), n_columns=3, n_clusters=300)
    mean = 1 / (1 + np.exp(-(x @ fit.beta)))
    step = one_step(fit, (x.T @ (weights * (other - mean)))[:, None])
    assert np.abs(step[:, 0] - refit.beta).max() < 0.02 * np.abs(fit.beta - refit.beta).max()


def test_separation_is_named(data):
    x, _, weights, cluster = data
    with pytest.raises(NotConverged, match="everyone"):
        fit_logistic(chunks_of(x, x[:, 2], weights, cluster), n_columns=3, n_clusters=300)


def test_a_column_without_information_is_named(data):
    x, y, weights, cluster = data
    empty = np.column_stack([x, np.zeros(len(y))])
    with pytest.raises(NotEstimable, match="no information"):
        fit_logistic(chunks_of(empty, y, weights, cluster), n_columns=4, n_clusters=300)


def test_coverage_of_a_planted_risk_difference():
    rng = np.random.default_rng(5)
    covered, studies = 0, 200
    for _ in range(studies):
        n = 400
        treated = rng.integers(0, 2, n).astype(float)
        severity = rng.normal(size=n)
        x = np.column_stack([np.ones(n), treated, severity])
        risk = 1 / (1 + np.exp(-(x @ [-0.2, 0.6, 0.5])))
        y = (rng.random(n) < risk).astype(float)
        ones, units = np.ones(n), np.arange(n)
        fit = fit_logistic(chunks_of(x, y, ones, units), n_columns=3, n_clusters=n)
        set_to = [np.column_stack([np.ones(n), np.full(n, a), severity]) for a in (1.0, 0.0)]
        (high, g1), (low, g0) = (standardise([(design, ones)], fit.beta) for design in set_to)
        difference, gradient = float(high - low), g1 - g0
        truth = [float(np.mean(1 / (1 + np.exp(-(d @ [-0.2, 0.6, 0.5]))))) for d in set_to]
        error = float(np.sqrt(gradient @ fit.beta_cov @ gradient))
        covered += abs(difference - (truth[0] - truth[1])) <= 1.96 * error
    assert 0.90 <= covered / studies <= 0.985
