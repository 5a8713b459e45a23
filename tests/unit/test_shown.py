"""Answers show themselves in a few lines, without a value of anybody's row."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from outcomes import fit_mmrm
from outcomes.core.shown import Shown
from outcomes.report.narrative import Narrative
from outcomes.study.dataset import build_dataset
from outcomes.workflow.results import Results
from tests.report_example import release, tables
from tests.unit.study_records import delivered, episode, score, study, treated, write_records

SCORE = 3.217


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shown]:
    """One answer of each kind, on forty episodes."""
    folder: Path = tmp_path_factory.mktemp("records")
    care = delivered([treated(k, ("exercise.strength", 30)) for k in range(32)])
    scores = [
        score(k, day, SCORE + (k * 7 + day) % 5) for k in range(40) for day in (0, 56) if k != day
    ]
    people = [episode(k) for k in range(40)]
    records = write_records(folder, episodes=people, assessments=scores, **care)
    data = build_dataset(records, study())
    rows = data.long.assign(row=range(len(data.long)))
    rows = pd.concat([rows, rows.assign(visit="week_12", pain=rows["pain"] + rows["row"] % 3)])
    fit = fit_mmrm(
        rows, "pain ~ exposure*visit", subject="episode_id", visit="visit", inference="residual"
    )
    results = Results(
        spec=study(), tables=tables(), dataset=rows, release=release(),
        manifest={"counts": {"episodes_analysed": 40, "patients_analysed": 40}},
    )  # fmt: skip
    return {"records": records, "dataset": data, "fit": fit, "results": results}


@pytest.mark.parametrize("name", ["records", "dataset", "fit", "results"])
def test_an_answer_is_a_few_lines_without_anybodys_values(
    name: str, answers: dict[str, Shown]
) -> None:
    for text in (repr(answers[name]), answers[name]._repr_html_()):
        assert len(text) < 2000
        assert text.count("\n") < 10
        assert "look at" in text
        for value in ("3.217", "4.217", "e0001", "p0001", "Fragment", "array(", "DataFrame"):
            assert value not in text


def test_records_say_their_rows_and_problems(answers: dict[str, Shown]) -> None:
    text = repr(answers["records"])
    assert text.startswith("Records: 4 tables\n")
    assert "episodes 40" in text
    assert "sessions 32" in text
    assert "warning" in text or "note" in text or "none" in text


def test_a_dataset_hides_a_small_type(answers: dict[str, Shown]) -> None:
    text = repr(answers["dataset"])
    assert "40 episodes of 40 patients" in text
    assert "Exercise 32, Usual care fewer than 11 (the reference)" in text
    assert "time zero is day 14" in text


def test_a_fit_says_what_was_asked(answers: dict[str, Shown]) -> None:
    text = repr(answers["fit"])
    assert "pain ~ exposure*visit" in text
    assert "of 40 by episode_id" in text
    assert "REML, residual, converged" in text


def test_results_say_the_answer_of_the_report(
    answers: dict[str, Shown], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Narrative, "headline", lambda self: "More <is> less.")
    assert "  answer    More <is> less." in repr(answers["results"])
    assert "More &lt;is&gt; less." in answers["results"]._repr_html_()
    assert "40 episodes analysed of 40 patients" in repr(answers["results"])
    assert "exercise against usual_care, pain at week_6" in repr(answers["results"])
