"""Fits that should not be easy: the right numbers, or an error that says what to do.

The right numbers are those of `dense_mixed`, which shares nothing with the library.
"""

import warnings
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from outcomes import fit_mmrm
from outcomes.core.errors import OutcomesError
from tests.parity.hostile_checks import Checked, Numbers, fit_case, plain
from tests.parity.hostile_numbers import DATA, NUMBERS, by_subject, rows, spread_weights
from tests.parity.hostile_refusals import REFUSED

pytestmark = pytest.mark.slow


@cache
def checked_case(name):
    return Checked(NUMBERS[name])


@pytest.mark.parametrize("name", NUMBERS)
def test_the_numbers_are_those_of_the_dense_model(name):
    checked = checked_case(name)
    assert checked.inference()
    checked.is_optimum()
    fit = checked.fit
    tests = fit.joint_tests()
    assert (np.isfinite(tests["statistic"]) == (tests["num_df"] > 0)).all()
    assert np.isfinite(fit.predict()["std_error"]).all()
    assert fit.summary()


@pytest.mark.parametrize("name", REFUSED)
def test_the_error_says_what_to_do(name):
    case = REFUSED[name]
    with pytest.raises(OutcomesError) as found:
        fit_case(case)
    assert type(found.value) is case.error
    said = str(found.value)
    assert all(word in said for word in case.words), said


def same_fit(found, expected):
    np.testing.assert_allclose(found.log_likelihood, expected.log_likelihood, rtol=1e-13)
    np.testing.assert_allclose(found.beta.to_numpy(), expected.beta.to_numpy(), rtol=1e-9)
    np.testing.assert_allclose(found.beta_cov, expected.beta_cov, rtol=1e-9)


@pytest.fixture(scope="module")
def expected():
    return checked_case("plain").fit


VISITS = ("v00", "v01", "v02")
DAYS = {visit: pd.Timedelta(k, "W") for k, visit in enumerate(VISITS)}
TABLES = {
    "polars": pl.from_pandas,
    "lazy polars": lambda d: pl.from_pandas(d).lazy(),
    "polars Enum": lambda d: pl.from_pandas(d).with_columns(
        pl.col("visit").cast(pl.Enum(list(VISITS)))
    ),
    "Arrow": pa.Table.from_pandas,
    "Arrow dictionary": lambda d: pa.Table.from_pandas(
        d.assign(visit=d["visit"].astype("category"))
    ),
    "nullable types": lambda d: d.convert_dtypes(),
    "pyarrow types": lambda d: d.convert_dtypes(dtype_backend="pyarrow"),
    "Float64 with pd.NA": lambda d: d.assign(
        score=d["score"].astype("Float64"), age=d["age"].astype("Float64")
    ),
    "objects with None": lambda d: d.assign(
        score=d["score"].astype(object).where(d["score"].notna(), None)
    ),
    "whole numbers as visits": lambda d: d.assign(visit=d["visit"].str[1:].astype(int)),
    "fractions as visits": lambda d: d.assign(visit=d["visit"].str[1:].astype(float) * 6.5),
    "ordered visits with one to spare": lambda d: d.assign(
        visit=pd.Categorical(d["visit"], [*VISITS, "v03"], ordered=True)
    ),
    "dates as visits": lambda d: d.assign(visit=pd.Timestamp("2020-01-01") + d["visit"].map(DAYS)),
    "a boolean covariate": lambda d: d.assign(exposure=d["exposure"] == "b"),
    "a level to spare": lambda d: d.assign(exposure=pd.Categorical(d["exposure"], ["0", "a", "b"])),
    "shuffled": lambda d: d.sample(frac=1, random_state=1).set_index("age", drop=False),
    "subjects without responses": lambda d: pd.concat(
        [d, d.head(2).assign(score=np.nan, id=["new", "newer"])]
    ),
    "infinite where nothing is used": lambda d: d.assign(
        age=d["age"].where(d["score"].notna(), np.inf)
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_how_a_table_comes_changes_nothing(name, expected):
    same_fit(fit_case(replace(NUMBERS["plain"], data=TABLES[name](DATA))), expected)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "Int64", "Float64", "float32"])
def test_whole_numbers_of_any_type(dtype):
    whole = DATA.dropna().assign(score=lambda d: (10 * d["score"]).round() + 50)
    found, truth = (
        fit_case(Numbers(data=whole.assign(score=whole["score"].astype(kind))))
        for kind in (dtype, float)
    )
    same_fit(found, truth)


@pytest.mark.parametrize(
    "name",
    [
        "age at entry",
        "âge",
        "возраст",
        "it's",
        'say "x"',
        "a:b",
        "a + b",
        "a~b",
        "[T.b]",
        "{age}",
        "#age",
        "class",
        "lambda",
        "None",
        *("C", "I", "log", "np", "Q", "bs", "poly", "center"),
    ],
)
def test_names_of_columns_change_nothing(name, expected):
    data = DATA.rename(columns={"age": name})
    same_fit(fit_case(Numbers(data=data, formula=f"score ~ `{name}` + exposure*visit")), expected)


@pytest.mark.parametrize("name", ["total score", "log", "I", "class", "Punkte (0–100)"])
def test_so_do_names_of_the_response_the_visit_and_the_subject(name, expected):
    renamed = {
        "score": f"`{name}` ~ age + exposure*visit",
        "visit": f"score ~ age + exposure*`{name}`",
        "id": "score ~ age + exposure*visit",
    }
    for column, formula in renamed.items():
        roles = {"subject": "id", "visit": "visit"}
        roles = {role: name if column == was else was for role, was in roles.items()}
        same_fit(fit_mmrm(DATA.rename(columns={column: name}), formula, **roles), expected)


def test_levels_with_odd_names():
    odd = {"a": "it's [T.x] `q`", "b": 'ünïcode: "z"'}
    found = fit_case(
        Numbers(data=DATA.assign(exposure=DATA["exposure"].map(odd), visit=DATA["visit"] + " (w)"))
    )
    expected = checked_case("plain").fit
    assert abs(found.log_likelihood - expected.log_likelihood) < 1e-10
    assert len(found.contrasts("exposure", by="visit")) == 3


@pytest.mark.parametrize(("shift", "digits"), [(1e9, 1e-6), (-1e12, 1e-3)])
def test_a_response_far_from_zero_keeps_its_spread(shift, digits):
    # The shifted responses are rounded to 1e-7 and 1e-4: they are what the dense model is given.
    shifted = DATA.assign(score=(DATA["score"] + shift) - shift)
    found, truth = (
        fit_case(Numbers(data=data)) for data in (DATA.assign(score=DATA["score"] + shift), shifted)
    )
    checked = Checked(Numbers(data=shifted))
    assert checked.inference()
    assert abs(found.log_likelihood - truth.log_likelihood) < 1e-9
    inner = slice(1, None)
    np.testing.assert_allclose(found.beta.iloc[inner], truth.beta.iloc[inner], rtol=1e-9)
    np.testing.assert_allclose(found.beta_cov, truth.beta_cov, rtol=1e-9)
    assert abs(found.beta.iloc[0] - shift - truth.beta.iloc[0]) < digits


def test_what_a_list_of_structures_used_is_said():
    fit = checked_case("twelve visits of thirty patients, a third missing").fit
    assert fit.fit.reml.covariance == "ar1h"
    said = " ".join(fit.notes)
    assert all(f"Covariance '{name}' could not be fitted" in said for name in ("us", "toeph"))
    assert "Covariance 'ar1h' was used instead." in said


def test_a_dropped_covariate_is_named():
    for name in ("perfectly collinear covariates", "covariates alike up to 1e-9"):
        fit = checked_case(name).fit
        assert np.isnan(fit.beta["older"])
        assert any("older" in note for note in fit.notes)


@pytest.mark.parametrize(
    ("n", "visits", "covariance", "least"), [(1000, 9, "us", 300), (3000, 12, "ar1", 2000)]
)
def test_hundreds_and_thousands_of_patterns(n, visits, covariance, least):
    case = Numbers(
        data=rows(n=n, visits=visits, missing=0.45),
        options={"covariance": covariance, "inference": "residual"},
    )
    checked = Checked(case)
    assert len(checked.dense.patterns) > least
    assert checked.estimates().all()
    checked.is_optimum(along=3)


def whitened(checked, weights):
    """Rows of each subject, whitened, and their residuals; the inverse of X' V^-1 X."""
    dense = checked.dense
    root = np.linalg.inv(np.linalg.cholesky(dense.blocks(checked.sigmas))) * np.sqrt(weights)
    X, y = root @ dense.X, root @ dense.y
    phi = np.linalg.inv(X.T @ X)
    beta = phi @ (X.T @ y)
    subjects = [dense.subject == code for code in np.unique(dense.subject)]
    return [(X[rows], (y - X @ beta)[rows]) for rows in subjects], beta, phi


@pytest.mark.parametrize(("kind", "power"), [("CR0", 0.0), ("CR2", -0.5), ("CR3", -1.0)])
def test_probability_weights_over_a_factor_of_a_million(kind, power):
    data = spread_weights(DATA)
    options = {"weights": "w", "weight_kind": "probability", "inference": kind}
    checked = Checked(Numbers(data=data, options=options))
    used = data.dropna(subset="score").sort_values(["id", "visit"])
    blocks, beta, phi = whitened(checked, used["w"].to_numpy())
    meat = np.zeros_like(phi)
    for X, error in blocks:
        leverage, vectors = np.linalg.eigh(np.eye(len(X)) - X @ phi @ X.T)
        score = X.T @ ((vectors * leverage**power) @ vectors.T @ error)
        meat += np.outer(score, score)
    order = [checked.names.index(plain(name)) for name in checked.fit.beta.index]
    error = np.sqrt(np.diag(phi @ meat @ phi))[order]
    table = checked.fit.coefficients()
    assert (np.abs(table["estimate"] - beta[order]) < 1e-9 * error).all()
    np.testing.assert_allclose(table["std_error"], error, rtol=1e-8)


def test_the_jackknife_of_six_clinics_is_six_fits():
    data = DATA.assign(clinic=by_subject(DATA, lambda rng, n: np.arange(n) % 6))
    options = {"inference": "jackknife", "cluster": "clinic"}
    fit = fit_case(Numbers(data=data, options=options))
    apart = [fit_case(Numbers(data=data[data["clinic"] != k])).beta - fit.beta for k in range(6)]
    covariance = 5 / 6 * sum(np.outer(change, change) for change in apart)
    error = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(fit.coefficients()["std_error"], error, rtol=1e-7)
    assert (fit.coefficients()["df"] == 5).all()
    assert any("6 clusters" in note for note in fit.notes)


def test_the_checks_can_fail():
    case = NUMBERS["plain"]
    unadjusted = Checked(replace(case, options={"inference": "satterthwaite"}))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        unadjusted.inference()
    for factor in (1.001, 0.999):
        moved = Checked(case)
        moved.sigmas = [factor * moved.sigmas[0]]
        with pytest.raises(AssertionError):
            moved.is_optimum()
        with pytest.raises(AssertionError):
            moved.inference()
    fewer = Checked(case)
    fewer.dense = Checked(replace(case, data=case.data.dropna().iloc[:-1])).dense
    with pytest.raises(AssertionError):
        fewer.inference()


def test_nothing_is_warned_of_in_place_of_an_error():
    # The suite turns warnings into errors; a session of a user does not, and must see the same.
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for name in (
            "responses too small to be squared",
            "an infinite weight",
            "two subjects",
            "levels that leave rows out",
        ):
            with pytest.raises(OutcomesError):
                fit_case(REFUSED[name])
    assert not heard
