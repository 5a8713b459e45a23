r"""Streamed logistic regressions of several responses on one design.

Model
-----
:math:`\operatorname{logit} E[y_i] = x_i'\beta`, rows :math:`i` with weights :math:`w_i \ge 0`. The
response may lie anywhere in [0, 1]: a mean over draws of an unseen 0/1 response is a fractional
response, and the estimating equation :math:`\sum_i w_i x_i (y_i - \mu_i) = 0` stays unbiased [1]_.
Independence is the working model, so the point estimates are those of a generalised estimating
equation with an independence structure.

Algorithm
---------
Newton's method on the estimating equation, which is the gradient of a concave function, with step
halving. Close to the solution the matrix of the step before is kept as long as the steps shrink,
which changes the path and not the solution. All responses go through the data together, each until
it has its own solution. In large data a thin part of the rows is solved first, to begin close by,
and with its matrix. Every pass streams over chunks of rows and keeps sums only.

A ridge :math:`\lambda_j \beta_j^2 / 2` may be put on single columns, so that a clinic in which no
one had the event does not end the fit: :math:`\lambda_j \beta_j` then leaves the score and
:math:`\lambda_j` joins the diagonal of the information
:math:`A = \sum_i w_i \mu_i (1 - \mu_i) x_i x_i'`. Columns without one are not shrunken.

Errors
------
For a linear functional :math:`H\beta`, :func:`clustered` gives the sandwich
:math:`\sum_g h_g h_g'` with :math:`h_g = \sum_{i \in g} H A^{-1} x_i w_i (y_i - \mu_i)` over
clusters :math:`g`, times :math:`G / (G - 1)` for the :math:`G` clusters with weight [2]_: no
matrix of all coefficients is made on the way.

What is not done: separation by an unpenalised column shows as a fit that does not converge, and is
answered with ``NotConverged``.

References
----------
.. [1] Papke LE, Wooldridge JM. Econometric methods for fractional response variables. J Appl Econom
   1996;11:619-632.
.. [2] Liang KY, Zeger SL. Longitudinal data analysis using generalized linear models. Biometrika
   1986;73:13-22.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from outcomes.core.errors import EstimationError, NotConverged, NotEstimable
from outcomes.stats.shared_columns import SharedRows

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Chunk = tuple[Array | SharedRows, Array, Array]
"""Rows of a chunk: design (n, p), responses (n, m), their weights (n, m)."""
Chunks = Callable[[], Iterable[Chunk]]
CLOSE: Final = 0.2
"""Largest step of a coefficient from which the matrix of the step before is good enough."""
SHRINKING: Final = 0.3
"""Largest step beside the one before for a kept matrix to be kept on."""
FAR: Final = 30.0
"""Coefficient beyond which there is no finite solution."""
THIN: Final = 8
"""One row in so many is solved first, where that leaves ``ENOUGH`` rows a column."""
ENOUGH: Final = 50
ROUGH: Final = 1e-4
"""Tolerance of the thin solution."""


@dataclass(frozen=True, kw_only=True)
class LogisticFit:
    """Solution for one response.

    Attributes
    ----------
    beta : (p,) array
    information : (p, p) array
        ``A`` above, at the solution.
    gradient_norm : float
        Largest absolute element of the estimating equation divided by the sum of weights.
    """

    beta: Array
    information: Array
    gradient_norm: float


def fit_logistic(
    chunks: Chunks,
    *,
    start: Array,
    ridge: Array,
    tolerance: float = 1e-10,
    max_passes: int = 100,
) -> list[LogisticFit | EstimationError]:
    """Fit every response by Newton's method; each pass calls ``chunks()`` once.

    Parameters
    ----------
    chunks : callable
        Returns an iterable of ``(x, y, weights)``; called once a pass.
    start : (p, m) array
        Where to begin, a column a response.
    ridge : (p, m) array
        Penalty of each column for each response.
    tolerance : float
        On the mean estimating equation.

    Returns
    -------
    list
        A fit for each response; in its place ``NotConverged`` where no solution is found, as with
        separated groups, or ``NotEstimable`` where the information is singular.
    """
    found = _begin(chunks, start, ridge)
    found.run(chunks, tolerance, max_passes)
    return found.fits(chunks)


def one_step(fit: LogisticFit, score: Array) -> Array:
    """Beta of a response close to the fitted one, by one Newton step from the solution.

    Parameters
    ----------
    score : (p, m) array
        ``sum_i w_i x_i (y_im - mu_i)`` for m alternative responses, such as draws of unseen values.

    Returns
    -------
    (p, m) array
    """
    return fit.beta[:, None] + np.linalg.solve(fit.information, score)


def clustered(influence: Array, clusters: Clusters, taking_part: Mask) -> Array:
    """Sandwich of a functional from the influence of every row.

    Parameters
    ----------
    influence : (n, q) array
        ``H A^-1 x_i w_i (y_i - mu_i)``.
    clusters : Clusters
    taking_part : (n,) bool array
        Rows with weight.

    Returns
    -------
    (q, q) array

    Raises
    ------
    NotEstimable
        Where fewer than two clusters take part.
    """
    n = int(np.count_nonzero(clusters.total(taking_part.astype(np.float64)[:, None])))
    if n < 2:
        raise NotEstimable("Fewer than two patients have a value, so a share has no error.")
    sums = clusters.total(influence)
    return n / (n - 1) * sums.T @ sums


@dataclass(frozen=True, kw_only=True, eq=False)
class Clusters:
    """Which rows belong together.

    Attributes
    ----------
    order : (n,) int array
        The rows, those of one cluster beside each other.
    starts : (G,) int array
        Where clusters begin in that order.
    """

    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, codes: npt.NDArray[np.int64]) -> Clusters:
        """Sort the rows by (n,) codes of any kind."""
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=codes[order[:1]] - 1))
        return cls(order=order, starts=starts)

    def total(self, values: Array) -> Array:
        """(G, q): sums of (n, q) values over the rows of each cluster."""
        return np.add.reduceat(values[self.order], self.starts, axis=0)


# ------------------------------------------------------------------------------------- the search
@dataclass(kw_only=True, eq=False)
class _Search:
    """Where the search is for each response; matrix and loss are those of its last full pass.

    The loss is the negative penalised log-likelihood, fractional responses allowed.
    """

    ridge: Array
    beta: Array
    step: Array
    score: Array
    loss: Array
    total: Array
    information: Array
    full: Mask
    searching: Mask
    errors: dict[int, EstimationError]

    @classmethod
    def at(cls, start: Array, ridge: Array) -> _Search:
        p, m = start.shape
        return cls(
            ridge=ridge,
            beta=start.copy(),
            step=np.full((p, m), np.inf),
            score=np.zeros((p, m)),
            loss=np.full(m, np.inf),
            total=np.ones(m),
            information=np.zeros((m, p, p)),
            full=np.ones(m, dtype=np.bool_),
            searching=np.ones(m, dtype=np.bool_),
            errors={},
        )

    def run(self, chunks: Chunks, tolerance: float, max_passes: int) -> None:
        for _ in range(max_passes):
            active = np.flatnonzero(self.searching)
            if not active.size:
                return
            for at, new in zip(active, _sums(chunks, self, active), strict=True):
                self._take(int(at), new, tolerance)
        for at in np.flatnonzero(self.searching):
            self.errors[int(at)] = _no_solution()

    def _take(self, at: int, new: _Sums, tolerance: float) -> None:
        """Go on from a point, or back half a step where it is worse than the one before."""
        if self.full[at] and new.loss > self.loss[at] and np.abs(self.step[:, at]).max() > 1e-8:
            self.step[:, at] /= 2
            self.beta[:, at] -= self.step[:, at]
            return
        self.score[:, at], self.total[at] = new.score, new.total
        if new.information is not None:
            self.information[at], self.loss[at] = new.information, new.loss
        if np.abs(new.score).max() / new.total < tolerance:
            self.searching[at] = False
            return
        try:
            step = np.linalg.solve(self.information[at], new.score)
        except np.linalg.LinAlgError:
            self._give_up(at, _no_information())
            return
        size, before = np.abs(step).max(), np.abs(self.step[:, at]).max()
        self.step[:, at] = step
        self.beta[:, at] += step
        self.full[at] = size >= CLOSE or size > SHRINKING * before
        if np.abs(self.beta[:, at]).max() > FAR:
            self._give_up(at, _no_solution())

    def _give_up(self, at: int, error: EstimationError) -> None:
        self.errors[at] = error
        self.searching[at] = False

    def fits(self, chunks: Chunks) -> list[LogisticFit | EstimationError]:
        """Return the solutions, with the information there."""
        m = self.beta.shape[1]
        solved = np.array([at for at in range(m) if at not in self.errors], dtype=np.int64)
        self.full[:] = True
        last = dict(zip(solved.tolist(), _sums(chunks, self, solved), strict=True))
        return [
            self.errors[at] if at in self.errors else _fit_at(self.beta[:, at], last[at])
            for at in range(m)
        ]


def _fit_at(beta: Array, last: _Sums) -> LogisticFit | EstimationError:
    """Return the solution, unless a Newton step still leads away from it.

    Of separated groups the estimating equation goes to 0 on the way to infinity: each step is then
    about 1, however small the equation is.
    """
    information = np.asarray(last.information)
    try:
        step = np.linalg.solve(information, last.score)
    except np.linalg.LinAlgError:
        return _no_information()
    if np.abs(step).max() > CLOSE:
        return _no_solution()
    return LogisticFit(
        beta=beta.copy(),
        information=information,
        gradient_norm=float(np.abs(last.score).max() / last.total),
    )


@dataclass(kw_only=True, eq=False)
class _Sums:
    """Sums over all rows for one response; the information of full passes alone."""

    score: Array
    total: float
    loss: float
    information: Array | None


def _sums(chunks: Chunks, search: _Search, which: npt.NDArray[np.int64]) -> list[_Sums]:
    """Go through the data once for some of the responses."""
    if not which.size:
        return []
    beta, ridge, full = search.beta[:, which], search.ridge[:, which], search.full[which]
    score = -ridge * beta
    loss = np.einsum("pm,pm->m", ridge, beta**2) / 2
    total = np.zeros(which.size)
    information = {int(k): np.diag(ridge[:, k]) for k in np.flatnonzero(full)}
    for x, y, weights in chunks():
        rows = SharedRows.of(x)
        response, weight = (y, weights) if which.size == y.shape[1] else _some(y, weights, which)
        eta = rows.times(beta)
        mean = expit(eta)
        score += rows.turned_times(weight * (response - mean))
        total += weight.sum(axis=0)
        for k, matrix in information.items():
            spread = weight[:, k] * mean[:, k] * (1 - mean[:, k])
            matrix += rows.gram(np.sqrt(spread))
            loss[k] += float(weight[:, k] @ _loss(eta[:, k], mean[:, k], response[:, k]))
    return [
        _Sums(
            score=score[:, k],
            total=float(total[k]),
            loss=float(loss[k]),
            information=information.get(k),
        )
        for k in range(which.size)
    ]


def _loss(eta: Array, mean: Array, response: Array) -> Array:
    """``log(1 + exp(eta)) - y eta``, without a large exponential."""
    lost: Array = np.maximum(eta, 0.0) - np.log(np.maximum(mean, 1 - mean)) - response * eta
    return lost


def _some(y: Array, weights: Array, which: npt.NDArray[np.int64]) -> tuple[Array, Array]:
    return y[:, which], weights[:, which]


def _begin(chunks: Chunks, start: Array, ridge: Array) -> _Search:
    """Begin where one row in ``THIN`` leads, or at the start where that is too few or nowhere."""
    search = _Search.at(start, ridge)
    if sum(len(y) for _, y, _ in chunks()) < THIN * ENOUGH * len(start):
        return search
    thin = _Search.at(start, ridge)
    thin.run(lambda: _thinned(chunks), ROUGH, max_passes=20)
    solved = [at for at in range(start.shape[1]) if at not in thin.errors]
    search.beta[:, solved] = thin.beta[:, solved]
    search.information[solved] = THIN * thin.information[solved]
    search.full[solved] = False
    return search


def _thinned(chunks: Chunks) -> Iterator[Chunk]:
    for x, y, weights in chunks():
        rows = SharedRows.of(x)
        yield replace(rows, own=rows.own[::THIN]), y[::THIN], weights[::THIN]


def _no_solution() -> NotConverged:
    return NotConverged(
        "The logistic regression for a share has no finite solution: in some group everyone, or no "
        "one, has the event. Choose another threshold, or pool small groups."
    )


def _no_information() -> NotEstimable:
    return NotEstimable(
        "A covariate or group carries no information on this share. Leave it out of the model."
    )
