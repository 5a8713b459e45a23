"""Instruments: what is measured, on which range, in which direction, and what a change means.

One file an instrument, read when it is asked for. ``higher_is_better`` decides the sign of every
improvement. Thresholds stay side by side with their populations and sources; ``responder`` is the
toolkit's default among them. Item names are keys of a form, never its wording.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

from outcomes.catalog.facts import Review, data_path, read_toml, review_of, unknown

CHANGE_KINDS: Final = ("mcid", "mdc", "scb")
"""Threshold kinds that are sizes of improvement; every other kind is a level of the score."""
TOTAL: Final = "total"
"""The scale that is the instrument's own score; others are asked for as ``instrument.scale``."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A published number for one person's score or change, in one population."""

    kind: str
    value: float
    unit: str
    population: str
    method: str
    source: str
    confidence: str
    review: Review
    label: str = ""
    low: float | None = None
    high: float | None = None
    comparison: str = ""
    follow_up: str = ""
    scale: str = ""
    note: str = ""

    @property
    def is_change(self) -> bool:
        """Whether the value is a size of improvement rather than a level."""
        return self.kind in CHANGE_KINDS

    @property
    def is_percent(self) -> bool:
        """Whether the value is a percent of the baseline score."""
        return self.unit.startswith("percent of")


@dataclass(frozen=True, kw_only=True)
class Responder:
    """The toolkit's default thresholds for one person, chosen among the published ones."""

    mcid: float
    source: str
    percent: float | None = None
    substantial_percent: float | None = None
    acceptable: float | None = None
    remission: float | None = None
    severe: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How answers become one score.

    ``rule`` is ``single``, ``sum``, ``mean``, ``percent`` (of the span of the items),
    ``percent_reversed``, ``worst``, ``mean_of_scales``, ``utility`` or ``chronicity``. Sums are
    prorated when at least ``min_answered`` items are there. ``table`` names the conversion of the
    raw sum.
    """

    id: str
    rule: str
    items: tuple[str, ...] = ()
    reversed: tuple[str, ...] = ()
    min_answered: int = 1
    times: float = 1.0
    table: str = ""
    scales: tuple[str, ...] = ()
    blank_is: float | None = None


@dataclass(frozen=True, kw_only=True)
class ConversionTable:
    """Raw sums ``raw_min``..``raw_max`` and the score that stands for each."""

    id: str
    raw_min: int
    value: tuple[float, ...]
    source: str
    confidence: str
    std_error: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ValueSet:
    """Decrements that turn a health profile into a utility."""

    id: str
    name: str
    decrements: Mapping[str, float]
    source: str
    confidence: str


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """One instrument as the catalog knows it."""

    id: str
    name: str
    construct: str
    group: str
    region: str
    unit: str
    higher_is_better: bool
    review: Review
    confidence: str
    source: str
    scoring_rule: str
    formula: str
    missing_rule: str
    missing_confidence: str
    licence: str
    licence_note: str
    items: tuple[str, ...]
    scales: tuple[Scale, ...]
    thresholds: tuple[Threshold, ...]
    abbreviation: str = ""
    aliases: tuple[str, ...] = ()
    score_min: float | None = None
    score_max: float | None = None
    plausible_min: float | None = None
    plausible_max: float | None = None
    recall: str = ""
    responder: Responder | None = None
    integer_items: bool = False
    highest_counts: bool = False
    item_range: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    recode: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tables: Mapping[str, ConversionTable] = field(default_factory=dict)
    value_sets: Mapping[str, ValueSet] = field(default_factory=dict)
    entry_mistakes: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    loinc: tuple[str, ...] = ()

    @property
    def direction(self) -> int:
        """+1 where a rise of the score is an improvement, -1 where a fall is."""
        return 1 if self.higher_is_better else -1

    @property
    def label(self) -> str:
        """Short name for tables and figures."""
        return self.abbreviation.split(" / ")[0] or self.name.split(" (")[0]

    @property
    def verified(self) -> bool:
        """Whether the scoring rule was seen in its source; reports mark the others."""
        return self.confidence == "verified"

    def scale(self, scale_id: str) -> Scale:
        """Return one of the instrument's scales."""
        for scale in self.scales:
            if scale.id == scale_id:
                return scale
        raise unknown(f"scale of {self.id}", scale_id, [scale.id for scale in self.scales])


@cache
def instrument_ids() -> tuple[str, ...]:
    """Return every instrument id, sorted."""
    folder = data_path("instruments")
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


@cache
def instrument_aliases() -> Mapping[str, str]:
    """Return other names in use, each with the id it stands for."""
    return dict(read_toml("instrument_aliases.toml")["alias"])


def instrument_id(name: str) -> str:
    """Return the catalog's id for an id, an alias or a differently written one.

    Raises
    ------
    UsageError
        If the catalog knows neither; the message names the nearest ids.
    """
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    found = instrument_aliases().get(plain, plain)
    if found not in instrument_ids():
        raise unknown("instrument", name, [*instrument_ids(), *instrument_aliases()])
    return found


@cache
def instrument(name: str) -> Instrument:
    """Return one instrument by id or alias; ``fabq.work`` is one scale of one.

    Raises
    ------
    UsageError
        If the instrument or the scale is not known.
    """
    base, _, scale_id = name.partition(".")
    whole = _built(read_toml(f"instruments/{instrument_id(base)}.toml"))
    return _only(whole, whole.scale(scale_id)) if scale_id else whole


def _only(whole: Instrument, scale: Scale) -> Instrument:
    """Return the instrument that one scale is by itself, without the whole's defaults."""
    low, high = _score_range(whole, scale)
    parts = tuple(whole.scale(name) for name in scale.scales)
    return replace(
        whole,
        id=f"{whole.id}.{scale.id}",
        name=f"{whole.name}, {scale.id.replace('_', ' ')}",
        abbreviation=f"{whole.label} {scale.id.replace('_', ' ')}",
        scales=(*parts, replace(scale, id=TOTAL)),
        score_min=low,
        score_max=high,
        responder=None,
    )


def _score_range(whole: Instrument, scale: Scale) -> tuple[float | None, float | None]:
    if scale.table:
        values = whole.tables[scale.table].value
        return min(values), max(values)
    if scale.rule in ("sum", "mean", "single", "worst"):
        spans = [whole.item_range[name] for name in scale.items]
        spans = [
            (min(whole.recode[n]), max(whole.recode[n])) if n in whole.recode else span
            for n, span in zip(scale.items, spans, strict=True)
        ]
        times = scale.times if scale.rule == "sum" else 1 / len(spans)
        return times * sum(low for low, _ in spans), times * sum(high for _, high in spans)
    return whole.score_min, whole.score_max


def instruments() -> tuple[Instrument, ...]:
    """Return all instruments (reads every file)."""
    return tuple(instrument(name) for name in instrument_ids())


_PLAIN: Final = (
    "id", "name", "construct", "group", "region", "unit", "higher_is_better", "abbreviation",
    "score_min", "score_max", "plausible_min", "plausible_max", "recall",
)  # fmt: skip


def _built(row: Mapping[str, Any]) -> Instrument:
    review = row["review"]
    items = row["items"]
    return Instrument(
        **{name: row[name] for name in _PLAIN if name in row},
        review=review_of({}, review),
        aliases=tuple(row.get("aliases", ())),
        confidence=row["scoring"]["confidence"],
        source=row["scoring"]["source"],
        scoring_rule=row["scoring"]["rule"],
        formula=row["scoring"]["formula"],
        missing_rule=row["missing"]["rule"],
        missing_confidence=row["missing"]["confidence"],
        licence=row["licence"]["class"],
        licence_note=row["licence"]["note"],
        items=tuple(items["names"]),
        integer_items=items["integer"],
        highest_counts=items.get("two_marks") == "highest",
        item_range=_ranges(row),
        recode={name: tuple(values) for name, values in row.get("recode", {}).items()},
        scales=tuple(_scale(scale) for scale in row["scale"]),
        variants={v["id"]: v for v in row.get("variant", ())},
        tables={t["id"]: _table(t) for t in row.get("table", ())},
        value_sets={v["id"]: _value_set(v) for v in row.get("value_set", ())},
        thresholds=tuple(_threshold(t, review) for t in row.get("threshold", ())),
        responder=Responder(**row["responder"]) if "responder" in row else None,
        entry_mistakes=tuple(row.get("entry_mistakes", ())),
        conflicts=tuple(c["text"] for c in row.get("conflict", ())),
        loinc=tuple(code["code"] for code in row.get("loinc", ())),
    )


def _ranges(row: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Return the allowed answers of each item: its codes, else its own range, else the form's."""
    items, own = row["items"], row.get("item_range", {})
    low, high = items.get("low", float("-inf")), items.get("high", float("inf"))
    ranges = dict.fromkeys(items["names"], (low, high))
    ranges.update({name: (span[0], span[1]) for name, span in own.items()})
    starts = row.get("recode_low", {})
    for name, values in row.get("recode", {}).items():
        start = starts.get(name, low)
        ranges[name] = (start, start + len(values) - 1)
    return ranges


def _scale(row: Mapping[str, Any]) -> Scale:
    tuples = {key: tuple(row[key]) for key in ("items", "reversed", "scales") if key in row}
    return Scale(**{**row, **tuples})


def _table(row: Mapping[str, Any]) -> ConversionTable:
    return ConversionTable(
        id=row["id"],
        raw_min=row["raw_min"],
        value=tuple(row["value"]),
        source=row["source"],
        confidence=row["confidence"],
        std_error=tuple(row.get("std_error", ())),
    )


def _value_set(row: Mapping[str, Any]) -> ValueSet:
    return ValueSet(
        id=row["id"],
        name=row["name"],
        decrements=row["decrements"],
        source=row["source"],
        confidence=row["confidence"],
    )


def _threshold(row: Mapping[str, Any], review: Mapping[str, Any]) -> Threshold:
    signing = ("reviewer", "reviewed", "next_review")
    own = {key: value for key, value in row.items() if key not in signing}
    return Threshold(**own, review=review_of(row, review))
