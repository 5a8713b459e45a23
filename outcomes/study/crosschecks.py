"""What has to agree between the tables of ``study.toml`` and with the catalog.

Each check looks at sections that are valid on their own and yields ``place: what. what to do``; so
one reading of the file reports everything, whichever section a fault is in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from outcomes.study.faults import suggestion
from outcomes.study.outcome_sections import DescribedSpec, ModelSpec, OutcomeSpec, PrimarySpec
from outcomes.study.sections import ExposureSpec, PopulationSpec, RecordsSpec, TimeSpec, VisitSpec

Faults = Iterator[str]
Visits = tuple[VisitSpec, ...]
Outcomes = tuple[OutcomeSpec, ...]


def exposure_ids(exposure: ExposureSpec) -> tuple[str, ...]:
    """Return the ids a single type can have: the study's own, else the catalog's."""
    if exposure.types:
        return tuple(kind.id for kind in exposure.types)
    if exposure.source == "program":
        return tuple(dict.fromkeys(exposure.programs.values()))
    from outcomes.catalog.interventions import exposure_types

    return tuple(exposure_types())


def _time(design: str, time: TimeSpec) -> Faults:
    if design == "randomised" and time.window_days:
        yield (
            f"[time] window_days: is {time.window_days}, but arms were assigned on day 0 in a"
            " randomised design. Set it to 0, or leave it out"
        )
    if design == "observational" and not time.window_days:
        yield (
            "[time] window_days: is 0. Exposure is classified from the first days, so an"
            " observational study needs a window; 14 is the default"
        )
    if time.baseline_from_day > time.window_days:
        yield (
            f"[time] baseline_from_day: is {time.baseline_from_day}, after time zero (day"
            f" {time.window_days}). A baseline is measured before it"
        )
    if time.window_days in time.sensitivity_windows:
        yield (
            f"[time] sensitivity_windows: holds {time.window_days}, the window of the main"
            " analysis. Leave it out"
        )


def _visits(visits: Visits) -> Faults:
    if not any(visit.analysed for visit in visits):
        yield "[[visits]]: none is analysed. Give at least one visit with a day"
    yield from _repeated("[[visits]]", "label", [visit.label for visit in visits])
    planned = sorted((v for v in visits if not v.event), key=lambda v: (v.from_day, v.to_day))
    for first, second in pairwise(planned):
        if (first.to_day or 0) >= (second.from_day or 0):
            yield (
                f"[[visits]] {second.label} from_day: its window starts on day {second.from_day},"
                f" before that of {first.label} ends (day {first.to_day}). One value would count"
                " at two visits; move one of the limits"
            )


def _repeated(where: str, key: str, names: list[str]) -> Faults:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{where} {key}: {name!r} is used {names.count(name)} times. Use each code once"


def _outcomes(outcomes: Outcomes, described: tuple[DescribedSpec, ...]) -> Faults:
    if not outcomes:
        yield "[[outcomes]]: is empty. Leave it out for the default outcomes, or name one"
    yield from _repeated("[[outcomes]]", "id", [outcome.id for outcome in outcomes])
    for number, outcome in enumerate(outcomes, start=1):
        where = f"[[outcomes]] {number} ({outcome.id})"
        if outcome.id in RESERVED:
            yield f"{where} id: {outcome.id!r} is a column of its own. Use another code"
        if outcome.instrument:
            yield from _instrument(where, outcome)
    for number, described_one in enumerate(described, start=1):
        where = f"[[described]] {number} ({described_one.instrument})"
        yield from _known_instrument(where, described_one.instrument)


RESERVED: Final = ("episode_id", "patient_id", "visit", "any_opioid", "exposure", "study_day")


def _known_instrument(where: str, name: str) -> Faults:
    from outcomes.catalog.instruments import instrument, instrument_aliases, instrument_ids
    from outcomes.core.errors import UsageError

    try:
        instrument(name)
    except UsageError:
        known = [*instrument_ids(), *instrument_aliases()]
        yield f"{where} instrument: {name!r} is not in the catalog. {suggestion(name, known)}"


def _instrument(where: str, outcome: OutcomeSpec) -> Faults:
    faults = list(_known_instrument(where, outcome.instrument))
    yield from faults
    if faults:
        return
    from outcomes.catalog.instruments import instrument

    known = instrument(outcome.instrument)
    if known.score_min is None or known.score_max is None:
        return
    span = known.score_max - known.score_min
    sizes = [("margin", outcome.margin)]
    sizes += [("responders threshold", r.threshold) for r in outcome.responders if r.threshold]
    for key, size in sizes:
        if size >= span:
            yield (
                f"{where} {key}: is {size:g}, but {known.id} runs from {known.score_min:g} to"
                f" {known.score_max:g}. No change can be that large"
            )


def _factors(outcomes: Outcomes) -> Faults:
    if any(outcome.measure == "daily_mme" for outcome in outcomes):
        from outcomes.catalog.medications import factor_versions

        for number, outcome in enumerate(outcomes, start=1):
            if outcome.measure == "daily_mme" and outcome.factors not in factor_versions():
                hint = suggestion(outcome.factors, factor_versions())
                yield (
                    f"[[outcomes]] {number} ({outcome.id}) factors: {outcome.factors!r} is not a"
                    f" version of the opioid factors. {hint}"
                )


def _planned(outcomes: Outcomes, visits: Visits) -> Faults:
    labels = [visit.label for visit in visits]
    for number, outcome in enumerate(outcomes, start=1):
        for label in outcome.visits:
            if label not in labels:
                yield (
                    f"[[outcomes]] {number} ({outcome.id}) visits: {label!r} is not a visit."
                    f" {suggestion(label, labels)}"
                )


def _exposure(exposure: ExposureSpec) -> Faults:
    known = exposure_ids(exposure)
    yield from _repeated("[[exposure.types]]", "id", [kind.id for kind in exposure.types])
    if exposure.source == "program" and not exposure.programs:
        yield (
            "[exposure.programs]: is missing. With source = 'program' it says which program code"
            " is which type"
        )
    if exposure.source == "components" and exposure.programs:
        yield "[exposure.programs]: applies to source = 'program' only. Leave it out"
    for program, kind in exposure.programs.items():
        if exposure.source == "program" and kind not in known:
            hint = suggestion(kind, known)
            yield f"[exposure.programs] {program}: {kind!r} is not a type. {hint}"
    for key, value in (("reference", exposure.reference), ("primary", exposure.primary)):
        yield from _known_exposure(f"[exposure] {key}", value, known)
    if exposure.reference == exposure.primary:
        yield f"[exposure] primary: is the reference, {exposure.reference!r}. Choose another type"


def _known_exposure(where: str, value: str, known: tuple[str, ...]) -> Faults:
    for part in value.split("+"):
        if part not in known:
            yield f"{where}: {part!r} is not a type. {suggestion(part, known)}"


def _types(exposure: ExposureSpec) -> Faults:
    """The interventions of the study's own types are ids of the catalog, each in one type."""
    from outcomes.catalog.interventions import intervention_aliases, intervention_ids

    known = [*intervention_ids(), *intervention_aliases(), "form"]
    seen: dict[str, str] = {}
    for kind in exposure.types:
        for name in kind.interventions:
            where = f"[[exposure.types]] {kind.id} interventions"
            if name not in known:
                yield f"{where}: {name!r} is not in the catalog. {suggestion(name, known)}"
            if name in seen:
                yield f"{where}: {name!r} belongs to {seen[name]!r} already. Name it once"
            seen.setdefault(name, kind.id)
        if exposure.source == "components" and kind.is_therapy and not kind.interventions:
            yield f"[[exposure.types]] {kind.id} interventions: is empty. Name what belongs to it"


def _primary(primary: PrimarySpec, exposure: ExposureSpec) -> Faults:
    for key in ("primary", "reference"):
        mine = primary.exposure if key == "primary" else primary.reference
        if mine and mine != getattr(exposure, key):
            yield (
                f"[primary] {'exposure' if key == 'primary' else key}: is {mine!r}, but [exposure]"
                f" {key} is {getattr(exposure, key)!r}. Say it once"
            )


def _primary_outcome(primary: PrimarySpec, outcomes: Outcomes) -> Faults:
    ids = [outcome.id for outcome in outcomes]
    if primary.outcome not in ids:
        hint = suggestion(primary.outcome, ids)
        yield f"[primary] outcome: {primary.outcome!r} is not an outcome. {hint}"
    for outcome in outcomes:
        if outcome.id == primary.outcome and outcome.visits and primary.visit not in outcome.visits:
            yield (
                f"[primary] visit: {outcome.id!r} is not planned at {primary.visit!r}."
                " Choose another"
            )


def _primary_visit(primary: PrimarySpec, visits: Visits) -> Faults:
    labels = [visit.label for visit in visits if visit.analysed]
    if primary.visit not in labels:
        hint = suggestion(primary.visit, labels)
        yield f"[primary] visit: {primary.visit!r} is not an analysed visit. {hint}"


def _covariates(model: ModelSpec) -> Faults:
    from outcomes.study.covariates import covariate_names

    known = covariate_names()
    for name in model.covariates:
        if name == "baseline":
            yield (
                "[model] covariates: 'baseline' is always in the model. Leave it out of the list"
            )
        elif name not in known:
            hint = suggestion(name, known)
            yield f"[model] covariates: {name!r} is not a column of episodes or patients. {hint}"
    yield from _repeated("[model]", "covariates", list(model.covariates))


def _regions(population: PopulationSpec) -> Faults:
    from outcomes.records.schema import EPISODES

    known = EPISODES["body_region"].values
    for region in population.body_regions:
        if region not in known:
            hint = suggestion(region, known)
            yield f"[population] body_regions: {region!r} is not a region. {hint}"


def _records(records: RecordsSpec) -> Faults:
    if not records.path and not records.path_env:
        yield (
            "[records] path: is missing. Give the folder of the records relative to study.toml,"
            " or use --records PATH"
        )


CHECKS: Final[tuple[tuple[tuple[str, ...], Callable[..., Faults]], ...]] = (
    (("records",), _records),
    (("population",), _regions),
    (("design", "time"), _time),
    (("visits",), _visits),
    (("exposure",), _exposure),
    (("exposure",), _types),
    (("outcomes", "described"), _outcomes),
    (("outcomes",), _factors),
    (("outcomes", "visits"), _planned),
    (("primary", "exposure"), _primary),
    (("primary", "outcomes"), _primary_outcome),
    (("primary", "visits"), _primary_visit),
    (("model",), _covariates),
)
"""Which sections each check needs, in the order of the file."""


def cross_faults(parts: Mapping[str, Any]) -> list[str]:
    """Return what does not agree, in the order of the file.

    Parameters
    ----------
    parts : mapping
        Valid sections by name; a check whose sections are not all there is passed over.
    """
    found: list[str] = []
    for needs, check in CHECKS:
        if all(name in parts for name in needs):
            texts = check(*(parts[name] for name in needs))
            found.extend(text if text.endswith(("?", ".")) else f"{text}." for text in texts)
    return found
