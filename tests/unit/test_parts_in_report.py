"""Every part of care on the list has numbers in a real release, and a name on its page."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from outcomes.catalog.parts import Part, parts

pytestmark = pytest.mark.slow

SHOWN = [part for part in parts() if {"I", "O", "S"} & set(part.types)]
KEYS = {
    "baseline": ("variable", "estimate"),
    "balance": ("variable", "smd"),
    "components": ("intervention", "share"),
    "described": ("measure", "estimate"),
    "dose": ("measure", "estimate"),
    "harms": ("event", "rate"),
}
"""Column that names the row of a part, and the one that holds its number."""
OUTCOMES = {"nprs": "pain", "odi": "mobility"}
NUMBERS = {
    "flow": "n_episodes",
    "completeness": "n_observed",
    "combinations": "n_episodes",
    "gate": "value",
}
"""Tables that speak of everyone: the column that must hold numbers."""

ROWS: dict[tuple[int, str], tuple[str, ...]] = {
    (1, "baseline"): ("baseline_pain", "baseline_mobility"),
    (7, "described"): ("has_plan", "tailored", "plan_fidelity", "plan_delivered"),
    (17, "described"): ("promis_sleep_disturbance_4a", "workstation"),
    (19, "described"): ("recurrence_recorded", "followed_recurrence_recorded"),
    (21, "baseline"): ("bmi",),
    (22, "baseline"): ("depression",),
    (24, "described"): ("falls", "faller"),
    (25, "dose"): ("home_minutes_per_week", "home_of_prescribed"),
    (33, "described"): ("any_surgery", "any_injection", "any_imaging", "imaging"),
    (40, "described"): ("recurrence_recorded", "free_of_recurrence_recorded", "recurrence_care"),
    (42, "described"): ("recurrence_recorded", "recurrence_pain", "recurrence_care"),
    (44, "described"): ("work_status", "wpai", "days_lost", "returned_to_work"),
    (45, "described"): ("home_log", "home_weeks"),
    (45, "dose"): ("supervised_share",),
    (46, "dose"): ("progression_level", "progression_load", "started_low", "jump"),
    (47, "baseline"): ("lifting_load",),
    (49, "harms"): ("pain_during_exercise", "stopped_for_pain"),
    (49, "described"): ("trigger_pain_during_exercise", "trigger_stopped_for_pain"),
    (50, "described"): ("adherence_high", "adherence_low", "end_lost", "end_self_discharge"),
    (50, "dose"): ("attended_of_planned", "attended_satisfactory", "gap_over_14_days"),
    (51, "described"): ("trigger_severe", "trigger_no_gain"),
    (52, "described"): ("trigger_neuro_symptom", "nprs_leg", "referred"),
    (53, "described"): ("trigger_function_drop", "odi_worse"),
    (54, "described"): ("trigger_pain_on_movement",),
    (55, "described"): ("red_flags_screened", "red_flag"),
}
"""Rows that stand for a part where its interventions, instruments and events do not name them."""
MINUTES = ("minutes_per_session", "minutes_total")


def wanted(part: Part, table: str) -> tuple[str, ...]:
    """Return the names of the rows in which a table shows a part."""
    if (part.number, table) in ROWS:
        return ROWS[part.number, table]
    own = {
        "components": part.interventions,
        "described": part.instruments,
        "harms": part.event_kinds,
        "dose": MINUTES,
    }
    return own[table]


@pytest.fixture(scope="module")
def tables(demo: Path) -> dict[str, pd.DataFrame]:
    return {p.stem: pd.read_parquet(p) for p in (demo / "release" / "tables").glob("*.parquet")}


@pytest.fixture(scope="module")
def words(demo: Path) -> str:
    """Return what the page says, in reading order, without its markup."""
    page = (demo / "report.html").read_text(encoding="utf-8")
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return _plain(re.sub(r"<[^>]+>", " ", body))


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(text))


CASES = [
    pytest.param(part, table, id=f"{part.number}-{table}")
    for part in SHOWN
    for table in part.tables
    if table in KEYS
]


@pytest.mark.parametrize(("part", "table"), CASES)
def test_part_has_rows_with_numbers_and_names_on_the_page(
    part: Part, table: str, tables: dict[str, pd.DataFrame], words: str
) -> None:
    key, column = KEYS[table]
    names = wanted(part, table)
    assert names
    rows = tables[table][tables[table][key].isin(names)]
    assert set(rows[key]) == set(names)
    assert rows[column].notna().any()
    assert [label for label in rows["label"].unique() if _plain(label) not in words] == []


def _compared() -> Iterator[object]:
    for part in SHOWN:
        for table in part.tables:
            if table not in KEYS and table not in NUMBERS:
                yield pytest.param(part, table, id=f"{part.number}-{table}")


@pytest.mark.parametrize(("part", "table"), list(_compared()))
def test_compared_part_has_estimates_and_names_on_the_page(
    part: Part, table: str, tables: dict[str, pd.DataFrame], demo: Path, words: str
) -> None:
    found = {OUTCOMES[name] for name in part.instruments if name in OUTCOMES}
    found |= {"medication"} if part.medications else set()
    rows = tables[table]
    for outcome in found or set(rows["outcome"]):
        here = rows[rows["outcome"].eq(outcome)]
        assert here["estimate"].notna().any(), outcome
        assert outcome.capitalize() in words


@pytest.mark.parametrize("table", sorted(NUMBERS))
def test_tables_about_everyone_hold_numbers(table: str, tables: dict[str, pd.DataFrame]) -> None:
    assert tables[table][NUMBERS[table]].notna().sum() > 2


def test_every_part_that_is_to_be_shown_names_a_table() -> None:
    assert [part.number for part in SHOWN if not part.tables] == []
    assert {kind for part in SHOWN for kind in part.tables} <= {
        *KEYS, *NUMBERS, "ls_means", "contrasts", "responders", "medication_use",
        "medication_change",
    }  # fmt: skip
    assert set(ROWS) <= {(part.number, table) for part in SHOWN for table in part.tables}
