"""What closes the gate, and that its reasons give no count away."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from outcomes.models.analysis import analyse
from outcomes.models.change import fit_outcome
from outcomes.models.covariates import Coded, choose_terms, code_covariates, terms_at
from outcomes.models.description import describe_rows
from outcomes.models.gate import check_gate, prognostic_distance
from outcomes.models.layout import code_study, lay_out
from outcomes.models.site import sum_outcome
from tests.unit.analysis_standin import EXPOSURES, dataset, spec


def fitted(data):
    """The main fit of pain and its rows."""
    rows = lay_out(code_study(data), data.spec.outcome("pain"))
    return rows, fit_outcome(sum_outcome(rows, "frame"), describe_rows(rows))


@pytest.fixture(scope="module")
def fit():
    return fitted(dataset(500))


def test_an_ordinary_study_passes(fit):
    gate = check_gate(fit[1])
    assert all(row["passed"] for row in gate.rows)
    assert gate.reasons == {}
    assert len(gate.rows) == 1 + 4 * 3 * 4


@pytest.mark.parametrize("left", [1, 5])
def test_where_too_few_were_seen_nothing_else_tells_whether_any_was(left):
    data = dataset(500)
    rows = data.visit_rows.copy()
    group = data.episodes.loc[data.episodes["exposure"].eq("exercise"), "episode_id"]
    late = rows["visit"].eq("week_52") & rows["episode_id"].isin(group) & rows["pain"].notna()

    def closed(kept):
        rows_then = rows.copy()
        rows_then.loc[rows.index[late][kept:], "pain"] = np.nan
        found = analyse(replace(data, visit_rows=rows_then)).tables
        where = "visit == 'week_52' and exposure == 'exercise' and outcome == 'pain'"
        gate = found["gate"].query(where)
        plain = found["unadjusted"].query("visit == 'week_52' and outcome == 'pain'")
        shown = gate.assign(value=gate["value"].where(gate["check"] != "follow_up"))
        return shown.reset_index(drop=True), plain["gate"].tolist()

    none, some = closed(0), closed(left)
    pd.testing.assert_frame_equal(none[0], some[0])
    assert none[1] == some[1]


@pytest.mark.parametrize(
    ("limits", "check", "words"),
    [
        ({"group_size": 400}, "group_size", "fewer than 400 episodes of Exercise"),
        ({"follow_up": 0.95}, "follow_up", "fewer than 95\u00a0% of Exercise measured"),
        ({"smd": 0.001}, "overlap", "more than 0.00 standard deviations"),
    ],
)
def test_each_limit_closes_what_misses_it(limits, check, words):
    data = dataset(500, study=spec(gate=limits))
    found = analyse(data)
    failed = found.tables["gate"].query("not passed")
    assert set(failed["check"]) == {check}
    rows = found.tables["contrasts"].query("level == 'exercise' and visit == 'week_12'")
    assert rows["estimate"].isna().all()
    assert rows["conf_low"].isna().all()
    assert rows["gate"].str.contains(words, regex=False).all()
    means = found.tables["ls_means"].query("level == 'exercise'")
    assert means["estimate"].isna().all()
    shares = found.tables["responders"].query("level == 'exercise'")
    assert shares["estimate"].isna().all()


def test_reasons_name_limits_and_never_what_was_found():
    found = analyse(dataset(500, study=spec(gate={"follow_up": 0.95, "group_size": 400})))
    failed = found.tables["gate"].query("not passed")
    for row in failed.itertuples():
        numbers = {float(n) for n in re.findall(r"\d+", row.reason)}
        assert numbers <= {95.0, 400.0}


def test_the_prognostic_distance_is_that_of_the_rows(fit):
    rows, model = fit
    m = len(EXPOSURES) + len(model.terms.names)
    followed = ~np.isnan(rows.y).all(axis=1)
    exposure = rows.study.exposure[followed]
    covariates = rows.z[followed] @ model.terms.matrix.T
    found = prognostic_distance(model)
    for visit in range(4):
        score = covariates @ model.fit.beta[visit * m + 3 : (visit + 1) * m]
        means = np.array([score[exposure == e].mean() for e in range(3)])
        spread = np.sqrt(np.mean((score - means[exposure]) ** 2))
        np.testing.assert_allclose(
            found[:, visit], np.abs(means - score.mean()) / spread, rtol=1e-8
        )


def test_nobody_followed_in_a_type_is_no_distance():
    data = dataset(300, study=spec(primary={"outcome": "pain", "visit": "week_6"}))
    rows = data.visit_rows.copy()
    ids = data.episodes.query("exposure == 'manual_therapy'")["episode_id"]
    rows.loc[rows["episode_id"].isin(ids), "pain"] = np.nan
    gate = check_gate(fitted(replace(data, visit_rows=rows))[1])
    closed = {exposure for exposure, _ in gate.reasons}
    assert closed == {"manual_therapy"}


# ------------------------------------------------------------------------------------ covariates
def test_coding_is_of_each_episode_alone():
    episodes = dataset(200).episodes
    names = ("age", "sex", "clinic_id")
    columns, values = code_covariates(episodes, names)
    place = {column.name: k for k, column in enumerate(columns)}
    age = episodes["age"].to_numpy()
    missing = np.isnan(age)
    np.testing.assert_array_equal(values[~missing, place["age"]], age[~missing])
    assert set(values[missing, place["age"]]) == {columns[place["age"]].centre}
    np.testing.assert_array_equal(values[:, place["age=missing"]], missing)
    sex = [k for k, column in enumerate(columns) if column.source == "sex"]
    np.testing.assert_array_equal(values[:, sex].sum(axis=1), 1)


def test_terms_leave_out_the_commonest_level_and_what_never_differs():
    episodes = dataset(200).episodes.assign(onset="injury", bmi=25.0)
    columns, values = code_covariates(episodes, ("sex", "onset", "bmi"))
    rows = lay_out(code_study(dataset(200)), dataset(200).spec.outcome("pain"))
    columns, z = (rows.columns[0], *columns), np.column_stack([np.ones(200), values])
    centres = np.array([column.centre for column in columns])
    scales = np.array([column.scale for column in columns])
    squares = (((z - centres) / scales) ** 2).sum(axis=0)
    terms = choose_terms(columns, 200.0, z.sum(axis=0), squares)
    assert terms.names == ("sex=male", "sex=missing")
    assert terms.notes == (
        "onset is the same for everyone and was left out of the model.",
        "bmi is the same for everyone and was left out of the model.",
    )
    np.testing.assert_allclose((z @ terms.matrix.T).mean(axis=0), 0, atol=1e-12)


def test_what_nobody_seen_at_a_visit_has_has_no_effect_of_its_own_there():
    episodes = dataset(200).episodes.assign(onset="injury", bmi=np.linspace(20.0, 35.0, 200))
    episodes.loc[:79, "onset"] = "work"
    episodes.loc[0, ["onset", "bmi"]] = ["zq", np.nan]
    columns, values = code_covariates(episodes, ("onset", "bmi"))
    columns = (Coded(name="1", source="1", kind="constant"), *columns)
    z = np.column_stack([np.ones(200), values])
    centres = np.array([column.centre for column in columns])
    scales = np.array([column.scale for column in columns])
    about = (columns, 200.0, z.sum(axis=0), (((z - centres) / scales) ** 2).sum(axis=0))
    terms = choose_terms(*about)
    assert terms.names == ("onset=work", "onset=zq", "bmi", "bmi=missing")
    matrix, lost = terms_at(columns, terms, z.sum(axis=0), z.sum(axis=0))
    np.testing.assert_array_equal(matrix, terms.matrix)
    assert not lost
    matrix, lost = terms_at(columns, terms, z.sum(axis=0), z[1:].sum(axis=0))
    assert lost == {"onset", "bmi"}
    covariates = z @ matrix.T
    np.testing.assert_array_equal(covariates[:, [1, 3]], 0)
    np.testing.assert_allclose(covariates.mean(axis=0), 0, atol=1e-12)
    assert covariates[0, 2] == pytest.approx(0, abs=1e-12)  # a missing number is the mean
    worked = z[:, [column.name for column in columns].index("onset=work")] == 1
    matrix, lost = terms_at(columns, terms, z.sum(axis=0), z[worked].sum(axis=0))
    assert lost == {"onset", "bmi"}
    assert not matrix[:2].any()  # all who were seen have one level


def test_small_clinics_share_an_effect():
    episodes = dataset(200).episodes
    clinic = episodes["clinic_id"].astype(int).to_numpy(copy=True)
    clinic[:6], clinic[6:12] = 98, 99
    columns, values = code_covariates(episodes.assign(clinic_id=clinic), ("clinic_id",))
    names = [column.name for column in columns]
    assert "clinic_id=pooled" in names
    assert "clinic_id=98" not in names
    assert values[:, names.index("clinic_id=pooled")].sum() == 12
