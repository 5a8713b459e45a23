"""What a row must satisfy, compiled from the contracts to SQL conditions.

A :class:`Rule` is a condition under which a row is at fault. Rules of severity ``error`` decide
which rows are set aside, or which cells are emptied; the others only speak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from outcomes.catalog.instruments import Instrument, instrument
from outcomes.core.contract import Column, Table
from outcomes.core.errors import UsageError
from outcomes.core.problems import Severity
from outcomes.records.sql import ident, literal
from outcomes.records.staging import ORPHAN, bit

DECIDING: Final = ("age", "red_flags")
"""Columns of episodes by which a study may leave an episode out, whatever is unknown being kept."""
OPTIONAL_PARENTS: Final = ("patients", "providers", "clinics")
"""Tables that only describe: without its row there an episode can still be analysed."""
KIND_WORDS: Final = {
    "integer": "whole numbers",
    "number": "numbers",
    "boolean": "yes or no",
    "month": "months (YYYY-MM)",
}
TYPE_REMEDY: Final = "Correct the cells, or name the code for missing in the mapping."
TYPE_REMEDIES: Final = {
    "boolean": "Yes, no, true, false, 1 and 0 are understood: correct the cells, or recode yours in"
    ' mapping.toml, recode = { "ja" = true, "nein" = false }.',
    "number": f'{TYPE_REMEDY} Where it is the decimal mark, say decimal = "," of the source there.',
}


def known_instrument(name: str) -> Instrument | None:
    """Return what the catalog knows by an id, or by the id of one scale (``bpi_sf.severity``)."""
    try:
        return instrument(name)
    except UsageError:
        return None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A condition under which a row is at fault, and what to say about it.

    ``reach`` is asked of many rows at a time, those of one instrument where there are instruments:
    where it does not hold, none of them is at fault. It takes counts and limits of columns alone,
    which many rules share. ``empties`` says that an error takes the cell and leaves the row.
    """

    name: str
    severity: Severity
    column: str
    condition: str
    message: str
    remedy: str
    reach: str = "TRUE"
    empties: bool = False


def column_rules(
    table: Table, supplied: Iterable[str], needed: Iterable[str] = (), dated: Iterable[str] = ()
) -> Iterator[Rule]:
    """Rules that follow from the declaration of each supplied column.

    ``needed`` columns must be filled although the contract lets them be empty; ``dated`` ones are
    made from dates.
    """
    for column in table.columns:
        if column.name in supplied:
            makers: tuple[Callable[[Table, Column], Iterator[Rule]], ...] = (
                _type, _no_day if column.name in dated else _missing, _hard_range, _plausible,
            )  # fmt: skip
            optional = describes(table, column) and column.name not in needed
            for rule in (rule for maker in makers for rule in maker(table, column)):
                yield _emptying(rule) if optional and rule.severity == "error" else rule


def describes(table: Table, column: Column) -> bool:
    """Whether a column only describes people and places: without it they can still be studied.

    Not so the days on the clock of an episode: an empty one would say that care goes on. Nor what
    decides who is studied: an empty age or red flag would let in whom a readable one keeps out.
    """
    days = column.name.endswith("_day") or column.name in DECIDING
    people = table.name in ("episodes", *OPTIONAL_PARENTS)
    return people and column.nullable and column.kind != "key" and not days


def _emptying(rule: Rule) -> Rule:
    remedy = f"{rule.remedy} The cells are read as empty, and the rows kept."
    return replace(rule, empties=True, remedy=remedy)


def _flagged(position: int) -> str:
    return f"(_bad & {bit(position)}) <> 0"


def _any_flagged(position: int) -> str:
    return f"(bit_or(_bad) & {bit(position)}) <> 0"


def _any_empty(name: str) -> str:
    return f"count({ident(name)}) < count(*)"


def _any_outside(name: str, low: float | None, high: float | None) -> str:
    return _beyond(f"min({name})", f"max({name})", low, high)


def _type(table: Table, column: Column) -> Iterator[Rule]:
    if column.kind in KIND_WORDS:
        yield Rule(
            name="type",
            severity="error",
            column=column.name,
            condition=_flagged(table.names.index(column.name)),
            message=f"are not {KIND_WORDS[column.kind]}",
            remedy=TYPE_REMEDIES.get(column.kind, TYPE_REMEDY),
            reach=_any_flagged(table.names.index(column.name)),
        )


def _missing(table: Table, column: Column) -> Iterator[Rule]:
    if not column.nullable:
        # A cell that could not be converted is reported once, as such.
        position = table.names.index(column.name)
        yield Rule(
            name="missing_value",
            severity="error",
            column=column.name,
            condition=f"{ident(column.name)} IS NULL AND NOT {_flagged(position)}",
            message="are empty where a value is required",
            remedy="Fill the cells in the export, or leave the rows out.",
            reach=_any_empty(column.name),
        )


def _no_day(table: Table, column: Column) -> Iterator[Rule]:
    """Rule for days that no date gave; an unknown episode has no start, and is named as such."""
    orphans = [
        _flagged(ORPHAN + position)
        for position, other in enumerate(table.columns)
        if other.references.split(".")[0] == "episodes"
    ]
    for rule in _missing(table, column):
        yield replace(
            rule,
            condition=" AND NOT ".join([f"({rule.condition})", *orphans]),
            message="have no day: the date is empty or was not read, or the episode has no start",
            remedy="Mend the dates that are named as unreadable first; fill the others in the"
            " export or leave the rows out.",
        )


def needed_rules(table: Table, columns: Iterable[str]) -> Iterator[Rule]:
    """Rules for columns that the mapping calls required."""
    for name in columns:
        if table[name].nullable:
            yield Rule(
                name="missing_value",
                severity="error",
                column=name,
                condition=f"{ident(name)} IS NULL AND NOT {_flagged(table.names.index(name))}",
                message="are empty where the mapping requires a value",
                remedy="Fill the cells in the export, or extend the mapping's recode.",
                reach=_any_empty(name),
            )


def orphan_rules(table: Table, column: Column) -> Iterator[Rule]:
    """Rule for ids that the table they refer to does not hold."""
    if not column.references:
        return
    parent = column.references.split(".")[0]
    kept = parent in OPTIONAL_PARENTS
    yield Rule(
        name="orphan",
        severity="warning" if kept else "error",
        column=column.name,
        condition=_flagged(ORPHAN + table.names.index(column.name)),
        message=f"refer to an id that {parent} does not hold",
        remedy="Export both tables at one time, for the same patients."
        + (f" The rows are kept without what {parent} would say." if kept else ""),
        reach=_any_flagged(ORPHAN + table.names.index(column.name)),
    )


def _outside(name: str, low: float | None, high: float | None) -> str:
    return _beyond(name, name, low, high)


def _beyond(lowest: str, highest: str, low: float | None, high: float | None) -> str:
    below, above = f"{lowest} < {low!r}", f"{highest} > {high!r}"
    return " OR ".join([below] * (low is not None) + [above] * (high is not None))


def span(low: float | None, high: float | None) -> str:
    """Write limits for a message."""
    if low is None:
        return f"up to {high:g}"
    return f"{low:g} or more" if high is None else f"{low:g} to {high:g}"


def _hard_range(table: Table, column: Column) -> Iterator[Rule]:
    if column.low is None and column.high is None:
        return
    unit = f" {column.unit}" if column.unit else ""
    yield Rule(
        name="range",
        severity="error",
        column=column.name,
        condition=_outside(ident(column.name), column.low, column.high),
        message=f"are outside {span(column.low, column.high)}{unit}",
        remedy="Correct them, convert the unit, or name the code for missing in the mapping.",
        reach=_any_outside(ident(column.name), column.low, column.high),
    )


def _plausible(table: Table, column: Column) -> Iterator[Rule]:
    low, high = column.warn_low, column.warn_high
    if low is None and high is None:
        return
    inside = _inside(ident(column.name), column.low, column.high)
    unit = f" {column.unit}" if column.unit else ""
    low, high = (column.low if low is None else low), (column.high if high is None else high)
    yield Rule(
        name="implausible",
        severity="warning",
        column=column.name,
        condition=f"({_outside(ident(column.name), low, high)}) AND {inside}",
        message=f"are outside the plausible {span(low, high)}{unit}",
        remedy="They are kept; look at the rows.",
        reach=_any_outside(ident(column.name), low, high),
    )


def _inside(name: str, low: float | None, high: float | None) -> str:
    return f"NOT ({_outside(name, low, high) or 'FALSE'})"


def score_rules(instruments: Iterable[Instrument]) -> Iterator[Rule]:
    """Score limits of the instruments that the records hold."""
    for known in instruments:
        yield from _score_range(known)
        yield from _score_plausible(known)


def _score_range(known: Instrument) -> Iterator[Rule]:
    low, high = known.score_min, known.score_max
    if low is None and high is None:
        return
    yield Rule(
        name="score_range",
        severity="error",
        column="score",
        condition=f"instrument = {literal(known.id)} AND ({_outside('score', low, high)})",
        message=f"are outside {span(low, high)} for instrument '{known.id}'",
        remedy="Is it a code for missing? List it under missing of the column in mapping.toml. Were"
        " raw sums, percents or another version exported? "
        f"'{known.id}' expects {span(low, high)} {known.unit}.",
        reach=f"instrument = {literal(known.id)} AND ({_any_outside('score', low, high)})",
    )


def _score_plausible(known: Instrument) -> Iterator[Rule]:
    low, high = known.plausible_min, known.plausible_max
    if low is None and high is None:
        return
    inside = _inside("score", known.score_min, known.score_max)
    yield Rule(
        name="implausible",
        severity="warning",
        column="score",
        condition=f"instrument = {literal(known.id)} AND ({_outside('score', low, high)}) "
        f"AND {inside}",
        message=f"are outside the plausible {span(low, high)} for instrument '{known.id}'",
        remedy=f"They are kept; '{known.id}' is in {known.unit}: was another unit exported?",
        reach=f"instrument = {literal(known.id)} AND ({_any_outside('score', low, high)})",
    )


def answer_rules(instruments: Iterable[Instrument]) -> Iterator[Rule]:
    """Limits of item numbers and answers."""
    for known in instruments:
        here = f"instrument = {literal(known.id)}"
        if known.items:
            yield Rule(
                name="unknown_item",
                severity="error",
                column="item",
                condition=f"{here} AND item > {len(known.items)}",
                message=f"number an item that instrument '{known.id}' does not have",
                remedy=f"'{known.id}' has {len(known.items)} items, numbered from 1.",
                reach=f"{here} AND max(item) > {len(known.items)}",
            )
        for (low, high), numbers in _answer_spans(known).items():
            yield Rule(
                name="answer_range",
                severity="error",
                column="answer",
                condition=f"{here} AND item IN ({', '.join(map(str, numbers))}) "
                f"AND ({_outside('answer', low, high)})",
                message=f"are outside {span(low, high)} for items of instrument '{known.id}'",
                remedy="Were answers coded from 1 instead of 0, or reversed before the export?",
                reach=f"{here} AND ({_any_outside('answer', low, high)})",
            )


def _answer_spans(known: Instrument) -> Mapping[tuple[float, float], list[int]]:
    spans: dict[tuple[float, float], list[int]] = {}
    for number, name in enumerate(known.items, start=1):
        low, high = known.item_range[name]
        if low != float("-inf") and high != float("inf"):
            spans.setdefault((low, high), []).append(number)
    return spans


def order_rules(table: str, supplied: Iterable[str]) -> Iterator[Rule]:
    """Days within one row that cannot both be right."""
    known = set(supplied)
    pairs = {
        "episodes": ("end_day", "followed_to_day", "lie after the day to which they were followed"),
        "events": ("day", "acted_day", "were acted on before they happened"),
    }
    if table in pairs and set(pairs[table][:2]) <= known:
        first, then, message = pairs[table]
        yield Rule(
            name="day_order",
            severity="warning",
            column=then,
            condition=f"{ident(then)} < {ident(first)}",
            message=message,
            remedy="They are kept; look at the days in the export.",
        )
