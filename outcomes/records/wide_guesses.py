"""Columns that most likely are one instrument at one time, such as ``odi_wk6`` or ``6wk_pain``.

A name is taken apart into a word for an instrument and a time, in either order; the time is a unit
with a number, in either order, or a word for the first visit. What it is written with between them
becomes part of the pattern, so that the mapping finds just these columns again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from outcomes.catalog.instruments import instrument
from outcomes.records.names import normalised
from outcomes.records.synonyms import Meant, instrument_meant, is_instrument, synonyms

_STEM: Final = r"(?P<stem>[A-Za-z](?:[A-Za-z0-9_ .-]*?[A-Za-z0-9])?)"
_UNIT: Final = r"(?P<unit>weeks?|wks?|w|months?|mths?|mos?|m|days?|d)"
_NUMBER: Final = r"(?P<number>[0-9]+)"
_BETWEEN: Final = r"[_ .-]"
_FORMS: Final = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"{_STEM}(?P<gap>{_BETWEEN}*){_UNIT}(?P<gap2>{_BETWEEN}*){_NUMBER}",
        rf"{_STEM}(?P<gap>{_BETWEEN}*){_NUMBER}(?P<gap2>{_BETWEEN}*){_UNIT}",
        rf"{_UNIT}(?P<gap2>{_BETWEEN}*){_NUMBER}(?P<gap>{_BETWEEN}+){_STEM}",
        rf"{_NUMBER}(?P<gap2>{_BETWEEN}*){_UNIT}(?P<gap>{_BETWEEN}+){_STEM}",
    )
)
_UNITS: Final = {"w": "week", "m": "month", "d": "day"}
_ANSWER: Final = re.compile(r"(q|item|question|i)?_?[0-9]+[a-z]?")


class Timed(NamedTuple):
    """A column's name taken apart: the pattern it follows, its instrument's word, its visit."""

    pattern: str
    stem: str
    visit: str = ""


@dataclass(frozen=True, kw_only=True)
class WideGuess:
    """Columns that become rows: what the mapping should say, and why.

    Attributes
    ----------
    instruments : mapping of str to str
        The instrument of each column, or the intervention.
    gaps : tuple of str
        What a person has to answer.
    """

    says: Mapping[str, Any]
    reason: str
    instruments: Mapping[str, str]
    gaps: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are taken."""
        return tuple(self.instruments)


@dataclass(kw_only=True)
class _Group:
    """Columns of one pattern, gathered."""

    instruments: dict[str, str] = field(default_factory=dict)
    days: dict[str, int] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    gaps: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, timed: Timed, meant: Meant) -> None:
        word = normalised(timed.stem)
        self.instruments[name] = meant.instrument
        if timed.visit:
            self.days[timed.visit] = _days()[timed.visit]
        if not meant.known:
            self.told[word] = meant.instrument
        if meant.ask:
            self.gaps[word] = _question(word, meant)

    def guess(self, pattern: str) -> WideGuess:
        named = {"days": self.days, "instruments": self.told}
        listed = ", ".join(map(repr, list(self.instruments)[:4]))
        return WideGuess(
            says={"pattern": pattern, **{key: value for key, value in named.items() if value}},
            reason=f"an instrument and its time in one name: {listed}",
            instruments=self.instruments,
            gaps=tuple(self.gaps.values()),
        )


def guess_wide(names: Iterable[str]) -> list[WideGuess]:
    """Guess which columns are one instrument at one time."""
    groups: dict[str, _Group] = {}
    for name in names:
        for timed in _readings(name):
            meant = instrument_meant(timed.stem)
            if meant is not None and not _is_distance(name, meant):
                groups.setdefault(timed.pattern, _Group()).add(name, timed, meant)
                break
    return [group.guess(pattern) for pattern, group in groups.items()]


def guess_instruments(names: Iterable[str]) -> list[WideGuess]:
    """Guess which columns are the score of one instrument, beside a column for the time."""
    meant = {name: found for name in names if (found := instrument_meant(name))}
    return [
        WideGuess(
            says={"column": name, "set": {"instrument": one.instrument}},
            reason=f"{name!r} is the name of an instrument"
            if one.known
            else f"{name!r} most likely is {one.instrument}",
            instruments={name: one.instrument},
            gaps=(_question(name, one),) if one.ask else (),
        )
        for name, one in meant.items()
    ]


def by_word(guess: WideGuess) -> list[WideGuess]:
    """Give each word of a pattern for several instruments a pattern of its own."""
    pattern = guess.says["pattern"]
    words: dict[str, dict[str, str]] = {}
    for column, instrument_id in guess.instruments.items():
        stem = next(one.stem for one in _readings(column) if one.pattern == pattern)
        words.setdefault(stem.lower(), {})[column] = instrument_id
    days = {"days": guess.says["days"]} if "days" in guess.says else {}
    return [
        WideGuess(
            says={
                "pattern": pattern.replace("{instrument}", word),
                **days,
                "set": {"instrument": next(iter(columns.values()))},
            },
            reason=f"an instrument and its time in one name: {', '.join(map(repr, columns))}",
            instruments=columns,
            gaps=tuple(gap for gap in guess.gaps if gap.startswith(repr(normalised(word)))),
        )
        for word, columns in words.items()
    ]


def looks_like(name: str) -> str:
    """Say what a column that was not taken looks like; empty where there is nothing to say."""
    for timed in _readings(name):
        if instrument_meant(timed.stem) is None:
            return f"{timed.stem!r} is no instrument of the catalog"
    parts = normalised(name).split("_")
    for end in range(len(parts) - 1, 0, -1):
        if is_instrument("_".join(parts[:end])):
            rest = "_".join(parts[end:])
            if _ANSWER.fullmatch(rest):
                return "looks like the answer to one question; answers belong to the table items"
            return f"{rest!r} is no time that is known"
    return ""


def _readings(name: str) -> Iterator[Timed]:
    """Yield the ways in which a name may be an instrument's word and a time."""
    for form in _FORMS:
        found = form.fullmatch(name)
        if found:
            yield Timed(_pattern(found), found["stem"])
    plain = name.lower()
    for word in _days():
        for stem, pattern in _beside(plain, word):
            if re.fullmatch(_STEM, stem, re.IGNORECASE):
                yield Timed(pattern, stem, word)


def _pattern(found: re.Match[str]) -> str:
    """The pattern of a name, with placeholders in place of the instrument and the number."""
    unit = f"{{{_UNITS[found['unit'][0].lower()]}}}"
    parts = {"stem": "{instrument}", "number": unit}
    groups = sorted(found.groupdict(), key=found.start)
    # An empty gap starts where the part after it does: it adds nothing, wherever it is put.
    return "".join(parts.get(group, found[group].lower()) for group in groups)


def _beside(plain: str, word: str) -> Iterator[tuple[str, str]]:
    """Yield what is left of a name before and after a word for a visit, with the pattern."""
    if plain.endswith(word):
        stem = plain.removesuffix(word).rstrip("_ .-")
        yield stem, f"{{instrument}}{plain[len(stem) : len(plain) - len(word)]}{{visit}}"
    if plain.startswith(word):
        stem = plain.removeprefix(word).lstrip("_ .-")
        gap = plain[len(word) : len(plain) - len(stem)]
        if gap:
            yield stem, f"{{visit}}{gap}{{instrument}}"


def _days() -> dict[str, int]:
    """Return the day of each word for a visit."""
    return {word: int(day) for day, words in synonyms()["visits"].items() for word in words}


def _is_distance(name: str, meant: Meant) -> bool:
    """Whether a number with ``m`` may be metres, as in ``tug_3m``."""
    return (
        instrument(meant.instrument).group == "performance"
        and re.search(r"[0-9][_ .-]*m$", name, re.IGNORECASE) is not None
    )


def _question(word: str, meant: Meant) -> str:
    return f"{word!r} is read as {meant.instrument}: {meant.ask}"
