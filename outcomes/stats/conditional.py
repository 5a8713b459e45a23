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

References
----------
.. [1] Anderson TW. An Introduction to Multivariate Statistical Analysis, 3rd ed. Wiley 2003,
   section 2.5.
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
    """

    rows: Array
    known: Array
    leaning: Array
    variance: Array

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
    return _given(rows, rows.x, np.zeros(len(rows.x)), leaning, sigmas)


def given_seen(rows: VisitRows, y: Array, sigmas: Array) -> Given:
    """Condition the rows of a subject on those of them that have a response.

    Parameters
    ----------
    rows : VisitRows
        One a subject and visit.
    y : (N,) array
        NaN where unseen.
    sigmas : (groups, T, T) array
    """
    n_visits = sigmas.shape[1]
    wide_x = rows.wide(rows.x * rows.root[:, None], n_visits, 0.0)
    wide_y, group = rows.wide(y * rows.root, n_visits, np.nan), rows.group_of_subject()
    known = np.zeros(wide_y.shape)
    leaning = np.zeros((*wide_y.shape, n_visits))
    for some in same_pattern(wide_y, group):
        seen = ~np.isnan(wide_y[some[0]])
        weights = _on_seen(sigmas[group[some[0]]], seen)
        known[some] = np.nan_to_num(wide_y[some]) @ weights.T
        leaning[some] = np.eye(n_visits) - weights
        wide_x[some] = (np.eye(n_visits) - weights) @ wide_x[some]
    at = rows.subject, rows.visit
    return _given(
        rows,
        wide_x[at] / rows.root[:, None],
        np.where(np.isnan(y), known[at] / rows.root, y),
        leaning[at] / rows.root[:, None],
        sigmas,
    )


def same_pattern(y: Array, codes: Integers) -> Iterator[Integers]:
    """Places of the subjects (n, T) with the same seen visits and code, pattern by pattern."""
    if y.shape[0]:
        keys = np.column_stack([codes, ~np.isnan(y) @ (1 << np.arange(y.shape[1]))])
        order = np.lexsort(keys.T)
        new = np.any(np.diff(keys[order], axis=0) != 0, axis=1)
        yield from np.split(order, np.flatnonzero(new) + 1)


def _on_seen(sigma: Array, seen: npt.NDArray[np.bool_]) -> Array:
    """(T, T): B of the module, the visits in their order."""
    out = np.diag(seen.astype(np.float64))
    if seen.any() and not seen.all():
        slopes = np.linalg.solve(sigma[np.ix_(seen, seen)], sigma[np.ix_(seen, ~seen)])
        out[np.ix_(~seen, seen)] = slopes.T
    return out


def _given(rows: VisitRows, x: Array, known: Array, leaning: Array, sigmas: Array) -> Given:
    bent = np.einsum("nt,ntv->nv", leaning, sigmas[rows.group], optimize=True)
    variance = np.asarray((bent * leaning).sum(axis=1))
    return Given(rows=x, known=known, leaning=leaning, variance=variance)
