"""What a fit has to agree with: the dense model at its covariance, and no better one elsewhere."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from formulaic import Formula
from scipy.optimize import minimize

from outcomes import fit_mmrm
from tests.parity.dense_mixed import Dense, sigma_to_free

FORMULA = "score ~ age + exposure*visit"


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A fit that ends in numbers.

    ``beta``, ``std_error``, ``df`` are relative tolerances, the first in standard errors; ``near``
    is how far from the optimum, in standard errors of the covariance parameters, rounding may stop
    the search. ``dense`` changes the data into columns that span the same and are told apart;
    then the coefficients ``only`` are compared.
    """

    data: pd.DataFrame
    formula: str = FORMULA
    options: dict = field(default_factory=dict)
    beta: float = 1e-9
    std_error: float = 1e-8
    df: float = 1e-7
    near: float = 1e-7
    dense: object = None
    only: tuple = ()
    starts: int = 2


def fit_case(case):
    return fit_mmrm(case.data, case.formula, **{"subject": "id", "visit": "visit", **case.options})


def plain(name):
    """A coefficient without its brackets, its variables in the order of the alphabet."""
    text = "(Intercept)" if name == "Intercept" else name
    for mark in ("[T.", "[", "]"):
        text = text.replace(mark, "")
    return ":".join(sorted(text.split(":")))


def dense_of(fit, case):
    """The dense model of the used rows, and the names of its columns."""
    options = case.options
    data = case.data if case.dense is None else case.dense(case.data)
    left, right = case.formula.split("~")
    weights, group = options.get("weights"), options.get("group")
    used = data.dropna(subset=[left.strip(), *(name for name in (weights, group) if name)])
    used = used.assign(visit=pd.Categorical(used["visit"].astype(str), fit.covariance_visits))
    design = Formula(right).get_model_matrix(used)
    names = [plain(name) for name in design.columns]
    known = {plain(name) for name in fit.beta.index[fit.beta.notna()]}
    kept = [k for k, name in enumerate(names) if name in known]
    groups = None
    if group:
        groups = pd.Categorical(used[group].astype(str)).codes.astype(int)
    return Dense(
        design.to_numpy(dtype=float)[:, kept],
        used[left.strip()].to_numpy(dtype=float),
        pd.factorize(used["id"])[0],
        used["visit"].cat.codes.to_numpy().astype(int),
        group=groups,
        weights=None if weights is None else used[weights].to_numpy(dtype=float),
        method=options.get("method", "reml"),
    ), [names[k] for k in kept]


class Checked:
    """A fit beside the dense model."""

    def __init__(self, case):
        self.case, self.fit = case, fit_case(case)
        covariance = self.fit.covariance
        frames = list(covariance.values()) if isinstance(covariance, dict) else [covariance]
        self.sigmas = [frame.to_numpy() for frame in frames]
        self.fit_visits = list(frames[0].index)
        object.__setattr__(self.fit, "covariance_visits", self.fit_visits)
        self.dense, self.names = dense_of(self.fit, case)
        self.name = self.fit.fit.reml.covariance

    def estimates(self):
        """Coefficients and the likelihood at the reported covariance; rows of ``only``."""
        beta, phi, log_lik = self.dense.fit(self.sigmas)
        fit, only = self.fit, np.array([n in (self.case.only or self.names) for n in self.names])
        assert abs(fit.log_likelihood - log_lik) < 1e-9 * max(1.0, abs(log_lik)) + self.case.beta
        known = fit.beta.notna().to_numpy()
        names = [plain(name) for name in fit.beta.index[known]]
        order = [names.index(name) for name in self.names]
        error = np.sqrt(np.diag(phi))
        away = np.abs(fit.beta.to_numpy()[known][order] - beta) / error
        assert away[only].max() < self.case.beta
        model = np.sqrt(np.diag(fit.fit.reml.beta_cov_model)[known])[order]
        np.testing.assert_allclose(model[only], error[only], rtol=self.case.std_error)
        return only

    def inference(self):
        """Kenward and Roger's errors by REML, and Satterthwaite's degrees of freedom."""
        only = self.estimates()
        table = self.fit.coefficients().set_index("term")
        table.index = [plain(name) for name in table.index]
        table = table.loc[self.names]
        # A coefficient beside an aliased column has a value, and is no estimate of its own.
        only &= (table["gate"] == "open").to_numpy()
        truth = self.dense.inference(self.name, self.sigmas)
        assert truth["decrement"] < self.case.near**2
        if self.dense.method == "reml":
            error = np.sqrt(np.diag(truth["adjusted"]))[only]
            np.testing.assert_allclose(table["std_error"][only], error, rtol=self.case.std_error)
        np.testing.assert_allclose(table["df"][only], truth["df"][only], rtol=self.case.df)
        return int(only.sum())

    def is_optimum(self, along=None):
        """Differences of the likelihood are zero beside its curvature, and no start ends higher."""
        free = np.concatenate([sigma_to_free(self.name, sigma) for sigma in self.sigmas])
        at = self._height(free)
        noise = 1e-13 * max(1.0, abs(at))
        for unit in np.eye(free.size)[:along]:
            step, bend = 1.0, np.inf
            while not bend < 1e-3:  # about a thirtieth of a standard error
                step /= 4
                up, down = (self._height(free + sign * step * unit) for sign in (1, -1))
                bend = 2 * at - up - down
            assert bend > -10 * noise
            # Half the difference is the gradient times the step: zero but for the third derivative
            # of the likelihood, which for n subjects is bend**1.5 / sqrt(n) of a standard error.
            assert abs(up - down) / 2 < bend**1.5 + 100 * noise
        rng = np.random.default_rng(7)
        for _ in range(self.case.starts if along is None else 0):
            start = free + 0.3 * rng.standard_normal(free.size)
            if np.isfinite(self._height(start)):
                end = minimize(lambda x: -max(self._height(x), -1e10), start, method="BFGS")
                assert -end.fun < at + 1e-9 * max(1.0, abs(at))

    def _height(self, free):
        return self.dense.log_likelihood(self.name, free, self.sigmas)
