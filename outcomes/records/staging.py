"""Canonical tables in DuckDB: typed columns, integer keys, and a mask of what failed.

Every table is written once, as ``rows_<table>``. Bit ``i`` of ``_bad`` says that the cell of the
``i``-th declared column could not be converted, bit ``ORPHAN + i`` that its key does not stand in
the table it refers to. Keys become integers by the order of the source ids' text, so that they do
not depend on the order of rows or files; ``key_<id>`` keeps the pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from outcomes.core.contract import Column, Table
from outcomes.records.columns import SQL_TYPES, cell_text, converted, family
from outcomes.records.feeds import Feed
from outcomes.records.schema import IDENTIFIERS, TABLES
from outcomes.records.sql import ident

ORPHAN: Final = 32
OWNERS: Final = {
    "patient_id": "patients",
    "episode_id": "episodes",
    "session_id": "sessions",
    "provider_id": "providers",
    "clinic_id": "clinics",
}


def bit(position: int) -> str:
    """One bit as a SQL integer."""
    return f"CAST({1 << position} AS BIGINT)"


def stage(connection: Any, feeds: Sequence[Feed]) -> dict[str, frozenset[str]]:
    """Write every fed table; returns the columns that the records supply, by table."""
    rewritten = build_keys(connection, feeds)
    supplied: dict[str, frozenset[str]] = {}
    by_table: dict[str, list[tuple[int, Feed]]] = {}
    for number, feed in enumerate(feeds):
        by_table.setdefault(feed.table.name, []).append((number, feed))
    for name, fed in by_table.items():
        columns = frozenset(column for _, feed in fed for column in feed.cells)
        supplied[name] = columns
        typed = " UNION ALL ".join(
            _typed(TABLES[name], number, feed, columns, _settled(connection, feed))
            for number, feed in fed
        )
        rows = _rows(TABLES[name], typed, columns, rewritten)
        connection.execute(f"CREATE TABLE rows_{name} AS {rows}")
        connection.execute(f"CREATE VIEW {name} AS {_view(TABLES[name], columns)}")
    for identifier in IDENTIFIERS:
        connection.execute(f"DROP TABLE IF EXISTS given_{identifier}")
    return supplied


def build_keys(connection: Any, feeds: Sequence[Feed]) -> frozenset[str]:
    """Number the source ids of every kind; ``known`` says that the owning table holds the id.

    Blanks are cut and missing codes found once a distinct text and not once a row. Returns the
    kinds that hold any of these: there ``given_<id>`` has the ids as they are written. Elsewhere
    that is how they stand in ``key_<id>``.
    """
    rewritten = set()
    for identifier in IDENTIFIERS:
        owner = OWNERS[identifier]
        parts = [
            f"SELECT {_given(feed, identifier)} AS given, "
            f"{'TRUE' if feed.table.name == owner else 'FALSE'} AS known "
            f"FROM {feed.relation}{_where(feed)}"
            for feed in feeds
            if identifier in feed.cells
        ]
        if parts:
            connection.execute(
                f"CREATE OR REPLACE TEMP TABLE given_{identifier} AS "
                f"SELECT given, bool_or(known) AS known FROM ({' UNION ALL '.join(parts)}) "
                "WHERE given IS NOT NULL GROUP BY given"
            )
            rewritten |= {identifier} if _number_ids(connection, identifier) else set()
    return frozenset(rewritten)


def _number_ids(connection: Any, identifier: str) -> bool:
    """Make ``key_<id>`` from ``given_<id>``; returns whether any id is kept in another form."""
    given, key = f"given_{identifier}", f"key_{identifier}"
    numbered = f"CREATE TABLE {key} AS SELECT source, row_number() OVER (ORDER BY source) AS id"
    (changed,) = connection.execute(
        f"SELECT count(*) FILTER (given IS DISTINCT FROM {cell_text('given')}) FROM {given}"
    ).fetchone()
    if not changed:
        connection.execute(f"{numbered}, known FROM (SELECT given AS source, known FROM {given})")
        return False
    connection.execute(
        f"{numbered}, known FROM (SELECT {cell_text('given')} AS source, bool_or(known) AS known "
        f"FROM {given} GROUP BY 1) WHERE source IS NOT NULL"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {given} AS SELECT g.given, k.id, k.known "
        f"FROM {given} AS g JOIN {key} AS k ON {cell_text('g.given')} = k.source"
    )
    return True


def _given(feed: Feed, column: str) -> str:
    """Text of an id as it is written; stored numbers become the text of a whole number."""
    cell = feed.cells[column]
    if family(cell.duck_type) == "text":
        return cell.sql
    return converted(feed.table[column], cell.sql, cell.duck_type, cell.decimal).value


def _plain(feed: Feed, column: str, settled: frozenset[str]) -> str:
    """One cell as the conversion takes it."""
    if feed.table[column].kind == "key":
        return _given(feed, column)
    cell = feed.cells[column]
    is_text = family(cell.duck_type) == "text" and column not in settled
    return cell_text(cell.sql) if is_text else cell.sql


def _settled(connection: Any, feed: Feed) -> frozenset[str]:
    """Return the text columns that the conversion would leave as they are.

    Every distinct text is looked at once, which is far less than to convert every row; as a filter
    of the count, because a condition would be moved to the rows. Columns that are converted alike
    share a statement: to compile one takes longer than to read a small table.
    """
    alike: dict[str, list[str]] = {}
    for name, cell in feed.cells.items():
        column = feed.table[name]
        if column.kind in ("category", "string") and cell.duck_type.upper() == "VARCHAR":
            after = converted(column, "given", cell.duck_type).value
            alike.setdefault(after, []).append(name)
    found: set[str] = set()
    for after, names in alike.items():
        texts = " UNION ALL ".join(
            f"SELECT DISTINCT {k} AS k, {feed.cells[name].sql} AS given FROM "
            f"{feed.relation}{_where(feed)}"
            for k, name in enumerate(names)
        )
        changed = connection.execute(
            f"SELECT k FROM ({texts}) GROUP BY k "
            f"HAVING count(*) FILTER (given IS DISTINCT FROM {after}) > 0"
        ).fetchall()
        found |= {*names} - {names[k] for (k,) in changed}
    return frozenset(found)


def _where(feed: Feed) -> str:
    return f" WHERE {feed.where}" if feed.where else ""


def _rows(table: Table, typed: str, columns: frozenset[str], rewritten: frozenset[str]) -> str:
    """Select the typed rows of all feeds and swap source ids for integers."""
    keys = [
        column.name for column in table.columns if column.kind == "key" and column.name in columns
    ]
    picked = [
        f"{_alias(c)}.id AS {ident(c)}" if c in keys else f"s.{ident(c)}"
        for c in table.names
        if c in columns
    ]
    bad = " + ".join(["s._bad", *_orphan_bits(table, keys)])
    joins = " ".join(
        f"LEFT JOIN given_{key} AS {_alias(key)} ON s.{ident(key)} = {_alias(key)}.given"
        if key in rewritten
        else f"LEFT JOIN key_{key} AS {_alias(key)} ON s.{ident(key)} = {_alias(key)}.source"
        for key in keys
    )
    return (
        f"SELECT s._row, s._source, {', '.join(picked)}, {bad} AS _bad FROM ({typed}) AS s {joins}"
    )


def _alias(key: str) -> str:
    return f"k_{key}"


def _orphan_bits(table: Table, keys: Iterable[str]) -> list[str]:
    return [
        f"CASE WHEN {_alias(key)}.id IS NOT NULL AND NOT {_alias(key)}.known "
        f"THEN {bit(ORPHAN + table.names.index(key))} ELSE 0 END"
        for key in keys
        if table[key].references
    ]


def _typed(
    table: Table, number: int, feed: Feed, columns: frozenset[str], settled: frozenset[str]
) -> str:
    picked: list[str] = []
    bad: list[str] = ["CAST(0 AS BIGINT)"]
    for position, column in enumerate(table.columns):
        if column.name not in columns:
            continue
        value, fails = _expressions(column, feed, settled)
        picked.append(f"{value} AS {ident(column.name)}")
        if fails != "FALSE":
            bad.append(f"CASE WHEN {fails} THEN {bit(position)} ELSE 0 END")
    return (
        f"SELECT _row, CAST({number} AS INTEGER) AS _source, {', '.join(picked)}, "
        f"{' + '.join(bad)} AS _bad FROM ({_clean(feed, settled)})"
    )


def _clean(feed: Feed, settled: frozenset[str]) -> str:
    """Select the cells of a feed under their canonical names, text without blanks and codes."""
    picked = [f"{_plain(feed, name, settled)} AS {ident(name)}" for name in feed.cells]
    return f"SELECT {', '.join([*picked, '_row'])} FROM {feed.relation}{_where(feed)}"


def _expressions(column: Column, feed: Feed, settled: frozenset[str]) -> tuple[str, str]:
    if column.name not in feed.cells:
        sql_type = "VARCHAR" if column.kind == "key" else SQL_TYPES[column.kind]
        return f"CAST(NULL AS {sql_type})", "FALSE"
    cell = feed.cells[column.name]
    name = ident(column.name)
    if column.kind == "key" or column.name in settled:
        return name, "FALSE"
    both = converted(column, name, cell.duck_type, cell.decimal, clean=True)
    return both.value, both.bad


def _view(table: Table, columns: frozenset[str]) -> str:
    """Show every declared column; those that were not supplied cost nothing and are NULL."""
    picked = [
        ident(column.name)
        if column.name in columns
        else f"CAST(NULL AS {SQL_TYPES[column.kind]}) AS {ident(column.name)}"
        for column in table.columns
    ]
    return f"SELECT {', '.join(picked)}, _row, _source FROM rows_{table.name}"


def set_aside(connection: Any, table: str, conditions: Mapping[str, str]) -> int:
    """Move the rows for which any condition holds to ``quarantine_<table>``; returns how many.

    ``conditions`` maps the name of a rule to its condition over ``rows_<table>``.
    """
    names = " || ".join(
        f"CASE WHEN coalesce({condition}, FALSE) THEN '{rule} ' ELSE '' END"
        for rule, condition in conditions.items()
    )
    rules = f"trim({names})" if conditions else "''"
    anything = " OR ".join(f"coalesce({condition}, FALSE)" for condition in conditions.values())
    connection.execute(
        f"CREATE TABLE quarantine_{table} AS SELECT * EXCLUDE (_bad), {rules} AS _rules "
        f"FROM rows_{table} WHERE {anything or 'FALSE'}"
    )
    (count,) = connection.execute(f"SELECT count(*) FROM quarantine_{table}").fetchone()
    if count:
        connection.execute(f"DELETE FROM rows_{table} WHERE {anything}")
    return int(count)
