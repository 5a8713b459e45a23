"""The small trajectory of a card: two types, with their means at the visit of the card's number."""

from __future__ import annotations

from dataclasses import dataclass

from outcomes.figures.svg import drawn_line, drawn_marks, line_layer, picture, text
from outcomes.figures.timeline import Timeline
from outcomes.figures.trajectory import RIGHT, Course, after_start, safe, spread
from outcomes.results.wording import number

WEEK_ROOM, PAPER_ROOM = 24, 32
"""Percent of a small axis that the words of the chosen week need, on a screen and on paper."""
BELOW = 13
"""Pixels under a small panel that a number below the lowest line needs."""


def mini_picture(course: Course, exposure: str, reference: str, visit: str) -> str:
    """Paint a small trajectory of two types for a card.

    The means stand at the chosen visit, so that they belong to the difference that the card gives;
    the ends of the lines carry names alone. No line stands under them: the axis does not begin at
    zero.
    """
    height = 88
    pair = {e: course.lines[e] for e in (reference, exposure)}
    small = Course(timeline=course.timeline, lines=pair, looks=course.looks)
    lines = "".join(drawn_line(course.looks[e], small.points(e)) for e in pair)
    marks = "".join(drawn_marks(course.looks[e], after_start(small, e), height) for e in pair)
    line = course.timeline
    means = _mini_means(small, visit, height)
    base = height + (BELOW if means else 4)
    parts = []
    for k, (label, words) in enumerate(zip(line.labels, line.ticks, strict=True)):
        chosen = label == visit
        if not chosen and (line.tight(k) or k in _beside(line, visit, WEEK_ROOM)):
            continue
        tight = "" if chosen or k not in _beside(line, visit, PAPER_ROOM) else " tight"
        side = "start" if k == 0 else "end" if not line.joined[k] else "middle"
        css = "b sm" if chosen else f"q sm{tight}"
        said = f"week {words}" if chosen and words.isdigit() else words
        parts.append(text(f"{line.percent(k):g}%", base + 15, said, css=css, anchor=side))
        if chosen:
            x = f"{line.percent(k):g}%"
            parts.append(f'<line class="stop" x1="{x}" x2="{x}" y1="0" y2="{base}"/>')
    words = _mini_ends(small, visit, height) + means
    return picture("".join(parts) + line_layer(lines, height) + marks + words, base + 20, css="min")


def _beside(line: Timeline, visit: str, room: float) -> list[int]:
    """Places next to the chosen visit that are too near for its longer label."""
    if visit not in line.labels:
        return []
    at = line.percent(line.labels.index(visit))
    return [k for k in range(len(line.labels)) if 0 < abs(line.percent(k) - at) < room]


@dataclass(frozen=True, kw_only=True)
class _Mean:
    """One mean of a small panel in percent of it; ``falls``: the line comes down to it."""

    x: float
    y: float
    words: str
    falls: bool

    @property
    def last(self) -> bool:
        return self.x == RIGHT


def _at_visit(course: Course, visit: str) -> dict[str, _Mean]:
    """Return the mean of each line at a visit, where it has one."""
    if visit not in course.timeline.labels:
        return {}
    k, level = course.timeline.labels.index(visit), course.level
    found = {}
    for exposure, values in course.lines.items():
        mean = values[k].estimate
        if not values[k].shown or mean is None:
            continue
        before = [v.estimate for v in values[:k] if v.estimate is not None]
        found[exposure] = _Mean(
            x=course.timeline.percent(k),
            y=level.percent(mean),
            words=number(mean),
            falls=not before or before[-1] >= mean,
        )
    return found


def _mini_means(course: Course, visit: str, height: float) -> str:
    """Write the means at the chosen visit, the upper one above its line, the other below."""
    found = _at_visit(course, visit)
    if any(mean.last for mean in found.values()):
        return ""
    upper = min(found, key=lambda e: found[e].y, default="")
    parts = []
    for exposure, mean in found.items():
        right = mean.falls == (exposure == upper)  # where the line is not
        side = 'x="4"' if right else 'x="-5" text-anchor="end"'
        y = mean.y * height / 100 + (-8 if exposure == upper else 16)
        parts.append(
            f'<svg x="{mean.x:g}%" overflow="visible"><text {side} y="{y:.1f}" class="sm val'
            f' kt{course.looks[exposure].slot}">{mean.words}</text></svg>'
        )
    return "".join(parts)


def _mini_ends(course: Course, visit: str, height: float) -> str:
    """Write the names at the ends, with the means there only if it is the chosen visit's end."""
    means = _at_visit(course, visit)
    ends = []
    for exposure in course.lines:
        points = course.points(exposure)
        if points:
            y = points[-1].y * height / 100 + 4
            mean, name = means.get(exposure), course.looks[exposure].short
            ends.append((y, f"{mean.words} {name}" if mean and mean.last else name, exposure))
    ends.sort()
    places = spread([y for y, _, _ in ends], 15, 10, height + 2)
    words = "".join(
        f'<text x="9" y="{y:g}" class="sm kt{course.looks[e].slot}">{safe(w)}</text>'
        for y, (_, w, e) in zip(places, ends, strict=True)
    )
    return f'<svg x="100%" overflow="visible">{words}</svg>'
