"""Would it stand up: the same comparison in other analyses, and the gate it had to pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from outcomes.figures.svg import Estimate, Scale, axis_picture, ends_picture, row_picture
from outcomes.report.analyses import analysis_name
from outcomes.report.comparisons import PRIMARY, UNADJUSTED, Contrast, Row, _rows, as_number
from outcomes.report.context import Context
from outcomes.report.effects import forest_scale
from outcomes.results.wording import (
    capitalised,
    count,
    counted,
    estimate_text,
    in_sentence,
    number,
    percent,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class CheckLine:
    """One analysis: its name, what differs, and its interval."""

    label: str
    sub: str
    text: str
    picture: Markup
    main: bool
    plain: bool
    row: Row


@dataclass(frozen=True, kw_only=True)
class Checks:
    """The declared comparison in all analyses."""

    title: str
    lead: str
    what: str
    n_words: str
    lines: tuple[CheckLine, ...]
    unmade: tuple[str, ...]
    axis: Markup
    ends: Markup
    contrast: Contrast


def build_checks(context: Context) -> Checks:
    """Return the checks of the declared comparison."""
    study = context.study
    contrast = context.comparisons.get(study.primary_outcome, study.primary_exposure)
    scale = forest_scale(context, study.primary_outcome)
    lines = check_lines(context, contrast, scale)
    made = [line.row.low is not None or not contrast.verdict.shown for line in lines]
    n = sum(there and not line.plain for there, line in zip(made, lines, strict=True))
    about = contrast.outcome
    return Checks(
        what=comparison_words(context, contrast),
        n_words=f"{counted(n)} {'analysis' if n == 1 else 'analyses'}",
        ends=Markup(ends_picture(scale, about.worse, about.better)),
        title=checks_title(contrast),
        lead=_lead(contrast),
        lines=tuple(lines),
        unmade=tuple(unmade_words(context, about.id)),
        axis=Markup(axis_picture(scale)),
        contrast=contrast,
    )


def comparison_words(context: Context, contrast: Contrast, *, with_result: bool = False) -> str:
    """Return which comparison is meant: ``Exercise against usual care, pain, week 12.``"""
    study = context.study
    what = (
        f"{study.name(contrast.exposure)} against {study.phrase(contrast.reference)},"
        f" {in_sentence(contrast.outcome.name)}, {study.visits[contrast.visit].phrase}"
    )
    if not with_result:
        return f"{what}."
    found = contrast.amount if contrast.verdict.shown else in_sentence(contrast.verdict.word)
    return f"{what}: {found}"


def checks_title(contrast: Contrast) -> str:
    """Say how the other analyses bear on a comparison."""
    verdict = contrast.verdict
    if not verdict.shown:
        return "The main result is not shown, so there is nothing to check"
    if verdict.code == "uncertain":
        return "The main result is uncertain, and no check can make it less so"
    unmade = f"; {counted(verdict.n_unmade)} could not be made or shown" if verdict.n_unmade else ""
    if not verdict.n_checks or verdict.n_checks < 2:
        return f"The main result was analysed in one way only{unmade}"
    if verdict.agree == verdict.n_checks:
        every = f"all {counted(verdict.n_checks - 1)} other analyses"
        where = "the only other analysis" if verdict.n_checks == 2 else every
        return f"The main result stands in {where}{unmade}"
    agree = capitalised(counted((verdict.agree or 1) - 1))
    others = counted(verdict.n_checks - 1)
    return f"{agree} of {others} other analyses agree with the main result{unmade}"


def _lead(contrast: Contrast) -> str:
    """Say what a check is, and on how little the word rests where there is one only."""
    asked = "The same question asked in other ways."
    if contrast.verdict.alone:
        return f"{asked} Here there is one other way: {contrast.verdict.alone}. It tests no more."
    return f"{asked} A result that needs one particular way of doing the sums is called tentative."


def unmade_words(context: Context, outcome: str) -> Iterator[str]:
    """Yield the analyses of an outcome that could not be made, each with its reason."""
    for found in context.comparisons.unmade.get(outcome, []):
        name, differs = analysis_name(found.analysis)
        yield f"{name} ({in_sentence(differs)}): {in_sentence(found.why)}."


def check_lines(context: Context, contrast: Contrast, scale: Scale) -> list[CheckLine]:
    """Return the main analysis, the others in fixed order, and the unadjusted one last."""
    key = (contrast.outcome.id, contrast.exposure, contrast.reference, contrast.visit)
    rows = [contrast.row, *context.comparisons.checks_of(key), *_plain(context, key)]
    decimals = contrast.outcome.words.decimals
    lines = []
    for row in rows:
        main = row is contrast.row
        label, sub = analysis_name(PRIMARY if main else row.analysis, row.method)
        at = None
        if row.estimate is not None and row.low is not None and row.high is not None:
            at = Estimate(estimate=row.estimate, low=row.low, high=row.high)
        look = context.study.looks[contrast.exposure] if main else None
        drawn = row_picture(look, at, scale, behind=f"forest-{contrast.outcome.id}")
        words = estimate_text(row.estimate, row.low, row.high, decimals) if at else row.reason
        plain = row.method == UNADJUSTED
        lines.append(
            CheckLine(
                label=label,
                sub=sub,
                text=words or "not estimated",
                picture=Markup(drawn),
                main=main,
                plain=plain,
                row=row,
            )
        )
    return lines


def _plain(context: Context, key: tuple[str, str, str, str]) -> list[Row]:
    """Return the unadjusted difference, marked as such."""
    outcome, exposure, reference, visit = key
    table = context.release.table("unadjusted")
    pair = (exposure, reference), (reference, exposure)
    here = table[table["outcome"].eq(outcome) & table["visit"].eq(visit)]
    for place, (level, other) in enumerate(pair):
        rows = here[here["level"].eq(level) & here["reference"].eq(other)]
        for _, row in _rows(rows, context.study.hidden_text):
            turned = row.turned() if place else row
            return [_marked(turned)]
    return []


def _marked(row: Row) -> Row:
    return Row(
        estimate=row.estimate,
        low=row.low,
        high=row.high,
        n=row.n,
        reason=row.reason,
        analysis=UNADJUSTED,
        method=UNADJUSTED,
    )


# ------------------------------------------------------------------------------------------ gate
@dataclass(frozen=True, kw_only=True)
class GateLine:
    """One check that failed."""

    what: str
    check: str
    value: str
    limit: str
    reason: str


def build_gate(context: Context) -> tuple[list[GateLine], int]:
    """Return the gate's failed checks, and how many there were in all."""
    table = context.release.table("gate")
    failed = table[table["passed"].astype("boolean").eq(False).fillna(False)]
    lines = []
    for row in failed.to_dict("records"):
        study = context.study
        outcome, visit = study.outcomes.get(row["outcome"]), study.visits.get(row["visit"])
        parts = [
            outcome.name if outcome else row["outcome"],
            study.phrase(row["exposure"]) if row["exposure"] else "",
            visit.phrase if visit else row["visit"],
        ]
        shown = percent if row["check"] == "follow_up" else _plain_number
        lines.append(
            GateLine(
                what=", ".join(p for p in parts if p),
                check=in_sentence(str(row["check"]).replace("_", " ")),
                value=shown(as_number(row["value"])),
                limit=shown(as_number(row["limit"])),
                reason=row["reason"],
            )
        )
    return lines, len(table)


CONDITIONS: Final[Mapping[str, tuple[str, bool]]] = {
    "group_size": ("Episodes of the type", True),
    "follow_up": ("Share of them measured at the visit", True),
    "measured": ("Episodes of all types measured at the visit", True),
    "varies": ("Those measured at the visit had more than one value", True),
    "estimable": ("The model has a mean for the type at the visit", True),
    "overlap": (
        "Distance of the type from all in what predicts the outcome, in standard deviations",
        False,
    ),
    "converged": ("The model of the outcome could be fitted", False),
}
"""What each check looks at, in the order shown, and whether its limit is a floor."""
SHARES: Final = ("follow_up",)
UNTOLD: Final = ("varies", "estimable", "converged")
"""Checks that are met or not: their values are no measure of how near it came."""


@dataclass(frozen=True, kw_only=True)
class ConditionLine:
    """One kind of condition: what it asks, how often it was met, and how near it came."""

    what: str
    met: str
    limit: str
    closest: str


def build_conditions(context: Context) -> list[ConditionLine]:
    """Return each kind of condition with how often it was met."""
    table = context.release.table("gate")
    order = dict.fromkeys([*CONDITIONS, *table["check"]])
    parts = [(check, table[table["check"].eq(check)]) for check in order]
    return [_condition(check, part) for check, part in parts if len(part)]


def _condition(check: str, part: pd.DataFrame) -> ConditionLine:
    words, floor = CONDITIONS.get(check, (capitalised(check.replace("_", " ")), True))
    shown = percent if check in SHARES else _plain_number
    limits = [as_number(value) for value in part["limit"].dropna().unique()]
    values = [v for v in map(as_number, part["value"]) if v is not None]
    closest = None if not values else min(values) if floor else max(values)
    met = int(part["passed"].astype("boolean").fillna(False).sum())
    told = check not in UNTOLD
    side = "or more" if floor else "or less"
    return ConditionLine(
        what=words,
        met=f"{count(met)} of {count(len(part))}",
        limit=f"{shown(limits[0])} {side}" if told and len(limits) == 1 else "has to hold",
        closest=shown(closest) if told else "–",
    )


def gate_words(lines: Sequence[GateLine], n_checks: int) -> str:
    """Say how the checks before showing a difference came out."""
    if not n_checks:
        return "No check was declared that a difference has to pass"
    checks = f"{number(n_checks, 0)} conditions for showing a difference"
    if not lines:
        return f"All {checks} were met"
    were = "was" if len(lines) == 1 else "were"
    return f"{capitalised(counted(len(lines)))} of {checks} {were} not met"


def _plain_number(value: float | None) -> str:
    return number(value, 0 if value is not None and value >= 10 else 2)


__all__: Sequence[str] = (
    "Checks",
    "GateLine",
    "build_checks",
    "build_conditions",
    "build_gate",
    "check_lines",
    "gate_words",
)
