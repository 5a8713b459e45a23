"""The study in words and plain values, made from its specification: what a report may say about it.

Nothing here comes from the records except the list of intervention types that were found and the
notes of the dataset. The method sentences follow the specification's fields one by one, so that a
report cannot describe an analysis that was not run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from outcomes.catalog.instruments import instrument
from outcomes.study.groups import COLUMN_LABELS

if TYPE_CHECKING:
    import pandas as pd

    from outcomes.catalog.instruments import Threshold
    from outcomes.study.outcome_sections import OutcomeSpec
    from outcomes.study.sections import VisitSpec
    from outcomes.study.spec import StudySpec

_BETTER: Final = {
    ("pain", False): ("less pain", "more pain"),
    ("pain", True): ("less pain", "more pain"),
    ("mobility", False): ("less disability", "more disability"),
    ("mobility", True): ("better mobility", "worse mobility"),
    ("medication", False): ("a lower opioid dose", "a higher opioid dose"),
    ("other", False): ("lower scores", "higher scores"),
    ("other", True): ("higher scores", "lower scores"),
}
_MEASURE: Final = {
    "auto": "minutes, or billed units or visits in clinics that record no minutes",
    "minutes": "minutes",
    "units": "billed units",
    "visits": "visits",
}
_INFERENCE: Final = {
    "kenward-roger": "Kenward-Roger standard errors and degrees of freedom in their linear form",
    "satterthwaite": "Satterthwaite degrees of freedom",
    "between-within": "between-within degrees of freedom",
    "residual": "residual degrees of freedom",
}
_SELF_REPORTED: Final = frozenset(
    {"function", "global_change", "pain", "participation", "psychological", "quality_of_life"}
)
"""Groups of instruments that people answer about themselves; others are observed or measured."""
_CHANGES: Final = {
    "mcid": "smallest change that one person notices (MCID)",
    "mdc": "smallest change beyond the error of measurement (MDC)",
    "scb": "large change for one person (SCB)",
}
_BLINDING: Final = "whether people knew their group is not recorded in the study file"


class Studied(Protocol):
    """What a description needs of a dataset; pooled moments have it too."""

    @property
    def spec(self) -> StudySpec: ...
    @property
    def exposures(self) -> tuple[str, ...]: ...
    @property
    def labels(self) -> dict[str, str]: ...
    @property
    def window_days(self) -> int: ...
    @property
    def notes(self) -> tuple[str, ...]: ...


def describe_study(dataset: Studied) -> dict[str, Any]:
    """Everything a report says about the study apart from its numbers.

    Returns
    -------
    dict
        JSON values: titles, exposures, visits, outcomes, methods, paragraphs, facts, notes.
    """
    spec = dataset.spec
    episodes = getattr(dataset, "episodes", None)  # pooled moments have no rows
    covariates = None if episodes is None else describe_covariates(spec, episodes)
    return {
        "schema": 1,
        "id": spec.id,
        "title": spec.title,
        "question": spec.question,
        "design": spec.design,
        "profile": spec.disclosure.profile,
        "threshold": spec.disclosure.threshold,
        "profile_reason": spec.disclosure.reason,
        "exposures": [_exposure(dataset, exposure) for exposure in dataset.exposures],
        "reference": spec.exposure.reference,
        "primary": {
            "outcome": spec.primary.outcome,
            "exposure": spec.primary.exposure,
            "reference": spec.primary.reference,
            "visit": spec.primary.visit,
        },
        "visits": [_visit(visit) for visit in spec.analysed_visits],
        "outcomes": [describe_outcome(outcome) for outcome in spec.outcomes],
        "conf_level": spec.model.conf_level,
        "window_days": dataset.window_days,
        "exposure_source": spec.exposure.source,
        "covariates": covariates,
        "methods": _methods(spec, covariates, episodes),
        "paragraphs": _paragraphs(spec),
        "facts": _facts(spec),
        "notes": list(dataset.notes),
    }


def describe_outcome(outcome: OutcomeSpec) -> dict[str, Any]:
    """One outcome: its instrument, range, direction, margin and thresholds."""
    score = outcome.measure == "score"
    known = instrument(outcome.instrument) if score else None
    higher = known.higher_is_better if known else False
    better, worse = _BETTER.get((outcome.role, higher), _BETTER["other", higher])
    return {
        "id": outcome.id,
        "role": outcome.role,
        "name": outcome.name,
        "instrument": known.label if known else "Daily MME",
        "instrument_name": known.name if known else "Oral morphine milligram equivalents per day",
        "unit": _unit(known.unit) if known else "mg a day (MME)",
        "low": known.score_min if known else 0.0,
        "high": known.score_max if known else None,
        "higher_is_better": higher,
        "better": better,
        "worse": worse,
        "margin": outcome.margin,
        "margin_source": outcome.margin_source,
        "self_reported": known is not None and known.group in _SELF_REPORTED,
        "thresholds": [
            {
                "value": row.threshold,
                "percent": row.percent,
                "name": row.name,
                "source": row.source,
            }
            for row in outcome.responders
        ],
    }


def _unit(unit: str) -> str:
    return "points" if unit in {"", "point", "points", "score"} else unit


def _exposure(dataset: Studied, exposure: str) -> dict[str, Any]:
    return {
        "id": exposure,
        "name": dataset.labels[exposure],
        "parts": exposure.split("+"),
        "reference": exposure == dataset.spec.exposure.reference,
    }


def _visit(visit: VisitSpec) -> dict[str, Any]:
    return {
        "label": visit.label,
        "name": visit.name,
        "day": visit.day,
        "from_day": visit.from_day,
        "to_day": visit.to_day,
        "event": visit.event,
    }


def describe_covariates(spec: StudySpec, episodes: pd.DataFrame) -> dict[str, list[dict[str, str]]]:
    """Part the covariates that the study asks for by what the records make of them.

    Returns
    -------
    dict
        ``used`` in every fit, ``absent`` where no episode has a value, ``same`` where all have one
        and the same; each a list of ``id`` and ``name``.
    """
    parted: dict[str, list[dict[str, str]]] = {"used": [], "absent": [], "same": []}
    for name in spec.model.covariates:
        column = episodes.get(name)
        if column is None or not column.notna().any():
            place = "absent"
        else:
            place = "used" if column.nunique(dropna=False) > 1 else "same"
        plain = name.removesuffix("_id").replace("_", " ")
        parted[place].append({"id": name, "name": COLUMN_LABELS.get(name, plain).lower()})
    return parted


Covariates = dict[str, list[dict[str, str]]]


def _methods(
    spec: StudySpec, covariates: Covariates | None, episodes: pd.DataFrame | None
) -> list[dict[str, str]]:
    """The target trial and what the records allow, part by part."""
    known = episodes is None or (
        "red_flags" in episodes and bool(episodes["red_flags"].notna().any())
    )
    rows = (
        (
            "Eligibility",
            "Adults with the complaint and no red flag",
            _eligibility(spec, screened=known),
        ),
        ("Strategies", "Start one intervention type", _strategies(spec)),
        ("Assignment", "Random", _assignment(spec, covariates)),
        ("Time zero", "Day of randomisation", _time_zero(spec)),
        ("Follow-up", "Every visit measured", _follow_up(spec)),
        ("Outcomes", "The same", "; ".join(_outcome_words(row) for row in spec.outcomes)),
        (
            "Contrast",
            "Intention to treat",
            "Treatment policy: changes of treatment after time zero are part of each strategy",
        ),
        ("Analysis", "Mixed model for repeated measures", _analysis(spec)),
    )
    return [{"part": part, "target": target, "emulation": words} for part, target, words in rows]


def _eligibility(spec: StudySpec, *, screened: bool) -> str:
    population = spec.population
    regions = ", ".join(region.replace("_", " ") for region in population.body_regions)
    parts = [f"Region: {regions or 'every region'}", f"age {population.min_age:g} or more"]
    if population.max_age < 120:
        parts.append(f"age {population.max_age:g} at most")
    if population.chronicity:
        parts.append(f"{' or '.join(population.chronicity)} complaints")
    if population.exclude_red_flags:
        none = "red flags not recorded, so that nobody was left out for one"
        parts.append("no red flag recorded at intake" if screened else none)
    parts.append(
        "the first such episode of every patient"
        if population.episodes == "first"
        else "every such episode: the mixed model takes those of one patient as independent, and"
        " errors of shares are clustered by patient"
    )
    return "; ".join(parts)


def _strategies(spec: StudySpec) -> str:
    exposure = spec.exposure
    if exposure.source == "program":
        return f"The program each person was {_placed(spec)}"
    return (
        f"Type by what filled more than {exposure.share:.0%} of the {_MEASURE[exposure.measure]}"
        f" in the first {spec.time.window_days} days; else the two largest, named together"
    )


def _placed(spec: StudySpec) -> str:
    return "assigned to" if spec.design == "randomised" else "in, as recorded"


def _assignment(spec: StudySpec, covariates: Covariates | None) -> str:
    if spec.design == "randomised":
        return f"As randomised; {_BLINDING}. {_given(spec, covariates, 'Adjusted for')}"
    return _given(spec, covariates, "As if random given")


def _given(spec: StudySpec, covariates: Covariates | None, verb: str) -> str:
    """Say what the fits hold beside the baseline score, and apart what they could not hold."""
    first = f"{verb} the baseline score"
    if covariates is None:  # only the sites know which columns they have
        asked = ", ".join(n.removesuffix("_id").replace("_", " ") for n in spec.model.covariates)
        return f"{first} and, where recorded: {asked}" if asked else first
    used, absent, same = (
        ", ".join(row["name"] for row in covariates[part]) for part in ("used", "absent", "same")
    )
    said = [f"{first}{' and: ' if used else ''}{used}"]
    if absent:
        said.append(f"Asked for but not recorded: {absent}")
    if same:
        said.append(f"Asked for but the same for everyone: {same}")
    return ". ".join(said)


def _time_zero(spec: StudySpec) -> str:
    if spec.time.window_days == 0:
        return "Day of assignment"
    return (
        f"Day {spec.time.window_days}, the end of the exposure window. Episodes over by then are"
        " counted and left out, so that no group is given survival time"
    )


def _follow_up(spec: StudySpec) -> str:
    named = ", ".join(visit.name for visit in spec.analysed_visits)
    return f"{named}. The value nearest the target day counts; ties go to the {spec.time.tie} one"


def _outcome_words(outcome: OutcomeSpec) -> str:
    if outcome.measure == "daily_mme":
        return (
            f"{outcome.name}: mean daily opioid dose over {outcome.window_days} days, from"
            f" prescriptions, factors {outcome.factors}; opioid agonist treatment has no MME, and a"
            " dose is missing where a record of an opioid gives none"
        )
    return f"{outcome.name}: {instrument(outcome.instrument).name}"


def _analysis(spec: StudySpec) -> str:
    return f"The same, {_INFERENCE[spec.model.inference]}"


def _covariance(spec: StudySpec) -> str:
    name = spec.model.covariance
    return "unstructured" if name == "us" else f"'{name}'"


def _paragraphs(spec: StudySpec) -> dict[str, str]:
    randomised = spec.design == "randomised"
    estimand = (
        "Average difference in the outcome at each visit in everyone analysed, had all started the"
        " one type, and had all started the other. Later changes of treatment are part of each"
        " strategy. Improvement is signed so that positive is better."
    )
    model = (
        "Mixed model for repeated measures: type by visit, baseline by visit and covariates by"
        f" visit, clinics as fixed effects where listed, {_covariance(spec)} covariance,"
        f" REML, {_INFERENCE[spec.model.inference]}. Shares: unseen visits are drawn from the"
        f" fitted model {spec.model.draws} times, then standardised by logistic regression."
        " Medicines in use: people who were seen are weighted to stand for those like them who were"
        " not."
        f" Intervals are {100 * spec.model.conf_level:g}\u00a0%, not adjusted for the number of"
        " comparisons."
    )
    missing = (
        "Every number assumes that whether a value was seen depends on what was seen before, not on"
        " the value itself. Shares are also given for observed values only, and with missing"
        " counted as failure. Who improved is asked of people with a score at the start alone."
    )
    unmeasured = (
        "Assignment was random, so groups differ by chance alone at the start; they may still"
        " differ in who stayed. What people report of themselves can be moved by what they expect"
        f" where they know their group; {_BLINDING}."
        if randomised
        else "No unmeasured reason for the choice of type also bears on the outcome. Motivation,"
        " for example, would break this. People may also stop answering once they are well, or when"
        " they are not."
    )
    mcid = (
        "It is a mark for one person's change and is used for shares of people. It is never the"
        " test of a difference between groups, which has shed the natural course that is inside"
        " every single person's change."
    )
    return {
        "estimand": estimand,
        "model": model,
        "missing": missing,
        "assumptions": unmeasured,
        "mcid": mcid,
    }


def _facts(spec: StudySpec) -> list[dict[str, str]]:
    """Facts of the catalog that this report rests on, with what is known of their review."""
    facts = []
    for outcome in spec.outcomes:
        if outcome.margin is not None:
            facts.append(_margin_fact(outcome))
        if outcome.measure == "daily_mme":
            facts.append(_factor_fact(outcome.factors))
            continue
        known = instrument(outcome.instrument)
        reviewed = "reviewed" if known.review.done else "not reviewed by a clinician"
        facts.append(
            {
                "fact": f"Scoring of {known.label} ({known.scoring_rule})",
                "source": known.source,
                "confidence": known.confidence,
                "review": reviewed,
            }
        )
        facts += [
            {
                "fact": f"{known.label}: {_change(row)}",
                "source": row.source,
                "confidence": row.confidence,
                "review": "reviewed" if row.review.done else "not reviewed by a clinician",
            }
            for row in known.thresholds
            if row.is_change and row.source in {rule.source for rule in outcome.responders}
        ]
    return facts


def _change(row: Threshold) -> str:
    size = f"{row.value:g} {row.unit.replace('percent', '%')}"
    return f"{_CHANGES[row.kind]}, {size}; {row.population}"


def _margin_fact(outcome: OutcomeSpec) -> dict[str, str]:
    unit = describe_outcome(outcome)["unit"]
    return {
        "fact": f"{outcome.name}: less than {outcome.margin:g} {unit} apart is too small to matter",
        "source": outcome.margin_source or "the study",
        "confidence": "declared",
        "review": "not reviewed by a clinician",
    }


def _factor_fact(factors: str) -> dict[str, str]:
    return {
        "fact": f"Opioid conversion factors, version {factors}",
        "source": factors,
        "confidence": "verified" if factors == "cdc-2022" else "memory",
        "review": "not reviewed by a clinician",
    }
