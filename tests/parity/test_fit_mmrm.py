"""`fit_mmrm(data, formula)`: its reference grid, and what it does where a model is not identified.

Its numbers are compared with those of other programs in test_conformance.py.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from outcomes import fit_mmrm
from outcomes.conformance.cases import find_cases
from outcomes.core.errors import NotEstimable

pytestmark = pytest.mark.slow

FOLDER = find_cases(Path(__file__).parent / "mmrm")
TOLERANCES = FOLDER.tolerances
GRIDS = {"ls_means_equal": "equal", "ls_means_proportional": "proportional"}
GRIDS["ls_means_cells"] = "cells"


@pytest.mark.parametrize(
    "name", [n for n in FOLDER.fitted if "linear_functions" in FOLDER.read(n).numbers]
)
def test_rows_of_the_reference_grid(name):
    case = FOLDER.read(name)
    model = case.numbers
    fit = fit_mmrm(
        case.data,
        model["formula"],
        subject="patient_id",
        visit="visit",
        method="reml" if model["reml"] else "ml",
        inference="satterthwaite",
        covariance=model["covariance"],
        group=model["covariance_group"],
        weights=model["weights"],
    )
    assert fit.converged
    functions = model["linear_functions"]
    checked = 0
    for key, weights in GRIDS.items():
        if key in functions:
            rows = fit.grid.cell_means(["visit", "exposure"], weights=weights).rows
            values = np.array(functions[key]["values"], float)
            np.testing.assert_allclose(rows, values, rtol=0, atol=1e-10)
            checked += 1
    assert checked


@pytest.fixture
def degenerate():
    numbers = json.loads((FOLDER.path / "numbers" / "h_degenerate.json").read_text())
    return numbers, FOLDER.read("a_us_reml").data


def test_an_empty_cell_is_said_and_never_zero(degenerate):
    case, data = degenerate[0]["aliased"], degenerate[1]
    empty = (data.exposure == "manual_therapy") & (data.visit == "w52")
    data.loc[empty, "odi"] = np.nan
    fit = fit_mmrm(data, case["formula"], subject="patient_id", visit="visit")
    assert abs(fit.log_likelihood - case["loglik"]) < TOLERANCES["loglik"]
    truth = np.array(case["coefficients"]["values"], float)
    np.testing.assert_allclose(fit.beta, truth, rtol=1e-7)
    assert any("manual_therapy:visitw52" in note for note in fit.notes)
    means = fit.ls_means(["visit", "exposure"])
    expected = np.array(case["ls_means_satterthwaite"]["estimate"], float)
    np.testing.assert_allclose(means.estimate, expected, rtol=1e-7)
    std_error = np.array(case["ls_means_kenward_roger_linear"]["std_error"], float)
    np.testing.assert_allclose(means.std_error, std_error, rtol=TOLERANCES["std_error"])
    assert (means.gate == "open").tolist() == np.isfinite(expected).tolist()
    differences = fit.contrasts("exposure", by="visit")
    truth = np.array(case["differences_kenward_roger_linear"]["estimate"], float)
    np.testing.assert_allclose(differences.estimate, truth, rtol=1e-7)


def test_visits_never_seen_together_are_refused(degenerate):
    data = degenerate[1]
    order = pd.factorize(data.patient_id, sort=True)[0]
    data.loc[(order % 2 == 1) & (data.visit == "w06"), "odi"] = np.nan
    data.loc[(order % 2 == 0) & (data.visit == "w52"), "odi"] = np.nan
    formula = degenerate[0]["unidentified"]["formula"]
    with pytest.raises(NotEstimable, match="'w06' and 'w52'"):
        fit_mmrm(data, formula, subject="patient_id", visit="visit")
