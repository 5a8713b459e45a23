"""What a study asks of its records and does not find there, before anything is fitted.

Instruments without a score, visits without one in their window, scores that lie in no visit's
window, programs that nobody is in, covariates that no column holds: each is a warning, because a
study can go on without it. What stops a study, such as a primary comparison with too few episodes,
is found by building its dataset, and is fatal.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from outcomes.catalog.instruments import instrument_ids
from outcomes.core.errors import EstimationError, RecordsError, SpecError
from outcomes.core.problems import Problem, Severity
from outcomes.records.cells import code_text
from outcomes.records.contents import MEASURED
from outcomes.study.covariates import covariate_columns
from outcomes.study.outcome_sections import DEFAULT_COVARIATES
from outcomes.study.unplaced import find_unplaced
from outcomes.study.visits import catalog_id

if TYPE_CHECKING:
    from outcomes.records.files import Records
    from outcomes.study.dataset import StudyDataset
    from outcomes.study.spec import StudySpec

Days = dict[str, Counter[int]]
"""Scores of each instrument of the catalog by the day from the start."""
SMALL: Final = "small_"
"""What the step of a type that is too small begins with in the flow."""


def check_asked(records: Records, spec: StudySpec) -> list[Problem]:
    """Return what the study asks of its records and does not find there."""
    days = _days(records)
    nobody = list(_regions(records, spec))
    return [
        *_instruments(spec, days),
        *_prescriptions(records, spec),
        *_visits(spec, days),
        *_unplaced(spec, days),
        *_programs(records, spec),
        *_covariates(records, spec),
        *(nobody or _dataset(records, spec)),
    ]


def _problem(place: str, message: str, remedy: str, severity: Severity = "warning") -> Problem:
    return Problem(
        severity=severity,
        table=f"study.toml {place}",
        rule="unmet",
        message=message,
        remedy=remedy,
        source="study.toml",
    )


def _days(records: Records) -> Days:
    """Count the scores of each instrument of the catalog by day, once an episode and day."""
    measured = " UNION ".join(
        f"SELECT episode_id, instrument, day FROM {table} "
        f"WHERE {value} IS NOT NULL AND instrument IS NOT NULL AND day IS NOT NULL"
        for table, value in MEASURED.items()
        if records.has(table, value)
    )
    days: Days = {}
    rows = records.connection.execute(
        f"SELECT instrument, day, count(*) FROM ({measured}) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    for name, day, n in rows:
        days.setdefault(catalog_id(name), Counter())[day] += n
    return days


def _of(days: Days, name: str) -> Counter[int]:
    """Days of an instrument; of one scale also those of the items it is scored from."""
    code = catalog_id(name)
    return days.get(code) or days.get(code.split(".")[0], Counter())


def _instruments(spec: StudySpec, days: Days) -> Iterator[Problem]:
    held = [name for name in sorted(days) if name in instrument_ids()]
    there = f"The records hold {', '.join(held)}" if held else "The records hold none"
    asked = [(f"[[outcomes]] ({one.id})", one.instrument) for one in spec.outcomes]
    asked += [("[[described]]", one.instrument) for one in spec.described]
    for place, name in asked:
        if name and not _of(days, name):
            yield _problem(
                f"{place} instrument",
                f"no score and no answer of {name!r} is in the records",
                f"{there}. Map its column in mapping.toml, or take it out.",
            )


def _prescriptions(records: Records, spec: StudySpec) -> Iterator[Problem]:
    for outcome in spec.outcomes:
        if outcome.measure == "daily_mme" and not records.has("medications"):
            yield _problem(
                f"[[outcomes]] ({outcome.id}) measure",
                "doses follow from prescriptions, and the records hold no table medications",
                "Map them in mapping.toml, or take the outcome out.",
            )


def _visits(spec: StudySpec, days: Days) -> Iterator[Problem]:
    """Planned visits with no score of any outcome in their window."""
    zero = spec.time.window_days
    names = [outcome.instrument for outcome in spec.outcomes if outcome.instrument]
    held = [day for name in names for day in _of(days, name)]
    for visit in spec.analysed_visits if held else ():
        if visit.from_day is None or visit.to_day is None:
            continue
        first, last = visit.from_day + zero, visit.to_day + zero
        if not any(first <= day <= last for day in held):
            yield _problem(
                f"[[visits]] ({visit.label})",
                f"no score of an outcome lies in its window, days {first} to {last} from the start"
                " of the episode",
                "Take the visit out or move its window. Does 'day' of the records count from the"
                " start of the episode?",
            )


def _unplaced(spec: StudySpec, days: Days) -> Iterator[Problem]:
    """Outcomes of which many scores lie in the window of no visit."""
    for outcome in spec.outcomes:
        scores = _of(days, outcome.instrument) if outcome.instrument else Counter[int]()
        found = find_unplaced(scores, spec, spec.time.window_days)
        if found:
            yield _problem(
                f"[[visits]] ({outcome.id})",
                str(found),
                "Move the windows of [[visits]], which count from time zero, day"
                f" {spec.time.window_days} from the start, or leave it so knowingly.",
            )


def _programs(records: Records, spec: StudySpec) -> Iterator[Problem]:
    asked = {"[population] programs": list(spec.population.programs)}
    if spec.exposure.source == "program":
        asked["[exposure] programs"] = list(spec.exposure.programs)
    held: list[str] = []
    if records.has("episodes", "program"):
        rows = records.connection.execute(
            "SELECT DISTINCT program FROM episodes WHERE program IS NOT NULL ORDER BY 1"
        ).fetchall()
        held = [code for (code,) in rows]
    for place, codes in asked.items():
        for code in codes:
            if code_text(code) not in held:
                near = difflib.get_close_matches(code_text(code), held, n=1, cutoff=0.6)
                hint = f"Is it {near[0]!r}?" if near else "Look at how the records spell it."
                yield _problem(place, f"{code!r} is the program of no episode", hint)


def _covariates(records: Records, spec: StudySpec) -> Iterator[Problem]:
    supplied = {
        column.name for table, column in covariate_columns() if records.has(table, column.name)
    }
    absent = [name for name in spec.model.covariates if name not in supplied]
    if absent:
        # The default list holds whatever a clinic may record: nobody asked for each of them.
        default = spec.model.covariates == DEFAULT_COVARIATES
        yield _problem(
            "[model] covariates",
            f"the records hold no column {', '.join(map(repr, absent))}: not adjusted for",
            "Map them to episodes or patients, or take them out of the list.",
            "note" if default else "warning",
        )


def _regions(records: Records, spec: StudySpec) -> Iterator[Problem]:
    """Say that no episode is of the regions asked for, which is why nothing else can be."""
    asked = spec.population.body_regions
    if not asked or not records.has("episodes", "body_region"):
        return
    rows = records.connection.execute("SELECT DISTINCT body_region FROM episodes").fetchall()
    held = sorted({str(region) for (region,) in rows if region is not None})
    if set(held) & set(asked):
        return
    there = ", ".join(map(repr, held)) if held else "no region at all"
    yield _stopping(
        "[population] body_regions",
        f"no episode is of {' or '.join(map(repr, asked))}; the records hold {there}."
        " Recode the regions in mapping.toml, or name those that are to be studied",
    )


def _dataset(records: Records, spec: StudySpec) -> Iterator[Problem]:
    """Build the dataset: what stops it, and the types that are too small."""
    from outcomes.study.dataset import build_dataset

    try:
        dataset = build_dataset(records, spec, described=False)
    except RecordsError as error:
        yield from error.problems
    except EstimationError as error:
        yield _stopping("[primary]", str(error))
    except SpecError as error:
        place, _, text = str(error).removeprefix("study.toml ").partition(": ")
        yield _stopping(place, text)
    else:
        steps = dataset.flow.loc[dataset.flow["n_episodes"] > 0, "step"].astype(str)
        small = [step.removeprefix(SMALL) for step in steps if step.startswith(SMALL)]
        if small:
            own = bool(spec.exposure.types or spec.exposure.programs)
            yield _problem(
                "[exposure] min_group",
                f"fewer than {spec.exposure.min_group} episodes are of the type"
                f" {' or '.join(map(repr, small))}: left out",
                "Put types together in [[exposure.types]], or lower min_group knowingly.",
                "warning" if own else "note",
            )
        yield from _hidden_types(dataset)


def _hidden_types(dataset: StudyDataset) -> Iterator[Problem]:
    """Types that are compared, and of which the gate then shows nothing."""
    least = dataset.spec.gate.group_size
    sizes = dataset.episodes["exposure"].value_counts()
    hidden = [exposure for exposure in dataset.exposures if sizes[exposure] < least]
    if hidden:
        yield _problem(
            "[gate] group_size",
            f"fewer than {least} episodes are of the type {' or '.join(map(repr, hidden))}: no"
            " comparison with it will be shown",
            "Put types together in [[exposure.types]], or lower group_size knowingly.",
        )


def _stopping(place: str, text: str) -> Problem:
    """What stops a run; the last sentence of its message is what to do."""
    message, _, remedy = text.rpartition(". ")
    return _problem(place, message, remedy, "fatal")
