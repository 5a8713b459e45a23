"""Codes for missing: read by their value, and named where they are forgotten or misspelt."""

from __future__ import annotations

from pathlib import Path

import pytest

from outcomes.core.problems import Problem
from outcomes.records import Records, read_records

CASES = "case;who;bmi;place\n" + "".join(f"{k};{k};2{k % 9},5;Neck\n" for k in range(1, 41))
MAPPING = """
{first}
pseudonymous = ["case", "who"]
[[tables]]
source = "cases.csv"
table = "episodes"
[tables.columns]
episode_id = "case"
patient_id = "who"
bmi = {bmi}
body_region = {region}
[[tables]]
source = "scores.csv"
table = "assessments"
[tables.columns]
episode_id = "case"
[[tables.wide]]
pattern = "{{instrument}}_wk{{week}}"
{wide}
"""


def read(
    folder: Path,
    scores: str,
    *,
    cases: str = CASES,
    bmi: str = '"bmi"',
    region: str = '"place"',
    wide: str = "",
    first: str = "",
) -> Records:
    """Records of a clinic that writes numbers with a comma."""
    (folder / "cases.csv").write_text(cases)
    (folder / "scores.csv").write_text(scores)
    text = MAPPING.format(bmi=bmi, region=region, wide=wide, first=first)
    (folder / "mapping.toml").write_text(text)
    return read_records(folder, folder / "mapping.toml")


def found(records: Records, rule: str) -> list[Problem]:
    return [one for one in records.problems if one.rule == rule]


@pytest.mark.parametrize("written", ["99", "99,0", "99,00", "99.0", "+99", " 99,0 "])
@pytest.mark.parametrize("listed", ["99", "99.0", '"99"', '"99,0"'])
def test_a_code_counts_by_its_value_in_a_column_of_numbers(
    written: str, listed: str, tmp_path: Path
) -> None:
    cases = CASES.replace("1;1;21,5;", f"1;1;{written};", 1)
    scores = f"case;nprs_wk0;odi_wk6\n1;7,0;{written}\n2;{written};40,0\n"
    codes = f"[{listed}]"
    records = read(
        tmp_path,
        scores,
        cases=cases,
        bmi=f'{{ from = "bmi", missing = {codes} }}',
        wide=f"missing = {codes}",
    )
    assert records.frame("assessments")["score"].tolist() == [7.0, 40.0]
    assert records.frame("episodes")["bmi"].isna().sum() == 1
    assert not found(records, "unused_code")


def test_a_code_of_the_whole_mapping_counts_by_its_value_too(tmp_path: Path) -> None:
    records = read(tmp_path, "case;nprs_wk0\n1;99,0\n2;6,0\n", first="missing = [99]")
    assert records.frame("assessments")["score"].tolist() == [6.0]


def test_a_code_in_a_column_of_codes_is_read_with_the_decimal_mark_of_its_file(
    tmp_path: Path,
) -> None:
    region = '{ from = "place", recode = { 1 = "neck" }, missing = [9] }'
    cases = "case;who;bmi;place\n1;1;20,5;1,0\n2;2;20,5;9,0\n"
    records = read(tmp_path, "case;nprs_wk0\n1;5,0\n", cases=cases, region=region)
    assert records.frame("episodes")["body_region"].fillna("-").tolist() == ["neck", "-"]
    assert not found(records, "unmapped_code")


def test_a_code_that_no_cell_holds_is_said_once_for_all_columns_of_a_pattern(
    tmp_path: Path,
) -> None:
    scores = "case;nprs_wk0;odi_wk6\n1;7,0;99,0\n"
    region = '{ from = "place", missing = ["k.A."] }'
    records = read(tmp_path, scores, region=region, wide="missing = [99, 77]")
    assert [(one.severity, one.table, one.column) for one in found(records, "unused_code")] == [
        ("note", "episodes", "body_region"),
        ("note", "assessments", "score"),
    ]
    assert "have '77' listed as missing" in found(records, "unused_code")[1].message
    assert "'nprs_wk0' and 1 more column " in found(records, "unused_code")[1].message


def pile(value: str, n: int, others: str, start: int = 1) -> str:
    """Rows of scores: ``n`` of one value, then one for each of others."""
    values = [value] * n + others.split()
    return "".join(f"{k};{one}\n" for k, one in enumerate(values, start=start))


SPREAD = "2,0 8,0 10,0 14,0 20,0 34,0 48,0 60,0 72,0 86,0 98,0 100,0"


@pytest.mark.parametrize(
    ("instrument", "rows", "warned"),
    [
        ("odi", pile("99,0", 10, SPREAD), True),
        ("odi", pile("9", 10, SPREAD), True),
        ("odi", pile("99,0", 4, SPREAD), False),
        ("odi", pile("99", 10, SPREAD + " 98,0 98,0"), False),
        ("odi", pile("100", 20, SPREAD), False),
        ("odi", pile("34", 20, SPREAD), False),
        ("nprs", pile("9", 12, "8 8 8 10 10 7 6 5 5 5 4 9,5"), False),
        ("nprs", pile("9", 12, "8 10 7 6 5 5 5 4"), True),
        ("groc", pile("0", 20, "1 2 3 4 5 -1"), False),
    ],
)
def test_a_pile_at_a_usual_code_is_asked_about_and_kept(
    instrument: str, rows: str, warned: bool, tmp_path: Path
) -> None:
    records = read(tmp_path, f"case;{instrument}_wk0\n{rows}")
    problems = found(records, "hidden_code")
    assert bool(problems) == warned
    assert all((one.severity, one.column) == ("warning", "score") for one in problems)
    assert records.n_rows["assessments"] == rows.count("\n")


def test_a_pile_at_a_code_that_another_column_lists_is_asked_about(tmp_path: Path) -> None:
    rows = pile("77,0", 9, SPREAD)
    assert not found(read(tmp_path, f"case;odi_wk0\n{rows}"), "hidden_code")
    records = read(tmp_path, f"case;odi_wk0\n{rows}", bmi='{ from = "bmi", missing = ["77"] }')
    (problem,) = found(records, "hidden_code")
    assert (problem.count, problem.n_rows, problem.rows) == (9, 21, (1, 2, 3, 4, 5))
    assert problem.message == ("hold '77' for instrument 'odi', far more than any value near it")
    assert "as the mapping says of other columns" in problem.remedy
    assert "missing = [77]" in problem.remedy


def test_a_pile_among_the_numbers_of_episodes_is_asked_about(tmp_path: Path) -> None:
    cases = CASES
    for k in range(1, 10):
        cases = cases.replace(f"\n{k};{k};2{k % 9},5", f"\n{k};{k};99,0")
    records = read(tmp_path, "case;nprs_wk0\n1;5,0\n", cases=cases)
    (problem,) = found(records, "hidden_code")
    assert (problem.table, problem.column, problem.count) == ("episodes", "bmi", 9)
