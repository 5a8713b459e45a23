"""mapping.toml: what it may say, and what it makes of a file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from outcomes.core.errors import RecordsError, SpecError
from outcomes.core.problems import Problem
from outcomes.records import Records, read_records
from outcomes.records.mapping import (
    Condition,
    Dates,
    SourceMap,
    Value,
    Wide,
    build_mapping,
    read_mapping,
)

pytestmark = pytest.mark.slow

EPISODES = (
    "id,started,ended,who,part,born\n"
    "1,2020-01-01,2020-03-01,7,L,1950-06-30\n"
    "2,2020-02-01,,8,N,1990-01-01\n"
)
PLAIN_EPISODES = """
[sources."people.csv"]
pseudonymous = ["id", "who"]
drop = ["started", "ended", "born"]
[[tables]]
source = "people.csv"
table = "episodes"
[tables.columns]
episode_id = "id"
patient_id = "who"
"""
SCORES = '[sources."scores.csv"]\npseudonymous = ["id"]\n[[tables]]\nsource = "scores.csv"\n'
SCORES += 'table = "assessments"\n'


def read(folder: Path, mapping: str, scores: str, people: str = EPISODES) -> Records:
    """Records of two files through a mapping."""
    (folder / "people.csv").write_text(people)
    (folder / "scores.csv").write_text(scores)
    (folder / "mapping.toml").write_text(mapping)
    return read_records(folder, folder / "mapping.toml")


def scores(records: Records) -> list[tuple[Any, ...]]:
    """Episode, day, instrument and score of every assessment, sorted."""
    frame = records.frame(
        "SELECT e.source AS id, day, instrument, score FROM assessments AS a "
        "JOIN key_episode_id AS e ON a.episode_id = e.id ORDER BY ALL"
    )
    return list(frame.itertuples(index=False, name=None))


def found(records: Records, rule: str) -> list[Problem]:
    """Problems of one rule."""
    return [problem for problem in records.problems if problem.rule == rule]


LONG = PLAIN_EPISODES + SCORES + "[tables.columns]\nepisode_id = 'id'\n"


def test_columns_are_renamed_and_the_others_are_named(tmp_path: Path) -> None:
    mapping = LONG + 'day = "when"\ninstrument = "what"\nscore = "Result"\n'
    text = "ID,When,What,result,room\n1,0,nprs,7,a\n2,3,odi,40,b\n"
    records = read(tmp_path, mapping, text)
    assert scores(records) == [("1", 0, "nprs", 7.0), ("2", 3, "odi", 40.0)]
    (unused,) = [p for p in found(records, "unused_column") if p.table == "scores"]
    assert "'room'" in unused.message


def test_codes_are_recoded_and_missing_codes_emptied(tmp_path: Path) -> None:
    mapping = LONG + (
        'day = { from = "t", recode = { 1 = 0, 2 = 42 } }\n'
        'instrument = { constant = "nprs" }\n'
        'score = { from = "pain", missing = [99, "-"] }\n'
    )
    records = read(tmp_path, mapping, "id,t,pain\n1,1,7\n1,2.0,99\n2,1,-\n2,2,3\n")
    assert [(row[1], pd.isna(row[3])) for row in scores(records)] == [
        (0, False), (42, True), (0, True), (42, False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("other", "kept", "reported"),
    [("report", None, 1), ("keep", "x", 0), ("missing", None, 0)],
)
def test_codes_outside_a_recoding(
    other: str, kept: str | None, reported: int, tmp_path: Path
) -> None:
    mapping = PLAIN_EPISODES + (
        'program = { from = "part", recode = { L = "left" }, other = "' + other + '" }\n'
    )
    mapping += SCORES + "take_named = true\n[tables.columns]\nepisode_id = 'id'\n"
    people = EPISODES.replace(",N,", ",x,")
    records = read(tmp_path, mapping, "id,day,instrument,score\n1,0,nprs,5\n", people)
    programs = records.frame("SELECT program FROM episodes ORDER BY _row")["program"].tolist()
    assert programs[0] == "left"
    assert programs[1] == kept or (kept is None and pd.isna(programs[1]))
    assert len(found(records, "unmapped_code")) == reported


def test_units_are_converted(tmp_path: Path) -> None:
    mapping = LONG + 'score = { from = "score", factor = 2, add = 1 }\n'
    text = "id,day,instrument,score\n1,0,nprs,2.5\n1,1,nprs,x\n"
    records = read(tmp_path, mapping, text)
    assert scores(records) == [("1", 0, "nprs", 6.0)]
    assert [problem.rows for problem in found(records, "type")] == [(2,)]


def test_missing_codes_of_the_whole_mapping_meet_stored_numbers(tmp_path: Path) -> None:
    import duckdb

    (tmp_path / "people.csv").write_text(EPISODES)
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT 1 AS id, i AS day, 'nprs' AS instrument, "
            f"CASE i WHEN 0 THEN 5.0 ELSE -9 END AS score FROM range(2) t(i)) "
            f"TO '{tmp_path / 'scores.parquet'}'"
        )
    mapping = "missing = [-9]\n" + LONG.replace("scores.csv", "scores.parquet")
    (tmp_path / "mapping.toml").write_text(mapping)
    records = read_records(tmp_path, tmp_path / "mapping.toml")
    found_scores = records.frame("SELECT score FROM assessments ORDER BY day")["score"]
    assert found_scores.isna().tolist() == [False, True]


def test_wide_columns_become_rows(tmp_path: Path) -> None:
    mapping = LONG + (
        '[[tables.wide]]\npattern = "{instrument}_wk{week}"\n'
        '[[tables.wide]]\npattern = "{instrument}_m{month}"\n'
        '[[tables.wide]]\npattern = "{instrument}_{visit}"\ndays = { base = 0, end = 90 }\n'
    )
    text = "id,odi_base,ODI_wk6,NRS_m3,odi_end,heart_wk6\n1,40,30,2,,80\n2,50,,,20,70\n"
    records = read(tmp_path, mapping, text)
    assert scores(records) == [
        ("1", 0, "odi", 40.0),
        ("1", 42, "odi", 30.0),
        ("1", 91, "nprs", 2.0),
        ("2", 0, "odi", 50.0),
        ("2", 90, "odi", 20.0),
    ]


def test_of_equal_columns_in_one_row_the_first_stays_with_its_neighbours(tmp_path: Path) -> None:
    mapping = LONG + (
        '[[tables.wide]]\npattern = "{instrument}_{visit}"\n'
        "days = { pre = 0, base = 0, end = 90 }\n"
    )
    records = read(tmp_path, mapping, "id,odi_pre,odi_base,odi_end\n1,40,40,20\n2,50,44,24\n")
    assert scores(records) == [
        ("1", 0, "odi", 40.0), ("1", 90, "odi", 20.0),
        ("2", 0, "odi", 44.0), ("2", 0, "odi", 50.0), ("2", 90, "odi", 24.0),
    ]  # fmt: skip
    assert [problem.count for problem in found(records, "duplicate_row")] == [1]


def test_names_of_instruments_may_have_several_words(tmp_path: Path) -> None:
    mapping = LONG + (
        '[[tables.wide]]\npattern = "{instrument}_{visit}"\ndays = { pre = 0 }\n'
        '[[tables.wide]]\npattern = "{instrument} {week}wk"\n'
        'instruments = { "Back pain" = "nprs" }\n'
    )
    text = "id,PROMIS pf-4a_pre,back-pain 6wk\n1,40,5\n2,,\n"
    assert scores(read(tmp_path, mapping, text)) == [
        ("1", 0, "promis_pf_4a", 40.0), ("1", 42, "nprs", 5.0),
    ]  # fmt: skip


def test_items_side_by_side_become_rows(tmp_path: Path) -> None:
    mapping = (
        PLAIN_EPISODES
        + SCORES.replace("assessments", "items")
        + (
            "[tables.columns]\nepisode_id = 'id'\nday = { constant = 0 }\n"
            '[[tables.wide]]\npattern = "odi_q{item}"\nset = { instrument = "odi" }\n'
            "missing = [9]\n"
        )
    )
    records = read(tmp_path, mapping, "id,odi_q1,odi_q2\n1,3,9\n2,0,5\n")
    frame = records.frame("SELECT episode_id, item, answer FROM items ORDER BY ALL")
    assert frame.to_numpy().tolist() == [[1, 1, 3], [2, 1, 0], [2, 2, 5]]


def test_rows_are_made_of_ticked_columns(tmp_path: Path) -> None:
    mapping = LONG + (
        '[[tables]]\nsource = "people.csv"\ntable = "events"\ntake_named = false\n'
        "[tables.columns]\nepisode_id = 'id'\nday = { constant = 0 }\n"
        '[[tables.wide]]\ncolumn = "part"\nvalue = ""\nset = { kind = "fall" }\nonly = ["L"]\n'
    )
    records = read(tmp_path, mapping, "id,day,instrument,score\n1,0,nprs,5\n")
    assert records.frame("SELECT kind FROM events")["kind"].tolist() == ["fall"]


def test_a_filter_says_what_each_condition_leaves_out(tmp_path: Path) -> None:
    mapping = (
        PLAIN_EPISODES
        + SCORES
        + (
            'filter = [{ column = "arm", equals = [1, 2] }, { column = "score", at_most = 9 }, '
            '{ column = "arm", differs = 2 }, { column = "flag", filled = false }]\n'
            "[tables.columns]\nepisode_id = 'id'\n"
        )
    )
    text = "id,day,instrument,score,arm,flag\n"
    text += "1,0,nprs,5,1,\n1,1,nprs,5,3,\n1,2,nprs,10,1,\n1,3,nprs,5,2,\n1,4,nprs,5,1,x\n"
    records = read(tmp_path, mapping, text)
    assert [row[1] for row in scores(records)] == [0]
    assert [(p.count, p.rows) for p in found(records, "filtered")] == [
        (1, (2,)), (1, (3,)), (1, (4,)), (1, (5,)),
    ]  # fmt: skip


def test_several_columns_make_one_id(tmp_path: Path) -> None:
    mapping = PLAIN_EPISODES.replace('episode_id = "id"', 'episode_id = ["id", "who"]')
    mapping += SCORES.replace('["id"]', '["id", "who"]')
    mapping += '[tables.columns]\nepisode_id = ["id", "who"]\n'
    records = read(tmp_path, mapping, "id,who,day,instrument,score\n1,7,0,nprs,5\n")
    assert scores(records) == [("1/7", 0, "nprs", 5.0)]


def test_one_row_a_person_from_a_file_of_visits(tmp_path: Path) -> None:
    mapping = LONG + (
        '[[tables]]\nsource = "scores.csv"\ntable = "clinics"\ntake_named = false\n'
        'distinct = true\n[tables.columns]\nclinic_id = "site"\n'
    )
    mapping = mapping.replace('pseudonymous = ["id"]', 'pseudonymous = ["id", "site"]')
    text = "id,day,instrument,score,site\n1,0,nprs,5,a\n2,0,nprs,5,a\n2,1,nprs,4,b\n"
    assert read(tmp_path, mapping, text).n_rows["clinics"] == 2


DATED = """
[sources."people.csv"]
pseudonymous = ["id", "who"]
[sources."scores.csv"]
pseudonymous = ["id"]
[dates]
source = "people.csv"
episode = "id"
patient = "who"
start = "started"
[[tables]]
source = "people.csv"
table = "episodes"
[tables.columns]
episode_id = "id"
patient_id = "who"
end_day = { date = "ended" }
start_month = { date = "started" }
patient_day = { date = "started" }
age = { date = "born" }
[[tables]]
source = "scores.csv"
table = "assessments"
[tables.columns]
episode_id = "id"
day = { date = "when" }
"""
SCORED = "id,when,instrument,score\n1,2019-12-30,nprs,7\n1,2020-02-12,nprs,4\n2,2020-02-01,nprs,5\n"


def test_dates_become_days_on_two_clocks_and_stay_behind(tmp_path: Path) -> None:
    people = EPISODES + "3,2020-12-31,2021-01-31,7,L,1950-06-30\n"
    records = read(tmp_path, DATED, SCORED, people)
    frame = records.frame(
        "SELECT end_day, start_month, patient_day, age FROM episodes ORDER BY _row"
    )
    assert frame["end_day"].tolist()[::2] == [60, 31]
    assert frame["start_month"].tolist() == ["2020-01", "2020-02", "2020-12"]
    assert frame["patient_day"].tolist() == [0, 0, 365]
    assert frame["age"].tolist() == [69, 30, 70]
    assert [row[1] for row in scores(records)] == [-2, 42, 0]
    assert "1950" not in records.frame("episodes").to_csv()


@pytest.mark.parametrize(
    ("form", "written"), [("%d/%m/%Y", "12/02/2020"), ("%m/%d/%Y", "02/12/2020")]
)
def test_dates_are_read_as_declared(form: str, written: str, tmp_path: Path) -> None:
    people = "id,started,who\n1,01/01/2020,7\n"
    mapping = DATED.replace('start = "started"', f'start = "started"\nformat = "{form}"')
    mapping = "\n".join(
        line
        for line in mapping.splitlines()
        if not line.startswith(("end_day", "start_month", "patient_day", "age"))
    )
    text = f"id,when,instrument,score\n1,{written},nprs,7\n1,someday,nprs,7\n"
    records = read(tmp_path, mapping, text, people)
    assert [row[1] for row in scores(records)] == [42]
    assert [problem.rows for problem in found(records, "unreadable_date")] == [(2,)]


def test_very_old_people_are_not_younger_than_ninety_by_their_year(tmp_path: Path) -> None:
    people = EPISODES.replace("1950-06-30", "1901-06-30")
    mapping = DATED + (
        '[[tables]]\nsource = "people.csv"\ntable = "patients"\ndistinct = true\n'
        'take_named = false\n[tables.columns]\npatient_id = "who"\nbirth_year = { date = "born" }\n'
    )
    records = read(tmp_path, mapping, SCORED, people)
    years = records.frame("SELECT birth_year FROM patients ORDER BY 1")["birth_year"].tolist()
    assert years == [1930, 1990]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({}, "tables: is missing"),
        ({"tables": [{"source": "a"}]}, "tables[1].table: is missing"),
        ({"tables": [], "sql": "x"}, "sql: is not something a mapping can say"),
        (
            {"tables": [{"source": "a", "table": "episodes", "columns": {"x": "y"}}]},
            "tables[1]: episodes has no column 'x'",
        ),
        (
            {"tables": [{"source": "a", "table": "episodes", "columns": {"age": {"date": "d"}}}]},
            "[dates] must say when episodes start",
        ),
        (
            {"tables": [{"source": "a", "table": "items", "wide": [{"pattern": "x_{visit}"}]}]},
            "tables[1].wide[1]: {visit} in a pattern needs a table days",
        ),
        (
            {"tables": [{"source": "a", "table": "items", "filter": [{"column": "x"}]}]},
            "tables[1].filter[1]: needs one of equals",
        ),
    ],
)
def test_faults_have_their_place(content: dict[str, Any], fault: str) -> None:
    with pytest.raises(SpecError) as caught:
        build_mapping(content)
    assert any(fault in text for text in caught.value.faults), caught.value.faults


DROPS = {
    "mapping": {"drop": "mrn"},
    "source": {"sources": {"x.csv": {"drop": ["Name", "MRN"]}}},
    "stem": {"sources": {"x": {"drop": ["MRN"]}}},
    "table": {},
}


@pytest.mark.parametrize("where", DROPS)
@pytest.mark.parametrize(
    ("says", "place"),
    [
        ({"columns": {"patient_id": "MRN"}}, "tables[2].columns.patient_id"),
        ({"columns": {"episode_id": ["No", "MRN"]}}, "tables[2].columns.episode_id"),
        ({"wide": [{"column": "MRN"}]}, "tables[2].wide[1]"),
    ],
)
def test_a_column_is_dropped_or_mapped_and_not_both(
    where: str, says: dict[str, Any], place: str
) -> None:
    table = {"source": "x.csv", "table": "episodes", **says}
    table |= {"drop": ["MRN"]} if where == "table" else {}
    other = {"source": "y.csv", "table": "items", "columns": {"episode_id": "No"}}
    with pytest.raises(SpecError) as caught:
        build_mapping({**DROPS[where], "tables": [other, table]})
    (fault,) = caught.value.faults
    assert fault.startswith(f"{place}: is made from 'MRN', which drop leaves out")
    assert "Take it out of drop, or take this line out" in fault


def test_all_columns_that_are_dropped_and_mapped_are_said_at_once() -> None:
    columns = {"episode_id": "No", "patient_id": "MRN"}
    table = {"source": "x.csv", "table": "episodes", "columns": columns, "drop": ["no", "mrn"]}
    with pytest.raises(SpecError) as caught:
        build_mapping({"tables": [table]})
    assert [text.split(":")[0] for text in caught.value.faults] == [
        "tables[1].columns.episode_id", "tables[1].columns.patient_id",
    ]  # fmt: skip


def test_what_another_source_drops_may_be_mapped() -> None:
    sources = {"y.csv": {"drop": ["No"]}}
    table = {"source": "x.csv", "table": "episodes", "columns": {"episode_id": "No"}}
    assert build_mapping({"sources": sources, "tables": [table]})


def test_a_date_that_starts_the_clock_is_no_pseudonym_either(tmp_path: Path) -> None:
    mapping = DATED.replace('patient_id = "who"', 'patient_id = "started"')
    with pytest.raises(RecordsError, match="becomes patient_id and is not declared a pseudonym"):
        read(tmp_path, mapping, SCORED)


def test_a_dropped_column_is_not_taken_by_a_pattern(tmp_path: Path) -> None:
    mapping = 'drop = ["ODI wk12"]\n' + LONG
    mapping += '[[tables.wide]]\npattern = "{instrument}_wk{week}"\n'
    records = read(tmp_path, mapping, "id,odi_wk6,odi_wk12\n1,40,30\n")
    assert scores(records) == [("1", 42, "odi", 40.0)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("drop = [Phone]\n", "is not valid TOML.*line 1.*Mend that line; strings need quotes"),
        ('id = "a"\n[exposure]\nprimary = "b"\n', "is a study, not a mapping.*mapping.toml"),
    ],
)
def test_files_that_are_no_mapping(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "given.toml").write_text(text)
    with pytest.raises(SpecError, match=f"^given.toml: {says}") as caught:
        read_mapping(tmp_path / "given.toml")
    assert caught.value.faults == (str(caught.value),)


GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "map-your-records.md"
BLOCKS = re.findall(r"```toml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_guide_shows_mappings_that_can_be_read(block: str) -> None:
    content = tomllib.loads(block)
    assert build_mapping({"tables": [], **content})


def test_the_guide_names_everything_that_a_column_can_say() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    names = [field.alias or name for name, field in Value.model_fields.items()]
    names += [*Condition.model_fields, *Wide.model_fields, *Dates.model_fields]
    names += [*SourceMap.model_fields]
    assert [name for name in names if f"`{name}`" not in text and f"{name} =" not in text] == []


EXAMPLE = dict(re.findall(r"`([a-z]+\.csv)`\n\n```\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL))


def test_the_guide_s_whole_example_reads_its_files(tmp_path: Path) -> None:
    (mapping,) = [block for block in BLOCKS if all(f'"{name}"' in block for name in EXAMPLE)]
    assert len(EXAMPLE) == 3
    for name, text in {**EXAMPLE, "mapping.toml": mapping}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    records = read_records(tmp_path, tmp_path / "mapping.toml")
    assert {p.rule for p in records.problems} == {"filtered"}
    assert dict(records.n_rows) == {
        "patients": 2, "episodes": 2, "sessions": 3, "components": 3, "assessments": 7,
    }  # fmt: skip
    assert scores(records) == [
        ("1", 0, "nprs", 7.0), ("1", 0, "odi", 42.0), ("1", 42, "nprs", 3.0),
        ("1", 42, "odi", 28.5), ("2", 0, "odi", 36.0), ("2", 42, "nprs", 4.0),
        ("2", 42, "odi", 22.0),
    ]  # fmt: skip
    given = records.frame("SELECT intervention, minutes FROM components ORDER BY _row")
    assert given.to_numpy().tolist() == [
        ["exercise", 30.0], ["manual.massage", 12.5], ["modality.heat", 20.0],
    ]  # fmt: skip
    came = records.frame("SELECT day, attended FROM sessions ORDER BY _row")
    assert came["day"].tolist() == [0, 7, 1]
    assert came["attended"].tolist() == [True, False, True]
    cases = records.frame("SELECT body_region, bmi, leg_pain FROM episodes ORDER BY _row")
    assert cases.to_numpy().tolist() == [["low_back", 27.4, True], ["low_back", 24.9, False]]
