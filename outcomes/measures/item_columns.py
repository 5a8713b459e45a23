"""Which column of a form is which item: exact names first, then the usual ways of numbering."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.catalog.instruments import Instrument, instrument_aliases
from outcomes.core.errors import UsageError

Floats = npt.NDArray[np.float64]

_SINGLE = ("score", "value", "answer")


def item_columns(asked: Instrument, items: pd.DataFrame) -> Floats:
    """Return answers in the catalog's order of items, forms x items; NaN where not answered.

    Raises
    ------
    UsageError
        If no column is an item, or two are the same one.
    """
    columns: dict[str, str] = {}
    for column in items.columns:
        name = item_name(asked, str(column))
        if name and name in columns:
            raise UsageError(f"{asked.id}: two columns are item {name}; keep one.")
        if name:
            columns[name] = column
    if not columns:
        raise UsageError(
            f"{asked.id}: no column is one of its items. It expects {', '.join(asked.items)} "
            f"(or {asked.id}_{asked.items[0]} ...)."
        )
    answers = np.full((len(items), len(asked.items)), np.nan)
    for at, name in enumerate(asked.items):
        if name in columns:
            answers[:, at] = _numbers(items[columns[name]])
    return answers


def _numbers(column: pd.Series) -> Floats:
    """Return answers as numbers; text that is no number becomes an impossible answer."""
    number = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    written = column.notna().to_numpy() & (column.astype("object").astype(str).str.strip() != "")
    return np.where(np.isnan(number) & written, np.inf, number)


def item_name(asked: Instrument, column: str) -> str:
    """Return the item that a column holds, empty where it holds none."""
    exact = {name.lower(): name for name in asked.items}
    plain = column.strip().lower()
    for written in (plain, _without_prefix(plain, _names(asked))):
        if written in exact:
            return exact[written]
        number = re.fullmatch(r"(?:item|question|q|i)?[\s_.\-]*0*(\d+[a-z]?)", written)
        if number and number.group(1) in exact:
            return exact[number.group(1)]
    lone = len(asked.items) == 1 and plain in (*_names(asked), *_SINGLE)
    return asked.items[0] if lone else ""


def _names(asked: Instrument) -> tuple[str, ...]:
    own = asked.id.split(".")[0]
    aliases = (alias for alias, known in instrument_aliases().items() if known == own)
    return (own, own.replace("_", ""), *aliases)


def _without_prefix(text: str, names: Iterable[str]) -> str:
    for name in sorted(names, key=len, reverse=True):
        if text.startswith(name):
            return text[len(name) :].lstrip(" _.-")
    return text
