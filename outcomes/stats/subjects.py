r"""The wide rows of a fit once more, for what sums over subjects do not hold.

With :math:`V_i = L_i L_i'`, :math:`L_i` the Cholesky factor in the order of the visits,
:math:`L_i^{-1} r_i` are the *scaled* residuals: of variance one and uncorrelated where the model
holds [1]_. Their squares add up to :math:`\sum_i r_i' V_i^{-1} r_i`, which at the optimum is
n - rank by REML and n by ML.

References
----------
.. [1] Fitzmaurice GM, Laird NM, Ware JH. Applied Longitudinal Analysis, 2nd ed. Wiley 2011,
   section 10.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import UsageError
from outcomes.stats.information import residual
from outcomes.stats.moments import root_weights, wide_rows
from outcomes.stats.reml import RemlFit

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Subjects:
    """The wide rows that the moments were made of, for the second pass.

    Attributes
    ----------
    z : (n, q) array
    y : (n, T) array
        NaN where unseen.
    group : (n,) array
        Codes of the covariance groups.
    weights : (n,) or (n, T) array or None
    cluster : (n,) array of int or None
        What is kept together; None takes each subject by itself.
    """

    z: Array
    y: Array
    group: Integers
    weights: Array | None = None
    cluster: Integers | None = None

    def parts(self) -> Iterator[Subjects]:
        """All of them at once."""
        yield self

    def seen(self) -> Subjects:
        """Those with a seen visit."""
        kept = ~np.isnan(self.y).all(axis=1)
        if kept.all():
            return self
        return replace(
            self,
            z=self.z[kept],
            y=self.y[kept],
            group=self.group[kept],
            weights=None if self.weights is None else self.weights[kept],
            cluster=None if self.cluster is None else self.cluster[kept],
        )


class SubjectParts(Protocol):
    """Subjects that come some at a time, the same at every pass; a cluster is in one part."""

    def parts(self) -> Iterator[Subjects]:
        """One pass."""


def parts_of_fit(subjects: SubjectParts, fit: RemlFit) -> Iterator[Subjects]:
    """Parts of the subjects with a seen visit.

    Raises
    ------
    UsageError
        After the last, where they were not those of the fit.
    """
    n_subjects = n_observations = 0
    for part in subjects.parts():
        kept = part.seen()
        n_subjects += len(kept.y)
        n_observations += int((~np.isnan(kept.y)).sum())
        yield kept
    if (n_subjects, n_observations) != (fit.n_subjects, fit.n_observations):
        raise UsageError("The subjects are not those that the model was fitted to.")


def residuals(fit: RemlFit, subjects: Subjects) -> Array:
    """(n, T): responses minus their means; NaN where unseen."""
    stored = wide_rows(fit.cells.moments.layout, subjects.z, np.nan_to_num(subjects.y))
    found = stored @ residual(fit.cells, fit.point).T
    return np.where(np.isnan(subjects.y), np.nan, found)


def pearson_residuals(fit: RemlFit, subjects: Subjects) -> Array:
    """(n, T): residuals divided by their standard deviations."""
    deviation = np.sqrt(np.einsum("gtt->gt", fit.sigmas))[subjects.group]
    return np.asarray(_rooted(fit, subjects) / deviation)


def scaled_residuals(fit: RemlFit, subjects: Subjects) -> Array:
    """(n, T): ``L^-1 r``; NaN where unseen."""
    roots, code = inverse_roots(fit, subjects)
    known = np.nan_to_num(_rooted(fit, subjects))
    found = np.einsum("ntv,nv->nt", roots[code], known, optimize=True)
    return np.where(np.isnan(subjects.y), np.nan, found)


def inverse_roots(fit: RemlFit, subjects: Subjects) -> tuple[Array, Integers]:
    """Inverse Cholesky factors of the seen parts (K, T, T), and which one each subject has.

    They are of the covariance before it is divided by weights.
    """
    seen = ~np.isnan(subjects.y)
    n_visits = seen.shape[1]
    pattern = seen @ (1 << np.arange(n_visits)) + (subjects.group << n_visits)
    _, first, code = np.unique(pattern, return_index=True, return_inverse=True)
    roots = np.zeros((first.size, n_visits, n_visits))
    for k, place in enumerate(first):
        used = np.ix_(np.flatnonzero(seen[place]), np.flatnonzero(seen[place]))
        sigma = fit.sigmas[subjects.group[place]][used]
        roots[k][used] = np.linalg.inv(np.linalg.cholesky(sigma))
    return roots, code.astype(np.int64)


def _rooted(fit: RemlFit, subjects: Subjects) -> Array:
    """(n, T): residuals times the roots of their weights, where these are precisions."""
    found = residuals(fit, subjects)
    if fit.weight_kind == "probability":
        return found
    root = root_weights(subjects.weights, ~np.isnan(subjects.y))
    return found if root is None else found * root
