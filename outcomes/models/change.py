r"""The study's mixed model for repeated measures, from moments and a description alone.

Model
-----
Episode i of type :math:`a_i` has at visit t

.. math:: y_{it} = \mu_{a_i t} + \beta_t' (c_i - \bar c) + \varepsilon_{it}, \qquad
   \operatorname{Var}(\varepsilon_i) = \Sigma \text{ or } \Sigma_{a_i},

with :math:`c_i` the baseline score, the coded covariates and their indicators of missing values,
centred at their means over all analysed episodes, followed or not. So the adjusted mean of type a
at visit t, averaged over everyone analysed, is the coefficient :math:`\mu_{at}` itself. Fitted by
REML [1]_ with the degrees of freedom that the study asks for.

One covariance for all types invents differences where dropout differs between types whose spread
differs too, so each type gets its own where it is large enough: where, at each pair of visits, at
least ``MIN_PAIRS`` episodes, and five for each covariance parameter, were seen at both. A variance
from 50 pairs has a standard error of a fifth of itself. ``group_covariance`` of the study decides:
``auto`` as said, for all types or for none; ``exposure`` always; ``none`` never.

A type that nobody was seen in at a visit has no mean there. What nobody seen at a visit has of a
covariate has no effect of its own there (:func:`outcomes.models.covariates.terms_at`). A covariate
that goes with one type has none either, with a note, and that type has no mean: what is seen of the
others is the same without it. A visit with too few values is left out before the fit
(:func:`outcomes.models.gate.visits_left_out`).

References
----------
.. [1] Mallinckrodt CH, Clark WS, David SR. Accounting for dropout bias using mixed-effects models.
   J Biopharm Stat 2001;11:9-21.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import EstimationError, NotEstimable
from outcomes.models.covariates import Array, Terms, choose_terms, terms_at
from outcomes.models.effects import Effects
from outcomes.stats.inference import prepare_inference
from outcomes.stats.reml import RemlFit, fit_reml

if TYPE_CHECKING:
    from outcomes.models.description import Description
    from outcomes.stats.inference import Inference
    from outcomes.stats.moments import Moments

MIN_PAIRS: Final = 50
PER_PARAMETER: Final = 5


@dataclass(frozen=True, kw_only=True)
class OutcomeFit:
    """The fitted model of one outcome.

    Attributes
    ----------
    about : Description
    moments : Moments
        As the model saw them: by type where each has a covariance of its own.
    terms : Terms
    maps : (T, p, q) array
        Design row of visit t from the coded columns; p = T m, visit by visit, types first.
    fit : RemlFit
    effects : Effects
    notes : tuple of str
    """

    about: Description
    moments: Moments
    terms: Terms
    maps: Array
    fit: RemlFit
    effects: Effects
    notes: tuple[str, ...]

    @property
    def grouped(self) -> bool:
        """Whether each type has a covariance of its own."""
        return len(self.moments.layout.groups) > 1

    def to_json(self) -> dict[str, Any]:
        """Everything that the fit said, as JSON values; arrays at full precision."""
        fit = self.fit
        k, visits = self.effects.means.shape
        return {
            "outcome": self.about.outcome,
            "exposures": list(self.about.exposures),
            "visits": list(self.about.visits),
            "coefficients": coefficient_names(self.about, self.terms),
            "beta": _plain(fit.beta),
            "beta_cov_model": _plain(fit.beta_cov_model),
            "covariance_groups": list(self.moments.layout.groups),
            "sigmas": _plain(fit.sigmas),
            "theta": _plain(fit.theta),
            "log_likelihood": fit.log_likelihood,
            "converged": fit.converged,
            "gradient_norm": fit.gradient_norm,
            "n_iterations": fit.n_iterations,
            "n_episodes": self.moments.n_subjects,
            "n_observations": self.moments.n_observations,
            "ls_means": _plain(self.effects.means),
            "ls_means_cov": _plain(self.effects.covariance.reshape(k * visits, k * visits)),
            "notes": list(self.notes),
        }


def _plain(values: Array) -> Any:
    """Nested lists; None where there is no number, as JSON has no NaN."""
    listed = values.astype(object)
    listed[~np.isfinite(values)] = None
    return listed.tolist()


def fit_outcome(
    moments: Moments,
    about: Description,
    *,
    leave_out: str = "",
    near: OutcomeFit | None = None,
) -> OutcomeFit:
    """Fit the study's model to one outcome.

    Parameters
    ----------
    moments : Moments
        Grouped by type, in the order of ``about.exposures``.
    about : Description
    leave_out : str
        A covariate that this fit does not hold.
    near : OutcomeFit, optional
        A similar fit, to begin from its covariance.

    Raises
    ------
    NotConverged, NotEstimable
        Where the model as a whole cannot be fitted.
    """
    if not moments.n_subjects:
        raise NotEstimable(
            f"{about.outcome}: nobody has a value at any of the visits "
            f"{', '.join(about.visits)}. Look at the visit windows, or leave the outcome out."
        )
    terms = outcome_terms(about, leave_out=leave_out)
    maps, unseen = visit_maps(about, terms, _seen(moments))
    used, said = _covariance_groups(moments, about)
    start = near.fit.theta if near and near.moments.layout.groups == used.layout.groups else None
    fit, used, said = _fit(used, maps, about, said, start)
    inference = prepare_inference(fit, about.spec.model.inference)
    made = OutcomeFit(
        about=about,
        moments=used,
        terms=terms,
        maps=maps,
        fit=fit,
        effects=adjusted_means(inference, fit, about, terms),
        notes=(*terms.notes, *unseen, *said, *fit.notes),
    )
    return _apart(made, inference) if going_with_types(made) else made


def outcome_terms(about: Description, *, leave_out: str = "") -> Terms:
    """Choose the covariates of the model of an outcome."""
    return choose_terms(
        about.columns,
        about.sizes.sum(),
        about.sums.sum(axis=0),
        about.squares,
        leave_out=leave_out,
    )


def going_with_types(fit: OutcomeFit) -> list[str]:
    """Return the covariates that leave no mean known, because they go with a type."""
    k = len(fit.about.exposures)
    means, coefficients = fit.effects.means, fit.fit.estimable.reshape(len(fit.about.visits), -1)
    blind = np.isnan(means).all(axis=0) & fit.about.episodes.any(axis=1)
    # A row of zeros is what nobody at the visit had: that takes no mean away.
    used = (np.abs(fit.maps).sum(axis=2) > 0).any(axis=0).reshape(coefficients.shape)
    lost = (~coefficients & used)[blind, k:].any(axis=0)
    return [name for name, gone in zip(fit.terms.names, lost, strict=True) if gone]


def _apart(made: OutcomeFit, inference: Inference) -> OutcomeFit:
    """Give the covariates that go with a type no effect of their own, and close that type.

    The fit is the same, and so is every difference of types that the covariate does not go with.
    Where none of them can be told from the reference, nothing is gained.
    """
    about, reference = made.about, made.about.spec.primary.reference
    if reference not in about.exposures:
        return made
    place = _places(about, made.terms)
    unit = np.eye(made.fit.beta.size)
    rows = unit[place] - unit[place[about.exposures.index(reference)]]
    known = ~np.isnan(inference.linear(rows.reshape(-1, len(unit))).estimate).reshape(place.shape)
    others = [e for e, exposure in enumerate(about.exposures) if exposure != reference]
    if not known[others].any():
        return made
    maps = made.maps * made.fit.estimable[:, None]
    model = about.spec.model
    fit, used, _ = _fit(made.moments, maps, about, (), made.fit.theta)
    effects = adjusted_means(prepare_inference(fit, model.inference), fit, about, made.terms)
    effects.means[~known] = np.nan
    words = (
        f"{', '.join(going_with_types(made))}: cannot be told apart from a type, and has no effect"
        " of its own; differences from that type are not known."
    )
    return replace(
        made, fit=fit, moments=used, maps=maps, effects=effects, notes=(*made.notes, words)
    )


def _seen(moments: Moments) -> Array:
    """Sums of each column over those seen at each visit, (T, q)."""
    products, layout = moments.products[:, 0, 0], moments.layout  # with the constant
    q = len(layout.columns)
    scaled = moments.seen.astype(np.float64).T @ products[:, : 1 + q]
    sums: Array = scaled[:, 1:] * layout.scale[:q] + scaled[:, :1] * layout.shift[:q]
    return sums


def visit_maps(about: Description, terms: Terms, seen: Array) -> tuple[Array, list[str]]:
    """Return (T, p, q): at each visit one coefficient a type, then one a covariate; and notes."""
    q = len(about.columns)
    types = np.eye(q)[[k for k, column in enumerate(about.columns) if column.kind == "exposure"]]
    visits, m = len(about.visits), len(types) + len(terms.matrix)
    maps = np.zeros((visits, visits * m, q))
    unseen: dict[str, list[str]] = {}
    for visit, label in enumerate(about.visits):
        matrix, lost = terms_at(about.columns, terms, about.sums.sum(axis=0), seen[visit])
        maps[visit, visit * m : (visit + 1) * m] = np.vstack([types, matrix])
        for source in sorted(lost):
            unseen.setdefault(source, []).append(label)
    notes = [
        f"What nobody seen at {', '.join(at)} has of {source} has no effect of its own there."
        for source, at in unseen.items()
    ]
    return maps, notes


def coefficient_names(about: Description, terms: Terms) -> list[str]:
    """Return the names of the p coefficients."""
    one_visit = [*(f"exposure={exposure}" for exposure in about.exposures), *terms.names]
    return [f"{visit}:{name}" for visit in about.visits for name in one_visit]


# ---------------------------------------------------------------------------------- covariance
def _covariance_groups(moments: Moments, about: Description) -> tuple[Moments, tuple[str, ...]]:
    """Return the moments by covariance group, and what was decided."""
    wish = about.spec.model.group_covariance
    if wish == "none" or len(about.exposures) < 2:
        return ungrouped(moments), ("One covariance matrix for all types.",)
    if wish == "exposure":
        return moments, ("Each type has a covariance matrix of its own.",)
    visits = len(about.visits)
    least = max(MIN_PAIRS, PER_PARAMETER * visits * (visits + 1) // 2)
    small = [e for e, n in zip(about.exposures, _fewest_pairs(moments), strict=True) if n < least]
    if small:
        words = (
            f"One covariance matrix for all types, because fewer than {least} episodes of "
            f"{', '.join(small)} were seen at both of some pair of visits."
        )
        return ungrouped(moments), (words,)
    return moments, ("Each type has a covariance matrix of its own: all are large enough.",)


def _fewest_pairs(moments: Moments) -> list[int]:
    """For each group, the smallest number of episodes seen at both of a pair of visits."""
    seen = moments.seen.astype(np.int64)
    found = []
    for group in range(len(moments.layout.groups)):
        here = seen[moments.group == group]
        counts = moments.count[moments.group == group]
        found.append(int((here.T @ (here * counts[:, None])).min()))
    return found


def ungrouped(moments: Moments) -> Moments:
    """Return the same sums with one covariance group."""
    one = replace(
        moments,
        layout=replace(moments.layout, groups=("",)),
        group=np.zeros_like(moments.group),
    )
    return one + one.select([])  # adding merges the cells that have become alike


def _fit(
    moments: Moments,
    maps: Array,
    about: Description,
    said: tuple[str, ...],
    start: Array | None,
) -> tuple[RemlFit, Moments, tuple[str, ...]]:
    """Fit; where covariances by type were only preferred and fail, one for all is tried."""
    model = about.spec.model
    grouped = len(moments.layout.groups) > 1
    asked = partial(
        fit_reml,
        maps=maps,
        covariance=model.covariance,
        adjusted=model.inference == "kenward-roger",
        response=about.outcome,
    )
    try:
        return asked(moments, start=start), moments, said
    except EstimationError as error:
        if not grouped or model.group_covariance != "auto":
            raise
        one = ungrouped(moments)
        words = f"One covariance matrix for all types: with one a type, {error}"
        return asked(one), one, (words,)


# -------------------------------------------------------------------------------------- effects
def adjusted_means(inference: Inference, fit: RemlFit, about: Description, terms: Terms) -> Effects:
    """Return adjusted means of every type and visit that are estimable."""
    k, visits = len(about.exposures), len(about.visits)
    place = _places(about, terms)
    cells = np.argwhere(fit.estimable[place])
    rows = np.eye(fit.beta.size)[place[fit.estimable[place]]]
    found = inference.linear(rows)
    means, df = np.full((k, visits), np.nan), np.full((k, visits), np.nan)
    means[tuple(cells.T)], df[tuple(cells.T)] = found.estimate, found.df
    covariance = np.full((k, visits, k, visits), np.nan)
    i, t = cells.T
    covariance[i[:, None], t[:, None], i[None, :], t[None, :]] = found.covariance
    return Effects(
        means=means,
        covariance=covariance,
        df=df,
        pair_df=_pair_df(inference, fit.beta.size, place, ~np.isnan(means)),
    )


def _places(about: Description, terms: Terms) -> npt.NDArray[np.int64]:
    """(k, T): where the mean of each type and visit stands among the coefficients."""
    k = len(about.exposures)
    return np.arange(k)[:, None] + (k + len(terms.names)) * np.arange(len(about.visits))


def _pair_df(
    inference: Inference,
    p: int,
    place: npt.NDArray[np.int64],
    there: npt.NDArray[np.bool_],
) -> Array:
    """Degrees of freedom of the differences at each visit, (k, k, T)."""
    k, visits = there.shape
    pairs = [
        (i, j, t)
        for t in range(visits)
        for i in range(k)
        for j in range(i)
        if there[i, t] and there[j, t]
    ]
    pair_df = np.full((k, k, visits), np.nan)
    if not pairs:
        return pair_df
    rows = np.zeros((len(pairs), p))
    for row, (i, j, t) in zip(rows, pairs, strict=True):
        row[place[i, t]], row[place[j, t]] = 1, -1
    for (i, j, t), df in zip(pairs, inference.linear(rows).df, strict=True):
        pair_df[i, j, t] = pair_df[j, i, t] = df
    return pair_df
