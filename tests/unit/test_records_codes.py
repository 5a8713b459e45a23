"""Codes in cells: what a first mapping makes of them, and what is said of those nobody knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from outcomes.catalog.interventions import intervention_types
from outcomes.core.problems import Problem
from outcomes.records import read_records
from outcomes.records.propose import Proposal, propose_mapping
from outcomes.records.schema import TABLES
from outcomes.records.synonyms import synonyms
from tests.records_example import write_example

CASES = "episode_id,patient_id,body_region,leg_pain\n1,11,{region},{leg}\n2,12,knee,{leg}\n"
SCORES = "episode_id,day,instrument,score\n1,0,nprs,6\n2,0,nprs,5\n2,0,odi,40\n"


def proposed(folder: Path, *, leg: str = "yes", region: str = "knee", scores: str = "") -> Proposal:
    """Propose a mapping for two cases with these cells, and more rows of scores."""
    (folder / "cases.csv").write_text(CASES.format(region=region, leg=leg))
    (folder / "scores.csv").write_text(SCORES + scores)
    return propose_mapping(folder)


def read(folder: Path, text: str) -> list[Problem]:
    """What is said of the records of two cases through a mapping."""
    (folder / "mapping.toml").write_text(text)
    return list(read_records(folder, folder / "mapping.toml").problems)


def line(proposal: Proposal, column: str) -> str:
    """The line of a column in a proposed mapping."""
    (found,) = [one for one in proposal.text.splitlines() if one.startswith(f"{column} = ")]
    return found


def test_words_for_yes_and_no_are_recoded_and_said(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(
        "episode_id,patient_id,leg_pain\n1,1,Ja\n2,2,nein\n3,3,unbekannt\n4,4,9\n5,5,yes\n"
    )
    (tmp_path / "scores.csv").write_text(SCORES)
    proposal = propose_mapping(tmp_path)
    said = line(proposal, "leg_pain")
    assert "recode = { Ja = true, nein = false }" in said
    assert 'missing = ["9", "unbekannt"]' in said
    assert said.endswith("# same name; words for yes and no; words for nothing known")
    assert proposal.n_gaps == 0
    assert not [one for one in read(tmp_path, proposal.text) if one.severity in ("fatal", "error")]
    records = read_records(tmp_path, tmp_path / "mapping.toml")
    kept = "SELECT coalesce(CAST(leg_pain AS VARCHAR), '-') AS leg FROM episodes ORDER BY _row"
    assert records.frame(kept)["leg"].tolist() == ["true", "false", "-", "-", "true"]


def test_what_is_neither_yes_nor_no_is_asked_and_not_told(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, leg="Zq7731")
    assert proposal.n_gaps == 1
    assert "# GAP: 'leg_pain' holds 1 code that is neither yes nor no" in proposal.text
    assert "Zq7731" not in proposal.text


def test_yes_and_no_as_they_are_understood_need_no_recoding(tmp_path: Path) -> None:
    assert line(proposed(tmp_path), "leg_pain") == 'leg_pain = "leg_pain"    # same name'


def test_a_code_outside_the_range_of_its_instrument_is_read_as_missing(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, scores="1,7,nprs,99\n1,14,NRS,999\n")
    said = line(proposal, "score")
    assert "missing = [99, 999]" in said
    assert said.endswith("99 and 999 lie outside the instrument's range, so read as missing")
    assert "score_range" not in {one.rule for one in read(tmp_path, proposal.text)}


@pytest.mark.parametrize("rows", ["1,7,nprs,99\n1,7,odi,99\n", "1,7,odi,99\n", "1,7,spam,99\n"])
def test_a_code_that_may_be_a_score_is_left_alone(rows: str, tmp_path: Path) -> None:
    assert line(proposed(tmp_path, scores=rows), "score") == 'score = "score"    # same name'


def test_a_code_that_is_a_score_of_another_column_has_a_pattern_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(
        "case_id,participant,NPRS_wk6,nprs_wk12,ODI_wk6,odi_wk12\n1,1,99,4,99,12\n2,2,999,5,40,8\n"
    )
    text = propose_mapping(tmp_path).text
    nprs, odi = text.split("[[tables.wide]]")[1:]
    assert 'pattern = "nprs_wk{week}"' in nprs
    assert "missing = [99, 999]" in nprs
    assert 'pattern = "odi_wk{week}"' in odi
    assert "missing" not in odi
    (tmp_path / "mapping.toml").write_text(text)
    found = read_records(tmp_path, tmp_path / "mapping.toml").frame(
        "SELECT instrument, day, score FROM assessments ORDER BY ALL"
    )
    assert found.to_numpy().tolist() == [
        ["nprs", 84, 4.0], ["nprs", 84, 5.0], ["odi", 42, 40.0], ["odi", 42, 99.0],
        ["odi", 84, 8.0], ["odi", 84, 12.0],
    ]  # fmt: skip


def piled(folder: Path, n: int) -> str:
    """The proposal where so many of forty scores of the ODI are 99, as missing is elsewhere."""
    rows = [
        f"{k},2024-01-{1 + k % 28:02d},{99 if k < 2 else 4},{99 if k < n else 50 + k}"
        for k in range(40)
    ]
    (folder / "cases.csv").write_text(
        "case_id,participant\n" + "".join(f"{k},{k}\n" for k in range(40))
    )
    header = "case_id,date,nprs,odi\n"
    (folder / "scores.csv").write_text(header + "\n".join(rows) + "\n")
    return propose_mapping(folder).text


def test_a_code_that_piles_up_within_the_range_is_asked_about(tmp_path: Path) -> None:
    text = piled(tmp_path, 12)
    assert "GAP: 'odi' holds 99 more often than scores near it" in text
    assert text.count("missing = [99]") == 2


def test_a_code_that_few_cells_hold_is_a_score(tmp_path: Path) -> None:
    assert "more often" not in piled(tmp_path, 10)


def test_codes_for_missing_are_found_beside_decimal_commas(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("case_id;participant;nprs_wk6\n1;1;99,0\n2;2;4,0\n")
    assert "missing = [99]" in propose_mapping(tmp_path).text


def common(folder: Path, n_cases: int, code: str) -> str:
    """The question about a region that stands in twelve rows of so many cases."""
    rows = "".join(f"{k % n_cases},{k},{code}\n" for k in range(12))
    (folder / "cases.csv").write_text("case_id,participant,area\n" + rows)
    return next(one for one in propose_mapping(folder).text.splitlines() if "not known" in one)


def test_an_unknown_code_of_many_cases_is_named(tmp_path: Path) -> None:
    assert "holds 1 code that is not known ('Gesäß'): recode" in common(tmp_path, 12, "Gesäß")


@pytest.mark.parametrize(("n_cases", "code"), [(10, "Wrist"), (12, "212-555-0142")])
def test_other_unknown_codes_are_counted(n_cases: int, code: str, tmp_path: Path) -> None:
    assert code not in common(tmp_path, n_cases, code)


def test_a_code_outside_the_limits_of_a_column_is_read_as_missing(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("episode_id,patient_id,age,bmi\n1,1,-9,27\n2,2,99,999\n")
    (tmp_path / "scores.csv").write_text(SCORES)
    proposal = propose_mapping(tmp_path)
    assert line(proposal, "age").endswith("-9 lies outside 0 to 120, so read as missing")
    assert "missing = [999]" in line(proposal, "bmi")


def test_codes_that_nobody_knows_are_counted_with_those_that_are_known(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, region="Zq7731", scores="1,7,Zq7732,9\n1,7,Zq7733,9\n")
    gaps = [one for one in proposal.text.splitlines() if one.startswith("# GAP")]
    assert proposal.n_gaps == len(gaps) == 2
    assert (
        "'body_region' holds 1 code that is not known: recode them. Known are low_back" in gaps[0]
    )
    assert "'instrument' holds 2 codes that are not known" in gaps[1]
    assert "'outcomes catalog instruments' lists" in gaps[1]
    assert "Zq77" not in proposal.text


def test_every_other_word_for_an_intervention_leads_to_the_catalog() -> None:
    assert set(synonyms()["codes"]["intervention"]) <= set(intervention_types())


@pytest.mark.parametrize("column", ["body_region", "payer", "sex", "chronicity"])
def test_every_other_word_for_a_code_leads_to_a_declared_one(column: str) -> None:
    (declared,) = {t[column].values for t in TABLES.values() if column in t}
    assert set(synonyms()["codes"][column]) <= set(declared)


UNKNOWN = {
    "intervention": ("components", "session_id,intervention\nS1,Zq7731\n",
                     "'outcomes catalog interventions' lists"),
    "instrument": ("assessments", "episode_id,day,instrument,score\nE1,0,Zq7731,5\n",
                   "'outcomes catalog instruments' lists"),
    "drug": ("medications", "patient_id,day,drug\nP1,0,Zq7731\n",
             "'outcomes catalog medications' lists"),
    "kind": ("events", "episode_id,day,kind\nE1,0,Zq7731\n", "docs/reference/records.md"),
    "setting": ("sessions", "session_id,episode_id,day,setting\nS1,E1,0,Zq7731\n",
                "Known are clinic, home, pool, group, remote, unknown."),
}  # fmt: skip


@pytest.mark.parametrize("column", UNKNOWN)
def test_an_unknown_code_is_said_with_how_to_see_the_known_ones(
    column: str, tmp_path: Path
) -> None:
    table, text, known = UNKNOWN[column]
    records = read_records(write_example(tmp_path, {f"{table}.csv": text}))
    (problem,) = [one for one in records.problems if one.rule == "unknown_code"]
    assert known in problem.remedy
    assert 'mapping.toml, recode = { "your code" = ' in problem.remedy
    assert "Zq7731".lower() not in f"{problem} {problem!r}".lower()


def test_what_is_neither_yes_nor_no_is_said_with_how_to_recode_it(tmp_path: Path) -> None:
    text = "session_id,episode_id,day,attended\nS1,E1,0,Zq7731\n"
    records = read_records(write_example(tmp_path, {"sessions.csv": text}))
    (problem,) = [one for one in records.problems if one.rule == "type"]
    assert 'recode = { "ja" = true, "nein" = false }' in problem.remedy


def test_a_decimal_mark_that_was_not_found_out_is_said(tmp_path: Path) -> None:
    text = 'episode_id,day,instrument,score\nE1,0,nprs,"7,5"\nE1,40,nprs,5\n'
    records = read_records(write_example(tmp_path, {"assessments.csv": text}))
    (problem,) = [one for one in records.problems if one.rule == "type"]
    assert 'decimal = ","' in problem.remedy
