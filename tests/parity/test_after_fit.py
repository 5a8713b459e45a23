"""What is asked of a fit afterwards, against the reference numbers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from outcomes import fit_mmrm
from outcomes.models.mmrm import compare_fits

FOLDER = Path(__file__).parent / "mmrm"
PREDICTION = json.loads((FOLDER / "numbers" / "h_prediction.json").read_text())["results"]


def numbers(name):
    return json.loads((FOLDER / "numbers" / f"{name}.json").read_text())


def data_of(case):
    data = pd.read_csv(FOLDER / case["data"])
    for column, levels in case["levels"].items():
        data[column] = pd.Categorical(data[column], categories=levels)
    return data


def fitted(name):
    case = numbers(name)
    return fit_mmrm(
        data_of(case),
        case["formula"],
        subject="patient_id",
        visit="visit",
        covariance=case["covariance"],
        method="reml" if case["reml"] else "ml",
        inference="satterthwaite",
    )


@pytest.mark.parametrize("name", PREDICTION)
def test_prediction_of_a_new_patient(name):
    expected = PREDICTION[name]
    new = pd.DataFrame(numbers(name)["extra"]["new_patient"]).assign(patient_id="new")
    fit = fitted(name)
    marginal = fit.predict(new)
    # What the other program calls a standard error here is a variance: see the README.
    size = np.array(expected["marginal_std_error"])
    assert np.abs((marginal.estimate - expected["marginal_mean"]) / size).max() < 1e-6
    np.testing.assert_allclose(marginal.std_error, size, rtol=1e-7)
    given = fit.predict(new, conditional=True, interval="prediction")
    unseen = given.visit.isin(expected["visits_predicted"])
    size = np.array(expected["std_error_of_the_mean"])
    assert np.abs((given.estimate[unseen] - expected["mean"]) / size).max() < 1e-6
    np.testing.assert_allclose(given.std_error[unseen], size, rtol=1e-7)
    np.testing.assert_allclose(given.prediction_sd[unseen], expected["prediction_sd"], rtol=1e-7)
    assert list(given.estimate[~unseen]) == expected["outcome_given"]
    assert (given.prediction_sd[~unseen] == 0).all()


def test_structures_are_compared_as_the_reference_numbers_say():
    names = ("a_cs_reml", "a_toep_reml", "a_toeph_reml", "a_us_reml")
    truth = [numbers(name) for name in names]
    found = compare_fits(*map(fitted, names))
    for name, key in (("aic", "aic"), ("aicc", "aicc"), ("bic", "bic")):
        np.testing.assert_allclose(found[name], [case[key] for case in truth], atol=2e-8)
    for k in range(1, 4):
        statistic = 2 * (truth[k]["loglik"] - truth[k - 1]["loglik"])
        df = truth[k]["n_covariance_parameters"] - truth[k - 1]["n_covariance_parameters"]
        assert abs(found.statistic[k] - statistic) < 4e-8
        assert found.df[k] == df
        assert found.p_value[k] == pytest.approx(chi2.sf(statistic, df), rel=1e-6)
