"""How safe care was: intake, access, red flags, and triggers that were acted on.

A *trigger* is a finding that asks for a review. Its share *acted on* has the triggers' episodes
below the line; a trigger without any record of an action within the limit counts as not acted on.
The rules and limits are choices of this toolkit (``project_rule`` in the catalog):

- severe: pain 7 or more at two consecutive scores;
- no gain: pain not better by 2 at the last score by week 6 (acute 4, chronic 12) of those still in
  care then;
- new numbness, tingling or weakness; a drop of function; pain on movement: as recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.study.described_course import has_events
from outcomes.study.description import flag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from outcomes.study.analysed import Analysed
    from outcomes.study.description import Description

SEVERE: Final = 7
GAIN: Final = 2
ACT_WITHIN_DAYS: Final = 14
SCREEN_BY_DAY: Final = 7
PROMPT_DAYS: Final = 14

SAFETY, TRIGGERS, ACCESS = "Red flags and referral", "Triggers", "Access"
INTAKE = "Assessment at intake"
FALLS = "Falls"


def describe_care(opened: Analysed, found: Description) -> None:
    """Describe intake, access, red flags, referral, triggers and falls."""
    _intake(opened, found)
    _access(opened, found)
    _red_flags(opened, found)
    _referral(opened, found)
    _pain_triggers(opened, found)
    _event_triggers(opened, found)
    _falls(opened, found)


# ------------------------------------------------------------------------------ intake and access
def _intake(opened: Analysed, found: Description) -> None:
    """Describe which compared scores were taken at intake, and at both ends."""
    episodes = opened.dataset.episodes
    scores = [o for o in opened.dataset.spec.outcomes if o.measure == "score"]
    there = {
        o.id: episodes[f"baseline_{o.id}"].notna().to_numpy()
        for o in scores
        if f"baseline_{o.id}" in episodes
    }
    for outcome in scores:
        if outcome.id in there:
            label = f"{outcome.name} measured up to time zero"
            found.add(
                INTAKE, f"intake_{outcome.id}", label, flag(there[outcome.id], opened.everyone)
            )
    if len(there) > 1:
        both = np.logical_and.reduce(list(there.values()))
        found.add(INTAKE, "intake_all", "All compared scores measured", flag(both, opened.everyone))


def _access(opened: Analysed, found: Description) -> None:
    episodes = opened.dataset.episodes
    if "referral" in episodes and episodes["referral"].notna().any():
        direct = (episodes["referral"] == "direct").to_numpy(dtype=bool, na_value=False)
        known = episodes["referral"].notna().to_numpy()
        found.add(ACCESS, "direct_access", "Came without a referral", flag(direct, known))
    if "referral_wait_days" not in episodes or episodes["referral_wait_days"].isna().all():
        opened.left_out.append(("Wait for the first visit", "No wait is recorded."))
        return
    wait = episodes["referral_wait_days"].to_numpy(dtype=np.float64, na_value=np.nan)
    label = "Days from referral to the first visit"
    found.add(ACCESS, "referral_wait", label, wait, statistic="median", unit="d")
    prompt = flag(wait <= PROMPT_DAYS, ~np.isnan(wait))
    found.add(ACCESS, "seen_in_14_days", "First visit within 14 days of referral", prompt)


# -------------------------------------------------------------------------------------- red flags
RED_FLAGS: Final = f"""
select a.position,
       count(*) filter (where e.kind = 'red_flag_screen' and e.day <= {SCREEN_BY_DAY}) as screened,
       min(e.day) filter (where e.kind = 'red_flag') as found_day,
       min(coalesce(e.acted_day, e.day)) filter (
         where e.kind = 'red_flag' and e.acted_day is not null or e.kind = 'referral'
       ) as acted_day
from analysed a join events e on e.episode_id = a.episode_id
where e.kind in ('red_flag_screen', 'red_flag', 'referral')
group by a.position
"""


def _red_flags(opened: Analysed, found: Description) -> None:
    if not has_events(opened, "Red-flag screening", "red_flag_screen", "red_flag"):
        return
    flags = opened.per_episode(RED_FLAGS)
    if has_events(opened, "Screening for red flags", "red_flag_screen"):
        screened = np.nan_to_num(flags["screened"]) > 0
        label = "Screened for red flags by day 7"
        found.add(SAFETY, "red_flags_screened", label, flag(screened, opened.everyone))
    raised = ~np.isnan(flags["found_day"])
    found.add(SAFETY, "red_flag", "A red flag found in care", flag(raised, opened.everyone))
    wait = flags["acted_day"] - flags["found_day"]
    label = "Red flag acted on (referral or recorded action)"
    found.add(SAFETY, "red_flag_acted_on", label, flag(wait >= 0, raised))
    label = "Days from red flag to action"
    acted = np.where(wait >= 0, wait, np.nan)
    found.add(SAFETY, "red_flag_wait", label, acted, statistic="median", unit="d")


REFERRALS: Final = """
select a.position, count(*) as referrals, min(e.day) as first_day,
       min(e.acted_day - e.day) filter (where e.acted_day >= e.day) as wait
from analysed a join events e on e.episode_id = a.episode_id
where e.kind = 'referral' and e.day >= 0
group by a.position
"""


def _referral(opened: Analysed, found: Description) -> None:
    if not has_events(opened, "Referrals", "referral"):
        return
    referred = opened.per_episode(REFERRALS)
    any_referral = ~np.isnan(referred["referrals"])
    found.add(SAFETY, "referred", "Referred on", flag(any_referral, opened.everyone))
    label = "Days from start of care to referral"
    found.add(SAFETY, "referral_day", label, referred["first_day"], statistic="median", unit="d")
    label = "Days from referral to being seen"
    found.add(SAFETY, "referral_seen", label, referred["wait"], statistic="median", unit="d")


# --------------------------------------------------------------------------------------- triggers
PAIN_TRIGGERS: Final = f"""
with pain as (
  select a.position, a.end_day, s.day, max(s.score) as score,
         case a.chronicity when 'acute' then 28 when 'chronic' then 84 else 42 end as due_day
  from assessments s join analysed_course a on a.episode_id = s.episode_id
  where s.instrument = 'nprs' and s.score is not null and s.day >= -30
  group by a.position, a.end_day, a.chronicity, s.day
), pairs as (
  select *, lag(score) over (partition by position order by day) as score_0
  from pain
), raised as (
  select position, max(end_day) as end_day, max(due_day) as due_day,
         min(day) filter (where day > 0 and score >= {SEVERE} and score_0 >= {SEVERE})
           as severe_day,
         min_by(score, day) as first_score,
         max_by(score, day) filter (where day > 0 and day <= due_day) as due_score
  from pairs group by position
), acted as (
  select r.position,
         count(*) filter (
           where coalesce(e.acted_day, e.day) between r.severe_day
             and r.severe_day + {ACT_WITHIN_DAYS}
         ) as severe_acted,
         count(*) filter (
           where coalesce(e.acted_day, e.day) between r.due_day and r.due_day + {ACT_WITHIN_DAYS}
         ) as gain_acted
  from raised r
  join analysed a on a.position = r.position
  join events e on e.episode_id = a.episode_id
  where e.kind in ('review', 'referral')
  group by r.position
)
select r.position, r.severe_day,
       case when r.end_day >= r.due_day and r.due_score is not null
            then r.first_score - r.due_score end as gain,
       coalesce(c.severe_acted, 0) as severe_acted, coalesce(c.gain_acted, 0) as gain_acted
from raised r left join acted c on c.position = r.position
"""


def _pain_triggers(opened: Analysed, found: Description) -> None:
    if not opened.needs("Pain triggers", "assessments") or not opened.needs(
        "Pain triggers", "events"
    ):
        return
    _register_course(opened)
    pain = opened.per_episode(PAIN_TRIGGERS)
    known = ~np.isnan(pain["severe_acted"])
    severe = ~np.isnan(pain["severe_day"])
    stuck = pain["gain"] < GAIN
    _trigger(found, "severe", "Pain 7 or more twice running", severe, known, pain["severe_acted"])
    label = "No gain of 2 points of pain by the due week"
    _trigger(found, "no_gain", label, stuck, ~np.isnan(pain["gain"]), pain["gain_acted"])


def _register_course(opened: Analysed) -> None:
    """Make ``analysed_course``: ``analysed`` with chronicity, unknown where not recorded."""
    import pandas as pd

    episodes = opened.dataset.episodes
    unknown = np.full(opened.n, "unknown", dtype=object)
    values = episodes["chronicity"].to_numpy(dtype=object) if "chronicity" in episodes else unknown
    texts = pd.array(values, dtype="string")  # a column of nothing but gaps would have no type
    frame = pd.DataFrame({"position": np.arange(opened.n), "chronicity": texts})
    opened.cursor.register("chronicity_frame", frame)
    opened.run(
        "create temp table analysed_course as select a.*, c.chronicity "
        "from analysed a join chronicity_frame c on c.position = a.position"
    )


def _trigger(
    found: Description,
    measure: str,
    label: str,
    raised: NDArray[np.bool_],
    known: NDArray[np.bool_],
    actions: NDArray[np.float64],
) -> None:
    found.add(TRIGGERS, f"trigger_{measure}", label, flag(raised, known))
    acted = flag(actions > 0, raised & known)
    words = f"{label}: acted on within {ACT_WITHIN_DAYS} days"
    found.add(TRIGGERS, f"trigger_{measure}_acted_on", words, acted)


EVENT_TRIGGERS: Final = {
    "neuro_symptom": "New numbness, tingling or weakness",
    "function_drop": "Drop of function (standing, walking, daily activity)",
    "pain_on_movement": "Pain worse on movement",
    "pain_during_exercise": "Pain during exercise",
    "stopped_for_pain": "Stopped an exercise because of pain",
}
ACTED_ON: Final = """
with raised as (
  select a.position, a.episode_id, e.day, e.acted_day
  from analysed a join events e on e.episode_id = a.episode_id
  where e.kind = '{kind}' and e.day >= 0
), answers as (
  select r.position, r.day,
         min(coalesce(r.acted_day, e.acted_day, e.day)) - r.day as wait
  from raised r
  left join events e on e.episode_id = r.episode_id
    and e.kind in ('review', 'referral', 'contact_made') and e.day between r.day and r.day + {limit}
  group by r.position, r.day
)
select position, count(*) filter (where wait between 0 and {limit}) as actions,
       min(wait) filter (where wait >= 0) as wait
from answers group by position
"""


def _event_triggers(opened: Analysed, found: Description) -> None:
    for kind, label in EVENT_TRIGGERS.items():
        if not has_events(opened, label, kind):
            continue
        sql = ACTED_ON.format(kind=kind, limit=ACT_WITHIN_DAYS)
        answers = opened.per_episode(sql)
        raised = ~np.isnan(answers["actions"])
        _trigger(found, kind, label, raised, opened.everyone, answers["actions"])
        words = f"{label}: days to contact or action"
        found.add(TRIGGERS, f"{kind}_wait", words, answers["wait"], statistic="median", unit="d")


FALLS_SEEN: Final = """
with fell as (
  select a.position, count(*) as falls
  from events e join analysed a on a.episode_id = e.episode_id
  where e.kind = 'fall' and e.day >= 0 and e.day <= a.until_day group by a.position
)
select a.position, a.until_day as days, coalesce(f.falls, 0) as falls
from analysed a left join fell f on f.position = a.position
"""


def _falls(opened: Analysed, found: Description) -> None:
    if not has_events(opened, "Falls", "fall"):
        return
    seen = opened.per_episode(FALLS_SEEN)
    found.add_rate(FALLS, "falls", "Falls", events=seen["falls"], days=seen["days"])
    label = "One fall or more in follow-up"
    found.add(FALLS, "faller", label, flag(seen["falls"] > 0, seen["days"] > 0))
