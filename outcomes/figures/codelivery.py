"""Which components went together: one column a combination, joined dots show what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from outcomes.figures.svg import picture, text
from outcomes.figures.theme import LIGHT, layout
from outcomes.results.wording import count

if TYPE_CHECKING:
    import plotly.graph_objects as go

ROW: Final = 25
BARS: Final = 120
TOP: Final = 26


@dataclass(frozen=True, kw_only=True)
class Combination:
    """A combination: its parts, how many had exactly it, and whether it pools others."""

    name: str
    parts: tuple[str, ...]
    n: float
    pooled: bool = False


def component_order(combinations: Sequence[Combination]) -> list[str]:
    """Return the components in the order in which they first come up."""
    return list(dict.fromkeys(part for c in combinations for part in c.parts))


def codelivery_picture(combinations: Sequence[Combination]) -> str:
    """Paint bars above a matrix of dots; its rows are 25 px, as the names beside it."""
    rows = component_order(combinations)
    width = 100 / max(1, len(combinations))
    tallest = max(c.n for c in combinations)
    parts = [
        f'<rect class="w" x="0" width="100%" y="{BARS + TOP + 22 + ROW * k}" height="{ROW}"/>'
        for k in range(0, len(rows), 2)
    ]
    for k, combination in enumerate(combinations):
        x = round(width * (k + 0.5), 2)
        parts.append(_bar(combination, x, width, tallest))
        parts.append(_dots(combination, x, rows))
    line = BARS + TOP
    parts.append(f'<line class="axl" x1="0" x2="100%" y1="{line}" y2="{line}"/>')
    return picture("".join(parts), line + 22 + ROW * len(rows), css="ups")


def _bar(combination: Combination, x: float, width: float, tallest: float) -> str:
    height = round(BARS * combination.n / tallest, 1)
    css = "t3" if combination.pooled else "t1"
    left = round(x - 0.32 * width, 2)
    return (
        f'<rect class="{css}" x="{left:g}%" width="{0.64 * width:.2f}%"'
        f' y="{BARS + TOP - height:g}" height="{height:g}"/>'
        + text(
            f"{x:g}%", BARS + TOP - 6 - height, count(combination.n), css="b sm", anchor="middle"
        )
    )


def _dots(combination: Combination, x: float, rows: Sequence[str]) -> str:
    top = BARS + TOP + 22 + ROW / 2
    if not combination.parts:
        words = "other combinations" if combination.pooled else "no therapy recorded"
        low = BARS + TOP + 16 + ROW * len(rows)
        return (
            f'<svg x="{x:g}%" overflow="visible"><text class="q sm"'
            f' transform="translate(4 {low}) rotate(-90)">{words}</text></svg>'
        )
    places = [rows.index(part) for part in combination.parts]
    drawn = [
        f'<circle cx="{x:g}%" cy="{top + ROW * k:g}" r="{6 if k in places else 2.6}"'
        f' class="{"t1" if k in places else "off"}"/>'
        for k in range(len(rows))
    ]
    ends = (top + ROW * min(places), top + ROW * max(places))
    drawn.append(f'<line class="tie" x1="{x:g}%" x2="{x:g}%" y1="{ends[0]:g}" y2="{ends[1]:g}"/>')
    return "".join(drawn)


def codelivery_figure(combinations: Sequence[Combination]) -> go.Figure:
    """Draw the combinations as horizontal bars in Plotly.

    Parameters
    ----------
    combinations : sequence of Combination

    Returns
    -------
    Figure
    """
    import plotly.graph_objects as go

    shown = list(reversed(combinations))
    figure = go.Figure(
        go.Bar(
            x=[c.n for c in shown],
            y=[c.name for c in shown],
            orientation="h",
            text=[count(c.n) for c in shown],
            marker={"color": [LIGHT["t3"] if c.pooled else LIGHT["t1"] for c in shown]},
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_layout(**layout(height=30 * len(shown) + 60, margin={"l": 330}))
    return figure
