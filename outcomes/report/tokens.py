"""What of a study is CSS: colours for light, dark and paper, and its title on printed pages."""

from __future__ import annotations

from collections.abc import Mapping

from outcomes.figures.theme import DARK, LIGHT
from outcomes.report.study import Study

FOOT = 90
"""Characters of a title that fit on one line beside the number of the page."""


def style_tokens(study: Study) -> str:
    """Return the style rules that depend on the study's types.

    Parameters
    ----------
    study : Study

    Returns
    -------
    str
        CSS; it holds colours and places, and the study's title for the foot of printed pages.
    """
    light = _variables(LIGHT) + "".join(
        f"--c{k.slot}:{k.hue.mark};--x{k.slot}:{k.hue.text};" for k in study.looks.values()
    )
    dark = _variables(DARK) + "".join(
        f"--c{k.slot}:{k.hue.dark};--x{k.slot}:{k.hue.dark};" for k in study.looks.values()
    )
    slots = "".join(
        f".k{k.slot}{{--k:var(--c{k.slot})}}.kt{k.slot},svg .kt{k.slot}"
        f"{{color:var(--x{k.slot});fill:var(--x{k.slot})}}"
        for k in study.looks.values()
    )
    return _joined(light, dark, slots + _followed(len(study.looks)) + _foot(study.raw["title"]))


def _foot(title: str) -> str:
    """Return the rule that prints the title at the foot of every page.

    Every character is escaped by its number, so no title can end the string or the style.
    """
    words = title if len(title) <= FOOT else f"{title[: FOOT - 1].rstrip()}…"
    escaped = "".join(f"\\{ord(character):x} " for character in words)
    return f'@page{{@bottom-left{{content:"{escaped}";font:9pt sans-serif;color:#555}}}}'


def _followed(n: int) -> str:
    """Return what keeps the chosen type and its comparator in wide tables on a narrow screen.

    The script names both on the root; the columns of the types follow the first one in order.
    """
    shown = ",".join(
        f".scripted[data-{role}='{slot}'] .types tr>:nth-child({slot + 2})"
        for slot in range(n)
        for role in "fc"
    )
    return (
        "@media screen and (max-width:760px){"
        f".scripted .types tr>:nth-child(n+2):nth-child(-n+{n + 1}){{display:none}}"
        f"{shown}{{display:table-cell}}}}"
    )


def _joined(light: str, dark: str, slots: str) -> str:
    paper = "--paper:#ffffff;--card:#ffffff;"
    return "\n".join(
        (
            f":root{{color-scheme:light;{light}}}",
            f":root[data-theme=dark]{{color-scheme:dark;{dark}}}",
            "@media screen and (prefers-color-scheme:dark){"
            f":root:not([data-theme=light]){{color-scheme:dark;{dark}}}}}",
            f":root.printing.printing{{color-scheme:light;{light}{paper}}}",
            f"@media print{{:root,:root[data-theme]{{color-scheme:light;{light}{paper}}}}}",
            slots,
        )
    )


def _variables(tokens: Mapping[str, str]) -> str:
    return "".join(f"--{name}:{colour};" for name, colour in tokens.items())
