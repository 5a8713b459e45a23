"""The type of an episode: shares of minutes, units or visits, combinations, and what is unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outcomes.core.errors import ExitCode, NotEstimable, RecordsError, SpecError
from outcomes.study.dataset import StudyDataset, build_dataset
from outcomes.study.exposure import classify
from outcomes.study.exposure_types import NONE, OUTSIDE, study_types
from outcomes.study.sections import ExposureSpec
from tests.unit.study_records import delivered, episode, score, study, treated, write_records

pytestmark = pytest.mark.slow

EXERCISE, MANUAL, TENS, ADVICE = (
    "exercise.strength", "manual.massage", "modality.tens", "education.pain",
)  # fmt: skip
CATALOG = study_types(ExposureSpec(primary="exercise"))


def named(**doses: float) -> str:
    """Classify one episode by the default rules."""
    row = [doses.get(name, 0.0) for name in (*CATALOG.therapy, "outside")]
    return str(classify(np.array([row]), CATALOG, share=0.5, combined_min_share=0.25)[0])


@pytest.mark.parametrize(
    ("doses", "expected"),
    [
        ({"exercise": 31, "manual_therapy": 30}, "exercise"),
        ({"exercise": 30, "manual_therapy": 30}, "manual_therapy+exercise"),
        ({"manual_therapy": 50, "modalities": 25, "exercise": 25}, "manual_therapy+exercise"),
        ({"manual_therapy": 40, "modalities": 40, "exercise": 20}, "manual_therapy+modalities"),
        ({"manual_therapy": 45, "modalities": 20, "exercise": 20, "psychological": 15}, ""),
        ({"exercise": 50, "outside": 50}, ""),
        ({"exercise": 30, "manual_therapy": 30, "outside": 40}, "manual_therapy+exercise"),
        ({"outside": 10}, ""),
        ({"exercise": 0.1 + 0.2, "manual_therapy": 0.3}, "manual_therapy+exercise"),
        ({"combined": 60, "exercise": 30}, "combined"),
        ({}, "usual_care"),
    ],
)
def test_a_type_is_named_by_its_share(doses: dict[str, float], expected: str) -> None:
    assert named(**doses) == expected


def test_the_share_and_the_least_part_are_the_studys() -> None:
    dose = np.array([[60.0, 40.0, 0, 0, 0, 0, 0]])
    assert classify(dose, CATALOG, share=0.6, combined_min_share=0.25)[0] == (
        "manual_therapy+exercise"
    )
    assert classify(dose, CATALOG, share=0.6, combined_min_share=0.45)[0] == ""


def test_pairs_are_spelled_as_the_study_spells_them_and_follow_their_parts() -> None:
    own = study_types(ExposureSpec(primary="exercise+manual_therapy"))
    assert own.pair("manual_therapy", "exercise") == "exercise+manual_therapy"
    order = CATALOG.in_order(
        ["usual_care", "modalities", "manual_therapy+exercise", "manual_therapy", "exercise"]
    )
    assert order == (
        "exercise", "manual_therapy", "manual_therapy+exercise", "modalities", "usual_care",
    )  # fmt: skip
    assert (
        CATALOG.label("manual_therapy+modalities") == "Manual therapy + TENS and other modalities"
    )
    assert CATALOG.phrase("manual_therapy") == "manual therapy"


def test_an_intervention_belongs_to_its_nearest_named_parent() -> None:
    types = study_types(
        ExposureSpec.model_validate(
            {
                "primary": "strength",
                "reference": "waiting",
                "types": [
                    {"id": "strength", "interventions": ["exercise.strength"]},
                    {"id": "moving", "interventions": ["exercise"]},
                    {"id": "waiting"},
                ],
            }
        )
    )
    assert types.of("exercise.strength") == "strength"
    assert types.of("exercise.aerobic") == "moving"
    assert types.of("manual.massage") == OUTSIDE
    assert types.of("care.assessment") == NONE
    assert types.of("something_else") == OUTSIDE
    assert types.untreated == "waiting"


# ----------------------------------------------------------------------------- from records
def built(folder: Path, sessions: list[Any], episodes: list[Any], **given: Any) -> StudyDataset:
    """Everybody has a pain score at both times."""
    scores = [score(int(row["episode_id"][1:]), day, 5) for row in episodes for day in (0, 56)]
    tables = delivered(sessions)
    tables |= given.pop("tables", {})
    records = write_records(folder, episodes=episodes, assessments=scores, **tables)
    return build_dataset(records, study(**given))


def exposures(dataset: StudyDataset) -> list[str]:
    return dataset.episodes["exposure"].tolist()


def test_what_was_held_in_the_window_counts_and_nothing_else(tmp_path: Path) -> None:
    sessions = [
        treated(1, (EXERCISE, 30), day=0),
        treated(1, (MANUAL, 90), day=14),
        treated(2, (EXERCISE, 30), day=13),
        treated(2, (MANUAL, 90), day=5, attended=False, planned=True),
        treated(2, (MANUAL, 90), day=-1),
        treated(3, (MANUAL, 30), day=14),
        treated(4, ("care.assessment", 60), day=0),
    ]
    dataset = built(tmp_path, sessions, [episode(n) for n in range(1, 5)])
    assert exposures(dataset) == ["exercise", "exercise", "usual_care", "usual_care"]
    assert dataset.episodes["share_exercise"].tolist()[:2] == [1.0, 1.0]
    assert dataset.episodes["share_exercise"].isna().tolist() == [False, False, True, True]
    assert dataset.episodes["has_manual"].tolist() == [False] * 4
    assert dataset.episodes["has_care"].tolist() == [False, False, False, True]
    first = dataset.delivered[dataset.delivered["episode_id"] == 1]
    assert first[["intervention", "period", "sessions", "minutes"]].to_numpy().tolist() == [
        [EXERCISE, "window", 1, 30.0],
        [EXERCISE, "episode", 1, 30.0],
        [MANUAL, "episode", 1, 90.0],
    ]


def test_another_window_is_another_classification(tmp_path: Path) -> None:
    sessions = [treated(n, (EXERCISE, 30)) for n in (1, 2, 3)]
    sessions += [treated(n, (MANUAL, 90), day=20) for n in (1, 2)]
    sessions += [treated(4, (MANUAL, 30)), treated(7, (EXERCISE, 30))]
    episodes = [episode(n) for n in range(1, 8)]
    scores = [score(n, day, 5) for n in range(1, 8) for day in (0, 70)]
    records = write_records(tmp_path, episodes=episodes, assessments=scores, **delivered(sessions))
    early = build_dataset(records, study())
    late = build_dataset(records, study(), window_days=28)
    assert exposures(early) == ["exercise"] * 3 + ["usual_care"] * 2 + ["exercise"]
    assert late.window_days == 28
    assert exposures(late) == [
        "manual_therapy", "manual_therapy", "exercise", "manual_therapy", "usual_care",
        "usual_care", "exercise",
    ]  # fmt: skip
    assert late.exposures == ("exercise", "manual_therapy", "usual_care")


def test_clinics_are_counted_in_what_they_record(tmp_path: Path) -> None:
    """Minutes in c1; units in c2; neither in c3. One long exercise against two short massages."""
    sessions, episodes = [], []
    for clinic, columns in (("c1", ("minutes", 60, 20)), ("c2", ("units", 4, 1)), ("c3", None)):
        for number in range(len(episodes) + 1, len(episodes) + 5):
            episodes.append(episode(number, clinic_id=clinic))
            if number % 4 in (1, 2):
                for day, name, place in ((1, EXERCISE, 1), (2, MANUAL, 2), (3, MANUAL, 2)):
                    session, parts = treated(number, (name, ""), day=day)
                    if columns:
                        parts[0][columns[0]] = columns[place]
                    sessions.append((session, parts))
    dataset = built(tmp_path, sessions, episodes)
    assert exposures(dataset) == [
        *["exercise", "exercise", "usual_care", "usual_care"] * 2,
        *["manual_therapy", "manual_therapy", "usual_care", "usual_care"],
    ]
    assert dataset.episodes["share_exercise"].round(3).tolist()[:9:4] == [0.6, 0.667, 0.333]
    assert any(
        "minutes in 1, billed units in 1, visits with each type in 1 clinics" in note
        for note in dataset.notes
    )


def test_a_component_without_minutes_takes_the_mean_of_its_type(tmp_path: Path) -> None:
    sessions = [treated(n, (EXERCISE, 40), (MANUAL, 30)) for n in range(1, 9)]
    sessions += [treated(9, (EXERCISE, ""), (MANUAL, 30))]
    dataset = built(tmp_path, sessions, [episode(n) for n in range(1, 12)])
    ninth = dataset.episodes.set_index("episode_id").loc[9]
    assert ninth["share_exercise"] == pytest.approx(40 / 70)
    assert ninth["exposure"] == "exercise"
    assert any("1 of 18 components in the window lack" in note for note in dataset.notes)


def test_codes_that_nobody_knows_make_nobody_untreated(tmp_path: Path) -> None:
    sessions = [treated(n, (EXERCISE, 30)) for n in (1, 2)]
    sessions += [treated(3, ("hocus_pocus", 30)), treated(4, ("hocus_pocus", 30), (EXERCISE, 20))]
    dataset = built(tmp_path, sessions, [episode(n) for n in range(1, 7)])
    assert dataset.episodes["episode_id"].tolist() == [1, 2, 5, 6]
    steps = dataset.flow.set_index("step")["n_episodes"]
    assert steps["unclassified"] == 2
    assert any("2 components in the window have a code" in note for note in dataset.notes)


def test_small_types_are_left_out_and_the_reference_comes_last(tmp_path: Path) -> None:
    sessions = [treated(n, (MANUAL, 30)) for n in (1, 2)]
    sessions += [treated(n, (EXERCISE, 30)) for n in (3, 4)] + [treated(5, (TENS, 30))]
    dataset = built(
        tmp_path, sessions, [episode(n) for n in range(1, 8)],
        exposure={"primary": "usual_care", "reference": "exercise"},
    )  # fmt: skip
    assert dataset.exposures == ("manual_therapy", "usual_care", "exercise")
    flow = dataset.flow.set_index("step")
    assert flow.loc["small_modalities", "n_episodes"] == 1
    assert flow.loc["small_modalities", "label"] == "Fewer than 2: TENS and other modalities"
    assert flow.loc["analysed", "n_episodes"] == 6
    assert dataset.labels["usual_care"] == "Usual care"


def test_a_declared_type_that_is_too_small_stops_the_study(tmp_path: Path) -> None:
    sessions = [treated(1, (EXERCISE, 30)), treated(2, (MANUAL, 30)), treated(3, (MANUAL, 30))]
    with pytest.raises(NotEstimable) as caught:
        built(tmp_path, sessions, [episode(n) for n in range(1, 4)])
    assert caught.value.exit_code is ExitCode.ESTIMATION
    text = str(caught.value)
    assert "the reference 'usual_care' has 0 and the primary type 'exercise' has 1" in text
    assert "exercise 1, manual_therapy 2" in text


def test_without_components_nobody_is_called_untreated(tmp_path: Path) -> None:
    records = write_records(tmp_path, episodes=[episode(1)], assessments=[score(1, 0, 5)])
    with pytest.raises(RecordsError, match="no table sessions or components") as caught:
        build_dataset(records, study())
    assert [problem.rule for problem in caught.value.problems] == ["missing_table"]


def test_a_measure_that_is_not_recorded_is_a_fault_of_the_study(tmp_path: Path) -> None:
    sessions = [treated(n, (EXERCISE, 30)) for n in (1, 2)]
    with pytest.raises(SpecError, match=r"measure: is 'units', but no component"):
        built(
            tmp_path, sessions, [episode(n) for n in range(1, 5)],
            exposure={"measure": "units"},
        )  # fmt: skip


def test_visits_count_a_type_once_a_session(tmp_path: Path) -> None:
    """Two massages in one visit against exercise in two: a third and two thirds."""
    sessions = [treated(1, (MANUAL, 50), ("manual.myofascial", 50), (EXERCISE, 5), day=1)]
    sessions += [treated(1, (EXERCISE, 5), day=2), treated(2, (EXERCISE, 5), day=2)]
    dataset = built(
        tmp_path, sessions, [episode(n) for n in range(1, 5)], exposure={"measure": "visits"}
    )
    assert dataset.episodes["share_exercise"].tolist()[0] == pytest.approx(2 / 3)
    assert exposures(dataset)[0] == "exercise"


def test_an_assigned_program_decides_from_day_0(tmp_path: Path) -> None:
    arms = ["a", "a", "b", "b", "c", ""]
    episodes = [episode(n, program=arm, end_day=3) for n, arm in enumerate(arms, start=1)]
    scores = [score(n, day, 5) for n in range(1, 7) for day in (0, 28)]
    records = write_records(tmp_path, episodes=episodes, assessments=scores)
    spec = study(
        design="randomised",
        exposure={
            "source": "program",
            "programs": {"A": "exercise", "b": "usual_care", "Dry cupping": "exercise"},
            "primary": "exercise",
        },
        visits=[{"label": "after", "day": 28}],
        primary={"outcome": "pain", "visit": "after"},
    )
    dataset = build_dataset(records, spec)
    assert exposures(dataset) == ["exercise", "exercise", "usual_care", "usual_care"]
    said = [note for note in dataset.notes if "[exposure.programs]" in note]
    assert [note.split(",")[0] for note in said] == ["No eligible episode is in 'Dry cupping'"]
    assert dataset.window_days == 0
    flow = dataset.flow.set_index("step")
    assert flow.loc["unclassified", ["label", "n_episodes"]].tolist() == [
        "No program of the study", 2,
    ]  # fmt: skip
    assert not any(step.startswith("ended") for step in flow.index)
    assert dataset.delivered.empty
    assert flow.loc["analysed", "label"] == "analysed, in 2 types fixed at assignment"
