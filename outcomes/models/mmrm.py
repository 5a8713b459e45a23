r"""The mixed model for repeated measures of a long table: what is asked, and what it answers.

Model
-----
:math:`y_{it} = x_{it}'\beta + e_{it}` for subject i at visit t, the :math:`e_i` independent between
subjects and normal with one covariance matrix of the visits, or one a ``group``; unseen responses
missing at random [1]_. The columns of the formula are factored into subject and visit
(:mod:`outcomes.models.design`), the fit is made from moments (:mod:`outcomes.stats.reml`), and what
is asked of it are linear functions of beta (:mod:`outcomes.models.reference_grid`).

Weights
-------
*Precision* weights divide the residual covariance. *Probability* weights make a pseudo-likelihood
whose model-based standard errors are wrong: they need one of the sandwich kinds of inference.

What is not done
----------------
The sandwich covariances (``CR0 CR2 CR3``), and with them ``cluster`` and probability weights, are
accepted by name and refused with the reason.

References
----------
.. [1] Mallinckrodt CH et al. Recommendations for the primary analysis of continuous endpoints in
   longitudinal clinical trials. Drug Inf J 2008;42:303-319.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import pandas as pd

from outcomes.core.errors import EstimationError, UsageError
from outcomes.models.adjusted_means import Question, contrast_table, ls_means_table
from outcomes.models.comparisons import Coefficients, Kind
from outcomes.models.design import Design, build_design
from outcomes.models.estimate_rows import check_level, estimate, estimate_table
from outcomes.models.formula import parse_formula
from outcomes.models.joint_tests import joint_tests
from outcomes.models.long_rows import LongRows, Roles, read_long, visit_labels
from outcomes.models.mmrm_summary import summarise
from outcomes.models.reference_grid import At, Averaging, ReferenceGrid, Weighting
from outcomes.stats.covariance import STRUCTURES
from outcomes.stats.inference import DfMethod, Inference, prepare_inference
from outcomes.stats.moments import Moments, accumulate, choose_layout
from outcomes.stats.reml import RemlFit, fit_reml

Method = Literal["reml", "ml"]
WeightKind = Literal["precision", "probability"]
InferenceKind = Literal[
    "kenward-roger", "satterthwaite", "between-within", "residual", "CR0", "CR2", "CR3"
]

SANDWICH: Final = ("CR0", "CR2", "CR3")


@dataclass(frozen=True, kw_only=True)
class MmrmSpec:
    """The request; see :func:`fit_mmrm`. ``covariance`` lists what to try, in order."""

    formula: str
    subject: str
    visit: str
    visits: tuple[str, ...] | None = None
    covariance: tuple[str, ...] = ("us",)
    method: Method = "reml"
    inference: InferenceKind = "kenward-roger"
    group: str | None = None
    weights: str | None = None
    weight_kind: WeightKind = "precision"
    cluster: str | None = None

    def __post_init__(self) -> None:
        """Raise where an option is not known, or options do not go together."""
        _check_known("covariance", self.covariance, STRUCTURES)
        _check_known("method", (self.method,), get_args(Method))
        _check_known("inference", (self.inference,), get_args(InferenceKind))
        _check_known("weight_kind", (self.weight_kind,), get_args(WeightKind))
        if self.inference == "kenward-roger" and self.method == "ml":
            raise UsageError(
                "Kenward-Roger needs method='reml'; with method='ml' choose inference="
                "'satterthwaite', 'between-within' or 'residual'."
            )
        self._check_sandwich()

    def _check_sandwich(self) -> None:
        model_based = f"choose from {list(get_args(DfMethod))}"
        if self.inference in SANDWICH:
            raise UsageError(
                f"inference='{self.inference}' needs a second pass over the rows, which this "
                f"version does not have: {model_based}."
            )
        if self.cluster is not None:
            raise UsageError(
                f"cluster= serves the sandwich inferences {list(SANDWICH)}, which this version "
                f"does not have; leave it out and {model_based}."
            )
        if self.weight_kind == "probability":
            raise UsageError(
                "weight_kind='probability' needs sandwich standard errors, which this version does "
                "not have. Only weight_kind='precision' can be used."
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class MmrmFit:
    """The estimates as arrays: the fit, and what its standard errors come from."""

    reml: RemlFit
    inference: Inference


@dataclass(frozen=True, kw_only=True, eq=False)
class MmrmResult:
    """The answer of :func:`fit_mmrm`.

    Attributes
    ----------
    spec : MmrmSpec
    fit : MmrmFit
    grid : ReferenceGrid
        The used rows and their design.
    response : str
        Name of the response column.
    notes : tuple of str
        Rows and columns that were left out, and what the fit had to say.
    """

    spec: MmrmSpec
    fit: MmrmFit
    grid: ReferenceGrid
    response: str
    notes: tuple[str, ...]

    @property
    def beta(self) -> pd.Series:
        """Coefficients by name; NaN where not estimable."""
        return pd.Series(self.fit.reml.beta, index=self.grid.design.columns, name="estimate")

    @property
    def beta_cov(self) -> pd.DataFrame:
        """The covariance of beta that standard errors come from."""
        names = self.grid.design.columns
        return pd.DataFrame(self.fit.inference.beta_cov, index=names, columns=names)

    @property
    def covariance(self) -> pd.DataFrame | dict[str, pd.DataFrame]:
        """Covariance of the visits; by level of the group where there is one."""
        visits = list(self.grid.data.visits)
        frames = [pd.DataFrame(s, index=visits, columns=visits) for s in self.fit.reml.sigmas]
        if self.spec.group is None:
            return frames[0]
        return dict(zip(self.grid.data.groups, frames, strict=True))

    @property
    def log_likelihood(self) -> float:
        """At the optimum; REML as mmrm and nlme count its constant."""
        return self.fit.reml.log_likelihood

    @property
    def aic(self) -> float:
        """Counts covariance parameters only."""
        return self.fit.reml.aic

    @property
    def bic(self) -> float:
        """Covariance parameters, and the logarithm of the number of subjects."""
        return self.fit.reml.bic

    @property
    def converged(self) -> bool:
        """Whether the optimum was reached; a fit that does not reach it raises."""
        return self.fit.reml.converged

    @property
    def gradient_norm(self) -> float:
        """Distance to the optimum in standard errors of the covariance parameters."""
        return self.fit.reml.gradient_norm

    @property
    def n_patients(self) -> int:
        """Subjects with a used row."""
        return self.grid.data.n_subjects

    @property
    def n_observations(self) -> int:
        """Used rows."""
        return self.fit.reml.n_observations

    def coefficients(self, *, level: float = 0.95) -> pd.DataFrame:
        """One row a coefficient, in the columns of the estimate tables."""
        check_level(level)
        names = self.grid.design.columns
        linear = estimate(self.fit.inference, np.eye(len(names)))
        about = {"outcome": self.response, "term": list(names)}
        return estimate_table("contrasts", about, linear, level=level)

    def ls_means(
        self,
        factors: str | Sequence[str],
        *,
        weights: Weighting = "equal",
        average_over: Averaging = "rows",
        at: At | None = None,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Adjusted means of each combination of the levels of ``factors``.

        Parameters
        ----------
        factors : str or sequence of str
            Factors of the formula, the visit among them or not.
        weights : {'equal', 'proportional', 'cells'}
            How the other factors are averaged.
        average_over : {'rows', 'patients'}
            What covariates are averaged over.
        at : mapping, optional
            A covariate to a value, a factor to a level or some levels.

        Returns
        -------
        DataFrame
            Estimate table; ``gate`` says why a mean does not exist.

        See Also
        --------
        outcomes.models.reference_grid : The definitions.
        """
        asked = (factors,) if isinstance(factors, str) else tuple(factors)
        cells = self.grid.cell_means(asked, weights=weights, average_over=average_over, at=at)
        return ls_means_table(self._question(level), cells)

    def contrasts(
        self,
        factor: str,
        by: str | None = None,
        kind: Kind = "reference",
        reference: object = None,
        *,
        coefficients: Coefficients | None = None,
        at: At | None = None,
        adjust: Literal["holm", "dunnett"] | None = None,
        family: Literal["by", "all"] = "by",
        level: float = 0.95,
    ) -> pd.DataFrame:
        """Differences between LS means of the levels of ``factor``, other factors weighted equally.

        Parameters
        ----------
        factor : str
        by : str, optional
            Factor at each of whose levels to compare; averaged over where not given.
        kind : {'reference', 'pairwise', 'consecutive', 'custom'}
            Each level minus ``reference`` (default: the first); each later minus each earlier; each
            minus the one before; or ``coefficients``.
        coefficients : mapping of mappings, optional
            Name of a custom contrast to weights by level, adding up to zero.
        at : mapping, optional
            As in :meth:`ls_means`.
        adjust : {'holm', 'dunnett'}, optional
            Holm's p-values; or simultaneous p-values and limits by the multivariate t with the
            smallest degrees of freedom of the family. They stand in ``p_adjusted``,
            ``conf_low_adjusted`` and ``conf_high_adjusted`` beside the unadjusted ones.
        family : {'by', 'all'}
            Adjust within each level of ``by``, or over all rows.
        """
        cells = self.grid.cell_means((factor,) if by is None else (by, factor), at=at)
        return contrast_table(
            self._question(level),
            cells,
            kind=kind,
            reference=reference,
            coefficients=coefficients,
            adjust_by=adjust,
            family=family,
        )

    def joint_tests(self, type: int = 3) -> pd.DataFrame:  # noqa: A002 - the field's word
        """Type III F tests, one row a term; see :mod:`outcomes.models.joint_tests`."""
        if type != 3:
            raise UsageError(f"type={type!r}: only type III tests are made.")
        return joint_tests(self.grid, self.fit.inference)

    def summary(self) -> str:
        """The fit as text to read; numbers in full are in the tables and fields."""
        return summarise(self)

    def _question(self, level: float) -> Question:
        check_level(level)
        return Question(
            inference=self.fit.inference,
            outcome=self.response,
            visit=self.spec.visit,
            level=level,
        )


def fit_mmrm(
    data: Any,
    formula: str,
    *,
    subject: str,
    visit: str,
    visits: Sequence[Any] | None = None,
    covariance: str | Sequence[str] = "us",
    method: Method = "reml",
    inference: InferenceKind = "kenward-roger",
    group: str | None = None,
    weights: str | None = None,
    weight_kind: WeightKind = "precision",
    cluster: str | None = None,
) -> MmrmResult:
    """Fit a mixed model for repeated measures to a long table.

    Parameters
    ----------
    data : pandas, polars or Arrow table
        One row per subject and visit. Rows with a missing response or covariate are dropped and
        counted in the notes.
    formula : str
        Such as ``"score ~ baseline*week + exposure*week"``.
    subject, visit : str
        Columns. Visits are an ordered category, numbers too, never a slope.
    visits : sequence, optional
        Which visits, in which order; else all, in the order of the category or sorted.
    covariance : str or sequence of str
        us cs csh ar1 ar1h toep toeph ad adh; of several the first that can be fitted is used, and
        the notes say why the ones before could not.
    method : {'reml', 'ml'}
    inference : str
        'kenward-roger' (the linear form), 'satterthwaite', 'between-within' or 'residual'.
    group : str, optional
        Column with a covariance matrix of its own a level; constant within a subject.
    weights : str, optional
        Column of precision weights.
    weight_kind, cluster
        For sandwich inference; see the module.

    Returns
    -------
    MmrmResult

    Raises
    ------
    UsageError
        Where the call, the formula or the rows cannot be understood.
    NotEstimable, NotConverged
        Where the data hold no information on the model, or it has no optimum.
    """
    spec = MmrmSpec(
        formula=formula,
        subject=subject,
        visit=visit,
        visits=visit_labels(visits),
        covariance=(covariance,) if isinstance(covariance, str) else tuple(covariance),
        method=method,
        inference=inference,
        group=group,
        weights=weights,
        weight_kind=weight_kind,
        cluster=cluster,
    )
    parsed = parse_formula(formula)
    roles = Roles(
        response=parsed.response,
        covariates=parsed.covariates,
        categories=parsed.categories,
        subject=subject,
        visit=visit,
        group=group,
        weights=weights,
        visits=spec.visits,
    )
    rows = read_long(data, roles)
    design = build_design(rows, parsed)
    moments = _moments(design, rows)
    reml, fallback = _fit_first(moments, design, spec)
    prepared = prepare_inference(moments, design.maps, reml, spec.inference)
    grid = ReferenceGrid(design=design, data=rows, covariates=parsed.covariates)
    return MmrmResult(
        spec=spec,
        fit=MmrmFit(reml=reml, inference=prepared),
        grid=grid,
        response=str(parsed.response_formula[0]),
        notes=(*rows.notes, *fallback, *_aliased(design, reml)),
    )


def _check_known(name: str, given: Sequence[str], known: Sequence[str]) -> None:
    wrong = [value for value in given if value not in known]
    if wrong or not given:
        raise UsageError(
            f"{name}: {', '.join(map(repr, wrong)) or 'nothing'} is not known; choose from "
            f"{list(known)}."
        )


def _moments(design: Design, rows: LongRows) -> Moments:
    # Each visit of z has its own columns where it must, so a name alone need not be unique.
    names = [f"{k}: {name}" for k, name in enumerate(design.z_names)]
    layout = choose_layout(
        design.z, design.y, columns=names, visits=rows.visits, groups=rows.groups
    )
    return accumulate(layout, design.z, design.y, group=design.group, weights=design.weights)


def _fit_first(moments: Moments, design: Design, spec: MmrmSpec) -> tuple[RemlFit, list[str]]:
    """The first structure that can be fitted, and why those before it could not."""
    notes: list[str] = []
    for name in spec.covariance[:-1]:
        try:
            fit = _fit(moments, design, spec, name)
        except EstimationError as error:
            notes.append(f"Covariance '{name}' could not be fitted: {error}")
        else:
            return fit, notes
    fit = _fit(moments, design, spec, spec.covariance[-1])
    if notes:
        notes.append(f"Covariance '{fit.covariance}' was used instead.")
    return fit, notes


def _fit(moments: Moments, design: Design, spec: MmrmSpec, covariance: str) -> RemlFit:
    return fit_reml(
        moments,
        design.maps,
        covariance=covariance,
        method=spec.method,
        weight_kind=spec.weight_kind,
    )


def _aliased(design: Design, fit: RemlFit) -> list[str]:
    lost = [n for n, known in zip(design.columns, fit.estimable, strict=True) if not known]
    if not lost:
        return []
    return [
        f"{len(lost)} of {len(design.columns)} coefficients cannot be estimated and were left out, "
        f"because other columns say the same or no one was seen there: {', '.join(lost)}."
    ]
