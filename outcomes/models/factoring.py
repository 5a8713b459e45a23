r"""The columns of a formula as fixed linear functions of one row of numbers a subject.

Method
------
Visit by visit, each column of the formula's matrix is

* zero for everyone: it has no part at this visit;
* the same number c for everyone: c times the column of ones;
* equal, exactly, to a column of z at every subject seen at this visit (where that column is not
  yet known for a subject, it becomes known): one times that column;
* or new: it becomes a column of z.

A column that does not change over time is thus one column of z however many interactions with the
visit it has; one that does is a column a visit. Only exact equality counts, so that
:math:`B_t z_i` gives back every used row to the last digit. Values of z that no used row needs are
set to the mean of their column; they take no part.

Rows may come in parts of whole subjects. What a later part contradicts, such as a zero that is no
longer one, becomes a new column of z; in all earlier parts it *was* what it had been taken for, its
``past``, so that sums made of those parts are turned into sums with the new column by a linear map
(:meth:`outcomes.stats.cell_sums.Moments.widened`), and no row is read again.

Columns of the first part that are all but combinations of others are untangled
(:mod:`outcomes.stats.untangle`), in all parts alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from outcomes.models.used_rows import LongRows
from outcomes.stats.untangle import Untangled, untangle

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Term = tuple[int, float]
"""A column of z and a factor; a factor of zero is zero whatever the column."""

_SAMPLE = 16


class Factoring:
    """Which column of z each column of the formula is at each visit, as far as parts have told.

    Parameters
    ----------
    visits : sequence of str
    columns : sequence of str
        Names of the formula's columns.

    Attributes
    ----------
    names : list of str
        Of the columns of z; the first is the column of ones.
    """

    def __init__(self, visits: Sequence[str], columns: Sequence[str]) -> None:
        self._visits, self._columns = tuple(visits), tuple(columns)
        self._terms: list[list[Term | None]] = [[None] * len(columns) for _ in visits]
        self._untangled, self._n_parts = Untangled(steps=()), 0
        self.names = ["1"]
        self._past: list[Term | None] = [None]

    @property
    def maps(self) -> Array:
        """(T, p, q): ``maps[t] @ z`` is the design row at visit t."""
        maps = np.zeros((len(self._visits), len(self._columns), len(self.names)))
        for t, terms in enumerate(self._terms):
            for j, term in enumerate(terms):
                if term is not None:
                    maps[t, j, term[0]] = term[1]
        return self._untangled.maps(maps)

    def past(self, n_before: int) -> Array:
        """(q - n_before, n_before): what later columns of z were, in terms of the first ones."""
        out = np.zeros((len(self.names) - n_before, n_before))
        for row, term in zip(out, self._past[n_before:], strict=True):
            if term is not None:
                row[term[0]] = term[1]
        return self._untangled.maps(out)

    def learn(self, matrix: Array, rows: LongRows) -> Array:
        """Factor the matrix (N, p) of a part, and return its z (n, q)."""
        pool = _Pool(rows.n_subjects, len(self.names))
        first = len(self.names)
        for j, t, here in self._cells(rows):
            values, subjects = matrix[here, j], rows.subject[here]
            before = self._terms[t][j]
            if before is not None and pool.holds(before, values, subjects):
                continue
            term = _plain(values) if before is None else None
            if term is None:
                last = self._terms[t - 1][j] if t else None
                candidates = self._candidates(before, first, last)
                term = pool.find(values, subjects, candidates)
            if term is None:
                self.names.append(f"{self._columns[j]} at {self._visits[t]}")
                self._past.append(before)
                term = pool.add(values, subjects)
            self._terms[t][j] = term
        z = pool.finished()
        if not self._n_parts:
            self._untangled = untangle(z)
        self._n_parts += 1
        return self._untangled.columns(z)

    def apply(self, matrix: Array, rows: LongRows) -> Array:
        """Return z (n, q) of a part that has been learnt from."""
        pool = _Pool(rows.n_subjects, len(self.names))
        for j, t, here in self._cells(rows):
            term = self._terms[t][j]
            if term is not None and term[1] and term[0]:
                pool.put(term[0], matrix[here, j], rows.subject[here])
        return self._untangled.columns(pool.finished())

    def _cells(self, rows: LongRows) -> Iterator[tuple[int, int, Integers]]:
        """Columns of the formula, visits, and which rows are at the visit."""
        by_visit = [np.flatnonzero(rows.visit == t) for t in range(len(self._visits))]
        for j in range(len(self._columns)):
            for t, here in enumerate(by_visit):
                if here.size:
                    yield j, t, here

    def _candidates(self, before: Term | None, first: int, last: Term | None) -> list[int]:
        """Columns of z that may serve: any, or those of this part with the same past."""
        if before is None:
            found = list(range(1, len(self.names)))
        else:
            found = [k for k in range(first, len(self.names)) if self._past[k] == before]
        return sorted(found, key=lambda k: last is None or k != last[0])


def _plain(values: Array) -> Term | None:
    """Zero, or a number times the column of ones; None where values differ."""
    return (0, float(values[0])) if (values == values[0]).all() else None


class _Pool:
    """The columns of z of one part; NaN where a value is not yet known."""

    def __init__(self, n_subjects: int, n_columns: int) -> None:
        self._used = n_columns
        self._values = np.empty((max(8, n_columns), n_subjects))
        self._values[1:n_columns] = np.nan
        self._values[0] = 1.0

    def holds(self, term: Term, values: Array, subjects: Integers) -> bool:
        """Whether the values are what the term says; they become known where they were not."""
        k, factor = term
        if k == 0:
            return bool((values == factor).all())
        known = self._values[k, subjects]
        unknown = np.isnan(known)
        if not (unknown | (known == values)).all():
            return False
        if unknown.any():
            self.put(k, values, subjects)
        return True

    def find(self, values: Array, subjects: Integers, candidates: Sequence[int]) -> Term | None:
        """The first of the columns that holds the values; a few subjects are looked at first."""
        if not candidates:
            return None
        some = np.linspace(0, values.size - 1, min(_SAMPLE, values.size)).astype(np.int64)
        known = self._values[np.array(candidates)[:, None], subjects[some]]
        agree = (np.isnan(known) | (known == values[some])).all(axis=1)
        for k, may in zip(candidates, agree, strict=True):
            if may and self.holds((k, 1.0), values, subjects):
                return k, 1.0
        return None

    def add(self, values: Array, subjects: Integers) -> Term:
        """A new column."""
        if self._used == len(self._values):
            self._values = np.concatenate([self._values, np.empty_like(self._values)])
        self._values[self._used] = np.nan
        self._used += 1
        self.put(self._used - 1, values, subjects)
        return self._used - 1, 1.0

    def put(self, k: int, values: Array, subjects: Integers) -> None:
        """Make values known."""
        self._values[k, subjects] = values

    def finished(self) -> Array:
        """(n, q) with the mean of its column for what is not known, zero where nothing is."""
        values = self._values[: self._used]
        for row in values:
            unknown = np.isnan(row)
            if unknown.any():
                row[unknown] = row[~unknown].mean() if not unknown.all() else 0.0
        return np.ascontiguousarray(values.T)
