r"""Responses at a visit, before anything of the subject is seen or given its seen visits.

Method
------
Multiplied by the roots of their weights, the responses of a subject have the covariance
:math:`\Sigma` of its group. Let s be its seen visits, u the others, and

.. math:: B = \begin{pmatrix} I & 0 \\ \Sigma_{us} \Sigma_{ss}^{-1} & 0 \end{pmatrix},
          \qquad A = I - B

with the seen ones first. Then :math:`E(y \mid y_s) = B y + A X \beta` with covariance
:math:`A \Sigma A'` [1]_: a seen response is itself, and where nothing is seen A is the identity.
The rows :math:`A X` are what beta is multiplied by, so that the standard error of such a mean is
that of any linear function of beta; B is taken as known. The variance at visit t is
:math:`a' \Sigma a` with a the row t of A, and its derivative by an entry of :math:`\Sigma` with
unit matrix D is :math:`a' D a` exactly, because B minimises it.

That :math:`\Sigma` in B is estimated adds to the mean squared error, with W the inverse of
:math:`\Sigma_{ss}` and zeros elsewhere,

.. math:: g = \sum_{hl} \operatorname{cov}(\hat\sigma_h, \hat\sigma_l) \, a' D_h W D_l a ,

and :math:`a' \hat\Sigma a` comes out too small by as much again [2]_.

References
----------
.. [1] Anderson TW. An Introduction to Multivariate Statistical Analysis, 3rd ed. Wiley 2003,
   section 2.5.
.. [2] Prasad NGN, Rao JNK. The estimation of the mean squared error of small-area estimators. J Am
   Stat Assoc 1990;85:163-171.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from outcomes.stats.information import directions

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class VisitRows:
    """N rows, one a subject and visit.

    Attributes
    ----------
    x : (N, p) array
        Design rows.
    subject, visit, group : (N,) arrays
        Codes; a group is that of the covariance matrix.
    root : (N,) array
        Roots of what divides the variance.
    """

    x: Array
    subject: Integers
    visit: Integers
    group: Integers
    root: Array

    @property
    def n_subjects(self) -> int:
        """Codes of subjects, used or not."""
        return int(self.subject.max(initial=-1)) + 1

    def wide(self, values: Array, n_visits: int, blank: float) -> Array:
        """(n, T, ...): values (N, ...) of the rows by subject and visit."""
        out = np.full((self.n_subjects, n_visits, *values.shape[1:]), blank)
        out[self.subject, self.visit] = values
        return out

    def group_of_subject(self) -> Integers:
        """(n,): codes of the covariance groups."""
        out = np.zeros(self.n_subjects, dtype=np.int64)
        out[self.subject] = self.group
        return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """What is known of the response of each of N rows.

    Attributes
    ----------
    rows : (N, p) array
        What beta is multiplied by.
    known : (N,) array
        What the seen visits add.
    leaning : (N, T) array
        The a of the module, divided by the root of the row's weight.
    variance : (N,) array
        Of the response around its mean, all parameters known.
    estimated : (N,) array
        The g of the module.
    """

    rows: Array
    known: Array
    leaning: Array
    variance: Array
    estimated: Array

    def slopes(self, some: Integers, group: Integers, n_groups: int) -> Array:
        """(s, m): derivatives of the variance of ``some`` rows by the covariance matrices' entries.

        Parameters
        ----------
        some : (m,) array
            Places of the rows.
        group : (N,) array
            Codes of the covariance groups of all rows.
        """
        leaning, n_visits = self.leaning[some], self.leaning.shape[1]
        square = (leaning[:, :, None] * leaning[:, None, :]).reshape(some.size, -1)
        entries = square @ directions(n_visits)
        out = np.zeros((n_groups, entries.shape[1], some.size))
        out[group[some], :, np.arange(some.size)] = entries
        return out.reshape(-1, some.size)


def given_nothing(rows: VisitRows, sigmas: Array) -> Given:
    """Return the rows as they are.

    Parameters
    ----------
    rows : VisitRows
    sigmas : (groups, T, T) array
    """
    leaning = np.zeros((len(rows.x), sigmas.shape[1]))
    leaning[np.arange(len(rows.x)), rows.visit] = 1 / rows.root
    nothing = np.zeros(len(rows.x))
    return Given(
        rows=rows.x,
        known=nothing,
        leaning=leaning,
        variance=_variance(leaning, sigmas[rows.group]),
        estimated=nothing,
    )


def given_seen(rows: VisitRows, y: Array, sigmas: Array, entry_cov: Array) -> Given:
    """Condition the rows of a subject on those of them that have a response.

    Parameters
    ----------
    rows : VisitRows
        One a subject and visit.
    y : (N,) array
        NaN where unseen.
    sigmas : (groups, T, T) array
    entry_cov : (s, s) array
        Covariance of the estimated entries of ``sigmas``.
    """
    n_visits = sigmas.shape[1]
    by_group = entry_cov.reshape(len(sigmas), len(entry_cov) // len(sigmas), len(sigmas), -1)
    wide_x = rows.wide(rows.x * rows.root[:, None], n_visits, 0.0)
    wide_y, group = rows.wide(y * rows.root, n_visits, np.nan), rows.group_of_subject()
    known, estimated = np.zeros(wide_y.shape), np.zeros(wide_y.shape)
    leaning = np.zeros((*wide_y.shape, n_visits))
    for some in same_pattern(wide_y, group):
        g, seen = group[some[0]], ~np.isnan(wide_y[some[0]])
        inverse = _inverse(sigmas[g], seen)
        weights = np.where(seen[:, None], np.eye(n_visits), sigmas[g] @ inverse)
        leaning[some] = np.eye(n_visits) - weights
        known[some] = np.nan_to_num(wide_y[some]) @ weights.T
        wide_x[some] = leaning[some] @ wide_x[some]
        estimated[some] = _estimated(leaning[some[0]], inverse, by_group[g, :, g])
    at = rows.subject, rows.visit
    own = leaning[at] / rows.root[:, None]
    return Given(
        rows=wide_x[at] / rows.root[:, None],
        known=np.where(np.isnan(y), known[at] / rows.root, y),
        leaning=own,
        variance=_variance(own, sigmas[rows.group]),
        estimated=estimated[at] / rows.root**2,
    )


def same_pattern(y: Array, codes: Integers) -> Iterator[Integers]:
    """Places of the subjects (n, T) with the same seen visits and code, pattern by pattern."""
    if y.shape[0]:
        keys = np.column_stack([codes, ~np.isnan(y) @ (1 << np.arange(y.shape[1]))])
        order = np.lexsort(keys.T)
        new = np.any(np.diff(keys[order], axis=0) != 0, axis=1)
        yield from np.split(order, np.flatnonzero(new) + 1)


def _inverse(sigma: Array, seen: npt.NDArray[np.bool_]) -> Array:
    """(T, T): W of the module."""
    out = np.zeros(sigma.shape)
    if seen.any():
        out[np.ix_(seen, seen)] = np.linalg.inv(sigma[np.ix_(seen, seen)])
    return out


def _estimated(leaning: Array, inverse: Array, entry_cov: Array) -> Array:
    """(T,): g of the module at each visit of a pattern."""
    n_visits = len(leaning)
    unit = directions(n_visits).T.reshape(-1, n_visits, n_visits)
    moved = np.einsum("ta,hab->thb", leaning, unit)
    return np.asarray(
        np.einsum("hl,tha,ab,tlb->t", entry_cov, moved, inverse, moved, optimize=True)
    )


def _variance(leaning: Array, sigmas: Array) -> Array:
    """(N,): ``a' Sigma a``."""
    return np.asarray(np.einsum("nt,ntv,nv->n", leaning, sigmas, leaning, optimize=True))
