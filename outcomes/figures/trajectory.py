"""Trajectories: adjusted means over time as small multiples, each type beside the comparator.

The others stay as ghost lines, so that a panel is read in its place. x is true weeks; y is shared
by all panels. Where a mean is not shown the line stops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outcomes.figures.svg import (
    LARGE,
    SMALL,
    Point,
    band_path,
    drawn_line,
    drawn_marks,
    hidden_number,
    line_layer,
    line_path,
    picture,
    placed,
    text,
)
from outcomes.figures.theme import Look, layout, tick_decimals, translucent
from outcomes.figures.timeline import Level, Timeline, build_level
from outcomes.results.wording import count, number

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT = 176
SHORT = 3
"""Characters of a count that fit between two visits a few days apart."""
RIGHT = 100.0
"""Percent of the axis at which a whole line ends."""
GHOSTS = 7
"""Types up to which the others are drawn behind a panel."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """One mean of a line with its interval and how many were measured; ``text`` for the hover."""

    estimate: float | None
    low: float | None
    high: float | None
    n: float | None
    text: str = ""

    @property
    def shown(self) -> bool:
        """Whether there is a mean to draw."""
        return self.estimate is not None and self.low is not None and self.high is not None


@dataclass(frozen=True, kw_only=True)
class Course:
    """All lines of one outcome on one timeline."""

    timeline: Timeline
    lines: Mapping[str, Sequence[Value]]
    looks: Mapping[str, Look]

    @property
    def level(self) -> Level:
        """The vertical range that all panels share."""
        known = [v for line in self.lines.values() for v in line if v.shown]
        return build_level([x for v in known for x in (v.low, v.high) if x is not None])

    def points(self, exposure: str) -> list[Point]:
        """Return what is shown of a line, in percent of the panel."""
        level, found, gap = self.level, [], False
        for k, value in enumerate(self.lines.get(exposure, ())):
            if not value.shown:
                gap = True
                continue
            assert value.estimate is not None
            assert value.low is not None
            assert value.high is not None
            found.append(
                Point(
                    x=self.timeline.percent(k),
                    y=level.percent(value.estimate),
                    low=level.percent(value.low),
                    high=level.percent(value.high),
                    joined=self.timeline.joined[k] and not gap,
                )
            )
            gap = False
        return found


# ------------------------------------------------------------------------------- static pictures
def panel_shapes(course: Course, visit: str, name: str) -> list[str]:
    """Define what all panels of a course share: the frame, and every line as a ghost."""
    ghosts = "".join(f'<path class="gh" d="{line_path(course.points(e))}"/>' for e in course.looks)
    few = len(course.looks) <= GHOSTS
    return [
        f'<g id="frame-{name}">{_frame(course, visit)}</g>',
        f'<g id="ghosts-{name}">{line_layer(ghosts, HEIGHT) if few else ""}</g>',
    ]


def panel_picture(course: Course, exposure: str, reference: str, name: str) -> str:
    """Paint one type with the comparator dashed, on the shapes defined under ``name``."""
    looks, pair = course.looks, (reference, exposure)
    lines = "".join(drawn_line(looks[e], course.points(e)) for e in pair)
    marks = "".join(drawn_marks(looks[e], after_start(course, e), HEIGHT) for e in pair)
    body = placed(f"frame-{name}") + placed(f"ghosts-{name}")
    body += (
        line_layer(lines, HEIGHT)
        + marks
        + _stops(course, pair)
        + _n_rows(course, (exposure, reference))
    )
    return picture(body, HEIGHT + 54, css="pan")


def together_picture(course: Course, followed: str, name: str) -> str:
    """Paint all lines together, with their names at the ends."""
    lines = "".join(
        drawn_line(look, course.points(e), shaded=False) for e, look in course.looks.items()
    )
    marks = "".join(
        drawn_marks(look, after_start(course, e), HEIGHT, LARGE if e == followed else SMALL)
        for e, look in course.looks.items()
    )
    body = placed(f"frame-{name}") + line_layer(lines, HEIGHT) + marks + _end_labels(course)
    return picture(body, HEIGHT + 54, css="pan tog")


def after_start(course: Course, exposure: str) -> list[Point]:
    """Leave out the mark of the start, which all lines share."""
    points = course.points(exposure)
    return points[1:] if points and course.timeline.labels[0] == "baseline" else points


def _frame(course: Course, visit: str) -> str:
    """Draw grid, ticks and the band behind the chosen visit."""
    level, line = course.level, course.timeline
    places = tick_decimals(level.ticks)
    parts = []
    if visit in line.labels:
        x = line.percent(line.labels.index(visit))
        parts.append(
            f'<svg x="{x:g}%" overflow="visible"><rect class="w" x="-6" width="12" y="0"'
            f' height="{HEIGHT}"/></svg>'
        )
    for tick in level.ticks:
        y = level.percent(tick) * HEIGHT / 100
        parts.append(f'<line class="g" x1="0" x2="100%" y1="{y:g}" y2="{y:g}"/>')
        parts.append(text("-7", y + 4, number(tick, places), css="q sm", anchor="end"))
    parts.append(f'<line class="axl" x1="0" x2="100%" y1="{HEIGHT}" y2="{HEIGHT}"/>')
    for k, (label, words) in enumerate(zip(line.labels, line.ticks, strict=True)):
        tight = " tight" if line.tight(k) and label != visit else ""
        css = f"{'b' if label == visit else 'q'} sm{tight}"
        side = "end" if not line.joined[k] else "middle"
        parts.append(text(f"{line.percent(k):g}%", HEIGHT + 17, words, css=css, anchor=side))
    return "".join(parts)


def _stops(course: Course, pair: Sequence[str]) -> str:
    """Mark visits where a mean is not shown."""
    parts = []
    for exposure in pair:
        for k, value in enumerate(course.lines.get(exposure, ())):
            if value.shown or not value.text:
                continue
            x = course.timeline.percent(k)
            parts.append(f'<line class="stop" x1="{x:g}%" x2="{x:g}%" y1="0" y2="{HEIGHT}"/>')
            parts.append(
                f'<svg x="{x:g}%" overflow="visible"><text class="q sm" text-anchor="end"'
                ' transform="translate(-5 6) rotate(-90)">not shown</text></svg>'
            )
    return "".join(parts)


def _n_rows(course: Course, pair: Sequence[str]) -> str:
    """Write how many were measured under the axis, a line a type.

    A long first number steps aside for the second, which may be only days later; a hidden number
    is hatched.
    """
    parts = [text("-25", HEIGHT + 35, "n", css="q sm", anchor="end")]
    for row, exposure in enumerate(pair):
        for k, value in enumerate(course.lines.get(exposure, ())):
            if value.n is None:
                parts.append(hidden_number(course.timeline.percent(k), HEIGHT + 35 + 15 * row))
                continue
            tight = " tight" if course.timeline.tight(k) else ""
            words = count(value.n)
            css = f"n kt{course.looks[exposure].slot}{tight}"
            side = "end" if not course.timeline.joined[k] else "middle"
            x = f"{course.timeline.percent(k):g}%"
            if x == "0%" and len(words) > SHORT:
                x, side = "6", "end"
            parts.append(text(x, HEIGHT + 35 + 15 * row, words, css=css, anchor=side))
    return "".join(parts)


def _end_labels(course: Course) -> str:
    """Write names beside the last points, moved apart and joined to their lines."""
    last = {e: course.points(e)[-1] for e in course.looks if course.points(e)}
    ends = sorted((point.y * HEIGHT / 100, e) for e, point in last.items())
    places = spread([y for y, _ in ends], 13.5, 4, HEIGHT)
    parts = []
    for place, (y, exposure) in zip(places, ends, strict=True):
        look = course.looks[exposure]
        if last[exposure].x == RIGHT:
            parts.append(
                f'<line class="led k{look.slot}" x1="5" x2="14" y1="{y:.1f}" y2="{place:g}"/>'
            )
        parts.append(
            f'<text x="16" y="{place + 4:g}" class="sm kt{look.slot}">{safe(look.short)}</text>'
        )
    return f'<svg x="100%" overflow="visible">{"".join(parts)}</svg>'


def safe(words: str) -> str:
    """Escape words for a picture."""
    from html import escape

    return escape(words)


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move ordered places apart to a smallest gap, then back below the upper end."""
    out: list[float] = []
    for place in places:
        out.append(max(place, low if not out else out[-1] + gap))
    for k in range(len(out) - 1, -1, -1):
        limit = high if k == len(out) - 1 else out[k + 1] - gap
        out[k] = min(out[k], limit)
    return [round(y, 1) for y in out]


# ---------------------------------------------------------------------------------------- Plotly
def line_traces(course: Course, exposure: str) -> list[dict[str, Any]]:
    """Return band and line of one type as Plotly traces, in the light colours."""
    look = course.looks[exposure]
    weeks = course.timeline.weeks
    rows = list(zip(weeks, course.lines[exposure], course.timeline.joined, strict=True))
    banded = [(x, v) for x, v, joined in rows if v.shown and joined]
    band = {
        "type": "scatter",
        "mode": "lines",
        "x": [x for x, _ in banded] + [x for x, _ in reversed(banded)],
        "y": [_short(v.high) for _, v in banded] + [_short(v.low) for _, v in reversed(banded)],
        "fill": "toself",
        "fillcolor": translucent(look.hue.mark, 0.16),
        "line": {"width": 0},
        "hoverinfo": "skip",
    }
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": look.name,
        "x": [x for x, _, _ in rows],
        "y": [_short(v.estimate) if v.shown else None for _, v, _ in rows],
        "text": [v.text for _, v, _ in rows],
        "hovertemplate": "%{text}<extra></extra>",
        "connectgaps": False,
        "cliponaxis": False,
        "line": {
            "width": 1.8 if look.reference else 2.4,
            "color": look.hue.mark,
            "dash": look.dash,
        },
        "marker": {"symbol": look.symbol, "size": 8, "color": look.hue.mark},
    }
    return [band, line]


def _short(value: float | None) -> float | None:
    """Cut what no screen can show."""
    return None if value is None else float(f"{value:.5g}")


def trajectory_figure(course: Course, reference: str) -> go.Figure:
    """Draw small multiples, one type each beside the comparator, as one Plotly figure.

    Parameters
    ----------
    course : Course
    reference : str
        Exposure that is drawn dashed in every panel.

    Returns
    -------
    Figure
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    others = [e for e in course.looks if e != reference]
    columns = min(3 if len(others) <= 6 else 4, max(1, len(others)))
    figure = make_subplots(
        rows=-(-len(others) // columns),
        cols=columns,
        shared_yaxes=True,
        horizontal_spacing=0.06,
        vertical_spacing=0.14,
        subplot_titles=[course.looks[e].name for e in others],
    )
    for k, exposure in enumerate(others):
        for trace in (*line_traces(course, reference), *line_traces(course, exposure)):
            figure.add_trace(go.Scatter(**trace), row=k // columns + 1, col=k % columns + 1)
    level, line = course.level, course.timeline
    figure.update_layout(**layout(height=230 * -(-len(others) // columns), margin={"t": 30}))
    figure.update_xaxes(tickvals=line.weeks, ticktext=line.ticks, showgrid=False)
    figure.update_yaxes(range=[level.low, level.high], tickvals=level.ticks)
    return figure


__all__ = [
    "Course",
    "Value",
    "band_path",
    "line_traces",
    "panel_picture",
    "panel_shapes",
    "spread",
    "together_picture",
    "trajectory_figure",
]
