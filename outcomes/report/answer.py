"""The answer: one card an outcome, each with the comparison that was declared in advance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from outcomes.figures.forest import ForestRow, build_scale, strip_pictures
from outcomes.figures.mini import mini_picture
from outcomes.figures.svg import Estimate, Scale, axis_picture, backdrop, bars, definitions
from outcomes.report.comparisons import Contrast
from outcomes.report.context import Context
from outcomes.report.courses import outcome_course
from outcomes.results.wording import number

LETTER: Final = 6.8
"""Width of a letter of a small label in pixels, in a wide typeface."""


@dataclass(frozen=True, kw_only=True)
class StripRow:
    """One type of the strip under a card."""

    short: str
    slot: int
    followed: bool
    picture: Markup
    estimate: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a card shows."""

    contrast: Contrast
    slot: int
    bars: Markup
    low: str
    high: str
    margin: str
    word: str
    reason: str
    mini: Markup
    end: int
    strip: tuple[StripRow, ...]
    axis: Markup
    visit: str
    numbered: bool
    elsewhere: str
    shapes: Markup


def build_cards(context: Context) -> list[Card]:
    """Build the cards of the declared comparison."""
    return [_card(context, contrast) for contrast in context.narrative.headline_contrasts()]


def _card(context: Context, contrast: Contrast) -> Card:
    study, row = context.study, contrast.row
    outcome = contrast.outcome
    places = outcome.words.decimals
    course = outcome_course(context, outcome.id)
    mini, names = "", (study.looks[e].short for e in (contrast.exposure, contrast.reference))
    if course is not None and all(
        course.points(e) for e in (contrast.exposure, contrast.reference)
    ):
        mini = mini_picture(course, contrast.exposure, contrast.reference, contrast.visit)
    rows = forest_rows(context, outcome.id, contrast.reference, contrast.visit)
    scale = _only_zero(strip_scale(rows, outcome.margin))
    return Card(
        contrast=contrast,
        slot=context.slot(contrast.exposure),
        bars=Markup(bars(contrast.verdict.bars)),
        low=number(row.low, places),
        high=number(row.high, places),
        margin=_margin(context, contrast),
        word=_word(contrast),
        reason=context.narrative.reason(contrast),
        mini=Markup(mini),
        end=round(LETTER * (max(len(name) for name in names) + len("99.9 ")) + 12),
        strip=_strip(context, contrast, rows, scale),
        axis=Markup(axis_picture(scale, end=f"{outcome.better} →")),
        visit=study.visits[contrast.visit].phrase,
        numbered=len(study.visits) > 1 and study.visits[contrast.visit].day is not None,
        elsewhere=context.narrative.elsewhere(contrast) if contrast.verdict.shown else "",
        shapes=Markup(
            definitions([backdrop(f"strip-{outcome.id}", scale, half_width=outcome.margin)])
        ),
    )


def _word(contrast: Contrast) -> str:
    """Return the verdict in words; a single check is named, for the bars rest on it."""
    verdict = contrast.verdict
    return f"{verdict.word}: {verdict.alone}" if verdict.alone else verdict.word


def _margin(context: Context, contrast: Contrast) -> str:
    """Say what the margin does to the word, where it lies in the interval or hardly anything can.

    An interval that the margin cuts is not called slight, although its difference may be.
    """
    about, row = contrast.outcome, contrast.row
    if about.margin is None or row.low is None or row.high is None:
        return ""
    size = number(about.margin, about.words.decimals)
    wide = context.narrative.wide_margin(about)
    if wide:
        return f"Less than {size} ({wide}) was set as too small to matter."
    sure = contrast.verdict.code in ("better", "worse")
    cut = min(abs(row.low), abs(row.high)) < about.margin and not contrast.verdict.slight
    words = f"Less than {size} was set as too small to matter; the interval lies on both sides."
    return words if sure and cut else ""


def forest_rows(context: Context, outcome: str, reference: str, visit: str) -> list[ForestRow]:
    """Return the rows of a forest in the study's order, without the comparator."""
    rows = []
    for exposure, look in context.study.looks.items():
        if exposure == reference:
            continue
        contrast = context.comparisons.get(outcome, exposure, reference, visit)
        row = contrast.row
        at = None
        if contrast.verdict.shown:
            assert row.estimate is not None
            assert row.low is not None
            assert row.high is not None
            at = Estimate(estimate=row.estimate, low=row.low, high=row.high)
        reason = context.narrative.reason(contrast)
        rows.append(ForestRow(label=look.name, look=look, at=at, text=contrast.both, reason=reason))
    return rows


def strip_scale(rows: Sequence[ForestRow], margin: float | None) -> Scale:
    """Return the axis that a card's strip needs."""
    return build_scale([(r.at.low, r.at.high) for r in rows if r.at], margin)


def _only_zero(scale: Scale) -> Scale:
    return Scale(low=scale.low, high=scale.high, ticks=(0.0,))


def _strip(
    context: Context, contrast: Contrast, rows: Sequence[ForestRow], scale: Scale
) -> tuple[StripRow, ...]:
    pictures = strip_pictures(rows, scale, f"strip-{contrast.outcome.id}")
    return tuple(
        StripRow(
            short=row.look.short,
            slot=row.look.slot,
            followed=row.look.id == contrast.exposure,
            picture=Markup(drawn),
            estimate=number(row.at.estimate, contrast.outcome.words.decimals) if row.at else "",
            reason="" if row.at else "not shown",
        )
        for row, drawn in zip(rows, pictures, strict=True)
        if row.look
    )
