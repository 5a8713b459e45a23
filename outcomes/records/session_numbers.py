"""Sessions of a case: whether their numbers count, whether anew, and which dates start it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from outcomes.records.guesses import RECORD_NUMBER, guess_column, guess_date, guess_table
from outcomes.records.names import normalised
from outcomes.records.schema import TABLES
from outcomes.records.sources import Loaded
from outcomes.records.sql import ident

HOLD_SESSIONS: Final = (TABLES["sessions"], TABLES["components"], None)
"""What the name of a file may speak of whose rows are sessions."""


def count_anew(connection: Any, loaded: Iterable[Loaded]) -> bool:
    """Whether one session's number stands in several cases, in a file that may hold sessions."""
    for source in loaded:
        number, _ = guess_column("session_id", list(source.columns))
        case = case_of(source)
        if number and case and guess_table(source.origin.stem)[0] in HOLD_SESSIONS:
            (repeats,) = connection.execute(
                f"SELECT count(DISTINCT ({ident(case)}, {ident(number)})) > "
                f"count(DISTINCT {ident(number)}) FROM {source.relation} "
                f"WHERE {ident(number)} IS NOT NULL"
            ).fetchone()
            if repeats:
                return True
    return False


def case_of(source: Loaded) -> str:
    """Return the column that tells episodes apart: their own id, else the person's; or nothing."""
    names = list(source.columns)
    return guess_column("episode_id", names)[0] or guess_column("patient_id", names)[0]


def find_first_day(loaded: Iterable[Loaded]) -> tuple[Loaded, str] | None:
    """Return dates of which the first of a case can stand for its start: of sessions, or scores."""
    sources = list(loaded)
    for name in ("sessions", "components", "assessments"):
        for source in sources:
            day = guess_date("day", list(source.columns))
            if day and case_of(source) and guess_table(source.origin.stem)[0] is TABLES[name]:
                return source, day
    return None


def only_counts(connection: Any, source: Loaded, column: str) -> bool:
    """Whether a column numbers the rows of its file, so that it is no number of the clinic's."""
    if column != _session_number(source):
        return False
    number = f"TRY_CAST(CAST({ident(column)} AS VARCHAR) AS DOUBLE)"
    (counts,) = connection.execute(
        f"SELECT count({number}) = count({ident(column)}) AND max({number}) <= count(*) "
        f"FROM {source.relation}"
    ).fetchone()
    return bool(counts)


def _session_number(source: Loaded) -> str:
    """The column that numbers sessions, by its name; empty for none."""
    column, _ = guess_column("session_id", list(source.columns))
    return column if RECORD_NUMBER.search(normalised(column)) else ""
