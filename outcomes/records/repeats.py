"""What is there twice, and days that contradict each other across rows and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from outcomes.core.contract import Table
from outcomes.records.placing import Findings
from outcomes.records.sql import ident

SCORED: Final = ("assessments", "items")
"""Tables in which a repeated row says nothing new; elsewhere two equal rows may both be real."""


def duplicate_conditions(
    findings: Findings, table: Table, supplied: frozenset[str]
) -> dict[str, str]:
    """Report repeated keys and rows; returns the conditions of those to set aside.

    Of rows that are equal in every column the first stays. Of rows that share a key and differ,
    none can be trusted and all go.
    """
    columns = ", ".join(ident(name) for name in table.names if name in supplied)
    whole = f"repeat_{table.name}"
    groups = f"hash({columns})"
    key = ", ".join(map(ident, table.key)) if table.key else ""
    # Only candidates (equal hash, or equal key) are compared in full.
    wanted = (
        f"({key}) IN (SELECT {key} FROM rows_{table.name} GROUP BY {key} HAVING count(*) > 1)"
        if key
        else f"{groups} IN (SELECT {groups} FROM rows_{table.name} GROUP BY 1 HAVING count(*) > 1)"
    )
    findings.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {whole} AS SELECT rowid AS place, "
        f"row_number() OVER (PARTITION BY {columns} ORDER BY _source, _row, rowid) AS copy"
        + (f", count(*) OVER (PARTITION BY {key}) AS n_key" if key else "")
        + (f", count(*) OVER (PARTITION BY {columns}) AS n_whole" if key else "")
        + f" FROM rows_{table.name} WHERE {wanted}"
        + (f" AND {ident(table.key[0])} IS NOT NULL" if key else "")
    )
    conditions = _conditions(whole, keyed=bool(key))
    return _report(findings, table, conditions)


def _conditions(name: str, *, keyed: bool) -> dict[str, str]:
    def among(test: str) -> str:
        # Columns side by side make several rows of one source row, so _row names no single one.
        return f"rowid IN (SELECT place FROM {name} WHERE {test})"

    if not keyed:
        return {"duplicate_row": among("copy > 1")}
    return {
        "duplicate_row": among("copy > 1 AND n_whole = n_key"),
        "duplicate_key": among("n_whole < n_key"),
    }


def _report(findings: Findings, table: Table, conditions: Mapping[str, str]) -> dict[str, str]:
    aside: dict[str, str] = {}
    for rule, condition in conditions.items():
        error = bool(table.key) or table.name in SCORED
        key = " and ".join(table.key)
        message = (
            f"share their {key} with a row that says something else"
            if rule == "duplicate_key"
            else "repeat an earlier row in every column"
        )
        remedy = (
            "All of them are set aside: correct the export."
            if rule == "duplicate_key"
            else "The first is kept."
            if error
            else "All are kept, because both may be real; look at the export."
        )
        column = key if rule == "duplicate_key" else ""
        count = findings.place(
            "error" if error else "warning", table.name, rule, condition, message, remedy, column
        )
        if count and error:
            aside[rule] = condition
    return aside


def check_across(findings: Findings, supplied: Mapping[str, frozenset[str]]) -> None:
    """Compare days across rows and tables; what is found is kept and reported."""
    if "assessments" in supplied:
        _same_day(findings)
    if "sessions" in supplied and "end_day" in supplied.get("episodes", ()):
        _after_end(findings)
    if "sessions" in supplied:
        findings.place(
            "warning",
            "sessions",
            "day_order",
            "day < 0",
            "lie before the start of their episode",
            "They are kept and count in no window; is day 0 the first session?",
            "day",
        )
    if "patient_day" in supplied.get("episodes", ()):
        _same_start(findings)
        if "end_day" in supplied["episodes"]:
            _overlap(findings)


def _same_day(findings: Findings) -> None:
    group = "episode_id, day, instrument"
    findings.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE same_day AS SELECT {group} FROM rows_assessments "
        f"WHERE score IS NOT NULL GROUP BY {group} HAVING count(*) > 1"
    )
    findings.place(
        "warning",
        "assessments",
        "same_day",
        f"({group}) IN (SELECT ({group}) FROM same_day)",
        "stand beside another score of the same instrument and day",
        "Both are kept; the analysis takes their mean. Is one of them a correction?",
        "score",
    )


def _after_end(findings: Findings) -> None:
    findings.place(
        "warning",
        "sessions",
        "day_order",
        "day > (SELECT e.end_day FROM rows_episodes AS e "
        "WHERE e.episode_id = rows_sessions.episode_id)",
        "lie after the last day of care of their episode",
        "They are kept; look at the days in the export.",
        "day",
    )


def _same_start(findings: Findings) -> None:
    findings.place(
        "warning",
        "episodes",
        "day_order",
        "(patient_id, patient_day) IN (SELECT (patient_id, patient_day) FROM rows_episodes "
        "WHERE patient_day IS NOT NULL GROUP BY patient_id, patient_day HAVING count(*) > 1)",
        "start on the same day as another episode of the same patient",
        "Put every episode on the patient's own clock (patient_day).",
        "patient_day",
    )


def _overlap(findings: Findings) -> None:
    """Report episodes that begin before an earlier one of the same patient has ended."""
    findings.connection.execute(
        "CREATE OR REPLACE TEMP TABLE overlap AS SELECT place FROM ("
        "SELECT rowid AS place, patient_day, max(patient_day + end_day) OVER ("
        "PARTITION BY patient_id ORDER BY patient_day "
        "RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS busy_to "
        "FROM rows_episodes WHERE patient_day IS NOT NULL) WHERE patient_day < busy_to"
    )
    findings.place(
        "warning",
        "episodes",
        "overlap",
        "rowid IN (SELECT place FROM overlap)",
        "begin while an earlier episode of the same patient is still under way",
        "Both are kept and counted as two; are they one episode of care?",
        "patient_day",
    )


def tables_in_order(present: Iterable[str]) -> list[str]:
    """Parents before the tables that refer to them."""
    order = ("clinics", "providers", "patients", "episodes", "sessions")
    there = list(present)
    return [t for t in order if t in there] + sorted(t for t in there if t not in order)
