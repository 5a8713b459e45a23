"""Draws of unseen visits have the conditional moments of the fitted normal model."""

import numpy as np
import pytest

from outcomes.core.errors import UsageError
from outcomes.stats.prediction import draw_unseen
from outcomes.stats.reml import fit_reml
from tests.unit.mmrm_rows import by_visit_maps, moments_of, trial

MAPS = by_visit_maps(3)


@pytest.fixture(scope="module")
def fitted():
    z, y, group = trial(41, n=300, groups=2)
    return z, y, group, fit_reml(moments_of(z, y, group, groups=2), MAPS)


def conditional(fit, z, y, group):
    mean = MAPS @ z @ fit.beta
    seen = ~np.isnan(y)
    sigma = fit.sigmas[group]
    slope = sigma[np.ix_(~seen, seen)] @ np.linalg.inv(sigma[np.ix_(seen, seen)])
    rest = sigma[np.ix_(~seen, ~seen)] - slope @ sigma[np.ix_(seen, ~seen)]
    return mean[~seen] + slope @ (y[seen] - mean[seen]), rest


def test_seen_values_are_kept_and_nothing_is_missing(fitted):
    z, y, group, fit = fitted
    drawn = draw_unseen(fit, (z, MAPS), y, group, n_draws=3, rng=np.random.default_rng(1))
    assert drawn.shape == (300, 3, 3)
    assert np.isfinite(drawn).all()
    seen = ~np.isnan(y)
    np.testing.assert_array_equal(drawn[seen], np.repeat(y[seen][:, None], 3, axis=1))


def test_draws_recover_conditional_moments(fitted):
    z, y, group, fit = fitted
    n_draws = 20_000
    for i in [np.flatnonzero(np.isnan(y).sum(axis=1) == k)[0] for k in (1, 2, 3)]:
        one = slice(i, i + 1)
        drawn = draw_unseen(
            fit,
            (z[one], MAPS),
            y[one],
            group[one],
            n_draws=n_draws,
            rng=np.random.default_rng(2),
            parameter_uncertainty=False,
        )[0, np.isnan(y[i])]
        mean, covariance = conditional(fit, z[i], y[i], group[i])
        error = np.sqrt(np.diag(covariance) / n_draws)
        assert (np.abs(drawn.mean(axis=1) - mean) < 4 * error).all()
        size = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
        assert (np.abs(np.atleast_2d(np.cov(drawn)) - covariance) < 0.05 * size).all()


def test_parameter_uncertainty_spreads_the_means(fitted):
    z, _, group, fit = fitted
    unseen = np.full((2000, 3), np.nan)
    rows, codes = np.repeat(z[:1], 2000, axis=0), np.repeat(group[:1], 2000)
    drawn = draw_unseen(fit, (rows, MAPS), unseen, codes, n_draws=400, rng=np.random.default_rng(3))
    between = drawn.mean(axis=0).var(axis=1)
    design = MAPS @ z[0]
    expected = np.diag(design @ fit.beta_cov_model @ design.T)
    np.testing.assert_allclose(between, expected + np.diag(fit.sigmas[group[0]]) / 2000, rtol=0.3)


def test_design_rows_and_maps_are_the_same(fitted):
    z, y, group, fit = fitted
    x = np.einsum("tpq,nq->ntp", MAPS, z)
    first, second = (
        draw_unseen(fit, design, y, group, n_draws=2, rng=np.random.default_rng(4))
        for design in (x, (z, MAPS))
    )
    np.testing.assert_allclose(first, second, rtol=1e-10, atol=1e-10)


def test_every_structure_draws():
    z, y, _ = trial(42)
    for name in ("toep", "ar1h"):
        fit = fit_reml(moments_of(z, y), MAPS, covariance=name)
        drawn = draw_unseen(fit, (z, MAPS), y, n_draws=5, rng=np.random.default_rng(5))
        assert np.isfinite(drawn).all()


def test_wrong_shapes_are_refused(fitted):
    z, y, _, fit = fitted
    with pytest.raises(UsageError, match="differ in subjects or visits"):
        draw_unseen(fit, (z, MAPS), y[:, :2], n_draws=1, rng=np.random.default_rng(6))
