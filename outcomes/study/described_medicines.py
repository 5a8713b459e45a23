"""Medicines, described: classes used, high-dose days, overlap, and opioids stopped or started.

Windows are the days up to time zero and up to each visit, as long as the study's medication
outcome says, on the patient's own clock. A patient whose prescriptions are not known until the end
of a window is not counted there, nor, where doses are asked for, one with a record of an opioid
that gives no dose. Nobody with an opioid on record, opioid agonist treatment included, has stopped.
Records say what was prescribed or dispensed, not what was taken; a stop is not in itself a good
outcome. Thresholds of 50 and 90 MME a day describe, they are not limits of safe use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from outcomes.catalog.medications import ANY_OPIOID, ddd_values, drugs, group_labels, ingredients
from outcomes.measures.fills import derive_fills
from outcomes.measures.medication import (
    average_mme,
    classes_used,
    concurrent_days,
    days_at_or_above,
    dose_unknown,
    mme_intervals,
)
from outcomes.measures.medication_change import dose_change
from outcomes.study.description import flag
from outcomes.study.opioids import may_be_opioid
from outcomes.study.steps import coded_frame

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from outcomes.study.analysed import Analysed
    from outcomes.study.description import Description

WINDOW_DAYS: Final = 28
HIGH_DOSES: Final = (50, 90)
INCREASE: Final = 1.0
"""MME a day by which a mean dose must differ to count as changed."""
BASELINE: Final = "baseline"
CLASSES, HIGH, CHANGE, DDD = (
    "Medicines in use",
    "High doses and overlap",
    "Opioids stopped, reduced, started",
    "Defined daily doses",
)
COLUMNS: Final = (
    "patient_id, day, drug, route, strength, unit, quantity, days_supply, as_needed, source"
)


def describe_medicines(opened: Analysed, found: Description) -> None:
    """Describe medicines at time zero and at each visit."""
    if not opened.needs("Medicines", "medications"):
        return
    windows = _windows(opened)
    if not any(known.any() for _, known in windows.values()):
        opened.left_out.append(("Medicines", "Nobody's prescriptions are known for a window."))
        return
    records = coded_frame(
        opened.cursor,
        f"select distinct {COLUMNS} from medications "
        "where patient_id in (select patient_id from analysed) order by all nulls last",
    )
    opioids = [drug for drug in records["drug"].cat.categories if may_be_opioid(drug)]
    fills = derive_fills(records[records["drug"].isin(opioids) | records["drug"].isna()])
    intervals = mme_intervals(fills)
    uses = _classes(opened, found, records, fills, windows)
    _changes(found, fills, intervals, uses, windows)
    _high_doses(opened, found, records, fills, intervals)
    _defined_doses(opened, found, records, windows)


Windows = dict[str, "tuple[pd.DataFrame, NDArray[np.bool_]]"]


def _windows(opened: Analysed) -> Windows:
    """Return the window of each visit, one row an episode, and whose is known."""
    clock = opened.per_episode(
        "select position, patient_day, followed_to_day, end_day from analysed"
    )
    length = next(
        (o.window_days for o in opened.dataset.spec.outcomes if o.measure == "daily_mme"),
        WINDOW_DAYS,
    )
    zero = float(opened.dataset.window_days)
    days = {BASELINE: np.full(opened.n, zero)}
    for visit in opened.dataset.spec.visits:
        days[visit.label] = (
            clock["end_day"] if visit.day is None else np.full(opened.n, zero + visit.day)
        )
    return {
        visit: _window(opened, clock, day, length, after=visit != BASELINE)
        for visit, day in days.items()
    }


def _window(
    opened: Analysed,
    clock: dict[str, NDArray[np.float64]],
    day: NDArray[np.float64],
    length: int,
    *,
    after: bool,
) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    import pandas as pd

    end = clock["patient_day"] + day
    known = ~np.isnan(end) & (clock["followed_to_day"] >= day)
    if after:
        known &= day > opened.dataset.window_days
    frame = pd.DataFrame(
        {
            "patient_id": opened.dataset.episodes["patient_id"].to_numpy(),
            "start_day": np.where(known, end - length + 1, np.nan),
            "end_day": np.where(known, end, np.nan),
        }
    )
    return frame, known


def _classes(
    opened: Analysed,
    found: Description,
    records: pd.DataFrame,
    fills: pd.DataFrame,
    windows: Windows,
) -> dict[str, pd.Series]:
    """Describe the share with each class of medicine; classes that nobody has are left out.

    Returns
    -------
    dict of str to Series
        Any opioid in each window: 1, 0, or missing where the window is not known.
    """
    import pandas as pd

    stacked = pd.concat([frame for frame, _ in windows.values()], ignore_index=True)
    used = classes_used(records, stacked, fills=fills)
    if used.attrs["unknown"]:
        opened.left_out.append(
            ("Some medicines", "Records whose medicine the catalog does not know count nowhere.")
        )
    labels = {**group_labels(), ANY_OPIOID: "Any opioid, opioid agonist treatment included"}
    for group, label in labels.items():
        column = used[group].to_numpy(dtype=bool).reshape(len(windows), opened.n)
        if not column.any():
            continue
        for (visit, (_, known)), hit in zip(windows.items(), column, strict=True):
            found.add(CLASSES, f"uses_{group}", label, flag(hit, known), visit=visit)
    users = used[ANY_OPIOID].to_numpy(dtype=bool).reshape(len(windows), opened.n)
    return {
        visit: pd.Series(flag(hit, known))
        for (visit, (_, known)), hit in zip(windows.items(), users, strict=True)
    }


def _changes(
    found: Description,
    fills: pd.DataFrame,
    intervals: pd.DataFrame,
    uses: dict[str, pd.Series],
    windows: Windows,
) -> None:
    """Describe what became of opioids, visit by visit, against time zero."""
    means = {
        visit: average_mme(intervals, frame).mask(dose_unknown(fills, frame))
        for visit, (frame, _) in windows.items()
    }
    before = means.pop(BASELINE)
    for visit, after in means.items():
        change = dose_change(before, after, uses_before=uses[BASELINE], uses_after=uses[visit])
        shares: dict[str, tuple[str, Any]] = {
            "stopped": (
                "No opioid, agonist treatment included, of those with a dose at time zero",
                change["ceased"],
            ),
            "halved": (
                "MME lower by half or more, agonist treatment instead included, of those",
                change["reduced_50"],
            ),
            "increased": (
                "MME higher, of those",
                (change["change"] >= INCREASE)
                .astype("boolean")
                .where(change["reduced_50"].notna()),
            ),
            "started": ("An opioid, of those without any at time zero", change["new_start"]),
        }
        for measure, (label, answer) in shares.items():
            values = answer.to_numpy(dtype=np.float64, na_value=np.nan)
            found.add(CHANGE, f"opioid_{measure}", label, values, visit=visit)


def _high_doses(
    opened: Analysed,
    found: Description,
    records: pd.DataFrame,
    fills: pd.DataFrame,
    intervals: pd.DataFrame,
) -> None:
    """Describe days at high doses, and with a benzodiazepine beside an opioid, after time zero."""
    clock = opened.per_episode("select position, patient_day, until_day from analysed")
    length = clock["until_day"] - opened.dataset.window_days
    start = clock["patient_day"] + opened.dataset.window_days + 1
    known = ~np.isnan(start) & (length > 0)
    import pandas as pd

    windows = pd.DataFrame(
        {
            "patient_id": opened.dataset.episodes["patient_id"].to_numpy(),
            "start_day": np.where(known, start, np.nan),
            "end_day": np.where(known, start + length - 1, np.nan),
        }
    )
    unknown = dose_unknown(fills, windows)
    counted = {
        f"mme_{dose}": days_at_or_above(intervals, windows, dose).mask(unknown)
        for dose in HIGH_DOSES
    }
    words = {f"mme_{dose}": f"{dose} MME a day or more" for dose in HIGH_DOSES}
    counted["opioid_benzodiazepine"] = concurrent_days(records, windows, fills=fills)
    words["opioid_benzodiazepine"] = "Opioid and benzodiazepine together"
    for measure, days in counted.items():
        values = days.to_numpy(dtype=np.float64, na_value=np.nan)
        any_day = flag(values > 0, ~np.isnan(values))
        found.add(HIGH, f"any_{measure}", f"{words[measure]}, any day", any_day)
        label = f"{words[measure]}: days in follow-up"
        found.add(HIGH, f"days_{measure}", label, values, statistic="mean", unit="d")


_ROUTE_LETTERS: Final = {
    "": "O",
    "unknown": "O",
    "oral": "O",
    "transdermal": "TD",
    "sublingual": "SL",
    "buccal": "SL",
    "nasal": "N",
    "rectal": "R",
    "parenteral": "P",
}
_MILLIGRAMS: Final = {"mg": 1.0, "g": 1000.0, "mcg": 0.001}
DOSED: Final = ("patient_id", "day", "strength", "quantity", "days_supply")
IN_WINDOWS: Final = """
select w.visit, w.position, f.medicine_group,
       sum(m.strength * m.quantity * f.per_unit / nullif(m.days_supply, 0)
           * (least(m.day + m.days_supply - 1, w.end_day) - greatest(m.day, w.start_day) + 1)
           / nullif(w.end_day - w.start_day + 1, 0)) as doses
from dose_windows w
join medicines m on m.patient_id = w.patient_id
  and m.day <= w.end_day and m.day + m.days_supply - 1 >= w.start_day
join dose_factors f on f.product = m.product
where m.days_supply > 0 and m.strength > 0 and m.quantity > 0
group by w.visit, w.position, f.medicine_group
"""


def _defined_doses(
    opened: Analysed, found: Description, records: pd.DataFrame, windows: Windows
) -> None:
    """Describe defined daily doses a day by class, where the catalog holds their values."""
    import pandas as pd

    if not ddd_values():
        opened.left_out.append((DDD, "The catalog was installed without defined daily doses."))
        return
    product, kinds = _products(records)
    factors = pd.DataFrame(
        [(k, *factor) for k, kind in enumerate(kinds) if (factor := _dose_factor(*kind))],
        columns=["product", "medicine_group", "per_unit"],
    )
    opened.cursor.register("dose_factors", factors)
    opened.cursor.register("medicines", records[[*DOSED]].assign(product=product))
    visits = list(windows)
    frames = [
        frame.assign(position=np.arange(opened.n), visit=k)[known]
        for k, (frame, known) in enumerate(windows.values())
    ]
    opened.cursor.register("dose_windows", pd.concat(frames))
    doses = opened.fetch(IN_WINDOWS)
    for group in [g for g in group_labels() if g in set(factors["medicine_group"])]:
        for k, visit in enumerate(visits):
            here = (doses["medicine_group"] == group) & (doses["visit"] == k)
            values = np.where(windows[visit][1], 0.0, np.nan)
            values[doses["position"][here].astype(np.intp)] = doses["doses"][here]
            label = f"{group_labels()[group]}: defined daily doses a day"
            found.add(
                DDD, f"ddd_{group}", label, values, statistic="mean", unit="DDD/day", visit=visit
            )


def _products(records: pd.DataFrame) -> tuple[NDArray[np.intp], list[tuple[str, str, str]]]:
    """Return the number of each record's product (drug, route, unit), and the products."""
    words = records[["drug", "route", "unit"]]
    by_product = words.groupby([*words], sort=True, observed=True, dropna=False)
    number = by_product.ngroup()
    first = ~number.duplicated()
    named = words[first].astype(object)
    named = named.where(named.notna(), "")
    kinds = dict(zip(number[first], named.itertuples(index=False, name=None), strict=True))
    return np.asarray(number, dtype=np.intp), [kinds[k] for k in range(len(kinds))]


def _dose_factor(drug: str, route: str, unit: str) -> tuple[str, float] | None:
    """Return group and defined doses in one unit of strength; None where there is no value."""
    found = ingredients(drug)
    if not found or unit not in _MILLIGRAMS:
        return None
    defined = ddd_values().get((found[0], _ROUTE_LETTERS.get(route, "")))
    if defined is None or defined[1] not in _MILLIGRAMS:
        return None
    return drugs()[found[0]].group, _MILLIGRAMS[unit] / (defined[0] * _MILLIGRAMS[defined[1]])
