"""Leaving a clinic out from moments is what a refit of its other rows gives."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from outcomes.core.errors import UsageError
from tests.unit.clinic_trial import fit, trial


@pytest.fixture(scope="module")
def data():
    return trial()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weights": "weight", "covariance": "toeph"},
        {"group": "sex", "covariance": "cs", "method": "ml", "inference": "satterthwaite"},
    ],
    ids=["plain", "weights", "groups"],
)
def test_it_is_what_refits_say(data, options):
    result = fit(data, **options)
    found = result.influence("clinic", data=data)
    theta, information = result.fit.reml.theta, np.linalg.inv(result.fit.reml.theta_cov)
    phi = result.fit.reml.beta_cov_model
    for clinic, rows in found.groupby("clinic"):
        other = fit(data[data.clinic != clinic], **options)
        size = np.sqrt(np.diag(result.beta_cov))
        change = (other.beta - result.beta).to_numpy()
        assert list(rows.term) == list(result.beta.index)
        assert np.abs((rows.estimate.to_numpy() - other.beta) / size).max() < 1e-6
        np.testing.assert_allclose(rows.change_in_std_errors, change / size, atol=1e-6)
        expected = change @ np.linalg.solve(phi, change) / change.size
        np.testing.assert_allclose(rows.distance, expected, rtol=1e-6)
        moved = other.fit.reml.theta - theta
        expected = moved @ information @ moved / moved.size
        np.testing.assert_allclose(rows.covariance_distance, expected, rtol=1e-5)
        used = data[(data.clinic == clinic) & data.score.notna()]
        assert (rows.n_patients == used.id.nunique()).all()


def test_one_row_a_subject_is_cook(data):
    """Of linear regression, with its variance held; ours estimates it anew, the same in D."""
    one = data[(data.week == 6) & data.score.notna()]
    formula = "score ~ age + exposure"
    cook, _ = smf.ols(formula, one).fit().get_influence().cooks_distance
    found = fit(one, formula).influence("id").groupby("id", sort=False).distance.first()
    np.testing.assert_allclose(found[one.id], cook, rtol=1e-7)


def test_contrasts_are_followed_with_their_question_kept(data):
    result = fit(data)
    asked = {"by": "week", "reference": "usual"}
    found = result.influence("clinic", "exposure", data=data, **asked)
    whole = result.contrasts("exposure", **asked)
    first = found[found.clinic == "c0"].reset_index(drop=True)
    assert list(first.contrast) == list(whole.contrast)
    assert list(first.visit) == list(whole.visit)
    other = fit(data[data.clinic != "c0"]).contrasts("exposure", **asked)
    np.testing.assert_allclose(first.estimate, other.estimate, rtol=1e-6)
    scaled = (other.estimate - whole.estimate) / whole.std_error
    np.testing.assert_allclose(first.change_in_std_errors, scaled, atol=1e-6)


@pytest.mark.parametrize("inference", ["jackknife", "CR2"])
def test_a_cluster_of_the_fit_needs_no_table(data, inference):
    result = fit(data, cluster="clinic", inference=inference)
    found = result.influence("clinic")
    pd.testing.assert_frame_equal(found, result.influence("clinic", data=data))
    if inference == "jackknife":
        changes = found.pivot(index="clinic", columns="term", values="change")[result.beta.index]
        covariance = (1 - 1 / len(changes)) * changes.T @ changes
        np.testing.assert_allclose(covariance, result.beta_cov, rtol=1e-6, atol=1e-12)


def test_the_distance_is_over_what_is_left(data):
    """With the clinic in the formula, leaving one out loses its coefficient and no other."""
    result = fit(data, "score ~ exposure*week + clinic")
    found = result.influence("clinic")
    rows = found[found.clinic == "c4"].set_index("term")
    assert rows.gate["clinicc4"].startswith("not estimable")
    assert np.isnan(rows.change["clinicc4"])
    kept = [name for name in result.beta.index if name != "clinicc4"]
    assert (rows.gate[kept] == "open").all()
    other = fit(data[data.clinic != "c4"], "score ~ exposure*week + clinic")
    change = (other.beta[kept] - result.beta[kept]).to_numpy()
    phi = pd.DataFrame(result.fit.reml.beta_cov_model, result.beta.index, result.beta.index)
    expected = change @ np.linalg.solve(phi.loc[kept, kept], change) / len(kept)
    np.testing.assert_allclose(rows.distance, expected, rtol=1e-6)


def test_a_part_without_which_there_is_no_fit_says_why(data):
    few = data[(data.week == 6) | (data.clinic == "c0")]
    found = fit(few, "score ~ week").influence("clinic", data=data)
    rows = found.groupby("clinic").first()
    assert rows.gate["c0"].startswith("no fit: ")
    assert rows.gate["c0"][-1] != "."
    assert np.isnan(rows.distance["c0"])
    assert (rows.gate.drop("c0") == "open").all()


@pytest.mark.slow
def test_more_comparisons_than_clusters_are_no_test():
    """A joint test needs a covariance of full rank; the summary goes on without it."""
    data = trial(clinics=7, n=150)
    result = fit(data, "score ~ exposure*week*sex", cluster="clinic", inference="jackknife")
    levels = data.assign(sex=np.where(data.age > 55, "o", data.sex), age=1.0)
    other = fit(levels, "score ~ exposure*week*sex", cluster="clinic", inference="jackknife")
    assert (result.joint_tests().gate == "open").all()
    gate = other.joint_tests().set_index("term").gate
    assert gate["exposure:week:sex"].startswith("no test: 7 clusters")
    assert "NaN" in other.summary()


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("clinic", None, "give data= a table with 'id' and 'clinic'"),
        ("clinic", lambda d: d.drop(columns="clinic"), "No column 'clinic'"),
        ("clinic", lambda d: d[d.id != "p001"], "1 fitted subjects are not in column 'id'"),
        ("clinic", lambda d: d.assign(clinic=None), "267 rows are empty"),
        ("clinic", lambda d: d.assign(clinic="one"), "nothing can be left out"),
        ("week", None, "Column 'week' changes within"),
    ],
)
def test_what_cannot_be_left_out_is_refused(data, part, change, words):
    result = fit(data)
    with pytest.raises(UsageError, match=words):
        result.influence(part, data=None if change is None else change(data))
