"""One outcome of a study laid out for its model: subjects, baseline columns, visits.

The subject is the episode. Its baseline columns z are a constant, one indicator a type, the
baseline score (at the fixed centre where it is missing, with an indicator beside it) and the coded
covariates; its responses y are the scores at the analysed visits at which the outcome is planned.
Shift and scale of every column are fixed by the catalog and the schema, so that sums made in
different clinics can be added.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from outcomes.catalog.instruments import instrument
from outcomes.engines.frame import GROUP, SUBJECT, wide_responses
from outcomes.models.covariates import (
    Coded,
    check_covariates,
    code_covariates,
    code_number,
    range_scale,
)
from outcomes.stats.moments import Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from outcomes.models.covariates import Array
    from outcomes.study.dataset import StudyDataset
    from outcomes.study.outcome_sections import OutcomeSpec
    from outcomes.study.spec import StudySpec

CONSTANT: Final = Coded(name="1", source="", kind="constant")
BASELINE: Final = "baseline"
_DOSE_SCALE: Final = (32.0, 32.0)
"""Fixed centre and scale of a daily dose in MME."""


@dataclass(frozen=True, kw_only=True)
class StudyRows:
    """The analysed episodes of a study with coded covariates, shared by its outcomes.

    Attributes
    ----------
    dataset : StudyDataset
        Without the episodes that a missing covariate drops.
    columns : tuple of Coded
    values : (n, q) array
    exposure : (n,) int array
        Place in ``dataset.exposures``.
    patient : (n,) int array
        Codes from 0.
    n_dropped : int
    """

    dataset: StudyDataset
    columns: tuple[Coded, ...]
    values: Array
    exposure: NDArray[np.int64]
    patient: NDArray[np.int64]
    n_dropped: int


@dataclass(frozen=True, kw_only=True)
class OutcomeRows:
    """One outcome laid out.

    Attributes
    ----------
    study : StudyRows
    outcome : OutcomeSpec
    columns : tuple of Coded
        Of z.
    layout : Layout
    z : (n, q) array
    y : (n, T) array
        NaN where unseen.
    """

    study: StudyRows
    outcome: OutcomeSpec
    columns: tuple[Coded, ...]
    layout: Layout
    z: Array
    y: Array

    @property
    def visits(self) -> tuple[str, ...]:
        """Labels of the visits of y."""
        return self.layout.visits

    def at(self, visits: tuple[str, ...]) -> OutcomeRows:
        """Return the rows with some of the visits alone."""
        if visits == self.visits:
            return self
        layout = fixed_layout(
            self.columns, visits, response_scale(self.outcome), self.study.dataset.exposures
        )
        kept = [self.visits.index(visit) for visit in visits]
        return replace(self, layout=layout, y=self.y[:, kept])

    def subjects(self) -> pd.DataFrame:
        """Return the frame of subjects that engines take."""
        frame = pd.DataFrame(self.z, columns=list(self.layout.columns), copy=False)
        frame.insert(0, SUBJECT, self.study.dataset.episodes[SUBJECT].to_numpy())
        frame.insert(1, GROUP, self.study.exposure)
        return frame


def code_study(dataset: StudyDataset) -> StudyRows:
    """Code the covariates of a study, once for all its outcomes."""
    model = dataset.spec.model
    episodes = dataset.episodes
    check_covariates(episodes, model.covariates)
    if model.covariate_missing == "drop":
        kept = episodes[list(model.covariates)].notna().all(axis=1)
        dataset = replace(dataset, episodes=episodes[kept].reset_index(drop=True))
    columns, values = code_covariates(dataset.episodes, model.covariates)
    places = {exposure: place for place, exposure in enumerate(dataset.exposures)}
    return StudyRows(
        dataset=dataset,
        columns=columns,
        values=values,
        exposure=np.asarray(dataset.episodes["exposure"].map(places), dtype=np.int64),
        patient=pd.factorize(dataset.episodes["patient_id"])[0].astype(np.int64),
        n_dropped=len(episodes) - len(dataset.episodes),
    )


def lay_out(study: StudyRows, outcome: OutcomeSpec) -> OutcomeRows:
    """Lay out one outcome."""
    dataset = study.dataset
    centre, scale = response_scale(outcome)
    baseline, values = code_number(
        dataset.episodes[f"{BASELINE}_{outcome.id}"], BASELINE, centre, scale
    )
    exposures = [
        Coded(name=f"exposure={exposure}", source="exposure", kind="exposure")
        for exposure in dataset.exposures
    ]
    columns = (CONSTANT, *exposures, *baseline, *study.columns)
    n = len(dataset.episodes)
    indicators = (study.exposure[:, None] == np.arange(len(exposures))).astype(np.float64)
    z = np.column_stack([np.ones(n), indicators, *values, study.values])
    visits = outcome_visits(dataset.spec, outcome)
    return OutcomeRows(
        study=study,
        outcome=outcome,
        columns=columns,
        layout=fixed_layout(columns, visits, (centre, scale), dataset.exposures),
        z=z,
        y=wide_responses(dataset.episodes[SUBJECT], dataset.visit_rows, visits, outcome.id),
    )


def outcome_visits(spec: StudySpec, outcome: OutcomeSpec) -> tuple[str, ...]:
    """Return the labels of the analysed visits at which an outcome is planned."""
    labels = tuple(visit.label for visit in spec.analysed_visits)
    return tuple(label for label in labels if not outcome.visits or label in outcome.visits)


def response_scale(outcome: OutcomeSpec) -> tuple[float, float]:
    """Return the fixed centre and scale of an outcome: the middle and a quarter of its range."""
    if outcome.measure == "daily_mme":
        return _DOSE_SCALE
    known = instrument(outcome.instrument)
    low = known.score_min if known.score_min is not None else known.plausible_min
    high = known.score_max if known.score_max is not None else known.plausible_max
    return range_scale(low, high)


def fixed_layout(
    columns: tuple[Coded, ...],
    visits: tuple[str, ...],
    response: tuple[float, float],
    exposures: tuple[str, ...],
) -> Layout:
    """Return the layout of the moments: nothing in it comes from the values of patients."""
    centres = [column.centre for column in columns] + [response[0]] * len(visits)
    scales = [column.scale for column in columns] + [response[1]] * len(visits)
    return Layout(
        columns=tuple(column.name for column in columns),
        visits=visits,
        shift=np.array(centres),
        scale=np.array(scales),
        groups=exposures,
    )
