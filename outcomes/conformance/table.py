"""The agreement in words and tables, the same in the documentation and on a terminal.

The last digits of a difference depend on the machine. So differences are rounded up to a power of
ten, and those below 1e-9 are not told apart: that is far below every tolerance, and above what
machines differ by.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

from outcomes.conformance.cases import Case, CaseFolder
from outcomes.conformance.compare import Comparison
from outcomes.conformance.elsewhere import ELSEWHERE
from outcomes.conformance.wrong import WrongAnswer, wrong_answers

TITLE: Final = "The mixed model beside other programs"

LEAST_POWER: Final = -9

ORDER: Final = (
    "fit",
    "rows and patients",
    "log-likelihood",
    "AIC, AICc and BIC",
    "beta",
    "covariance matrix",
    "estimate",
    "covariance of beta",
    "standard error",
    "df",
    "t",
    "confidence limit",
    "p-value",
    "F",
    "numerator df",
    "denominator df",
)

BY_INFERENCE: Final = ("covariance of beta", "standard error", "df", "F", "denominator df")
"""Quantities with a row an inference; what follows from them has one row for all."""

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "log-likelihood": ("log-likelihood", "AIC, AICc and BIC"),
    "beta": ("beta",),
    "covariance": ("covariance matrix", "covariance of beta"),
    "estimates": ("estimate",),
    "standard errors": ("standard error",),
    "df": ("df", "numerator df", "denominator df"),
    "F": ("F",),
    "t, p, limits": ("t", "p-value", "confidence limit"),
}
"""Columns of the table of cases, and the quantities whose largest difference they show."""

WORDS: Final[Mapping[str, str]] = {
    "": "",
    "satterthwaite": "Satterthwaite",
    "kenward_roger_linear": "Kenward-Roger, linear",
    "between_within": "between-within",
    "residual": "residual",
    "sandwich_cr0": "sandwich CR0",
    "sandwich_cr2": "sandwich CR2",
    "sandwich_cr3": "sandwich CR3",
    "coefficients": "coefficients",
    "ls_means_equal": "LS means, equal weights",
    "ls_means_proportional": "LS means, proportional weights",
    "ls_means_cells": "LS means, weights of cells",
    "differences": "differences at each visit",
    "differences_mean_of_visits": "differences over all visits",
    "joint_tests": "joint tests",
}


def agreement(folder: CaseFolder, found: Sequence[Comparison]) -> str:
    """Lay out what was compared as Markdown.

    Parameters
    ----------
    folder : CaseFolder
    found : sequence of Comparison
        Of whole cases, one after the other.
    """
    names = list(dict.fromkeys(one.case for one in found))
    cases = [folder.read(name) for name in names]
    wrong = [answer for case in cases for answer in wrong_answers(case)]
    return "\n\n".join(
        [
            f"# {TITLE}",
            _lead(cases, found),
            verdict(found),
            _not_compared(),
            _reading(),
            f"Left out: {', '.join(f'`{name}`' for name in folder.left_out)}, because there is no"
            " covariance structure for continuous time; and plain `kenward_roger`, whose numbers"
            " depend on how the covariance is parametrised: it is among the wrong answers.",
            "## By quantity",
            _by_quantity(found, wrong),
            "## By case",
            "The largest difference of each kind, over all inferences and tables of the case; and"
            " the wrong answer that comes nearest to a tolerance.",
            _by_case(cases, found, wrong),
            "## Tested elsewhere",
            "What no case here is about, and what the tests hold it to instead.",
            _rows(
                ("what", "against", "in the repository"),
                [(one.what, one.against, one.where) for one in ELSEWHERE],
            ),
        ]
    )


def verdict(found: Sequence[Comparison]) -> str:
    """Say that all is within its tolerance, or what is not."""
    faults = [one for one in found if not one.holds]
    if not faults:
        return f"All {sum(one.numbers for one in found):,} numbers are within their tolerance."
    said = [f"- {one.case}: {_place(one)}: {_fault(one)}" for one in faults]
    return "\n".join([f"{len(faults):,} of {len(found):,} comparisons fail:", "", *said])


def _fault(one: Comparison) -> str:
    if one.quantity == "fit":
        return "the model could not be fitted"
    if not math.isfinite(one.difference):
        return "a number of the reference is missing, or has another name"
    return f"off by {_power(f'{one.difference:.1e}')}, allowed: {_allowed(one.tolerance)}"


def _place(one: Comparison) -> str:
    around = [WORDS[word] for word in (one.method, one.part) if word]
    return one.quantity + (f" ({', '.join(around)})" if around else "")


# ------------------------------------------------------------------------------------------ words
def _lead(cases: Sequence[Case], found: Sequence[Comparison]) -> str:
    models = [case.numbers for case in cases]
    weighted = sum(model["weights"] is not None for model in models)
    grouped = sum(model["covariance_group"] is not None for model in models)
    return (
        "What `outcomes.fit_mmrm` says, beside what established programs say of the same model and"
        f" data. Programs: {'; '.join(sorted({_programs(case) for case in cases}))}. Cases:"
        f" {len(cases)}, with {len({model['covariance'] for model in models})} covariance"
        f" structures, {sum(model['reml'] for model in models)} by REML and"
        f" {sum(not model['reml'] for model in models)} by ML, {weighted} with weights, {grouped}"
        " with a covariance matrix a group. `outcomes conformance` does it again on your own"
        " machine, in half a minute or some minutes as the machine is, and ends with 5 where a"
        " number is not within its tolerance; `outcomes conformance a_us_reml` does one case."
    )


def _not_compared() -> str:
    return (
        f"Not compared here with another program: {'; '.join(one.what for one in ELSEWHERE)}."
        " The last table says what these are tested against. SAS was not run: what is said of its"
        " options rests on their definitions."
    )


def _reading() -> str:
    return (
        "*Difference*: the largest, rounded up to a power of ten; in log-likelihood, AIC, AICc and"
        " BIC as it is; in beta and matrices as a share of the largest entry; in estimates and"
        " limits in standard errors; in t and the logarithm of a p-value as it is, or as a share"
        " beyond 1;"
        " else as a share of the number itself."
        " *Wrong answer*: a plausible mistake, written as this for that; a tolerance is worth"
        " something where it is smaller than the *distance* to the nearest one. Where right and"
        " wrong are the same number by definition, as the df of one row by Satterthwaite and by"
        " Kenward-Roger, none is listed. Where a program was asked for some of the sandwich"
        " differences only, all are compared with the closed form of their df as well."
    )


def _programs(case: Case) -> str:
    return ", ".join(f"{name} {version}" for name, version in case.numbers["software"].items())


# ----------------------------------------------------------------------------------------- tables
def _by_quantity(found: Sequence[Comparison], wrong: Sequence[WrongAnswer]) -> str:
    keyed = sorted(found, key=lambda one: (ORDER.index(one.quantity), list(WORDS).index(_by(one))))
    lines = []
    for (quantity, by), group in groupby(keyed, key=lambda one: (one.quantity, _by(one))):
        held = list(group)
        answers = [one for one in wrong if (one.quantity, one.by) == (quantity, by)]
        lines.append(
            (
                quantity,
                WORDS[by],
                len({one.case for one in held}),
                f"{sum(one.numbers for one in held):,}",
                _largest(held),
                _allowed(held[0].tolerance),
                *_nearest(answers, {(quantity, by): held[0].tolerance}, with_case=True)[:2],
            )
        )
    head = ("quantity", "by", "cases", "numbers", "difference", "tolerance")
    return _rows((*head, "nearest wrong answer", "distance"), lines)


def _by(one: Comparison) -> str:
    """What tells the rows of a quantity apart: the inference, or of estimates the table."""
    if one.quantity == "estimate":
        return one.part
    return one.method if one.quantity in BY_INFERENCE else ""


def _by_case(
    cases: Sequence[Case], found: Sequence[Comparison], wrong: Sequence[WrongAnswer]
) -> str:
    lines = []
    for case in cases:
        held = [one for one in found if one.case == case.name]
        answers = [one for one in wrong if one.case == case.name]
        allowed = {(one.quantity, _by(one)): one.tolerance for one in held}
        lines.append(
            (
                case.name,
                case.numbers["covariance"],
                "REML" if case.numbers["reml"] else "ML",
                case.numbers["weights"] or "",
                case.numbers["covariance_group"] or "",
                f"mmrm {case.numbers['software']['mmrm']}",
                f"{sum(one.numbers for one in held):,}",
                *(
                    _largest([one for one in held if one.quantity in quantities])
                    for quantities in COLUMNS.values()
                ),
                *_nearest(answers, allowed),
            )
        )
    head = ("case", "covariance", "method", "weights", "group", "program", "numbers", *COLUMNS)
    return _rows((*head, "nearest wrong answer", "distance", "tolerance"), lines)


def _nearest(
    answers: Iterable[WrongAnswer],
    allowed: Mapping[tuple[str, str], float],
    *,
    with_case: bool = False,
) -> tuple[str, str, str]:
    """The wrong answer that is fewest tolerances away: its name, distance, and the tolerance."""
    held = [one for one in answers if (one.quantity, one.by) in allowed]
    if not held:
        return "", "", ""
    one = min(held, key=lambda answer: answer.distance / allowed[answer.quantity, answer.by])
    name = f"{one.name} (`{one.case}`)" if with_case else f"{one.name}: {one.quantity}"
    return name, _power(f"{one.distance:.1e}"), _allowed(allowed[one.quantity, one.by])


def _largest(held: Sequence[Comparison]) -> str:
    """The largest difference in words, in bold where one of them is not within its tolerance."""
    if not held:
        return ""
    largest = max(one.difference for one in held)
    if all(one.tolerance == 0 for one in held) and largest == 0:
        return "none"
    said = "infinite"
    if math.isfinite(largest):
        said = f"< 1e{max(LEAST_POWER, math.ceil(math.log10(largest)) if largest else LEAST_POWER)}"
    return said if all(one.holds for one in held) else f"**{said}**"


def _allowed(tolerance: float) -> str:
    return _power(f"{tolerance:.0e}") if tolerance else "none"


def _power(number: str) -> str:
    """A number without the leading zero of its exponent."""
    return number.replace("e-0", "e-").replace("e+0", "e+")


def _rows(head: Sequence[str], body: Iterable[Sequence[object]]) -> str:
    """Lay out a Markdown table whose columns stand under each other."""
    lines = [list(head), *([str(cell) for cell in line] for line in body)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    )
