"""Broken records: how each is made, and which problem must name it.

Every case changes a small folder that is right in every respect. Where a value is at fault, or
stands in a row that is, it holds the canary, which no message may repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from outcomes.core.problems import Severity
from tests.records_example import EXAMPLE

CANARY = "Zq7731"
ASSESSED = EXAMPLE["assessments.csv"]
EPISODES = EXAMPLE["episodes.csv"]
SESSIONS = EXAMPLE["sessions.csv"]
HEADER = "episode_id,day,instrument,score\n"

Change = str | bytes | None


@dataclass(frozen=True, kw_only=True)
class Broken:
    """One broken input and the problem that must be among those found.

    ``rows`` are the row numbers that must be named; ``kept`` says how many assessments are left
    where the records can still be used.
    """

    name: str
    files: Mapping[str, Change] = field(default_factory=dict)
    severity: Severity = "error"
    rule: str = ""
    table: str = "assessments"
    column: str = ""
    rows: tuple[int, ...] = ()
    kept: int | None = None
    mapping: str = ""
    arrange: Callable[[Path], None] | None = None


def score(value: str, day: str = "0", instrument: str = "nprs", episode: str = "E2") -> str:
    """The right assessments and, as row 11, one more."""
    return f"{ASSESSED}{episode},{day},{instrument},{value}\n"


def row(table: str, text: str) -> dict[str, Change]:
    """The right table and one more row."""
    return {f"{table}.csv": EXAMPLE[f"{table}.csv"] + text + "\n"}


def assessed(text: str | bytes) -> dict[str, Change]:
    """Other assessments."""
    return {"assessments.csv": text}


def parquet(name: str, query: str) -> Callable[[Path], None]:
    """Write a Parquet file from a query."""

    def write(folder: Path) -> None:
        import duckdb

        with duckdb.connect() as connection:
            connection.execute(f"COPY ({query}) TO '{folder / name}' (FORMAT parquet)")

    return write


def emptied(folder: Path) -> None:
    """Leave a folder without files."""
    for path in folder.iterdir():
        path.unlink()


def folder_named_like_a_file(folder: Path) -> None:
    """Put a folder where a file should be."""
    (folder / "assessments.csv").unlink()
    (folder / "assessments.csv").mkdir()


PARQUET_ONLY: dict[str, Change] = {"assessments.csv": None}
SCORES_SQL = (
    "SELECT * FROM (VALUES ('E1', {day0}, 'nprs', {low}), ('E1', {day1}, 'nprs', {high})) "
    "AS t(episode_id, day, instrument, score)"
)
LONG_CELL = CANARY + "x" * 100_000
