r"""Draws of unseen visits given the seen ones, from a fitted model.

Method
------
With mean :math:`\mu_i = X_i \beta` and covariance :math:`\Sigma` of the subject's group, the unseen
visits u given the seen ones s are normal with mean
:math:`\mu_u + \Sigma_{us} \Sigma_{ss}^{-1} (y_s - \mu_s)` and covariance
:math:`\Sigma_{uu} - \Sigma_{us} \Sigma_{ss}^{-1} \Sigma_{su}` (missing at random). Each draw has
its own parameters, as proper multiple imputation asks [1]_: :math:`\beta` from its asymptotic
normal distribution and the covariance parameters, independently, from theirs. On the log-Cholesky
scale of the unstructured matrix every draw is positive definite; in other structures a draw that is
not is drawn again. Work is done once for each pattern, group and draw, for all subjects at once.

References
----------
.. [1] Rubin DB. Multiple Imputation for Nonresponse in Surveys. Wiley 1987, chapter 5.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import NotEstimable, UsageError
from outcomes.stats.conditional import same_pattern
from outcomes.stats.covariance import Structure, structure
from outcomes.stats.newton import sigmas_of
from outcomes.stats.reml import RemlFit

Array = npt.NDArray[np.float64]

_TRIES = 1000


def draw_unseen(
    fit: RemlFit,
    x: Array | tuple[Array, Array],
    y: Array,
    group: npt.ArrayLike | None = None,
    *,
    n_draws: int,
    rng: np.random.Generator,
    parameter_uncertainty: bool = True,
) -> Array:
    """Complete the responses ``n_draws`` times.

    Parameters
    ----------
    x : (n, T, p) array, or pair of (n, q) and (T, p, q) arrays
        Design rows, or baseline columns and the maps that make design rows of them.
    y : (n, T) array
        NaN where unseen.
    group : (n,) array of int, optional
        Codes of the covariance groups.
    parameter_uncertainty : bool
        Whether each draw has its own beta and covariance matrices; else the estimates serve all.

    Returns
    -------
    (n, T, n_draws) array
        Seen values are kept in every draw.
    """
    codes = np.zeros(y.shape[0], dtype=np.int64) if group is None else np.asarray(group, np.int64)
    if codes.shape != y.shape[:1] or y.shape[1] != fit.sigmas.shape[1]:
        raise UsageError("Responses, groups and the fitted model differ in subjects or visits.")
    n_parameters = n_draws if parameter_uncertainty else 1
    betas = _draw_betas(fit, n_parameters, rng, parameter_uncertainty)
    sigmas = _draw_sigmas(fit, n_parameters, rng, parameter_uncertainty)
    means = _means(x, betas)
    out = np.repeat(y[:, :, None], n_draws, axis=2)
    for rows in same_pattern(y, codes):
        seen = ~np.isnan(y[rows[0]])
        if not seen.all():
            own = sigmas[:, codes[rows[0]]]
            out[np.ix_(rows, ~seen)] = _draw_pattern(own, means[rows], y[rows], seen, n_draws, rng)
    return out


def _draw_betas(fit: RemlFit, n: int, rng: np.random.Generator, uncertain: bool) -> Array:
    """(n, p); aliased coefficients are zero, as in the fit."""
    out = np.zeros((n, fit.beta.size))
    kept = fit.estimable
    out[:, kept] = fit.beta[kept]
    if uncertain:
        root = _root(fit.beta_cov_model[np.ix_(kept, kept)])
        out[:, kept] += rng.standard_normal((n, root.shape[0])) @ root.T
    return out


def _draw_sigmas(fit: RemlFit, n: int, rng: np.random.Generator, uncertain: bool) -> Array:
    """(n, groups, T, T)."""
    if not uncertain:
        return fit.sigmas[None]
    form, root = structure(fit.covariance, fit.sigmas.shape[1]), _root(fit.theta_cov)
    return np.stack([_draw_admissible(fit, form, root, rng) for _ in range(n)])


def _draw_admissible(fit: RemlFit, form: Structure, root: Array, rng: np.random.Generator) -> Array:
    for _ in range(_TRIES):
        theta = fit.theta + root @ rng.standard_normal(root.shape[1])
        sigmas = sigmas_of(form, theta, fit.sigmas.shape[0])
        if (np.linalg.eigvalsh(sigmas)[:, 0] > 0).all():
            return sigmas
    raise NotEstimable(
        "The covariance is too uncertain to draw from. Use an unstructured covariance, or one for "
        "all groups."
    )


def _root(covariance: Array) -> Array:
    """A matrix whose product with its transpose is a covariance of any scaling."""
    size = np.sqrt(np.diag(covariance))
    return np.asarray(size[:, None] * np.linalg.cholesky(covariance / np.outer(size, size)))


def _means(x: Array | tuple[Array, Array], betas: Array) -> Array:
    """(n, T, draws of the parameters)."""
    if not isinstance(x, tuple):
        return np.asarray(x @ betas.T)
    z, maps = x
    coefficients = np.einsum("tpq,dp->qtd", maps, betas, optimize=True)
    return np.asarray(np.tensordot(z, coefficients, 1))


def _draw_pattern(
    sigmas: Array,
    means: Array,
    y: Array,
    seen: npt.NDArray[np.bool_],
    n_draws: int,
    rng: np.random.Generator,
) -> Array:
    """(rows, unseen, n_draws) for subjects with the same seen visits."""
    cross = sigmas[:, ~seen][:, :, seen]
    slopes = np.swapaxes(np.linalg.solve(sigmas[:, seen][:, :, seen], cross.swapaxes(1, 2)), 1, 2)
    rest = sigmas[:, ~seen][:, :, ~seen] - slopes @ cross.swapaxes(1, 2)
    factor = np.linalg.cholesky((rest + rest.swapaxes(1, 2)) / 2)
    # One matrix product a draw over all subjects, so draws come first until the end.
    by_draw = np.moveaxis(means, 2, 0)
    expected = by_draw[:, :, ~seen] + (y[:, seen] - by_draw[:, :, seen]) @ slopes.swapaxes(1, 2)
    noise = rng.standard_normal((n_draws, y.shape[0], int((~seen).sum())))
    return np.moveaxis(expected + noise @ factor.swapaxes(1, 2), 0, 2)
