"""Covariance structures: derivatives against difference quotients, shapes by definition."""

import numpy as np
import pytest

from outcomes.core.errors import UsageError
from outcomes.stats.covariance import STRUCTURES, structure


def positive(n, seed=1):
    half = np.random.default_rng(seed).normal(size=(n, n + 2))
    return half @ half.T


@pytest.mark.parametrize("visits", [1, 2, 4])
@pytest.mark.parametrize("name", STRUCTURES)
def test_derivatives(name, visits):
    form = structure(name, visits)
    theta = form.start(positive(visits)) + 0.05
    assert theta.shape == (form.n_parameters,)
    first, second = form.first(theta), form.second(theta)
    assert first.shape == (form.n_parameters, visits, visits)
    for h in range(form.n_parameters):
        step = np.zeros_like(theta)
        step[h] = 1e-5
        slope = (form.sigma(theta + step) - form.sigma(theta - step)) / 2e-5
        bend = (form.first(theta + step) - form.first(theta - step)) / 2e-5
        np.testing.assert_allclose(first[h], slope, atol=1e-7)
        np.testing.assert_allclose(second[h], bend, atol=1e-7)


@pytest.mark.parametrize("visits", [1, 4])
@pytest.mark.parametrize("name", STRUCTURES)
def test_many_at_once(name, visits):
    form = structure(name, visits)
    theta = form.start(positive(visits)) + 0.1 * np.arange(6.0).reshape(3, 2, 1)
    for ask in (form.sigma, form.first):
        one_by_one = [[ask(part) for part in row] for row in theta]
        np.testing.assert_allclose(ask(theta), one_by_one, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("name", STRUCTURES)
def test_start_is_positive_definite(name):
    sigma = 0.97 * np.ones((5, 5)) + 0.03 * np.eye(5)
    sigma *= np.outer(np.arange(1, 6), np.arange(1, 6))
    form = structure(name, 5)
    assert np.linalg.eigvalsh(form.sigma(form.start(sigma)))[0] > 0


def test_unstructured_start_gives_the_matrix_back():
    sigma = positive(4)
    form = structure("us", 4)
    np.testing.assert_allclose(form.sigma(form.start(sigma)), sigma, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "correlation"),
    [
        ("cs", [0.5, 0.5, 0.5]),
        ("ar1", [0.5, 0.25, 0.5]),
        ("toep", [0.5, 0.3, 0.5]),
        ("ad", [0.5, 0.15, 0.3]),
    ],
)
@pytest.mark.parametrize("suffix", ["", "h"])
def test_correlations_by_definition(name, correlation, suffix):
    form = structure(name + suffix, 3)
    deviation = np.array([2.0, 3.0, 5.0]) if suffix else np.array([2.0])
    links = np.arctanh([0.5, 0.3])[: form.n_parameters - deviation.size]
    sigma = form.sigma(np.concatenate([np.log(deviation), links]))
    size = deviation * np.ones(3)
    np.testing.assert_allclose(np.sqrt(np.diag(sigma)), size)
    made = sigma / np.outer(size, size)
    np.testing.assert_allclose([made[0, 1], made[0, 2], made[1, 2]], correlation)


def test_an_unknown_name_is_refused():
    with pytest.raises(UsageError, match="'un' is no covariance structure"):
        structure("un", 3)
