"""study.toml: what it fills in, how it reads back, and that it says all its faults at once."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError

from outcomes.core.errors import ExitCode, SpecError
from outcomes.study.spec import StudySpec, read_study

MINIMAL = """\
id = "back-pain"
[records]
path = "records"
[exposure]
primary = "exercise"
[primary]
outcome = "pain"
visit = "week_12"
"""


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "study.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def faults(folder: Path, text: str | bytes) -> tuple[str, ...]:
    with pytest.raises(SpecError) as caught:
        read_study(written(folder, text))
    assert caught.value.exit_code is ExitCode.SPEC
    assert all(fault in str(caught.value) for fault in caught.value.faults)
    return caught.value.faults


def one_fault(folder: Path, text: str | bytes) -> str:
    found = faults(folder, text)
    assert len(found) == 1, found
    return found[0]


def test_a_short_file_is_a_whole_study(tmp_path: Path) -> None:
    study = read_study(written(tmp_path, MINIMAL))
    assert study.title == "Back pain"
    assert [visit.label for visit in study.visits] == ["week_6", "week_12", "week_26", "week_52"]
    assert [outcome.id for outcome in study.outcomes] == ["pain", "mobility", "medication"]
    assert study.primary.exposure == "exercise"
    assert study.primary.reference == "usual_care"
    assert study.time.window_days == 14
    assert study.records_path == tmp_path.resolve() / "records"
    assert study.mapping_path is None


def test_default_windows_neither_overlap_nor_leave_a_gap(tmp_path: Path) -> None:
    visits = read_study(written(tmp_path, MINIMAL)).visits
    for first, second in pairwise(visits):
        assert first.to_day is not None
        assert second.from_day == first.to_day + 1


def test_thresholds_for_one_person_come_from_the_catalog(tmp_path: Path) -> None:
    pain = read_study(written(tmp_path, MINIMAL)).outcome("pain")
    assert [r.threshold for r in pain.responders if r.threshold] == [2.0]
    assert [r.percent for r in pain.responders if r.percent] == [30.0]


def test_a_folder_stands_for_its_file(tmp_path: Path) -> None:
    assert read_study(tmp_path if written(tmp_path, MINIMAL) else "") == read_study(
        tmp_path / "study.toml"
    )


def test_it_reads_back_what_it_writes(tmp_path: Path) -> None:
    rich = MINIMAL + '[[visits]]\nlabel = "week_12"\nday = 84\n[[visits]]\nlabel = "discharge"\n'
    rich += 'event = "discharge"\n[[outcomes]]\nid = "pain"\nrole = "pain"\ninstrument = "nprs"\n'
    rich += 'margin = 0.5\nname = "Pain \\"now\\"\\u007f"\nresponders = [{ percent = 30 }]\n'
    study = read_study(written(tmp_path, rich))
    assert read_study(written(tmp_path, study.to_toml())) == study
    assert study.to_toml() == read_study(tmp_path).to_toml()


def test_the_hash_is_of_the_request_not_of_the_place(tmp_path: Path) -> None:
    study = read_study(written(tmp_path, MINIMAL))
    assert read_study(tmp_path, records="/elsewhere").spec_hash == study.spec_hash
    assert read_study(written(tmp_path, study.to_toml())).spec_hash == study.spec_hash
    other = read_study(written(tmp_path, MINIMAL + "[time]\nwindow_days = 13\n"))
    assert other.spec_hash != study.spec_hash


def test_it_cannot_be_changed(tmp_path: Path) -> None:
    study = read_study(written(tmp_path, MINIMAL))
    with pytest.raises(ValidationError, match="frozen"):
        study.time.window_days = 3  # type: ignore[misc]


def test_where_the_records_are(tmp_path: Path) -> None:
    text = MINIMAL.replace('path = "records"', 'path_env = "TRIAL"')
    path = written(tmp_path, text)
    assert read_study(path, environ={"TRIAL": "/data"}).records_path == Path("/data")
    assert read_study(path, records="/other", environ={"TRIAL": "/data"}).records_path == Path(
        "/other"
    )
    unset = MINIMAL.replace('path = "records"', "")
    assert "[records] path: is missing" in one_fault(tmp_path, unset)


def test_a_trial_starts_at_assignment(tmp_path: Path) -> None:
    trial = 'design = "randomised"\n' + MINIMAL
    study = read_study(written(tmp_path, trial))
    assert (study.time.window_days, study.time.sensitivity_windows) == (0, ())
    late = one_fault(tmp_path, trial + "[time]\nwindow_days = 14\n")
    assert "[time] window_days: is 14, but arms were assigned on day 0" in late


def test_event_visits_are_described_unless_asked_for(tmp_path: Path) -> None:
    visits = '[[visits]]\nlabel = "week_12"\nday = 84\n[[visits]]\nlabel = "discharge"\n'
    study = read_study(written(tmp_path, MINIMAL + visits + 'event = "discharge"\n'))
    assert [visit.label for visit in study.analysed_visits] == ["week_12"]
    assert [visit.label for visit in study.described_visits] == ["discharge"]
    assert (study.visits[0].from_day, study.visits[0].to_day) == (63, 105)


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    text = """\
id = "back-pain"
desing = "observational"
[records]
path = "records"
[disclosure]
profile = "public-data"
[population]
min_age = "18"
[exposure]
primary = "exercise"
share = 1.4
[[outcomes]]
id = "pain"
role = "pian"
instrument = "nprs"
[primary]
outcome = "pain"
visit = "week_13"
"""
    found = faults(tmp_path, text)
    expected = (
        "study.toml desing: is not known here. Did you mean 'design'?",
        "study.toml [disclosure] reason: is empty.",
        "study.toml [population] min_age: is '18'; it must be a number.",
        "study.toml [exposure] share: is 1.4; it must be less than 1.",
        "study.toml [[outcomes]] 1 (pain) role: is 'pian'. Did you mean 'pain'?",
        "study.toml [[outcomes]] 1 (pain) margin: is missing.",
        "study.toml [primary] visit: 'week_13' is not an analysed visit.",
    )
    assert len(found) == len(expected), found
    for start in expected:
        assert any(fault.startswith(start) for fault in found), start


OUTCOME = '[[outcomes]]\nid = "pain"\nrole = "pain"\ninstrument = "nprs"\nmargin = 0.5\n'
VISIT = '[[visits]]\nlabel = "week_12"\nday = 84\n'


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ('[exposure.programs]\na = "x"\n', "applies to source = 'program' only"),
        ("[time]\nbaseline_from_day = 20\n", "after time zero (day 14)"),
        ("[time]\nsensitivity_windows = [14]\n", "the window of the main analysis"),
        ("[time]\nwindow_days = 0\n", "needs a window"),
        ('[population]\nbody_regions = ["neck", "low_back"]\n', "pool_regions: is false"),
        ('[population]\nbody_regions = ["low_bak"]\n', "Did you mean 'low_back'?"),
        ("[population]\nmin_age = 70\nmax_age = 60\n", "min_age: is 70, above max_age 60"),
        ("[disclosure]\nthreshold = 5\n", "hides every count from 1 to 10"),
        ('[model]\ncovariates = ["age", "agee"]\n', "Did you mean 'age'"),
        ('[model]\ncovariates = ["end_day"]\n', "'end_day' is not a column"),
        ('[model]\ncovariates = ["baseline"]\n', "always in the model"),
        ('[model]\ncovariates = ["age", "age"]\n', "'age' is used 2 times"),
        ('[model]\ncovariance = "unstructured"\n', "Use one of 'us', 'cs'"),
        (VISIT + '[[visits]]\nlabel = "late"\nday = 90\n', "before that of week_12 ends"),
        (VISIT + VISIT.replace("84", "300"), "'week_12' is used 2 times"),
        (VISIT + '[[visits]]\nlabel = "baseline"\nday = 300\n', "kept for time zero"),
        (VISIT + '[[visits]]\nlabel = "x"\nday = 300\nfrom_day = 310\n', "lies outside"),
        (VISIT + '[[visits]]\nlabel = "x"\n', "day: is missing"),
        (VISIT + '[[visits]]\nlabel = "x"\nday = 300\nevent = "discharge"\n', "no day of its own"),
        (OUTCOME.replace('"nprs"', '"nprz"'), "Did you mean 'nprs'"),
        (OUTCOME.replace("0.5", "0"), "margin: is 0; it must be more than 0"),
        (OUTCOME.replace("0.5", "10"), "nprs runs from 0 to 10"),
        (OUTCOME + "responders = [{ threshold = 11 }]\n", "responders threshold: is 11"),
        (OUTCOME + "responders = [{ threshold = 2, percent = 30 }]\n", "exactly one"),
        (OUTCOME + "responders = [{ percent = 130 }]\n", "1 (pain) responders 1 percent: is 130"),
        (OUTCOME + 'visits = ["week_6"]\n', "'pain' is not planned at 'week_12'"),
        (OUTCOME + 'visits = ["week_12", "week_7"]\n', "'week_7' is not a visit"),
        (OUTCOME + OUTCOME, "'pain' is used 2 times"),
        (OUTCOME + OUTCOME.replace('"pain"\nrole', '"visit"\nrole'), "a column of its own"),
        (OUTCOME + '[[described]]\ninstrument = "rmdk"\n', "[[described]] 1 (rmdk) instrument"),
        ('[[outcomes]]\nid = "pain"\nrole = "pain"\nmargin = 1\n', "A score needs its instrument"),
        (OUTCOME + 'measure = "daily_mme"\n', "does not apply to measure 'daily_mme'"),
    ],
)
def test_each_disagreement_has_its_place_and_remedy(
    tmp_path: Path, more: str, expected: str
) -> None:
    assert expected in one_fault(tmp_path, MINIMAL + more)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('primary = "exercise"', 'primary = "exercize"', "Did you mean 'exercise'?"),
        ('primary = "exercise"', 'primary = "usual_care"', "primary: is the reference"),
        ('primary = "exercise"', 'primary = "manual_therapy+exercis"', "Did you mean 'exercise'?"),
        ('outcome = "pain"', 'outcome = "paim"', "Did you mean 'pain'?"),
        ('visit = "week_12"', 'visit = "week_12"\nexposure = "modalities"', "Say it once"),
        ('id = "back-pain"', 'id = "Back pain!"', "id: is 'Back pain!'"),
        ('id = "back-pain"', "", "id: is missing"),
        ("[exposure]\n", "[exposure]\nshare = true\n", "share: is true; it must be a number"),
    ],
)
def test_changes_that_do_not_hold(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert any(expected in fault for fault in faults(tmp_path, MINIMAL.replace(old, new)))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'id = "a\n', "is not valid TOML"),
        (MINIMAL.encode("utf-16"), "line 1 is not UTF-8"),
        (b'id = "a"\ntitle = "R\xfcckenschmerz"\n', "line 2 is not UTF-8"),
        (b'id = "a\x00"\n', "NUL"),
        (b"", "id: is missing"),
        (b'outcomes = "pain"\nvisits = 3\nexposure = []\ntime = 1\n', "[time]"),
    ],
)
def test_files_that_are_no_study(tmp_path: Path, content: bytes, expected: str) -> None:
    assert any(expected in fault for fault in faults(tmp_path, content))


def test_a_missing_file_is_said_by_name_only(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^study\.toml: cannot be read") as caught:
        read_study(tmp_path / "nowhere" / "study.toml")
    assert "nowhere" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("nope", "nope: cannot be read: it does not exist.*'outcomes init FOLDER"),
        (
            "empty",
            "study.toml: cannot be read: it is not in the folder 'empty'.*'outcomes init FOLDER",
        ),
        ("exports", "'exports', which holds records.*'outcomes init FOLDER --records EXPORTS'"),
        ("exports/scores.csv", "scores.csv: is a file of records, not a study.*'outcomes init"),
        ("results", "'results', which holds results. Give the folder of the study"),
    ],
)
def test_a_path_to_no_study_comes_with_what_to_do(
    given: str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "scores.csv").write_text("id,secret_4711\n1,2\n")
    (tmp_path / "results" / "release").mkdir(parents=True)
    with pytest.raises(SpecError, match=expected) as caught:
        read_study(tmp_path / given)
    assert "4711" not in str(caught.value)


def test_the_editors_mark_and_line_ends_do_no_harm(tmp_path: Path) -> None:
    plain = read_study(written(tmp_path, MINIMAL))
    odd = b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode()
    assert read_study(written(tmp_path, odd)) == plain


def test_a_specification_made_in_python_is_held_to_the_same_rules() -> None:
    made = StudySpec(
        id="s",
        records={"path": "x"},
        exposure={"primary": "exercise"},
        primary={"outcome": "pain", "visit": "week_12"},
    )
    assert made.primary.reference == "usual_care"
    with pytest.raises(ValidationError, match="is not an analysed visit"):
        StudySpec(
            id="s",
            records={"path": "x"},
            exposure={"primary": "exercise"},
            primary={"outcome": "pain", "visit": "week_1"},
        )


def test_the_reference_page_gives_the_defaults_that_are_filled_in(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/reference/study-toml.md").read_text()
    said = re.sub(r"\s+", " ", page)
    study = read_study(written(tmp_path, MINIMAL))
    visits = [
        f"`{visit.label}` (day {visit.day}, {visit.from_day} to {visit.to_day})"
        for visit in study.visits
    ]
    assert f"Where no visit is given: {', '.join(visits[:-1])} and {visits[-1]}." in said.replace(
        "window ", ""
    )
    outcomes = [
        f"`{one.id}` (`{one.instrument or one.measure}`, margin {one.margin:g})"
        for one in study.outcomes
    ]
    assert f"Where no outcome is given: {', '.join(outcomes[:-1])} and {outcomes[-1]}." in said
