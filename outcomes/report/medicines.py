"""Medicines: who used which class, and what became of those who used opioids at the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from outcomes.figures.trajectory import Course
from outcomes.report.comparisons import Row, main_rows, read_row
from outcomes.report.context import HIDDEN, Cell, Context, Grid
from outcomes.report.courses import share_course
from outcomes.report.effects import Panels, build_panels
from outcomes.report.responders import BESIDE
from outcomes.results.wording import estimate_text, listed, percent

if TYPE_CHECKING:
    import pandas as pd

OPIOID: Final = "opioid"
NARROW: Final = 0.1
"""Share of a bar under which no number fits; the hatch stands alone."""
CHANGES: Final = {
    "stopped": "stopped",
    "halved": "cut by half or more, or changed to agonist treatment",
    "little_change": "little change",
    "little": "little change",
    "increased": "increased",
}
"""What may have become of a dose, best first; both spellings of the middle one are read."""


@dataclass(frozen=True, kw_only=True)
class UseTable:
    """Shares using one class of medicine by type and visit."""

    key: str
    name: str
    grid: Grid
    course: Course | None
    panels: Panels | None


def build_use(context: Context) -> list[UseTable]:
    """Return a table a class of medicine; any opioid comes first and has panels."""
    table = _shares(context.release.table("medication_use"))
    found = []
    for key, part in table.groupby(_key_column(table), sort=False):
        found.append(_use_table(context, str(key), part))
    return sorted(found, key=lambda t: OPIOID not in t.key)


def _shares(table: pd.DataFrame) -> pd.DataFrame:
    rows = main_rows(table)
    rows = rows[rows["scale"].eq("risk") & rows["reference"].eq("")]
    main = rows[~rows["method"].isin(BESIDE)]
    return main if len(main) else rows


def _key_column(table: pd.DataFrame) -> str:
    """Classes stand in the outcome, or in the estimand where the outcome is one and the same."""
    return "outcome" if table["outcome"].nunique() != 1 else "estimand"


def _use_table(context: Context, key: str, part: pd.DataFrame) -> UseTable:
    hidden = context.study.hidden_text
    rows = {(r["level"], r["visit"]): read_row(r, hidden) for r in part.to_dict("records")}
    visits = [v for v in context.study.visits if any(k[1] == v for k in rows)]
    lines = tuple(
        (e, tuple(share_cell(rows.get((e, v))) for v in visits)) for e in context.study.exposures
    )
    course = share_course(context, rows) if OPIOID in key else None
    return UseTable(
        key=key,
        name=_name(key),
        grid=Grid(heads=tuple(context.study.visits[v].name for v in visits), rows=lines),
        course=course,
        panels=build_panels(context, course) if course else None,
    )


def _name(key: str) -> str:
    words = key.replace("_", " ").replace("nsaid", "NSAID")
    return words[:1].upper() + words[1:]


def share_cell(row: Row | None) -> Cell:
    """Return a share with its interval as a cell."""
    if row is None:
        return Cell()
    if row.estimate is None:
        return Cell(text="", hidden=True)
    if row.low is None or row.high is None:
        return Cell(text=percent(row.estimate), value=row.estimate)
    words = estimate_text(100 * row.estimate, 100 * row.low, 100 * row.high, 0)
    return Cell(text=words, value=row.estimate)


# --------------------------------------------------------------------------------------- change
@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a stacked bar: its width in percent, its words and how it is filled."""

    width: float
    label: str
    css: str
    words: str


@dataclass(frozen=True, kw_only=True)
class ChangeBar:
    """What became of the opioid users of one type; no parts where all of it is hidden."""

    exposure: str
    parts: tuple[Part, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The stacked bars by visit."""

    heads: tuple[tuple[str, str], ...]
    visits: tuple[tuple[str, str, tuple[ChangeBar, ...]], ...]

    def grid(self, place: int) -> Grid:
        """The bars of a visit in numbers."""
        bars = self.visits[place][2]
        return Grid(
            heads=tuple(words for _, words in self.heads),
            rows=tuple((bar.exposure, bar.cells) for bar in bars),
        )


def build_changes(context: Context) -> Changes | None:
    """Return the stacked bars, or None where the release has no such shares."""
    table = _shares(context.release.table("medication_change"))
    table = table[table["estimand"].isin(CHANGES)] if len(table) else table
    if table.empty:
        return None
    codes = [c for c in CHANGES if table["estimand"].eq(c).any()]
    rows: dict[tuple[str, str, str], dict[Any, Any]] = {
        (r["visit"], r["level"], r["estimand"]): r for r in table.to_dict("records")
    }
    visits = tuple(
        (
            v.label,
            v.name,
            tuple(_bar(context, e, v.label, codes, rows) for e in context.study.looks),
        )
        for v in context.study.visits.values()
        if any(k[0] == v.label for k in rows)
    )
    return Changes(heads=tuple((c, CHANGES[c]) for c in codes), visits=visits)


def _bar(
    context: Context,
    exposure: str,
    visit: str,
    codes: list[str],
    rows: dict[tuple[str, str, str], dict[Any, Any]],
) -> ChangeBar:
    hidden = context.study.hidden_text
    shares = {}
    for code in codes:
        record = rows.get((visit, exposure, code))
        shares[code] = read_row(record, hidden).estimate if record else None
    cells = tuple(
        Cell(text=percent(s), value=s) if s is not None else HIDDEN for s in shares.values()
    )
    known = {c: s for c, s in shares.items() if s is not None}
    if not known:
        return ChangeBar(exposure=exposure, parts=(), cells=cells)
    missing = [CHANGES[c] for c in codes if c not in known]
    total = max(1.0, sum(known.values())) if missing else sum(known.values())
    parts = [
        Part(width=round(100 * s / total, 1), label=percent(s), css=c, words=CHANGES[c])
        for c, s in known.items()
    ]
    rest = total - sum(known.values())
    if missing and rest > 0:
        label = percent(rest) if len(missing) > 1 and rest > NARROW else ""
        parts.append(
            Part(width=round(100 * rest / total, 1), label=label, css="hat", words=listed(missing))
        )
    return ChangeBar(exposure=exposure, parts=tuple(parts), cells=cells)
