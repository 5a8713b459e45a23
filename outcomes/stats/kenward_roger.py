r"""The linear form of the adjustment of Kenward and Roger.

Covariance
----------
With W the asymptotic covariance of the covariance parameters h, l (inverse observed information),

.. math:: \Phi_A = \Phi + 2 \Phi \Bigl[\sum_{hl} W_{hl} (Q_{hl} - P_h \Phi P_l)\Bigr] \Phi,

:math:`P_h = -\sum_i X_i' V_i^{-1} D_h V_i^{-1} X_i`, :math:`Q_{hl} = \sum_i X_i' V_i^{-1} D_h
V_i^{-1} D_l V_i^{-1} X_i` [1]_. The term with second derivatives of V is left out: it depends on
the parametrisation, and it is zero where V is linear in its parameters, as an unstructured matrix
is in its entries [2]_. The parameters here are the entries of each covariance matrix.

With F the Cholesky factor of Phi, the bracket is worked out as F' [...] F: there the second sum is
one of squares of matrices that the information by REML has needed too. Both sums are contracted
before anything of size p by p is formed: the first becomes one weight matrix per cell, the second
runs over the columns of a root of W.

F test
------
:math:`\lambda F` with the moments of Kenward and Roger's approximation, section 3 of [1]_.

References
----------
.. [1] Kenward MG, Roger JH. Small sample inference for fixed effects from restricted maximum
   likelihood. Biometrics 1997;53:983-997.
.. [2] Kenward MG, Roger JH. An improved approximation to the precision of fixed effects from
   restricted maximum likelihood. Comput Stat Data Anal 2009;53:2583-2595.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from outcomes.stats.cells import Cells, Point
from outcomes.stats.information import directions

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """Denominator degrees of freedom, and the factor that the F statistic is multiplied by."""

    den_df: float
    factor: float = 1.0


def adjusted_covariance(cells: Cells, point: Point, root: Array, slopes: Array) -> Array:
    """(r, r): covariance of the coefficients in the basis.

    Parameters
    ----------
    root : (s, n) array
        ``root @ root.T`` is the asymptotic covariance of the entries of the covariance matrices.
    slopes : (s, r, r) array
        From :func:`outcomes.stats.information.scaled_slopes`.
    """
    factor = np.linalg.cholesky(point.phi)
    inner = cells.sandwiched(_entry_weights(cells, point, root), cells.basis.design @ factor)
    rank = factor.shape[0]
    turned = (root.T @ slopes.reshape(slopes.shape[0], -1)).reshape(-1, rank)
    # Each matrix is symmetric, so the sum of their squares is the stack turned onto itself.
    inner -= turned.T @ turned
    adjusted = point.phi + 2 * factor @ inner @ factor.T
    return np.asarray((adjusted + adjusted.T) / 2)


def _entry_weights(cells: Cells, point: Point, root: Array) -> Array:
    """(K, T, T): ``sum_hl W_hl V^-1 D_h V^-1 D_l V^-1`` of each cell."""
    n_visits, unit = cells.n_visits, directions(cells.n_visits)
    out = np.zeros_like(point.weights)
    own = unit @ root.reshape(len(cells.groups), unit.shape[1], -1)
    for rows, part in zip(cells.groups, own, strict=True):
        # W D W D W is W times sum_jk W_jk cov[ij, kl] times W.
        covariance = (part @ part.T).reshape((n_visits,) * 4).transpose(1, 2, 0, 3)
        middle = point.weights[rows].reshape(rows.size, -1) @ covariance.reshape(n_visits**2, -1)
        out[rows] = point.weights[rows] @ middle.reshape(-1, n_visits, n_visits)
        out[rows] = out[rows] @ point.weights[rows]
    return out


def scaled_test(model: Array, slopes: Array, entry_cov: Array) -> Scaled:
    """Approximate distribution of the F statistic of m rows.

    Parameters
    ----------
    model : (m, m) array
        ``L Phi L'``, unadjusted.
    slopes : (s, m, m) array
        ``-L Phi P_h Phi L'``.
    entry_cov : (s, s) array
        Asymptotic covariance of the entries.
    """
    m = model.shape[0]
    turned = np.linalg.solve(model, slopes)
    traces = np.einsum("hii->h", turned)
    flat = turned.reshape(len(traces), -1)
    transposed = np.swapaxes(turned, 1, 2).reshape(len(traces), -1)
    a1 = float(traces @ entry_cov @ traces)
    a2 = float(((entry_cov @ transposed) * flat).sum())
    if m == 1:
        return Scaled(den_df=2 / a2)
    g = ((m + 1) * a1 - (m + 4) * a2) / ((m + 2) * a2)
    d = 3 * m + 2 * (1 - g)
    b = (a1 + 6 * a2) / (2 * m)
    mean = 1 / (1 - a2 / m)
    variance = 2 / m * (1 + g / d * b)
    variance /= (1 - (m - g) / d * b) ** 2 * (1 - (m + 2 - g) / d * b)
    ratio = variance / (2 * mean**2)
    den_df = 4 + (m + 2) / (m * ratio - 1)
    return Scaled(den_df=den_df, factor=den_df / (mean * (den_df - 2)))
