r"""Means and contrasts standardised over the subjects of a mixed model, each as they are.

Method
------
Marginal standardisation, or g-computation [1]_ [2]_: every subject with a used row, with their own
covariates, is set to each level of the exposure at each visit, and the model's predictions are
averaged over the subjects. Each subject counts once however many rows there are; with probability
weights, by weight. Where covariates enter by splines, polynomials or products with each other, this
is the effect in those people; an LS mean is that in one person with mean covariates. Otherwise the
estimate is the LS mean with covariates averaged over patients and factors by their frequency.

The mean of the model is linear in beta, so an average of predictions is the mean design row times
beta. ``covariates`` says what its error is about: ``random`` takes the subjects for a sample of the
people that the answer is about, so that others might have been seen, which matters to an effect
where the exposure interacts with a covariate; ``fixed`` is about these very subjects, as the error
of an LS mean is (:mod:`outcomes.stats.standardisation`).

* ``by`` the visit gives a mean at each; without it the visits are averaged. ``by`` another factor
  averages over the subjects of each of its levels, with what else is true of them. Contrasts of LS
  means set everyone to each level instead.
* ``population`` is the subjects at some levels of a factor: with the exposure itself, the effect in
  those who had that exposure.
* ``at`` sets a covariate for everyone, and chooses levels of the exposure, the visit and ``by``.
* A covariate must be one value a subject, or a function of the visit, whose values it then has.
  What else changes over time has no value at a visit that was not seen, and may itself be an effect
  of the exposure: it is refused unless ``at`` fixes it.

The answer is an effect of the exposure where nothing unmeasured goes with both exposure and
outcome, where the model is right, also where it extrapolates to covariates that nobody with the
exposure had, and where who was never seen differs from the rest by covariates alone.

Rows are made and averaged for a few thousand subjects at a time
(:mod:`outcomes.models.counterfactual_rows`).

References
----------
.. [1] Robins J. A new approach to causal inference in mortality studies with a sustained exposure
   period: application to control of the healthy worker survivor effect. Math Modelling
   1986;7:1393-1512.
.. [2] Snowden JM, Rose S, Mortimer KM. Implementation of G-computation on a simulated data set:
   demonstration of a causal inference technique. Am J Epidemiol 2011;173:731-738.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import UsageError
from outcomes.models.adjusted_means import (
    Question,
    compare_cells,
    contrast_table,
    named_places,
    seen_subjects,
    weigh,
)
from outcomes.models.comparisons import Coefficients, Kind
from outcomes.models.counterfactual_rows import Counterfactual, set_exposure
from outcomes.models.estimate_rows import estimate, estimate_table
from outcomes.models.long_rows import check_constant
from outcomes.models.mmrm_request import MmrmSpec
from outcomes.models.reference_grid import (
    At,
    CellMeans,
    ReferenceGrid,
    combinations,
    some_levels,
    without_rounding,
)
from outcomes.models.visit_changes import check_between
from outcomes.stats.inference import Inference, Linear
from outcomes.stats.standardisation import covariate_errors, with_covariate_errors

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Covariates = Literal["random", "fixed"]
Population = Mapping[str, object]
By = Mapping[str, Sequence[str]]

_ESTIMANDS: Final = {"random": "population-average", "fixed": "sample-average"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Standardised:
    """Standardised means before they are estimated.

    Attributes
    ----------
    cells : CellMeans
        Mean design rows; the exposure is the last factor.
    means : tuple of pairs
        For each cell the subjects' own predictions (n,), and their weights in the average (n,),
        which add up to one; NaN where there is nobody.
    about : dict
        Columns that tell the answer from LS means.
    """

    cells: CellMeans
    means: tuple[tuple[Array, Array], ...]
    about: dict[str, str]

    def linear(
        self, inference: Inference, cluster: Integers | None, rows: Array, weights: Array
    ) -> Linear:
        """Estimates of ``rows`` (m, p): at each place, the means weighed by ``weights``."""
        found = estimate(inference, rows)
        if self.about["estimand"] == _ESTIMANDS["fixed"]:
            return found
        errors, degrees = covariate_errors(inference, self.means, cluster)
        by_place = degrees.reshape(-1, 1, weights.shape[1])
        least = np.where(weights != 0, by_place, np.inf).min(axis=2).reshape(-1)
        size = weigh(np.abs(weights), np.abs(errors)).max(axis=1, keepdims=True)
        own = without_rounding(weigh(weights, errors), size)
        return with_covariate_errors(inference, found, rows, own, least)


def standardise(
    grid: ReferenceGrid,
    beta: Array,
    spec: MmrmSpec,
    exposure: str,
    by: str | Sequence[str] | None,
    *,
    population: Population | None = None,
    at: At | None = None,
    between: Sequence[object] | None = None,
    covariates: Covariates = "random",
) -> Standardised:
    """Average everyone's predictions at each level of ``exposure`` and combination of ``by``.

    Parameters
    ----------
    beta : (p,) array
        NaN where aliased.
    population, at, between, covariates
        See the module.

    Raises
    ------
    UsageError
        Where a name or an option is not known, or a covariate, or a factor that makes a population,
        changes within subjects.
    """
    if covariates not in _ESTIMANDS:
        raise UsageError(f"covariates={covariates!r} is not known; choose 'random' or 'fixed'.")
    given, rest = grid.take_offset(at or {})
    visit, asked = spec.visit, _read(grid, spec.visit, exposure, by, rest, between)
    everyone = set_exposure(grid, exposure, visit, asked.fixed)
    shares, people = _shares(grid, spec, asked.groups, population or {})
    rows, own = everyone.average(shares, np.nan_to_num(beta))
    names, times = _visits(everyone, visit in asked.around, asked.pair)
    offset = times.sum(axis=1, keepdims=True) * _offsets(grid, given)
    rows = _at_visits("vt,stap->svap", times, rows)
    own = _at_visits("vt,tan->van", times, own) + offset[:, None]
    shifts = offset @ shares.T
    seen = _seen(everyone, exposure, visit, asked.groups, times)
    places = list(_places(asked.around, visit, asked.groups, names))
    return Standardised(
        cells=CellMeans(
            factors=(*asked.around, exposure),
            cells=[(*place, level) for place, _, _ in places for level in everyone.levels],
            rows=np.concatenate([rows[group, at_visit] for _, group, at_visit in places]),
            members=np.concatenate([seen[group, at_visit] for _, group, at_visit in places]),
            shift=np.repeat([shifts[at, group] for _, group, at in places], len(everyone.levels)),
        ),
        means=tuple(
            (value, shares[group]) for _, group, at_visit in places for value in own[at_visit]
        ),
        about={
            "estimand": _ESTIMANDS[covariates],
            "population": people,
            "method": "mmrm-standardised",
        },
    )


def means_table(question: Question, found: Standardised, cluster: Integers | None) -> pd.DataFrame:
    """One row a mean."""
    cells = found.cells
    linear = found.linear(question.inference, cluster, cells.rows, np.eye(len(cells.rows)))
    linear = replace(linear, estimate=linear.estimate + cells.shift)
    about = {
        "outcome": question.outcome,
        "scale": "mean",
        "term": cells.factors[-1],
        "level": [cell[-1] for cell in cells.cells],
        **named_places(question.visit, cells.factors[:-1], [cell[:-1] for cell in cells.cells]),
        **seen_subjects(cells.members.sum(axis=1)),
        **found.about,
    }
    return estimate_table("ls_means", about, linear, level=question.level)


def contrasts_table(
    question: Question,
    found: Standardised,
    cluster: Integers | None,
    *,
    kind: Kind,
    reference: object,
    coefficients: Coefficients | None,
    adjust_by: str | None,
    family: Literal["by", "all"],
) -> pd.DataFrame:
    """One row a contrast of the means.

    Raises
    ------
    UsageError
        Where an option is not known, or does not go with the kind.
    """
    asked = compare_cells(
        found.cells, question.visit, kind=kind, reference=reference, coefficients=coefficients
    )
    asked = replace(asked, about={**asked.about, **found.about})
    linear = found.linear(question.inference, cluster, asked.rows, asked.weights)
    return contrast_table(question, asked, linear, adjust_by=adjust_by, family=family)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What the answer is by: factors, levels that make groups, the visits of a change, the rest."""

    around: tuple[str, ...]
    groups: By
    pair: tuple[str, str] | None
    fixed: At


def _read(
    grid: ReferenceGrid,
    visit: str,
    exposure: str,
    by: str | Sequence[str] | None,
    at: At,
    between: Sequence[object] | None,
) -> _Asked:
    if exposure == visit:
        raise UsageError(f"Nobody is set to a visit: '{visit}' goes into by=, or between=.")
    around, pair = (by,) if isinstance(by, str) else tuple(by or ()), None
    if between is not None:
        pair = check_between(grid, visit, between, at)
        around = (visit, *(name for name in around if name != visit))
        at = {**at, visit: list(pair)}
    grid.check_factors((*around, exposure))
    levels, _ = grid.read_at(at)
    groups = {name: levels[name] for name in around if name != visit}
    fixed = {name: value for name, value in at.items() if name not in groups}
    return _Asked(around=around, groups=groups, pair=pair, fixed=fixed)


def _at_visits(axes: str, times: Array, values: Array) -> Array:
    terms = np.einsum(axes, np.abs(times), np.abs(values))
    return without_rounding(np.einsum(axes, times, values), terms)


def _visits(
    everyone: Counterfactual, apart: bool, pair: tuple[str, str] | None
) -> tuple[tuple[str, ...], Array]:
    """Names of V visits, changes or averages, and their weights (V, T) of the visits."""
    n_visits = len(everyone.visits)
    if pair is not None:
        signs = [1.0 if visit == pair[1] else -1.0 for visit in everyone.visits]
        return (f"{pair[1]} - {pair[0]}",), np.array([signs])
    if apart:
        return everyone.visits, np.eye(n_visits)
    return ("",), np.full((1, n_visits), 1 / n_visits)


def _places(
    around: Sequence[str], visit: str, groups: By, visits: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Levels of ``around``, the last fastest; which group that is, and which visit."""
    known = list(product(*groups.values()))
    for names in product(*(visits if name == visit else groups[name] for name in around)):
        at = dict(zip(around, names, strict=True))
        place = visits.index(at.pop(visit, visits[0]))
        yield names, known.index(tuple(at.values())), place


def _seen(
    everyone: Counterfactual, exposure: str, visit: str, groups: By, times: Array
) -> npt.NDArray[np.bool_]:
    """(S, V, A, n): who was seen there, with that exposure."""
    grid = everyone.grid
    visits = {visit: everyone.visits} if visit in grid.levels else {}
    members = grid.members(combinations({**groups, **visits, exposure: everyone.levels}))
    shape = (len(everyone.visits) if visits else 1, len(everyone.levels))
    by_visit = members.reshape(-1, *shape, members.shape[1])
    used = (times != 0)[:, : shape[0]]
    return np.stack([by_visit[:, row].any(axis=1) for row in used], axis=1)


def _shares(
    grid: ReferenceGrid, spec: MmrmSpec, groups: By, population: Population
) -> tuple[Array, str]:
    """Weights of the subjects in each group (S, n), and the population in words."""
    rows = grid.data
    weights = np.ones(rows.n_subjects)
    if rows.weights is not None and spec.weight_kind == "probability":
        weights[rows.subject] = rows.weights
    words = []
    if not isinstance(population, Mapping):
        raise UsageError("population= is a factor to its levels, such as {'sex': 'f'}.")
    grid.check_factors(tuple(population))
    for name, asked in population.items():
        levels = some_levels(name, asked, grid.levels[name])
        weights = weights * np.isin(_level_of(grid, name), levels)
        words.append(f"{name}={' or '.join(levels)}")
    if not weights.any():
        raise UsageError(f"population= leaves nobody: {', '.join(words)}.")
    own = [_level_of(grid, name) for name in groups]
    inside = [
        np.all([values == level for values, level in zip(own, names, strict=True)], axis=0)
        for names in product(*groups.values())
    ]
    out = weights * np.array(inside).reshape(len(inside), -1)
    with np.errstate(invalid="ignore"):
        return out / out.sum(axis=1, keepdims=True), ", ".join(words) or "all analysed"


def _offsets(grid: ReferenceGrid, given: float | None) -> Array:
    """(n,): the offset of each subject.

    Raises
    ------
    UsageError
        Where it changes and is not given.
    """
    rows, offset = grid.data, grid.data.offset
    out = np.full(rows.n_subjects, given or 0.0)
    if offset is None or given is not None:
        return out
    out[rows.subject] = offset.values
    if not np.array_equal(out[rows.subject], offset.values):
        raise UsageError(
            f"Offset '{offset.name}' changes within subjects, so that nobody has a value of their "
            "own at every visit: fix it by at=."
        )
    return out


def _level_of(grid: ReferenceGrid, name: str) -> npt.NDArray[np.object_]:
    """(n,): the level of each subject.

    Raises
    ------
    UsageError
        Where it changes.
    """
    codes, rows = grid.data.frame[name].cat.codes.to_numpy(), grid.data
    check_constant(codes, rows.subject, f"Column '{name}'", "who is averaged over has one level")
    return np.array(grid.levels[name], dtype=object)[rows.by_subject(codes.astype(np.int64))]
