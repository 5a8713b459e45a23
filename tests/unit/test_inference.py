"""Linear functions of a fit: identities that hold whatever the data."""

from dataclasses import replace

import numpy as np
import pytest

from outcomes.core.errors import NotEstimable, UsageError
from outcomes.stats.cells import evaluate
from outcomes.stats.inference import prepare_inference
from outcomes.stats.information import row_slopes, slope_matrices
from outcomes.stats.reml import fit_reml
from tests.unit.mmrm_rows import by_visit_maps, moments_of, trial

MAPS = by_visit_maps(3)
METHODS = ["kenward-roger", "satterthwaite", "between-within", "residual"]


@pytest.fixture(scope="module")
def fitted():
    z, y, group = trial(31, groups=2)
    weights = np.random.default_rng(32).uniform(0.5, 2, y.shape)
    moments = moments_of(z, y, group, weights, groups=2)
    return moments, fit_reml(moments, MAPS)


@pytest.mark.parametrize("method", METHODS)
def test_one_row_jointly_is_its_t_test_squared(fitted, method):
    _, fit = fitted
    inference = prepare_inference(fit, method)
    row = np.array([[0.0, 1, 0, 0, 0, 0.5, 0.5]])
    alone, joint = inference.linear(row), inference.joint(row)
    assert joint.statistic == pytest.approx((alone.estimate[0] / alone.std_error[0]) ** 2)
    assert joint.den_df == pytest.approx(alone.df[0])
    assert joint.num_df == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_joint_test_does_not_depend_on_how_its_rows_are_written(fitted, method):
    _, fit = fitted
    inference = prepare_inference(fit, method)
    rows = np.eye(7)[[1, 5, 6]]
    mixed = np.array([[1.0, 2, 0], [0, 1, 0], [1, 1, 3], [2, 0, 0]]) @ rows
    first, second = inference.joint(rows), inference.joint(mixed)
    assert second.num_df == 3
    assert first.statistic == pytest.approx(second.statistic, rel=1e-9)
    assert first.p_value == pytest.approx(second.p_value, rel=0.05)


def test_estimates_and_covariances_are_linear(fitted):
    _, fit = fitted
    inference = prepare_inference(fit)
    rows = np.random.default_rng(1).normal(size=(100, 7))
    ours = inference.linear(rows)
    np.testing.assert_allclose(ours.estimate, rows @ fit.beta, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours.covariance, rows @ inference.beta_cov @ rows.T, atol=1e-9)
    np.testing.assert_allclose(ours.df, inference.linear(rows[::-1]).df[::-1], rtol=1e-12)


def test_slopes_of_rows_are_diagonals_and_differences(fitted):
    _, fit = fitted
    inference = prepare_inference(fit, "satterthwaite")
    cells, point = inference.cells, inference.point
    design = cells.basis.design @ point.phi
    full = slope_matrices(cells, point, design)
    np.testing.assert_allclose(
        row_slopes(cells, point, design), np.einsum("hii->hi", full), rtol=1e-10, atol=1e-15
    )
    moved = np.stack([fit.sigmas, fit.sigmas])
    moved[0, 1, 2, 1] += 1e-5
    moved[0, 1, 1, 2] += 1e-5
    moved[1, 1, 2, 1] -= 1e-5
    moved[1, 1, 1, 2] -= 1e-5
    up, down = (evaluate(cells, sigmas).phi for sigmas in moved)
    np.testing.assert_allclose(full[6 + 4], (up - down) / 2e-5, rtol=1e-6, atol=1e-12)


def test_kenward_roger_needs_reml_and_names_are_checked(fitted):
    moments, _ = fitted
    fit = fit_reml(moments, MAPS, method="ml")
    with pytest.raises(UsageError, match="needs a fit by REML"):
        prepare_inference(fit)
    with pytest.raises(UsageError, match="'asymptotic' is no method"):
        prepare_inference(fit, "asymptotic")


def test_what_cannot_be_estimated_is_missing_not_wrong():
    z, y, _ = trial(33)
    y[z[:, 1] == 1, 2] = np.nan
    moments = moments_of(z, y)
    fit = fit_reml(moments, MAPS)
    inference = prepare_inference(fit)
    rows = np.eye(7)[[6, 5]]
    ours = inference.linear(rows)
    assert np.isnan([ours.estimate[0], ours.std_error[0], ours.df[0]]).all()
    assert np.isfinite([ours.estimate[1], ours.std_error[1], ours.df[1]]).all()
    with pytest.raises(NotEstimable, match="cannot be estimated"):
        inference.joint(rows)
    with pytest.raises(NotEstimable, match="not zero"):
        inference.joint(np.zeros((1, 7)))


def test_between_within_counts_columns():
    z, y, _ = trial(34, n=40, missing=0.0)
    moments = moments_of(z, y)
    inference = prepare_inference(fit_reml(moments, MAPS), "between-within")
    # Between: exposure and age; within: two visits and two interactions, and the intercept's df.
    assert inference.linear(np.eye(7)).df.tolist() == [76, 37, 37, 76, 76, 76, 76]


def test_an_adjustment_that_takes_away_all_variance_is_an_error(fitted):
    _, fit = fitted
    turned = replace(fit, phi_adjusted=fit.point.phi - 2 * np.diag(np.diag(fit.point.phi)))
    with pytest.raises(NotEstimable, match="'satterthwaite'"):
        prepare_inference(turned, "kenward-roger")
