"""Shares of people who improved by a threshold or more, and who got worse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from outcomes.figures.responder import CURVE_FROM, SHARES, Share
from outcomes.figures.svg import Estimate, Scale, axis_picture, row_picture
from outcomes.report.comparisons import Row, as_number, read_row
from outcomes.report.context import Cell, Context
from outcomes.results.wording import estimate_text, number, unit_after

if TYPE_CHECKING:
    import pandas as pd

BESIDE = ("observed-only", "missing-is-failure")
"""Methods that stand beside the main one, never in its place."""
AXIS = Scale(low=SHARES.low, high=SHARES.high, ticks=(0.0, 0.5, 1.0))
"""Labels that a narrow column holds, on the scale of the rows above them."""
PERCENT = ("percent", "%")
WIDEST = 0.95
"""An interval wider than this holds almost every share: nearly all, or nearly nobody, improved."""

HIDDEN_TEXT = "hidden"
NONE_OR_ALL = "none or all"
TOO_FEW = "too few to say"
NOTES = {
    NONE_OR_ALL: "Where it says none or all, it held for nobody or for everybody of that type, so "
    "that no interval can be given.",
    TOO_FEW: "Where it says too few to say, too few people were there to tell a small share from a "
    "large one.",
}
"""What the short reasons mean, in the order of the notes."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """One question about people: a code, a threshold, and its words."""

    code: str
    threshold: float | None
    label: str


@dataclass(frozen=True, kw_only=True)
class ShareLine:
    """One type of the list of dots."""

    exposure: str
    text: str
    picture: Markup
    reason: str
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Responders:
    """The list of dots in its default state, and what can be chosen instead.

    ``notes`` say in full what the short reasons in the cells mean.
    """

    keys: tuple[Key, ...]
    chosen: int
    worse: int | None
    lines: tuple[ShareLine, ...]
    worse_lines: tuple[ShareLine, ...]
    axis: Markup
    curve: bool
    shares: dict[tuple[str, int, str], Share]
    notes: tuple[str, ...]
    table: tuple[tuple[str, tuple[tuple[str, Cell], ...]], ...]


def build_responders(context: Context, outcome: str) -> Responders | None:
    """Return the shares of an outcome, or None where none can be shown."""
    table = main_shares(context.release.table("responders"))
    table = table[table["outcome"].eq(outcome)]
    if table.empty:
        return None
    keys = _keys(context, outcome, table)
    shares = _shares(context, table, keys)
    if all(share.estimate is None for share in shares.values()):
        return None
    chosen = _declared(context, outcome, keys)
    worse = next((place for place, key in enumerate(keys) if key.code.endswith("worse")), None)
    return Responders(
        keys=keys,
        chosen=chosen,
        worse=worse,
        lines=_lines(context, shares, chosen),
        worse_lines=() if worse is None else _lines(context, shares, worse),
        axis=Markup(axis_picture(AXIS, share=True)),
        curve=sum(k.code == "" and k.threshold is not None for k in keys) >= CURVE_FROM,
        shares=shares,
        notes=tuple(NOTES[text] for text in NOTES if any(s.text == text for s in shares.values())),
        table=tuple((key.label, _cells(context, shares, place)) for place, key in enumerate(keys)),
    )


def _lines(
    context: Context, shares: dict[tuple[str, int, str], Share], place: int
) -> tuple[ShareLine, ...]:
    visit = context.study.primary_visit
    return tuple(_line(context, e, shares.get((visit, place, e))) for e in context.study.exposures)


def _cells(
    context: Context, shares: dict[tuple[str, int, str], Share], place: int
) -> tuple[tuple[str, Cell], ...]:
    """Return the shares of all types at the declared visit, for one question."""
    visit, cells = context.study.primary_visit, []
    for exposure in context.study.exposures:
        share = shares.get((visit, place, exposure))
        if share is None:
            cells.append((exposure, Cell()))
        elif share.estimate is None:
            hidden = share.text == HIDDEN_TEXT
            cells.append((exposure, Cell(text="" if hidden else share.text, hidden=hidden)))
        else:
            cells.append((exposure, Cell(text=share.text, value=share.estimate)))
    return tuple(cells)


def main_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Return the shares of the main analysis: the method that assumes what the means assume."""
    rows = table[table["scale"].eq("risk") & table["subgroup"].eq("")]
    if rows["analysis_id"].eq("primary").any():
        rows = rows[rows["analysis_id"].eq("primary")]
    main = rows[~rows["method"].isin(BESIDE)]
    return main if len(main) else rows


def _code(row: dict[Any, Any]) -> str:
    """Return what a row asks when it is not reaching a threshold in the outcome's own unit."""
    estimand = str(row["estimand"])
    if estimand.startswith("worse") or estimand.endswith("worse"):
        return estimand
    return "percent" if str(row["unit"]) in PERCENT else ""


def _keys(context: Context, outcome: str, table: pd.DataFrame) -> tuple[Key, ...]:
    about = context.study.outcomes[outcome]
    found: dict[tuple[str, float | None], Key] = {}
    for row in table.to_dict("records"):
        threshold, code, unit = as_number(row["threshold"]), _code(row), str(row["unit"])
        if (code, threshold) in found:
            continue
        size = "" if threshold is None else number(abs(threshold), 0 if threshold % 1 == 0 else 1)
        measured = "%" if unit in PERCENT else unit_after(threshold or 0.0, about.unit)
        better = "worse" if "worse" in code else "better"
        label = f"{size} {measured} or more {better}".strip() if size else str(row["estimand"])
        if not code and (threshold or 0) < 0:
            label = f"at most {size} {measured} worse"
        if threshold == 0:
            label = "no worse than at the start"
        found[code, threshold] = Key(code=code, threshold=threshold, label=label)
    return tuple(sorted(found.values(), key=lambda k: (k.code, k.threshold or 0.0)))


def _declared(context: Context, outcome: str, keys: tuple[Key, ...]) -> int:
    marks = [t.get("value") for t in context.study.outcomes[outcome].thresholds]
    for place, key in enumerate(keys):
        if not key.code and key.threshold in marks:
            return place
    positive = [p for p, k in enumerate(keys) if not k.code and (k.threshold or 0) > 0]
    return positive[0] if positive else 0


def _shares(
    context: Context, table: pd.DataFrame, keys: tuple[Key, ...]
) -> dict[tuple[str, int, str], Share]:
    places = {(k.code, k.threshold): p for p, k in enumerate(keys)}
    shares = {}
    for record in table.to_dict("records"):
        row = read_row(record, HIDDEN_TEXT)
        place = places[_code(record), as_number(record["threshold"])]
        shares[record["visit"], place, record["level"]] = _share(row)
    return shares


def _share(row: Row) -> Share:
    if row.estimate is None or row.low is None or row.high is None:
        return Share(estimate=None, low=None, high=None, text=_short(row.reason), why=row.reason)
    if row.high - row.low > WIDEST:
        return Share(estimate=None, low=None, high=None, text=TOO_FEW, why=NOTES[TOO_FEW])
    words = estimate_text(100 * row.estimate, 100 * row.low, 100 * row.high, 0)
    return Share(estimate=row.estimate, low=row.low, high=row.high, text=words)


def _short(reason: str) -> str:
    """Return a reason as it fits in a cell; the whole of it stands in the cell's title."""
    if reason in ("", HIDDEN_TEXT):
        return reason
    if reason.startswith("it holds for all or none"):
        return NONE_OR_ALL
    return TOO_FEW if reason.startswith("too few") else "not shown"


def _line(context: Context, exposure: str, share: Share | None) -> ShareLine:
    look = context.study.looks[exposure]
    at, words, reason, why = None, "", "not estimated", ""
    if share is not None:
        words, reason, why = share.text, share.text, share.why
        if share.estimate is not None and share.low is not None and share.high is not None:
            at = Estimate(estimate=share.estimate, low=share.low, high=share.high)
    drawn = row_picture(look, at, SHARES, behind="shares")
    return ShareLine(
        exposure=exposure,
        text=words if at else "",
        picture=Markup(drawn),
        reason="" if at else reason,
        why="" if at else why,
    )
