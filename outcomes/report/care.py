"""What was delivered: components, what went together, and how much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from outcomes.figures.codelivery import Combination, codelivery_picture, component_order
from outcomes.figures.svg import SMALL, Estimate, Scale, row_picture
from outcomes.report.comparisons import as_number
from outcomes.report.context import HIDDEN, Cell, Context, sized, value_cell
from outcomes.report.study import unit_words
from outcomes.results.wording import (
    capitalised,
    count,
    decimals_of,
    in_sentence,
    interval,
    listed,
    percent,
)

MOST = 12
OTHER = "other"
NOTHING = "None recorded"


# --------------------------------------------------------------------------------- co-delivery
@dataclass(frozen=True, kw_only=True)
class CoDelivery:
    """The picture of combinations, the names beside it, and the same as bars for a phone.

    Rarer combinations are pooled in ``others``, counted in words and tables and not drawn: a bar
    that pools hundreds of them would dwarf every one that is named. Their kinds are counted only
    where each stands in the released table by itself.
    """

    picture: Markup
    names: tuple[str, ...]
    rows: tuple[tuple[str, str, float], ...]
    others: tuple[tuple[str, str], ...]
    share: str
    hidden: bool

    @property
    def sub(self) -> str:
        """What is drawn, and how much is not."""
        named = "Each column is one exact combination; joined dots show what is in it."
        said = f"{named} The number on the bar counts episodes."
        rest = listed([f"{in_sentence(name)}: {n} episodes" for name, n in self.others])
        return f"{said} Drawn: {self.share} of those counted; not drawn: {rest}." if rest else said


def build_codelivery(context: Context) -> CoDelivery | None:
    """Return the commonest combinations; the rest are pooled."""
    table = context.release.table("combinations")
    shown = [_combination(r) for r in table.to_dict("records") if as_number(r["n_episodes"])]
    named = [c for c in shown if not c.pooled]
    kept = named[:MOST]
    if not any(c.parts for c in kept):
        return None
    tallest = max(c.n for c in kept)
    drawn = sum(c.n for c in kept) / sum(c.n for c in shown)
    return CoDelivery(
        picture=Markup(codelivery_picture(kept)),
        names=tuple(component_order(kept)),
        rows=tuple((c.name, count(c.n), round(100 * c.n / tallest, 1)) for c in kept),
        others=tuple(_others(named[MOST:], [c for c in shown if c.pooled])),
        share=percent(drawn),
        hidden=bool(table["suppressed"].any()),
    )


def _others(tail: list[Combination], pooled: list[Combination]) -> Iterator[tuple[str, str]]:
    """Yield what is not drawn: kinds that are released one by one, and those pooled before."""
    if tail:
        kinds = "kind" if len(tail) == 1 else "kinds"
        yield f"Other combinations ({len(tail)} {kinds})", count(sum(c.n for c in tail))
    if pooled:
        yield "Rare combinations, pooled for privacy", count(sum(c.n for c in pooled))


def _combination(row: dict[Any, Any]) -> Combination:
    name = str(row["combination"])
    pooled = name == OTHER
    nothing = name == NOTHING or pooled
    return Combination(
        name="No therapy recorded" if name == NOTHING else name,
        parts=() if nothing else tuple(name.split(" + ")),
        n=float(row["n_episodes"]),
        pooled=pooled,
    )


# ---------------------------------------------------------------------------------- components
@dataclass(frozen=True, kw_only=True)
class ComponentRow:
    """One component: its depth in the taxonomy and the share of each type that had it."""

    label: str
    depth: int
    cells: tuple[tuple[str, Cell], ...]
    amount: str


@dataclass(frozen=True, kw_only=True)
class ComponentGroup:
    """One top group: the rows that sum it up, and the components under them."""

    name: str
    tops: tuple[ComponentRow, ...]
    rows: tuple[ComponentRow, ...]


def build_components(context: Context, period: str = "window") -> list[ComponentGroup]:
    """Return the components of a period by top group."""
    table = context.release.table("components")
    if table["period"].eq(period).sum() == 0:
        period = "episode"
    groups: dict[str, list[ComponentRow]] = {}
    chosen = table[table["period"].eq(period)]
    for name, part in chosen.groupby("intervention", sort=False):
        rows = {r["exposure"]: r for r in part.to_dict("records")}
        first: dict[Any, Any] = part.iloc[0].to_dict()
        cells = tuple(
            (e, _share_cell(rows[e]) if e in rows else Cell()) for e in context.study.exposures
        )
        everyone = rows.get("", first)
        median = as_number(everyone["median"])
        amount = "" if median is None else f"{count(median)} {everyone['unit']}"
        row = ComponentRow(
            label=first["label"], depth=str(name).count("."), cells=cells, amount=amount
        )
        groups.setdefault(str(first["kind"]), []).append(row)
    return [_group(kind, rows) for kind, rows in groups.items()]


def _group(kind: str, rows: list[ComponentRow]) -> ComponentGroup:
    """Part the rows of a group: those highest in the taxonomy sum it up."""
    highest = min(row.depth for row in rows)
    tops = tuple(row for row in rows if row.depth == highest)
    name = tops[0].label if len(tops) == 1 else capitalised(kind.replace("_", " "))
    below = tuple(row for row in rows if row.depth > highest)
    return ComponentGroup(name=name, tops=tops, rows=below)


def _share_cell(row: dict[Any, Any]) -> Cell:
    share = as_number(row["share"])
    if share is None:
        return HIDDEN if row.get("suppressed") else Cell()
    return Cell(text=percent(share), value=share)


# ----------------------------------------------------------------------------------------- dose
@dataclass(frozen=True, kw_only=True)
class DoseRow:
    """One measure of dose: a cell a type with the middle half, and its picture."""

    label: str
    unit: str
    cells: tuple[tuple[str, Cell, str, Markup], ...]


def build_dose(context: Context) -> list[DoseRow]:
    """Return every measure of dose."""
    rows = []
    for _, part in context.release.table("dose").groupby("measure", sort=False):
        records = {r["exposure"]: r for r in part.to_dict("records")}
        first: dict[Any, Any] = part.iloc[0].to_dict()
        highs = [as_number(r["high"]) or as_number(r["estimate"]) or 0.0 for r in records.values()]
        scale = Scale(low=0.0, high=1.08 * max([*highs, 1e-9]))
        cells = tuple(
            _dose_cell(context, e, records[e], scale) if e in records else (e, Cell(), "", Markup())
            for e in context.study.exposures
        )
        label = str(first["label"]).replace(" %", "\u00a0%")
        rows.append(DoseRow(label=label, unit=_dose_unit(first), cells=cells))
    return rows


def _dose_unit(row: dict[Any, Any]) -> str:
    """Return the unit of a measure, empty where its name says it."""
    unit = unit_words(str(row["unit"]))
    known = str(row["label"]).lower().split()
    said = row["unit"] in ("share", "sessions") or all(word in known for word in unit.split())
    return "" if said else unit


def _dose_cell(
    context: Context, exposure: str, row: dict[Any, Any], scale: Scale
) -> tuple[str, Cell, str, Markup]:
    cell = sized(context.study, value_cell(row), row)
    middle, low, high = (as_number(row[name]) for name in ("estimate", "low", "high"))
    if middle is None or low is None or high is None:
        return exposure, cell, "", Markup()
    at = Estimate(estimate=middle, low=low, high=high)
    drawn = row_picture(context.study.looks[exposure], at, scale, size=SMALL, caps=False)
    if row["unit"] == "share":
        words = f"{percent(low)} to {percent(high)}" if low < high else ""
    else:
        words = interval(low, high, decimals_of(str(row["unit"])))
    return exposure, cell, words, Markup(drawn)
