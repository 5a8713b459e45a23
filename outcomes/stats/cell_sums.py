"""The moments type: sums over subjects by cell, which add, subtract and travel as bytes.

What the sums are and why they suffice is in :mod:`outcomes.stats.moments`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import UsageError
from outcomes.stats.layout import Layout
from outcomes.stats.moments_file import pack, unpack

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_ARRAYS = ("cluster", "group", "pattern", "count", "weight", "log_weight", "products")


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Sums over subjects by cell, in order of cluster, group, pattern.

    Attributes
    ----------
    layout : Layout
    cluster, group, pattern : (K,) integer arrays
        Keys of the cells. Bit t of a pattern is set where visit t is seen.
    count : (K,) integer array
        Subjects.
    weight, log_weight : (K,) arrays
        Sum of the subjects' weights (their mean over the seen visits), and of the logarithms.
    products : (K, B, D, D) array
        ``G`` of :mod:`outcomes.stats.moments`, D = 1 + q + T; B is 1, or T (T + 1) / 2 visit pairs
        (a, b) with a <= b.
    """

    layout: Layout
    cluster: Integers
    group: Integers
    pattern: Integers
    count: Integers
    weight: Array
    log_weight: Array
    products: Array

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """(K, T): which visits a cell has."""
        return _seen(self.pattern, self.layout.n_visits)

    @property
    def n_cells(self) -> int:
        """K."""
        return self.pattern.size

    @property
    def n_subjects(self) -> int:
        """Subjects with at least one seen visit."""
        return int(self.count.sum())

    @property
    def n_observations(self) -> int:
        """Seen responses."""
        return int(self.count @ self.seen.sum(axis=1))

    @property
    def patterns(self) -> dict[tuple[bool, ...], int]:
        """Subjects by pattern of seen visits, the most frequent first."""
        keys, where = np.unique(self.pattern, return_inverse=True)
        counts = np.bincount(where, weights=self.count, minlength=keys.size).astype(int)
        order = np.argsort(-counts, kind="stable")
        rows = _seen(keys, self.layout.n_visits)
        return {tuple(bool(b) for b in rows[k]): int(counts[k]) for k in order}

    @property
    def clusters(self) -> Integers:
        """Keys of the clusters, ascending."""
        return np.unique(self.cluster)

    @property
    def varies_by_visit(self) -> bool:
        """Whether blocks are kept by visit pair."""
        return bool(self.products.shape[1] > 1)

    def select(self, clusters: Iterable[int]) -> Moments:
        """The subjects of these clusters."""
        return self._take(np.isin(self.cluster, np.fromiter(clusters, dtype=np.int64)))

    def without(self, clusters: Iterable[int]) -> Moments:
        """All but the subjects of these clusters."""
        return self._take(~np.isin(self.cluster, np.fromiter(clusters, dtype=np.int64)))

    def at(self, visits: Sequence[str]) -> Moments:
        """The sums with some of the visits alone, as if the others had never been planned.

        Subjects seen at none of them take no part.

        Raises
        ------
        UsageError
            Where weights vary by visit: sums of logarithms cannot be told apart then.
        """
        if tuple(visits) == self.layout.visits:
            return self
        if self.varies_by_visit:
            raise UsageError("Visits cannot be taken out of moments with weights by visit.")
        layout = self.layout.at(visits)
        places = [self.layout.visits.index(visit) for visit in visits]
        start = 1 + self.layout.n_columns
        columns = np.array([*range(start), *(start + place for place in places)])
        seen = self.seen[:, places]
        share = seen.sum(axis=1) / np.maximum(self.seen.sum(axis=1), 1)
        fewer = replace(
            self,
            layout=layout,
            pattern=seen @ (1 << np.arange(len(places))),
            log_weight=self.log_weight * share,
            products=self.products[:, :, columns[:, None], columns],
        )
        return _merge(fewer._take(np.asarray(seen.any(axis=1))))

    def widened(self, layout: Layout, past: Array) -> Moments:
        """The sums with further columns of z, which were combinations of those already there.

        Parameters
        ----------
        layout : Layout
            Of all columns; its first are those of these moments.
        past : (m, q) array
            The m further columns are ``past @ z``.
        """
        old, new = self.layout.n_columns, layout.n_columns
        if old == new:
            return self
        to_new = np.zeros((layout.wide, self.layout.wide))
        kept = [*range(old + 1), *range(new + 1, layout.wide)]
        to_new[kept, range(self.layout.wide)] = 1.0
        added = slice(old + 1, new + 1)
        scale = layout.scale[old:new]
        to_new[added, 1 : old + 1] = past * self.layout.scale[:old] / scale[:, None]
        to_new[added, 0] = (past @ self.layout.shift[:old] - layout.shift[old:new]) / scale
        return replace(self, layout=layout, products=to_new @ self.products @ to_new.T)

    def total(self) -> Moments:
        """Sum over clusters; every cell then has cluster 0."""
        if not self.cluster.any():
            return self
        return _merge(replace(self, cluster=np.zeros_like(self.cluster)))

    def __add__(self, other: Moments) -> Moments:
        return _merge(_join(self, other, 1))

    def __sub__(self, other: Moments) -> Moments:
        """Take away subjects that are part of these moments."""
        left = _merge(_join(self, other, -1))
        if (left.count < 0).any():
            raise UsageError("Only moments of subjects that are part of these can be taken away.")
        return left._take(left.count > 0)

    def to_bytes(self) -> bytes:
        """Versioned, platform-independent bytes; see :mod:`outcomes.stats.moments_file`."""
        return pack(self.layout, {name: getattr(self, name) for name in _ARRAYS})

    @staticmethod
    def from_bytes(data: bytes) -> Moments:
        """Read what :meth:`to_bytes` wrote.

        Raises
        ------
        UsageError
            Where the bytes are not moments, are of another version, or are damaged.
        """
        layout, arrays = unpack(data)
        return Moments(layout=layout, **arrays)

    def _take(self, cells: npt.NDArray[np.bool_]) -> Moments:
        return replace(self, **{name: getattr(self, name)[cells] for name in _ARRAYS})


def empty_sums(layout: Layout, keys: Integers, blocks: int) -> Moments:
    """Zeros in cells with these keys (K, 3): cluster, group, pattern."""
    keys = keys.reshape(-1, 3)
    cells = keys.shape[0]
    return Moments(
        layout=layout,
        cluster=keys[:, 0].copy(),
        group=keys[:, 1].copy(),
        pattern=keys[:, 2].copy(),
        count=np.zeros(cells, dtype=np.int64),
        weight=np.zeros(cells),
        log_weight=np.zeros(cells),
        products=np.zeros((cells, blocks, layout.wide, layout.wide)),
    )


def _join(first: Moments, second: Moments, sign: int) -> Moments:
    """Cells of both behind each other, those of the second times ``sign``."""
    if not first.layout.same_as(second.layout):
        raise UsageError(
            "Moments can only be added where columns, visits, groups, shift and scale are the "
            "same: make the layout once and use it for every part."
        )
    blocks = max(first.products.shape[1], second.products.shape[1])
    parts = [_spread(first.products, blocks), sign * _spread(second.products, blocks)]
    return Moments(
        layout=first.layout,
        cluster=np.concatenate([first.cluster, second.cluster]),
        group=np.concatenate([first.group, second.group]),
        pattern=np.concatenate([first.pattern, second.pattern]),
        count=np.concatenate([first.count, sign * second.count]),
        weight=np.concatenate([first.weight, sign * second.weight]),
        log_weight=np.concatenate([first.log_weight, sign * second.log_weight]),
        products=np.concatenate(parts),
    )


def _spread(products: Array, blocks: int) -> Array:
    return np.broadcast_to(products, (products.shape[0], blocks, *products.shape[2:]))


def _merge(moments: Moments) -> Moments:
    """Add cells with equal keys, in order of the keys."""
    keys = np.column_stack([moments.cluster, moments.group, moments.pattern])
    unique, where = np.unique(keys, axis=0, return_inverse=True)
    merged = empty_sums(moments.layout, unique, moments.products.shape[1])
    for name in ("count", "weight", "log_weight", "products"):
        np.add.at(getattr(merged, name), where.reshape(-1), getattr(moments, name))
    return merged


def _seen(pattern: Integers, n_visits: int) -> npt.NDArray[np.bool_]:
    return np.asarray((pattern[:, None] >> np.arange(n_visits)) & 1, dtype=np.bool_)
