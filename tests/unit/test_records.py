"""Records in: the same tables from every kind of file, integer keys, and what is set aside."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pandas as pd
import pytest

import outcomes
from outcomes.catalog.instruments import instrument
from outcomes.core.errors import RecordsError
from outcomes.records import Records, read_records
from outcomes.records.rules import column_rules, score_rules
from outcomes.records.schema import TABLES
from outcomes.records.sql import literal
from tests.records_example import EXAMPLE, write_example

pytestmark = pytest.mark.slow

ASSESSED = EXAMPLE["assessments.csv"]


def table(records: Records, name: str) -> pd.DataFrame:
    """A table in the order of its rows."""
    return records.frame(f"FROM {name} ORDER BY _source, _row").drop(columns="_source")


def rules(records: Records) -> set[str]:
    """Rules that were broken."""
    return {problem.rule for problem in records.problems}


def as_parquet(folder: Path, target: Path) -> Path:
    """The example as typed Parquet files."""
    import duckdb

    target.mkdir()
    with duckdb.connect() as connection:
        for path in folder.glob("*.csv"):
            connection.execute(f"COPY (FROM read_csv('{path}')) TO '{target / path.stem}.parquet'")
    return target


def as_database(folder: Path, target: Path) -> Path:
    """The example as one DuckDB database."""
    import duckdb

    with duckdb.connect(str(target)) as connection:
        for path in folder.glob("*.csv"):
            connection.execute(f"CREATE TABLE {path.stem} AS FROM read_csv('{path}')")
    return target


def test_all_kinds_of_files_give_the_same_tables(tmp_path: Path) -> None:
    folder = write_example(tmp_path / "csv")
    first = read_records(folder)
    for other in (
        read_records(as_parquet(folder, tmp_path / "parquet")),
        read_records(as_database(folder, tmp_path / "records.duckdb")),
    ):
        assert other.tables == first.tables
        assert other.n_rows == first.n_rows
        for name in first.tables:
            pd.testing.assert_frame_equal(table(first, name), table(other, name))


def test_parts_of_a_table_in_a_folder_are_one_table(tmp_path: Path) -> None:
    import duckdb

    folder = write_example(tmp_path, {"assessments.csv": None})
    (folder / "assessments").mkdir()
    with duckdb.connect() as connection:
        for part, day in enumerate((0, 42)):
            connection.execute(
                f"COPY (SELECT 'E1' AS episode_id, {day} AS day, 'nprs' AS instrument, 5.0 AS "
                f"score) TO '{folder / 'assessments' / f'part-{part}.parquet'}'"
            )
    records = read_records(folder)
    assert records.n_rows["assessments"] == 2
    names = [source.name for source in records.sources if source.table == "assessments"]
    assert names == ["assessments/part-0.parquet", "assessments/part-1.parquet"]


def test_keys_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    header, *rows = EXAMPLE["episodes.csv"].splitlines()
    reversed_text = "\n".join([header, *reversed(rows)]) + "\n"
    first = read_records(write_example(tmp_path / "a"))
    second = read_records(write_example(tmp_path / "b", {"episodes.csv": reversed_text}))
    for key in ("patient_id", "episode_id", "session_id", "clinic_id"):
        frames = [records.frame(f"FROM key_{key} ORDER BY id") for records in (first, second)]
        pd.testing.assert_frame_equal(*frames)
        assert frames[0]["id"].tolist() == list(range(1, len(frames[0]) + 1))


def test_an_id_is_the_same_with_blanks_around_it(tmp_path: Path) -> None:
    padded = ASSESSED.replace("E1,", "  E1\u00a0,")
    plain = read_records(write_example(tmp_path / "a"))
    blanks = read_records(write_example(tmp_path / "b", {"assessments.csv": padded}))
    for name in ("key_episode_id", "assessments"):
        order = "ORDER BY ALL"
        frames = [records.frame(f"FROM {name} {order}") for records in (plain, blanks)]
        pd.testing.assert_frame_equal(*frames)


def test_one_row_at_fault_is_within_reach_of_its_rule() -> None:
    import duckdb

    declared = TABLES["assessments"]
    found = [*column_rules(declared, declared.names), *score_rules([instrument("odi")])]
    days, scores = (None, -9999, 0, 99999), (None, -1.0, 50.0, 101.0)
    connection = duckdb.connect()
    for day, score, name, bad in product(days, scores, ("odi", "nprs", None), (0, 1, 2, 8)):
        cells = f"1 AS episode_id, {literal(day)} AS day, {literal(score)}::DOUBLE AS score"
        row = f"SELECT {cells}, {literal(name)} AS instrument, NULL AS occasion, {bad} AS _bad"
        fine = "SELECT 1, 0, 50, 'odi', NULL, 0"
        for rule in found:
            rows = f"FROM ({row} UNION ALL {fine})"
            (broken,) = connection.execute(
                f"SELECT count(*) {rows} WHERE {rule.condition}"
            ).fetchone()
            reached = connection.execute(
                f"SELECT {rule.reach} {rows} GROUP BY instrument"
            ).fetchall()
            assert any(there for (there,) in reached) >= bool(broken), rule
    assert not any(
        connection.execute(f"SELECT {rule.reach} FROM ({row}) GROUP BY instrument").fetchone()[0]
        for rule in found
        for row in ["SELECT 1 AS episode_id, 0 AS day, 50 AS score, 'odi' AS instrument, 0 AS _bad"]
    )


def test_everything_is_hashed_and_counted(tmp_path: Path) -> None:
    records = read_records(write_example(tmp_path))
    assert {source.table: source.n_rows for source in records.sources} == dict(records.n_rows)
    assert all(len(source.sha256) == 64 for source in records.sources)
    assert records.has("episodes", "age")
    assert not records.has("episodes", "bmi")
    assert not records.has("events")


def test_columns_that_are_not_there_are_null(tmp_path: Path) -> None:
    records = read_records(write_example(tmp_path))
    assert records.frame("SELECT bmi FROM episodes")["bmi"].isna().all()


def test_rows_set_aside_are_listed_by_number_and_rule(tmp_path: Path) -> None:
    text = ASSESSED + "E1,0,nprs,99\nE1,x,nprs,5\n"
    records = read_records(write_example(tmp_path, {"assessments.csv": text}))
    aside = records.frame("FROM quarantine_assessments ORDER BY _row")
    assert aside["_row"].tolist() == [11, 12]
    assert aside["_rules"].tolist() == ["score_range", "type"]
    assert records.n_quarantined["assessments"] == 2
    assert records.n_rows["assessments"] == 10


def test_rows_that_could_not_be_cut_are_counted_as_set_aside(tmp_path: Path) -> None:
    records = read_records(write_example(tmp_path, {"assessments.csv": ASSESSED + "E1,1\n"}))
    assert records.n_quarantined["assessments"] == 1


SAVED = [
    ("\n", ",", "utf-8"), ("\r\n", ";", "utf-8-sig"), ("\r", "\t", "utf-16"), ("\n", "|", "cp1252"),
    ("\r\n", ",", "utf-16"), ("\r", ";", "utf-8"), ("\n", "\t", "utf-16-le"), ("\r", ",", "cp1252"),
]  # fmt: skip
"""Line ending, separator, encoding."""


@pytest.mark.parametrize(("ending", "separator", "encoding"), SAVED)
def test_text_is_read_however_it_was_saved(
    ending: str, separator: str, encoding: str, tmp_path: Path
) -> None:
    text = EXAMPLE["clinics.csv"].replace("north", "Württemberg")
    text = text.replace(",", separator).replace("\n", ending)
    records = read_records(write_example(tmp_path, {"clinics.csv": text.encode(encoding)}))
    assert table(records, "clinics")["region"].tolist() == ["württemberg", "south"]


def test_line_endings_may_be_mixed(tmp_path: Path) -> None:
    text = ASSESSED.replace("E1,42,nprs,4\n", "E1,42,nprs,4\r\n").replace("odi,40\n", "odi,40\r\n")
    records = read_records(write_example(tmp_path, {"assessments.csv": text}))
    assert records.n_rows["assessments"] == 10


def test_a_first_line_may_name_the_separator(tmp_path: Path) -> None:
    text = "sep=;\n" + ASSESSED.replace(",", ";")
    records = read_records(write_example(tmp_path, {"assessments.csv": text}))
    assert records.n_rows["assessments"] == 10


def test_cells_may_hold_separators_quotes_and_line_breaks(tmp_path: Path) -> None:
    text = 'clinic_id,region\nC1,"north; ""upper"",\neast"\nC2,south\n'
    records = read_records(write_example(tmp_path, {"clinics.csv": text}))
    assert table(records, "clinics")["region"].tolist() == ['north; "upper",\neast', "south"]


def test_truth_is_spelled_in_many_ways(tmp_path: Path) -> None:
    words = ["TRUE", "yes", "1", "Y", "t", "False", "no", "0", "N", "f", ""]
    rows = "".join(f"S{k},E1,{k},{word}\n" for k, word in enumerate(words))
    changes = {
        "sessions.csv": "session_id,episode_id,day,attended\n" + rows,
        "components.csv": None,
    }
    attended = table(read_records(write_example(tmp_path, changes)), "sessions")["attended"]
    assert attended.tolist()[:10] == [True] * 5 + [False] * 5
    assert pd.isna(attended.iloc[10])


def test_codes_are_read_whatever_their_case(tmp_path: Path) -> None:
    text = EXAMPLE["episodes.csv"].replace("low_back", "Low Back")
    records = read_records(write_example(tmp_path, {"episodes.csv": text}))
    assert set(table(records, "episodes")["body_region"]) == {"low_back", "neck"}
    assert "unknown_code" not in rules(records)


def test_other_names_of_an_instrument_are_read_as_its_id(tmp_path: Path) -> None:
    text = ASSESSED.replace("odi", "Oswestry")
    records = read_records(write_example(tmp_path, {"assessments.csv": text}))
    assert set(table(records, "assessments")["instrument"]) == {"nprs", "odi"}
    assert rules(records) == {"alias"}


def test_one_scale_of_an_instrument_is_known_by_its_own_range(tmp_path: Path) -> None:
    text = ASSESSED + "E1,0,bpi_sf.severity,4\nE1,42,bpi_sf.severity,11\n"
    records = read_records(write_example(tmp_path, {"assessments.csv": text}))
    assert records.n_quarantined["assessments"] == 1
    assert "unknown_code" not in rules(records)


def test_high_ages_are_kept_as_ninety(tmp_path: Path) -> None:
    text = EXAMPLE["episodes.csv"].replace(",61", ",95")
    records = read_records(write_example(tmp_path, {"episodes.csv": text}))
    assert table(records, "episodes")["age"].max() == 90
    assert rules(records) == {"top_coded"}


def test_a_warning_is_about_rows_that_are_kept(tmp_path: Path) -> None:
    text = EXAMPLE["episodes.csv"] + "E9,P9,C1,low_back,0,99999,30\n"
    records = read_records(write_example(tmp_path, {"episodes.csv": text}))
    assert rules(records) == {"range"}


def test_one_file_of_scores_is_not_enough(tmp_path: Path) -> None:
    folder = write_example(tmp_path)
    with pytest.raises(RecordsError, match="episodes"):
        outcomes.read_records(folder / "assessments.csv")


def test_problems_are_a_table_too(tmp_path: Path) -> None:
    records = read_records(write_example(tmp_path, {"assessments.csv": ASSESSED + "E1,9,odi,-1\n"}))
    problems = outcomes.check_records(records)
    shown = outcomes.problems_table(problems)
    assert len(shown) == len(problems) == 1
    assert shown.loc[0, ["table", "column", "rule", "count", "rows"]].tolist() == [
        "assessments", "score", "score_range", 1, "11",
    ]  # fmt: skip


def test_the_temporary_folder_goes_with_a_failed_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    with pytest.raises(RecordsError):
        read_records(write_example(tmp_path / "records", {"episodes.csv": None}))
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_database_is_never_changed(tmp_path: Path) -> None:
    path = as_database(write_example(tmp_path / "csv"), tmp_path / "records.duckdb")
    before = path.read_bytes()
    read_records(path)
    assert path.read_bytes() == before
