r"""Standard errors, degrees of freedom and tests of linear functions of beta.

Methods
-------
``satterthwaite``
    :math:`\nu = 2 v^2 / (g' H^{-1} g)` with :math:`v = l \Phi l'`, g its gradient by the covariance
    parameters and H the observed information [1]_. Joint tests combine the degrees of freedom of
    the eigenrows of :math:`L \Phi L'` [2]_.
``kenward-roger``
    The linear form: :mod:`outcomes.stats.kenward_roger`. One row has Satterthwaite's degrees of
    freedom with the adjusted standard error.
``between-within``
    A column that varies inside a subject, or the intercept, has n - subjects - within columns
    degrees of freedom, any other subjects - between columns - 1; a row takes the least of its
    columns, without the 1 where the model has no intercept [3]_.
``residual``
    n - p for every row.
``CR0``, ``CR2``, ``CR3``
    The empirical covariance with degrees of freedom of its own: :mod:`outcomes.stats.sandwich`.
    Joint tests by subject combine those of the eigenrows as Satterthwaite's do, which other
    programs do too and which needs many subjects. By clusters of several subjects they are
    Hotelling's, with Q the Wald statistic of q rows and :math:`\eta` degrees of freedom:
    :math:`\frac{\eta - q + 1}{\eta q} Q` against F with q and :math:`\eta - q + 1`.
``jackknife``
    The covariance of fits without one cluster, t and Hotelling's T squared with clusters - 1:
    :mod:`outcomes.stats.jackknife`.

A row that is not estimable gives NaN. Rows, gradients and covariances are contractions of moments:
m rows cost m columns of a design, whatever the number of subjects.

References
----------
.. [1] Giesbrecht FG, Burns JC. Two-stage analysis based on a mixed model: large-sample asymptotic
   theory and small-sample simulation results. Biometrics 1985;41:477-486.
.. [2] Fai AHT, Cornelius PL. Approximate F-tests of multiple degree of freedom hypotheses in
   generalized least squares analyses of unbalanced split-plot experiments. J Stat Comput Simul
   1996;54:363-378.
.. [3] Schluchter MD, Elashoff JT. Small-sample adjustments to tests with unbalanced repeated
   measures assuming several covariance structures. J Stat Comput Simul 1990;37:69-87.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy.stats import f as f_distribution

from outcomes.core.errors import NotEstimable, UsageError
from outcomes.stats.cells import Cells, Point
from outcomes.stats.columns import column_degrees
from outcomes.stats.covariance import structure
from outcomes.stats.information import row_slopes, scaled_slopes, slope_matrices
from outcomes.stats.jackknife import Jackknife
from outcomes.stats.kenward_roger import Scaled, adjusted_covariance, scaled_test
from outcomes.stats.newton import entry_root
from outcomes.stats.reml import RemlFit
from outcomes.stats.sandwich import Sandwich, SandwichKind

Array = npt.NDArray[np.float64]
ModelBased = Literal["kenward-roger", "satterthwaite", "between-within", "residual"]
DfMethod = ModelBased | SandwichKind | Literal["jackknife"]

Empirical = Sandwich | Jackknife
METHODS = (*get_args(ModelBased), *get_args(SandwichKind), "jackknife")
SATTERTHWAITE = ("kenward-roger", "satterthwaite")
_ROWS_AT_ONCE = 64
_SINGULAR = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear:
    """Rows ``L`` times beta: (m,) each and their (m, m) covariance; NaN where not estimable."""

    estimate: Array
    std_error: Array
    df: Array
    covariance: Array


@dataclass(frozen=True, kw_only=True)
class Joint:
    """F test that all rows are zero."""

    statistic: float
    num_df: int
    den_df: float
    p_value: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Inference:
    """What can be asked of a fit; made by :func:`prepare_inference`.

    Attributes
    ----------
    method : str
    beta : (p,) array
    beta_cov : (p, p) array
        The covariance that standard errors come from; NaN where aliased.
    cells, point : Cells, Point
        The model and its likelihood at the solution.
    entry_cov : (s, s) array
        Asymptotic covariance of the entries of the covariance matrices.
    phi_used : (r, r) array
        ``beta_cov`` in the basis.
    empirical : Sandwich or Jackknife or None
        The empirical covariance, where ``method`` asks for one.
    """

    method: DfMethod
    beta: Array
    beta_cov: Array
    cells: Cells
    point: Point
    entry_cov: Array
    phi_used: Array
    empirical: Empirical | None = None

    def linear(self, L: Array) -> Linear:
        """Estimates, standard errors and degrees of freedom of the rows of ``L`` (m, p).

        A row that one cluster alone determines has an estimate, and NaN for the rest.
        """
        rows = self.cells.basis.rows(L)
        covariance = rows @ self.phi_used @ rows.T
        lost = self._undetermined(rows)
        covariance[lost], covariance[:, lost] = np.nan, np.nan
        return Linear(
            estimate=self.cells.basis.estimate(L, self.point.gamma),
            std_error=np.sqrt(np.diag(covariance)),
            df=self._degrees(L, rows),
            covariance=covariance,
        )

    def pointwise(self, L: Array) -> tuple[Array, Array]:
        """Estimates and standard errors alone, of any number of rows of ``L`` (m, p)."""
        rows = self.cells.basis.rows(L)
        variance = np.einsum("mr,mr->m", rows @ self.phi_used, rows)
        variance[self._undetermined(rows)] = np.nan
        estimate = self.cells.basis.estimate(L, self.point.gamma)
        # Rounding may leave less than nothing of a row that is zero.
        return estimate, np.sqrt(np.maximum(variance, 0.0))

    def degrees(self, L: Array, more: Array | None = None, slopes: Array | None = None) -> Array:
        """(m,): degrees of freedom of rows of ``L`` (m, p), or of predictions about them.

        Parameters
        ----------
        more : (m,) array, optional
            Variance of the response itself, which a prediction adds; it counts in the methods of
            Satterthwaite, the others keep the degrees of freedom of the mean.
        slopes : (s, m) array, optional
            Its derivatives by the entries of the covariance matrices.
        """
        rows = self.cells.basis.rows(L)
        if more is None or slopes is None or self.method not in SATTERTHWAITE:
            return self._degrees(L, rows)
        missing = np.asarray(np.isnan(rows).any(axis=1))
        found = self._satterthwaite(np.where(missing[:, None], 0.0, rows), more, slopes)
        return np.where(missing, np.nan, found)

    def joint(self, L: Array) -> Joint:
        """F test of ``L beta = 0``; dependent rows count once.

        Raises
        ------
        NotEstimable
            Where a row is not estimable, or is determined by a single cluster alone, no row is
            different from zero, or the empirical covariance comes from too few clusters.
        """
        rows = self.cells.basis.rows(L)
        if self._undetermined(rows).any():
            raise NotEstimable("A joint test has a row that a single cluster determines.")
        mix = _independent(rows)
        rows, estimate = mix @ rows, mix @ self.cells.basis.estimate(L, self.point.gamma)
        covariance = rows @ self.phi_used @ rows.T
        self._check_clusters(covariance)
        statistic = float(estimate @ np.linalg.solve(covariance, estimate)) / rows.shape[0]
        scaled = self._joint_degrees(L, rows)
        if not scaled.den_df > 0:
            raise NotEstimable(
                f"{len(rows)} comparisons at once have no degrees of freedom left: there are too "
                "few subjects or clusters for a joint test."
            )
        statistic *= scaled.factor
        return Joint(
            statistic=statistic,
            num_df=rows.shape[0],
            den_df=scaled.den_df,
            p_value=float(f_distribution.sf(statistic, rows.shape[0], scaled.den_df)),
        )

    def _check_clusters(self, covariance: Array) -> None:
        if self.empirical is None:
            return
        size = np.sqrt(np.diag(covariance))
        values = np.linalg.eigvalsh(covariance / np.outer(size, size))
        if values[0] <= _SINGULAR * values[-1]:
            raise NotEstimable(
                f"{self.empirical.n_clusters} clusters do not make a covariance of "
                f"{len(covariance)} comparisons at once."
            )

    def _undetermined(self, rows: Array) -> npt.NDArray[np.bool_]:
        """(m,): rows (m, r) in the basis to which the empirical covariance has no error to give."""
        if self.empirical is None:
            return np.zeros(len(rows), dtype=np.bool_)
        return self.empirical.undetermined(np.nan_to_num(rows))

    def _degrees(self, L: Array, rows: Array) -> Array:
        missing = np.asarray(np.isnan(rows).any(axis=1))
        if self.method == "residual":
            df = np.full(len(rows), float(self.cells.moments.n_observations - rows.shape[1]))
        elif self.method == "between-within":
            by_column = column_degrees(self.cells)
            df = np.where(L != 0, by_column, np.inf).min(axis=1, initial=np.inf)
        else:
            df = self._row_degrees(np.where(missing[:, None], 0.0, rows))
        return np.where(missing | ~rows.any(axis=1) | self._undetermined(rows), np.nan, df)

    def _joint_degrees(self, L: Array, rows: Array) -> Scaled:
        if self.empirical is not None:
            eta, q = self.empirical.wishart_degrees(rows), len(rows)
            if eta is not None:
                return Scaled(den_df=eta - q + 1, factor=(eta - q + 1) / eta)
        if self.method == "kenward-roger":
            turned = self.cells.basis.design @ (self.point.phi @ rows.T)
            slopes = slope_matrices(self.cells, self.point, turned)
            return scaled_test(rows @ self.point.phi @ rows.T, slopes, self.entry_cov)
        if self.method in ("between-within", "residual"):
            return Scaled(den_df=float(np.nanmin(self._degrees(L, self.cells.basis.rows(L)))))
        _, vectors = np.linalg.eigh(rows @ self.phi_used @ rows.T)
        return Scaled(den_df=_fai_cornelius(self._row_degrees(vectors.T @ rows)))

    def _row_degrees(self, rows: Array) -> Array:
        """(m,) degrees of freedom, by Satterthwaite's approximation, of rows in the basis."""
        if self.empirical is None:
            return self._satterthwaite(rows)
        parts = np.split(rows, range(_ROWS_AT_ONCE, rows.shape[0], _ROWS_AT_ONCE))
        return np.concatenate([self.empirical.degrees(part) for part in parts])

    def _satterthwaite(
        self, rows: Array, more: Array | float = 0.0, more_slopes: Array | float = 0.0
    ) -> Array:
        """(m,) degrees of freedom of rows (m, r) in the basis, and a variance added to theirs."""
        variance = np.einsum("mr,rs,ms->m", rows, self.point.phi, rows, optimize=True) + more
        gradient = [
            row_slopes(self.cells, self.point, self.cells.basis.design @ (self.point.phi @ part.T))
            for part in np.split(rows, range(_ROWS_AT_ONCE, rows.shape[0], _ROWS_AT_ONCE))
        ]
        slopes = np.concatenate(gradient, axis=1) + more_slopes
        spread = np.einsum("hm,hl,lm->m", slopes, self.entry_cov, slopes, optimize=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(2 * variance**2 / spread)


def prepare_inference(
    fit: RemlFit, method: DfMethod = "kenward-roger", empirical: Empirical | None = None
) -> Inference:
    """Make ready what standard errors and degrees of freedom of ``fit`` need.

    Parameters
    ----------
    fit : RemlFit
    method : str
        One of ``METHODS``. Kenward-Roger needs a fit by REML.
    empirical : Sandwich or Jackknife, optional
        From :func:`outcomes.stats.sandwich.sandwich_of` or
        :func:`outcomes.stats.jackknife.leave_clusters_out`, which the methods of these names need.
    """
    if method not in METHODS:
        raise UsageError(f"'{method}' is no method; choose from {list(METHODS)}.")
    if method == "kenward-roger" and fit.method != "reml":
        raise UsageError("Kenward-Roger needs a fit by REML: choose 'reml' or 'satterthwaite'.")
    cells, point = fit.cells, fit.point
    form = structure(fit.covariance, cells.n_visits)
    root = entry_root(form, fit.theta, fit.theta_cov, len(fit.sigmas))
    phi = point.phi
    if (method not in get_args(ModelBased)) != (empirical is not None):
        raise UsageError(f"'{method}' and an empirical covariance do not go together.")
    if empirical is not None:
        phi = empirical.phi
    elif method == "kenward-roger":
        known = fit.phi_adjusted
        phi = (
            adjusted_covariance(cells, point, root, scaled_slopes(cells, point))
            if known is None
            else known
        )
        _check_variances(phi)
    return Inference(
        method=method,
        beta=fit.beta,
        beta_cov=cells.basis.covariance(phi),
        cells=cells,
        point=point,
        entry_cov=root @ root.T,
        phi_used=phi,
        empirical=empirical,
    )


def _check_variances(phi: Array) -> None:
    """Raise where the adjustment, a first-order one, takes away more than there is."""
    if np.linalg.eigvalsh(phi)[0] <= 0:
        raise NotEstimable(
            "Kenward-Roger's adjustment leaves a variance that is not positive: there are too few "
            "observations for the covariance parameters and coefficients. Use fewer terms, a "
            "simpler covariance, or inference='satterthwaite'."
        )


def _fai_cornelius(degrees: Array) -> float:
    """Denominator degrees of freedom whose mean of F is that of the sum of squared t."""
    if degrees.size == 1:
        return float(degrees[0])
    large = degrees[degrees > 2]
    expected = float((large / (large - 2)).sum())
    return 2 * expected / (expected - degrees.size) if expected > degrees.size else 0.0


def _independent(rows: Array) -> Array:
    """(rank, m): the combinations of rows that are independent and say the same."""
    if np.isnan(rows).any():
        raise NotEstimable("A joint test has a row that cannot be estimated; leave it out.")
    left, values, _ = np.linalg.svd(rows, full_matrices=False)
    rank = int((values > 1e-9 * values.max(initial=0.0)).sum())
    if rank == 0:
        raise NotEstimable("A joint test needs at least one row that is not zero.")
    return np.eye(rows.shape[0]) if rank == rows.shape[0] else np.asarray(left[:, :rank].T)
