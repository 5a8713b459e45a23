"""The study as a report sees it: exposures, visits and outcomes with their words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from outcomes.figures.theme import Look, build_looks
from outcomes.results.wording import OutcomeWords, capitalised, in_sentence

STRICT: Final = "strict"
_WITH_TIME: Final = frozenset({"after", "at", "before", "during", "in", "on", "within"})
"""Words that a visit's name may begin with, so that no second one is put before it."""
_UNITS: Final[Mapping[str, str]] = {
    "percent points": "points",
    "percentage points": "points",
    "MME/day": "mg a day (MME)",
    "kg/m2": "kg/m²",
    "d": "days",
    "min": "minutes",
    "min/week": "minutes a week",
    "1/week": "a week",
    "DDD/day": "defined daily doses a day",
}
"""Units in words. A scale from 0 to 100 counts points: per cent is kept for shares of people."""


_SOURCE: Final = re.compile(r"\b([a-z]{3,})(\d{4})(?:_\w+)?\b")
_KEY: Final = re.compile(r"[a-z]+(?:[_-][a-z0-9]+)+")
_LETTERS: Final = frozenset({"acp", "acr", "ahrq", "bpi", "cdc", "ich", "nih", "nice", "who"})


def source_words(text: str) -> str:
    """Return a text with its reference keys as names: ``ostelo2008`` becomes ``Ostelo 2008``.

    A text that is one key of several words, such as ``cleeland_bpi_guide``, becomes those words.
    """
    if _KEY.fullmatch(text):
        words = re.split("[_-]", text)
        return capitalised(" ".join(w.upper() if w in _LETTERS else w for w in words))

    def name(key: re.Match[str]) -> str:
        author = key[1].upper() if key[1] in _LETTERS else key[1].capitalize()
        return f"{author} {key[2]}"

    return _SOURCE.sub(name, text)


def unit_words(unit: str) -> str:
    """Return a unit as a reader says it."""
    return _UNITS.get(unit, unit)


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A planned visit; ``day`` is None for an event such as discharge."""

    label: str
    name: str
    day: float | None
    event: str = ""

    @property
    def phrase(self) -> str:
        """The name inside a sentence, such as ``week 12``."""
        return in_sentence(self.name)

    @property
    def at(self) -> str:
        """When, inside a sentence: ``at week 12``, but ``after treatment``."""
        return self._with("at")

    @property
    def by(self) -> str:
        """Until when: ``by week 12``, but ``after treatment``."""
        return self._with("by")

    def _with(self, word: str) -> str:
        first = self.phrase.split(" ", 1)[0]
        return self.phrase if first in _WITH_TIME else f"{word} {self.phrase}"

    @property
    def tick(self) -> str:
        """The name under an axis of weeks."""
        return self.name if self.day is None else f"{self.day / 7:.0f}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """An outcome with its instrument, range, margin and marks for one person's change."""

    id: str
    role: str
    name: str
    instrument: str
    instrument_name: str
    unit: str
    low: float | None
    high: float | None
    higher_is_better: bool
    better: str
    worse: str
    margin: float | None
    margin_source: str
    thresholds: tuple[Mapping[str, Any], ...]
    self_reported: bool = False

    @property
    def words(self) -> OutcomeWords:
        """What the wording needs."""
        return OutcomeWords(name=self.name, unit=self.unit, better=self.better, worse=self.worse)

    @property
    def range_text(self) -> str:
        """The instrument with its range, such as ``NPRS, 0–10``."""
        if self.low is None or self.high is None:
            return self.instrument
        return f"{self.instrument}, {self.low:g}–{self.high:g}"

    @property
    def unit_text(self) -> str:
        """The unit with the scale it is on."""
        if self.unit == "points" and self.low is not None and self.high is not None:
            return f"points on the {self.low:g}–{self.high:g} scale"
        return self.unit


@dataclass(frozen=True, kw_only=True)
class Study:
    """The study in words."""

    raw: Mapping[str, Any]
    looks: Mapping[str, Look]
    reference: str
    visits: Mapping[str, Visit]
    outcomes: Mapping[str, Outcome]
    primary_outcome: str
    primary_exposure: str
    primary_visit: str
    randomised: bool

    @property
    def exposures(self) -> tuple[str, ...]:
        """Exposure ids in the study's order, the reference last."""
        return tuple(self.looks)

    @property
    def others(self) -> tuple[str, ...]:
        """Every exposure but the reference."""
        return tuple(e for e in self.looks if e != self.reference)

    @property
    def self_reported(self) -> bool:
        """Whether people rated a compared outcome themselves, so that expectation can move it."""
        return any(outcome.self_reported for outcome in self.outcomes.values())

    @property
    def level_text(self) -> str:
        """The confidence level, such as ``95 %``."""
        return f"{100 * float(self.raw.get('conf_level', 0.95)):g}\u00a0%"

    @property
    def threshold(self) -> int:
        """The smallest number of people shown; 0 where every number is."""
        return int(self.raw.get("threshold") or 0) if self.raw.get("profile") == STRICT else 0

    @property
    def hidden_text(self) -> str:
        """Why a number is not there: it is small, or would give a small one away."""
        return "hidden for privacy" if self.threshold else "hidden: too few"

    def name(self, exposure: str) -> str:
        """Name of an exposure; unknown ids stand for themselves."""
        look = self.looks.get(exposure)
        return look.name if look else exposure.replace("_", " ")

    def phrase(self, exposure: str) -> str:
        """Name of an exposure inside a sentence."""
        return in_sentence(self.name(exposure))


def build_study(raw: Mapping[str, Any]) -> Study:
    """Read ``study.json`` into types.

    Parameters
    ----------
    raw : mapping
        As the workflow wrote it.

    Returns
    -------
    Study
    """
    looks = build_looks(raw["exposures"])
    reference = str(raw["reference"])
    primary = raw["primary"]
    others = [e for e in looks if e != reference]
    return Study(
        raw=raw,
        looks=looks,
        reference=reference,
        visits={v["label"]: _visit(v) for v in raw["visits"]},
        outcomes={o["id"]: _outcome(o) for o in raw["outcomes"]},
        primary_outcome=str(primary["outcome"]),
        primary_exposure=str(primary["exposure"] if primary["exposure"] in looks else others[0]),
        primary_visit=str(primary["visit"]),
        randomised=raw.get("design") == "randomised",
    )


def _visit(raw: Mapping[str, Any]) -> Visit:
    event = str(raw.get("event") or "")
    day = raw.get("day")
    return Visit(
        label=str(raw["label"]),
        name=str(raw["name"]),
        day=None if event or day is None else float(day),
        event=event,
    )


def _outcome(raw: Mapping[str, Any]) -> Outcome:
    names = ("id", "role", "name", "instrument", "instrument_name", "unit", "better", "worse")
    texts = {name: str(raw.get(name) or "") for name in names}
    texts["unit"] = unit_words(texts["unit"])
    return Outcome(
        **texts,
        low=raw.get("low"),
        high=raw.get("high"),
        higher_is_better=bool(raw.get("higher_is_better")),
        margin=raw.get("margin"),
        margin_source=source_words(str(raw.get("margin_source") or "")),
        thresholds=tuple(raw.get("thresholds") or ()),
        self_reported=bool(raw.get("self_reported")),
    )
