"""Which type an episode had in the exposure window, and what was delivered in it.

The window is days 0 to L - 1 of the episode. What counts is what was done: components of sessions
that were held (planned ones that the patient missed do not count). With d_k the dose of type k in
the window and s_k = d_k / sum(d),

    s_k > share                             type k
    else both largest >= combined_min_share the two together
    else                                    no type can be named
    nothing of therapy at all               the type of those without therapy

The dose is in minutes where a clinic records them, else in billed units, else in visits with the
type: a clinic records minutes if at least ``RECORDED`` of its components in the window have any.
One unit is 8 to 22 minutes and some codes carry no time, so clinics are never mixed within one
episode's shares. A component without the number that its clinic records takes the mean of its type
in the clinics that record it; how many did is in the notes. Therapy of none of the study's types,
or with a code that the catalog does not know, stays in the denominator, so that nobody is called
untreated or of one type because a code could not be read.

Where the arms were assigned (``source = "program"``) the program decides and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from outcomes.catalog.interventions import intervention_types, interventions, top_group
from outcomes.core.errors import RecordsError, SpecError
from outcomes.core.problems import Problem
from outcomes.records.cells import code_text
from outcomes.study.exposure_types import NONE, OUTSIDE, ExposureTypes

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from outcomes.records.files import Records
    from outcomes.study.sections import ExposureSpec
    from outcomes.study.steps import Steps

    Floats = NDArray[np.float64]

MEASURES: Final = ("minutes", "units", "visits")
RECORDED: Final = 0.8
LAST_DAY: Final = 1_000_000
"""No day of an episode is later."""
DECIMALS: Final = 9
"""Shares are compared after rounding, so that halves of tidy numbers are halves."""
_OTHER_GROUP: Final = "other"


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """What each eligible episode was classified as.

    Attributes
    ----------
    types : (n,) object array
        Exposure of each row of the eligible episodes; empty where none could be named.
    shares : dict of str to (n,) array
        Share of the window's dose by type; NaN where there was no therapy.
    groups : dict of str to (n,) bool array
        Whether any component of the group was delivered in the window.
    notes : list of str
    """

    types: NDArray[np.object_]
    shares: dict[str, Floats]
    groups: dict[str, NDArray[np.bool_]]
    notes: list[str]


def classify(
    dose: Floats, types: ExposureTypes, *, share: float, combined_min_share: float
) -> NDArray[np.object_]:
    """Name the type of each episode.

    Parameters
    ----------
    dose : (n, k + 1) array
        Dose of each therapy type in the order of ``types.therapy``, then of therapy outside them.
    types : ExposureTypes
    share, combined_min_share : float
        The rules of the study.

    Returns
    -------
    (n,) object array
        Empty where no type can be named.
    """
    named = np.full(len(dose), "", dtype=object)
    total = dose.sum(axis=1)
    named[total == 0] = types.untreated
    shares = np.round(dose[:, :-1] / np.where(total > 0, total, 1.0)[:, None], DECIMALS)
    order = np.argsort(-shares, axis=1, kind="stable")
    first = np.take_along_axis(shares, order[:, :1], axis=1)[:, 0]
    alone = first > share
    named[alone] = np.array(types.therapy, dtype=object)[order[alone, 0]]
    if shares.shape[1] > 1:
        second = np.take_along_axis(shares, order[:, 1:2], axis=1)[:, 0]
        both = ~alone & (np.minimum(first, second) >= combined_min_share)
        pairs, which = np.unique(order[both, :2], axis=0, return_inverse=True)
        names = [types.pair(types.therapy[a], types.therapy[b]) for a, b in pairs]
        named[both] = np.array([*names, ""], dtype=object)[which.reshape(-1)]
    return named


# ------------------------------------------------------------------------------ what was delivered
HELD: Final = """
select s.episode_id, c.session_id, n.number as intervention, s.day < {window_days} as in_window,
       sum(c.minutes) as minutes, sum(c.units) as units
from components c
join sessions s on s.session_id = c.session_id
join candidates e on e.episode_id = s.episode_id
join intervention_names n on n.intervention = c.intervention
where e.reason is null and s.day between 0 and {last_day} and coalesce(s.attended, true)
group by s.episode_id, c.session_id, n.number, s.day
"""
"""One row an intervention within a session that was held."""
NAMES: Final = (
    "select distinct intervention from components where intervention is not null order by 1"
)
DELIVERED: Final = """
select h.episode_id, h.intervention, true as is_window, count(*) as sessions,
       sum(h.minutes) as minutes, sum(h.units) as units
from held h join analysed_ids a on a.episode_id = h.episode_id
where h.in_window group by h.episode_id, h.intervention
union all
select h.episode_id, h.intervention, false as is_window, count(*) as sessions,
       sum(h.minutes) as minutes, sum(h.units) as units
from held h join analysed_ids a on a.episode_id = h.episode_id
group by h.episode_id, h.intervention
"""
GROUPS: Final = """
select distinct h.episode_id, n.group_number
from held h join intervention_names n on n.number = h.intervention
where h.in_window
"""


def keep_held(
    steps: Steps, types: ExposureTypes, window_days: int, *, whole: bool = True
) -> list[str]:
    """Keep ``held`` and ``intervention_names``; return the interventions by number.

    Without ``whole``, which is for classifying alone, nothing after the window is held.
    """
    import pandas as pd

    found = [str(name) for name in steps.columns(NAMES)["intervention"]]
    groups = intervention_groups()
    places = [*types.therapy, OUTSIDE, NONE]
    known = intervention_types()
    names = pd.DataFrame(
        {
            "intervention": pd.Series(found, dtype="object"),
            "number": np.arange(len(found)),
            "type_number": [places.index(types.of(name)) for name in found],
            "group_number": [groups.index(_group(name)) for name in found],
            "is_known": [name in known for name in found],
        }
    )
    steps.give("intervention_names", names)
    last_day = LAST_DAY if whole else window_days - 1
    steps.keep("held", HELD.format(window_days=window_days, last_day=last_day))
    return found


def intervention_groups() -> tuple[str, ...]:
    """Return the top groups of the catalog, then that of codes it does not know."""
    return (*dict.fromkeys(top_group(name) for name in interventions()), _OTHER_GROUP)


def _group(name: str) -> str:
    return top_group(name) if name in intervention_types() else _OTHER_GROUP


def delivered_frame(steps: Steps, names: list[str]) -> pd.DataFrame:
    """Return what the episodes in ``analysed_ids`` had, in the window and in all."""
    import pandas as pd

    frame = steps.frame(DELIVERED + " order by episode_id, intervention, is_window desc")
    frame["intervention"] = pd.Categorical.from_codes(frame["intervention"], pd.Index(names))
    period = frame.pop("is_window").to_numpy(dtype=np.int8)
    named = pd.Categorical.from_codes(period, pd.Index(["episode", "window"]))
    frame.insert(2, "period", pd.Series(named))
    return frame


# ------------------------------------------------------------------------------------------- dose
RECORDING: Final = """
select coalesce(e.clinic_id, -1) as clinic, count(*) as n,
       count(nullif(h.minutes, 0)) as minutes, count(nullif(h.units, 0)) as units
from held h
join candidates e on e.episode_id = h.episode_id
join intervention_names n on n.number = h.intervention
where h.in_window and n.type_number <= {outside}
group by coalesce(e.clinic_id, -1)
order by clinic
"""
PARTS: Final = """
select h.episode_id, h.session_id, n.type_number, m.measure, n.is_known,
       case when m.measure = 'minutes' then nullif(h.minutes, 0)
            when m.measure = 'units' then nullif(h.units, 0) end as amount
from held h
join candidates e on e.episode_id = h.episode_id
join clinic_measures m on m.clinic = coalesce(e.clinic_id, -1)
join intervention_names n on n.number = h.intervention
where h.in_window and n.type_number <= {outside}
"""
DOSES: Final = """
with overall as (
  select measure, avg(amount) as usual from parts group by measure
), means as (
  select p.measure, p.type_number, coalesce(avg(p.amount), max(o.usual), 1) as usual
  from parts p join overall o on o.measure = p.measure
  group by p.measure, p.type_number
), contacts as (
  select p.episode_id, p.session_id, p.type_number,
         case when max(p.measure) = 'visits' then 1
              else sum(coalesce(p.amount, m.usual)) end as dose
  from parts p
  join means m on m.measure = p.measure and m.type_number = p.type_number
  group by p.episode_id, p.session_id, p.type_number
)
select episode_id, type_number, sum(dose) as dose
from contacts group by episode_id, type_number
"""
FILLED: Final = """
select count(*) filter (where amount is null and measure <> 'visits') as filled,
       count(*) filter (where measure <> 'visits') as measured,
       count(*) filter (where not is_known) as unknown
from parts
"""


def find_exposure(
    steps: Steps, eligible: pd.DataFrame, types: ExposureTypes, spec: ExposureSpec
) -> Exposure:
    """Classify the eligible episodes; ``held`` has been kept where there are components.

    Raises
    ------
    RecordsError
        If types follow from components and the records hold none.
    SpecError
        If shares are asked for in something that is not recorded.
    """
    check_components(steps.records, spec)
    has_parts = has_components(steps)
    dose, notes = _doses(steps, eligible, types, spec) if has_parts else (None, [])
    groups = _groups(steps, eligible) if has_parts else {}
    shares = _shares(dose, types, len(eligible))
    if spec.source == "program":
        kinds = {code_text(code): kind for code, kind in spec.programs.items()}
        assigned = eligible["program"].map(kinds)
        named = assigned.astype(object).where(assigned.notna(), "").to_numpy(dtype=object)
        notes = _absent_programs(eligible["program"], spec)
        return Exposure(types=named, shares=shares, groups=groups, notes=notes)
    assert dose is not None
    named = classify(dose, types, share=spec.share, combined_min_share=spec.combined_min_share)
    return Exposure(types=named, shares=shares, groups=groups, notes=notes)


def _absent_programs(recorded: pd.Series, spec: ExposureSpec) -> list[str]:
    """Name the study's programs that nobody is in: often another spelling of the records' codes."""
    absent = [code for code in spec.programs if code_text(code) not in set(recorded.dropna())]
    if not absent:
        return []
    return [
        f"No eligible episode is in {' or '.join(map(repr, absent))}, named in [exposure.programs]."
        " Is it spelled as in the column 'program' of the records?"
    ]


def has_components(steps: Steps) -> bool:
    """Whether the records say what was done in sessions."""
    return steps.records.has("sessions") and steps.records.has("components")


def check_components(records: Records, spec: ExposureSpec) -> None:
    """Stop where types follow from what was done and the records do not say what was.

    Raises
    ------
    RecordsError
    """
    absent = [name for name in ("sessions", "components") if not records.has(name)]
    if spec.source != "components" or not absent:
        return
    problem = Problem(
        severity="fatal",
        table=absent[0],
        rule="missing_table",
        message=f"is needed to tell the types apart, but there is no table {' or '.join(absent)}",
        remedy="Export what was done in each session, or set [exposure] source = 'program'.",
    )
    raise RecordsError(f"The study cannot be made from these records: {problem}", [problem])


def _doses(
    steps: Steps, eligible: pd.DataFrame, types: ExposureTypes, spec: ExposureSpec
) -> tuple[Floats, list[str]]:
    outside = len(types.therapy)
    recording = steps.frame(RECORDING.format(outside=outside))
    measures = _clinic_measures(recording, spec.measure)
    steps.give("clinic_measures", recording[["clinic"]].assign(measure=measures))
    steps.keep("parts", PARTS.format(outside=outside))
    found = steps.columns(DOSES)
    dose = np.zeros((len(eligible), outside + 1))
    row = np.searchsorted(eligible["episode_id"].to_numpy(), found["episode_id"])
    dose[row, found["type_number"].astype(np.intp)] = found["dose"]
    return dose, [*_measure_notes(recording, measures, spec.measure), *_filled_notes(steps)]


def _clinic_measures(recording: pd.DataFrame, asked: str) -> NDArray[np.object_]:
    """Return what each clinic's shares are taken of."""
    if asked != "auto":
        if asked in ("minutes", "units") and len(recording) and not recording[asked].any():
            text = (
                f"study.toml [exposure] measure: is {asked!r}, but no component in the window has"
                f" {asked}. Use 'auto', or 'visits'."
            )
            raise SpecError(text, [text])
        return np.full(len(recording), asked, dtype=object)
    enough = {name: recording[name] >= RECORDED * recording["n"] for name in MEASURES[:2]}
    chosen = np.select([enough["minutes"], enough["units"]], [*MEASURES[:2]], default=MEASURES[2])
    return np.asarray(chosen, dtype=object)


def _measure_notes(recording: pd.DataFrame, measures: NDArray[np.object_], asked: str) -> list[str]:
    clinics = {name: int(np.count_nonzero(measures == name)) for name in MEASURES}
    if asked != "auto" or clinics["minutes"] == len(recording):
        return []
    words = {"minutes": "minutes", "units": "billed units", "visits": "visits with each type"}
    said = [f"{words[name]} in {n:,}" for name, n in clinics.items() if n]
    return [f"Clinics record doses differently. Types are shares of {', '.join(said)} clinics."]


def _filled_notes(steps: Steps) -> list[str]:
    filled, measured, unknown = steps.row(FILLED)
    notes = []
    if filled:
        notes.append(
            f"{filled:,} of {measured:,} components in the window lack the minutes or units that"
            " their clinic records; they took the mean of their type."
        )
    if unknown:
        notes.append(
            f"{unknown:,} components in the window have a code that the catalog does not know; they"
            " count as therapy of no type."
        )
    return notes


def _shares(dose: Floats | None, types: ExposureTypes, n: int) -> dict[str, Floats]:
    if dose is None:
        return {name: np.full(n, np.nan) for name in types.therapy}
    total = dose.sum(axis=1)
    safe = np.where(total > 0, total, np.nan)
    return {name: dose[:, k] / safe for k, name in enumerate(types.therapy)}


def _groups(steps: Steps, eligible: pd.DataFrame) -> dict[str, NDArray[Any]]:
    names = intervention_groups()
    found = steps.columns(GROUPS)
    flags = np.zeros((len(eligible), len(names)), dtype=bool)
    row = np.searchsorted(eligible["episode_id"].to_numpy(), found["episode_id"])
    flags[row, found["group_number"].astype(np.intp)] = True
    return {name: flags[:, k] for k, name in enumerate(names)}
