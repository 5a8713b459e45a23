"""Codes for missing that nobody listed: a pile of values at 99 with next to none beside it.

A code outside the range of its column breaks a rule. One inside, such as 99 on a scale from 0 to
100, goes in as a value. Looked for are the codes that the mapping lists as missing of any column,
and the usual ones; what piles up may still be real, so it is kept and asked about. The lowest and
the highest possible value are not looked at: many people may have those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

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


def piles(counts: Mapping[float, int], codes: Iterable[float]) -> list[float]:
    """Return the codes that are far commoner than every value near them.

    Parameters
    ----------
    counts : mapping of float to int
        Rows by value, of the codes and of what lies near them.
    codes : iterable of float
    """
    found = []
    for code in sorted(set(codes) & set(counts)):
        beside = max((n for v, n in counts.items() if v != code and _is_near(v, code)), default=0)
        if counts[code] >= max(FEWEST, TIMES * beside):
            found.append(code)
    return found


def _reach(code: float) -> float:
    return max(1.0, abs(code) / NEAR)


def _is_near(value: float, code: float) -> bool:
    return abs(value - code) <= _reach(code)


def check_hidden_codes(
    findings: Findings, table: Table, supplied: Iterable[str], listed: frozenset[float]
) -> None:
    """Report piles among the scores, and among the numbers of the episodes."""
    there = set(supplied)
    if table.name == "assessments" and "score" in there:
        for name, counts in _near_codes(findings, table, "score", listed, "instrument").items():
            known = known_instrument(name) if name else None
            limits = (known.score_min, known.score_max) if known else ()
            for code in piles(counts, (USUAL | listed).difference(limits)) if name else ():
                _ask(findings, table, "score", code, listed, name)
    for column in table.columns if table.name == "episodes" else ():
        if column.name in there and column.kind in ("number", "integer"):
            counts = _near_codes(findings, table, column.name, listed).get("", {})
            for code in piles(counts, (USUAL | listed).difference((column.low, column.high))):
                _ask(findings, table, column.name, code, listed)


def _near_codes(
    findings: Findings, table: Table, column: str, listed: frozenset[float], by: str = "''"
) -> dict[str, dict[float, int]]:
    """Count the values of a column at and near the codes, in one scan."""
    near = " OR ".join(
        f"{ident(column)} BETWEEN {code - _reach(code)!r} AND {code + _reach(code)!r}"
        for code in sorted(USUAL | listed)
    )
    rows = findings.connection.execute(
        f"SELECT {by} AS kind, {ident(column)}, count(*) FROM rows_{table.name} WHERE {near} "
        "GROUP BY 1, 2"
    ).fetchall()
    counts: dict[str, dict[float, int]] = {}
    for kind, value, n in rows:
        counts.setdefault(kind, {})[float(value)] = n
    return counts


def _ask(
    findings: Findings,
    table: Table,
    column: str,
    code: float,
    listed: frozenset[float],
    instrument: str = "",
) -> None:
    """Report a pile, with the rows."""
    of_what = f" for instrument '{instrument}'" if instrument else ""
    where = f"instrument = {literal(instrument)} AND " if instrument else ""
    also = ", as the mapping says of other columns" if code in listed else ""
    findings.place(
        "warning",
        table.name,
        "hidden_code",
        f"{where}{ident(column)} = {literal(code)}",
        f"hold '{code:g}'{of_what}, far more than any value near it",
        f"They are kept as values. Does it mean missing{also}? Then list it in mapping.toml:"
        f" missing = [{code:g}] of this column.",
        column,
    )
