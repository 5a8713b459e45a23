"""What became of a medicine: less, more, stopped, started, and how much of the time it was at hand.

A stop is known only in hindsight: the stop day is the first day without supply, and it counts when
the gap has lasted ``gap_days`` within the time that is known. So the last ``gap_days`` of follow-up
cannot show a stop. A missing dose at either end makes every answer about the dose missing; it is
neither success nor failure. To have ceased is to have no opioid at all: a dose of 0 MME beside a
record of opioid agonist treatment is not.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

DECIMALS: Final = 6
"""Shares are compared after rounding: (60 - 42) / 60 must count as 30 percent."""


def dose_change(
    baseline: pd.Series,
    follow_up: pd.Series,
    *,
    uses_before: pd.Series | None = None,
    uses_after: pd.Series | None = None,
) -> pd.DataFrame:
    """Compare mean daily doses before and after, person by person.

    Parameters
    ----------
    baseline, follow_up : Series
        MME a day; missing where it is not known.
    uses_before, uses_after : Series, optional
        Any opioid, opioid agonist treatment included: 1, 0, or missing. Without them a dose above
        0 is use, and one of 0 is none.

    Returns
    -------
    DataFrame
        ``change`` (follow-up minus baseline), ``reduction`` (share of baseline; missing without use
        at baseline) and the nullable flags ``reduced_30, reduced_50, ceased`` among those with a
        dose at baseline and ``new_start`` among those without any opioid; each is missing where its
        question does not apply.
    """
    before = _use(baseline, uses_before)
    after = _use(follow_up, uses_after)
    known = baseline.notna() & follow_up.notna()
    user = known & (baseline > 0)
    reduction = ((baseline - follow_up) / baseline.where(user)).round(DECIMALS)
    return pd.DataFrame(
        {
            "change": follow_up - baseline,
            "reduction": reduction,
            "reduced_30": _flag(reduction >= 0.3, user),
            "reduced_50": _flag(reduction >= 0.5, user),
            "ceased": _flag(after == 0, (baseline > 0) & after.notna()),
            "new_start": _flag(after > 0, (before == 0) & after.notna()),
        }
    )


def _use(dose: pd.Series, recorded: pd.Series | None) -> pd.Series:
    """Return use as 1, 0 or missing: as recorded, and wherever there is a dose."""
    dosed = (dose > 0).astype(float).where(dose.notna())
    return dosed if recorded is None else recorded.astype(float).mask(dose > 0, 1.0)


def _flag(answer: pd.Series, applies: pd.Series) -> pd.Series:
    return answer.astype("boolean").where(applies)


def first_stop(intervals: pd.DataFrame, followed: pd.DataFrame, gap_days: int = 60) -> pd.DataFrame:
    """Return each user's first stop: a gap of ``gap_days`` without supply within known time.

    Parameters
    ----------
    intervals : DataFrame
        ``patient_id, start_day, end_day`` of supply, as from ``daily_mme``.
    followed : DataFrame
        ``patient_id, end_day``: the last day until which prescriptions are known, one row a person.
    gap_days : int
        Days without supply that make a stop.

    Returns
    -------
    DataFrame
        Indexed by ``patient_id``: ``stopped``, ``stop_day`` (first day without supply),
        ``known_on_day`` and ``n_courses`` (stretches of use separated by such gaps).
    """
    ordered = intervals.sort_values(["patient_id", "start_day"], kind="stable")
    by_patient = ordered.groupby("patient_id", sort=False)
    following = by_patient["start_day"].shift(-1)
    ends = followed.set_index("patient_id")["end_day"]
    known_to = ordered["patient_id"].map(ends) + 1
    gap = following.fillna(known_to) - ordered["end_day"] - 1
    ordered = ordered.assign(stop=gap >= gap_days, restarts=(gap >= gap_days) & following.notna())
    stops = ordered.loc[ordered["stop"]].drop_duplicates("patient_id").set_index("patient_id")
    table = pd.DataFrame(index=pd.Index(ordered["patient_id"].unique(), name="patient_id"))
    table["stopped"] = table.index.isin(stops.index)
    table["stop_day"] = (stops["end_day"] + 1).reindex(table.index).astype("Int64")
    table["known_on_day"] = table["stop_day"] + gap_days
    table["n_courses"] = ordered.groupby("patient_id")["restarts"].sum().reindex(table.index) + 1
    return table


def covered_share(fills: pd.DataFrame, windows: pd.DataFrame) -> pd.DataFrame:
    """Return supply over each window for medicines taken on a schedule (not as needed).

    Parameters
    ----------
    fills : DataFrame
        ``patient_id, day, days_supply`` of one medicine; early refills are moved on to the end of
        the supply at hand.
    windows : DataFrame
        ``patient_id, start_day, end_day``, one row a person.

    Returns
    -------
    DataFrame
        Indexed by ``patient_id``: ``pdc`` (share of days covered, at most 1) and ``mpr`` (days
        supplied by the days of the window, may exceed 1).
    """
    span = windows.set_index("patient_id")
    length = span["end_day"] - span["start_day"] + 1
    own = fills.loc[fills["patient_id"].isin(span.index)]
    own = own.sort_values(["patient_id", "day"], kind="stable")
    who = own["patient_id"]
    supply = own["days_supply"].astype(float)
    before = supply.groupby(who).cumsum() - supply
    # each fill starts at the latest of (earlier fill's day + supply since): a running maximum
    begin = (own["day"] - before).groupby(who).cummax() + before
    first, last = who.map(span["start_day"]), who.map(span["end_day"])
    end = (begin + supply - 1).clip(upper=last)
    days = (end - begin.clip(lower=first) + 1).clip(lower=0)
    covered = days.groupby(who).sum().reindex(span.index, fill_value=0.0)
    supplied = supply.groupby(who).sum().reindex(span.index, fill_value=0.0)
    return pd.DataFrame({"pdc": covered / length, "mpr": supplied / length})
