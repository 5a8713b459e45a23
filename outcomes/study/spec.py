"""The study as a request: ``study.toml`` in, a frozen :class:`StudySpec` out, or all its faults.

Reading happens in three steps: the file as text (missing, wrong encoding, TOML syntax with its
line), each table against its model, and what has to agree between tables and with the catalog.
Every step that can run does run, so that one reading reports all there is to mend. A specification
that was read is complete: what was left out has been filled in, and :meth:`StudySpec.to_toml`
writes a file that reads back as the same specification.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from outcomes.core.errors import SpecError
from outcomes.core.provenance import hash_json
from outcomes.study.crosschecks import cross_faults
from outcomes.study.faults import fault
from outcomes.study.no_study import holds_records, is_mapping, mapping_given, no_study
from outcomes.study.outcome_sections import (
    DEFAULT_OUTCOMES,
    DescribedSpec,
    GateSpec,
    MedicationSpec,
    ModelSpec,
    OutcomeSpec,
    PrimarySpec,
    ResponderSpec,
)
from outcomes.study.sections import (
    DEFAULT_VISITS,
    DisclosureSpec,
    ExposureSpec,
    ExposureTypeSpec,
    PopulationSpec,
    RecordsSpec,
    Section,
    TimeSpec,
    VisitSpec,
)
from outcomes.study.toml_text import toml_text

__all__ = [
    "DescribedSpec",
    "DisclosureSpec",
    "ExposureSpec",
    "ExposureTypeSpec",
    "GateSpec",
    "MedicationSpec",
    "ModelSpec",
    "OutcomeSpec",
    "PopulationSpec",
    "PrimarySpec",
    "RecordsSpec",
    "ResponderSpec",
    "StudySpec",
    "TimeSpec",
    "VisitSpec",
    "read_study",
]

FILE_NAME: Final = "study.toml"
_ID: Final = r"^[a-z0-9][a-z0-9_-]*$"


class StudySpec(Section):
    """Everything that was decided before the records were looked at."""

    schema_version: Literal[1] = Field(
        default=1, alias="schema", description="Version of this format"
    )
    id: str = Field(pattern=_ID, max_length=60, description="Code of the study")
    title: str = Field(default="", description="Title of the report")
    question: str = Field(default="", description="The question in one sentence")
    design: Literal["observational", "randomised"] = Field(
        default="observational", description="Whether the types happened or were assigned on day 0"
    )
    records: RecordsSpec = RecordsSpec()
    disclosure: DisclosureSpec = DisclosureSpec()
    population: PopulationSpec = PopulationSpec()
    time: TimeSpec = TimeSpec()
    visits: tuple[VisitSpec, ...] = Field(description="Planned visits and events, in order")
    exposure: ExposureSpec
    outcomes: tuple[OutcomeSpec, ...] = Field(description="What is compared")
    described: tuple[DescribedSpec, ...] = Field(
        default=(), description="Further instruments; default: every known one in the records"
    )
    primary: PrimarySpec
    medication: MedicationSpec = MedicationSpec()
    model: ModelSpec = ModelSpec()
    gate: GateSpec = GateSpec()
    folder: Path = Field(
        default=Path(), exclude=True, description="Folder that relative paths start from"
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, value: Any) -> Any:
        return _filled(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _agreement(self) -> StudySpec:
        parts = {name: getattr(self, name) for name in type(self).model_fields}
        faults = cross_faults(parts)
        if faults:
            raise PydanticCustomError("study_faults", "{text}", {"text": "\n".join(faults)})
        return self

    @property
    def records_path(self) -> Path:
        """Where the records are, relative paths resolved against the study's folder."""
        return (self.folder / self.records.path).resolve()

    @property
    def mapping_path(self) -> Path | None:
        """The mapping file, or None for canonical records."""
        return (self.folder / self.records.mapping).resolve() if self.records.mapping else None

    @property
    def analysed_visits(self) -> tuple[VisitSpec, ...]:
        """Visits that the models hold, in order."""
        return tuple(visit for visit in self.visits if visit.analysed)

    @property
    def described_visits(self) -> tuple[VisitSpec, ...]:
        """Visits that are described only, in order."""
        return tuple(visit for visit in self.visits if not visit.analysed)

    @property
    def spec_hash(self) -> str:
        """SHA-256 of the canonical JSON form; where the records lie is no part of it."""
        content = self.model_dump(mode="json", by_alias=True)
        content["records"] = {"quarantine_limit": self.records.quarantine_limit}
        return hash_json(content)

    def outcome(self, outcome_id: str) -> OutcomeSpec:
        """Return one outcome by id."""
        return next(outcome for outcome in self.outcomes if outcome.id == outcome_id)

    def visit(self, label: str) -> VisitSpec:
        """Return one visit by label."""
        return next(visit for visit in self.visits if visit.label == label)

    def to_toml(self) -> str:
        """Write the complete specification as text that :func:`read_study` reads back."""
        return toml_text(self.model_dump(mode="json", by_alias=True, exclude_none=True))


def _filled(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what follows from the rest: title, visits, outcomes, clocks of a trial, primary."""
    filled = dict(raw)
    if not filled.get("title") and isinstance(filled.get("id"), str):
        filled["title"] = filled["id"].replace("-", " ").replace("_", " ").capitalize()
    filled.setdefault("visits", list(DEFAULT_VISITS))
    filled.setdefault("outcomes", list(DEFAULT_OUTCOMES))
    if filled.get("design") == "randomised" and isinstance(filled.get("time", {}), dict):
        assigned = {"window_days": 0, "sensitivity_windows": []}
        filled["time"] = assigned | filled.get("time", {})
    primary, exposure = filled.get("primary"), filled.get("exposure")
    if isinstance(primary, dict) and isinstance(exposure, dict):
        filled["exposure"] = _from(exposure, primary, {"primary": "exposure"})
        defaults = {"reference": ExposureSpec.model_fields["reference"].default}
        names = {"exposure": "primary", "reference": "reference"}
        filled["primary"] = _from(primary, defaults | filled["exposure"], names)
    return filled


def _from(table: dict[str, Any], other: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Take keys that are absent or empty from another table, under its own names."""
    taken = {key: other[name] for key, name in names.items() if other.get(name)}
    return {**table, **{key: value for key, value in taken.items() if not table.get(key)}}


def read_study(
    path: str | Path,
    *,
    records: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> StudySpec:
    """Read a study, or say everything that is wrong with it.

    Parameters
    ----------
    path : str or Path
        A ``study.toml``, or the folder that holds one.
    records : str or Path, optional
        Where the records are, instead of ``[records] path``; relative to the working directory.
    environ : mapping, optional
        Where ``[records] path_env`` is looked up; default the process's environment. It counts only
        where neither ``records`` nor ``[records] path`` is given.

    Returns
    -------
    StudySpec

    Raises
    ------
    SpecError
        With every fault in ``faults``.
    """
    file = Path(path)
    file = file / FILE_NAME if file.is_dir() else file
    raw = _parsed(file, Path(path))
    _place_records(raw, records, os.environ if environ is None else environ)
    raw["folder"] = file.resolve().parent
    try:
        return StudySpec.model_validate(raw)
    except ValidationError as error:
        faults = [f"{file.name} {text}" for text in _all_faults(error, raw)]
        raise SpecError(_joined(file.name, faults), faults) from None


def _joined(name: str, faults: list[str]) -> str:
    if len(faults) == 1:
        return faults[0]
    return "\n".join([f"{name} has {len(faults)} faults:", *(f"  {text}" for text in faults)])


def _parsed(file: Path, given: Path) -> dict[str, Any]:
    try:
        content = None if holds_records(file) else file.read_bytes()
    except OSError:
        content = None
    if content is None:
        text = no_study(given)
        raise SpecError(text, [text])
    try:
        found = tomllib.loads(_decoded(content, file.name))
    except tomllib.TOMLDecodeError as error:
        text = f"{file.name}: is not valid TOML: {error}. Mend that line; strings need quotes"
        raise SpecError(text, [text]) from None
    if is_mapping(found):
        text = mapping_given(file)
        raise SpecError(text, [text])
    return found


def _decoded(content: bytes, name: str) -> str:
    """TOML is UTF-8 by definition; a byte-order mark of an editor does no harm."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        text = f"{name}: line {line} is not UTF-8. Save the file with the encoding UTF-8"
        raise SpecError(text, [text]) from None
    if "\0" in text:
        fault_text = f"{name}: holds NUL characters, as UTF-16 files do. Save it as UTF-8"
        raise SpecError(fault_text, [fault_text])
    return text.replace("\r\n", "\n")


def _place_records(
    raw: dict[str, Any], records: str | Path | None, environ: Mapping[str, str]
) -> None:
    table = raw.setdefault("records", {})
    if not isinstance(table, dict):
        return
    if records is not None:
        table["path"] = str(Path(records).resolve())
    elif not table.get("path") and environ.get(str(table.get("path_env", ""))):
        table["path"] = str(Path(environ[table["path_env"]]).resolve())


def _all_faults(error: ValidationError, raw: Mapping[str, Any]) -> list[str]:
    """Faults of the tables, then those between the tables that are valid on their own."""
    found: list[str] = []
    for one in error.errors(include_url=False):
        if one["type"] == "study_faults":
            return str(one["ctx"]["text"]).split("\n")
        found.append(fault(one, raw, StudySpec))
    broken = {str(one["loc"][0]) for one in error.errors() if one["loc"]}
    return [*found, *cross_faults(_valid_parts(raw, broken))]


def _valid_parts(raw: Mapping[str, Any], broken: set[str]) -> dict[str, Any]:
    """Build the sections that are valid on their own."""
    from pydantic import TypeAdapter

    filled, parts = _filled(raw), {}
    for name, field in StudySpec.model_fields.items():
        if name in broken or (field.is_required() and name not in filled):
            continue
        value = filled.get(name, field.default)
        listed = tuple(value) if isinstance(value, list) else value
        parts[name] = TypeAdapter[Any](field.annotation or Any).validate_python(listed)
    return parts
