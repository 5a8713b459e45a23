r"""Mixed model for repeated measures by restricted maximum likelihood, from moments alone.

Model
-----
:math:`y_i = X_i \beta + e_i`, :math:`e_i \sim N(0, V_i)`, subjects independent; the rows of
:math:`X_i` are ``maps[t] @ z_i`` at the seen visits t, and :math:`V_i` is the seen part of
:math:`\Sigma_{g(i)}(\theta)`, divided by the root weights of row and column. Unseen responses are
missing at random [1]_. The likelihood and its derivatives are in :mod:`outcomes.stats.cells` and
:mod:`outcomes.stats.information`, the parameters in :mod:`outcomes.stats.covariance`.

Algorithm
---------
Newton's method on all covariance parameters at once, :mod:`outcomes.stats.newton`; beta is profiled
out. The start is made of pairwise residual covariances.

What is not done: boundary solutions. Where the likelihood has no maximum inside the parameter
space, the fit raises and says so.

References
----------
.. [1] Mallinckrodt CH et al. Recommendations for the primary analysis of continuous endpoints in
   longitudinal clinical trials. Drug Inf J 2008;42:303-319.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import NotEstimable
from outcomes.stats.basis import build_basis
from outcomes.stats.cells import Cells, Method, Point, WeightKind
from outcomes.stats.covariance import OWN_VARIANCES, Structure, structure
from outcomes.stats.identify import check_identified, constant_visits
from outcomes.stats.information import scaled_slopes
from outcomes.stats.kenward_roger import adjusted_covariance
from outcomes.stats.moments import Moments
from outcomes.stats.newton import (
    entry_root,
    no_maximum,
    observed_information,
    search,
    sigmas_of,
)
from outcomes.stats.remedies import remedy

Array = npt.NDArray[np.float64]
UNTOLD = 100.0
"""Standard errors of an eigenvalue, beside itself, at which it is not told from zero."""
ALIKE = 1e-6
"""Smallest eigenvalue of correlations with standard errors to 1e-5 and degrees of freedom to 1e-3:
derivatives by the entries of a covariance lose the square of it."""
FLAT = 1e-13
"""Residual squares at a visit, beside the largest ones, that are rounding."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RemlFit:
    """Answer of :func:`fit_reml`; units are those of the response and of the design columns.

    Attributes
    ----------
    beta : (p,) array
        NaN where aliased.
    beta_cov_model : (p, p) array
        Inverse of X' V^-1 X, unadjusted; NaN where aliased.
    estimable : (p,) array of bool
    theta, theta_cov : (n,), (n, n) arrays
        Parameters of the structure, group by group, and the inverse observed information.
    sigmas : (groups, T, T) array
    covariance, method, weight_kind : str
        As asked for.
    log_likelihood : float
        REML: with N - p for N and log|X' V^-1 X|, without log|X' X| / 2.
    gradient_norm : float
        Newton decrement at the solution: distance to the optimum in standard errors.
    n_iterations, n_subjects, n_observations : int
    converged : bool
        Always true: a fit that does not converge raises.
    notes : tuple of str
    phi_adjusted : (r, r) array or None
        Kenward and Roger's covariance of the coefficients in the basis, where it was asked for.
    cells, point : Cells, Point
        Sums over subjects, and where they stand at the solution: what inference goes on from.
    """

    beta: Array
    beta_cov_model: Array
    estimable: npt.NDArray[np.bool_]
    theta: Array
    theta_cov: Array
    sigmas: Array
    covariance: str
    method: Method
    weight_kind: WeightKind
    log_likelihood: float
    gradient_norm: float
    n_iterations: int
    n_subjects: int
    n_observations: int
    converged: bool
    notes: tuple[str, ...]
    phi_adjusted: Array | None = field(repr=False)
    cells: Cells = field(repr=False)
    point: Point = field(repr=False)

    @property
    def n_parameters(self) -> int:
        """Covariance parameters."""
        return self.theta.size

    @property
    def rank(self) -> int:
        """Estimable coefficients."""
        return int(self.estimable.sum())

    @property
    def aic(self) -> float:
        """-2 log-likelihood plus twice the covariance parameters, by ML too."""
        return -2 * self.log_likelihood + 2 * self.n_parameters

    @property
    def aicc(self) -> float:
        """AIC corrected for a sample of observations less coefficients, by ML too."""
        size = self.n_observations - self.rank
        return corrected_aic(-2 * self.log_likelihood, self.n_parameters, size)

    @property
    def bic(self) -> float:
        """-2 log-likelihood plus covariance parameters times log subjects, by ML too."""
        return -2 * self.log_likelihood + self.n_parameters * float(np.log(self.n_subjects))


def corrected_aic(deviance: float, counted: int, size: int) -> float:
    """AIC of small samples; infinite where there is nothing left to judge by."""
    left = size - counted - 1
    return deviance + 2 * counted * size / left if left > 0 else float("inf")


def fit_reml(
    moments: Moments,
    maps: Array,
    *,
    covariance: str = "us",
    method: Method = "reml",
    weight_kind: WeightKind = "precision",
    tolerance: float = 1e-20,
    start: Array | None = None,
    adjusted: bool = False,
    response: str = "the response",
) -> RemlFit:
    """Fit by Newton's method; the cost depends on the number of cells, not of subjects.

    Parameters
    ----------
    moments : Moments
        Clusters are added up.
    maps : (T, p, q) array
        The design row at visit t is ``maps[t] @ z``.
    covariance : str
        One of ``outcomes.stats.covariance.STRUCTURES``; one matrix per group of the layout.
    weight_kind : {'precision', 'probability'}
        What the weights of the moments mean.
    tolerance : float
        On the squared Newton decrement.
    start : (n,) array, optional
        Parameters to start from, such as those of a fit with one clinic more.
    adjusted : bool
        Work out what Kenward-Roger needs as well, from matrices that are at hand here.
    response : str
        What errors call the response.

    Raises
    ------
    NotEstimable
        Where the data hold no information on a part of the model.
    NotConverged
        Where the likelihood has no maximum that Newton's method finds.
    """
    total = moments.total()
    form = structure(covariance, total.layout.n_visits)
    check_identified(total, covariance)
    basis = build_basis(total, maps, response)
    cells = Cells(moments=total, basis=basis, method=method, weight_kind=weight_kind)
    check_spread(cells, covariance, response)
    theta = starting_values(cells, form) if start is None else start
    try:
        found = search(cells, form, theta, tolerance)
        slopes = scaled_slopes(cells, found.point) if method == "reml" else None
        information = observed_information(cells, form, found.theta, found.point, slopes)
    except np.linalg.LinAlgError as error:
        raise no_maximum(cells, form) from error
    theta_cov, phi_adjusted = _inverse(information, cells, covariance), None
    sigmas = sigmas_of(form, found.theta, len(cells.groups))
    root = entry_root(form, found.theta, theta_cov, len(cells.groups))
    _check_inside(cells, form, sigmas, root)
    if adjusted and slopes is not None:
        phi_adjusted = adjusted_covariance(cells, found.point, root, slopes)
    return RemlFit(
        beta=basis.beta(found.point.gamma),
        beta_cov_model=basis.covariance(found.point.phi),
        estimable=basis.estimable,
        theta=found.theta,
        theta_cov=theta_cov,
        sigmas=sigmas,
        covariance=covariance,
        method=method,
        weight_kind=weight_kind,
        log_likelihood=found.point.log_likelihood,
        gradient_norm=float(np.sqrt(max(found.decrement, 0.0))),
        n_iterations=found.n_iterations,
        n_subjects=total.n_subjects,
        n_observations=total.n_observations,
        converged=True,
        notes=_notes(basis.estimable),
        phi_adjusted=phi_adjusted,
        cells=cells,
        point=found.point,
    )


def check_spread(cells: Cells, covariance: str, response: str) -> None:
    """Raise where a structure with a variance a visit meets one at which nothing is left to vary.

    Raises
    ------
    NotEstimable
        Names the visits, and the group where there are several.
    """
    if covariance not in OWN_VARIANCES:
        return
    squares = np.einsum("ktt->kt", cells.inner(cells.basis.residual[:, :, None]))
    largest = float(squares.max())
    layout = cells.moments.layout
    constant = np.isin(layout.visits, constant_visits(cells.moments))
    for label, rows in zip(layout.groups, cells.groups, strict=True):
        flat = constant | (squares[rows].sum(axis=0) <= FLAT * largest)
        if not flat.any():
            continue
        visits = ", ".join(repr(layout.visits[t]) for t in np.flatnonzero(flat))
        several = len(layout.groups) > 1
        raise NotEstimable(
            f"{response[:1].upper()}{response[1:]} does not vary at {visits}"
            f"{f' in group {label!r}' if several else ''} beyond what the model explains, so that "
            "there is no variance to estimate. Leave the visit out, "
            f"{'use one covariance for all groups, ' if several else ''}or use a structure with "
            "one variance such as 'cs'."
        )


def starting_values(cells: Cells, form: Structure) -> Array:
    """Parameters near the pairwise residual covariances of the unweighted fit.

    Correlations are drawn towards zero until every matrix is clearly positive definite.
    """
    products = cells.inner(cells.basis.residual[:, :, None])
    seen = cells.moments.seen.astype(np.float64)
    counts = cells.sizes[:, None, None] * seen[:, :, None] * seen[:, None, :]
    starts = []
    for rows in cells.groups:
        sigma = products[rows].sum(axis=0) / np.maximum(counts[rows].sum(axis=0), 1.0)
        size = np.sqrt(np.maximum(np.diag(sigma), 1e-6 * np.diag(sigma).max()))
        correlation = np.clip(sigma / np.outer(size, size), -0.99, 0.99)
        np.fill_diagonal(correlation, 1.0)
        while np.linalg.eigvalsh(correlation)[0] < 0.02:
            correlation = 0.95 * correlation + 0.05 * np.eye(size.size)
        starts.append(form.start(correlation * np.outer(size, size)))
    return np.concatenate(starts)


def _inverse(information: Array, cells: Cells, covariance: str) -> Array:
    """Inverse of the observed information, which must be positive definite at a maximum."""
    size = np.sqrt(np.abs(np.diag(information)))
    if (size > 0).all():
        values, vectors = np.linalg.eigh(information / np.outer(size, size))
        if values[0] > 1e-9:
            half = vectors / np.sqrt(values) / size[:, None]
            return np.asarray(half @ half.T)
    raise NotEstimable(
        f"The data do not determine all {len(information)} covariance parameters: the likelihood "
        f"is flat around its maximum. {remedy(covariance, cells.n_visits, len(cells.groups))}"
    )


def _check_inside(cells: Cells, form: Structure, sigmas: Array, root: Array) -> None:
    """Raise where a matrix is not well inside the space of those that are positive definite.

    On the way to a singular matrix the likelihood may become flat, and steps as small as at a
    maximum: where no subject was seen at all of three visits, or a group has as few subjects as
    coefficients. The smallest eigenvalue of the correlations is then not told from zero: its
    standard error, to first order, is many times itself. At a maximum with n subjects it is about
    the root of 2 / n times itself.
    """
    row, column = np.tril_indices(cells.n_visits)
    roots = root.reshape(len(sigmas), row.size, -1)
    for sigma, own in zip(sigmas, roots, strict=True):
        size = np.sqrt(np.diag(sigma))
        values, vectors = np.linalg.eigh(sigma / np.outer(size, size))
        direction = vectors[:, 0] / size
        by_entry = np.where(row == column, 1.0, 2.0) * direction[row] * direction[column]
        if not np.linalg.norm(by_entry @ own) < UNTOLD * values[0]:
            raise no_maximum(cells, form)
        if values[0] < ALIKE:
            raise NotEstimable(
                f"The visits say nearly the same: a combination of them has less than {ALIKE:g} of "
                "their variance, which leaves no digits of degrees of freedom. Does one visit "
                "repeat another, or is it worked out from others? "
                f"{remedy(form.name, cells.n_visits, len(sigmas))}"
            )


def _notes(estimable: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    lost = int((~estimable).sum())
    if not lost:
        return ()
    return (
        f"{lost} of {estimable.size} coefficients cannot be estimated, because other columns "
        "already say what theirs says or no one was seen there; they were left out.",
    )
