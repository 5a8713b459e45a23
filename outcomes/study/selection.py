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
    for exposure in types.in_order({str(name) for name in named[over]} - {""}):
        label = f"Ended before day {length}: {types.phrase(exposure)}"
        flow.count(f"ended_{exposure}", LEFT_OUT, label, patients, over & (named == exposure))
    if (over & (named == "")).any():
        label = f"Ended before day {length}: no type could be named"
        flow.count("ended_unclassified", LEFT_OUT, label, patients, over & (named == ""))
    there = ~over & (named != "")
    assigned = spec.exposure.source == "program"
    label = "No program of the study" if assigned else "No type could be named"
    flow.count("unclassified", LEFT_OUT, label, patients, ~over & (named == ""))
    sizes = {str(name): int(n) for name, n in pd.Series(named[there]).value_counts().items()}
    _check_primary_size(sizes, spec, types, length)
    for exposure in types.in_order(sizes):
        if sizes[exposure] < spec.exposure.min_group:
            label = f"Fewer than {spec.exposure.min_group}: {types.phrase(exposure)}"
            small = there & (named == exposure)
            flow.count(f"small_{exposure}", LEFT_OUT, label, patients, small)
            there &= named != exposure
    kept = types.in_order(n for n in sizes if sizes[n] >= spec.exposure.min_group)
    exposures = (*(n for n in kept if n != spec.exposure.reference), spec.exposure.reference)
    flow.count("analysed", KEPT, _analysed_label(len(exposures), length), patients, there)
    return there, exposures


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
        f" {listed}. Choose other types in [exposure], widen [population], or look at 'outcomes"
        " check' for intervention codes that were not understood."
    )


def count_followed(flow: Flow, spec: StudySpec, episodes: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Count who has any value of any outcome after time zero."""
    seen = rows[[outcome.id for outcome in spec.outcomes]].notna().any(axis=1).to_numpy()
    followed = np.asarray(seen.reshape(len(episodes), -1).any(axis=1), dtype=bool)
    patients = episodes["patient_id"]
    flow.count("no_follow_up", LEFT_OUT, "No follow-up value at any visit", patients, ~followed)
    flow.count("followed", KEPT, "with at least one follow-up value", patients, followed)
