"""Fits without a cluster, many at once, against one fit after the other."""

import numpy as np
import pytest

from outcomes.core.errors import NotConverged, NotEstimable
from outcomes.stats.covariance import STRUCTURES
from outcomes.stats.jackknife import leave_clusters_out
from outcomes.stats.moments import accumulate
from outcomes.stats.refits import refit_without
from outcomes.stats.reml import fit_reml
from tests.unit.mmrm_rows import by_visit_maps, moments_of, trial

MAPS = by_visit_maps(3)


def by_cluster(z, y, cluster, group=None, weights=None, groups=1):
    layout = moments_of(z, y, groups=groups).layout
    return accumulate(layout, z, y, group=group, cluster=cluster, weights=weights)


def check(moments, maps=MAPS, **options):
    """All are found, and are within 1e-8 standard errors of a fit from its own start."""
    fit = fit_reml(moments, maps, **options)
    found = refit_without(fit, moments)
    assert found.found.all()
    size, spread = np.sqrt(np.diag(fit.beta_cov_model)), np.sqrt(np.diag(fit.theta_cov))
    changes = leave_clusters_out(fit, moments, maps).changes
    for place, cluster in enumerate(moments.clusters):
        alone = fit_reml(moments.without([cluster]), maps, **options)
        np.testing.assert_allclose((found.theta[place] - alone.theta) / spread, 0.0, atol=1e-8)
        change = np.linalg.solve(fit.cells.basis.triangle, changes[place])
        room = 1e-8 * size + 2 * np.spacing(np.abs(fit.beta))
        assert (np.abs(fit.beta + change - alone.beta) <= room).all()


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("covariance", STRUCTURES)
def test_every_structure(covariance, method):
    z, y, _ = trial(3, n=60)
    check(by_cluster(z, y, np.arange(60) % 12), covariance=covariance, method=method)


def test_each_subject_of_a_small_trial():
    z, y, _ = trial(5, n=24, missing=0.1)
    check(by_cluster(z, y, np.arange(24)))


def test_a_covariance_for_each_group():
    z, y, group = trial(4, n=90, groups=2)
    check(by_cluster(z, y, np.arange(90) // 3, group=group, groups=2))


@pytest.mark.parametrize("weight_kind", ["precision", "probability"])
def test_weights_of_subjects(weight_kind):
    z, y, _ = trial(6, n=60)
    weights = np.random.default_rng(6).uniform(0.5, 2.0, 60)
    check(by_cluster(z, y, np.arange(60) % 10, weights=weights), weight_kind=weight_kind)


def test_weights_of_visits():
    z, y, _ = trial(7, n=60)
    weights = np.random.default_rng(7).uniform(0.5, 2.0, y.shape)
    moments = by_cluster(z, y, np.arange(60) % 10, weights=weights)
    assert moments.varies_by_visit
    check(moments)


def test_a_response_that_is_far_from_zero():
    z, y, _ = trial(8, n=60, shift=1e9)
    check(by_cluster(z, y, np.arange(60) % 10))


def test_what_cannot_be_left_out_is_left_to_a_fit_of_its_own():
    z, y, _ = trial(9, n=60)
    cluster = np.arange(60) % 10
    z[:, 1] = cluster == 3
    moments = by_cluster(z, y, cluster)
    fit = fit_reml(moments, MAPS)
    assert (~refit_without(fit, moments).found).tolist() == [k == 3 for k in range(10)]
    assert len(leave_clusters_out(fit, moments, MAPS).lost) == 3


def test_a_cluster_without_which_two_visits_are_never_seen_together_is_named():
    z, y, _ = trial(10, n=60, missing=0.0)
    cluster = np.arange(60) % 10
    y[(cluster != 3) & (np.arange(60) < 30), 1] = np.nan
    y[(cluster != 3) & (np.arange(60) >= 30), 2] = np.nan
    moments = by_cluster(z, y, cluster)
    fit = fit_reml(moments, MAPS)
    assert not refit_without(fit, moments).found[3]
    with pytest.raises(NotEstimable, match="'v1' and 'v2'"):
        leave_clusters_out(fit, moments, MAPS)


def test_a_likelihood_without_a_maximum_is_said():
    z, y, _ = trial(11, n=60, missing=0.0)
    cluster = np.arange(60) % 10
    y[cluster != 3, 2] = y[cluster != 3, 1] + 1e-9 * y[cluster != 3, 0] ** 2
    moments = by_cluster(z, y, cluster)
    fit = fit_reml(moments, MAPS)
    assert not refit_without(fit, moments).found[3]
    with pytest.raises((NotConverged, NotEstimable)):
        leave_clusters_out(fit, moments, MAPS)
