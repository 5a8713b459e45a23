"""Numbers become words here, and nowhere else.

Everything before this module keeps full precision; everything after it shows text. So the rounding,
the true minus and the words for how sure a comparison is are decided in one place.

The words follow from the interval, the declared margin and the gate alone, by the first rule that
holds (``margin`` is the smallest difference worth having, in the outcome's unit):

=================================================  ============================  =======
rule                                               words                         bars
=================================================  ============================  =======
the outcome was not planned at the visit           Not measured                  0
a gate failed, or the numbers are hidden           Not shown, and why            0
interval on one side of 0, and so in all checks    better or worse: Consistent   3 (4)
interval on one side of 0, not in all checks       better or worse: Tentative    2
interval holds 0 and lies inside the margin        Little or no difference       2 or 3
interval holds 0 and passes the margin             Too uncertain to say          1
=================================================  ============================  =======

A difference whose whole interval lies inside the margin is "slight", and said to be "slightly less"
wherever it is said in words; an interval that touches the margin or reaches beyond it is not.

The checks are the main analysis and every other analysis of the same comparison. One agrees where
it comes to the same side of zero, or as well to little or no difference; how large the difference
is does not count. The limits are those of the tables at hand: released ones on a page. The fourth
bar is for comparisons that chance assigned and that two other analyses or more agree on: an
observational study can never fill it. Where no other analysis was run, nothing is called
consistent. One that could not be made, or whose numbers are hidden, neither agrees nor disagrees:
it is counted beside the others. A single check is named, so that a reader sees on what the word
rests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

MINUS: Final = "\u2212"
NO_VALUE: Final = "–"
NO_RATIO: Final = "no ratio, because nobody or everybody seen of a type had the event"
BANNED: Final = (
    "works",
    "effective",
    "effectiveness",
    "efficacy",
    "prove",
    "proves",
    "proven",
    "significant",
    "significantly",
    "success",
    "successful",
    "best",
    "winner",
    "trend towards",
    "beneficial",
)
"""Words that claim more than a comparison carries; no generated sentence may hold one."""

_DECIMALS: Final[Mapping[str, int]] = {
    **dict.fromkeys(("share", "episodes", "sessions", "EUR", "weeks", "min", "min/week"), 0),
    **dict.fromkeys(("Cronbach's alpha", "ICC(1)"), 2),
}

Code = Literal["not_measured", "not_shown", "better", "worse", "same", "uncertain"]
Limits = tuple[float | None, float | None]


# -------------------------------------------------------------------------------------- numbers
def missing(value: float | None) -> bool:
    """Whether there is no number."""
    return value is None or value != value


def number(value: float | None, decimals: int = 1) -> str:
    """Return a number with a true minus, thousands commas and no negative zero."""
    if value is None or value != value:
        return NO_VALUE
    text = f"{abs(value):,.{decimals}f}"
    return MINUS + text if value < 0 and float(text.replace(",", "")) != 0 else text


def count(value: float | None) -> str:
    """Return a count with thousands commas."""
    return number(value, 0)


def percent(share: float | None, decimals: int = 0) -> str:
    """Return a share from 0 to 1 as percent."""
    return (
        NO_VALUE if share is None or share != share else f"{number(100 * share, decimals)}\u00a0%"
    )


def decimals_of(unit: str) -> int:
    """Return the decimals that a unit is shown with."""
    return _DECIMALS.get(unit, 1)


def interval(low: float | None, high: float | None, decimals: int = 1) -> str:
    """Return ``low to high``; a bound that rounds to zero gets one decimal more.

    So ``-0.02 to 0.78`` never reads as an interval that starts at zero.
    """
    if low is None or high is None or missing(low) or missing(high):
        return NO_VALUE
    hidden = any(b != 0 and float(f"{abs(b):.{decimals}f}") == 0 for b in (low, high))
    places = decimals + 1 if hidden else decimals
    return f"{number(low, places)} to {number(high, places)}"


def estimate_text(
    estimate: float | None, low: float | None, high: float | None, decimals: int = 1
) -> str:
    """Return ``0.9 (0.6 to 1.2)``."""
    if missing(estimate):
        return NO_VALUE
    return f"{number(estimate, decimals)} ({interval(low, high, decimals)})"


def value_text(value: float | None, statistic: str, unit: str) -> str:
    """Return a described value by its statistic and unit."""
    if statistic == "share" or unit == "share":
        return percent(value)
    return number(value, decimals_of(unit))


def points(difference: float | None) -> str:
    """Return a difference of shares as percentage points."""
    return NO_VALUE if difference is None else number(100 * difference, 0)


def in_sentence(name: str) -> str:
    """Return a name as it stands inside a sentence: ``Usual care`` -> ``usual care``.

    Names that begin with an abbreviation keep their capitals.
    """
    head = name.split(" ", 1)[0]
    return name if len(head) > 1 and head[1:] != head[1:].lower() else name[:1].lower() + name[1:]


def capitalised(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[:1].upper() + text[1:]


def listed(parts: Sequence[str], last: str = "and") -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


_SMALL: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def counted(n: int) -> str:
    """Return a small count as a word."""
    return _SMALL[n] if 0 <= n < len(_SMALL) else count(n)


# ------------------------------------------------------------------------------------- verdicts
@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a verdict is made from: one contrast, its gate and its checks.

    ``checks`` are the limits of the same contrast in the other analyses, ``names`` what differs in
    each, and ``n_unmade`` how many were asked for but could not be made at all. ``reason`` says why
    the comparison is not shown; it is empty where it is.
    """

    low: float | None
    high: float | None
    margin: float | None
    planned: bool = True
    reason: str = ""
    checks: tuple[Limits, ...] = ()
    names: tuple[str, ...] = ()
    n_unmade: int = 0
    randomised: bool = False


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How sure a comparison is, in a word, a sentence and bars.

    ``agree`` of ``n_checks`` analyses, the main one among them, come to the same side. ``slight``:
    the whole interval is closer to zero than the smallest difference worth having. ``alone`` says
    what differs in the one other analysis, where there is one only; ``n_unmade`` could not be made.
    """

    code: Code
    bars: int
    slight: bool = False
    agree: int | None = None
    n_checks: int | None = None
    n_unmade: int = 0
    alone: str = ""
    reason: str = ""

    @property
    def word(self) -> str:
        """The word of the verdict, with how many checks agree."""
        if self.code in ("not_measured", "not_shown", "uncertain"):
            return _PLAIN[self.code]
        return f"{self.short}: {self.checks}"

    @property
    def short(self) -> str:
        """The word alone."""
        if self.code in ("better", "worse"):
            sure = "Consistent" if self.bars >= 3 else "Tentative"
            return f"{sure}, but slight" if self.slight else sure
        return _PLAIN[self.code]

    @property
    def checks(self) -> str:
        """How many other analyses agree with the main one, and how many could not be made."""
        others = (self.n_checks or 1) - 1
        if not others:
            return "no other analysis could be made" if self.n_unmade else _NO_OTHER
        agreeing = (self.agree or 1) - 1
        said = f"{agreeing} of {others} other analyses agree"
        if others == 1:
            said = f"the only other analysis {'agrees' if agreeing else 'disagrees'}"
        return f"{said}; {self.n_unmade} could not be made or shown" if self.n_unmade else said

    @property
    def shown(self) -> bool:
        """Whether there is a number to show."""
        return self.code not in ("not_measured", "not_shown")


_NO_OTHER: Final = "no other analysis was run"
_PLAIN: Final[Mapping[str, str]] = {
    "not_measured": "Not measured",
    "not_shown": "Not shown",
    "same": "Little or no difference",
    "uncertain": "Too uncertain to say",
}


def judge(comparison: Comparison) -> Verdict:
    """Return the verdict of a comparison by the first rule that holds."""
    c = comparison
    if not c.planned:
        return Verdict(code="not_measured", bars=0)
    if c.reason or c.low is None or c.high is None or missing(c.low) or missing(c.high):
        return Verdict(code="not_shown", bars=0, reason=c.reason or "too few patients")
    code = _side(c.low, c.high, c.margin)
    if code == "uncertain":
        return Verdict(code=code, bars=1)
    made = [not missing(low) and not missing(high) for low, high in c.checks]
    checks = [limits for limits, there in zip(c.checks, made, strict=True) if there]
    names = [name for name, there in zip(c.names, made, strict=False) if there]
    agree = 1 + sum(_side(low, high, c.margin) == code for low, high in checks)
    total = 1 + len(checks)
    full = total > 1 and agree == total
    top = 4 if c.randomised and total > 2 else 3
    return Verdict(
        code=code,
        bars=top if full else 2,
        slight=code in ("better", "worse") and _inside(c.low, c.high, c.margin),
        agree=agree,
        n_checks=total,
        n_unmade=c.n_unmade + len(made) - sum(made),
        alone=names[0] if len(names) == 1 else "",
    )


def _side(low: float | None, high: float | None, margin: float | None) -> Code:
    assert low is not None
    assert high is not None
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    return "same" if _inside(low, high, margin) else "uncertain"


def _inside(low: float, high: float, margin: float | None) -> bool:
    return margin is not None and not missing(margin) and low > -margin and high < margin


# ----------------------------------------------------------------------------------- comparisons
@dataclass(frozen=True, kw_only=True)
class OutcomeWords:
    """The words of one outcome: its unit and what better and worse mean."""

    name: str
    unit: str
    better: str
    worse: str

    @property
    def decimals(self) -> int:
        """Decimals of this outcome's numbers."""
        return decimals_of(self.unit)


def unit_after(value: float, unit: str, decimals: int = 1) -> str:
    """Return the unit that follows a number: one point, two points."""
    one = float(f"{abs(value):.{decimals}f}") == 1
    return unit[:-1] if one and unit in ("points", "seconds", "days") else unit


def amount(estimate: float | None, words: OutcomeWords) -> str:
    """Return a difference in words: ``0.9 points less pain``, ``0.0 points apart``."""
    if estimate is None or missing(estimate):
        return NO_VALUE
    size = abs(estimate)
    text = f"{number(size, words.decimals)} {unit_after(size, words.unit, words.decimals)}"
    if float(f"{size:.{words.decimals}f}") == 0:
        return f"{text} apart"
    said = words.better if estimate > 0 else words.worse
    return f"{said} by {text}" if said.startswith("a ") else f"{text} {said}"


def direction(verdict: Verdict, words: OutcomeWords) -> str:
    """Return which way a difference goes: ``less pain``, ``slightly less pain``."""
    said = words.worse if verdict.code == "worse" else words.better
    return slightly(said) if verdict.slight else said


def slightly(said: str) -> str:
    """Return a direction as a slight one: ``a slightly lower opioid dose``."""
    article, rest = ("a ", said[2:]) if said.startswith("a ") else ("", said)
    return f"{article}slightly {rest}"


def finding(verdict: Verdict, words: OutcomeWords, reference: str) -> str:
    """Return what was found as a heading: ``Less pain than usual care``."""
    other = in_sentence(reference)
    than = f"{capitalised(direction(verdict, words))} than {other}"
    sentences: dict[Code, str] = {
        "not_measured": "Not measured at this visit",
        "not_shown": "Not shown",
        "better": than,
        "worse": than,
        "same": f"Little or no difference from {other}",
        "uncertain": f"Too uncertain to say whether it differs from {other}",
    }
    return sentences[verdict.code]


# -------------------------------------------------------------------------------- plain sentences
_SENTENCE_END: Final = re.compile(r"(?<=[.!?;:])\s+")


def banned_words(text: str) -> list[str]:
    """Return the banned words that a text holds."""
    return [w for w in BANNED if re.search(rf"\b{re.escape(w)}\b", text, flags=re.IGNORECASE)]


def long_sentences(text: str, limit: int = 25) -> list[str]:
    """Return the sentences of more than ``limit`` words."""
    return [s for s in _SENTENCE_END.split(text) if len(s.split()) > limit]


def any_of(texts: Iterable[str]) -> str:
    """Return the first text that is not empty."""
    return next((text for text in texts if text), "")
