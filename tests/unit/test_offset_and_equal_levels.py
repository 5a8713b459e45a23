"""Coefficients that are known: an offset, and levels that have one mean at a visit."""

import numpy as np
import pandas as pd
import pytest

from outcomes import fit_mmrm
from outcomes.core.errors import UsageError

WHO = {"subject": "id", "visit": "week"}


@pytest.fixture
def trial():
    """Arms b and c are 1 and 2 lower than a after week 0, where all are alike."""
    rng = np.random.default_rng(17)
    n, weeks = 90, np.array([0, 6, 12])
    arm = np.arange(n) % 3
    correlation = np.array([[1.0, 0.6, 0.4], [0.6, 1.0, 0.6], [0.4, 0.6, 1.0]])
    y = 6 + 2 * rng.normal(size=(n, 3)) @ np.linalg.cholesky(correlation).T
    y -= arm[:, None] * (weeks > 0)
    data = pd.DataFrame(
        {
            "id": np.repeat(np.arange(n), 3),
            "week": np.tile(weeks, n),
            "arm": np.array(["a", "b", "c"])[np.repeat(arm, 3)],
            "age": np.repeat(rng.normal(50, 9, n), 3),
            "known": rng.normal(3, 1, 3 * n),
            "score": y.ravel(),
        }
    )
    data.loc[rng.random(3 * n) < 0.2, "score"] = np.nan
    return data


@pytest.mark.parametrize("inference", ["kenward-roger", "CR2"])
@pytest.mark.parametrize("formula", ["score ~ age + week + week:arm", "score ~ age + arm*week"])
def test_levels_with_one_mean_are_columns_that_are_zero_there(trial, formula, inference):
    ours = fit_mmrm(trial, formula, **WHO, inference=inference, equal_at={"arm": 0})
    by_hand = trial.copy()
    columns = [f"{arm}{week}" for week in (6, 12) for arm in "bc"]
    for name in columns:
        by_hand[name] = ((trial.arm == name[0]) & (trial.week == int(name[1:]))).astype(float)
    other = fit_mmrm(
        by_hand, f"score ~ age + week + {' + '.join(columns)}", **WHO, inference=inference
    )
    assert ours.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-12)
    found = ours.contrasts("arm", by="week").set_index(["visit", "level"])
    expected = other.coefficients().set_index("term")
    for name in columns:
        for column in ("estimate", "std_error", "df", "p_value"):
            asked = found.loc[(name[1:], name[0]), column]
            assert asked == pytest.approx(expected.loc[name, column], rel=1e-8)


def test_the_shared_visit_has_one_mean_and_no_test(trial):
    fit = fit_mmrm(trial, "score ~ age + week + week:arm", **WHO, equal_at={"arm": 0})
    means = fit.ls_means(["week", "arm"]).set_index(["visit", "level"])
    assert means.loc["0", "estimate"].nunique() == 1
    assert means.loc["0", "n_patients"].sum() == trial[trial.week == 0].score.notna().sum()
    assert means.loc["12", "estimate"].nunique() == 3
    at_start = fit.contrasts("arm", by="week", adjust="holm").query("visit == '0'")
    assert (at_start.estimate == 0).all()
    assert at_start.p_value.isna().all()
    assert at_start.gate.str.startswith("no test").all()
    # A change from a shared start is compared as the visit itself is.
    change = fit.contrasts("arm", between=(0, 12))
    later = fit.contrasts("arm", by="week").query("visit == '12'")
    for column in ("estimate", "std_error", "df"):
        np.testing.assert_allclose(change[column], later[column], rtol=1e-9)
    # Averages over all visits have the shared one in them, as a third that is zero.
    averaged = fit.contrasts("arm").estimate.to_numpy()
    six = fit.contrasts("arm", by="week").query("visit == '6'").estimate.to_numpy()
    np.testing.assert_allclose(averaged, (six + later.estimate.to_numpy()) / 3, rtol=1e-9)
    assert list(fit.joint_tests().gate.unique()) == ["open"]


def test_new_rows_see_the_shared_mean(trial):
    fit = fit_mmrm(trial, "score ~ week + week:arm", **WHO, equal_at={"arm": 0})
    new = pd.DataFrame({"week": [0, 0, 6, 6], "arm": ["a", "c", "a", "c"]})
    found = fit.predict(new).estimate
    assert found[0] == found[1]
    assert found[2] != found[3]


def test_a_shared_mean_gains_what_its_correlation_explains():
    rng = np.random.default_rng(5)
    n = 400
    first = rng.normal(size=n)
    y = np.column_stack([first, 0.8 * first + 0.6 * rng.normal(size=n)])
    table = pd.DataFrame(
        {
            "id": np.repeat(np.arange(n), 2),
            "week": np.tile([0, 12], n),
            "arm": np.repeat(np.where(np.arange(n) % 2, "a", "b"), 2),
            "score": y.ravel(),
        }
    )
    errors, formula = [], "score ~ week + week:arm"
    for options in ({"equal_at": {"arm": 0}}, {}):
        fit = fit_mmrm(table, formula, **WHO, **options)
        errors.append(fit.contrasts("arm", by="week").std_error.iloc[-1])
    covariance = fit.covariance.to_numpy()
    explained = covariance[0, 1] ** 2 / (covariance[0, 0] * covariance[1, 1])
    assert errors[0] / errors[1] == pytest.approx(np.sqrt(1 - explained), rel=0.01)


@pytest.mark.parametrize(
    ("equal_at", "words"),
    [
        ({"age": 0}, "'age', which is no factor"),
        ({"week": 0}, "'week', which is no factor"),
        ({"nope": 0}, "'nope', which is no factor"),
        ({"arm": 3}, "visit '3'; there are '0', '6', '12'"),
    ],
)
def test_what_cannot_be_shared(trial, equal_at, words):
    with pytest.raises(UsageError, match=words):
        fit_mmrm(trial, "score ~ age + week*arm", **WHO, equal_at=equal_at)


@pytest.mark.parametrize("formula", ["score ~ age + arm*week", "score ~ age + week + week:arm"])
def test_what_sharing_leaves_out_is_said_to_be_expected(trial, formula):
    fit = fit_mmrm(trial, formula, **WHO, equal_at={"arm": 0})
    said = [note for note in fit.notes if "cannot be estimated" in note]
    assert len(said) == 1
    assert "For each level of 'arm' but the first, one is expected" in said[0]
    assert "'week + week:arm'" in said[0]
    lost = fit_mmrm(trial.assign(old=2 * trial.age), f"{formula} + old", **WHO).notes
    assert any("cannot be estimated" in note for note in lost)
    assert not any("expected" in note for note in lost)


@pytest.mark.parametrize("asked", ["0", ["arm", 0], {"arm"}])
def test_equal_at_is_a_mapping(trial, asked):
    with pytest.raises(UsageError, match=r"must name a factor and a visit, such as \{'arm'"):
        fit_mmrm(trial, "score ~ arm*week", **WHO, equal_at=asked)


def test_a_shared_visit_has_to_be_in_the_formula(trial):
    with pytest.raises(UsageError, match="the formula needs 'week'"):
        fit_mmrm(trial, "score ~ arm", **WHO, equal_at={"arm": 0})


def test_an_offset_is_a_coefficient_of_one(trial):
    fit = fit_mmrm(trial, "score ~ age + arm*week", **WHO, offset="known")
    less = fit_mmrm(trial.assign(score=trial.score - trial.known), "score ~ age + arm*week", **WHO)
    assert fit.log_likelihood == less.log_likelihood
    pd.testing.assert_frame_equal(fit.coefficients(), less.coefficients())
    pd.testing.assert_frame_equal(fit.contrasts("arm", by="week"), less.contrasts("arm", by="week"))
    used = trial.dropna()
    by_patient = used.groupby("id").known.mean().mean()
    for over, mean in (("rows", used.known.mean()), ("patients", by_patient)):
        ours, other = (f.ls_means("arm", average_over=over) for f in (fit, less))
        for column in ("estimate", "conf_low", "conf_high"):
            np.testing.assert_allclose(ours[column], other[column] + mean, rtol=1e-12)
        assert np.array_equal(ours["std_error"], other["std_error"])
    at = fit.ls_means("arm", at={"known": 0}).estimate
    assert np.array_equal(at, less.ls_means("arm").estimate)
    between = [f.ls_means("arm", between=(0, 12)).estimate for f in (fit, less)]
    assert np.array_equal(*between)


def test_an_offset_of_the_baseline_gives_means_of_scores_from_changes(trial):
    start = trial[trial.week == 0].set_index("id").score.rename("start")
    later = trial[trial.week > 0].join(start, on="id")
    changes = fit_mmrm(later.assign(change=later.score - later.start), "change ~ arm*week", **WHO)
    scores = fit_mmrm(later, "score ~ arm*week", **WHO, offset="start")
    used = later.dropna()
    np.testing.assert_allclose(
        scores.ls_means(["arm", "week"]).estimate,
        changes.ls_means(["arm", "week"]).estimate + used.start.mean(),
        rtol=1e-12,
    )


def test_single_rows_have_their_own_offset(trial):
    fit = fit_mmrm(trial, "score ~ age + arm*week", **WHO, offset="known")
    less = fit_mmrm(trial.assign(score=trial.score - trial.known), "score ~ age + arm*week", **WHO)
    used = trial.dropna()
    for options in ({}, {"interval": "prediction"}):
        ours, other = fit.predict(**options), less.predict(**options)
        shift = used.known.to_numpy()
        np.testing.assert_allclose(ours.estimate, other.estimate + shift, rtol=1e-10)
    given = fit.predict(trial, conditional=True)
    assert np.allclose(given.estimate[used.index], used.score)
    reduced = trial.assign(score=trial.score - trial.known)
    np.testing.assert_allclose(
        given.estimate,
        less.predict(reduced, conditional=True).estimate + trial.known,
        rtol=1e-10,
    )
    drawn = [f.simulate(seed=4).draw_1 for f in (fit, less)]
    np.testing.assert_allclose(drawn[0], drawn[1] + used.known.to_numpy(), rtol=1e-10)
    assert np.array_equal(fit.residuals().residual, less.residuals().residual)
    with pytest.raises(UsageError, match="No column 'known'"):
        fit.predict(trial.drop(columns="known"))


def test_rows_without_their_offset_take_no_part(trial):
    fit = fit_mmrm(
        trial.assign(known=trial.known.mask(trial.id < 9)), "score ~ arm", **WHO, offset="known"
    )
    assert fit.n_patients == trial[trial.id >= 9].dropna().id.nunique()
    assert any("rows with a response miss the offset (known " in note for note in fit.notes)
    with pytest.raises(UsageError, match="Infinite numbers: 'known'"):
        fit_mmrm(trial.assign(known=np.inf), "score ~ arm", **WHO, offset="known")


def test_files_take_both(trial, tmp_path):
    file = tmp_path / "trial.parquet"
    trial.sample(frac=1, random_state=1).to_parquet(file, index=False)
    options = {**WHO, "offset": "known", "equal_at": {"arm": 0}, "inference": "CR2"}
    ours, other = (fit_mmrm(d, "score ~ age + week*arm", **options) for d in (file, trial))
    for ask in (lambda f: f.ls_means(["week", "arm"]), lambda f: f.contrasts("arm", by="week")):
        pd.testing.assert_frame_equal(ask(ours), ask(other), rtol=1e-7)


def test_the_summary_says_what_was_held(trial):
    options = {**WHO, "offset": "known", "equal_at": {"arm": 0}}
    text = fit_mmrm(trial, "score ~ week + week:arm", **options).summary()
    assert "\noffset       known\n" in text
    assert "\none mean     of arm at week 0\n" in text


def test_standardised_means_have_everyones_offset(trial):
    start = trial.groupby("id").known.transform("first").rename("start")
    table = trial.assign(start=start, less=trial.score - start)
    formula = "{} ~ age*arm*week"
    fit = fit_mmrm(table, formula.format("score"), **WHO, offset="start")
    less = fit_mmrm(table, formula.format("less"), **WHO)
    people = table.dropna().drop_duplicates("id")
    ours, other = (f.standardised_means("arm", by="week") for f in (fit, less))
    np.testing.assert_allclose(ours.estimate, other.estimate + people.start.mean(), rtol=1e-10)
    # The offset is one more thing that differs between people.
    assert (ours.std_error > other.std_error).all()
    at = fit.standardised_means("arm", by="week", at={"start": 0})
    np.testing.assert_allclose(at.estimate, other.estimate, rtol=1e-10)
    np.testing.assert_allclose(at.std_error, other.std_error, rtol=1e-10)
    for options in ({"by": "week"}, {"between": (0, 12)}):
        compared = [f.standardised_contrasts("arm", **options) for f in (fit, less)]
        pd.testing.assert_frame_equal(compared[0], compared[1].assign(outcome="score"))
    changing = fit_mmrm(trial, "score ~ age*arm*week", **WHO, offset="known")
    with pytest.raises(UsageError, match="Offset 'known' changes within subjects"):
        changing.standardised_means("arm")
