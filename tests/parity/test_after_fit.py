"""What is asked of a fit afterwards, against the reference numbers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from outcomes import fit_mmrm

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
