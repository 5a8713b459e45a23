"""The catalog is whole, quick to read, and says what the sources say."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from pathlib import Path

import pytest

from outcomes.catalog import facts
from outcomes.catalog.check import check_catalog
from outcomes.catalog.definitions import definition_topics, definitions_of, visit_windows
from outcomes.catalog.instruments import instrument, instrument_ids, instruments
from outcomes.catalog.interventions import (
    contraindications,
    doses,
    exposure_types,
    harms,
    intervention,
    intervention_codes,
    intervention_type,
    intervention_types,
    interventions,
    is_active,
    top_group,
    type_label,
)
from outcomes.catalog.medications import drugs, factor_versions, group_labels, mme_factors
from outcomes.catalog.parts import named_care, parts
from outcomes.core.errors import UsageError
from outcomes.records.schema import EVENT_KINDS, TABLES
from outcomes.results.tables import TABLES as RESULT_TABLES

DATA = Path(facts.__file__).parent / "data"
WANTED = (
    "nprs", "nprs_leg", "odi", "rmdq24", "promis_pf_4a", "tug", "chair_stand_30s", "eq_vas",
    "eq5d_5l", "eq5d_3l", "psfs", "pseq", "phq_9", "phq_2", "gad_7", "nih_impact",
    "six_minute_walk", "single_leg_stance", "bpi_sf", "tsk_11", "finger_to_floor",
    "promis_sleep_disturbance_4a", "weight", "bmi", "movement_control", "activity_minutes",
)  # fmt: skip


def test_no_gap_or_contradiction() -> None:
    assert check_catalog() == []


def test_a_gap_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = dict(facts.read_toml("interventions/taxonomy.toml"))
    broken = {**whole, "intervention": [{**whole["intervention"][0], "source": "nobody2099"}]}
    read = facts.read_toml
    monkeypatch.setattr(
        "outcomes.catalog.check.read_toml",
        lambda name: broken if name.endswith("taxonomy.toml") else read(name),
    )
    assert any("nobody2099" in gap for gap in check_catalog())


def test_what_must_be_there() -> None:
    assert set(WANTED) <= set(instrument_ids())
    assert len(instrument_ids()) == 73
    assert len(interventions()) == 106
    assert len(intervention_codes()) == 142
    assert len(factor_versions()) == 15
    assert len(parts()) == 60


def test_reading_is_quick() -> None:
    facts.read_toml.cache_clear()
    instrument.cache_clear()
    start = time.perf_counter()
    instrument("odi")
    interventions()
    drugs()
    assert time.perf_counter() - start < 0.5


def test_known_facts() -> None:
    odi = instrument("Oswestry")
    assert (odi.direction, odi.score_max, odi.label) == (-1, 100, "ODI")
    values = {
        (t.value, t.unit) for t in odi.thresholds if t.kind == "mcid" and t.source == "ostelo2008"
    }
    assert values == {(10.0, "points"), (30.0, "percent of baseline")}
    assert instrument("psfs").direction == 1
    factors = {row.drug: row.factor for row in mme_factors("cdc-2022")}
    assert (factors["tramadol"], factors["hydromorphone"], factors["methadone"]) == (0.2, 5.0, 4.7)
    assert factors["buprenorphine"] is None


def test_defaults_come_from_published_thresholds() -> None:
    for one in instruments():
        if one.responder is None:
            continue
        values = {t.value for t in one.thresholds if t.is_change and not t.is_percent}
        halves = {2 * value for value in values}  # NDI is published on 0-50 and scored as percent
        close = any(abs(one.responder.mcid - value) <= 1.0 for value in values | halves)
        assert close, one.id


def test_memory_is_marked_and_nothing_is_reviewed_yet() -> None:
    assert not any(one.review.done for one in instruments())
    assert {one.confidence for one in instruments()} == {"verified", "memory"}
    assert facts.source("memory").seen == "memory"


def test_unknown_ids_suggest_near_ones() -> None:
    with pytest.raises(UsageError, match="odi"):
        instrument("odii")
    with pytest.raises(UsageError, match=r"manual\.massage"):
        intervention("manual.masage")
    with pytest.raises(UsageError, match="work"):
        instrument("fabq.wrok")
    with pytest.raises(UsageError, match="recovery"):
        definitions_of("recoverry")


def test_exposure_types() -> None:
    assert list(exposure_types())[:4] == [
        "exercise",
        "manual_therapy",
        "modalities",
        "education_posture",
    ]
    assert set(intervention_types()) >= set(interventions())
    expected = {
        "form.plank": "exercise",
        "exercise.yoga": "exercise",
        "care.home_program": "exercise",
        "manual.massage": "manual_therapy",
        "modality.tens": "modalities",
        "needle.dry_needling": "modalities",
        "training.ergonomics.sleep": "education_posture",
        "equipment.chair": "education_posture",
        "psych.prt": "psychological",
        "care.usual": "usual_care",
        "care.multidisciplinary": "combined",
        "nothing.known": None,
    }
    assert {name: intervention_type(name) for name in expected} == expected
    assert type_label("manual_therapy+exercise") == "Manual therapy + exercise"
    assert type_label("exercise+modalities") == "Exercise + TENS and other modalities"


def test_inheritance() -> None:
    assert top_group("form.plank") == "exercise"
    assert is_active("exercise.balance")
    assert not is_active("manual.massage")
    assert contraindications("modality.tens")
    assert harms("manual.massage")
    assert doses("form.plank") == doses("exercise.strength.core") or doses("form.plank")


def test_windows_do_not_overlap() -> None:
    windows = visit_windows()
    assert all(window.from_day <= window.day <= window.to_day for window in windows)
    assert all(one.to_day < other.from_day for one, other in pairwise(windows))


def test_parts_point_at_what_exists() -> None:
    for part in parts():
        for column in part.columns:
            table, _, name = column.partition(".")
            assert name in TABLES[table], (part.number, column)
        assert set(part.event_kinds) <= set(EVENT_KINDS), part.number
        assert set(part.tables) <= set(RESULT_TABLES), part.number
        assert set(part.medications) <= set(group_labels()), part.number
        assert part.representation
        if set(part.types) & {"I", "O", "S"}:
            assert part.tables, part.number
    assert [part.number for part in parts()] == list(range(1, 61))


def test_named_care_is_counted() -> None:
    counts = {name: len(ids) for name, ids in named_care().items()}
    assert counts == {
        "exercise_forms": 13,
        "manual_and_passive": 6,
        "training": 2,
        "education_topics": 3,
        "equipment": 3,
    }


def test_definitions_have_topics() -> None:
    assert {"recurrence", "recovery", "responder", "red_flag", "flare", "trigger"} <= set(
        definition_topics()
    )
    assert definitions_of("flare")[0]["source"] == "costa2019flare"


def test_no_item_texts_and_no_private_remarks() -> None:
    for path in DATA.rglob("*.toml"):
        text = path.read_text("utf-8")
        assert not re.search(r"this session|stored (copy|page|file|source)|file id", text), (
            path.name
        )
        assert not re.search(r"\bI (am|feel|can|have|need|avoid|stay)\b", text), path.name


def test_defined_daily_doses_stay_apart() -> None:
    folder = DATA / "medications" / "ddd"
    assert sorted(path.name for path in folder.iterdir()) == ["NOTICE", "ddd.csv"]
    others = [path for path in DATA.rglob("*.csv") if path.parent != folder]
    assert not any("ddd" in path.read_text("utf-8").splitlines()[0] for path in others)
