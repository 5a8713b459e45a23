"""The estimate tables in the ledger: who is behind an estimate, and the counts behind shares."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import combinations
from typing import Any, Final

from outcomes.results.entering import (
    add_lines,
    enter_patients,
    enter_share,
    grouped,
    lie_within_size,
    number_or_none,
)
from outcomes.results.ledger import Ledger
from outcomes.results.view import Row

RISK: Final = "risk"
CHANGE_PARTS: Final = frozenset({"stopped", "halved", "little_change", "little", "increased"})
FAILURE: Final = "missing-is-failure"
SEEN_ALONE: Final = frozenset({"observed-only", FAILURE})
"""Methods whose shares count none but those who were seen."""
_SAME: Final = ("analysis_id", "outcome", "estimand", "population", "method", "subgroup", "visit")
_QUESTION: Final = ("threshold", "threshold_unit")


def enter_estimates(ledger: Ledger, name: str, rows: list[Row]) -> None:
    """Enter who is behind each estimate of a single group, and the counts behind shares."""
    for k, row in enumerate(rows):
        if row["reference"]:
            continue
        entry = _behind(ledger, name, k, row)
        enter_patients(ledger, name, k, row, entry)
        if row["scale"] == RISK:
            enter_share(ledger, (name, k, "estimate"), row["estimate"], entry)
    _steps(ledger, name, rows)
    _same_people(ledger, name, rows)
    _parts(ledger, name, rows)
    levels = [row | {"exposure": row["level"]} for row in rows]
    add_lines(ledger, name, levels, "estimate", *_SAME, *_QUESTION, "reference", "scale")


def _behind(ledger: Ledger, name: str, k: int, row: Row) -> int | None:
    """Enter the episodes behind an estimate, which lie within the group."""
    value = number_or_none(row["n_episodes"])
    if value is None:
        return None
    seen = ("seen", row["outcome"], row["visit"], row["level"])
    own = ("behind", *(row[key] for key in _SAME), row["level"], value)
    key: Hashable = seen if ledger.find(seen, value) is not None else own
    entry = ledger.add(value, cell=(name, k, "n_episodes"), key=key)
    with_value = ledger.find(seen)
    if with_value is not None:  # use may be known of more people than a dose
        ledger.subtract(entry, with_value)
    everyone = ledger.find(("behind", *_main(row), row["level"], value))
    if row["subgroup"] and everyone is not None:
        ledger.subtract(everyone, entry)
    lie_within_size(ledger, entry, row["level"])
    return entry


def _main(row: Row) -> tuple[Any, ...]:
    return tuple("" if key == "subgroup" else row[key] for key in _SAME)


def _steps(ledger: Ledger, name: str, rows: list[Row]) -> None:
    """Those who reach a higher threshold are among those who reach a lower one."""
    for line in grouped(rows, *_SAME, "level", "reference", "scale"):
        placed = [
            (number_or_none(row["threshold"]), ledger.placed.get((name, k, "estimate")))
            for k, row in line
        ]
        steps = [e for t, e in placed if t is not None and e is not None]
        steps.sort(key=lambda e: ledger.entries[e].value)
        for fewer, more in combinations(steps, 2):
            ledger.subtract(more, fewer)


def _same_people(ledger: Ledger, name: str, rows: list[Row]) -> None:
    """Those seen to reach a threshold are the same, whatever is said of the unseen."""
    for line in grouped(rows, "outcome", "estimand", "subgroup", "visit", "level", *_QUESTION):
        seen = [
            ledger.placed.get((name, k, "estimate"))
            for k, row in line
            if row["method"] in SEEN_ALONE and not row["reference"]
        ]
        first, *others = [entry for entry in seen if entry is not None] or [0]
        for other in others:
            ledger.add_up(first, [other])


def _parts(ledger: Ledger, name: str, rows: list[Row]) -> None:
    """What became of a dose: the parts are everyone who had one."""
    same = [key for key in _SAME if key != "estimand"]
    for line in grouped(rows, *same, "level", "reference", "scale"):
        here = [k for k, row in line if row["estimand"] in CHANGE_PARTS and not row["reference"]]
        parts = [ledger.placed.get((name, k, "estimate")) for k in here]
        known = [ledger.placed.get((name, k, "n_episodes")) for k in here]
        if len(parts) > 1 and None not in parts and known[0] is not None:
            ledger.add_up(known[0], [entry for entry in parts if entry is not None])
