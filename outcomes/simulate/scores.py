"""Scores as they are written down: intake, window, every visit, discharge, other instruments.

The compared scores are the potential outcomes of the type that was had. A discharge score repeats
the one of the visit whose window it falls into, and is written only where that one was. Other
instruments follow pain and disability with noise of their own and are used in some clinics only;
PROMIS physical function is kept as answers to its items.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from outcomes.simulate.columns import (
    Codes,
    Flags,
    Floats,
    Ints,
    Streams,
    ids,
    in_order,
    joined,
    table,
)
from outcomes.simulate.courses import Courses
from outcomes.simulate.people import People
from outcomes.simulate.planted import WINDOW_DAYS

OCCASIONS: Final = ("intake", "progress", "discharge", "follow_up")
INTAKE, PROGRESS, DISCHARGE, FOLLOW_UP = range(4)
FROM_DAY: Final = (28, 64, 127, 267)
"""First study day of each visit's window."""

# instrument: value when well, when unwell, spread, step, lowest, highest, share of episodes
OTHERS: Final = {
    "rmdq24": (1, 19, 2.4, 1, 0, 24, 0.30),
    "tug": (7.0, 16.0, 1.6, 0.1, 4, 60, 0.14),
    "chair_stand_30s": (16, 7, 2.2, 1, 0, 35, 0.14),
    "eq_vas": (88, 42, 9, 1, 0, 100, 0.30),
    "psfs": (8.8, 2.6, 1.1, 0.1, 0, 10, 0.22),
    "pseq": (54, 20, 7, 1, 0, 60, 0.14),
    "tsk_11": (16, 32, 4, 1, 11, 44, 0.10),
    "phq_9": (2, 13, 3, 1, 0, 27, 0.12),
    "gad_7": (2, 10, 2.6, 1, 0, 21, 0.10),
    "promis_sleep_disturbance_4a": (45, 60, 5, 0.1, 32, 73.3, 0.08),
    "nprs_leg": (0.5, 6.5, 1.6, 1, 0, 10, 0.16),
    "six_minute_walk": (560, 360, 60, 1, 60, 900, 0.08),
    "stair_climb": (8, 19, 2.4, 0.1, 3, 120, 0.06),
    "single_leg_stance": (38, 11, 8, 1, 0, 60, 0.10),
    "finger_to_floor": (4, 24, 6, 1, -15, 60, 0.12),
    "lumbar_flexion_rom": (58, 34, 7, 1, 5, 90, 0.10),
    "biering_sorensen": (130, 55, 25, 1, 0, 240, 0.08),
    "movement_control": (0.7, 4.2, 0.9, 1, 0, 6, 0.10),
    "weight": (78, 84, 13, 0.1, 42, 170, 0.14),
    "bmi": (26.5, 28.5, 4.5, 0.1, 16, 55, 0.10),
    "activity_minutes": (210, 70, 60, 5, 0, 1800, 0.14),
    "eq5d_5l": (0.93, 0.42, 0.09, 0.001, -0.5, 1, 0.10),
    "promis_global_10": (54, 36, 4, 0.1, 16.2, 67.7, 0.06),
    "nih_impact": (11, 36, 4, 1, 8, 50, 0.08),
    "nih_chronicity": (0.1, 0.9, 0.2, 1, 0, 1, 0.08),
    "wpai": (8, 55, 14, 1, 0, 100, 0.06),
    "work_status": (0, 25, 8, 1, 0, 90, 0.08),
    "falls": (0.0, 0.5, 0.35, 1, 0, 20, 0.06),
    "dass_21": (2, 14, 4, 2, 0, 42, 0.04),
    "fabq": (6, 17, 4, 1, 0, 24, 0.06),
}
ITEM_INSTRUMENT: Final = "promis_pf_4a"
ITEM_SHARE: Final = 0.22


def make_scores(
    people: People, courses: Courses, end_day: Floats, streams: Streams
) -> dict[str, pa.Table]:
    """Write ``assessments`` and ``items``."""
    rng = streams("scores")
    pain, mobility = courses.had(courses.pain), courses.had(courses.disability)
    parts = [
        *_compared(rng, courses, people.pain, pain, courses.pain_seen, end_day, "nprs"),
        *_compared(
            rng, courses, people.disability, mobility, courses.disability_seen, end_day, "odi"
        ),
        *_others(streams("other scores"), people, courses, pain, mobility),
    ]
    return {
        "assessments": in_order(joined([_rows(*part) for part in parts]), "episode_id", "day"),
        "items": _items(streams("items"), people, courses, mobility),
    }


def _rows(episode: Ints, day: Ints, name: str, score: Floats, occasion: int) -> pa.Table:
    n = len(episode)
    one = np.zeros(n, dtype=np.int64)
    return table(
        episode_id=ids("E", episode),
        day=day,
        instrument=Codes(one, (name,)),
        score=score,
        occasion=Codes(one + occasion, OCCASIONS),
    )


Part = tuple[Ints, Ints, str, Floats, int]


def _compared(
    rng: np.random.Generator,
    courses: Courses,
    last: Floats,
    later: Floats,
    seen: Flags,
    end_day: Floats,
    name: str,
) -> list[Part]:
    """Return the parts of one compared instrument."""
    high, step = (10.0, 1.0) if name == "nprs" else (100.0, 2.0)
    everyone = np.flatnonzero(courses.known)
    early = np.flatnonzero(courses.known & courses.early)
    move = step * np.round((0.08 * high + rng.normal(0, 0.06 * high, len(last))) / step)
    first = np.where(courses.early, np.clip(last + move, 0, high), last)
    parts: list[Part] = [
        (everyone, rng.integers(-5, 3, len(everyone)), name, first[everyone], INTAKE),
        (early, rng.integers(7, WINDOW_DAYS + 1, len(early)), name, last[early], PROGRESS),
    ]
    for visit in range(later.shape[1]):
        rows = np.flatnonzero(seen[:, visit])
        day = WINDOW_DAYS + courses.day[rows, visit]
        parts.append((rows, day, name, later[rows, visit], FOLLOW_UP))
    parts.append(_discharge(rng, later, seen, end_day, name))
    return parts


def _discharge(
    rng: np.random.Generator, later: Floats, seen: Flags, end_day: Floats, name: str
) -> Part:
    study_day = end_day - WINDOW_DAYS
    visit = np.digitize(np.nan_to_num(study_day, nan=0), FROM_DAY) - 1
    rows = np.flatnonzero((visit >= 0) & (rng.random(len(visit)) < 0.6))
    rows = rows[seen[rows, visit[rows]]]
    score = later[rows, visit[rows]]
    return rows, end_day[rows].astype(np.int64), name, score, DISCHARGE


def _others(
    rng: np.random.Generator, people: People, courses: Courses, pain: Floats, mobility: Floats
) -> list[Part]:
    """Return instruments that are described: at intake, at week 12 and at week 52."""
    start = (people.pain / 10 + people.disability / 100) / 2
    bad = {None: start, 1: (pain[:, 1] / 10 + mobility[:, 1] / 100) / 2,
           3: (pain[:, 3] / 10 + mobility[:, 3] / 100) / 2}  # fmt: skip
    parts: list[Part] = []
    for name, (well, ill, spread, step, low, high, share) in OTHERS.items():
        own = rng.normal(0, 0.7 * spread, people.n)
        asked = rng.random(people.n) < share
        for visit, burden in bad.items():
            there = asked if visit is None else asked & courses.pain_seen[:, visit]
            rows = np.flatnonzero(there)
            exact = well + (ill - well) * np.clip((burden[rows] - 0.1) / 0.55, 0, 1.3)
            exact += own[rows] + rng.normal(0, 0.7 * spread, len(rows))
            score = np.clip(step * np.round(exact / step), low, high)
            day = (
                rng.integers(-4, 3, len(rows))
                if visit is None
                else WINDOW_DAYS + courses.day[rows, visit]
            )
            parts.append(
                (rows, day, name, np.round(score, 3), INTAKE if visit is None else FOLLOW_UP)
            )
    return parts


def _items(
    rng: np.random.Generator, people: People, courses: Courses, mobility: Floats
) -> pa.Table:
    """Write answers to the four items of PROMIS physical function; 5 is no difficulty."""
    asked = rng.random(people.n) < ITEM_SHARE
    parts = []
    for visit in (None, 1, 3):
        there = asked if visit is None else asked & courses.disability_seen[:, visit]
        rows = np.repeat(np.flatnonzero(there), 4)
        burden = people.disability if visit is None else mobility[:, visit]
        answer = 5.3 - burden[rows] / 16 + rng.normal(0, 0.7, len(rows))
        day = -1 if visit is None else WINDOW_DAYS + courses.day[rows, visit]
        n = len(rows)
        one = np.zeros(n, dtype=np.int64)
        kept = rng.random(n) > 0.01
        found = table(
            episode_id=ids("E", rows),
            day=np.broadcast_to(day, n).astype(np.int64),
            instrument=Codes(one, (ITEM_INSTRUMENT,)),
            item=np.tile(np.arange(1, 5), n // 4),
            answer=np.clip(np.round(answer), 1, 5),
            occasion=Codes(one + (INTAKE if visit is None else FOLLOW_UP), OCCASIONS),
        )
        parts.append(found.filter(pa.array(kept)))
    return in_order(joined(parts), "episode_id", "day")
