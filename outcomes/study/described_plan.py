"""What was planned and what became of it: plans, adherence, home programs, the end of care."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.study.delivery import COMPONENT_GROUPS, component_group
from outcomes.study.described_course import has_events
from outcomes.study.description import flag

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from outcomes.study.analysed import Analysed
    from outcomes.study.description import Description

PLAN, ADHERENCE, HOME = "Plan and delivery", "Adherence", "Home and equipment"
END = "End of care"


def describe_plan(opened: Analysed, found: Description) -> None:
    """Describe plans, adherence, home programs and equipment, and the end of care."""
    given = _delivered_bits(opened)
    _plan(opened, found, given)
    _adherence(opened, found)
    _home(opened, found, given)
    _end(opened, found)


# -------------------------------------------------------------------------------------------- plan
PLANS: Final = """
select a.position, count(*) as planned,
       max(case when p.tailored then 1 when not p.tailored then 0 end) as tailored,
       max(p.sessions_planned) as sessions_planned
from care_plans p join analysed a on a.episode_id = p.episode_id
group by a.position
"""


def _plan(opened: Analysed, found: Description, given: NDArray[np.int64]) -> None:
    """Describe whether there was a plan, whether it was tailored, and how far care followed it."""
    if not opened.needs("Plans", "care_plans"):
        return
    plans = opened.per_episode(PLANS)
    planned = ~np.isnan(plans["planned"])
    found.add(PLAN, "has_plan", "A plan of care is recorded", flag(planned, opened.everyone))
    if opened.needs("Tailoring", "care_plans", "tailored"):
        known = ~np.isnan(plans["tailored"])
        found.add(
            PLAN, "tailored", "Plan adapted to the patient", flag(plans["tailored"] > 0, known)
        )
    asked = _planned_bits(opened)
    either = np.bitwise_count(asked | given).astype(np.float64)
    both = np.bitwise_count(asked & given).astype(np.float64)
    label = "Kinds of component both planned and delivered, of those planned or delivered"
    fidelity = np.where(asked > 0, both / np.maximum(either, 1), np.nan)
    found.add(PLAN, "plan_fidelity", label, fidelity, statistic="median")
    kept = np.where(asked > 0, both / np.maximum(np.bitwise_count(asked), 1), np.nan)
    label = "Kinds of component delivered, of those planned"
    found.add(PLAN, "plan_delivered", label, kept, statistic="median")


def _planned_bits(opened: Analysed) -> NDArray[np.int64]:
    rows = opened.fetch(
        "select distinct a.position, p.intervention from care_plans p "
        "join analysed a on a.episode_id = p.episode_id"
    )
    return _bits(opened.n, rows["position"], rows["intervention"])


def _delivered_bits(opened: Analysed) -> NDArray[np.int64]:
    delivered = opened.dataset.delivered
    delivered = delivered[delivered["period"] == "episode"]
    ids = opened.dataset.episodes["episode_id"].to_numpy()
    position = np.searchsorted(ids, delivered["episode_id"].to_numpy())
    return _bits(opened.n, position, delivered["intervention"])


def _bits(
    n: int, position: NDArray[np.int64], names: NDArray[np.object_] | pd.Series
) -> NDArray[np.int64]:
    """Return one integer an episode, a bit for every group of components named."""
    import pandas as pd

    groups = list(COMPONENT_GROUPS)
    codes, known = pd.factorize(names)
    found = [component_group(str(name)) for name in known]
    bit = np.array([1 << groups.index(g) if g else 0 for g in found] or [0], dtype=np.int64)
    bits = np.zeros(n, dtype=np.int64)
    np.bitwise_or.at(bits, position.astype(np.intp), bit[codes])
    return bits


ATTENDANCE: Final = """
select a.position,
       count(*) filter (where s.planned) as planned,
       count(*) filter (where s.planned and coalesce(s.attended, true)) as attended
from sessions s join analysed a on a.episode_id = s.episode_id
where s.day >= 0 group by a.position
"""
CLASSES: Final = {
    "high": ("80 % or more of planned sessions attended", 0.8, np.inf),
    "medium": ("50 to 79 % of planned sessions attended", 0.5, 0.8),
    "low": ("Less than half of planned sessions attended", -np.inf, 0.5),
}


def _adherence(opened: Analysed, found: Description) -> None:
    """Describe classes of attendance; those without a plan are a class of their own."""
    if not opened.needs("Adherence", "sessions", "planned", "attended"):
        return
    held = opened.per_episode(ATTENDANCE, absent=0.0)
    ratio = held["attended"] / np.where(held["planned"] > 0, held["planned"], np.nan)
    for name, (label, low, high) in CLASSES.items():
        inside = (ratio >= low) & (ratio < high)
        found.add(ADHERENCE, f"adherence_{name}", label, flag(inside, opened.everyone))
    unknown = flag(np.isnan(ratio), opened.everyone)
    found.add(ADHERENCE, "adherence_unknown", "No planned session is recorded", unknown)


HOME_LOGS: Final = """
select a.position, count(distinct floor(h.day / 7)) as weeks, sum(h.minutes) as minutes
from home_log h join analysed a on a.episode_id = h.episode_id
where h.day >= 0 group by a.position
"""


def _home(opened: Analysed, found: Description, given: NDArray[np.int64]) -> None:
    """Describe diaries kept at home, equipment given or advised, and changes at the workplace."""
    if opened.needs("Home diary", "home_log"):
        logs = opened.per_episode(HOME_LOGS, absent=0.0)
        label = "Any entry in a home diary"
        found.add(HOME, "home_log", label, flag(logs["weeks"] > 0, opened.everyone))
        weeks = np.where(logs["weeks"] > 0, logs["weeks"], np.nan)
        label = "Weeks with an entry"
        found.add(HOME, "home_weeks", label, weeks, statistic="median", unit="weeks")
    if opened.needs("Supportive equipment", "components"):
        equipment = 1 << list(COMPONENT_GROUPS).index("Equipment")
        label = "Supportive equipment provided or advised"
        found.add(HOME, "equipment", label, flag(given & equipment > 0, opened.everyone))
    if has_events(opened, "Workstation changed", "workstation_change"):
        changed = opened.per_episode(FIRST_CHANGE)["day"]
        label = "Workstation changed"
        found.add(HOME, "workstation", label, flag(~np.isnan(changed), opened.everyone))


FIRST_CHANGE: Final = """
select a.position, min(e.day) as day
from events e join analysed a on a.episode_id = e.episode_id
where e.kind = 'workstation_change' group by a.position
"""

REASONS: Final = {
    "goals_met": "Goals met",
    "plateau": "No further gain",
    "self_discharge": "Left on their own account",
    "lost": "Lost",
    "referred_on": "Referred on",
    "payer": "Ended by the payer",
    "ongoing": "Still in care",
    "unknown": "Reason unknown",
}


def _end(opened: Analysed, found: Description) -> None:
    """Describe why care ended."""
    if not opened.records.has("episodes", "discharge_reason"):
        opened.left_out.append(("Why care ended", "No reason of discharge is recorded."))
        return
    rows = opened.fetch(
        "select a.position, e.discharge_reason as reason from analysed a "
        "join episodes e on e.episode_id = a.episode_id where e.discharge_reason is not null"
    )
    reason = np.full(opened.n, "", dtype=object)
    reason[rows["position"].astype(np.intp)] = rows["reason"]
    known = reason != ""
    for code, label in REASONS.items():
        found.add(END, f"end_{code}", f"Care ended: {label.lower()}", flag(reason == code, known))
