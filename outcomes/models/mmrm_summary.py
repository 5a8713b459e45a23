"""A fitted mixed model as text to read on a terminal. Rounded here, for reading only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from outcomes.models.mmrm_result import MmrmResult

_SHOWN = ["estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"]


def summarise(result: MmrmResult) -> str:
    """What was asked, how the fit went, coefficients, covariance, notes."""
    return "\n\n".join([_head(result), _coefficients(result), _covariance(result), _notes(result)])


def _head(result: MmrmResult) -> str:
    spec, fit = result.spec, result.fit.reml
    by = f", one a level of {spec.group}" if spec.group else ""
    weights = f"\nweights      {spec.weights} ({spec.weight_kind})" if spec.weights else ""
    return (
        "Mixed model for repeated measures\n"
        f"formula      {spec.formula}\n"
        f"rows         {result.n_observations:,} of {result.n_patients:,} by {spec.subject}, "
        f"visits {', '.join(result.grid.data.visits)}{weights}\n"
        f"covariance   {fit.covariance}{by}: {fit.n_parameters} parameters\n"
        f"method       {spec.method.upper()}, inference {spec.inference}\n"
        f"fit          log-likelihood {result.log_likelihood:.3f}, AIC {result.aic:.2f}, "
        f"BIC {result.bic:.2f}, converged in {fit.n_iterations} steps "
        f"(gradient {result.gradient_norm:.1e})"
    )


def _coefficients(result: MmrmResult) -> str:
    table = result.coefficients().set_index("term")[_SHOWN]
    table.index.name = None
    shown = dict.fromkeys(_SHOWN, "{:.4g}".format)
    return f"Coefficients\n{table.to_string(formatters=shown)}"


def _covariance(result: MmrmResult) -> str:
    found = result.covariance
    frames = {"": found} if isinstance(found, pd.DataFrame) else found
    parts = [
        f"Covariance of the visits{f', {label}' if label else ''}\n"
        + frame.to_string(float_format="{:.4g}".format)
        for label, frame in frames.items()
    ]
    return "\n\n".join(parts)


def _notes(result: MmrmResult) -> str:
    return "Notes\n" + ("\n".join(f"- {note}" for note in result.notes) or "- none")
