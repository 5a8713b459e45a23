"""Statements about therapy that patients read, and how the toolkit represents each of them.

The list is a duty: a test walks it through the catalog, the canonical tables, the synthetic records
and the report, so that no statement is left without something that records, measures or guards it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from outcomes.catalog.facts import read_toml

TYPES: Final = ("I", "C", "O", "P", "S", "M")
"""Intervention or dose, covariate, outcome, process or quality, safety, duty of method."""

_LISTS: Final = (
    "types",
    "interventions",
    "instruments",
    "medications",
    "definitions",
    "columns",
    "event_kinds",
    "tables",
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One statement: what it says, what kind of thing it is, and where the toolkit holds it."""

    number: int
    statement: str
    representation: str
    types: tuple[str, ...]
    interventions: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    medications: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    event_kinds: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()


@cache
def parts() -> tuple[Part, ...]:
    """Return all statements in order."""
    rows = read_toml("parts.toml")["part"]
    return tuple(
        Part(**{**row, **{name: tuple(row.get(name, ())) for name in _LISTS}}) for row in rows
    )


@cache
def named_care() -> Mapping[str, tuple[str, ...]]:
    """Return the forms of care that are named one by one: exercise forms, modalities, ..."""
    return {name: tuple(ids) for name, ids in read_toml("parts.toml")["count"].items()}
