"""What is compared and how: outcomes, the declared comparison, the model and its gate.

Tables of ``study.toml`` as frozen models, like those in :mod:`outcomes.study.sections`.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field, model_validator

from outcomes.study.sections import Code, ExposureCode, Section, named

COVARIANCES: Final = ("us", "cs", "csh", "ar1", "ar1h", "toep", "toeph", "ad", "adh")
Covariance = Literal["us", "cs", "csh", "ar1", "ar1h", "toep", "toeph", "ad", "adh"]
DEFAULT_COVARIATES: Final = (
    "age", "sex", "chronicity", "pain_duration_months", "onset", "payer", "comorbidities",
    "previous_episodes", "leg_pain", "depression", "work_status", "lifting_load", "clinic_id",
)  # fmt: skip


def _known_instrument(outcome: dict[str, Any]) -> dict[str, Any]:
    from outcomes.catalog.instruments import instrument, instrument_aliases, instrument_ids

    plain = outcome["instrument"].strip().lower().replace("-", "_")
    name = instrument_aliases().get(plain, plain)
    if name not in instrument_ids():
        return outcome
    default = instrument(name).responder
    if "responders" in outcome or default is None:
        return {**outcome, "instrument": name}
    sizes = [{"threshold": default.mcid, "name": "MCID, one person", "source": default.source}]
    if default.percent is not None:
        sizes.append({"percent": default.percent, "name": "", "source": default.source})
    return {**outcome, "instrument": name, "responders": tuple(sizes)}


class ResponderSpec(Section):
    """One threshold for one person's improvement."""

    threshold: float | None = Field(
        default=None, gt=0, description="Improvement in the instrument's unit"
    )
    percent: float | None = Field(
        default=None, gt=0, le=100, description="Improvement in percent of the baseline value"
    )
    name: str = Field(default="", description="Name on the page")
    source: str = Field(default="", description="Source key of the catalog, or a reference")

    @model_validator(mode="after")
    def _one(self) -> ResponderSpec:
        if (self.threshold is None) == (self.percent is None):
            raise ValueError("threshold: give exactly one of threshold and percent")
        return self


class OutcomeSpec(Section):
    """One outcome that is compared between the types.

    Where no outcome is given: `pain` (`nprs`, margin 0.5), `mobility` (`odi`, margin 5) and
    `medication` (`daily_mme`, margin 5).
    """

    id: Code = Field(description="Code of the outcome; a column of the dataset")
    role: Literal["pain", "mobility", "medication", "other"] = Field(
        description="Chapter of the report it belongs to"
    )
    name: str = Field(default="", description="Name on the page")
    instrument: str = Field(default="", description="Instrument of the catalog, for a score")
    measure: Literal["score", "daily_mme"] = Field(
        default="score", description="What is measured: a score, or the mean daily opioid dose"
    )
    margin: float = Field(
        gt=0, description="Smallest difference between groups worth having, declared in advance"
    )
    margin_source: str = Field(default="", description="Where the margin comes from")
    responders: tuple[ResponderSpec, ...] = Field(
        default=(), description="Thresholds for one person's improvement; default: the catalog's"
    )
    visits: tuple[Code, ...] = Field(
        default=(), description="Visits it is planned at; empty for all"
    )
    window_days: int = Field(
        default=28,
        ge=1,
        le=365,
        description="Medication: days up to the visit over which is averaged",
    )
    factors: str = Field(
        default="cdc-2022", description="Medication: version of the opioid factors"
    )
    overlap: Literal["sum", "concurrent"] = Field(
        default="sum",
        description="Medication: early refills carry on for at most seven days before supplies add"
        " up (`sum`), or supplies add up as recorded (`concurrent`)",
    )
    as_needed: Literal["prescribed", "dispensed", "exclude"] = Field(
        default="prescribed",
        description="Medication: as-needed prescriptions last as long as prescribed, until the next"
        " fill, or are left out",
    )

    @model_validator(mode="before")
    @classmethod
    def _catalog(cls, value: Any) -> Any:
        """Fill in the name, the catalog's own id for an alias, and its default thresholds."""
        filled = named(value)
        if isinstance(filled, dict) and isinstance(filled.get("instrument"), str):
            filled = _known_instrument(filled)
        return filled

    @model_validator(mode="after")
    def _what(self) -> OutcomeSpec:
        if self.measure == "score" and not self.instrument:
            raise ValueError("instrument: is missing. A score needs its instrument's catalog id")
        if self.measure == "daily_mme" and self.instrument:
            raise ValueError("instrument: does not apply to measure 'daily_mme'. Leave it out")
        return self


class DescribedSpec(Section):
    """One instrument that is described, not compared."""

    instrument: str = Field(description="Instrument of the catalog")
    name: str = Field(default="", description="Name on the page")


class PrimarySpec(Section):
    """The one comparison declared in advance; the report's first sentence uses nothing else."""

    outcome: Code = Field(description="Outcome id")
    visit: Code = Field(description="Visit label")
    exposure: ExposureCode = Field(default="", description="Type; as in [exposure] primary")
    reference: ExposureCode = Field(
        default="", description="Compared against; as in [exposure] reference"
    )
    estimand: Literal["treatment-policy"] = Field(
        default="treatment-policy",
        description="Later changes of treatment are part of each strategy",
    )


class MedicationSpec(Section):
    """Until when a patient's prescriptions are known."""

    coverage: Literal["last_record", "declared"] = Field(
        default="last_record",
        description="`episodes.followed_to_day` where it is given; else the last dated record of"
        " the episode (`last_record`), or nothing is known (`declared`)",
    )


class ModelSpec(Section):
    """The mixed model for repeated measures."""

    covariates: tuple[str, ...] = Field(
        default=DEFAULT_COVARIATES,
        description="Columns of episodes and patients; the baseline of the outcome is always in",
    )
    covariate_missing: Literal["indicator", "drop"] = Field(
        default="indicator",
        description="A missing covariate gets an indicator, or drops the episode",
    )
    covariance: Covariance = Field(default="us", description="Covariance of the visits")
    group_covariance: Literal["auto", "exposure", "none"] = Field(
        default="auto",
        description="One covariance a type: where each group is large enough, always, never",
    )
    inference: Literal["kenward-roger", "satterthwaite", "between-within", "residual"] = Field(
        default="kenward-roger", description="Degrees of freedom"
    )
    conf_level: float = Field(default=0.95, ge=0.5, lt=1, description="Confidence level")
    draws: int = Field(default=20, ge=1, le=1000, description="Draws of unseen visits for shares")
    seed: int = Field(default=20261123, ge=0, description="Seed of the draws")


class GateSpec(Section):
    """What must hold before a difference is shown."""

    follow_up: float = Field(default=0.4, ge=0, le=1, description="Least share measured at a visit")
    group_size: int = Field(default=30, ge=2, description="Least episodes of a type")
    smd: float = Field(
        default=0.5, gt=0, description="Standardised difference above which overlap is doubted"
    )


_SMALL: Final = "lower end of what reviews call a small difference between groups (ahrq2016)"
DEFAULT_OUTCOMES: Final = (
    {
        "id": "pain", "role": "pain", "name": "Pain", "instrument": "nprs",
        "margin": 0.5, "margin_source": _SMALL,
    },
    {
        "id": "mobility", "role": "mobility", "name": "Mobility", "instrument": "odi",
        "margin": 5.0, "margin_source": _SMALL,
    },
    {
        "id": "medication", "role": "medication", "name": "Medication", "measure": "daily_mme",
        "margin": 5.0, "margin_source": "a choice of the toolkit, not reviewed",
    },
)  # fmt: skip
