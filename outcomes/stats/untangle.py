r"""Columns that are nearly combinations of others, replaced by what is left of them.

Moments are sums of products. Of a column of which others explain all but a share s of its sum of
squares about the mean, such as the cube of a year of birth beside the year and its square, sums of
products hold no more than :math:`16 + \log_{10} s` digits of what it says by itself. While the rows
are at hand that is cheap to mend: with :math:`z_k = \sum_j a_j z_j + r`, the column r stands in the
place of :math:`z_k`, and the design, which is linear in z, takes :math:`a_j` times its coefficient
on :math:`z_k` for :math:`z_j` as well. It is the same design.

A column that says nothing of its own is left as it is: what would be left of it is rounding, and
:mod:`outcomes.stats.basis` finds it aliased.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

from outcomes.stats.basis import ALIASED

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_NEAR = 1e-3
"""Share below which a column is replaced: those above keep thirteen digits as they are."""
_NOTHING = 1e-13
"""Share, by sums of products, of a column that others explain: one of rounding alone."""
_ROUNDING = 1e-14
"""Length of a column about its mean, beside its own, at which it is constant."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Untangled:
    """Which columns give way to what is left of them, as found in some rows.

    Attributes
    ----------
    steps : tuple
        In turn: a column, those before it, and their multiples to be taken from it.
    """

    steps: tuple[tuple[int, Integers, Array], ...]

    def columns(self, z: Array) -> Array:
        """The columns (n, q) of the same or of other rows."""
        if not self.steps:
            return z
        z = z.copy()
        for k, before, part in self.steps:
            z[:, k] -= z[:, before] @ part
        return z

    def maps(self, maps: Array) -> Array:
        """The maps (..., q) that make of these columns what ``maps`` make of the given ones."""
        if not self.steps:
            return maps
        maps = maps.copy()
        for k, before, part in self.steps:
            maps[..., before] += maps[..., [k]] * part
        return maps


def untangle(z: Array) -> Untangled:
    """Find columns (n, q) that are nearly combinations of those before them.

    Sums of products say whether there may be such a column; which one it is, and whether it says
    anything at all, is asked of the rows.
    """
    centred = z - z.mean(axis=0)
    gram = centred.T @ centred
    size = np.sqrt(np.diag(gram))
    constant = size <= _ROUNDING * np.sqrt(len(z)) * np.abs(z).max(axis=0)
    share = _shares(gram / np.outer(*[np.where(constant, np.inf, size)] * 2))
    if not ((share > _NOTHING) & (share < _NEAR)).any():
        return Untangled(steps=())
    z, steps = z.copy(), []
    done, triangle = np.empty_like(z, order="F"), np.zeros((len(size), len(size)))
    kept = np.zeros(0, dtype=np.int64)
    for k in np.flatnonzero(~constant):
        m = kept.size
        along, rest = _project(done[:, :m], centred[:, k] / size[k])
        if rest @ rest <= ALIASED:
            continue
        if rest @ rest < _NEAR:
            part = solve_triangular(triangle[:m, :m], along) * size[k] / size[kept]
            steps.append((int(k), kept, part))
            z[:, k] -= z[:, kept] @ part
            centred[:, k] = z[:, k] - z[:, k].mean()
            size[k] = np.linalg.norm(centred[:, k])
            along, rest = _project(done[:, :m], centred[:, k] / size[k])
        triangle[:m, m], triangle[m, m] = along, np.linalg.norm(rest)
        done[:, m] = rest / triangle[m, m]
        kept = np.append(kept, k)
    return Untangled(steps=tuple(steps))


def _project(done: Array, column: Array) -> tuple[Array, Array]:
    """Parts along orthonormal columns, and the rest; twice is enough."""
    first = done.T @ column
    rest = column - done @ first
    second = done.T @ rest
    return first + second, rest - done @ second


def _shares(correlation: Array) -> Array:
    """(q,): what those before a column that are well apart leave of its square."""
    left = correlation.copy()
    for row in range(len(left)):
        if left[row, row] > _NEAR:
            # Rows before this one keep what was left when it was their turn.
            below = left[row + 1 :, row] / left[row, row]
            left[row + 1 :, row + 1 :] -= np.outer(below, left[row, row + 1 :])
    return np.diag(left)
