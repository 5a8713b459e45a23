"""The analysis of a study, outcome by outcome: from rows, or from moments alone.

For each outcome: moments by an engine, the mixed model, the gate, means and comparisons; then the
same comparisons in other ways, shares of people, and medicines. The declared primary comparison
must be estimable, else the analysis fails. Anything else that cannot be estimated becomes rows of
the gate with the reason, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from outcomes.core.errors import EstimationError, NotEstimable
from outcomes.core.progress import SILENT
from outcomes.models.change import OutcomeFit, fit_outcome, going_with_types, outcome_terms
from outcomes.models.description import Description, describe_rows, read_description
from outcomes.models.effects import mean_rows, pair_rows, unestimated, welch_effects
from outcomes.models.gate import (
    Gate,
    check_gate,
    count_gate,
    failed_gate,
    left_out_gate,
    visits_left_out,
)
from outcomes.models.layout import StudyRows, code_study, lay_out
from outcomes.models.medication import SeenWeights, change_rows, medication_people, use_rows
from outcomes.models.responder import responder_rows
from outcomes.models.sensitivity import (
    Asked,
    other_dataset_rows,
    sensitivity_rows,
    unseen_shift,
)
from outcomes.models.site import pool_moments, study_moments, sum_outcome
from outcomes.results.tables import build_table
from outcomes.results.wording import number

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from outcomes.core.progress import Progress
    from outcomes.models.effects import Row
    from outcomes.models.layout import OutcomeRows
    from outcomes.stats.moments import Moments
    from outcomes.study.dataset import StudyDataset
    from outcomes.study.outcome_sections import OutcomeSpec

__all__ = [
    "Analyses",
    "Analyst",
    "Collected",
    "analyse",
    "analyse_moments",
    "join",
    "pool_moments",
    "study_moments",
]

Engine = Literal["duckdb", "frame"]
NAMES: Final = (
    "ls_means",
    "contrasts",
    "unadjusted",
    "sensitivity",
    "responders",
    "medication_use",
    "medication_change",
    "gate",
)
UNADJUSTED: Final = "unadjusted"
Datasets = Mapping[str, "StudyDataset"]


@dataclass(frozen=True, kw_only=True)
class Analyses:
    """Answer of :func:`analyse`.

    Attributes
    ----------
    tables : dict
        Result tables by name, at full precision.
    fits : dict
        Outcome to what its fit said, as JSON values.
    notes : tuple of str
    """

    tables: dict[str, pd.DataFrame]
    fits: dict[str, dict[str, Any]]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What outcomes of a study have yielded: rows by table, fits by outcome, notes."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in NAMES})
    fits: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the tables by name."""
        return {name: build_table(name, rows) for name, rows in self.rows.items()}

    def add(self, other: Collected) -> None:
        """Take in what another outcome has yielded."""
        for name, rows in other.rows.items():
            self.rows[name] += rows
        self.fits.update(other.fits)
        self.notes.extend(other.notes)


@dataclass(frozen=True, kw_only=True)
class Analyst:
    """A study laid out for analysis, so that its outcomes can be asked for one by one.

    Attributes
    ----------
    study : StudyRows
    others : mapping of str to StudyRows
        The study made in other ways, by the name of the analysis, such as ``window_7``.
    engine : {"duckdb", "frame"}
        What adds up the moments.
    connection : duckdb.DuckDBPyConnection, optional
        Database that the engine may work in.
    """

    study: StudyRows
    others: Mapping[str, StudyRows]
    engine: Engine
    connection: duckdb.DuckDBPyConnection | None = None

    @classmethod
    def of(
        cls,
        dataset: StudyDataset,
        others: Datasets,
        engine: Engine,
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> Analyst:
        """Lay out a dataset, and the same study made in other ways."""
        return cls(
            study=code_study(dataset),
            others={name: code_study(other) for name, other in others.items()},
            engine=engine,
            connection=connection,
        )

    def ask(self, outcome: OutcomeSpec) -> Collected:
        """Analyse one outcome."""
        collected = Collected(notes=_study_notes(self.study))
        rows = lay_out(self.study, outcome)
        moments, about = self._add_up(rows), describe_rows(rows)
        kept = _usable(moments, about, collected)
        if kept != rows.visits:
            rows, moments = rows.at(kept), moments.at(kept)
            about = describe_rows(rows)
        _add_unadjusted(rows, about, collected)
        found = _add_main(moments, about, collected)
        if found is None:
            _add_medicines(rows, about, None, count_gate(about), collected)
            return collected
        fit, gate = found
        asked = Asked(moments=moments, fit=fit, gates=gate.reasons)
        _add_sensitivity(asked, collected)
        for name, other in self.others.items():
            laid = lay_out(other, outcome).at(rows.visits)
            _add_other_dataset(asked, name, laid, self._add_up, collected)
        _add_people(rows, fit, gate, collected)
        return collected

    def _add_up(self, rows: OutcomeRows) -> Moments:
        return sum_outcome(rows, self.engine, self.connection)


def analyse(
    dataset: StudyDataset,
    *,
    engine: Engine = "duckdb",
    connection: duckdb.DuckDBPyConnection | None = None,
    sensitivity_datasets: Datasets | None = None,
    progress: Progress | None = None,
) -> Analyses:
    """Analyse every outcome of a study.

    Parameters
    ----------
    dataset : StudyDataset
    engine : {"duckdb", "frame"}
        What adds up the moments.
    connection : duckdb.DuckDBPyConnection, optional
        Database that the engine may work in.
    sensitivity_datasets : mapping, optional
        The study's dataset made in other ways, by the name of the analysis, such as ``window_7``.
    progress : Progress, optional

    Returns
    -------
    Analyses

    Raises
    ------
    EstimationError
        Where the primary comparison cannot be estimated.
    SpecError
        Where a covariate is no column of the episodes.
    """
    analyst = Analyst.of(dataset, sensitivity_datasets or {}, engine, connection)
    outcomes = dataset.spec.outcomes
    parts = []
    for done, outcome in enumerate(outcomes, start=1):
        parts.append(analyst.ask(outcome))
        (progress or SILENT).update(done, len(outcomes))
    return join(parts)


def join(parts: Iterable[Collected]) -> Analyses:
    """Put together what the outcomes of a study yielded, in the study's order."""
    collected = Collected()
    for part in parts:
        collected.add(part)
    return Analyses(
        tables=collected.tables(),
        fits=collected.fits,
        notes=tuple(dict.fromkeys(collected.notes)),
    )


def _study_notes(study: StudyRows) -> list[str]:
    if not study.n_dropped:
        return []
    return [f"{study.n_dropped:,} episodes with a missing covariate were left out."]


def _usable(moments: Moments, about: Description, collected: Collected) -> tuple[str, ...]:
    """Return the visits that can be in the model; say which cannot."""
    checks = visits_left_out(moments, about)
    collected.rows["gate"] += left_out_gate(about, checks).rows
    why = {"measured": "has too few values", "varies": "has the same value for everyone"}
    collected.notes.extend(
        f"{about.outcome}: {visit} {why[check]} and was left out of the model."
        for visit, check in checks.items()
    )
    return tuple(visit for visit in about.visits if visit not in checks)


def _add_people(rows: OutcomeRows, fit: OutcomeFit, gate: Gate, collected: Collected) -> None:
    """Add shares of people: responders, and for a dose who uses and what became of users."""
    try:
        collected.rows["responders"] += responder_rows(rows, fit, gate.reasons)
    except EstimationError as error:
        collected.notes.append(f"{rows.outcome.id}: no shares of people. {error}")
    _add_medicines(rows, fit.about, fit, gate, collected)


def _add_medicines(
    rows: OutcomeRows, about: Description, fit: OutcomeFit | None, gate: Gate, collected: Collected
) -> None:
    """Add who uses which medicines, and where there is a model of the dose what became of it."""
    if rows.outcome.measure != "daily_mme":
        return
    terms = outcome_terms(about) if fit is None else fit.terms
    weigh = SeenWeights(people=medication_people(rows, about, terms))
    collected.rows["medication_use"] += use_rows(rows, weigh, about, gate.reasons)
    if fit is not None:
        collected.rows["medication_change"] += change_rows(rows, weigh, fit, gate.reasons)
    collected.notes.extend(weigh.notes)


def _add_main(
    moments: Moments, about: Description, collected: Collected
) -> tuple[OutcomeFit, Gate] | None:
    """Add means, comparisons and gate of one outcome; None where it cannot be fitted."""
    primary = about.outcome == about.spec.primary.outcome
    try:
        if primary:
            _check_primary_named(about)
        fit = fit_outcome(moments, about)
        if primary:
            _check_primary_found(fit)
    except EstimationError as error:
        if primary and about.outcome not in str(error):
            raise type(error)(f"[primary] {about.outcome}: {error}") from error
        if primary:
            raise
        collected.rows["gate"] += failed_gate(about, error.reason).rows
        collected.notes.append(f"{about.outcome} could not be analysed: {error}")
        return None
    gate = check_gate(fit)
    collected.rows["gate"] += gate.rows
    collected.rows["ls_means"] += mean_rows(fit.effects, about, gate.reasons)
    collected.rows["contrasts"] += pair_rows(fit.effects, about, gate.reasons)
    collected.fits[about.outcome] = fit.to_json()
    collected.notes.extend(f"{about.outcome}: {note}" for note in fit.notes)
    return fit, gate


def _check_primary_named(about: Description) -> None:
    """Raise where the declared comparison names what is not there."""
    primary = about.spec.primary
    absent = [e for e in (primary.exposure, primary.reference) if e not in about.exposures]
    if absent:
        raise NotEstimable(
            f"[primary] {' and '.join(absent)}: no such group among the analysed episodes. Look at "
            "the flow and at [exposure] min_group, or declare another comparison."
        )
    if primary.visit not in about.visits:
        raise NotEstimable(
            f"[primary] visit: {primary.visit} is no analysed visit of {primary.outcome}."
        )


def _check_primary_found(fit: OutcomeFit) -> None:
    """Raise where the declared comparison has no number."""
    about, primary = fit.about, fit.about.spec.primary
    visit = about.visits.index(primary.visit)
    for exposure in (primary.exposure, primary.reference):
        place = about.exposures.index(exposure)
        if not np.isnan(fit.effects.means[place, visit]):
            continue
        why = f"no episode of {about.labels[exposure]} was measured, so that there is nothing"
        if about.episodes[visit, place]:
            named = " or ".join(map(repr, going_with_types(fit))) or "what goes with the types"
            why = (
                f"the mean of {about.labels[exposure]} cannot be told apart from the covariates. "
                f"Take {named} out of [model] covariates, as it leaves nothing"
            )
        raise NotEstimable(f"[primary] {primary.outcome} at {primary.visit}: {why} to compare.")


def _add_unadjusted(rows: OutcomeRows, about: Description, collected: Collected) -> None:
    plain = welch_effects(rows.y, rows.study.exposure, len(about.exposures))
    closed = unestimated(plain, about, "fewer than two episodes were measured")
    closed |= count_gate(about).reasons  # where too few were seen, not even whether it is one
    means = mean_rows(plain, about, closed, analysis=UNADJUSTED, method=UNADJUSTED)
    pairs = pair_rows(plain, about, closed, analysis=UNADJUSTED, method=UNADJUSTED)
    collected.rows["unadjusted"] += [*means, *pairs]


def _add_sensitivity(asked: Asked, collected: Collected) -> None:
    found, notes = sensitivity_rows(asked)
    collected.rows["sensitivity"] += found
    collected.notes.extend(notes)
    about = asked.fit.about
    amount = f"{number(unseen_shift(about), 1)} {about.unit}"
    collected.notes.append(
        f"{about.outcome}: where unseen values are taken to be worse in the type that fared"
        f" better, it is by {amount}."
    )


def _add_other_dataset(
    asked: Asked,
    name: str,
    rows: OutcomeRows,
    add_up: Callable[[OutcomeRows], Moments],
    collected: Collected,
) -> None:
    try:
        fit = fit_outcome(add_up(rows), describe_rows(rows), near=asked.fit)
    except EstimationError as error:
        collected.notes.append(f"{rows.outcome.id}, {name.replace('_', ' ')}: {error}")
    else:
        collected.rows["sensitivity"] += other_dataset_rows(asked, fit, analysis=name)


def analyse_moments(moments: Moments, description: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Analyse the moments of one outcome without a row.

    Parameters
    ----------
    moments : Moments
    description : mapping
        From :func:`study_moments` or :func:`pool_moments`.

    Returns
    -------
    dict
        ``ls_means``, ``contrasts`` and ``gate``, the same as those of the pooled rows.

    Raises
    ------
    EstimationError
        Where the outcome holds the primary comparison and that cannot be estimated.
    """
    collected, about = Collected(), read_description(description)
    kept = _usable(moments, about, collected)
    _add_main(moments.at(kept), about.at(kept), collected)
    tables = collected.tables()
    return {name: tables[name] for name in ("ls_means", "contrasts", "gate")}
