"""Safe pieces of SQL: every name is quoted, every value is a literal.

Nothing from a file or a mapping reaches DuckDB other than through :func:`ident` and
:func:`literal`, so a column called ``x"; drop table`` is a column with an odd name.
"""

from __future__ import annotations

from collections.abc import Iterable

BLANKS = " \t\r\n\u00a0\ufeff"
"""Characters that do not count at either end of a cell."""


def ident(name: str) -> str:
    """Quote a table or column name."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | float | int | bool | None) -> str:
    """Write one value as a SQL literal."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return f"CAST({value!r} AS DOUBLE)" if isinstance(value, float) else repr(value)
    return "'" + value.replace("'", "''") + "'"


def literals(values: Iterable[str]) -> str:
    """Write a list for ``IN``; never empty, because ``IN ()`` is not SQL."""
    return ", ".join(literal(value) for value in values) or "NULL"


def trimmed(expression: str) -> str:
    """Cut blanks from both ends of a text; most texts have none, and a test is cheaper."""
    ends = literal(f"^[{BLANKS}]|[{BLANKS}]$")
    return (
        f"CASE WHEN regexp_matches({expression}, {ends}) "
        f"THEN trim({expression}, {literal(BLANKS)}) ELSE {expression} END"
    )


def matches(expression: str, pattern: str) -> str:
    """Test a text against a regular expression, anywhere in it."""
    return f"regexp_matches({expression}, {literal(pattern)})"
