"""What a mapping does to the text of a cell, as SQL: missing codes, recode, factor and add."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from outcomes.core.contract import Column
from outcomes.records.columns import cell_text, converted, family
from outcomes.records.feeds import Cell
from outcomes.records.mapping import Change, Condition, Scalar, Value
from outcomes.records.sql import literal, literals

_NUMBER = Column(name="value", kind="number", description="Any number")


def code_text(code: Scalar) -> str:
    """Write a code as the cell would: TRUE is ``true`` and 2.0 is ``2``."""
    if isinstance(code, bool):
        return str(code).lower()
    if isinstance(code, float) and code.is_integer():
        return str(int(code))
    return str(code).strip().lower()


def codes(values: Iterable[Scalar]) -> str:
    """Write codes as a SQL list."""
    return literals(code_text(value) for value in values)


def code_number(code: Scalar) -> float | None:
    """Return the value of a code that is a number, such as 99, "99" or "99,0"."""
    try:
        value = float(code_text(code).replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def compared(cell: Cell, words: tuple[str, ...] = ()) -> str:
    """Text of a cell in the form in which codes are compared: lower case, 2.0 as 2."""
    text = f"lower({cell_text(cell.sql, words)})"
    mark = "[.,]" if cell.decimal == "," else "[.]"
    return f"regexp_replace({text}, '^([+-]?[0-9]+){mark}0+$', '\\1')"


def _number(cell: Cell) -> str:
    return converted(_NUMBER, cell.sql, cell.duck_type, cell.decimal).value


def holds_missing(cell: Cell, listed: Iterable[Scalar], *, numeric: bool) -> str:
    """Condition that a cell holds a code for missing; empty where none is listed.

    In a column of numbers a code counts by its value: 99 is ``99,0`` and ``99.00``.
    """
    numbers = [v for code in listed if (v := code_number(code)) is not None] if numeric else []
    texts = [code for code in listed if not numeric or code_number(code) is None]
    parts = [f"{compared(cell)} IN ({codes(texts)})"] * bool(texts)
    parts += [f"{_number(cell)} IN ({', '.join(map(literal, numbers))})"] * bool(numbers)
    return " OR ".join(f"coalesce({part}, FALSE)" for part in parts)


def condition_sql(condition: Condition, cell: Cell, words: tuple[str, ...]) -> str:
    """One condition of a filter; an empty cell meets only ``differs`` and ``filled = false``."""
    text = compared(cell, words)
    number = _number(cell)
    parts: list[str] = []
    if condition.equals:
        parts.append(f"coalesce({text} IN ({codes(condition.equals)}), FALSE)")
    if condition.differs:
        parts.append(f"coalesce({text} NOT IN ({codes(condition.differs)}), TRUE)")
    if condition.at_least is not None:
        parts.append(f"coalesce({number} >= {condition.at_least!r}, FALSE)")
    if condition.at_most is not None:
        parts.append(f"coalesce({number} <= {condition.at_most!r}, FALSE)")
    if condition.filled is not None:
        parts.append(f"{text} IS {'NOT ' if condition.filled else ''}NULL")
    return "(" + " AND ".join(parts) + ")"


def cell_sql(
    change: Change, cells: Sequence[Cell], words: tuple[str, ...], *, numeric: bool = False
) -> Cell:
    """Carry out what a mapping says of one canonical column; ``numeric`` where it holds numbers."""
    if isinstance(change, Value) and change.constant is not None:
        return Cell(literal(code_text(change.constant)), "VARCHAR")
    if len(cells) > 1:
        joined = " || '/' || ".join(f"({cell_text(cell.sql, words)})" for cell in cells)
        return Cell(f"({joined})", "VARCHAR", cells[0].source)
    cell = _without_missing(cells[0], change, words, numeric=numeric)
    if change.recode:
        cell = _recoded(cell, change, words)
    return _scaled(cell, change) if change.scales else cell


def _without_missing(cell: Cell, change: Change, words: tuple[str, ...], *, numeric: bool) -> Cell:
    """Empty the cells that say that nothing is there; stored numbers keep their type."""
    kept, duck_type, listed = cell.sql, cell.duck_type, [*change.missing, *words]
    if family(cell.duck_type) in ("text", "other"):
        kept, duck_type = f"({cell_text(cell.sql, words)})", "VARCHAR"
        # The words are empty by now, but for numbers that are written in another way.
        more = [word for word in words if numeric and code_number(word) is not None]
        listed = [*change.missing, *more]
    condition = holds_missing(cell, listed, numeric=numeric)
    sql = f"(CASE WHEN {condition} THEN NULL ELSE {kept} END)" if condition else kept
    return Cell(sql, duck_type, cell.source, cell.decimal)


def _recoded(cell: Cell, change: Change, words: tuple[str, ...]) -> Cell:
    text = compared(cell, words)
    cases = " ".join(
        f"WHEN {literal(code_text(old))} THEN {literal(str(_plain(new)))}"
        for old, new in change.recode.items()
    )
    rest = cell_text(cell.sql, words) if change.other == "keep" else "NULL"
    return Cell(f"(CASE {text} {cases} ELSE {rest} END)", "VARCHAR", cell.source, cell.decimal)


def _plain(code: Scalar) -> str:
    """Recoded values keep their letters; numbers and truth values are written as codes."""
    return code if isinstance(code, str) else code_text(code)


def _scaled(cell: Cell, change: Change) -> Cell:
    """Convert the unit; what is not a number stays as it is, so that it is reported as such."""
    number = _number(cell)
    moved = f"CAST({number} * {change.factor!r} + {change.add!r} AS VARCHAR)"
    sql = f"(CASE WHEN ({number}) IS NULL THEN CAST({cell.sql} AS VARCHAR) ELSE {moved} END)"
    return Cell(sql, "VARCHAR", cell.source, cell.decimal)


def is_recoded(change: Change) -> bool:
    """Whether codes outside the recoding are to be reported."""
    return bool(change.recode) and change.other == "report"


def unknown_codes(
    change: Change, cell: Cell, words: tuple[str, ...], *, numeric: bool = False
) -> str:
    """Condition that a cell holds a code that is neither recoded nor missing."""
    text = compared(_without_missing(cell, change, words, numeric=numeric))
    return f"({text} IS NOT NULL AND {text} NOT IN ({codes(change.recode)}))"
