"""Counts inside sentences: notes of a study, problems of its records, reasons of a check.

A sentence stands in no table, so no sum protects it: its counts are made coarser than those of the
tables. A small one becomes "a few", others keep two digits at most. Numbers that a rule asks for
("fewer than 30 episodes", "a window of 14 days") are not counts and stay.
"""

from __future__ import annotations

import re
from typing import Final

from outcomes.results.rounding import is_small, significant

COUNTED: Final = (
    r"episodes?|patients?|people|persons?|records?|rows?|components?|days|forms?|scores?|values?"
    r"|prescriptions?|sessions?|visits?|events?|assessments?|differ|were|are"
)
_NUMBER: Final = r"\d{1,3}(?:,\d{3})+|\d+"
_ASKED: Final = re.compile(
    r"(?:fewer than|less than|more than|at least|at most|under|over|within|first|last"
    r"|day|week|window of|up to|by|from|to|than|outside|[-.])\s*$",
    re.IGNORECASE,
)
_COUNT: Final = re.compile(
    rf"(?<![\w.,-])(?:(?P<part>{_NUMBER}) of (?P<whole>{_NUMBER})|(?P<alone>{_NUMBER}))"
    rf"(?= (?:[a-z-]+ ){{0,2}}(?:{COUNTED})\b)"
)
_LISTED: Final = re.compile(
    rf"(?<=[\w'] )(?<! in )(?<!about )({_NUMBER})(?=,\s|[;)]|\.?$|\. | and\b)"
)
"""A number after a name: ``Episodes by type: exercise 12, usual_care 40.``"""


def coarse_text(text: str, threshold: int) -> str:
    """Return a sentence whose counts are coarse.

    Parameters
    ----------
    text : str
    threshold : int
        Smallest count that may be known.
    """

    def coarse(found: re.Match[str]) -> str:
        if found["alone"]:
            asked = _ASKED.search(text[: found.start()])
            return found["alone"] if asked else _words(found["alone"], threshold)
        return f"{_words(found['part'], threshold)} of {_words(found['whole'], threshold)}"

    def coarse_in_list(found: re.Match[str]) -> str:
        asked = _ASKED.search(found.string[: found.start()])
        return found[0] if asked else _words(found[0], threshold)

    return _LISTED.sub(coarse_in_list, _COUNT.sub(coarse, text))


def _words(number: str, threshold: int) -> str:
    value = int(number.replace(",", ""))
    if value == 0:
        return number
    if is_small(value, threshold):
        return "a few"
    return f"about {round(significant(value, 2 if value >= 100 else 1)):,}"


def numbers_in(text: str) -> set[float]:
    """Return the numbers that stand in a text."""
    return {
        float(found.replace(",", "")) for found in re.findall(rf"(?:{_NUMBER})(?:\.\d+)?", text)
    }
