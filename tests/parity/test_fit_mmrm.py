"""`fit_mmrm(data, formula)` against the reference numbers, at the tolerances of their index."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from outcomes import fit_mmrm
from outcomes.core.errors import NotEstimable

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent / "mmrm"
INDEX = json.loads((FOLDER / "index.json").read_text())
TOLERANCES = {
    name: next(iter(rule.values()))
    for name, rule in INDEX["tolerances"]["mmrm"].items()
    if isinstance(rule, dict)
}
SE, DF, F = (TOLERANCES[name] for name in ("std_error", "df, den_df", "F statistic"))
CASES = [
    name
    for name, case in INDEX["cases"].items()
    if str(case.get("tolerance")).startswith("mmrm")
    and case.get("covariance") in ("us", "cs", "csh", "ar1", "ar1h", "toep", "toeph", "ad", "adh")
]


def each(names):
    """Parameters; all but the unstructured REML fits are marked slow."""
    return [
        pytest.param(*row, marks=() if "_us_reml" in row[0] else pytest.mark.slow)
        for row in ((name,) if isinstance(name, str) else name for name in names)
    ]


KINDS = {"kenward_roger_linear": "kenward-roger", "satterthwaite": "satterthwaite"}
GRIDS = {"ls_means_equal": "equal", "ls_means_proportional": "proportional"}
GRIDS["ls_means_cells"] = "cells"


@cache
def numbers(name):
    return json.loads((FOLDER / "numbers" / f"{name}.json").read_text())


@cache
def data_of(name):
    case = numbers(name)
    data = pd.read_csv(FOLDER / case["data"])
    for column, levels in case["levels"].items():
        data[column] = pd.Categorical(data[column], categories=levels)
    return data


@cache
def fitted(name, inference):
    case = numbers(name)
    return fit_mmrm(
        data_of(name),
        case["formula"],
        subject="patient_id",
        visit="visit",
        covariance=case["covariance"],
        method="reml" if case["reml"] else "ml",
        inference=inference,
        group=case["covariance_group"],
        weights=case["weights"],
    )


def kinds_of(name):
    return [kind for kind in KINDS if kind in numbers(name)["methods"]]


def check(table, expected):
    """Estimates in units of their standard error; the rest relative to itself."""
    found, truth = table, {key: np.array(values, float) for key, values in expected.items()}
    distance = np.abs(found.estimate - truth["estimate"]) / truth["std_error"]
    assert distance.max() < 1e-6
    np.testing.assert_allclose(found.std_error, truth["std_error"], rtol=SE)
    np.testing.assert_allclose(found.df, truth["df"], rtol=DF)
    np.testing.assert_allclose(found.p_value, truth["p_value"], rtol=1e-4, atol=1e-300)
    reach = 1e-6 * truth["std_error"] * np.maximum(1, np.abs(truth["estimate"]))
    assert (np.abs(found.conf_low - truth["conf_low"]) <= 10 * reach).all()
    assert (np.abs(found.conf_high - truth["conf_high"]) <= 10 * reach).all()
    assert (found.gate == "open").all()


def close_to_largest(found, truth, tolerance):
    truth = np.asarray(truth, float)
    assert np.abs(np.asarray(found) - truth).max() <= tolerance * np.abs(truth).max()


@pytest.mark.parametrize("name", each(CASES))
def test_fit(name):
    case = numbers(name)
    fit = fitted(name, KINDS[kinds_of(name)[0]])
    assert list(fit.beta.index) == case["beta"]["names"]
    assert (fit.n_observations, fit.n_patients) == (case["n_observations"], case["n_patients"])
    assert fit.converged
    assert abs(fit.log_likelihood - case["loglik"]) < TOLERANCES["loglik"]
    assert abs(fit.aic - case["aic"]) < 2 * TOLERANCES["loglik"]
    assert abs(fit.bic - case["bic"]) < 2 * TOLERANCES["loglik"]
    close_to_largest(fit.beta, case["beta"]["values"], TOLERANCES["beta"])
    expected = case["covariance_matrix"]
    if case["covariance_group"] is None:
        expected, found = {"": expected}, {"": fit.covariance}
    else:
        found = fit.covariance
    assert set(found) == set(expected)
    for level, matrix in expected.items():
        assert list(found[level].index) == matrix["names"]
        close_to_largest(found[level], matrix["values"], TOLERANCES["covariance_matrix"])


@pytest.mark.parametrize(("name", "kind"), each((n, k) for n in CASES for k in kinds_of(n)))
def test_tables(name, kind):
    expected = numbers(name)["methods"][kind]
    fit = fitted(name, KINDS[kind])
    check(fit.coefficients(), expected["coefficients"])
    for grid, weights in GRIDS.items():
        if grid in expected:
            check(fit.ls_means(["visit", "exposure"], weights=weights), expected[grid])
    check(fit.contrasts("exposure", by="visit"), expected["differences"])
    if "differences_mean_of_visits" in expected:
        check(fit.contrasts("exposure"), expected["differences_mean_of_visits"])
    if "beta_cov" in expected:
        tolerance = TOLERANCES["beta_cov (model, Kenward-Roger, sandwich)"]
        close_to_largest(fit.beta_cov, expected["beta_cov"]["values"], tolerance)


@pytest.mark.parametrize(
    ("name", "kind"),
    each((n, k) for n in CASES for k in kinds_of(n) if "joint_tests" in numbers(n)["methods"][k]),
)
def test_joint_tests(name, kind):
    expected = pd.DataFrame(numbers(name)["methods"][kind]["joint_tests"]).set_index("effect")
    found = fitted(name, KINDS[kind]).joint_tests()
    # R writes a term with its variables in order of mention, as the coefficients are named.
    found.index = pd.Index(found["term"].map(lambda t: ":".join(sorted(t.split(":")))))
    expected.index = pd.Index([":".join(sorted(t.split(":"))) for t in expected.index])
    found = found.loc[expected.index]
    assert (found.num_df == expected.num_df).all()
    np.testing.assert_allclose(found.den_df, expected.den_df, rtol=DF)
    np.testing.assert_allclose(found.statistic, expected.statistic, rtol=F)


@pytest.mark.parametrize("name", each(n for n in CASES if "linear_functions" in numbers(n)))
def test_rows_of_the_reference_grid(name):
    functions = numbers(name)["linear_functions"]
    grid = fitted(name, KINDS[kinds_of(name)[0]]).grid
    checked = 0
    for key, weights in GRIDS.items():
        if key in functions:
            rows = grid.cell_means(["visit", "exposure"], weights=weights).rows
            values = np.array(functions[key]["values"], float)
            np.testing.assert_allclose(rows, values, rtol=0, atol=1e-10)
            checked += 1
    assert checked


@pytest.mark.parametrize("name", each(n for n in CASES if "residual" in numbers(n)["methods"]))
def test_counted_degrees_of_freedom(name):
    methods = numbers(name)["methods"]
    residual = fitted(name, "residual").coefficients()
    assert (residual.df == methods["residual"]["df"]).all()
    expected = methods["between_within"]
    fit = fitted(name, "between-within")
    assert list(fit.coefficients().df) == expected["coefficients_df"]
    assert list(fit.contrasts("exposure", by="visit").df) == expected["differences_df"]
    means = fit.ls_means(["visit", "exposure"])
    assert list(means.df) == expected["ls_means_df"]


@pytest.fixture
def degenerate():
    return numbers("h_degenerate"), data_of("a_us_reml").copy()


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
    np.testing.assert_allclose(means.std_error, std_error, rtol=SE)
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
