"""Why a type was chosen, what would have happened under each type, and what was seen of it.

With m the last score up to time zero, x the recorded covariates and c, t the clinic and therapist,

    P(type = k)   proportional to exp(a_k + b_k (m, x) + clinic preference)
    y_k(visit)    = mean + slope (m - mean m) + g'x + u_c + v_t + e - effect_k(visit)

where the part ``PERSON`` of the variance of e is the same in every episode of a patient, all
rounded to the instrument's steps and held within its range, for every type k: the potential
outcomes. Sicker people are more often given hands-on and combined therapy, so plain differences
mislead. Whether a later score is written down depends on the last one that was, and on covariates,
never on the value itself: missing at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from outcomes.simulate.columns import Flags, Floats, Ints, Streams
from outcomes.simulate.people import People
from outcomes.simulate.planted import DISABILITY, PAIN, SPREAD, TYPES, VISITS, Array

N_TYPES: Final = len(TYPES)
N_VISITS: Final = len(VISITS)
CORRELATION: Final = np.array(
    [
        [1.0, 0.70, 0.58, 0.50],
        [0.70, 1.0, 0.68, 0.58],
        [0.58, 0.68, 1.0, 0.68],
        [0.50, 0.58, 0.68, 1.0],
    ]
)
PERSON: Final = 0.3
"""Correlation of what covariates leave open between two episodes of a patient."""
BASE_SHARE: Final = np.array([0.24, 0.16, 0.24, 0.10, 0.11, 0.15])
#                             pain  disab. age    chron. leg   depr.  work injury
CHOICE: Final = np.array(
    [
        [-0.05, -0.010, -0.012, -0.25, -0.35, -0.30, -0.20],
        [0.12, 0.000, 0.000, 0.00, 0.10, 0.10, 0.00],
        [0.18, 0.010, -0.004, 0.40, 0.35, 0.35, 0.50],
        [0.10, 0.008, 0.018, 0.45, 0.15, 0.20, 0.00],
        [-0.12, -0.010, -0.012, -0.10, -0.25, 0.00, 0.00],
        [0.00, 0.000, 0.000, 0.00, 0.00, 0.00, 0.00],
    ]
)


@dataclass(frozen=True, kw_only=True)
class Courses:
    """The type of each episode, its potential outcomes, and what was seen.

    Attributes
    ----------
    type : (n,) int array
    pain, disability : (n, k, T) arrays
        Potential outcomes as they would be written down.
    pain_seen, disability_seen : (n, T) bool arrays
    early : (n,) bool array
        The last score up to time zero was taken in the window, not at intake.
    known : (n,) bool array
        There is a score up to time zero at all.
    day : (n, T) int array
        Day of each visit from time zero.
    """

    type: Ints
    pain: Floats
    disability: Floats
    pain_seen: Flags
    disability_seen: Flags
    early: Flags
    known: Flags
    day: Ints

    def had(self, outcome: Floats) -> Floats:
        """Return the outcome under the type that each episode had, (n, T)."""
        return np.asarray(outcome[np.arange(len(self.type)), self.type])


def make_courses(people: People, streams: Streams) -> Courses:
    """Choose types and let the courses run."""
    known = streams("known").random(people.n) > 0.04
    chosen = _choose(people, known, streams("choice"))
    pain, disability = _potential(people, streams("courses"), streams("persons"))
    rng = streams("follow-up")
    rows = np.arange(people.n)
    return Courses(
        type=chosen,
        pain=pain,
        disability=disability,
        pain_seen=_seen(rng, people, people.pain, pain[rows, chosen], 0.18),
        disability_seen=_seen(rng, people, people.disability, disability[rows, chosen], 0.02),
        early=rng.random(people.n) < 0.35,
        known=known,
        day=_days(rng, people.n),
    )


def _features(people: People, known: Flags) -> Floats:
    """Return what a choice looks at, centred, (n, 7); a score that was not taken says nothing."""
    return np.column_stack(
        [
            np.where(known, people.pain - 6, 0),
            np.where(known, people.disability - 38, 0),
            people.age - 50,
            people.chronicity.is_level("chronic") - 0.6,
            people.leg_pain - 0.25,
            people.depression - 0.2,
            people.payer.is_level("work_injury") - 0.1,
        ]
    )


def _choose(people: People, known: Flags, rng: np.random.Generator) -> Ints:
    preference = rng.normal(0, 0.35, (people.n_clinics, N_TYPES))
    score = np.log(BASE_SHARE) + _features(people, known) @ CHOICE.T + preference[people.clinic]
    gumbel = rng.gumbel(size=score.shape)
    return np.asarray(np.argmax(score + gumbel, axis=1), dtype=np.int64)


def later_burden(people: People) -> Floats:
    """Return what recorded covariates add to later pain, in points."""
    p = people
    points: Floats = (
        0.006 * (p.age - 50)
        + 0.10 * p.female
        + 0.50 * p.chronicity.is_level("chronic")
        - 0.35 * p.chronicity.is_level("acute")
        + 0.10 * p.onset.is_level("work")
        + 0.30 * p.payer.is_level("work_injury")
        + 0.08 * p.comorbidities
        + 0.05 * p.previous
        + 0.30 * p.leg_pain
        + 0.40 * p.depression
        + 0.30 * p.work.is_level("off_work")
        + 0.12 * p.lifting.is_level("high")
    )
    return points


def _unexplained(people: People, rng: np.random.Generator, persons: np.random.Generator) -> Floats:
    """Return what covariates leave open of each episode's course, in standard deviations (n, T)."""
    root = np.linalg.cholesky(CORRELATION)
    episode = rng.normal(size=(people.n, N_VISITS)) @ root.T
    person = persons.normal(size=(int(people.patient.max()) + 1, N_VISITS)) @ root.T
    return np.asarray(
        np.sqrt(PERSON) * person[people.patient] + np.sqrt(1 - PERSON) * episode,
    )


def _potential(
    people: People, rng: np.random.Generator, persons: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return potential pain and disability, (n, k, T) each."""
    first = _unexplained(people, rng, persons)
    second = 0.6 * first + 0.8 * _unexplained(people, rng, persons)
    clinic = rng.normal(0, 0.25, people.n_clinics)[people.clinic]
    therapist = rng.normal(0, 0.15, people.tables["providers"].num_rows)[people.provider]
    place, burden = clinic + therapist, later_burden(people)
    slope = np.array([0.50, 0.45, 0.40, 0.36])
    pain = np.array([4.45, 4.05, 3.85, 3.80]) + np.outer(people.pain - 6, slope)
    pain += (place + burden)[:, None] + 1.55 * first
    mobility = np.array([29.0, 26.5, 25.0, 24.5]) + np.outer(people.disability - 38, slope + 0.1)
    mobility += (6 * place + 6 * burden)[:, None] + 10.0 * second
    return (
        np.clip(np.round(pain[:, None, :] - PAIN), 0, 10),
        np.clip(2 * np.round((mobility[:, None, :] - DISABILITY) / 2), 0, 100),
    )


def _seen(
    rng: np.random.Generator, people: People, baseline: Floats, score: Floats, weight: float
) -> Flags:
    """Decide visit by visit; those who stop answering seldom come back."""
    seen = np.zeros(score.shape, dtype=bool)
    last, middle = baseline.copy(), float(baseline.mean())
    away = np.zeros(people.n, dtype=bool)
    burden = 0.25 * (people.age < 35) + 0.2 * people.payer.is_level("work_injury")
    for visit, missed in enumerate((0.14, 0.20, 0.27, 0.33)):
        odds = np.log(missed / (1 - missed)) + burden + weight * (last - middle) + 1.2 * away
        seen[:, visit] = rng.random(people.n) > 1 / (1 + np.exp(-odds))
        last = np.where(seen[:, visit], score[:, visit], last)
        middle = float(last.mean())
        away = ~seen[:, visit]
    return seen


def _days(rng: np.random.Generator, n: int) -> Ints:
    spread = np.array(SPREAD)
    offset = np.round(rng.triangular(-1, 0, 1, (n, N_VISITS)) * spread)
    return np.asarray(np.array(list(VISITS.values())) + offset, dtype=np.int64)


def true_means(potential: Array) -> Array:
    """Average potential outcomes over episodes, (k, T)."""
    return np.asarray(potential.mean(axis=0))
