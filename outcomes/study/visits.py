"""Scores at time zero and at each visit.

Days run from time zero (study day 0). The baseline is the last score from ``baseline_from_day`` of
the episode's clock up to and including time zero: an early answer to treatment drives what is given
next, so it belongs to the baseline and not to the follow-up. A planned visit has the score nearest
to its target day within its window; of two equally near the one that ``[time] tie`` names. A
discharge visit has the score that is marked as such, else the last one within ``within_days``
before the last day of care; both after time zero.

Several scores of one instrument on one day are averaged. Where an instrument comes both as items
and as scores, the score from items, which follows the rule of the catalog, counts on days that have
both, and the notes say how often. Instruments are never pooled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.catalog.instruments import instrument, instrument_aliases
from outcomes.measures.score import PRORATED, SCORED, score_items
from outcomes.records.sql import literals

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from outcomes.study.sections import TimeSpec, VisitSpec
    from outcomes.study.steps import Steps

    Floats = NDArray[np.float64]

BASELINE: Final = "baseline"
DISAGREE: Final = 0.5
"""Difference in the instrument's unit from which two ways to a score are said to disagree."""

ITEM_ROWS: Final = """
select i.episode_id, i.day, i.instrument, i.item, i.answer
from items i join analysed_ids a on a.episode_id = i.episode_id
where i.instrument in ({names}) and i.day >= {first}
"""
FORMS: Final = """
select f.episode_id, f.day, f.number, f.score, o.marked
from item_scores f
join (
  select i.episode_id, i.day, n.number,
         max(case when i.occasion = 'discharge' then 1 else 0 end) = 1 as marked
  from items i join form_names n on n.instrument = i.instrument
  group by i.episode_id, i.day, n.number
) o on o.episode_id = f.episode_id and o.day = f.day and o.number = f.number
"""
RECORDED: Final = """
select s.episode_id, s.day, n.number, s.score, coalesce(s.occasion = 'discharge', false) as marked
from assessments s
join score_names n on n.instrument = s.instrument
join analysed_ids a on a.episode_id = s.episode_id
where abs(s.score) < 1e300 and s.day >= {first}
"""
READINGS: Final = """
select episode_id, day, number, score, marked from forms
union all
select r.episode_id, r.day, r.number, r.score, r.marked
from recorded r
left join (select distinct episode_id, day, number from forms) f
  on f.episode_id = r.episode_id and f.day = r.day and f.number = r.number
where f.episode_id is null
"""
BOTH: Final = """
select f.number, count(*) as n, count(*) filter (where abs(f.score - r.score) > {size}) as differ
from forms f
join (
  select episode_id, day, number, avg(score) as score from recorded group by episode_id, day, number
) r on r.episode_id = f.episode_id and r.day = f.day and r.number = f.number
group by f.number order by f.number
"""
DAYS: Final = """
select r.episode_id, r.number, r.day - {zero} as study_day, avg(r.score) as score,
       avg(r.score) filter (where r.marked) as marked_score, count(*) as n
from readings r group by r.episode_id, r.number, r.day
"""
SEVERAL: Final = "select count(*) from score_days where n > 1"
AT_ZERO: Final = """
select episode_id, number, max_by(score, study_day) as score
from score_days where study_day <= 0 group by episode_id, number
"""
AT_VISITS: Final = """
select d.episode_id, d.number, v.visit,
       min_by(d.score, 2 * abs(d.study_day - v.target)
                       + case when (d.study_day - v.target) * v.late > 0 then 1 else 0 end) as score
from score_days d
join planned_visits v on d.study_day between v.from_day and v.to_day
group by d.episode_id, d.number, v.visit
"""
AT_DISCHARGE: Final = """
with fits as (
  select d.episode_id, d.number, d.study_day, d.marked_score is not null as marked,
         coalesce(d.marked_score, d.score) as score
  from score_days d join analysed_ids a on a.episode_id = d.episode_id
  where d.study_day > 0
    and (d.marked_score is not null
         or d.study_day between a.end_day - {zero} - {within} and a.end_day - {zero})
)
select episode_id, number,
       max_by(score, study_day + case when marked then 100000 else 0 end) as score
from fits group by episode_id, number
"""


def find_scores(
    steps: Steps,
    ids: NDArray[np.int64],
    codes: Sequence[str],
    visits: Sequence[VisitSpec],
    time: TimeSpec,
    *,
    window_days: int,
) -> tuple[dict[str, Floats], list[str]]:
    """Return the scores of the analysed episodes.

    Parameters
    ----------
    steps : Steps
        With ``analysed_ids`` (``episode_id, end_day``).
    ids : (n,) array
        Analysed episodes, sorted.
    codes : sequence of str
        Instruments of the catalog, each once.
    visits : sequence of VisitSpec
    time : TimeSpec
    window_days : int
        Day of time zero on the episode's clock.

    Returns
    -------
    scores : dict of str to (1 + n_visits, n) array
        By instrument: time zero, then each visit; NaN where unseen.
    notes : list of str
    """
    notes = _keep_readings(steps, codes, first_day=time.baseline_from_day)
    steps.keep("score_days", DAYS.format(zero=window_days))
    (several,) = steps.row(SEVERAL)
    if several:
        notes.append(
            f"On {several:,} days an episode has several scores of one instrument; their mean"
            " counts."
        )
    table = np.full((len(codes), 1 + len(visits), len(ids)), np.nan)
    _place(table, ids, steps.columns(AT_ZERO))
    _keep_planned(steps, visits, time.tie)
    _place(table, ids, steps.columns(AT_VISITS))
    for k, visit in enumerate(visits, start=1):
        if visit.event:
            select = AT_DISCHARGE.format(zero=window_days, within=visit.within_days)
            _place(table, ids, steps.columns(select), k)
    return {code: table[k] for k, code in enumerate(codes)}, notes


def _place(
    table: Floats, ids: NDArray[np.int64], found: dict[str, NDArray[np.generic]], visit: int = 0
) -> None:
    row = np.searchsorted(ids, found["episode_id"])
    at = found["visit"].astype(np.intp) if "visit" in found else visit
    table[found["number"].astype(np.intp), at, row] = found["score"]


def _keep_planned(steps: Steps, visits: Sequence[VisitSpec], tie: str) -> None:
    import pandas as pd

    late = 1 if tie == "earlier" else -1
    rows = [
        (k, visit.day, visit.from_day, visit.to_day, late)
        for k, visit in enumerate(visits, start=1)
        if not visit.event
    ]
    names = ["visit", "target", "from_day", "to_day", "late"]
    steps.give("planned_visits", pd.DataFrame(rows, columns=names).astype("int64"))


# --------------------------------------------------------------------------------------- readings
def catalog_id(name: str) -> str:
    """Return an instrument's id with aliases resolved; one scale keeps its name."""
    base, dot, scale = name.partition(".")
    return f"{instrument_aliases().get(base, base)}{dot}{scale}"


def _keep_readings(steps: Steps, codes: Sequence[str], *, first_day: int) -> list[str]:
    """Keep ``readings``, one row a score of the instruments asked for, whatever it comes from."""
    _keep_recorded(steps, codes, first_day)
    notes = _keep_forms(steps, codes, first_day)
    steps.keep("readings", READINGS)
    for number, n, differ in zip(*steps.columns(BOTH.format(size=DISAGREE)).values(), strict=True):
        notes.append(
            f"{instrument(codes[int(number)]).label}: {int(n):,} days have both items and a score;"
            f" the score from items counts ({int(differ):,} differ by more than {DISAGREE:g})."
        )
    return notes


_NO_READINGS: Final = (
    "select cast(null as bigint) as episode_id, cast(null as bigint) as day,"
    " cast(null as bigint) as number, cast(null as double) as score, false as marked where 1 = 0"
)


def _keep_recorded(steps: Steps, codes: Sequence[str], first_day: int) -> None:
    if not steps.records.has("assessments"):
        steps.keep("recorded", _NO_READINGS)
        return
    steps.give("score_names", _names(steps, "assessments", codes))
    steps.keep("recorded", RECORDED.format(first=first_day))


def _keep_forms(steps: Steps, codes: Sequence[str], first_day: int) -> list[str]:
    """Score the items of the instruments asked for."""
    known = _names(steps, "items", [code.split(".")[0] for code in codes])
    if known.empty:
        steps.keep("forms", _NO_READINGS)
        return []
    names = literals(str(name) for name in known["instrument"])
    rows = steps.frame(ITEM_ROWS.format(names=names, first=first_day))
    scored = score_items(rows)
    scored = scored[scored["instrument"].isin(codes)]
    fine = scored["status"].isin((SCORED, PRORATED)).to_numpy()
    number = scored["instrument"].map({code: k for k, code in enumerate(codes)})
    kept = scored.assign(number=number)[["episode_id", "day", "number", "score"]][fine]
    steps.give("item_scores", kept.astype({"number": "int64", "score": "float64"}))
    steps.give("form_names", _form_names(known, codes))
    steps.keep("forms", FORMS)
    return _form_notes(scored, fine)


def _form_notes(scored: pd.DataFrame, fine: NDArray[np.bool_]) -> list[str]:
    notes = []
    for code, part in scored.assign(fine=fine).groupby("instrument", sort=True):
        n = int(part["fine"].sum())
        notes.append(
            f"{instrument(str(code)).label}: {n:,} of {len(part):,} forms were scored from their"
            " items."
        )
    return notes


def _names(steps: Steps, table: str, codes: Sequence[str]) -> pd.DataFrame:
    """Return the instruments as recorded that are asked for, each with its number."""
    import pandas as pd

    found: list[str] = []
    if steps.records.has(table):
        distinct = (
            f"select distinct instrument from {table} where instrument is not null order by 1"
        )
        found = [str(name) for name in steps.columns(distinct)["instrument"]]
    rows = [(name, codes.index(catalog_id(name))) for name in found if catalog_id(name) in codes]
    return pd.DataFrame(rows, columns=["instrument", "number"]).astype(
        {"instrument": "object", "number": "int64"}
    )


def _form_names(known: pd.DataFrame, codes: Sequence[str]) -> pd.DataFrame:
    """Return each instrument of the items with every number that its forms give."""
    import pandas as pd

    rows = [
        (name, k)
        for name in known["instrument"]
        for k, code in enumerate(codes)
        if code.split(".")[0] == catalog_id(str(name))
    ]
    return pd.DataFrame(rows, columns=["instrument", "number"])
