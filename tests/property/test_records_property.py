"""Intake on generated input: names and quoting, separators, keys, and no value in any message."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outcomes.core.contract import Column
from outcomes.core.errors import RecordsError
from outcomes.records import read_records
from outcomes.records.columns import converted
from outcomes.records.delimited import read_layout
from outcomes.records.names import normalised, unique_names
from outcomes.records.sql import ident, literal
from tests.records_example import EXAMPLE, write_example

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
PLAIN = st.text("abcXYZ019 _-.éß", min_size=1, max_size=12)
FEW = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(TEXT)
def test_any_text_comes_back_from_a_literal(text: str) -> None:
    assert duckdb.execute(f"SELECT {literal(text)}").fetchone() == (text,)


@given(TEXT.filter(lambda name: name.strip() != ""))
def test_any_name_can_be_a_column(name: str) -> None:
    answer = duckdb.execute(f"SELECT {ident(name)} FROM (SELECT 1 AS {ident(name)})")
    assert answer.fetchone() == (1,)


@given(TEXT)
def test_a_plain_name_stays_as_it_is(name: str) -> None:
    plain = normalised(name)
    assert normalised(plain) == plain
    assert plain == "" or plain.replace("_", "").isalnum()


@given(st.lists(TEXT, max_size=8))
def test_every_column_has_a_name_of_its_own(header: list[str]) -> None:
    names, _ = unique_names(header)
    assert len(names) == len(header)
    assert len({name.lower() for name in names}) == len(names)


@given(
    st.sampled_from(",;\t|"),
    st.lists(st.lists(PLAIN, min_size=3, max_size=3), min_size=3, max_size=8),
)
def test_the_separator_is_found(separator: str, rows: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([["first", "second", "third"], *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(text.getvalue().encode())
        layout = read_layout(path, "utf-8")
    assert layout is not None
    assert layout.separator == separator
    assert layout.header == ("first", "second", "third")


@given(st.one_of(TEXT, st.floats().map(repr), st.integers().map(str)))
@pytest.mark.parametrize("kind", ["number", "integer", "boolean", "month"])
def test_a_cell_is_a_value_or_nothing_or_at_fault(kind: str, text: str) -> None:
    column = Column(name="x", kind=kind, description="Any")  # type: ignore[arg-type]
    both = converted(column, "cell", "VARCHAR")
    value, bad, missing = duckdb.execute(
        f"SELECT {both.value}, {both.bad}, "
        f"({converted(Column(name='x', kind='key', description=''), 'cell', 'VARCHAR').value}) "
        f"IS NULL FROM (SELECT {literal(text)} AS cell)"
    ).fetchone()
    assert (value is not None) + bool(bad) + bool(missing) == 1


@FEW
@given(st.permutations(EXAMPLE["assessments.csv"].splitlines()[1:]))
def test_the_order_of_rows_changes_no_key_and_no_count(rows: list[str]) -> None:
    header = EXAMPLE["assessments.csv"].splitlines()[0]
    text = "\n".join([header, *rows]) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        records = read_records(write_example(Path(folder), {"assessments.csv": text}))
    held = records.frame("SELECT episode_id, day, instrument, score FROM assessments ORDER BY ALL")
    assert held["score"].sum() == 142.0
    assert held["episode_id"].tolist() == [1, 1, 1, 1, 2, 2, 3, 3, 4, 4]


@FEW
@given(
    st.sampled_from(sorted(EXAMPLE)),
    st.integers(1, 5),
    st.integers(0, 3),
    st.sampled_from(["{}", "-1e400{}", "<b>{}", "={}", '"{}', "{}@example.org", "{} 2019-03-31"]),
)
def test_no_message_repeats_a_cell(name: str, row: int, cell: int, shape: str) -> None:
    lines = EXAMPLE[name].splitlines()
    cells = lines[min(row, len(lines) - 1)].split(",")
    cells[min(cell, len(cells) - 1)] = shape.format("zq7731")
    lines[min(row, len(lines) - 1)] = ",".join(cells)
    with tempfile.TemporaryDirectory() as folder:
        write_example(Path(folder), {name: "\n".join(lines) + "\n"})
        try:
            problems = read_records(folder).problems
        except RecordsError as error:
            problems = error.problems
            assert "zq7731" not in str(error)  # noqa: PT017 - the other way ends well, too
    assert all("zq7731" not in repr(problem) for problem in problems)
