"""Forests: differences from a comparator in fixed order, on an axis that holds all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from outcomes.figures.svg import SMALL, Estimate, Scale, row_picture
from outcomes.figures.theme import LIGHT, Look, layout, nice_ticks

if TYPE_CHECKING:
    import plotly.graph_objects as go

WIDEST = 6.0
"""How many half-widths of a usual interval the axis may reach; wider ends get an arrow."""


@dataclass(frozen=True, kw_only=True)
class ForestRow:
    """One difference: its label, look and interval; without one, the reason why."""

    label: str
    look: Look | None
    at: Estimate | None
    text: str = ""
    reason: str = ""


def build_scale(intervals: Iterable[tuple[float, float]], margin: float | None) -> Scale:
    """Return an axis that holds zero, the margin and all but extreme intervals."""
    known = sorted(intervals, key=lambda pair: pair[1] - pair[0])
    edge = 1.6 * margin if margin else 0.0
    if known:
        usual = known[len(known) // 2]
        reach = WIDEST * (usual[1] - usual[0]) / 2
        middle = [0.5 * (a + b) for a, b in known]
        low = max(min(a for a, _ in known), min(middle) - reach)
        high = min(max(b for _, b in known), max(middle) + reach)
    else:
        low, high = -1.0, 1.0
    low, high = min(low, -edge, 0.0), max(high, edge, 0.0)
    pad = 0.03 * (high - low or 1.0)
    return Scale(low=low - pad, high=high + pad, ticks=tuple(nice_ticks(low, high, 7)))


def strip_pictures(rows: Sequence[ForestRow], scale: Scale, behind: str) -> list[str]:
    """Paint the small rows of a card on a defined backdrop."""
    return [
        row_picture(row.look, row.at, scale, behind=behind, size=SMALL, caps=False) for row in rows
    ]


def forest_pictures(rows: Sequence[ForestRow], scale: Scale, behind: str) -> list[str]:
    """Paint the rows of a forest, to stand beside their words."""
    return [row_picture(row.look, row.at, scale, behind=behind) for row in rows]


def forest_figure(
    rows: Sequence[ForestRow], *, margin: float | None, better: str, worse: str
) -> go.Figure:
    """Draw a forest as a Plotly figure.

    Parameters
    ----------
    rows : sequence of ForestRow
        In the order shown, from the top.
    margin : float or None
        Smallest difference worth having; shaded.
    better, worse : str
        What the two directions mean.

    Returns
    -------
    Figure
    """
    import plotly.graph_objects as go

    scale = build_scale([(r.at.low, r.at.high) for r in rows if r.at], margin)
    figure = go.Figure()
    for place, row in enumerate(rows):
        colour = row.look.hue.mark if row.look else LIGHT["ink"]
        figure.add_annotation(
            x=0,
            xref="paper",
            xanchor="right",
            xshift=-8,
            y=-place,
            yref="y",
            showarrow=False,
            text=row.label,
            font={"color": row.look.hue.text if row.look else LIGHT["ink"]},
        )
        said = row.text if row.at else f"Not shown: {row.reason}"
        figure.add_annotation(
            x=1,
            xref="paper",
            xanchor="left",
            xshift=8,
            y=-place,
            yref="y",
            showarrow=False,
            text=said,
        )
        if row.at is None:
            continue
        figure.add_scatter(
            x=[row.at.estimate],
            y=[-place],
            mode="markers",
            marker={
                "symbol": row.look.symbol if row.look else "circle",
                "size": 11,
                "color": colour,
            },
            error_x={
                "array": [row.at.high - row.at.estimate],
                "arrayminus": [row.at.estimate - row.at.low],
                "color": colour,
                "thickness": 2.2,
                "width": 4,
            },
            text=[f"{row.label}: {said}"],
            hovertemplate="%{text}<extra></extra>",
            cliponaxis=False,
        )
    if margin:
        figure.add_vrect(
            x0=-margin, x1=margin, fillcolor=LIGHT["wash"], line_width=0, layer="below"
        )
    figure.add_vline(x=0, line={"color": LIGHT["ink"], "width": 1.2})
    figure.update_layout(**layout(height=46 * len(rows) + 90, margin={"l": 190, "r": 150, "t": 34}))
    figure.update_xaxes(
        range=[scale.low, scale.high],
        tickvals=scale.ticks,
        showgrid=True,
        title={"text": f"← {worse}      {better} →"},
    )
    figure.update_yaxes(range=[-len(rows) + 0.5, 0.5], visible=False)
    return figure


__all__ = [
    "ForestRow",
    "build_scale",
    "forest_figure",
    "forest_pictures",
    "strip_pictures",
]
