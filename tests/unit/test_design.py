"""A formula factored into subject and visit gives back the dense design, row by row."""

import numpy as np
import pandas as pd
import pytest
from formulaic import Formula

from outcomes.core.errors import UsageError
from outcomes.models.design import read_design
from outcomes.models.equal_levels import EqualLevels
from outcomes.models.formula import coefficient_names, parse_formula
from outcomes.models.long_rows import Roles, read_long

FORMULAS = [
    "score ~ age*week + exposure*week + C(site)",
    "score ~ 0 + week + dose + sex:week",
    "score ~ poly(age, 2)*week + dose*exposure",
    "score ~ age + week + np.log(age) + center(dose):week",
    "score ~ exposure*sex*week",
    "score ~ 1",
]


@pytest.fixture
def trial():
    rng = np.random.default_rng(3)
    n, weeks = 40, [6, 12, 52]
    subject = np.repeat(np.arange(n), 3)
    data = pd.DataFrame(
        {
            "id": subject,
            "week": np.tile(weeks, n),
            "exposure": np.array(["usual", "exercise", "manual"])[np.arange(n) % 3][subject],
            "sex": np.array(["f", "m"])[rng.integers(0, 2, n)][subject],
            "age": rng.normal(50, 9, n).round(1)[subject],
            "site": rng.integers(1, 4, n)[subject],
            "dose": rng.integers(0, 9, 3 * n).astype(float),
            "score": rng.normal(size=3 * n),
        }
    )
    data.loc[rng.random(3 * n) < 0.3, "score"] = np.nan
    return data.sample(frac=1, random_state=5).reset_index(drop=True)


def factored(data, formula):
    parsed = parse_formula(formula)
    roles = Roles(
        response=parsed.response,
        covariates=parsed.covariates,
        categories=parsed.categories,
        subject="id",
        visit="week",
    )
    rows = read_long(data, roles)
    return rows, read_design(rows, parsed, EqualLevels(visit="week"))[0]


def plain(name):
    """An interaction names its variables in another order than formulaic does."""
    return sorted(name.split(":"))


@pytest.mark.parametrize("formula", FORMULAS)
def test_maps_times_z_are_the_dense_rows(trial, formula):
    rows, design = factored(trial, formula)
    dense = Formula(formula).rhs.get_model_matrix(rows.frame)
    found = np.einsum("npq,nq->np", design.maps[rows.visit], design.subjects.z[rows.subject])
    ours = [plain(name) for name in design.columns]
    order = [ours.index(plain(name)) for name in coefficient_names(list(dense.columns))]
    assert np.array_equal(found[:, order], dense.to_numpy(dtype=float))
    assert sorted(order) == list(range(len(design.columns)))
    assert np.isfinite(design.subjects.z).all()
    assert np.array_equal(
        design.subjects.y[rows.subject, rows.visit], rows.frame["score"].to_numpy()
    )
    assert np.isfinite(design.subjects.y).sum() == len(rows.frame)


def test_a_subject_column_is_kept_once_and_a_changing_one_once_a_visit(trial):
    design = factored(trial, "score ~ age*week + exposure*week + dose")[1]
    assert len(design.columns) == 1 + 1 + 2 + 2 + 1 + 2 + 4
    assert (
        design.subjects.z.shape[1] == 1 + 1 + 2 + 3
    )  # the constant, age, exposure, dose at three visits


def test_the_order_of_mention_names_an_interaction_as_in_r(trial):
    design = factored(trial, "score ~ age*week + exposure*week")[1]
    assert design.columns[-4:] == (
        "week12:exposuremanual",
        "week52:exposuremanual",
        "week12:exposureusual",
        "week52:exposureusual",
    )


def test_a_name_inside_another_is_no_mention(trial):
    formula = "score ~ weekly + exposure*week"
    design = factored(trial.assign(weekly=trial.age), formula)[1]
    assert design.columns[-1] == "exposureusual:week52"


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("score ~ age +", "cannot be read"),
        ("score ~ (age", "cannot be read"),
        ("age", "response ~ terms"),
        ("~ age", "response ~ terms"),
        ("score + age ~ week", "response ~ terms"),
        ("score ~ age | week", "response ~ terms"),
        ("a ~ b ~ c", "cannot be read"),
        ("score ~ C(site) + site", "as a category and as it is"),
        ("score ~ ns(age, 3)", "'ns' in .* is no function: .* cr(...). There are bs, cr"),
        ("score ~ offset(age)", "no function: .* named by offset="),
        ("score ~ factor(site)", "no function: a category is C(...)"),
        ("score ~ us(week)", "no function: .* covariance=, subject="),
        ("score ~ us(week | id)", "covariance=, subject="),
        ("score ~ cs(week | id)", "covariance=, subject="),
        ("score ~ age + (1 | id)", "covariance=, subject="),
        ("score ~ Q('age')", "between backticks"),
        ("score ~ nope(age)", "'nope' in .* is no function. There are bs"),
        ("score ~ I(age^2)", "a power inside a function is '[*][*]'"),
        ("score ~ I((age - 50)^2 + 1)", "a power inside a function is '[*][*]'"),
    ],
)
def test_formulas_that_are_none(formula, words):
    with pytest.raises(UsageError, match=words.replace("(", r"\(").replace(")", r"\)")):
        parse_formula(formula)


def test_comparisons_are_joined(trial):
    design = factored(trial, "score ~ I((age > 50) | (age < 30)) + I((age > 50) ^ (week == '12'))")[
        1
    ]
    assert len(design.columns) == 3


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("score ~ nope", "No column 'nope'"),
        ("score ~ np.log(dose)", "not finite"),
        ("score ~ np.log(week)", "cannot be computed"),
        ("score ~ I(week**2)", "cannot be computed"),
        ("sex ~ age", "is no number"),
    ],
)
def test_terms_that_cannot_be_computed(trial, formula, words):
    with pytest.raises(UsageError, match=words):
        factored(trial, formula)


def test_a_list_inside_a_term_stays_in_its_name(trial):
    design = factored(trial, "score ~ cr(age, knots=[45, 55], constraints='center') + exposure")[1]
    assert design.columns[1] == "cr(age, knots=[45, 55], constraints='center')1"
    assert design.columns[-1] == "exposureusual"
