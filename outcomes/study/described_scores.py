"""Scores that are described: means at each visit, and shares better, worse or at a level.

The value at a visit is the one nearest to its target day within its window, ties by the study's
rule; at an event visit the one marked as such, else the last one shortly before the event; at time
zero the last one up to it. Where only the answers of an instrument are recorded, it is scored from
them by the catalog's rule. Instruments that the study compares have the values of the study's own
dataset. Everything is of those measured: who was not measured is in ``n_episodes``, not in the
share. *Improved* and *worse* are the instrument's smallest important change for one person, in
either direction, among those with a value at both times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from outcomes.catalog.instruments import Instrument, instrument, instrument_aliases, instrument_ids
from outcomes.measures.score import PRORATED, SCORED, score_items
from outcomes.records.sql import literals

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from outcomes.study.analysed import Analysed
    from outcomes.study.description import Counts, Description

BASELINE: Final = "baseline"
IMPACT: Final = "nih_impact"
STRATA: Final = ("mild", "moderate", "severe")
UTILITIES: Final = ("eq5d_5l", "eq5d_3l")

PAIN, FUNCTION, TESTS = "Pain", "Function and activities", "Function tests"
LIFE, MOOD, BELIEFS = "Quality of life", "Mood", "Self-efficacy and fear"
SLEEP, WEIGHT, POSTURE = "Sleep", "Weight", "Posture and movement (exploratory)"
ACTIVITY, WORK, CHANGE = "Physical activity", "Work", "Perceived change"
IMPACT_DOMAIN, RISK, FALLS = "Impact", "Risk of a poor course", "Falls"

_BY_GROUP: Final = {
    "pain": PAIN,
    "function": FUNCTION,
    "performance": TESTS,
    "quality_of_life": LIFE,
    "psychological": MOOD,
    "global_change": CHANGE,
    "classification": RISK,
    "participation": ACTIVITY,
    "anthropometry": WEIGHT,
}
_BY_ID: Final = {
    "fabq": BELIEFS,
    "pcs": BELIEFS,
    "pseq": BELIEFS,
    "tsk_11": BELIEFS,
    "promis_sleep_disturbance_4a": SLEEP,
    "bmi": WEIGHT,
    "movement_control": POSTURE,
    "work_status": WORK,
    "wpai": WORK,
    "falls": FALLS,
    IMPACT: IMPACT_DOMAIN,
}
EXPECTED: Final = (
    PAIN,
    FUNCTION,
    TESTS,
    LIFE,
    MOOD,
    BELIEFS,
    SLEEP,
    WEIGHT,
    POSTURE,
    IMPACT_DOMAIN,
)
"""Domains whose absence is said."""


def domain_of(code: str) -> str:
    """Return the heading under which an instrument (or one of its scales) is described."""
    found = instrument(code.split(".")[0])
    return _BY_ID.get(found.id, _BY_GROUP.get(found.group, found.group.capitalize()))


def catalog_code(name: str) -> str | None:
    """Return the catalog's id for an instrument as recorded; ``id.scale`` keeps its scale."""
    base, _, scale = name.partition(".")
    known = instrument_aliases().get(base, base)
    if known not in instrument_ids():
        return None
    return f"{known}.{scale}" if scale else known


def describe_scores(opened: Analysed, found: Description) -> None:
    """Describe every instrument of the records that the catalog knows."""
    codes = _pick(opened)
    for code, visit, part in _counted(opened, codes):
        _score_rows(found, code, visit, part)
    present = {domain_of(code) for code in codes}
    for domain in EXPECTED:
        if domain not in present:
            opened.left_out.append((domain, "None of its instruments is in the records."))
    if IMPACT in codes:
        _impact_strata(opened, found, codes.index(IMPACT))
    _quality_years(opened, found, codes)


# -------------------------------------------------------------------------------- values by visit
def _pick(opened: Analysed) -> list[str]:
    """Make the table ``picked`` (position, code, visit, score) and return the codes' names."""
    opened.run("create temp table picked (position bigint, code int, visit int, score double)")
    opened.run(
        "create temp table scored (position bigint, code int, study_day bigint, score double,"
        " ended bigint, at_discharge boolean)"
    )
    codes = list(dict.fromkeys(_compared(opened).values()))
    first = int(opened.dataset.spec.time.baseline_from_day)
    if opened.needs("Scores that are not compared", "assessments"):
        codes = _register_codes(opened, codes)
        opened.run(_SCORED.format(first=first))
    codes = _add_forms(opened, codes, first)
    _pick_visits(opened)
    _take_compared(opened, codes)
    return codes


def _pick_visits(opened: Analysed) -> None:
    """Take from ``scored`` what counts at time zero and at each visit."""
    opened.run(_AT_ZERO)
    later = (
        "study_day < target" if opened.dataset.spec.time.tie == "later" else "study_day > target"
    )
    for k, visit in enumerate(opened.dataset.spec.visits, start=1):
        if visit.day is None or visit.from_day is None or visit.to_day is None:
            opened.run(_AT_DISCHARGE.format(visit=k, within=visit.within_days))
        else:
            window = (visit.day, visit.from_day, visit.to_day)
            opened.run(_at_visit(k, *window, later.replace("target", str(visit.day))))


def _compared(opened: Analysed) -> dict[str, str]:
    """Return the instrument of each score that the study compares, by outcome."""
    return {o.id: o.instrument for o in opened.dataset.spec.outcomes if o.measure == "score"}


def _register_codes(opened: Analysed, codes: list[str]) -> list[str]:
    """Register ``names`` (instrument as recorded, its number) and return all codes."""
    import pandas as pd

    names = opened.fetch("select distinct instrument from assessments order by 1")["instrument"]
    known = {str(name): catalog_code(str(name)) for name in names}
    if None in known.values():  # not by name: a code may be whatever somebody typed
        opened.left_out.append(("Other instruments", "The catalog does not know their codes."))
    codes = list(dict.fromkeys([*codes, *sorted(code for code in known.values() if code)]))
    pairs = [(name, codes.index(code)) for name, code in known.items() if code]
    opened.cursor.register("names", pd.DataFrame(pairs, columns=["instrument", "code"]))
    return codes


def _add_forms(opened: Analysed, codes: list[str], first: int) -> list[str]:
    """Score instruments of which only the answers are recorded; return all codes."""
    if not opened.records.has("items"):
        return codes
    there = {code.split(".")[0] for code in codes}
    found = opened.fetch("select distinct instrument from items order by 1")["instrument"]
    names = [str(name) for name in found if catalog_code(str(name)) not in {*there, None}]
    if not names:
        return codes
    answers = opened.cursor.execute(_ANSWERS.format(names=literals(names), first=first)).df()
    forms = score_items(answers)
    forms = forms[forms["status"].isin((SCORED, PRORATED))]
    codes = list(dict.fromkeys([*codes, *forms["instrument"]]))
    forms = forms.assign(code=[codes.index(code) for code in forms["instrument"]])
    opened.cursor.register("form_frame", forms[["episode_id", "day", "code", "score"]])
    opened.run(_FORMS.format(names=literals(names)))
    return codes


_ANSWERS: Final = """
select i.episode_id, i.day, i.instrument, i.item, i.answer
from items i join analysed a on a.episode_id = i.episode_id
where i.instrument in ({names}) and i.day >= {first}
"""
_FORMS: Final = """
insert into scored
select a.position, f.code, f.day - a.zero_day, f.score, a.end_day - a.zero_day, o.marked
from form_frame f
join analysed a on a.episode_id = f.episode_id
join (
  select episode_id, day, max(case when occasion = 'discharge' then 1 else 0 end) = 1 as marked
  from items where instrument in ({names}) group by episode_id, day
) o on o.episode_id = f.episode_id and o.day = f.day
"""
_SCORED: Final = """
insert into scored
select a.position, n.code, s.day - a.zero_day as study_day, s.score,
       a.end_day - a.zero_day as ended,
       coalesce(s.occasion = 'discharge', false) as at_discharge
from assessments s
join names n on n.instrument = s.instrument
join analysed a on a.episode_id = s.episode_id
where s.score is not null and s.day >= {first}
"""
# Two values of one day: the lower counts, whatever the order of the rows. The score is added to the
# key as a fraction too small to outweigh a day.
_AT_ZERO: Final = """
insert into picked
select position, code, 0, min_by(score, score / 1e9 - study_day)
from scored where study_day <= 0 group by position, code
"""
_AT_DISCHARGE: Final = """
insert into picked
select position, code, {visit},
       min_by(score, score / 1e9 - study_day - case when at_discharge then 100000 else 0 end)
from scored
where study_day > 0 and (at_discharge or study_day between ended - {within} and ended)
group by position, code
"""


def _at_visit(visit: int, target: int, first: int, last: int, second: str) -> str:
    """Write the choice of the nearest value; ``second`` marks the day that loses a tie."""
    return f"""
    insert into picked
    select position, code, {visit},
           min_by(score, 2 * abs(study_day - {target})
                         + case when {second} then 1 else 0 end + score / 1e9)
    from scored where study_day between {first} and {last} group by position, code
    """


def _take_compared(opened: Analysed, codes: list[str]) -> None:
    """Put the study's own values in place of what was picked for the outcomes it compares."""
    dataset = opened.dataset
    labels = [visit.label for visit in dataset.spec.visits]
    opened.cursor.register("visit_frame", dataset.visit_rows)
    for outcome, name in _compared(opened).items():
        code = codes.index(name)
        column = f"{BASELINE}_{outcome}"
        if column in dataset.episodes:
            opened.run(f"delete from picked where code = {code} and visit = 0")
            values = dataset.episodes[column].to_numpy(dtype=np.float64, na_value=np.nan)
            opened.cursor.register("zero_frame", _zero_frame(values))
            opened.run(f"insert into picked select position, {code}, 0, score from zero_frame")
        for label in dataset.visits:
            visit = labels.index(label) + 1
            opened.run(f"delete from picked where code = {code} and visit = {visit}")
            opened.run(
                f'insert into picked select a.position, {code}, {visit}, v."{outcome}" '
                "from visit_frame v join analysed a on a.episode_id = v.episode_id "
                f"where v.visit = '{label}' and v.\"{outcome}\" is not null "
                f'and not isnan(v."{outcome}")'
            )


def _zero_frame(values: NDArray[np.float64]) -> pd.DataFrame:
    import pandas as pd

    known = np.flatnonzero(~np.isnan(values))
    return pd.DataFrame({"position": known, "score": values[known]})


# --------------------------------------------------------------------------------------- counting
_LIMITS: Final = ("direction", "mcid", "acceptable", "remission", "severe")


def _counted(opened: Analysed, codes: list[str]) -> Iterator[tuple[str, str, Counts]]:
    """Yield each code and visit with its counts by exposure."""
    import pandas as pd

    limits = pd.DataFrame([(k, *_limits(code)) for k, code in enumerate(codes)])
    limits.columns = pd.Index(["code", *_LIMITS])
    opened.cursor.register("limits", limits.astype("Float64"))
    counted = opened.cursor.execute(_COUNTED).df()
    visits = (BASELINE, *(visit.label for visit in opened.dataset.spec.visits))
    for key, part in counted.groupby(["code", "visit"], sort=True):
        code, visit = key
        yield codes[int(code)], visits[int(visit)], part.set_index("exposure").to_dict("index")


def _limits(code: str) -> tuple[float | None, ...]:
    found = instrument(code.split(".")[0])
    rule = None if "." in code else found.responder
    return (found.direction, *(getattr(rule, name) if rule else None for name in _LIMITS[1:]))


_COUNTED: Final = """
with looked as (
  select a.exposure, p.code, p.visit, p.score,
         l.direction * (p.score - b.score) as gain, l.mcid,
         l.direction * (p.score - l.acceptable) >= 0 as acceptable,
         l.direction * (p.score - l.remission) >= 0 as remission,
         l.direction * (p.score - l.severe) <= 0 as severe
  from picked p
  join analysed a on a.position = p.position
  join limits l on l.code = p.code
  left join picked b on b.position = p.position and b.code = p.code and b.visit = 0
)
select coalesce(exposure, '') as exposure, code, visit, count(*) as n,
       avg(score) as mean, stddev_samp(score) as spread,
       count(*) filter (where gain is not null and mcid is not null) as n_gain,
       count(*) filter (where gain >= mcid) as improved,
       count(*) filter (where gain <= -mcid) as worse,
       count(acceptable) as n_acceptable, count(*) filter (where acceptable) as acceptable,
       count(remission) as n_remission, count(*) filter (where remission) as remission,
       count(severe) as n_severe, count(*) filter (where severe) as severe
from looked group by grouping sets ((exposure, code, visit), (code, visit))
"""


def _score_rows(found: Description, code: str, visit: str, part: Counts) -> None:
    known = instrument(code.split(".")[0])
    label = f"{known.label}, {code.split('.')[1].replace('_', ' ')}" if "." in code else known.label
    domain = domain_of(code)
    found.add_means(domain, code, label, part, unit=known.unit, visit=visit)
    for measure, words in _shares(known, code):
        if visit == BASELINE and measure in ("improved", "worse"):
            continue
        total = "n_gain" if measure in ("improved", "worse") else f"n_{measure}"
        heading = "Getting worse" if measure == "worse" else domain
        counts = {key: {"count": row[measure], "n": row[total]} for key, row in part.items()}
        found.add_counts(heading, f"{code}_{measure}", f"{label}: {words}", counts, visit=visit)


def _shares(known: Instrument, code: str) -> Iterator[tuple[str, str]]:
    """Yield which shares an instrument has, in words."""
    rule = known.responder
    if rule is None or "." in code:
        return
    yield "improved", f"better by {rule.mcid:g} or more"
    yield "worse", f"worse by {rule.mcid:g} or more"
    below, above = ("or more", "or less") if known.higher_is_better else ("or less", "or more")
    if rule.remission is not None:
        yield "remission", f"{rule.remission:g} {below}"
    if rule.acceptable is not None:
        yield "acceptable", f"acceptable state ({rule.acceptable:g} {below})"
    if rule.severe is not None:
        yield "severe", f"{rule.severe:g} {above}"


def _impact_strata(opened: Analysed, found: Description, code: int) -> None:
    """Describe the strata of the impact score at time zero and at each visit."""
    cuts = sorted(t.value for t in instrument(IMPACT).thresholds if t.kind == "severity_cut")
    visits = (BASELINE, *(visit.label for visit in opened.dataset.spec.visits))
    picked = opened.fetch(f"select position, visit, score from picked where code = {code}")
    for k, visit in enumerate(visits):
        here = picked["visit"] == k
        stratum = np.digitize(picked["score"][here], cuts[1:])
        for place, name in enumerate(STRATA):
            values = np.full(opened.n, np.nan)
            values[picked["position"][here].astype(np.intp)] = stratum == place
            found.add(IMPACT_DOMAIN, f"impact_{name}", f"Impact: {name}", values, visit=visit)


def _quality_years(opened: Analysed, found: Description, codes: list[str]) -> None:
    """Describe quality-adjusted years from time zero to the last planned visit, by trapezoids."""
    used = next((code for code in UTILITIES if code in codes), None)
    if used is None:
        opened.left_out.append(("Quality-adjusted years", "No EQ-5D index is in the records."))
        return
    planned = [(k, v.day) for k, v in enumerate(opened.dataset.spec.visits, 1) if not v.event]
    values = np.full((opened.n, len(planned) + 1), np.nan)
    picked = opened.fetch(
        f"select position, visit, score from picked where code = {codes.index(used)}"
    )
    for place, visit in enumerate([0, *(k for k, _ in planned)]):
        here = picked["visit"] == visit
        values[picked["position"][here].astype(np.intp), place] = picked["score"][here]
    days = np.array([0, *(day for _, day in planned)], dtype=np.float64)
    years: NDArray[Any] = np.trapezoid(values, days, axis=1) / 365.25
    label = f"Quality-adjusted years over {days[-1]:g} days, value set as recorded"
    found.add(LIFE, "qaly", label, years, statistic="mean", unit="QALY")
