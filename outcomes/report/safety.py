"""Harms on the same rows as the benefit, and the outcomes that are described, not compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from outcomes.figures.svg import (
    Estimate,
    Scale,
    axis_picture,
    backdrop,
    definitions,
    row_picture,
)
from outcomes.figures.theme import nice_ticks
from outcomes.report.comparisons import as_number
from outcomes.report.context import HIDDEN, Cell, Context, count_cell, sized, value_cell
from outcomes.report.harm_words import HarmWords, harm_words
from outcomes.report.study import Study, unit_words
from outcomes.results.wording import capitalised, count, interval, listed, number, percent

if TYPE_CHECKING:
    import pandas as pd

MOST = 3
ALWAYS = ("emergency_visit",)
"""Events that stand beside the commonest ones wherever they may be shown."""
FULL = 0.05
"""The smallest end of an axis of shares, so that rare events do not look common."""
BASELINE = "baseline"
NO_BREAK = "\u00a0"
ANY = "any"
ENDED = "ended"
"""How steps of the flow begin that count episodes over before time zero."""


@dataclass(frozen=True, kw_only=True)
class HarmCell:
    """One event of one type: the share of episodes, its picture and the rate, or why not."""

    share: str
    counts: str
    rate: str
    interval: str
    picture: Markup
    hidden: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class HarmPanel:
    """One event: a cell a type, on one axis."""

    event: str
    label: str
    unit: str
    cells: tuple[tuple[str, HarmCell], ...]
    axis: Markup
    shapes: Markup

    @property
    def by_type(self) -> dict[str, HarmCell]:
        """The cells by exposure."""
        return dict(self.cells)


@dataclass(frozen=True, kw_only=True)
class RateCell:
    """One cell of the table of all harms: a share and a rate, with the counts they are made of."""

    share: Cell
    counts: str
    rate: Cell
    interval: str
    events: Cell


@dataclass(frozen=True, kw_only=True)
class HarmRow:
    """One event of one severity: a cell a type, and all types together at the end."""

    label: str
    sub: bool
    cells: tuple[RateCell, ...]


@dataclass(frozen=True, kw_only=True)
class HarmTable:
    """All events that are counted against the same thing, such as sessions."""

    unit: str
    counted_in: tuple[Cell, ...]
    rows: tuple[HarmRow, ...]


@dataclass(frozen=True, kw_only=True)
class Harms:
    """Panels of the commonest events, the table of all, and in words what differs."""

    panels: tuple[HarmPanel, ...]
    tables: tuple[HarmTable, ...]
    words: HarmWords
    serious: str
    uncounted: str

    @property
    def any_hidden(self) -> bool:
        """Whether a panel has a hidden cell."""
        return any(cell.hidden for panel in self.panels for _, cell in panel.cells)


def build_harms(context: Context) -> Harms | None:
    """Return harms, or None where none were recorded."""
    table = context.release.table("harms")
    if table.empty:
        return None
    anywhere = table[table["severity"].eq(ANY)]
    events = list(dict.fromkeys(anywhere["event"]))
    shown = [e for e in events if anywhere.loc[anywhere["event"].eq(e), "rate"].notna().any()]
    typed = [e for e in shown if _typed(anywhere, e)] or shown
    chosen = typed[:MOST] + [e for e in typed[MOST:] if e in ALWAYS]
    panels = tuple(_panel(context, anywhere[anywhere["event"].eq(e)]) for e in chosen)
    tables = tuple(
        _harm_table(context, str(unit), part)
        for unit, part in table.groupby("rate_unit", sort=False)
    )
    words = harm_words(context.study, anywhere)
    return Harms(
        panels=panels,
        tables=tables,
        words=words,
        serious=_serious(anywhere),
        uncounted=_uncounted(context),
    )


def _harm_table(context: Context, unit: str, table: pd.DataFrame) -> HarmTable:
    columns = (*context.study.exposures, "")
    base = {r["exposure"]: count_cell(r, "denominator") for r in table.to_dict("records")}
    rows = []
    for (_, severity), part in table.groupby(["event", "severity"], sort=False):
        records = {r["exposure"]: r for r in part.to_dict("records")}
        any_severity = severity == ANY
        rows.append(
            HarmRow(
                label=str(part["label"].iloc[0]) if any_severity else str(severity),
                sub=not any_severity,
                cells=tuple(_rate_cell(records.get(e)) for e in columns),
            )
        )
    counted_in = tuple(base.get(e, Cell()) for e in columns)
    return HarmTable(unit=unit, counted_in=counted_in, rows=tuple(rows))


def _rate_cell(row: dict[Any, Any] | None) -> RateCell:
    if row is None:
        return RateCell(share=Cell(), counts="", rate=Cell(), interval="", events=Cell())
    rate, low, high = (as_number(row[n]) for n in ("rate", "conf_low", "conf_high"))
    shown = HIDDEN if row.get("suppressed") else Cell()
    if rate is not None:
        shown = Cell(text=number(rate), value=rate)
    share, counts = _share(row)
    hidden = HIDDEN if row.get("suppressed") else Cell()
    return RateCell(
        share=hidden if share is None else Cell(text=percent(share), value=share),
        counts=counts,
        rate=shown,
        interval="" if low is None else interval(low, high),
        events=count_cell(row, "n_events"),
    )


def _share(row: dict[Any, Any]) -> tuple[float | None, str]:
    """Return the share of episodes with the event, and its counts, where both are released."""
    n, total = as_number(row["n_episodes"]), as_number(row["n_total"])
    if n is None or not total:
        return None, ""
    return n / total, f"{count(n)} of {count(total)}"


def _typed(table: pd.DataFrame, event: str) -> bool:
    """Whether any single type has a rate that may be shown."""
    rows = table[table["event"].eq(event) & table["exposure"].ne("")]
    return bool(rows["rate"].notna().any())


def _panel(context: Context, table: pd.DataFrame) -> HarmPanel:
    rows = {r["exposure"]: r for r in table.to_dict("records")}
    shares = [_share(row)[0] for exposure, row in rows.items() if exposure]
    top = max([share for share in shares if share is not None] + [FULL])
    scale = Scale(low=0.0, high=1.08 * top, ticks=tuple(nice_ticks(0.0, top, 3)))
    first: dict[Any, Any] = table.iloc[0].to_dict()
    cells = tuple((e, _harm_cell(context, e, rows.get(e), scale)) for e in context.study.exposures)
    return HarmPanel(
        event=first["event"],
        label=first["label"],
        unit=first["rate_unit"],
        cells=cells,
        axis=Markup(axis_picture(scale, share=True)),
        shapes=Markup(definitions([backdrop(f"harm-{first['event']}", scale)])),
    )


def _harm_cell(
    context: Context, exposure: str, row: dict[Any, Any] | None, scale: Scale
) -> HarmCell:
    look = context.study.looks[exposure]
    share, counts = (None, "") if row is None else _share(row)
    at = None if share is None else Estimate(estimate=share, low=share, high=share)
    behind = "" if row is None else f"harm-{row['event']}"
    rate, limits = ("", "") if row is None else _rate(row)
    empty = share is None and not rate
    hidden = empty and row is not None and bool(row.get("suppressed"))
    why_not = "not counted" if row is None else "nothing to count against"
    return HarmCell(
        share="" if share is None else percent(share),
        counts=counts,
        rate=rate,
        interval=limits,
        picture=Markup(row_picture(look, at, scale, behind=behind, caps=False)),
        hidden=hidden,
        reason=why_not if empty and not hidden else "",
    )


def _rate(row: dict[Any, Any]) -> tuple[str, str]:
    """Return a rate and its interval, both empty where they are not released."""
    rate, low, high = (as_number(row[n]) for n in ("rate", "conf_low", "conf_high"))
    return ("", "") if None in (rate, low, high) else (number(rate), interval(low, high))


def _serious(table: pd.DataFrame) -> str:
    """Say how many serious events there were in all, or why that is not said."""
    rows = table[table["event"].eq("serious_adverse_event")]
    if rows.empty:
        return "Serious events: not recorded, so nothing can be said about them."
    everyone = rows[rows["exposure"].eq("")]
    n = as_number(everyone["n_events"].iloc[0]) if len(everyone) else None
    if n is None:
        hidden = bool(rows["suppressed"].any())
        return f"Serious events: {'too few to show' if hidden else 'no count is released'}."
    base, unit = as_number(everyone["denominator"].iloc[0]), str(everyone["rate_unit"].iloc[0])
    against = "" if base is None else f" in {count(base)} {unit.rsplit(' ', 1)[-1]}"
    return f"{capitalised(count(n))} serious events{against} over all types."


def _uncounted(context: Context) -> str:
    """Say how many episodes were over before time zero, and so are not in the harms."""
    flow = context.release.table("flow")
    ended = flow[flow["kind"].eq("left_out") & flow["step"].str.startswith(ENDED)]
    total, hidden = ended["n_episodes"].sum(), ended["n_episodes"].isna().any()
    if not total and not hidden:
        return ""
    more = "a hidden number more" if total else "a hidden number of them"
    parts = [*([count(total)] if total else []), *([more] if hidden else [])]
    return (
        f"Episodes that ended before day {context.study.raw['window_days']} are not counted here,"
        f" though harm may have ended them: {listed(parts)}."
    )


# ------------------------------------------------------------------------------------- described
@dataclass(frozen=True, kw_only=True)
class DescribedRow:
    """One measure at one visit: a cell a type."""

    label: str
    what: str
    cells: tuple[tuple[str, Cell], ...]
    everyone: Cell


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The measures under one heading."""

    name: str
    slug: str
    rows: tuple[DescribedRow, ...]
    n_measures: int


def build_described(context: Context, *, all_visits: bool = False) -> list[Domain]:
    """Return the other outcomes by heading.

    Without ``all_visits`` only time zero, the primary visit and measures without a visit are
    listed; the released table holds the others.
    """
    table = context.release.table("described")
    study = context.study
    keep = ("", BASELINE, study.primary_visit)
    domains: dict[str, list[DescribedRow]] = {}
    keys = ["domain", "measure", "label", "visit", "statistic", "unit"]
    for key, part in table.groupby(keys, sort=False):
        domain, _, label, visit, statistic, unit = (str(k) for k in key)
        if not all_visits and visit not in keep:
            continue
        rows = {r["exposure"]: r for r in part.to_dict("records")}
        cells = tuple(
            (e, _described_cell(context.study, rows.get(e))) for e in context.study.exposures
        )
        row = DescribedRow(
            label=label,
            what=_what(_visit_name(context, visit), statistic, unit),
            cells=cells,
            everyone=_described_cell(study, rows.get("")),
        )
        domains.setdefault(domain, []).append(row)
    return [
        Domain(
            name=name,
            slug=f"described-{place}",
            rows=tuple(rows),
            n_measures=len({r.label for r in rows}),
        )
        for place, (name, rows) in enumerate(domains.items())
    ]


def _what(visit: str, statistic: str, unit: str) -> str:
    """Say which number it is, and when."""
    by_unit = dict.fromkeys(("rate", "alpha", "icc"), unit)
    words = unit_words(unit)
    which = {"share": "share", **by_unit}.get(statistic, f"{statistic}, {words}".rstrip(", "))
    return ", ".join(part for part in (which, visit) if part)


def _described_cell(study: Study, row: dict[Any, Any] | None) -> Cell:
    return Cell() if row is None else sized(study, value_cell(row), row)


def _visit_name(context: Context, visit: str) -> str:
    if visit == BASELINE:
        return "time zero"
    found = context.study.visits.get(visit)
    return found.phrase.replace(" ", NO_BREAK) if found else visit


__all__ = ["HIDDEN", "Domain", "Harms", "build_described", "build_harms"]
