"""Values that look as if they pointed at a person, found without being repeated.

A column is grouped to its distinct values first, and plain short numbers, simple codes and what has
no shape at all are put aside, so that the expressions of :mod:`outcomes.records.patterns` run one
by one on what is left. Nothing that was read leaves this module: a problem says which column, what
it looks like, how many cells and in which rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from outcomes.core.problems import FIRST_ROWS, Problem
from outcomes.records.columns import cell_text, converted, family
from outcomes.records.feeds import Feed
from outcomes.records.patterns import CHECKS, ValuePattern, value_patterns
from outcomes.records.schema import IDENTIFIERS
from outcomes.records.sources import Loaded
from outcomes.records.sql import ident, literal, matches

PLAIN: Final = "|".join(
    (
        "[+-]?[0-9]{0,7}([.,][0-9]+)?",
        "[A-Za-z]{0,12}[_-]?[0-9]{0,7}",
        "[a-z_.]{1,40}",
        "[0-9]{1,3}-[0-9]{1,3}",
    )
)
"""Short numbers, codes, and letters with a few digits: nobody can be meant by their shape."""
OPAQUE: Final = r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32,64}"
"""Random ids and hashes, which hold any shape by chance."""
ODD: Final = (
    f"NOT regexp_full_match(value, {literal(PLAIN)}) "
    f"AND NOT regexp_full_match(value, {literal(OPAQUE)})"
)
SHORTEST: Final = 10_000_000
"""Stored numbers below it have too few digits to be a number of a person or a date."""
MOSTLY_DISTINCT: Final = 0.5
FEWEST_DISTINCT: Final = 3
CHECKED: Final = 500
"""Distinct values whose check digits are looked at."""


@dataclass(frozen=True)
class _Column:
    """A column as SQL: the relation that holds it, its name there, and its cells as text."""

    relation: str
    name: str
    text: str

    @property
    def values(self) -> str:
        """Its distinct texts, each with the number ``n`` of its cells."""
        counted = (
            f"SELECT {ident(self.name)}, count(*) AS n FROM {self.relation} GROUP BY "
            f"{ident(self.name)}"
        )
        return f"SELECT {self.text} AS value, n FROM ({counted})"


@dataclass(frozen=True, kw_only=True)
class Hits:
    """Cells of one column that have a shape: all filled ones, those that hit, distinct hits."""

    filled: int
    cells: int
    distinct: int


def check_values(
    connection: Any, source: Loaded, shown: Mapping[str, str], months: frozenset[str]
) -> list[Problem]:
    """Report columns of a source whose values look like identifiers.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    source : Loaded
    shown : mapping of str to str
        Columns to look at, each with its name for messages.
    months : frozenset of str
        Columns of which only the month is read, so that dates in them are no fault.
    """
    texts = {column: _as_text(connection, source, column) for column in shown}
    columns = [_Column(source.relation, name, text) for name, text in texts.items() if text]
    problems: list[Problem] = []
    for column, patterns in _found(connection, columns, keyed=False):
        for pattern in patterns:
            if not (column.name in months and pattern.what == "dates"):
                condition = matches(column.text, pattern.regex)
                name = shown[column.name]
                problems.append(
                    _place(connection, source, source.relation, condition, pattern, name)
                )
    return problems


def check_key_values(connection: Any, feeds: Sequence[Feed]) -> list[Problem]:
    """Report ids that look like identifiers, once they are numbered (``key_<id>``)."""
    there = _key_tables(connection)
    keys = [f"key_{identifier}" for identifier in IDENTIFIERS if f"key_{identifier}" in there]
    columns = [_Column(key, "source", "source") for key in keys]
    problems: list[Problem] = []
    for column, patterns in _found(connection, columns, keyed=True):
        identifier = column.relation.removeprefix("key_")
        for pattern in patterns:
            if not (pattern.group == "name_two_words" and identifier == "clinic_id"):
                problems += _key_places(connection, feeds, identifier, pattern)
    return problems


def _key_tables(connection: Any) -> set[str]:
    rows = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'key_%'"
    ).fetchall()
    return {name for (name,) in rows}


def _as_text(connection: Any, source: Loaded, column: str) -> str:
    """SQL of a column as text; empty where its type or size rules every shape out."""
    kind = family(source.columns[column])
    if kind == "text":
        return f"({cell_text(ident(column))})"
    if kind not in ("integer", "wide", "number"):
        return ""
    (largest,) = connection.execute(
        f"SELECT max({ident(column)}) FILTER (isfinite(CAST({ident(column)} AS DOUBLE))) "
        # The limits that Parquet keeps of its parts answer this, mostly without reading a number.
        f"FROM {source.relation} WHERE {ident(column)} >= {SHORTEST}"
    ).fetchone()
    if largest is None:
        return ""
    return f"CAST(TRY_CAST({ident(column)} AS HUGEINT) AS VARCHAR)"


def _found(
    connection: Any, columns: Sequence[_Column], *, keyed: bool
) -> Iterator[tuple[_Column, list[ValuePattern]]]:
    """Yield the shapes that so many cells of a column have that it is no coincidence."""
    patterns = value_patterns()
    # To compile the shapes takes longer than to read a small table: first, what has any at all.
    for column, filled in _odd(connection, columns):
        shaped = matches("value", "|".join(f"(?:{pattern.regex})" for pattern in patterns))
        suspects = f"(SELECT * FROM ({column.values}) WHERE {ODD} AND {shaped})"
        (n_suspects,) = connection.execute(f"SELECT count(*) FROM {suspects}").fetchone()
        if not n_suspects:
            continue
        hits = _hits(connection, suspects, filled, patterns)
        yield (
            column,
            [
                pattern
                for pattern, hit in zip(patterns, hits, strict=True)
                if _counts(pattern, hit, keyed=keyed) and _passes(connection, column, pattern)
            ],
        )


def _odd(connection: Any, columns: Sequence[_Column]) -> list[tuple[_Column, int]]:
    """Return the columns with a value that is neither plain nor opaque, and their filled cells."""
    if not columns:
        return []
    all_values = " UNION ALL ".join(
        f"SELECT {k} AS k, value, n FROM ({column.values})" for k, column in enumerate(columns)
    )
    rows = connection.execute(
        f"SELECT k, sum(n) FROM ({all_values}) WHERE value IS NOT NULL "
        f"GROUP BY k HAVING count(*) FILTER ({ODD}) > 0 ORDER BY k"
    ).fetchall()
    return [(columns[k], int(filled)) for k, filled in rows]


def _hits(
    connection: Any, suspects: str, filled: int, patterns: Iterable[ValuePattern]
) -> list[Hits]:
    counted = ", ".join(
        f"coalesce(sum(n) FILTER ({hit}), 0), count(*) FILTER ({hit})"
        for hit in (matches("value", pattern.regex) for pattern in patterns)
    )
    row = connection.execute(f"SELECT {counted} FROM {suspects}").fetchone()
    return [
        Hits(filled=filled, cells=int(row[k]), distinct=int(row[k + 1]))
        for k in range(0, len(row), 2)
    ]


def _counts(pattern: ValuePattern, hits: Hits, *, keyed: bool) -> bool:
    """Whether so many cells of this shape are more than a coincidence."""
    if hits.cells < pattern.at_least:
        return False
    if pattern.few_distinct and not keyed:
        fewest = max(FEWEST_DISTINCT, MOSTLY_DISTINCT * hits.cells)
        if hits.distinct < fewest:
            return False
    share = max(pattern.share, pattern.key_share) if keyed else pattern.share
    return hits.cells >= share * hits.filled


def _passes(connection: Any, column: _Column, pattern: ValuePattern) -> bool:
    """Whether most values of this shape end in the right check digit, where there is one."""
    if not pattern.check:
        return True
    rows = connection.execute(
        f"SELECT DISTINCT {column.text} AS value FROM {column.relation} "
        f"WHERE {matches(column.text, pattern.regex)} ORDER BY value LIMIT {CHECKED}"
    ).fetchall()
    right = sum(CHECKS[pattern.check](value) for (value,) in rows)
    return right >= pattern.share * len(rows)


def _place(
    connection: Any,
    source: Loaded,
    relation: str,
    condition: str,
    pattern: ValuePattern,
    column: str,
) -> Problem:
    (count,) = connection.execute(f"SELECT count(*) FROM {relation} WHERE {condition}").fetchone()
    rows = connection.execute(
        f"SELECT DISTINCT _row FROM {relation} WHERE {condition} ORDER BY _row LIMIT {FIRST_ROWS}"
    ).fetchall()
    return Problem(
        severity="fatal",
        table=source.origin.stem,
        column=column,
        rule="identifier",
        message=f"hold what looks like {pattern.what}",
        remedy="Leave the column out of the export, or drop it in the mapping (drop); a mapping"
        " turns dates into days.",
        count=count,
        n_rows=source.n_rows,
        rows=tuple(int(row) for (row,) in rows),
        source=source.origin.name,
    )


def _key_places(
    connection: Any, feeds: Sequence[Feed], identifier: str, pattern: ValuePattern
) -> list[Problem]:
    """Place an id's shape in every source that holds it."""
    problems = []
    for feed in feeds:
        if identifier in feed.cells:
            cell = feed.cells[identifier]
            value = converted(feed.table[identifier], cell.sql, cell.duck_type).value
            condition = matches(f"({value})", pattern.regex)
            place = _place(connection, feed.loaded, feed.relation, condition, pattern, identifier)
            problems += [place] if place.count else []
    return problems
