"""The palette: contrast on every ground, and distance under every kind of colour vision.

Distances are CIEDE2000 (Sharma G, Wu W, Dalal EN. Color Res Appl 2005;30:21-30; three of its test
pairs are checked here) over normal sight and the matrices of Machado 2009 at full severity.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from outcomes.figures.theme import DARK, HUES, LIGHT, build_looks, nice_ticks, short_name

Colour = NDArray[np.float64]

SIGHT = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def _linear(colour: str) -> Colour:
    part = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((float(TO_XYZ[1] @ _linear(c)) for c in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _lab(linear: Colour) -> Colour:
    ratio = TO_XYZ @ np.clip(linear, 0, 1) / WHITE
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def _hue(a: float, b: float) -> float:
    return math.degrees(math.atan2(b, a)) % 360


def _ciede2000(one: Colour, other: Colour) -> float:
    mean_chroma = (math.hypot(*one[1:]) + math.hypot(*other[1:])) / 2
    shift = 0.5 * (1 - math.sqrt(mean_chroma**7 / (mean_chroma**7 + 25**7)))
    (l1, a1, b1), (l2, a2, b2) = one, other
    a1, a2 = a1 * (1 + shift), a2 * (1 + shift)
    c1, c2, h1, h2 = math.hypot(a1, b1), math.hypot(a2, b2), _hue(a1, b1), _hue(a2, b2)
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    chroma, light = (c1 + c2) / 2, (l1 + l2) / 2
    hue = (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    weight = 1 - 0.17 * math.cos(math.radians(hue - 30)) + 0.24 * math.cos(math.radians(2 * hue))
    weight += 0.32 * math.cos(math.radians(3 * hue + 6)) - 0.2 * math.cos(
        math.radians(4 * hue - 63)
    )
    s_light = 1 + 0.015 * (light - 50) ** 2 / math.sqrt(20 + (light - 50) ** 2)
    d_light = (l2 - l1) / s_light
    d_chroma = (c2 - c1) / (1 + 0.045 * chroma)
    d_hue = (
        2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2)) / (1 + 0.015 * chroma * weight)
    )
    bend = 60 * math.exp(-(((hue - 275) / 25) ** 2))
    rotation = -2 * math.sqrt(chroma**7 / (chroma**7 + 25**7)) * math.sin(math.radians(bend))
    return math.sqrt(d_light**2 + d_chroma**2 + d_hue**2 + rotation * d_chroma * d_hue)


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ],
)
def test_the_distance_is_ciede2000(
    one: tuple[float, ...], other: tuple[float, ...], distance: float
) -> None:
    assert _ciede2000(np.array(one), np.array(other)) == pytest.approx(distance, abs=1e-4)


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize(("theme", "least"), [("light", 20.0), ("dark", 14.4)])
def test_marks_stay_apart_for_every_kind_of_sight(sight: str, theme: str, least: float) -> None:
    colours = [hue.mark if theme == "light" else hue.dark for hue in HUES]
    seen = [_lab(SIGHT[sight] @ _linear(colour)) for colour in colours]
    assert min(_ciede2000(a, b) for a, b in combinations(seen, 2)) >= least


@pytest.mark.parametrize("ground", ["paper", "card"])
def test_marks_and_texts_stand_out(ground: str) -> None:
    assert min(_contrast(hue.mark, LIGHT[ground]) for hue in HUES) >= 3.0
    assert min(_contrast(hue.text, LIGHT[ground]) for hue in HUES) >= 4.5
    assert min(_contrast(hue.dark, DARK[ground]) for hue in HUES) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "card", "wash"])
def test_inks_can_be_read_on_every_ground(theme: dict[str, str], ground: str) -> None:
    assert min(_contrast(theme[ink], theme[ground]) for ink in ("ink", "ink2", "ink3")) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("part", ["t1", "t2", "t3"])
def test_words_can_be_read_on_ordered_categories(theme: dict[str, str], part: str) -> None:
    assert _contrast(theme[part], theme[f"on-{part}"]) >= 4.5


def test_twelve_types_differ_in_hue_or_marker() -> None:
    ids = ["manual_therapy", *(f"kind_{k}" for k in range(10)), "usual_care"]
    looks = build_looks([{"id": i, "name": i, "reference": i == "usual_care"} for i in ids])
    assert len({(look.hue, look.symbol) for look in looks.values()}) >= 11
    assert looks["manual_therapy"].hue == HUES[1]
    assert looks["usual_care"].dash != "solid"


def test_ticks_are_round_and_inside() -> None:
    assert nice_ticks(-0.7, 1.6, 7) == [-0.5, 0.0, 0.5, 1.0, 1.5]
    assert nice_ticks(2.0, 2.0) == [2.0]


def test_long_names_are_cut_for_axes() -> None:
    assert short_name("Manual therapy + exercise") == "Manual + exercise"
    assert short_name("Pain reprocessing therapy") == "Pain reprocessing"
    assert len(short_name("Everything that a clinic could ever offer")) <= 19
