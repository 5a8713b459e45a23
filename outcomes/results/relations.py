"""The ledger of the study's tables: which counts are the same, add up, or lie within each other.

One function a table reads the rows of its contract. Whether counts really add up is settled by the
exact numbers, never assumed (:mod:`outcomes.results.ledger`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from outcomes.results.entering import (
    ALL,
    add_lines,
    enter,
    enter_patients,
    enter_share,
    enter_size,
    grouped,
    lie_within_size,
    number_or_none,
)
from outcomes.results.ledger import Ledger
from outcomes.results.poisson import events_behind, stated_level
from outcomes.results.relations_estimates import enter_estimates
from outcomes.results.tables import ESTIMATE_TABLES, TABLES
from outcomes.results.view import Row, as_float, records

if TYPE_CHECKING:
    import pandas as pd

SHARE: Final = "share"
GROUP_SIZE: Final = "group_size"
RATE: Final = "rate"
WITHIN: Final = {
    "opioid_stopped": "opioid_halved",
    "any_mme_90": "any_mme_50",
    "uses_opioid": "uses_any_opioid",
    "uses_opioid_agonist": "uses_any_opioid",
}
"""Described measures whose people are all among those of another."""
KNOWN_WITHIN: Final = {
    "opioid_halved": "opioid_stopped",
    "opioid_increased": "opioid_stopped",
    **{
        f"{days}_mme_{dose}": f"{days}_opioid_benzodiazepine"
        for days in ("any", "days")
        for dose in (50, 90)
    },
}
"""Described measures that rest on a dose, and those for which use is enough."""
INTAKE: Final = "intake_"


def build_ledger(tables: Mapping[str, pd.DataFrame]) -> Ledger:
    """Enter every count of the tables.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Contract tables with exact numbers; any may be absent or empty.

    Returns
    -------
    Ledger
    """
    ledger = Ledger()
    for name, read in _READERS.items():
        table = tables.get(name)
        if table is not None and len(table):
            rows = records(table)
            read(ledger, name, rows)
            _enter_rest(ledger, name, rows)
    ledger.merge_alike()
    return ledger


def _enter_rest(ledger: Ledger, name: str, rows: list[Row]) -> None:
    """Enter the count columns that no reader has placed, so that none is forgotten.

    Those of a comparison are left out: they are made from the released counts of its two groups.
    """
    counts = [column.name for column in TABLES[name].columns if column.disclosure == "count"]
    for k, row in enumerate(rows):
        if row.get("reference") and name in ESTIMATE_TABLES:
            continue
        for column in counts:
            if (name, k, column) not in ledger.placed:
                enter(ledger, (name, k, column), row[column])


# --------------------------------------------------------------------------------- groups and flow
def _completeness(ledger: Ledger, name: str, rows: list[Row]) -> None:
    for k, row in enumerate(rows):
        exposure = row["exposure"]
        size = enter_size(ledger, (name, k, "n_episodes"), row["n_episodes"], exposure)
        key = ("seen", row["outcome"], row["visit"], exposure)
        seen = enter(ledger, (name, k, "n_observed"), row["n_observed"], key)
        if size is not None and seen is not None:
            ledger.subtract(size, seen, guard=True)
    add_lines(ledger, name, rows, "n_episodes")
    add_lines(ledger, name, rows, "n_observed", "outcome", "visit")


def _flow(ledger: Ledger, name: str, rows: list[Row]) -> None:
    boxes: list[int] = []
    patients: list[int] = []
    reasons: list[int] = []
    for k, row in sorted(enumerate(rows), key=lambda item: number_or_none(item[1]["order"]) or 0.0):
        cell = (name, k, "n_episodes")
        kept = row["kind"] == "kept"
        value = number_or_none(row["n_episodes"])
        size = None if value is None else ledger.find(("size", ALL), value)
        key = ("size", ALL) if kept and size is not None else None
        entry = enter(ledger, cell, value, key)
        people = enter_patients(ledger, name, k, row, entry)
        if entry is None:
            continue
        if not kept:
            reasons.append(entry)
            continue
        if boxes:
            ledger.add_up(boxes[-1], [entry, *reasons])
        ledger.lines.append((tuple(reasons), None))
        _lie_within(ledger, boxes, entry)
        if people is not None:
            _lie_within(ledger, patients, people)
        reasons = []


def _lie_within(ledger: Ledger, earlier: list[int], box: int) -> None:
    """Say that a box lies within all before it, and put it behind them."""
    for whole in earlier:
        ledger.subtract(whole, box)
    earlier.append(box)


def _baseline(ledger: Ledger, name: str, rows: list[Row]) -> None:
    for line in grouped(rows, "variable", "exposure"):
        levels: list[int] = []
        for k, row in line:
            place = (row["variable"], row["exposure"])
            known = enter(ledger, (name, k, "n_episodes"), row["n_episodes"], ("known", *place))
            enter(ledger, (name, k, "n_missing"), row["n_missing"], ("missing", *place))
            level = enter(ledger, (name, k, "count"), row["count"])
            if known is not None and level is not None:
                ledger.subtract(known, level, guard=True)
                levels.append(level)
        _within_group(ledger, *place)
        if known is not None and len(levels) > 1:
            ledger.add_up(known, levels)
    for column in ("count", "n_episodes", "n_missing"):
        add_lines(ledger, name, rows, column, "variable", "level")


def _within_group(ledger: Ledger, variable: str, exposure: str) -> None:
    """Those with a value and those without are the whole group."""
    size = ledger.find(("size", exposure))
    known = ledger.find(("known", variable, exposure))
    missing = ledger.find(("missing", variable, exposure))
    if size is not None and known is not None and missing is not None:
        ledger.add_up(size, [known, missing])


# --------------------------------------------------------------------------------------- delivered
def _components(ledger: Ledger, name: str, rows: list[Row]) -> None:
    at: dict[tuple[str, str, str], int] = {}
    for k, row in enumerate(rows):
        size = enter_size(ledger, (name, k, "n_total"), row["n_total"], row["exposure"])
        had = enter(ledger, (name, k, "n_episodes"), row["n_episodes"])
        if had is None:
            continue
        at[row["period"], row["intervention"], row["exposure"]] = had
        if size is not None:
            ledger.subtract(size, had, guard=True)
    for (period, intervention, exposure), had in at.items():
        for parent in _parents(at, period, intervention, exposure):
            ledger.subtract(parent, had)
        episode = at.get(("episode", intervention, exposure))
        if period == "window" and episode is not None:
            ledger.subtract(episode, had)
    add_lines(ledger, name, rows, "n_episodes", "period", "intervention")


def _parents(
    at: dict[tuple[str, str, str], int], period: str, intervention: str, exposure: str
) -> Iterator[int]:
    """Yield the groups above an intervention that have rows of their own."""
    while "." in intervention:
        intervention = intervention.rpartition(".")[0]
        if (period, intervention, exposure) in at:
            yield at[period, intervention, exposure]


def _combinations(ledger: Ledger, name: str, rows: list[Row]) -> None:
    found = [
        enter(ledger, (name, k, "n_episodes"), row["n_episodes"]) for k, row in enumerate(rows)
    ]
    parts = [entry for entry in found if entry is not None]
    size = ledger.find(("size", ALL))
    if size is not None and parts:
        ledger.add_up(size, parts)


def _dose(ledger: Ledger, name: str, rows: list[Row]) -> None:
    for k, row in enumerate(rows):
        known = enter(ledger, (name, k, "n_episodes"), row["n_episodes"])
        lie_within_size(ledger, known, row["exposure"])
        if row["statistic"] == SHARE:
            enter_share(ledger, (name, k, "estimate"), row["estimate"], known)
    for column in ("n_episodes", "estimate"):
        add_lines(ledger, name, rows, column, "measure")


# ------------------------------------------------------------------------------ harms and the rest
def _harms(ledger: Ledger, name: str, rows: list[Row]) -> None:
    for k, row in enumerate(rows):
        size = enter_size(ledger, (name, k, "n_total"), row["n_total"], row["exposure"])
        people = enter(ledger, (name, k, "n_episodes"), row["n_episodes"])
        events = enter(ledger, (name, k, "n_events"), row["n_events"])
        if size is not None and people is not None:
            ledger.subtract(size, people, guard=True)
        if events is not None and people is not None:
            ledger.subtract(events, people, protect=False)
    for line in grouped(rows, "event", "exposure"):
        _grades(ledger, name, line)
    for column in ("n_episodes", "n_events"):
        add_lines(ledger, name, rows, column, "event", "severity")


def _grades(ledger: Ledger, name: str, line: list[tuple[int, Row]]) -> None:
    """Events of all grades are all events; people with a grade are among those with any."""
    whole = [k for k, row in line if row["severity"] == "any"]
    grades = [k for k, row in line if row["severity"] != "any"]
    if not whole or not grades:
        return
    events = [ledger.placed.get((name, k, "n_events")) for k in grades]
    total = ledger.placed.get((name, whole[0], "n_events"))
    if total is not None and None not in events:
        ledger.add_up(total, [entry for entry in events if entry is not None])
    people = ledger.placed.get((name, whole[0], "n_episodes"))
    for k in grades:
        part = ledger.placed.get((name, k, "n_episodes"))
        if people is not None and part is not None:
            ledger.subtract(people, part)


def _described(ledger: Ledger, name: str, rows: list[Row]) -> None:
    for k, row in enumerate(rows):
        known = enter(ledger, (name, k, "n_episodes"), row["n_episodes"])
        lie_within_size(ledger, known, row["exposure"])
        part = enter(ledger, (name, k, "count"), row["count"])
        if known is not None and part is not None:
            ledger.subtract(known, part, guard=True)
        if row["statistic"] == RATE:
            level = stated_level(as_float(row["conf_level"]))
            events = events_behind(row["estimate"], row["conf_high"], level)
            enter(ledger, (name, k, "estimate"), events)
        elif row["statistic"] == SHARE and not is_plain_share(row):
            enter_share(ledger, (name, k, "estimate"), row["estimate"], known)
    _within_others(ledger, name, rows)
    for column in ("n_episodes", "count", "estimate"):
        add_lines(ledger, name, rows, column, "domain", "measure", "visit", "statistic")


def _within_others(ledger: Ledger, name: str, rows: list[Row]) -> None:
    """Say which measures of a visit and group hold only people of another."""
    for line in grouped(rows, "visit", "exposure"):
        counts = {row["measure"]: ledger.placed.get((name, k, "count")) for k, row in line}
        for measure, part in counts.items():
            for other in _wholes(str(measure), counts):
                whole = counts.get(other)
                if part is not None and whole is not None:
                    ledger.subtract(whole, part)
        known = {row["measure"]: ledger.placed.get((name, k, "n_episodes")) for k, row in line}
        for measure, other in KNOWN_WITHIN.items():
            part, whole = known.get(measure), known.get(other)
            if part is not None and whole is not None:
                ledger.subtract(whole, part)


def _wholes(measure: str, measures: Iterable[str]) -> Iterator[str]:
    """Yield the measures that hold everyone of another."""
    if measure in WITHIN:
        yield WITHIN[measure]
    elif measure.endswith("_remission"):
        yield measure.removesuffix("_remission") + "_acceptable"
    elif measure == f"{INTAKE}all":
        yield from (m for m in measures if m.startswith(INTAKE) and m != measure)


def is_plain_share(row: Row) -> bool:
    """Whether a share is its row's count over its row's number, not one with people leaving."""
    share, count, known = (
        number_or_none(row[name]) for name in ("estimate", "count", "n_episodes")
    )
    if share is None or count is None or not known:
        return False
    return abs(share - count / known) < 1e-9


def _problems(ledger: Ledger, name: str, rows: list[Row]) -> None:
    for k, row in enumerate(rows):
        looked = enter(ledger, (name, k, "n_rows"), row["n_rows"], ("rows", row["table"]))
        found = enter(ledger, (name, k, "count"), row["count"])
        if looked is not None and found is not None:
            ledger.subtract(looked, found)


def _gate(ledger: Ledger, name: str, rows: list[Row]) -> None:
    for k, row in enumerate(rows):
        value = number_or_none(row["value"])
        if row["check"] == GROUP_SIZE and value is not None:
            place = (row["outcome"], row["visit"], row["exposure"])
            keys = (("size", row["exposure"]), ("seen", *place), ("checked", *place, value))
            key = next((key for key in keys if ledger.find(key, value) is not None), keys[-1])
            entry = ledger.add(value, cell=(name, k, "value"), key=key)
            lie_within_size(ledger, entry, row["exposure"])


_READERS: Final[dict[str, Callable[[Ledger, str, list[Row]], None]]] = {
    "completeness": _completeness,
    "flow": _flow,
    "baseline": _baseline,
    "components": _components,
    "combinations": _combinations,
    "dose": _dose,
    "harms": _harms,
    "described": _described,
    **dict.fromkeys(ESTIMATE_TABLES, enter_estimates),
    "gate": _gate,
    "problems": _problems,
}
