"""How many types stood apart from their comparator, all of them counted in the study's order.

A slight difference is counted apart from others and keeps its word: ``two of five types went with
less and two with slightly less disability``; how many of them are tentative is for :func:`unsure`.
No result decides which type is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from outcomes.report.comparisons import Contrast
from outcomes.report.study import Outcome
from outcomes.results.wording import counted, direction, in_sentence, listed

_COMPARATIVES: Final = frozenset({"a", "an", "less", "more", "lower", "higher", "fewer", "better"})
CONSISTENT: Final = 3
"""Bars from which on the other analyses agree."""
_SIDES: Final = (("better", False), ("better", True), ("worse", False), ("worse", True))
"""Improvement before worsening, and slight differences after others."""


def noun(outcome: Outcome) -> str:
    """Return what an outcome is about, such as ``pain`` or ``opioid dose``."""
    words = outcome.better.split()
    while words and words[0] in _COMPARATIVES:
        words.pop(0)
    return " ".join(words) if words and words != ["scores"] else in_sentence(outcome.name)


def named(outcome: Outcome, words: str) -> str:
    """Return a direction that says what it is about: ``lower scores`` of what is not enough."""
    about = f"{in_sentence(outcome.name)} scores"
    return words.removesuffix("scores") + about if words.endswith("scores") else words


def went(contrast: Contrast) -> str:
    """Return which way a comparison went, such as ``slightly less pain``."""
    return named(contrast.outcome, direction(contrast.verdict, contrast.outcome.words))


def stood_apart(shown: Sequence[Contrast], verb: str, *, of: bool = True) -> str:
    """Return how many types went which way on one outcome; empty where none stood apart.

    Parameters
    ----------
    shown : sequence of Contrast
        One outcome and visit, all types against one comparator.
    verb : str
        ``went with`` or ``had``.
    of : bool
        Whether to say out of how many, which a sentence needs once.
    """
    sides = [(c.verdict.code, c.verdict.slight) for c in shown]
    found = {went(shown[sides.index(s)]): sides.count(s) for s in _SIDES if s in sides}
    parts: list[str] = []
    for words, n in _sharing(found, f" {noun(shown[0].outcome)}"):
        who = _of(n, len(shown)) if of and not parts else counted(n)
        parts.append(f"{who} {verb.removeprefix('went ') if parts else verb} {words}")
    return listed(parts)


def unsure(shown: Sequence[Contrast]) -> str:
    """Return how many of those that stood apart did not in all analyses; empty where none."""
    apart = [c for c in shown if (c.verdict.code, c.verdict.slight) in _SIDES]
    n = sum(contrast.verdict.bars < CONSISTENT for contrast in apart)
    if not n:
        return ""
    return " (tentatively)" if n == len(apart) else f" ({counted(n)} tentatively)"


def _sharing(found: dict[str, int], about: str) -> list[tuple[str, int]]:
    """Leave what all directions are about to the last of them."""
    if not all(words.endswith(about) for words in found):
        return list(found.items())
    last = len(found) - 1
    return [
        (words if k == last else words.removesuffix(about), n)
        for k, (words, n) in enumerate(found.items())
    ]


def _of(n: int, total: int) -> str:
    if n < total:
        return f"{counted(n)} of {counted(total)} types"
    return "both types" if total == 2 else f"all {counted(total)} types"
