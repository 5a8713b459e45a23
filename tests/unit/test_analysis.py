"""The study's model against a least-squares fit, a planted effect, and its own sums in parts."""

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import outcomes
from outcomes.core.errors import NotEstimable, SpecError
from outcomes.models.analysis import analyse, analyse_moments, pool_moments, study_moments
from outcomes.models.change import fit_outcome
from outcomes.models.description import describe_rows, read_description
from outcomes.models.layout import code_study, lay_out
from outcomes.models.sensitivity import at_visit
from outcomes.models.site import sum_outcome
from outcomes.stats.moments import accumulate
from tests.unit.analysis_standin import EFFECT, EXPOSURES, MEDICATION, PAIN, dataset, spec

pytestmark = pytest.mark.slow

ONE_VISIT = {**PAIN, "visits": ["week_12"]}
PLAIN = {"covariates": ["age", "sex"], "group_covariance": "none"}


@pytest.fixture(scope="module")
def data():
    return dataset(700, study=spec(outcomes=(PAIN, MEDICATION)))


@pytest.fixture(scope="module")
def found(data):
    return analyse(data, sensitivity_datasets={"window_7": dataset(500, seed=9, study=data.spec)})


def pair(table, level="exercise", reference="usual_care", visit="week_12", **others):
    """The one row of a comparison."""
    wanted = {"outcome": "pain", "level": level, "reference": reference, "visit": visit, **others}
    rows = table[np.logical_and.reduce([table[k].eq(v) for k, v in wanted.items()])]
    assert len(rows) == 1
    return rows.iloc[0]


# ------------------------------------------------------------------------------------- the model
def test_one_visit_is_least_squares_at_mean_covariates():
    study = spec(outcomes=(ONE_VISIT,), model=PLAIN)
    data = dataset(300, study=study)
    found = analyse(data)
    merged = data.visit_rows.query("visit == 'week_12'").merge(data.episodes, on="episode_id")
    x = pd.DataFrame({e: merged["exposure"].eq(e).astype(float) for e in EXPOSURES})
    for name in ("baseline_pain", "age"):
        x[name] = merged[name].fillna(merged[name].mean())
        x[f"{name}?"] = merged[name].isna().astype(float)
    x["male"], x["no sex"] = merged["sex"].eq("male"), merged["sex"].isna()
    centred = x.astype(float)
    centred.iloc[:, 3:] -= centred.iloc[:, 3:].mean()
    seen = merged["pain"].notna()
    fit = sm.OLS(merged.loc[seen, "pain"], centred[seen]).fit()
    means = found.tables["ls_means"].set_index("level").loc[list(EXPOSURES)]
    np.testing.assert_allclose(means["estimate"], fit.params[:3], atol=1e-9)
    np.testing.assert_allclose(means["std_error"], fit.bse[:3], rtol=1e-8)
    np.testing.assert_allclose(means["df"], fit.df_resid, rtol=1e-6)
    row = pair(found.tables["contrasts"])
    test = fit.t_test([-1, 0, 1] + [0] * (centred.shape[1] - 3))
    assert row["estimate"] == pytest.approx(float(test.effect[0]), abs=1e-9)
    assert row["p_value"] == pytest.approx(float(test.pvalue), rel=1e-6)
    assert set(found.tables["sensitivity"]["analysis_id"]) == {"delta"}


def test_planted_effects_are_found_where_plain_means_fail():
    data = dataset(6000, study=spec(model={"covariates": ["age"]}), whole=False, seed=4)
    found = analyse(data)
    for exposure in ("exercise", "manual_therapy"):
        row = pair(found.tables["contrasts"], exposure)
        assert row["estimate"] == pytest.approx(-EFFECT[exposure], abs=4 * row["std_error"])
    plain = pair(found.tables["unadjusted"])
    assert abs(plain["estimate"] + EFFECT["exercise"]) > 3 * plain["std_error"]


def test_every_pair_stands_both_ways(found):
    table = found.tables["contrasts"]
    assert len(table) == 2 * 4 * 3 * 2
    there, back = pair(table), pair(table, "usual_care", "exercise")
    assert there["estimate"] == pytest.approx(-back["estimate"])
    assert there["conf_low"] == pytest.approx(-back["conf_high"])
    assert there["std_error"] == pytest.approx(back["std_error"])
    means = found.tables["ls_means"].query("outcome == 'pain' and visit == 'week_12'")
    by_level = means.set_index("level")["estimate"]
    assert there["estimate"] == pytest.approx(by_level["usual_care"] - by_level["exercise"])


def test_counts_are_of_those_who_were_seen(data, found):
    seen = data.visit_rows.query("visit == 'week_12' and pain.notna()").merge(data.episodes)
    row = pair(found.tables["contrasts"])
    here = seen[seen["exposure"].isin(["exercise", "usual_care"])]
    assert row["n_episodes"] == len(here)
    assert row["n_patients"] == here["patient_id"].nunique()


def test_engines_give_the_same_tables(data, found):
    other = analyse(data, engine="frame")
    for name in ("ls_means", "contrasts", "responders"):
        mine = found.tables[name]
        np.testing.assert_allclose(
            other.tables[name]["estimate"], mine["estimate"], rtol=1e-9, atol=1e-10
        )


def test_a_fit_is_plain_json_at_full_precision(found):
    text = json.dumps(found.fits, allow_nan=False)
    fit = json.loads(text)["pain"]
    assert fit["converged"]
    assert len(fit["coefficients"]) == len(fit["beta"])
    error = found.tables["ls_means"].query("outcome == 'pain'")["std_error"].iloc[0]
    assert np.sqrt(fit["ls_means_cov"][0][0]) == pytest.approx(error, rel=1e-12)


# ---------------------------------------------------------------------------- who and which model
def test_missing_covariates_drop_nobody_unless_asked():
    study = spec(model={"covariates": ["age", "sex"], "covariate_missing": "drop"})
    data = dataset(500, study=study)
    complete = data.episodes[["age", "sex"]].notna().all(axis=1).sum()
    dropped = analyse(data)
    assert f"{500 - complete} episodes with a missing covariate were left out." in dropped.notes
    kept = analyse(dataset(500, study=spec(model={"covariates": ["age", "sex"]})))
    counts = [a.tables["gate"].query("check == 'group_size' and visit == 'week_6'")["value"].sum()
              for a in (dropped, kept)]  # fmt: skip
    assert counts == [complete, 500]


def test_a_covariate_that_is_not_there_is_named():
    with pytest.raises(SpecError, match="bmi not among"):
        analyse(dataset(100, study=spec(model={"covariates": ["bmi"]})))


def test_small_groups_share_a_covariance():
    small = analyse(dataset(120, study=spec(model={"covariates": []})))
    assert any("One covariance matrix for all types, because fewer than 50" in n
               for n in small.notes)  # fmt: skip
    assert small.fits["pain"]["covariance_groups"] == [""]
    large = analyse(dataset(700, study=spec(model={"covariates": []})))
    assert large.fits["pain"]["covariance_groups"] == list(EXPOSURES)
    asked = analyse(dataset(700, study=spec(model={"covariates": [], "group_covariance": "none"})))
    assert np.shape(asked.fits["pain"]["sigmas"]) == (1, 4, 4)


# ------------------------------------------------------------------------------- what cannot be
def without(data, exposure, outcome, visit=None):
    """The dataset in which nobody of a type was seen."""
    ids = data.episodes.loc[data.episodes["exposure"].eq(exposure), "episode_id"]
    rows = data.visit_rows.copy()
    hit = rows["episode_id"].isin(ids) & (rows["visit"].eq(visit) if visit else True)
    rows.loc[hit, outcome] = np.nan
    return replace(data, visit_rows=rows)


def test_an_unseen_primary_type_ends_the_analysis(data):
    with pytest.raises(NotEstimable, match="no episode of Usual care was measured"):
        analyse(without(data, "usual_care", "pain", "week_12"))


def test_a_primary_outcome_that_cannot_be_fitted_is_named(data):
    rows = data.visit_rows.assign(pain=data.visit_rows["pain"].where(data.visit_rows.index < 1))
    with pytest.raises(NotEstimable, match=r"\[primary\] pain: No response was seen at"):
        analyse(replace(data, visit_rows=rows))


@pytest.mark.parametrize("visits", [["week_12"], ["week_6", "week_12"]])
def test_an_outcome_that_does_not_vary_is_named(data, visits):
    flat = data.visit_rows["pain"].mask(data.visit_rows["visit"].isin(visits), 3.0)
    study = spec(outcomes=({**PAIN, "visits": ["week_6", "week_12"]}, MEDICATION))
    with pytest.raises(NotEstimable, match=r"(?i)\bpain does not vary"):
        analyse(replace(data, spec=study, visit_rows=data.visit_rows.assign(pain=flat)))
    alone = spec(outcomes=({**PAIN, "visits": ["week_12"]}, MEDICATION))
    with pytest.raises(NotEstimable, match="explains pain exactly"):
        analyse(replace(data, spec=alone, visit_rows=data.visit_rows.assign(pain=flat)))


def test_who_uses_medicines_is_shown_where_the_dose_cannot_be_modelled(data):
    rows = data.visit_rows.copy()
    rows.loc[rows["medication"].notna(), "medication"] = 0.0
    found = analyse(replace(data, visit_rows=rows))
    whole = analyse(data).tables["medication_use"]
    key = ["estimand", "method", "visit", "scale", "contrast"]
    use = found.tables["medication_use"].set_index(key)
    assert any("medication could not be analysed" in note for note in found.notes)
    assert not found.tables["contrasts"]["outcome"].eq("medication").any()
    assert len(use) == len(whole)
    open_rows = whole[whole["gate"].eq("open")].set_index(key)
    np.testing.assert_allclose(
        use.loc[open_rows.index, "estimate"], open_rows["estimate"], rtol=1e-6
    )
    assert found.tables["medication_change"].empty


def test_an_absent_primary_type_is_named(data):
    kept = data.episodes["exposure"].ne("exercise")
    episodes = data.episodes[kept].reset_index(drop=True)
    rows = data.visit_rows[data.visit_rows["episode_id"].isin(episodes["episode_id"])]
    fewer = replace(data, episodes=episodes, visit_rows=rows, exposures=EXPOSURES[1:])
    with pytest.raises(NotEstimable, match="exercise: no such group"):
        analyse(fewer)


def test_an_unseen_type_elsewhere_is_a_row_with_its_reason(data):
    found = analyse(without(data, "manual_therapy", "pain", "week_52"))
    row = pair(found.tables["contrasts"], "manual_therapy", visit="week_52")
    assert np.isnan(row["estimate"])
    assert row["gate"] == "fewer than 40\xa0% of Manual therapy measured"  # nor that it is none
    assert pair(found.tables["contrasts"], visit="week_52")["gate"] == "open"
    checks = found.tables["gate"].query("check == 'follow_up' and not passed")
    assert list(checks["visit"]) == ["week_52"]


def test_a_second_outcome_that_fails_is_a_row_of_the_gate(data):
    rows = data.visit_rows.assign(medication=np.nan)
    found = analyse(replace(data, visit_rows=rows))
    failed = found.tables["gate"].query("outcome == 'medication'")
    assert len(failed) == 4 * 3
    assert not failed["passed"].any()
    assert failed["reason"].str.contains("nobody has a value").all()
    assert pair(found.tables["contrasts"])["gate"] == "open"


# ------------------------------------------------------------------------- asked in other ways
def test_other_ways_are_all_there(found):
    names = set(found.tables["sensitivity"].query("outcome == 'pain'")["analysis_id"])
    assert names == {"complete_cases", "observed_only", "delta", "no_clinic", "window_7"}


def test_complete_cases_are_the_analysis_of_complete_cases(data, found):
    wide = data.visit_rows.pivot(index="episode_id", columns="visit", values="pain")
    complete = wide.index[wide.notna().all(axis=1)]
    rows = data.visit_rows.copy()
    rows.loc[~rows["episode_id"].isin(complete), "pain"] = np.nan
    study = code_study(replace(data, visit_rows=rows))
    laid = lay_out(study, data.spec.outcome("pain"))
    fit = fit_outcome(sum_outcome(laid, "frame"), describe_rows(laid))
    estimate, error = fit.effects.difference(0, 2, 1)
    row = pair(found.tables["sensitivity"], analysis_id="complete_cases")
    assert row["estimate"] == pytest.approx(-estimate, abs=1e-8)
    assert row["std_error"] == pytest.approx(error, rel=1e-6)
    assert row["n_episodes"] == fit.about.episodes[1, [0, 2]].sum()


def test_each_visit_on_its_own_pools_variances_as_the_main_fit_does():
    data = dataset(230, study=spec(model={"covariates": ["age", "sex"]}))
    rows = lay_out(code_study(data), data.spec.outcome("pain"))
    moments, about = sum_outcome(rows, "frame"), describe_rows(rows)
    fit = fit_outcome(moments, about)
    assert not fit.grouped
    visit = about.visits.index("week_12")
    model = data.spec.model.model_copy(update={"group_covariance": "none"})
    one = replace(
        about,
        spec=data.spec.model_copy(update={"model": model}),
        visits=about.visits[visit : visit + 1],
        episodes=about.episodes[[visit]],
        patients=about.patients[visit : visit + 1],
    )
    expected = fit_outcome(at_visit(moments, visit), one)
    alone = fit_outcome(at_visit(moments, visit), replace(one, spec=data.spec))
    assert alone.grouped  # by itself the visit would have gone another way
    found = pair(analyse(data).tables["sensitivity"], analysis_id="observed_only")
    places = (EXPOSURES.index("exercise"), EXPOSURES.index("usual_care"))
    error = expected.effects.difference(*places, 0)[1]
    assert found["std_error"] == pytest.approx(error, rel=1e-9)
    assert alone.effects.difference(*places, 0)[1] != pytest.approx(error, rel=1e-3)


def test_one_visit_of_the_moments_is_the_moments_of_one_visit(data):
    laid = lay_out(code_study(data), data.spec.outcome("pain"))
    moments = sum_outcome(laid, "frame")
    one = at_visit(moments, 2)
    by_hand = accumulate(one.layout, laid.z, laid.y[:, [2]], group=laid.study.exposure)
    np.testing.assert_array_equal(one.count, by_hand.count)
    np.testing.assert_allclose(one.products, by_hand.products, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize(("outcome", "side"), [("pain", 1), ("medication", -1)])
def test_worse_unseen_values_are_those_of_the_better_type(data, found, outcome, side):
    """No pair gains: each moves towards zero, or past it, by the unseen share of one type."""
    amount = {"pain": 2.0, "medication": data.spec.outcome("medication").margin}[outcome]
    sizes = data.episodes["exposure"].value_counts()
    seen = data.visit_rows[data.visit_rows["visit"].eq("week_6")].dropna(subset=outcome)
    unseen = 1 - seen.merge(data.episodes)["exposure"].value_counts() / sizes
    for level, reference in combinations(EXPOSURES, 2):
        places = {"outcome": outcome, "level": level, "reference": reference, "visit": "week_6"}
        main = pair(found.tables["contrasts"], **places)
        moved = pair(found.tables["sensitivity"], analysis_id="delta", **places)
        better = level if main["estimate"] > 0 else reference
        gained = np.sign(main["estimate"]) * (moved["estimate"] - main["estimate"])
        assert gained == pytest.approx(-amount * unseen[better], abs=1e-9)
        assert gained < -0.01
        extra = amount**2 * unseen[better] * (1 - unseen[better]) / sizes[better]
        more = moved["std_error"] ** 2 - main["std_error"] ** 2
        assert more == pytest.approx(extra, rel=1e-6)
    assert np.sign(pair(found.tables["contrasts"], **places)["estimate"]) == side


# -------------------------------------------------------------------------------------- pooling
def split(data, mask):
    """The part of a dataset that one place holds."""
    episodes = data.episodes[mask].reset_index(drop=True)
    rows = data.visit_rows[data.visit_rows["episode_id"].isin(episodes["episode_id"])]
    return replace(data, episodes=episodes, visit_rows=rows)


@pytest.mark.parametrize("engine", ["frame", "duckdb"])
def test_pooled_moments_are_the_analysis_of_pooled_rows(data, engine):
    # the first place has no episode without sex: it knows fewer levels than the second
    whole = split(data, data.episodes["sex"].notna() | data.episodes["clinic_id"].gt(2))
    parts = [
        study_moments(split(whole, whole.episodes["clinic_id"].isin(clinics)), engine)["pain"]
        for clinics in ([1, 2], [3, 4])
    ]
    assert "sex=missing" in parts[1][0].layout.columns
    assert "sex=missing" not in parts[0][0].layout.columns
    sent = [(m, json.loads(json.dumps(about))) for m, about in parts]
    pooled = analyse_moments(*pool_moments(sent))
    rows = analyse(whole, engine=engine)
    for name in ("ls_means", "contrasts"):
        mine = rows.tables[name].query("outcome == 'pain'").reset_index(drop=True)
        pd.testing.assert_frame_equal(pooled[name], mine, rtol=1e-9, atol=1e-10)
    checks = rows.tables["gate"].query("outcome == 'pain' and check != 'converged'")
    np.testing.assert_allclose(
        pooled["gate"].query("check != 'converged'")["value"], checks["value"], atol=1e-9
    )


def test_a_place_without_a_type_still_pools(data):
    here = data.episodes["clinic_id"].le(2)
    few = split(data, here & data.episodes["exposure"].ne("manual_therapy"))
    few = replace(few, exposures=("exercise", "usual_care"))
    whole = split(data, ~here | data.episodes["exposure"].ne("manual_therapy"))
    parts = [study_moments(d, "frame")["pain"] for d in (few, split(data, ~here))]
    pooled = analyse_moments(*pool_moments(parts))
    mine = analyse(whole).tables["contrasts"].query("outcome == 'pain'")
    row, other = pair(pooled["contrasts"]), pair(mine)
    assert row["estimate"] == pytest.approx(other["estimate"], abs=1e-9)
    assert row["n_patients"] == other["n_patients"]


def test_a_visit_with_few_values_is_left_out_of_pooled_sums_as_of_rows(data):
    rows = data.visit_rows.copy()
    late = rows.index[rows["visit"].eq("week_52") & rows["pain"].notna()]
    rows.loc[late[8:], "pain"] = np.nan
    few = replace(data, visit_rows=rows)
    parts = [
        study_moments(split(few, few.episodes["clinic_id"].isin(clinics)), "frame")["pain"]
        for clinics in ([1, 2], [3, 4])
    ]
    pooled, whole = analyse_moments(*pool_moments(parts)), analyse(few).tables
    for name in ("ls_means", "contrasts"):
        mine = whole[name].query("outcome == 'pain'").reset_index(drop=True)
        pd.testing.assert_frame_equal(pooled[name], mine, rtol=1e-9, atol=1e-10)
    assert set(pooled["gate"].query("visit == 'week_52'")["check"]) == {"measured"}


def test_moments_of_different_studies_do_not_add(data):
    other = replace(data, spec=spec(outcomes=(PAIN, MEDICATION), model={"covariates": ["age"]}))
    parts = [study_moments(d, "frame")["pain"] for d in (data, other)]
    with pytest.raises(ValueError, match="different studies"):
        pool_moments(parts)


def test_a_description_says_nothing_of_where_records_lie(data):
    _, about = study_moments(data, "frame")["pain"]
    assert about["spec"]["records"]["path"] == "moments"
    assert read_description(about).spec.spec_hash == data.spec.spec_hash
    with pytest.raises(ValueError, match="another version"):
        read_description({**about, "schema": 0})


def test_a_clinic_that_stopped_measuring_closes_no_comparison():
    study = spec(model={"covariates": ["clinic_id"], "group_covariance": "none", "draws": 5})
    made = dataset(700, study=study)
    episodes = made.episodes.assign(baseline_pain=made.episodes["baseline_pain"].fillna(6.0))
    clinic = episodes["clinic_id"].astype("Int64")
    ids = episodes.loc[clinic.eq(clinic.max()), "episode_id"]
    assert len(ids) > 10
    rows = made.visit_rows.copy()
    rows.loc[rows["episode_id"].isin(ids) & rows["visit"].eq("week_12"), "pain"] = np.nan
    found = analyse(replace(made, episodes=episodes, visit_rows=rows))
    long = rows.merge(episodes, on="episode_id").assign(clinic=lambda d: d["clinic_id"].astype(str))
    fit = outcomes.fit_mmrm(
        long.astype({"pain": float}),
        "pain ~ visit * (exposure + baseline_pain + clinic)",
        subject="episode_id",
        visit="visit",
    )
    theirs = fit.contrasts("exposure", by="visit", reference="usual_care")
    for visit in ("week_6", "week_12"):
        row = pair(found.tables["contrasts"], visit=visit)
        other = theirs[theirs["level"].eq("exercise") & theirs["visit"].eq(visit)].iloc[0]
        assert -row["estimate"] == pytest.approx(other["estimate"], abs=1e-8)
        assert row["std_error"] == pytest.approx(other["std_error"], rel=1e-7)
    means = found.tables["ls_means"].query("visit == 'week_12'")
    assert means["gate"].eq("open").all()
    assert any("nobody seen at week_12 has of clinic_id" in note for note in found.notes)


@pytest.mark.parametrize("left", [0, 1, 5])
def test_a_visit_with_few_values_does_not_end_the_study(data, left):
    rows = data.visit_rows.copy()
    late = rows.index[rows["visit"].eq("week_52") & rows["pain"].notna()]
    rows.loc[late[left:], "pain"] = np.nan
    found = analyse(replace(data, visit_rows=rows))
    contrasts = found.tables["contrasts"].query("outcome == 'pain'")
    assert set(contrasts["visit"]) == {"week_6", "week_12", "week_26"}
    assert contrasts["gate"].eq("open").all()
    closed = found.tables["gate"].query("outcome == 'pain' and visit == 'week_52'")
    assert len(closed) == 3
    assert not closed["passed"].any()
    assert set(closed["check"]) == {"measured"}
    assert closed["limit"].eq(data.spec.exposure.min_group).all()
    assert closed["value"].isna().all()
    assert "week_52" in set(found.tables["contrasts"].query("outcome == 'medication'")["visit"])
    assert any("week_52 has too few values" in note for note in found.notes)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_visit_at_which_all_are_alike_does_not_end_the_study(data, value):
    rows = data.visit_rows.copy()
    rows.loc[rows["visit"].eq("week_52") & rows["pain"].notna(), "pain"] = value
    found = analyse(replace(data, visit_rows=rows))
    contrasts = found.tables["contrasts"].query("outcome == 'pain'")
    assert set(contrasts["visit"]) == {"week_6", "week_12", "week_26"}
    assert contrasts["gate"].eq("open").all()
    closed = found.tables["gate"].query("outcome == 'pain' and visit == 'week_52'")
    assert set(closed["check"]) == {"varies"}
    assert any("same value for everyone" in note for note in found.notes)


def test_a_secondary_outcome_of_which_all_values_are_alike_says_so_without_a_count(data):
    rows = data.visit_rows.copy()
    rows.loc[rows["medication"].notna(), "medication"] = 20.0
    found = analyse(replace(data, visit_rows=rows))
    gate = found.tables["gate"].query("outcome == 'medication'")
    assert not gate["passed"].any()
    (reason,) = set(gate["reason"])
    assert "does not vary" in reason
    assert reason[-1].isalnum()
    assert not any(character.isdigit() for character in reason)


def test_a_type_that_a_missing_covariate_drops_as_a_whole_is_not_shown(data):
    episodes = data.episodes.copy()
    episodes.loc[episodes["exposure"].eq("manual_therapy"), "age"] = np.nan
    model = {"covariates": ["age", "sex"], "covariate_missing": "drop"}
    study = spec(outcomes=(PAIN, MEDICATION), model=model)
    found = analyse(replace(data, spec=study, episodes=episodes)).tables
    for name in ("ls_means", "contrasts", "sensitivity", "responders", "medication_use"):
        theirs = found[name].query("level == 'manual_therapy' or reference == 'manual_therapy'")
        assert theirs["estimate"].isna().all()
        assert theirs["gate"].str.startswith("fewer than 30 episodes of Manual therapy").all()
    assert pair(found["contrasts"])["gate"] == "open"


def test_a_primary_visit_at_which_all_are_alike_is_named(data):
    rows = data.visit_rows.copy()
    rows.loc[rows["visit"].eq("week_12") & rows["pain"].notna(), "pain"] = 4.0
    with pytest.raises(NotEstimable, match="does not vary at 'week_12'"):
        analyse(replace(data, visit_rows=rows))


def test_the_primary_visit_is_never_left_out(data):
    rows = data.visit_rows.copy()
    there = rows.index[rows["visit"].eq("week_12") & rows["pain"].notna()]
    rows.loc[there[1:], "pain"] = np.nan
    with pytest.raises(NotEstimable, match=r"\[primary\] pain"):
        analyse(replace(data, visit_rows=rows))


def going_with(data, exposure, covariates):
    """The dataset and study in which those of one type alone are depressed."""
    study = spec(model={"covariates": list(covariates), "draws": 5})
    depressed = data.episodes["exposure"].eq(exposure).astype("boolean")
    return replace(data, spec=study, episodes=data.episodes.assign(depression=depressed))


def test_a_covariate_that_goes_with_a_type_closes_that_type_alone(data):
    with_it = analyse(going_with(data, "manual_therapy", ["age", "depression"]))
    without_it = analyse(going_with(data, "manual_therapy", ["age"]))
    mine, plain = (pair(found.tables["contrasts"]) for found in (with_it, without_it))
    for number in ("estimate", "std_error", "df"):
        assert mine[number] == pytest.approx(plain[number], rel=1e-8)
    closed = pair(with_it.tables["contrasts"], "manual_therapy")
    assert closed["gate"] == "Manual therapy cannot be told apart from the covariates"
    assert np.isnan(closed["estimate"])
    assert any(note.startswith("pain: depression: cannot be told") for note in with_it.notes)


def test_a_covariate_that_goes_with_the_reference_is_named(data):
    with pytest.raises(NotEstimable, match=r"Take 'depression' out of \[model\] covariates"):
        analyse(going_with(data, "usual_care", ["age", "depression"]))
