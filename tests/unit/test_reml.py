"""The fit from moments: likelihood, derivatives, known answers, hard numbers, refusals."""

import numpy as np
import pytest
from scipy.stats import ttest_ind

from outcomes.core.errors import NotConverged, NotEstimable, UsageError
from outcomes.stats.basis import build_basis
from outcomes.stats.cells import Cells, evaluate
from outcomes.stats.covariance import structure
from outcomes.stats.inference import prepare_inference
from outcomes.stats.information import coupling, differentiate, scaled_slopes
from outcomes.stats.moments import accumulate
from outcomes.stats.newton import observed_information, sigmas_of
from outcomes.stats.reml import fit_reml
from tests.unit.mmrm_rows import (
    VISIT_COVARIANCE,
    by_visit_maps,
    direct_log_likelihood,
    moments_of,
    trial,
)

MAPS = by_visit_maps(3)


def cells_of(moments, maps=MAPS, method="reml", kind="precision"):
    basis = build_basis(moments, maps)
    return Cells(moments=moments, basis=basis, method=method, weight_kind=kind)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("weighting", ["none", "subject", "visit", "probability"])
def test_likelihood_is_that_of_the_definition(method, weighting):
    z, y, group = trial(1, groups=2)
    rng = np.random.default_rng(2)
    weights = {
        "none": None,
        "visit": rng.uniform(0.5, 2, y.shape),
    }.get(weighting, rng.uniform(0.5, 2, len(y)))
    kind = "probability" if weighting == "probability" else "precision"
    moments = moments_of(z, y, group, weights, groups=2)
    sigmas = np.stack([VISIT_COVARIANCE, 2 * VISIT_COVARIANCE + np.eye(3)])
    ours = evaluate(cells_of(moments, method=method, kind=kind), sigmas)
    theirs = direct_log_likelihood(z, y, MAPS, sigmas, group, weights, method, kind)
    assert ours.log_likelihood == pytest.approx(theirs, abs=1e-9)


def test_a_matrix_that_is_none_has_no_likelihood_though_all_that_was_seen_of_it_is_one():
    z, y, _ = trial(1, missing=0.0)
    y[np.arange(len(y)), np.arange(len(y)) % 3] = np.nan
    sigma = np.array([[1.0, 0.9, 0.1], [0.9, 1.0, 0.9], [0.1, 0.9, 1.0]])
    assert (sigma[[0, 0, 1], [1, 2, 2]] < 1).all()
    assert evaluate(cells_of(moments_of(z, y)), sigma[None]) is None
    assert evaluate(cells_of(moments_of(z, y)), sigma[None] + np.eye(3)) is not None


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("by_visit", [False, True])
def test_gradient_and_information_against_differences(method, by_visit):
    z, y, group = trial(3, groups=2)
    rng = np.random.default_rng(4)
    weights = rng.uniform(0.5, 2, y.shape if by_visit else len(y))
    cells = cells_of(moments_of(z, y, group, weights, groups=2), method=method)
    sigmas = np.stack([VISIT_COVARIANCE, 2 * VISIT_COVARIANCE + np.eye(3)])
    row, column = np.tril_indices(3)

    def moved(h, step):
        out = sigmas.copy()
        out[h // 6, row[h % 6], column[h % 6]] += step
        if row[h % 6] != column[h % 6]:
            out[h // 6, column[h % 6], row[h % 6]] += step
        return evaluate(cells, out)

    def gradient(point):
        full = differentiate(cells, point).gradient[:, row, column]
        return (full * np.where(row == column, 1, 2)).reshape(-1)

    point = evaluate(cells, sigmas)
    information = differentiate(cells, point).information
    if method == "reml":
        information = information - coupling(scaled_slopes(cells, point))
    for h in range(12):
        up, down = moved(h, 1e-4), moved(h, -1e-4)
        slope = (up.log_likelihood - down.log_likelihood) / 2e-4
        assert gradient(point)[h] == pytest.approx(slope, abs=1e-6)
        bend = (gradient(up) - gradient(down)) / 2e-4
        np.testing.assert_allclose(-information[h], bend, atol=1e-5)


@pytest.mark.parametrize("name", ["us", "toeph", "ar1"])
def test_information_by_parameters_against_differences(name):
    z, y, _ = trial(5)
    cells, form = cells_of(moments_of(z, y)), structure(name, 3)
    theta = form.start(VISIT_COVARIANCE)

    def likelihood(at):
        return evaluate(cells, sigmas_of(form, at, 1)).log_likelihood

    point = evaluate(cells, sigmas_of(form, theta, 1))
    ours = observed_information(cells, form, theta, point, scaled_slopes(cells, point))
    unit, step = np.eye(theta.size), 1e-3
    for h in range(theta.size):
        for k in range(theta.size):
            corners = [
                sign * other * likelihood(theta + step * (sign * unit[h] + other * unit[k]))
                for sign in (1, -1)
                for other in (1, -1)
            ]
            bend = sum(corners) / (4 * step**2)
            assert -ours[h, k] == pytest.approx(bend, abs=2e-3 * max(1, abs(bend)))


def test_no_neighbour_is_better():
    z, y, _ = trial(6)
    moments = moments_of(z, y)
    fit = fit_reml(moments, MAPS)
    assert fit.converged
    assert fit.gradient_norm < 1e-9
    cells, rng = cells_of(moments), np.random.default_rng(7)
    for _ in range(20):
        change = 0.05 * rng.normal(size=(3, 3))
        near = fit.sigmas + change + change.T
        assert evaluate(cells, near).log_likelihood < fit.log_likelihood


def test_two_visits_complete_is_the_t_test_on_change():
    z, y, _ = trial(8, n=30, visits=2, missing=0.0)
    maps = by_visit_maps(2, q=2)
    moments = moments_of(z[:, :2], y)
    fit = fit_reml(moments, maps)
    change = y[:, 1] - y[:, 0]
    exposed = z[:, 1] == 1
    test = ttest_ind(change[exposed], change[~exposed])
    for method in ("satterthwaite", "kenward-roger"):
        ours = prepare_inference(fit, method).linear(np.eye(4)[[3]])
        assert ours.estimate[0] / ours.std_error[0] == pytest.approx(test.statistic, rel=1e-9)
        assert ours.df[0] == pytest.approx(test.df, rel=1e-8)


@pytest.mark.parametrize("shift", [1e9, -1e9])
def test_a_response_far_from_zero(shift):
    z, y, _ = trial(9)
    far = y + shift
    near = far - shift
    expected, fit = (fit_reml(moments_of(z, values), MAPS) for values in (near, far))
    np.testing.assert_allclose(fit.sigmas, expected.sigmas, rtol=1e-9)
    np.testing.assert_allclose(fit.beta_cov_model, expected.beta_cov_model, rtol=1e-9)
    np.testing.assert_allclose(fit.beta[1:], expected.beta[1:], rtol=1e-9, atol=1e-9)
    assert fit.beta[0] - shift == pytest.approx(expected.beta[0], abs=5e-7)
    assert fit.log_likelihood == pytest.approx(expected.log_likelihood, abs=1e-8)


def test_a_covariate_far_from_zero():
    z, y, _ = trial(10)
    far = z + np.array([0.0, 0.0, 1e7])
    expected, fit = (fit_reml(moments_of(values, y), MAPS) for values in (z, far))
    np.testing.assert_allclose(fit.beta[1:], expected.beta[1:], rtol=1e-7)
    assert fit.log_likelihood == pytest.approx(expected.log_likelihood, abs=1e-6)


@pytest.mark.parametrize("visits", [1, 2, 12])
def test_one_two_and_twelve_visits(visits):
    z, y, group = trial(11, n=400, visits=visits, missing=0.15)
    moments = moments_of(z, y)
    maps = by_visit_maps(visits)
    fit = fit_reml(moments, maps)
    direct = direct_log_likelihood(z, y, maps, fit.sigmas, group)
    assert fit.log_likelihood == pytest.approx(direct, abs=1e-7)
    assert fit.gradient_norm < 1e-9


def test_one_visit_is_least_squares():
    z, y, _ = trial(12, visits=1, missing=0.0)
    fit = fit_reml(moments_of(z, y), by_visit_maps(1))
    beta, squares, _, _ = np.linalg.lstsq(z, y[:, 0])
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-10)
    np.testing.assert_allclose(fit.sigmas[0, 0, 0], squares[0] / (len(y) - 3), rtol=1e-10)


def test_pooled_clusters_and_parts_give_the_same_fit():
    z, y, _ = trial(13)
    whole = moments_of(z, y)
    parts = [
        accumulate(whole.layout, z[i::3], y[i::3], cluster=np.full(len(z[i::3]), i))
        for i in range(3)
    ]
    pooled = fit_reml(parts[0] + parts[1] + parts[2], MAPS)
    np.testing.assert_allclose(pooled.beta, fit_reml(whole, MAPS).beta, rtol=1e-11)


def test_aliased_columns_are_dropped_with_a_note():
    z, y, _ = trial(14)
    doubled = np.column_stack([z, 1 - z[:, 1]])
    maps = np.zeros((3, 8, 4))
    maps[:, :4] = np.eye(4)
    maps[:, 4:7, :3] = MAPS[:, 3:6, :]
    maps[:, 7, :3] = MAPS[:, 6]
    fit = fit_reml(moments_of(doubled, y), maps)
    plain = fit_reml(moments_of(z, y), MAPS)
    assert fit.estimable.tolist() == [True, True, True, False, True, True, True, True]
    assert np.isnan(fit.beta[3])
    assert "1 of 8 coefficients" in fit.notes[0]
    np.testing.assert_allclose(fit.beta[fit.estimable], plain.beta, rtol=1e-9)
    assert fit.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-9)


def test_a_repeated_centred_covariate_leaves_the_means_of_the_groups():
    """Centring a covariate leaves rounding along the groups; that is no part of what repeats it."""
    rng = np.random.default_rng(17)
    n = 60
    group = np.arange(n) % 3
    age = rng.integers(20, 80, n).astype(float)
    z = np.column_stack([np.ones(n), group[:, None] == np.arange(3), age, 0.5 * age + 10])
    y = (5 - group + 0.02 * age + rng.normal(size=n))[:, None]
    centred = np.eye(6)[1:]
    centred[3:, 0] = -z[:, 4:].mean(axis=0)
    moments = moments_of(z, y)
    fit = fit_reml(moments, centred[None])
    assert fit.estimable.tolist() == [True, True, True, True, False]
    plain = fit_reml(moments, centred[None, :4])
    rows = np.eye(5)[:3]
    ours = prepare_inference(fit, "kenward-roger").linear(rows)
    theirs = prepare_inference(plain, "kenward-roger").linear(rows[:, :4])
    np.testing.assert_allclose(ours.estimate, theirs.estimate, rtol=1e-10)
    np.testing.assert_allclose(ours.std_error, theirs.std_error, rtol=1e-9)
    slope = prepare_inference(fit, "residual").linear(np.eye(5)[3:])
    assert np.isnan(slope.estimate).all()  # the slope of either is not known


def test_starting_values_change_nothing():
    z, y, _ = trial(15)
    moments = moments_of(z, y)
    fit = fit_reml(moments, MAPS)
    again = fit_reml(moments, MAPS, start=fit.theta + 0.3)
    np.testing.assert_allclose(again.beta, fit.beta, rtol=1e-10)
    np.testing.assert_allclose(again.sigmas, fit.sigmas, rtol=1e-9)


def test_planted_values_come_back():
    z, y, _ = trial(16, n=60_000, missing=0.3)
    moments = moments_of(z, y)
    fit = fit_reml(moments, MAPS)
    truth = np.array([0.0, -0.5, 0.05, 0.0, 0.0, -0.3, -0.6])
    assert (np.abs(fit.beta - truth) / np.sqrt(np.diag(fit.beta_cov_model)) < 4).all()
    np.testing.assert_allclose(fit.sigmas[0], VISIT_COVARIANCE, rtol=0.05)


@pytest.mark.slow
def test_intervals_cover_and_dropout_on_the_seen_scores_does_no_harm():
    rng = np.random.default_rng(17)
    hits, estimates, errors = 0, [], []
    for seed in range(120):
        z, y, _ = trial(1000 + seed, n=60, missing=0.0)
        gone = rng.random(len(y)) < 1 / (1 + np.exp(-(y[:, 0] - 3)))
        y[gone, 1:] = np.nan
        moments = moments_of(z, y)
        fit = fit_reml(moments, MAPS)
        row = np.array([[0.0, 1, 0, 0, 0, 0, 1]])
        ours = prepare_inference(fit).linear(row)
        estimates.append(ours.estimate[0])
        errors.append(ours.std_error[0])
        hits += abs(ours.estimate[0] + 1.1) < 2.01 * ours.std_error[0]
    assert 105 <= hits <= 120
    assert abs(np.mean(estimates) + 1.1) < 4 * np.std(estimates) / np.sqrt(120)
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.2)


def test_refusals_say_what_to_change():
    z, y, group = trial(18)
    apart = y.copy()
    apart[~np.isnan(y[:, 0]), 2] = np.nan
    with pytest.raises(NotEstimable, match="both 'v0' and 'v2'"):
        fit_reml(moments_of(z, apart), MAPS)
    assert fit_reml(moments_of(z, apart), MAPS, covariance="cs").converged
    with pytest.raises(NotEstimable, match="No response was seen in group 'g1'"):
        fit_reml(moments_of(z, y, group, groups=2), MAPS)
    nobody = np.full_like(y, np.nan)
    with pytest.raises(NotEstimable, match="No subject"):
        fit_reml(moments_of(z, nobody), MAPS)
    with pytest.raises(NotEstimable, match="explains the response exactly"):
        fit_reml(moments_of(z, np.where(np.isnan(y), np.nan, 7.0)), MAPS)
    last = np.where(np.arange(len(y))[:, None] > 0, [[0, 0, np.nan]], 0) + y
    with pytest.raises(NotEstimable, match="'v2'"):
        fit_reml(moments_of(z, last), MAPS)
    with pytest.raises(NotEstimable, match=r"explains the response exactly.*use fewer terms"):
        fit_reml(moments_of(z[:4], y[:4] * 0 + z[:4, 2:]), MAPS, covariance="cs")
    with pytest.raises(NotEstimable, match="every column"):
        fit_reml(moments_of(z, y), np.zeros_like(MAPS))


def test_a_singular_covariance_does_not_pass_silently():
    z, y, _ = trial(19, missing=0.0)
    y[:, 2] = 2 * y[:, 1] + 1
    with pytest.raises((NotConverged, NotEstimable), match="simpler structure"):
        fit_reml(moments_of(z, y), MAPS)


def test_probability_weights_belong_to_subjects():
    z, y, _ = trial(20)
    weights = np.random.default_rng(1).uniform(1, 2, y.shape)
    with pytest.raises(UsageError, match="belong to a subject"):
        fit_reml(moments_of(z, y, weights=weights), MAPS, weight_kind="probability")
