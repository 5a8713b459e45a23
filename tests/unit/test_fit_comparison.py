"""Likelihood-ratio tests and information criteria of fits, and what cannot be compared."""

import itertools
import warnings

import numpy as np
import pytest
import statsmodels.formula.api as smf
from scipy.stats import chi2, kstest

from outcomes.core.errors import UsageError
from outcomes.models.mmrm import compare_fits
from outcomes.stats.covariance import STRUCTURES, structure
from outcomes.stats.nesting import is_nested
from tests.unit.clinic_trial import fit, trial

ML = {"method": "ml", "inference": "satterthwaite"}


@pytest.fixture(scope="module")
def data():
    return trial(n=120)


@pytest.mark.parametrize("n_visits", [1, 2, 3, 4])
def test_a_structure_is_in_another_where_that_can_take_its_matrices(n_visits):
    """The other structure is started at a matrix of the one, and gives it back or not."""
    rng = np.random.default_rng(1)
    for small, large in itertools.product(STRUCTURES, repeat=2):
        one, other = structure(small, n_visits), structure(large, n_visits)
        links = one.n_parameters - (n_visits if small.endswith("h") else 1)
        for _ in range(20):
            theta = 0.3 * rng.standard_normal(one.n_parameters)
            if small != "us":
                theta[one.n_parameters - links :] = rng.uniform(0.1, 0.5, links)
            sigma = one.sigma(theta)
            if np.linalg.eigvalsh(sigma)[0] > 0.1:
                break
        distance = np.abs(other.sigma(other.start(sigma)) - sigma).max()
        assert (distance < 1e-8) == is_nested(small, large, n_visits), (small, large)


def test_structures_by_reml(data):
    fits = [fit(data, covariance=name) for name in ("cs", "toep", "toeph", "us", "adh", "ar1h")]
    found = compare_fits(*fits)
    for k, (small, large) in enumerate([(0, 1), (1, 2), (2, 3), (4, 3), (5, 4)], start=1):
        statistic = 2 * (fits[large].log_likelihood - fits[small].log_likelihood)
        df = fits[large].fit.reml.n_parameters - fits[small].fit.reml.n_parameters
        assert found.statistic[k] == pytest.approx(statistic, rel=1e-12)
        assert found.df[k] == df
        assert found.p_value[k] == pytest.approx(chi2.sf(statistic, df), rel=1e-12)
    assert found.gate[0] == "the first fit"
    assert (found.gate[1:] == "open").all()
    for name in ("aic", "aicc", "bic", "log_likelihood"):
        assert list(found[name]) == [getattr(f, name) for f in fits]
    assert (found.n_counted == found.n_covariance_parameters).all()


def test_structures_that_are_not_nested_say_so(data):
    found = fit(data, covariance="toeph").compare(fit(data, covariance="adh"))
    assert found.gate[1] == "not nested: 'toeph' is no special case of 'adh'"
    assert np.isnan(found.p_value[1])
    assert found.aic.notna().all()


def random_intercept(formula, data):
    """By ML; its search passes through singular matrices on the way and says so."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return smf.mixedlm(formula, data, groups="id").fit(reml=False, method="powell")


def test_fixed_effects_by_ml_are_those_of_a_random_intercept(data):
    formulas = "score ~ week + age", "score ~ week*exposure + age"
    used = data.dropna().assign(week=lambda d: d.week.astype(str))
    other = [random_intercept(f, used) for f in formulas]
    fits = [fit(data, f, covariance="cs", **ML) for f in formulas]
    found = compare_fits(*fits)
    assert found.statistic[1] == pytest.approx(2 * (other[1].llf - other[0].llf), abs=1e-5)
    assert found.df[1] == len(other[1].fe_params) - len(other[0].fe_params)
    # All parameters are counted where fixed effects differ, as there.
    np.testing.assert_allclose(found.aic, [o.aic for o in other], atol=1e-5)
    assert list(found.n_counted) == [len(o.params) + 1 for o in other]
    turned = compare_fits(*fits[::-1])
    assert turned.p_value[1] == found.p_value[1]


def test_groups_are_nested_where_one_divides_the_other(data):
    both = data.assign(cell=data.sex + data.exposure)
    plain, sex, cell, exposure = (
        fit(both, covariance="cs", group=g) for g in (None, "sex", "cell", "exposure")
    )
    found = compare_fits(plain, sex, cell, exposure, sex)
    assert list(found.df[1:4]) == [2, 8, 6]
    assert (found.gate[1:4] == "open").all()
    assert found.gate[4].startswith("not nested: a covariance group")


def test_the_same_model_twice_is_no_test(data):
    one = fit(data)
    assert one.compare(one).gate[1] == "the same model twice"
    two = data[data.week < 52]
    found = compare_fits(fit(two, covariance="csh"), fit(two, covariance="us"))
    assert found.gate[1] == "the same model twice"


def test_fixed_effects_that_are_not_nested_say_so(data):
    found = compare_fits(fit(data, "score ~ week + sex", **ML), fit(data, "score ~ week*age", **ML))
    assert found.gate[1] == "not nested: the larger model lacks fixed effects of the smaller"


def test_order_of_rows_and_coding_do_not_matter(data):
    one = fit(data, "score ~ week", covariance="cs")
    two = fit(data.sample(frac=1, random_state=1), "score ~ week", covariance="us")
    assert compare_fits(one, two).gate[1] == "open"


@pytest.mark.slow
def test_under_the_null_p_values_are_uniform():
    """Equal variances and correlations of the truth: toeph against cs, many subjects."""
    rng = np.random.default_rng(8)
    data = trial(n=150, missing=0.1)
    root = np.linalg.cholesky(0.5 * np.eye(3) + 0.5)
    p_values = []
    for _ in range(100):
        noise = (rng.standard_normal((150, 3)) @ root.T).ravel()
        new = data.assign(score=np.where(data.score.isna(), np.nan, noise))
        fits = [fit(new, "score ~ week", covariance=c) for c in ("cs", "toeph")]
        p_values.append(compare_fits(*fits).p_value[1])
    assert kstest(p_values, "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda d: [fit(d)], "two fits or more"),
        (lambda d: [fit(d), fit(d, **ML)], "by REML and one by ML"),
        (lambda d: [fit(d), fit(d[d.id != "p001"])], "have different rows"),
        (lambda d: [fit(d), fit(d.assign(score=2 * d.score))], "different responses"),
        (lambda d: [fit(d), fit(d, weights="weight")], "different weights"),
        (
            lambda d: [fit(d), fit(d, "score ~ week")],
            "REML likelihoods of models with different fixed effects",
        ),
        (
            lambda d: [fit(d, weights="age", weight_kind="probability", inference="CR0")] * 2,
            "pseudo-likelihood",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(data, make, words):
    with pytest.raises(UsageError, match=words):
        compare_fits(*make(data))
