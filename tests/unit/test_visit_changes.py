"""Changes between visits, and differences of changes, as contrasts of contrasts."""

import numpy as np
import pytest
import statsmodels.formula.api as smf

from outcomes.core.errors import UsageError
from tests.unit.clinic_trial import fit, trial


@pytest.fixture(scope="module")
def data():
    return trial()


@pytest.fixture(scope="module")
def fitted(data):
    return fit(data)


def test_a_difference_of_changes_is_a_difference_of_differences(fitted):
    found = fitted.contrasts("exposure", by="week", reference="usual", between=(6, 52))
    by_week = fitted.contrasts("exposure", by="week", reference="usual")
    late, early = (by_week[by_week.visit == w].estimate.to_numpy() for w in ("52", "6"))
    np.testing.assert_allclose(found.estimate, late - early, rtol=1e-10)
    assert list(found.visit) == ["52 - 6"] * 2
    assert list(found.contrast) == ["exercise - usual", "manual - usual"]
    assert list(found.level) == ["exercise", "manual"]


def test_it_is_the_coefficient_of_the_interaction(fitted):
    found = fitted.contrasts("exposure", reference="exercise", between=("6", "12"))
    table = fitted.coefficients().set_index("term")
    names = ["week12:exposuremanual", "week12:exposureusual"]
    for column in ("estimate", "std_error", "df", "p_value", "conf_low", "conf_high"):
        np.testing.assert_allclose(found[column], table.loc[names, column], rtol=1e-9)


def test_backwards_is_the_same_with_the_other_sign(fitted):
    there = fitted.contrasts("exposure", between=(6, 12))
    back = fitted.contrasts("exposure", between=(12, 6))
    np.testing.assert_allclose(there.estimate, -back.estimate, rtol=1e-12)
    np.testing.assert_allclose(there.df, back.df, rtol=1e-12)
    assert list(back.visit) == ["6 - 12"] * 2


def test_complete_pairs_are_a_comparison_of_changes():
    """Two complete visits without covariates: two-sample t of the changes, one variance."""
    data = trial(missing=0.0)
    data = data[data.week < 52]
    wide = data.pivot(index=["id", "exposure"], columns="week", values="score").reset_index()
    wide["change"] = wide[12] - wide[6]
    ols = smf.ols("change ~ exposure", wide.rename(columns=str)).fit()
    found = fit(data, "score ~ exposure*week").contrasts("exposure", between=(6, 12))
    np.testing.assert_allclose(found.estimate, ols.params.iloc[1:], rtol=1e-9)
    np.testing.assert_allclose(found.std_error, ols.bse.iloc[1:], rtol=1e-8)
    np.testing.assert_allclose(found.df, ols.df_resid, rtol=1e-7)
    means = fit(data, "score ~ exposure*week").ls_means("exposure", between=(6, 12))
    changes = wide.groupby("exposure").change
    np.testing.assert_allclose(means.estimate, changes.mean(), rtol=1e-9)
    assert list(means.visit) == ["12 - 6"] * 3
    assert list(means.n_patients) == list(changes.count())


def test_changes_can_be_looked_at_by_another_factor(data):
    result = fit(data, "score ~ exposure*week*sex")
    found = result.contrasts("exposure", by=["sex", "week"], between=(6, 12), adjust="holm")
    assert list(found.subgroup) == ["sex=f"] * 2 + ["sex=m"] * 2
    one = result.contrasts("exposure", between=(6, 12), at={"sex": "m"})
    np.testing.assert_allclose(found.estimate[2:], one.estimate, rtol=1e-10)


def test_an_empty_cell_leaves_no_change(data):
    lost = data[~((data.exposure == "manual") & (data.week == 52))]
    found = fit(lost, "score ~ exposure*week").contrasts("exposure", between=(6, 52))
    assert list(found.gate.str.startswith("not estimable")) == [True, False]


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda f: f.contrasts("exposure", between=(6, 12, 52)), "takes two visits"),
        (lambda f: f.contrasts("exposure", between="6"), "takes two visits"),
        (lambda f: f.contrasts("exposure", between=(6, 6)), "names '6' twice"),
        (lambda f: f.contrasts("exposure", between=(6, 9)), "has no level '9'"),
        (lambda f: f.contrasts("week", between=(6, 12)), "another factor is compared"),
        (lambda f: f.contrasts("exposure", between=(6, 12), at={"week": 6}), "both choose"),
    ],
)
def test_what_is_no_change_is_refused(fitted, ask, words):
    with pytest.raises(UsageError, match=words):
        ask(fitted)
