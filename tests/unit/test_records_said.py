"""What intake says of files and columns: which letters, which file, which name was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from outcomes.core.errors import RecordsError, SpecError
from outcomes.core.problems import Problem
from outcomes.records import Records, read_records
from outcomes.records.delimited import read_bytes
from tests.records_example import EXAMPLE, write_example

CASES = "Case;Patient;Körperregion;Age\n" + "".join(
    f"{k};{k};{'Rücken' if k % 2 else 'Hüfte'};{30 + k}\n" for k in range(1, 21)
)
STRAY = CASES.encode().replace("\n7;7;Rücken".encode(), b"\n7;7;R\xfccken")
SCORES = "Case;NPRS_wk0;NPRS_wk6\n" + "".join(f"{k};{k % 9};{k % 8}\n" for k in range(1, 21))
MAPPING = """
pseudonymous = ["Case", "Patient"]
[sources."cases.csv"]
{options}
[[tables]]
source = "cases.csv"
table = "episodes"
[tables.columns]
episode_id = "Case"
patient_id = "Patient"
age = "{age}"
body_region = {{ from = "Körperregion", recode = {{ "Rücken" = "low_back", "Hüfte" = "hip" }} }}
[[tables]]
source = "scores.csv"
table = "assessments"
columns.episode_id = "Case"
[[tables.wide]]
pattern = "{{instrument}}_wk{{week}}"
"""


def read(
    folder: Path, cases: bytes, scores: str = SCORES, *, options: str = "", age: str = "Age"
) -> Records:
    (folder / "cases.csv").write_bytes(cases)
    (folder / "scores.csv").write_text(scores)
    (folder / "mapping.toml").write_text(MAPPING.format(options=options, age=age), "utf-8")
    return read_records(folder, folder / "mapping.toml")


def only(problems: tuple[Problem, ...], rule: str) -> Problem:
    (found,) = [one for one in problems if one.rule == rule]
    return found


# --------------------------------------------------------------------------------------- letters
@pytest.mark.parametrize("options", ["", 'encoding = "utf-8"', 'encoding = "UTF8"'])
def test_one_stray_byte_leaves_the_other_letters_as_they_are(options: str, tmp_path: Path) -> None:
    records = read(tmp_path, STRAY, options=options)
    regions = records.frame("SELECT body_region FROM episodes ORDER BY _row")["body_region"]
    assert regions.tolist() == ["low_back", "hip"] * 10
    problem = only(records.problems, "encoding")
    assert (problem.severity, problem.count, problem.n_rows, problem.rows) == (
        "warning",
        1,
        20,
        (7,),
    )


def test_a_stray_byte_in_the_header_is_read_too(tmp_path: Path) -> None:
    header = CASES.encode().replace("Körper".encode(), b"K\xf6rper")
    assert read(tmp_path, header).n_rows["episodes"] == 20


@pytest.mark.parametrize(
    ("content", "encoding", "stray"),
    [
        (CASES.encode(), "utf-8", False),
        (STRAY, "utf-8", True),
        (CASES.encode("utf-8-sig"), "utf-8-sig", False),
        (CASES.encode("cp1252"), "cp1252", False),
        ("a;b\nü;1\n".encode("cp1252") + "é\n".encode(), "cp1252", False),
    ],
)
def test_the_encoding_is_that_of_most_letters(
    content: bytes, encoding: str, stray: bool, tmp_path: Path
) -> None:
    (tmp_path / "one.csv").write_bytes(content)
    found = read_bytes(tmp_path / "one.csv")
    assert (found.encoding, found.stray) == (encoding, stray)


def test_a_file_in_another_encoding_than_declared_is_said_once(tmp_path: Path) -> None:
    with pytest.raises(RecordsError) as caught:
        read(tmp_path, CASES.encode(), options='encoding = "ascii"')
    assert (
        "'ascii', the encoding in the mapping" in only(caught.value.problems, "unreadable").remedy
    )
    problem = only(caught.value.problems, "missing_file")
    assert "could not be read" in problem.message
    assert "scores.csv" not in problem.remedy
    assert not [one for one in caught.value.problems if one.rule == "missing_table"]


# ----------------------------------------------------------------------------------------- files
@pytest.mark.parametrize("name", ["Fragebogen.xlsx", "Fragebogen.xlsm"])
def test_a_spreadsheet_beside_other_files_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"PK")
    problem = only(read(tmp_path, CASES.encode()).problems, "unread_format")
    assert name in str(problem)


def test_a_file_with_a_header_alone_is_said_to_hold_no_row(tmp_path: Path) -> None:
    with pytest.raises(RecordsError) as caught:
        read(tmp_path, b"Case;Patient;K\xc3\xb6rperregion;Age\n")
    problem = only(caught.value.problems, "empty_file")
    assert (problem.source, problem.message) == ("cases.csv", "holds a header and no row")


def test_the_files_of_a_folder_that_is_no_table_are_named_once(tmp_path: Path) -> None:
    folder = write_example(tmp_path)
    records = read_records(folder)
    (folder / "results").mkdir()
    for name in ("a", "b", "c"):
        records.connection.execute(
            f"COPY (SELECT 1 AS x) TO '{folder / 'results' / name}.parquet' (FORMAT parquet)"
        )
    problem = only(read_records(folder).problems, "unused_file")
    assert "results/a.parquet and 2 more" in str(problem)


# --------------------------------------------------------------------------------- names and rows
def test_a_column_is_looked_for_by_what_it_is_to_become(tmp_path: Path) -> None:
    with pytest.raises(RecordsError) as caught:
        read(tmp_path, CASES.encode(), age="Alter")
    (fatal,) = [one for one in caught.value.problems if one.severity == "fatal"]
    assert "Is it 'Age'?" in fatal.remedy


def test_values_made_into_rows_are_counted_as_values(tmp_path: Path) -> None:
    records = read(tmp_path, CASES.encode(), SCORES.replace("\n3;3;3\n", "\n3;77;88\n"))
    problem = only(records.problems, "score_range")
    assert "2 of 40 values of scores.csv are outside 0 to 10" in str(problem)
    assert "code for missing" in problem.remedy


def test_a_table_of_which_all_rows_were_set_aside_is_said_to_be_that(tmp_path: Path) -> None:
    text = EXAMPLE["assessments.csv"].splitlines()[0] + "\nE1,0,nprs,70\nE1,42,nprs,40\n"
    with pytest.raises(RecordsError) as caught:
        read_records(write_example(tmp_path, {"assessments.csv": text}))
    assert "All were set aside" in only(caught.value.problems, "empty_table").remedy


def test_a_day_that_no_date_gave_is_no_empty_cell(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("id,who,begun\n1,1,2024-01-02\n2,2,2024-01-03\n")
    (tmp_path / "scores.csv").write_text(
        "id,on,instrument,score\n1,2024-01-02,nprs,5\n1,3/5/2024,nprs,4\n9,2024-01-02,nprs,4\n"
    )
    (tmp_path / "mapping.toml").write_text(
        'pseudonymous = ["id", "who"]\n'
        '[dates]\nsource = "cases.csv"\nepisode = "id"\nstart = "begun"\n'
        '[[tables]]\nsource = "cases.csv"\ntable = "episodes"\n'
        'columns.episode_id = "id"\ncolumns.patient_id = "who"\n'
        '[[tables]]\nsource = "scores.csv"\ntable = "assessments"\n'
        'columns.episode_id = "id"\ncolumns.day = { date = "on" }\n'
    )
    problems = read_records(tmp_path, tmp_path / "mapping.toml").problems
    problem = only(problems, "missing_value")
    assert problem.message.startswith("have no day: the date is empty or was not read")
    assert problem.rows == (2,)
    assert only(problems, "orphan").rows == (3,)


def test_a_misspelt_word_of_the_mapping_is_answered_with_the_right_one(tmp_path: Path) -> None:
    text = MAPPING.format(options="", age="Age").replace("pattern", "patern")
    (tmp_path / "mapping.toml").write_text(f"{text}[dats]\n", "utf-8")
    with pytest.raises(SpecError) as caught:
        read_records(write_example(tmp_path / "records"), tmp_path / "mapping.toml")
    faults = "\n".join(caught.value.faults)
    assert (
        "tables[2].wide[1].patern: is not something a mapping can say. Did you mean 'pattern'?"
        in faults
    )
    assert "dats: is not something a mapping can say. Did you mean 'dates'?" in faults
