"""What else happened: soreness and flares, falls, flags and referrals, recurrence, work.

Every kind has a rate: per session held, per year of follow-up, or per episode. Rates of soreness
and flares are those of trials that counted them (minor, short, in up to a third of sessions);
serious events are rare. Nothing differs by type but what follows from having more sessions.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from outcomes.simulate.care import Care
from outcomes.simulate.columns import Codes, Floats, Ints, Streams, ids, in_order, joined, table
from outcomes.simulate.courses import Courses
from outcomes.simulate.people import People
from outcomes.simulate.planted import WINDOW_DAYS

SEVERITIES: Final = ("minor", "moderate", "major")
# kind: rate, details, share that someone acted on within three weeks
PER_SESSION: Final = {
    "soreness": (0.060, (), 0.0),
    "flare": (0.012, (), 0.3),
    "pain_during_exercise": (0.018, (), 0.3),
    "stopped_for_pain": (0.006, (), 0.5),
    "contact_made": (0.006, (), 0.0),
    "serious_adverse_event": (0.00015, (), 1.0),
    "pain_on_movement": (0.004, (), 0.5),
}
PER_YEAR: Final = {
    "fall": (0.11, (), 0.2),
    "new_injury": (0.05, (), 0.2),
    "adverse_drug_event": (0.04, ("constipation", "drowsiness", "nausea"), 0.5),
    "emergency_visit": (0.03, (), 0.0),
    "imaging": (0.11, ("mri", "xray", "ct"), 0.0),
    "injection": (0.06, ("epidural", "facet"), 0.0),
    "surgery": (0.014, ("discectomy", "fusion"), 0.0),
    "function_drop": (0.06, (), 0.5),
    "neuro_symptom": (0.035, ("numbness", "tingling", "leg_weakness"), 0.8),
    "red_flag": (0.014, ("fever", "weight_loss", "bladder_bowel", "night_pain"), 0.9),
}
PER_EPISODE: Final = {
    "red_flag_screen": (0.82, (), 0.0),
    "referral": (0.07, ("spine_clinic", "physician", "psychologist", "imaging"), 0.6),
    "review": (0.16, (), 0.4),
    "workstation_change": (0.06, (), 0.0),
}


def make_events(
    people: People, courses: Courses, care: Care, followed: Ints, streams: Streams
) -> pa.Table:
    """Write ``events``."""
    rng = streams("events")
    parts = [
        *_per_session(rng, care),
        *_per_year(rng, people, followed),
        *_per_episode(rng, people),
        *_after(rng, people, courses, care, followed),
    ]
    return in_order(joined(parts), "episode_id", "day")


def _rows(
    rng: np.random.Generator,
    kind: str,
    episode: Ints,
    day: Ints,
    details: tuple[str, ...] = (),
    acted: float = 0.0,
) -> pa.Table:
    n = len(episode)
    one = np.zeros(n, dtype=np.int64)
    worst = 2 if kind == "serious_adverse_event" else 0
    severity = np.where(rng.random(n) < 0.2, 1, 0) if not worst else one + worst
    done = rng.random(n) < acted
    return table(
        episode_id=ids("E", episode),
        day=day.astype(np.int64),
        kind=Codes(one, (kind,)),
        detail=Codes(
            rng.integers(0, max(1, len(details)), n) if details else one - 1, details or ("",)
        ),
        severity=Codes(severity, SEVERITIES),
        acted_day=pa.array(day.astype(np.int64) + rng.integers(0, 22, n), mask=~done),
    )


def _per_session(rng: np.random.Generator, care: Care) -> list[pa.Table]:
    parts = []
    for kind, (rate, details, acted) in PER_SESSION.items():
        rows = np.flatnonzero(care.attended & (rng.random(len(care.day)) < rate))
        parts.append(_rows(rng, kind, care.episode[rows], care.day[rows], details, acted))
    return parts


def _per_year(rng: np.random.Generator, people: People, followed: Ints) -> list[pa.Table]:
    parts = []
    for kind, (rate, details, acted) in PER_YEAR.items():
        years = followed / 365.25
        older = np.where(people.age > 70, 2.0, 1.0) if kind == "fall" else 1.0
        count = rng.poisson(rate * years * older)
        episode = np.repeat(np.arange(people.n), count)
        day = np.floor(rng.random(len(episode)) * (followed[episode] + 1))
        parts.append(_rows(rng, kind, episode, day, details, acted))
    return parts


def _per_episode(rng: np.random.Generator, people: People) -> list[pa.Table]:
    parts = []
    for kind, (rate, details, acted) in PER_EPISODE.items():
        episode = np.flatnonzero(rng.random(people.n) < rate)
        late = 3 if kind == "red_flag_screen" else 60
        parts.append(_rows(rng, kind, episode, rng.integers(0, late, len(episode)), details, acted))
    return parts


def _after(
    rng: np.random.Generator, people: People, courses: Courses, care: Care, followed: Ints
) -> list[pa.Table]:
    """Recurrence and care-seeking after the end of care; absence from work and return to it."""
    end = np.nan_to_num(care.end_day, nan=120.0)
    wait = rng.exponential(700.0, people.n) * np.exp(-0.1 * courses.had(courses.pain)[:, 1])
    again = np.flatnonzero(end + 31 + wait <= followed)
    seeks = again[rng.random(len(again)) < 0.55]
    off = np.flatnonzero(people.work.is_level("off_work", "modified"))
    back = off[rng.random(len(off)) < 0.7]
    return_day = 20 + rng.exponential(50.0, len(back))
    known = return_day <= followed[back]
    recur = _floor(end[again] + 31 + wait[again])
    seek = _floor(end[seeks] + 91 + 0.5 * wait[seeks])
    inside = seek <= followed[seeks]
    return [
        _rows(rng, "recurrence", again, recur),
        _rows(rng, "care_seeking", seeks[inside], seek[inside]),
        _rows(rng, "work_absence_start", off, rng.integers(0, WINDOW_DAYS, len(off))),
        _rows(rng, "return_to_work", back[known], _floor(return_day[known])),
    ]


def _floor(days: Floats) -> Ints:
    return np.asarray(np.floor(days), dtype=np.int64)
