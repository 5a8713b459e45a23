r"""What a fit owes to a part of its subjects: the fit without them, beside the fit to all.

Method
------
With :math:`\hat\beta_{(g)}` and :math:`\hat\theta_{(g)}` from a fit without part g, its covariance
estimated anew, the distances are those of Cook [1]_ as mixed models have them [2]_,

.. math:: D_g = (\hat\beta_{(g)} - \hat\beta)' \Phi^{-1} (\hat\beta_{(g)} - \hat\beta) / r, \qquad
          D^\theta_g = (\hat\theta_{(g)} - \hat\theta)' H (\hat\theta_{(g)} - \hat\theta) / q,

:math:`\Phi` the model-based covariance of the r coefficients and H the observed information on the
q covariance parameters, in the parameters of :mod:`outcomes.stats.covariance`. Where part g alone
determines some combinations of the coefficients, D is over those of the others: it is the distance
in the estimable functions that are left, by their own number.

Moments are sums over subjects, so that this costs a subtraction and a short search a part, and no
row is read again; the single fit is that of :mod:`outcomes.stats.jackknife`.

References
----------
.. [1] Cook RD. Detection of influential observation in linear regression. Technometrics
   1977;19:15-18.
.. [2] Christensen R, Pearson LM, Johnson W. Case-deletion diagnostics for mixed models.
   Technometrics 1992;34:38-45.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import null_space

from outcomes.stats.jackknife import Without
from outcomes.stats.reml import RemlFit

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Influence:
    """What changes where a part is left out.

    Attributes
    ----------
    estimate, change : (m,) arrays
        Rows times beta without the part, and minus the same with all; NaN where not estimable.
    distance, covariance_distance : float
        Of the coefficients and of the covariance parameters.
    """

    estimate: Array
    change: Array
    distance: float
    covariance_distance: float


def influence_on(fit: RemlFit, without: Without, L: Array) -> Influence:
    """Compare the fits in the rows of ``L`` (m, p) times beta."""
    other = without.fit
    estimate = other.cells.basis.estimate(L, other.point.gamma)
    moved = other.theta - fit.theta
    spread = float(moved @ np.linalg.solve(fit.theta_cov, moved))
    return Influence(
        estimate=estimate,
        change=estimate - fit.cells.basis.estimate(L, fit.point.gamma),
        distance=_distance(fit.point.phi, without),
        covariance_distance=spread / moved.size,
    )


def _distance(phi: Array, without: Without) -> float:
    left = null_space(without.lost) if len(without.lost) else np.eye(len(phi))
    change = left.T @ without.change
    if not change.size:
        return float("nan")
    return float(change @ np.linalg.solve(left.T @ phi @ left, change)) / change.size
