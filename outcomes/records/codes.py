"""What stands in the category columns, looked at once a distinct value.

A column of a few codes and millions of rows is grouped first; every check then runs on the codes.
Codes that the catalog or the contract does not know are kept and counted. Text that a spreadsheet
would run as a formula, or a browser as markup, is kept as text and reported. No code is repeated in
a message: what stands in a cell may be anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from outcomes.catalog.instruments import instrument_aliases
from outcomes.catalog.interventions import intervention_aliases, intervention_types
from outcomes.catalog.medications import ingredients
from outcomes.core.contract import Column, Table
from outcomes.records.placing import Findings
from outcomes.records.rules import known_instrument
from outcomes.records.sql import ident, literal, literals

MOST_CODES: Final = 20_000
"""Distinct values looked at in one column; beyond, it is not a category."""
CATALOGS: Final[dict[str, Callable[[], Iterable[str]]]] = {
    "intervention": intervention_types,
}
LISTED_BY: Final = {
    "instrument": "instruments",
    "intervention": "interventions",
    "drug": "medications",
}
"""What to ask of ``outcomes catalog`` for the codes of a column."""
MOST_LISTED: Final = 12
HOW_TO_RECODE: Final = 'Recode them in mapping.toml, recode = { "your code" = "a known one" }.'
ALIASES: Final[dict[str, Callable[[], Mapping[str, str]]]] = {
    "instrument": instrument_aliases,
    "intervention": intervention_aliases,
}


def check_codes(findings: Findings, table: Table, supplied: Iterable[str]) -> dict[str, list[str]]:
    """Check every category column; returns the distinct values by column."""
    distinct: dict[str, list[str]] = {}
    for column in table.columns:
        if column.name in supplied and column.kind in ("category", "string"):
            values = _distinct(findings, table.name, column.name)
            values = _resolve_aliases(findings, table.name, column.name, values)
            _check_known(findings, table, column, values)
            _check_hostile(findings, table, column, values)
            distinct[column.name] = values
    return distinct


def _distinct(findings: Findings, table: str, column: str) -> list[str]:
    rows = findings.connection.execute(
        f"SELECT DISTINCT {ident(column)} AS code FROM rows_{table} "
        f"WHERE {ident(column)} IS NOT NULL ORDER BY code LIMIT {MOST_CODES}"
    ).fetchall()
    return [row[0] for row in rows]


def _resolve_aliases(findings: Findings, table: str, column: str, values: list[str]) -> list[str]:
    """Write catalog ids for other names in use (``oswestry`` is ``odi``), and say so."""
    known = ALIASES[column]() if column in ALIASES else {}
    found = {value: known[value] for value in values if known.get(value, value) != value}
    if not found:
        return values
    condition = f"{ident(column)} IN ({literals(found)})"
    ids = ", ".join(sorted(set(found.values())))
    findings.place(
        "note",
        table,
        "alias",
        condition,
        f"bear another name of a catalog id and were read as {ids}",
        "Nothing to do.",
        column,
    )
    cases = " ".join(f"WHEN {literal(old)} THEN {literal(new)}" for old, new in found.items())
    findings.connection.execute(
        f"UPDATE rows_{table} SET {ident(column)} = CASE {ident(column)} {cases} END "
        f"WHERE {condition}"
    )
    return sorted({found.get(value, value) for value in values})


def not_known(column: Column, values: list[str]) -> tuple[list[str], str]:
    """Return the codes that nobody declared, and who would have."""
    if column.name == "instrument":
        return [value for value in values if known_instrument(value) is None], "the catalog"
    if column.name in CATALOGS:
        known = set(CATALOGS[column.name]())
        return [value for value in values if value not in known], "the catalog"
    if column.name == "drug":
        return [value for value in values if not ingredients(value)], "the catalog"
    if column.values:
        return [value for value in values if value not in column.values], "the contract"
    return [], ""


def _check_known(findings: Findings, table: Table, column: Column, values: list[str]) -> None:
    unknown, whose = not_known(column, values)
    if not unknown:
        return
    closed = column.values and not column.open_values
    findings.place(
        "error" if closed else "warning",
        table.name,
        "unknown_code",
        f"{ident(column.name)} IN ({literals(unknown)})",
        f"hold {len(unknown)} code{'s' * (len(unknown) > 1)} that {whose} does not know",
        f"{HOW_TO_RECODE} {known_codes(column)}",
        column.name,
    )


def known_codes(column: Column) -> str:
    """Say which codes of a column are known, or how to see them; empty where any will do."""
    if column.name in LISTED_BY:
        return f"Known are those that 'outcomes catalog {LISTED_BY[column.name]}' lists."
    if len(column.values) > MOST_LISTED:
        return f"Known are those of {column.name} in docs/reference/records.md."
    return f"Known are {', '.join(column.values)}." if column.values else ""


def is_formula(value: str) -> bool:
    """Whether a spreadsheet would run the text when a file with it is opened."""
    return value[:1] in ("=", "@") or (
        value[:1] in ("+", "-") and not value[1:2].isdigit() and value[1:2] not in ("", ".")
    )


def is_markup(value: str) -> bool:
    """Whether a browser might read the text as markup."""
    position = value.find("<")
    return position >= 0 and (
        value[position + 1 : position + 2].isalpha() or "</" in value or "<!" in value
    )


def _check_hostile(findings: Findings, table: Table, column: Column, values: list[str]) -> None:
    for rule, test, message in (
        ("formula", is_formula, "begin like a spreadsheet formula"),
        ("markup", is_markup, "hold what a browser would read as markup"),
    ):
        found = [value for value in values if test(value)]
        if found:
            findings.place(
                "warning",
                table.name,
                rule,
                f"{ident(column.name)} IN ({literals(found)})",
                message,
                "They are kept as plain text and never run; correct them in the export.",
                column.name,
            )
