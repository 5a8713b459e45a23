"""What a case says, beside what our fit of its data says.

The unit of a difference: the log-likelihood, AIC, AICc and BIC as they are; beta and matrices as a
share of their largest entry; estimates and limits in standard errors, because a share of the
largest would leave small ones untested; t and the logarithm of a p-value as they are, or as a share
of themselves beyond 1; all else as a share of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.conformance.cases import Case
from outcomes.core.errors import EstimationError
from outcomes.models.mmrm import fit_mmrm
from outcomes.models.mmrm_result import MmrmResult
from outcomes.stats.inference import DfMethod

METHODS: Final[Mapping[str, DfMethod]] = {
    "satterthwaite": "satterthwaite",
    "kenward_roger_linear": "kenward-roger",
    "between_within": "between-within",
    "residual": "residual",
    "sandwich_cr0": "CR0",
    "sandwich_cr2": "CR2",
    "sandwich_cr3": "CR3",
}
"""Inference as the cases call it, and as :func:`outcomes.fit_mmrm` does.

Plain ``kenward_roger`` of the cases is a wrong answer on purpose: it depends on how the covariance
is parametrised. Every case has Satterthwaite's.
"""

TABLES: Final[Mapping[str, Callable[[MmrmResult], pd.DataFrame]]] = {
    "coefficients": lambda fit: fit.coefficients(),
    "ls_means_equal": lambda fit: _means(fit, "equal"),
    "ls_means_proportional": lambda fit: _means(fit, "proportional"),
    "ls_means_cells": lambda fit: _means(fit, "cells"),
    "differences": lambda fit: fit.contrasts("exposure", by="visit"),
    "differences_mean_of_visits": lambda fit: fit.contrasts("exposure"),
}

COLUMNS: Final = {
    "estimate": "estimate",
    "std_error": "standard error",
    "df": "df",
    "statistic": "t",
    "p_value": "p-value",
    "conf_low": "confidence limit",
    "conf_high": "confidence limit",
}
TEST_COLUMNS: Final = {
    "num_df": "numerator df",
    "den_df": "denominator df",
    "statistic": "F",
    "p_value": "p-value",
}
IN_STD_ERRORS: Final = ("estimate", "conf_low", "conf_high")

MISSING: Final = np.array([])
"""In place of numbers that the reference has under other names."""

TINY: Final = 1e-300
"""The least p-value that a double holds in full."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Our numbers, the reference's, and the unit of their difference.

    ``part`` is the table that they stand in; ``by_method`` whether they depend on the inference.
    """

    quantity: str
    ours: npt.ArrayLike
    theirs: npt.ArrayLike
    unit: npt.ArrayLike = 1.0
    part: str = ""
    by_method: bool = True


def pairs_of(case: Case, method: str) -> Iterator[Pair]:
    """Everything that the case holds by one inference.

    Where the model cannot be fitted, one pair of the quantity ``fit`` without a number of ours.
    """
    expected = case.numbers["methods"][method]
    try:
        fit = _fitted(case, method)
    except EstimationError:
        yield Pair(quantity="fit", ours=np.nan, theirs=1.0)
        return
    if method == "satterthwaite":
        yield from _of_the_fit(fit, case.numbers)
        expected = expected | {"beta_cov": case.numbers["beta_cov_model"]}
    if "beta_cov" in expected:
        matrix = expected["beta_cov"]
        yield Pair(
            quantity="covariance of beta", ours=fit.beta_cov, theirs=matrix["values"],
            unit=_largest(matrix),
        )  # fmt: skip
    tables = _tables(expected, len(fit.beta))
    ours = {part: _open(TABLES[part](fit)) for part in tables}
    for part, theirs in tables.items():
        yield from _of_a_table(part, _chosen(ours[part], expected.get(f"{part}_rows")), theirs)
    if method in case.all_differences:
        every = _chosen(ours["differences"], case.all_differences["rows"])
        yield from _of_a_table("differences", every, case.all_differences[method])
    if "joint_tests" in expected:
        yield from _of_joint_tests(fit.joint_tests(), expected["joint_tests"])


def _fitted(case: Case, method: str) -> MmrmResult:
    model = case.numbers
    return fit_mmrm(
        case.data,
        model["formula"],
        subject="patient_id",
        visit="visit",
        covariance=model["covariance"],
        method="reml" if model["reml"] else "ml",
        inference=METHODS[method],
        group=model["covariance_group"],
        weights=model["weights"],
    )


def _means(fit: MmrmResult, weights: Any) -> pd.DataFrame:
    return fit.ls_means(["visit", "exposure"], weights=weights)


# ------------------------------------------------------------------------- what the fit itself says
def _of_the_fit(fit: MmrmResult, model: Mapping[str, Any]) -> Iterator[Pair]:
    counts = [fit.n_observations, fit.n_patients]
    yield _of_model("rows and patients", counts, [model["n_observations"], model["n_patients"]])
    yield _of_model("log-likelihood", fit.log_likelihood, model["loglik"])
    criteria = [model["aic"], model["aicc"], model["bic"]]
    yield _of_model("AIC, AICc and BIC", [fit.aic, fit.aicc, fit.bic], criteria)
    beta = model["beta"]
    ours = fit.beta if list(fit.beta.index) == beta["names"] else MISSING
    yield _of_model("beta", ours, beta["values"], _largest(beta))
    for found, matrix in _covariances(fit, model):
        named = list(found.index) == list(found.columns) == matrix["names"]
        values = found if named else MISSING
        yield _of_model("covariance matrix", values, matrix["values"], _largest(matrix))


def _of_model(quantity: str, ours: npt.ArrayLike, theirs: npt.ArrayLike, unit: float = 1.0) -> Pair:
    return Pair(quantity=quantity, ours=ours, theirs=theirs, unit=unit, by_method=False)


def _covariances(
    fit: MmrmResult, model: Mapping[str, Any]
) -> Iterator[tuple[pd.DataFrame, Mapping[str, Any]]]:
    """Our matrix and theirs; of each level where there is a group."""
    ours, theirs = fit.covariance, model["covariance_matrix"]
    if isinstance(ours, pd.DataFrame):
        yield ours, theirs
        return
    for level, matrix in theirs.items():
        yield ours.get(level, pd.DataFrame()), matrix


def _largest(stated: Mapping[str, Any]) -> float:
    return float(np.abs(np.array(stated["values"], float)).max())


# ---------------------------------------------------------------------------- what is asked of it
def _tables(expected: Mapping[str, Any], n_coefficients: int) -> dict[str, Mapping[str, Any]]:
    """The tables of a case; of counted degrees of freedom it holds that column alone."""
    tables = {part: expected[part] for part in TABLES if part in expected}
    counted = {
        "coefficients": "coefficients_df",
        "differences": "differences_df",
        "ls_means_equal": "ls_means_df",
    }
    tables |= {part: {"df": expected[key]} for part, key in counted.items() if key in expected}
    if "df" in expected:
        tables["coefficients"] = {"df": [expected["df"]] * n_coefficients}
    return tables


def _open(table: pd.DataFrame) -> pd.DataFrame:
    """Our rows without those that the gate keeps back."""
    return table[table["gate"] == "open"]


def _chosen(table: pd.DataFrame, rows: list[str] | None) -> pd.DataFrame:
    """Some differences, named as in the case, where it does not hold all."""
    if rows is None:
        return table
    named = table.set_index(table["contrast"] + " @ " + table["visit"].astype(str))
    return named.reindex(rows)


def _of_a_table(part: str, ours: pd.DataFrame, theirs: Mapping[str, Any]) -> Iterator[Pair]:
    for column, quantity in COLUMNS.items():
        if column in theirs:
            yield _of_a_column(column, quantity, part, ours, theirs)


def _of_joint_tests(ours: pd.DataFrame, theirs: Mapping[str, Any]) -> Iterator[Pair]:
    # R names a term by its variables in order of mention, as it does its coefficients.
    named = ours.set_index(ours["term"].map(_in_order)).reindex(
        [_in_order(term) for term in theirs["effect"]]
    )
    for column, quantity in TEST_COLUMNS.items():
        yield _of_a_column(column, quantity, "joint_tests", named, theirs)


def _of_a_column(
    column: str, quantity: str, part: str, ours: pd.DataFrame, theirs: Mapping[str, Any]
) -> Pair:
    found, truth = ours[column].to_numpy(float), np.array(theirs[column], float)
    if column == "p_value":
        found, truth = np.log(np.maximum(found, TINY)), np.log(np.maximum(truth, TINY))
    unit = np.array(theirs["std_error"]) if column in IN_STD_ERRORS else np.abs(truth)
    if quantity in ("p-value", "t"):
        unit = np.maximum(unit, 1)
    return Pair(
        quantity=quantity,
        ours=found,
        theirs=truth,
        unit=unit,
        part=part,
        by_method=column != "estimate",
    )


def _in_order(term: str) -> str:
    return ":".join(sorted(term.split(":")))
