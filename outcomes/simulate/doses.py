"""Opioids and other medicines: what would have been taken under each type, and the prescriptions.

Three in ten take opioids at time zero. A dose follows a course of its own (some stop), times what
the type saves. The recorded covariates that make pain last also raise doses and make others start;
they bear on the choice of type too, so plain differences mislead. That rise is the same under every
type: what a type saves is a share of the dose at time zero, which is much the same in all types, so
that a model with one slope on it is right. Prescriptions are written so that the mean dose over the
28 days up to each visit is exactly the potential outcome of the type that was had: one supply of 28
days ends on every target day, and shorter ones fill the time between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from outcomes.simulate.columns import Codes, Flags, Floats, Ints, Streams, ids, joined, table
from outcomes.simulate.courses import Courses, later_burden
from outcomes.simulate.people import People
from outcomes.simulate.planted import DOSE_SAVED, VISITS, WINDOW_DAYS

SUPPLY: Final = 28
# drug, strength in mg, factor of the CDC's 2022 table, share of users
OPIOIDS: Final = (
    ("hydrocodone", 5.0, 1.0, 0.42),
    ("oxycodone", 5.0, 1.5, 0.22),
    ("tramadol", 50.0, 0.2, 0.26),
    ("morphine", 15.0, 1.0, 0.10),
)
RISE: Final = 12.0
"""MME a day that a point of later pain adds for those who take opioids."""
NEW: Final = 0.15
"""What it adds to the chance of a new prescription at a visit for those who do not."""
STARTS: Final = ((-13, 28), (15, 14), (29, 28), (57, 14), (71, 28), (99, 14), (113, 28),
                 (141, 28), (169, 28), (197, 14), (211, 28), (239, 28), (267, 28), (295, 28),
                 (323, 28), (351, 28))  # fmt: skip
"""First day on the episode's clock and length of every supply; each visit's 28 days are one."""
# drug, class's share of episodes, strength, a day, route
OTHERS: Final = (
    ("ibuprofen", 0.30, 400.0, 3, "oral"),
    ("naproxen", 0.14, 500.0, 2, "oral"),
    ("acetaminophen", 0.22, 500.0, 4, "oral"),
    ("cyclobenzaprine", 0.15, 10.0, 1, "oral"),
    ("gabapentin", 0.11, 300.0, 3, "oral"),
    ("diazepam", 0.04, 5.0, 1, "oral"),
    ("duloxetine", 0.08, 30.0, 1, "oral"),
    ("buprenorphine", 0.004, 8.0, 1, "sublingual"),
)


@dataclass(frozen=True, kw_only=True)
class Doses:
    """Potential mean daily doses, (n, k, T), until when they are known, and the prescriptions."""

    potential: Floats
    at_zero: Floats
    followed: Ints
    table: pa.Table


def make_doses(people: People, courses: Courses, end_day: Floats, streams: Streams) -> Doses:
    """Let doses run and write the prescriptions."""
    rng = streams("doses")
    drug = rng.choice(len(OPIOIDS), size=people.n, p=[row[3] for row in OPIOIDS])
    tablet = np.array([row[1] * row[2] for row in OPIOIDS])[drug]
    at_zero, course, added = _paths(people, rng)
    potential = np.clip(course[:, None, :] * (1 - DOSE_SAVED) + added[:, None, :], 0, None)
    step = tablet / SUPPLY
    potential = np.round(potential / step[:, None, None]) * step[:, None, None]
    at_zero = np.round(at_zero / step) * step
    followed = np.maximum(_followed(people, rng), np.nan_to_num(end_day).astype(np.int64))
    had = courses.had(potential)
    opioids = _opioid_rows(people, drug, step, np.column_stack([at_zero, had]), followed)
    others = _other_rows(people, streams("other medicines"), followed)
    return Doses(
        potential=potential,
        at_zero=at_zero,
        followed=followed,
        table=joined([opioids, others]),
    )


def _paths(people: People, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Return the dose at time zero, its course under usual care, and what comes on top of it."""
    shape = (people.n, len(VISITS))
    user = rng.random(people.n) < 1 / (1 + np.exp(1.0 - 0.25 * people.severity))
    dose = np.where(user, np.clip(np.exp(rng.normal(3.3, 0.5, people.n)), 5, 150), 0.0)
    stopped = np.maximum.accumulate(rng.random(shape) < 0.10, axis=1)
    noise = np.exp(rng.normal(0, 0.25, shape) - 0.25**2 / 2)
    fade = np.array([0.97, 0.92, 0.88, 0.86])
    course = dose[:, None] * fade * noise * ~stopped
    burden = later_burden(people)
    strain = (burden - burden.mean())[:, None]
    rise = np.where(user[:, None], RISE * strain * ~stopped, 0.0)
    chance = np.where(user[:, None], 0.0, np.clip(0.07 + NEW * strain, 0, 1))
    start = np.where(rng.random(shape) < chance, rng.uniform(5, 30, shape), 0.0)
    return dose, course, rise + start


def _followed(people: People, rng: np.random.Generator) -> Ints:
    """Last day on which prescriptions are known: most people for more than a year."""
    lasting = rng.random(people.n) < 0.86 - 0.06 * people.payer.is_level("self")
    long = rng.integers(380, 470, people.n)
    return np.where(lasting, long, rng.integers(30, 380, people.n))


def _opioid_rows(
    people: People, drug: Ints, step: Floats, dose: Floats, followed: Ints
) -> pa.Table:
    """Write one row a supply; between visits the dose changes evenly."""
    knots = np.array([WINDOW_DAYS, *(WINDOW_DAYS + day for day in VISITS.values())])
    parts = []
    for start, length in STARTS:
        end = start + length - 1
        weight = _between(knots, end)
        tablets = np.round(dose @ weight / step / SUPPLY * length)
        rows = np.flatnonzero((tablets > 0) & (start <= followed))
        parts.append((rows, np.full(len(rows), start), np.full(len(rows), length), tablets[rows]))
    rows, day, supply, count = (np.concatenate(part) for part in zip(*parts, strict=True))
    return table(
        patient_id=ids("P", people.patient[rows]),
        day=people.patient_day[rows] + day,
        drug=Codes(drug[rows], tuple(row[0] for row in OPIOIDS)),
        route=Codes(np.zeros(len(rows), dtype=np.int64), ("oral",)),
        strength=np.array([row[1] for row in OPIOIDS])[drug[rows]],
        unit=Codes(np.zeros(len(rows), dtype=np.int64), ("mg",)),
        quantity=count,
        days_supply=supply,
        as_needed=np.zeros(len(rows), dtype=bool),
        source=Codes(np.zeros(len(rows), dtype=np.int64), ("dispensed",)),
    )


def _between(knots: Ints, day: int) -> Floats:
    """Weights that interpolate the dose on a day from those at time zero and the visits."""
    weight = np.zeros(len(knots))
    right = int(np.searchsorted(knots, day))
    if right < len(knots) and (knots[right] == day or right == 0):
        weight[right] = 1.0
    elif right >= len(knots):
        weight[-1] = 1.0
    else:
        share = (day - knots[right - 1]) / (knots[right] - knots[right - 1])
        weight[right - 1], weight[right] = 1 - share, share
    return weight


def _other_rows(people: People, rng: np.random.Generator, followed: Ints) -> pa.Table:
    parts = []
    for code, (_, share, strength, a_day, route) in enumerate(OTHERS):
        user = rng.random(people.n) < share * np.exp(0.2 * people.severity)
        rows = np.repeat(np.flatnonzero(user), 3)
        turn = np.tile(np.arange(3), len(rows) // 3)
        day = rng.integers(-25, 10, len(rows) // 3).repeat(3) + 30 * turn + 40 * (turn == 2)
        kept = (rng.random(len(rows)) < 0.8) & (day <= followed[rows])
        rows, day = rows[kept], day[kept]
        parts.append((rows, day, code, strength, a_day, route))
    return joined([_other_table(people, *part) for part in parts])


def _other_table(
    people: People, rows: Ints, day: Ints, code: int, strength: float, a_day: int, route: str
) -> pa.Table:
    n = len(rows)
    one = np.zeros(n, dtype=np.int64)
    needed: Flags = (rows % 3 == 0) & (OTHERS[code][0] in ("ibuprofen", "acetaminophen"))
    return table(
        patient_id=ids("P", people.patient[rows]),
        day=people.patient_day[rows] + day,
        drug=Codes(one, (OTHERS[code][0],)),
        route=Codes(one, (route,)),
        strength=np.full(n, strength),
        unit=Codes(one, ("mg",)),
        quantity=np.full(n, float(SUPPLY * a_day)),
        days_supply=np.full(n, SUPPLY),
        as_needed=needed,
        source=Codes((rows % 5 == 0).astype(np.int64), ("dispensed", "prescribed")),
    )
