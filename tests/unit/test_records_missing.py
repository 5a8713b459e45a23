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
