"""Who is studied, when and what they had: tables of ``study.toml`` as frozen models.

A table is a request and holds nothing that is computed later. What is compared and how stands in
:mod:`outcomes.study.outcome_sections`.

Days are whole. ``[time]`` and ``[population]`` speak on the episode's clock (day 0 is its start);
``[[visits]]`` on the study's clock (day 0 is time zero, the end of the exposure window). Every
field has its description here once: error messages and the reference page are made from it.
"""

from __future__ import annotations

from math import ceil, floor
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

CODE: Final = r"^[a-z][a-z0-9_]*$"
EXPOSURE_CODE: Final = r"^[a-z][a-z0-9_]*(\+[a-z][a-z0-9_]*)?$"
Code = Annotated[str, Field(pattern=CODE, max_length=60)]
ExposureCode = Annotated[str, Field(pattern=EXPOSURE_CODE, max_length=121)]


def _tuples(value: Any) -> Any:
    """TOML has lists only; a frozen model holds tuples all the way down."""
    if isinstance(value, (list, tuple)):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value


class Section(BaseModel):
    """A table of ``study.toml``: frozen, strict types, no unknown key."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        str_strip_whitespace=True,
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _lists_to_tuples(cls, value: Any) -> Any:
        return _tuples(value)


class RecordsSpec(Section):
    """Where the records are."""

    path: str = Field(
        default="", description="Folder or file of the records, relative to `study.toml`"
    )
    path_env: str = Field(
        default="", description="Environment variable that holds the path where `path` is not given"
    )
    mapping: str = Field(
        default="",
        description="Mapping file, relative to `study.toml`; empty for canonical records",
    )
    quarantine_limit: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="Share of a table's rows set aside above which the run stops",
    )


class DisclosureSpec(Section):
    """What may leave the house."""

    profile: Literal["strict", "internal", "public-data"] = Field(
        default="strict", description="How the tables of `release/` are protected"
    )
    threshold: int = Field(
        default=11, ge=3, le=1000, description="Smallest count that may be shown"
    )
    reason: str = Field(default="", description="Why `public-data` is right; printed on the report")

    @model_validator(mode="after")
    def _reason_and_threshold(self) -> DisclosureSpec:
        if self.profile == "public-data" and not self.reason:
            raise ValueError(
                "reason: is empty. The profile 'public-data' prints why small numbers may be shown;"
                " say where the data are published"
            )
        if self.profile == "strict" and self.threshold < 11:
            raise ValueError(
                f"threshold: is {self.threshold}. The profile 'strict' hides every count from 1 to"
                " 10; use 11 or more, or the profile 'internal'"
            )
        return self


class PopulationSpec(Section):
    """Who is studied."""

    body_regions: tuple[str, ...] = Field(
        default=("low_back",), description="Regions of the complaint; empty for every region"
    )
    pool_regions: bool = Field(
        default=False, description="Must be true where more than one region is analysed together"
    )
    min_age: float = Field(default=18, ge=0, le=120, description="Youngest age, in years")
    max_age: float = Field(default=120, ge=0, le=120, description="Oldest age, in years")
    chronicity: tuple[Literal["acute", "subacute", "chronic", "unknown"], ...] = Field(
        default=(), description="Chronicity classes; empty for all"
    )
    exclude_red_flags: bool = Field(
        default=True, description="Leave out episodes with a red flag at intake screening"
    )
    programs: tuple[str, ...] = Field(default=(), description="Programs; empty for all")
    episodes: Literal["all", "first"] = Field(
        default="all",
        description="All eligible episodes, those of one patient taken as independent of each"
        " other; or the first of every patient",
    )

    @model_validator(mode="after")
    def _ages_and_regions(self) -> PopulationSpec:
        if self.min_age > self.max_age:
            raise ValueError(
                f"min_age: is {self.min_age:g}, above max_age {self.max_age:g}. Swap them"
            )
        if len(self.body_regions) != 1 and not self.pool_regions:
            raise ValueError(
                "pool_regions: is false but body_regions does not name exactly one region."
                " Name one, or set pool_regions = true to analyse them together on purpose"
            )
        return self


class TimeSpec(Section):
    """Time zero, baseline and ties."""

    window_days: int = Field(
        default=14, ge=0, le=365, description="Length of the exposure window; its end is time zero"
    )
    sensitivity_windows: tuple[Annotated[int, Field(ge=1, le=365)], ...] = Field(
        default=(7, 28), description="Other lengths, each analysed again"
    )
    baseline_from_day: int = Field(
        default=-30,
        ge=-3650,
        le=365,
        description="Earliest day of a baseline value (episode clock)",
    )
    tie: Literal["earlier", "later"] = Field(
        default="earlier",
        description="Which of two values equally far from a visit's target counts",
    )


class VisitSpec(Section):
    """One planned visit, or an event such as discharge.

    Where no visit is given: `week_6` (day 42, window 28 to 63), `week_12` (day 84, 64 to 126),
    `week_26` (day 182, 127 to 266) and `week_52` (day 364, 267 to 455).
    """

    label: Code = Field(description="Code of the visit")
    name: str = Field(default="", description="Name on the page")
    day: int | None = Field(
        default=None, ge=1, le=7300, description="Target, in days from time zero"
    )
    from_day: int | None = Field(
        default=None,
        ge=1,
        le=7300,
        description="First day of the window; default 75 % of the target",
    )
    to_day: int | None = Field(
        default=None,
        ge=1,
        le=7300,
        description="Last day of the window; default 125 % of the target",
    )
    event: Literal["", "discharge"] = Field(default="", description="Event that makes the visit")
    within_days: int = Field(
        default=14,
        ge=0,
        le=365,
        description="Event visits without a value marked as such: the last value at most this"
        " many days before the event",
    )
    analysed: bool | None = Field(
        default=None,
        description="Whether the model holds the visit; default: planned visits yes, event visits"
        " no (they are described, because their values are often those of a planned visit too)",
    )

    @model_validator(mode="before")
    @classmethod
    def _window(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        filled = dict(value)
        label = filled.get("label")
        if not filled.get("name") and isinstance(label, str):
            filled["name"] = label.replace("_", " ").capitalize()
        day = filled.get("day")
        if isinstance(day, int) and not isinstance(day, bool):
            filled.setdefault("from_day", max(1, ceil(0.75 * day)))
            filled.setdefault("to_day", floor(1.25 * day))
        if filled.get("analysed") is None and isinstance(filled.get("event", ""), str):
            filled["analysed"] = not filled.get("event")
        return filled

    @model_validator(mode="after")
    def _event_or_window(self) -> VisitSpec:
        given = (self.day, self.from_day, self.to_day)
        if self.label == "baseline":
            raise ValueError("label: 'baseline' is kept for time zero. Use another code")
        if self.event and any(day is not None for day in given):
            raise ValueError("event: an event visit has no day of its own. Leave the days out")
        if not self.event and any(day is None for day in given):
            raise ValueError("day: is missing. Give the target day, or an event")
        if not self.event and not self.target_in_window:
            raise ValueError("from_day: the target day lies outside from_day and to_day")
        return self

    @property
    def target_in_window(self) -> bool:
        """Whether ``from_day <= day <= to_day``."""
        if self.day is None or self.from_day is None or self.to_day is None:
            return False
        return self.from_day <= self.day <= self.to_day


def named(value: Any) -> Any:
    """Give a table without a name the words of its id."""
    if isinstance(value, dict) and not value.get("name") and isinstance(value.get("id"), str):
        return {**value, "name": value["id"].replace("_", " ").capitalize()}
    return value


class ExposureTypeSpec(Section):
    """One intervention type of the study's own."""

    id: Code = Field(description="Code of the type")
    name: str = Field(default="", description="Name on the page")
    interventions: tuple[str, ...] = Field(
        default=(),
        description="Catalog ids; each takes everything below it (the longest match wins)",
    )
    therapy: bool | None = Field(
        default=None,
        description="False for the type of those without therapy; default: has interventions",
    )

    @model_validator(mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return named(value)

    @property
    def is_therapy(self) -> bool:
        """Whether components of this type make an episode a treated one."""
        return bool(self.interventions) if self.therapy is None else self.therapy


class ExposureSpec(Section):
    """How an episode is classified, and what it is compared against."""

    source: Literal["components", "program"] = Field(
        default="components", description="From what was delivered, or from the assigned program"
    )
    programs: dict[str, ExposureCode] = Field(
        default={}, description='Program code to type id, for source = "program"'
    )
    reference: ExposureCode = Field(
        default="usual_care", description="Type that others are compared to"
    )
    primary: ExposureCode = Field(description="Type of the declared primary comparison")
    measure: Literal["auto", "minutes", "units", "visits"] = Field(
        default="auto",
        description="What shares are taken of; `auto`: minutes, else billed units, else visits,"
        " decided clinic by clinic from what is recorded",
    )
    share: float = Field(
        default=0.5,
        ge=0.3,
        lt=1,
        description="A type needs more than this share of the window's dose",
    )
    combined_min_share: float = Field(
        default=0.25,
        gt=0,
        le=0.5,
        description="Each of the two parts of a combination needs this share",
    )
    min_group: int = Field(
        default=30, ge=2, description="Episodes; smaller groups are left out with a reason"
    )
    types: tuple[ExposureTypeSpec, ...] = Field(
        default=(), description="Types of the study's own; default: those of the catalog"
    )


DEFAULT_VISITS: Final = (
    {"label": "week_6", "day": 42, "from_day": 28, "to_day": 63},
    {"label": "week_12", "day": 84, "from_day": 64, "to_day": 126},
    {"label": "week_26", "day": 182, "from_day": 127, "to_day": 266},
    {"label": "week_52", "day": 364, "from_day": 267, "to_day": 455},
)
"""Windows of the catalog's outcome definitions (a rule of the project, not reviewed)."""
