"""How much was delivered: contacts, time, supervision, adherence and progression.

All of it is about the whole episode of care, one value an episode, described by median and
quartiles or by the share of episodes. None of it is a covariate: it happens after time zero.

- *attended of planned* is the share of planned sessions that the patient came to, 0 to 1.
- *home of prescribed* is done at home against what the plan asked for, over the weeks that have a
  diary entry; a second row counts weeks without an entry as nothing done. The truth is between.
- *progression* is the slope of the level of difficulty on time, common to all exercises of an
  episode, each about its own mean: with d the day and l the level of exercise j,
  ``sum_j S_dl,j / sum_j S_dd,j``, in levels a week.
- a *jump* is a rise of more than one level, or of more than 20 % of the load, between one session
  and the next of the same exercise; an episode *starts low* if no exercise begins above level 2.
  Both rules are choices of this toolkit, not safety limits with evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.results.tables import build_table
from outcomes.study.analysed import Analysed, analysed_in, summarise
from outcomes.study.groups import group_masks

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from outcomes.records.files import Records
    from outcomes.study.analysed import LeftOut
    from outcomes.study.dataset import StudyDataset

SATISFACTORY: Final = 0.8
"""Adherence at or above which a dose counts as satisfactory (the commonest cut in reviews)."""
GAP_DAYS: Final = 14
START_LEVEL: Final = 2
LEVEL_JUMP: Final = 1
LOAD_JUMP: Final = 0.2

Values = dict[str, "NDArray[np.float64]"]


@dataclass(frozen=True, kw_only=True)
class DoseMeasure:
    """One row of the dose table before it is counted."""

    code: str
    label: str
    unit: str
    statistic: str = "median"


MEASURES: Final = (
    DoseMeasure(code="sessions_attended", label="Sessions attended", unit="sessions"),
    DoseMeasure(code="weeks_in_care", label="Weeks from first to last session", unit="weeks"),
    DoseMeasure(code="sessions_per_week", label="Sessions a week", unit="1/week"),
    DoseMeasure(code="minutes_per_session", label="Minutes a session", unit="min"),
    DoseMeasure(code="minutes_total", label="Minutes in all", unit="min"),
    DoseMeasure(code="supervised_share", label="Supervised, of sessions attended", unit="share"),
    DoseMeasure(code="effort", label="Exertion in sessions (CR10)", unit="points"),
    DoseMeasure(code="attended_of_planned", label="Attended, of sessions planned", unit="share"),
    DoseMeasure(
        code="attended_satisfactory",
        label="Attended 80 % or more of what was planned",
        unit="share",
        statistic="share",
    ),
    DoseMeasure(
        code="gap_over_14_days",
        label="A gap of more than 14 days between sessions",
        unit="share",
        statistic="share",
    ),
    DoseMeasure(
        code="home_of_prescribed",
        label="Home sessions done, of those prescribed, in weeks with a diary",
        unit="share",
    ),
    DoseMeasure(
        code="home_of_prescribed_all_weeks",
        label="The same, weeks without a diary counted as nothing done",
        unit="share",
    ),
    DoseMeasure(code="home_minutes_per_week", label="Minutes a week at home", unit="min/week"),
    DoseMeasure(
        code="progression_level",
        label="Progression of exercises",
        unit="levels a week",
    ),
    DoseMeasure(code="progression_load", label="Progression of load", unit="kg a week"),
    DoseMeasure(
        code="started_low", label="Every exercise began at level 2 or below",
        unit="share", statistic="share",
    ),
    DoseMeasure(
        code="jump",
        label="A jump of more than one level or 20 % of the load",
        unit="share",
        statistic="share",
    ),
)  # fmt: skip


def dose_table(
    dataset: StudyDataset, records: Records, *, left_out: LeftOut | None = None
) -> pd.DataFrame:
    """Describe how much was delivered over the episode of care.

    Parameters
    ----------
    dataset : StudyDataset
    records : Records
    left_out : list, optional
        Receives (what, why) of measures that these records cannot give.

    Returns
    -------
    DataFrame
        Contract ``dose``.
    """
    with analysed_in(dataset, records, left_out) as opened:
        values = _contacts(opened) | _minutes(opened) | _home(opened) | _progression(opened)
    rows, masks = [], group_masks(dataset)
    for measure in MEASURES:
        described = summarise(masks, values.get(measure.code, np.array([])), measure.statistic)
        words = {"measure": measure.code, "label": measure.label, "unit": measure.unit}
        rows += [_row(words, row) for row in described]
    return build_table("dose", rows)


def _row(words: dict[str, str], row: dict[str, object]) -> dict[str, object]:
    return {**words, **{name: value for name, value in row.items() if name != "count"}}


# ---------------------------------------------------------------------------------------- contacts
def _contacts(opened: Analysed) -> Values:
    """Sessions held: how many, how long, how close, with whom, and of how many planned."""
    if not opened.needs("Sessions, attendance and supervision", "sessions"):
        return {}
    counted = opened.per_episode(CONTACTS)
    held, planned = counted["held"], counted["planned"]
    weeks = counted["days"] / 7
    values = {
        "sessions_attended": held,
        "weeks_in_care": np.where(held > 1, weeks, np.nan),
        "sessions_per_week": np.where(held > 1, held / np.maximum(weeks, 1), np.nan),
        "gap_over_14_days": np.where(held > 1, counted["longest_gap"] > GAP_DAYS, np.nan),
    }
    if opened.needs("Supervised share", "sessions", "supervised"):
        values["supervised_share"] = _ratio(counted["supervised"], counted["supervision_known"])
    if opened.needs("Exertion in sessions", "sessions", "rpe"):
        values["effort"] = counted["effort"]
    if opened.needs("Attended of planned sessions", "sessions", "planned", "attended"):
        share = _ratio(counted["planned_held"], planned)
        values["attended_of_planned"] = share
        values["attended_satisfactory"] = _at_least(share, SATISFACTORY)
    return values


CONTACTS: Final = """
with contacts as (
  select a.position, s.day, s.supervised, s.rpe, s.planned,
         coalesce(s.attended, true) as held,
         s.day - lag(s.day) over (
           partition by a.position, coalesce(s.attended, true) order by s.day
         ) as gap
  from sessions s join analysed a on a.episode_id = s.episode_id
  where s.day >= 0
)
select position,
       count(*) filter (where held) as held,
       max(day) filter (where held) - min(day) filter (where held) as days,
       max(gap) filter (where held) as longest_gap,
       count(*) filter (where held and supervised) as supervised,
       count(*) filter (where held and supervised is not null) as supervision_known,
       avg(rpe) filter (where held) as effort,
       count(*) filter (where planned) as planned,
       count(*) filter (where planned and held) as planned_held
from contacts group by position
"""


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide where there is something to divide by; NaN elsewhere."""
    ratio = np.full(len(part), np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def _at_least(values: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    return np.where(np.isnan(values), np.nan, values >= limit)


# ----------------------------------------------------------------------------------------- minutes
def _minutes(opened: Analysed) -> Values:
    """Minutes of treatment in sessions that have any recorded."""
    if not opened.needs("Minutes of treatment", "components", "minutes"):
        return {}
    counted = opened.per_episode(MINUTES)
    return {
        "minutes_total": counted["minutes"],
        "minutes_per_session": _ratio(counted["minutes"], counted["sessions"]),
    }


MINUTES: Final = """
select a.position, sum(c.minutes) as minutes, count(distinct c.session_id) as sessions
from components c
join sessions s on s.session_id = c.session_id
join analysed a on a.episode_id = s.episode_id
where c.minutes > 0 and s.day >= 0 and coalesce(s.attended, true)
group by a.position
"""


# -------------------------------------------------------------------------------------------- home
def _home(opened: Analysed) -> Values:
    """What was done at home, against what the plan asked for."""
    if not opened.needs("Exercise at home", "home_log"):
        return {}
    done = opened.per_episode(HOME)
    values = {"home_minutes_per_week": _ratio(done["minutes"], done["weeks"])}
    if not opened.needs("Home sessions of those prescribed", "care_plans", "home_per_week"):
        return values
    asked = opened.per_episode(PRESCRIBED)
    logged = _ratio(done["sessions"], asked["per_week"] * done["weeks"])
    in_all = _ratio(np.nan_to_num(done["sessions"]), asked["per_week"] * asked["weeks"])
    return values | {"home_of_prescribed": logged, "home_of_prescribed_all_weeks": in_all}


HOME: Final = """
select a.position, sum(h.sessions) as sessions, sum(h.minutes) as minutes,
       count(distinct floor(h.day / 7)) as weeks
from home_log h join analysed a on a.episode_id = h.episode_id
where h.day >= 0
group by a.position
"""
PRESCRIBED: Final = """
select a.position, sum(p.home_per_week) as per_week,
       max(greatest(a.end_day / 7, 1)) as weeks
from care_plans p join analysed a on a.episode_id = p.episode_id
where p.home_per_week > 0
group by a.position
"""


# ------------------------------------------------------------------------------------- progression
def _progression(opened: Analysed) -> Values:
    """Slopes of level and load, where exercises began, and jumps between sessions."""
    if not opened.needs("Progression of exercises", "components", "level"):
        return {}
    counted = opened.per_episode(PROGRESSION)
    return {
        "progression_level": 7 * _ratio(counted["level_dl"], counted["level_dd"]),
        "progression_load": 7 * _ratio(counted["load_dl"], counted["load_dd"]),
        "started_low": np.where(
            np.isnan(counted["first_level"]), np.nan, counted["first_level"] <= START_LEVEL
        ),
        "jump": np.where(counted["steps"] > 0, counted["jumps"] > 0, np.nan),
    }


PROGRESSION: Final = f"""
with held as (
  select a.position, c.intervention, s.day, c.session_id, c.level, c.load
  from components c
  join sessions s on s.session_id = c.session_id
  join analysed a on a.episode_id = s.episode_id
  where (c.level is not null or c.load is not null)
    and s.day >= 0 and coalesce(s.attended, true)
), steps as (
  select position, intervention, day, level, load, row_number() over one_exercise as turn,
         lag(level) over one_exercise as level_0, lag(load) over one_exercise as load_0
  from held
  window one_exercise as (
    partition by position, intervention order by day, session_id, level nulls last, load nulls last
  )
), exercises as (
  select position, intervention,
         covar_pop(level, day) * count(level) as level_dl,
         var_pop(case when level is not null then day end) * count(level) as level_dd,
         covar_pop(load, day) * count(load) as load_dl,
         var_pop(case when load is not null then day end) * count(load) as load_dd,
         max(level) filter (where turn = 1) as first_level,
         count(*) filter (where level_0 is not null or load_0 is not null) as steps,
         count(*) filter (
           where level - level_0 > {LEVEL_JUMP} or load > {1 + LOAD_JUMP} * load_0
         ) as jumps
  from steps group by position, intervention
)
select position, sum(level_dl) as level_dl, sum(level_dd) as level_dd,
       sum(load_dl) as load_dl, sum(load_dd) as load_dd,
       max(first_level) as first_level, sum(steps) as steps, sum(jumps) as jumps
from exercises group by position
"""
