"""One cell to one typed value: the SQL for every kind of column that a contract may declare.

A conversion has two halves: the typed value, NULL where it cannot be had, and the condition under
which something was in the cell that is not of the kind. So a failed conversion is a placed problem
and never an error of the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from outcomes.core.contract import Column
from outcomes.records.sql import literal, literals, trimmed

MISSING_WORDS: Final = (
    "",
    "na",
    "n/a",
    "#n/a",
    "nan",
    "<na>",
    "null",
    "<undefined>",
    "*",
    ".",
    "nat",
)
"""Texts that mean that nothing is there, whatever the column; a mapping adds its own."""
TRUE_WORDS: Final = ("true", "t", "yes", "y", "1", "1.0")
FALSE_WORDS: Final = ("false", "f", "no", "n", "0", "0.0")
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2199
"""A date outside was read by the wrong form (``%Y`` reads 24 as the year 24) or means "no end"."""
LARGEST_INTEGER: Final = 9_000_000_000_000_000
"""Beyond it a double no longer holds every integer."""

_INTEGERS: Final = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER",
)  # fmt: skip
_WIDE: Final = ("HUGEINT", "UHUGEINT", "UBIGINT")
_FLOATS: Final = ("FLOAT", "DOUBLE", "REAL")
SQL_TYPES: Final = {
    "key": "BIGINT",
    "string": "VARCHAR",
    "category": "VARCHAR",
    "month": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
}


@dataclass(frozen=True)
class Conversion:
    """SQL of the typed value, and of the condition that the cell could not be converted."""

    value: str
    bad: str


def family(duck_type: str) -> str:
    """Sort a DuckDB type into text, integer, wide, number, boolean, date or other."""
    plain = duck_type.upper().split("(")[0]
    if plain in ("VARCHAR", "ENUM", "CHAR", "TEXT"):
        return "text"
    families = ((_INTEGERS, "integer"), (_WIDE, "wide"), ((*_FLOATS, "DECIMAL"), "number"))
    for types, name in families:
        if plain in types:
            return name
    if plain == "BOOLEAN":
        return "boolean"
    return "date" if plain == "DATE" or plain.startswith("TIMESTAMP") else "other"


def cell_text(expression: str, missing: tuple[str, ...] = ()) -> str:
    """Text of a cell without blanks at its ends, NULL where it says that nothing is there."""
    text = trimmed(f"CAST({expression} AS VARCHAR)")
    words = literals([*MISSING_WORDS, *(word.lower() for word in missing)])
    return f"CASE WHEN lower({text}) IN ({words}) THEN NULL ELSE {text} END"


def date_text(expression: str, missing: tuple[str, ...] = ()) -> str:
    """Text of a cell that holds a date; parts of seconds and a zone are cut, its day is local."""
    text = cell_text(expression, missing)
    zone = literal("(:[0-9]{2})([.,][0-9]+)?( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?$")
    return f"regexp_replace({text}, {zone}, '\\1')"


def in_years(date: str) -> str:
    """A date, NULL where no record can be from that year."""
    return f"CASE WHEN year({date}) BETWEEN {FIRST_YEAR} AND {LAST_YEAR} THEN {date} END"


def converted(
    column: Column, expression: str, duck_type: str, decimal: str = ".", *, clean: bool = False
) -> Conversion:
    """Conversion of one source expression to the kind of a declared column.

    ``clean`` says that text went through :func:`cell_text` already, so that the statement stays
    short where the expression is repeated.
    """
    if family(duck_type) == "text" and not clean:
        expression = f"({cell_text(expression)})"
    kind = "category" if column.kind == "string" else column.kind
    if kind == "key":
        return _key(expression, family(duck_type))
    if kind == "boolean":
        return _boolean(expression, family(duck_type))
    if kind in ("number", "integer"):
        number = _number(expression, family(duck_type), decimal)
        return number if kind == "number" else _integer(number)
    if kind == "month":
        return _month(expression, family(duck_type))
    return _category(column, expression, family(duck_type))


def _key(expression: str, kind: str) -> Conversion:
    if kind in ("integer", "wide"):
        return Conversion(f"CAST({expression} AS VARCHAR)", "FALSE")
    if kind == "number":
        # A column of whole numbers with gaps is stored as floats by many tools.
        whole = f"({expression} = floor({expression}) AND abs({expression}) < {LARGEST_INTEGER})"
        return Conversion(
            f"CASE WHEN {whole} THEN CAST(CAST({expression} AS BIGINT) AS VARCHAR) "
            f"WHEN NOT isnan(CAST({expression} AS DOUBLE)) "
            f"THEN CAST({expression} AS VARCHAR) END",
            "FALSE",
        )
    return Conversion(_text(expression, kind), "FALSE")


def _text(expression: str, kind: str) -> str:
    """Text of a cell of any type; that of a text cell is clean."""
    return expression if kind == "text" else f"({cell_text(expression)})"


def _number(expression: str, kind: str, decimal: str) -> Conversion:
    if kind in ("integer", "wide", "boolean"):
        return Conversion(f"CAST({expression} AS DOUBLE)", "FALSE")
    if kind == "number":
        value = f"CAST({expression} AS DOUBLE)"
        return Conversion(f"CASE WHEN isfinite({value}) THEN {value} END", f"isinf({value})")
    if kind in ("date", "other"):
        return Conversion("CAST(NULL AS DOUBLE)", f"{expression} IS NOT NULL")
    text = expression
    plain = f"replace({text}, ',', '.')" if decimal == "," else text
    value = f"TRY_CAST({plain} AS DOUBLE)"
    return Conversion(
        f"CASE WHEN isfinite({value}) THEN {value} END",
        f"({text} IS NOT NULL AND NOT coalesce(isfinite({value}), FALSE))",
    )


def _integer(number: Conversion) -> Conversion:
    value = number.value
    whole = f"({value} = floor({value}) AND abs({value}) < {LARGEST_INTEGER})"
    return Conversion(
        f"CASE WHEN {whole} THEN CAST({value} AS BIGINT) END",
        f"({number.bad} OR coalesce(NOT {whole}, FALSE))",
    )


def _boolean(expression: str, kind: str) -> Conversion:
    if kind == "boolean":
        return Conversion(expression, "FALSE")
    text = f"lower({_text(expression, kind)})"
    value = (
        f"CASE WHEN {text} IN ({literals(TRUE_WORDS)}) THEN TRUE "
        f"WHEN {text} IN ({literals(FALSE_WORDS)}) THEN FALSE END"
    )
    return Conversion(value, f"({text} IS NOT NULL AND ({value}) IS NULL)")


def _month(expression: str, kind: str) -> Conversion:
    if kind == "date":
        return Conversion(f"strftime({expression}, '%Y-%m')", "FALSE")
    text = _text(expression, kind)
    good = f"regexp_full_match({text}, {literal('(19|20)[0-9]{2}-(0[1-9]|1[0-2])')})"
    return Conversion(f"CASE WHEN {good} THEN {text} END", f"({text} IS NOT NULL AND NOT {good})")


def _category(column: Column, expression: str, kind: str) -> Conversion:
    text = f"lower({_text(expression, kind)})"
    if column.values:
        # "Low back" and "low-back" are the declared code low_back.
        joined = f"replace(replace({text}, ' ', '_'), '-', '_')"
        text = f"CASE WHEN {joined} IN ({literals(column.values)}) THEN {joined} ELSE {text} END"
    return Conversion(text, "FALSE")
