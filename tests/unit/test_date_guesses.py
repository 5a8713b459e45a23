"""Dates in a first mapping, what is said of dates that cannot be read, and numbers of sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from outcomes.core.errors import RecordsError, SpecError
from outcomes.core.problems import Problem
from outcomes.records import read_records
from outcomes.records.propose import Proposal, propose_mapping

GERMAN = ("03.02.2025", "17.02.2025", "31.03.2025")


def export(folder: Path, starts: tuple[str, ...], days: tuple[str, ...]) -> Proposal:
    """Write cases and visits with these dates, and propose a mapping for them."""
    cases = [f"{n},{100 + n},{start},neck" for n, start in enumerate(starts, start=1)]
    visits = [f"{n},{1 + n % len(starts)},{day},Y" for n, day in enumerate(days, start=1)]
    scores = [f"{1 + n % len(starts)},{day},odi,30" for n, day in enumerate(days)]
    for name, header, rows in (
        ("cases", "Case ID,Pat Id,Start Date,Area", cases),
        ("visits", "visit_id,case_id,visit_date,showed", visits),
        ("outcomes", "case_id,assessment_date,measure,score", scores),
    ):
        (folder / f"{name}.csv").write_text("\n".join([header, *rows]) + "\n")
    return propose_mapping(folder)


def format_line(proposal: Proposal) -> str:
    """What the proposal says of the form of dates; empty for nothing."""
    lines = proposal.text.splitlines()
    return next((line.split("#")[0].strip() for line in lines if line.startswith("format")), "")


def read(folder: Path, text: str) -> tuple[Problem, ...]:
    """Everything that is said of the records, whether or not they can be used."""
    (folder / "mapping.toml").write_text(text)
    try:
        return read_records(folder, folder / "mapping.toml").problems
    except RecordsError as fault:
        return fault.problems


@pytest.mark.parametrize(
    ("starts", "days", "form"),
    [
        (GERMAN, GERMAN, '["%d.%m.%Y"]'),
        (("3.2.2025", "4.2.2025"), ("5.2.2025",), '["%d.%m.%Y"]'),
        (("31/03/2025",), ("01/04/2025",), '["%d/%m/%Y"]'),
        (("03/31/2025",), ("04/01/2025",), '["%m/%d/%Y"]'),
        (("2/1/25",), ("2/28/25",), '["%m/%d/%y"]'),
        (("31-03-2025",), ("01-04-2025 09:30",), '["%d-%m-%Y", "%d-%m-%Y %H:%M"]'),
        (("2025-03-31",), ("14/04/2025",), '["%d/%m/%Y", "%Y-%m-%d"]'),
        (("2025-03-31T08:00:00",), ("14/04/2025",), '["%d/%m/%Y", "%Y-%m-%dT%H:%M:%S"]'),
        (("31.03.2025",), ("14.04.25",), '["%d.%m.%y", "%d.%m.%Y"]'),
        (("20250331",), ("20250401",), '["%Y%m%d"]'),
        (("31 Mar 2025",), ("02 Apr 2025",), '["%d %b %Y"]'),
    ],
)
def test_a_form_of_dates_that_the_cells_settle_is_proposed(
    starts: tuple[str, ...], days: tuple[str, ...], form: str, tmp_path: Path
) -> None:
    proposal = export(tmp_path, starts, days)
    assert format_line(proposal) == f"format = {form}"
    assert proposal.n_gaps == 0
    problems = read(tmp_path, proposal.text)
    assert not [one for one in problems if one.severity in ("fatal", "error")]
    assert "unreadable_date" not in {problem.rule for problem in problems}


@pytest.mark.parametrize("day", ["2025-03-31", "2025/03/31", "2025-03-31 10:15:00", "NA"])
def test_dates_that_are_read_anyway_need_no_form(day: str, tmp_path: Path) -> None:
    proposal = export(tmp_path, ("2025-03-31",), (day,))
    assert format_line(proposal) == ""
    assert proposal.n_gaps == 0


@pytest.mark.parametrize(
    ("starts", "days", "said"),
    [
        (("03/02/2025",), ("04/02/2025",), "no part is above 12"),
        (("31/03/2025",), ("04/30/2025",), "only as %d/%m/%Y, others only as %m/%d/%Y"),
        (("45741",), ("45742",), "'Start Date'"),
        (("25-03-31",), ("31-03-2025",), "'Start Date'"),
    ],
)
def test_what_the_cells_do_not_settle_is_asked(
    starts: tuple[str, ...], days: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    proposal = export(tmp_path, starts, days)
    assert format_line(proposal) == ""
    gaps = [line for line in proposal.text.splitlines() if line.startswith("# GAP")]
    assert proposal.n_gaps == len(gaps) >= 1
    assert said in gaps[0]
    assert "format = [" in proposal.text


def test_no_date_is_written_into_a_proposal(tmp_path: Path) -> None:
    text = export(tmp_path, (*GERMAN, "someday"), ("03/02/2025", "about Easter")).text
    for cell in (*GERMAN, "someday", "03/02/2025", "Easter", "2025"):
        assert cell not in text


def without_form(proposal: Proposal) -> str:
    """The proposal as it would be had nobody said how dates are written."""
    lines = proposal.text.splitlines()
    return "\n".join(line for line in lines if not line.startswith("format"))


def test_every_column_of_unread_dates_is_named_and_nothing_that_follows(tmp_path: Path) -> None:
    problems = read(tmp_path, without_form(export(tmp_path, GERMAN, GERMAN)))
    fatal = [problem for problem in problems if problem.severity == "fatal"]
    assert {(one.table, one.rule) for one in fatal} == {
        ("episodes", "unreadable_date"),
        ("sessions", "unreadable_date"),
        ("assessments", "unreadable_date"),
    }
    assert list(problems[: len(fatal)]) == fatal
    for problem in fatal:
        assert "[dates] format" in problem.remedy
        assert '"%d.%m.%Y"' in problem.remedy
        assert problem.count == 3
    assert [problem.column for problem in fatal] == ["Start Date", "day", "day"]
    assert not [problem for problem in problems if problem.rule == "missing"]


def test_some_unread_dates_come_before_what_follows_from_them(tmp_path: Path) -> None:
    starts = ("2025-03-31", "31.03.2025")
    days = ("2025-04-01", "2025-04-02", "03.04.2025")
    problems = read(tmp_path, without_form(export(tmp_path, starts, days)))
    errors = [problem for problem in problems if problem.severity == "error"]
    dates = [problem for problem in errors if problem.rule == "unreadable_date"]
    assert [problem.table for problem in dates] == ["episodes", "sessions", "assessments"]
    assert errors[: len(dates)] == dates
    assert len(errors) > len(dates)


@pytest.mark.parametrize(
    ("form", "right"),
    [("dd.mm.yyyy", "%d.%m.%Y"), ("MM/DD/YYYY", "%m/%d/%Y"), ("%Q.%m.%Y", "%d/%m/%Y"),
     ("%m/%Y", "%d/%m/%Y"), ("%", "%d/%m/%Y"), ("day", "%d/%m/%Y")],
)  # fmt: skip
def test_what_is_no_form_of_a_date_is_a_fault_of_the_mapping(
    form: str, right: str, tmp_path: Path
) -> None:
    text = export(tmp_path, GERMAN, GERMAN).text.replace('"%d.%m.%Y"', f'"{form}"')
    with pytest.raises(SpecError) as fault:
        read(tmp_path, text)
    assert f"mapping.toml: dates.format: '{form}'" in str(fault.value)
    assert f'"{right}"' in str(fault.value)


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%-d.%-m.%y", "%d %B %Y", "%Y-%j", "%x"])
def test_forms_of_dates_are_taken(form: str, tmp_path: Path) -> None:
    text = export(tmp_path, GERMAN, GERMAN).text.replace('"%d.%m.%Y"', f'"%d.%m.%Y", "{form}"')
    assert "unreadable_date" not in {problem.rule for problem in read(tmp_path, text)}


def numbered(folder: Path, numbers: tuple[int, ...], named: str = "Visit No") -> Proposal:
    """Two cases with two visits each, numbered like this, and what was done in the visits."""
    export(folder, ("2025-03-31", "2025-04-01"), ("2025-04-02",))
    cases = (1, 1, 2, 2)
    rows = list(zip(numbers, cases, strict=True))
    visits = [f"{no},{case},2025-04-0{case},Y" for no, case in rows]
    done = [f"{no},{case},massage,10" for no, case in rows]
    for name, header, lines in (
        ("visits", f"{named},case_id,visit_date,showed", visits),
        ("interventions", f"{named},case_id,procedure,mins", done),
    ):
        (folder / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n")
    return propose_mapping(folder)


@pytest.mark.parametrize("named", ["Visit No", "session_number", "AppointmentNo"])
def test_a_session_s_number_tells_sessions_apart(named: str, tmp_path: Path) -> None:
    proposal = numbered(tmp_path, (1, 2, 3, 4), named)
    assert f'session_id = "{named}"' in proposal.text
    assert f'drop = ["{named}"' not in proposal.text
    assert proposal.n_gaps == 0
    assert not [p for p in read(tmp_path, proposal.text) if p.severity in ("fatal", "error")]


def test_numbers_that_begin_anew_with_every_case_are_joined_to_it(tmp_path: Path) -> None:
    proposal = numbered(tmp_path, (1, 2, 1, 2))
    assert proposal.text.count('session_id = ["case_id", "Visit No"]') == 2
    assert proposal.n_gaps == 0
    assert not [p for p in read(tmp_path, proposal.text) if p.severity in ("fatal", "error")]
    records = read_records(tmp_path, tmp_path / "mapping.toml")
    assert dict(records.n_rows)["sessions"] == 4
    assert dict(records.n_rows)["components"] == 4


def test_a_number_that_counts_nothing_may_be_the_clinic_s_own(tmp_path: Path) -> None:
    proposal = numbered(tmp_path, (70211, 70355, 81002, 90177))
    assert 'session_id = "Visit No"' in proposal.text
    assert "GAP: 'Visit No' is named like the clinic's own number" in proposal.text
    assert "70211" not in proposal.text


def test_a_visit_s_number_beside_scores_is_still_left_out(tmp_path: Path) -> None:
    export(tmp_path, ("2025-03-31",), ("2025-04-02",))
    text = "case_id,Visit No,assessment_date,measure,score\n1,1,2025-04-02,odi,30\n"
    (tmp_path / "outcomes.csv").write_text(text)
    assert 'drop = ["Visit No"]' in propose_mapping(tmp_path).text


@pytest.mark.parametrize("form", ["%d.%m.%Y", ""])
def test_two_digits_are_no_year_of_four(form: str, tmp_path: Path) -> None:
    day = "31.03.25" if form else "25-03-31"
    text = export(tmp_path, (day,), (day,)).text
    lines = [line for line in text.splitlines() if "format = " not in line]
    if form:
        lines.insert(lines.index('start = "Start Date"'), f'format = ["{form}"]')
    rules = [(one.rule, one.column) for one in read(tmp_path, "\n".join(lines))]
    assert rules.count(("unreadable_date", "day")) == 2
    assert ("unreadable_date", "Start Date") in rules


def test_each_form_reads_its_own_years(tmp_path: Path) -> None:
    proposal = export(tmp_path, ("31.03.2025", "01.04.25"), ("14.04.25", "15.04.2025"))
    text = proposal.text.replace('["%d.%m.%y", "%d.%m.%Y"]', '["%d.%m.%Y", "%d.%m.%y"]')
    assert text != proposal.text
    read(tmp_path, text)
    records = read_records(tmp_path, tmp_path / "mapping.toml")
    assert sorted(records.frame("SELECT day FROM sessions")["day"]) == [13, 15]


def test_a_year_of_two_digits_may_stand_first(tmp_path: Path) -> None:
    days = ("24/03/11", "24/03/12", "24/03/13", "25/04/14")
    proposal = export(tmp_path, days, days)
    assert format_line(proposal) == ""
    assert "GAP: 'Start Date' in cases.csv holds dates in a form that was not" in proposal.text


@pytest.mark.parametrize("zone", ["Z", "+02:00", " -0500", ".250+02"])
def test_a_date_with_a_zone_is_the_day_where_it_was_written(zone: str, tmp_path: Path) -> None:
    starts = (f"2025-03-31T00:10:00{zone}", f"2025-04-01T23:50:00{zone}")
    proposal = export(tmp_path, starts, ("14/04/2025", "15/04/2025"))
    assert format_line(proposal) == 'format = ["%d/%m/%Y", "%Y-%m-%dT%H:%M:%S"]'
    read(tmp_path, proposal.text)
    records = read_records(tmp_path, tmp_path / "mapping.toml")
    assert sorted(records.frame("SELECT day FROM sessions")["day"]) == [13, 15]


def test_an_end_in_a_year_that_never_comes_is_no_end(tmp_path: Path) -> None:
    export(tmp_path, ("2025-03-31",), ("2025-04-02",))
    (tmp_path / "cases.csv").write_text(
        "Case ID,Pat Id,Start Date,Area,End Date\n1,101,2025-03-31,neck,9999-12-31\n"
        "2,102,2025-04-01,neck,2025-05-01\n"
    )
    problems = read(tmp_path, propose_mapping(tmp_path).text)
    assert [(one.rule, one.count) for one in problems if one.column == "end_day"] == [
        ("unreadable_date", 1)
    ]


def test_people_of_two_digits_were_born_before_they_came(tmp_path: Path) -> None:
    export(tmp_path, ("31.03.25",), ("14.04.25",))
    (tmp_path / "cases.csv").write_text(
        "Case ID,Pat Id,Start Date,Area,dob\n1,101,31.03.25,neck,01.02.55\n"
        "2,102,01.04.25,neck,01.02.15\n3,103,02.04.25,neck,01.02.82\n"
    )
    read(tmp_path, propose_mapping(tmp_path).text)
    records = read_records(tmp_path, tmp_path / "mapping.toml")
    assert records.frame("SELECT age FROM episodes ORDER BY _row")["age"].tolist() == [70, 10, 43]
    years = records.frame("SELECT birth_year FROM patients ORDER BY 1")["birth_year"]
    assert years.tolist() == [1955, 1982, 2015]


def test_a_column_whose_dates_do_not_tell_is_named_where_others_decide(tmp_path: Path) -> None:
    proposal = export(tmp_path, ("03/02/2025", "04/02/2025"), ("02/28/2025",))
    assert format_line(proposal) == 'format = ["%m/%d/%Y"]'
    assert "Look here: no part of 'Start Date' in cases.csv is above 12" in proposal.text
    assert proposal.text.count("Look here") == 1


@pytest.mark.parametrize("named", ["Visit ID", "session_id"])
def test_ids_that_begin_anew_with_every_case_are_joined_to_it_too(
    named: str, tmp_path: Path
) -> None:
    proposal = numbered(tmp_path, (1, 2, 1, 2), named)
    assert proposal.text.count(f'session_id = ["case_id", "{named}"]') == 2
    assert not [p for p in read(tmp_path, proposal.text) if p.severity in ("fatal", "error")]


def test_a_session_in_several_rows_of_one_case_is_not_counted_anew(tmp_path: Path) -> None:
    numbered(tmp_path, (1, 2, 3, 4))
    (tmp_path / "interventions.csv").unlink()
    (tmp_path / "visits.csv").write_text(
        "Visit No,case_id,visit_date,therapy\n1,1,2025-04-01,massage\n1,1,2025-04-01,exercise\n"
        "2,2,2025-04-02,exercise\n"
    )
    proposal = propose_mapping(tmp_path)
    assert proposal.text.count('session_id = "Visit No"') == 2
    assert not [p for p in read(tmp_path, proposal.text) if p.severity in ("fatal", "error")]
