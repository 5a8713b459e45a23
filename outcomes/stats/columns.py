"""Which design columns vary inside a subject, and the between-within degrees of freedom.

Both are read from the moments: a column varies inside a subject if the squared difference of its
values at two seen visits has a positive sum. The intercept is a column that never varies at all.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from outcomes.stats.cells import Cells

Array = npt.NDArray[np.float64]

_NOTHING = 1e-12
"""Share of a column's square about its mean that is rounding."""
_ROUNDING = 1e-28
"""Share of its square as it is that is."""


def column_degrees(cells: Cells) -> Array:
    """(p,): degrees of freedom of each column by the between-within rule; NaN where aliased."""
    basis, moments = cells.basis, cells.moments
    design = basis.design @ basis.triangle
    centred = _centred(cells, design)
    varies = _varies_within(cells, design, centred)
    constant = ~varies & _constant(cells, design, centred)
    n_within, n_between = int(varies.sum()), int((~varies & ~constant).sum())
    between = moments.n_subjects - n_between - int(constant.any())
    within = moments.n_observations - moments.n_subjects - n_within
    out = np.full(basis.estimable.size, np.nan)
    out[basis.estimable] = np.where(varies | constant, within, between)
    return out


def _centred(cells: Cells, design: Array) -> Array:
    """The design without each column's mean at the first visit, whoever was seen there."""
    gram = cells.moments.products[:, cells.blocks[0, 0]].sum(axis=0)
    centred = design.copy()
    centred[:, 0] -= gram[0] @ design[0] / gram[0, 0]
    return centred


def _varies_within(cells: Cells, design: Array, centred: Array) -> npt.NDArray[np.bool_]:
    products, seen = cells.moments.products, cells.moments.seen
    varies = np.zeros(design.shape[2], dtype=np.bool_)
    for a in range(cells.n_visits):
        for b in range(a):
            gram = products[seen[:, a] & seen[:, b], cells.blocks[a, b]].sum(axis=0)
            varies |= _squares(gram, design[a] - design[b]) > _nothing(gram, design, centred)
    return varies


def _constant(cells: Cells, design: Array, centred: Array) -> npt.NDArray[np.bool_]:
    """Columns with one value in all rows, given that they do not vary within a subject."""
    gram = cells.moments.products[:, cells.blocks[0, 0]].sum(axis=0)
    return _squares(gram, centred[0]) <= _nothing(gram, design, 0 * centred)


def _nothing(gram: Array, design: Array, centred: Array) -> Array:
    """(p,): squares that are rounding."""
    return _NOTHING * _size(gram, centred) + _ROUNDING * _size(gram, design)


def _squares(gram: Array, columns: Array) -> Array:
    return np.asarray(np.einsum("dp,de,ep->p", columns, gram, columns, optimize=True))


def _size(gram: Array, design: Array) -> Array:
    """(p,): sum of absolute terms, which rounding is measured against."""
    bound = np.abs(design).max(axis=0)
    return _squares(np.abs(gram), bound)
