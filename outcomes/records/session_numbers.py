"""Numbers of sessions, such as ``Visit No``: whether they count, and whether anew in every case."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from outcomes.records.guesses import RECORD_NUMBER, guess_column, guess_table
from outcomes.records.names import normalised
from outcomes.records.schema import TABLES
from outcomes.records.sources import Loaded
from outcomes.records.sql import ident


def count_anew(connection: Any, loaded: Iterable[Loaded]) -> bool:
    """Whether the file of sessions has one session's number in several rows."""
    for source in loaded:
        column = _session_number(source)
        if column and guess_table(source.origin.stem)[0] is TABLES["sessions"]:
            (repeats,) = connection.execute(
                f"SELECT count(DISTINCT {ident(column)}) < count({ident(column)}) "
                f"FROM {source.relation}"
            ).fetchone()
            return bool(repeats)
    return False


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
