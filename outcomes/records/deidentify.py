"""The identifier guard: a column that may point at a person stops the intake.

A column comes in unless the mapping drops it or turns its dates into days. What comes in is looked
at by name first, then by value. Declared columns of a canonical file are allowed by name; in a
mapped file a column that becomes an id must be declared a pseudonym by whoever knows how it was
made. Shapes of values are looked for everywhere, in ids too.

A pseudonym that was computed from a record number is not made safe by this: the guard sees names
and shapes, never where a value came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from outcomes.core.problems import Problem
from outcomes.records.columns import family
from outcomes.records.identifier_values import check_values
from outcomes.records.mapping import Mapping as RecordsMapping
from outcomes.records.mapping import TableMap, is_source
from outcomes.records.names import normalised
from outcomes.records.patterns import is_value_like, named_kind
from outcomes.records.schema import IDENTIFIERS, TABLES
from outcomes.records.sources import Loaded


@dataclass(frozen=True, kw_only=True)
class Uses:
    """What becomes of the columns of one source; names are normalised.

    Attributes
    ----------
    dropped : frozenset of str
        Columns that do not come in, or only as days.
    keys : dict of str to str
        Columns that become ids, each with the id.
    allowed : frozenset of str
        Columns whose names are fine: declared ones, and pseudonyms by the owner's word.
    """

    dropped: frozenset[str]
    keys: dict[str, str]
    allowed: frozenset[str]


def check_identifiers(
    connection: Any, loaded: Sequence[Loaded], plan: RecordsMapping | None
) -> list[Problem]:
    """Report columns that may point at a person, by name or by value; every one is fatal.

    Ids are not looked into here: :func:`outcomes.records.identifier_values.check_key_values` does
    that once for each distinct id.
    """
    problems: list[Problem] = []
    for source in loaded:
        mapped = plan is not None and plan.names(source.origin)
        uses = _mapped_uses(source, plan) if plan and mapped else _canonical_uses(source)
        by_name, clean = _by_name(source, uses)
        problems += by_name
        shown = {column: _shown(source, column) for column in clean}
        problems += check_values(connection, source, shown, _months(source))
    return problems


def _canonical_uses(source: Loaded) -> Uses:
    table = TABLES.get(normalised(source.origin.stem))
    names = frozenset(table.names) if table else frozenset()
    keys = {name: name for name in names if name in IDENTIFIERS}
    return Uses(dropped=frozenset(), keys=keys, allowed=names)


def _mapped_uses(source: Loaded, plan: RecordsMapping) -> Uses:
    tables = [table for table in plan.tables if is_source(source.origin, table.source)]
    pseudonymous = plan.declared_pseudonymous(source.origin)
    declared = {name for table in tables for name in TABLES[table.table].names}
    return Uses(
        dropped=plan.dropped(source.origin) | _turned_into_days(source, plan, tables),
        keys=_mapped_keys(source, tables, plan.dropped(source.origin)),
        allowed=frozenset(declared - set(IDENTIFIERS)) | pseudonymous,
    )


def _turned_into_days(
    source: Loaded, plan: RecordsMapping, tables: Iterable[TableMap]
) -> frozenset[str]:
    dates = {value.date for table in tables for value in table.columns.values() if value.date}
    if plan.dates and is_source(source.origin, plan.dates.source):
        dates.add(plan.dates.start)
    return frozenset(normalised(name) for name in dates)


def _mapped_keys(
    source: Loaded, tables: Iterable[TableMap], dropped: frozenset[str]
) -> dict[str, str]:
    keys: dict[str, str] = {}
    for table in tables:
        named = set(TABLES[table.table].names) & set(IDENTIFIERS) if table.take_named else set()
        keys |= {name: name for name in named - table.columns.keys() - dropped}
        for name, value in table.columns.items():
            if name in IDENTIFIERS:
                keys |= {normalised(column): name for column in value.source}
    present = {normalised(column) for column in source.columns}
    return {column: key for column, key in keys.items() if column in present}


def _by_name(source: Loaded, uses: Uses) -> tuple[list[Problem], list[str]]:
    """Problems with the names of columns, and the columns whose values are still to be seen."""
    problems: list[Problem] = []
    clean: list[str] = []
    for column in source.columns:
        name = normalised(column)
        if name in uses.dropped and name not in uses.keys:
            continue
        kind = None if name in uses.allowed else named_kind(column)
        if name in uses.keys and name not in uses.allowed:
            problems.append(_undeclared(source, column, uses.keys[name]))
        elif kind is not None:
            problems.append(_named(source, column, f"is named like {kind.what}"))
        elif _is_unread_date(source, name, source.columns[column]):
            problems.append(_named(source, column, "holds dates"))
        elif name not in uses.keys:
            clean.append(column)
    return problems, clean


def _is_unread_date(source: Loaded, name: str, duck_type: str) -> bool:
    """Whether a stored date comes in; the contract checks declared columns itself."""
    table = TABLES.get(normalised(source.origin.stem))
    return family(duck_type) == "date" and (table is None or name not in table)


def _months(source: Loaded) -> frozenset[str]:
    """Columns that may hold stored dates, because only their month is read."""
    return frozenset(c for c in source.columns if normalised(c) == "start_month")


def _shown(source: Loaded, column: str) -> str:
    """Name of a column for a message; its position where the name may be the value of a cell."""
    position = list(source.columns).index(column) + 1
    return f"column {position}" if is_value_like(column) else column


def _named(source: Loaded, column: str, message: str) -> Problem:
    return Problem(
        severity="fatal",
        table=source.origin.stem,
        column=_shown(source, column),
        rule="identifier",
        message=message,
        remedy="Leave it out of the export, or drop it in the mapping (drop); a mapping turns dates"
        " into days. A pseudonym or a harmless column is declared there (pseudonymous).",
        source=source.origin.name,
    )


def _undeclared(source: Loaded, column: str, key: str) -> Problem:
    return Problem(
        severity="fatal",
        table=source.origin.stem,
        column=_shown(source, column),
        rule="identifier",
        message=f"becomes {key} and is not declared a pseudonym",
        remedy="If the numbers stand for nothing outside this export, list the column under"
        " pseudonymous in the mapping; if not, replace them first.",
        source=source.origin.name,
    )
