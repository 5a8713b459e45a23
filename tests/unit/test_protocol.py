"""What the study says about itself follows its specification and what the records hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import pytest

from outcomes.study.protocol import describe_covariates, describe_study
from outcomes.study.spec import StudySpec


def _spec(**changes: Any) -> StudySpec:
    return StudySpec.model_validate(
        {
            "id": "back-pain",
            "records": {"path": "records"},
            "exposure": {"primary": "exercise"},
            "primary": {"outcome": "pain", "visit": "week_12"},
            "model": {"covariates": ["age", "sex", "leg_pain", "clinic_id"]},
            **changes,
        }
    )


@dataclass(frozen=True, kw_only=True)
class _Pooled:
    spec: StudySpec
    exposures: tuple[str, ...] = ("exercise", "usual_care")
    window_days: int = 14
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        return {"exercise": "Exercise", "usual_care": "Usual care"}


@dataclass(frozen=True, kw_only=True)
class _Dataset(_Pooled):
    episodes: pd.DataFrame


EPISODES = pd.DataFrame(
    {
        "age": [41.0, 52.0, None],
        "sex": ["female", "female", None],
        "leg_pain": [None, None, None],
        "clinic_id": ["a", "a", "a"],
    }
)


def _part(words: dict[str, Any], part: str) -> str:
    found = [row["emulation"] for row in words["methods"] if row["part"] == part]
    assert len(found) == 1
    return str(found[0])


def test_covariates_are_parted_by_what_the_records_make_of_them() -> None:
    found = describe_covariates(_spec(), EPISODES)
    assert {part: [row["id"] for row in rows] for part, rows in found.items()} == {
        "used": ["age", "sex"],
        "absent": ["leg_pain"],
        "same": ["clinic_id"],
    }


def test_assignment_lists_what_the_fits_hold_and_apart_what_they_could_not() -> None:
    words = describe_study(_Dataset(spec=_spec(), episodes=EPISODES))
    assert _part(words, "Assignment") == (
        "As if random given the baseline score and: age, sex. Asked for but not recorded: pain"
        " below the knee. Asked for but the same for everyone: clinic"
    )
    pooled = describe_study(_Pooled(spec=_spec()))
    assert "where recorded: age, sex, leg pain, clinic" in _part(pooled, "Assignment")
    assert pooled["covariates"] is None


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([False, None, None], "no red flag recorded at intake"),
        ([None, None, None], "red flags not recorded, so that nobody was left out for one"),
    ],
)
def test_red_flags_are_no_rule_where_none_are_recorded(flags: list[bool], said: str) -> None:
    episodes = EPISODES.assign(red_flags=flags)
    words = describe_study(_Dataset(spec=_spec(), episodes=episodes))
    assert said in _part(words, "Eligibility")


def test_a_trial_says_that_its_file_does_not_record_blinding() -> None:
    words = describe_study(_Dataset(spec=_spec(design="randomised"), episodes=EPISODES))
    assert "whether people knew their group is not recorded" in _part(words, "Assignment")
    assert "what they expect" in words["paragraphs"]["assumptions"]
    rated = {row["id"]: row["self_reported"] for row in words["outcomes"]}
    assert rated == {"pain": True, "mobility": True, "medication": False}


def test_facts_are_said_without_codes() -> None:
    words = describe_study(_Pooled(spec=_spec()))
    facts = [row["fact"] for row in words["facts"]]
    assert any("smallest change that one person notices (MCID), 2 points" in f for f in facts)
    assert not any("percent" in fact.split("(MCID)")[-1] for fact in facts if "MCID" in fact)
