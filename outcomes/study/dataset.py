"""The study's dataset: one row an analysed episode, one row an episode and visit, and who is where.

:func:`build_dataset` asks the records, in this order: who is eligible
(:mod:`outcomes.study.episodes`), what each episode was given in the window
(:mod:`outcomes.study.exposure`), who was still there at time zero, which types are large enough,
then scores (:mod:`outcomes.study.visits`) and doses (:mod:`outcomes.study.medicines`). Every step
is counted in ``flow``; what had to be decided on the way is in ``notes``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from outcomes.catalog.instruments import instrument
from outcomes.core.errors import NotEstimable, OutcomesError
from outcomes.core.shown import Shown
from outcomes.study.dataset_rows import (
    covariate_notes,
    episode_rows,
    find_values,
    nothing_delivered,
    visit_rows,
    with_baselines,
)
from outcomes.study.episodes import Flow, find_candidates
from outcomes.study.exposure import delivered_frame, find_exposure, has_components, keep_held
from outcomes.study.exposure_types import study_types
from outcomes.study.opioids import opioids_by_outcome
from outcomes.study.selection import count_followed, select_episodes
from outcomes.study.steps import steps_in
from outcomes.study.visits import BASELINE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from outcomes.records.files import Records
    from outcomes.study.opioids import Opioids
    from outcomes.study.outcome_sections import OutcomeSpec
    from outcomes.study.spec import StudySpec


@dataclass(frozen=True, kw_only=True, repr=False)
class StudyDataset(Shown):
    """What every analysis of a study starts from.

    Attributes
    ----------
    spec : StudySpec
    episodes : DataFrame
        One row an analysed episode, sorted by ``episode_id``: keys, ``exposure``, covariates as
        recorded, clocks, ``baseline_<outcome>``, ``baseline_any_opioid``, ``share_<type>`` of the
        window's dose, and ``has_<group>`` of the catalog's groups of interventions in the window.
    visit_rows : DataFrame
        One row an episode and visit of the study: ``<outcome>`` (NaN where unseen) and
        ``any_opioid``.
    delivered : DataFrame
        ``episode_id, intervention, period ('window' | 'episode'), sessions, minutes, units``.
    exposures : tuple of str
        In the study's order, the reference last.
    labels : dict of str to str
    visits : tuple of str
        Labels of the analysed visits.
    window_days : int
        Day of time zero on the episode's clock.
    flow : DataFrame
        Contract ``flow``.
    notes : tuple of str
    """

    spec: StudySpec
    episodes: pd.DataFrame
    visit_rows: pd.DataFrame
    delivered: pd.DataFrame
    exposures: tuple[str, ...]
    labels: dict[str, str]
    visits: tuple[str, ...]
    window_days: int
    flow: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def long(self) -> pd.DataFrame:
        """One row an episode and visit with everything about the episode beside it.

        ``<outcome>_change`` is the value at the visit minus that at time zero,
        ``<outcome>_improvement`` the change signed so that positive is better.
        """
        rows = self.visit_rows.merge(self.episodes, on="episode_id", how="left", validate="m:1")
        for outcome in self.spec.outcomes:
            change = rows[outcome.id] - rows[f"{BASELINE}_{outcome.id}"]
            rows[f"{outcome.id}_change"] = change
            rows[f"{outcome.id}_improvement"] = direction(outcome) * change
        return rows

    def _shown(self) -> tuple[str, dict[str, str]]:
        sizes = self.episodes["exposure"].value_counts()
        least = self.spec.disclosure.threshold
        types = [
            f"{self.labels[name]} {sizes[name]:,}"
            if sizes[name] >= least
            else f"{self.labels[name]} fewer than {least}"
            for name in self.exposures
        ]
        patients = self.episodes["patient_id"].nunique()
        heading = f"Dataset of {self.spec.id!r}: {len(self.episodes):,} episodes of {patients:,}"
        return f"{heading} patients", {
            "types": ", ".join(types) + " (the reference)",
            "outcomes": ", ".join(outcome.id for outcome in self.spec.outcomes),
            "visits": f"{', '.join(self.visits)}; time zero is day {self.window_days}",
            "notes": str(len(self.notes)),
            "look at": "data.flow, data.notes, data.long",
        }


def direction(outcome: OutcomeSpec) -> int:
    """Return +1 where a rise of the outcome is an improvement, -1 where a fall is."""
    return -1 if outcome.measure == "daily_mme" else instrument(outcome.instrument).direction


def build_dataset(
    records: Records,
    spec: StudySpec,
    *,
    window_days: int | None = None,
    described: bool = True,
    opioids: Mapping[str, Opioids | None] | None = None,
) -> StudyDataset:
    """Make the study's dataset from the records.

    Parameters
    ----------
    records : Records
    spec : StudySpec
    window_days : int, optional
        Another length of the exposure window, for a sensitivity analysis.
    described : bool
        Whether care is to be described from the dataset; ``delivered`` is empty where not.
    opioids : mapping, optional
        From :func:`outcomes.study.opioids.opioids_by_outcome`, where it is at hand.

    Raises
    ------
    NotEstimable
        If the reference or the primary type has too few episodes, or the primary outcome was never
        measured.
    RecordsError, SpecError
        If the records lack what the study needs to tell the types apart.
    """
    length = spec.time.window_days if window_days is None else window_days
    types = study_types(spec.exposure)
    opioids = opioids_by_outcome(records, spec) if opioids is None else opioids
    flow = Flow()
    with steps_in(records) as steps:
        eligible, notes = find_candidates(steps, spec.population, length, flow)
        there = has_components(steps)
        names = keep_held(steps, types, length, whole=described) if there else []
        found = find_exposure(steps, eligible, types, spec.exposure)
        analysed, exposures = select_episodes(eligible, found, types, spec, length, flow)
        episodes = episode_rows(steps, eligible, found, analysed, spec)
        ids = episodes["episode_id"].to_numpy()
        values, more = find_values(steps, spec, ids, opioids, length=length)
        notes += [*found.notes, *more, *covariate_notes(records, spec)]
        delivered = delivered_frame(steps, names) if names and described else nothing_delivered()
    rows = visit_rows(spec, episodes, values)
    count_followed(flow, spec, episodes, rows)
    dataset = StudyDataset(
        spec=spec,
        episodes=with_baselines(spec, episodes, values),
        visit_rows=rows,
        delivered=delivered,
        exposures=exposures,
        labels={exposure: types.label(exposure) for exposure in exposures},
        visits=tuple(visit.label for visit in spec.analysed_visits),
        window_days=length,
        flow=flow.table(),
        notes=tuple(notes),
    )
    check_dataset(dataset)
    _check_primary_seen(dataset)
    return dataset


# ------------------------------------------------------------------------------------------ checks
def check_dataset(dataset: StudyDataset) -> None:
    """Hold the dataset to its contract.

    Raises
    ------
    OutcomesError
        If it does not hold: a fault of this package, not of the records.
    """
    ids = dataset.episodes["episode_id"]
    rows = dataset.visit_rows
    labels = {visit.label for visit in dataset.spec.visits}
    broken = [
        words
        for words, holds in (
            ("an episode has more than one row", ids.is_monotonic_increasing and ids.is_unique),
            ("an episode lacks its patient", bool(dataset.episodes["patient_id"].notna().all())),
            (
                "an episode has another exposure than those analysed",
                set(dataset.episodes["exposure"]) == set(dataset.exposures),
            ),
            (
                "episodes and visits do not make one row each",
                len(rows) == len(ids) * len(labels)
                and not rows.duplicated(["episode_id", "visit"]).any()
                and set(rows["visit"]) == labels
                and bool(rows["episode_id"].isin(ids).all()),
            ),
        )
        if not holds
    ]
    if broken:
        raise OutcomesError(f"The study dataset breaks its contract: {'; '.join(broken)}.")


def _check_primary_seen(dataset: StudyDataset) -> None:
    """Stop where the primary outcome was never measured at its visit."""
    primary = dataset.spec.primary
    at_visit = dataset.visit_rows["visit"] == primary.visit
    if dataset.visit_rows.loc[at_visit, primary.outcome].notna().any():
        return
    outcome = dataset.spec.outcome(primary.outcome)
    what = f"scores of {outcome.instrument!r}" if outcome.instrument else "prescriptions"
    raise NotEstimable(
        f"The primary comparison cannot be made: none of the {len(dataset.episodes):,} analysed"
        f" episodes has {what} at {primary.visit!r}. Choose another outcome or visit in [primary],"
        " or widen the window of the visit."
    )
