r"""Covariance structures of the visits, as smooth functions of free parameters.

Parametrisation
---------------
``us``
    Log-Cholesky [1]_: :math:`\Sigma = L L'`, the free parameters are the lower triangle of
    :math:`L` row by row, with the logarithm on the diagonal. Every parameter vector gives a
    positive definite matrix.
``cs csh ar1 ar1h toep toeph ad adh``
    :math:`\Sigma_{jk} = e^{\tau_j + \tau_k} \prod_m \rho_m^{e_{mjk}}` with
    :math:`\rho_m = \tanh u_m`: log standard deviations (one, or one per visit in the structures
    that end in h and in none else), then the links of the correlations. The integers e say which
    structure it is: 1 off the diagonal (``cs``), the distance in visits (``ar1``), 1 at lag m
    (``toep``), 1 where m lies between the visits (``ad``, ante-dependence of order one [2]_).
    Some vectors give a matrix that is not positive definite; the fit steps back from those.

First and second derivatives are exact. Results do not depend on the parametrisation: the
Satterthwaite degrees of freedom and the linear Kenward-Roger form are invariant.

References
----------
.. [1] Pinheiro JC, Bates DM. Unconstrained parametrizations for variance-covariance matrices. Stat
   Comput 1996;6:289-296.
.. [2] Gabriel KR. Ante-dependence analysis of an ordered set of variables. Ann Math Stat
   1962;33:201-212.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import UsageError

Array = npt.NDArray[np.float64]

STRUCTURES = ("us", "cs", "csh", "ar1", "ar1h", "toep", "toeph", "ad", "adh")
OWN_VARIANCES = ("us", "csh", "ar1h", "toeph", "adh")
"""Those with a variance of its own a visit."""


class Structure(Protocol):
    """A covariance matrix of T visits as a function of ``theta`` (..., n)."""

    @property
    def name(self) -> str:
        """One of ``STRUCTURES``."""

    @property
    def n_parameters(self) -> int:
        """Length n of ``theta``."""

    def sigma(self, theta: Array) -> Array:
        """(..., T, T)."""

    def first(self, theta: Array) -> Array:
        """(..., n, T, T): derivatives."""

    def second(self, theta: Array) -> Array:
        """(n, n, T, T): second derivatives of one matrix."""

    def start(self, sigma: Array) -> Array:
        """(n,): parameters of a matrix near a positive definite ``sigma``."""


def structure(name: str, n_visits: int) -> Structure:
    """The structure of this name for ``n_visits`` visits.

    Raises
    ------
    UsageError
        For a name that is not in ``STRUCTURES``.
    """
    if name == "us":
        return Unstructured(n_visits)
    if name not in STRUCTURES:
        raise UsageError(f"'{name}' is no covariance structure; choose from {list(STRUCTURES)}.")
    common = name.removesuffix("h")
    return Patterned(name, n_visits, name != common, _exponents(common, n_visits))


@dataclass(frozen=True)
class Unstructured:
    """Log-Cholesky parametrisation of any positive definite matrix."""

    n_visits: int
    name: str = "us"

    @property
    def n_parameters(self) -> int:
        """T (T + 1) / 2."""
        return self.n_visits * (self.n_visits + 1) // 2

    def sigma(self, theta: Array) -> Array:
        """(..., T, T)."""
        factor = self._factor(theta)
        return np.asarray(factor @ np.swapaxes(factor, -1, -2))

    def first(self, theta: Array) -> Array:
        """(..., n, T, T): with dL the unit matrix of the entry, times L_jj on the diagonal."""
        turned = np.swapaxes(self._factor(theta), -1, -2)[..., None, :, :]
        half = self._factor_slopes(theta) @ turned
        return half + np.swapaxes(half, -1, -2)

    def second(self, theta: Array) -> Array:
        """(n, n, T, T): dL_h dL_l' and its transpose, and d2L L' on the diagonal entries."""
        slopes = self._factor_slopes(theta)
        half = slopes[:, None] @ np.swapaxes(slopes, -1, -2)[None, :]
        diagonal = np.flatnonzero(self._is_diagonal)
        half[diagonal, diagonal] += slopes[diagonal] @ self._factor(theta).T
        return self._symmetric(half)

    def start(self, sigma: Array) -> Array:
        """(n,)."""
        factor = np.linalg.cholesky(sigma)[self._entries]
        factor[self._is_diagonal] = np.log(factor[self._is_diagonal])
        return np.asarray(factor)

    @cached_property
    def _entries(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        return np.tril_indices(self.n_visits)

    @cached_property
    def _is_diagonal(self) -> npt.NDArray[np.bool_]:
        row, column = self._entries
        return np.asarray(row == column)

    def _factor(self, theta: Array) -> Array:
        row, column = self._entries
        factor = np.zeros((*theta.shape[:-1], self.n_visits, self.n_visits))
        factor[..., row, column] = np.where(
            self._is_diagonal, np.exp(np.where(self._is_diagonal, theta, 0.0)), theta
        )
        return factor

    def _factor_slopes(self, theta: Array) -> Array:
        row, column = self._entries
        n = self.n_parameters
        slopes = np.zeros((*theta.shape[:-1], n, self.n_visits, self.n_visits))
        size = np.where(self._is_diagonal, self._factor(theta)[..., row, column], 1.0)
        slopes[..., np.arange(n), row, column] = size
        return slopes

    @staticmethod
    def _symmetric(half: Array) -> Array:
        """Second derivative of L L' from dL_h dL_l' (h, l and transposed share one half)."""
        return half + np.swapaxes(half, -1, -2)


@dataclass(frozen=True, eq=False)
class Patterned:
    """Standard deviations times a correlation that is a product of powers.

    Attributes
    ----------
    heterogeneous : bool
        One standard deviation a visit.
    exponents : (m, T, T) array
        Of each correlation parameter in each entry.
    """

    name: str
    n_visits: int
    heterogeneous: bool
    exponents: Array

    @property
    def n_parameters(self) -> int:
        """Standard deviations, then correlations."""
        return int(self._n_deviations + self.exponents.shape[0])

    def sigma(self, theta: Array) -> Array:
        """(..., T, T)."""
        return np.asarray(self._deviation_part(theta) * self._powers(theta).prod(axis=-3))

    def first(self, theta: Array) -> Array:
        """(..., n, T, T)."""
        sigma, powers = self.sigma(theta), self._powers(theta)
        slopes, _ = self._power_slopes(theta)
        scale = self._deviation_part(theta)
        by_link = [
            scale * slopes[..., m, :, :] * np.delete(powers, m, axis=-3).prod(axis=-3)
            for m in range(len(self.exponents))
        ]
        by_deviation = self._log_slopes() * sigma[..., None, :, :]
        return np.concatenate([by_deviation, *(one[..., None, :, :] for one in by_link)], axis=-3)

    def second(self, theta: Array) -> Array:
        """(n, n, T, T)."""
        first, log_slopes = self.first(theta), self._log_slopes()
        n, n_sd = self.n_parameters, self._n_deviations
        out = np.zeros((n, n, self.n_visits, self.n_visits))
        out[:n_sd] = log_slopes[:, None] * first[None]
        out[:, :n_sd] = np.swapaxes(out[:n_sd], 0, 1)
        scale, powers = self._deviation_part(theta), self._powers(theta)
        slopes, bends = self._power_slopes(theta)
        for m in range(powers.shape[0]):
            for k in range(powers.shape[0]):
                rest = np.delete(powers, [m, k], axis=0).prod(axis=0)
                own = bends[m] if m == k else slopes[m] * slopes[k]
                out[n_sd + m, n_sd + k] = scale * own * rest
        return out

    def start(self, sigma: Array) -> Array:
        """(n,): mean variances and mean correlations, drawn towards zero until admissible."""
        deviation = np.sqrt(np.diag(sigma))
        correlation = sigma / np.outer(deviation, deviation)
        logs = np.log(deviation if self.heterogeneous else [np.sqrt(np.mean(deviation**2))])
        single = (self.exponents == 1) & (self.exponents.sum(axis=0) == 1)
        means = np.array([np.mean(correlation[where]) for where in single])
        theta = np.concatenate([logs, np.arctanh(np.clip(means, -0.95, 0.95))])
        while np.linalg.eigvalsh(self.sigma(theta))[0] < 0.01 * np.exp(2 * logs).min():
            theta[self._n_deviations :] *= 0.9
        return theta

    @property
    def _n_deviations(self) -> int:
        return self.n_visits if self.heterogeneous else 1

    def _log_slopes(self) -> Array:
        """(n_sd, T, T): derivatives of tau_j + tau_k."""
        if not self.heterogeneous:
            return np.full((1, self.n_visits, self.n_visits), 2.0)
        unit = np.eye(self.n_visits)
        return unit[:, :, None] + unit[:, None, :]

    def _deviation_part(self, theta: Array) -> Array:
        deviation = np.exp(theta[..., : self._n_deviations]) * np.ones(self.n_visits)
        return np.asarray(deviation[..., :, None] * deviation[..., None, :])

    def _powers(self, theta: Array) -> Array:
        return np.asarray(self._links(theta) ** self.exponents)

    def _links(self, theta: Array) -> Array:
        """(..., m, 1, 1): rho."""
        return np.asarray(np.tanh(theta[..., self._n_deviations :])[..., None, None])

    def _power_slopes(self, theta: Array) -> tuple[Array, Array]:
        """First and second derivatives of tanh(u)**e by u."""
        rho, e = self._links(theta), self.exponents
        slope = 1 - rho**2
        by_rho = e * rho ** np.maximum(e - 1, 0)
        twice = e * (e - 1) * rho ** np.maximum(e - 2, 0)
        return by_rho * slope, twice * slope**2 - by_rho * 2 * rho * slope


def _exponents(common: str, n_visits: int) -> Array:
    visit = np.arange(n_visits)
    low, high = np.minimum.outer(visit, visit), np.maximum.outer(visit, visit)
    distance = high - low
    if common == "cs":
        parts = [distance > 0]
    elif common == "ar1":
        parts = [distance]
    elif common == "toep":
        parts = [distance == lag for lag in range(1, n_visits)]
    else:
        parts = [(low <= m) & (m < high) for m in range(n_visits - 1)]
    kept = [part for part in parts if part.any()]
    return np.array(kept, dtype=np.float64).reshape(-1, n_visits, n_visits)
