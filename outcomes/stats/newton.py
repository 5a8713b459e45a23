r"""The maximum of the likelihood over the covariance parameters, by Newton's method.

Steps use the observed information [1]_, its eigenvalues taken positive, and are halved until the
log-likelihood grows. The dear term of the information, the coupling through the estimated beta, is
of the order of the number of coefficients where the rest is of the order of subjects: it is left
out far from the optimum, and everywhere where there are many responses to a coefficient, and held
fixed very close to the optimum. That changes the path and not the solution.

The search ends when the Newton decrement :math:`g' H^{-1} g`, the squared distance to the optimum
in standard errors, is at rounding level, so no result depends on a tolerance that one could see.

References
----------
.. [1] Lindstrom MJ, Bates DM. Newton-Raphson and EM algorithms for linear mixed-effects models for
   repeated-measures data. J Am Stat Assoc 1988;83:1014-1022.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import block_diag

from outcomes.core.errors import NotConverged
from outcomes.stats.cells import Cells, Point, evaluate
from outcomes.stats.covariance import Structure
from outcomes.stats.information import Local, coupling, differentiate, scaled_slopes
from outcomes.stats.remedies import remedy

Array = npt.NDArray[np.float64]

_MAX_ITERATIONS = 150
_FAR, _CLOSE = 1.0, 1e-6
_ROUNDING = 1e-13
_RARE = 25


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """Where the search ended: parameters, likelihood and what is left of the way."""

    theta: Array
    point: Point
    decrement: float
    n_iterations: int


def search(cells: Cells, form: Structure, theta: Array, tolerance: float) -> Found:
    """Climb from ``theta`` (n,) until the squared Newton decrement is below ``tolerance``.

    Raises
    ------
    NotConverged
        Where the likelihood has no maximum that the search finds.
    """
    point = _point(cells, form, theta)
    if point is None:
        raise no_maximum(cells, form)
    held, best = None, Found(theta=theta, point=point, decrement=np.inf, n_iterations=0)
    for iteration in range(1, _MAX_ITERATIONS + 1):
        gradient, information = _derivatives(cells, form, theta, point, held)
        step = _newton_step(gradient, information)
        decrement = float(gradient @ step)
        if best.decrement < _ROUNDING and decrement > best.decrement / 4:
            return best
        best = Found(theta=theta, point=point, decrement=decrement, n_iterations=iteration)
        if decrement < tolerance:
            return best
        theta, point = _move(cells, form, best, step)
        if _couples(cells) and _CLOSE < decrement < _FAR:
            held = coupling(scaled_slopes(cells, point))
    raise no_maximum(cells, form)


def _couples(cells: Cells) -> bool:
    """Whether the coupling is large enough to be worth its price on the way."""
    return cells.method == "reml" and cells.basis.rank * _RARE > cells.moments.n_observations


def observed_information(
    cells: Cells, form: Structure, theta: Array, point: Point, slopes: Array | None
) -> Array:
    """(n, n): exact, by the structure's parameters; ``slopes`` are the scaled ones, by REML."""
    held = None if slopes is None else coupling(slopes)
    return _derivatives(cells, form, theta, point, held)[1]


def sigmas_of(form: Structure, theta: Array, n_groups: int) -> Array:
    """(groups, T, T) from the parameters of all groups."""
    return np.stack([form.sigma(part) for part in theta.reshape(n_groups, -1)])


def entry_slopes(form: Structure, theta: Array, n_groups: int) -> Array:
    """(s, n): derivatives of the lower triangles of all groups by all parameters."""
    parts = []
    for part in theta.reshape(n_groups, -1):
        first = form.first(part)
        row, column = np.tril_indices(first.shape[-1])
        parts.append(first[:, row, column].T)
    return np.asarray(block_diag(*parts))


def entry_root(form: Structure, theta: Array, theta_cov: Array, n_groups: int) -> Array:
    """(s, n): a root of the asymptotic covariance of the entries of the covariance matrices."""
    return np.asarray(entry_slopes(form, theta, n_groups) @ np.linalg.cholesky(theta_cov))


def _point(cells: Cells, form: Structure, theta: Array) -> Point | None:
    with np.errstate(over="ignore", invalid="ignore"):
        sigmas = sigmas_of(form, theta, len(cells.groups))
    return evaluate(cells, sigmas)


def _derivatives(
    cells: Cells, form: Structure, theta: Array, point: Point, held: Array | None
) -> tuple[Array, Array]:
    """Gradient (n,) and observed information (n, n) by the structure's parameters."""
    local = differentiate(cells, point)
    slopes = entry_slopes(form, theta, len(cells.groups))
    entries = local.information if held is None else local.information - held
    gradients, bends = _by_structure(form, theta, local)
    return gradients, slopes.T @ entries @ slopes - bends


def _by_structure(form: Structure, theta: Array, local: Local) -> tuple[Array, Array]:
    """Gradient, and its part of the second derivatives, through Sigma of each group."""
    gradients, bends = [], []
    parts = theta.reshape(local.gradient.shape[0], -1)
    for part, slope in zip(parts, local.gradient, strict=True):
        gradients.append(np.einsum("hab,ab->h", form.first(part), slope))
        bends.append(np.einsum("hlab,ab->hl", form.second(part), slope))
    return np.concatenate(gradients), np.asarray(block_diag(*bends))


def _newton_step(gradient: Array, information: Array) -> Array:
    """(n,): uphill in every eigendirection of the scaled information."""
    size = np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-300))
    values, vectors = np.linalg.eigh(information / np.outer(size, size))
    turned = vectors.T @ (gradient / size)
    return np.asarray(vectors @ (turned / np.maximum(np.abs(values), 1e-10)) / size)


def _move(cells: Cells, form: Structure, at: Found, step: Array) -> tuple[Array, Point]:
    """Halve the step until the log-likelihood grows; close to the optimum it cannot be seen to."""
    length = 1.0
    for _ in range(60):
        theta = at.theta + length * step
        point = _point(cells, form, theta)
        if point is not None:
            gain = point.log_likelihood - at.point.log_likelihood
            if at.decrement < _CLOSE or gain > 1e-4 * length * at.decrement:
                return theta, point
        length /= 2
    raise no_maximum(cells, form)


def no_maximum(cells: Cells, form: Structure) -> NotConverged:
    """The error of a likelihood that grows up to the boundary of its parameters."""
    return NotConverged(
        f"The likelihood has no maximum that can be found: a covariance matrix '{form.name}' tends "
        "to a singular one, as with few subjects for its parameters, or visits that say the same. "
        f"{remedy(form.name, cells.n_visits, len(cells.groups))}"
    )
