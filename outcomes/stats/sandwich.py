r"""Empirical covariance of the coefficients by subjects, or by clusters of them.

Method
------
Let :math:`\tilde X_i = L_i^{-1} X_i F` and :math:`\tilde e_i = L_i^{-1} r_i` with
:math:`V_i = L_i L_i'` and :math:`\Phi = F F'`, stacked over the subjects of cluster i. With
:math:`H_i = \tilde X_i \tilde X_i'` and the adjustment

.. math:: A_i = (I - H_i)^{-q}, \qquad q = 0,\ \tfrac12,\ 1

for CR0, CR2 and CR3, the scores are :math:`s_i = \tilde X_i' A_i \tilde e_i`, and the covariance is
:math:`F (\sum_i s_i s_i') F'` without a further factor [1]_ [2]_. CR2 is unbiased where the working
model holds, CR3 is close to the jackknife over clusters.

A row c of coefficients has Satterthwaite's degrees of freedom, the working model taken as true
[2]_, in closed form: with :math:`c_F = F' c'`, :math:`a_i = A_i \tilde X_i c_F`,
:math:`z_i = \tilde X_i' a_i`, :math:`\sigma_i = |a_i|^2` and :math:`\tau_i = |z_i|^2`,

.. math:: \nu = \frac{\bigl[\sum_i (\sigma_i - \tau_i)\bigr]^2}
          {\sum_i \bigl[(\sigma_i - \tau_i)^2 - \tau_i^2\bigr] + \|\sum_i z_i z_i'\|^2},

which is :math:`\operatorname{tr}(G)^2 / \operatorname{tr}(G^2)` of the clusters' matrix with
:math:`G_{ii} = \sigma_i - \tau_i`, :math:`G_{ij} = -z_i' z_j`, at the cost of one pass.

Of q rows at once, where clusters are of several subjects, the empirical covariance D, scaled to a
mean of I under the working model, is taken for a Wishart matrix with the total variance of its own,
:math:`\eta = q (q + 1) / \sum_{st} \operatorname{Var} D_{st}` [3]_. D is a sum of squares of scores
:math:`g_i` with covariances :math:`C_{ij} = \delta_{ij} S_i - T_i T_j'`, where with W the scaled
rows :math:`T_i = W \tilde X_i' A_i \tilde X_i` and
:math:`S_i = W \tilde X_i' A_i^2 \tilde X_i W'`, so that

.. math:: \sum_{st} \operatorname{Var} D_{st}
          = \sum_{ij} \bigl[(\operatorname{tr} C_{ij})^2 + \operatorname{tr} C_{ij} C_{ij}\bigr],

again one pass, as the pairs of clusters meet in :math:`\sum_i T_i \otimes T_i` alone.

All of this depends on a cluster through :math:`\tilde X_i' \tilde X_i` and
:math:`\tilde X_i' \tilde e_i` alone, so a cluster with more rows than coefficients is replaced by
the triangle of its orthogonal decomposition. Where a cluster alone determines a combination of
coefficients, an eigenvalue of :math:`H_i` is one: its residual is zero whatever the truth, so that
combination has no empirical standard error, and none is given.

The pass over the rows costs :math:`O(n T r (q + T))` and holds a few thousand subjects at a time.

References
----------
.. [1] Liang K-Y, Zeger SL. Longitudinal data analysis using generalized linear models. Biometrika
   1986;73:13-22.
.. [2] Bell RM, McCaffrey DF. Bias reduction in standard errors for linear regression with
   multi-stage samples. Survey Methodology 2002;28:169-181.
.. [3] Tipton E, Pustejovsky JE. Small-sample adjustments for tests of moderators and model fit
   using robust variance estimation in meta-regression. J Educ Behav Stat 2015;40:604-634.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import NotEstimable, UsageError
from outcomes.stats.information import residual
from outcomes.stats.moments import root_weights, wide_rows
from outcomes.stats.reml import RemlFit
from outcomes.stats.subjects import SubjectParts, Subjects, inverse_roots, parts_of_fit

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
SandwichKind = Literal["CR0", "CR2", "CR3"]

POWERS: Final[dict[str, float]] = {"CR0": 0.0, "CR2": 0.5, "CR3": 1.0}
_ALONE: Final = 1e-8
"""Distance of a leverage to one below which a cluster alone determines a combination."""
_TOUCHED: Final = 1e-6
_SUBJECTS_AT_ONCE: Final = 512


@dataclass(frozen=True, kw_only=True, eq=False)
class Sandwich:
    """The empirical covariance of a fit, and what its degrees of freedom need.

    Attributes
    ----------
    kind : {'CR0', 'CR2', 'CR3'}
    fit : RemlFit
    subjects : SubjectParts
        Those that the moments of the fit were made of.
    """

    kind: SandwichKind
    fit: RemlFit
    subjects: SubjectParts

    @property
    def n_clusters(self) -> int:
        """Clusters with a seen visit."""
        return self._pass[2]

    @property
    def phi(self) -> Array:
        """(r, r): the empirical covariance in the basis."""
        factor, scores = _root_phi(self.fit), self._pass[0]
        return np.asarray(factor @ scores @ factor.T)

    def contributions(self, rows: Array) -> Array:
        """(m, clusters): what each adds to the errors of rows (m, r) in the basis, by its code."""
        turned = rows @ _root_phi(self.fit)
        found, codes = [], []
        for white, error, code in self._blocks():
            found.append(turned @ self._scores(white, error)[0].T)
            codes.append(code)
        return np.concatenate(found, axis=1)[:, np.argsort(np.concatenate(codes))]

    def undetermined(self, rows: Array) -> npt.NDArray[np.bool_]:
        """(m,): rows (m, r) in the basis to which a cluster contributes with leverage one."""
        alone = self._pass[1]
        if not alone.size:
            return np.zeros(len(rows), dtype=np.bool_)
        turned = rows @ _root_phi(self.fit)
        touched = np.abs(turned @ alone.T).max(axis=1)
        return np.asarray(touched > _TOUCHED * np.linalg.norm(turned, axis=1))

    def degrees(self, rows: Array) -> Array:
        """(m,): degrees of freedom of rows (m, r) in the basis; NaN for a row of zeros."""
        turned = (rows @ _root_phi(self.fit)).T
        rank, m = turned.shape
        trace, square, spread = np.zeros(m), np.zeros(m), np.zeros((m, rank, rank))
        for white, _, _ in self._blocks():
            adjusted, _ = _adjusted(white, POWERS[self.kind])
            a = adjusted @ (white @ turned)
            z = np.swapaxes(white, 1, 2) @ a
            sigma, tau = (a**2).sum(axis=1), (z**2).sum(axis=1)
            trace += (sigma - tau).sum(axis=0)
            square += ((sigma - tau) ** 2 - tau**2).sum(axis=0)
            by_row = np.ascontiguousarray(z.transpose(2, 1, 0))
            spread += by_row @ np.swapaxes(by_row, 1, 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(trace**2 / (square + (spread**2).sum(axis=(1, 2))))

    def wishart_degrees(self, rows: Array) -> float | None:
        """Degrees of freedom of the covariance of rows (q, r) in the basis, taken as a Wishart's.

        None where each subject is a cluster: joint tests are then those of other programs.
        """
        if self.n_clusters == self.fit.n_subjects:
            return None
        turned = (rows @ _root_phi(self.fit)).T
        rank, q = turned.shape
        mean, own = np.zeros((q, q)), np.zeros((q * q, q * q))
        cross = np.zeros((q * rank, q * rank))
        for white, _, _ in self._blocks():
            adjusted, _ = _adjusted(white, POWERS[self.kind])
            a = adjusted @ (white @ turned)
            t = np.swapaxes(a, 1, 2) @ white
            shared = t @ np.swapaxes(t, 1, 2)
            alone = np.swapaxes(a, 1, 2) @ a - shared
            mean += alone.sum(axis=0)
            for part, sign in ((alone, 1.0), (shared, -1.0)):
                flat = part.reshape(len(part), -1)
                own += sign * flat.T @ flat
            flat = t.reshape(len(t), -1)
            cross += flat.T @ flat
        values, vectors = np.linalg.eigh(mean)
        scale = (vectors / np.sqrt(values)) @ vectors.T
        both = np.kron(scale, scale)
        diagonal = (both @ own @ both.T).reshape(q, q, q, q)
        pairs = np.einsum(
            "st,uv,tavb->saub", scale, scale, cross.reshape(q, rank, q, rank), optimize=True
        )
        total = np.einsum("sstt->", diagonal) + np.einsum("stts->", diagonal)
        total += (pairs**2).sum() + (pairs * pairs.transpose(2, 1, 0, 3)).sum()
        return float(q * (q + 1) / total)

    @cached_property
    def _pass(self) -> tuple[Array, Array, int]:
        """Sum of the scores' products, the (k, r) unit directions of leverage one, clusters."""
        rank, n_clusters = self.fit.cells.basis.rank, 0
        total, alone = np.zeros((rank, rank)), [np.zeros((0, rank))]
        for white, error, _ in self._blocks():
            scores, single = self._scores(white, error)
            total += scores.T @ scores
            alone.append(single)
            n_clusters += len(white)
        return total, np.concatenate(alone), n_clusters

    def _scores(self, white: Array, error: Array) -> tuple[Array, Array]:
        """Scores (c, r) of a block's clusters, and the (k, r) directions of leverage one."""
        adjusted, single = _adjusted(white, POWERS[self.kind])
        return (np.swapaxes(white, 1, 2) @ (adjusted @ error[:, :, None]))[:, :, 0], single

    def _blocks(self) -> Iterator[tuple[Array, Array, Integers]]:
        """Whitened designs (c, m, r), residuals (c, m) and codes of clusters of one size."""
        for part in parts_of_fit(self.subjects, self.fit):
            yield from _Whitened(fit=self.fit, subjects=part).blocks()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Whitened:
    """Whitened rows of some subjects, in which clusters are whole."""

    fit: RemlFit
    subjects: Subjects

    def blocks(self) -> Iterator[tuple[Array, Array, Integers]]:
        """Designs (c, m, r), residuals (c, m) and codes (c,) of clusters of one size."""
        cluster = self.subjects.cluster
        for members in self._members():
            size = members.shape[1]
            at_once = max(1, _SUBJECTS_AT_ONCE // size)
            for some in np.split(members, range(at_once, len(members), at_once)):
                block = self._cluster_rows(some)
                first = some[:, 0]
                yield (
                    block[:, :, :-1],
                    block[:, :, -1],
                    first if cluster is None else cluster[first],
                )

    def _members(self) -> tuple[Integers, ...]:
        """Places of the subjects, one array (clusters, size) for each size of a cluster."""
        n, cluster = len(self.subjects.y), self.subjects.cluster
        if cluster is None:
            return (np.arange(n)[:, None],)
        codes, counts = np.unique(cluster, return_inverse=True, return_counts=True)[1:]
        order = np.lexsort((codes, counts[codes]))
        sizes, clusters = np.unique(counts, return_counts=True)
        ends = np.cumsum(sizes * clusters)[:-1]
        parts = np.split(order, ends)
        return tuple(part.reshape(-1, size) for part, size in zip(parts, sizes, strict=True))

    def _cluster_rows(self, members: Integers) -> Array:
        """(c, m, r + 1): design and residual of clusters (c, size), no longer than they need be."""
        rank, size = self.fit.cells.basis.rank, members.shape[1]
        done: Array | None = None
        for some in np.split(members, range(_SUBJECTS_AT_ONCE, size, _SUBJECTS_AT_ONCE), axis=1):
            new = self._whitened(some.reshape(-1)).reshape(len(members), -1, rank + 1)
            done = new if done is None else np.concatenate([done, new], axis=1)
            if size > 1 and done.shape[1] > rank + 1:
                done = np.asarray(np.linalg.qr(done, mode="r"))
        if done is None:
            raise UsageError("A cluster has no subject.")
        return done

    def _whitened(self, places: Integers) -> Array:
        """(n, T, r + 1): ``L^-1 (X F, e)`` of subjects; rows of unseen visits are zero."""
        fit, subjects = self.fit, self.subjects
        layout = fit.cells.moments.layout
        wide = wide_rows(layout, subjects.z[places], np.nan_to_num(subjects.y[places]))
        columns = np.einsum("nd,tdm->ntm", wide, self._columns, optimize=True)
        if self._root_weights is not None:
            columns *= self._root_weights[places][:, :, None]
        roots, code = self._roots
        return np.asarray(roots[code[places]] @ columns)

    @cached_property
    def _columns(self) -> Array:
        """(T, D, r + 1): design in the whitened basis, then the residual, on the stored row."""
        cells, point = self.fit.cells, self.fit.point
        return np.concatenate(
            [cells.basis.design @ _root_phi(self.fit), residual(cells, point)[:, :, None]], axis=2
        )

    @cached_property
    def _root_weights(self) -> Array | None:
        return root_weights(self.subjects.weights, ~np.isnan(self.subjects.y))

    @cached_property
    def _roots(self) -> tuple[Array, Integers]:
        return inverse_roots(self.fit, self.subjects)


def sandwich_of(fit: RemlFit, subjects: SubjectParts, kind: SandwichKind) -> Sandwich:
    """Make ready the empirical covariance of a fit.

    Parameters
    ----------
    fit : RemlFit
    subjects : SubjectParts
        The rows that the moments of the fit were made of.
    kind : {'CR0', 'CR2', 'CR3'}

    Raises
    ------
    UsageError
        Where the rows are not those of the fit.
    NotEstimable
        Where there is one cluster: its scores add up to zero, which would look like no error.
    """
    if kind not in get_args(SandwichKind):
        raise UsageError(f"'{kind}' is no sandwich; choose from {list(get_args(SandwichKind))}.")
    found = Sandwich(kind=kind, fit=fit, subjects=subjects)
    if found.n_clusters < 2:
        raise NotEstimable(
            "All rows are of one cluster, so that nothing tells how clusters differ. Leave cluster "
            "out, or use model-based inference such as 'kenward-roger'."
        )
    return found


def _root_phi(fit: RemlFit) -> Array:
    """(r, r): F of the module."""
    return np.asarray(np.linalg.cholesky(fit.point.phi))


def _adjusted(white: Array, power: float) -> tuple[Array, Array]:
    """``(I - H)^-power`` (c, m, m), and the unit directions (k, r) in which H is one."""
    leverage, vectors = np.linalg.eigh(white @ np.swapaxes(white, 1, 2))
    alone = leverage > 1.0 - _ALONE
    factor = np.where(alone, 0.0, np.where(alone, 1.0, 1.0 - leverage) ** -power)
    if power == 0.0:
        factor = np.ones_like(factor)
    adjusted = (vectors * factor[:, None, :]) @ np.swapaxes(vectors, 1, 2)
    clusters, places = np.nonzero(alone)
    single = np.einsum("km,kmr->kr", vectors[clusters, :, places], white[clusters])
    return adjusted, single
