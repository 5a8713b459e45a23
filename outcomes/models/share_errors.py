r"""Errors of standardised shares in small groups, and their degrees of freedom.

Method
------
A residual is smaller than the error behind it by what its own row did to the fit, so that in small
groups with many covariates a plain sandwich is far too small. Residuals are divided by the root of
one minus the leverage :math:`h_i = w_i \mu_i (1 - \mu_i) x_i' A^{-1} x_i` [1]_, which matters, and
is done, for exposures with fewer than ``LEVERAGE_ROWS`` rows a column.

Intervals take t with the degrees of freedom of a sum of squares in which cluster c weighs what its
rows add to the variance of the share or difference, :math:`(\sum v_c)^2 / \sum v_c^2` [2]_. Where
unseen events were drawn, Barnard and Rubin join those to the degrees of freedom of the draws [3]_.

References
----------
.. [1] Kauermann G, Carroll RJ. A note on the efficiency of sandwich covariance matrix estimation. J
   Am Stat Assoc 2001;96:1387-1396.
.. [2] Fay MP, Graubard BI. Small-sample adjustments for Wald-type tests using sandwich estimators.
   Biometrics 2001;57:1198-1206.
.. [3] Barnard J, Rubin DB. Small-sample degrees of freedom with multiple imputation. Biometrika
   1999;86:948-955.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from outcomes.stats.logistic import clustered

if TYPE_CHECKING:
    from outcomes.models.shares import Answers, Block, Population
    from outcomes.stats.logistic import Clusters, LogisticFit

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
LARGE_DF: Final = 1e6
LEVERAGE_ROWS: Final = 100
"""Rows of an exposure to a column of the design beyond which leverages no longer matter."""
MOST: Final = 0.99
"""Largest leverage that is taken out of a residual."""


def errors_within(
    event: Answers, fit: LogisticFit, gradient: Array, population: Population
) -> tuple[Array, Array]:
    """Sandwich of the shares with what averaging the draws took from it, and its df, (k, k)."""
    n, k = len(event.mean), population.n_exposures
    inverse = np.linalg.inv(fit.information).astype(np.float64)
    functional = gradient @ inverse
    small = _small(population)
    influence, spread = np.empty((n, k)), np.empty((n, k))
    lost = np.zeros((k, k))
    for block in population.blocks:
        rows = block.rows
        mean, weights = event.mean[rows], event.weights[rows]
        parts = block.x.times(functional.T)
        fitted = expit(block.x.times(fit.beta))
        residual = weights * (mean - fitted)
        bend = weights * fitted * (1 - fitted)
        some = np.flatnonzero(small[population.exposure[rows]] & (weights > 0))
        residual[some] /= _shrunken(block, some, bend, inverse)
        influence[rows] = parts * residual[:, None]
        spread[rows] = parts * np.sqrt(weights * bend)[:, None]
        if event.scores is not None:
            drawn = parts * (weights * np.sqrt(mean * (1 - mean)))[:, None]
            lost += drawn.T @ drawn
    covariance = clustered(influence, population.clusters, event.weights > 0) + lost
    return covariance, _degrees(spread, population.clusters)


def _small(population: Population) -> Mask:
    """(k,): exposures with few rows to a column, in which leverages matter."""
    sizes = np.bincount(population.exposure, minlength=population.n_exposures)
    return np.asarray(sizes < LEVERAGE_ROWS * population.n_columns)


def _shrunken(block: Block, some: npt.NDArray[np.intp], bend: Array, inverse: Array) -> Array:
    """(m,): by how much the residuals of some rows are smaller than the errors behind them."""
    rows = block.x.scaled(some, np.sqrt(bend[some]))
    leverage = np.einsum("mp,mp->m", rows @ inverse, rows)
    return np.asarray(np.sqrt(1 - np.minimum(leverage, MOST)))


def _degrees(spread: Array, clusters: Clusters) -> Array:
    """(k, k): degrees of freedom from what each row adds to the error of a share or difference."""
    k = spread.shape[1]
    df = np.full((k, k), LARGE_DF)
    for i in range(k):
        for j in range(i + 1):
            square = clusters.total((spread[:, i] - (spread[:, j] if j < i else 0.0)) ** 2)
            total, fourth = square.sum(), (square**2).sum()
            if fourth > 0:
                df[i, j] = df[j, i] = total**2 / fourth
    return df


def independent_degrees(variance: Array, n: npt.NDArray[np.int64]) -> Array:
    """(k, k): degrees of freedom of means (k,) of n clusters each, and of their differences."""
    own = np.maximum(n - 1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        out = np.asarray(
            (variance[:, None] + variance) ** 2
            / (variance[:, None] ** 2 / own[:, None] + variance**2 / own)
        )
    np.fill_diagonal(out, own)
    return np.where(np.isfinite(out), out, LARGE_DF)


def _contrasted(covariance: Array) -> Array:
    """(k, k): variance of each share on the diagonal, of each difference beside it."""
    own = np.diag(covariance)
    out = own[:, None] + own - 2 * covariance
    np.fill_diagonal(out, own)
    return out


def joined_degrees(within: Array, between: Array, complete: Array, n_draws: int) -> Array:
    """(k, k): Barnard and Rubin's, from those of complete data and those of the draws."""
    inside, outside = _contrasted(within), _contrasted(between)
    with np.errstate(divide="ignore", invalid="ignore"):
        missing = np.where(outside > 0, outside / (inside + outside), 0.0)
        drawn = (n_draws - 1) / missing**2
        seen = (complete + 1) / (complete + 3) * complete * (1 - missing)
        return np.asarray(1 / (1 / drawn + 1 / seen))
