"""What one row of the moments means: columns, visits, groups, and a fixed shift and scale.

A subject is one wide row ``(z_1 .. z_q, y_1 .. y_T)``: q baseline columns, and the response at T
visits. Sums of products of raw columns lose every digit where a mean is large beside its spread, so
each column is stored as ``(value - shift) / scale``. The shift and the scale are decided once, from
any first part of the data, and belong to the moments: parts can be added because they share them.
They need not be the mean and the standard deviation. The scale is a power of two and the shift a
multiple of it, so that scaling rounds nothing and whole numbers stay whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import UsageError

Array = npt.NDArray[np.float64]

MAX_VISITS = 40


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """The fixed frame of a set of moments.

    Attributes
    ----------
    columns : tuple of str
        Names of the q baseline columns.
    visits : tuple of str
        Labels of the T visits.
    shift, scale : (q + T,) arrays
        In the units of the columns, then of the response at each visit.
    groups : tuple of str
        Labels of the covariance groups; ``("",)`` where one covariance serves everyone.
    """

    columns: tuple[str, ...]
    visits: tuple[str, ...]
    shift: Array
    scale: Array
    groups: tuple[str, ...] = ("",)

    def __post_init__(self) -> None:
        wide = len(self.columns) + len(self.visits)
        if self.shift.shape != (wide,) or self.scale.shape != (wide,):
            raise UsageError(f"A layout of {wide} columns needs a shift and a scale for each.")
        if not 1 <= len(self.visits) <= MAX_VISITS:
            raise UsageError(f"A layout has 1 to {MAX_VISITS} visits; this one {len(self.visits)}.")
        if not (np.isfinite(self.shift).all() and np.isfinite(self.scale).all()):
            raise UsageError("Shift and scale of a layout must be finite.")
        if (self.scale <= 0).any() or not self.groups:
            raise UsageError("A layout needs positive scales and at least one group.")

    @property
    def n_columns(self) -> int:
        """q."""
        return len(self.columns)

    @property
    def n_visits(self) -> int:
        """T."""
        return len(self.visits)

    @property
    def wide(self) -> int:
        """Length of the stored row: a one, q columns, T responses."""
        return 1 + self.n_columns + self.n_visits

    def own_block(self, visit: int, blocks: int) -> int:
        """Place of a visit's own block among ``blocks``: 1, or those of all pairs of visits."""
        return visit * self.n_visits - visit * (visit - 1) // 2 if blocks > 1 else 0

    def same_as(self, other: Layout) -> bool:
        """Whether moments of both may be added."""
        return (
            (self.columns, self.visits, self.groups) == (other.columns, other.visits, other.groups)
            and np.array_equal(self.shift, other.shift)
            and np.array_equal(self.scale, other.scale)
        )

    def at(self, visits: Sequence[str]) -> Layout:
        """The same columns with some of the visits alone."""
        kept = [*range(self.n_columns), *(self.n_columns + self.visits.index(v) for v in visits)]
        return replace(self, visits=tuple(visits), shift=self.shift[kept], scale=self.scale[kept])

    def wide_maps(self, maps: Array) -> Array:
        """Design and response as linear functions of the stored row ``(1, z, y)``.

        Parameters
        ----------
        maps : (T, p, q) array
            The design row at visit t is ``maps[t] @ z``, z in its own units.

        Returns
        -------
        (T, 1 + q + T, p + 1) array
            ``(1, z, y) @ out[t]`` is the design row at visit t followed by the response.
        """
        n_visits, n_coefficients, q = maps.shape
        if (n_visits, q) != (self.n_visits, self.n_columns):
            raise UsageError(
                f"The maps are for {n_visits} visits and {q} columns; the moments have "
                f"{self.n_visits} visits and {self.n_columns} columns."
            )
        out = np.zeros((n_visits, self.wide, n_coefficients + 1))
        out[:, 0, :-1] = maps @ self.shift[:q]
        out[:, 1 : q + 1, :-1] = np.swapaxes(maps * self.scale[:q], 1, 2)
        visit = np.arange(n_visits)
        out[:, 0, -1] = self.shift[q:]
        out[visit, 1 + q + visit, -1] = self.scale[q:]
        return out


def choose_layout(
    z: Array,
    y: Array,
    *,
    columns: Sequence[str],
    visits: Sequence[str],
    groups: Sequence[str] = ("",),
    onto: Layout | None = None,
) -> Layout:
    """Decide shift and scale from these rows; a constant column of ``z`` stays as it is.

    Parameters
    ----------
    z : (n, q) array
        Baseline columns, one row a subject.
    y : (n, T) array
        Response; NaN where unseen. All visits share one shift and one scale.
    onto : Layout, optional
        Of the first of these columns and of the visits, which keep what they have.
    """
    decided = [] if onto is None else list(zip(onto.shift, onto.scale, strict=True))
    known = len(decided) and len(decided) - y.shape[1]
    pairs = decided[:known] + [_shift_scale(column) for column in z[:, known:].T]
    pairs += decided[known:] or [_shift_scale(y[np.isfinite(y)])] * y.shape[1]
    shift, scale = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
    return Layout(
        columns=tuple(columns),
        visits=tuple(visits),
        shift=np.ascontiguousarray(shift),
        scale=np.ascontiguousarray(scale),
        groups=tuple(groups),
    )


def _shift_scale(values: Array) -> tuple[float, float]:
    """A power of two near the standard deviation, and a multiple of it near the mean."""
    if values.size == 0 or not np.isfinite(values).all():
        return 0.0, 1.0
    # The spread about one of the values: the plain variance formula would lose it in a large mean.
    mean = float(values[0] + (values - values[0]).mean())
    spread = float(np.sqrt(np.mean((values - mean) ** 2)))
    if spread <= 1e-14 * abs(mean) or spread == 0.0:
        return 0.0, 1.0
    scale = float(2.0 ** np.round(np.log2(spread)))
    return float(np.round(mean / scale) * scale), scale
