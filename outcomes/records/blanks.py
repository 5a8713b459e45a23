"""Texts that say that nothing is there, such as ``NaN`` or ``<undefined>``: counted, once a file.

They are read as empty cells wherever they stand (:data:`outcomes.records.columns.MISSING_WORDS`
and what the mapping adds), and whoever exported them should know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from outcomes.core.problems import Problem
from outcomes.records.columns import MISSING_WORDS
from outcomes.records.mapping import Mapping as RecordsMapping
from outcomes.records.placing import in_source
from outcomes.records.sources import Loaded
from outcomes.records.sql import ident, literals, trimmed

MOST_SHOWN: Final = 12
"""Columns named in one message."""


def check_blanks(
    connection: Any, loaded: Iterable[Loaded], plan: RecordsMapping | None
) -> list[Problem]:
    """Report, for every text file, the rows with a text that was read as an empty cell."""
    problems: list[Problem] = []
    for source in loaded:
        if source.is_text:
            problems += _blanks(connection, source, plan)
    return problems


def _blanks(connection: Any, source: Loaded, plan: RecordsMapping | None) -> list[Problem]:
    words = [word for word in MISSING_WORDS if word]
    if plan is not None:
        words += [str(word).strip().lower() for word in plan.missing]
    tests = {
        column: f"lower({trimmed(ident(column))}) IN ({literals(words)})"
        for column in source.columns
    }
    if not tests:
        return []
    counted = ", ".join(f"count(*) FILTER ({test})" for test in tests.values())
    counts = connection.execute(f"SELECT {counted} FROM {source.relation}").fetchone()
    hit = [column for column, count in zip(tests, counts, strict=True) if count]
    if not hit:
        return []
    found = _found_words(connection, source, hit, words)
    problem = Problem(
        severity="note",
        table=source.origin.stem,
        rule="missing_text",
        message=f"hold {' or '.join(map(repr, found))} where nothing is known, in {_listed(hit)}; "
        "read as empty",
        remedy="Nothing to do, if that is meant.",
    )
    return in_source(connection, source, " OR ".join(tests[column] for column in hit), problem)


def _found_words(
    connection: Any, source: Loaded, columns: Sequence[str], words: Sequence[str]
) -> list[str]:
    listed = ", ".join(f"lower({trimmed(ident(column))})" for column in columns)
    rows = connection.execute(
        f"SELECT DISTINCT word FROM (SELECT unnest([{listed}]) AS word FROM {source.relation}) "
        f"WHERE word IN ({literals(words)}) ORDER BY word"
    ).fetchall()
    return [word for (word,) in rows]


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(map(repr, columns[:MOST_SHOWN]))
    more = f" and {len(columns) - MOST_SHOWN} more" if len(columns) > MOST_SHOWN else ""
    return f"{len(columns)} column{'s' * (len(columns) > 1)} ({shown}{more})"
