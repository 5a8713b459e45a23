"""Colours, markers and the Plotly template: one look for every figure, text label and table.

Each intervention type keeps its colour *and* its marker, so that colour is never the only carrier.
The six hues were measured apart (CIEDE2000) under normal, protan, deutan and tritan vision in the
simulation of Machado GM, Oliveira MM, Fernandes LAF. A physiologically-based model for simulation
of color vision deficiency. IEEE Trans Vis Comput Graph 2009;15:1291-1298. With more than six types
the hues repeat with the marker's other fill; a seventh hue is never invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

SANS: Final = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Noto Sans', sans-serif"
)
SERIF: Final = (
    "Charter, 'Bitstream Charter', 'Iowan Old Style', Georgia, Cambria, 'Noto Serif', serif"
)


@dataclass(frozen=True)
class Hue:
    """A mark colour and a text colour on light paper, and one for both on dark."""

    mark: str
    text: str
    dark: str
    symbol: str


HUES: Final = (
    Hue("#1854cb", "#1854cb", "#4ba1fe", "circle"),
    Hue("#91380b", "#91380b", "#e87e33", "square"),
    Hue("#4a0e4d", "#4a0e4d", "#b87aab", "diamond"),
    Hue("#af8211", "#7d5c00", "#f6df4e", "triangle-up"),
    Hue("#259f93", "#0d7066", "#50e6d2", "triangle-down"),
    Hue("#575757", "#575757", "#a09c94", "circle-open"),
)
REFERENCE_HUE: Final = len(HUES) - 1
_HOME: Final[Mapping[str, int]] = {
    "exercise": 0,
    "manual_therapy": 1,
    "manual_therapy+exercise": 2,
    "exercise+manual_therapy": 2,
    "modalities": 3,
    "education_posture": 4,
}
"""Types that always have the same hue, whatever else a study compares."""

LIGHT: Final[Mapping[str, str]] = {
    "paper": "#fbfaf7",
    "card": "#ffffff",
    "wash": "#f3f1ea",
    "ink": "#1b1d21",
    "ink2": "#4a4e55",
    "ink3": "#666a71",
    "rule": "#d9d6cd",
    "rule2": "#ebe8e0",
    "grid": "#e4e1d8",
    "hatch": "#8b8a84",
    "t1": "#23262b",
    "t2": "#6f7479",
    "t3": "#d4d1c8",
    "on-t1": "#ffffff",
    "on-t2": "#ffffff",
    "on-t3": "#1b1d21",
}
DARK: Final[Mapping[str, str]] = {
    "paper": "#14181d",
    "card": "#1b2026",
    "wash": "#1f252c",
    "ink": "#eeece6",
    "ink2": "#c3c4c3",
    "ink3": "#9da2a8",
    "rule": "#3a414a",
    "rule2": "#2a3038",
    "grid": "#2e353d",
    "hatch": "#858a90",
    "t1": "#e6e4de",
    "t2": "#8f959c",
    "t3": "#3d444c",
    "on-t1": "#14181d",
    "on-t2": "#14181d",
    "on-t3": "#eeece6",
}


@dataclass(frozen=True, kw_only=True)
class Look:
    """How one intervention type looks everywhere.

    Attributes
    ----------
    id, name, short : str
    slot : int
        Place in the study's order; names the CSS classes.
    hue : Hue
    symbol : str
        Plotly's name of the marker.
    reference : bool
        Whether it is what the others are compared against; its line is dashed.
    """

    id: str
    name: str
    short: str
    slot: int
    hue: Hue
    symbol: str
    reference: bool = False

    @property
    def open(self) -> bool:
        """Whether the marker is an outline."""
        return self.symbol.endswith("-open")

    @property
    def dash(self) -> str:
        """Plotly's dash of the line."""
        return "5px,3px" if self.reference else "solid"


def build_looks(exposures: Sequence[Mapping[str, Any]]) -> dict[str, Look]:
    """Give every exposure its look.

    Parameters
    ----------
    exposures : sequence of mappings
        With ``id``, ``name`` and ``reference``, in the study's order.

    Returns
    -------
    dict of Look
        By id, in the order given.
    """
    hues = _hue_places([str(e["id"]) for e in exposures if not e.get("reference")])
    looks = {}
    for slot, exposure in enumerate(exposures):
        name = str(exposure["name"])
        reference = bool(exposure.get("reference"))
        place, round_ = (REFERENCE_HUE, 0) if reference else hues[str(exposure["id"])]
        hue = HUES[place]
        symbol = hue.symbol if reference or not round_ % 2 else f"{hue.symbol}-open"
        looks[str(exposure["id"])] = Look(
            id=str(exposure["id"]),
            name=name,
            short=short_name(name),
            slot=slot,
            hue=hue,
            symbol=symbol,
            reference=reference,
        )
    return looks


def _hue_places(ids: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Give each id a hue and how often that hue was given before; the last hue is the reference's.

    Known types first take their own hue, then the others take the hue used least.
    """
    listed = list(ids)
    used = [0] * REFERENCE_HUE
    places: dict[str, tuple[int, int]] = {}
    for name in [*(i for i in listed if i in _HOME), *(i for i in listed if i not in _HOME)]:
        place = _HOME[name] if name in _HOME else used.index(min(used))
        places[name] = (place, used[place])
        used[place] += 1
    return places


SHORT: Final = 19
_KINDS: Final = frozenset({"care", "group", "program", "programme", "therapy", "treatment"})
"""Last words that a short name can do without."""


def short_name(name: str) -> str:
    """Return a name short enough for an axis: first without its last word, then cut."""
    short = name.replace("Manual therapy", "Manual").replace(" and other ", ", ")
    short = short.replace("Education and posture", "Education, posture")
    head, _, last = short.rpartition(" ")
    if len(short) > SHORT and head and last.lower() in _KINDS:
        short = head
    return short if len(short) <= SHORT else f"{short[: SHORT - 1].rstrip()}…"


# ------------------------------------------------------------------------------------- markers
def marker_path(symbol: str, size: float = 5) -> str:
    """Return the SVG path of a marker around the origin."""
    r = size
    shape = symbol.removesuffix("-open")
    if shape == "square":
        a = 0.9 * r
        return f"M{-a:g} {-a:g}H{a:g}V{a:g}H{-a:g}Z"
    if shape == "diamond":
        a = 1.3 * r
        return f"M0 {-a:g}L{a:g} 0L0 {a:g}L{-a:g} 0Z"
    if shape in ("triangle-up", "triangle-down"):
        s = 1 if shape == "triangle-up" else -1
        a, b = 1.2 * r, 0.9 * r
        return f"M0 {-s * a:g}L{a:g} {s * b:g}L{-a:g} {s * b:g}Z"
    return f"M{r:g} 0A{r:g} {r:g} 0 1 1 {-r:g} 0A{r:g} {r:g} 0 1 1 {r:g} 0Z"


# -------------------------------------------------------------------------------------- Plotly
CONFIG: Final[Mapping[str, Any]] = {
    "displayModeBar": False,
    "displaylogo": False,
    "plotlyServerURL": "",
    "responsive": False,
    "scrollZoom": False,
    "showSendToCloud": False,
    "showTips": False,
}
"""Configuration of every Plotly figure: nothing that could send data anywhere."""


def layout(**changes: Any) -> dict[str, Any]:
    """Return the layout that all figures share, with changes laid over it."""
    axis = {
        "showgrid": True,
        "gridcolor": LIGHT["grid"],
        "gridwidth": 1,
        "zeroline": False,
        "linecolor": LIGHT["ink3"],
        "tickcolor": LIGHT["ink3"],
        "tickfont": {"size": 11.5, "color": LIGHT["ink3"]},
        "fixedrange": True,
    }
    base: dict[str, Any] = {
        "template": "none",
        "font": {"family": SANS, "size": 12.5, "color": LIGHT["ink2"]},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": False,
        "margin": {"l": 30, "r": 10, "t": 6, "b": 52, "pad": 0},
        "xaxis": {**axis, "showgrid": False},
        "yaxis": axis,
        "hoverlabel": {
            "bgcolor": LIGHT["ink"],
            "bordercolor": LIGHT["ink"],
            "font": {"family": SANS, "size": 13, "color": LIGHT["paper"]},
            "align": "left",
        },
    }
    return merged(base, changes)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``changes`` laid over it, level by level."""
    out = dict(base)
    for key, value in changes.items():
        below = out.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        out[key] = merged(below, value) if both else value  # type: ignore[arg-type]
    return out


def translucent(colour: str, opacity: float) -> str:
    """Return a hex colour as ``rgba(...)``."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


# --------------------------------------------------------------------------------------- scales
def nice_ticks(low: float, high: float, n: int = 5) -> list[float]:
    """Return round numbers within a range, at most ``n`` steps apart."""
    if not high > low:
        return [low]
    steps = [m * 10.0**e for e in range(-4, 7) for m in (1, 2, 5)]
    step = next(s for s in steps if (high - low) / s <= n)
    first = (
        int(-(-low // step)) if abs(low / step - round(low / step)) > 1e-9 else round(low / step)
    )
    ticks = []
    while first * step <= high + 1e-9 * step:
        ticks.append(round(first * step, 6) + 0.0)
        first += 1
    return ticks


def tick_decimals(ticks: Sequence[float]) -> int:
    """Return the decimals that tell the ticks apart."""
    for decimals in range(4):
        if all(abs(t - round(t, decimals)) < 1e-9 for t in ticks):
            return decimals
    return 4
