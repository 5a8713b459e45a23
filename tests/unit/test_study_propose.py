"""The first study: it can be read, fits the records, and never replaces a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from outcomes.core.errors import RecordsError, UsageError
from outcomes.records.contents import Contents
from outcomes.study.propose import write_proposal, write_study
from outcomes.study.proposed_text import Place, study_text
from outcomes.study.proposed_visits import propose_visits
from outcomes.study.spec import StudySpec, read_study
from outcomes.workflow import describe_proposal
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
    assert "exercise about 30, manual_therapy fewer than 15" in text
    assert study.population.body_regions == ("low_back",)
    assert [outcome.instrument for outcome in study.outcomes] == ["rmdq24"]
    assert [visit.label for visit in study.visits] == ["week_12"]
    assert study.records_path == (tmp_path / "records").resolve()
    assert "GAP: give the smallest difference" in text


def test_counts_are_rounded_and_say_so() -> None:
    contents = Contents(n_episodes=65, regions={"low_back": 63, "neck": 2})
    text = study_text("a", Place(records="x", mapping="y"), contents, {})
    assert "most episodes (about 65 of about 65); others: neck (fewer than 15)" in text
    assert "63" not in text


def test_what_else_could_be_the_reference_is_named_comparators_first(tmp_path: Path) -> None:
    records = larger(tmp_path)
    _, text = proposed(tmp_path, records)
    assert "# It could also be: manual_therapy." in text
    assert "# GAP: is" not in text
    (records / "components.csv").unlink()
    names = ["Gym", "Gym", "Back school", "GP only"]
    rows = "".join(f"E{k},P{k},low_back,{names[k % 4]}\n" for k in range(40))
    (records / "episodes.csv").write_text("episode_id,patient_id,body_region,program\n" + rows)
    (tmp_path / "my-study" / "mapping.toml").unlink()
    (tmp_path / "my-study" / "study.toml").unlink()
    study, text = proposed(tmp_path, records)
    assert study.exposure.reference == "gym"
    assert "# It could also be: gp_only, back_school." in text
    assert "# GAP: is gp_only what the others should be compared to?" in text


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


def visits_of(days: list[int], n_episodes: int) -> list[tuple[int, int, int]]:
    """Planned day and window of each proposed visit, in days from the start."""
    found = propose_visits(days, n_episodes)
    return [(one["day"] + 14, one["from_day"] + 14, one["to_day"] + 14) for one in found]


def test_visits_are_planned_where_the_scores_lie() -> None:
    six_weeks = [37 + k % 11 for k in range(170)]
    twelve_weeks = [79 + k % 11 for k in range(150)]
    found = visits_of([*six_weeks, *twelve_weeks, *[0] * 170, 700], 170)
    assert [day for day, _, _ in found] == [42, 84]
    (_, first, between), (_, after, last) = found
    assert first <= 32
    assert 47 < between < 79
    assert last >= 104
    assert after == between + 1
    labels = [visit["label"] for visit in propose_visits([*six_weeks, *twelve_weeks], 170)]
    assert labels == ["week_4", "week_10"]


def test_a_visit_says_its_day_on_both_clocks() -> None:
    (visit,) = propose_visits([37 + k % 11 for k in range(170)], 170)
    assert visit["why"].startswith("4 weeks after time zero, that is day 42 from the start")
    assert "about 170 scores lie in its window" in visit["why"]


def test_scores_that_lie_everywhere_keep_the_usual_windows() -> None:
    labels = [visit["label"] for visit in propose_visits(list(range(15, 300)), 285)]
    assert labels == ["week_6", "week_12", "week_26"]


def test_scores_that_fit_no_usual_visit_are_taken_all() -> None:
    (visit,) = propose_visits([15, 16, 17, 38, 39, 40], 100)
    assert visit["label"] == "follow_up"
    assert "GAP" in visit["why"]
    assert propose_visits([0, 7, 14], 3) == []


def test_the_primary_visit_is_the_one_nearest_to_twelve_weeks(tmp_path: Path) -> None:
    records = larger(tmp_path)
    text = (records / "assessments.csv").read_text()
    more = "".join(f"E{k},{day},rmdq24,4\n" for k in range(40) for day in (42, 190))
    (records / "assessments.csv").write_text(text + more)
    study, _ = proposed(tmp_path, records)
    assert [visit.label for visit in study.visits] == ["week_4", "week_12", "week_25"]
    assert study.primary.visit == "week_12"


def test_records_that_cannot_be_read_yet_are_a_gap(tmp_path: Path) -> None:
    records = write_example(tmp_path / "records", {"patients.csv": "MRN,phone\n1,x\n"})
    (records / "assessments.csv").write_text("episode_id,score\nE1,5\n")
    _, text = proposed(tmp_path, records)
    assert "GAP: the records could not be read through the mapping yet" in text
    assert f"outcomes init {tmp_path / 'my-study'} --records {records} --mapping" in text
    assert text.count("GAP") == 1
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


def test_a_study_is_drafted_anew_from_a_mended_mapping(tmp_path: Path) -> None:
    records = larger(tmp_path)
    text = (records / "assessments.csv").read_text().replace("rmdq24", "our_scale")
    (records / "assessments.csv").write_text(text)
    study, _ = proposed(tmp_path, records)
    assert "rmdq24" not in [outcome.instrument for outcome in study.outcomes]
    mapping = tmp_path / "my-study" / "mapping.toml"
    mended = (
        'schema = 1\n[[tables]]\nsource = "assessments.csv"\ntable = "assessments"\n'
        'pseudonymous = ["episode_id"]\n'
        '[tables.columns.instrument]\nfrom = "instrument"\nrecode = { our_scale = "rmdq24" }\n'
    )
    mapping.write_text(mended)
    (tmp_path / "my-study" / "study.toml").write_text("mine")
    (written,) = write_study(tmp_path / "my-study", records, mapping)
    again = read_study(written)
    assert [outcome.instrument for outcome in again.outcomes] == ["rmdq24"]
    assert again.mapping_path == mapping.resolve()
    assert mapping.read_text() == mended
    assert (tmp_path / "my-study" / "study.toml.bak").read_text() == "mine"
    write_study(tmp_path / "my-study", records, mapping)
    names = {path.name for path in (tmp_path / "my-study").iterdir()}
    assert names == {"mapping.toml", "study.toml", "study.toml.bak", "study.toml.bak2"}


def test_a_mapping_elsewhere_is_named_from_the_study(tmp_path: Path) -> None:
    records = write_example(tmp_path / "records")
    (tmp_path / "ours.toml").write_text("schema = 1\ntables = []\n")
    (written,) = write_study(tmp_path / "my-study", records, tmp_path / "ours.toml")
    assert read_study(written).mapping_path == (tmp_path / "ours.toml").resolve()


def test_a_mended_mapping_is_looked_at_again(tmp_path: Path) -> None:
    folder, records = tmp_path / "my-study", tmp_path / "records"
    records.mkdir()
    people = "".join(f"{k},{k // 2},{'FM'[k // 2 % 2]},lumbar,{20 + k}\n" for k in range(40))
    (records / "cases.csv").write_text("Case,Klient,Gender,Area,BMI\n" + people)
    scores = "".join(f"{k},{week},{20 + k}\n" for k in range(40) for week in (0, 6))
    (records / "scores.csv").write_text("Case,week,ODI\n" + scores)
    mapping, study = write_proposal(folder, records)
    assert "GAP: episodes.patient_id is required" in mapping.read_text()

    text = mapping.read_text().replace('["Case"]', '["Case", "Klient"]', 1)
    text = text.replace("body_region = {", 'patient_id = "Klient"\nbody_region = {')
    mapping.write_text(text.replace('bmi = "BMI"', "#"))
    files = write_study(folder, records, mapping)
    said = [line for line in study.read_text().splitlines() if line.startswith("#   cases.csv")]
    assert said == [
        '#   cases.csv, table episodes: bmi = "BMI"',
        '#   cases.csv, table patients: patient_id = "Klient", '
        'sex = { from = "Gender", recode = { F = "female", M = "male" }, other = "keep" }',
    ]
    assert "still stand in mapping.toml: take out those that are filled" in describe_proposal(files)

    mapping.write_text(text + MORE)
    write_study(folder, records, mapping)
    assert "could also take" not in study.read_text()


MORE = """
[[tables]]
source = "cases.csv"
table = "patients"
distinct = true

[tables.columns]
patient_id = "Klient"
sex = { from = "Gender", recode = { F = "female", M = "male" } }
"""


def test_records_that_a_mapping_does_not_fit_leave_the_study_alone(tmp_path: Path) -> None:
    records = write_example(tmp_path / "records", {"assessments.csv": None})
    folder = tmp_path / "my-study"
    folder.mkdir()
    (folder / "mapping.toml").write_text("schema = 1\ntables = []\n")
    (folder / "study.toml").write_text("mine")
    with pytest.raises(RecordsError, match="assessments"):
        write_study(folder, records, folder / "mapping.toml")
    assert {path.name: path.read_text() for path in folder.glob("*.toml*")}["study.toml"] == "mine"
    assert len(list(folder.iterdir())) == 2


def test_files_that_are_there_come_with_what_to_do(tmp_path: Path) -> None:
    records = write_example(tmp_path / "records")
    write_proposal(tmp_path / "study", records)
    with pytest.raises(UsageError, match=r"--mapping .*mapping\.toml .a study\.toml there is kept"):
        write_proposal(tmp_path / "study", records)
