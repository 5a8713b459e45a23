"""What a study asks of its records and does not find there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from outcomes.core.problems import Problem
from outcomes.study.unmet import check_asked
from tests.unit.study_records import (
    MEDICATION,
    MOBILITY,
    PAIN,
    delivered,
    episode,
    score,
    study,
    treated,
    write_records,
)

VISIT = {"label": "week_6", "day": 42, "from_day": 28, "to_day": 63}
LATER = {"label": "week_26", "day": 182, "from_day": 127, "to_day": 266}


def asked(tmp_path: Path, *, programs: tuple[str, ...] = (), **given: Any) -> list[Problem]:
    """What is unmet with six episodes, half of them with exercise, pain at the start and week 6."""
    codes = programs or ("Gym", "GP")
    people = [episode(k, program=codes[k % len(codes)]) for k in range(6)]
    care = delivered([treated(k, ("exercise.strength", 30)) for k in range(0, 6, 2)])
    scores = [score(k, day, 5) for k in range(6) for day in (0, 56)]
    records = write_records(tmp_path / "records", episodes=people, assessments=scores, **care)
    return check_asked(records, study(**{"gate": {"group_size": 2}, **given}))


def only(problems: list[Problem]) -> Problem:
    """The one problem there is."""
    (problem,) = problems
    return problem


def test_a_study_that_finds_everything_has_no_problem(tmp_path: Path) -> None:
    assert asked(tmp_path) == []


def test_an_instrument_that_was_never_measured(tmp_path: Path) -> None:
    problem = only(asked(tmp_path, outcomes=[PAIN, MOBILITY]))
    assert problem.severity == "warning"
    assert str(problem).startswith("study.toml [[outcomes]] (mobility) instrument: no score")
    assert "'odi'" in problem.message
    assert "The records hold nprs" in problem.remedy


def test_a_described_instrument_that_was_never_measured(tmp_path: Path) -> None:
    problem = only(asked(tmp_path, described=[{"instrument": "tug"}]))
    assert "[[described]]" in str(problem)


def test_doses_without_prescriptions(tmp_path: Path) -> None:
    problem = only(asked(tmp_path, outcomes=[PAIN, MEDICATION]))
    assert "no table medications" in problem.message


def test_a_visit_without_any_score(tmp_path: Path) -> None:
    problem = only(asked(tmp_path, visits=[VISIT, LATER]))
    assert problem.severity == "warning"
    assert "(week_26): no score of an outcome lies in its window, days 141 to 280" in str(problem)


def off_window(tmp_path: Path, n: int, **given: Any) -> list[Problem]:
    """What is unmet where so many of forty episodes were seen in week 6 of care, the rest later."""
    people = [episode(k, program=("Gym", "GP")[k % 2]) for k in range(40)]
    care = delivered([treated(k, ("exercise.strength", 30)) for k in range(0, 40, 2)])
    later = [(k, 40 if k < n else 56) for k in range(40)]
    scores = [score(k, day, 5) for k, late in later for day in (0, late)]
    records = write_records(tmp_path / "records", episodes=people, assessments=scores, **care)
    return check_asked(records, study(**{"gate": {"group_size": 2}, **given}))


def test_scores_that_lie_in_no_window(tmp_path: Path) -> None:
    problem = only(off_window(tmp_path, 20))
    assert problem.severity == "warning"
    assert "20 of 40 scores after time zero lie in no analysed visit's window" in problem.message
    assert "most on days 35 to 41 from the start" in problem.message
    assert "day 14 from the start" in problem.remedy


@pytest.mark.parametrize("n", [0, 4, 11])
def test_few_scores_in_no_window_are_not_told(n: int, tmp_path: Path) -> None:
    assert off_window(tmp_path, n) == []


def test_a_visit_at_an_event_may_take_any_score(tmp_path: Path) -> None:
    leaving = {"label": "discharge", "event": "discharge", "analysed": True}
    assert off_window(tmp_path, 20, visits=[VISIT, leaving]) == []


@pytest.mark.parametrize(("code", "hint"), [("gim", "Is it 'gym'?"), ("zumba", "Look at how")])
def test_a_program_that_nobody_is_in(code: str, hint: str, tmp_path: Path) -> None:
    exposure = {
        "source": "program",
        "programs": {"Gym": "exercise", "GP": "usual_care", code: "exercise"},
    }
    problem = only(asked(tmp_path, exposure=exposure))
    assert f"study.toml [exposure] programs: {code!r} is the program of no episode" in str(problem)
    assert problem.remedy.startswith(hint)


def test_a_program_of_the_population_that_nobody_is_in(tmp_path: Path) -> None:
    problem = only(asked(tmp_path, population={"programs": ["Gym", "GP", "Spa"]}))
    assert "[population] programs: 'Spa'" in str(problem)


def test_a_covariate_that_no_column_holds(tmp_path: Path) -> None:
    problem = only(asked(tmp_path, model={"covariates": ["age", "payer"]}))
    assert problem.severity == "warning"
    assert "'payer'" in problem.message
    assert "'age'" not in problem.message
    assert only(asked(tmp_path, model={})).severity == "note"


def test_a_type_that_is_too_small(tmp_path: Path) -> None:
    exposure = {
        "source": "program",
        "programs": {"Gym": "exercise", "GP": "usual_care", "Yoga": "mind_body"},
        "types": [{"id": "exercise"}, {"id": "usual_care"}, {"id": "mind_body"}],
    }
    codes = ("Gym", "GP", "Gym", "GP", "Gym", "Yoga")
    problem = only(asked(tmp_path, programs=codes, exposure=exposure))
    assert problem.severity == "warning"
    assert "fewer than 2 episodes are of the type 'mind_body'" in problem.message


def test_types_of_which_nothing_will_be_shown(tmp_path: Path) -> None:
    problem = only(asked(tmp_path, gate={"group_size": 4}))
    assert problem.severity == "warning"
    assert str(problem).startswith("study.toml [gate] group_size: fewer than 4 episodes")
    assert "'exercise' or 'usual_care'" in problem.message


def test_a_comparison_that_is_too_small_is_fatal_and_hides_nothing(tmp_path: Path) -> None:
    found = asked(tmp_path, exposure={"min_group": 30}, visits=[VISIT, LATER])
    assert [problem.severity for problem in found] == ["warning", "fatal"]
    assert "study.toml [primary]: The primary comparison cannot be made" in str(found[1])
    assert found[1].remedy.startswith("Choose other types")


def test_records_that_do_not_say_what_was_done_are_fatal(tmp_path: Path) -> None:
    records = write_records(
        tmp_path, episodes=[episode(k) for k in range(4)],
        assessments=[score(k, day, 5) for k in range(4) for day in (0, 56)],
    )  # fmt: skip
    problem = only(check_asked(records, study()))
    assert (problem.severity, problem.table) == ("fatal", "sessions")


def test_a_covariate_that_would_leave_nobody_is_fatal(tmp_path: Path) -> None:
    model = {"covariates": ["payer"], "covariate_missing": "drop"}
    found = asked(tmp_path, model=model)
    assert found[-1].severity == "fatal"
    assert str(found[-1]).startswith("study.toml [model] covariates: 'payer' not in the records")


def test_a_region_that_no_episode_is_of_is_the_one_thing_that_stops_the_study(
    tmp_path: Path,
) -> None:
    problem = only(asked(tmp_path, population={"body_regions": ["neck"]}))
    assert problem.severity == "fatal"
    assert "[population] body_regions" in problem.table
    assert "no episode is of 'neck'; the records hold 'low_back'" in problem.message
