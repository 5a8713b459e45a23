"""Prescription records to fills: how much morphine equivalent on which days, and why not.

One record covers the days ``day .. day + days_supply - 1``. Its daily dose is

    strength x quantity / days_supply x factor,

and for a patch the strength of the patches worn at one time x the worn factor, whatever the
dispensing rule of the factor table. Patches worn at one time are quantity x wear interval / days of
supply; the interval is 72 h unless the record says otherwise, or 48 h where only that gives a whole
number. Without days of supply a patch record lasts quantity x interval.

An early refill of the same product (ingredient, strength, unit, route, form) starts when the supply
at hand ends, but the supply carried over never exceeds seven days within a chain of refills; what
is beyond that, and every other product, is taken at the same time. Exact duplicates are one record.
No record is dropped without a status that says why.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import UsageError
from outcomes.measures.products import (
    COUNTED,
    NO_FACTOR,
    OUTSIDE,
    UNKNOWN_DRUG,
    UNKNOWN_UNIT,
    conversion,
)

AsNeeded = Literal["prescribed", "dispensed", "exclude"]
Overlap = Literal["sum", "concurrent"]
Ints = npt.NDArray[np.int64]

DUPLICATE: Final = "duplicate"
LEFT_OUT: Final = "as_needed_left_out"
NOT_COMPUTABLE: Final = (
    UNKNOWN_DRUG,
    UNKNOWN_UNIT,
    NO_FACTOR,
    "strength_invalid",
    "quantity_invalid",
    "days_supply_missing",
    "days_supply_invalid",
    "implausible_dose",
)
"""Statuses of records that may hide opioid doses: totals beside them are lower bounds."""

CARRY_LIMIT: Final = 7
MAX_DAYS_SUPPLY: Final = 180
MAX_MME: Final = 1000.0
PATCH_HOURS: Final = 72.0
SHORT_PATCH_HOURS: Final = 48.0
MAX_SPREAD: Final = 90
NEAR_WHOLE: Final = 0.1

REQUIRED: Final = ("patient_id", "day", "drug", "strength", "unit", "quantity", "days_supply")
_PRODUCT: Final = ("drug", "route", "form", "unit")
_FOUND: Final = ("ingredient", "status", "unit_scale", "factor", "patch", "route_assumed")


def derive_fills(
    medications: pd.DataFrame,
    *,
    factors: str = "cdc-2022",
    overlap: Overlap = "sum",
    as_needed: AsNeeded = "prescribed",
) -> pd.DataFrame:
    """Return one row a record, in the order given: its status, days and daily dose.

    Parameters
    ----------
    medications : DataFrame
        The canonical table; ``route``, ``form``, ``as_needed``, ``oud`` (dispensed by an opioid
        treatment program), ``wear_hours`` and ``dispensing_id`` are used where there.
    factors : str
        Version of the conversion factors.
    overlap : {"sum", "concurrent"}
        ``sum`` carries early refills forward (at most seven days) before adding up; ``concurrent``
        adds up as recorded.
    as_needed : {"prescribed", "dispensed", "exclude"}
        ``prescribed`` believes the days of supply; ``dispensed`` spreads an as-needed fill until
        the next one of the product (at most 90 days); ``exclude`` leaves it out.

    Returns
    -------
    DataFrame
        ``patient_id, ingredient, status, unit_scale, factor, patch, route_assumed, product, days,
        days_derived, dose, patch_flag, mme, start_day, moved_days, end_day``; ``dose`` in the
        factor's unit a day; days are missing where the record does not tell.

    Raises
    ------
    UsageError
        If a required column or an option is not there.
    """
    _check(medications, overlap, as_needed)
    frame = medications.reset_index(drop=True)
    fills = _converted(frame, factors)
    _set_days(fills, frame)
    _set_dose(fills, frame)
    if as_needed != "prescribed" and "as_needed" in frame:
        _treat_as_needed(fills, frame, as_needed)
    _judge(fills)
    fills["moved_days"] = _carried(fills) if overlap == "sum" else 0
    fills["start_day"] += fills["moved_days"]
    fills["end_day"] = fills["start_day"] + fills["days"] - 1
    fills.index = medications.index
    return fills


def _check(medications: pd.DataFrame, overlap: str, as_needed: str) -> None:
    missing = [name for name in REQUIRED if name not in medications]
    if missing:
        raise UsageError(f"The medications table lacks the columns {', '.join(missing)}.")
    if overlap not in ("sum", "concurrent"):
        raise UsageError(f"overlap must be 'sum' or 'concurrent', not {overlap!r}.")
    if as_needed not in ("prescribed", "dispensed", "exclude"):
        known = "'prescribed', 'dispensed' or 'exclude'"
        raise UsageError(f"as_needed must be {known}, not {as_needed!r}.")


def _converted(frame: pd.DataFrame, factors: str) -> pd.DataFrame:
    """Look every product up once and spread what was found over its records."""
    words = {name: _words(frame[name]) for name in _PRODUCT if name in frame}
    numbers_of_words = {name: number for name, (number, _) in words.items()}
    code, kinds = _codes(pd.DataFrame(numbers_of_words, index=frame.index))
    for name in _PRODUCT:
        kinds[name] = [words[name][1][k] for k in kinds[name]] if name in words else ""
    found = [conversion(*kind, factors=factors) for kind in kinds[[*_PRODUCT]].to_numpy()]
    fills = pd.DataFrame({"patient_id": frame["patient_id"]})
    for name in _FOUND:
        fills[name] = _spread([getattr(one, name) for one in found], code)
    strength = numbers(frame["strength"])
    fills["product"], _ = _codes(pd.DataFrame({"kind": code, "strength": strength}))
    fills["start_day"] = pd.to_numeric(frame["day"]).astype("int64")
    if "oud" in frame:
        dispensed_there = frame["oud"].fillna(False).astype(bool)
        fills.loc[dispensed_there & (fills["ingredient"] == "methadone"), "status"] = OUTSIDE
    same = [name for name in frame if name not in ("record_id", "prescription_id")]
    fills.loc[frame.duplicated(same), "status"] = DUPLICATE
    return fills


def _spread(values: list[Any], code: Ints) -> Any:
    return pd.Series(values, dtype="object").to_numpy()[code] if values else []


def numbers(column: pd.Series) -> pd.Series:
    """Return a column as floating numbers, missing where it holds none."""
    return pd.to_numeric(column, errors="coerce").astype("float64")


def _words(column: pd.Series) -> tuple[Ints, list[str]]:
    """Return the number of each record's word, and the words in plain form; "" where missing."""
    code, known = pd.factorize(column)
    plain = [*(str(word).strip().lower() for word in known), ""]
    number, words = pd.factorize(np.array(plain, dtype=object))
    return np.asarray(number[code], dtype=np.int64), [str(word) for word in words]


def _codes(frame: pd.DataFrame) -> tuple[Ints, pd.DataFrame]:
    """Return a number for every distinct row, and the distinct rows in that order."""
    grouped = frame.groupby(list(frame.columns), sort=False, dropna=False)
    code = grouped.ngroup().to_numpy(dtype=np.int64)
    return np.asarray(code), frame.loc[~frame.duplicated()]


def _set_days(fills: pd.DataFrame, frame: pd.DataFrame) -> None:
    """Set how long each record lasts; patches without days of supply by their wear interval."""
    days = numbers(frame["days_supply"])
    quantity = numbers(frame["quantity"])
    derived = days.isna() & fills["patch"].astype(bool) & (quantity > 0)
    days = days.where(~derived, quantity * _wear_hours(frame) / 24.0)
    fills["days_derived"] = derived
    _mark(fills, days.isna(), "days_supply_missing")
    _mark(fills, (days < 1) | (days > MAX_DAYS_SUPPLY), "days_supply_invalid")
    fills["days"] = np.ceil(days.where((days >= 1) & (days <= MAX_DAYS_SUPPLY)))


def _wear_hours(frame: pd.DataFrame) -> pd.Series:
    if "wear_hours" not in frame:
        return pd.Series(PATCH_HOURS, index=frame.index)
    return numbers(frame["wear_hours"]).fillna(PATCH_HOURS)


def _mark(fills: pd.DataFrame, wrong: pd.Series, status: str) -> None:
    """Give a status to counted records that fail a rule; the first failure stays."""
    fills.loc[wrong & (fills["status"] == COUNTED), "status"] = status


def _set_dose(fills: pd.DataFrame, frame: pd.DataFrame) -> None:
    """Set the dose a day, in the unit of the factor, and the morphine equivalents."""
    strength = numbers(frame["strength"])
    quantity = numbers(frame["quantity"])
    _mark(fills, ~(strength > 0), "strength_invalid")
    _mark(fills, ~(quantity > 0), "quantity_invalid")
    patch = fills["patch"].astype(bool)
    worn, odd = _patches_worn(quantity, fills["days"], _wear_hours(frame))
    a_day = worn.where(patch, quantity / fills["days"])
    # the product of strength and quantity comes first: 50 x 20 / 3 x .15 is then 50, not 49.99...
    fills["dose"] = strength * a_day * fills["unit_scale"].astype(float)
    fills["patch_flag"] = patch & odd
    fills["mme"] = fills["dose"] * fills["factor"].astype(float)


def _patches_worn(
    quantity: pd.Series, days: pd.Series, hours: pd.Series
) -> tuple[pd.Series, pd.Series]:
    """Return how many patches are worn at one time, and where not at the stated interval."""
    stated = quantity * hours / 24.0 / days
    short = quantity * SHORT_PATCH_HOURS / 24.0 / days
    fits, fits_short = _near_whole(stated), _near_whole(short)
    worn = stated.round().where(fits, short.round().where(fits_short, np.ceil(stated - 0.5)))
    return worn.clip(lower=1.0), ~fits


def _near_whole(values: pd.Series) -> pd.Series:
    return ((values - values.round()).abs() <= NEAR_WHOLE) & (values.round() >= 1)


def _judge(fills: pd.DataFrame) -> None:
    _mark(fills, fills["mme"] > MAX_MME, "implausible_dose")


def _treat_as_needed(fills: pd.DataFrame, frame: pd.DataFrame, as_needed: AsNeeded) -> None:
    chosen = frame["as_needed"].fillna(False).astype(bool) & (fills["status"] == COUNTED)
    if as_needed == "exclude":
        fills.loc[chosen, "status"] = LEFT_OUT
        return
    following = _next_start(fills)
    days = (following - fills["start_day"]).clip(upper=MAX_SPREAD)
    longer = chosen & (days > fills["days"])
    share = (fills["days"] / days).where(longer, 1.0)
    fills["days"] = fills["days"].where(~longer, days)
    for name in ("dose", "mme"):
        fills[name] = fills[name] * share


def _next_start(fills: pd.DataFrame) -> pd.Series:
    """Return when the patient's next counted fill of the product starts; missing for the last."""
    counted = fills.loc[fills["status"] == COUNTED]
    ordered = counted.sort_values(["patient_id", "product", "start_day"], kind="stable")
    following = ordered.groupby(["patient_id", "product"], sort=False)["start_day"].shift(-1)
    return following.reindex(fills.index)


def _carried(fills: pd.DataFrame) -> pd.Series:
    """Return by how many days each fill starts later because supply of the product was at hand.

    The supply at hand runs along a chain of refills, ``carried[k] = min(limit, max(0, end[k-1] + 1
    - day[k]))`` with ``end`` after carrying: one pass over the k-th fills of all chains at a time.
    """
    counted = fills.loc[fills["status"] == COUNTED]
    ordered = counted.sort_values(["patient_id", "product", "start_day"], kind="stable")
    rank = ordered.groupby(["patient_id", "product"], sort=False).cumcount().to_numpy()
    day = ordered["start_day"].to_numpy(dtype=np.int64)
    length = ordered["days"].to_numpy(dtype=np.int64)
    carried = np.zeros(len(ordered), dtype=np.int64)
    end = day + length - 1
    by_rank = np.argsort(rank, kind="stable")
    bounds = np.flatnonzero(np.diff(rank[by_rank])) + 1
    for later in np.split(by_rank, bounds)[1:]:
        supply = end[later - 1] + 1 - day[later]
        carried[later] = np.clip(supply, 0, CARRY_LIMIT)
        end[later] = np.maximum(end[later - 1], day[later] + carried[later] + length[later] - 1)
    return pd.Series(carried, index=ordered.index).reindex(fills.index, fill_value=0)
