r"""Shares of people who improved by a threshold, or got worse, missing at random like the means.

Method
------
Every unseen visit is drawn several times from the fitted mixed model, given what was seen of the
same episode and with the uncertainty of the parameters (:func:`draw_unseen`). A draw is put on the
instrument's own steps where the seen scores keep to them, and inside its range, as a seen score
would be. The event is then known for every draw, and its share is standardised over everyone
analysed by logistic regression on type, baseline and covariates
(:mod:`outcomes.models.shares`): so a share assumes what the means assume.

Beside it stand ``observed-only`` (the same regression among the seen) and ``missing-is-failure``
(unseen counts as not improved). At the primary visit the share is also given for a row of
thresholds, from no worse than at the start to four times one person's threshold.

What is not done: an improvement needs a baseline, one in percent a baseline above 0. Episodes
without one are left out of the regression, and stay among those that the share is standardised to,
a missing baseline at the mean of the known ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from outcomes.catalog.instruments import instrument
from outcomes.models.effects import common_row
from outcomes.models.events import Event, People, rows_of
from outcomes.models.shares import Population
from outcomes.stats.prediction import draw_unseen

if TYPE_CHECKING:
    from outcomes.models.change import OutcomeFit
    from outcomes.models.covariates import Array, Terms
    from outcomes.models.description import Description
    from outcomes.models.effects import Row
    from outcomes.models.events import Mask
    from outcomes.models.gate import Gates
    from outcomes.models.layout import OutcomeRows
    from outcomes.study.outcome_sections import OutcomeSpec

DRAWN, OBSERVED, FAILURE = "mmrm-draws", "observed-only", "missing-is-failure"
WORSE: Final = "worse"
STEPS: Final = (2.0, 1.0)
"""Steps that scores may keep to, in the instrument's unit; the coarser one first."""
ON_STEPS: Final = 0.98
DECIMALS: Final = 6
PERCENT: Final = "percent"
OF_BASELINE: Final = "percent of baseline"
CURVE: Final = np.arange(9) / 2
"""Thresholds of the curve, in units of one person's threshold."""


def responder_rows(rows: OutcomeRows, fit: OutcomeFit, gates: Gates) -> list[Row]:
    """Return the shares of one outcome; none where the study declares no threshold."""
    if not rows.outcome.responders:
        return []
    people = study_people(rows, fit.about, fit.terms)
    drawn = draw_visits(rows, fit)
    events = (
        event
        for visit in range(len(rows.visits))
        for event in _visit_events(rows, fit, drawn[:, visit], visit)
    )
    return list(rows_of(events, people, gates))


def study_people(rows: OutcomeRows, about: Description, terms: Terms) -> People:
    """Return everyone analysed, with the model's covariates in their fixed scales."""
    return People(
        population=Population(
            exposure=rows.study.exposure,
            covariates=_covariates(rows, terms),
            cluster=rows.study.patient,
            n_exposures=len(about.exposures),
            place=_places(rows),
        ),
        exposures=about.exposures,
        labels=about.labels,
        conf_level=about.conf_level,
    )


def _covariates(rows: OutcomeRows, terms: Terms) -> Array:
    """Covariates of everyone, (n, m); a missing number is at the mean of the known ones.

    Where nobody with a missing one is asked, its indicator says nothing, and the share would be
    standardised over people at the fixed centre of the coding.
    """
    scales = np.array([rows.columns[place].scale for place in terms.places])
    values: Array = rows.z @ (terms.matrix / scales[:, None]).T
    for place in terms.places:
        if rows.columns[place].kind == "missing" and place - 1 in terms.places:
            absent, number = rows.z[:, place] == 1, terms.places.index(place - 1)
            values[absent, number] = values[~absent, number].mean()
    return values


def _places(rows: OutcomeRows) -> npt.NDArray[np.int64]:
    """Codes of the places (clinics or providers, the more numerous) that covariates tell apart."""
    sources = Counter(column.source for column in rows.columns if column.kind == "unit")
    source = max(sources, key=lambda name: sources[name], default="")
    units = [k for k, column in enumerate(rows.columns) if source and column.source == source]
    return (rows.z[:, units] @ np.arange(1, len(units) + 1)).astype(np.int64)


def draw_visits(rows: OutcomeRows, fit: OutcomeFit) -> Array:
    """Return (n, T, m) scores: seen ones in every draw, unseen ones as the model expects them."""
    model = fit.about.spec.model
    group = rows.study.exposure if fit.grouped else np.zeros_like(rows.study.exposure)
    drawn: Array = draw_unseen(
        fit.fit,
        (rows.z, fit.maps),
        rows.y,
        group,
        n_draws=model.draws,
        rng=np.random.default_rng(model.seed),
        parameter_uncertainty=True,
    )
    unseen = np.isnan(rows.y)
    drawn[unseen] = on_scale(drawn[unseen], rows.outcome, rows.y[~unseen])
    return drawn


def on_scale(drawn: Array, outcome: OutcomeSpec, seen: Array) -> Array:
    """Put drawn scores on the steps that seen ones keep to, and inside the range."""
    low, high = 0.0, np.inf
    if outcome.measure == "score":
        known = instrument(outcome.instrument)
        low = -np.inf if known.score_min is None else known.score_min
        high = np.inf if known.score_max is None else known.score_max
    for step in STEPS:
        if seen.size and np.mean(np.mod(seen, step) == 0) >= ON_STEPS:
            drawn = np.round(drawn / step) * step
            break
    inside: Array = np.clip(drawn, low, high)
    return inside


# ------------------------------------------------------------------------------------- questions
@dataclass(frozen=True, kw_only=True)
class _Question:
    """What is asked of a gain: a code, a threshold, its unit, and whether others stand beside."""

    threshold: float
    unit: str = "share"
    code: str = "treatment-policy"
    beside: bool = False

    def reached(self, gain: Array) -> Array:
        """1 where the threshold is reached; gains are rounded as those of single people are."""
        size = np.round(gain, DECIMALS)
        hit = size <= -self.threshold if self.code == WORSE else size >= self.threshold
        return hit.astype(np.float64)


def _visit_events(rows: OutcomeRows, fit: OutcomeFit, drawn: Array, visit: int) -> Iterator[Event]:
    baseline = baseline_scores(rows)
    gain = fit.about.direction * (drawn - baseline[:, None])
    seen = ~np.isnan(rows.y[:, visit])
    in_points = _questions(rows, primary=_is_primary(rows, visit))
    sizes = dict.fromkeys(r.percent for r in rows.outcome.responders if r.percent is not None)
    percent = [_Question(threshold=size, unit=PERCENT, beside=True) for size in sizes]
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = 100 * gain / np.where(baseline > 0, baseline, np.nan)[:, None]
    asked = [*((q, gain) for q in in_points), *((q, relative) for q in percent)]
    yield from (
        ask(question, values, seen, _row(fit, question, method, rows.visits[visit]))
        for question, values in asked
        for method, ask in _METHODS.items()
        if question.beside or method == DRAWN
    )


def baseline_scores(rows: OutcomeRows) -> Array:
    """Return the baseline of every episode, NaN where it is missing."""
    names = [column.name for column in rows.columns]
    baseline = rows.z[:, names.index("baseline")].copy()
    if "baseline=missing" in names:
        baseline[rows.z[:, names.index("baseline=missing")] == 1] = np.nan
    return baseline


def _is_primary(rows: OutcomeRows, visit: int) -> bool:
    return bool(rows.visits[visit] == rows.study.dataset.spec.primary.visit)


def _questions(rows: OutcomeRows, *, primary: bool) -> list[_Question]:
    """Thresholds in points in ascending order, then getting worse."""
    declared = [r.threshold for r in rows.outcome.responders if r.threshold is not None]
    if not declared:
        return []
    curve = np.round(declared[0] * CURVE, DECIMALS).tolist() if primary else []
    up = [
        _Question(threshold=size, beside=size in declared) for size in sorted({*declared, *curve})
    ]
    return [*up, _Question(threshold=declared[0], code=WORSE)]


def _row(fit: OutcomeFit, question: _Question, method: str, visit: str) -> Row:
    common = common_row(fit.about, method=method, scale="risk")
    del common["scale"], common["term"], common["conf_level"]
    return {
        **common,
        "estimand": question.code,
        "unit": question.unit,
        "threshold": question.threshold,
        "threshold_unit": OF_BASELINE if question.unit == PERCENT else fit.about.unit,
        "visit": visit,
    }


def _ask_drawn(question: _Question, gain: Array, seen: Mask, row: Row) -> Event:
    known = ~np.isnan(gain[:, 0])
    return Event(
        responses=question.reached(gain),
        counted=seen & known,
        weights=known.astype(np.float64),
        row=row,
    )


def _ask_observed(question: _Question, gain: Array, seen: Mask, row: Row) -> Event:
    known = ~np.isnan(gain[:, 0])
    return Event(
        responses=question.reached(gain[:, :1]),
        counted=seen & known,
        weights=(seen & known).astype(np.float64),
        row=row,
    )


def _ask_failure(question: _Question, gain: Array, seen: Mask, row: Row) -> Event:
    known = ~np.isnan(gain[:, 0])
    return Event(
        responses=question.reached(gain[:, :1]) * seen[:, None],
        counted=seen & known,
        weights=known.astype(np.float64),
        row=row,
    )


_METHODS: Final[dict[str, Callable[[_Question, Array, Mask, Row], Event]]] = {
    DRAWN: _ask_drawn,
    OBSERVED: _ask_observed,
    FAILURE: _ask_failure,
}
