"""How many improved by how much: the share that reaches a threshold, for every threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from outcomes.figures.svg import Scale
from outcomes.figures.theme import Look, layout

if TYPE_CHECKING:
    import plotly.graph_objects as go

SHARES: Final = Scale(low=0.0, high=1.0, ticks=(0.0, 0.25, 0.5, 0.75, 1.0))
CURVE_FROM: Final = 4
"""Thresholds from which a curve says more than a list."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share with its interval; ``text`` for words, short where it is not shown.

    ``why`` is the whole reason of a share that is not shown.
    """

    estimate: float | None
    low: float | None
    high: float | None
    text: str = ""
    why: str = ""


def curve_trace(look: Look, thresholds: Sequence[float], shares: Sequence[Share]) -> dict[str, Any]:
    """Return the step line of one type; it stops where a share is hidden."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": look.name,
        "x": list(thresholds),
        "y": [None if s.estimate is None else round(100 * s.estimate, 1) for s in shares],
        "text": [s.text for s in shares],
        "hovertemplate": "%{text}<extra></extra>",
        "line": {"shape": "vh", "dash": look.dash, "width": 2.0, "color": look.hue.mark},
        "connectgaps": False,
    }


def responder_figure(
    thresholds: Sequence[float],
    shares: Mapping[str, Sequence[Share]],
    looks: Mapping[str, Look],
    *,
    unit: str,
) -> go.Figure:
    """Draw the share reaching each threshold, a step line a type.

    Parameters
    ----------
    thresholds : sequence of float
        Improvements, ascending.
    shares : mapping of str to sequence of Share
        By exposure, one a threshold.
    looks : mapping of str to Look
    unit : str
        Unit of the thresholds.

    Returns
    -------
    Figure
    """
    import plotly.graph_objects as go

    figure = go.Figure([curve_trace(looks[e], thresholds, s) for e, s in shares.items()])
    figure.update_layout(**layout(height=230))
    figure.update_yaxes(range=[0, 100], ticksuffix=" %")
    figure.update_xaxes(title={"text": f"improvement from the start, {unit}"})
    return figure
