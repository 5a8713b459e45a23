"""What else happened: unwanted events against what they are counted in, and all that is described.

Harms of treatment sessions are counted per 1,000 sessions held, in care (day 0 to the end of care);
those that happen in life per 100 patient-years, in follow-up. Limits are exact Poisson limits (see
:mod:`outcomes.study.rates`). An event that nobody recorded anywhere is left out with that reason:
it may not have been asked. The exception is the serious adverse event, whose zero is a finding
where other harms are recorded.

Only analysed episodes are counted. Those that ended before time zero are not among them, though
harm may have ended them; the flow counts them.

Nothing here is compared between the types: people were not alike, and nothing is adjusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.results.tables import build_table
from outcomes.study.analysed import Analysed, analysed_in
from outcomes.study.described_care import describe_care
from outcomes.study.described_course import describe_course
from outcomes.study.described_medicines import describe_medicines
from outcomes.study.described_plan import describe_plan
from outcomes.study.described_reliability import describe_reliability
from outcomes.study.described_scores import describe_scores
from outcomes.study.description import DAYS_PER_YEAR, PER_100_YEARS, Description
from outcomes.study.groups import group_masks
from outcomes.study.rates import rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from outcomes.records.files import Records
    from outcomes.study.analysed import LeftOut
    from outcomes.study.dataset import StudyDataset
    from outcomes.study.groups import Masks

PER_SESSIONS: Final = "per 1,000 sessions"
PER_EPISODES: Final = "per 100 episodes"
ANY: Final = "any"
GRADES: Final = ("minor", "moderate", "major", "unknown")
SERIOUS: Final = "serious_adverse_event"


@dataclass(frozen=True, kw_only=True)
class Harm:
    """An unwanted event, and whether it belongs to sessions or to the patient's time."""

    kind: str
    label: str
    of_sessions: bool


HARMS: Final = (
    Harm(kind="soreness", label="Soreness after a session", of_sessions=True),
    Harm(kind="flare", label="Flare", of_sessions=True),
    Harm(kind="pain_during_exercise", label="Pain during exercise", of_sessions=True),
    Harm(kind="stopped_for_pain", label="Stopped because of pain", of_sessions=True),
    Harm(kind=SERIOUS, label="Serious adverse event", of_sessions=True),
    Harm(kind="fall", label="Fall", of_sessions=False),
    Harm(kind="new_injury", label="New injury", of_sessions=False),
    Harm(kind="adverse_drug_event", label="Adverse drug event", of_sessions=False),
    Harm(kind="emergency_visit", label="Emergency visit", of_sessions=False),
)


# ------------------------------------------------------------------------------------------ harms
def harms_table(
    dataset: StudyDataset, records: Records, *, left_out: LeftOut | None = None
) -> pd.DataFrame:
    """Count unwanted events by exposure, with exact limits of their rates.

    Parameters
    ----------
    dataset : StudyDataset
    records : Records
    left_out : list, optional
        Receives (what, why) of events that are recorded for nobody.

    Returns
    -------
    DataFrame
        Contract ``harms``: for each event a row ``severity = 'any'``, then one for each grade that
        is recorded. Where no session is recorded, events of sessions are counted per 100 episodes;
        where no follow-up is known, so are the others.
    """
    with analysed_in(dataset, records, left_out) as opened:
        if not opened.needs("Harms", "events"):
            return build_table("harms", [])
        masks = group_masks(dataset)
        level = dataset.spec.model.conf_level
        bases = {True: _sessions(opened), False: _years(opened)}
        counted = opened.fetch(HARM_EVENTS)
        rows = [
            row
            for harm in _recorded(opened, counted)
            for row in _harm_rows(masks, harm, counted, bases[harm.of_sessions], level)
        ]
    return build_table("harms", rows)


@dataclass(frozen=True, kw_only=True)
class Base:
    """What events are counted against: its amount in each episode, and the unit of the rate."""

    amount: NDArray[np.float64]
    per: float
    unit: str


def _sessions(opened: Analysed) -> Base:
    if not opened.needs("Harms per 1,000 sessions", "sessions"):
        return _episodes(opened)
    held = opened.per_episode(SESSIONS_HELD, absent=0.0)["held"]
    return Base(amount=held, per=1000, unit=PER_SESSIONS)


def _years(opened: Analysed) -> Base:
    days = opened.per_episode("select position, until_day as days from analysed")["days"]
    if not np.nansum(days) > 0:
        opened.left_out.append(("Harms per 100 patient-years", "No follow-up is known."))
        return _episodes(opened)
    return Base(amount=np.nan_to_num(days) / DAYS_PER_YEAR, per=100, unit=PER_100_YEARS)


def _episodes(opened: Analysed) -> Base:
    return Base(amount=np.ones(opened.n), per=100, unit=PER_EPISODES)


SESSIONS_HELD: Final = """
select a.position, count(*) as held
from sessions s join analysed a on a.episode_id = s.episode_id
where s.day >= 0 and s.day <= coalesce(a.end_day, 100000) and coalesce(s.attended, true)
group by a.position
"""
_KINDS: Final = ", ".join(f"'{harm.kind}'" for harm in HARMS)
_OF_SESSIONS: Final = ", ".join(f"'{harm.kind}'" for harm in HARMS if harm.of_sessions)
HARM_EVENTS: Final = f"""
select a.position, e.kind, coalesce(e.severity, 'unknown') as severity, count(*) as n
from events e join analysed a on a.episode_id = e.episode_id
where e.kind in ({_KINDS}) and e.day >= 0
  and e.day <= coalesce(
    case when e.kind in ({_OF_SESSIONS}) then a.end_day else a.until_day end, 100000
  )
group by a.position, e.kind, coalesce(e.severity, 'unknown')
"""


def _recorded(opened: Analysed, counted: dict[str, NDArray[np.generic]]) -> Iterator[Harm]:
    """Yield the harms that are recorded at all, in anybody's records."""
    rows = opened.fetch(f"select distinct kind from events where kind in ({_KINDS})")
    kinds = {str(kind) for kind in rows["kind"]}
    for harm in HARMS:
        if harm.kind in kinds or (harm.kind == SERIOUS and kinds):
            yield harm
        else:
            why = "No such event is recorded for anybody; it may not have been asked."
            opened.left_out.append((harm.label, why))


def _harm_rows(
    masks: Masks, harm: Harm, counted: dict[str, NDArray[np.generic]], base: Base, level: float
) -> Iterator[dict[str, object]]:
    of_kind = counted["kind"] == harm.kind
    found = set(counted["severity"][of_kind])
    for severity in (ANY, *(grade for grade in GRADES if grade in found)):
        chosen = of_kind if severity == ANY else of_kind & (counted["severity"] == severity)
        events = np.zeros(len(base.amount), dtype=np.int64)
        np.add.at(events, counted["position"][chosen].astype(np.intp), counted["n"][chosen])
        for exposure, mask in masks:
            amount = float(base.amount[mask].sum())
            n = int(events[mask].sum())
            limits = rate(n, amount, base.per, level=level)
            yield {
                "exposure": exposure,
                "event": harm.kind,
                "label": harm.label,
                "severity": severity,
                "n_events": n,
                "n_episodes": int(np.count_nonzero(events[mask])),
                "n_total": int(mask.sum()),
                "denominator": amount,
                "rate_unit": base.unit,
                "rate": limits.estimate,
                "conf_low": limits.low,
                "conf_high": limits.high,
                "conf_level": level,
            }


# -------------------------------------------------------------------------------------- described
def described_table(
    dataset: StudyDataset, records: Records, *, left_out: LeftOut | None = None
) -> pd.DataFrame:
    """Describe every other outcome, safety and quality measure that the records can give.

    Parameters
    ----------
    dataset : StudyDataset
    records : Records
    left_out : list, optional
        Receives (what, why) of measures that these records cannot give.

    Returns
    -------
    DataFrame
        Contract ``described``: each measure has a row for every exposure and for all together.
    """
    found = Description(dataset=dataset)
    with analysed_in(dataset, records, left_out) as opened:
        for describe in (
            describe_scores,
            describe_course,
            describe_medicines,
            describe_care,
            describe_plan,
            describe_reliability,
        ):
            describe(opened, found)
    if left_out is not None:
        left_out[:] = list(dict.fromkeys(left_out))
    return found.table()
