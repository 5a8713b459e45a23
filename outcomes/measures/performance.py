"""Scores of physical tests and work questions that come from measurements, not from ticked answers.

Units are those of the catalog; a mapping converts others. "Unable", "not offered" and "lost" are
codes of their own and never 0: they arrive here as missing. What cannot be (0 s, a height in
centimetres in a column of metres, more days lost than due) is missing, not repaired.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import pandas as pd

Trials = Literal["best", "mean"]

HEIGHT_M: Final = (0.5, 2.5)
WEIGHT_KG: Final = (2.0, 500.0)
DAYS_PER_YEAR: Final = 365.25


def trial_score(trials: pd.DataFrame, *, rule: Trials, higher_is_better: bool) -> pd.Series:
    """Return the best or the mean of the trials there are, one row a person, one column a trial."""
    if rule == "mean":
        return trials.mean(axis=1)
    return trials.max(axis=1) if higher_is_better else trials.min(axis=1)


def chair_stands(count: pd.Series, hands_used: pd.Series) -> pd.Series:
    """Return full stands in 30 s; 0 where the hands were used."""
    return count.mask(hands_used.fillna(False).astype(bool) & count.notna(), 0.0)


def walk_distance(laps: pd.Series, lap_m: pd.Series, part_m: pd.Series) -> pd.Series:
    """Return metres walked: whole laps and the part of the last."""
    return laps * lap_m + part_m


def expected_walk_distance(
    sex: pd.Series, height_cm: pd.Series, weight_kg: pd.Series, age: pd.Series
) -> pd.Series:
    """Return the reference distance of a 6-minute walk in healthy adults (Enright 1998)."""
    men = 7.57 * height_cm - 5.02 * age - 1.76 * weight_kg - 309.0
    women = 2.11 * height_cm - 5.78 * age - 2.29 * weight_kg + 667.0
    return men.where(sex == "male", women.where(sex == "female"))


def gait_speed(distance_m: pd.Series, time_s: pd.Series) -> pd.Series:
    """Return metres a second over the timed part; for several walks, of the sums."""
    return distance_m / time_s.where(time_s > 0)


def capped_hold(seconds: pd.Series, cap: float) -> pd.DataFrame:
    """Return a hold up to the cap of its protocol, and whether it was stopped there (censored)."""
    return pd.DataFrame({"score": seconds.clip(upper=cap), "censored": seconds >= cap})


def skin_line_increase(start_cm: pd.Series, flexed_cm: pd.Series) -> pd.Series:
    """Return the increase of the Schober line; a flexed line shorter than the start is missing."""
    return (flexed_cm - start_cm).where(flexed_cm >= start_cm)


def body_mass_index(weight_kg: pd.Series, height_m: pd.Series) -> pd.Series:
    """Return weight over height squared."""
    height = height_m.where(height_m.between(*HEIGHT_M))
    return weight_kg.where(weight_kg.between(*WEIGHT_KG)) / height**2


def fall_rate(falls: pd.Series, days: pd.Series) -> pd.Series:
    """Return falls a person-year; the days watched must be known."""
    return falls / (days.where(days > 0) / DAYS_PER_YEAR)


def share_of_work_lost(
    days_lost: pd.Series, days_due: pd.Series, share_of_day: pd.Series | float = 1.0
) -> pd.Series:
    """Return the share of due work that was lost; missing for those with no day due."""
    possible = (days_due > 0) & (days_lost <= days_due)
    return (days_lost * share_of_day / days_due.where(days_due > 0)).where(possible)


def work_impairment(
    employed: pd.Series,
    hours_missed: pd.Series,
    hours_worked: pd.Series,
    effect_on_work: pd.Series,
    effect_on_activity: pd.Series,
    hours_missed_otherwise: pd.Series | float = 0.0,
) -> pd.DataFrame:
    """Return the four percents of the WPAI.

    ``hours_missed_otherwise`` joins the denominator in the version for specific and other health
    problems. Work scores are for employed people only; presenteeism and overall impairment need
    hours worked.
    """
    working = employed == 1
    hours = hours_missed + hours_missed_otherwise + hours_worked
    missed = ((hours_missed + hours_missed_otherwise) / hours.where(hours > 0)).where(working)
    own = (hours_missed / hours.where(hours > 0)).where(working)
    reduced = (effect_on_work / 10.0).where(working & (hours_worked > 0))
    return pd.DataFrame(
        {
            "absenteeism": 100.0 * own,
            "presenteeism": 100.0 * reduced,
            "overall": 100.0 * (own + (1.0 - missed) * reduced),
            "activity": 10.0 * effect_on_activity,
        }
    )


def percent_of_expected(observed: pd.Series, expected: pd.Series) -> pd.Series:
    """Return an observed value as percent of its reference."""
    return 100.0 * observed / expected.where(expected > 0, np.nan)
