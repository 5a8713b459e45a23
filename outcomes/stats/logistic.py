r"""Streamed logistic regression with a clustered sandwich covariance.

Model
-----
:math:`\operatorname{logit} E[y_i] = x_i'\beta`, rows :math:`i` with weights :math:`w_i \ge 0` in
clusters :math:`g`. The response may lie anywhere in [0, 1]: a mean over draws of an unseen 0/1
response is a fractional response, and the estimating equation
:math:`\sum_i w_i x_i (y_i - \mu_i) = 0` stays unbiased [1]_.

Algorithm
---------
Newton's method on the estimating equation, which is the gradient of a concave function, with step
halving. Close to the solution the matrix of the step before is kept, which changes the path and not
the solution. Every pass streams over chunks of rows and keeps sums only. The covariance is

.. math::

   A^{-1} \Bigl(\sum_g s_g s_g'\Bigr) A^{-1}, \quad s_g = \sum_{i \in g} w_i x_i (y_i - \mu_i),
   \quad A = \sum_i w_i \mu_i (1 - \mu_i) x_i x_i',

times :math:`G / (G - 1)` for :math:`G` clusters [2]_. Independence is the working model, so the
point estimates are those of a generalised estimating equation with an independence structure.

A ridge :math:`\lambda_j \beta_j^2 / 2` may be put on single columns, so that a clinic in which no
one had the event does not end the fit: :math:`\lambda_j \beta_j` then leaves the score and
:math:`\lambda_j` joins the diagonal of :math:`A`. Columns without one are not shrunken.

What is not done: separation by an unpenalised column shows as a fit that does not converge and is
raised as ``NotConverged``.

References
----------
.. [1] Papke LE, Wooldridge JM. Econometric methods for fractional response variables. J Appl Econom
   1996;11:619-632.
.. [2] Liang KY, Zeger SL. Longitudinal data analysis using generalized linear models. Biometrika
   1986;73:13-22.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from outcomes.core.errors import NotConverged, NotEstimable
from outcomes.stats.shared_columns import SharedRows

Array = npt.NDArray[np.float64]
Chunk = tuple[Array | SharedRows, Array, Array, npt.NDArray[np.int64]]
"""Rows of a chunk: design (n, p), response (n,), weights (n,), cluster codes (n,) from 0."""
Chunks = Callable[[], Iterable[Chunk]]
CLOSE = 0.2
"""Largest step of a coefficient from which the matrix of the step before is good enough."""


@dataclass(frozen=True, kw_only=True)
class LogisticFit:
    """Answer of :func:`fit_logistic`.

    Attributes
    ----------
    beta : (p,) array
    beta_cov : (p, p) array
        Clustered sandwich.
    information : (p, p) array
        ``A`` above, at the solution.
    gradient_norm : float
        Largest absolute element of the estimating equation divided by the sum of weights.
    n_iterations, n_clusters : int
    """

    beta: Array
    beta_cov: Array
    information: Array
    gradient_norm: float
    n_iterations: int
    n_clusters: int


def fit_logistic(
    chunks: Chunks,
    *,
    n_columns: int,
    n_clusters: int,
    ridge: Array | None = None,
    start: Array | None = None,
    tolerance: float = 1e-10,
    max_iterations: int = 50,
) -> LogisticFit:
    """Fit by Newton's method; every pass calls ``chunks()`` once.

    Parameters
    ----------
    chunks : callable
        Returns an iterable of ``(x, y, weights, cluster)``; called once a pass.
    n_columns, n_clusters : int
        Columns of the design, and number of cluster codes.
    ridge : (p,) array, optional
        Penalty of each column; none by default.
    start : (p,) array, optional
        Where to begin, such as the solution for a similar response; default zero.
    tolerance : float
        On the mean estimating equation.

    Raises
    ------
    NotConverged
        Where no solution is found, as with separated groups.
    NotEstimable
        Where the information is singular.
    """
    penalty = np.zeros(n_columns) if ridge is None else ridge
    at = _sums(chunks, np.zeros(n_columns) if start is None else start, penalty)
    for iteration in range(1, max_iterations + 1):
        gradient_norm = float(np.abs(at.score).max() / at.total)
        if gradient_norm < tolerance:
            information, meat = _final_sums(chunks, at.beta, penalty, n_clusters)
            bread = np.linalg.inv(information)
            covariance = n_clusters / (n_clusters - 1) * bread @ meat @ bread
            return LogisticFit(
                beta=at.beta,
                beta_cov=covariance,
                information=information,
                gradient_norm=gradient_norm,
                n_iterations=iteration,
                n_clusters=n_clusters,
            )
        at = _newton_step(chunks, at, penalty)
        if np.abs(at.beta).max() > 30:
            break
    raise NotConverged(
        "The logistic regression for a share has no finite solution: in some group everyone, or no "
        "one, has the event. Choose another threshold, or pool small groups."
    )


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


def standardise(design_means: Iterable[tuple[Array, Array]], beta: Array) -> tuple[Array, Array]:
    """Mean predicted risk and its gradient over rows.

    Parameters
    ----------
    design_means : iterable of (x, w)
        Chunks of the design with the exposure set to one level, and row weights.
    beta : (p,) array

    Returns
    -------
    risk : () array
    gradient : (p,) array
        Derivative of the risk by beta.
    """
    risk, total, gradient = 0.0, 0.0, np.zeros(beta.size)
    for x, weights in design_means:
        mean = expit(x @ beta)
        risk += float(weights @ mean)
        gradient += x.T @ (weights * mean * (1 - mean))
        total += float(weights.sum())
    return np.asarray(risk / total), gradient / total


@dataclass(frozen=True, kw_only=True, eq=False)
class _At:
    """Where the search is; loss and matrix are those of the last full pass.

    The loss is the negative penalised log-likelihood, fractional responses allowed.
    """

    beta: Array
    score: Array
    loss: float
    information: Array
    total: float


def _sums(chunks: Chunks, beta: Array, ridge: Array) -> _At:
    total, loss = 0.0, float(ridge @ beta**2) / 2
    score = -ridge * beta
    information = np.diag(ridge)
    for x, y, weights, _ in chunks():
        rows = SharedRows.of(x)
        eta = rows.times(beta)
        mean = expit(eta)
        score += rows.turned_times(weights * (y - mean))
        information += rows.gram(np.sqrt(weights * mean * (1 - mean)))
        loss += float(weights @ (np.logaddexp(0.0, eta) - y * eta))
        total += float(weights.sum())
    return _At(beta=beta, score=score, loss=loss, information=information, total=total)


def _score(chunks: Chunks, beta: Array, ridge: Array) -> Array:
    score = -ridge * beta
    for x, y, weights, _ in chunks():
        rows = SharedRows.of(x)
        score += rows.turned_times(weights * (y - expit(rows.times(beta))))
    return score


def _newton_step(chunks: Chunks, at: _At, ridge: Array) -> _At:
    try:
        step = np.linalg.solve(at.information, at.score)
    except np.linalg.LinAlgError as error:
        raise NotEstimable(
            "A covariate or group carries no information on this share. Leave it out of the model."
        ) from error
    if np.abs(step).max() < CLOSE:
        beta = at.beta + step
        return replace(at, beta=beta, score=_score(chunks, beta, ridge))
    while True:  # far from the solution: make sure that the step improves
        new = _sums(chunks, at.beta + step, ridge)
        if new.loss <= at.loss or np.abs(step).max() <= 1e-8:
            return new
        step = step / 2


def _final_sums(chunks: Chunks, beta: Array, ridge: Array, n_clusters: int) -> tuple[Array, Array]:
    """Information, and the meat of the sandwich, at the solution.

    Rows that are a cluster of their own need no sum over the cluster.
    """
    sizes = np.zeros(n_clusters, dtype=np.int64)
    for _, _, _, cluster in chunks():
        sizes += np.bincount(cluster, minlength=n_clusters)
    place = np.cumsum(sizes > 1) - 1
    scores = np.zeros((int((sizes > 1).sum()), beta.size))
    information, meat = np.diag(ridge), np.zeros((beta.size, beta.size))
    for x, y, weights, cluster in chunks():
        rows = SharedRows.of(x)
        mean = expit(rows.times(beta))
        information += rows.gram(np.sqrt(weights * mean * (1 - mean)))
        residual = weights * (y - mean)
        alone = sizes[cluster] == 1
        meat += rows.gram(np.where(alone, residual, 0.0))
        several = np.flatnonzero(~alone)
        _add_clusters(scores, place[cluster[several]], rows.scaled(several, residual[several]))
    return information, meat + scores.T @ scores


def _add_clusters(scores: Array, cluster: npt.NDArray[np.int64], parts: Array) -> None:
    """Add the scores of some rows to those of their clusters."""
    if cluster.size:
        order = np.argsort(cluster, kind="stable")
        first = np.flatnonzero(np.diff(cluster[order], prepend=-1))
        scores[cluster[order[first]]] += np.add.reduceat(parts[order], first, axis=0)
