r"""Sufficient statistics of the mixed model for repeated measures.

Method
------
Subject i is one wide row :math:`u_i = (1, z_i, y_{i1}, \dots, y_{iT})`, columns shifted and scaled
by the :class:`~outcomes.stats.layout.Layout`, unseen responses set to zero. Subjects with the same
seen visits, covariance group and cluster form a *cell*. With weights :math:`w_{ia}` of subject i at
visit a, a cell keeps

.. math:: G^{ab} = \sum_i \sqrt{w_{ia} w_{ib}} \, u_i u_i', \quad a \le b,

with :math:`n`, :math:`\sum_i w_i` and :math:`\sum_i \sum_a \log w_{ia}` over the seen visits. These
determine the likelihood of a model in which the design row at visit t is a fixed linear function of
:math:`z_i` and :math:`V_i = W_i^{-1/2} \Sigma W_i^{-1/2}` [1]_. Where the weights of a subject are
the same at every visit, all blocks of a cell are equal and one is stored.

The pass over the rows costs :math:`O(n (1 + q + T)^2)`; afterwards only the number of cells
matters. Moments of disjoint sets of subjects add, and a part can be taken away again.

References
----------
.. [1] Anderson TW. An Introduction to Multivariate Statistical Analysis, 3rd ed. Wiley 2003,
   section 4.5 (patterned observations).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import UsageError
from outcomes.stats.cell_sums import Moments, empty_sums
from outcomes.stats.layout import Layout, choose_layout

__all__ = ["Layout", "Moments", "accumulate", "choose_layout", "root_weights", "wide_rows"]

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_ROWS_AT_ONCE = 4096


def accumulate(
    layout: Layout,
    z: Array,
    y: Array,
    *,
    group: npt.ArrayLike | None = None,
    cluster: npt.ArrayLike | None = None,
    weights: Array | None = None,
) -> Moments:
    """One pass over wide rows.

    Parameters
    ----------
    z : (n, q) array
        Finite. A covariate that changes over time is one column a visit; its value at an unseen
        visit takes no part and may be any finite number.
    y : (n, T) array
        NaN where unseen. Subjects without a seen visit are left out.
    group : (n,) array of int, optional
        Codes into ``layout.groups``.
    cluster : (n,) array of int, optional
        Keys by which sums are kept apart, such as clinics.
    weights : (n,) or (n, T) array, optional
        Positive; of a subject, or of each of its visits.
    """
    n = z.shape[0]
    _check_rows(layout, z, y)
    seen = ~np.isnan(y)
    keys = np.column_stack(
        [_codes(cluster, n), _codes(group, n), seen @ (1 << np.arange(layout.n_visits))]
    )
    if n and not 0 <= keys[:, 1].min() <= keys[:, 1].max() < len(layout.groups):
        raise UsageError(f"Group codes must be from 0 to {len(layout.groups) - 1}.")
    by_visit = _weights_by_visit(weights, seen)
    n_visits = layout.n_visits
    pairs = [(a, b) for a in range(n_visits) for b in range(a, n_visits)]
    blocks = 1 if by_visit is None or by_visit.shape[1] == 1 else len(pairs)
    cells = list(_cells(keys))
    moments = empty_sums(
        layout, np.array([keys[rows[0]] for rows in cells], dtype=np.int64), blocks
    )
    for k, rows in enumerate(cells):
        used = np.flatnonzero(seen[rows[0]])
        moments.count[k] = rows.size
        moments.weight[k], moments.log_weight[k] = _weight_sums(by_visit, rows, used)
        for part in np.split(rows, range(_ROWS_AT_ONCE, rows.size, _ROWS_AT_ONCE)):
            wide = wide_rows(layout, z[part], y[part], used)
            _add_products(moments.products[k], wide, by_visit, part, used, pairs)
    return moments


def _check_rows(layout: Layout, z: Array, y: Array) -> None:
    if z.shape[1:] != (layout.n_columns,) or y.shape != (z.shape[0], layout.n_visits):
        raise UsageError(
            f"The rows have {z.shape[1]} columns and {y.shape[1]} visits; the layout has "
            f"{layout.n_columns} and {layout.n_visits}."
        )
    if not np.isfinite(z).all() or np.isinf(y).any():
        raise UsageError(
            "Baseline columns must be finite, and the response finite or missing: code a missing "
            "covariate by an indicator first."
        )


def _codes(values: npt.ArrayLike | None, n: int) -> Integers:
    codes = np.zeros(n) if values is None else np.asarray(values)
    if codes.shape != (n,):
        raise UsageError(f"Groups and clusters need one code for each of the {n} subjects.")
    return codes.astype(np.int64)


def _weights_by_visit(weights: Array | None, seen: npt.NDArray[np.bool_]) -> Array | None:
    """None, (n, 1) where each subject's weight is constant, or (n, T) with ones where unseen."""
    if weights is None:
        return None
    if weights.shape not in {(seen.shape[0],), seen.shape}:
        raise UsageError("Weights are one number a subject, or one for each of its visits.")
    full = np.where(seen, weights[:, None] if weights.ndim == 1 else weights, 1.0)
    if not (np.isfinite(full).all() and (full > 0).all()):
        raise UsageError(
            "Weights must be positive and finite: set the response to missing where a visit is "
            "meant to take no part."
        )
    largest = np.where(seen, full, -np.inf).max(axis=1, initial=-np.inf)
    constant = bool((~seen | (full == largest[:, None])).all())
    return np.where(np.isfinite(largest), largest, 1.0)[:, None] if constant else full


def _cells(keys: Integers) -> Iterator[Integers]:
    """Rows of each cell that has a seen visit, in order of the keys."""
    keep = np.flatnonzero(keys[:, 2])
    if not keep.size:
        return
    order = keep[np.lexsort((keys[keep, 2], keys[keep, 1], keys[keep, 0]))]
    new = np.any(np.diff(keys[order], axis=0) != 0, axis=1)
    yield from np.split(order, np.flatnonzero(new) + 1)


def _weight_sums(by_visit: Array | None, rows: Integers, used: Integers) -> tuple[float, float]:
    if by_visit is None:
        return float(rows.size), 0.0
    if by_visit.shape[1] == 1:
        weights = by_visit[rows, 0]
        return float(weights.sum()), float(np.log(weights).sum() * used.size)
    full = by_visit[np.ix_(rows, used)]
    return float(full.mean(axis=1).sum()), float(np.log(full).sum())


def root_weights(weights: Array | None, seen: npt.NDArray[np.bool_]) -> Array | None:
    """Return the roots of the weights, (n, 1) or (n, T), as the moments take them."""
    by_visit = _weights_by_visit(weights, seen)
    return None if by_visit is None else np.sqrt(by_visit)


def wide_rows(layout: Layout, z: Array, y: Array, used: Integers | None = None) -> Array:
    """Return the stored rows (n, D); responses outside the visits ``used`` are zero."""
    q = layout.n_columns
    used = np.arange(layout.n_visits) if used is None else used
    wide = np.zeros((z.shape[0], layout.wide))
    wide[:, 0] = 1.0
    np.subtract(z, layout.shift[:q], out=wide[:, 1 : q + 1])
    wide[:, 1 : q + 1] /= layout.scale[:q]
    wide[:, 1 + q + used] = (y[:, used] - layout.shift[q + used]) / layout.scale[q + used]
    return wide


def _add_products(
    block: Array,
    wide: Array,
    by_visit: Array | None,
    rows: Integers,
    used: Integers,
    pairs: list[tuple[int, int]],
) -> None:
    if by_visit is None:
        block[0] += wide.T @ wide
    elif block.shape[0] == 1:
        rooted = wide * np.sqrt(by_visit[rows])
        block[0] += rooted.T @ rooted
    else:
        root = np.sqrt(by_visit[rows])
        for j, (a, b) in enumerate(pairs):
            if a in used and b in used:
                rooted = wide * np.sqrt(root[:, [a]] * root[:, [b]])
                block[j] += rooted.T @ rooted
