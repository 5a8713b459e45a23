"""Numbers in a finished page that are too small, too exact or too many."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from outcomes.report.finished import CellText, Finished
from outcomes.results.rounding import BASE

COUNT_HEADINGS: Final = re.compile(
    r"\b(n|episodes|patients|people|events|rows|measured|counted in)\b", re.IGNORECASE
)
PEOPLE: Final = r"(?:episodes?|patients?|people|persons?|participants?|records?|events)"
_NUMBER: Final = r"\d{1,3}(?:,\d{3})+|\d+"
_ASKED: Final = r"(?<!fewer than )(?<!less than )(?<!more than )(?<!at least )(?<!from 1 to )"
_IN_WORDS: Final = (
    re.compile(
        rf"{_ASKED}(?<![\w.,/-])({_NUMBER})(?= (?:[a-z]+ ){{0,2}}{PEOPLE}\b)", re.IGNORECASE
    ),
    re.compile(rf"\bn ?=? ?({_NUMBER})(?![\d.,]*\d)(?! ?%)"),
    re.compile(rf"\bn (?:{_NUMBER}) against ({_NUMBER})"),
)
_WHOLE: Final = re.compile(rf"^[−-]?({_NUMBER})$")

LONGEST_LIST: Final = 200
MOST_MARKS: Final = 1_500


def find_counts(cells: Sequence[CellText], texts: Sequence[str], threshold: int) -> Iterator[str]:
    """Yield counts that are small or not rounded.

    Parameters
    ----------
    cells : sequence of CellText
        Those under a heading that counts are read.
    texts : sequence of str
        Where a number stands before a word for people, or after ``n``.
    threshold : int
    """
    counts = [("a table", n) for cell in cells for n in _in_cell(cell)]
    counts += [("a sentence", n) for text in texts for n in _in_words(text)]
    for place in ("a table", "a sentence"):
        here = [n for where, n in counts if where == place]
        small = sum(0 < n < threshold for n in here)
        exact = sum(n >= threshold and n % BASE != 0 for n in here)
        if small:
            yield f"{small} counts from 1 to {threshold - 1} stand in {place}."
        if exact:
            yield f"{exact} counts in {place} are not rounded to {BASE}."


def _in_cell(cell: CellText) -> list[int]:
    if not COUNT_HEADINGS.search(cell.heading):
        return []
    whole = _WHOLE.match(cell.text.strip())
    return [_value(whole[1])] if whole else []


def _in_words(text: str) -> list[int]:
    return [_value(found) for pattern in _IN_WORDS for found in pattern.findall(text)]


def _value(number: str) -> int:
    return int(number.replace(",", ""))


# --------------------------------------------------------------------------------- a row a patient
def find_long_lists(data: Any) -> Iterator[str]:
    """Yield lists of numbers so long that they may have an entry a patient."""
    long = 0
    waiting = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            numbers = sum(isinstance(entry, (int, float)) for entry in value)
            long += numbers > LONGEST_LIST
            waiting += [entry for entry in value if isinstance(entry, (dict, list))]
    if long:
        yield f"{long} lists in the page's data have more than {LONGEST_LIST} numbers."


def find_many_marks(found: Finished) -> Iterator[str]:
    """Yield pictures with so many marks that they may draw one a patient."""
    many = sum(n > MOST_MARKS for n in found.marks)
    if many:
        yield f"{many} pictures have more than {MOST_MARKS:,} marks."
