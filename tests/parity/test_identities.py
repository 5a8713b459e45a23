"""What the mixed model has to be on complete data, exactly: t tests, regressions, analyses of
variance. Relative to 1e-9: the search stops at rounding, about 1e-12."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import anova_lm

from outcomes import fit_mmrm
from tests.parity.hostile_numbers import rows

close = partial(np.testing.assert_allclose, rtol=1e-9)

FOLDER = Path(__file__).parent / "mmrm"
CLOSED = json.loads((FOLDER / "numbers" / "f_closed_form.json").read_text())["results"]


def fit(data, formula, **options):
    return fit_mmrm(data, formula, subject="id", visit="visit", **options)


def wide(data, name="score"):
    """(n, T) responses, and the exposure and age of each subject."""
    first = data.drop_duplicates("id").set_index("id")
    table = data.pivot(index="id", columns="visit", values=name).loc[first.index]
    return table.to_numpy(), first["exposure"].to_numpy(), first["age"].to_numpy()


def uneven(n, visits, groups, seed):
    """Complete rows; the last subjects' exposures make the groups unequal."""
    data = rows(n=n, visits=visits, groups=groups, seed=seed)
    return data.assign(exposure=data["exposure"].mask(data["id"] >= f"p{n - 5:04}", "a"))


# Two visits, two groups


@pytest.fixture(scope="module")
def two_visits():
    data = uneven(31, 2, 2, seed=11)
    return data, fit(data, "score ~ exposure*visit")


def is_t_test(row, b, a):
    test = stats.ttest_ind(b, a)
    close(row["estimate"], b.mean() - a.mean())
    close(row["std_error"], row["estimate"] / test.statistic)
    close(row["df"], test.df)
    close(row["p_value"], test.pvalue, rtol=1e-8)
    low, high = test.confidence_interval()
    close([row["conf_low"], row["conf_high"]], [low, high], rtol=1e-8)


def test_a_difference_of_changes_is_the_t_test_of_changes(two_visits):
    data, fitted = two_visits
    y, exposure, _ = wide(data)
    change = y[:, 1] - y[:, 0]
    (_, row), *rest = fitted.contrasts("exposure", between=("v00", "v01")).iterrows()
    assert not rest
    is_t_test(row, change[exposure == "b"], change[exposure == "a"])


def test_a_difference_at_a_visit_is_the_t_test_there(two_visits):
    data, fitted = two_visits
    y, exposure, _ = wide(data)
    for t, (_, row) in enumerate(fitted.contrasts("exposure", by="visit").iterrows()):
        is_t_test(row, y[exposure == "b", t], y[exposure == "a", t])


def test_the_change_of_one_group_is_the_paired_t_test():
    data = rows(n=17, visits=2, groups=1, seed=12)
    y, _, _ = wide(data)
    table = fit(data, "score ~ visit").coefficients().set_index("term")
    test = stats.ttest_rel(y[:, 1], y[:, 0])
    row = table.loc["visitv01"]
    close([row["statistic"], row["df"], row["p_value"]], [test.statistic, test.df, test.pvalue])


# Unstructured, complete: multivariate regression


class Regression:
    """Y (n, T) on Z (n, r): coefficients (r, T), residual cross-products, (Z'Z)^-1."""

    def __init__(self, Y, Z):
        self.n, self.r = Z.shape
        self.inverse = np.linalg.inv(Z.T @ Z)
        self.B = np.linalg.lstsq(Z, Y, rcond=None)[0]
        residual = Y - Z @ self.B
        self.E, self.nu = residual.T @ residual, self.n - self.r

    def hotelling(self, c, M):
        """F, its two degrees of freedom and p of c'BM = 0: Hotelling's T squared."""
        value = c @ self.B @ M
        S = M.T @ self.E @ M / self.nu
        t2 = value @ np.linalg.solve(S, value) / (c @ self.inverse @ c)
        m = M.shape[1]
        den = self.nu - m + 1
        F = t2 * den / (self.nu * m)
        return m, den, F, stats.f.sf(F, m, den)


def regression_of(data, baseline):
    Y, exposure, age = wide(data)
    levels = sorted(set(exposure))
    columns = [np.ones(len(Y)), *(exposure == level for level in levels[1:])]
    Z = np.column_stack([*columns, age] if baseline else columns).astype(float)
    return Regression(Y, Z), levels


BASELINE = {False: "score ~ exposure*visit", True: "score ~ age*visit + exposure*visit"}


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize(("n", "visits", "groups"), [(33, 3, 3), (40, 4, 2)])
def test_unstructured_is_multivariate_regression(n, visits, groups, baseline):
    data = uneven(n, visits, groups, seed=13)
    truth, levels = regression_of(data, baseline)
    for inference in ("kenward-roger", "satterthwaite"):
        found = fit(data, BASELINE[baseline], inference=inference)
        close(found.covariance, truth.E / truth.nu)
        table = found.contrasts("exposure", by="visit")
        table = table.sort_values(["visit", "level"])
        close(table["estimate"], truth.B[1 : len(levels)].T.ravel())
        variance = np.outer(np.diag(truth.E) / truth.nu, np.diag(truth.inverse)[1 : len(levels)])
        close(table["std_error"], np.sqrt(variance).ravel())
        close(table["df"], truth.nu)
    means = found.ls_means(["exposure", "visit"]).sort_values(["level", "visit"])
    at = np.eye(len(levels), truth.r)
    at[:, 0] = 1.0
    if baseline:
        at[:, -1] = data["age"].mean()
    close(means["estimate"], (at @ truth.B).ravel())
    size = np.einsum("ij,jk,ik->i", at, truth.inverse, at)
    close(means["std_error"], np.sqrt(np.outer(size, np.diag(truth.E) / truth.nu)).ravel())


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize("visits", [3, 4])
def test_joint_tests_of_two_groups_are_hotellings(visits, baseline):
    data = uneven(36, visits, 2, seed=14)
    truth, _ = regression_of(data, baseline)
    found = fit(data, BASELINE[baseline]).joint_tests().set_index("term")
    changes = np.eye(visits)[:, 1:] - np.eye(visits)[:, [0]]
    mean = np.array([1.0, 0.5, data["age"].mean()])[: truth.r]
    asked = {
        "visit": (mean, changes),
        "exposure:visit": (np.eye(truth.r)[1], changes),
        "exposure": (np.eye(truth.r)[1], np.full((visits, 1), 1 / visits)),
    }
    if baseline:
        asked["age:visit"] = (np.eye(truth.r)[2], changes)
        asked["age"] = (np.eye(truth.r)[2], np.full((visits, 1), 1 / visits))
    same = {frozenset(term.split(":")): term for term in found.index}
    assert len(same) == len(asked)
    for term, (c, M) in asked.items():
        row = found.loc[same[frozenset(term.split(":"))]]
        test = truth.hotelling(c, M)
        close(row[["num_df", "den_df", "statistic"]].astype(float), test[:3])
        close(row["p_value"], test[3], rtol=1e-8)


def test_joint_tests_of_several_groups_in_one_dimension_are_of_a_variance_analysis():
    # With two visits a change is one number, and so is the mean of visits with any number of them.
    data = uneven(36, 2, 3, seed=15)
    found = fit(data, "score ~ exposure*visit").joint_tests().set_index("term")
    y, exposure, _ = wide(data)
    for term, values in (("exposure:visit", y[:, 1] - y[:, 0]), ("exposure", y.mean(axis=1))):
        test = stats.f_oneway(*(values[exposure == level] for level in "abc"))
        row = found.loc[term]
        close([row["num_df"], row["den_df"]], [2, 33])
        close([row["statistic"], row["p_value"]], [test.statistic, test.pvalue])


def test_likelihoods_are_those_of_the_closed_form_and_ml_has_n_for_n_minus_p():
    data = uneven(33, 3, 3, seed=13)
    truth, _ = regression_of(data, baseline=False)
    n, r, T = truth.n, truth.r, 3
    reml = fit(data, "score ~ exposure*visit")
    ml = fit(data, "score ~ exposure*visit", method="ml", inference="satterthwaite")
    close(ml.covariance, reml.covariance * (n - r) / n)
    close(ml.beta, reml.beta)
    half = np.linalg.slogdet(truth.E / n)[1]
    close(ml.log_likelihood, -n * (T * (np.log(2 * np.pi) + 1) + half) / 2)
    half = np.linalg.slogdet(truth.E / truth.nu)[1]
    size = np.linalg.slogdet(np.linalg.inv(truth.inverse))[1]
    lost = truth.nu * (T * (np.log(2 * np.pi) + 1) + half) + T * size
    close(reml.log_likelihood, -lost / 2)


@pytest.fixture(scope="module")
def balanced():
    return pd.read_csv(FOLDER / "data" / "complete_balanced.csv").rename(
        columns={"patient_id": "id"}
    )


@pytest.mark.parametrize("name", CLOSED)
def test_the_closed_forms_on_file(name, balanced):
    truth = CLOSED[name]
    ml, ancova = "_ml" in name, "ancova" in name
    levels = ["usual_care", "exercise", "manual_therapy"]
    found = fit(
        balanced.assign(exposure=pd.Categorical(balanced["exposure"], levels)),
        ("lefs ~ lefs_baseline*visit + " if ancova else "lefs ~ ") + "exposure*visit",
        covariance=name.split("_")[1],
        method="ml" if ml else "reml",
        inference="satterthwaite" if ml else "kenward-roger",
    )
    table = found.contrasts("exposure", by="visit", reference="usual_care")
    for column, values in truth["differences"].items():
        if column != "rows":
            close(table[column], values, rtol=1e-8 if column == "p_value" else 1e-9, atol=1e-12)
    if "covariance_matrix" in truth:
        labels = table["level"] + " - " + table["reference"] + " @ " + table["visit"]
        assert labels.tolist() == truth["differences"]["rows"]
        close(found.covariance, truth["covariance_matrix"])
        close(found.log_likelihood, truth["loglik"])
        return
    close(found.covariance.iloc[0, 0], truth["sd"] ** 2)
    close(found.covariance.iloc[0, 1], truth["rho"] * truth["sd"] ** 2)
    tests = found.joint_tests().set_index("term")
    for term, key in (("exposure:visit", "interaction"), ("exposure", "exposure")):
        for column, value in truth[key].items():
            close(tests.loc[term, column], value)


# Kenward and Roger beside Satterthwaite


@pytest.mark.parametrize("covariance", ["us", "cs", "toeph", "ad"])
def test_one_row_has_satterthwaites_df_whatever_is_missing(covariance):
    data = rows(n=50, visits=3, missing=0.2, groups=3, seed=16)
    formula = "score ~ age + sex + exposure*visit"
    adjusted, plain = (
        fit(data, formula, covariance=covariance, inference=inference)
        for inference in ("kenward-roger", "satterthwaite")
    )
    for ask in (
        lambda f: f.coefficients(),
        lambda f: f.contrasts("exposure", by="visit", kind="pairwise"),
        lambda f: f.ls_means(["exposure", "visit"]),
    ):
        close(ask(adjusted)["df"], ask(plain)["df"])
    assert (adjusted.coefficients()["std_error"] > plain.coefficients()["std_error"]).any()


# Compound symmetry, complete: analysis of variance of repeated measures


@pytest.mark.parametrize(("groups", "visits"), [(3, 4), (2, 3)])
def test_compound_symmetry_is_the_split_plot_analysis_of_variance(groups, visits):
    n = 12 * groups
    data = rows(n=n, visits=visits, groups=groups, seed=17)
    y, exposure, _ = wide(data)
    levels = sorted(set(exposure))
    cell = np.stack([y[exposure == level].mean(axis=0) for level in levels])
    left = y - cell[[levels.index(level) for level in exposure]]
    subject = left.mean(axis=1)
    between_df, within_df = n - groups, (n - groups) * (visits - 1)
    between = visits * (subject**2).sum() / between_df
    within = ((left - subject[:, None]) ** 2).sum() / within_df
    found = fit(data, "score ~ exposure*visit", covariance="cs")
    grand, per = cell.mean(), n / groups
    cross = cell - cell.mean(axis=1, keepdims=True) - cell.mean(axis=0) + grand
    squares = {
        "exposure": (per * visits * ((cell.mean(axis=1) - grand) ** 2).sum(), groups - 1, between),
        "visit": (n * ((cell.mean(axis=0) - grand) ** 2).sum(), visits - 1, within),
        "exposure:visit": (per * (cross**2).sum(), (groups - 1) * (visits - 1), within),
    }
    tests = found.joint_tests().set_index("term")
    for term, (square, df, error) in squares.items():
        row = tests.loc[term]
        den_df = between_df if error is between else within_df
        close([row["num_df"], row["den_df"]], [df, den_df])
        close(row["statistic"], square / df / error)
    variance = (between + (visits - 1) * within) / visits
    sigma = found.covariance.to_numpy()
    close(sigma[0], [variance, *[(between - within) / visits] * (visits - 1)])
    table = found.contrasts("exposure", by="visit")
    close(table["std_error"], np.sqrt(2 / per * variance))
    parts = between**2 / between_df + (visits - 1) ** 2 * within**2 / within_df
    close(table["df"], (visits * variance) ** 2 / parts)
    changes = found.contrasts("exposure", between=("v00", "v01"))
    close(changes["std_error"], np.sqrt(4 / per * within))
    close(changes["df"], within_df)


# One visit: linear regression

ONE_VISIT = "score ~ age + sex + exposure"


@pytest.fixture(scope="module")
def one_visit():
    data = rows(n=45, visits=1, groups=3, seed=18)
    return data.assign(
        w=np.random.default_rng(19).uniform(0.2, 5.0, len(data)), clinic=np.arange(len(data)) % 9
    )


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("inference", ["kenward-roger", "satterthwaite", "residual"])
def test_one_visit_is_least_squares(one_visit, weights, inference):
    found = fit(one_visit, ONE_VISIT, weights=weights, inference=inference)
    model = smf.ols if weights is None else partial(smf.wls, weights=one_visit["w"])
    truth = model(ONE_VISIT, one_visit).fit()
    table = found.coefficients().set_index("term")
    names = [name.replace("(", "").replace(")", "") for name in table.index]
    order = [name.replace("[T.", "").replace("]", "") for name in truth.params.index]
    places = [order.index(name) for name in names]
    for column, values in (
        ("estimate", truth.params),
        ("std_error", truth.bse),
        ("statistic", truth.tvalues),
        ("p_value", truth.pvalues),
    ):
        close(table[column], values.to_numpy()[places], rtol=1e-8 if column[0] == "p" else 1e-9)
    close(table["df"], truth.df_resid)
    close(found.covariance.iloc[0, 0], truth.mse_resid)
    tests = found.joint_tests().set_index("term")
    anova = anova_lm(truth, typ=2)  # no interaction, so that types two and three are the same
    for term in ("age", "sex", "exposure"):
        close(tests.loc[term, "statistic"], anova.loc[term, "F"])
        close(tests.loc[term, ["num_df", "den_df"]].astype(float), [anova.df[term], truth.df_resid])
        close(tests.loc[term, "p_value"], anova.loc[term, "PR(>F)"], rtol=1e-8)


def by_term(truth, values, found):
    """Numbers of statsmodels in the order of the coefficients of a fit."""
    plain = [n.replace("[T.", "").replace("]", "") for n in truth.params.index]
    places = [plain.index(n.replace("(", "").replace(")", "")) for n in found.beta.index]
    values = np.asarray(values)
    return values[places] if values.ndim == 1 else values[np.ix_(places, places)]


@pytest.mark.parametrize(("kind", "cov_type"), [("CR0", "HC0"), ("CR2", "HC2"), ("CR3", "HC3")])
@pytest.mark.parametrize("weights", [None, "w"])
def test_one_row_a_subject_makes_sandwiches_those_of_white(one_visit, kind, cov_type, weights):
    found = fit(one_visit, ONE_VISIT, weights=weights, inference=kind)
    model = smf.ols if weights is None else partial(smf.wls, weights=one_visit["w"])
    truth = model(ONE_VISIT, one_visit).fit(cov_type=cov_type)
    close(found.beta_cov, by_term(truth, truth.cov_params(), found))


@pytest.mark.parametrize("cluster", ["id", "clinic"])
@pytest.mark.parametrize("weights", [None, "w"])
def test_the_jackknife_of_one_visit_is_that_of_cr3(one_visit, cluster, weights):
    G = one_visit[cluster].nunique()
    left_out, cr3 = (
        fit(one_visit, ONE_VISIT, weights=weights, cluster=cluster, inference=inference)
        for inference in ("jackknife", "CR3")
    )
    close(left_out.beta_cov, cr3.beta_cov * (G - 1) / G)
    close(left_out.coefficients()["df"], G - 1)


def test_precision_weights_of_a_replicate_count_are_means_of_replicates():
    # A mean of w independent responses has a w-th of the variance: one row weighted is w rows.
    data = rows(n=40, visits=1, seed=20)
    data["w"] = 1 + np.arange(40) % 3
    found = fit(data, "score ~ age + exposure", weights="w")
    truth = smf.wls("score ~ age + exposure", data, weights=data["w"]).fit()
    repeated = smf.ols("score ~ age + exposure", data.loc[data.index.repeat(data["w"])]).fit()
    close(found.beta, by_term(truth, truth.params, found))
    close(found.beta, by_term(repeated, repeated.params, found))
