"""Opioid dose up to time zero and up to each visit, on the patient's own clock.

The value at a visit is the mean daily dose in oral morphine milligram equivalents over the
``window_days`` days that end on its target day (at time zero: on time zero; at discharge: on the
last day of care), days without opioid as 0. *Any opioid* is whether any record of an opioid, opioid
agonist treatment included, touches the same days, refills carried forward as for the dose. Where a
record of an opioid gives no dose, the person is a user whose dose is missing. Opioid agonist
treatment is outside MME and adds nothing to the dose.

A patient without a record in a window is a non-user only where prescriptions are known to its end:
until ``followed_to_day``, or where that is not recorded, under ``coverage = "last_record"``, until
the last day on which anything is recorded of the episode (end of care, session, assessment, event,
home log). Prescriptions themselves are not asked: they would make those who take opioids known for
longer. Beyond that day both values are missing. Records say what was prescribed or dispensed, not
what was taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.catalog.medications import OPIOID, OPIOID_AGONIST
from outcomes.measures.fills import NOT_COMPUTABLE
from outcomes.measures.medication import average_mme, classes_used, dose_unknown
from outcomes.measures.products import UNKNOWN_DRUG

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from outcomes.study.opioids import Opioids
    from outcomes.study.outcome_sections import OutcomeSpec
    from outcomes.study.sections import VisitSpec
    from outcomes.study.steps import Steps

    Floats = NDArray[np.float64]

DATED: Final = ("sessions", "assessments", "items", "events", "home_log")
"""Tables whose days show that an episode was still seen."""

SEEN: Final = """
select episode_id, max(day) as day from ({parts}) dated group by episode_id
"""
CLOCK: Final = """
select a.episode_id, a.patient_id, a.patient_day, a.end_day, a.followed_to_day,
       greatest(coalesce(a.end_day, s.day, 0), coalesce(s.day, 0)) as last_day
from analysed_ids a left join last_seen s on s.episode_id = a.episode_id
order by a.episode_id
"""


def find_doses(
    steps: Steps,
    outcome: OutcomeSpec,
    visits: Sequence[VisitSpec],
    opioids: Opioids | None,
    *,
    coverage: str,
    window_days: int,
) -> tuple[Floats, Floats, list[str]]:
    """Return mean daily MME and any opioid of the analysed episodes.

    Parameters
    ----------
    steps : Steps
        With ``analysed_ids``.
    outcome : OutcomeSpec
        With measure ``daily_mme``.
    visits : sequence of VisitSpec
    opioids : Opioids, optional
        Under the rules of the outcome; None where the records hold no medicines.
    coverage : {"last_record", "declared"}
    window_days : int
        Day of time zero on the episode's clock.

    Returns
    -------
    mme, any_opioid : (1 + n_visits, n) arrays
        Time zero, then each visit; NaN where it is not known.
    notes : list of str
    """
    clock = _clock(steps)
    windows = _windows(clock, outcome, visits, coverage=coverage, window_days=window_days)
    shape = (1 + len(visits), len(clock))
    if opioids is None:
        note = f"{outcome.name}: the records hold no table 'medications', so no dose is known."
        return np.full(shape, np.nan), np.full(shape, np.nan), [note]
    unknown = dose_unknown(opioids.fills, windows).to_numpy()
    mme = average_mme(opioids.intervals, windows).mask(unknown).to_numpy(dtype=np.float64)
    classes = classes_used(opioids.medications, windows, fills=opioids.fills)
    used = classes[[OPIOID, OPIOID_AGONIST]].any(axis=1).to_numpy(dtype=np.float64)
    any_opioid = np.where(windows["end_day"].notna(), used, np.nan).reshape(shape)
    notes = [
        *_record_notes(outcome, opioids.statuses(clock["patient_id"])),
        *_unknown_doses(outcome, visits, unknown.reshape(shape), any_opioid == 1),
        *_uncovered(outcome, windows, len(clock)),
    ]
    return mme.reshape(shape), any_opioid, notes


def _clock(steps: Steps) -> pd.DataFrame:
    """Return when each episode began on the patient's clock, ended, and was last seen."""
    parts = [
        f"select episode_id, day from {table} where day is not null"
        for table in DATED
        if steps.records.has(table)
    ]
    steps.keep("last_seen", SEEN.format(parts=" union all ".join(parts)))
    return steps.frame(CLOCK)


def _windows(
    clock: pd.DataFrame,
    outcome: OutcomeSpec,
    visits: Sequence[VisitSpec],
    *,
    coverage: str,
    window_days: int,
) -> pd.DataFrame:
    """Return one row a visit and episode, visits first; days missing where nothing is known."""
    import pandas as pd

    start, end, followed, last = (
        clock[name].to_numpy(dtype=np.float64, na_value=np.nan)
        for name in ("patient_day", "end_day", "followed_to_day", "last_day")
    )
    known = np.where(np.isnan(followed), last if coverage == "last_record" else -np.inf, followed)
    days = [np.full(len(clock), float(window_days))]
    for visit in visits:
        planned = np.full(len(clock), float(window_days + (visit.day or 0)))
        days.append(np.where(end > window_days, end, np.nan) if visit.event else planned)
    day = np.stack(days)
    there = (day <= known) & ~np.isnan(start)
    stop = np.where(there, start + day, np.nan).ravel()
    return pd.DataFrame(
        {
            "patient_id": np.tile(clock["patient_id"].to_numpy(), len(days)),
            "start_day": stop - outcome.window_days + 1,
            "end_day": stop,
        }
    )


def _record_notes(outcome: OutcomeSpec, statuses: dict[str, int]) -> list[str]:
    """Say how many records give no dose, and how many may be of an opioid or not."""
    notes = []
    unclear = set(NOT_COMPUTABLE) - {UNKNOWN_DRUG}
    n_unclear = sum(count for status, count in statuses.items() if status in unclear)
    if n_unclear:
        notes.append(
            f"{outcome.name}: {n_unclear:,} records of opioids give no dose (strength, quantity,"
            " unit, route or days of supply missing or implausible). The dose of a window with one"
            " is not known; it is not read as zero."
        )
    if statuses.get(UNKNOWN_DRUG):
        notes.append(
            f"{outcome.name}: {statuses[UNKNOWN_DRUG]:,} records name no medicine of the catalog."
            " They count neither as an opioid nor in a dose."
        )
    return notes


def _unknown_doses(
    outcome: OutcomeSpec,
    visits: Sequence[VisitSpec],
    unknown: NDArray[np.bool_],
    users: NDArray[np.bool_],
) -> Iterator[str]:
    """Say of how many users the dose is not known, window by window."""
    names = ("time zero", *(visit.name for visit in visits))
    for k, name in enumerate(names):
        if unknown[k].any():
            yield (
                f"{outcome.name}, {name}: the dose is not known of {unknown[k].sum():,} of"
                f" {users[k].sum():,} episodes with an opioid."
            )


def _uncovered(outcome: OutcomeSpec, windows: pd.DataFrame, n: int) -> list[str]:
    missing = int(windows["end_day"].iloc[:n].isna().sum())
    if not missing:
        return []
    return [
        f"{outcome.name}: prescriptions up to time zero are not known for {missing:,} of {n:,}"
        " episodes."
    ]
