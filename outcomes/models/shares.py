r"""Shares of episodes with an event, standardised over the population that was analysed.

Method
------
A logistic regression of the event on exposure and covariates predicts, for every analysed episode,
the risk under each exposure; the mean over all episodes is the standardised share (g-computation)
[1]_. A weak ridge on the covariates, never on the exposures, keeps a clinic in which no one had the
event from ending the fit. Events of one population are fitted together
(:mod:`outcomes.stats.logistic`).
Errors: a sandwich clustered by patient, through the delta method; the covariates of the analysed
episodes are taken as they are. What is done for small groups, and the degrees of freedom, are in
:mod:`outcomes.models.share_errors`.

Unseen events come in as several draws per episode from a model fitted elsewhere. With M draws
:math:`R_{im}` of which seen ones repeat the truth,

* the estimate solves the estimating equation of the mean response :math:`\bar R_i`, which is what M
  separate fits agree on to first order;
* each draw's own solution is one Newton step away (:func:`outcomes.stats.logistic.one_step`), and
  its share one step along the gradient, which gives the variance B between draws;
* the variance W within draws adds, to the sandwich of :math:`\bar R`, the spread
  :math:`\bar R_i (1 - \bar R_i)` that averaging takes away;
* Rubin's rule [2]_ joins them: :math:`W + (1 + 1/M) B`.

With one draw and nothing unseen this is plain g-computation.

What is not done: no interaction of exposure and covariates on the logit scale.

References
----------
.. [1] Hernán MA, Robins JM. Causal Inference: What If. Chapman & Hall/CRC; 2020. Chapter 13.
.. [2] Rubin DB. Multiple Imputation for Nonresponse in Surveys. Wiley; 1987. Chapter 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from outcomes.core.errors import EstimationError, NotEstimable
from outcomes.models.share_errors import errors_within, joined_degrees
from outcomes.stats.logistic import Clusters, LogisticFit, fit_logistic, one_step
from outcomes.stats.shared_columns import SharedRows

if TYPE_CHECKING:
    from outcomes.stats.logistic import Chunk

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
CHUNK: Final = 4096
"""Rows at a time: few enough that a block of the design stays in the processor's cache."""
RIDGE: Final = 0.1
TOLERANCE: Final = 1e-9
"""On the mean estimating equation: a share is then right to about as many digits."""


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Standardised shares of one event.

    Attributes
    ----------
    risk : (k,) array
        One share an exposure, from 0 to 1; NaN for one that was not asked for.
    covariance : (k, k) array
    df : (k, k) array
        Degrees of freedom: of each share on the diagonal, of each difference beside it.
    one_sided : (k,) bool array
        Exposures in which nobody or everybody had the event: their share is 0 or 1, and a
        large-sample error says nothing.
    """

    risk: Array
    covariance: Array
    df: Array
    one_sided: Mask


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
        places = Clusters.of(place)
        order, starts = places.order, places.starts
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
    def clusters(self) -> Clusters:
        """Rows of one cluster beside each other."""
        return Clusters.of(self.cluster)

    @cached_property
    def members(self) -> Clusters:
        """Rows of one cluster and exposure beside each other."""
        return Clusters.of(self.cluster * self.n_exposures + self.exposure)

    @cached_property
    def member_exposure(self) -> npt.NDArray[np.int64]:
        """Code of the exposure of each of the ``members``."""
        return self.exposure[self.members.order[self.members.starts]]

    def n_clusters(self, which: Mask) -> npt.NDArray[np.int64]:
        """(k,): number of clusters that have rows ``which`` (n,) of each exposure."""
        some = np.logical_or.reduceat(which[self.members.order], self.members.starts)
        return np.bincount(self.member_exposure[some], minlength=self.n_exposures)

    @property
    def n_columns(self) -> int:
        """Columns of the design."""
        return self.n_exposures + int(self.covariates.shape[1])


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What a regression needs of one event, without its draws.

    Attributes
    ----------
    mean : (n,) array
        Over the draws.
    weights : (n,) array
        Of the rows in the regression; 0 leaves a row out. The standardisation is always over all
        rows alike.
    asked : (k,) bool array
        Exposures whose share is wanted; the rows of others are left out.
    scores : (p, m) array or None
        Estimating equation of each draw less that of their mean; None where nothing was drawn.
    """

    mean: Array
    weights: Array
    asked: Mask
    scores: Array | None

    @classmethod
    def of(
        cls,
        responses: Array,
        population: Population,
        *,
        weights: Array | None = None,
        asked: Mask | None = None,
    ) -> Answers:
        """Take (n, m) draws of the 0/1 event; the same in every column where it was seen."""
        which = np.ones(population.n_exposures, dtype=np.bool_) if asked is None else asked
        given = np.ones(len(responses)) if weights is None else weights
        used = given * which[population.exposure]
        mean = responses.mean(axis=1)
        drawn = responses.shape[1] > 1
        scores = _draw_scores(responses, mean, used, population) if drawn else None
        return cls(mean=mean, weights=used, asked=which, scores=scores)


def standardised_shares(
    events: Sequence[Answers], population: Population
) -> list[Shares | EstimationError]:
    """Standardise the shares of several events over the whole population.

    Parameters
    ----------
    events : sequence of Answers
    population : Population

    Returns
    -------
    list
        Shares of each event, or why they cannot be estimated, for instance as everyone in a group
        has the event.
    """
    if not events:
        return []
    mean = np.column_stack([event.mean for event in events])
    weights = np.column_stack([event.weights for event in events])
    asked = np.column_stack([event.asked for event in events])
    fits = _fit(mean, weights, asked, population)
    return [
        fit if isinstance(fit, EstimationError) else _standardised(event, fit, population)
        for event, fit in zip(events, fits, strict=True)
    ]


def _standardised(
    event: Answers, fit: LogisticFit, population: Population
) -> Shares | EstimationError:
    if (population.n_clusters(event.weights > 0)[event.asked] < 2).any():
        return NotEstimable("A group has fewer than two patients, so its share has no error.")
    risk, gradient = _risks(fit.beta, population)
    within, df = errors_within(event, fit, gradient, population)
    covariance = within
    if event.scores is not None:
        draws = gradient @ (one_step(fit, event.scores) - fit.beta[:, None])
        n_draws = draws.shape[1]
        between = (1 + 1 / n_draws) * np.atleast_2d(np.cov(draws))
        df = joined_degrees(within, between, df, n_draws)
        covariance = within + between
    known = np.outer(event.asked, event.asked)
    return Shares(
        risk=np.where(event.asked, risk, np.nan),
        covariance=np.where(known, covariance, np.nan),
        df=np.where(known, df, np.nan),
        one_sided=np.zeros(population.n_exposures, dtype=np.bool_),
    )


def _parts(rows: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def _fit(
    response: Array, weights: Array, asked: Mask, population: Population
) -> list[LogisticFit | EstimationError]:
    """Fit (n, m) responses together; an exposure that is not asked for keeps a coefficient of 0."""
    chunks: list[Chunk] = [
        (block.x, response[block.rows], weights[block.rows]) for block in population.blocks
    ]
    k, m = population.n_exposures, response.shape[1]
    ridge = np.full((population.n_columns, m), RIDGE)
    ridge[:k] = np.where(asked, 0.0, 1.0)
    start = np.zeros((population.n_columns, m))
    seen = np.zeros((k, m), dtype=np.bool_)
    for exposure in range(k):
        here = population.exposure == exposure
        total = weights[here].sum(axis=0)
        seen[exposure] = total > 0
        crude = (weights[here] * response[here]).sum(axis=0) / np.where(total > 0, total, 1.0)
        start[exposure] = np.where(asked[exposure], logit(np.clip(crude, 1e-6, 1 - 1e-6)), 0.0)
    fits = fit_logistic(lambda: chunks, start=start, ridge=ridge, tolerance=TOLERANCE)
    return [fit if (seen | ~asked)[:, at].all() else _nobody() for at, fit in enumerate(fits)]


def _nobody() -> EstimationError:
    return EstimationError("A group has no episode with a value, so its share is unknown.")


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


def _draw_scores(responses: Array, mean: Array, weights: Array, population: Population) -> Array:
    """Estimating equation of each draw at the solution of their mean, (p, m)."""
    score = np.zeros((population.n_columns, responses.shape[1]))
    for block in population.blocks:
        rows = block.rows
        score += block.x.turned_times(weights[rows, None] * (responses[rows] - mean[rows, None]))
    return score


def observation_weights(
    observed: Mask, population: Population, *, truncate: float = 0.99
) -> list[Array | EstimationError]:
    """Inverse of the estimated chance of being seen; 0 for the unseen.

    Everyone seen of an exposure of which all or none were seen has a weight of 1. Other weights
    above their ``truncate`` quantile are cut to it.

    Parameters
    ----------
    observed : (n, m) bool array
        Who was seen, a column a visit.
    population : Population

    Returns
    -------
    list
        (n,) weights for each visit, or why they cannot be estimated.
    """
    exposure, k = population.exposure, population.n_exposures
    sizes = np.bincount(exposure, minlength=k)[:, None]
    counts = np.column_stack([np.bincount(exposure[seen], minlength=k) for seen in observed.T])
    asked = (counts > 0) & (counts < sizes)
    partly = asked[exposure]
    response, used = observed.astype(np.float64), partly.astype(np.float64)
    some = np.flatnonzero(asked.any(axis=0))
    weights: list[Array | EstimationError] = list(response.T.copy())
    fits = _fit(response[:, some], used[:, some], asked[:, some], population) if some.size else []
    for at, fit in zip(some, fits, strict=True):
        if isinstance(fit, EstimationError):
            weights[at] = fit
            continue
        eta = np.empty(len(exposure))
        for block in population.blocks:
            eta[block.rows] = block.x.times(fit.beta)
        here = observed[:, at] & partly[:, at]
        inverse = 1 + np.exp(-eta[here])
        cut = float(np.quantile(inverse, truncate))
        found = response[:, at].copy()
        found[here] = np.minimum(inverse, cut)
        weights[at] = found
    return weights
