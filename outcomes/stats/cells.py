r"""The likelihood of the mixed model at given covariance matrices, by contraction of moments.

Notation
--------
Cell k has n subjects, covariance group g, seen visits S and blocks :math:`G_k^{ab}` of its moments.
:math:`W_k` is the inverse of :math:`\Sigma_g[S, S]` with zeros elsewhere; :math:`E_a` is the design
at visit a in the orthonormal basis, a linear function of the stored row. Then

.. math:: A = \sum_i X_i' V_i^{-1} X_i = \sum_{ab} E_a' \Bigl(\sum_k W_k^{ab} G_k^{ab}\Bigr) E_b,

and with :math:`\Phi = A^{-1}` and residual coefficients :math:`d_a` the small matrices

.. math:: R_k^{ab} = d_a' G_k^{ab} d_b, \quad
          C_k^{ab} = \langle G_k^{ab}, E_a \Phi E_b' \rangle

carry residual sums of squares and the price of estimating beta. The REML log-likelihood, with the
constant of [1]_ and no :math:`\frac12 \log|X'X|`, is

.. math:: -\tfrac12 \Bigl[(N - p) \log 2\pi + \sum_i \log|V_i| + \sum_i r_i' V_i^{-1} r_i
          + \log|A| \Bigr],

its gradient by the entries of :math:`\Sigma_g` is
:math:`-\frac12 \sum_k [n_k W_k - W_k (R_k + C_k) W_k]`, and twice its observed information is, in
directions h, l with unit matrices :math:`D_h`,

.. math:: \sum_k \operatorname{tr} W D_h W D_l W (2 R_k + 2 C_k - n_k W_k^{-})
          - 2 s_h' \Phi s_l - \operatorname{tr} \Phi P_h \Phi P_l,

:math:`s_h = \sum_i X_i' V_i^{-1} D_h V_i^{-1} r_i`, :math:`P_h = -\sum_i X_i' V_i^{-1} D_h V_i^{-1}
X_i`. ML leaves out C and the last term [2]_. The information is by the entries of each
:math:`\Sigma_g`, in which V is linear; a structure's parameters enter by the chain rule.

Weights
-------
*Precision* weights scale the residual covariance and enter log-determinants once a subject.
*Probability* weights multiply a subject's log-likelihood: n becomes the sum of weights.

References
----------
.. [1] Harville DA. Maximum likelihood approaches to variance component estimation and to related
   problems. J Am Stat Assoc 1977;72:320-338.
.. [2] Lindstrom MJ, Bates DM. Newton-Raphson and EM algorithms for linear mixed-effects models for
   repeated-measures data. J Am Stat Assoc 1988;83:1014-1022.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, cholesky

from outcomes.core.errors import UsageError
from outcomes.stats.basis import Basis
from outcomes.stats.moments import Moments

Array = npt.NDArray[np.float64]
Method = Literal["reml", "ml"]
WeightKind = Literal["precision", "probability"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """Moments and design of one model, ready to be weighed.

    Attributes
    ----------
    moments : Moments
        Summed over clusters.
    basis : Basis
    method : {'reml', 'ml'}
    weight_kind : {'precision', 'probability'}
    """

    moments: Moments
    basis: Basis
    method: Method
    weight_kind: WeightKind

    def __post_init__(self) -> None:
        if self.weight_kind == "probability" and self.moments.varies_by_visit:
            raise UsageError(
                "Probability weights belong to a subject: give one weight a subject, the same at "
                "every visit."
            )

    @property
    def n_visits(self) -> int:
        """T."""
        return self.moments.layout.n_visits

    @cached_property
    def sizes(self) -> Array:
        """(K,): how often each cell's log-determinant counts."""
        if self.weight_kind == "probability":
            return self.moments.weight
        return self.moments.count.astype(np.float64)

    @cached_property
    def groups(self) -> tuple[npt.NDArray[np.int64], ...]:
        """Cells of each covariance group."""
        n_groups = len(self.moments.layout.groups)
        return tuple(np.flatnonzero(self.moments.group == g) for g in range(n_groups))

    @cached_property
    def blocks(self) -> npt.NDArray[np.int64]:
        """(T, T): which stored block belongs to a visit pair."""
        out = np.zeros((self.n_visits, self.n_visits), dtype=np.int64)
        if self.moments.varies_by_visit:
            upper = np.triu_indices(self.n_visits)
            out[upper] = np.arange(upper[0].size)
            out = np.maximum(out, out.T)
        return out

    def constant(self) -> float:
        """The part of -2 log-likelihood that depends on nothing estimated."""
        per_subject = self.moments.seen.sum(axis=1)
        size = float(self.sizes @ per_subject)
        lost = self.basis.rank if self.method == "reml" else 0
        out = (size - lost) * np.log(2 * np.pi)
        if self.weight_kind == "precision":
            out -= float(self.moments.log_weight.sum())
        return float(out)

    def weighed(self, weights: Array) -> Array:
        """(T, T, D, D): sum over cells of weights (K, T, T), symmetric, times blocks."""
        products, n_visits = self.moments.products, self.n_visits
        wide = products.shape[-1]
        if products.shape[1] == 1:
            flat = weights.reshape(-1, n_visits**2).T @ products.reshape(-1, wide**2)
            return np.asarray(flat.reshape(n_visits, n_visits, wide, wide))
        pairs = [
            np.tensordot(weights[:, a, b], products[:, self.blocks[a, b]], 1)
            for a in range(n_visits)
            for b in range(n_visits)
        ]
        return np.stack(pairs).reshape(n_visits, n_visits, wide, wide)

    def sandwiched(self, weights: Array, design: Array) -> Array:
        """(m, m): ``sum_k sum_ab weights[k, a, b] design[a]' G design[b]``, design (T, D, m)."""
        n_visits, wide, m = design.shape
        weighed = self.weighed(weights).transpose(0, 2, 1, 3).reshape(n_visits * wide, -1)
        flat = design.reshape(n_visits * wide, m)
        out = flat.T @ (weighed @ flat)
        return (out + out.T) / 2

    def inner(self, design: Array) -> Array:
        """(K, T, T): ``<G^{ab}, design[a] design[b]'>`` with design (T, D, m)."""
        products, n_visits = self.moments.products, self.n_visits
        out = np.zeros((products.shape[0], n_visits, n_visits))
        for a in range(n_visits):
            for b in range(a, n_visits):
                outer = design[a] @ design[b].T
                block = products[:, self.blocks[a, b]].reshape(out.shape[0], -1)
                out[:, a, b] = out[:, b, a] = block @ outer.reshape(-1)
        return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Point:
    """The likelihood at given covariance matrices.

    Attributes
    ----------
    weights : (K, T, T) array
        W.
    phi : (r, r) array
        Covariance of the coefficients in the basis.
    gamma : (r,) array
        Generalised minus ordinary least-squares fit, in the basis.
    log_likelihood : float
    """

    weights: Array
    phi: Array
    gamma: Array
    log_likelihood: float


def evaluate(cells: Cells, sigmas: Array) -> Point | None:
    """The likelihood at ``sigmas`` (groups, T, T); None where a matrix is not positive definite.

    Whole matrices, also where no subject was seen at all visits.
    """
    inverse = _inverses(cells, sigmas)
    if inverse is None:
        return None
    weights, log_determinants = inverse
    basis = cells.basis
    augmented = np.concatenate([basis.design, basis.residual[:, :, None]], axis=2)
    full = cells.sandwiched(weights, augmented)
    try:
        factor = cholesky(full[:-1, :-1], lower=True)
    except np.linalg.LinAlgError:
        return None
    phi = cho_solve((factor, True), np.eye(basis.rank))
    gamma = cho_solve((factor, True), full[:-1, -1])
    rest = full[-1, -1] - full[:-1, -1] @ gamma
    deviance = cells.constant() + float(cells.sizes @ log_determinants) + rest
    if cells.method == "reml":
        deviance += 2 * (np.log(np.diag(factor)).sum() + basis.log_determinant)
    return Point(
        weights=weights, phi=(phi + phi.T) / 2, gamma=gamma, log_likelihood=float(-deviance / 2)
    )


def _inverses(cells: Cells, sigmas: Array) -> tuple[Array, Array] | None:
    """Inverse of each cell's seen part, zeros elsewhere, and its log-determinant."""
    seen, group = cells.moments.seen, cells.moments.group
    both = seen[:, :, None] & seen[:, None, :]
    size = np.sqrt(np.einsum("gtt->gt", sigmas))
    if not (np.isfinite(size).all() and (size > 0).all()):
        return None
    outer = size[:, :, None] * size[:, None, :]
    correlation = sigmas / outer
    # Unseen visits become independent with variance one: they add nothing to the determinant.
    seen_part = np.where(both, correlation[group], np.eye(cells.n_visits))
    try:
        np.linalg.cholesky(correlation)
        factor = np.linalg.cholesky(seen_part)
    except np.linalg.LinAlgError:
        return None
    half = np.linalg.solve(factor, np.broadcast_to(np.eye(cells.n_visits), factor.shape))
    inverse = np.where(both, np.swapaxes(half, 1, 2) @ half / outer[group], 0.0)
    log_size = np.where(seen, np.log(size)[group], 0.0).sum(axis=1)
    return inverse, 2 * (np.log(np.einsum("ktt->kt", factor)).sum(axis=1) + log_size)
