"""Rows of a design of which some columns are the same in every row.

Of the rows of one clinic, the columns that only tell clinics apart are all alike. With own columns
:math:`X` (n, d) and shared values :math:`c` (f,), the design is :math:`[X, 1 c']`, and

.. math:: [X, 1c']' W [X, 1c'] =
   \\begin{pmatrix} X'WX & (X'W1)\\,c' \\\\ c\\,(1'WX) & (1'W1)\\,cc' \\end{pmatrix},

so that a cross-product costs :math:`n d^2` and not :math:`n (d + f)^2`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedRows:
    """Some rows of a design.

    Attributes
    ----------
    own : (n, d) array
        Columns that differ between the rows.
    shared : (f,) array
        Values of the columns behind them, the same in every row.
    """

    own: Array
    shared: Array

    @classmethod
    def of(cls, design: Array | SharedRows) -> SharedRows:
        """Return the rows of a plain design (n, p) as rows that share nothing."""
        if isinstance(design, SharedRows):
            return design
        return cls(own=design, shared=np.zeros(0))

    def times(self, beta: Array) -> Array:
        """(n,): the design times (p,) coefficients."""
        d = self.own.shape[1]
        return np.asarray(self.own @ beta[:d] + self.shared @ beta[d:])

    def turned_times(self, values: Array) -> Array:
        """(p,) or (p, m): the transposed design times (n,) or (n, m) values."""
        total = values.sum(axis=0)
        return np.concatenate([self.own.T @ values, np.multiply.outer(self.shared, total)])

    def gram(self, root: Array) -> Array:
        """(p, p): cross-products of the rows, each times its (n,) ``root``."""
        d, f = self.own.shape[1], self.shared.size
        rooted = self.own * root[:, None]
        out = np.empty((d + f, d + f))
        out[:d, :d] = rooted.T @ rooted  # one matrix with itself: half the work
        out[:d, d:] = np.multiply.outer(rooted.T @ root, self.shared)
        out[d:, :d] = out[:d, d:].T
        out[d:, d:] = np.multiply.outer(self.shared, self.shared) * (root @ root)
        return out

    def scaled(self, which: npt.NDArray[np.int64], factor: Array) -> Array:
        """(m, p): the rows ``which`` in full, each times its (m,) ``factor``."""
        everywhere = np.broadcast_to(self.shared, (which.size, self.shared.size))
        return np.concatenate([self.own[which], everywhere], axis=1) * factor[:, None]
