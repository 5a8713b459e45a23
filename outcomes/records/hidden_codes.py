"""Codes for missing that nobody listed: a pile of values at 99 with next to none beside it.

A code outside the range of its column breaks a rule. One inside, such as 99 on a scale from 0 to
100, goes in as a value. Looked for are the codes that the mapping lists as missing of any column,
and the usual ones; what piles up may still be real, so it is kept and asked about. The lowest and
the highest possible value are not looked at: many people may have those.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from outcomes.core.contract import Table
from outcomes.records.cells import code_number
from outcomes.records.mapping import Mapping as RecordsMapping
from outcomes.records.placing import Findings
from outcomes.records.rules import known_instrument
from outcomes.records.sql import ident, literal

USUAL: Final = frozenset({9.0, 99.0, 999.0, 9999.0, -9.0, -99.0, -999.0})
FEWEST: Final = 5
"""Rows that make a pile."""
NEAR: Final = 20
"""Values are near a code within one, or within this part of it."""
TIMES: Final = 5
"""How many times the commonest value near it a pile must be."""


def listed_codes(plan: RecordsMapping | None) -> frozenset[float]:
    """Return the numbers that a mapping lists as missing, of whatever column."""
    if plan is None:
        return frozenset()
    changes = [one for table in plan.tables for one in (*table.columns.values(), *table.wide)]
    codes = [*plan.missing, *(code for change in changes for code in change.missing)]
    return frozenset(number for code in codes if (number := code_number(code)) is not None)


def check_hidden_codes(
    findings: Findings, table: Table, supplied: Iterable[str], listed: frozenset[float]
) -> None:
    """Report piles among the scores, and among the numbers of the episodes."""
    there = set(supplied)
    if table.name == "assessments" and "score" in there:
        _among_scores(findings, listed)
    for column in table.columns if table.name == "episodes" else ():
        if column.name in there and column.kind in ("number", "integer"):
            for (code,) in _often(findings, table.name, ident(column.name), listed):
                if code not in (column.low, column.high):
                    _ask(findings, table.name, column.name, code, listed)


def _among_scores(findings: Findings, listed: frozenset[float]) -> None:
    for name, code in _often(findings, "assessments", "instrument, score", listed):
        known = known_instrument(name) if name else None
        if name and not (known and code in (known.score_min, known.score_max)):
            where = f"instrument = {literal(name)} AND "
            _ask(findings, "assessments", "score", code, listed, where, f" for instrument '{name}'")


def _often(findings: Findings, table: str, columns: str, listed: frozenset[float]) -> list[Any]:
    """Values of columns that end in a code, where there are enough of them."""
    codes = ", ".join(map(literal, sorted(USUAL | listed)))
    rows: list[Any] = findings.connection.execute(
        f"SELECT {columns} FROM rows_{table} WHERE {columns.split(', ')[-1]} IN ({codes}) "
        f"GROUP BY {columns} HAVING count(*) >= {FEWEST} ORDER BY {columns}"
    ).fetchall()
    return rows


def _ask(
    findings: Findings,
    table: str,
    column: str,
    code: float,
    listed: frozenset[float],
    where: str = "",
    of_what: str = "",
) -> None:
    """Report a code if it stands out from the values near it."""
    name, reach = ident(column), max(1.0, abs(code) / NEAR)
    condition = f"{where}{name} = {literal(float(code))}"
    counts = findings.count(table, condition)
    (beside,) = findings.connection.execute(
        f"SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM rows_{table} "
        f"WHERE {where}{name} BETWEEN {code - reach!r} AND {code + reach!r} "
        f"AND {name} <> {literal(float(code))} GROUP BY {name})"
    ).fetchone()
    if sum(counts.values()) < TIMES * beside:
        return
    also = ", as the mapping says of other columns" if code in listed else ""
    findings.place(
        "warning",
        table,
        "hidden_code",
        condition,
        f"hold '{code:g}'{of_what}, far more than any value near it",
        f"They are kept as values. Does it mean missing{also}? Then list it in mapping.toml:"
        f" missing = [{code:g}] of this column.",
        column,
        counts,
    )
