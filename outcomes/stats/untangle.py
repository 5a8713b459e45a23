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

from outcomes.stats.basis import ALIASED

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_NEAR = 1e-6
"""Share below which a column is replaced: those above keep ten digits as they are."""
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
    """Find columns (n, q) that are nearly combinations of those before them."""
    centred = z - z.mean(axis=0)
    gram = centred.T @ centred
    size = np.sqrt(np.diag(gram))
    size[size <= _ROUNDING * np.sqrt(len(z)) * np.abs(z).max(axis=0)] = np.inf
    share = _shares(gram / np.outer(size, size))
    own = share > ALIASED
    near = np.flatnonzero(own & (share < _NEAR))
    if not near.size:
        return Untangled(steps=())
    z, unit, steps = z.copy(), centred / size, []
    for k in near:
        before = np.flatnonzero(own[:k])
        part = np.linalg.lstsq(unit[:, before], unit[:, k], rcond=None)[0]
        part *= size[k] / size[before]
        z[:, k] -= z[:, before] @ part
        left = z[:, k] - z[:, k].mean()
        size[k] = np.linalg.norm(left)
        unit[:, k] = left / size[k]
        steps.append((int(k), before, part))
    return Untangled(steps=tuple(steps))


def _shares(correlation: Array) -> Array:
    """(q,): what the columns before a column leave of its square, those without a share aside."""
    left = correlation.copy()
    for row in range(len(left)):
        if left[row, row] > ALIASED:
            # Rows before this one keep what was left when it was their turn.
            below = left[row + 1 :, row] / left[row, row]
            left[row + 1 :, row + 1 :] -= np.outer(below, left[row, row + 1 :])
    return np.diag(left)
