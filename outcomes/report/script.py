"""What the page's script is given: every comparison in words and numbers, nothing to round.

The script only chooses, places and draws. Numbers are those of the released tables; all words come
from :mod:`outcomes.results.wording` and :mod:`outcomes.report.narrative`.
"""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any, Final, get_args

from outcomes.figures.responder import SHARES, curve_trace
from outcomes.figures.svg import Scale
from outcomes.figures.theme import CONFIG, layout, marker_path, tick_decimals
from outcomes.figures.trajectory import Course, line_traces
from outcomes.report.checks import check_lines, checks_title, comparison_words
from outcomes.report.comparisons import Contrast
from outcomes.report.context import Context, n_words
from outcomes.report.courses import outcome_course
from outcomes.report.effects import forest_scale, n_text
from outcomes.report.medicines import build_use
from outcomes.report.responders import build_responders
from outcomes.results.wording import Code, number

CODES: Final[tuple[Code, ...]] = get_args(Code)
"""Verdicts in the order in which the script is given their sentences."""


class Strings:
    """Texts that come up often, kept once."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def __call__(self, text: str) -> int:
        """Return the place of a text."""
        return self.places.setdefault(text, len(self.places))


def script_data(context: Context) -> dict[str, Any]:
    """Return everything the script needs.

    Parameters
    ----------
    context : Context

    Returns
    -------
    dict
        JSON values.
    """
    strings = Strings()
    study, sentences = context.study, context.narrative.templates()
    return {
        "state": {
            "f": study.primary_exposure,
            "c": study.reference,
            "v": study.primary_visit,
            "o": study.primary_outcome,
        },
        "types": [
            {
                "id": look.id,
                "name": look.name,
                "phrase": study.phrase(look.id),
                "short": look.short,
                "open": look.open,
                "path": marker_path(look.symbol),
                "symbol": look.symbol,
                "dash": look.dash,
            }
            for look in study.looks.values()
        ],
        "visits": [
            {"id": v.label, "name": v.name, "phrase": v.phrase, "at": v.at}
            for v in study.visits.values()
        ],
        "outcomes": [_outcome(context, outcome, strings) for outcome in study.outcomes],
        "use": _use(context),
        "templates": {
            "level": study.level_text,
            "sentences": [sentences[code] for code in CODES],
        },
        "shares": _scale(SHARES),
        "layout": layout(),
        "config": dict(CONFIG),
        "strings": list(strings.places),
    }


def _outcome(context: Context, outcome: str, strings: Strings) -> dict[str, Any]:
    study = context.study
    about = study.outcomes[outcome]
    course = outcome_course(context, outcome)
    scale = forest_scale(context, outcome)
    reads, checks = {}, {}
    for visit in study.visits:
        for exposure, reference in permutations(study.exposures, 2):
            contrast = context.comparisons.get(outcome, exposure, reference, visit)
            key = "|".join(
                str(k)
                for k in (context.slot(exposure), context.slot(reference), _place(context, visit))
            )
            reads[key] = _read(context, contrast, strings)
            if outcome == study.primary_outcome and _checked(context, contrast):
                checks[key] = _checks(context, contrast, scale, strings)
    pairs = [(c, v) for c in study.exposures for v in study.visits]
    return {
        "id": outcome,
        "name": about.name,
        "better": about.better,
        "worse": about.worse,
        "margin": about.margin,
        "scale": _scale(scale),
        "reads": reads,
        "checks": checks,
        "titles": {
            f"{context.slot(c)}|{_place(context, v)}": context.narrative.title(outcome, c, v)
            for c, v in pairs
        },
        "means": _means(context, outcome),
        "shared": [" ".join(context.narrative.shared(outcome, v)) for v in study.visits],
        "course": None if course is None else _course(course),
        "responders": _responders(context, outcome, strings),
    }


def _checked(context: Context, contrast: Contrast) -> bool:
    """Whether there is another analysis of the comparison, so that checks say more than it."""
    key = (contrast.outcome.id, contrast.exposure, contrast.reference, contrast.visit)
    return contrast.verdict.shown and bool(context.comparisons.checks_of(key))


def _means(context: Context, outcome: str) -> list[list[list[str]]]:
    """Return mean and count in words, by type and visit."""
    decimals = context.study.outcomes[outcome].words.decimals
    rows = []
    for exposure in context.study.exposures:
        row = []
        for visit in context.study.visits:
            mean = context.means.get(outcome, exposure, visit)
            n = context.comparisons.observed.get((outcome, exposure, visit))
            planned = context.comparisons.planned.get((outcome, visit), True)
            size = n_words(context.study, n) if planned else number(None)
            row.append([number(mean.estimate if mean else None, decimals), size])
        rows.append(row)
    return rows


def _place(context: Context, visit: str) -> int:
    return list(context.study.visits).index(visit)


def _read(context: Context, contrast: Contrast, strings: Strings) -> list[Any]:
    """Pack a comparison; the script's ``read`` unpacks it in the same order."""
    verdict, row = contrast.verdict, contrast.row
    short = verdict.short
    agree = verdict.checks if verdict.code in ("better", "worse", "same") else ""
    if not verdict.shown:
        reason = context.narrative.reason(contrast)
        return [
            CODES.index(verdict.code),
            0,
            strings(short),
            strings(reason),
            n_text(context.study, contrast),
        ]
    turned = contrast.size_interval
    return [
        CODES.index(verdict.code),
        verdict.bars,
        strings(short),
        strings(agree),
        n_text(context.study, contrast),
        *(_short(v) for v in (row.estimate, row.low, row.high)),
        contrast.estimate,
        contrast.interval,
        contrast.amount,
        *([turned] if turned != contrast.interval else []),
    ]


def _checks(context: Context, contrast: Contrast, scale: Scale, strings: Strings) -> dict[str, Any]:
    rows = [
        [
            strings(line.label),
            strings(line.sub),
            *(_short(v) for v in (line.row.estimate, line.row.low, line.row.high)),
            line.text,
            int(line.plain),
        ]
        for line in check_lines(context, contrast, scale)
    ]
    return {
        "title": strings(checks_title(contrast)),
        "what": strings(comparison_words(context, contrast)),
        "rows": rows,
    }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _scale(scale: Scale) -> dict[str, Any]:
    places = tick_decimals(scale.ticks)
    ticks = [[t, number(t, places)] for t in scale.ticks]
    return {"low": _short(scale.low), "high": _short(scale.high), "ticks": ticks}


def _course(course: Course) -> dict[str, Any]:
    level, line = course.level, course.timeline
    places = tick_decimals(level.ticks)
    return {
        "weeks": list(line.weeks),
        "labels": list(line.labels),
        "ticks": list(line.ticks),
        "tight": [int(line.tight(k)) for k in range(len(line.weeks))],
        "low": level.low,
        "high": level.high,
        "yticks": [[t, number(t, places)] for t in level.ticks],
        "n": {e: [number(v.n, 0) for v in values] for e, values in course.lines.items()},
        "gone": {
            e: [k for k, v in enumerate(values) if not v.shown and v.text]
            for e, values in course.lines.items()
        },
        "traces": {e: line_traces(course, e) for e in course.lines},
    }


def _use(context: Context) -> dict[str, Any] | None:
    for use in build_use(context):
        if use.course is not None:
            return _course(use.course)
    return None


def _responders(context: Context, outcome: str, strings: Strings) -> dict[str, Any] | None:
    found = build_responders(context, outcome)
    if found is None:
        return None
    study = context.study
    shares = {}
    for (visit, key, exposure), share in found.shares.items():
        if visit not in study.visits or exposure not in study.looks:
            continue
        name = f"{_place(context, visit)}|{key}|{context.slot(exposure)}"
        numbers = [_short(v) for v in (share.estimate, share.low, share.high)]
        shares[name] = (
            [*numbers, strings(share.text)]
            if share.estimate is not None
            else [None, None, None, strings(share.text), strings(share.why)]
        )
    plain = [p for p, k in enumerate(found.keys) if not k.code and k.threshold is not None]
    return {
        "keys": [[k.threshold, k.label] for k in found.keys],
        "chosen": found.chosen,
        "worse": found.worse,
        "plain": plain,
        "curve": found.curve,
        "shares": shares,
    }


def to_json(data: Any) -> str:
    """Return JSON that may stand in a script element.

    ``<``, ``>`` and ``&`` become escapes, so no label can close the element or open a comment; so
    do the two line ends that JSON allows and scripts once did not.
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


__all__ = ["curve_trace", "script_data", "to_json"]
