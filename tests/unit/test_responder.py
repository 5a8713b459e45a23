"""Shares of people and of users of medicines, against counts and a fit by statsmodels."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from outcomes.core.errors import EstimationError
from outcomes.models.analysis import analyse
from outcomes.models.change import fit_outcome
from outcomes.models.description import describe_rows
from outcomes.models.events import Event, People, rows_of
from outcomes.models.layout import code_study, lay_out
from outcomes.models.medication import SeenWeights, weighted_shares
from outcomes.models.responder import baseline_scores, draw_visits, on_scale, study_people
from outcomes.models.shares import Population
from outcomes.models.site import sum_outcome
from outcomes.results.tables import ESTIMATE_COLUMNS
from outcomes.results.wording import NO_RATIO
from tests.unit.analysis_standin import EXPOSURES, MEDICATION, PAIN, dataset, spec


def fitted(data, outcome="pain"):
    rows = lay_out(code_study(data), data.spec.outcome(outcome))
    return rows, fit_outcome(sum_outcome(rows, "frame"), describe_rows(rows))


@pytest.fixture(scope="module")
def data():
    return dataset(600, study=spec(outcomes=(PAIN, MEDICATION)))


@pytest.fixture(scope="module")
def found(data):
    return analyse(data)


@pytest.fixture(scope="module")
def whole():
    """Everyone seen at every visit, everyone with a baseline."""
    made = dataset(500, follow_up=1.1)
    filled = made.episodes["baseline_pain"].fillna(6.0)
    return replace(made, episodes=made.episodes.assign(baseline_pain=filled))


def shares(table, **wanted):
    given = {"scale": "risk", "visit": "week_12", **wanted}
    rows = table[np.logical_and.reduce([table[k].eq(v) for k, v in given.items()])]
    return rows.set_index("level")["estimate"].loc[list(EXPOSURES)].to_numpy()


# ------------------------------------------------------------------------------------ responders
def test_with_everyone_seen_a_share_is_g_computation(whole):
    found = analyse(whole).tables["responders"]
    rows, fit = fitted(whole)
    event = (baseline_scores(rows) - rows.y[:, 1]).round(6) >= 2
    people = study_people(rows, fit.about, fit.terms).population
    x = np.column_stack([np.eye(3)[people.exposure], people.covariates])
    model = sm.GLM(event.astype(float), x, family=sm.families.Binomial()).fit(tol=1e-12)
    expected = [
        model.predict(np.column_stack([np.tile(np.eye(3)[e], (500, 1)), x[:, 3:]])).mean()
        for e in range(3)
    ]
    for method in ("mmrm-draws", "observed-only", "missing-is-failure"):
        mine = shares(
            found, threshold=2.0, unit="share", estimand="treatment-policy", method=method
        )
        np.testing.assert_allclose(mine, expected, atol=2e-3)  # the weak ridge is the difference


@pytest.mark.parametrize("centre", [-40.0, 9.0])
def test_the_fixed_centre_of_the_coding_changes_no_share(data, found, monkeypatch, centre):
    monkeypatch.setattr("outcomes.models.layout.response_scale", lambda outcome: (centre, 2.0))
    moved = analyse(data)
    for table in ("responders", "medication_use"):
        mine, theirs = (
            each.tables[table].query("scale == 'risk'")["estimate"].to_numpy()
            for each in (found, moved)
        )
        np.testing.assert_allclose(theirs, mine, atol=2e-3)  # the weak ridge, and other draws


def test_a_baseline_missing_at_random_moves_no_share_far(whole):
    full = analyse(whole).tables["responders"]
    hidden = np.random.default_rng(5).random(500) < 0.3
    left = whole.episodes["baseline_pain"].where(~hidden)
    fewer = analyse(replace(whole, episodes=whole.episodes.assign(baseline_pain=left)))
    ask = {"threshold": 2.0, "estimand": "treatment-policy", "method": "observed-only"}
    before, after = (
        shares(t[t["unit"].eq("share")], **ask) for t in (full, fewer.tables["responders"])
    )
    np.testing.assert_allclose(after, before, atol=0.04)


def test_questions_of_a_visit(found):
    table = found.tables["responders"].query("scale == 'risk' and level == 'exercise'")
    main = table.query("method == 'mmrm-draws' and outcome == 'pain'")
    elsewhere = main.query("visit == 'week_6'")
    asked = set(zip(elsewhere["estimand"], elsewhere["threshold"], elsewhere["unit"], strict=True))
    assert asked == {
        ("treatment-policy", 2.0, "share"),
        ("treatment-policy", 30.0, "percent"),
        ("worse", 2.0, "share"),
    }
    curve = main.query(
        "visit == 'week_12' and unit == 'share' and estimand == 'treatment-policy'"
    ).sort_values("threshold")
    assert list(curve["threshold"]) == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    known = curve["estimate"].dropna()
    assert (np.diff(known) < 0).all()
    assert not found.tables["responders"]["outcome"].eq("medication").any()


def test_thresholds_in_points_and_in_percent_have_keys_of_their_own():
    rules = [{"threshold": 2.0}, {"threshold": 5.0}, {"percent": 5.0}, {"percent": 5.0}]
    made = dataset(300, study=spec(outcomes=({**PAIN, "responders": rules},)))
    table = analyse(made).tables["responders"]
    keys = [c.name for c in ESTIMATE_COLUMNS if c.disclosure == "label" and c.name != "gate"]
    assert not table.duplicated([*keys, "threshold"]).any()
    for scale in ("risk", "risk_difference", "risk_ratio"):
        at_5 = table[table["threshold"].eq(5) & table["scale"].eq(scale)]
        assert set(at_5["threshold_unit"]) == {"points", "percent of baseline"}


def test_failure_is_below_and_draws_are_between(found):
    table = found.tables["responders"].query("outcome == 'pain' and unit == 'share'")
    ask = {"threshold": 2.0, "estimand": "treatment-policy"}
    drawn, observed, failure = (
        shares(table, method=m, **ask)
        for m in ("mmrm-draws", "observed-only", "missing-is-failure")
    )
    assert (failure < drawn - 0.05).all()
    np.testing.assert_allclose(drawn, observed, atol=0.06)


def test_the_same_seed_gives_the_same_draws(data):
    rows, fit = fitted(data)
    first, second = draw_visits(rows, fit), draw_visits(rows, fit)
    np.testing.assert_array_equal(first, second)
    seen = ~np.isnan(rows.y)
    np.testing.assert_array_equal(first[seen], np.repeat(rows.y[seen][:, None], 5, axis=1))
    assert first.std(axis=2)[~seen].mean() > 0.5


def test_draws_keep_to_the_instrument():
    outcome = spec().outcome("pain")
    drawn = np.array([-1.2, 3.4, 3.6, 12.0])
    np.testing.assert_array_equal(on_scale(drawn, outcome, np.array([1.0, 7.0])), [0, 3, 4, 10])
    np.testing.assert_array_equal(on_scale(drawn, outcome, np.array([2.0, 8.0])), [0, 4, 4, 10])
    np.testing.assert_array_equal(on_scale(drawn, outcome, np.array([1.5, 7.2])), [0, 3.4, 3.6, 10])
    dose = spec(outcomes=(PAIN, MEDICATION)).outcome("medication")
    np.testing.assert_array_equal(on_scale(np.array([-3.0, 400.3]), dose, np.array([0.5])),
                                  [0, 400.3])  # fmt: skip


def people_of(exposure, covariates, patients):
    return People(
        population=Population(
            exposure=exposure, covariates=covariates, cluster=patients, n_exposures=2
        ),
        exposures=("a", "b"),
        labels={"a": "A", "b": "B"},
        conf_level=0.95,
    )


def asked(responses, exposure, counted=None, weights=None, covariates=None, patients=None):
    """Rows of one question with a covariate."""
    n = len(exposure)
    if covariates is None:
        covariates = np.random.default_rng(4).normal(size=(n, 1))
    patients = np.arange(n) if patients is None else patients
    event = Event(
        responses=responses,
        counted=np.ones(n, dtype=bool) if counted is None else counted,
        weights=np.ones(n) if weights is None else weights,
        row={"visit": "week_6"},
    )
    rows = rows_of([event], people_of(exposure, covariates, patients), {})
    return {(row["scale"], row["contrast"]): row for row in rows}


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_type_in_which_all_or_none_have_the_event_has_exact_limits(share):
    rng = np.random.default_rng(2)
    exposure = np.repeat([0, 1], 100)
    event = np.where(exposure == 0, share, rng.random(200) < 0.4)
    rows = asked(event[:, None], exposure)
    one, other = rows["risk", "a"], rows["risk", "b"]
    assert (one["gate"], one["estimate"]) == ("open", share)
    limits = (0.025**0.01, 1) if share else (0, 1 - 0.025**0.01)
    assert (one["conf_low"], one["conf_high"]) == pytest.approx(limits)
    assert np.isnan(one["std_error"])
    assert np.isnan(one["df"])
    alone = asked(event[100:, None], exposure[100:])
    assert other["estimate"] == pytest.approx(event[100:].mean(), abs=0.02)
    assert alone["risk", "a"]["gate"] == "too few patients of A to ask"
    difference, ratio = rows["risk_difference", "a - b"], rows["risk_ratio", "a - b"]
    assert difference["estimate"] == pytest.approx(share - other["estimate"])
    assert difference["conf_high"] - difference["conf_low"] > other["conf_high"] - other["conf_low"]
    assert "p_value" not in difference
    assert ratio["gate"] == NO_RATIO
    assert "estimate" not in ratio


def test_one_draw_of_one_unseen_visit_does_not_decide_how_a_share_is_made():
    rng = np.random.default_rng(6)
    exposure = np.repeat([0, 1], 50)
    seen = np.arange(100) % 50 >= 6
    responses = np.where(exposure == 0, 0.0, rng.random(100) < 0.4)[:, None] * np.ones(5)
    without = asked(responses, exposure, counted=seen)
    responses[0, 2] = 1.0
    beside = asked(responses, exposure, counted=seen)
    for key, row in without.items():
        assert row == pytest.approx(beside[key], nan_ok=True), key
    assert without["risk", "a"]["conf_high"] == pytest.approx(1 - 0.025 ** (1 / 44))


def test_a_regression_that_fails_leaves_types_on_one_side_alone(monkeypatch):
    def fail(events, population):
        return [EstimationError("no solution") for _ in events]

    monkeypatch.setattr("outcomes.models.events.standardised_shares", fail)
    exposure = np.repeat([0, 1], 20)
    rows = asked((exposure * (np.arange(40) % 2.0))[:, None], exposure)
    assert rows["risk", "a"]["estimate"] == 0
    assert rows["risk", "b"]["gate"] == "no solution"
    assert rows["risk_difference", "a - b"]["gate"] == "no solution"


def test_one_event_among_many_has_an_error_though_it_is_standardised_to_less_than_half():
    rng = np.random.default_rng(8)
    exposure = np.repeat([0, 1], [100, 400])
    x = np.where(exposure == 0, 2.0, -1.0) + rng.normal(size=500)
    event = np.where(exposure == 1, rng.random(500) < 1 / (1 + np.exp(-2 * x)), 0.0)
    event[0] = 1.0
    rows = asked(event[:, None], exposure, covariates=x[:, None])
    row = rows["risk", "a"]
    assert 0 < row["estimate"] < 0.5 / 100
    assert row["std_error"] > 0
    assert rows["risk_ratio", "a - b"]["gate"] == "open"


def test_one_patient_is_too_few_for_a_share():
    exposure = np.repeat([0, 1], 40)
    event = np.arange(80) % 2.0
    patients = np.where(exposure == 0, 1, 100 + np.arange(80))
    rows = asked(event[:, None], exposure, patients=patients)
    for scale in ("risk", "risk_difference"):
        row = rows[scale, "a" if scale == "risk" else "a - b"]
        assert row["gate"] == "too few patients of A to ask"
        assert "estimate" not in row
    assert rows["risk", "b"]["gate"] == "open"


def test_nobody_seen_leaves_a_share_from_0_to_1():
    exposure = np.repeat([0, 1], 40)
    responses = np.tile(np.arange(80) % 2.0, (5, 1)).T
    rows = asked(responses, exposure, counted=exposure == 1)
    row = rows["risk", "a"]
    assert row["estimate"] == pytest.approx(0.5, abs=0.02)
    assert (row["conf_low"], row["conf_high"], row["n_episodes"]) == (0, 1, 0)
    difference = rows["risk_difference", "a - b"]
    assert -1 <= difference["conf_low"] < -0.4
    assert 0.4 < difference["conf_high"] <= 1


# ------------------------------------------------------------------------------------- medicines
def test_what_became_of_users_sums_to_one(found):
    table = found.tables["medication_change"].query("scale == 'risk'")
    users = table[table["estimand"].isin(["stopped", "halved", "little_change", "increased"])]
    total = users.groupby(["visit", "level"])["estimate"].sum()
    np.testing.assert_allclose(total, 1, atol=1e-12)
    assert users["reference"].eq("").all()


def test_what_became_of_users_is_counted(whole):
    study = spec(outcomes=(PAIN, MEDICATION))
    data = replace(whole, spec=study)
    found = analyse(data).tables["medication_change"]
    rows = data.visit_rows.query("visit == 'week_12'").merge(data.episodes, on="episode_id")
    users = rows[rows["baseline_medication"] > 0]
    ratio = users["medication"] / users["baseline_medication"]
    halved = (ratio.round(6) <= 0.5) & (users["medication"] > 0)
    expected = halved.groupby(users["exposure"]).mean().loc[list(EXPOSURES)]
    np.testing.assert_allclose(shares(found, estimand="halved"), expected, atol=1e-12)
    counts = found.query("estimand == 'halved' and visit == 'week_12'").set_index("level")
    assert counts.loc["exercise", "n_episodes"] == users["exposure"].eq("exercise").sum()
    none = found.query("estimand == 'new_start' and visit == 'week_12'")
    assert none["estimate"].eq(0).all()
    assert (none["conf_high"] > 0).all()


def test_mean_changes_are_means_less_the_shared_start(data, found):
    change = found.tables["medication_change"].query("scale == 'change'")
    means = found.tables["ls_means"].query("outcome == 'medication'")
    start = data.episodes["baseline_medication"].mean()
    np.testing.assert_allclose(
        change["estimate"].to_numpy(), means["estimate"].to_numpy() - start, atol=1e-9
    )


def test_use_is_asked_three_ways(found):
    table = found.tables["medication_use"]
    assert set(table["method"]) == {
        "observation-weighted", "observed-only", "missing-is-failure"
    }  # fmt: skip
    assert set(table["estimand"]) == {"any_opioid"}
    weighted, failure = (
        shares(table, method=m) for m in ("observation-weighted", "missing-is-failure")
    )
    assert (failure > weighted).all()


def test_a_type_seen_whole_needs_no_weights():
    rng = np.random.default_rng(3)
    exposure = np.repeat([0, 1], 200)
    weigh = SeenWeights(people=people_of(exposure, rng.normal(size=(400, 1)), np.arange(400)))
    seen = (exposure == 0) | (rng.random(400) < 0.5)
    (weights,) = weigh(seen[:, None], ["week_6"])
    assert weigh.notes == []
    assert (weights[exposure == 0] == 1).all()
    assert (weights[~seen] == 0).all()
    assert weights[seen & (exposure == 1)].mean() == pytest.approx(2, abs=0.3)


def test_weighted_shares_count_patients_once():
    exposure = np.array([0, 0, 0, 0, 1, 1])
    people = people_of(exposure, np.zeros((6, 0)), np.array([1, 1, 2, 3, 4, 5]))
    answer = np.array([1, 1, 0, 0, 1, 0], dtype=bool)
    weights = np.array([1.0, 1, 1, 1, 3, 1])
    found, counts = weighted_shares(answer, weights, people)
    np.testing.assert_allclose(found.risk, [0.5, 0.75])
    # patient 1 holds two of four episodes: residual 2 * 0.5 / 4; two others -0.5 / 4 each
    expected = (0.25**2 + 2 * 0.125**2) * 3 / 2
    assert found.covariance[0, 0] == pytest.approx(expected)
    np.testing.assert_allclose(counts.worth, [4, 1.6])
    np.testing.assert_array_equal(counts.n_patients, [3, 2])


def test_weighted_shares_of_one_patient_have_no_error_to_show():
    people = people_of(np.array([0, 0, 0, 1, 1]), np.zeros((5, 0)), np.array([1, 1, 1, 4, 5]))
    answer = np.array([1, 0, 1, 1, 1], dtype=bool)
    found, counts = weighted_shares(answer, np.array([1.0, 1, 1, 0.1, 0.3]), people)
    np.testing.assert_array_equal(found.risk, [np.nan, 1.0])
    np.testing.assert_array_equal(found.one_sided, [False, True])
    np.testing.assert_array_equal(counts.n_patients, [1, 2])
