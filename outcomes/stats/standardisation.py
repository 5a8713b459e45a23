r"""Errors of means over a sample of subjects whose covariates are a sample too.

Method
------
A standardised mean is :math:`\bar d'\hat\beta`, :math:`\bar d = \sum_i w_i d_i / \sum_i w_i` the
mean of the subjects' design rows, all set to one exposure. It misses that of the population by

.. math:: \bar d'(\hat\beta - \beta) \;+\; \sum_c m_c, \qquad
          m_c = \sum_{i \in c} w_i (d_i'\beta - \bar d'\beta) / \sum_i w_i,

the error of the coefficients and that of the covariates, a sum over clusters c, each subject by
itself where there are none [1]_ [2]_.

* *Model-based* inference adds the variances :math:`\bar d' \Phi \bar d + \sum_c m_c^2`. They are
  uncorrelated where the model of the mean is right: given the covariates, the first error is then
  zero on average whatever they are. Where it is wrong they need not be.
* *Empirical* inference has the first error as a sum over clusters too, :math:`\bar d' F s_c` of
  :mod:`outcomes.stats.sandwich`, and squares the sum of both,
  :math:`\sum_c (\bar d' F s_c + m_c)^2`: the stacked estimating equations of beta and of the mean
  [3]_, right with a wrong model of the mean as well. Covariance parameters are taken as known, as
  in the sandwich itself. The *jackknife* does the same with what each cluster changes.

A mean is a model of ones in which cluster c has the leverage :math:`h_c`, its share of the
weights. :math:`m_c` is therefore adjusted as scores are, by :math:`(1 - h_c)^{-q}` with q = 0, 1/2,
1 for CR0, CR2, CR3 and 1 for the jackknife; model-based inference takes 1/2, which is
:math:`S^2 / n` of independent subjects.

Degrees of freedom are Satterthwaite's of the sum, with :math:`u = \sum_c m_c^2` on
:math:`1 / \sum_c h_c^2 - 1`, n - 1 of independent subjects, and :math:`v = \bar d' \Phi \bar d` on
its own,

.. math:: \nu = \frac{(v + u)^2}{v^2 / \nu_v + u^2 / \nu_u + 2 \sum_c (\bar d' F s_c)^2 m_c^2},

the last term of empirical inference alone; the jackknife keeps clusters - 1.

That beta is estimated widens the spread of :math:`d_i'\hat\beta` a little, in u a part of order
:math:`1 / n^2` that is left in it.

References
----------
.. [1] Graubard BI, Korn EL. Predictive margins with survey data. Biometrics 1999;55:652-659.
.. [2] Bartlett JW. Covariate adjustment and estimation of mean response in randomised trials. Pharm
   Stat 2018;17:648-666.
.. [3] Stefanski LA, Boos DD. The calculus of M-estimation. Am Stat 2002;56:29-38.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from outcomes.stats.inference import Inference, Linear
from outcomes.stats.jackknife import Jackknife
from outcomes.stats.sandwich import POWERS, Sandwich

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_ROUNDING: Final = 1e-10
"""Deviation, beside the largest value, of subjects who are alike."""
_ALL: Final = 1e-9
"""Distance to one of the share of a cluster that is all there is."""


def covariate_errors(
    inference: Inference, means: Iterable[tuple[Array, Array]], cluster: Integers | None
) -> tuple[Array, Array]:
    """What each cluster's covariates add to the errors of means, adjusted for its leverage.

    Parameters
    ----------
    inference : Inference
    means : iterable of pairs
        For each of k means, the subjects' own values (n,) and their weights (n,), which add up to
        one; zero for who is not averaged over, NaN where nobody is.
    cluster : (n,) array of int or None

    Returns
    -------
    errors : (k, clusters) array
        In the order of the clusters' codes; NaN where one cluster is all there is.
    degrees : (k,) array
        Degrees of freedom of their sums of squares.
    """
    codes = None if cluster is None else np.unique(cluster, return_inverse=True)[1]
    errors, degrees = [], []
    for own, weights in means:
        moved: Array = own - weights @ own
        moved = weights * np.where(np.abs(moved) <= _ROUNDING * np.abs(own).max(), 0.0, moved)
        share = weights
        if codes is not None:
            moved, share = (np.bincount(codes, each).astype(float) for each in (moved, weights))
        alone = share.max() > 1 - _ALL
        errors.append(np.full(share.size, np.nan) if alone else _adjusted(inference, moved, share))
        degrees.append(np.nan if alone else 1 / (share @ share) - 1)
    return np.stack(errors), np.array(degrees)


def _adjusted(inference: Inference, moved: Array, share: Array) -> Array:
    if isinstance(inference.empirical, Jackknife):
        return np.asarray(np.sqrt(1 - 1 / moved.size) * moved / (1 - share))
    power = 0.5
    if isinstance(inference.empirical, Sandwich):
        power = POWERS[inference.empirical.kind]
    return np.asarray(moved * (1 - share) ** -power)


def with_covariate_errors(
    inference: Inference, found: Linear, L: Array, errors: Array, degrees: Array
) -> Linear:
    """Estimates whose standard errors count the covariates as a sample.

    Parameters
    ----------
    inference : Inference
    found : Linear
        Of the rows ``L`` (m, p), with covariates taken as they are.
    errors, degrees : (m, clusters), (m,) arrays
        Of the same rows, from :func:`covariate_errors` and combinations of them.
    """
    covariance = found.covariance + errors @ errors.T
    fixed, added = found.std_error**2, (errors**2).sum(axis=1)
    spread = np.where(fixed == 0, 0.0, fixed**2 / found.df) + added**2 / degrees
    if inference.empirical is not None:
        rows = np.nan_to_num(inference.cells.basis.rows(np.nan_to_num(L)))
        by_cluster = inference.empirical.contributions(rows)
        cross = by_cluster @ errors.T
        covariance += cross + cross.T
        spread += 2 * ((by_cluster * errors) ** 2).sum(axis=1)
    with np.errstate(invalid="ignore"):
        df = (fixed + added) ** 2 / spread
    if isinstance(inference.empirical, Jackknife):
        df = np.where(np.isnan(added), np.nan, found.df)
    return replace(found, std_error=np.sqrt(np.diag(covariance)), df=df, covariance=covariance)
