r"""Shares of episodes with an event, standardised over the population that was analysed.

Method
------
A logistic regression of the event on exposure and covariates predicts, for every analysed episode,
the risk under each exposure; the mean over all episodes is the standardised share (g-computation)
[1]_. A weak ridge on the covariates, never on the exposures, keeps a clinic in which no one had the
event from ending the fit.
Errors: a sandwich clustered by patient, through the delta method; the covariates of the analysed
episodes are taken as they are.

Unseen events come in as several draws per episode from a model fitted elsewhere. With M draws
:math:`R_{im}` of which seen ones repeat the truth,

* the estimate solves the estimating equation of the mean response :math:`\bar R_i`, which is what M
  separate fits agree on to first order;
* each draw's own solution is one Newton step away (:func:`outcomes.stats.logistic.one_step`), and
  its share one step along the gradient, which gives the variance B between draws;
* the variance W within draws adds, to the sandwich of :math:`\bar R`, the spread
  :math:`\bar R_i (1 - \bar R_i)` that averaging takes away;
* Rubin's rule [2]_ joins them: :math:`W + (1 + 1/M) B`, with his degrees of freedom.

With one draw and nothing unseen this is plain g-computation.

What is not done: no interaction of exposure and covariates on the logit scale.

References
----------
.. [1] Hernán MA, Robins JM. Causal Inference: What If. Chapman & Hall/CRC; 2020. Chapter 13.
.. [2] Rubin DB. Multiple Imputation for Nonresponse in Surveys. Wiley; 1987. Chapter 3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from outcomes.core.errors import EstimationError
from outcomes.stats.logistic import LogisticFit, fit_logistic, one_step
from outcomes.stats.shared_columns import SharedRows

if TYPE_CHECKING:
    from outcomes.stats.logistic import Chunk

Array = npt.NDArray[np.float64]
CHUNK: Final = 4096
"""Rows at a time: few enough that a block of the design stays in the processor's cache."""
LARGE_DF: Final = 1e6
RIDGE: Final = 0.1
TOLERANCE: Final = 1e-9
"""On the mean estimating equation: a share is then right to about as many digits."""


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Answer of :func:`standardised_shares`.

    Attributes
    ----------
    risk : (k,) array
        One share an exposure, from 0 to 1.
    covariance : (k, k) array
    df : float
        Degrees of freedom for intervals; large where nothing was drawn.
    beta : (p,) array
        Solution of the regression.
    crude : (k,) array
        Weighted mean of the responses; with ``beta`` a good start for a similar event.
    """

    risk: Array
    covariance: Array
    df: float
    beta: Array
    crude: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Rows of one place, ``rows`` (m,), with their part ``x`` of the design."""

    rows: npt.NDArray[np.int64]
    x: SharedRows


@dataclass(frozen=True, kw_only=True)
class Population:
    """Whom the shares are for.

    Attributes
    ----------
    exposure : (n,) int array
        Code of the exposure, 0 to k - 1.
    covariates : (n, q) array
        Coded covariates, without intercept.
    cluster : (n,) int array
        Codes, such as patients.
    n_exposures : int
    place : (n,) int array, optional
        Codes such as of clinics. Covariates that are the same for everyone of a place cost a
        number a place, and not one a row.
    """

    exposure: npt.NDArray[np.int64]
    covariates: Array
    cluster: npt.NDArray[np.int64]
    n_exposures: int
    place: npt.NDArray[np.int64] | None = None

    @cached_property
    def blocks(self) -> list[Block]:
        """The design: an indicator an exposure, covariates, those of places last."""
        n = len(self.exposure)
        place = np.zeros(n, dtype=np.int64) if self.place is None else self.place
        order = np.argsort(place, kind="stable")
        starts = np.flatnonzero(np.diff(place[order], prepend=-1))
        lengths = np.diff(starts, append=n)
        first = np.repeat(order[starts], lengths)
        alike = [(column[order] == column[first]).all() for column in self.covariates.T]
        shared = np.array(alike, dtype=np.bool_) & (self.place is not None)
        indicators = self.exposure[:, None] == np.arange(self.n_exposures)
        own = np.column_stack([indicators.astype(np.float64), self.covariates[:, ~shared]])
        return [
            Block(rows=rows, x=SharedRows(own=own[rows], shared=self.covariates[rows[0], shared]))
            for start, length in zip(starts, lengths, strict=True)
            for rows in _parts(order[start : start + length])
        ]

    @cached_property
    def clusters(self) -> tuple[npt.NDArray[np.int64], int]:
        """Codes of the clusters from 0, and how many there are."""
        codes, place = np.unique(self.cluster, return_inverse=True)
        return place, len(codes)


def standardised_shares(
    responses: Array,
    population: Population,
    *,
    weights: Array | None = None,
    start: Shares | None = None,
) -> Shares:
    """Standardise shares over the whole population.

    Parameters
    ----------
    responses : (n, m) array
        Draws of the 0/1 event; the same in every column where it was seen.
    population : Population
    weights : (n,) array, optional
        Weights of the rows in the regression (0 leaves a row out); the standardisation is always
        over all rows alike.
    start : Shares, optional
        Those of a similar event.

    Raises
    ------
    NotConverged, NotEstimable
        Where a share cannot be estimated, for instance as everyone in a group has the event.
    """
    n, n_draws = responses.shape
    row_weights = np.ones(n) if weights is None else weights
    mean = responses.mean(axis=1)
    crude = _crude(mean, row_weights, population)
    fit = _fit(mean, row_weights, population, _start(crude, start, population))
    risk, gradient = _risks(fit.beta, population)
    within = (
        gradient @ (fit.beta_cov + _lost_spread(fit, mean, row_weights, population)) @ gradient.T
    )
    if n_draws == 1:
        return Shares(risk=risk, covariance=within, df=LARGE_DF, beta=fit.beta, crude=crude)
    betas = one_step(fit, _draw_scores(responses, mean, row_weights, population))
    draws = gradient @ (betas - fit.beta[:, None])
    between = (1 + 1 / n_draws) * np.atleast_2d(np.cov(draws))
    df = _rubin_df(within, between, n_draws)
    return Shares(risk=risk, covariance=within + between, df=df, beta=fit.beta, crude=crude)


def _parts(rows: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def _crude(response: Array, weights: Array, population: Population) -> Array:
    """Weighted mean by exposure, (k,); 0 where nobody has a weight."""
    k, exposure = population.n_exposures, population.exposure
    total = np.bincount(exposure, weights, k)
    events = np.bincount(exposure, weights * response, k)
    mean: Array = events / np.where(total > 0, total, 1.0)
    return mean


def _start(crude: Array, start: Shares | None, population: Population) -> Array:
    """Begin at the crude shares: alone, or as far from a similar event as those of it."""
    new = logit(np.clip(crude, 1e-6, 1 - 1e-6))
    if start is None:
        return np.append(new, np.zeros(population.covariates.shape[1]))
    beta = start.beta.copy()
    beta[: len(crude)] += new - logit(np.clip(start.crude, 1e-6, 1 - 1e-6))
    return beta


def _fit(
    response: Array, weights: Array, population: Population, start: Array | None = None
) -> LogisticFit:
    used = weights > 0
    seen = np.bincount(population.exposure[used], minlength=population.n_exposures)
    if (seen == 0).any():
        raise EstimationError("A group has no episode with a value, so its share is unknown.")
    cluster, n_clusters = population.clusters
    chunks: list[Chunk] = [
        (block.x, response[block.rows], weights[block.rows], cluster[block.rows])
        for block in population.blocks
    ]
    n_columns = population.n_exposures + population.covariates.shape[1]
    ridge = np.zeros(n_columns)
    ridge[population.n_exposures :] = RIDGE
    return fit_logistic(
        lambda: chunks,
        n_columns=n_columns,
        n_clusters=n_clusters,
        ridge=ridge,
        start=start,
        tolerance=TOLERANCE,
    )


def _risks(beta: Array, population: Population) -> tuple[Array, Array]:
    """Standardised shares (k,) and their gradients (k, p)."""
    n, k = len(population.exposure), population.n_exposures
    risk, gradient = np.zeros(k), np.zeros((k, beta.size))
    for block in population.blocks:
        covariates = replace(block.x, own=block.x.own[:, k:])
        mean = expit(covariates.times(beta[k:])[:, None] + beta[:k])
        slope = mean * (1 - mean)
        risk += mean.sum(axis=0)
        gradient[:, :k] += np.diag(slope.sum(axis=0))
        gradient[:, k:] += covariates.turned_times(slope).T
    return risk / n, gradient / n


def _lost_spread(fit: LogisticFit, mean: Array, weights: Array, population: Population) -> Array:
    """What averaging the draws took from the sandwich; nothing where all draws agree."""
    spread = weights * np.sqrt(mean * (1 - mean))
    meat = np.zeros_like(fit.beta_cov)
    if not spread.any():
        return meat
    for block in population.blocks:
        meat += block.x.gram(spread[block.rows])
    bread = np.linalg.inv(fit.information)
    return bread @ meat @ bread


def _draw_scores(responses: Array, mean: Array, weights: Array, population: Population) -> Array:
    """Estimating equation of each draw at the solution of their mean, (p, m)."""
    n_columns = population.n_exposures + population.covariates.shape[1]
    score = np.zeros((n_columns, responses.shape[1]))
    for block in population.blocks:
        rows = block.rows
        score += block.x.turned_times(weights[rows, None] * (responses[rows] - mean[rows, None]))
    return score


def _rubin_df(within: Array, between: Array, n_draws: int) -> float:
    ratio = float(np.trace(between) / max(float(np.trace(within)), 1e-300))
    if ratio == 0:
        return LARGE_DF
    return min((n_draws - 1) * (1 + 1 / ratio) ** 2, LARGE_DF)


def observation_weights(
    observed: npt.NDArray[np.bool_], population: Population, *, truncate: float = 0.99
) -> Array:
    """Inverse of the estimated chance of being seen; 0 for the unseen.

    Weights above the ``truncate`` quantile are cut to it. All seen: all weights are 1.
    """
    if observed.all():
        return np.ones(len(observed))
    fit = _fit(observed.astype(np.float64), np.ones(len(observed)), population)
    chance = np.empty(len(observed))
    for block in population.blocks:
        chance[block.rows] = expit(block.x.times(fit.beta))
    weights = np.where(observed, 1 / chance, 0.0)
    cut = float(np.quantile(weights[observed], truncate))
    return np.clip(weights, 0.0, cut)
