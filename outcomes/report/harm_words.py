"""What differs between the types in unwanted events, in sentences that a rule makes.

The rate of every type is set against the reference's, event by event. Two rates stand apart where
the interval of their difference leaves zero out; that interval is recovered from the two intervals
of the table, each of which is exact for its own count [1]_. It decides which words are used and is
not printed: the page shows the rates and their intervals as they are in the table. The event that
differs most is the one with the largest ratio of two rates that stand apart.

The rates are as recorded: nothing is adjusted for who had which care, and no pair is corrected for
the others. So the words say how many pairs were looked at, and that none names a cause.

.. [1] Zou GY, Donner A. Construction of confidence limits about effect measures: a general
   approach. Stat Med 2008;27:1693-1702.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from outcomes.report.comparisons import as_number
from outcomes.report.study import Study
from outcomes.results.wording import capitalised, counted, estimate_text, in_sentence, listed

if TYPE_CHECKING:
    import pandas as pd

CAVEAT: Final = (
    "Rates are as recorded, not adjusted for who had which care, and say nothing about cause."
)
WHY_HIDDEN: Final = "A hidden number is small, or would give a small one away."


@dataclass(frozen=True, kw_only=True)
class Rate:
    """One rate with its interval."""

    exposure: str
    value: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """The rate as it stands in the table: ``4.0 (3.0 to 5.3)``."""
        return estimate_text(self.value, self.low, self.high)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event: the reference's rate, and those of the types that can be set against it."""

    name: str
    unit: str
    reference: Rate
    compared: tuple[Rate, ...]

    @property
    def apart(self) -> tuple[tuple[Rate, ...], tuple[Rate, ...]]:
        """The types with a higher rate than the reference's, and those with a lower one."""
        sides = [(rate, _side(rate, self.reference)) for rate in self.compared]
        higher, lower = (tuple(r for r, s in sides if s == sign) for sign in (1, -1))
        return higher, lower

    @property
    def distance(self) -> float:
        """The largest ratio of two rates that stand apart, as a logarithm; 0 where none do."""
        own = self.reference.value
        return max((_ratio(rate.value, own) for group in self.apart for rate in group), default=0.0)


@dataclass(frozen=True, kw_only=True)
class HarmWords:
    """The finding in one sentence, then a line each on what differs and what cannot be told."""

    finding: str
    lines: tuple[tuple[str, str], ...]
    caveat: str


def _side(rate: Rate, other: Rate) -> int:
    """Return 1 where ``rate`` is the higher, -1 where it is the lower, 0 where neither is clear."""
    gap = rate.value - other.value
    low = gap - math.hypot(rate.value - rate.low, other.high - other.value)
    high = gap + math.hypot(rate.high - rate.value, other.value - other.low)
    return int(low > 0) - int(high < 0)


def _ratio(rate: float, other: float) -> float:
    return abs(math.log(rate / other)) if rate > 0 and other > 0 else math.inf


def harm_words(study: Study, table: pd.DataFrame) -> HarmWords:
    """Say what differs most from the reference, what does not clearly, and what is hidden.

    Parameters
    ----------
    study : Study
    table : DataFrame
        The released harms of any severity.

    Returns
    -------
    HarmWords
    """
    by_event = [part for _, part in table.groupby("event", sort=False)]
    events = [event for part in by_event if (event := _event(study, part))]
    apart = sorted((e for e in events if e.distance), key=lambda e: -e.distance)
    n_compared = sum(len(event.compared) for event in events)
    lines = [(event.name, _difference(study, event)) for event in apart]
    alike = [in_sentence(e.name) for e in events if e.compared and not e.distance]
    if alike:
        lines.append(("Not clearly apart", _alike(study, alike)))
    hidden = [words for part in by_event if (words := _hidden(study, part))]
    if hidden:
        lines.append(("Too few to tell", f"{capitalised('; '.join(hidden))}. {WHY_HIDDEN}"))
    return HarmWords(
        finding=_finding(study, apart, n_compared),
        lines=tuple(lines),
        caveat=CAVEAT,
    )


def _event(study: Study, part: pd.DataFrame) -> Event | None:
    """Take one event's rates in the order of the types; None where the reference's is not shown."""
    rates = {row["exposure"]: _rate(row) for row in part.to_dict("records")}
    reference = rates.pop(study.reference, None)
    if reference is None:
        return None
    return Event(
        name=str(part["label"].iloc[0]),
        unit=str(part["rate_unit"].iloc[0]),
        reference=reference,
        compared=tuple(rate for e in study.exposures if (rate := rates.get(e))),
    )


def _rate(row: dict[Any, Any]) -> Rate | None:
    value, low, high = (as_number(row[name]) for name in ("rate", "conf_low", "conf_high"))
    if value is None or low is None or high is None:
        return None
    return Rate(exposure=str(row["exposure"]), value=value, low=low, high=high)


def _finding(study: Study, apart: Sequence[Event], n_compared: int) -> str:
    other = study.phrase(study.reference)
    if not n_compared:
        return f"No rate can be compared with that of {other}, because too few events are shown."
    if not apart:
        return f"No type's rate of any event stands clearly apart from that of {other}."
    first = apart[0]
    which = [
        f"{word} with {listed([study.phrase(r.exposure) for r in rates])}"
        for word, rates in zip(("higher", "lower"), first.apart, strict=True)
        if rates
    ]
    name = in_sentence(first.name)
    found = f"The rate that differs most from {other} is that of {name}: {listed(which)}."
    return found + _by_chance(study, apart, n_compared)


def _by_chance(study: Study, apart: Sequence[Event], n_compared: int) -> str:
    """Say how many of the pairs stand apart, and how many would if no two rates differed."""
    expected = round(n_compared * (1 - float(study.raw.get("conf_level", 0.95))))
    if not expected:
        return ""
    n_apart = sum(len(group) for event in apart for group in event.apart)
    stand = "stands" if n_apart == 1 else "stand"
    return (
        f" Of {counted(n_compared)} pairs looked at, {counted(n_apart)} {stand} apart; about"
        f" {counted(expected)} would by chance alone."
    )


def _difference(study: Study, event: Event) -> str:
    """Return the rates that stand apart, after the one that they stand apart from."""
    own = f"{study.phrase(study.reference)}, {event.reference.words} {event.unit}"
    parts = [
        f"{word} than with {own}: "
        + listed([f"{study.phrase(r.exposure)}, {r.words}" for r in rates])
        for word, rates in zip(("more often", "less often"), event.apart, strict=True)
        if rates
    ]
    return f"{capitalised('; '.join(parts))}."


def _alike(study: Study, names: Sequence[str]) -> str:
    said = capitalised(listed(names))
    return (
        f"{said}. This does not show that the types are alike with {study.phrase(study.reference)}."
    )


def _hidden(study: Study, part: pd.DataFrame) -> str:
    """Name an event and the types whose rate is hidden; nothing where none is."""
    rows = part.to_dict("records")
    without = {row["exposure"] for row in rows if row.get("suppressed") and _rate(row) is None}
    hidden = [study.phrase(exposure) for exposure in study.exposures if exposure in without]
    if not hidden:
        return ""
    which = "every type" if len(hidden) == len(study.exposures) else listed(hidden)
    return f"{in_sentence(str(part['label'].iloc[0]))}, with {which}"
