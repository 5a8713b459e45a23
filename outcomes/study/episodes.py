"""Who is studied: eligibility at the start of care, and the way from records to analysis.

An episode is left out for the first rule it fails, in the fixed order of :func:`eligibility`; what
a rule needs and the records do not hold is said in a note, never guessed: an unknown age or an
unanswered red-flag question keeps the episode, an unknown region or an unknown class of chronicity
does not. A patient's second episode is another episode, unless the study takes the first eligible
one of every patient.

Time zero is the end of the exposure window. An episode that was over by then (its last day of care,
or where that is not recorded its follow-up, lies before time zero) could not have had the outcome
and is counted under the type it had so far, then left out, so that no type is given the time that
its patients had to stay. Reference: Hernan MA et al. Specifying a target trial prevents immortal
time bias and other self-inflicted injuries in observational analyses. J Clin Epidemiol
2016;79:70-75.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from outcomes.records.cells import code_text
from outcomes.records.sql import literals
from outcomes.results.tables import build_table

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from outcomes.study.sections import PopulationSpec
    from outcomes.study.steps import Steps

Has = Callable[[str, str], bool]
KEPT: Final = "kept"
LEFT_OUT: Final = "left_out"
UNKNOWN: Final = "unknown"
LATER_EPISODE: Final = "later_episode"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A reason to leave an episode out: its code, its words, and when it holds."""

    code: str
    label: str
    holds: str


def eligibility(population: PopulationSpec, has: Has) -> Iterator[Rule]:
    """Yield the rules that the study asks for and the records can answer, in their order."""
    if population.body_regions and has("episodes", "body_region"):
        yield from _regions(population.body_regions)
    if has("episodes", "age") or has("patients", "age_band"):
        yield from _ages(population)
    if population.chronicity and has("episodes", "chronicity"):
        yield Rule(
            code="chronicity",
            label=f"Not {' or '.join(population.chronicity)}",
            holds=f"coalesce(chronicity, '{UNKNOWN}') not in ({literals(population.chronicity)})",
        )
    if population.exclude_red_flags and has("episodes", "red_flags"):
        yield Rule(
            code="red_flag", label="A red flag at intake", holds="coalesce(red_flags, false)"
        )
    if population.programs and has("episodes", "program"):
        programs = literals(code_text(program) for program in population.programs)
        yield Rule(
            code="program",
            label="Another program",
            holds=f"coalesce(program, '') not in ({programs})",
        )


def _regions(regions: tuple[str, ...]) -> Iterator[Rule]:
    words = " or ".join(region.replace("_", " ") for region in regions)
    region = f"coalesce(body_region, '{UNKNOWN}')"
    if UNKNOWN not in regions:
        yield Rule(
            code="region_missing", label="Region not recorded", holds=f"{region} = '{UNKNOWN}'"
        )
    yield Rule(
        code="region",
        label=f"Not a {words} episode",
        holds=f"{region} not in ({literals(regions)})",
    )


def _ages(population: PopulationSpec) -> Iterator[Rule]:
    if population.min_age > 0:
        label = f"Under {population.min_age:g} years"
        yield Rule(code="young", label=label, holds=f"age < {population.min_age!r}")
    if population.max_age < 120:
        label = f"Over {population.max_age:g} years"
        yield Rule(code="old", label=label, holds=f"age > {population.max_age!r}")


def candidates(
    rules: tuple[Rule, ...], window_days: int, has: Has, *, first_only: bool = False
) -> str:
    """Return the statement that gives each episode the first reason to leave it out, if any.

    With ``first_only`` the last reason is that the patient has an earlier one that is left.
    ``over`` says that care ended before time zero. ``patient_day`` is 0 where the records hold no
    patient's clock and the patient has one episode only. Age bands count from their first year.
    """
    reason = " ".join(f"when {rule.holds} then '{rule.code}'" for rule in rules)
    band = "left join patients p on p.patient_id = e.patient_id"
    join, age = "", "e.age"
    if has("patients", "age_band"):
        join, age = band, "coalesce(e.age, try_cast(split_part(p.age_band, '-', 1) as double))"
    clock = "e.patient_day"
    if not has("episodes", "patient_day"):
        clock = "case when count(*) over (partition by e.patient_id) = 1 then 0 end"
    return f"""
    with known as (
      select e.episode_id, e.patient_id, e.clinic_id, e.program, e.body_region, e.chronicity,
             e.red_flags, {age} as age, e.end_day, e.followed_to_day,
             cast({clock} as bigint) as patient_day
      from episodes e {join}
    ),
    judged as (
      select known.*,
             case {reason or "when false then ''"} end as reason,
             coalesce(coalesce(end_day, followed_to_day) < {window_days}, false) as over
      from known
    )
    select * from ({LATER if first_only else "select * from judged"}) as candidates
    """


LATER: Final = f"""
select episode_id, patient_id, clinic_id, program, body_region, chronicity, red_flags, age, end_day,
       followed_to_day, patient_day,
       case when reason is null and row_number() over (
              partition by patient_id, case when reason is null then 1 else 0 end
              order by patient_day nulls last, episode_id
            ) > 1 then '{LATER_EPISODE}' else reason end as reason,
       over
from judged
"""


REASONS: Final = """
select coalesce(reason, '') as reason, count(*) as n_episodes,
       count(distinct patient_id) as n_patients
from candidates group by coalesce(reason, '')
"""
UNANSWERED: Final = """
select count(*) filter (where age is null) as age,
       count(*) filter (where red_flags is null) as red_flags
from candidates where reason is null
"""
EVERYBODY: Final = "select count(*), count(distinct patient_id) from candidates"
ELIGIBLE: Final = """
select episode_id, patient_id, program, over from candidates where reason is null
order by episode_id
"""


def find_candidates(
    steps: Steps, population: PopulationSpec, window_days: int, flow: Flow
) -> tuple[pd.DataFrame, list[str]]:
    """Keep the table ``candidates``, count what each rule leaves out, return who is eligible.

    Returns
    -------
    eligible : DataFrame
        ``episode_id, patient_id, program, over``, sorted.
    notes : list of str
    """

    def has(table: str, column: str) -> bool:
        return steps.records.has(table, column)

    rules = tuple(eligibility(population, has))
    first_only = population.episodes == "first"
    steps.keep("candidates", candidates(rules, window_days, has, first_only=first_only))
    _count_records(steps, flow)
    counted = zip(*steps.columns(REASONS).values(), strict=True)
    found = {str(reason): (int(episodes), int(patients)) for reason, episodes, patients in counted}
    for rule in rules:
        flow.add(rule.code, LEFT_OUT, rule.label, *found.get(rule.code, (0, 0)))
    if first_only:
        label = "A later episode of the same patient"
        flow.add(LATER_EPISODE, LEFT_OUT, label, *found.get(LATER_EPISODE, (0, 0)))
    flow.add("eligible", KEPT, "eligible episodes", *found.get("", (0, 0)))
    return steps.frame(ELIGIBLE), _notes(steps, population, has)


def _count_records(steps: Steps, flow: Flow) -> None:
    """The first box, and the rows of episodes that intake set aside."""
    aside = steps.records.n_quarantined.get("episodes", 0)
    n_episodes, n_patients = steps.row(EVERYBODY)
    label = "episodes of care in the records"
    if not aside:
        flow.add("records", KEPT, label, n_episodes, n_patients)
        return
    flow.add("records", KEPT, f"{label}, rows set aside included", n_episodes + aside, None)
    flow.add("set_aside", LEFT_OUT, "Rows set aside at intake, faulty or repeated", aside, None)


def _notes(steps: Steps, population: PopulationSpec, has: Has) -> list[str]:
    """What could not be asked of these records."""
    notes = []
    asked = (
        (bool(population.body_regions), "body_region", "region"),
        (bool(population.chronicity), "chronicity", "chronicity"),
        (population.exclude_red_flags, "red_flags", "red flags"),
        (bool(population.programs), "program", "program"),
    )
    for wanted, column, words in asked:
        if wanted and not has("episodes", column):
            notes.append(
                f"The records hold no 'episodes.{column}': every episode was taken, whatever its"
                f" {words}."
            )
    if population.episodes == "first" and not has("episodes", "patient_day"):
        notes.append(
            "The records hold no 'episodes.patient_day', so which episode of a patient came first"
            " is not known: the one whose id comes first was taken."
        )
    age, red_flags = steps.row(UNANSWERED)
    if age and (population.min_age > 0 or population.max_age < 120):
        notes.append(f"The age of {age:,} eligible episodes is not recorded; they were kept.")
    if red_flags and population.exclude_red_flags and has("episodes", "red_flags"):
        notes.append(
            f"Red flags at intake are not recorded for {red_flags:,} eligible episodes; they were"
            " kept."
        )
    return notes


# ------------------------------------------------------------------------------------------- flow
@dataclass(frozen=True, kw_only=True)
class Flow:
    """The boxes and reasons of the flow, in the order in which they are added."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, step: str, kind: str, label: str, n_episodes: int, n_patients: int | None
    ) -> None:
        """Add a box or a reason; patients are None where they are not known."""
        self.rows.append(
            {
                "order": len(self.rows),
                "step": step,
                "kind": kind,
                "label": label,
                "n_episodes": n_episodes,
                "n_patients": n_patients,
            }
        )

    def count(
        self, step: str, kind: str, label: str, patients: pd.Series, rows: NDArray[np.bool_]
    ) -> None:
        """Add the episodes of ``rows``; ``patients`` says whose each is."""
        there = patients.to_numpy()[rows]
        self.add(step, kind, label, len(there), len(np.unique(there)))

    def table(self) -> pd.DataFrame:
        """Return the flow as its contract has it."""
        return build_table("flow", self.rows)
