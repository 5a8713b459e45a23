"""Who was studied: the way from records to analysis, the groups at the start, who stayed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from outcomes.figures.svg import Scale, dot
from outcomes.report.comparisons import as_number
from outcomes.report.context import HIDDEN, Cell, Context, count_cell, value_cell
from outcomes.report.study import unit_words
from outcomes.results.wording import capitalised, counted, in_sentence, listed, number, percent

if TYPE_CHECKING:
    import pandas as pd

LIMIT = 0.1
FLOOR_CHECK = "follow_up"
BASELINE = "baseline_"
FOLLOW_UP = ("no_follow_up", "followed")
"""Steps of the flow that speak of values after time zero, whichever outcome has one."""


# ------------------------------------------------------------------------------------------ flow
@dataclass(kw_only=True)
class Step:
    """A box of the flow, and the reasons that stand after it."""

    label: str
    count: Cell
    reasons: list[tuple[str, Cell]] = field(default_factory=list)


def build_flow(context: Context) -> list[Step]:
    """Return the boxes of the flow diagram in order; a reason that nobody had is left out."""
    steps: list[Step] = []
    for row in context.release.table("flow").sort_values("order").to_dict("records"):
        cell = count_cell(row, "n_episodes")
        if row["kind"] == "kept" or not steps:
            steps.append(Step(label=_step_label(context, row), count=cell))
        elif cell.value != 0:
            steps[-1].reasons.append((_step_label(context, row), cell))
    return steps


def _step_label(context: Context, row: dict[Any, Any]) -> str:
    """Return the label of a step; a follow-up value says of which outcomes."""
    label = str(row["label"])
    if row["step"] not in FOLLOW_UP:
        return label
    names = [in_sentence(outcome.name) for outcome in context.study.outcomes.values()]
    return label.replace("follow-up value", f"later value of {listed(names, 'or')}")


def n_analysed(context: Context) -> float | None:
    """Return how many episodes were compared."""
    table = context.release.table("completeness")
    rows = table[table["exposure"].eq("")]
    return as_number(rows["n_episodes"].iloc[0]) if len(rows) else None


# -------------------------------------------------------------------------------------- baseline
@dataclass(frozen=True, kw_only=True)
class BaselineRow:
    """One line of the baseline table: a cell a type, and the largest imbalance."""

    variable: str
    label: str
    unit: str
    cells: tuple[tuple[str, Cell], ...]
    adjusted: bool
    before: float | None
    after: float | None
    picture: Markup
    words: str
    name: str

    @property
    def uneven(self) -> bool:
        """Whether a group lies further from the reference than the limit, as far as shown."""
        return self.before is not None and round(self.before, 2) > LIMIT


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The baseline table with what balance it shows."""

    rows: tuple[BaselineRow, ...]
    model: str
    constant: tuple[str, ...]
    sizes: tuple[tuple[str, Cell], ...]
    weighted: bool
    largest: tuple[str, str]
    largest_after: str
    axis_high: float

    @property
    def words(self) -> list[str]:
        """Sentences on how alike the groups were."""
        if not self.largest[0]:
            return []
        largest, where = self.largest
        said = [f"Before adjustment the largest standardised difference was {largest} ({where})."]
        if self.largest_after:
            said.append(f"After weighting the largest was {self.largest_after}.")
        return said

    @property
    def adjustment(self) -> str:
        """What adjustment does to these differences, and that its success cannot be seen here."""
        if self.weighted or not self.model:
            return ""
        marked = " Rows marked † are in the model." if any(r.adjusted for r in self.rows) else ""
        said = (
            f"{self.model} It compares people alike in what it holds, instead of weighting them, so"
            f" this table cannot show how far that closes the gaps.{marked}"
        )
        uneven = [r for r in self.rows if marked and not r.adjusted and r.uneven]
        columns = _names(r for r in uneven if not r.variable.startswith(BASELINE))
        starts = _names(r for r in uneven if r.variable.startswith(BASELINE))
        if columns:
            said += (
                " Uneven, and not in the model because the study does not list them among its"
                f" covariates: {columns}."
            )
        return f"{said} Uneven, with no place in the model: {starts}." if starts else said


def _names(rows: Iterable[BaselineRow]) -> str:
    return listed(list(dict.fromkeys(in_sentence(row.name) for row in rows)))


def build_baseline(context: Context) -> Baseline | None:
    """Return the baseline table, or None where there is none."""
    table = context.release.table("baseline")
    if table.empty:
        return None
    smd = _largest_smd(context)
    weighted = any(after is not None for _, after, _ in smd.values())
    top = max([abs(b) for b, _, _ in smd.values() if b is not None] + [3 * LIMIT])
    scale = Scale(low=0.0, high=1.05 * top)
    rows = tuple(_baseline_rows(context, _telling(table), smd, scale))
    found = max(smd.values(), key=lambda v: abs(v[0] or 0.0), default=(None, None, ""))
    after = max((abs(a) for _, a, _ in smd.values() if a is not None), default=None)
    return Baseline(
        rows=rows,
        model=_model(context),
        constant=tuple(_constant(table)),
        sizes=type_sizes(context),
        weighted=weighted,
        largest=(number(abs(found[0]), 2) if found[0] is not None else "", found[2]),
        largest_after="" if after is None else number(after, 2),
        axis_high=top,
    )


def _model(context: Context) -> str:
    """Say what is adjusted for, where the study says it."""
    covariates = context.study.raw.get("covariates")
    if covariates is None:
        return "" if context.study.randomised else "The model adjusts for what the methods list."
    chance = "Chance made these differences. " if context.study.randomised else ""
    n = len(covariates["used"])
    kinds = "characteristic" if n == 1 else "characteristics"
    beside = f" and for {counted(n)} further {kinds}" if n else ""
    return f"{chance}The model of each outcome adjusts for its value at the start{beside}."


def _adjusted(context: Context) -> frozenset[str]:
    """Return the variables that the models hold; a score's start is in the model of that score."""
    covariates = context.study.raw.get("covariates")
    if covariates is None:
        return frozenset()
    starts = (f"{BASELINE}{outcome}" for outcome in context.study.outcomes)
    return frozenset((*starts, *(row["id"] for row in covariates["used"])))


def _telling(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows worth a line, the outcomes at time zero first.

    What everybody shares is said in a sentence. Of two levels one says it all.
    """
    everyone = table[table["exposure"].eq("")]
    shared = set(everyone.loc[_same(everyone), "variable"])
    levels = everyone.groupby("variable", sort=False)["level"].unique()
    second = {(variable, found[1]) for variable, found in levels.items() if len(found) == 2}
    keys = zip(table["variable"], table["level"], strict=True)
    rows = table[[key[0] not in shared and key not in second for key in keys]]
    late = ~rows["variable"].str.startswith(BASELINE)
    return rows.iloc[late.to_numpy().argsort(kind="stable")]


def _same(everyone: pd.DataFrame) -> pd.Series[bool]:
    return everyone["statistic"].eq("share") & everyone["estimate"].isin([0.0, 1.0])


def _constant(table: pd.DataFrame) -> Iterator[str]:
    """Yield what everybody or nobody had, such as ``body region: low back``."""
    everyone = table[table["exposure"].eq("")]
    for row in everyone[_same(everyone)].to_dict("records"):
        level = str(row["level"])
        name = in_sentence(str(row["label"]))
        said = name if level in ("", "yes") else f"{name}: {level.replace('_', ' ')}"
        if row["estimate"] == 1 or level in ("", "yes"):
            yield said if row["estimate"] == 1 else f"no {said.removeprefix('any ')}"


def type_sizes(context: Context) -> tuple[tuple[str, Cell], ...]:
    """Return the number of analysed episodes of each type."""
    table = context.release.table("completeness").drop_duplicates("exposure")
    found = {r["exposure"]: count_cell(r, "n_episodes") for r in table.to_dict("records")}
    return tuple((e, found.get(e, Cell())) for e in context.study.exposures)


def _largest_smd(context: Context) -> dict[tuple[str, str], tuple[float | None, float | None, str]]:
    """Return the largest difference from the reference by variable and level, signed away."""
    found: dict[tuple[str, str], tuple[float | None, float | None, str]] = {}
    for row in context.release.table("balance").to_dict("records"):
        key = (row["variable"], row["level"])
        before, after = as_number(row["smd"]), as_number(row["smd_weighted"])
        old = found.get(key, (None, None, ""))
        name = f"{in_sentence(str(row['label']))}, {context.study.phrase(row['exposure'])}"
        larger = before is not None and abs(before) > abs(old[0] or 0.0)
        found[key] = (
            abs(before) if larger and before is not None else old[0],
            max((abs(v) for v in (after, old[1]) if v is not None), default=None),
            name if larger else old[2],
        )
    return found


def _baseline_rows(
    context: Context,
    table: pd.DataFrame,
    smd: dict[tuple[str, str], tuple[float | None, float | None, str]],
    scale: Scale,
) -> Iterator[BaselineRow]:
    adjusted = _adjusted(context)
    for (variable, level), part in table.groupby(["variable", "level"], sort=False):
        rows = {r["exposure"]: r for r in part.to_dict("records")}
        first: dict[Any, Any] = part.iloc[0].to_dict()
        cells = tuple(
            (e, value_cell(rows[e]) if e in rows else Cell()) for e in context.study.exposures
        )
        before, after, _ = smd.get((str(variable), str(level)), (None, None, ""))
        yes = str(level) in ("", "yes")
        name = first["label"] if yes else capitalised(str(level).replace("_", " "))
        yield BaselineRow(
            variable=str(variable),
            adjusted=str(variable) in adjusted,
            name=str(first["label"]),
            label=name if yes else f"{first['label']}: {name.lower()}",
            unit=unit_words(first["unit"]),
            cells=cells,
            before=before,
            after=after,
            picture=Markup(_balance_picture(before, after, scale)),
            words="" if before is None else number(before, 2),
        )


def _balance_picture(before: float | None, after: float | None, scale: Scale) -> str:
    """Paint a ring before and a dot after adjustment, beside the limit."""
    if before is None:
        return ""
    limit = scale.place(LIMIT)
    x = scale.place(before)
    parts = [f'<line class="lim" x1="{limit:g}%" x2="{limit:g}%" y1="0" y2="100%"/>']
    if after is not None:
        y = scale.place(after)
        parts.append(f'<line class="q1" x1="{y:g}%" x2="{x:g}%" y1="50%" y2="50%"/>')
        parts.append(dot(y).replace('r="4.4"', 'r="3.8"'))
    parts.append(f'<circle cx="{x:g}%" cy="50%" r="3.8" class="ring"/>')
    return f'<svg class="kink" width="100%" height="16" aria-hidden="true">{"".join(parts)}</svg>'


# ---------------------------------------------------------------------------------- completeness
@dataclass(frozen=True, kw_only=True)
class Heat:
    """A cell of the completeness matrix: its tint in percent, and whether under the floor."""

    text: str
    tint: int
    low: bool
    planned: bool
    hidden: bool = False


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """Who was still measured: outcomes with the same pattern share their columns."""

    groups: tuple[tuple[str, tuple[str, ...]], ...]
    rows: tuple[tuple[str, tuple[Heat, ...]], ...]
    floor: str

    @property
    def any_low(self) -> bool:
        """Whether a cell is under the floor."""
        return any(cell.low for _, cells in self.rows for cell in cells)

    @property
    def any_unplanned(self) -> bool:
        """Whether something was not to be measured at some visit."""
        return any(not cell.planned for _, cells in self.rows for cell in cells)

    @property
    def any_hidden(self) -> bool:
        """Whether a share is hidden."""
        return any(cell.hidden for _, cells in self.rows for cell in cells)


def build_completeness(context: Context) -> Completeness | None:
    """Return the matrix of types by outcomes and visits."""
    table = context.release.table("completeness")
    rows = {(r["outcome"], r["visit"], r["exposure"]): r for r in table.to_dict("records")}
    visits = [v.label for v in context.study.visits.values()]
    outcomes = [o for o in context.study.outcomes if any(k[0] == o for k in rows)]
    if not outcomes:
        return None
    floor = _floor(context)
    ticks = tuple(context.study.visits[v].tick for v in visits)
    lines = tuple(
        (e, tuple(_heat(rows.get((o, v, e)), floor) for o in outcomes for v in visits))
        for e in context.study.exposures
    )
    return Completeness(
        groups=tuple((context.study.outcomes[o].name, ticks) for o in outcomes),
        rows=lines,
        floor="" if floor is None else percent(floor),
    )


def _floor(context: Context) -> float | None:
    gate = context.release.table("gate")
    limits = gate.loc[gate["check"].eq(FLOOR_CHECK), "limit"].dropna()
    return float(limits.iloc[0]) if len(limits) else None


def _heat(row: dict[Any, Any] | None, floor: float | None) -> Heat:
    if row is None or as_number(row["planned"]) == 0:
        return Heat(text="", tint=0, low=False, planned=False)
    share = as_number(row["share"])
    if share is None:
        hidden = bool(row.get("suppressed"))
        return Heat(text="" if hidden else "–", tint=0, low=False, planned=True, hidden=hidden)
    low = floor is not None and share < floor
    text = number(100 * share, 0)
    return Heat(text=text, tint=0 if low else round(42 * share), low=low, planned=True)


__all__ = ["HIDDEN", "build_baseline", "build_completeness", "build_flow", "n_analysed"]
