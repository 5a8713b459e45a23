"""Rows of a long table that take no part in a mixed model, each reason counted in a note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import NotEstimable

Flags = npt.NDArray[np.bool_]


def missing(values: npt.NDArray[Any] | pd.Categorical) -> Flags:
    """Empty cells, of codes those below zero."""
    if isinstance(values, pd.Categorical):
        return np.asarray(values.codes < 0)
    return np.isnan(values) if values.dtype.kind == "f" else np.asarray(values < 0)


def used_rows(
    asked: Flags, response: Mapping[str, Flags], others: Mapping[str, Mapping[str, Flags]]
) -> tuple[Flags, list[str]]:
    """Rows that take part, and a note for each reason why others do not.

    Parameters
    ----------
    asked : (N,) array
        Rows at a visit that was asked for.
    response : mapping
        Where each column of the response is empty.
    others : mapping
        The same of the other columns, by what they are to the model, such as 'a covariate'.
    """
    notes = [] if asked.size else ["The table has no rows."]
    if not asked.all():
        count = int((~asked).sum())
        notes.append(f"{counted(count, 'row is', 'rows are')} at visits that were not asked for.")
    unseen = asked & np.any(list(response.values()), axis=0)
    if unseen.any():
        count = int(unseen.sum())
        rows = f"of {int(asked.sum()):,} rows"
        verbs = ("has no response and was", "have no response and were")
        notes.append(f"{counted(count, f'{rows} {verbs[0]}', f'{rows} {verbs[1]}')} dropped.")
    kept = asked & ~unseen
    used = kept.copy()
    lacking = []
    for what, columns in others.items():
        counts = {name: int((kept & flags).sum()) for name, flags in columns.items()}
        where = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
        lacking += [f"{what} ({where})"] if where else []
        for flags in columns.values():
            used &= ~flags
    if lacking:
        count = int((kept & ~used).sum())
        notes.append(
            f"{counted(count, 'row with a response misses', 'rows with a response miss')} "
            f"{' or '.join(lacking)} and {'was' if count == 1 else 'were'} dropped."
        )
    return used, notes


def check_subjects(n_subjects: int, n_rows: int, notes: Sequence[str]) -> None:
    """Raise where too few subjects are left.

    Raises
    ------
    NotEstimable
    """
    if n_subjects < 2:
        raise NotEstimable(
            f"{counted(n_rows, 'usable row', 'usable rows')} of "
            f"{counted(n_subjects, 'subject', 'subjects')} are left: a model of repeated measures "
            f"needs two or more. {' '.join([*notes, 'Check missing responses and covariates.'])}"
        )


def counted(count: int, one: str, many: str) -> str:
    """A number and what it counts, such as '1 row is' and '1,200 rows are'."""
    return f"{count:,} {one if count == 1 else many}"
