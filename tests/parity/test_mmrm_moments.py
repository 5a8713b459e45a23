"""The mixed model from moments against the reference numbers, at the tolerances of their index."""

import json

import numpy as np
import pytest

from outcomes.conformance.cases import find_cases
from outcomes.conformance.pairs import METHODS
from outcomes.core.errors import NotEstimable
from outcomes.stats.inference import prepare_inference
from outcomes.stats.moments import accumulate, choose_layout
from outcomes.stats.reml import fit_reml
from outcomes.stats.sandwich import sandwich_of
from outcomes.stats.subjects import Subjects
from tests.parity.mmrm_cases import FOLDER, WideCase, read_case, read_rows

CASE_FOLDER = find_cases(FOLDER)
TOLERANCES = CASE_FOLDER.tolerances
CASES = CASE_FOLDER.fitted
PARTS = (
    "ls_means_equal",
    "ls_means_proportional",
    "ls_means_cells",
    "differences",
    "differences_mean_of_visits",
)


def close_to_largest(ours, theirs, tolerance):
    theirs = np.asarray(theirs, dtype=float)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


def fit_case(case):
    wide = WideCase(case)
    assert [name for name, _ in wide.design] == case["beta"]["names"]
    layout = choose_layout(
        wide.z, wide.y, columns=wide.columns, visits=wide.visits, groups=wide.groups
    )
    moments = accumulate(layout, wide.z, wide.y, group=wide.group, weights=wide.weights)
    method = "reml" if case["reml"] else "ml"
    group = np.zeros(len(wide.y), dtype=np.int64) if wide.group is None else wide.group
    return (
        Subjects(z=wide.z, y=wide.y, group=group, weights=wide.weights),
        wide.maps,
        fit_reml(moments, wide.maps, covariance=case["covariance"], method=method),
    )


def test_there_are_cases_of_every_structure():
    assert len(CASES) >= 100
    assert {read_case(name)["covariance"] for name in CASES} == {
        *("us", "cs", "csh", "ar1", "ar1h", "toep", "toeph", "ad", "adh")
    }


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    case = read_case(name)
    subjects, _, fit = fit_case(case)
    check_fit(case, fit)
    for key, method in METHODS.items():
        reference = case["methods"].get(key)
        if reference and (fit.method == "reml" or method != "kenward-roger"):
            empirical = sandwich_of(fit, subjects, method) if method.startswith("CR") else None
            check_inference(case, reference, prepare_inference(fit, method, empirical))


def check_fit(case, fit):
    absolute = TOLERANCES["loglik"]
    assert fit.log_likelihood == pytest.approx(case["loglik"], abs=absolute, rel=0)
    assert fit.aic == pytest.approx(case["aic"], abs=3 * absolute, rel=0)
    assert fit.bic == pytest.approx(case["bic"], abs=3 * absolute, rel=0)
    assert fit.n_observations == case["n_observations"]
    assert fit.n_subjects == case["n_patients"]
    assert fit.n_parameters == case["n_covariance_parameters"]
    std_error = np.sqrt(np.diag(case["beta_cov_model"]["values"]))
    relative = TOLERANCES["beta"]
    np.testing.assert_array_less(np.abs(fit.beta - case["beta"]["values"]) / std_error, relative)
    matrix = case["covariance_matrix"]
    parts = [matrix] if "values" in matrix else [matrix[g] for g in case["levels"][grouping(case)]]
    close_to_largest(
        fit.sigmas,
        [part["values"] for part in parts],
        TOLERANCES["covariance_matrix"],
    )
    close_to_largest(fit.beta_cov_model, case["beta_cov_model"]["values"], 1e-7)


def grouping(case):
    return case["covariance_group"]


def check_inference(case, reference, inference):
    if "beta_cov" in reference:
        close_to_largest(inference.beta_cov, reference["beta_cov"]["values"], 1e-7)
    if "coefficients" in reference:
        check_rows(np.eye(len(inference.beta)), reference["coefficients"], inference)
    for part in PARTS:
        if part in reference:
            rows = np.array(chosen(case["linear_functions"][part], reference.get(f"{part}_rows")))
            check_rows(rows, reference[part], inference)
    joint = reference.get("joint_tests", {"effect": []})
    for i, effect in enumerate(joint["effect"]):
        rows = np.array(case["linear_functions"][f"joint {effect}"]["values"])
        ours = inference.joint(rows)
        assert ours.statistic == pytest.approx(joint["statistic"][i], rel=1e-6)
        assert ours.den_df == pytest.approx(joint["den_df"][i], rel=1e-6)
        assert ours.num_df == joint["num_df"][i]


def chosen(functions, names):
    """Coefficient rows, of some of the functions where the reference has only those."""
    if names is None:
        return functions["values"]
    return [functions["values"][functions["rows"].index(name)] for name in names]


def check_rows(rows, reference, inference):
    ours = inference.linear(rows)
    if "estimate" in reference:
        close_to_largest(ours.estimate, reference["estimate"], 1e-7)
    if "std_error" in reference:
        np.testing.assert_allclose(ours.std_error, reference["std_error"], rtol=1e-7)
    if "df" in reference:
        np.testing.assert_allclose(ours.df, reference["df"], rtol=1e-6)


def degenerate(visit, exposure=None, remove=()):
    """The small therapy data with some responses removed."""
    case = read_case("a_us_reml") | {"formula": "odi ~ odi_baseline + exposure * visit"}
    rows = read_rows(case)
    for row in rows:
        if row["visit"] == visit and (exposure is None or row["exposure"] == exposure):
            row["odi"] = ""
    return WideCase(case, rows)


def test_an_empty_cell_loses_its_coefficient_only():
    reference = json.loads((FOLDER / "numbers" / "h_degenerate.json").read_text())["aliased"]
    wide = degenerate("w52", "manual_therapy")
    layout = choose_layout(wide.z, wide.y, columns=wide.columns, visits=wide.visits)
    moments = accumulate(layout, wide.z, wide.y)
    fit = fit_reml(moments, wide.maps)
    theirs = np.array(reference["coefficients"]["values"], dtype=float)
    assert fit.log_likelihood == pytest.approx(reference["loglik"], abs=1e-8, rel=0)
    np.testing.assert_allclose(fit.beta, theirs, rtol=1e-7)
    assert not fit.estimable[-1]
    assert "1 of 13 coefficients" in fit.notes[0]
    rows = np.eye(13)[[0, 12]]
    ours = prepare_inference(fit).linear(rows)
    assert np.isnan(ours.estimate).tolist() == [False, True]
    assert np.isnan(ours.df).tolist() == [False, True]


def test_two_visits_never_seen_together_are_refused_by_name():
    wide = degenerate("none")
    both = ~np.isnan(wide.y[:, 0]) & ~np.isnan(wide.y[:, 3])
    wide.y[both, 3] = np.nan
    layout = choose_layout(wide.z, wide.y, columns=wide.columns, visits=wide.visits)
    moments = accumulate(layout, wide.z, wide.y)
    with pytest.raises(NotEstimable, match="'w06' and 'w52'"):
        fit_reml(moments, wide.maps)


CLOSED = json.loads((FOLDER / "numbers" / "sandwich_df_closed_form.json").read_text())


@pytest.mark.parametrize("name", [name for name in CLOSED if name in CASES])
def test_every_difference_of_a_sandwich(name):
    case = read_case(name)
    subjects, _, fit = fit_case(case)
    rows = np.array(case["linear_functions"]["differences"]["values"])
    assert CLOSED[name]["rows"] == case["linear_functions"]["differences"]["rows"]
    for kind in ("CR0", "CR2", "CR3"):
        reference = CLOSED[name][f"sandwich_{kind.lower()}"]
        check_rows(rows, reference, prepare_inference(fit, kind, sandwich_of(fit, subjects, kind)))
