"""The first mapping: what is guessed from names, what is dropped, and what is marked as a gap."""

from __future__ import annotations

from pathlib import Path

import pytest

from outcomes.core.errors import RecordsError
from outcomes.records import Records, read_records
from outcomes.records.guesses import guess_codes, guess_columns, guess_table
from outcomes.records.propose import propose_mapping
from outcomes.records.schema import TABLES
from outcomes.records.wide_guesses import guess_wide
from tests.records_example import write_example

CASES = """\
Case ID,Who,Pat Id,Start Date,Gender,Area,Discharge date,Phone,odi_bl,odi_wk6,NPRS_BL,nprs_wk6,dob
1,Ann,10,2021-01-04,F,Lumbar,2021-04-01,212-555-0142,40,30,7,99,1970-02-03
2,Bo,11,2021-02-04,M,Neck,2021-05-01,212-555-0143,42,28,6,3,1971-02-03
"""
VISITS = (
    "visit_id,case_id,visit_date,showed\n1,1,2021-01-04,Y\n2,1,2021-01-11,Y\n3,2,2021-02-11,N\n"
)


def proposed(folder: Path) -> tuple[Records, str]:
    """Records read through the mapping that is proposed for them, and its text."""
    text = propose_mapping(folder).text
    mapping = folder / "mapping.toml"
    mapping.write_text(text)
    return read_records(folder, mapping), text


def test_canonical_files_need_no_mapping(tmp_path: Path) -> None:
    proposal = propose_mapping(write_example(tmp_path))
    assert proposal.n_gaps == 0
    assert "tables = []" in proposal.text
    records, _ = proposed(tmp_path)
    assert [str(problem) for problem in records.problems] == []


def test_an_export_of_a_clinic_can_be_read_at_once(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(CASES)
    (tmp_path / "visits.csv").write_text(VISITS)
    records, text = proposed(tmp_path)
    assert "# GAP" not in text
    assert 'drop = ["Phone"]' in text
    assert dict(records.n_rows) == {"patients": 2, "episodes": 2, "sessions": 3, "assessments": 7}
    episodes = records.frame("FROM episodes ORDER BY _row")
    assert episodes["body_region"].tolist() == ["low_back", "neck"]
    assert episodes["end_day"].tolist() == [87, 86]
    assert episodes["age"].tolist() == [50, 50]
    assert records.frame("SELECT sex FROM patients ORDER BY 1")["sex"].tolist() == [
        "female",
        "male",
    ]
    assert records.frame("SELECT day FROM sessions ORDER BY _row")["day"].tolist() == [0, 7, 7]
    scores = records.frame("SELECT instrument, day, score FROM assessments ORDER BY ALL")
    assert scores.to_numpy().tolist() == [
        ["nprs", 0, 6.0], ["nprs", 0, 7.0], ["nprs", 42, 3.0],
        ["odi", 0, 40.0], ["odi", 0, 42.0], ["odi", 42, 28.0], ["odi", 42, 30.0],
    ]  # fmt: skip


def test_no_cell_is_written_into_a_proposal(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(CASES.replace("Neck", "Zq7731"))
    text = propose_mapping(tmp_path).text
    for cell in ("Zq7731", "Ann", "2021-01-04", "212-555-0142", "1970"):
        assert cell not in text


def test_one_long_file_of_scores_becomes_episodes_too(tmp_path: Path) -> None:
    (tmp_path / "outcomes.csv").write_text(
        "participant,week,odi,nprs\n1,0,40,7\n1,6,20,3\n2,0,50,8\n"
    )
    records, _ = proposed(tmp_path)
    assert dict(records.n_rows) == {"episodes": 2, "assessments": 6}
    assert set(records.frame("SELECT day FROM assessments")["day"]) == {0, 42}


def test_the_clinic_s_own_numbers_are_not_called_pseudonyms(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(CASES.replace("Pat Id", "MRN"))
    proposal = propose_mapping(tmp_path)
    assert "GAP: 'MRN' is named like the clinic's own number" in proposal.text
    (tmp_path / "mapping.toml").write_text(proposal.text)
    with pytest.raises(RecordsError, match="not declared a pseudonym"):
        read_records(tmp_path, tmp_path / "mapping.toml")


def test_what_is_missing_is_a_gap(tmp_path: Path) -> None:
    (tmp_path / "episodes.csv").write_text("episode_id,patient_id\n1,1\n")
    (tmp_path / "assessments.csv").write_text("episode_id,instrument,score\n1,odi,5\n")
    proposal = propose_mapping(tmp_path)
    assert proposal.n_gaps == 1
    assert "GAP: assessments.day is required" in proposal.text


def test_a_folder_of_nothing_is_all_gaps(tmp_path: Path) -> None:
    proposal = propose_mapping(tmp_path)
    assert proposal.n_gaps == 2
    assert "tables = []" in proposal.text


@pytest.mark.parametrize(
    ("stem", "table"),
    [("Maßnahmen", "components"), ("Prescriptions", "medications"), ("2024_visits", "sessions"),
     ("PROMs", "assessments"), ("Home Log", "home_log"), ("spam", None)],
)  # fmt: skip
def test_files_by_their_names(stem: str, table: str | None) -> None:
    found, reason = guess_table(stem)
    assert (found.name if found else None) == table
    assert bool(reason) == (table is not None)


def test_a_column_is_used_once() -> None:
    guesses = guess_columns(TABLES["assessments"], ["id", "value", "day"], dated=False)
    columns = [guess.says["from"] for guess in guesses]
    assert len(columns) == len(set(columns))


def test_wide_names_are_taken_apart() -> None:
    names = ["odi_week6", "ODI.week12", "nprs-d7", "tug_m3", "mood_baseline", "odi_pre", "week6"]
    patterns = {str(guess.says["pattern"]) for guess in guess_wide(names)}
    assert patterns == {
        "{instrument}_week{week}", "{instrument}.week{week}", "{instrument}-d{day}",
        "{instrument}_m{month}", "{instrument}_{visit}",
    }  # fmt: skip


def test_only_known_codes_are_guessed() -> None:
    assert guess_codes("sex", ["F", "m", "x"]) == {"F": "female", "m": "male"}
    assert guess_codes("payer", ["a"]) == {}


WIDE = ["pain_6wk", "nprs_6weeks", "week6_pain", "odi_wk6", "pain_baseline", "pain_bl", "pain_pre",
        "nprs_w12", "promis_m3", "Pre ODI", "6wk_odi_score", "odi12weeks", "odi_1yr",
        "promis_pf_4a_pre"]  # fmt: skip
WIDE_DAYS = {
    "pain_6wk": ("nprs", 42), "nprs_6weeks": ("nprs", 42), "week6_pain": ("nprs", 42),
    "odi_wk6": ("odi", 42), "pain_baseline": ("nprs", 0), "pain_bl": ("nprs", 0),
    "pain_pre": ("nprs", 0), "nprs_w12": ("nprs", 84), "promis_m3": ("promis_global_10", 91),
    "Pre ODI": ("odi", 0), "6wk_odi_score": ("odi", 42), "odi12weeks": ("odi", 84),
    "odi_1yr": ("odi", 365), "promis_pf_4a_pre": ("promis_pf_4a", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", WIDE)
def test_a_wide_column_alone_is_a_score_at_a_time(name: str, tmp_path: Path) -> None:
    score = 4 if WIDE_DAYS[name][0] == "nprs" else 30
    (tmp_path / "export.csv").write_text(f"case_id,participant,area,{name}\n1,1,Lumbar,{score}\n")
    records, text = proposed(tmp_path)
    assert "Not taken" not in text
    found = records.frame("SELECT instrument, day FROM assessments")
    assert list(found.itertuples(index=False, name=None)) == [WIDE_DAYS[name]]


def test_wide_columns_together_make_one_row_each(tmp_path: Path) -> None:
    cells = [str(k if WIDE_DAYS[name][0] == "nprs" else 30 + k) for k, name in enumerate(WIDE)]
    text = f"case_id,participant,area,{','.join(WIDE)}\n1,1,Lumbar,{','.join(cells)}\n"
    (tmp_path / "export.csv").write_text(text)
    records, _ = proposed(tmp_path)
    found = records.frame("SELECT instrument, day FROM assessments")
    assert sorted(found.itertuples(index=False, name=None)) == sorted(WIDE_DAYS.values())


def test_a_word_that_is_no_instrument_is_a_gap_with_its_question(tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_text("case_id,participant,pain_6wk,promis_m3\n1,1,4,45\n")
    proposal = propose_mapping(tmp_path)
    assert proposal.n_gaps == 2
    assert "# GAP: 'pain' is read as nprs" in proposal.text
    assert "vas_pain" in proposal.text
    assert "# GAP: 'promis' is read as promis_global_10" in proposal.text


def test_a_distance_is_no_month() -> None:
    assert guess_wide(["tug_3m", "six_minute_walk_6m"]) == []
    assert [one.columns for one in guess_wide(["odi_3m"])] == [("odi_3m",)]


def test_columns_that_are_not_taken_are_listed_with_what_they_look_like(tmp_path: Path) -> None:
    (tmp_path / "export.csv").write_text(
        "case_id,participant,odi_wk6,satisfaction,sleep_6wk,odi_discharge,odi_q1,phone,2021-03-04\n"
        "1,1,30,7,3,20,2,212-555-0142,x\n"
    )
    _, text = proposed(tmp_path)
    listed = text.split("# Not taken")[1].split("[[tables]]")[0]
    assert "satisfaction" in listed
    assert "sleep_6wk: 'sleep' is no instrument of the catalog" in listed
    assert "odi_discharge: 'discharge' is no time that is known" in listed
    assert "odi_q1: looks like the answer to one question" in listed
    assert "phone" not in listed
    assert "odi_wk6" not in listed
    assert "2021" not in text


def test_what_canonical_files_hold_besides_is_listed_too(tmp_path: Path) -> None:
    write_example(tmp_path, {"spam.csv": "a,b\n1,2\n"})
    header, *rows = (tmp_path / "patients.csv").read_text().split()
    (tmp_path / "patients.csv").write_text("\n".join([f"{header},shoe", *(f"{r},4" for r in rows)]))
    text = propose_mapping(tmp_path).text
    assert "tables = []" in text
    listed = text.split("# Not taken", maxsplit=1)[1]
    assert "shoe" in listed
    assert "spam.csv" in listed


@pytest.mark.parametrize(
    "name",
    ["Vorname", "Telefon-Nr", "Straße", "Geburtsdatum", "Bemerkungen", "Versicherten-Nr", "KVNR",
     "Wohnort", "Patientenname"],
)  # fmt: skip
def test_what_points_at_a_person_is_dropped_in_german_too(name: str, tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(f"case_id,participant,{name},odi_wk6\n1,1,x,30\n")
    assert f'drop = ["{name}"]' in propose_mapping(tmp_path).text


def test_a_german_export_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "Fälle.csv").write_text(
        "Fall-ID;Patienten-ID;Beginn;Region;Geschlecht;Beinschmerz;Kostenträger;Dauer\n"
        "1;11;08.01.2024;LWS;w;ja;gesetzlich;3\n2;12;15.01.2024;HWS;m;nein;privat;4\n",
        encoding="utf-8",
    )
    (tmp_path / "Termine.csv").write_text(
        "Termin-Nr;Fall-ID;Datum;Erschienen;Maßnahme\n1;1;08.01.2024;ja;Massage\n"
        "2;2;16.01.2024;nein;\n",
        encoding="utf-8",
    )
    (tmp_path / "Fragebögen.csv").write_text(
        "Fall-ID;Datum;ODI\n1;08.01.2024;42,5\n2;15.01.2024;30,0\n", encoding="utf-8"
    )
    assert propose_mapping(tmp_path).n_gaps == 0
    records, text = proposed(tmp_path)
    assert {problem.severity for problem in records.problems} == {"note"}
    assert dict(records.n_rows) == {
        "patients": 2, "episodes": 2, "sessions": 2, "components": 1, "assessments": 2,
    }  # fmt: skip
    assert "Dauer" in text.split("# Not taken from")[1]


@pytest.mark.parametrize("name", ["Fall-Nr", "Fallnummer", "Case number"])
def test_a_case_s_number_may_be_the_clinic_s_own(name: str, tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(f"{name},participant,odi_wk6\n70211,1,30\n")
    text = propose_mapping(tmp_path).text
    assert f"GAP: '{name}' is named like the clinic's own number" in text


def clinic(folder: Path, cases: str = "", visits: str = "", scores: str = "") -> str:
    """Propose a mapping for the export of a clinic with headers of its own."""
    day = "02.03.2024"
    files = {
        "Cases": cases
        or "CaseNo;PatNo;PatientName;DateOfBirth;Gender;FirstVisit\n"
        f"2071;31;Ann Lee;01.02.1970;F;{day}\n2072;31;Ann Lee;01.02.1970;F;16.04.2024\n",
        "Appointments": visits
        or f"ApptNo;CaseNo;TreatmentDate;Treatment;Duration\n901;2071;{day};Massage;20\n"
        "905;2071;09.03.2024;Exercise;30\n",
        "Questionnaires": scores
        or f"Case;Date;NPRS;ODI\n2071;{day};7,0;42,5\n2072;16.04.2024;5,0;30,0\n",
    }
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)
    return propose_mapping(folder).text


def test_the_dates_that_make_days_are_taken_and_the_ids_asked_about(tmp_path: Path) -> None:
    text = clinic(tmp_path)
    assert 'drop = ["PatientName"]' in text
    assert text.count("drop = ") == 1
    assert "Not taken" not in text
    assert "is required and no column looks like it" not in text
    assert "pseudonymous = [" not in [line[:16] for line in text.splitlines()]
    assert "# GAP: 'CaseNo' and 'PatNo' are named like the clinic's own number" in text
    assert "# GAP: 'Case' (as 'CaseNo') is named like the clinic's own number" in text
    (tmp_path / "mapping.toml").write_text(text.replace("#      Then write pseudo", "pseudo"))
    records = read_records(tmp_path, tmp_path / "mapping.toml")
    assert dict(records.n_rows) == {
        "patients": 1, "episodes": 2, "sessions": 2, "components": 2, "assessments": 4,
    }  # fmt: skip
    assert records.frame("SELECT day FROM sessions ORDER BY day")["day"].tolist() == [0, 7]
    assert records.frame("SELECT minutes FROM components ORDER BY 1")["minutes"].tolist() == [
        20,
        30,
    ]
    assert records.frame("SELECT sex FROM patients")["sex"].tolist() == ["female"]


def test_every_dropped_column_has_its_reason(tmp_path: Path) -> None:
    cases = "case_id,participant,PatientName,Fon,dob\n1,1,x,212-555-0142,x\n2,2,y,212-555-0143,y\n"
    text = clinic(tmp_path, cases=cases)
    assert "#   PatientName: named like a person's name\n" in text
    assert "#   Fon: holds what looks like telephone numbers\n" in text


def test_a_name_is_never_offered_as_an_id(tmp_path: Path) -> None:
    text = clinic(tmp_path, cases="CaseNo;PatientName;UnitNo;FirstVisit\n2071;Ann;4;02.03.2024\n")
    assert "GAP: episodes.patient_id is required" in text
    assert "'UnitNo' was dropped: is it a pseudonym, and this id?" in text
    assert "UnitNo: named like a record number" in text
    (tmp_path / "mapping.toml").write_text(text)
    with pytest.raises(RecordsError) as fault:
        read_records(tmp_path, tmp_path / "mapping.toml")
    (missing,) = [one for one in fault.value.problems if one.column == "patient_id"]
    assert "PatientName" not in str(missing)


@pytest.mark.parametrize("named", ["DateSeen", "SeanceDatum"])
def test_the_one_date_of_a_file_is_its_day(named: str, tmp_path: Path) -> None:
    scores = f"Case;{named};ODI\n2071;02.03.2024;42,5\n"
    assert f'day = {{ date = "{named}" }}' in clinic(tmp_path, scores=scores)


def test_of_two_dates_it_is_asked_which_is_the_day(tmp_path: Path) -> None:
    scores = "Case;SentDate;BackDate;Born;ODI\n2071;02.03.2024;09.03.2024;01.02.1970;42,5\n"
    text = clinic(tmp_path, scores=scores)
    assert "GAP: assessments.day is required" in text
    for named in ("SentDate", "BackDate"):
        reason = f'named like a date; if it is the day, map day = {{ date = "{named}" }} instead'
        assert f"#   {named}: {reason}" in text
    assert "#   Born: named like a date\n" in text


def test_a_column_of_dates_may_be_the_day_whatever_it_is_called(tmp_path: Path) -> None:
    scores = "Case;Seen;ODI\n2071;2024-03-02;42,5\n"
    reason = 'holds what looks like dates; if it is the day, map day = { date = "Seen" } instead'
    assert f"#   Seen: {reason}" in clinic(tmp_path, scores=scores)


def test_the_one_date_of_cases_is_their_start_and_others_are_not(tmp_path: Path) -> None:
    cases = "CaseNo;PatNo;BirthDate;SurgeryDate;EntryDate\n2071;31;x;x;02.03.2024\n"
    text = clinic(tmp_path, cases=cases)
    assert 'start = "EntryDate"\n# Look here: the one date of this file. Did care' in text
    assert 'drop = ["SurgeryDate"]' in text


def test_a_column_that_ties_files_together_is_asked_about(tmp_path: Path) -> None:
    (tmp_path / "Patients.csv").write_text("Vorgang,Patient,Area\n4,1,neck\n5,1,neck\n6,2,neck\n")
    (tmp_path / "Questionnaires.csv").write_text("Vorgang,week,ODI\n4,0,30\n4,6,20\n5,0,25\n")
    text = propose_mapping(tmp_path).text
    assert "# GAP: 'Vorgang' is different in every row here and repeats in Questionnaires" in text
    assert text.count("different in every row") == 1


def test_cases_in_a_file_of_people_are_one_row_each(tmp_path: Path) -> None:
    (tmp_path / "Patients.csv").write_text("Case,Patient,Sex\n4,1,F\n5,1,F\n6,2,M\n")
    (tmp_path / "Questionnaires.csv").write_text("Case,week,ODI\n4,0,30\n4,6,20\n5,0,25\n")
    records, text = proposed(tmp_path)
    assert "one a person is assumed" not in text
    assert dict(records.n_rows) == {"patients": 2, "episodes": 3, "assessments": 3}


def test_words_are_written_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(
        "case_id,participant,Körperregion,odi_wk6\n1,1,Rücken,30\n2,2,Hals,30\n", encoding="utf-8"
    )
    text = propose_mapping(tmp_path).text
    assert 'recode = { Hals = "neck", "Rücken" = "low_back" }' in text
