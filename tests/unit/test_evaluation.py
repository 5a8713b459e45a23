"""Terms of a formula follow from their own row, in files, new rows and grids alike."""

import numpy as np
import pandas as pd
import pytest

from outcomes import fit_mmrm
from outcomes.core.errors import UsageError

WEEKS = (0, 6, 12)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(11)
    n = 60
    person = np.repeat(np.arange(n), len(WEEKS))
    table = pd.DataFrame(
        {
            "id": person,
            "week": np.tile(WEEKS, n),
            "arm": np.array(["usual", "exercise"])[person % 2],
            "age": rng.integers(30, 60, n)[person].astype(float),
            "pain": rng.integers(0, 4, len(person)).astype(float),
        }
    )
    table["score"] = (
        40 + 0.1 * table.age + rng.normal(0, 3, n)[person] + rng.normal(size=len(table))
    )
    return table


def fit(data, formula, **options):
    return fit_mmrm(data, formula, subject="id", visit="week", covariance="cs", **options)


@pytest.mark.parametrize(
    "term",
    [
        "I(age - np.mean(age))",
        "I(age-age.mean())",
        "I(age / age.std())",
        "I(pain - pain.median())",
        "I(pain == pain.max())",
        "I(pain >= pain.quantile(0.6))",
        "age.rank()",
        "age.cumsum()",
        "lag(age)",
        "np.gradient(age)",
        "C(pain > pain.mean())",
        "week:I(age - age.mean())",
        "bs(age - age.min(), df=4)",
    ],
)
def test_a_term_that_depends_on_other_rows_is_refused(data, term):
    with pytest.raises(UsageError, match=r"depends on other rows .* center\(") as caught:
        fit(data, f"score ~ arm*week + np.log(age) + {term}")
    assert term.replace(" ", "") in str(caught.value).replace(" ", "")
    assert "np.log" not in str(caught.value)


def test_so_is_such_a_response_and_such_a_term_of_files(data, tmp_path):
    with pytest.raises(UsageError, match=r"'I\(score - score.mean.*depends on other rows"):
        fit(data, "I(score - score.mean()) ~ week")
    path = tmp_path / "table.parquet"
    data.to_parquet(path)
    with pytest.raises(UsageError, match="depends on other rows"):
        fit(path, "score ~ week + I(age - np.mean(age))")


@pytest.mark.parametrize(
    "term",
    [
        "center(age)",
        "scale(np.log(age))",
        "poly(age, 3)",
        "bs(age, df=4)*week",
        "bs(center(age), df=4)",
        "cr(age, df=4)",
        "cr(age, df=3, constraints='center')",
        "np.log(age) + exp(pain / 10)",
        "I(age**3) + I(1e-9 * age)",
        "C(pain) + C(age > 45)",
        "C(pain, contr.sum) * week",
        "I(age * (arm == 'usual'))",
    ],
)
@pytest.mark.parametrize("equal_at", [None, {"arm": 0}])
def test_what_follows_from_its_own_row_is_taken(data, term, equal_at):
    found = fit(data, f"np.log(score) ~ arm*week + {term}", equal_at=equal_at)
    one = found.predict(data.iloc[[7]])
    every = found.predict(data)
    np.testing.assert_allclose(one.estimate, every.estimate.iloc[[7]], rtol=1e-9)


def test_a_tiny_table_is_checked_too(data):
    few = data.head(9)
    assert fit(few, "score ~ scale(age)", inference="residual").beta.size == 2
    with pytest.raises(UsageError, match="depends on other rows"):
        fit(few, "score ~ I(age - age.mean())", inference="residual")


def test_a_spline_says_where_it_ends(data):
    found = fit(data, "score ~ week + bs(age, df=4)")
    for ask in (
        lambda: found.predict(data.assign(age=80.0)),
        lambda: found.ls_means("week", at={"age": 80}),
    ):
        with pytest.raises(UsageError, match=r"'bs\(age, df=4\)' has no value beyond .*'extend'"):
            ask()
    for more in ("extrapolation='extend'", "upper_bound=90"):
        wider = fit(data, f"score ~ week + bs(age, df=4, {more})")
        assert np.isfinite(wider.predict(data.assign(age=80.0)).estimate).all()
