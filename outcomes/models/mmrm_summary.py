"""A fitted mixed model as one page to read on a terminal. Rounded here, for reading only.

Tables that would not fit are cut, and say where all of it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from outcomes.models.mmrm_result import MmrmResult

_SHOWN: Final = ["estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"]
_TESTED: Final = ["num_df", "den_df", "statistic", "p_value"]
_ROWS: Final = 24
_PATTERNS: Final = 8
_VISITS: Final = 10
_GROUPS: Final = 2
_LEAST_P: Final = 1e-4

_INFERENCE: Final = {
    "kenward-roger": "adjusted standard errors and degrees of freedom, the linear form",
    "satterthwaite": "model-based standard errors, approximate degrees of freedom",
    "between-within": "model-based standard errors, degrees of freedom by kind of column",
    "residual": "model-based standard errors, rows less coefficients",
    "CR0": "sandwich, Satterthwaite's degrees of freedom",
    "CR2": "sandwich, Satterthwaite's degrees of freedom",
    "CR3": "sandwich, Satterthwaite's degrees of freedom",
    "jackknife": "fits without a cluster, clusters less one degrees of freedom",
}


def summarise(result: MmrmResult) -> str:
    """What was asked, how the fit went, tests, coefficients, covariance, visits seen, notes."""
    parts = (_head, _tests, _coefficients, _covariance, _patterns, _notes)
    return "\n\n".join(part(result) for part in parts)


def _head(result: MmrmResult) -> str:
    spec, fit = result.spec, result.fit.reml
    by = f", one a level of {spec.group}" if spec.group else ""
    weights = f"\nweights      {spec.weights} ({spec.weight_kind})" if spec.weights else ""
    cluster = f" by {spec.cluster}" if spec.cluster else ""
    offset = f"\noffset       {spec.offset}" if spec.offset else ""
    equal = "".join(f"\none mean     of {f} at {spec.visit} {at}" for f, at in spec.equal_at)
    return (
        "Mixed model for repeated measures\n"
        f"formula      {spec.formula}\n"
        f"rows         {result.n_observations:,} of {result.n_patients:,} by {spec.subject}, "
        f"visits {', '.join(result.grid.data.visits)}{weights}{offset}{equal}\n"
        f"covariance   {fit.covariance}{by}: {fit.n_parameters} parameters\n"
        f"method       {spec.method.upper()}, converged in {fit.n_iterations} steps "
        f"(gradient {result.gradient_norm:.1e})\n"
        f"inference    {spec.inference}{cluster}: {_INFERENCE[spec.inference]}\n"
        f"fit          {_likelihood(result)}"
    )


def _likelihood(result: MmrmResult) -> str:
    """The criteria rest on a likelihood, which probability weights do not make."""
    if result.fit.reml.weight_kind == "probability":
        return (
            f"pseudo-log-likelihood {result.log_likelihood:.3f}, to which AIC and BIC do not apply"
        )
    return (
        f"log-likelihood {result.log_likelihood:.3f}, AIC {result.aic:.2f}, "
        f"AICc {result.aicc:.2f}, BIC {result.bic:.2f}"
    )


def _tests(result: MmrmResult) -> str:
    table = result.joint_tests().set_index("term")
    return (
        f"Type III tests, covariates at their means\n{_table(table, _TESTED, 'fit.joint_tests()')}"
    )


def _coefficients(result: MmrmResult) -> str:
    table = result.coefficients().set_index("term")
    return f"Coefficients, 95 % limits\n{_table(table, _SHOWN, 'fit.coefficients()')}"


def _table(table: pd.DataFrame, columns: list[str], where: str) -> str:
    if table.empty:
        return "none"
    shown = table[columns].iloc[:_ROWS].rename_axis(index=None)
    formatters = {**dict.fromkeys(columns, "{:.4g}".format), "p_value": _p_value}
    text = str(shown.to_string(formatters=formatters))
    left = len(table) - len(shown)
    return f"{text}\nand {left} more: {where}" if left else text


def _p_value(value: float) -> str:
    return f"<{_LEAST_P:.4f}" if value < _LEAST_P else f"{value:.4f}"


def _covariance(result: MmrmResult) -> str:
    found = result.covariance
    frames = {"": found} if isinstance(found, pd.DataFrame) else found
    if len(result.grid.data.visits) > _VISITS or len(frames) > _GROUPS:
        by = f", a dict by level of {result.spec.group}" if result.spec.group else ""
        return f"Covariance of {len(result.grid.data.visits)} visits: fit.covariance{by}"
    title = "Covariance of the visits, correlations above the diagonal"
    return "\n\n".join(
        f"{title}{f', {label}' if label else ''}\n"
        + _with_correlations(frame).to_string(float_format="{:.4g}".format)
        for label, frame in frames.items()
    )


def _with_correlations(covariance: pd.DataFrame) -> pd.DataFrame:
    values = covariance.to_numpy()
    size = np.sqrt(np.diag(values))
    above = np.triu(np.ones(values.shape, dtype=np.bool_), 1)
    mixed = np.where(above, values / np.outer(size, size), values)
    return pd.DataFrame(mixed, covariance.index, covariance.columns)


def _patterns(result: MmrmResult) -> str:
    """Subjects by which visits they were seen at, and how many at each visit."""
    found = result.fit.reml.cells.moments.patterns
    visits = result.grid.data.visits
    width = max(map(len, visits))
    first = list(found.items())[:_PATTERNS]
    lines = [
        " ".join(f"{'x' if seen else '.':>{width}}" for seen in pattern) + f"  {count:,}"
        for pattern, count in first
    ]
    rest = len(found) - len(first)
    if rest:
        others = result.n_patients - sum(count for _, count in first)
        lines.append(f"and {others:,} in {rest} other patterns")
    seen = [
        f"{sum(count for pattern, count in found.items() if pattern[t]):,} at {visit}"
        for t, visit in enumerate(visits)
    ]
    head = " ".join(f"{visit:>{width}}" for visit in visits)
    return "\n".join([f"Seen: {', '.join(seen)}", f"{head}  subjects", *lines])


def _notes(result: MmrmResult) -> str:
    return "Notes\n" + ("\n".join(f"- {note}" for note in result.notes) or "- none")
