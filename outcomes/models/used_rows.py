"""The rows that a mixed model uses, coded: all at once, or a part at a time.

Of a table in memory everything is kept, and there is one part. Of Parquet files codes are kept,
some 30 bytes a row: subjects, visits, factors. Their numbers are read with each part, in which all
rows of a subject, and of a cluster, stand together: a part is as small as that allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.models.categories import as_number
from outcomes.models.long_tables import ROWS_AT_ONCE, ParquetTable

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Averaging = Literal["rows", "patients"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Offset:
    """A column that is added to the mean, its coefficient fixed at one.

    Attributes
    ----------
    name : str
    values : (N,) array
    means : dict
        Over rows and over patients.
    """

    name: str
    values: Array
    means: dict[Averaging, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class LongRows:
    """N used rows of n subjects.

    Attributes
    ----------
    frame : DataFrame
        Columns of the formula: floats, or categoricals of the levels that occur. Of a table in
        files the categoricals alone, but all columns in each of its parts.
    subject, visit : (N,) arrays
        Codes.
    group : (N,) array
        Codes into ``groups``.
    weights : (N,) array or None
    offset : Offset or None
    cluster : (N,) array or None
        Codes of what a sandwich keeps together.
    n_subjects : int
    visits, groups : tuple of str
    notes : tuple of str
    place : (N,) array
        Rows of the table that was read, counted from 0.
    labels, clusters : (n,), (c,) arrays
        What the table calls the subjects and the clusters.
    means : dict of str to dict
        Of each numeric column of the formula, over rows and over patients.
    files : ParquetTable or None
        Where the numbers are that ``frame`` leaves out.
    order : str or None
        Column by which ``files`` have to be sorted before all of a subject, or of a cluster, stand
        together.
    """

    frame: pd.DataFrame
    subject: Integers
    visit: Integers
    group: Integers
    weights: Array | None
    offset: Offset | None
    cluster: Integers | None
    n_subjects: int
    visits: tuple[str, ...]
    groups: tuple[str, ...]
    notes: tuple[str, ...]
    place: Integers
    labels: npt.NDArray[Any]
    clusters: npt.NDArray[Any] | None
    means: dict[str, dict[Averaging, float]]
    files: ParquetTable | None = None
    order: str | None = None

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """Levels of each factor of the formula."""
        return {
            name: tuple(self.frame[name].cat.categories)
            for name in map(str, self.frame.columns)
            if name not in self.means
        }

    def numbers(self, names: Sequence[str]) -> pd.DataFrame:
        """Numeric columns of the formula."""
        if self.files is None:
            return self.frame[list(names)]
        return pd.DataFrame({name: as_number(self.files[name])[self.place] for name in names})

    @property
    def cluster_of_subject(self) -> Integers | None:
        """(n,): codes of the clusters of the subjects."""
        return None if self.cluster is None else self.by_subject(self.cluster)

    def by_subject(self, codes: Integers) -> Integers:
        """(n,): of codes (N,) that are the same in all rows of a subject."""
        out = np.zeros(self.n_subjects, dtype=np.int64)
        out[self.subject] = codes
        return out

    def parts(self) -> Iterator[LongRows]:
        """The rows some at a time, all rows of a subject and of a cluster in one part."""
        if self.files is None:
            yield self
            return
        unit = self.subject if self.cluster is None else self.cluster
        held: list[tuple[Integers, pd.DataFrame]] = []
        size, last = 0, -1
        for place, numbers in self.files.batches(list(self.means), self.order):
            index, new = self._used(place, numbers)
            starts = np.flatnonzero(np.diff(unit[index], prepend=last))
            whole = size + starts[-1] if starts.size else 0
            size += index.size
            if size >= ROWS_AT_ONCE and whole:
                cut = starts[-1]
                held.append((index[:cut], new[:cut]))
                yield self._part(held)
                held, size = [(index[cut:], new[cut:])], index.size - cut
            else:
                held.append((index, new))
            last = unit[index[-1]] if index.size else last
        if size:
            yield self._part(held)

    def _used(self, place: Integers, numbers: pd.DataFrame) -> tuple[Integers, pd.DataFrame]:
        """Which used rows these rows of the files are, and the numbers of those that are one."""
        index = np.minimum(np.searchsorted(self.place, place), self.place.size - 1)
        used = self.place[index] == place
        return index[used], pd.DataFrame({n: as_number(numbers[n])[used] for n in numbers})

    def _part(self, held: Sequence[tuple[Integers, pd.DataFrame]]) -> LongRows:
        index = np.concatenate([rows for rows, _ in held])
        numbers = pd.concat([values for _, values in held], ignore_index=True)
        subject, subjects = pd.factorize(self.subject[index])
        return replace(
            self,
            frame=pd.concat([self.frame.iloc[index].reset_index(drop=True), numbers], axis=1),
            subject=subject.astype(np.int64),
            visit=self.visit[index],
            group=self.group[index],
            weights=None if self.weights is None else self.weights[index],
            offset=self.offset and replace(self.offset, values=self.offset.values[index]),
            # Subjects have other codes in a part; what a part keeps together has those of all.
            cluster=(self.subject if self.cluster is None else self.cluster)[index],
            n_subjects=len(subjects),
            place=self.place[index],
            labels=self.labels[subjects],
            files=None,
        )
