"""Opioid dose over time, and which medicines were in use.

Morphine milligram equivalents (MME) of all opioids active on a day are added up. The result is kept
as intervals of constant dose, not as days. Doses are added as integers of a millionth MME, so that
a threshold of 50 is met by 50 (Dasgupta et al. 2021 show how much rounding and the sign of the
comparison move such shares).

Buprenorphine, and methadone dispensed by an opioid treatment program, are outside MME; they count
as ``opioid_agonist`` and, with the other opioids, as ``any_opioid``. Records whose dose cannot be
computed are counted by reason and make the days they touch a lower bound; they are never read as
zero: the dose of a window that one of a known opioid touches is not known (:func:`dose_unknown`),
though its use is. A medicine that the catalog does not know counts as neither. Records cannot say
whether a medicine was taken, and a person without any record in a source that does not cover them
is missing, not a non-user: that judgement is the study's.

References: dasgupta2021, cdc2022_table, ltot_review2021 in the catalog's sources.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.catalog.medications import (
    ANY_OPIOID,
    OPIOID,
    OPIOID_AGONIST,
    drug_group,
    drug_groups,
    group_labels,
    mme_factors,
)
from outcomes.core.errors import UsageError
from outcomes.measures.fills import NOT_COMPUTABLE, AsNeeded, Overlap, derive_fills, numbers
from outcomes.measures.products import COUNTED, UNKNOWN_DRUG
from outcomes.measures.sweep import sweep, total_up_to, touches

Ints = npt.NDArray[np.int64]

MICRO: Final = 1_000_000
WINDOW: Final = ("patient_id", "start_day", "end_day")


def daily_mme(
    medications: pd.DataFrame,
    factors: str = "cdc-2022",
    overlap: Overlap = "sum",
    as_needed: AsNeeded = "prescribed",
    by_day: bool = False,
) -> pd.DataFrame:
    """Return the daily dose of all opioids, in oral morphine milligrams, while there is any.

    Parameters
    ----------
    medications : DataFrame
        The canonical table, one row a prescription or dispensing; days on the patient's clock.
    factors : str
        Version of the conversion factors (``outcomes catalog medications`` lists them).
    overlap : {"sum", "concurrent"}
        ``sum`` carries early refills of the same product forward, at most seven days in a chain,
        and adds up what overlaps; ``concurrent`` adds up as recorded.
    as_needed : {"prescribed", "dispensed", "exclude"}
        How fills taken as needed are read; see :func:`outcomes.measures.fills.derive_fills`.
    by_day : bool
        One row a day instead of one a stretch of days.

    Returns
    -------
    DataFrame
        ``patient_id, start_day, end_day, mme, n_products, lower_bound`` (with ``by_day``: ``day``
        in place of the two), sorted by patient and day. ``lower_bound``: a record that could not be
        computed covers the days too. ``attrs["statuses"]`` counts records by status,
        ``attrs["days_moved"]`` the days that refills were carried forward.
    """
    fills = derive_fills(medications, factors=factors, overlap=overlap, as_needed=as_needed)
    intervals = mme_intervals(fills, factors)
    if by_day:
        intervals = _by_day(intervals)
    counts = fills["status"].value_counts()
    intervals.attrs["factors"] = factors
    intervals.attrs["statuses"] = {str(name): int(count) for name, count in counts.items()}
    intervals.attrs["days_moved"] = int(fills["moved_days"].sum())
    return intervals


def mme_intervals(fills: pd.DataFrame, factors: str = "cdc-2022") -> pd.DataFrame:
    """Return intervals of constant dose from derived fills."""
    patient, ids = pd.factorize(fills["patient_id"], sort=True)
    spans = np.column_stack([patient, *_days_of(fills)])
    counted = fills["status"].to_numpy() == COUNTED
    unclear = fills["status"].isin(NOT_COMPUTABLE).to_numpy()
    banded = counted & fills["factor"].astype(float).isna().to_numpy()
    plain = counted & ~banded
    parts = [
        _doses(spans[plain], _micro(fills["mme"])[plain], _whole(fills["product"])[plain]),
        _banded_doses(spans[banded], _micro(fills["dose"])[banded], factors),
        np.column_stack([spans[unclear], np.zeros((unclear.sum(), 2), np.int64)]),
    ]
    stacked = np.concatenate(parts)
    hidden = np.repeat([0, 0, 1], [len(part) for part in parts])
    values = np.column_stack([stacked[:, 3], stacked[:, 4], hidden])
    swept = sweep(stacked[:, 0], stacked[:, 1], stacked[:, 2], values)
    return _interval_table(*swept, ids)


def _days_of(fills: pd.DataFrame) -> tuple[Ints, Ints]:
    """Return first and last day of each fill; its first day alone where its length is missing."""
    return _whole(fills["start_day"]), _whole(fills["end_day"].fillna(fills["start_day"]))


def _whole(column: pd.Series) -> Ints:
    return np.asarray(column.to_numpy(dtype=np.int64))


def _micro(column: pd.Series) -> Ints:
    doses = column.to_numpy(dtype=float, na_value=0.0)
    return np.asarray(np.rint(doses * MICRO), dtype=np.int64)


def _doses(spans: Ints, micro: Ints, product: Ints) -> Ints:
    """Return (patient, start, end, micro MME, 1): one product's overlaps are added up first."""
    patient, start, end = spans.T
    n_products = int(product.max(initial=0)) + 1
    key, start, end, dose = sweep(patient * n_products + product, start, end, micro[:, None])
    return np.column_stack([key // n_products, start, end, dose, np.ones(len(key), np.int64)])


def _banded_doses(spans: Ints, micro: Ints, factors: str) -> Ints:
    """Return the same where the factor depends on the day's dose; bands closed on the right."""
    patient, start, end, dose = sweep(spans[:, 0], spans[:, 1], spans[:, 2], micro[:, None])
    bands = sorted(
        (row.dose_above, row.factor or 0.0)
        for row in mme_factors(factors)
        if row.dose_above is not None
    )
    if not bands:
        return np.zeros((0, 5), np.int64)
    edges = np.rint(np.array([edge for edge, _ in bands]) * MICRO).astype(np.int64)
    factor = np.array([value for _, value in bands])
    band = np.searchsorted(edges, dose[:, 0], side="left") - 1
    micro_mme = np.rint(dose[:, 0] * factor[band]).astype(np.int64)
    return np.column_stack([patient, start, end, micro_mme, np.ones(len(patient), np.int64)])


def _interval_table(
    patient: Ints, start: Ints, end: Ints, sums: Ints, ids: pd.Index
) -> pd.DataFrame:
    active = sums[:, 1] > 0
    return pd.DataFrame(
        {
            "patient_id": ids[patient[active]],
            "start_day": start[active],
            "end_day": end[active],
            "mme": sums[active, 0] / MICRO,
            "n_products": sums[active, 1],
            "lower_bound": sums[active, 2] > 0,
        }
    )


def _by_day(intervals: pd.DataFrame) -> pd.DataFrame:
    length = _whole(intervals["end_day"] - intervals["start_day"] + 1)
    days = intervals.loc[intervals.index.repeat(length)].reset_index(drop=True)
    first = np.repeat(np.cumsum(length) - length, length)
    days.insert(1, "day", days["start_day"] + np.arange(len(days)) - first)
    return days.drop(columns=["start_day", "end_day"])


def average_mme(intervals: pd.DataFrame, windows: pd.DataFrame) -> pd.Series:
    """Return the mean daily MME over each window: all its days count, those without opioid as zero.

    Parameters
    ----------
    intervals : DataFrame
        Of :func:`daily_mme`, not expanded by day.
    windows : DataFrame
        ``patient_id, start_day, end_day``, both days included, on the patient's clock.

    Returns
    -------
    Series
        On the index of ``windows``; missing where the window has no day.
    """
    _check_windows(windows)
    patient, at = _codes(intervals["patient_id"], windows["patient_id"])
    start, end = _whole(intervals["start_day"]), _whole(intervals["end_day"])
    micro = _micro(intervals["mme"])
    first, last, usable = _window_days(windows)
    total = total_up_to(patient, start, end, micro, at, last)
    total -= total_up_to(patient, start, end, micro, at, first - 1)
    mean = total / MICRO / np.where(usable, last - first + 1, 1)
    return pd.Series(np.where(usable, mean, np.nan), index=windows.index, name="mme")


def dose_unknown(fills: pd.DataFrame, windows: pd.DataFrame) -> pd.Series:
    """Return whether each window is touched by a record of an opioid that gives no dose.

    The mean over such a window is a lower bound: zero, where there is no other record.

    Parameters
    ----------
    fills : DataFrame
        Of :func:`outcomes.measures.fills.derive_fills`.
    windows : DataFrame
        As of :func:`average_mme`.
    """
    _check_windows(windows)
    opioid = fills["status"].isin(set(NOT_COMPUTABLE) - {UNKNOWN_DRUG})
    unclear = fills.loc[opioid]
    patient, at = _codes(unclear["patient_id"], windows["patient_id"])
    first, last, usable = _window_days(windows)
    touched = touches(patient, *_days_of(unclear), at, first, last)
    return pd.Series(touched & usable, index=windows.index, name="dose_unknown")


def days_at_or_above(intervals: pd.DataFrame, windows: pd.DataFrame, mme: float) -> pd.Series:
    """Return on how many days of each window the dose is at or above a descriptive threshold.

    ``mme`` = 0 counts the days with any opioid. Thresholds describe; they are not limits of safe
    use.
    """
    high = intervals.loc[_micro(intervals["mme"]) >= round(mme * MICRO)]
    flags = high.assign(mme=1.0)
    length = windows["end_day"] - windows["start_day"] + 1
    days = average_mme(flags, windows) * length
    return days.round().rename("days")


def classes_used(
    medications: pd.DataFrame, windows: pd.DataFrame, *, fills: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return which groups of medicines each window touches, one boolean column a group.

    A record counts from its day for its days of supply; for its day alone where these are missing.
    With ``fills``, derived from some or all of the records and on their index, a record whose dose
    counts is in use on the days of its dose, refills carried forward. Columns are the catalog's
    groups (``opioid``, ``opioid_agonist``, ``nsaid``, ...) and ``any_opioid``. ``attrs["unknown"]``
    counts records whose medicine is not known.
    """
    _check_windows(windows)
    used, kinds = _uses(medications, fills)
    patient, at = _codes(used["patient_id"], windows["patient_id"])
    first, last, usable = _window_days(windows)
    start, end = _whole(used["start_day"]), _whole(used["end_day"])
    table = pd.DataFrame(index=windows.index)
    order = np.argsort(at, kind="stable")  # neighbours are looked up faster
    asked = (at[order], first[order], last[order])
    for group in group_labels():
        rows = _in_group(used["kind"], kinds, group)
        hit = np.zeros(len(windows), dtype=bool)
        hit[order] = touches(patient[rows], start[rows], end[rows], *asked)
        table[group] = hit & usable
    table[ANY_OPIOID] = table[OPIOID] | table[OPIOID_AGONIST]
    in_no_group = np.array([not names for names in kinds], dtype=bool)
    table.attrs["unknown"] = int(np.count_nonzero(in_no_group[used["kind"]]))
    return table


def concurrent_days(
    medications: pd.DataFrame,
    windows: pd.DataFrame,
    first: str = ANY_OPIOID,
    second: str = "benzodiazepine",
    *,
    fills: pd.DataFrame | None = None,
) -> pd.Series:
    """Return on how many days of each window medicines of two groups were at hand together."""
    used, kinds = _uses(medications, fills)
    patient, ids = pd.factorize(used["patient_id"], sort=True)
    flags = np.column_stack([_in_group(used["kind"], kinds, name) for name in (first, second)])
    spans = (_whole(used["start_day"]), _whole(used["end_day"]))
    who, start, end, sums = sweep(patient.astype(np.int64), *spans, flags.astype(np.int64))
    both = np.all(sums > 0, axis=1)
    days = pd.DataFrame(
        {"patient_id": ids[who[both]], "start_day": start[both], "end_day": end[both], "mme": 1.0}
    )
    length = windows["end_day"] - windows["start_day"] + 1
    return (average_mme(days, windows) * length).round().rename("days")


def _in_group(kind: pd.Series, kinds: list[tuple[str, ...]], name: str) -> npt.NDArray[np.bool_]:
    wanted = {OPIOID, OPIOID_AGONIST} if name == ANY_OPIOID else {name}
    inside = [not wanted.isdisjoint(names) for names in kinds]
    return np.asarray(np.array(inside, dtype=bool)[kind.to_numpy()])


def drug_class(drug: str) -> str | None:
    """Return the group a medicine is reported under; None where the catalog does not know it."""
    return drug_group(drug)


def _uses(
    medications: pd.DataFrame, fills: pd.DataFrame | None
) -> tuple[pd.DataFrame, list[tuple[str, ...]]]:
    """Return one row a record: patient, kind of medicine, first and last day; and the kinds.

    A kind is the groups that a medicine is in, none where it is missing or not known.
    """
    code, known = pd.factorize(medications["drug"])
    kinds = [tuple(drug_groups(str(name))) for name in known]
    kinds += [(), (OPIOID_AGONIST,)]
    days = numbers(medications["days_supply"]).fillna(1).clip(lower=1)
    start = pd.to_numeric(medications["day"]).astype("int64").to_numpy()
    uses = pd.DataFrame(
        {
            "patient_id": medications["patient_id"].to_numpy(),
            "kind": np.where(code < 0, len(known), code),
            "start_day": start,
            "end_day": start + np.ceil(days.to_numpy()).astype(np.int64) - 1,
        }
    )
    if fills is not None:
        dosed = fills.loc[fills["status"] == COUNTED]
        at = medications.index.get_indexer(dosed.index)
        for name, days_of in zip(("start_day", "end_day"), _days_of(dosed), strict=True):
            uses.loc[at, name] = days_of
    if "oud" in medications:
        flagged = medications["oud"].fillna(False).astype(bool).to_numpy()
        program = flagged & _in_group(uses["kind"], kinds, OPIOID)
        uses.loc[program, "kind"] = len(kinds) - 1
    return uses, kinds


def _codes(known: pd.Series, asked: pd.Series) -> tuple[Ints, Ints]:
    """Return patients as sorted numbers; patients who are only asked for come behind all others."""
    code, ids = pd.factorize(known, sort=True)
    at = ids.get_indexer(pd.Index(asked))
    return code.astype(np.int64), np.where(at < 0, len(ids), at).astype(np.int64)


def _check_windows(windows: pd.DataFrame) -> None:
    missing = [name for name in WINDOW if name not in windows]
    if missing:
        raise UsageError(f"The windows lack the columns {', '.join(missing)}.")


def _window_days(windows: pd.DataFrame) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Return first and last day, and which windows have a day at all."""
    first = numbers(windows["start_day"]).to_numpy()
    last = numbers(windows["end_day"]).to_numpy()
    usable = np.isfinite(first) & np.isfinite(last) & (last >= first)
    days = (np.where(usable, first, 0).astype(np.int64), np.where(usable, last, 0).astype(np.int64))
    return *days, usable
