"""What was delivered: plans, sessions, their components with dose, and practice at home.

The type of an episode fills most of the exposure window, in minutes, in billed units and in visits
alike, so that it is classified the same whatever its clinic records. Other components come along
after the first session, more so after time zero; those who did badly at week 6 are then often
switched to another type, which is part of the strategy that they began with. Exercise starts at
an easy level and goes up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from outcomes.simulate.columns import (
    Codes,
    Flags,
    Floats,
    Ints,
    Streams,
    drawn,
    ids,
    in_order,
    joined,
    table,
)
from outcomes.simulate.courses import Courses
from outcomes.simulate.people import People
from outcomes.simulate.planted import TYPES, USUAL_CARE, WINDOW_DAYS

STRENGTH: Final = {
    "form.plank": 16, "form.bridge": 14, "form.pelvic_tilt": 14, "form.leg_lift": 9,
    "form.stability_ball": 8, "exercise.strength.core": 12, "exercise.motor_control": 9,
    "exercise.balance": 7, "exercise.functional": 6, "exercise.graded_activity": 5,
    "care.home_program": 5,
}  # fmt: skip
MOVING: Final = {
    "form.hamstring_stretch": 16, "form.spinal_twist": 10, "exercise.mindbody.yoga": 7,
    "exercise.aerobic.walking": 17, "exercise.aerobic.swimming": 4, "exercise.aerobic.cycling": 8,
    "exercise.mindbody.taichi": 5, "exercise.aquatic": 6, "exercise.flexibility": 10,
    "exercise.directional": 9, "exercise.breathing": 4, "exercise.general": 4,
}  # fmt: skip
HANDS: Final = {"manual.massage": 40, "manual.manipulation": 22, "manual.mobilisation": 38}
CURRENT: Final = {"modality.tens": 55, "modality.ultrasound": 30, "modality.electrical": 15}
WARMTH: Final = {"modality.heat": 65, "modality.cold": 35}
TEACHING: Final = {
    "education.pain": 28, "education.selfmanagement": 14, "education.stay_active": 12,
    "education.lifestyle.weight": 11, "education.lifestyle.stress": 13,
    "education.lifestyle.activity": 15, "education.lifestyle.sleep": 7,
}  # fmt: skip
TRAINING: Final = {
    "training.posture": 34, "training.ergonomics.work": 20, "training.ergonomics.sleep": 11,
    "training.ergonomics.daily": 14, "training.lifting": 12, "equipment.chair": 3,
    "equipment.mattress": 3, "equipment.mat": 3,
}  # fmt: skip
ASSESSMENT: Final = {"care.assessment": 80, "care.referral": 5, "care.usual": 15}
TEAM: Final = {"care.multidisciplinary": 1}
POOLS: Final = (STRENGTH, MOVING, HANDS, CURRENT, WARMTH, TEACHING, TRAINING, ASSESSMENT, TEAM)
S, M, H, C, W, T, P, A, D = range(len(POOLS))
# Main components of a session of each type: pool, mean minutes, billed units.
MAIN: Final = (
    ((S, 18, 1), (M, 16, 1)),
    ((H, 32, 2),),
    ((H, 20, 2), (S, 11, 1), (M, 9, 1)),
    ((C, 15, 1), (W, 12, 1)),
    ((T, 17, 1), (P, 14, 1)),
    ((A, 30, 2),),
)
# What may come along with each type in every other session: pool, chance. Warmth always comes along
# with a combination, so that neither of its two halves can pass one half by chance.
ALONG: Final = (
    ((T, 0.30), (W, 0.14)),
    ((W, 0.30), (T, 0.14)),
    ((W, 1.00), (C, 0.10)),
    ((S, 0.30), (T, 0.14)),
    ((M, 0.30), (S, 0.14)),
    ((T, 0.30), (M, 0.14), (D, 0.05)),
)
IDS: Final = tuple(name for pool in POOLS for name in pool)
_FIRST: Final = np.cumsum([0, *(len(pool) for pool in POOLS)])
DOSED: Final = frozenset(
    {
        *(n for n in STRENGTH if n not in ("exercise.functional", "care.home_program")),
        "form.hamstring_stretch",
    }
)


@dataclass(frozen=True, kw_only=True)
class Care:
    """Sessions with the episode and day of each, when care ended, and the tables."""

    episode: Ints
    day: Ints
    attended: Flags
    end_day: Floats
    program: Codes
    tables: dict[str, pa.Table]


@dataclass(frozen=True, kw_only=True)
class _Sessions:
    episode: Ints
    turn: Ints
    day: Ints
    attended: Flags
    type: Ints
    in_window: Flags


def make_care(people: People, courses: Courses, streams: Streams) -> Care:
    """Deliver care."""
    rng = streams("care")
    last = _last_days(rng, people.n)
    held = _sessions(rng, people, courses, last)
    ongoing = rng.random(people.n) < 0.03
    programs = {"back_class": 22, "physio_standard": 60, "work_ready": 18}
    return Care(
        episode=held.episode,
        day=held.day,
        attended=held.attended,
        end_day=np.where(ongoing, np.nan, last),
        program=drawn(rng, people.n, programs),
        tables={
            "sessions": _session_table(rng, held),
            "components": _components(rng, people, held),
            "care_plans": _plans(streams("plans"), people, courses),
            "home_log": _home(streams("home"), people, courses, last),
        },
    )


def _last_days(rng: np.random.Generator, n: int) -> Ints:
    """Last day of care; one in twenty is over before time zero."""
    early = rng.random(n) < 0.05
    return np.where(early, rng.integers(2, WINDOW_DAYS - 1, n), rng.integers(25, 120, n))


# --------------------------------------------------------------------------------------- sessions
def _sessions(rng: np.random.Generator, people: People, courses: Courses, last: Ints) -> _Sessions:
    n, untreated = people.n, courses.type == USUAL_CARE
    first = np.where(untreated, 1, rng.integers(2, 6, n))
    first = np.minimum(first, np.maximum(1, last // 3))
    weeks = np.clip(last - WINDOW_DAYS, 0, None) / 7
    later = rng.poisson(np.where(untreated, 0.12, 0.85) * weeks)
    episode = np.repeat(np.arange(n), first + later)
    start = np.cumsum(first + later) - first - later
    turn = np.arange(len(episode)) - start[episode]
    in_window = turn < first[episode]
    span = np.minimum(WINDOW_DAYS, last + 1)
    early = np.floor(turn * span[episode] / np.maximum(first, 1)[episode])
    share = (turn - first[episode] + rng.random(len(episode))) / np.maximum(later, 1)[episode]
    after = np.floor(WINDOW_DAYS + share * np.clip(last - WINDOW_DAYS, 0, None)[episode])
    day = np.where(in_window, early, after).astype(np.int64)
    return _Sessions(
        episode=episode,
        turn=turn,
        day=day,
        attended=in_window | (rng.random(len(episode)) > 0.11),
        type=np.where(in_window, courses.type[episode], _later_type(rng, courses)[episode]),
        in_window=in_window,
    )


def _later_type(rng: np.random.Generator, courses: Courses) -> Ints:
    """Switch those who were seen to do badly at week 6, and some of the untreated."""
    n = len(courses.type)
    bad = courses.pain_seen[:, 0] & (courses.had(courses.pain)[:, 0] >= 6)
    untreated = courses.type == USUAL_CARE
    moved = rng.random(n) < np.where(untreated, 0.6, np.where(bad, 0.45, 0.06))
    other = rng.choice(3, size=n, p=[0.45, 0.2, 0.35])
    return np.where(moved, other, courses.type)


def _session_table(rng: np.random.Generator, held: _Sessions) -> pa.Table:
    n = len(held.episode)
    setting = drawn(rng, n, {"clinic": 84, "group": 8, "pool": 3, "remote": 5})
    return table(
        session_id=ids("S", np.arange(n), 8),
        episode_id=ids("E", held.episode),
        day=held.day,
        setting=setting,
        supervised=~setting.is_level("remote") | (rng.random(n) < 0.7),
        attended=held.attended,
        planned=held.in_window | (rng.random(n) < 0.9),
        rpe=np.where(
            (held.type % 2 == 0) & held.attended, np.round(np.clip(rng.normal(4, 1.3, n), 0, 10)),
            np.nan,
        ),
    )  # fmt: skip


# ------------------------------------------------------------------------------------- components
def _components(rng: np.random.Generator, people: People, held: _Sessions) -> pa.Table:
    parts: list[tuple[Ints, int, int, int]] = []
    for code, mains in enumerate(MAIN):
        rows = np.flatnonzero((held.type == code) & held.attended)
        parts += [(rows, *main) for main in mains]
        for pool, chance in ALONG[code]:
            parts.append((_along(rng, rows, held, chance, code), pool, 8, 1))
    sizes = [len(part[0]) for part in parts]
    session = np.concatenate([part[0] for part in parts])
    pools, mean, units = (np.repeat([part[k] for part in parts], sizes) for k in (1, 2, 3))
    code_of = [_drawn_ids(rng, size, part[1]) for size, part in zip(sizes, parts, strict=True)]
    minutes = np.round(np.clip(mean * rng.normal(1, 0.07, len(mean)), 5, None))
    order = np.lexsort((pools, session))
    codes = np.concatenate(code_of)[order]
    dose = np.column_stack([minutes, units])[order]
    return _component_table(rng, people, held, session[order], codes, dose)


def _along(rng: np.random.Generator, rows: Ints, held: _Sessions, chance: float, code: int) -> Ints:
    """Sessions in which something else comes along; in the window never so much as to count."""
    later = ~held.in_window[rows]
    allowed = np.where(code == USUAL_CARE, later, later | (held.turn[rows] % 2 == 1))
    share = np.where(later, 1.5 * chance, chance)
    return rows[allowed & (rng.random(len(rows)) < share)]


def _drawn_ids(rng: np.random.Generator, n: int, pool: int) -> Ints:
    shares = np.array(list(POOLS[pool].values()), dtype=np.float64)
    return np.asarray(_FIRST[pool] + rng.choice(len(shares), size=n, p=shares / shares.sum()))


def _component_table(
    rng: np.random.Generator,
    people: People,
    held: _Sessions,
    session: Ints,
    code: Ints,
    dose: Floats,
) -> pa.Table:
    n = len(session)
    episode, turn = held.episode[session], held.turn[session]
    codes = Codes(code, IDS)
    dosed = codes.is_level(*DOSED)
    level = np.minimum(1 + turn // 3 + (rng.random(n) < 0.15), 8)
    bills, counts = people.units[episode], people.visits_only[episode]
    current = codes.is_level(*CURRENT)
    return table(
        session_id=ids("S", session, 8),
        intervention=codes,
        minutes=np.where(bills | counts, np.nan, dose[:, 0]),
        units=np.where(bills, dose[:, 1], np.nan),
        sets=np.where(dosed, 2.0 + (level > 3), np.nan),
        repetitions=np.where(dosed, 8.0 + 2 * (level % 3), np.nan),
        load=np.where(codes.is_level("exercise.strength.core"), 2.0 * level, np.nan),
        level=np.where(dosed, level.astype(np.float64), np.nan),
        intensity=np.where(current, np.round(rng.uniform(8, 35, n)), np.nan),
        frequency_hz=np.where(codes.is_level("modality.tens", "modality.electrical"), 80.0, np.nan),
        grade=_grade(rng, codes),
        region=people.region[episode],
        format=Codes((rng.random(n) < 0.12).astype(np.int64), ("individual", "group")),
        domain=_domain(codes),
    )  # fmt: skip


def _grade(rng: np.random.Generator, codes: Codes) -> pa.Array:
    n = len(codes.codes)
    grade = np.where(codes.is_level("manual.manipulation"), 5, rng.integers(1, 5, n))
    graded = codes.is_level("manual.manipulation", "manual.mobilisation")
    return pa.array(grade, mask=~graded)


def _domain(codes: Codes) -> Codes:
    levels = ("work", "sleep", "daily")
    names = [f"training.ergonomics.{level}" for level in levels]
    found = [codes.is_level(name) for name in names]
    return Codes(np.select(found, [0, 1, 2], -1), levels)


# ----------------------------------------------------------------------------------- plan and home
def _plans(rng: np.random.Generator, people: People, courses: Courses) -> pa.Table:
    treated = np.flatnonzero(courses.type != USUAL_CARE)
    parts = []
    for part, goal in enumerate(("pain", "function", "return_to_work")):
        rows = treated[rng.random(len(treated)) < (0.9, 0.45, 0.15)[part]]
        pools = np.array([mains[min(part, len(mains) - 1)][0] for mains in MAIN])[
            courses.type[rows]
        ]
        code = np.array([_FIRST[pool] for pool in range(len(POOLS))])[pools]
        n = len(rows)
        parts.append(
            table(
                episode_id=ids("E", rows),
                day=np.zeros(n, dtype=np.int64),
                intervention=Codes(code, IDS),
                sessions_planned=rng.integers(6, 15, n).astype(np.float64),
                per_week=rng.integers(1, 3, n).astype(np.float64),
                home_per_week=rng.integers(0, 6, n).astype(np.float64),
                tailored=rng.random(n) < 0.6,
                goal=Codes(np.zeros(n, dtype=np.int64), (goal,)),
            )
        )
    del people
    return in_order(joined(parts), "episode_id")


HOME: Final = {
    "exercise.aerobic.walking": 30, "form.bridge": 14, "form.pelvic_tilt": 14, "form.plank": 10,
    "form.hamstring_stretch": 16, "exercise.general": 8, "modality.tens": 4, "modality.heat": 4,
}  # fmt: skip


def _home(rng: np.random.Generator, people: People, courses: Courses, last: Ints) -> pa.Table:
    """Log six in ten of the treated, a row a week for six weeks at most."""
    writes = (courses.type != USUAL_CARE) & (rng.random(people.n) < 0.35)
    weeks = np.where(writes, np.minimum(6, last // 7), 0)
    rows = np.repeat(np.arange(people.n), weeks)
    start = np.cumsum(weeks) - weeks
    week = np.arange(len(rows)) - start[rows]
    n = len(rows)
    sessions = rng.poisson(3.2, n).astype(np.float64)
    return table(
        episode_id=ids("E", rows),
        day=7 * (week + 1),
        intervention=drawn(rng, n, HOME),
        sessions=np.minimum(sessions, 14),
        minutes=np.minimum(sessions, 14) * 5 * rng.integers(2, 7, n),
        source=Codes((rng.random(n) < 0.2).astype(np.int64), ("self_report", "device")),
    )


assert len(MAIN) == len(TYPES) == len(ALONG)
