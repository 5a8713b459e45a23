"""Every part of care on the list is in the catalog, the schema, the records and the tables."""

from __future__ import annotations

from pathlib import Path

import pytest

import outcomes
from docs.generate import ROOT
from outcomes.catalog.interventions import ancestors, intervention_ids
from outcomes.catalog.medications import drug_groups
from outcomes.catalog.parts import Part, named_care, parts
from outcomes.records import Records
from outcomes.records.schema import EVENT_KINDS, TABLES
from outcomes.results.tables import TABLES as RESULT_TABLES

DATA: Path = ROOT / "data" / "synthetic"


@pytest.fixture(scope="module")
def records() -> Records:
    return outcomes.read_records(DATA)


@pytest.fixture(scope="module")
def delivered(records: Records) -> set[str]:
    """Return interventions in the records, with the groups they belong to."""
    found: set[str] = set()
    for table in ("components", "home_log", "care_plans"):
        found |= set(records.frame(f"select distinct intervention as i from {table}")["i"])
    return found | {parent for name in found for parent in ancestors(name)}


@pytest.mark.parametrize("part", parts(), ids=lambda part: str(part.number))
def test_part_is_in_the_schema(part: Part) -> None:
    for column in part.columns:
        table, name = column.split(".")
        assert name in TABLES[table]
    assert set(part.event_kinds) <= set(EVENT_KINDS)
    assert set(part.tables) <= set(RESULT_TABLES)


@pytest.mark.parametrize("part", parts(), ids=lambda part: str(part.number))
def test_part_is_in_the_synthetic_records(
    part: Part, records: Records, delivered: set[str]
) -> None:
    assert set(part.interventions) <= delivered
    scored = {
        name
        for table in ("assessments", "items")
        for name in records.frame(f"select distinct instrument as i from {table}")["i"]
    }
    assert set(part.instruments) <= scored
    assert set(part.event_kinds) <= set(records.frame("select distinct kind as k from events")["k"])
    drugs = records.frame("select distinct drug as d from medications")["d"]
    assert set(part.medications) <= {group for name in drugs for group in drug_groups(name)}
    for column in part.columns:
        assert records.has(*column.split(".")), column


def test_named_care_is_in_catalog_and_records(delivered: set[str]) -> None:
    named = {name for names in named_care().values() for name in names}
    assert named <= set(intervention_ids())
    assert named <= delivered


def test_the_list_counts_what_it_should() -> None:
    counts = {kind: len(names) for kind, names in named_care().items()}
    assert counts["exercise_forms"] == 13
    assert counts["manual_and_passive"] == 6
    assert counts["training"] == 2
    assert counts["education_topics"] == 3
