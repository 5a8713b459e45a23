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
    spellings = {column: _spellings(connection, source, column, words) for column in source.columns}
    hit = {column: found for column, found in spellings.items() if found}
    if not hit:
        return []
    shown = sorted({spelling.strip().lower() for found in hit.values() for spelling in found})
    problem = Problem(
        severity="note",
        table=source.origin.stem,
        rule="missing_text",
        message=f"hold {' or '.join(map(repr, shown))} where nothing is known, in "
        f"{_listed(list(hit))}; read as empty",
        remedy="Nothing to do, if that is meant.",
    )
    condition = " OR ".join(f"{ident(column)} IN ({literals(hit[column])})" for column in hit)
    return in_source(connection, source, condition, problem)


def _spellings(connection: Any, source: Loaded, column: str, words: Sequence[str]) -> list[str]:
    """How the words are written in a column; each distinct text is looked at once."""
    rows = connection.execute(
        f"SELECT given FROM (SELECT DISTINCT {ident(column)} AS given FROM {source.relation}) "
        f"WHERE lower({trimmed('given')}) IN ({literals(words)}) ORDER BY given"
    ).fetchall()
    return [given for (given,) in rows]


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(map(repr, columns[:MOST_SHOWN]))
    more = f" and {len(columns) - MOST_SHOWN} more" if len(columns) > MOST_SHOWN else ""
    return f"{len(columns)} column{'s' * (len(columns) > 1)} ({shown}{more})"
