"""All that is wrong with the staged tables, found in one pass a table.

Conditions come from the contracts (:mod:`outcomes.records.rules`), codes are looked at once a
distinct value (:mod:`outcomes.records.codes`), repeats and orders across rows after that
(:mod:`outcomes.records.repeats`). Rows with an ``error`` move to ``quarantine_<table>`` before the
tables that refer to them are looked at, so what belonged to such a row follows it, with the rule
``parent_set_aside``. In a column that only describes, the cell is emptied instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from outcomes.catalog.instruments import Instrument
from outcomes.core.contract import Table
from outcomes.records.codes import check_codes
from outcomes.records.columns import family
from outcomes.records.course import check_course
from outcomes.records.hidden_codes import check_hidden_codes
from outcomes.records.placing import Findings
from outcomes.records.repeats import check_across, duplicate_conditions, tables_in_order
from outcomes.records.rules import (
    OPTIONAL_PARENTS,
    Rule,
    answer_rules,
    column_rules,
    known_instrument,
    needed_rules,
    order_rules,
    orphan_rules,
    score_rules,
)
from outcomes.records.schema import TABLES
from outcomes.records.sql import ident
from outcomes.records.staging import set_aside

OLDEST_SHOWN: Final = 90
"""Ages above it are kept as this one: they are rare enough to point at a person."""
FEW: Final = 50
"""Rows below which nothing is suspicious about a column that never varies."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a mapping says that the contracts do not.

    Attributes
    ----------
    needed, dated : mapping of str to frozenset of str
        Columns, by table, that it requires beyond the contract, and that it makes from dates.
    listed : frozenset of float
        Numbers that it lists as codes for missing, of whatever column.
    """

    needed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    dated: Mapping[str, frozenset[str]] = field(default_factory=dict)
    listed: frozenset[float] = frozenset()


def validate_tables(
    findings: Findings, supplied: Mapping[str, frozenset[str]], said: Said
) -> dict[str, int]:
    """Check every staged table and set rows aside; returns how many, by table."""
    aside: dict[str, int] = {}
    for name in tables_in_order(supplied):
        needed, dated = said.needed.get(name, ()), said.dated.get(name, ())
        rules = [
            *column_rules(TABLES[name], supplied[name], needed, dated),
            *order_rules(name, supplied[name]),
            *needed_rules(TABLES[name], needed),
            *_orphans(name, supplied),
        ]
        aside[name] = _validate_table(findings, TABLES[name], supplied[name], aside, rules)
        check_hidden_codes(findings, TABLES[name], supplied[name], said.listed)
        if name == "episodes" and "age" in supplied[name]:
            _top_code(findings)
    check_across(findings, supplied)
    check_course(findings, supplied)
    _check_empty(findings, supplied, aside)
    return aside


def _validate_table(
    findings: Findings,
    table: Table,
    supplied: frozenset[str],
    aside: Mapping[str, int],
    rules: list[Rule],
) -> int:
    distinct = check_codes(findings, table, supplied)
    if table.name in ("assessments", "items"):
        known = _known_instruments(distinct.get("instrument", []))
        more = score_rules(known) if table.name == "assessments" else answer_rules(known)
        rules = [*rules, *more]
    rules = [*rules, *_parent_rules(table, supplied, aside)]
    rules = _within_reach(findings, table, supplied, rules)
    _check_columns(findings, table, supplied)
    conditions = _error_conditions(findings, table, rules)
    conditions |= duplicate_conditions(findings, table, supplied)
    count = set_aside(findings.connection, table.name, conditions)
    # Cells and warnings are about rows that are kept, so they come last.
    _empty_cells(findings, table, [rule for rule in rules if rule.empties])
    _apply(findings, table, [rule for rule in rules if rule.severity != "error"])
    if table.name == "assessments":
        _check_scales(findings)
    return count


def _orphans(name: str, supplied: Mapping[str, frozenset[str]]) -> Iterable[Rule]:
    """Rules for ids that the owning table does not hold; a table that only describes may lack."""
    for column in TABLES[name].columns:
        parent = column.references.split(".")[0]
        if column.name in supplied[name] and (parent in supplied or parent not in OPTIONAL_PARENTS):
            yield from orphan_rules(TABLES[name], column)


def _error_conditions(findings: Findings, table: Table, rules: list[Rule]) -> dict[str, str]:
    """Report rows at fault; returns the conditions of those to set aside, by rule."""
    conditions: dict[str, str] = {}
    errors = [
        replace(rule, remedy=f"{rule.remedy} The rows are set aside.")
        for rule in rules
        if rule.severity == "error" and not rule.empties
    ]
    for rule in _apply(findings, table, errors):
        old = conditions.get(rule.name)
        conditions[rule.name] = f"{old} OR ({rule.condition})" if old else f"({rule.condition})"
    return conditions


def _empty_cells(findings: Findings, table: Table, rules: list[Rule]) -> None:
    """Report cells at fault and empty them; the rows stay."""
    for rule in _apply(findings, table, rules):
        findings.connection.execute(
            f"UPDATE rows_{table.name} SET {ident(rule.column)} = NULL WHERE {rule.condition}"
        )


def _known_instruments(values: Iterable[str]) -> list[Instrument]:
    return [known for value in values if (known := known_instrument(value)) is not None]


def _parent_rules(table: Table, supplied: frozenset[str], aside: Mapping[str, int]) -> list[Rule]:
    """Rules for rows whose parent row was set aside."""
    rules = []
    for column in table.columns:
        parent = column.references.split(".")[0]
        if column.name in supplied and parent not in OPTIONAL_PARENTS and aside.get(parent):
            key = ident(column.name)
            rules.append(
                Rule(
                    name="parent_set_aside",
                    severity="error",
                    column=column.name,
                    condition=f"{key} IN (SELECT {key} FROM quarantine_{parent}) "
                    f"AND {key} NOT IN (SELECT {key} FROM rows_{parent})",
                    message=f"belong to a row of {parent} that was set aside",
                    remedy=f"They come back when {parent} is corrected.",
                )
            )
    return rules


def _within_reach(
    findings: Findings, table: Table, supplied: frozenset[str], rules: list[Rule]
) -> list[Rule]:
    """Leave out the rules that the limits of their columns show to be kept, in one scan."""
    if not rules:
        return []
    asked = ", ".join(f"{rule.reach} AS rule_{k}" for k, rule in enumerate(rules))
    groups = "GROUP BY instrument" if "instrument" in supplied else ""
    any_group = ", ".join(f"bool_or(rule_{k})" for k in range(len(rules)))
    answers = findings.connection.execute(
        f"SELECT {any_group} FROM (SELECT {asked} FROM rows_{table.name} {groups})"
    ).fetchone()
    return [rule for rule, there in zip(rules, answers, strict=True) if there]


def _apply(findings: Findings, table: Table, rules: list[Rule]) -> list[Rule]:
    """Count all rules in one scan; place those that were broken."""
    if not rules:
        return []
    counted = ", ".join(f"count(*) FILTER (WHERE {rule.condition})" for rule in rules)
    rows = findings.connection.execute(
        f"SELECT _source, {counted} FROM rows_{table.name} GROUP BY _source"
    ).fetchall()
    broken: list[Rule] = []
    for position, rule in enumerate(rules, start=1):
        counts = {row[0]: row[position] for row in rows}
        if findings.place(
            rule.severity, table.name, rule.name, rule.condition, rule.message, rule.remedy,
            rule.column, counts,
        ):  # fmt: skip
            broken.append(rule)
    return broken


def _check_columns(findings: Findings, table: Table, supplied: frozenset[str]) -> None:
    """Say which columns hold nothing at all, and which numbers never vary."""
    columns = [column for column in table.columns if column.name in supplied]
    counted = ", ".join(
        f"count({ident(c.name)}), min({ident(c.name)}), max({ident(c.name)})"
        if c.kind == "number"
        else f"count({ident(c.name)}), NULL, NULL"
        for c in columns
    )
    row = findings.connection.execute(
        f"SELECT count(*), {counted} FROM rows_{table.name}"
    ).fetchone()
    for position, column in enumerate(columns):
        filled, low, high = row[1 + 3 * position : 4 + 3 * position]
        if row[0] and not filled:
            findings.say(
                "warning", table.name, "all_missing", "is empty in every row",
                "Is it the right column, and are its missing codes right?", column.name,
            )  # fmt: skip
        elif filled >= FEW and low == high and column.kind == "number":
            findings.say(
                "note", table.name, "constant", "holds the same number in every row",
                "Is it a default that was never filled in?", column.name,
            )  # fmt: skip


def _top_code(findings: Findings) -> None:
    condition = f"age > {OLDEST_SHOWN} AND age <= {TABLES['episodes']['age'].high!r}"
    if findings.place(
        "note", "episodes", "top_coded", condition,
        f"were older than {OLDEST_SHOWN} and are kept as {OLDEST_SHOWN}",
        "Nothing to do: so high an age points at a person.", "age",
    ):  # fmt: skip
        findings.connection.execute(
            f"UPDATE rows_episodes SET age = {OLDEST_SHOWN} WHERE {condition}"
        )


def _check_scales(findings: Findings) -> None:
    """Find instruments of which every score sits in a corner of the range."""
    rows = findings.connection.execute(
        "SELECT instrument, count(score), max(score) FROM rows_assessments "
        "WHERE score IS NOT NULL GROUP BY instrument ORDER BY instrument"
    ).fetchall()
    for name, count, highest in rows:
        known = known_instrument(name) if name and count >= FEW else None
        top = known.score_max if known is not None else None
        if top is None or highest > top / 2:
            continue
        what = "a fraction" if highest <= 1 < top / 2 else "the lower half of its range"
        hint = "fractions instead of percents" if highest <= 1 < top / 2 else "raw sums"
        findings.say(
            "warning", "assessments", "scale_suspect",
            f"has every score of instrument '{name}' within {what} (0 to {top:g})",
            f"Were {hint} exported? A mapping can multiply (factor).", "score",
        )  # fmt: skip


def _check_empty(
    findings: Findings, supplied: Mapping[str, frozenset[str]], aside: Mapping[str, int]
) -> None:
    counts = {
        name: findings.connection.execute(f"SELECT count(*) FROM rows_{name}").fetchone()[0]
        for name in supplied
    }
    scored = any(counts.get(name) for name in ("assessments", "items"))
    for name, count in counts.items():
        needed = name == "episodes" or (name in ("assessments", "items") and not scored)
        if not count:
            remedy = "Export it again."
            if aside[name]:
                remedy = f"All were set aside: mend the errors that are listed of {name} first."
            findings.say(
                "fatal" if needed else "warning", name, "empty_table",
                "holds no row that can be used", remedy,
            )  # fmt: skip


def check_types(findings: Findings, feeds: Any) -> None:
    """Refuse a column whose stored type can never be the declared one, such as a date for a day."""
    for feed in feeds:
        for name, cell in feed.cells.items():
            column = feed.table[name]
            kind = family(cell.duck_type)
            dated = kind == "date" and column.kind != "month"
            if dated or kind == "other":
                what = (
                    "dates" if dated else f"values of type {cell.duck_type.split('(')[0].lower()}"
                )
                findings.say(
                    "fatal", feed.table.name, "type", f"holds {what}, not {column.kind} values",
                    "Turn dates into days in a mapping." if dated else "Export it as plain values.",
                    name,
                )  # fmt: skip
