r"""Covariance of the coefficients by leaving out one cluster at a time.

Method
------
With G clusters and :math:`\hat\beta_{(g)}` the fit without cluster g, its covariance matrices
estimated anew,

.. math:: \widehat{\operatorname{Cov}} = \frac{G - 1}{G} \sum_g
          (\hat\beta_{(g)} - \hat\beta)(\hat\beta_{(g)} - \hat\beta)',

read against t with G - 1 degrees of freedom [1]_ [2]_, and several rows at once as Hotelling's
:math:`T^2` with as many. It is about the fit to all, which errs on
the side of a larger variance, and makes no use of the working model; where that is independent of
beta, as with one visit, it is (G - 1) / G times CR3.

Moments are sums over subjects, so a fit without a cluster is a subtraction and a search that begins
next to its end, of all clusters at once (:mod:`outcomes.stats.refits`): rows are not read again. A
cluster without which some coefficients cannot be estimated has a fit of its own. Below ``FEWEST``
clusters a standard error says next to nothing, and none is given.

References
----------
.. [1] Bell RM, McCaffrey DF. Bias reduction in standard errors for linear regression with
   multi-stage samples. Survey Methodology 2002;28:169-181.
.. [2] MacKinnon JG, Nielsen MO, Webb MD. Fast and reliable jackknife and bootstrap methods for
   cluster-robust inference. J Appl Econometrics 2023;38:671-694.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import NotEstimable
from outcomes.stats.moments import Moments
from outcomes.stats.refits import refit_without
from outcomes.stats.reml import RemlFit, fit_reml

Array = npt.NDArray[np.float64]

FEWEST: Final = 6
_TOUCHED: Final = 1e-7


@dataclass(frozen=True, kw_only=True, eq=False)
class Without:
    """The fit without one cluster, beside the fit to all.

    Attributes
    ----------
    fit : RemlFit
    change : (r,) array
        Its coefficients in the basis of the fit to all, minus those.
    lost : (k, r) array
        Unit directions of the coefficients that its rows say nothing of.
    """

    fit: RemlFit
    change: Array
    lost: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Jackknife:
    """What the fits without a cluster say about the fit to all.

    Attributes
    ----------
    fit : RemlFit
    changes : (G, r) array
        Coefficients in the basis without each cluster, minus those with all.
    lost : (k, r) array
        Unit directions of the coefficients that the rows without some cluster say nothing of.
    """

    fit: RemlFit
    changes: Array
    lost: Array

    @property
    def n_clusters(self) -> int:
        """G."""
        return len(self.changes)

    @property
    def phi(self) -> Array:
        """(r, r): the covariance in the basis."""
        return np.asarray((1 - 1 / self.n_clusters) * self.changes.T @ self.changes)

    def contributions(self, rows: Array) -> Array:
        """(m, G): what each cluster adds to the errors of rows (m, r) in the basis."""
        return np.asarray(-np.sqrt(1 - 1 / self.n_clusters) * rows @ self.changes.T)

    def undetermined(self, rows: Array) -> npt.NDArray[np.bool_]:
        """(m,): rows (m, r) in the basis that some cluster alone determines."""
        touched = np.abs(rows @ self.lost.T).max(axis=1, initial=0.0)
        return np.asarray(touched > _TOUCHED * np.linalg.norm(rows, axis=1))

    def degrees(self, rows: Array) -> Array:
        """(m,): G - 1."""
        return np.full(len(rows), self.n_clusters - 1.0)

    def wishart_degrees(self, rows: Array) -> float:
        """Degrees of freedom of the covariance of rows (q, r), taken as a Wishart's: G - 1."""
        return self.n_clusters - 1.0


def leave_clusters_out(fit: RemlFit, moments: Moments, maps: Array) -> Jackknife:
    """Fit without each cluster.

    Parameters
    ----------
    fit : RemlFit
        To all clusters.
    moments : Moments
        By cluster; those that ``fit`` was made of.
    maps : (T, p, q) array

    Raises
    ------
    NotEstimable
        Where there are fewer clusters than ``FEWEST``.
    NotConverged
        Where a fit without a cluster has no optimum.
    """
    clusters = moments.clusters
    if clusters.size < FEWEST:
        raise NotEstimable(
            f"The jackknife has {clusters.size} clusters and needs {FEWEST}: a standard error from "
            "fewer says next to nothing. Use 'kenward-roger' with the clusters as a covariate."
        )
    refits, total = refit_without(fit, moments), moments.total()
    changes, lost = refits.gamma - fit.point.gamma, [np.zeros((0, fit.rank))]
    for place in np.flatnonzero(~refits.found):
        without = fit_without(fit, total, moments.select([clusters[place]]), maps)
        changes[place] = without.change
        lost.append(without.lost)
    return Jackknife(fit=fit, changes=changes, lost=np.concatenate(lost))


def fit_without(fit: RemlFit, total: Moments, part: Moments, maps: Array) -> Without:
    """Fit to all but some subjects.

    Parameters
    ----------
    fit : RemlFit
        To all.
    total, part : Moments
        Of all, and of those to be left out.
    maps : (T, p, q) array

    Raises
    ------
    NotEstimable, NotConverged
        As by :func:`outcomes.stats.reml.fit_reml`.
    """
    without = fit_reml(
        total - part.total(),
        maps,
        covariance=fit.covariance,
        method=fit.method,
        weight_kind=fit.weight_kind,
        start=fit.theta,
    )
    change = np.nan_to_num(without.beta) - fit.beta
    return Without(
        fit=without,
        change=fit.cells.basis.triangle @ change[fit.estimable],
        lost=_lost(fit, without),
    )


def _lost(fit: RemlFit, without: RemlFit) -> Array:
    """(k, r): directions along which the coefficients may move without a change of any mean."""
    gone = np.flatnonzero(fit.estimable & ~without.estimable)
    place = np.searchsorted(np.flatnonzero(~without.estimable), gone)
    moves = np.zeros((gone.size, fit.beta.size))
    moves[np.arange(gone.size), gone] = 1.0
    moves[:, without.estimable] = -without.cells.basis.combination[:, place].T
    turned = moves[:, fit.estimable] @ fit.cells.basis.triangle.T
    return np.asarray(turned / np.linalg.norm(turned, axis=1, keepdims=True))
