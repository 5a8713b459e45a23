"""Static pictures painted from the same tables as the Plotly figures.

Positions along x are percentages and sizes are pixels, so a picture follows the width of its
place without its marks or letters being scaled: on a phone, on paper and without scripts alike.
Colours are CSS variables (``--k`` of the type's class), so one picture serves light, dark and
print. All text is escaped here; what comes back is safe to place in a page.

What comes up often (markers, caps, gridlines) is defined once in the page by :func:`definitions`
and placed by reference, which keeps a page of many pictures small.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from outcomes.figures.theme import Look, marker_path, tick_decimals
from outcomes.results.wording import number


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A horizontal axis: its range and its ticks."""

    low: float
    high: float
    ticks: tuple[float, ...] = ()

    def place(self, value: float) -> float:
        """Return where a value stands, in percent, held within the range."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def cut(self, value: float) -> bool:
        """Whether a value lies outside."""
        return value < self.low or value > self.high


def picture(body: str, height: float, *, css: str = "") -> str:
    """Wrap shapes as a picture as wide as its place, hidden from readers (a table says it)."""
    name = f' class="{css}"' if css else ""
    return f'<svg{name} width="100%" height="{height:g}" aria-hidden="true">{body}</svg>'


def definitions(bodies: Iterable[str]) -> str:
    """Wrap named shapes, to be placed by reference; nothing of them is seen by itself."""
    return (
        f'<svg class="defs" width="0" height="0" aria-hidden="true">'
        f"<defs>{''.join(bodies)}</defs></svg>"
    )


def placed(name: str) -> str:
    """Place what was defined under a name."""
    return f'<use href="#{name}"/>'


def text(x: str, y: float, words: str, *, css: str = "q", anchor: str = "") -> str:
    """Write text at ``x`` (with its unit) and ``y``."""
    side = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x}" y="{y:g}" class="{css}"{side}>{escape(words)}</text>'


HATCH = "M-9 0L-3 -8M-5 0L1 -8M-1 0L5 -8M3 0L9 -8"
"""What stands in the place of a hidden number, on the line of its text."""
EDGE = 5.0
"""Percent of an axis within which a label turns inwards."""
LARGE, SMALL = 5.0, 3.9
"""Radius of the markers of rows and of lines, in pixels."""


def marker_shapes(looks: Iterable[Look]) -> list[str]:
    """Define the markers of all types in both sizes, and the ends of intervals."""
    shapes = [
        f'<path id="{name}{look.slot}" class="k{look.slot} {"mo" if look.open else "m"}"'
        f' d="{marker_path(look.symbol, size)}"/>'
        for look in looks
        for name, size in (("a", LARGE), ("b", SMALL))
    ]
    ends = {"cap": "M0 -4V4", "cut-1": "M5 -4L0 0L5 4", "cut1": "M-5 -4L0 0L-5 4"}
    ends_drawn = (f'<path id="{name}" class="i" d="{d}"/>' for name, d in ends.items())
    return [*shapes, *ends_drawn, f'<path id="hid" class="hidn" d="{HATCH}"/>']


def marker(look: Look, x: float, y: str | float, size: float = LARGE) -> str:
    """Place the marker of a type at ``x`` percent; ``y`` in pixels or with its unit."""
    name = "a" if size > SMALL else "b"
    return f'<use href="#{name}{look.slot}" x="{x:g}%" y="{y}"/>'


def hidden_number(x: float, y: float) -> str:
    """Place the hatch of a hidden number at ``x`` percent, on the line ``y`` of its text."""
    return f'<use href="#hid" x="{x:g}%" y="{y:g}"/>'


def swatch(look: Look) -> str:
    """Place the marker of a type in a label."""
    return f'<svg class="sw" aria-hidden="true"><use href="#b{look.slot}" x="7" y="7"/></svg>'


BAR_LEVELS = 5
LAST_BAR = 3


def bar_shapes() -> list[str]:
    """Define four bars of which none to all are filled; the fourth is dashed."""
    shapes = []
    for level in range(BAR_LEVELS):
        boxes = "".join(
            f'<rect x="{11 * k + 0.5:g}" y=".5" width="9" height="11" rx="1"'
            f' class="{"bf" if k < level else "be bd" if k == LAST_BAR else "be"}"/>'
            for k in range(BAR_LEVELS - 1)
        )
        shapes.append(f'<g id="v{level}">{boxes}</g>')
    return shapes


def bars(level: int) -> str:
    """Place the four bars of a verdict."""
    return f'<svg class="bars" aria-hidden="true"><use href="#v{level}"/></svg>'


# ------------------------------------------------------------------------------- rows of a forest
@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One interval to draw."""

    estimate: float
    low: float
    high: float


def gridlines(scale: Scale, *, zero: float | None = 0.0) -> str:
    """Draw the ticks as lines over the full height; zero stands out."""
    return "".join(
        f'<line x1="{scale.place(t):g}%" x2="{scale.place(t):g}%" y1="0" y2="100%" '
        f'class="{"z" if t == zero else "g"}"/>'
        for t in scale.ticks
    )


def band(scale: Scale, half_width: float | None) -> str:
    """Shade the range in which a difference counts as little or none."""
    if not half_width:
        return ""
    a, b = scale.place(-half_width), scale.place(half_width)
    return f'<rect x="{a:g}%" width="{b - a:g}%" y="0" height="100%" class="w"/>'


def backdrop(
    name: str, scale: Scale, *, half_width: float | None = None, zero: float | None = 0.0
) -> str:
    """Define what stands behind every row of one axis: the shaded range and the gridlines."""
    return f'<g id="{name}">{band(scale, half_width)}{gridlines(scale, zero=zero)}</g>'


def whisker(scale: Scale, at: Estimate, *, caps: bool = True) -> str:
    """Draw an interval at half height; an end outside the range gets an arrow."""
    a, b = scale.place(at.low), scale.place(at.high)
    parts = [f'<line x1="{a:g}%" x2="{b:g}%" y1="50%" y2="50%" class="i"/>']
    for x, value, side in ((a, at.low, -1), (b, at.high, 1)):
        if caps or scale.cut(value):
            name = f"cut{side}" if scale.cut(value) else "cap"
            parts.append(f'<use href="#{name}" x="{x:g}%" y="50%"/>')
    return "".join(parts)


def row_picture(
    look: Look | None,
    at: Estimate | None,
    scale: Scale,
    *,
    behind: str = "",
    size: float = LARGE,
    caps: bool = True,
) -> str:
    """Draw one row of a forest on a defined backdrop; without a look the mark is an ink dot."""
    css = f"row k{look.slot}" if look else "row kink"
    drawn = placed(behind) if behind else ""
    if at is not None:
        drawn += whisker(scale, at, caps=caps)
        x = scale.place(at.estimate)
        drawn += marker(look, x, "50%", size) if look else dot(x)
    return f'<svg class="{css}" width="100%" height="100%" aria-hidden="true">{drawn}</svg>'


def dot(x: float) -> str:
    """Draw an ink dot at half height."""
    return f'<circle cx="{x:g}%" cy="50%" r="4.4" class="m"/>'


def axis_picture(scale: Scale, *, share: bool = False, end: str = "") -> str:
    """Write the tick labels under rows; the last share alone has its sign.

    A label at an end of the axis stays inside it, so that it cannot meet that of the axis beside.
    """
    places = tick_decimals(scale.ticks)
    words = []
    for tick in scale.ticks:
        x, sign = scale.place(tick), "\u00a0%" if tick == scale.ticks[-1] else ""
        side = "start" if x < EDGE else "end" if x > 100 - EDGE else "middle"
        said = f"{number(100 * tick, 0)}{sign}" if share else number(tick, places)
        words.append(text(f"{x:g}%", 16, said, anchor=side))
    if end:
        words.append(text("100%", 33, end, anchor="end"))
    return picture("".join(words), 38 if end else 22, css="ax")


def ends_picture(scale: Scale, worse: str, better: str) -> str:
    """Write what the two directions mean, on both sides of zero."""
    x = f"{scale.place(0.0):g}%"
    left, right = (
        f'<svg x="{x}" overflow="visible">{text(str(6 * side), 13, words, css="q sm", anchor=at)}'
        "</svg>"
        for side, words, at in ((-1, f"← {worse}", "end"), (1, f"{better} →", "start"))
    )
    return picture(left + right, 18, css="ends")


# ---------------------------------------------------------------------------- panels of lines
@dataclass(frozen=True, kw_only=True)
class Point:
    """One visit of a line: where it stands, its value and interval; ``joined`` to the one before.

    ``x`` and the y values are percentages of the panel, ``y`` from the top.
    """

    x: float
    y: float
    low: float
    high: float
    joined: bool = True


def line_path(points: Sequence[Point]) -> str:
    """Return the path through the points, broken where one is not joined."""
    return "".join(f"{'L' if k and p.joined else 'M'}{p.x:g} {p.y:g}" for k, p in enumerate(points))


def band_path(points: Sequence[Point]) -> str:
    """Return the outline of the intervals of the joined points."""
    joined = [p for k, p in enumerate(points) if p.joined or k == 0]
    if len(joined) < 2:
        return ""
    up = [f"{p.x:g} {p.high:g}" for p in joined]
    down = [f"{p.x:g} {p.low:g}" for p in reversed(joined)]
    return f"M{'L'.join([*up, *down])}Z"


def line_layer(paths: str, height: float) -> str:
    """Wrap paths in percent units; strokes keep their width."""
    return (
        f'<svg width="100%" height="{height:g}" viewBox="0 0 100 100" preserveAspectRatio="none"'
        f' class="ln">{paths}</svg>'
    )


def drawn_line(look: Look, points: Sequence[Point], *, shaded: bool = True) -> str:
    """Return the paths of one type: interval band and line."""
    shade = band_path(points) if shaded else ""
    under = f'<path class="bnd" d="{shade}"/>' if shade else ""
    dashed = " dsh" if look.reference else ""
    return f'<g class="k{look.slot}">{under}<path class="l{dashed}" d="{line_path(points)}"/></g>'


def drawn_marks(look: Look, points: Sequence[Point], height: float, size: float = SMALL) -> str:
    """Return the markers of one type, with whiskers where a point is not joined."""
    parts = []
    for k, p in enumerate(points):
        if k and not p.joined:
            parts.append(
                f'<line class="i k{look.slot}" x1="{p.x:g}%" x2="{p.x:g}%" '
                f'y1="{p.low * height / 100:g}" y2="{p.high * height / 100:g}"/>'
            )
        parts.append(marker(look, p.x, round(p.y * height / 100, 1), size))
    return "".join(parts)
