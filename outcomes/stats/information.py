"""Gradient and observed information of the likelihood, and its derivative matrices.

The formulas are in :mod:`outcomes.stats.cells`. Directions are the entries (j, k), j >= k, of each
group's covariance matrix, group by group in the order of ``numpy.tril_indices``; V is linear in
them. The term ``tr(Phi P_h Phi P_l)`` is the one that costs: it needs the matrices P_h, built cell
by cell from whitened designs ``sum_a W[a, i] E_a``, so that no array grows with the square of the
number of directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from outcomes.stats.cells import Cells, Point

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Local:
    """Derivatives of the log-likelihood by the entries of the covariance matrices.

    Attributes
    ----------
    gradient : (groups, T, T) array
        Symmetric; the differential is its trace product with the change of the matrix.
    information : (s, s) array
        Observed information without the coupling term.
    """

    gradient: Array
    information: Array


def directions(n_visits: int) -> Array:
    """(T * T, v): the matrices D of the lower triangle's entries, flattened, as columns."""
    row, column = np.tril_indices(n_visits)
    out = np.zeros((n_visits, n_visits, row.size))
    out[row, column, np.arange(row.size)] = 1.0
    out[column, row, np.arange(row.size)] = 1.0
    return out.reshape(n_visits**2, -1)


def differentiate(cells: Cells, point: Point) -> Local:
    """Gradient and the cheap part of the observed information."""
    spread = _spread(cells, point)
    weights, sizes = point.weights, cells.sizes[:, None, None]
    bent = weights @ spread @ weights
    gradient = [-(sizes * weights - bent)[rows].sum(axis=0) / 2 for rows in cells.groups]
    unit, kinds = directions(cells.n_visits), cells.n_visits**2
    v = unit.shape[1]
    information = np.zeros((v * len(cells.groups), v * len(cells.groups)))
    for g, rows in enumerate(cells.groups):
        right = (2 * bent - sizes * weights)[rows].reshape(rows.size, kinds)
        # tr(W E_ij W E_kl Y) = W_jk Y_li for unit matrices E, Y = W Z W.
        both = (weights[rows].reshape(rows.size, kinds).T @ right).reshape((cells.n_visits,) * 4)
        by_entry = both.transpose(3, 0, 1, 2).reshape(kinds, kinds)
        information[g * v : (g + 1) * v, g * v : (g + 1) * v] = unit.T @ by_entry @ unit
    scores = _residual_scores(cells, point, unit)
    information -= 2 * scores @ point.phi @ scores.T
    return Local(gradient=np.stack(gradient), information=(information + information.T) / 4)


def scaled_slopes(cells: Cells, point: Point) -> Array:
    """(s, r, r): ``-F' P_h F`` with ``F F' = Phi``, F the Cholesky factor."""
    factor = np.linalg.cholesky(point.phi)
    return slope_matrices(cells, point, cells.basis.design @ factor)


def coupling(slopes: Array) -> Array:
    """(s, s): ``tr(Phi P_h Phi P_l) / 2`` from the scaled slopes, REML's part of information."""
    flat = slopes.reshape(slopes.shape[0], -1)
    return flat @ flat.T / 2


def slope_matrices(cells: Cells, point: Point, design: Array) -> Array:
    """(s, m, m): ``sum_i X' V^-1 D_h V^-1 X``, which is -P_h, for any ``design`` (T, D, m)."""
    n_visits, _, m = design.shape
    row, column = np.tril_indices(n_visits)
    out = np.zeros((len(cells.groups), row.size, m, m))
    for k, group in enumerate(cells.moments.group):
        used, white, image = _whitened(cells, point, design, k)
        for i, first in enumerate(used):
            left = white[i].reshape(-1, m).T
            for j, second in enumerate(used[: i + 1]):
                direction = first * (first + 1) // 2 + second
                out[group, direction] += left @ image[j].reshape(-1, m)
    for h in np.flatnonzero(row != column):
        out[:, h] += np.swapaxes(out[:, h], -1, -2)
    return out.reshape(-1, m, m)


def row_slopes(cells: Cells, point: Point, design: Array) -> Array:
    """(s, m): the diagonals of :func:`slope_matrices`, at the price of m columns only."""
    n_visits, _, m = design.shape
    out = np.zeros((len(cells.groups), n_visits, n_visits, m))
    for k, group in enumerate(cells.moments.group):
        used, white, image = _whitened(cells, point, design, k)
        for i, first in enumerate(used):
            out[group, first, used] += np.einsum("adm,jadm->jm", white[i], image)
    flat = directions(n_visits).T @ out.reshape(len(cells.groups), n_visits**2, m)
    return np.asarray(flat).reshape(flat.shape[0] * flat.shape[1], m)


def _whitened(
    cells: Cells, point: Point, design: Array, k: int
) -> tuple[npt.NDArray[np.int64], Array, Array]:
    """Seen visits i of a cell, ``W[i, a] design[a]``, and what the cell's blocks make of it.

    Both are (seen, A, D, m) with A the visits a, or A = 1 and the sum over them where one block
    serves all pairs.
    """
    used = np.flatnonzero(cells.moments.seen[k])
    weights = point.weights[k][np.ix_(used, used)]
    blocks = cells.moments.products[k]
    if blocks.shape[0] == 1:
        white = np.tensordot(weights, design[used], 1)[:, None]
        return used, white, blocks[0] @ white
    white = weights[:, :, None, None] * design[used]
    image = np.zeros_like(white)
    for a, visit in enumerate(used):
        for b, other in enumerate(used):
            image[:, a] += blocks[cells.blocks[visit, other]] @ white[:, b]
    return used, white, image


def _spread(cells: Cells, point: Point) -> Array:
    """(K, T, T): R + C by REML, R by ML."""
    parts = [residual(cells, point)[:, :, None]]
    if cells.method == "reml":
        parts.append(cells.basis.design @ np.linalg.cholesky(point.phi))
    return cells.inner(np.concatenate(parts, axis=2))


def residual(cells: Cells, point: Point) -> Array:
    """(T, D): coefficients of the residual at each visit on the stored row."""
    return cells.basis.residual - cells.basis.design @ point.gamma


def _residual_scores(cells: Cells, point: Point, unit: Array) -> Array:
    """(s, r): ``sum_i X_i' V_i^-1 D_h V_i^-1 r_i``."""
    visits, design = range(cells.n_visits), cells.basis.design
    left = residual(cells, point)
    products, shared = cells.moments.products, not cells.moments.varies_by_visit
    turned = []
    for a in visits[:1] if shared else visits:
        image = np.stack([products[:, cells.blocks[a, b]] @ left[b] for b in visits], axis=1)
        turned.append(point.weights @ image)
    out = []
    for rows in cells.groups:
        entries = np.zeros((cells.n_visits, cells.n_visits, cells.basis.rank))
        for a in visits:
            right = turned[0 if shared else a][rows].reshape(rows.size, -1)
            sums = point.weights[rows, a].T @ right
            entries += sums.reshape(cells.n_visits, cells.n_visits, -1) @ design[a]
        out.append(unit.T @ entries.reshape(unit.shape[0], -1))
    return np.concatenate(out)
