"""Lines over time: adjusted means, and shares with a class of medicine."""

from __future__ import annotations

from outcomes.figures.timeline import build_timeline
from outcomes.figures.trajectory import Course, Value
from outcomes.report.comparisons import Row
from outcomes.report.context import Context
from outcomes.results.wording import count, estimate_text, number


def outcome_course(context: Context, outcome: str) -> Course | None:
    """Return the lines of an outcome, or None where no mean is there at all."""
    study, means = context.study, context.means
    planned = context.comparisons.planned
    visits = [v for v in study.visits.values() if planned.get((outcome, v.label), True)]
    start = means.starts.get(outcome)
    timeline = build_timeline([(v.label, v.tick, v.day) for v in visits], start=start is not None)
    lines = {}
    for exposure in study.exposures:
        line = [] if start is None else [_start_value(context, outcome, exposure, start)]
        line += [_value(context, outcome, exposure, visit.label) for visit in visits]
        lines[exposure] = line
    if not any(v.shown for line in lines.values() for v in line[1 if start is not None else 0 :]):
        return None
    return Course(timeline=timeline, lines=lines, looks=study.looks)


def _start_value(context: Context, outcome: str, exposure: str, start: float) -> Value:
    n = context.comparisons.observed.get((outcome, exposure, "baseline"))
    decimals = context.study.outcomes[outcome].words.decimals
    said = f"Time zero: {number(start, decimals)}, shared by all groups"
    return Value(estimate=start, low=start, high=start, n=n, text=said)


def _value(context: Context, outcome: str, exposure: str, visit: str) -> Value:
    n = context.comparisons.observed.get((outcome, exposure, visit))
    row = context.means.get(outcome, exposure, visit)
    name = f"{context.study.name(exposure)}, {context.study.visits[visit].phrase}"
    if row is None:
        reason = context.means.reason(outcome, exposure, visit)
        return Value(estimate=None, low=None, high=None, n=n, text=reason)
    said = estimate_text(
        row.estimate, row.low, row.high, context.study.outcomes[outcome].words.decimals
    )
    size = "" if n is None else f", n {count(n)}"
    return Value(
        estimate=row.estimate, low=row.low, high=row.high, n=n, text=f"{name}: {said}{size}"
    )


def share_course(context: Context, rows: dict[tuple[str, str], Row]) -> Course | None:
    """Return lines of shares by exposure and visit, in percent."""
    study = context.study
    visits = [v for v in study.visits.values() if any(key[1] == v.label for key in rows)]
    if not visits:
        return None
    timeline = build_timeline([(v.label, v.tick, v.day) for v in visits], start=False)
    lines = {
        exposure: [_share_value(context, exposure, v.label, rows) for v in visits]
        for exposure in study.exposures
    }
    if not any(value.shown for line in lines.values() for value in line):
        return None
    return Course(timeline=timeline, lines=lines, looks=study.looks)


def _share_value(
    context: Context, exposure: str, visit: str, rows: dict[tuple[str, str], Row]
) -> Value:
    row = rows.get((exposure, visit))
    if row is None or row.estimate is None or row.low is None or row.high is None:
        reason = row.reason if row else ""
        return Value(estimate=None, low=None, high=None, n=row.n if row else None, text=reason)
    a, b, c = (100 * x for x in (row.estimate, row.low, row.high))
    name = f"{context.study.name(exposure)}, {context.study.visits[visit].phrase}"
    said = f"{name}: {estimate_text(a, b, c, 0)} %"
    return Value(estimate=a, low=b, high=c, n=row.n, text=said)
