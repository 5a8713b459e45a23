"""The tables of docs/methods/mmrm-errors.md, from the counts of tests/simulation/inference.py.

The page is written by hand but for what stands between its marks: a table each, and what was to be
reached, with what was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any, Final

PAGE: Final = Path(__file__).parent / "methods" / "mmrm-errors.md"
RESULTS: Final = PAGE.with_suffix(".json")
LEVEL: Final = 0.05
GROUPED: Final = "kenward-roger, a covariance each group"
LABELS: Final[Mapping[str, str]] = {
    "kenward-roger": "Kenward-Roger",
    "satterthwaite": "Satterthwaite",
    "CR0": "CR0",
    "CR2": "CR2",
    "CR3": "CR3",
    "jackknife": "jackknife",
    GROUPED: "Kenward-Roger, a covariance each group",
}
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Shown:
    """One table: trials of this name, one question, and whether intervals or tests are counted."""

    trials: str
    question: str
    coverage: bool = False


TABLES: Final[Mapping[str, Shown]] = {
    "people, one difference": Shown("people", "one"),
    "people, all visits": Shown("people", "all"),
    "exposures, coverage": Shown("exposures", "planted", coverage=True),
    "exposures, one difference": Shown("exposures", "one"),
    "exposures, all visits": Shown("exposures", "all"),
    "clinics, one difference": Shown("clinics", "one"),
    "clinics, all visits": Shown("clinics", "all"),
    "spreads, one difference": Shown("spreads", "one"),
    "spreads, all visits": Shown("spreads", "all"),
}


def monte_carlo_error(counted: int, of: int) -> float:
    """Return the standard error of a percentage that is ``counted`` out of ``of`` trials."""
    share = counted / of
    return 100 * sqrt(share * (1 - share) / of)


def results() -> Mapping[str, Any]:
    """Read what the simulation stored."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


# --------------------------------------------------------------------------------------- the tables
def table_of(rows: Sequence[Row], name: str) -> str:
    """Lay out one of ``TABLES``."""
    shown = TABLES[name]
    used = [row for row in rows if row["table"] == shown.trials]
    methods = [m for m in LABELS if any(m in row["tests"][shown.question] for row in used)]
    lines = [
        ["a group", "dropout", *(LABELS[method] for method in methods)],
        ["---"] * (2 + len(methods)),
    ]
    for row in used:
        cells = row["tests"][shown.question]
        found = [_cell(cells[m], shown.coverage) if m in cells else "" for m in methods]
        lines.append([_groups(row), "yes" if row["dropout"] else "no", *found])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(found: Mapping[str, float], coverage: bool) -> str:
    percent = 100 - found["percent"] if coverage else found["percent"]
    return f"{percent:.1f} ({found['error']:.1f})"


def _groups(row: Row) -> str:
    *first, last = map(str, row["groups"])
    return f"{', '.join(first)} and {last}"


# --------------------------------------------------------------------------------- what is promised
@dataclass(frozen=True)
class Target:
    """What was to be reached, and what was by the number that has the least room.

    Attributes
    ----------
    says : str
    numbers : int
        Of how many numbers it was asked.
    worst : str
        The one with the least room, its Monte Carlo error and its row.
    room : float
        To the limit, two Monte Carlo errors beyond it, in percent; negative where it was missed.
    """

    says: str
    numbers: int
    worst: str
    room: float


def targets(rows: Sequence[Row]) -> list[Target]:
    """Compare the counts with what is promised of them."""
    right = ("people", "exposures")
    return [
        _target(
            "Kenward-Roger, one difference: coverage of 94 to 96 % from 20 a group",
            _asked(rows, right, ("one", "planted"), "kenward-roger", 20),
            lambda percent: 1 - abs(percent - 5),
        ),
        _target(
            "Kenward-Roger, one difference and all visits: at most 5.5 %",
            _asked(rows, right, ("one", "planted", "all"), "kenward-roger", 0),
            lambda percent: 5.5 - percent,
        ),
        _target(
            "Kenward-Roger, a covariance each group where spreads differ: at most 5.5 %",
            _asked(rows, ("spreads",), ("one", "all"), GROUPED, 0),
            lambda percent: 5.5 - percent,
        ),
        _target(
            "Satterthwaite, one difference: at most 6.5 % from 20 a group",
            _asked(rows, right, ("one", "planted"), "satterthwaite", 20),
            lambda percent: 6.5 - percent,
        ),
        _target(
            "CR2, one difference: at most 6.5 % from 20 a group",
            _asked(rows, right, ("one", "planted"), "CR2", 20),
            lambda percent: 6.5 - percent,
        ),
        _target(
            "CR2 by clinic, one difference and all visits: at most 6.5 %",
            _asked(rows, ("clinics",), ("one", "all"), "CR2", 0),
            lambda percent: 6.5 - percent,
        ),
        _target(
            "Jackknife by clinic, one difference and all visits: at most 6.5 %",
            _asked(rows, ("clinics",), ("one", "all"), "jackknife", 0),
            lambda percent: 6.5 - percent,
        ),
    ]


Asked = tuple[str, Mapping[str, float]]


def _asked(
    rows: Sequence[Row], tables: Sequence[str], questions: Sequence[str], method: str, least: int
) -> Iterator[Asked]:
    """Yield what each row says, with its name, of groups of at least so many people."""
    for row in rows:
        if row["table"] in tables and min(row["groups"]) >= least:
            for question in questions:
                if question in row["tests"]:
                    dropout = ", dropout" if row["dropout"] else ""
                    yield f"{row['table']}, {_groups(row)}{dropout}", row["tests"][question][method]


def _target(says: str, asked: Iterator[Asked], room: Callable[[float], float]) -> Target:
    found = [(room(one["percent"]) + 2 * one["error"], name, one) for name, one in asked]
    least, name, one = min(found, key=lambda each: each[0])
    return Target(says, len(found), f"{_cell(one, coverage=False)}: {name}", least)


def _targets_table(rows: Sequence[Row]) -> str:
    lines = [("what is promised", "numbers", "least room", "reached"), ("---",) * 4]
    lines += [
        (one.says, str(one.numbers), one.worst, "yes" if one.room >= 0 else "**no**")
        for one in targets(rows)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _without_answer(rows: Sequence[Row]) -> str:
    """Say in how many trials the model, or a method that it was fitted for, had no answer."""
    found = []
    for row in rows:
        counts = next(iter(row["tests"].values()))
        unfitted = row["studies"] - row["fitted"]
        more = {LABELS[m]: one["asked"] - one["answered"] for m, one in counts.items()}
        lost = {"the model": unfitted} | {m: n for m, n in more.items() if n > unfitted}
        dropout = "with" if row["dropout"] else "without"
        found += [
            f"{what} in {n} ({row['table']}, {_groups(row)}, {dropout} dropout)"
            for what, n in lost.items()
            if n
        ]
    if not found:
        return "Every model could be fitted, and every method had an answer."
    return f"No maximum of the likelihood, which counts as no answer: {'; '.join(found)}."


# ----------------------------------------------------------------------------------------- the page
def page() -> str:
    """Return the page with its tables as the counts have them."""
    stored = results()
    rows = stored["rows"]
    parts = {name: table_of(rows, name) for name in TABLES}
    parts["targets"] = _targets_table(rows)
    parts["made"] = _made(stored)
    return re.sub(
        r"<!-- made: (.+?) -->\n.*?<!-- end -->",
        lambda mark: f"<!-- made: {mark[1]} -->\n{parts[mark[1]]}\n<!-- end -->",
        PAGE.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )


def _made(stored: Mapping[str, Any]) -> str:
    software = ", ".join(f"{name} {version}" for name, version in stored["software"].items())
    studies = sorted({row["studies"] for row in stored["rows"]})
    many = " or ".join(f"{n:,}" for n in studies)
    return f"{many} trials a row, seeds 1, 2, ...; {software}. {_without_answer(stored['rows'])}"
