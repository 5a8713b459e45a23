"""Who comes: clinics and their therapists, patients, and their episodes of care.

One hidden severity of each episode moves pain, disability, duration and mood together, so that
covariates hang together as they do in clinics. Everything that later bears on the choice of therapy
or on the course is recorded here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

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
    table,
    whole,
    with_gaps,
)

AGAIN: Final = 0.12
"""Share of patients who come back with another episode."""
REGIONS: Final = ("north", "east", "south", "west")


@dataclass(frozen=True, kw_only=True)
class People:
    """What is known of everyone before care begins; one entry an episode unless said otherwise.

    ``units`` and ``visits_only`` say how the episode's clinic records dose; ``pain`` and
    ``disability`` are the last scores up to time zero, whether or not they were written down.
    """

    n: int
    clinic: Ints
    provider: Ints
    patient: Ints
    patient_day: Ints
    first: Flags
    units: Flags
    visits_only: Flags
    age: Floats
    female: Flags
    chronicity: Codes
    duration: Floats
    onset: Codes
    payer: Codes
    work: Codes
    lifting: Codes
    comorbidities: Ints
    previous: Ints
    leg_pain: Flags
    depression: Flags
    red_flags: Flags
    region: Codes
    severity: Floats
    pain: Floats
    disability: Floats
    tables: dict[str, pa.Table]
    columns: dict[str, Any]

    @property
    def n_clinics(self) -> int:
        """Number of clinics."""
        return len(self.tables["clinics"])


def make_people(n: int, streams: Streams) -> People:
    """Make ``n`` episodes and everyone in them."""
    rng = streams("people")
    n_clinics = int(np.clip(n // 120, 3, 40))
    dose_as = _dose_as(n_clinics)
    clinic, provider, provider_clinic = _places(rng, n, n_clinics)
    patient, patient_day, first = _patients(rng, n)
    n_patients = int(patient.max()) + 1
    severity = rng.normal(size=n)
    person_age = np.clip(rng.normal(50, 15, n_patients), 18, 86)
    person_age[rng.random(n_patients) < 0.01] = 16
    female = rng.random(n_patients) < 0.56
    age = np.floor(person_age[patient] + patient_day / 365.25)
    facts = _facts(rng, n, severity, age)
    pain = np.clip(np.round(6.0 + 1.1 * severity + rng.normal(0, 1.1, n)), 0, 10)
    disability = np.clip(2 * np.round((38 + 8.5 * severity + rng.normal(0, 9, n)) / 2), 0, 92)
    tables = {
        "clinics": _clinics(rng, n_clinics, dose_as),
        "providers": _providers(rng, provider_clinic),
        "patients": _patient_table(rng, n_patients, female),
    }
    return People(
        n=n,
        clinic=clinic,
        provider=provider,
        patient=patient,
        patient_day=patient_day,
        first=first,
        units=dose_as.is_level("units")[clinic],
        visits_only=dose_as.is_level("visits")[clinic],
        age=age,
        female=female[patient],
        severity=severity,
        pain=pain,
        disability=disability,
        tables=tables,
        columns=_more(rng, n, severity, facts["leg_pain"]),
        **facts,
    )


def _places(rng: np.random.Generator, n: int, n_clinics: int) -> tuple[Ints, Ints, Ints]:
    """Return clinic and therapist of each episode, and the clinic of each therapist."""
    size = rng.gamma(2.0, 1.0, n_clinics) + 0.25
    clinic = rng.choice(n_clinics, size=n, p=size / size.sum()).astype(np.int64)
    staff = rng.integers(2, 9, n_clinics)
    first = np.concatenate([[0], np.cumsum(staff)[:-1]])
    provider = first[clinic] + (rng.random(n) * staff[clinic]).astype(np.int64)
    return clinic, provider, np.repeat(np.arange(n_clinics), staff)


def _patients(rng: np.random.Generator, n: int) -> tuple[Ints, Ints, Flags]:
    """Return patient, day on the patient's clock, and whether it is the first episode."""
    n_again = int(n * AGAIN / (1 + AGAIN))
    n_first = n - n_again
    patient = np.concatenate([np.arange(n_first), rng.permutation(n_first)[:n_again]])
    first = np.arange(n) < n_first
    day = np.where(first, 0, rng.integers(520, 1100, n))
    return patient, day, first


def _facts(rng: np.random.Generator, n: int, severity: Floats, age: Floats) -> dict[str, Any]:
    lean = severity + rng.normal(0, 1, n)
    chronic = np.select([lean < -0.9, lean < 0.0], [0, 1], 2)
    months = np.select(
        [chronic == 0, chronic == 1],
        [rng.uniform(0.1, 1.2, n), rng.uniform(1.2, 3, n)],
        3 + rng.gamma(1.2, 30, n),
    )
    working = drawn(
        rng, n, {"working": 58, "modified": 12, "off_work": 10, "not_employed": 8, "retired": 12}
    )
    retired = (age >= 67) & (working.codes < 3)
    return {
        "chronicity": with_gaps(
            rng, Codes(chronic.astype(np.int64), ("acute", "subacute", "chronic")), 0.02
        ),
        "duration": np.where(rng.random(n) < 0.04, np.nan, np.round(months, 1)),
        "onset": with_gaps(rng, drawn(rng, n, {"insidious": 55, "injury": 25, "work": 20}), 0.02),
        "payer": drawn(rng, n, {"private": 48, "public": 35, "work_injury": 10, "self": 7}),
        "work": Codes(np.where(retired, 4, working.codes), working.levels),
        "lifting": drawn(rng, n, {"low": 50, "medium": 32, "high": 18}),
        "comorbidities": rng.poisson(0.5 + 0.02 * np.clip(age - 30, 0, None)),
        "previous": rng.poisson(np.exp(0.2 + 0.25 * severity)),
        "leg_pain": rng.random(n) < 1 / (1 + np.exp(1.1 - 0.5 * severity)),
        "depression": rng.random(n) < 1 / (1 + np.exp(1.4 - 0.6 * severity)),
        "red_flags": rng.random(n) < 0.02,
        "region": drawn(rng, n, {"low_back": 91, "neck": 6, "shoulder": 3}),
    }


def _more(rng: np.random.Generator, n: int, severity: Floats, leg_pain: Flags) -> dict[str, Any]:
    """Make what is recorded of an episode and bears on nothing."""
    classes = ("directional", "stabilisation", "manipulation", "none")
    diagnosis = np.where(leg_pain, 1, (rng.random(n) < 0.12) * 2)
    return {
        "diagnosis": Codes(diagnosis, ("nonspecific", "radicular", "degenerative")),
        "referral": drawn(rng, n, {"physician": 70, "direct": 25, "other": 5}),
        "referral_wait_days": np.round(rng.gamma(1.6, 8, n)),
        "bmi": np.where(
            rng.random(n) < 0.06, np.nan, np.round(np.clip(rng.normal(27.5, 5, n), 16, 55), 1)
        ),
        "spine_surgery": rng.random(n) < 0.07,
        "posture_load": drawn(rng, n, {"low": 35, "medium": 40, "high": 25}),
        "activity_minutes": np.round(rng.gamma(1.4, 90, n) * np.exp(-0.15 * severity) / 5) * 5,
        "subgroup": drawn(rng, n, dict(zip(classes, (25, 25, 20, 30), strict=True))),
    }


def _dose_as(n_clinics: int) -> Codes:
    """Every fifth clinic bills units, every tenth counts visits only; the first has minutes."""
    place = np.arange(n_clinics)
    codes = np.select([place % 10 == 7, place % 5 == 2], [2, 1], 0)
    return Codes(codes.astype(np.int64), ("minutes", "units", "visits"))


def _clinics(rng: np.random.Generator, n: int, dose_as: Codes) -> pa.Table:
    return table(
        clinic_id=ids("C", np.arange(n), 3),
        region=drawn(rng, n, dict.fromkeys(REGIONS, 1.0)),
        kind=drawn(rng, n, {"private_practice": 6, "hospital": 3, "community": 1}),
        records_dose_as=dose_as,
    )


def _providers(rng: np.random.Generator, clinic: Ints) -> pa.Table:
    n = len(clinic)
    professions = {"physiotherapist": 80, "chiropractor": 8, "osteopath": 7, "massage_therapist": 5}
    return table(
        provider_id=ids("T", np.arange(n), 4),
        clinic_id=ids("C", clinic, 3),
        profession=drawn(rng, n, professions),
        experience_years=np.round(rng.gamma(2, 6, n)),
    )


def _patient_table(rng: np.random.Generator, n: int, female: Flags) -> pa.Table:
    return table(
        patient_id=ids("P", np.arange(n)),
        sex=with_gaps(rng, Codes(female.astype(np.int64), ("male", "female")), 0.005),
        education=drawn(rng, n, {"primary": 22, "secondary": 45, "tertiary": 33}),
        language=drawn(rng, n, {"same": 88, "other": 12}),
        smoking=drawn(rng, n, {"never": 55, "former": 25, "current": 20}),
    )


def episode_table(people: People, end_day: Floats, followed: Ints, program: Codes) -> pa.Table:
    """Write the episodes down."""
    reason = np.where(np.isnan(end_day), 3, (people.patient + people.clinic) % 3)
    return table(
        episode_id=ids("E", np.arange(people.n)),
        patient_id=ids("P", people.patient),
        clinic_id=ids("C", people.clinic, 3),
        provider_id=ids("T", people.provider, 4),
        program=program,
        body_region=people.region,
        chronicity=people.chronicity,
        pain_duration_months=people.duration,
        onset=people.onset,
        payer=people.payer,
        age=people.age,
        comorbidities=people.comorbidities,
        previous_episodes=people.previous,
        leg_pain=people.leg_pain,
        depression=people.depression,
        lifting_load=people.lifting,
        work_status=people.work,
        red_flags=people.red_flags,
        patient_day=people.patient_day,
        end_day=whole(end_day),
        followed_to_day=followed,
        discharge_reason=Codes(reason, ("goals_met", "plateau", "self_discharge", "ongoing")),
        **people.columns,
    )
