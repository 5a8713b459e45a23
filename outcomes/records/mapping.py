"""How a clinic's files relate to the canonical tables: ``mapping.toml`` as a frozen request.

A mapping only declares. It holds no SQL and no code; every name and value in it is quoted before it
reaches the database. What it may say is documented in ``docs/how-to/map-your-records.md``.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from outcomes.core.errors import SpecError
from outcomes.records.names import normalised
from outcomes.records.schema import TABLES
from outcomes.records.sources import Origin, ReadOptions

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
TableName = Literal[
    "patients", "episodes", "sessions", "components", "assessments", "items", "medications",
    "events", "care_plans", "home_log", "providers", "clinics",
]  # fmt: skip


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | int | float) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Codes = Annotated[tuple[Scalar, ...], BeforeValidator(_listed)]


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Condition(_Declared):
    """Keeps the rows in which a column says something; all conditions of a table must hold."""

    column: str
    equals: Codes = ()
    differs: Codes = ()
    at_least: float | None = None
    at_most: float | None = None
    filled: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Condition:
        limits = (self.at_least, self.at_most, self.filled)
        if not (self.equals or self.differs) and all(limit is None for limit in limits):
            raise ValueError("needs one of equals, differs, at_least, at_most, filled")
        return self


class Change(_Declared):
    """What happens to the text of a cell: missing codes, then recode, then factor and add."""

    missing: Codes = ()
    recode: dict[str, Scalar] = Field(default_factory=dict)
    other: Literal["report", "keep", "missing"] = "report"
    factor: float = 1.0
    add: float = 0.0

    @property
    def scales(self) -> bool:
        """Whether numbers are converted."""
        return self.factor != 1.0 or self.add != 0.0


class Value(Change):
    """Where a canonical column comes from: a source column or several, a date, or a constant."""

    source: Names = Field(default=(), alias="from")
    date: str = ""
    constant: Scalar | None = None
    required: bool = False

    @model_validator(mode="after")
    def _has_one_origin(self) -> Value:
        if sum((bool(self.source), bool(self.date), self.constant is not None)) != 1:
            raise ValueError("needs exactly one of from, date, constant")
        if len(self.source) > 1 and (self.recode or self.scales):
            raise ValueError("several columns are joined to one id; they cannot be recoded")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Source columns that are read."""
        return (self.date,) if self.date else self.source


class Wide(Change):
    """Columns side by side that become rows: ``odi_wk6`` or one named column.

    ``pattern`` may hold ``{instrument}``, ``{item}``, ``{day}``, ``{week}``, ``{month}`` and
    ``{visit}`` (looked up in ``days``). ``set`` gives canonical columns of each row; ``value`` is
    the canonical column that the cell fills (none: the row itself is what counts); ``only`` keeps
    the rows whose cell says one of these. Empty cells make no row.
    """

    pattern: str = ""
    column: str = ""
    value: str | None = None
    set: dict[str, Scalar] = Field(default_factory=dict)
    instruments: dict[str, str] = Field(default_factory=dict)
    days: dict[str, StrictInt] = Field(default_factory=dict)
    only: Codes = ()

    @model_validator(mode="after")
    def _has_one_origin(self) -> Wide:
        if bool(self.pattern) == bool(self.column):
            raise ValueError("needs exactly one of pattern, column")
        if "{visit}" in self.pattern and not self.days:
            raise ValueError("{visit} in a pattern needs a table days")
        return self


def _value(value: Any) -> Any:
    return {"from": value} if isinstance(value, str | list) else value


ColumnValue = Annotated[Value, BeforeValidator(_value)]


class TableMap(_Declared):
    """One source of one canonical table."""

    source: str
    table: TableName
    columns: dict[str, ColumnValue] = Field(default_factory=dict)
    wide: tuple[Wide, ...] = ()
    filter: tuple[Condition, ...] = ()
    distinct: bool = False
    take_named: bool = True
    drop: Names = ()
    pseudonymous: Names = ()

    @model_validator(mode="after")
    def _fills_declared_columns(self) -> TableMap:
        table = TABLES[self.table]
        filled = [*self.columns, *(name for wide in self.wide for name in wide.set)]
        filled += [wide.value for wide in self.wide if wide.value]
        for name in filled:
            if name not in table:
                raise ValueError(
                    f"{self.table} has no column {name!r}; it has {', '.join(table.names)}"
                )
        return self

    def made_from(self, place: str) -> list[tuple[str, str]]:
        """Each source column that is named and comes in as it is, after its place."""
        named = [
            (f"{place}.columns.{name}", column)
            for name, value in self.columns.items()
            for column in value.source
        ]
        wide = enumerate(self.wide, start=1)
        return named + [(f"{place}.wide[{k}]", one.column) for k, one in wide if one.column]


class SourceMap(_Declared):
    """How to read one file, and which of its columns may not or need not come in."""

    separator: str = Field(default="", max_length=1)
    encoding: str = ""
    decimal: Literal["", ".", ","] = ""
    drop: Names = ()
    pseudonymous: Names = ()


class Dates(_Declared):
    """The file that knows when each episode began, so that dates can become days."""

    source: str
    episode: Names
    start: str
    patient: Names = ()
    format: Names = ()


class Mapping(_Declared):
    """Everything a ``mapping.toml`` may say."""

    version: Literal[1] = Field(default=1, alias="schema")
    missing: Codes = ()
    drop: Names = ()
    pseudonymous: Names = ()
    sources: dict[str, SourceMap] = Field(default_factory=dict)
    dates: Dates | None = None
    tables: tuple[TableMap, ...]

    @model_validator(mode="after")
    def _dates_have_a_start(self) -> Mapping:
        dated = any(value.date for table in self.tables for value in table.columns.values())
        if dated and self.dates is None:
            raise ValueError("a column is made from a date: [dates] must say when episodes start")
        return self

    @model_validator(mode="after")
    def _drops_nothing_it_maps(self) -> Mapping:
        both = [
            f"{place}: is made from {column!r}, which drop leaves out. Take it out of drop, or take"
            " this line out"
            for number, table in enumerate(self.tables, start=1)
            for place, column in table.made_from(f"tables[{number}]")
            if normalised(column) in self._dropped_beside(table.source)
        ]
        if both:
            raise ValueError("\n".join(both))
        return self

    def _dropped_beside(self, source: str) -> set[str]:
        """Columns, normalised, that any part of the mapping drops from the file of a table."""
        parts: list[Mapping | SourceMap | TableMap] = [self]
        parts += [said for name, said in self.sources.items() if _one_file(name, source)]
        parts += [table for table in self.tables if _one_file(table.source, source)]
        return {normalised(name) for part in parts for name in part.drop}

    def options(self, name: str) -> ReadOptions:
        """How to read a file."""
        said = self.sources.get(name, SourceMap())
        return ReadOptions(separator=said.separator, encoding=said.encoding, decimal=said.decimal)

    def names(self, origin: Origin) -> bool:
        """Whether any part of the mapping reads from a file."""
        wanted = {table.source for table in self.tables} | set(self.sources)
        wanted |= {self.dates.source} if self.dates else set()
        return any(is_source(origin, name) for name in wanted)

    def dropped(self, origin: Origin) -> frozenset[str]:
        """Source columns, normalised, that must not come in."""
        return self._declared(origin, "drop")

    def declared_pseudonymous(self, origin: Origin) -> frozenset[str]:
        """Source columns, normalised, of which the owner says that they are pseudonyms."""
        return self._declared(origin, "pseudonymous")

    def _declared(self, origin: Origin, what: str) -> frozenset[str]:
        parts: list[_Declared] = [self]
        parts += [said for name, said in self.sources.items() if is_source(origin, name)]
        parts += [table for table in self.tables if is_source(origin, table.source)]
        return frozenset(normalised(name) for part in parts for name in getattr(part, what))


def is_source(origin: Origin, name: str) -> bool:
    """Whether a name in the mapping means this file, part of a folder, or table of a database."""
    return name in (origin.name, origin.stem, origin.member)


def _one_file(name: str, other: str) -> bool:
    """Whether two names in the mapping may mean one file, with its ending and without."""
    return name == other or Path(name).stem == other or name == Path(other).stem


def read_mapping(path: str | Path) -> Mapping:
    """Read and check a ``mapping.toml``.

    Raises
    ------
    SpecError
        With every fault and its place.
    """
    place = Path(path)
    try:
        text = place.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError):
        raise SpecError(f"{place} cannot be read; name a mapping.toml in UTF-8.") from None
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        text = f"{place.name}: is not valid TOML: {fault}. Mend that line; strings need quotes"
        raise SpecError(text, [text]) from None
    if _is_study(content):
        text = (
            f"{place.name}: is a study, not a mapping, which says how exports become records. Give"
            " the path of a mapping.toml, such as the one that [records] mapping in the study names"
        )
        raise SpecError(text, [text])
    return build_mapping(content, name=place.name)


def _is_study(content: dict[str, Any]) -> bool:
    return "tables" not in content and bool({"id", "exposure", "primary"} & set(content))


def build_mapping(content: dict[str, Any], *, name: str = "mapping") -> Mapping:
    """Check a mapping given as plain values.

    Raises
    ------
    SpecError
        With every fault and its place.
    """
    try:
        return Mapping.model_validate(content)
    except ValidationError as fault:
        faults = _faults(fault)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise SpecError(f"{name}: {faults[0]}{more}", faults) from None


_UNIONS = ("bool", "int", "float", "str")


def _faults(fault: ValidationError) -> list[str]:
    """One line a place; the branches of a union of plain types count once.

    A fault of the mapping as a whole says its places itself, one a line.
    """
    lines: dict[str, str] = {}
    for error in fault.errors(include_url=False):
        place = _place(error["loc"])
        message = error["msg"].removeprefix("Value error, ")
        if error["type"] == "extra_forbidden":
            message = f"is not something a mapping can say{_meant(error['loc'])}"
        elif error["type"] == "missing":
            message = "is missing"
        for text in [f"{place}: {message}"] if place else message.split("\n"):
            lines.setdefault(place or text, text)
    return list(lines.values())


_PARTS: dict[str, type[BaseModel]] = {
    "sources": SourceMap, "dates": Dates, "tables": TableMap, "columns": Value, "wide": Wide,
    "filter": Condition,
}  # fmt: skip


def _meant(loc: tuple[int | str, ...]) -> str:
    """Suggest what may stand at a place and looks like what does."""
    inside = [_PARTS[part] for part in loc[:-1] if isinstance(part, str) and part in _PARTS]
    fields = (inside[-1] if inside else Mapping).model_fields
    known = [field.alias or name for name, field in fields.items()]
    near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.6)
    return f". Did you mean {near[0]!r}?" if near else ""


def _place(loc: tuple[int | str, ...]) -> str:
    place = ""
    for part in loc:
        if isinstance(part, int):
            place += f"[{part + 1}]"
        elif part not in _UNIONS:
            place += f".{part}" if place else part
    return place
