"""What points at a person: patterns of column names and of values, from ``data/identifiers.toml``.

The expressions keep to what DuckDB's RE2 and Python's ``re`` both read, so that the same text is
tested in Python and run in the database.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from outcomes.records.names import normalised


@dataclass(frozen=True, kw_only=True)
class NamePattern:
    """Names of columns that hold one kind of identifier; ``what`` says which, for messages."""

    group: str
    what: str
    regex: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, kw_only=True)
class ValuePattern:
    """A shape of values.

    Attributes
    ----------
    share, key_share : float
        Share of a column's filled cells from which the shape counts; 0 means one cell. Columns of
        ids need the larger of the two.
    at_least : int
        Cells from which the shape counts.
    few_distinct : bool
        Whether a category's label may have this shape, so that mostly different values are asked
        for.
    check : str
        Check digit that most of the values must pass; empty for none.
    """

    group: str
    what: str
    regex: str
    share: float = 0.0
    key_share: float = 0.0
    at_least: int = 1
    few_distinct: bool = False
    check: str = ""
    examples: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@cache
def _content() -> Mapping[str, Any]:
    place = files("outcomes.records") / "data" / "identifiers.toml"
    return tomllib.loads(place.read_text(encoding="utf-8"))


@cache
def name_patterns() -> tuple[NamePattern, ...]:
    """Return the patterns of names, in the order in which they are tried."""
    return tuple(
        NamePattern(
            group=row["group"],
            what=row["what"],
            regex=tuple(re.compile(text) for text in row["regex"]),
        )
        for row in _content()["column"]
    )


@cache
def value_patterns() -> tuple[ValuePattern, ...]:
    """Return the shapes of values."""
    rows = [dict(row) for row in _content()["value"]]
    for row in rows:
        row["examples"], row["others"] = tuple(row["examples"]), tuple(row["others"])
    return tuple(ValuePattern(**row) for row in rows)


def named_kind(column: str) -> NamePattern | None:
    """Return the kind of identifier that a column is named like, or None."""
    name = normalised(column)
    for pattern in name_patterns():
        if any(regex.search(name) for regex in pattern.regex):
            return pattern
    return None


def is_value_like(text: str) -> bool:
    """Whether a text looks like a value that points at a person, not like the name of a column."""
    return any(char.isdigit() for char in text) and any(
        re.search(pattern.regex, text) for pattern in value_patterns() if not pattern.few_distinct
    )


def mod11(digits: str) -> bool:
    """Whether ten digits end in the check digit of the United Kingdom's health service."""
    numbers = [int(char) for char in digits if char.isdigit()]
    if len(numbers) != 10:
        return False
    remainder = sum((10 - k) * number for k, number in enumerate(numbers[:9])) % 11
    return (11 - remainder) % 11 == numbers[9]


CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {"mod11": mod11}
"""Check digits by the name in the data file."""
