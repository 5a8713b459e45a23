"""The first study: it can be read, fits the records, and never replaces a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from outcomes.core.errors import UsageError
from outcomes.study.propose import write_proposal
from outcomes.study.spec import StudySpec, read_study
from tests.records_example import write_example


def proposed(tmp_path: Path, records: Path) -> tuple[StudySpec, str]:
    """The study that is proposed, and its text."""
    mapping, study = write_proposal(tmp_path / "my-study", records)
    assert mapping.name == "mapping.toml"
    return read_study(study), study.read_text()


def larger(tmp_path: Path) -> Path:
    """Forty episodes, three quarters of them with exercise."""
    ids = range(40)
    episodes = "".join(f"E{k},P{k},low_back\n" for k in ids)
    sessions = "".join(f"S{k},E{k},0\n" for k in ids)
    kinds = ["exercise.strength"] * 3 + ["manual.mobilisation"]
    components = "".join(f"S{k},{kinds[k % 4]},30\n" for k in ids)
    scores = "".join(f"E{k},{day},rmdq24,{5 + k % 9}\n" for k in ids for day in (0, 98))
    return write_example(
        tmp_path / "records",
        {
            "patients.csv": None, "clinics.csv": None, "medications.csv": None,
            "episodes.csv": "episode_id,patient_id,body_region\n" + episodes,
            "sessions.csv": "session_id,episode_id,day\n" + sessions,
            "components.csv": "session_id,intervention,minutes\n" + components,
            "assessments.csv": "episode_id,day,instrument,score\n" + scores,
        },
    )  # fmt: skip


def test_the_commonest_type_is_the_reference(tmp_path: Path) -> None:
    study, text = proposed(tmp_path, larger(tmp_path))
    assert (study.exposure.reference, study.exposure.primary) == ("exercise", "manual_therapy")
    assert "exercise 30, manual_therapy fewer than 11" in text
    assert study.population.body_regions == ("low_back",)
    assert [outcome.instrument for outcome in study.outcomes] == ["rmdq24"]
    assert [visit.label for visit in study.visits] == ["week_12"]
    assert study.records_path == (tmp_path / "records").resolve()
    assert "GAP: give the smallest difference" in text


def test_programs_stand_in_for_components(tmp_path: Path) -> None:
    records = larger(tmp_path)
    (records / "components.csv").unlink()
    rows = "".join(f"E{k},P{k},low_back,{'Arm A' if k % 3 else '2'}\n" for k in range(40))
    header = "episode_id,patient_id,body_region,program\n"
    (records / "episodes.csv").write_text(header + rows)
    study, _ = proposed(tmp_path, records)
    assert study.exposure.source == "program"
    assert dict(study.exposure.programs) == {"arm a": "arm_a", "2": "program_2"}
    assert (study.exposure.reference, study.exposure.primary) == ("arm_a", "program_2")


def test_a_visit_is_made_where_no_usual_one_fits(tmp_path: Path) -> None:
    records = larger(tmp_path)
    text = (records / "assessments.csv").read_text().replace(",98,", ",30,")
    (records / "assessments.csv").write_text(text)
    study, _ = proposed(tmp_path, records)
    assert [(visit.label, visit.day) for visit in study.visits] == [("follow_up", 16)]
    assert study.primary.visit == "follow_up"


def test_records_that_cannot_be_read_yet_are_a_gap(tmp_path: Path) -> None:
    records = write_example(tmp_path / "records", {"patients.csv": "MRN,phone\n1,x\n"})
    (records / "assessments.csv").write_text("episode_id,score\nE1,5\n")
    _, text = proposed(tmp_path, records)
    assert "GAP: the records could not be read yet" in text
    mapping = (tmp_path / "my-study" / "mapping.toml").read_text()
    assert "cannot be read through this mapping yet" in mapping


@pytest.mark.parametrize("name", ["mapping.toml", "study.toml"])
def test_files_that_are_there_are_left_alone(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / name).write_text("mine")
    with pytest.raises(UsageError, match=name):
        write_proposal(folder, write_example(tmp_path / "records"))
    assert [path.name for path in folder.iterdir()] == [name]
    assert (folder / name).read_text() == "mine"


def test_nothing_to_look_at_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        write_proposal(tmp_path / "study", tmp_path / "nowhere")
    assert not (tmp_path / "study").exists()
