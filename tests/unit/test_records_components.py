"""What was given in sessions, proposed from the sessions' own file, and files taken by columns."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from outcomes.records import Records, read_records
from outcomes.records.propose import Proposal, propose_mapping

CASES = "case_id,participant,area\n1,11,Lumbar\n2,12,Lumbar\n"
SCORES = "case_id,day,measure,score\n1,0,nprs,7\n2,0,nprs,5\n"


def proposed(folder: Path, visits: str, name: str = "visits", **more: str) -> Proposal:
    """Propose a mapping for two cases, their scores and this file of visits."""
    files = {"cases": CASES, "scores": SCORES, name: visits, **more}
    for stem, text in files.items():
        (folder / f"{stem}.csv").write_text(text)
    return propose_mapping(folder)


def read(folder: Path, proposal: Proposal) -> Records:
    """Records through a proposed mapping, in which nothing is at fault."""
    (folder / "mapping.toml").write_text(proposal.text)
    records = read_records(folder, folder / "mapping.toml")
    assert not [str(one) for one in records.problems if one.severity != "note"]
    return records


def tables(proposal: Proposal) -> dict[str, dict[str, Any]]:
    """The tables of a proposed mapping by their names."""
    return {table["table"]: table for table in tomllib.loads(proposal.text)["tables"]}


def given(records: Records) -> list[tuple[Any, ...]]:
    """Session, intervention and minutes of every component."""
    frame = records.frame(
        "SELECT s.source, intervention, coalesce(minutes, -1) FROM components AS c "
        "JOIN key_session_id AS s ON c.session_id = s.id ORDER BY ALL"
    )
    return list(frame.itertuples(index=False, name=None))


@pytest.mark.parametrize("column", ["therapy", "Intervention", "Treatment type", "Behandlung"])
def test_rows_that_say_what_was_given_become_components(column: str, tmp_path: Path) -> None:
    text = f"visit_id,case_id,day,{column},mins\n1,1,0,Massage,20\n2,2,0,exercise,30\n3,2,4,,\n"
    proposal = proposed(tmp_path, text)
    assert proposal.n_gaps == 0
    assert f"'{column}' says what was given in the sessions" in proposal.text
    assert not tables(proposal)["sessions"].get("distinct")
    records = read(tmp_path, proposal)
    assert dict(records.n_rows)["sessions"] == 3
    assert given(records) == [("1", "manual.massage", 20.0), ("2", "exercise", 30.0)]


@pytest.mark.parametrize("name", ["visits", "services"])
def test_several_rows_of_one_session_are_one_session(name: str, tmp_path: Path) -> None:
    text = "visit_id,case_id,day,therapy,mins\n1,1,0,TENS,20\n1,1,0,exercise,30\n2,2,0,TENS,10\n"
    proposal = proposed(tmp_path, text, name)
    assert tables(proposal)["sessions"]["distinct"] is True
    records = read(tmp_path, proposal)
    assert dict(records.n_rows)["sessions"] == 2
    assert [row[1] for row in given(records)] == ["exercise", "modality.tens", "modality.tens"]


def test_columns_that_say_what_was_given_become_components(tmp_path: Path) -> None:
    text = "visit_id;case_id;day;massage_min;Minutes exercise;TENS;room\n"
    text += "1;1;0;20;0;ja;4\n2;2;0;;30,5;nein;4\n3;2;4;0,0;999;;5\n"
    proposal = proposed(tmp_path, text)
    assert proposal.n_gaps == 0
    assert "'massage_min' most likely is the time spent on manual.massage" in proposal.text
    assert "'TENS' is ticked where modality.tens was given" in proposal.text
    assert given(read(tmp_path, proposal)) == [
        ("1", "manual.massage", 20.0), ("1", "modality.tens", -1.0), ("2", "exercise", 30.5),
    ]  # fmt: skip


def test_numbers_that_may_be_minutes_are_asked(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, "visit_id,case_id,day,massage\n1,1,0,20\n2,2,0,15\n")
    assert proposal.n_gaps == 1
    assert "# GAP: are the numbers in 'massage' minutes?" in proposal.text


def test_words_that_nobody_knows_are_asked_and_not_told(tmp_path: Path) -> None:
    text = "visit_id,case_id,day,therapy\n1,1,0,Zq7731\n2,2,0,Massage\n"
    proposal = proposed(tmp_path, text)
    assert proposal.n_gaps == 1
    assert "'therapy' holds 1 code that is not known" in proposal.text
    assert "'outcomes catalog interventions' lists" in proposal.text
    assert "Zq7731" not in proposal.text


def test_components_of_their_own_file_are_not_made_twice(tmp_path: Path) -> None:
    visits = "visit_id,case_id,day,therapy\n1,1,0,exercise\n2,2,0,exercise\n"
    done = "visit_id,procedure\n1,exercise\n2,exercise\n"
    proposal = proposed(tmp_path, visits, procedures=done)
    sources = {t["source"] for t in tomllib.loads(proposal.text)["tables"] if "comp" in t["table"]}
    assert sources == {"procedures.csv"}
    assert "therapy" in proposal.text.split("# Not taken from visits.csv")[1].split("[")[0]


def test_a_canonical_name_says_nothing_about_what_was_given(tmp_path: Path) -> None:
    (tmp_path / "episodes.csv").write_text("episode_id,patient_id\n1,1\n")
    (tmp_path / "assessments.csv").write_text("episode_id,day,instrument,score\n1,0,nprs,5\n")
    (tmp_path / "sessions.csv").write_text("session_id,episode_id,day,massage_min\n1,1,0,20\n")
    assert given(read(tmp_path, propose_mapping(tmp_path))) == [("1", "manual.massage", 20.0)]


def test_canonical_names_with_other_codes_are_mapped(tmp_path: Path) -> None:
    (tmp_path / "episodes.csv").write_text("episode_id,patient_id,leg_pain\n1,1,ja\n")
    (tmp_path / "assessments.csv").write_text("episode_id,day,instrument,score\n1,0,nprs,5\n")
    proposal = propose_mapping(tmp_path)
    assert read(tmp_path, proposal).frame("SELECT leg_pain FROM episodes").iloc[0, 0]


def test_a_file_is_taken_for_what_its_columns_are(tmp_path: Path) -> None:
    text = "case_id,day,nprs,pain_visits\n1,0,7,1\n2,0,6,2\n"
    (tmp_path / "cases.csv").write_text(CASES)
    (tmp_path / "pain_visits.csv").write_text(text)
    proposal = propose_mapping(tmp_path)
    assert proposal.n_gaps == 0
    assert "named like sessions, but its columns are those of assessments" in proposal.text
    assert dict(read(tmp_path, proposal).n_rows)["assessments"] == 2


def test_the_first_session_is_day_0_where_no_file_says_when_care_began(tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_text("Patient ID,Sex\n1,F\n2,M\n")
    (tmp_path / "therapy_sessions.csv").write_text(
        "Patient ID,Session No,Date,Therapy Type,Completed\n1,1,9/1/24,Massage,Y\n"
        "1,2,9/14/24,Massage,N\n2,1,9/20/24,exercise,Y\n"
    )
    (tmp_path / "scores.csv").write_text("Patient ID,Date,NPRS\n1,8/31/24,7\n2,10/4/24,3\n")
    proposal = propose_mapping(tmp_path)
    assert proposal.n_gaps == 0
    assert "# No file says when episodes began: the first of these is day 0." in proposal.text
    records = read(tmp_path, proposal)
    days = records.frame("SELECT day FROM sessions ORDER BY _row")["day"].tolist()
    assert days == [0, 13, 0]
    assert records.frame("SELECT day FROM assessments ORDER BY _row")["day"].tolist() == [-1, 14]
    assert [row[0] for row in given(records)] == ["1/1", "1/2", "2/1"]
