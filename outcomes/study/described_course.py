"""The course after treatment: recovery that lasts, recurrence, work, and what else was needed.

Recurrence has no one definition, so three stand side by side, each with its own people at risk:

- *pain*: pain above 2 of 10 again after a sustained recovery (0 to 1 for four weeks or more); at
  risk are those who recovered so, from the score that confirmed it (nobody can be known to have
  recovered for four weeks, and to have pain again, before then) until their last pain score;
- *care*: care sought again, or a new episode of the same region, 90 days or more after the end of
  care; at risk are those followed for longer than that;
- *as recorded*: an event that the clinic calls a recurrence, after the end of care.

Somebody who never recovered is not at risk of a recurrence and is not counted as free of one. Pain
scores are points in time: a return between two of them is seen late or not at all. References:
de Vet 2002, Stanton 2011, da Silva 2019 (catalog keys devet2002, stanton2011, dasilva2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.study.description import flag

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from outcomes.study.analysed import Analysed
    from outcomes.study.description import Description

PAIN_FREE: Final = 1
"""Highest pain that counts as recovered (0 to 10)."""
RETURN_OVER: Final = 2
SUSTAINED_DAYS: Final = 28
CARE_GAP_DAYS: Final = 90
YEAR: Final = 365
WORK_BENCHMARK_DAY: Final = 91
AT_WORK: Final = ("working", "modified")
LIMITED_AT_WORK: Final = ("modified", "off_work")

RECURRENCE, REMISSION, WORK = "Recurrence", "Remission", "Work"
SURGERY, RESPONSE = "Surgery, injections and imaging", "Keeping the response"


def describe_course(opened: Analysed, found: Description) -> None:
    """Describe remission, kept response, recurrence, work and further procedures."""
    _pain_course(opened, found)
    _kept_response(opened, found)
    _later_care(opened, found)
    _procedures(opened, found)
    _work(opened, found)


def has_events(opened: Analysed, what: str, *kinds: str) -> bool:
    """Return whether any of these kinds of event is recorded at all; note ``what`` if not."""
    if not opened.needs(what, "events"):
        return False
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    seen = opened.fetch(f"select count(*) as n from events where kind in ({listed})")["n"][0]
    if not seen:
        words = " or ".join(kind.replace("_", " ") for kind in kinds)
        opened.left_out.append((what, f"No event of the kind {words} is recorded for anybody."))
    return bool(seen)


# ------------------------------------------------------------------------- pain: recovery, return
PAIN_COURSE: Final = f"""
with pain as (
  select a.position, s.day, max(s.score) as score
  from assessments s join analysed a on a.episode_id = s.episode_id
  where s.instrument = 'nprs' and s.score is not null and s.day > a.zero_day
  group by a.position, s.day
), runs as (
  select position, day, score,
         sum(case when score > {PAIN_FREE} then 1 else 0 end) over (
           partition by position order by day rows between unbounded preceding and current row
         ) as run
  from pain
), low as (
  select position, run, day, min(day) over (partition by position, run) as first_day
  from runs where score <= {PAIN_FREE}
), held as (
  select position, run, min(day) as confirmed_day, max(day) as last_day
  from low where day >= first_day + {SUSTAINED_DAYS} group by position, run
), recovered as (
  select position, min(confirmed_day) as confirmed_day, min(last_day) as last_day
  from held group by position
)
select p.position, max(p.day) as last_score, max(p.day) - min(p.day) as span,
       max(r.confirmed_day) as confirmed_day,
       min(p.day) filter (where p.score > {RETURN_OVER} and p.day > r.last_day) as return_day
from pain p left join recovered r on r.position = p.position
group by p.position
"""


def _pain_course(opened: Analysed, found: Description) -> None:
    if not opened.needs("Remission and recurrence of pain", "assessments"):
        return
    pain = opened.per_episode(PAIN_COURSE)
    start = pain["confirmed_day"]
    recovered = ~np.isnan(start)
    found.add(
        REMISSION,
        "sustained_remission",
        "Pain 0 to 1 held for four weeks or more",
        flag(recovered, pain["span"] >= SUSTAINED_DAYS),
    )
    end = np.where(np.isnan(pain["return_day"]), pain["last_score"], pain["return_day"])
    _recurrence(
        found,
        "pain",
        "Pain above 2 again, from the score that confirmed a sustained recovery",
        days=np.where(recovered & (end > start), end - start, np.nan),
        happened=~np.isnan(pain["return_day"]),
    )


def _recurrence(
    found: Description,
    measure: str,
    label: str,
    *,
    days: NDArray[np.float64],
    happened: NDArray[np.bool_],
) -> None:
    """Describe one definition: rate, share free of it for a year, and the time people were seen."""
    events = (happened & ~np.isnan(days)).astype(np.float64)
    found.add_rate(RECURRENCE, f"recurrence_{measure}", label, events=events, days=days)
    found.add_reached(
        RECURRENCE,
        f"free_of_recurrence_{measure}",
        f"Free of it for twelve months: {label[0].lower()}{label[1:]}",
        days=days,
        happened=happened,
        by_day=YEAR,
        free=True,
    )
    found.add(
        RECURRENCE,
        f"followed_recurrence_{measure}",
        f"Time at risk: {label[0].lower()}{label[1:]}",
        days,
        statistic="median",
        unit="d",
    )


def _kept_response(opened: Analysed, found: Description) -> None:
    """Describe who had improved by the first threshold and still had when last measured."""
    dataset = opened.dataset
    for outcome in dataset.spec.outcomes:
        sizes = [r.threshold for r in outcome.responders if r.threshold is not None]
        baseline = f"baseline_{outcome.id}"
        if outcome.measure != "score" or not sizes or baseline not in dataset.episodes:
            continue
        gains = _gains(opened, outcome.id, outcome.instrument)
        first, last = _first_and_last(gains >= sizes[0], ~np.isnan(gains))
        found.add(
            RESPONSE,
            f"{outcome.id}_kept",
            f"{outcome.name}: better by {sizes[0]:g} or more at one visit, and still at the last",
            flag(last, first),
        )


def _gains(opened: Analysed, outcome: str, name: str) -> NDArray[np.float64]:
    """Return the improvement at each planned visit, one row an episode; NaN where not seen."""
    from outcomes.catalog.instruments import instrument

    dataset = opened.dataset
    ids = dataset.episodes["episode_id"].to_numpy()
    zero = dataset.episodes[f"baseline_{outcome}"].to_numpy(dtype=np.float64, na_value=np.nan)
    gains = np.full((len(ids), len(dataset.visits)), np.nan)
    for k, visit in enumerate(dataset.visits):
        rows = dataset.visit_rows[dataset.visit_rows["visit"] == visit]
        place = np.searchsorted(ids, rows["episode_id"].to_numpy())
        gains[place, k] = rows[outcome].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(instrument(name).direction * (gains - zero[:, None]))


def _first_and_last(
    improved: NDArray[np.bool_], seen: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return who had improved before the last visit they were seen at, and who had at it."""
    rows = np.arange(len(seen))
    last = seen.shape[1] - 1 - np.argmax(seen[:, ::-1], axis=1)
    before = np.arange(seen.shape[1])[None, :] < last[:, None]
    return (improved & seen & before).any(axis=1), improved[rows, last]


# -------------------------------------------------------------------------- after the end of care
LATER_CARE: Final = f"""
select a.position,
       a.until_day - a.end_day as seen,
       min(e.day) filter (
         where e.kind = 'recurrence' and e.day > a.end_day and e.day <= a.until_day
       ) - a.end_day as recurred,
       min(e.day) filter (
         where e.kind = 'care_seeking' and e.day >= a.end_day + {CARE_GAP_DAYS}
           and e.day <= a.until_day
       ) - a.end_day as sought,
       case when a.next_day >= a.end_day + {CARE_GAP_DAYS} and a.next_day <= a.followed_to_day
            then a.next_day - a.end_day end as next_episode
from analysed a left join events e on e.episode_id = a.episode_id
group by a.position, a.end_day, a.until_day, a.next_day, a.followed_to_day
"""


def _later_care(opened: Analysed, found: Description) -> None:
    if not has_events(opened, "Recurrence after care", "recurrence", "care_seeking"):
        return
    later = opened.per_episode(LATER_CARE)
    seen = np.where(later["seen"] > 0, later["seen"], np.nan)
    if has_events(opened, "Recurrence as the clinic records it", "recurrence"):
        recurred = later["recurred"]
        _recurrence(
            found,
            "recorded",
            "Recurrence as recorded, after the end of care",
            days=np.where(np.isnan(recurred), seen, recurred),
            happened=~np.isnan(recurred),
        )
    back = np.fmin(later["sought"], later["next_episode"])
    days = np.where(np.isnan(back), seen, back) - CARE_GAP_DAYS
    _recurrence(
        found,
        "care",
        "Care sought again 90 days or more after the end of care",
        days=np.where(days >= 0, np.maximum(days, 0.5), np.nan),
        happened=~np.isnan(back),
    )


PROCEDURES: Final = {
    "surgery": "Spine surgery",
    "injection": "Injection",
    "imaging": "Imaging",
    "emergency_visit": "Emergency visit",
}
FIRST_EVENT: Final = """
with had as (
  select a.position, min(e.day) as first_day
  from events e join analysed a on a.episode_id = e.episode_id
  where e.kind = '{kind}' and e.day >= 0 and e.day <= coalesce(a.until_day, e.day)
  group by a.position
)
select a.position, a.until_day as seen, h.first_day
from analysed a left join had h on h.position = a.position
"""


def _procedures(opened: Analysed, found: Description) -> None:
    """Describe first procedures from the start of the episode, over the time people were seen."""
    for kind, label in PROCEDURES.items():
        if not has_events(opened, label, kind):
            continue
        first = opened.per_episode(FIRST_EVENT.format(kind=kind))
        had = ~np.isnan(first["first_day"])
        days = np.where(had, first["first_day"], first["seen"])
        everyone = np.ones(opened.n, dtype=bool)
        found.add(SURGERY, f"any_{kind}", f"{label}, any in follow-up", flag(had, everyone))
        found.add_rate(
            SURGERY, kind, f"{label}, first", events=had.astype(np.float64),
            days=np.where(days == 0, 0.5, days),
        )  # fmt: skip


# ------------------------------------------------------------------------------------------- work
WORK_COURSE: Final = """
with absences as (
  select a.position, e.day as from_day, a.until_day,
         (select min(b.day) from events b
          where b.episode_id = e.episode_id and b.kind = 'return_to_work' and b.day > e.day)
           as back_day
  from events e join analysed a on a.episode_id = e.episode_id
  where e.kind = 'work_absence_start' and e.day >= 0
), stretches as (
  -- a further note while away ends with the same return, and is the same absence
  select position, min(from_day) as from_day,
         coalesce(least(back_day, until_day), until_day) as to_day
  from absences group by position, coalesce(least(back_day, until_day), until_day)
), lost as (
  select position, sum(greatest(to_day - from_day, 0)) as days_lost
  from stretches group by position
), back as (
  select a.position, min(e.day) as back_day
  from events e join analysed a on a.episode_id = e.episode_id
  where e.kind = 'return_to_work' and e.day >= 0 group by a.position
)
select a.position, a.until_day as seen, coalesce(l.days_lost, 0) as days_lost, b.back_day
from analysed a
left join lost l on l.position = a.position
left join back b on b.position = a.position
"""


def _work(opened: Analysed, found: Description) -> None:
    """Describe days lost by those with work, and the return of those limited at intake."""
    if not has_events(opened, "Days lost and return to work", *_WORK_KINDS):
        return
    if "work_status" not in opened.dataset.episodes:
        opened.left_out.append(("Days lost and return to work", "Work at intake is not recorded."))
        return
    work = opened.per_episode(WORK_COURSE)
    status = opened.dataset.episodes["work_status"]
    seen = work["seen"] > 0
    has_work = status.isin((*AT_WORK, "off_work")).to_numpy() & seen
    lost = np.where(has_work, work["days_lost"], np.nan)
    found.add(WORK, "days_lost", "Days off work in follow-up", lost, statistic="mean", unit="d")
    found.add(WORK, "any_absence", "Any absence from work", flag(lost > 0, has_work))
    limited = status.isin(LIMITED_AT_WORK).to_numpy() & seen
    back = ~np.isnan(work["back_day"])
    days = np.where(back, work["back_day"], work["seen"])
    found.add_reached(
        WORK,
        "returned_to_work",
        "Back at usual work within three months, of those off or limited at intake",
        days=np.where(limited, days, np.nan),
        happened=back,
        by_day=WORK_BENCHMARK_DAY,
    )
    found.add(
        WORK,
        "days_to_return",
        "Days to the return, of those who returned",
        np.where(limited & back, work["back_day"], np.nan),
        statistic="median",
        unit="d",
    )


_WORK_KINDS: Final = ("work_absence_start", "return_to_work")
