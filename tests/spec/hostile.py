"""A small study that is right in every respect, and the ways to break one thing in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from outcomes.core.errors import ExitCode

CANARY: Final = "Zq7731"
"""Stands in every text cell that is at fault; no message and no file may repeat it."""
NUMBER: Final = "987654321"
"""The same for numbers."""
EPISODES: Final = 60
SCORES: Final = 3 * EPISODES

STUDY: Final = """\
schema = 1
id = "hostile"
[records]
path = "records"
[time]
sensitivity_windows = []
[exposure]
reference = "usual_care"
primary = "exercise"
min_group = 10
[primary]
outcome = "pain"
visit = "week_6"
[[visits]]
label = "week_6"
day = 42
[[visits]]
label = "week_12"
day = 84
[[outcomes]]
id = "pain"
role = "pain"
instrument = "nprs"
margin = 0.5
[model]
covariates = ["age", "sex"]
draws = 1
[gate]
group_size = 10
"""

Change = Callable[[Path], object]
"""Breaks one thing in the folder that holds ``study.toml`` and ``records/``."""


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """One broken input.

    ``code`` is what ``outcomes run`` answers, ``check_code`` what ``outcomes check`` does where
    that is another. ``says`` are texts that both must say: the place, the first rows, the remedy.
    """

    name: str
    change: Change
    code: ExitCode
    says: tuple[str, ...]
    check_code: ExitCode | None = None


def records() -> dict[str, str]:
    """Return the files of right records: every second episode had exercise, the others advice."""
    rng = np.random.default_rng(7)
    numbers = range(1, EPISODES + 1)
    usual = rng.normal(5, 1.2, EPISODES)
    pain = (usual + rng.normal(-1, 1.2, (3, EPISODES))).clip(0, 10).round().astype(int)
    parts = {k: "exercise.strength" if k % 2 else "care.assessment" for k in numbers}
    return {
        "patients.csv": _text(
            "patient_id,sex", (f"P{k},{'female' if k % 3 else 'male'}" for k in numbers)
        ),
        "episodes.csv": _text(
            "episode_id,patient_id,body_region,age,payer,end_day",
            (f"E{k},P{k},low_back,{25 + 7 * k % 45},public,90" for k in numbers),
        ),
        "sessions.csv": _text(
            "session_id,episode_id,day,attended", (f"S{k},E{k},2,true" for k in numbers)
        ),
        "components.csv": _text(
            "session_id,intervention,minutes",
            (f"S{k},{parts[k]},{20 + k % 3}" for k in numbers),
        ),
        "assessments.csv": _text(
            "episode_id,day,instrument,score",
            (
                f"E{k},{day},nprs,{pain[visit, k - 1]}"
                for k in numbers
                for visit, day in enumerate((0, 56, 98))
            ),
        ),
    }


def _text(header: str, rows: Iterable[str]) -> str:
    return "\n".join([header, *rows]) + "\n"


def write_study(folder: Path) -> Path:
    """Write the study and its records."""
    (folder / "records").mkdir(parents=True)
    for name, text in records().items():
        (folder / "records" / name).write_text(text, encoding="utf-8")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return folder


# ---------------------------------------------------------------------------------- what is broken
def together(*changes: Change) -> Change:
    """Break several things."""
    return lambda folder: [change(folder) for change in changes]


def study(old: str, new: str) -> Change:
    """Write something else in ``study.toml``."""

    def change(folder: Path) -> None:
        text = (folder / "study.toml").read_text()
        assert old in text
        (folder / "study.toml").write_text(text.replace(old, new, 1))

    return change


def bytes_of(name: str, make: Callable[[bytes], bytes]) -> Change:
    """Make other bytes of a file."""
    return lambda folder: (folder / name).write_bytes(make((folder / name).read_bytes()))


def without(*tables: str) -> Change:
    """Leave tables out."""
    return together(*(lambda d, t=t: (d / "records" / f"{t}.csv").unlink() for t in tables))


def added(table: str, *rows: str) -> Change:
    """Write more rows at the end of a table."""
    return bytes_of(f"records/{table}.csv", lambda old: old + _text("", rows)[1:].encode())


def each(table: str, make: Callable[[int, list[str]], list[str] | None]) -> Change:
    """Change every row, given its number and cells, or leave it out."""

    def change(old: bytes) -> bytes:
        header, *rows = old.decode().splitlines()
        made = [make(k, row.split(",")) for k, row in enumerate(rows, start=1)]
        return _text(header, (",".join(cells) for cells in made if cells is not None)).encode()

    return bytes_of(f"records/{table}.csv", change)


def cell(table: str, row: int, place: int, value: str) -> Change:
    """Write one cell of a row."""

    def change(number: int, cells: list[str]) -> list[str]:
        return [*cells[:place], value, *cells[place + 1 :]] if number == row else cells

    return each(table, change)


def column(table: str, name: str, value: Callable[[list[str]], object]) -> Change:
    """Add a column."""

    def change(old: bytes) -> bytes:
        header, *rows = old.decode().splitlines()
        return _text(f"{header},{name}", (f"{r},{value(r.split(','))}" for r in rows)).encode()

    return bytes_of(f"records/{table}.csv", change)


def half_a_parquet(folder: Path) -> None:
    """Write the scores as Parquet and lose the second half of the file."""
    import pandas as pd

    source = folder / "records" / "assessments.csv"
    whole = source.with_suffix(".parquet")
    pd.read_csv(source).assign(score=float(NUMBER)).to_parquet(whole)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    source.unlink()
