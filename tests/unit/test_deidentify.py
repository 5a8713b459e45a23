"""The identifier guard: what it finds, what it leaves alone, and how a mapping answers it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from outcomes.core.errors import RecordsError
from outcomes.core.problems import Problem
from outcomes.records import read_records
from outcomes.records.patterns import ValuePattern, mod11, named_kind, value_patterns
from outcomes.records.schema import TABLES
from tests.records_example import EXAMPLE, write_example

pytestmark = pytest.mark.slow

SPLIT = [(pattern, text) for pattern in value_patterns() for text in pattern.examples]
APART = [(pattern, text) for pattern in value_patterns() for text in pattern.others]


def identifiers(folder: Path, mapping: Path | None = None) -> list[Problem]:
    """Problems of the guard; none where the records are read."""
    try:
        read_records(folder, mapping)
    except RecordsError as error:
        return [problem for problem in error.problems if problem.rule == "identifier"]
    return []


def clinics(header: str, *cells: str) -> dict[str, str]:
    """A file of clinics with one more column."""
    rows = "".join(f"C{k},{cell}\n" for k, cell in enumerate(cells, 1))
    return {"clinics.csv": f"clinic_id,{header}\n{rows}"}


@pytest.mark.parametrize(("pattern", "text"), SPLIT)
def test_a_shape_meets_its_examples(pattern: ValuePattern, text: str) -> None:
    assert re.search(pattern.regex, text)


@pytest.mark.parametrize(("pattern", "text"), APART)
def test_a_shape_leaves_the_others_alone(pattern: ValuePattern, text: str) -> None:
    assert not re.search(pattern.regex, text)


def test_the_database_reads_every_shape_as_python_does() -> None:
    import duckdb

    with duckdb.connect() as connection:
        for pattern, text in [*SPLIT, *APART]:
            (found,) = connection.execute(
                "SELECT regexp_matches(?, ?)", [text, pattern.regex]
            ).fetchone()
            assert found == bool(re.search(pattern.regex, text)), pattern.group


@pytest.mark.parametrize(
    ("column", "group"),
    [
        ("Last Name", "name"), ("PatientName", "name"), ("surname", "name"),
        ("MRN", "record_number"), ("Chart No", "record_number"), ("NHS number", "record_number"),
        ("ssn", "national_or_plan_number"), ("memberId", "record_number"),
        ("Phone (home)", "contact"), ("E-mail", "contact"), ("zip_code", "place"),
        ("Street 1", "place"), ("city", "place"), ("DOB", "date"), ("visit_date", "date"),
        ("created_at", "date"), ("progress_notes", "free_text"), ("photo_url", "contact"),
    ],
)  # fmt: skip
def test_names_that_point_at_a_person(column: str, group: str) -> None:
    found = named_kind(column)
    assert found is not None
    assert found.group == group


@pytest.mark.parametrize(
    "column",
    ["score", "odi_wk6", "pain_avg", "minutes", "sex", "tenure", "update", "mandate",
     "cityscape", "noted", "textile", "program", "is_patient", "backpain_length", "tx_effect"],
)  # fmt: skip
def test_harmless_names(column: str) -> None:
    assert named_kind(column) is None


def test_declared_columns_are_no_identifiers(tmp_path: Path) -> None:
    for table in TABLES.values():
        text = ",".join(table.names) + "\n"
        folder = write_example(tmp_path / table.name, {f"{table.name}.csv": text})
        assert identifiers(folder) == []


@pytest.mark.parametrize(
    "cells",
    [
        ("low_back", "neck"),
        ("Usual Care", "Usual Care", "Exercise Plus", "Exercise Plus"),
        ("oxycodone hydrochloride 5 mg oral tablet film",) * 4,
        ("97110", "97140", "97112"),
        ("1.5", "2,5", "-3"),
        ("2019-03", "2019-04"),
        ("45-54", "55-64"),
        ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "0cc175b9c0f1b6a831c399e269772661"),
    ],
)
def test_harmless_values(cells: tuple[str, ...], tmp_path: Path) -> None:
    quoted = [f'"{cell}"' for cell in cells]
    assert identifiers(write_example(tmp_path, clinics("remit", *quoted))) == []


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (("a", "someone@example.org"), "e-mail addresses"),
        (("a", "078-05-1120"), "social security numbers"),
        (("a", "call +44 20 7946 0958"), "telephone numbers"),
        (("a", "31/03/2019"), "dates"),
        (("20190331", "20190401", "20190402"), "dates"),
        (("SW1A 1AA", "x"), "full postcodes"),
        (("9434765919", "9434765870", "4505577104"), "health service numbers"),
        (("a", "Dr. Example"), "names of people"),
        (("Ann Example", "Bo Example", "Cy Example"), "names of people"),
        (("she says that it hurts less now", "he has not been able to walk",
          "they would like to come again soon"), "free text"),
        (("x" * 250, "y"), "text longer than any code"),
    ],
)  # fmt: skip
def test_values_that_point_at_a_person(cells: tuple[str, ...], words: str, tmp_path: Path) -> None:
    found = identifiers(write_example(tmp_path, clinics("remit", *cells)))
    assert f"hold what looks like {words}" in [problem.message for problem in found]
    assert all(problem.rows and problem.column == "remit" for problem in found)


def test_stored_numbers_are_looked_at_too(tmp_path: Path) -> None:
    import duckdb

    write_example(tmp_path, {"clinics.csv": None})
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT 'C' || i AS clinic_id, 2125550100.0 + i AS remit FROM range(30) t(i)) "
            f"TO '{tmp_path / 'clinics.parquet'}'"
        )
    assert [p.message for p in identifiers(tmp_path)] == ["hold what looks like telephone numbers"]


def test_names_of_people_are_no_ids(tmp_path: Path) -> None:
    people = {"P1": "Ann Example", "P2": "Bo Example", "P3": "Cy Example"}
    changes = dict(EXAMPLE)
    for name in EXAMPLE:
        for old, new in people.items():
            changes[name] = changes[name].replace(old, new)
    found = identifiers(write_example(tmp_path, changes))
    assert {(p.table, p.column, p.message) for p in found} == {
        (table, "patient_id", "hold what looks like names of people")
        for table in ("patients", "episodes", "medications")
    }


def test_a_header_that_is_a_value_is_not_repeated(tmp_path: Path) -> None:
    text = "clinic_id,note 078-05-1120\nC1,x\n"
    (found,) = identifiers(write_example(tmp_path, {"clinics.csv": text}))
    assert found.column == "column 2"


def mapped(folder: Path, more: str) -> Path:
    """A mapping of the file of clinics."""
    path = folder / "mapping.toml"
    path.write_text(
        f'{more}\n[[tables]]\nsource = "clinics.csv"\ntable = "clinics"\n', encoding="utf-8"
    )
    return path


def test_a_mapping_drops_a_column(tmp_path: Path) -> None:
    folder = write_example(tmp_path / "records", clinics("Phone", "212-555-0142"))
    said = '[sources."clinics.csv"]\npseudonymous = ["clinic_id"]\n'
    assert identifiers(folder, mapped(tmp_path, said))
    assert identifiers(folder, mapped(tmp_path, said + 'drop = ["phone"]')) == []


def test_a_mapped_id_must_be_called_a_pseudonym(tmp_path: Path) -> None:
    folder = write_example(tmp_path / "records", clinics("region", "north"))
    (found,) = identifiers(folder, mapped(tmp_path, ""))
    assert found.message == "becomes clinic_id and is not declared a pseudonym"
    assert identifiers(folder, mapped(tmp_path, 'pseudonymous = ["clinic_id"]')) == []


def test_a_pseudonym_by_declaration_is_still_looked_into(tmp_path: Path) -> None:
    text = "clinic_id,region\nsomeone@example.org,north\n"
    folder = write_example(tmp_path / "records", {"clinics.csv": text})
    (found,) = identifiers(folder, mapped(tmp_path, 'pseudonymous = ["clinic_id"]'))
    assert found.message == "hold what looks like e-mail addresses"
    assert found.rows == (1,)


def test_check_digits_of_the_health_service() -> None:
    assert mod11("943 476 5919")
    assert not mod11("943 476 5918")
    assert not mod11("123")
