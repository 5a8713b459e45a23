"""Who is analysed: still in care at time zero, of a type that is large enough, and counted if not.

The order is fixed. Episodes that were over before time zero are counted under the type that they
had so far; then those of which no type can be named; then types with fewer than ``min_group``
episodes. The declared comparison must survive: a reference or a primary type that is too small is
an error, never an analysis of something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from outcomes.core.errors import NotEstimable
from outcomes.study.episodes import KEPT, LEFT_OUT, Flow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from outcomes.study.exposure import Exposure
    from outcomes.study.exposure_types import ExposureTypes
    from outcomes.study.spec import StudySpec


def select_episodes(
    eligible: pd.DataFrame,
    found: Exposure,
    types: ExposureTypes,
    spec: StudySpec,
    length: int,
    flow: Flow,
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    """Return which eligible episodes are analysed and the exposures; every other one is counted."""
    patients, named = eligible["patient_id"], found.types
    over = eligible["over"].to_numpy(dtype=bool)
    there = ~over & (named != "")
    sizes = {str(name): int(n) for name, n in pd.Series(named[there]).value_counts().items()}
    _check_primary_size(sizes, spec, types, length)
    large = types.in_order(name for name in sizes if sizes[name] >= spec.exposure.min_group)
    _count_ended(flow, patients, named, over, types, large, length)
    assigned = spec.exposure.source == "program"
    label = "No program of the study" if assigned else "No type could be named"
    flow.count("unclassified", LEFT_OUT, label, patients, ~over & (named == ""))
    for exposure in types.in_order(set(sizes) - set(large)):
        label = f"Fewer than {spec.exposure.min_group}: {types.phrase(exposure)}"
        flow.count(f"small_{exposure}", LEFT_OUT, label, patients, there & (named == exposure))
    exposures = (*(n for n in large if n != spec.exposure.reference), spec.exposure.reference)
    analysed = there & np.isin(named.astype(str), large)
    flow.count("analysed", KEPT, _analysed_label(len(exposures), length), patients, analysed)
    return analysed, exposures


def _count_ended(
    flow: Flow,
    patients: pd.Series,
    named: NDArray[np.object_],
    over: NDArray[np.bool_],
    types: ExposureTypes,
    large: tuple[str, ...],
    length: int,
) -> None:
    """Count the episodes that were over by type; types that are not analysed together."""
    if not length:
        return
    for exposure in large:
        label = f"Ended before day {length}: {types.phrase(exposure)}"
        flow.count(f"ended_{exposure}", LEFT_OUT, label, patients, over & (named == exposure))
    others = over & ~np.isin(named.astype(str), large)
    label = f"Ended before day {length}: another type, or none could be named"
    flow.count("ended_other", LEFT_OUT, label, patients, others)


def _analysed_label(n_types: int, length: int) -> str:
    fixed = f"fixed by day {length}" if length else "fixed at assignment"
    return f"analysed, in {n_types} types {fixed}"


def _check_primary_size(
    sizes: dict[str, int], spec: StudySpec, types: ExposureTypes, length: int
) -> None:
    """Stop where the declared comparison has too few episodes on either side."""
    least = spec.exposure.min_group
    small = [
        f"{role} {name!r} has {sizes.get(name, 0):,}"
        for role, name in (
            ("the reference", spec.exposure.reference),
            ("the primary type", spec.exposure.primary),
        )
        if sizes.get(name, 0) < least
    ]
    if not small:
        return
    listed = ", ".join(f"{name} {sizes[name]:,}" for name in types.in_order(sizes)) or "none"
    raise NotEstimable(
        f"The primary comparison cannot be made: of the episodes still in care on day {length}"
        f" {' and '.join(small)}, fewer than [exposure] min_group = {least}. Episodes by type:"
        f" {listed}. Choose other types in [exposure], widen [population], or {_look(spec)}."
    )


def _look(spec: StudySpec) -> str:
    if spec.exposure.source == "program":
        return "look whether [exposure.programs] spells the programs as the records do"
    return "look at 'outcomes check' for intervention codes that were not understood"


def count_followed(flow: Flow, spec: StudySpec, episodes: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Count who has any value of any outcome after time zero."""
    seen = rows[[outcome.id for outcome in spec.outcomes]].notna().any(axis=1).to_numpy()
    followed = np.asarray(seen.reshape(len(episodes), -1).any(axis=1), dtype=bool)
    patients = episodes["patient_id"]
    flow.count("no_follow_up", LEFT_OUT, "No follow-up value at any visit", patients, ~followed)
    flow.count("followed", KEPT, "with at least one follow-up value", patients, followed)
