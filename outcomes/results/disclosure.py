"""The one gate between what was found and what may be shown.

Every table of a release went through here; pictures and pages read nothing else. Three profiles:

- ``strict``: for readers outside. Counts are rounded to five; none from 1 to threshold - 1 is
  shown, nor can a reader place one in that interval from sums, differences, shares, intervals or
  another table (:mod:`outcomes.results.suppression`). All other numbers are rounded so that they
  say no more than the rounded counts do (:mod:`outcomes.results.coarse_descriptions` and
  :mod:`outcomes.results.coarse_estimates`).
- ``internal``: for the people whose patients these are: exact numbers, small ones included.
- ``public-data``: a published data set, whose counts are known: exact numbers.

The method, what it guarantees and what it does not are in ``docs/methods/disclosure.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from outcomes.core.errors import UsageError
from outcomes.results.coarse_descriptions import DESCRIPTIONS, gate_reason
from outcomes.results.coarse_estimates import (
    NEVER_SHOWN,
    OPEN,
    coarse_estimate,
    estimate_counts,
)
from outcomes.results.pooling import pool_rare
from outcomes.results.relations import build_ledger
from outcomes.results.sentences import coarse_text
from outcomes.results.suppression import choose_hidden
from outcomes.results.tables import ESTIMATE_TABLES, TABLES, build_table
from outcomes.results.view import Exact, Row, View, as_float, records

if TYPE_CHECKING:
    import pandas as pd

Profile = Literal["strict", "internal", "public-data"]
THRESHOLD: Final = 11
SUPPRESSED: Final = "suppressed"


def release_tables(
    tables: Mapping[str, pd.DataFrame], *, profile: Profile, threshold: int = THRESHOLD
) -> dict[str, pd.DataFrame]:
    """Return the tables as they may be shown.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Contract tables with exact numbers. All that are to be released together must be given
        together: the gate looks for what one gives away of another.
    profile : {"strict", "internal", "public-data"}
    threshold : int
        Smallest count that may be known under ``strict``.

    Returns
    -------
    dict of str to DataFrame
        The same rows (rare combinations and levels pooled) with a boolean column ``suppressed``,
        true where a number was hidden because of a small count. Hidden cells are missing.

    Raises
    ------
    UsageError
        For an unknown profile or table, or a threshold below 2.
    DisclosureError
        Where a small count can be worked out and nothing is left to hide.
    """
    _check(tables, profile, threshold)
    if profile != "strict":
        return {name: table.assign(**{SUPPRESSED: False}) for name, table in tables.items()}
    given = pool_rare(tables, threshold)
    ledger = build_ledger(given)
    exact = Exact(
        tables=given,
        ledger=ledger,
        hidden=choose_hidden(ledger, threshold),
        threshold=threshold,
        reasons=_reasons(given),
    )
    return {name: _coarsen(exact, name) for name in given}


def release_words(
    words: Mapping[str, Any], *, profile: Profile, threshold: int = THRESHOLD
) -> dict[str, Any]:
    """Return what a study says beside its tables, with coarse counts under ``strict``.

    Parameters
    ----------
    words : mapping
        Of ``study.json``; its ``notes`` and ``left_out`` hold sentences with counts.
    profile, threshold
        As in :func:`release_tables`.
    """
    if profile != "strict":
        return dict(words)
    left_out = [
        {name: coarse_text(str(text), threshold) for name, text in row.items()}
        for row in words.get("left_out", [])
    ]
    notes = [coarse_text(str(note), threshold) for note in words.get("notes", [])]
    return {**words, "notes": notes, "left_out": left_out}


def _check(tables: Mapping[str, pd.DataFrame], profile: str, threshold: int) -> None:
    if profile not in get_args(Profile):
        raise UsageError(f"profile {profile!r} is not one of {', '.join(get_args(Profile))}.")
    if threshold < 2:
        raise UsageError(f"threshold {threshold} hides nothing; 11 is usual, 2 the least.")
    unknown = sorted(set(tables) - set(TABLES))
    if unknown:
        raise UsageError(f"no table is declared under the name {', '.join(unknown)}.")


def _reasons(tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Return the words of the gate as they were and as they may be shown."""
    rows = records(tables["gate"]) if "gate" in tables else []
    return {str(row["reason"]): gate_reason(row) for row in rows}


def _coarsen(exact: Exact, name: str) -> pd.DataFrame:
    """Return one table with released numbers in place of exact ones."""
    rows, hidden = [], []
    for place, row in enumerate(exact.rows[name]):
        changed = _released(exact.view(name, place))
        rows.append(row | changed)
        hidden.append(any(_lost(row[c], changed[c]) for c in changed if c not in NEVER_SHOWN))
    return build_table(name, rows).assign(**{SUPPRESSED: hidden})


def _released(view: View) -> Row:
    if view.table in ESTIMATE_TABLES:
        return estimate_counts(view) | coarse_estimate(view)
    counts = [c.name for c in TABLES[view.table].columns if c.disclosure == "count"]
    change = DESCRIPTIONS.get(view.table)
    return {name: view.count(name) for name in counts} | (change(view) if change else {})


def _lost(exact: object, released: object) -> bool:
    """Whether a number, or a reason why there is none, was there and is not shown."""
    if isinstance(released, str):
        return released == OPEN and exact != OPEN
    return not math.isnan(as_float(exact)) and math.isnan(as_float(released))
