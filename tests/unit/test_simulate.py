"""Synthetic records: believable, readable, the same bytes again, and true to their truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import outcomes
from outcomes.core.provenance import hash_file
from outcomes.records import Records
from outcomes.records.schema import EVENT_KINDS, TABLES
from outcomes.simulate import make_records, write_records
from outcomes.simulate.files import are_synthetic
from outcomes.simulate.planted import TYPES, USUAL_CARE, VISITS
from outcomes.study.dataset import StudyDataset, build_dataset
from outcomes.workflow.demo import demo_study

pytestmark = pytest.mark.slow

EPISODES = 1200
SEED = 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_records(tmp_path_factory.mktemp("made") / "tidy", episodes=EPISODES, seed=SEED)


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made") / "messy"
    return write_records(place, episodes=EPISODES, seed=SEED, messy=True)


@pytest.fixture(scope="module")
def tidy(folder: Path) -> Records:
    """The records as they are read; no test changes them."""
    return outcomes.read_records(folder)


@pytest.fixture(scope="module")
def dataset(folder: Path, tidy: Records) -> StudyDataset:
    return build_dataset(tidy, demo_study(folder))


def test_same_seed_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = write_records(tmp_path / "again", episodes=EPISODES, seed=SEED)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert all(hash_file(folder / name) == hash_file(again / name) for name in names)


def test_another_seed_is_another_world() -> None:
    first, second = (make_records(200, seed)[0]["episodes"] for seed in (1, 2))
    assert not first.equals(second)


def test_the_manifest_names_what_is_there(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["seed"] == SEED
    assert manifest["rows"]["episodes"] == EPISODES
    assert set(manifest["rows"]) == set(TABLES)
    for name, digest in manifest["sha256"].items():
        assert hash_file(folder / name) == digest
    assert manifest["planted"]["pain"]["usual_care"] == [0.0] * len(VISITS)


def test_synthetic_records_are_known_as_such(folder: Path, tmp_path: Path) -> None:
    assert are_synthetic(folder)
    assert not are_synthetic(tmp_path)
    (tmp_path / "manifest.json").write_text('{"what": "an export of a clinic"}')
    assert not are_synthetic(tmp_path)
    (tmp_path / "manifest.json").write_text("not json")
    assert not are_synthetic(tmp_path)


def test_the_dictionary_names_every_column(folder: Path) -> None:
    text = (folder / "dictionary.md").read_text()
    for name, found in make_records(50, SEED)[0].items():
        assert f"## {name}" in text
        assert all(f"| `{column}` |" in text for column in found.column_names)


def test_records_are_read_without_a_fault(tidy: Records) -> None:
    grave = [str(one) for one in tidy.problems if one.severity in ("fatal", "error")]
    assert grave == []
    assert tidy.n_rows["episodes"] == EPISODES
    assert set(tidy.n_quarantined.values()) == {0}


def test_csv_holds_the_same(tidy: Records, tmp_path: Path) -> None:
    write_records(tmp_path / "csv", episodes=EPISODES, seed=SEED, format="csv")
    other = outcomes.read_records(tmp_path / "csv")
    assert tidy.n_rows == other.n_rows
    query = "select sum(score) as total, count(score) as n from assessments"
    pd.testing.assert_frame_equal(tidy.frame(query), other.frame(query))


def test_messy_records_come_back_through_their_mapping(tidy: Records, messy: Path) -> None:
    records = outcomes.read_records(messy, messy / "mapping.toml")
    for table in ("patients", "episodes", "sessions", "components", "medications", "events"):
        assert records.n_rows[table] == tidy.n_rows[table]
    rules = {(one.table, one.rule) for one in records.problems if one.severity == "error"}
    assert ("assessments", "range") in {
        (table, rule.split("_")[0]) for table, rule in rules
    } or any(table == "assessments" for table, _ in rules)
    days = "select sum(end_day) as e, sum(patient_day) as p from episodes"
    start = "select count(*) as n from episodes where patient_day = 0"
    assert records.frame(days)["e"].item() == tidy.frame(days)["e"].item()
    assert records.frame(start)["n"].item() == tidy.frame(start)["n"].item()


def test_every_kind_of_event_happens(tidy: Records) -> None:
    kinds = tidy.frame("select distinct kind from events")["kind"]
    rare = {"serious_adverse_event"}
    assert set(EVENT_KINDS) - rare <= set(kinds)


def test_types_are_what_the_study_finds(folder: Path, tidy: Records, dataset: StudyDataset) -> None:
    sources = tidy.frame("key_episode_id").set_index("id")["source"]
    truth = pd.read_parquet(folder / "truth" / "potential_outcomes.parquet")
    meant = truth.drop_duplicates("episode_id").set_index("episode_id")["type"]
    found = dataset.episodes["exposure"]
    same = found.to_numpy() == meant[sources[dataset.episodes["episode_id"]]].to_numpy()
    assert same.mean() > 0.99
    assert set(dataset.exposures) == set(TYPES)


def test_recorded_values_are_the_potential_ones(
    folder: Path, tidy: Records, dataset: StudyDataset
) -> None:
    sources = tidy.frame("key_episode_id").set_index("id")["source"]
    truth = pd.read_parquet(folder / "truth" / "potential_outcomes.parquet")
    truth["had"] = np.select(
        [truth["type"] == name for name in TYPES], [truth[f"if_{name}"] for name in TYPES]
    )
    wide = truth.pivot_table(index=["episode_id", "visit"], columns="outcome", values="had")
    rows = dataset.visit_rows[dataset.visit_rows["visit"].isin(list(VISITS))]
    keys = pd.MultiIndex.from_arrays([rows["episode_id"].map(sources), rows["visit"]])
    for outcome in ("pain", "mobility", "medication"):
        seen = rows[outcome].to_numpy(dtype=np.float64)
        meant = wide[outcome].reindex(keys).to_numpy()
        known = ~np.isnan(seen)
        assert known.mean() > 0.5
        np.testing.assert_allclose(seen[known], meant[known], atol=1e-6)


def test_effects_are_planted_where_they_should_be() -> None:
    _, truth, _ = make_records(4000, SEED)
    pain = truth["pain"].mean(axis=0)
    gain = pain[USUAL_CARE] - pain
    assert gain[TYPES.index("manual_therapy+exercise"), 1] == pytest.approx(1.0, abs=0.05)
    assert gain[TYPES.index("modalities"), 3] == pytest.approx(0.0, abs=1e-12)
    assert (truth["medication"] >= 0).all()


@pytest.mark.slow
def test_the_small_records_are_what_the_generator_makes() -> None:
    """Who changes the generator makes ``data/synthetic`` again."""
    folder = Path(__file__).parents[2] / "data" / "synthetic"
    manifest = json.loads((folder / "manifest.json").read_text())
    tables = make_records(manifest["episodes"], manifest["seed"])[0]
    for name, table in tables.items():
        kept = pd.read_parquet(folder / f"{name}.parquet")
        pd.testing.assert_frame_equal(kept, table.to_pandas(), check_dtype=False)
