"""Streamed logistic regression against statsmodels, and against what it must refuse."""

import numpy as np
import pytest
import statsmodels.api as sm

from outcomes.core.errors import NotConverged, NotEstimable
from outcomes.stats.logistic import Clusters, clustered, fit_logistic, one_step


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


def chunks_of(x, y, weights, size=250):
    def chunks():
        for start in range(0, len(y), size):
            part = slice(start, start + size)
            yield x[part], y[part], weights[part]

    return chunks


def fit_all(x, y, weights, *, size=250, ridge=0.0):
    shape = (x.shape[1], y.shape[1])
    penalty = np.full(shape, ridge)
    return fit_logistic(chunks_of(x, y, weights, size), start=np.zeros(shape), ridge=penalty)


def fit_one(x, y, weights, **options):
    (fit,) = fit_all(x, y[:, None], weights[:, None], **options)
    if isinstance(fit, Exception):
        raise fit
    return fit


def beta_cov(fit, x, y, weights, cluster):
    mean = 1 / (1 + np.exp(-(x @ fit.beta)))
    influence = (x * (weights * (y - mean))[:, None]) @ np.linalg.inv(fit.information)
    return clustered(influence, Clusters.of(cluster), weights > 0)


def test_agrees_with_generalised_estimating_equations(data):
    x, y, weights, cluster = data
    ours = fit_one(x, y, weights)
    gee = sm.GEE(y, x, groups=cluster, weights=weights, family=sm.families.Binomial())
    theirs = gee.fit(ctol=1e-12, maxiter=200)
    np.testing.assert_allclose(ours.beta, theirs.params, atol=1e-9)
    robust = theirs.cov_robust * 300 / 299
    np.testing.assert_allclose(beta_cov(ours, *data), robust, rtol=1e-6)
    assert ours.gradient_norm < 1e-10


def test_rows_without_weight_and_their_clusters_take_no_part(data):
    x, y, weights, cluster = data
    weights = np.where(cluster < 100, 0.0, weights)
    fit = fit_one(x, y, weights)
    kept = cluster >= 100
    gee = sm.GEE(
        y[kept], x[kept], groups=cluster[kept], weights=weights[kept],
        family=sm.families.Binomial(),
    )  # fmt: skip
    robust = gee.fit(ctol=1e-12, maxiter=200).cov_robust * 200 / 199
    np.testing.assert_allclose(beta_cov(fit, *data[:2], weights, cluster), robust, rtol=1e-6)


def test_chunking_changes_nothing(data):
    x, y, weights, _ = data
    one, many = (fit_one(x, y, weights, size=size) for size in (10_000, 7))
    np.testing.assert_allclose(one.beta, many.beta, atol=1e-12)
    np.testing.assert_allclose(one.information, many.information, rtol=1e-12)


def test_responses_do_not_touch_each_other(data):
    x, y, weights, _ = data
    responses = np.column_stack([y, 1 - y, x[:, 2], 0.2 + 0.6 * y])
    given = np.column_stack([weights, np.ones(len(y)), weights, weights])
    found = fit_all(x, responses, given)
    assert isinstance(found[2], NotConverged)
    for at in (0, 1, 3):
        alone = fit_one(x, responses[:, at], given[:, at])
        np.testing.assert_allclose(found[at].beta, alone.beta, atol=1e-10)


def test_large_data_begin_from_a_thin_part_and_end_at_the_same_solution():
    rng = np.random.default_rng(8)
    n = 6000
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    y = (rng.random(n) < 1 / (1 + np.exp(-(x @ [0.3, 1.0, -2.0])))).astype(float)
    fit = fit_one(x, y, np.ones(n))
    glm = sm.GLM(y, x, family=sm.families.Binomial()).fit(tol=1e-14)
    np.testing.assert_allclose(fit.beta, glm.params, atol=1e-9)
    assert fit.gradient_norm < 1e-10


def test_one_step_reaches_a_response_close_by(data):
    x, y, weights, _ = data
    fit = fit_one(x, y, weights)
    other = y.copy()
    other[:5] = 1 - other[:5]
    refit = fit_one(x, other, weights)
    mean = 1 / (1 + np.exp(-(x @ fit.beta)))
    step = one_step(fit, (x.T @ (weights * (other - mean)))[:, None])
    assert np.abs(step[:, 0] - refit.beta).max() < 0.02 * np.abs(fit.beta - refit.beta).max()


def test_separation_is_named(data):
    x, _, weights, _ = data
    with pytest.raises(NotConverged, match="everyone"):
        fit_one(x, x[:, 2], weights)


def test_a_column_without_information_is_named(data):
    x, y, weights, _ = data
    empty = np.column_stack([x, np.zeros(len(y))])
    with pytest.raises(NotEstimable, match="no information"):
        fit_one(empty, y, weights)


def test_one_cluster_has_no_error(data):
    influence = np.ones((4, 1))
    with pytest.raises(NotEstimable, match="two patients"):
        clustered(influence, Clusters.of(np.array([3, 3, 3, 4])), np.array([1, 1, 1, 0], bool))
