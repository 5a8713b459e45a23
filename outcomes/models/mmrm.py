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
whose model-based standard errors are wrong: they need one of the empirical kinds of inference, a
sandwich (:mod:`outcomes.stats.sandwich`) or the jackknife (:mod:`outcomes.stats.jackknife`).

References
----------
.. [1] Mallinckrodt CH et al. Recommendations for the primary analysis of continuous endpoints in
   longitudinal clinical trials. Drug Inf J 2008;42:303-319.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import EstimationError
from outcomes.core.threads import one_thread
from outcomes.models.design import Design, read_design
from outcomes.models.equal_levels import EqualLevels, read_equal_at
from outcomes.models.fit_comparison import compare_fits
from outcomes.models.formula import parse_formula
from outcomes.models.long_rows import Roles, read_long, visit_labels
from outcomes.models.mmrm_estimates import MmrmFit
from outcomes.models.mmrm_request import EMPIRICAL, Method, MmrmSpec, WeightKind
from outcomes.models.mmrm_result import MmrmResult
from outcomes.models.reference_grid import ReferenceGrid
from outcomes.stats.inference import DfMethod, Inference, prepare_inference
from outcomes.stats.jackknife import Jackknife, leave_clusters_out
from outcomes.stats.moments import Moments
from outcomes.stats.reml import RemlFit, fit_reml
from outcomes.stats.sandwich import Sandwich, SandwichKind, sandwich_of

Integers = npt.NDArray[np.int64]

LINEAR: Final = ("us", "cs", "toep")
"""Structures that are linear in their parameters, in which both forms of Kenward-Roger agree."""
FEW_CLUSTERS: Final = 40
"""Fewer are said in the notes. Cameron AC, Miller DL. J Hum Resour 2015;50:317-372."""
FAR_FROM_ONE: Final = 1.5
"""A mean of probability weights beyond which their scale is said in the notes."""

__all__ = ["MmrmFit", "MmrmResult", "MmrmSpec", "compare_fits", "fit_mmrm"]


@one_thread
def fit_mmrm(
    data: Any,
    formula: str,
    *,
    subject: str,
    visit: str,
    visits: Sequence[Any] | None = None,
    covariance: str | Sequence[str] = "us",
    method: Method = "reml",
    inference: DfMethod = "kenward-roger",
    group: str | None = None,
    weights: str | None = None,
    weight_kind: WeightKind = "precision",
    cluster: str | None = None,
    offset: str | None = None,
    equal_at: Mapping[str, Any] | None = None,
) -> MmrmResult:
    """Fit a mixed model for repeated measures to a long table.

    Parameters
    ----------
    data : pandas, polars or Arrow table, or path
        One row per subject and visit. Rows with a missing response or covariate are dropped and
        counted in the notes. A Parquet file, or a folder of them, is read a part at a time, so
        that memory holds codes of its rows and not their numbers.
    formula : str
        Such as ``"score ~ baseline*week + exposure*week"``. Functions take each row by itself;
        center, scale, poly, bs and cr keep what they learn of the fitted rows.
    subject, visit : str
        Columns. Visits are an ordered category, numbers too, never a slope.
    visits : sequence, optional
        Which visits, in which order; else all, in the order of the category or sorted.
    covariance : str or sequence of str
        us cs csh ar1 ar1h toep toeph ad adh; of several the first that can be fitted is used, and
        the notes say why the ones before could not.
    method : {'reml', 'ml'}
    inference : str
        'kenward-roger' (the linear form), 'satterthwaite', 'between-within', 'residual'; or an
        empirical (sandwich) covariance with degrees of freedom of its own, 'CR0', 'CR2' or 'CR3',
        or for few clusters 'jackknife'.
    group : str, optional
        Column with a covariance matrix of its own a level; constant within a subject.
    weights : str, optional
        Column of positive weights.
    weight_kind : {'precision', 'probability'}
        What they mean; probability weights are one a subject and need a sandwich or the jackknife.
        Scale them to a mean of one: by REML their sum stands for the number of subjects.
    cluster : str, optional
        For a sandwich or the jackknife, the column of what is kept together, such as a patient
        with several episodes or a clinic; constant within a subject. A sandwich takes each subject
        by itself where none is named.
    offset : str, optional
        Column that is added to the mean, its coefficient fixed at one. Adjusted means have it at
        its mean, or at what ``at=`` says.
    equal_at : mapping, optional
        A factor to a visit at which its levels have one mean, such as ``{"arm": 0}`` where the
        response at visit 0 is the baseline of randomised arms.

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
        covariance=(covariance,) if isinstance(covariance, str) else tuple(covariance or ()),
        method=method,
        inference=inference,
        group=group,
        weights=weights,
        weight_kind=weight_kind,
        offset=offset,
        equal_at=read_equal_at(equal_at),
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
        offset=offset,
        cluster=cluster,
        visits=spec.visits,
    )
    rows = read_long(data, roles)
    equal = EqualLevels(visit=visit, at=dict(spec.equal_at))
    design, moments = read_design(rows, parsed, equal, by_cluster=spec.inference == "jackknife")
    reml, fallback = _fit_first(moments, design, spec)
    prepared = prepare_inference(reml, spec.inference, _empirical(reml, design, moments, spec))
    grid = ReferenceGrid(design=design, data=rows, covariates=parsed.covariates)
    return MmrmResult(
        spec=spec,
        fit=MmrmFit(reml=reml, inference=prepared),
        grid=grid,
        response=str(parsed.response_formula[0]),
        notes=(
            *rows.notes,
            *fallback,
            *_vanished(design),
            *_aliased(design, reml),
            *_few_clusters(prepared),
            *_weight_scale(reml),
            *_linear_form(reml, spec),
        ),
    )


def _empirical(
    fit: RemlFit, design: Design, moments: Moments, spec: MmrmSpec
) -> Sandwich | Jackknife | None:
    """The covariance that does not rest on the model, where it is asked for."""
    if spec.inference == "jackknife":
        return leave_clusters_out(fit, moments, design.maps)
    if spec.inference not in EMPIRICAL:
        return None
    return sandwich_of(fit, design.subjects, cast("SandwichKind", spec.inference))


def _linear_form(fit: RemlFit, spec: MmrmSpec) -> list[str]:
    """A note where programs differ in what they call Kenward-Roger."""
    if spec.inference != "kenward-roger" or fit.covariance in LINEAR:
        return []
    return [
        f"Kenward-Roger is in its linear form, without second derivatives of the covariance: for "
        f"'{fit.covariance}' that is SAS ddfm=kr(linear), not ddfm=kr."
    ]


def _weight_scale(fit: RemlFit) -> list[str]:
    """A note where weights count for far more, or far fewer, subjects than there are."""
    if fit.weight_kind != "probability" or fit.method != "reml":
        return []
    mean = float(fit.cells.moments.weight.sum()) / fit.n_subjects
    if 1 / FAR_FROM_ONE <= mean <= FAR_FROM_ONE:
        return []
    return [
        f"Probability weights have a mean of {mean:.3g}. By REML their sum stands for the number "
        "of subjects: scale them to a mean of one, or choose method='ml', in which their scale "
        "does not matter."
    ]


def _few_clusters(inference: Inference) -> list[str]:
    """A note where an empirical covariance rests on few clusters."""
    empirical = inference.empirical
    if empirical is None or empirical.n_clusters >= FEW_CLUSTERS:
        return []
    return [
        f"Standard errors rest on {empirical.n_clusters} clusters: below {FEW_CLUSTERS} they are "
        "uncertain themselves, and those by CR0 too small."
    ]


def _fit_first(moments: Moments, design: Design, spec: MmrmSpec) -> tuple[RemlFit, list[str]]:
    """The first structure that can be fitted, and why those before it could not."""
    notes: list[str] = []
    *earlier, last = spec.covariance
    for name in earlier:
        try:
            fit = _fit(moments, design, spec, name)
        except EstimationError as error:
            notes.append(f"Covariance '{name}' could not be fitted: {error}")
        else:
            break
    else:
        fit = _fit(moments, design, spec, last)
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
        adjusted=spec.inference == "kenward-roger",
    )


def _aliased(design: Design, fit: RemlFit) -> list[str]:
    """A note of coefficients that the rows do not tell apart."""
    lost = np.flatnonzero(~np.asarray(fit.estimable))
    if not lost.size:
        return []
    names = ", ".join(design.columns[place] for place in lost)
    return [
        f"{lost.size} of {len(design.columns)} coefficients cannot be estimated and "
        f"{'was' if lost.size == 1 else 'were'} left out, because other columns say the same or no "
        f"one was seen there: {names}.{_shared(design, lost)}"
    ]


def _shared(design: Design, lost: Integers) -> str:
    """What ``equal_at`` has to do with coefficients that were left out."""
    terms = zip(design.model_spec.term_slices.values(), design.linked, strict=True)
    names = {n for place, linked in terms if set(lost) & set(_places(place)) for n in linked}
    factors = [factor for factor in design.equal.at if factor in names]
    if not factors:
        return ""
    visit, every = design.equal.visit, ", ".join(map(repr, factors))
    return (
        f" For each level of {every} but the first, one is expected: equal_at= gives the levels "
        f"one mean at a visit. No contrast depends on it. Written '{visit} + {visit}:{factors[0]}' "
        "it is the difference at that visit, and the others are those at theirs."
    )


def _vanished(design: Design) -> list[str]:
    """A note of terms without a column, which programs other than this may refuse."""
    slices = design.model_spec.term_slices
    lost = [str(term) for term, place in slices.items() if place.start == place.stop]
    if not lost:
        return []
    return [
        f"{', '.join(lost)}: no coefficient, as a factor in it has one level among the used rows "
        "and can have no effect."
    ]


def _places(place: slice) -> range:
    return range(place.start, place.stop)
