"""The ledger of the study's tables: which counts are the same, add up, or lie within each other.

One function a table reads the rows of its contract. Whether counts really add up is settled by the
exact numbers, never assumed (:mod:`outcomes.results.ledger`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from outcomes.results.ledger import Cell, Ledger
from outcomes.results.poisson import events_behind
from outcomes.results.tables import ESTIMATE_TABLES, TABLES
from outcomes.results.view import Row, records

if TYPE_CHECKING:
    import pandas as pd

ALL: Final = ""
PRIMARY: Final = "primary"
SHARE: Final = "share"
RATE: Final = "rate"
RISK: Final = "risk"
CHANGE_PARTS: Final = frozenset({"stopped", "halved", "little_change", "little", "increased"})


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
    for name, enter in _READERS.items():
        table = tables.get(name)
        if table is not None and len(table):
            rows = records(table)
            enter(ledger, name, rows)
            _enter_rest(ledger, name, rows)
    return ledger


def _number(value: object) -> float | None:
    import pandas as pd

    return None if value is None or pd.isna(value) else float(value)  # type: ignore[call-overload,arg-type]


def _enter(ledger: Ledger, cell: Cell, value: object, key: Hashable = None) -> int | None:
    """Enter one cell, where it holds a number."""
    number = _number(value)
    return None if number is None else ledger.add(number, cell=cell, key=key)


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
                _enter(ledger, (name, k, column), row[column])


def _size(ledger: Ledger, cell: Cell, value: object, exposure: str) -> int | None:
    """Enter the size of a group; a second, different number of it lies within the first."""
    number = _number(value)
    if number is None:
        return None
    size = ledger.add(number, cell=cell, key=("size", exposure))
    ledger.entries[size].size = True
    _within_size(ledger, size, exposure)
    return size


def _within_size(ledger: Ledger, part: int | None, exposure: str) -> None:
    whole = ledger.find(("size", exposure))
    if whole is not None and part is not None:
        ledger.subtract(whole, part)


def _grouped(rows: list[Row], *keys: str) -> Iterator[list[tuple[int, Row]]]:
    """Yield rows that agree on ``keys``, with their positions."""
    found: dict[tuple[Any, ...], list[tuple[int, Row]]] = {}
    for k, row in enumerate(rows):
        found.setdefault(tuple(row[key] for key in keys), []).append((k, row))
    yield from found.values()


def _lines(ledger: Ledger, name: str, rows: list[Row], column: str, *keys: str) -> None:
    """Add the groups of each line up to the row of all together."""
    for line in _grouped(rows, *keys):
        placed = {row["exposure"]: ledger.placed.get((name, k, column)) for k, row in line}
        total = placed.pop(ALL, None)
        parts = [entry for entry in placed.values() if entry is not None]
        ledger.lines.append((tuple(parts), total))
        if total is not None and len(parts) == len(placed) and parts:
            ledger.entries[total].total = True
            ledger.add_up(total, parts)


# --------------------------------------------------------------------------------- groups and flow
def _completeness(ledger: Ledger, name: str, rows: list[Row]) -> None:
    for k, row in enumerate(rows):
        exposure = row["exposure"]
        size = _size(ledger, (name, k, "n_episodes"), row["n_episodes"], exposure)
        key = ("seen", row["outcome"], row["visit"], exposure)
        seen = _enter(ledger, (name, k, "n_observed"), row["n_observed"], key)
        if size is not None and seen is not None:
            ledger.subtract(size, seen, guard=True)
    _lines(ledger, name, rows, "n_episodes")
    _lines(ledger, name, rows, "n_observed", "outcome", "visit")


def _flow(ledger: Ledger, name: str, rows: list[Row]) -> None:
    box: int | None = None
    reasons: list[int] = []
    for k, row in sorted(enumerate(rows), key=lambda item: _number(item[1]["order"]) or 0.0):
        cell = (name, k, "n_episodes")
        kept = row["kind"] == "kept"
        value = _number(row["n_episodes"])
        size = None if value is None else ledger.find(("size", ALL), value)
        key = ("size", ALL) if kept and size is not None else None
        entry = _enter(ledger, cell, value, key)
        _patients(ledger, name, k, row, entry)
        if entry is None:
            continue
        if not kept:
            reasons.append(entry)
            continue
        if box is not None:
            ledger.add_up(box, [entry, *reasons])
            ledger.subtract(box, entry)
        box, reasons = entry, []


def _patients(ledger: Ledger, name: str, k: int, row: Row, episodes: int | None) -> None:
    """Enter the patients behind episodes; those with several episodes are the rest."""
    patients = _enter(ledger, (name, k, "n_patients"), row["n_patients"])
    if episodes is not None and patients is not None:
        ledger.subtract(episodes, patients)


def _baseline(ledger: Ledger, name: str, rows: list[Row]) -> None:
    for line in _grouped(rows, "variable", "exposure"):
        levels: list[int] = []
        for k, row in line:
            place = (row["variable"], row["exposure"])
            known = _enter(ledger, (name, k, "n_episodes"), row["n_episodes"], ("known", *place))
            _enter(ledger, (name, k, "n_missing"), row["n_missing"], ("missing", *place))
            level = _enter(ledger, (name, k, "count"), row["count"])
            if known is not None and level is not None:
                ledger.subtract(known, level, guard=True)
                levels.append(level)
        _within_group(ledger, *place)
        if known is not None and len(levels) > 1:
            ledger.add_up(known, levels)
    for column in ("count", "n_episodes", "n_missing"):
        _lines(ledger, name, rows, column, "variable", "level")


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
        size = _size(ledger, (name, k, "n_total"), row["n_total"], row["exposure"])
        had = _enter(ledger, (name, k, "n_episodes"), row["n_episodes"])
        if had is None:
            continue
        at[row["period"], row["intervention"], row["exposure"]] = had
        if size is not None:
            ledger.subtract(size, had, guard=True)
    for (period, intervention, exposure), had in at.items():
        parent = _parent(at, period, intervention, exposure)
        if parent is not None:
            ledger.subtract(parent, had)
        episode = at.get(("episode", intervention, exposure))
        if period == "window" and episode is not None:
            ledger.subtract(episode, had)
    _lines(ledger, name, rows, "n_episodes", "period", "intervention")


def _parent(
    at: dict[tuple[str, str, str], int], period: str, intervention: str, exposure: str
) -> int | None:
    """Return the nearest group above an intervention that has a row of its own."""
    while "." in intervention:
        intervention = intervention.rpartition(".")[0]
        if (period, intervention, exposure) in at:
            return at[period, intervention, exposure]
    return None


def _combinations(ledger: Ledger, name: str, rows: list[Row]) -> None:
    found = [
        _enter(ledger, (name, k, "n_episodes"), row["n_episodes"]) for k, row in enumerate(rows)
    ]
    parts = [entry for entry in found if entry is not None]
    size = ledger.find(("size", ALL))
    if size is not None and parts:
        ledger.add_up(size, parts)


def _dose(ledger: Ledger, name: str, rows: list[Row]) -> None:
    for k, row in enumerate(rows):
        known = _enter(ledger, (name, k, "n_episodes"), row["n_episodes"])
        _within_size(ledger, known, row["exposure"])
        if row["statistic"] == SHARE:
            _enter_share(ledger, (name, k, "estimate"), row["estimate"], known)
    for column in ("n_episodes", "estimate"):
        _lines(ledger, name, rows, column, "measure")


def _enter_share(ledger: Ledger, cell: Cell, share: object, known: int | None) -> int | None:
    """Enter the count behind a share of a known number."""
    number = _number(share)
    if number is None or known is None:
        return None
    part = ledger.add(number * ledger.entries[known].value, cell=cell)
    ledger.subtract(known, part, guard=True)
    return part


# ------------------------------------------------------------------------------ harms and the rest
def _harms(ledger: Ledger, name: str, rows: list[Row]) -> None:
    for k, row in enumerate(rows):
        size = _size(ledger, (name, k, "n_total"), row["n_total"], row["exposure"])
        people = _enter(ledger, (name, k, "n_episodes"), row["n_episodes"])
        events = _enter(ledger, (name, k, "n_events"), row["n_events"])
        if size is not None and people is not None:
            ledger.subtract(size, people, guard=True)
        if events is not None and people is not None:
            ledger.subtract(events, people, protect=False)
    for line in _grouped(rows, "event", "exposure"):
        _grades(ledger, name, line)
    for column in ("n_episodes", "n_events"):
        _lines(ledger, name, rows, column, "event", "severity")


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
        known = _enter(ledger, (name, k, "n_episodes"), row["n_episodes"])
        _within_size(ledger, known, row["exposure"])
        part = _enter(ledger, (name, k, "count"), row["count"])
        if known is not None and part is not None:
            ledger.subtract(known, part, guard=True)
        if row["statistic"] == RATE:
            events = events_behind(row["estimate"], row["conf_high"])
            _enter(ledger, (name, k, "estimate"), events)
        elif row["statistic"] == SHARE and not is_plain_share(row):
            _enter_share(ledger, (name, k, "estimate"), row["estimate"], known)
    for column in ("n_episodes", "count", "estimate"):
        _lines(ledger, name, rows, column, "domain", "measure", "visit", "statistic")


def is_plain_share(row: Row) -> bool:
    """Whether a share is its row's count over its row's number, not one with people leaving."""
    share, count, known = (_number(row[name]) for name in ("estimate", "count", "n_episodes"))
    if share is None or count is None or not known:
        return False
    return abs(share - count / known) < 1e-9


def _problems(ledger: Ledger, name: str, rows: list[Row]) -> None:
    for k, row in enumerate(rows):
        looked = _enter(ledger, (name, k, "n_rows"), row["n_rows"], ("rows", row["table"]))
        found = _enter(ledger, (name, k, "count"), row["count"])
        if looked is not None and found is not None:
            ledger.subtract(looked, found)


def _gate(ledger: Ledger, name: str, rows: list[Row]) -> None:
    for k, row in enumerate(rows):
        if row["check"] == "group_size":
            place = (row["outcome"], row["visit"], row["exposure"])
            value = _number(row["value"])
            entry = _enter(ledger, (name, k, "value"), value, ("seen", *place))
            _within_size(ledger, entry, row["exposure"])


# --------------------------------------------------------------------------------------- estimates
_SAME: Final = ("analysis_id", "outcome", "estimand", "population", "method", "subgroup", "visit")


def _estimates(ledger: Ledger, name: str, rows: list[Row]) -> None:
    for k, row in enumerate(rows):
        if row["reference"]:
            continue
        entry = _behind(ledger, name, k, row)
        _patients(ledger, name, k, row, entry)
        if row["scale"] == RISK:
            _enter_share(ledger, (name, k, "estimate"), row["estimate"], entry)
    _steps(ledger, name, rows)
    _parts(ledger, name, rows)
    levels = [row | {"exposure": row["level"]} for row in rows]
    _lines(ledger, name, levels, "estimate", *_SAME, "threshold", "reference", "scale")


def _behind(ledger: Ledger, name: str, k: int, row: Row) -> int | None:
    """Enter the episodes behind an estimate, which lie within the group."""
    value = _number(row["n_episodes"])
    if value is None:
        return None
    seen = ("seen", row["outcome"], row["visit"], row["level"])
    own = ("behind", *(row[key] for key in _SAME), row["level"], value)
    key: Hashable = seen if ledger.find(seen, value) is not None else own
    entry = ledger.add(value, cell=(name, k, "n_episodes"), key=key)
    everyone = ledger.find(("behind", *_main(row), row["level"], value))
    if row["subgroup"] and everyone is not None:
        ledger.subtract(everyone, entry)
    _within_size(ledger, entry, row["level"])
    return entry


def _main(row: Row) -> tuple[Any, ...]:
    return tuple("" if key == "subgroup" else row[key] for key in _SAME)


def _steps(ledger: Ledger, name: str, rows: list[Row]) -> None:
    """Those who reach a higher threshold are among those who reach a lower one."""
    for line in _grouped(rows, *_SAME, "level", "reference", "scale"):
        placed = [
            (_number(row["threshold"]), ledger.placed.get((name, k, "estimate"))) for k, row in line
        ]
        steps = sorted((t, e) for t, e in placed if t is not None and e is not None)
        for (_, more), (_, fewer) in pairwise(steps):
            value = ledger.entries
            first, last = (
                (more, fewer) if value[more].value >= value[fewer].value else (fewer, more)
            )
            ledger.subtract(first, last)


def _parts(ledger: Ledger, name: str, rows: list[Row]) -> None:
    """What became of a dose: the parts are everyone who had one."""
    same = [key for key in _SAME if key != "estimand"]
    for line in _grouped(rows, *same, "level", "reference", "scale"):
        here = [k for k, row in line if row["estimand"] in CHANGE_PARTS and not row["reference"]]
        parts = [ledger.placed.get((name, k, "estimate")) for k in here]
        known = [ledger.placed.get((name, k, "n_episodes")) for k in here]
        if len(parts) > 1 and None not in parts and known[0] is not None:
            ledger.add_up(known[0], [entry for entry in parts if entry is not None])


_READERS: Final[dict[str, Callable[[Ledger, str, list[Row]], None]]] = {
    "completeness": _completeness,
    "flow": _flow,
    "baseline": _baseline,
    "components": _components,
    "combinations": _combinations,
    "dose": _dose,
    "harms": _harms,
    "described": _described,
    **dict.fromkeys(ESTIMATE_TABLES, _estimates),
    "gate": _gate,
    "problems": _problems,
}
