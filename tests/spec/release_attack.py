"""A reader's attack on a release, with no code of the package: intervals of every count.

The attacker has the CSV files of ``release/tables`` and knows how they are made: counts are rounded
to five, hidden ones may be anything, shares are those of rounded counts. Every count is an unknown
within an interval; every sum that the definitions of the tables imply ties some together, in one
table and across tables; intervals shrink until nothing moves. A difference of two counts that lie
within each other is an unknown, too: who is in the one and not in the other.

The exact tables serve only to say which unknowns are really from 1 to 10.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.stats import chi2

REACH: Final = 2
STEP: Final = 5
ALL: Final = ""
SLACK: Final = 1e-9
Row = dict[str, Any]
Pair = tuple[Row, Row]
"""A row as it is and as it was released."""


@dataclass
class Attack:
    """Unknowns with their intervals, what they truly are, and sums that come out at zero."""

    low: dict[Hashable, float] = field(default_factory=dict)
    high: dict[Hashable, float] = field(default_factory=dict)
    true: dict[Hashable, float] = field(default_factory=dict)
    sums: list[list[tuple[Hashable, int]]] = field(default_factory=list)
    pooled: dict[str, list[Row]] = field(default_factory=dict)
    lines: list[dict[object, Hashable | None]] = field(default_factory=list)

    def know(self, name: Hashable, true: object, shown: object = None) -> Hashable | None:
        """Enter an unknown and what its released number says; None where there is none at all."""
        exact = number(true)
        if math.isnan(exact):
            return None
        if name in self.true and abs(self.true[name] - exact) > 1e-6:
            name = (name, "of its own", exact)
        self.true.setdefault(name, exact)
        self.low.setdefault(name, 0.0)
        self.high.setdefault(name, math.inf)
        released = number(shown)
        if not math.isnan(released):
            reach = REACH if float(exact).is_integer() else STEP / 2
            self.low[name] = max(self.low[name], released - reach if released else 0.0)
            self.high[name] = min(self.high[name], released + reach if released else 0.0)
        return name

    def add_up(self, total: Hashable | None, parts: Iterable[Hashable | None]) -> None:
        """Tie a total to its parts, where they are one."""
        listed = list(parts)
        if total is None or not listed or None in listed:
            return
        if abs(self.true[total] - sum(self.true[p] for p in listed)) < 1e-6:
            self.sums.append([(total, 1), *((part, -1) for part in listed)])

    def nest(self, whole: Hashable | None, part: Hashable | None) -> None:
        """Say that one count lies within another; the rest becomes an unknown."""
        if None in (whole, part) or whole == part:
            return
        rest = self.true[whole] - self.true[part]
        if rest > -1e-6:
            self.add_up(whole, [part, self.know((whole, "without", part), max(rest, 0.0))])

    def found(self) -> list[str]:
        """Return what is from 1 to 10 and can be placed there."""
        self._shrink()
        return [
            f"{name}: {self.low[name]:g} to {self.high[name]:g}"
            for name, true in self.true.items()
            if 1 <= true <= 10 and self.low[name] >= 1 - SLACK and self.high[name] <= 10 + SLACK
        ]

    def _shrink(self) -> None:
        at: dict[Hashable, list[int]] = {}
        for place, terms in enumerate(self.sums):
            for name, _ in terms:
                at.setdefault(name, []).append(place)
        waiting = deque(range(len(self.sums)))
        queued = set(waiting)
        while waiting:
            place = waiting.popleft()
            queued.discard(place)
            for name in self._shrink_sum(self.sums[place]):
                again = [other for other in at[name] if other not in queued]
                waiting.extend(again)
                queued.update(again)

    def _shrink_sum(self, terms: list[tuple[Hashable, int]]) -> Iterator[Hashable]:
        for name, sign in terms:
            others = [(other, s) for other, s in terms if other != name]
            least = sum(s * (self.low if s > 0 else self.high)[other] for other, s in others)
            most = sum(s * (self.high if s > 0 else self.low)[other] for other, s in others)
            low, high = (-most, -least) if sign > 0 else (least, most)
            if low > self.low[name] + 1e-6 or high < self.high[name] - 1e-6:
                self.low[name] = max(self.low[name], low)
                self.high[name] = min(self.high[name], high)
                assert self.low[name] <= self.true[name] + 1e-6, name
                assert self.high[name] >= self.true[name] - 1e-6, name
                yield name


def counted(share: object, known: object) -> float:
    """Return the count behind a share; not always whole, where values were drawn."""
    count = number(share) * number(known)
    whole = math.isfinite(count) and abs(count - round(count)) < 1e-6
    return float(round(count)) if whole else count


def number(value: object) -> float:
    """Return a float, NaN for nothing."""
    return math.nan if value is None or value is pd.NA else float(value)  # type: ignore[arg-type]


def attack(exact: dict[str, pd.DataFrame], shown: dict[str, pd.DataFrame]) -> Attack:
    """Enter everything that a release says."""
    matched = {name: pairs(exact[name], shown[name]) for name in exact}
    made = Attack(pooled={name: unmatched for name, (_, unmatched) in matched.items()})
    tables = {name: both for name, (both, _) in matched.items()}
    for read in (_completeness, _flow, _baseline, _components, _combinations, _harms, _dose,
                 _described, _estimates, _gate):  # fmt: skip
        read(made, tables)
    _alike(made)
    return made


def _alike(made: Attack) -> None:
    """Tie lines of two tables that have the same numbers in every group: they are of one thing."""
    first: dict[frozenset[tuple[object, float]], dict[object, Hashable | None]] = {}
    for line in made.lines:
        known = {group: name for group, name in line.items() if name is not None}
        numbers = frozenset((group, made.true[name]) for group, name in known.items() if group)
        if len({true for _, true in numbers}) < 3:
            continue
        same = first.setdefault(numbers, known)
        for group, name in known.items():
            if group in same and name != same[group]:
                made.add_up(same[group], [name])


def read_shown(folder: Path, exact: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Read the CSV files of a release; empty cells of text columns are empty texts."""
    found = {}
    for name, table in exact.items():
        texts = [c for c in table if not pd.api.types.is_numeric_dtype(table[c])]
        read = pd.read_csv(folder / f"{name}.csv")
        found[name] = read.assign(**{c: read[c].astype(object).fillna(ALL) for c in texts})
    return found


def pairs(exact: pd.DataFrame, shown: pd.DataFrame) -> tuple[list[Pair], list[Row]]:
    """Put each released row beside what it was; pooled rows have no other and come apart."""
    texts = [c for c in exact if not pd.api.types.is_numeric_dtype(exact[c])]
    texts = [c for c in texts if c not in ("gate", "reason", "message", "remedy", "passed")]
    keys = [*texts, *(["threshold"] if "threshold" in exact else [])]
    if "order" in exact:
        keys.append("order")
    lookup = {tuple(map(_key, row)): k for k, row in enumerate(exact[keys].to_numpy(object))}
    rows = exact.to_dict("records")
    found, pooled = [], []
    for row in shown.to_dict("records"):
        place = lookup.get(tuple(_key(row[key]) for key in keys))
        if place is None:
            pooled.append(row)
        else:
            found.append((rows[place], row))
    return found, pooled


def _key(value: object) -> object:
    return ALL if value is None or value != value else value


def by(given: list[Pair], *keys: str) -> dict[tuple[object, ...], list[Pair]]:
    """Group pairs of rows."""
    groups: dict[tuple[object, ...], list[Pair]] = {}
    for pair in given:
        groups.setdefault(tuple(_key(pair[0][key]) for key in keys), []).append(pair)
    return groups


def across(
    made: Attack, given: list[Pair], names: dict[int, Hashable | None], level: str, *keys: str
) -> None:
    """Add the groups of each line up to all together."""
    place = {id(pair[0]): k for k, pair in enumerate(given)}
    for line in by(given, *keys).values():
        found = {pair[0][level]: names[place[id(pair[0])]] for pair in line}
        made.lines.append(dict(found))
        total = found.pop(ALL, None)
        made.add_up(total, found.values())


# ---------------------------------------------------------------------------------------- tables
Tables = dict[str, list[Pair]]


def _size(exposure: object) -> Hashable:
    return ("size", exposure)


def _seen(row: Row, exposure: str = "exposure") -> Hashable:
    return ("seen", row["outcome"], row["visit"], row[exposure])


def _completeness(made: Attack, tables: Tables) -> None:
    given = tables["completeness"]
    sizes, seen = {}, {}
    for k, (true, shown) in enumerate(given):
        sizes[k] = made.know(_size(true["exposure"]), true["n_episodes"], shown["n_episodes"])
        seen[k] = made.know(_seen(true), true["n_observed"], shown["n_observed"])
        made.nest(sizes[k], seen[k])
        _share(made, seen[k], shown["share"], shown["n_episodes"])
    across(made, given, seen, "exposure", "outcome", "visit")
    across(made, given, sizes, "exposure", "outcome", "visit")


def _share(made: Attack, name: Hashable | None, share: object, known: object) -> None:
    """Multiply a share with the number it is of."""
    count = number(share) * number(known)
    if name is not None and not math.isnan(count):
        made.know(name, made.true[name], STEP * round(count / STEP))


def _flow(made: Attack, tables: Tables) -> None:
    rows = sorted(tables["flow"], key=lambda pair: pair[0]["order"])
    episodes = _boxes(made, rows, "n_episodes")
    patients = _boxes(made, rows, "n_patients")
    for whole, part in zip(episodes, patients, strict=True):
        made.nest(whole, part)
    followed = ("flow", "followed", "n_episodes")
    for name in list(made.true):
        if isinstance(name, tuple) and name[0] == "seen" and name[3] == ALL:
            made.nest(followed if name[2] != "baseline" else _size(ALL), name)


def _boxes(made: Attack, rows: list[Pair], column: str) -> list[Hashable | None]:
    """Enter the boxes of the flow: each lies within all before it, the reasons are the rest."""
    boxes: list[Hashable | None] = []
    left: list[Hashable | None] = []
    for true, shown in rows:
        name: Hashable = ("flow", true["step"], column)
        if true["step"] == "analysed" and column == "n_episodes":
            name = _size(ALL)
        entry = made.know(name, true[column], shown[column])
        if true["kind"] == "left_out":
            left.append(entry)
            continue
        if boxes:
            made.add_up(boxes[-1], [entry, *left])
        for earlier in boxes:
            made.nest(earlier, entry)
        boxes.append(entry)
        left = []
    return boxes


def _baseline(made: Attack, tables: Tables) -> None:
    given = tables["baseline"]
    counts, known, missing = {}, {}, {}
    for k, (true, shown) in enumerate(given):
        place = (true["variable"], true["exposure"])
        known[k] = made.know(("known", *place), true["n_episodes"], shown["n_episodes"])
        missing[k] = made.know(("missing", *place), true["n_missing"], shown["n_missing"])
        made.add_up(_size(true["exposure"]), [known[k], missing[k]])
        counts[k] = made.know(("level", *place, true["level"]), true["count"], shown["count"])
        made.nest(known[k], counts[k])
        if true["statistic"] == "share":
            _share(made, counts[k], shown["estimate"], shown["n_episodes"])
    for names in (counts, known, missing):
        across(made, given, names, "exposure", "variable", "level")
    place = {id(pair[0]): k for k, pair in enumerate(given)}
    pooled = {(row["variable"], row["exposure"]): row for row in made.pooled["baseline"]}
    for spot, line in by(given, "variable", "exposure").items():
        whole = known[place[id(line[0][0])]]
        levels = [counts[place[id(true)]] for true, _ in line]
        if spot in pooled and whole is not None:
            rest = made.true[whole] - sum(made.true[level] for level in levels if level)
            levels.append(made.know(("level", *spot, "pooled"), rest, pooled[spot]["count"]))
            _share(made, levels[-1], pooled[spot]["estimate"], pooled[spot]["n_episodes"])
        made.add_up(whole, levels)


def _components(made: Attack, tables: Tables) -> None:
    given = tables["components"]
    names = {}
    for k, (true, shown) in enumerate(given):
        size = made.know(_size(true["exposure"]), true["n_total"], shown["n_total"])
        name = ("part", true["period"], true["intervention"], true["exposure"])
        names[k] = made.know(name, true["n_episodes"], shown["n_episodes"])
        made.nest(size, names[k])
        _share(made, names[k], shown["share"], shown["n_total"])
    across(made, given, names, "exposure", "period", "intervention")
    for name in [name for name in names.values() if name is not None]:
        _, period, intervention, exposure = name  # type: ignore[misc]
        if period == "window" and ("part", "episode", intervention, exposure) in made.true:
            made.nest(("part", "episode", intervention, exposure), name)
        parent = str(intervention)
        while "." in parent:
            parent = parent.rpartition(".")[0]
            if ("part", period, parent, exposure) in made.true:
                made.nest(("part", period, parent, exposure), name)


def _combinations(made: Attack, tables: Tables) -> None:
    found = [
        made.know(("combination", true["combination"]), true["n_episodes"], shown["n_episodes"])
        for true, shown in tables["combinations"]
    ]
    rest = made.true[_size(ALL)] - sum(made.true[name] for name in found if name is not None)
    others = [row["n_episodes"] for row in made.pooled["combinations"]] or [0]
    pooled = made.know(("combination", "pooled"), rest, others[0])
    made.add_up(_size(ALL), [*found, pooled])


def _harms(made: Attack, tables: Tables) -> None:
    given = tables["harms"]
    people, events = {}, {}
    for k, (true, shown) in enumerate(given):
        place = (true["event"], true["severity"], true["exposure"])
        size = made.know(_size(true["exposure"]), true["n_total"], shown["n_total"])
        people[k] = made.know(("hurt", *place), true["n_episodes"], shown["n_episodes"])
        events[k] = made.know(("events", *place), true["n_events"], shown["n_events"])
        made.nest(size, people[k])
        rate = number(shown["rate"]) * number(shown["denominator"])
        per = float(str(true["rate_unit"]).split()[1].replace(",", ""))
        if events[k] is not None and not math.isnan(rate):
            made.know(events[k], true["n_events"], STEP * round(rate / per / STEP))
    for names in (people, events):
        across(made, given, names, "exposure", "event", "severity")
    for (event, exposure), line in by(given, "event", "exposure").items():
        grades = [true["severity"] for true, _ in line if true["severity"] != "any"]
        if len(grades) == len(line):
            continue
        made.add_up(
            ("events", event, "any", exposure), [("events", event, g, exposure) for g in grades]
        )
        for grade in grades:
            made.nest(("hurt", event, "any", exposure), ("hurt", event, grade, exposure))


def _dose(made: Attack, tables: Tables) -> None:
    _measured(made, tables["dose"], "dose", "measure")


NARROWER: Final = (
    ("opioid_stopped", "opioid_halved"),
    ("any_mme_90", "any_mme_50"),
    ("uses_opioid", "uses_any_opioid"),
    ("nprs_remission", "nprs_acceptable"),
    ("intake_all", "intake_pain"),
    ("intake_all", "intake_mobility"),
)
"""Descriptions of which the first speaks of people among those of the second."""


def _described(made: Attack, tables: Tables) -> None:
    keys = ("domain", "measure", "visit", "statistic")
    _measured(made, tables["described"], "described", *keys)
    for line in by(tables["described"], "domain", "visit", "exposure").values():
        there = {
            true["measure"]: ("described", *(true[key] for key in keys), true["exposure"], "count")
            for true, _ in line
            if true["statistic"] == "share"
        }
        for part, whole in NARROWER:
            if there.get(part) in made.true and there.get(whole) in made.true:
                made.nest(there[whole], there[part])


def _measured(made: Attack, given: list[Pair], table: str, *keys: str) -> None:
    known, counts = {}, {}
    for k, (true, shown) in enumerate(given):
        place = (table, *(true[key] for key in keys), true["exposure"])
        known[k] = made.know((*place, "known"), true["n_episodes"], shown["n_episodes"])
        made.nest(_size(true["exposure"]), known[k])
        counts[k] = made.know((*place, "count"), true.get("count"), shown.get("count"))
        made.nest(known[k], counts[k])
        if true["statistic"] == "share":
            behind = counted(true["estimate"], true["n_episodes"])
            same = counts[k] is not None and behind == made.true[counts[k]]
            part = counts[k] if same else made.know((*place, "behind"), behind)
            made.nest(known[k], part)
            _share(made, part, shown["estimate"], shown["n_episodes"])
            counts[k] = counts[k] or part
        if true["statistic"] == "rate":
            _rate(made, (*place, "events"), true, shown)
    for names in (known, counts):
        across(made, given, names, "exposure", *keys)


def _rate(made: Attack, name: Hashable, true: Row, shown: Row) -> None:
    """Find the events that have such exact limits."""
    exact = events_behind(number(true["estimate"]), number(true["conf_high"]))
    released = events_behind(number(shown["estimate"]), number(shown["conf_high"]))
    if exact is not None:
        made.know(name, exact, None if released is None else STEP * round(released / STEP))


def events_behind(rate: float, high: float) -> int | None:
    """Return the count whose exact Poisson limit over itself is that of a rate."""
    if math.isnan(rate) or math.isnan(high):
        return None
    if rate == 0:
        return 0
    counts = np.arange(1, 20_000)
    ratios = chi2.ppf(0.975, 2 * counts + 2) / 2 / counts
    return int(counts[np.abs(ratios - high / rate).argmin()])


SAME: Final = ("analysis_id", "outcome", "estimand", "method", "visit")
QUESTION: Final = ("threshold", "threshold_unit")


def _estimates(made: Attack, tables: Tables) -> None:
    for table in ("ls_means", "unadjusted", "responders", "medication_use", "medication_change"):
        given = [pair for pair in tables[table] if not pair[0]["reference"]]
        counts = {}
        for k, (true, shown) in enumerate(given):
            known = _behind(made, true, shown)
            counts[k] = None
            if true["scale"] == "risk":
                name = ("risk", table, *(_key(true[key]) for key in SAME), true["level"])
                value = counted(true["estimate"], true["n_episodes"])
                counts[k] = made.know((*name, *(_key(true[key]) for key in QUESTION)), value)
                made.nest(known, counts[k])
                _share(made, counts[k], shown["estimate"], shown["n_episodes"])
        across(made, given, counts, "level", *SAME, *QUESTION)
        _thresholds(made, given, counts)
        _same_people(made, given, counts)


def _behind(made: Attack, true: Row, shown: Row) -> Hashable | None:
    seen = _seen(true, "level")
    own = ("behind", *(_key(true[key]) for key in SAME), true["level"])
    same = seen in made.true and made.true[seen] == number(true["n_episodes"])
    known = made.know(seen if same else own, true["n_episodes"], shown["n_episodes"])
    patients = made.know(("patients", known), true["n_patients"], shown["n_patients"])
    made.nest(_size(true["level"]), known)
    made.nest(known, patients)
    return known


def _thresholds(made: Attack, given: list[Pair], counts: dict[int, Hashable | None]) -> None:
    """Who reaches more is among those who reach less."""
    place = {id(pair[0]): k for k, pair in enumerate(given)}
    for line in by(given, *SAME, "level", "scale").values():
        names = [counts[place[id(true)]] for true, _ in line]
        steps = sorted((n for n in names if n is not None), key=lambda n: made.true[n])
        for fewer, more in combinations(steps, 2):
            made.nest(more, fewer)


def _same_people(made: Attack, given: list[Pair], counts: dict[int, Hashable | None]) -> None:
    """Those seen to reach a threshold are the same, whatever is said of the unseen."""
    place = {id(pair[0]): k for k, pair in enumerate(given)}
    for line in by(given, "outcome", "estimand", "visit", "level", *QUESTION).values():
        names = {true["method"]: counts[place[id(true)]] for true, _ in line}
        made.add_up(names.get("observed-only"), [names.get("missing-is-failure")])


def _gate(made: Attack, tables: Tables) -> None:
    for true, shown in tables["gate"]:
        if true["check"] == "group_size":
            same = made.true.get(_seen(true)) == number(true["value"])
            name = _seen(true) if same else ("checked", *_seen(true))  # type: ignore[misc]
            made.know(name, true["value"], shown["value"])
