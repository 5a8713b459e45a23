"""The empirical covariance against its definition with dense matrices, and where it must refuse."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as t_distribution

from outcomes import fit_mmrm
from outcomes.core.errors import NotEstimable, UsageError
from outcomes.stats.inference import prepare_inference
from outcomes.stats.reml import fit_reml
from outcomes.stats.sandwich import sandwich_of
from outcomes.stats.subjects import Subjects
from tests.unit.mmrm_rows import by_visit_maps, moments_of, trial
from tests.unit.test_fit_mmrm import trial as long_trial

KINDS = {"CR0": 0.0, "CR2": -0.5, "CR3": -1.0}


def fitted(seed=1, n=60, cluster=None, weights=None, groups=1, weight_kind="precision"):
    z, y, group = trial(seed, n=n, groups=groups)
    moments = moments_of(z, y, group=group, weights=weights, groups=groups)
    maps = by_visit_maps(3)
    fit = fit_reml(moments, maps, weight_kind=weight_kind)
    return fit, maps, Subjects(z=z, y=y, group=group, weights=weights, cluster=cluster)


def power(matrix, q):
    values, vectors = np.linalg.eigh(matrix)
    return vectors * values**q @ vectors.T


def dense(fit, maps, subjects, q, rows):
    """Covariance of beta and degrees of freedom of rows, from whole matrices."""
    clusters = subjects.cluster if subjects.cluster is not None else np.arange(len(subjects.y))
    weights = np.ones(len(subjects.y)) if subjects.weights is None else subjects.weights
    white, errors, owner = [], [], []
    for i, y in enumerate(subjects.y):
        seen = np.flatnonzero(~np.isnan(y))
        if not seen.size:
            continue
        design = maps[seen] @ subjects.z[i]
        sigma = fit.sigmas[subjects.group[i]][np.ix_(seen, seen)] / weights[i]
        root = np.linalg.inv(np.linalg.cholesky(sigma))
        white.append(root @ design)
        errors.append(root @ (y[seen] - design @ fit.beta))
        owner += [clusters[i]] * seen.size
    X, e, owner = np.vstack(white), np.concatenate(errors), np.array(owner)
    phi = np.linalg.inv(X.T @ X)
    hat = X @ phi @ X.T
    meat, left = np.zeros_like(phi), []
    for one in np.unique(owner):
        at = np.flatnonzero(owner == one)
        adjust = power(np.eye(at.size) - hat[np.ix_(at, at)], q)
        score = X[at].T @ adjust @ e[at]
        meat += np.outer(score, score)
        column = np.zeros((len(rows), len(X)))
        column[:, at] = rows @ phi @ X[at].T @ adjust
        left.append(column)
    degrees = []
    for j in range(len(rows)):
        G = np.array([part[j] for part in left])
        inner = G @ (np.eye(len(X)) - hat) @ G.T
        degrees.append(np.trace(inner) ** 2 / np.trace(inner @ inner))
    return phi @ meat @ phi, np.array(degrees)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("n", "make", "groups"),
    [
        (60, lambda n: None, 2),  # each subject by itself
        (60, lambda n: np.arange(n) // 2, 1),  # two episodes of a patient
        (60, lambda n: np.sqrt(np.arange(n)).astype(int), 1),  # from one to fifteen
        (90, lambda n: np.arange(n) % 7, 1),  # more rows in a clinic than coefficients
    ],
)
def test_agrees_with_whole_matrices(kind, n, make, groups):
    fit, maps, subjects = fitted(n=n, cluster=make(n), groups=groups)
    rows = np.eye(fit.beta.size)[3:]
    covariance, degrees = dense(fit, maps, subjects, KINDS[kind], rows)
    ours = prepare_inference(fit, kind, sandwich_of(fit, subjects, kind))
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    np.testing.assert_allclose(ours.beta_cov / scale, covariance / scale, atol=1e-9)
    np.testing.assert_allclose(ours.linear(rows).df, degrees, rtol=1e-8)
    np.testing.assert_allclose(
        ours.linear(rows).std_error, np.sqrt(np.diag(covariance))[3:], rtol=1e-9
    )


def test_weights_enter_as_precisions():
    weights = np.random.default_rng(2).uniform(0.3, 3, 60)
    fit, maps, subjects = fitted(weights=weights)
    covariance, _ = dense(fit, maps, subjects, -0.5, np.eye(fit.beta.size))
    ours = prepare_inference(fit, "CR2", sandwich_of(fit, subjects, "CR2")).beta_cov
    np.testing.assert_allclose(ours, covariance, rtol=1e-8, atol=1e-12)


def test_a_probability_weight_of_two_is_the_subject_twice_in_its_cluster():
    data = long_trial(n=80).assign(w=lambda d: 1 + d["id"].rank(method="dense").astype(int) % 2)
    again = data[data["w"] == 2].assign(id=lambda d: d["id"] + " again")
    both = pd.concat([data, again], ignore_index=True).assign(person=lambda d: d["id"].str[:4])
    formula, options = "score ~ age*week + exposure*week", {"subject": "id", "visit": "week"}
    weighted = fit_mmrm(
        data, formula, weights="w", weight_kind="probability", inference="CR0", **options
    )
    repeated = fit_mmrm(both, formula, cluster="person", inference="CR0", **options)
    np.testing.assert_allclose(weighted.beta, repeated.beta, rtol=1e-8)
    np.testing.assert_allclose(weighted.beta_cov, repeated.beta_cov, rtol=1e-7, atol=1e-12)


def test_the_scale_of_probability_weights_matters_by_reml_alone():
    data = long_trial(n=60).assign(w=lambda d: d["age"] / d["age"].mean())
    options = {"subject": "id", "visit": "week", "weight_kind": "probability", "weights": "w"}

    def beta(method, scale):
        scaled = data.assign(w=scale * data["w"])
        found = fit_mmrm(scaled, "score ~ week*exposure", inference="CR0", method=method, **options)
        return found.beta.to_numpy()

    np.testing.assert_allclose(beta("ml", 100), beta("ml", 1), rtol=1e-8)
    np.testing.assert_allclose(beta("reml", 1e6), beta("ml", 1), rtol=1e-5)
    assert np.abs(beta("reml", 1) - beta("ml", 1)).max() > 1e-4
    for scale, method, said in ((1, "reml", False), (100, "reml", True), (100, "ml", False)):
        scaled = data.assign(w=scale * data["w"])
        fit = fit_mmrm(scaled, "score ~ week", inference="CR0", method=method, **options)
        assert any("weights have a mean of" in note for note in fit.notes) == said


def test_what_a_single_subject_determines_has_no_standard_error():
    data = long_trial(n=60, missing=0.0)
    data["exposure"] = np.where(data["id"] == "p007", "alone", data["exposure"])
    formula = "score ~ age + week + exposure"
    found = fit_mmrm(data, formula, subject="id", visit="week", inference="CR2").coefficients()
    alone = found[found["term"].isin(["(Intercept)", "exposureexercise", "exposuremanual"])]
    assert alone["gate"].str.contains("single cluster").all()  # all against the one subject
    assert alone[["std_error", "df", "statistic", "p_value", "conf_low"]].isna().all(axis=None)
    data["exposure"] = np.where(data["id"] == "p007", "alone", "others")
    tested = fit_mmrm(data, formula, subject="id", visit="week", inference="CR2").joint_tests()
    assert "single cluster" in tested.set_index("term").loc["exposure", "gate"]
    rest = found[found["term"].isin(["age", "week12", "week52"])]
    assert rest["gate"].eq("open").all()
    assert (rest["std_error"] > 0).all()


def test_few_clusters_are_said():
    data = long_trial(n=60).assign(clinic=lambda d: d["id"].str[-1])
    options = {"subject": "id", "visit": "week", "cluster": "clinic", "inference": "CR2"}
    found = fit_mmrm(data, "score ~ age + week*exposure", **options)
    assert any("10 clusters" in note for note in found.notes)
    assert (found.coefficients()["df"] < 10).all()


@pytest.mark.parametrize("covariance", ["us", "cs"])
def test_the_jackknife_of_one_visit_is_almost_cr3(covariance):
    data = long_trial(n=120, weeks=(6,), missing=0.1).assign(clinic=lambda d: d["id"].str[-1])
    formula = "score ~ age + exposure + sex"
    options = {"subject": "id", "visit": "week", "cluster": "clinic", "covariance": covariance}
    jackknife = fit_mmrm(data, formula, inference="jackknife", **options)
    other = fit_mmrm(data, formula, inference="CR3", **options)
    np.testing.assert_allclose(jackknife.beta_cov, 0.9 * other.beta_cov, rtol=1e-8, atol=1e-12)
    assert jackknife.coefficients()["df"].eq(9).all()


@pytest.mark.parametrize(
    "weighing",
    [
        {},
        {"weights": "of_subject"},
        {"weights": "of_row"},
        {"weights": "of_subject", "weight_kind": "probability"},
    ],
    ids=["unweighted", "precision", "precision_by_visit", "probability"],
)
@pytest.mark.parametrize("group", [None, "sex"])
def test_the_jackknife_is_what_fits_without_a_clinic_say(group, weighing):
    data = long_trial(n=120).assign(clinic=lambda d: d["id"].str[-1])
    chance = np.random.default_rng(4)
    data["of_row"] = chance.uniform(0.3, 3, len(data))
    # A clinic that weighs five times what others do is missed accordingly.
    heavy = np.where(data["clinic"] == "3", 5.0, 1.0)
    data["of_subject"] = heavy * data.groupby("id")["of_row"].transform("first")
    formula = "score ~ age + week*exposure"
    options = {"subject": "id", "visit": "week", "group": group, **weighing}
    whole = fit_mmrm(data, formula, inference="jackknife", cluster="clinic", **options)
    parts = [
        fit_mmrm(data[data["clinic"] != clinic], formula, inference="CR0", **options).beta
        - whole.beta
        for clinic in sorted(set(data["clinic"]))
    ]
    expected = 0.9 * sum(np.outer(part, part) for part in parts)
    size = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(
        whole.beta_cov / np.outer(size, size), expected / np.outer(size, size), rtol=0, atol=1e-8
    )
    assert whole.coefficients()["df"].eq(9).all()


def test_the_jackknife_of_few_clinics_is_refused():
    data = long_trial(n=60).assign(clinic=lambda d: d["id"].str[-1].astype(int) % 5)
    options = {"subject": "id", "visit": "week", "inference": "jackknife"}
    with pytest.raises(NotEstimable, match="5 clusters and needs 6"):
        fit_mmrm(data, "score ~ week*exposure", cluster="clinic", **options)
    with pytest.raises(UsageError, match="cluster="):
        fit_mmrm(data, "score ~ week*exposure", **options)


def test_what_a_single_clinic_determines_has_no_standard_error_by_the_jackknife():
    data = long_trial(n=80).assign(clinic=lambda d: d["id"].str[-1])
    data["exposure"] = np.where(data["clinic"] == "3", "alone", "usual")
    found = fit_mmrm(
        data,
        "score ~ age + week + exposure",
        subject="id",
        visit="week",
        cluster="clinic",
        inference="jackknife",
    ).coefficients()
    alone = found["term"].isin(["(Intercept)", "exposureusual"])  # its mean, and all against it
    for column in ("std_error", "df"):
        assert found[column].isna().tolist() == alone.tolist()


@pytest.mark.parametrize("kind", [*KINDS, "jackknife"])
def test_a_joint_test_leaves_out_what_a_single_cluster_determines(kind):
    data = long_trial(n=60, missing=0.0).assign(clinic=lambda d: d["id"].str[-1])
    data["exposure"] = np.where(data["id"] == "p007", "z", data["exposure"])
    options = {"subject": "id", "visit": "week", "cluster": "clinic", "inference": kind}
    found = fit_mmrm(data, "score ~ week*exposure", **options).joint_tests().set_index("term")
    with_z = found.loc["exposure"]
    assert with_z["num_df"] == 2  # of three
    assert "1 of 3 comparisons" in with_z["gate"]
    without = data[data["id"] != "p007"]
    other = fit_mmrm(without, "score ~ week*exposure", **options).joint_tests().set_index("term")
    assert found.loc["exposure", "statistic"] == pytest.approx(
        other.loc["exposure", "statistic"], rel=0.2
    )


@pytest.mark.parametrize("kind", KINDS)
def test_one_cluster_is_refused(kind):
    data = long_trial(n=30).assign(clinic="only")
    options = {"subject": "id", "visit": "week", "cluster": "clinic", "inference": kind}
    with pytest.raises(NotEstimable, match="one cluster"):
        fit_mmrm(data, "score ~ week*exposure", **options)


def test_rows_of_another_fit_are_refused():
    fit, _, subjects = fitted()
    other = Subjects(z=subjects.z[1:], y=subjects.y[1:], group=subjects.group[1:])
    with pytest.raises(UsageError, match="not those"):
        sandwich_of(fit, other, "CR2")
    with pytest.raises(UsageError, match="do not go together"):
        prepare_inference(fit, "CR2")


@pytest.mark.slow
def test_clusters_that_share_a_course_are_covered():
    """Twenty clinics treat all alike and share an effect: only the sandwich knows."""
    rng = np.random.default_rng(5)
    held = {"CR2": 0, "satterthwaite": 0}
    studies, n = 200, 200
    clinic = np.arange(n) % 20
    z = np.column_stack([np.ones(n), clinic % 2])
    maps, row = by_visit_maps(3, q=2), np.eye(6)[[1]]
    for _ in range(studies):
        shared = rng.normal(0, 0.8, (20, 1))[clinic]
        y = shared + rng.standard_normal((n, 1)) + rng.standard_normal((n, 3))
        y[rng.random(y.shape) < 0.1] = np.nan
        fit = fit_reml(moments_of(z, y), maps)
        subjects = Subjects(z=z, y=y, group=np.zeros(n, dtype=np.int64), cluster=clinic)
        for kind in held:
            sandwich = sandwich_of(fit, subjects, kind) if kind == "CR2" else None
            found = prepare_inference(fit, kind, sandwich).linear(row)
            half = t_distribution.ppf(0.975, found.df[0]) * found.std_error[0]
            held[kind] += bool(abs(found.estimate[0]) <= half)
    assert 0.91 <= held["CR2"] / studies <= 0.985
    assert held["satterthwaite"] / studies < 0.8


def whitened(fit, maps, subjects):
    """Whitened design of all rows (n, p), and the cluster of each."""
    white, owner = [], []
    for i, y in enumerate(subjects.y):
        seen = np.flatnonzero(~np.isnan(y))
        sigma = fit.sigmas[subjects.group[i]][np.ix_(seen, seen)]
        white.append(np.linalg.solve(np.linalg.cholesky(sigma), maps[seen] @ subjects.z[i]))
        owner += [subjects.cluster[i]] * seen.size
    return np.vstack(white), np.array(owner)


@pytest.mark.parametrize("kind", KINDS)
def test_the_spread_of_the_covariance_of_several_rows_is_that_of_drawn_errors(kind):
    clinic = np.random.default_rng(2).integers(0, 9, 60)
    fit, maps, subjects = fitted(cluster=clinic)
    rows = np.eye(maps.shape[1])[[2, 4, 6]]
    X, owner = whitened(fit, maps, subjects)
    phi = np.linalg.inv(X.T @ X)
    hat = X @ phi @ X.T
    turn = np.zeros((len(np.unique(owner)), 3, len(X)))
    for k, one in enumerate(np.unique(owner)):
        at = np.flatnonzero(owner == one)
        adjust = power(np.eye(at.size) - hat[np.ix_(at, at)], KINDS[kind])
        turn[k][:, at] = rows @ phi @ X[at].T @ adjust
    drawn = np.random.default_rng(3).normal(size=(40_000, len(X)))
    scores = np.einsum("kqn,sn->skq", turn, drawn - drawn @ hat, optimize=True)
    covariance = np.einsum("skq,skp->sqp", scores, scores)
    mean = covariance.mean(axis=0)
    scale = power(mean, -0.5)
    spread = np.var(scale @ covariance @ scale, axis=0).sum()
    found = sandwich_of(fit, subjects, kind).wishart_degrees(fit.cells.basis.rows(rows))
    # Forty thousand draws know the sum of variances to about one percent.
    assert found == pytest.approx(12 / spread, rel=0.04)


@pytest.mark.parametrize("kind", KINDS)
def test_one_row_has_the_same_degrees_of_freedom_either_way(kind):
    clinic = np.random.default_rng(2).integers(0, 9, 60)
    fit, maps, subjects = fitted(cluster=clinic)
    found = sandwich_of(fit, subjects, kind)
    for row in fit.cells.basis.rows(np.eye(maps.shape[1])[[1, 5]]):
        expected = found.degrees(row[None])[0]
        assert found.wishart_degrees(row[None]) == pytest.approx(expected, rel=1e-9)


def test_joint_tests_by_subject_are_those_of_other_programs():
    fit, _, subjects = fitted()
    rows = np.eye(fit.rank)[:2]
    assert sandwich_of(fit, subjects, "CR2").wishart_degrees(rows) is None
    each = Subjects(
        z=subjects.z, y=subjects.y, group=subjects.group, cluster=np.arange(len(subjects.y))[::-1]
    )
    assert sandwich_of(fit, each, "CR2").wishart_degrees(rows) is None


def clinic_trial(rng, clinics, people=20):
    """Arms drawn within clinics, which differ in their courses; nothing differs between arms."""
    n = clinics * people
    clinic, weeks = np.repeat(np.arange(clinics), people), 4
    course = rng.normal(0, 0.7, (clinics, 3, weeks))
    arm = np.tile(np.arange(people) % 3, clinics)
    y = course[clinic, arm] + rng.normal(size=(n, 1)) + rng.normal(size=(n, weeks))
    return pd.DataFrame(
        {
            "id": np.repeat(np.arange(n), weeks),
            "week": np.tile(np.arange(weeks), n),
            "clinic": np.repeat(clinic, weeks),
            "arm": np.repeat(np.array(list("abc"))[arm], weeks),
            "y": y.ravel(),
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["CR2", "jackknife"])
def test_joint_tests_of_few_clinics_keep_their_level(kind):
    rng, n = np.random.default_rng(11), 120
    found = [
        fit_mmrm(
            clinic_trial(rng, 12),
            "y ~ arm*week",
            subject="id",
            visit="week",
            inference=kind,
            cluster="clinic",
        )
        .joint_tests()
        .set_index("term")
        .p_value
        for _ in range(n)
    ]
    rejected = (pd.DataFrame(found) < 0.05).mean()
    # F with all of clusters - 1 degrees of freedom rejects a quarter of arm:week.
    assert rejected.max() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / n)


@pytest.mark.parametrize("kind", ["CR2", "jackknife"])
def test_more_comparisons_than_clinics_can_tell_apart_are_refused(kind):
    data = clinic_trial(np.random.default_rng(1), 6)
    options = {"subject": "id", "visit": "week", "inference": kind, "cluster": "clinic"}
    tests = fit_mmrm(data, "y ~ arm*week", **options).joint_tests().set_index("term")
    assert tests.loc["arm:week", "gate"].startswith("no test: ")
    assert np.isnan(tests.loc["arm:week", "p_value"])
    assert tests.loc["week", "gate"] == "open"
