"""What was delivered: components, and which of them went together.

A component counts for an episode when it was part of a session that was held. Groups of the
taxonomy have rows of their own, above their parts, so that a plank also counts as core strength,
as strength and as exercise. The dose has its own module, :mod:`outcomes.study.dose`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.catalog.interventions import ancestors, intervention_aliases, top_group
from outcomes.catalog.interventions import interventions as taxonomy
from outcomes.results.tables import build_table
from outcomes.study.analysed import analysed_in
from outcomes.study.dose import dose_table
from outcomes.study.groups import ALL, exposure_order

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from outcomes.records.files import Records
    from outcomes.study.analysed import LeftOut
    from outcomes.study.dataset import StudyDataset

__all__ = ["combinations_table", "component_group", "components_table", "dose_table"]

PERIODS: Final = ("window", "episode")
OTHER: Final = "other"
UNKNOWN: Final = "unknown"
NOTHING: Final = "None recorded"

COMPONENT_GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "Strength and core": ("exercise.strength", "exercise.motor_control"),
    "Stretching and mind-body": ("exercise.flexibility", "exercise.mindbody"),
    "Aerobic": ("exercise.aerobic",),
    "Balance and water": ("exercise.balance", "exercise.gait", "exercise.aquatic"),
    "Other exercise": ("exercise", "care.home_program", "care.work_conditioning"),
    "Massage": ("manual.massage", "manual.myofascial"),
    "Mobilisation and manipulation": ("manual",),
    "Heat and cold": ("modality.heat", "modality.cold"),
    "TENS and electrical": (
        "modality.tens",
        "modality.electrical",
        "modality.interferential",
        "modality.nmes",
    ),
    "Ultrasound": ("modality.ultrasound",),
    "Other modality": ("modality",),
    "Needling": ("needle",),
    "Posture and ergonomics": ("training",),
    "Education": ("education",),
    "Psychological": ("psych",),
    "Equipment": ("equipment",),
    "Other component": (),
}
"""Groups that combinations are made of, in their order; the longest prefix wins.

The last takes codes that the catalog does not know.
"""


def lineage(name: str) -> tuple[str, ...]:
    """Return the catalog id of an intervention, then its parents.

    Codes that the catalog does not know are one, not named: they may be whatever somebody typed.
    """
    known = intervention_aliases().get(name, name)
    return (known, *ancestors(known)) if known in taxonomy() else (UNKNOWN,)


def component_group(name: str) -> str | None:
    """Return the group an intervention counts in; None for the organisation of care."""
    prefixes = {p: group for group, listed in COMPONENT_GROUPS.items() for p in listed}
    chain = lineage(name)
    if chain[0] not in taxonomy():
        return "Other component"
    for step in chain:
        fits = [p for p in prefixes if step == p or step.startswith(f"{p}.")]
        if fits:
            return prefixes[max(fits, key=len)]
    return None


# ------------------------------------------------------------------------------------- components
def components_table(
    dataset: StudyDataset, records: Records, *, left_out: LeftOut | None = None
) -> pd.DataFrame:
    """Count the episodes that had each component, and the usual amount of it.

    Parameters
    ----------
    dataset : StudyDataset
    records : Records
        Its connection does the sums.
    left_out : list, optional
        Receives what could not be described.

    Returns
    -------
    DataFrame
        Contract ``components``: every exposure has a row for each component that anybody had. The
        amount is in minutes where any are recorded for the component, else in billed units, else
        in visits.
    """
    if dataset.delivered.empty:
        if left_out is not None:
            left_out.append(("Components", "No component of any held session is recorded."))
        return build_table("components", [])
    counted = _count_components(dataset, records)
    size = dataset.episodes["exposure"].value_counts().to_dict()
    size[ALL] = len(dataset.episodes)
    rows = []
    for (period, name), part in counted.groupby(["period", "intervention"], sort=False):
        unit, column = _unit(part)
        found = part.set_index("exposure")
        for exposure in exposure_order(dataset):
            n = int(found["n_episodes"].get(exposure, 0))
            total = int(size.get(exposure, 0))
            rows.append(
                {
                    "exposure": exposure,
                    "intervention": name,
                    "label": _label(str(name)),
                    "kind": _kind(str(name)),
                    "period": period,
                    "n_episodes": n,
                    "n_total": total,
                    "share": n / total if total else np.nan,
                    "median": found[column].get(exposure, np.nan),
                    "unit": unit,
                }
            )
    return build_table("components", _ordered(rows, dataset))


def _count_components(dataset: StudyDataset, records: Records) -> pd.DataFrame:
    """Return episodes and medians by exposure ("" for all), period and intervention or group."""
    import pandas as pd

    codes, names = dataset.delivered["intervention"].factorize()
    delivered = dataset.delivered.assign(
        intervention=codes, is_window=dataset.delivered["period"] == "window"
    ).drop(columns="period")
    steps = list(dict.fromkeys(step for name in names for step in lineage(str(name))))
    pairs = [(k, steps.index(s)) for k, name in enumerate(names) for s in lineage(str(name))]
    with analysed_in(dataset, records) as opened:
        opened.cursor.register("delivered_frame", delivered)
        opened.cursor.register("lineage", pd.DataFrame(pairs, columns=["intervention", "step"]))
        counted: pd.DataFrame = opened.cursor.execute(COMPONENTS).df()
    counted["period"] = np.where(counted["is_window"], *PERIODS)
    counted["intervention"] = [steps[step] for step in counted["step"]]
    return counted


COMPONENTS: Final = """
with done as (
  select d.episode_id, d.is_window, l.step,
         nullif(sum(d.minutes), 0) as minutes,
         nullif(sum(d.units), 0) as units,
         case when count(*) = 1 then max(d.sessions) end as visits
  from delivered_frame d join lineage l on l.intervention = d.intervention
  group by d.episode_id, d.is_window, l.step
)
select coalesce(a.exposure, '') as exposure, is_window, step, count(*) as n_episodes,
       percentile_cont(0.5) within group (order by minutes) as minutes,
       percentile_cont(0.5) within group (order by units) as units,
       percentile_cont(0.5) within group (order by visits) as visits
from done join analysed a on a.episode_id = done.episode_id
group by grouping sets ((a.exposure, is_window, step), (is_window, step))
"""


def _unit(part: pd.DataFrame) -> tuple[str, str]:
    """Return the unit in which the component's amount is recorded, and its column."""
    for unit, column in (("min", "minutes"), ("units", "units")):
        if part[column].notna().any():
            return unit, column
    return "visits", "visits"


def _label(name: str) -> str:
    return taxonomy()[name].label if name in taxonomy() else "Codes that the catalog does not know"


def _kind(name: str) -> str:
    return top_group(name) if name in taxonomy() else OTHER


def _ordered(rows: Iterable[dict[str, object]], dataset: StudyDataset) -> list[dict[str, object]]:
    """Sort by period, the catalog's order, and the study's order of exposures."""
    place = {name: k for k, name in enumerate(taxonomy())}
    exposure = {name: k for k, name in enumerate(exposure_order(dataset))}
    return sorted(
        rows,
        key=lambda row: (
            PERIODS.index(str(row["period"])),
            place.get(str(row["intervention"]), len(place)),
            str(row["intervention"]),
            exposure[str(row["exposure"])],
        ),
    )


# ----------------------------------------------------------------------------------- combinations
def combinations_table(dataset: StudyDataset) -> pd.DataFrame:
    """Count which groups of components went together in the exposure window.

    Parameters
    ----------
    dataset : StudyDataset

    Returns
    -------
    DataFrame
        Contract ``combinations``, the commonest first. Every analysed episode is in exactly one
        row; rare combinations are pooled by the disclosure gate, not here.
    """
    groups = tuple(COMPONENT_GROUPS)
    bits = _component_bits(dataset, groups)
    found, counts = np.unique(bits, return_counts=True)
    rows = [
        {
            "combination": " + ".join(g for k, g in enumerate(groups) if mask >> k & 1) or NOTHING,
            "size": int(mask).bit_count(),
            "n_episodes": int(count),
        }
        for mask, count in zip(found.tolist(), counts, strict=True)
    ]
    rows.sort(key=lambda row: (-int(str(row["n_episodes"])), str(row["combination"])))
    return build_table("combinations", rows)


def _component_bits(dataset: StudyDataset, groups: tuple[str, ...]) -> np.ndarray:
    """Return one integer an episode, bit k set where it had a component of group k."""
    window = dataset.delivered[dataset.delivered["period"] == "window"]
    codes, names = window["intervention"].factorize()
    known = [component_group(str(name)) for name in names]
    bit = np.array([1 << groups.index(g) if g else 0 for g in known] or [0], dtype=np.int64)
    ids = dataset.episodes["episode_id"].to_numpy()
    position = np.searchsorted(ids, window["episode_id"].to_numpy())
    bits = np.zeros(len(ids), dtype=np.int64)
    np.bitwise_or.at(bits, position, bit[codes])
    return bits
