"""What an export's names most likely mean: tables, columns and codes.

Every guess carries its reason, because someone has to read it before it is believed. Names are
compared after :func:`outcomes.records.names.normalised`; columns that hold one instrument at one
time are taken apart in :mod:`outcomes.records.wide_guesses`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from outcomes.core.contract import Table
from outcomes.records.names import normalised
from outcomes.records.schema import IDENTIFIERS, TABLES
from outcomes.records.synonyms import is_instrument, synonyms
from outcomes.records.wide_guesses import WideGuess

RECORD_NUMBER: Final = re.compile(
    r"mrn|med_?rec|chart|nhs|ssn|hospital|account|emr|ehr|number|nummer|_n[or]$"
)
"""Names of ids that a clinic uses itself, so that they are surely no pseudonyms."""

DATED: Final = re.compile(r"(^|_)(date|datetime)($|_)|datum$")
OTHER_DATE: Final = re.compile(
    r"(^|_)(birth|born|geb|dob|dod|death|died|tod|surgery|injury|accident|onset|due|print|export"
    r"|creat|updat|modif|entered|insur|end|last|discharge|entlass)"
)
"""Dates that are the day of no visit, treatment or questionnaire."""


@dataclass(frozen=True, kw_only=True)
class Guess:
    """One canonical column: what the mapping should say, why, and what a person has to answer."""

    column: str
    says: Mapping[str, Any]
    reason: str
    gaps: tuple[str, ...] = ()


@dataclass(kw_only=True)
class TableGuess:
    """One table from one source."""

    table: Table
    reason: str
    columns: list[Guess] = field(default_factory=list)
    wide: list[WideGuess] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    distinct: bool = False
    filter: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def n_gaps(self) -> int:
        """How much of it a person has to fill or to answer."""
        asked = [one.gaps for one in self.columns] + [one.gaps for one in self.wide]
        return len(self.gaps) + sum(map(len, asked))

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
    return next((by_name[other] for other in found), only_date(names) if column == "day" else "")


def only_date(names: Sequence[str]) -> str:
    """The one column that is named like a date and is no known other one; empty for none."""
    others = {
        other
        for column, words in synonyms()["dates"].items()
        if column not in ("day", "start")
        for other in words
    }
    found = [
        name
        for name in names
        if DATED.search(plain := normalised(name))
        and plain not in others
        and not OTHER_DATE.search(plain)
    ]
    return found[0] if len(found) == 1 else ""


def guess_weeks(column: str, names: Sequence[str]) -> str:
    """Return the source's count of weeks from which a day follows; empty for none."""
    by_name = {normalised(name): name for name in names}
    found = (other for other in synonyms()["weeks"].get(column, ()) if other in by_name)
    return next((by_name[other] for other in found), "")


def guess_columns(
    table: Table, names: Sequence[str], *, dated: bool, told: Mapping[str, str] | None = None
) -> list[Guess]:
    """Guess every declared column of a table; a source column is used once, ids apart.

    ``told`` gives the source columns of ids that somebody has named already.
    """
    free = list(names)
    guesses: list[Guess] = []
    for column in table.columns:
        found, reason = guess_column(column.name, free)
        if told and column.name in told:
            found, reason = told[column.name], "as it is mapped"
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


def guess_codes(column: str, codes: Iterable[str]) -> dict[str, str]:
    """Return the canonical code for every code that is a known other word for it."""
    known = synonyms()["codes"].get(column, {})
    meant = {other: code for code, others in known.items() for other in others}
    return {code: meant[normalised(code)] for code in codes if normalised(code) in meant}


def best_table(names: Sequence[str], *, dated: bool) -> str:
    """The table of which the most columns are recognised; an instrument's column is a score."""
    scored = sum(map(is_instrument, names))
    counts = {
        name: len(guess_columns(table, names, dated=dated))
        + (scored if name == "assessments" else 0)
        for name, table in TABLES.items()
    }
    return max(counts, key=lambda name: (counts[name], name == "episodes"))
