r"""Estimable columns of a design given by moments, in a well-conditioned basis.

Method
------
Design rows and response are linear functions of the stored row :math:`u = (1, z, y)`, so a column
is a vector of coefficients, and its length over the data is a quadratic form in the moments. The
columns are orthogonalised in this inner product, in their order, response last, by classical
Gram-Schmidt done twice [1]_. Working on coefficients instead of on :math:`X'X` keeps the digits: a
huge mean is a coefficient on the constant, explained by an intercept before anything is squared,
and a response of size 1e9 with spread 1 becomes least-squares residuals of size 1.

A column that the ones before it explain, up to a share of 1e-11 of its sum of squares, is
*aliased*: it is dropped, and a row of coefficients is estimable only where it treats that column
like the combination that explains it. A column takes part in that combination where its share in
the length of the aliased one is more than 1e-7: what is less is rounding, for instance of a
centred covariate along the columns of the groups.

References
----------
.. [1] Giraud L, Langou J, Rozloznik M. The loss of orthogonality in the Gram-Schmidt
   orthogonalization process. Comput Math Appl 2005;50:1069-1075.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular

from outcomes.core.errors import NotEstimable
from outcomes.stats.moments import Moments

Array = npt.NDArray[np.float64]

ALIASED = 1e-11
_PART = 1e-7


@dataclass(frozen=True, kw_only=True, eq=False)
class Basis:
    """Orthogonal coordinates of a design.

    Attributes
    ----------
    design : (T, D, r) array
        Coefficients on the stored row of the orthonormal columns.
    residual : (T, D) array
        Of the residual of the unweighted least-squares fit, in the units of the response.
    triangle : (r, r) array
        Upper; estimable design columns = orthonormal columns times ``triangle``.
    start : (r,) array
        Least-squares fit in the orthonormal columns of the response without its shift.
    shift_beta : (r,) array
        The layout's shift of the response as a combination of the estimable columns.
    estimable : (p,) array of bool
    combination : (r, p - r) array
        An aliased column as a combination of the estimable ones.
    """

    design: Array
    residual: Array
    triangle: Array
    start: Array
    shift_beta: Array
    estimable: npt.NDArray[np.bool_]
    combination: Array

    @property
    def rank(self) -> int:
        """r."""
        return self.start.size

    @property
    def log_determinant(self) -> float:
        """Of ``triangle``."""
        return float(np.log(np.abs(np.diag(self.triangle))).sum())

    def beta(self, gamma: Array) -> Array:
        """(p,) coefficients of the least-squares part plus ``gamma``; NaN where aliased."""
        out = np.full(self.estimable.size, np.nan)
        out[self.estimable] = solve_triangular(self.triangle, self.start + gamma) + self.shift_beta
        return out

    def estimate(self, L: Array, gamma: Array) -> Array:
        """(m,): rows of coefficients times beta, without the digits a huge shift would cost."""
        shift = L[:, self.estimable] @ self.shift_beta
        return np.asarray(self.rows(L) @ (self.start + gamma) + shift)

    def covariance(self, phi: Array) -> Array:
        """(p, p) covariance of the coefficients from that in the basis; NaN where aliased."""
        out = np.full((self.estimable.size, self.estimable.size), np.nan)
        half = solve_triangular(self.triangle, phi)
        full = solve_triangular(self.triangle, half.T)
        out[np.ix_(self.estimable, self.estimable)] = (full + full.T) / 2
        return out

    def rows(self, L: Array) -> Array:
        """(m, r): rows of coefficients (m, p) in the basis; NaN rows where not estimable."""
        kept, aliased = L[:, self.estimable], L[:, ~self.estimable]
        implied = kept @ self.combination
        size = np.abs(kept) @ np.abs(self.combination) + np.abs(aliased) + 1e-300
        rows = np.asarray(solve_triangular(self.triangle, kept.T, trans="T").T)
        rows[(np.abs(implied - aliased) > _PART * size).any(axis=1)] = np.nan
        return rows


def build_basis(moments: Moments, maps: Array, response: str = "the response") -> Basis:
    """Orthogonalise the design ``maps`` (T, p, q) over the subjects of ``moments``.

    Errors call the response by the name of ``response``.

    Raises
    ------
    NotEstimable
        Where nothing is left to estimate, or the design explains the response exactly.
    """
    wide = moments.layout.wide_maps(maps)
    gram = _gram_by_visit(moments)
    n_visits, length, _ = wide.shape
    columns = np.ascontiguousarray(wide.reshape(n_visits * length, -1))
    done, weighed = np.zeros_like(columns), np.zeros_like(columns)
    coefficients = np.zeros((columns.shape[1], columns.shape[1]))
    squares = np.ones(columns.shape[1])
    kept: list[int] = []
    shift = np.zeros(0)
    for j in range(columns.shape[1]):
        before = np.array(kept, dtype=int)
        column, along, shift = _orthogonal(
            gram, columns[:, j], done[:, before], weighed[:, before], squares[before]
        )
        coefficients[before, j] = along + shift
        image = _apply(gram, column)
        square = float(column @ image)
        if square > ALIASED * _reference(gram, columns[:, j]):
            kept.append(j)
            done[:, j], weighed[:, j], squares[j], coefficients[j, j] = column, image, square, 1.0
    if not kept or kept[-1] != columns.shape[1] - 1:
        raise NotEstimable(
            f"The model explains {response} exactly, or {response} does not vary: there is no "
            "spread left to estimate. Check the response column, or use fewer terms."
        )
    coefficients[kept[:-1], -1] -= shift
    return _assemble(moments, done, squares, coefficients, kept[:-1], shift)


def _assemble(
    moments: Moments,
    done: Array,
    squares: Array,
    coefficients: Array,
    kept: list[int],
    shift: Array,
) -> Basis:
    if not kept:
        raise NotEstimable("No coefficient can be estimated: every column of the design is zero.")
    used, n_visits = np.array(kept, dtype=np.int64), moments.layout.n_visits
    norm = np.sqrt(squares[used])
    estimable = np.zeros(coefficients.shape[1] - 1, dtype=np.bool_)
    estimable[used] = True
    triangle = coefficients[np.ix_(used, used)] * norm[:, None]
    aliased = coefficients[np.ix_(used, np.flatnonzero(~estimable))] * norm[:, None]
    return Basis(
        design=(done[:, used] / norm).reshape(n_visits, moments.layout.wide, -1),
        residual=done[:, -1].reshape(n_visits, -1),
        triangle=triangle,
        start=coefficients[used, -1] * norm,
        shift_beta=_exact_shift(moments, solve_triangular(triangle, shift * norm)),
        estimable=estimable,
        combination=_combination(triangle, aliased),
    )


def _combination(triangle: Array, aliased: Array) -> Array:
    """(r, p - r): aliased columns as combinations of the estimable ones, without rounding."""
    found = np.asarray(solve_triangular(triangle, aliased))
    share = np.abs(found) * np.linalg.norm(triangle, axis=0)[:, None]
    return np.where(share > _PART * np.linalg.norm(aliased, axis=0), found, 0.0)


def _exact_shift(moments: Moments, beta: Array) -> Array:
    """Take rounding from the shift's coefficients: in units of it they are mostly whole numbers."""
    unit = np.abs(moments.layout.shift[moments.layout.n_columns :]).max()
    if unit == 0.0:
        return beta
    whole = np.round(beta / unit)
    return np.where(np.abs(beta / unit - whole) < 1e-12, whole * unit, beta)


def _gram_by_visit(moments: Moments) -> Array:
    """(T, D, D): cross-products of the stored rows of those seen at each visit."""
    layout, blocks = moments.layout, moments.products.shape[1]
    return np.stack(
        [
            moments.products[moments.seen[:, t], layout.own_block(t, blocks)].sum(axis=0)
            for t in range(layout.n_visits)
        ]
    )


def _apply(gram: Array, column: Array) -> Array:
    by_visit = column.reshape(gram.shape[0], -1)
    return np.asarray(np.einsum("tde,te->td", gram, by_visit)).reshape(-1)


def _orthogonal(
    gram: Array, column: Array, done: Array, weighed: Array, squares: Array
) -> tuple[Array, Array, Array]:
    """Take from a column its parts along the columns done; how much for the rest, for constants.

    The constants of a column, which may be huge, are treated apart from the rest: where the columns
    done explain them, nothing is left of them, not even rounding.
    """
    constants = column.reshape(gram.shape[0], -1).copy()
    constants[:, 1:] = 0.0
    offset = constants.reshape(-1)
    rest, along_rest = _project(column - offset, done, weighed, squares)
    left, along_offset = _project(offset, done, weighed, squares)
    if left @ _apply(gram, left) > ALIASED * (offset @ _apply(gram, offset)):
        rest = rest + left
    return rest, along_rest, along_offset


def _project(column: Array, done: Array, weighed: Array, squares: Array) -> tuple[Array, Array]:
    """Classical Gram-Schmidt; twice is enough."""
    total = np.zeros(squares.size)
    for _ in range(2):
        part = weighed.T @ column / squares
        column = column - done @ part
        total += part
    return column, total


def _reference(gram: Array, column: Array) -> float:
    """Sum of squares to compare with: about the layout's shift, unless the column is constant."""
    by_visit = column.reshape(gram.shape[0], -1).copy()
    if by_visit[:, 1:].any():
        by_visit[:, 0] = 0.0
    flat = by_visit.reshape(-1)
    return float(flat @ _apply(gram, flat))
