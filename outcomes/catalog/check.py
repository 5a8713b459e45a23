"""Is the catalog whole? Every gap and contradiction at once, for those who edit its files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from outcomes.catalog.facts import CONFIDENCES, data_path, read_csv, read_toml, sources
from outcomes.catalog.instruments import Instrument, Scale, instruments
from outcomes.catalog.interventions import (
    EVERYTHING,
    exposure_types,
    intervention_codes,
    interventions,
)
from outcomes.catalog.medications import class_groups, drugs, factor_versions, mme_factors
from outcomes.catalog.parts import TYPES, named_care, parts

FACT_FILES: Final = (
    "interventions/taxonomy.toml",
    "interventions/dose.toml",
    "interventions/safety.toml",
    "interventions/guidelines.toml",
    "interventions/exposure_rules.toml",
    "interventions/exposure_types.toml",
    "interventions/met.toml",
    "medications/classes.toml",
    "medications/mme.toml",
    "medications/definitions.toml",
    "outcome_definitions.toml",
)
FACT_TABLES: Final = (
    "interventions/codes.csv",
    "medications/drugs.csv",
    "medications/mme.csv",
    "medications/trade_names.csv",
    "medications/synonyms.csv",
)
INSTRUMENT_FACTS: Final = (
    "scoring",
    "missing",
    "licence",
    "threshold",
    "typical_sd",
    "table",
    "value_set",
    "norm",
    "note",
    "loinc",
)
LEVEL_UNITS: Final = ("points", "T-score points", "s", "m", "cm", "stands", "percent points")


def check_catalog() -> list[str]:
    """Return every gap and contradiction in the catalog's files; empty when there is none."""
    return [
        *_facts(),
        *_instruments(),
        *_interventions(),
        *_medications(),
        *_parts(),
    ]


def _facts() -> Iterator[str]:
    for name in FACT_FILES:
        document = read_toml(name)
        yield from _review(name, document)
        yield from _rows(name, document, [key for key in document if key != "review"])
    for name in FACT_TABLES:
        for at, row in enumerate(read_csv(name)):
            yield from _sourced(f"{name} row {at + 1}", row)
    for entry in data_path("instruments").iterdir():
        document = read_toml(f"instruments/{entry.name}")
        yield from _review(entry.name, document)
        yield from _rows(entry.name, document, INSTRUMENT_FACTS)


def _rows(name: str, document: Mapping[str, Any], tables: Iterable[str]) -> Iterator[str]:
    """Look at every fact of the named tables; a table that is one fact counts as one row."""
    for table in tables:
        found = document.get(table, [])
        rows = found if isinstance(found, list) else [found] if table in INSTRUMENT_FACTS else []
        for at, row in enumerate(rows):
            yield from _sourced(f"{name} {table}[{at}]", row)


def _review(name: str, document: Mapping[str, Any]) -> Iterator[str]:
    review = document.get("review")
    if review is None or not review.get("next_review"):
        yield f"{name}: no [review] with a date for the next one"


def _sourced(place: str, row: Mapping[str, Any]) -> Iterator[str]:
    keys = [row[key] for key in ("source", "source2") if row.get(key)]
    keys += [one for key in ("sources", "more_sources") for one in row.get(key, ())]
    if not keys:
        yield f"{place}: no source"
    yield from (f"{place}: unknown source {key!r}" for key in keys if key not in sources())
    if "confidence" in row and row["confidence"] not in CONFIDENCES:
        yield f"{place}: confidence must be one of {', '.join(CONFIDENCES)}"
    if not row.get("confidence"):
        yield f"{place}: no confidence"


def _instruments() -> Iterator[str]:
    seen: dict[str, str] = {}
    for one in instruments():
        for scale in one.scales:
            yield from _scale(one, scale)
        yield from _thresholds(one)
        for name in (one.id, one.name):
            if name in seen:
                yield f"{one.id}: {name!r} is also {seen[name]}"
            seen[name] = one.id
    for alias, name in read_toml("instrument_aliases.toml")["alias"].items():
        if name not in seen or alias in seen:
            yield f"instrument_aliases: {alias!r} is an id itself or means nothing"


def _scale(one: Instrument, scale: Scale) -> Iterator[str]:
    place = f"{one.id} scale {scale.id}"
    yield from (f"{place}: no item {name!r}" for name in scale.items if name not in one.items)
    if scale.min_answered > max(len(scale.items), 1):
        yield f"{place}: needs more answers than it has items"
    if scale.table:
        yield from _table(one, scale, place)


def _table(one: Instrument, scale: Scale, place: str) -> Iterator[str]:
    table = one.tables.get(scale.table)
    if table is None:
        yield f"{place}: no conversion table {scale.table!r}"
        return
    spans = [one.item_range[name] for name in scale.items]
    low = sum(
        min(one.recode.get(name, span)) for name, span in zip(scale.items, spans, strict=True)
    )
    high = sum(
        max(one.recode.get(name, span)) for name, span in zip(scale.items, spans, strict=True)
    )
    if (table.raw_min, table.raw_min + len(table.value) - 1) != (low, high):
        yield f"{place}: the table does not span the sums {low:g}-{high:g}"
    if list(table.value) not in (sorted(table.value), sorted(table.value, reverse=True)):
        yield f"{place}: the table is not monotone"


def _thresholds(one: Instrument) -> Iterator[str]:
    for threshold in one.thresholds:
        place = f"{one.id} {threshold.kind} ({threshold.population})"
        if threshold.is_change and threshold.value <= 0:
            yield f"{place}: a change is a positive size"
        levels = threshold.unit in LEVEL_UNITS and not threshold.scale
        span = (one.score_min, one.score_max)
        if levels and not threshold.is_change and None not in span:
            low, high = float(span[0] or 0), float(span[1] or 0)
            if not min(low, 0) <= threshold.value <= max(high, 100):
                yield f"{place}: {threshold.value:g} is outside the instrument's range"
        if (threshold.low or 0) > (threshold.high if threshold.high is not None else float("inf")):
            yield f"{place}: the band is upside down"


def _interventions() -> Iterator[str]:
    known = interventions()
    for one in known.values():
        if one.parent not in ("", *known) or ("." in one.id and not one.parent):
            yield f"{one.id}: has no known parent"
    for file, table in (("safety", "contraindication"), ("safety", "harm"), ("dose", "dose")):
        for row in read_toml(f"interventions/{file}.toml")[table]:
            if row["intervention"] not in (EVERYTHING, *known):
                yield f"{table}: no intervention {row['intervention']!r}"
    flags = {row["id"] for row in read_toml("interventions/safety.toml")["flag"]}
    for row in read_toml("interventions/safety.toml")["contraindication"]:
        if row["flag"] not in flags:
            yield f"contraindication of {row['intervention']}: no flag {row['flag']!r}"
    yield from _codes_and_types()


def _codes_and_types() -> Iterator[str]:
    known = interventions()
    for (system, code), row in intervention_codes().items():
        if row["intervention_id"] and row["intervention_id"] not in known:
            yield f"{system} {code}: no intervention {row['intervention_id']!r}"
    for kind in exposure_types().values():
        for prefix in kind.prefixes:
            if not any(f"{name}.".startswith(f"{prefix}.") for name in known):
                yield f"exposure type {kind.id}: no intervention under {prefix!r}"


def _medications() -> Iterator[str]:
    classes = {row["id"] for row in read_toml("medications/classes.toml")["drug_class"]}
    for missing in classes - set(class_groups()):
        yield f"drug class {missing}: in no group"
    for version in factor_versions():
        for row in mme_factors(version):
            if row.drug not in drugs():
                yield f"factors {version}: no drug {row.drug!r}"
    for synonym in read_csv("medications/synonyms.csv"):
        if synonym["drug"] not in drugs():
            yield f"synonym {synonym['name']!r}: no drug {synonym['drug']!r}"


def _parts() -> Iterator[str]:
    known = {one.id for one in instruments()}
    topics = set(read_toml("outcome_definitions.toml")) | {"adherence"}
    groups = set(class_groups().values())
    for part in parts():
        lists = (
            ("intervention", part.interventions, set(interventions())),
            ("instrument", part.instruments, known),
            ("group of medications", part.medications, groups),
            ("definition", part.definitions, topics),
            ("type", part.types, set(TYPES)),
        )
        for what, names, allowed in lists:
            for name in names:
                if name not in allowed:
                    yield f"part {part.number}: no {what} {name!r}"
    for what, names in named_care().items():
        yield from (f"{what}: no {name!r}" for name in names if name not in interventions())
