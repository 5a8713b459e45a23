"""Scoring tables of answers: columns, statuses, long form."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from outcomes.catalog.instruments import instrument, instruments
from outcomes.core.errors import UsageError
from outcomes.measures.score import STATUSES, score_instrument, score_items


def odi(*rows: list[float], names: str = "{}") -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=[names.format(at) for at in range(1, 11)])


FULL = [2, 1, 3, 1, 2, 2, 1, 0, 3, 1]


@pytest.mark.parametrize(
    "names", ["{}", "odi_{}", "ODI{}", "q{}", "Item {}", "odi_q0{}", "Oswestry.{}"]
)
def test_columns_are_found(names: str) -> None:
    assert score_instrument("odi", odi(FULL, names=names))["score"].tolist() == [32.0]


def test_index_is_kept_and_other_columns_ignored() -> None:
    items = odi(FULL, FULL).assign(patient_id=[4, 5], day=0).set_index(pd.Index(["b", "a"]))
    got = score_instrument("odi", items)
    assert got.index.tolist() == ["b", "a"]
    assert list(got) == ["score", "n_answered", "status"]


def test_statuses() -> None:
    gap = np.nan
    rows = [
        FULL,
        [gap, *FULL[1:]],
        [gap, gap, *FULL[2:]],
        [gap] * 10,
        [9, *FULL[1:]],
        [2.5, *FULL[1:]],
    ]
    got = score_instrument("odi", odi(*rows))
    expected = [
        "scored",
        "prorated",
        "too_few_answers",
        "no_answer",
        "out_of_range",
        "out_of_range",
    ]
    assert got["status"].tolist() == expected
    assert got["score"].notna().tolist() == [True, True, False, False, False, False]
    assert got["n_answered"].tolist() == [10, 9, 8, 0, 10, 10]
    assert set(got["status"]) <= set(STATUSES)


def test_text_is_not_a_missing_answer() -> None:
    items = odi(FULL).astype(object)
    items.iloc[0, 0] = "a lot"
    assert score_instrument("odi", items)["status"].tolist() == ["out_of_range"]


def test_variants() -> None:
    two_missing = odi([2, 1, 3, 1, 2, 2, 1, np.nan, 3, np.nan])
    assert score_instrument("odi", two_missing, variant="tolerant")["score"].tolist() == [37.5]
    with pytest.raises(UsageError, match="tolerant"):
        score_instrument("odi", two_missing, variant="tolerent")


def test_a_value_set_must_be_named() -> None:
    profile = pd.DataFrame([[1, 1, 1, 1, 1]], columns=["mo", "sc", "ua", "pd", "ad"])
    with pytest.raises(UsageError, match="us-2019"):
        score_instrument("eq5d_5l", profile)


def test_blank_tick_form_needs_to_say_it_was_completed() -> None:
    ticks = pd.DataFrame(np.full((3, 24), np.nan), columns=range(1, 25))
    ticks.iloc[0, :3] = 1
    got = score_instrument("rmdq", ticks.assign(completed=[True, True, None]))
    assert got["status"].tolist() == ["scored", "scored", "no_answer"]
    assert got["score"].tolist()[:2] == [3.0, 0.0]


def test_scales_without_a_total() -> None:
    answers = pd.DataFrame([np.ones(16)], columns=range(1, 17))
    got = score_instrument("fabq", answers).iloc[0]
    assert (got["status"], got["work"], got["physical_activity"]) == ("no_total", 7.0, 4.0)
    assert score_instrument("fabq.work", answers)["score"].tolist() == [7.0]


def test_wrong_calls() -> None:
    with pytest.raises(UsageError, match="odi"):
        score_instrument("odii", odi(FULL))
    with pytest.raises(UsageError, match="no column is one of its items"):
        score_instrument("odi", pd.DataFrame({"pain": [1]}))
    with pytest.raises(UsageError, match="two columns are item 1"):
        score_instrument("odi", odi(FULL).assign(q1=1))
    with pytest.raises(UsageError, match="lacks the columns answer"):
        score_items(pd.DataFrame(columns=["episode_id", "day", "instrument", "item"]))


def long_form() -> pd.DataFrame:
    rows = [("odi", 7, 0, at + 1, value) for at, value in enumerate(FULL)]
    rows += [("odi", 3, -4, at + 1, 5) for at in range(9)]
    rows += [("nprs", 3, -4, 1, 6), ("mystery", 3, 0, 1, 2)]
    rows += [("fabq", 3, 2, at, 1) for at in range(2, 6)]
    return pd.DataFrame(rows, columns=["instrument", "episode_id", "day", "item", "answer"])


def test_long_form() -> None:
    got = score_items(long_form()).set_index(["instrument", "episode_id", "day"])
    assert got.loc[("odi", 7, 0), "score"] == 32.0
    assert got.loc[("odi", 3, -4), "status"] == "prorated"
    assert got.loc[("nprs", 3, -4), "score"] == 6.0
    assert got.loc[("fabq.physical_activity", 3, 2), "score"] == 4.0
    assert got.loc[("fabq.work", 3, 2), "status"] == "no_answer"
    assert got.loc[("mystery", 3, 0), "status"] == "unknown_instrument"


def test_long_form_agrees_with_wide() -> None:
    rng = np.random.default_rng(3)
    answers = rng.integers(0, 4, (50, 9)).astype(float)
    answers[rng.random((50, 9)) < 0.15] = np.nan
    wide = score_instrument("phq_9", pd.DataFrame(answers, columns=range(1, 10)))
    long = pd.DataFrame(answers, columns=range(1, 10)).melt(ignore_index=False, var_name="item")
    long = long.reset_index(names="episode_id").rename(columns={"value": "answer"})
    got = score_items(long.assign(day=1, instrument="phq9").dropna()).set_index("episode_id")
    both = wide.loc[got.index]
    pd.testing.assert_series_equal(got["score"], both["score"], check_names=False)
    assert got["status"].tolist() == both["status"].tolist()


def test_two_answers_to_one_item() -> None:
    rows = long_form()
    marked = pd.concat([rows, rows.loc[rows["instrument"] == "odi"].head(1).assign(answer=4)])
    assert score_items(marked).query("instrument == 'odi' and episode_id == 7")[
        "score"
    ].tolist() == [36]
    phq = pd.DataFrame(
        {"episode_id": 1, "day": 0, "instrument": "phq_2", "item": [1, 2, 2], "answer": [1, 2, 3]}
    )
    assert score_items(phq)["status"].tolist() == ["conflicting_answers"]
    again = phq.assign(answer=[1, 2, 2])
    assert score_items(again)["score"].tolist() == [3.0]


def test_no_answers_is_an_empty_table() -> None:
    assert score_items(long_form().iloc[:0]).empty


def test_extreme_answers_reach_the_declared_range() -> None:
    for whole in instruments():
        if whole.value_sets:
            continue
        low, high = ({name: span[at] for name, span in whole.item_range.items()} for at in (0, 1))
        ends = pd.DataFrame([low, high]).replace([np.inf, -np.inf], 0)
        for scale in whole.scales:
            asked = instrument(f"{whole.id}.{scale.id}")
            scores = score_instrument(asked.id, ends)["score"]
            assert scores.max() <= (asked.score_max or 0) or scale.rule == "single"
            assert scores.min() >= (asked.score_min or 0) or scale.rule == "single"
