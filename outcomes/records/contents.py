"""What a set of records holds, in the counts from which a first study is proposed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outcomes.records.files import Records

MEASURED = {"assessments": "score", "items": "answer"}


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Counts of episodes.

    Attributes
    ----------
    n_episodes : int
    regions, programs : mapping of str to int
        Episodes by body region and by program, the commonest first.
    instruments : mapping of str to int
        Episodes with two days or more of an instrument, the commonest first.
    days : mapping of str to tuple of int
        Days of the scores after the start, by instrument, once an episode and day.
    has_components, has_medications : bool
    """

    n_episodes: int = 0
    regions: Mapping[str, int] = field(default_factory=dict)
    programs: Mapping[str, int] = field(default_factory=dict)
    instruments: Mapping[str, int] = field(default_factory=dict)
    days: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    has_components: bool = False
    has_medications: bool = False


def read_contents(records: Records) -> Contents:
    """Count what the records hold."""
    return Contents(
        n_episodes=records.n_rows["episodes"],
        regions=_by_code(records, "body_region"),
        programs=_by_code(records, "program"),
        instruments=_instruments(records),
        days=_days(records),
        has_components=records.has("sessions") and records.has("components"),
        has_medications=records.has("medications"),
    )


def _by_code(records: Records, column: str) -> dict[str, int]:
    if not records.has("episodes", column):
        return {}
    rows = records.connection.execute(
        f"SELECT {column}, count(*) AS n FROM episodes WHERE {column} IS NOT NULL "
        f"GROUP BY {column} ORDER BY n DESC, {column}"
    ).fetchall()
    return dict(rows)


def _measured(records: Records) -> str:
    return " UNION ".join(
        f"SELECT episode_id, day, instrument FROM {table} WHERE {value} IS NOT NULL"
        for table, value in MEASURED.items()
        if records.has(table, value)
    )


def _instruments(records: Records) -> dict[str, int]:
    rows = records.connection.execute(
        "SELECT instrument, count(*) AS n FROM (SELECT instrument, episode_id "
        f"FROM ({_measured(records)}) GROUP BY ALL HAVING min(day) < max(day)) "
        "GROUP BY instrument ORDER BY n DESC, instrument"
    ).fetchall()
    return dict(rows)


def _days(records: Records) -> dict[str, tuple[int, ...]]:
    rows = records.connection.execute(
        f"SELECT instrument, list(day ORDER BY day) FROM ({_measured(records)}) "
        "WHERE day > 0 GROUP BY instrument ORDER BY instrument"
    ).fetchall()
    return {name: tuple(days) for name, days in rows}
