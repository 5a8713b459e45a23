"""Broken records: each ends in the right error or problem, placed, with a remedy and no value."""

from __future__ import annotations

from pathlib import Path

import pytest

from outcomes.core.errors import ExitCode, RecordsError, SpecError, UsageError
from outcomes.records import Records, problems_table, read_records
from tests.records_example import ASSESSED_ROWS, write_example
from tests.spec.broken import CANARY, Broken
from tests.spec.broken_care import CARE
from tests.spec.broken_files import FILES
from tests.spec.broken_people import MAPPINGS, PEOPLE
from tests.spec.broken_scores import SCORES

CASES = (*FILES, *SCORES, *CARE, *PEOPLE, *MAPPINGS)


def read(case: Broken, folder: Path) -> Records | RecordsError:
    """Make the case and read it."""
    write_example(folder / "records", case.files)
    if case.arrange is not None:
        case.arrange(folder / "records")
    plan = None
    if case.mapping:
        plan = folder / "mapping.toml"
        plan.write_text(case.mapping)
    try:
        return read_records(folder / "records", plan)
    except RecordsError as error:
        return error


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_broken_input_is_named_and_placed(case: Broken, tmp_path: Path) -> None:
    answer = read(case, tmp_path)
    problems = answer.problems
    found = [
        problem
        for problem in problems
        if (problem.severity, problem.rule, problem.table) == (case.severity, case.rule, case.table)
        and case.column in ("", problem.column)
    ]
    assert found, [str(problem) for problem in problems]
    assert len(found) == 1
    assert not case.rows or found[0].rows == case.rows
    assert found[0].count == len(case.rows) or not case.rows
    assert found[0].message
    assert found[0].remedy.endswith((".", "?"))
    everything = "".join(f"{problem!s}{problem!r}" for problem in problems)
    everything += problems_table(problems).to_csv()
    if isinstance(answer, RecordsError):
        everything += f"{answer!s}{answer!r}"
    assert CANARY.lower() not in everything.lower()
    if case.kept is None:
        assert isinstance(answer, RecordsError)
        assert answer.exit_code is ExitCode.RECORDS
    else:
        assert isinstance(answer, Records)
        assert answer.n_rows["assessments"] == case.kept
    fatal = any(problem.severity == "fatal" for problem in problems)
    assert fatal == isinstance(answer, RecordsError)


def test_there_are_enough_cases_and_each_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 70


def test_the_example_itself_has_no_fault(tmp_path: Path) -> None:
    records = read_records(write_example(tmp_path))
    assert [str(problem) for problem in records.problems] == []
    assert records.n_rows["assessments"] == ASSESSED_ROWS
    assert not any(records.n_quarantined.values())


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    changes = {
        "patients.csv": "patient_id,phone\nP1,x\n",
        "assessments.csv": "episode_id,day,instrument\nE1,0,nprs\n",
        "episodes.csv": None,
    }
    with pytest.raises(RecordsError) as caught:
        read_records(write_example(tmp_path, changes))
    rules = {(problem.rule, problem.table) for problem in caught.value.problems}
    assert {("identifier", "patients"), ("missing_column", "assessments")} <= rules
    assert ("missing_table", "episodes") in rules


def test_nothing_at_the_path_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_records(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe\x00",
        b"tables = [",
        b'[[tables]]\nsource = "a.csv"\ntable = "people"\n',
        b'[[tables]]\nsource = "a.csv"\ntable = "episodes"\n[tables.columns]\nnaem = "x"\n',
        b'[[tables]]\nsource = "a.csv"\ntable = "episodes"\nsql = "DROP TABLE x"\n',
        b'schema = 2\n[[tables]]\nsource = "a.csv"\ntable = "episodes"\n',
    ],
    ids=["bytes", "syntax", "table", "column", "key", "version"],
)
def test_a_mapping_that_cannot_be_read_is_a_fault_of_the_request(
    text: bytes, tmp_path: Path
) -> None:
    (tmp_path / "mapping.toml").write_bytes(text)
    with pytest.raises(SpecError) as caught:
        read_records(write_example(tmp_path / "records"), tmp_path / "mapping.toml")
    assert caught.value.exit_code is ExitCode.SPEC


def test_a_mapping_that_is_not_there_is_a_fault_of_the_request(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        read_records(write_example(tmp_path / "records"), tmp_path / "nowhere.toml")


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "records.duckdb").write_bytes(b"not a database " * 9)
    with pytest.raises(RecordsError) as caught:
        read_records(tmp_path / "records.duckdb")
    assert "unreadable" in [problem.rule for problem in caught.value.problems]


def test_names_are_never_run_as_sql(tmp_path: Path) -> None:
    hostile = 'score"; DROP TABLE rows_episodes; --'
    quoted = hostile.replace('"', '""')
    text = f'episode_id,day,instrument,"{quoted}"\nE1,0,nprs,7\nE1,42,nprs,4\n'
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        '[sources."assessments.csv"]\npseudonymous = ["episode_id"]\n'
        '[[tables]]\nsource = "assessments.csv"\ntable = "assessments"\n'
        f"[tables.columns]\nscore = '{hostile}'\n"
        'instrument = { from = "instrument", recode = '
        '{ nprs = "x\'); DROP TABLE rows_episodes;" } }\n'
    )
    records = read_records(write_example(tmp_path / "records", {"assessments.csv": text}), mapping)
    assert records.n_rows["episodes"] == 4
    assert records.frame("FROM assessments ORDER BY _row")["score"].tolist() == [7.0, 4.0]


def test_a_mixed_up_file_is_still_read(tmp_path: Path) -> None:
    text = "﻿Episode ID;Day;Instrument;Score\r\nE1;0;NPRS;7,5\nE1;42;nprs;4\r\n;;;\r\n"
    records = read_records(write_example(tmp_path, {"assessments.csv": text}))
    assert records.frame("FROM assessments ORDER BY _row")["score"].tolist() == [7.5, 4.0]


def test_ids_keep_their_letters_and_zeros(tmp_path: Path) -> None:
    ids = ("007", "7", "Ängström-1", "患者7", "a b")
    changes: dict[str, str | bytes | None] = {
        "patients.csv": "patient_id\n" + "".join(f"{one}\n" for one in ids),
        "episodes.csv": "episode_id,patient_id\n"
        + "".join(f"E{k},{one}\n" for k, one in enumerate(ids, 1)),
        "sessions.csv": None, "components.csv": None, "medications.csv": None, "clinics.csv": None,
    }  # fmt: skip
    records = read_records(write_example(tmp_path, changes))
    assert records.n_rows["patients"] == len(ids)
    assert set(records.frame("key_patient_id")["source"]) == set(ids)
    assert not [problem for problem in records.problems if problem.rule == "orphan"]
