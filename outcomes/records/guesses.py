"""What an export's names most likely mean: tables, columns, wide columns and codes.

Every guess carries its reason, because someone has to read it before it is believed. Names are
compared after :func:`outcomes.records.names.normalised`; other names in use are in
``data/synonyms.toml``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Final

from outcomes.catalog.instruments import instrument_aliases, instrument_ids
from outcomes.core.contract import Table
from outcomes.records.names import normalised
from outcomes.records.schema import IDENTIFIERS, TABLES

RECORD_NUMBER: Final = re.compile(
    r"mrn|med_?rec|chart|nhs|ssn|hospital|account|emr|ehr|number|_no$"
)
"""Names of ids that a clinic uses itself, so that they are surely no pseudonyms."""
_TIMED: Final = re.compile(
    r"(?P<instrument>[A-Za-z][A-Za-z0-9_ .-]*?)(?P<gap>[_ .-]*)"
    r"(?P<word>weeks?|wk|w|months?|mo|m|days?|d)(?P<gap2>[_ .-]*)(?P<number>[0-9]+)",
    re.IGNORECASE,
)
_UNITS: Final = {"w": "week", "m": "month", "d": "day"}


@dataclass(frozen=True, kw_only=True)
class Guess:
    """One canonical column: what the mapping should say, and why."""

    column: str
    says: Mapping[str, Any]
    reason: str


@dataclass(frozen=True, kw_only=True)
class WideGuess:
    """Columns that become rows: what the mapping should say, and why."""

    says: Mapping[str, Any]
    reason: str
    columns: tuple[str, ...]


@dataclass(kw_only=True)
class TableGuess:
    """One table from one source."""

    table: Table
    reason: str
    columns: list[Guess] = field(default_factory=list)
    wide: list[WideGuess] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    distinct: bool = False

    @property
    def filled(self) -> set[str]:
        """Canonical columns that something is made into."""
        names = {guess.column for guess in self.columns}
        for wide in self.wide:
            names |= {"instrument", "score", *wide.says.get("set", ())}
            pattern = wide.says.get("pattern", "")
            if any(word in pattern for word in ("{day}", "{week}", "{month}", "{visit}")):
                names.add("day")
        return names


@cache
def synonyms() -> Mapping[str, Any]:
    """Return other names in use; the caller must not change them."""
    place = files("outcomes.records") / "data" / "synonyms.toml"
    return tomllib.loads(place.read_text(encoding="utf-8"))


def guess_table(stem: str) -> tuple[Table | None, str]:
    """Return the table that a file's name speaks of, and why."""
    name = normalised(stem)
    if name in TABLES:
        return TABLES[name], "the file has the table's name"
    spellings = (name, normalised(stem.lower()))
    for table, others in synonyms()["tables"].items():
        ends = tuple(f"_{word}" for word in (table, *others))
        if any(one in others or one.endswith(ends) for one in spellings):
            return TABLES[table], f"{stem!r} is another word for {table}"
    return None, ""


def guess_column(column: str, names: Sequence[str]) -> tuple[str, str]:
    """Return which of the source's names fills a declared column, and why; empty for none."""
    by_name = {normalised(name): name for name in names}
    if column in by_name:
        return by_name[column], "same name"
    for other in synonyms()["columns"].get(column, ()):
        if other in by_name:
            return by_name[other], f"{by_name[other]!r} is another word for {column}"
    return "", ""


def guess_date(column: str, names: Sequence[str]) -> str:
    """Return the source's date from which a declared column follows; empty for none."""
    by_name = {normalised(name): name for name in names}
    found = (other for other in synonyms()["dates"].get(column, ()) if other in by_name)
    return next((by_name[other] for other in found), "")


def guess_weeks(column: str, names: Sequence[str]) -> str:
    """Return the source's count of weeks from which a day follows; empty for none."""
    by_name = {normalised(name): name for name in names}
    found = (other for other in synonyms()["weeks"].get(column, ()) if other in by_name)
    return next((by_name[other] for other in found), "")


def guess_columns(table: Table, names: Sequence[str], *, dated: bool) -> list[Guess]:
    """Guess every declared column of a table; a source column is used once, ids apart."""
    free = list(names)
    guesses: list[Guess] = []
    for column in table.columns:
        found, reason = guess_column(column.name, free)
        if found:
            guesses.append(Guess(column=column.name, says={"from": found}, reason=reason))
        elif dated and (date := guess_date(column.name, free)):
            guesses.append(Guess(column=column.name, says={"date": date}, reason="a date"))
            found = date
        elif weeks := guess_weeks(column.name, free):
            says = {"from": weeks, "factor": 7}
            guesses.append(Guess(column=column.name, says=says, reason="weeks, so times 7"))
            found = weeks
        if found and column.name not in IDENTIFIERS:
            free.remove(found)
    return guesses


def guess_wide(names: Iterable[str]) -> list[WideGuess]:
    """Guess which columns are one instrument at one time, such as ``odi_wk6``."""
    patterns: dict[str, list[str]] = {}
    visits: dict[str, dict[str, int]] = {}
    for name in names:
        timed = _TIMED.fullmatch(name)
        if timed and is_instrument(timed["instrument"]):
            unit = _UNITS[timed["word"][0].lower()]
            pattern = f"{{instrument}}{timed['gap']}{timed['word']}{timed['gap2']}{{{unit}}}"
            patterns.setdefault(pattern, []).append(name)
            continue
        for day, words in synonyms()["visits"].items():
            for word in words:
                if name.lower().endswith(word) and is_instrument(name[: -len(word)].rstrip("_ .-")):
                    gap = name[len(name[: -len(word)].rstrip("_ .-")) : -len(word)]
                    pattern = f"{{instrument}}{gap}{{visit}}"
                    patterns.setdefault(pattern, []).append(name)
                    visits.setdefault(pattern, {})[word] = int(day)
    return [
        WideGuess(
            says={"pattern": pattern, **({"days": visits[pattern]} if pattern in visits else {})},
            reason=f"an instrument and its time in one name: {', '.join(map(repr, found[:4]))}",
            columns=tuple(found),
        )
        for pattern, found in patterns.items()
    ]


def guess_instruments(names: Iterable[str]) -> list[WideGuess]:
    """Guess which columns are the score of one instrument, beside a column for the time."""
    return [
        WideGuess(
            says={"column": name, "set": {"instrument": instrument_name(name)}},
            reason=f"{name!r} is the name of an instrument",
            columns=(name,),
        )
        for name in names
        if is_instrument(name)
    ]


def instrument_name(name: str) -> str:
    """Catalog id for a name as a column bears it."""
    plain = normalised(name)
    return instrument_aliases().get(plain, plain)


def is_instrument(name: str) -> bool:
    """Whether the catalog knows a name."""
    return instrument_name(name) in instrument_ids()


def guess_codes(column: str, codes: Iterable[str]) -> dict[str, str]:
    """Return the canonical code for every code that is a known other word for it."""
    known = synonyms()["codes"].get(column, {})
    meant = {other: code for code, others in known.items() for other in others}
    return {code: meant[normalised(code)] for code in codes if normalised(code) in meant}


def best_table(names: Sequence[str], *, dated: bool) -> str:
    """The table of which the most columns are recognised; an instrument's column is a score."""
    scored = len(guess_instruments(names))
    counts = {
        name: len(guess_columns(table, names, dated=dated))
        + (scored if name == "assessments" else 0)
        for name, table in TABLES.items()
    }
    return max(counts, key=lambda name: (counts[name], name == "episodes"))


def leading_instrument(column: str) -> str:
    """The instrument that a wide column's name begins with; empty for none."""
    parts = normalised(column).split("_")
    names = ["_".join(parts[:k]) for k in range(len(parts), 0, -1)]
    known = [instrument_name(name) for name in names if is_instrument(name)]
    return known[0] if known else ""
