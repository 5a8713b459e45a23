"""The main comparisons asked in other ways, one analysis at a time.

``complete_cases``
    Only episodes seen at every visit.
``observed_only``
    Each visit on its own, among those seen at it, by the same model with one visit: nothing at
    other visits speaks for a value that is missing. Types share a variance where they share a
    covariance matrix in the main analysis.
``delta``
    A stress test of each comparison: unseen values of the type that fared better are taken to be
    worse than the model expects, by one person's threshold of improvement (the study's first; else
    its margin), while those of the other type stay as the model expects them. This is delta
    adjustment of a pattern-mixture model in one arm, against the finding [1]_ [2]_; the same delta
    in both would favour the type that was followed up better. With :math:`u` the share of the
    better type not seen at the visit, of :math:`n` episodes, the difference moves by
    :math:`\\delta u` towards zero, or past it. Its variance grows by
    :math:`\\delta^2 u (1 - u) / n`, for the share is an estimate itself: the mean of the type is
    :math:`\\mu - \\delta u`, and the two parts are taken as independent. This is the mean of
    delta-adjusted imputations without drawing them.
``no_clinic``
    Without clinics among the covariates: comparisons across clinics count, too.
``window_7``, ...
    The type fixed at another time: the whole analysis on another dataset.

Each yields a row a pair of types and visit, from the moments of the main analysis where the dataset
is the same. What the main analysis does not show is not shown here.

References
----------
.. [1] Ratitch B, O'Kelly M, Tosiello R. Missing data in clinical trials: from clinical assumptions
   to statistical analysis using pattern mixture models. Pharm Stat 2013;12:337-347.
.. [2] O'Kelly M, Ratitch B. Clinical Trials with Missing Data. Wiley; 2014. Chapter 7 (delta
   adjustment, and the delta at which a finding tips).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import EstimationError
from outcomes.models.change import fit_outcome
from outcomes.models.effects import Effects, pair_rows, unestimated

if TYPE_CHECKING:
    from outcomes.models.change import OutcomeFit
    from outcomes.models.covariates import Array
    from outcomes.models.description import Description
    from outcomes.models.effects import Row
    from outcomes.models.gate import Gates
    from outcomes.stats.moments import Moments
    from outcomes.study.spec import StudySpec

CLINIC: Final = "clinic_id"
NOBODY: Final = "could not be estimated in this analysis"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One outcome whose main analysis is done.

    Attributes
    ----------
    moments : Moments
        Of the main analysis, by type.
    fit : OutcomeFit
    gates : dict
        Exposure and visit to the reason why the main analysis does not show them.
    """

    moments: Moments
    fit: OutcomeFit
    gates: Gates


def sensitivity_rows(asked: Asked) -> tuple[list[Row], list[str]]:
    """Return the rows of every analysis of the study's own dataset, and what could not be done."""
    rows: list[Row] = []
    notes: list[str] = []
    for name, method, ask in _ANALYSES:
        try:
            found = ask(asked)
        except EstimationError as error:
            notes.append(f"{asked.fit.about.outcome}, {name.replace('_', ' ')}: {error}")
            continue
        if found is not None:
            effects, about = found
            rows += _rows(effects, about, asked.gates, analysis=name, method=method)
    return rows, notes


def other_dataset_rows(asked: Asked, fit: OutcomeFit, *, analysis: str) -> list[Row]:
    """Return the rows of the same analysis on another dataset, such as another window."""
    return list(_rows(fit.effects, fit.about, asked.gates, analysis=analysis, method="mmrm"))


def _rows(
    effects: Effects, about: Description, gates: Gates, *, analysis: str, method: str
) -> Iterator[Row]:
    closed = unestimated(effects, about, NOBODY) | gates
    yield from pair_rows(effects, about, closed, ways="one", analysis=analysis, method=method)


Found = tuple[Effects, "Description"] | None


def _complete_cases(asked: Asked) -> Found:
    moments, about = asked.moments, asked.fit.about
    visits, k = len(about.visits), len(about.exposures)
    if visits == 1:
        return None
    complete = cells(moments, moments.pattern == 2**visits - 1)
    counts = np.bincount(complete.group, complete.count, minlength=k).astype(np.int64)
    few = replace(about, episodes=np.tile(counts, (visits, 1)), patients=(about.complete,) * visits)
    return fit_outcome(complete, few, near=asked.fit).effects, few


def cells(moments: Moments, mask: npt.NDArray[np.bool_]) -> Moments:
    """Return some cells of the moments: subjects of some groups or patterns."""
    names = ("cluster", "group", "pattern", "count", "weight", "log_weight", "products")
    return replace(moments, **{name: getattr(moments, name)[mask] for name in names})


def _observed_only(asked: Asked) -> Found:
    about = asked.fit.about
    visits, k = len(about.visits), len(about.exposures)
    if visits == 1:
        return None
    parts = [_one_visit(asked, t) for t in range(visits)]
    covariance = np.full((k, visits, k, visits), np.nan)
    for t, part in enumerate(parts):
        covariance[:, t, :, t] = part.covariance[:, 0, :, 0]
    effects = Effects(
        means=np.column_stack([part.means for part in parts]),
        covariance=covariance,
        df=np.column_stack([part.df for part in parts]),
        pair_df=np.concatenate([part.pair_df for part in parts], axis=2),
    )
    return effects, about


def _one_visit(asked: Asked, visit: int) -> Effects:
    about = asked.fit.about
    one = replace(
        about,
        spec=about.spec if asked.fit.grouped else _one_covariance(about.spec),
        visits=(about.visits[visit],),
        episodes=about.episodes[[visit]],
        patients=(about.patients[visit],),
    )
    if not one.episodes.any():
        return _nowhere(len(about.exposures))
    return fit_outcome(at_visit(asked.moments, visit), one).effects


def _one_covariance(spec: StudySpec) -> StudySpec:
    """Return the study with one covariance for all types."""
    model = spec.model.model_copy(update={"group_covariance": "none"})
    return spec.model_copy(update={"model": model})


def at_visit(moments: Moments, visit: int) -> Moments:
    """Return the moments of those seen at a visit, with that visit alone."""
    layout = moments.layout
    q = layout.n_columns
    z = [*range(q), q + visit]
    there = cells(moments, moments.seen[:, visit])
    stored = np.array([*range(1 + q), 1 + q + visit])
    one = replace(
        there,
        layout=replace(
            layout,
            visits=(layout.visits[visit],),
            shift=layout.shift[z],
            scale=layout.scale[z],
        ),
        pattern=np.ones_like(there.pattern),
        products=there.products[:, :, stored[:, None], stored],
    )
    return one + one.select([])  # adding merges the cells that have become alike


def _nowhere(k: int) -> Effects:
    """A visit at which nobody was seen."""
    return Effects(
        means=np.full((k, 1), np.nan),
        covariance=np.full((k, 1, k, 1), np.nan),
        df=np.full((k, 1), np.nan),
        pair_df=np.full((k, k, 1), np.nan),
    )


def _delta(asked: Asked) -> Found:
    about, effects = asked.fit.about, asked.fit.effects
    sizes = np.maximum(about.sizes, 1.0)[:, None]  # an empty type has no mean to be moved
    unseen = 1 - about.episodes.T / sizes
    delta = -about.direction * unseen_shift(about)
    variance: Array = delta**2 * unseen * (1 - unseen) / sizes
    alone = np.eye(len(about.exposures))[:, :, None]
    worsened = [effects.shifted(delta * unseen * one, variance * one) for one in alone]
    return _Against(
        means=effects.means,
        covariance=effects.covariance,
        df=effects.df,
        pair_df=effects.pair_df,
        worsened=tuple(worsened),
        direction=about.direction,
    ), about


@dataclass(frozen=True, kw_only=True)
class _Against(Effects):
    """Means whose differences are those with the better type worsened.

    ``worsened`` are the means with the unseen values of one type worse, a type each.
    """

    worsened: tuple[Effects, ...]
    direction: int

    def difference(self, level: int, reference: int, visit: int) -> tuple[float, float]:
        estimate, _ = super().difference(level, reference, visit)
        better = level if self.direction * estimate > 0 else reference
        return self.worsened[better].difference(level, reference, visit)


def unseen_shift(about: Description) -> float:
    """Return by how much unseen values of the better type are worse, in the outcome's unit."""
    outcome = about.spec.outcome(about.outcome)
    sizes = [rule.threshold for rule in outcome.responders if rule.threshold is not None]
    return sizes[0] if sizes else outcome.margin


def _no_clinic(asked: Asked) -> Found:
    if all(column.source != CLINIC for column in asked.fit.about.columns):
        return None
    fit = fit_outcome(asked.moments, asked.fit.about, leave_out=CLINIC, near=asked.fit)
    return fit.effects, fit.about


_ANALYSES: Final[tuple[tuple[str, str, Callable[[Asked], Found]], ...]] = (
    ("complete_cases", "mmrm", _complete_cases),
    ("observed_only", "ancova-by-visit", _observed_only),
    ("delta", "mmrm-delta", _delta),
    ("no_clinic", "mmrm", _no_clinic),
)
