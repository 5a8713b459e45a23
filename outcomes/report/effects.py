"""One section an outcome: trajectories, differences, responders, and the table of all visits."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

from outcomes.figures.forest import build_scale, forest_pictures
from outcomes.figures.svg import Scale, axis_picture, backdrop, bars, definitions, ends_picture
from outcomes.figures.theme import tick_decimals
from outcomes.figures.trajectory import Course, panel_picture, panel_shapes, together_picture
from outcomes.report.answer import forest_rows
from outcomes.report.comparisons import Contrast
from outcomes.report.context import HIDDEN_MARK, Cell, Context, Grid, n_words
from outcomes.report.courses import outcome_course
from outcomes.report.responders import Responders, build_responders
from outcomes.report.study import Outcome, Study, source_words
from outcomes.report.tally import noun
from outcomes.results.wording import (
    capitalised,
    count,
    counted,
    estimate_text,
    in_sentence,
    number,
)

BRACKET = re.compile(r"\([^()]* to [^()]*\)")
"""An interval in a sentence, with its brackets."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One small multiple: its type, and what its title says."""

    exposure: str
    name: str
    slot: int
    sub: str
    picture: Markup


@dataclass(frozen=True, kw_only=True)
class Panels:
    """Small multiples of one course."""

    shapes: Markup
    panels: tuple[Panel, ...]
    together: Markup
    low: str
    high: str
    tight: bool


@dataclass(frozen=True, kw_only=True)
class ForestLine:
    """One row of a forest in words, with its picture."""

    contrast: Contrast
    name: str
    slot: int
    picture: Markup
    bars: Markup
    n_text: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class VisitLine:
    """One row of the table of all visits."""

    contrast: Contrast
    name: str
    slot: int
    visit: str
    mean: str
    n: str
    bars: Markup


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The section of one outcome in its default state."""

    outcome: Outcome
    noun: str
    title: str
    lead: tuple[str, ...]
    shapes: Markup
    panels: Panels | None
    means: Grid
    forest: tuple[ForestLine, ...]
    axis: Markup
    sparse_axis: Markup
    ends: Markup
    margin_note: str
    thresholds: tuple[str, ...]
    responders: Responders | None
    visits: tuple[VisitLine, ...]
    gated: tuple[tuple[str, str], ...]

    @property
    def none_shown(self) -> str:
        """Why no difference is shown at all at the declared visit; empty where one is."""
        if any(line.contrast.verdict.shown for line in self.forest):
            return ""
        return self.forest[0].reason if self.forest else "there is one group only"

    @property
    def any_hidden(self) -> bool:
        """Whether how many were measured is hidden anywhere."""
        return any(HIDDEN_MARK in line.n for line in self.visits)

    @property
    def gated_words(self) -> str:
        """How many differences are not shown."""
        n = len(self.gated)
        verb = "difference is" if n == 1 else "differences are"
        return f"{capitalised(counted(n))} {verb} not shown, and why"

    @property
    def by_type(self) -> dict[str, ForestLine]:
        """The rows of the forest by exposure."""
        return {line.contrast.exposure: line for line in self.forest}


def build_effect(context: Context, outcome: str) -> Effect:
    """Build the section of an outcome for the declared comparator and visit."""
    study, narrative = context.study, context.narrative
    about, visit = study.outcomes[outcome], study.primary_visit
    contrast = context.comparisons.get(outcome, study.primary_exposure)
    course = outcome_course(context, outcome)
    scale = forest_scale(context, outcome)
    return Effect(
        outcome=about,
        noun=noun(about),
        title=narrative.title(outcome, study.reference, visit),
        lead=(*narrative.shared(outcome, visit), _difference(context, contrast)),
        shapes=Markup(definitions([backdrop(f"forest-{outcome}", scale, half_width=about.margin)])),
        panels=build_panels(context, course, outcome) if course else None,
        means=_means(context, outcome),
        forest=_forest(context, outcome, scale),
        axis=Markup(axis_picture(scale)),
        sparse_axis=Markup(axis_picture(_sparse(scale))),
        ends=Markup(ends_picture(scale, about.worse, about.better)),
        margin_note=narrative.margin_note(about),
        thresholds=tuple(_threshold(about, t) for t in about.thresholds if t.get("value")),
        responders=build_responders(context, outcome),
        visits=tuple(_visit_lines(context, outcome)),
        gated=tuple(_gated(context, outcome)),
    )


def build_panels(context: Context, course: Course, outcome: str = "") -> Panels:
    """Return the small multiples of a course for the declared comparator and visit."""
    study = context.study
    name = outcome or "use"
    panels = tuple(
        Panel(
            exposure=exposure,
            name=study.name(exposure),
            slot=context.slot(exposure),
            sub=_panel_sub(context, outcome, exposure) if outcome else "",
            picture=Markup(panel_picture(course, exposure, study.reference, name)),
        )
        for exposure in study.others
    )
    together = together_picture(course, study.primary_exposure, name)
    level = course.level
    places = tick_decimals(level.ticks)
    return Panels(
        shapes=Markup(definitions(panel_shapes(course, study.primary_visit, name))),
        panels=panels,
        together=Markup(together),
        low=number(level.low, places),
        high=number(level.high, places),
        tight=len(study.exposures) > 7,
    )


def _panel_sub(context: Context, outcome: str, exposure: str) -> str:
    contrast = context.comparisons.get(outcome, exposure)
    if not contrast.verdict.shown:
        return contrast.verdict.word
    return f"{contrast.plain_amount} ({unbroken(contrast.size_interval)})"


def _difference(context: Context, contrast: Contrast) -> str:
    """Return the sentence on one difference, its interval in brackets on one line."""
    said = context.narrative.difference(contrast)
    return BRACKET.sub(lambda found: unbroken(found.group()), said)


def unbroken(interval: str) -> str:
    """Return an interval that stays on one line."""
    return interval.replace(" ", "\u00a0")


def forest_scale(context: Context, outcome: str) -> Scale:
    """Return one axis for every comparator and visit, so that switching moves only the marks."""
    study, intervals = context.study, []
    for visit in study.visits:
        for exposure in study.exposures:
            for reference in study.exposures:
                if exposure == reference:
                    continue
                row = context.comparisons.get(outcome, exposure, reference, visit)
                if row.verdict.shown and row.row.low is not None and row.row.high is not None:
                    intervals.append((row.row.low, row.row.high))
    return build_scale(intervals, study.outcomes[outcome].margin)


def _sparse(scale: Scale) -> Scale:
    """Return the axis with the labels that a narrow column holds: zero and every other tick."""
    step = 1 if len(scale.ticks) < 4 else 2
    zero = scale.ticks.index(0.0) if 0.0 in scale.ticks else 0
    return Scale(low=scale.low, high=scale.high, ticks=scale.ticks[zero % step :: step])


def _means(context: Context, outcome: str) -> Grid:
    """Return the adjusted means in numbers."""
    study = context.study
    rows = tuple(
        (e, tuple(_mean_cell(context, outcome, e, visit) for visit in study.visits))
        for e in study.exposures
    )
    return Grid(heads=tuple(v.name for v in study.visits.values()), rows=rows)


def _mean_cell(context: Context, outcome: str, exposure: str, visit: str) -> Cell:
    row = context.means.get(outcome, exposure, visit)
    if row is None:
        return Cell(text="not shown" if context.means.reason(outcome, exposure, visit) else "–")
    decimals = context.study.outcomes[outcome].words.decimals
    return Cell(text=estimate_text(row.estimate, row.low, row.high, decimals), value=row.estimate)


def _forest(context: Context, outcome: str, scale: Scale) -> tuple[ForestLine, ...]:
    study = context.study
    rows = forest_rows(context, outcome, study.reference, study.primary_visit)
    pictures = forest_pictures(rows, scale, f"forest-{outcome}")
    lines = []
    for row, drawn in zip(rows, pictures, strict=True):
        assert row.look is not None
        contrast = context.comparisons.get(outcome, row.look.id)
        lines.append(
            ForestLine(
                contrast=contrast,
                name=row.label,
                slot=row.look.slot,
                picture=Markup(drawn),
                bars=Markup(bars(contrast.verdict.bars)),
                n_text=n_text(study, contrast),
                reason=row.reason,
            )
        )
    return tuple(lines)


def n_text(study: Study, contrast: Contrast) -> str:
    """Return how many were measured on both sides; a hidden number is marked."""
    if contrast.verdict.code == "not_measured":
        return ""
    own, other = (n_words(study, n) for n in (contrast.n, contrast.n_reference))
    return f"n {own} against {other}"


def visit_n(study: Study, contrast: Contrast) -> str:
    """Return how many of a type were measured at a visit; a dash where nobody was to be."""
    return count(None) if contrast.verdict.code == "not_measured" else n_words(study, contrast.n)


def _threshold(outcome: Outcome, mark: object) -> str:
    assert isinstance(mark, dict)
    value = number(float(mark["value"]), 0 if float(mark["value"]).is_integer() else 1)
    name = in_sentence(str(mark.get("name") or "").removesuffix(", one person"))
    about = "; ".join(part for part in (name, source_words(str(mark.get("source") or ""))) if part)
    return f"{value} {outcome.unit} ({about})" if about else f"{value} {outcome.unit}"


def _visit_lines(context: Context, outcome: str) -> list[VisitLine]:
    study, lines = context.study, []
    decimals = study.outcomes[outcome].words.decimals
    for exposure in study.others:
        for visit in study.visits.values():
            contrast = context.comparisons.get(outcome, exposure, visit=visit.label)
            mean = context.means.get(outcome, exposure, visit.label)
            lines.append(
                VisitLine(
                    contrast=contrast,
                    name=study.name(exposure),
                    slot=context.slot(exposure),
                    visit=visit.name,
                    mean=number(mean.estimate if mean else None, decimals),
                    n=visit_n(study, contrast),
                    bars=Markup(bars(contrast.verdict.bars)),
                )
            )
    return lines


def _gated(context: Context, outcome: str) -> list[tuple[str, str]]:
    """Return what is not shown against the reference, each with its reason, once."""
    study, found = context.study, []
    for exposure in study.others:
        for visit in study.visits.values():
            contrast = context.comparisons.get(outcome, exposure, visit=visit.label)
            if contrast.verdict.code == "not_shown":
                found.append((f"{study.name(exposure)}, {visit.phrase}", contrast.verdict.reason))
    return found
