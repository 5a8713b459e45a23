r"""Medicines: shares in use, and what became of the dose of those who used opioids at the start.

Use
---
Use of a class at a visit is yes or no, and known for episodes whose prescriptions are known until
then. A normal model says little about a yes or no, so nothing is drawn: episodes that were seen
count by the inverse of their estimated chance of being seen, given type, baseline dose, use at the
start and covariates [1]_, and the share is standardised over everyone analysed by logistic
regression (:mod:`outcomes.models.shares`). It rests on the same assumption as the means: that being
seen depends on what was known before. Beside it stand ``observed-only`` (without weights) and
``missing-is-failure`` (unseen counts as in use).

Change
------
Among those with a dose above 0 at time zero, each is one of four: stopped (no opioid in the window
up to the visit, opioid agonist treatment included), halved (a mean dose lower by half or more; so
are those changed to opioid agonist treatment, which is outside MME), increased (higher by
``INCREASE`` MME a day or more), little change (the rest). The four shares of a type are weighted
means by the same weights and sum to 1; they describe, and are not adjusted for differences between
types. A user whose dose at the visit cannot be computed has not stopped; the users of the type
whose dose is known stand for those whose dose is not (:func:`stand_in`). Errors: linearised,
clustered by patient, the weights taken as given. Among those without any opioid at time zero, the
share with one is ``new_start``.

References
----------
.. [1] Seaman SR, White IR. Review of inverse probability weighting for dealing with missing data.
   Stat Methods Med Res 2013;22:278-295.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.core.errors import EstimationError
from outcomes.engines.frame import SUBJECT, wide_responses
from outcomes.models.effects import OPEN, common_row, interval
from outcomes.models.events import Event, count, rows_of
from outcomes.models.responder import DECIMALS, FAILURE, OBSERVED, baseline_scores, study_people
from outcomes.models.share_errors import independent_degrees
from outcomes.models.share_rows import Counts, share_rows, too_few
from outcomes.models.shares import Shares, observation_weights

if TYPE_CHECKING:
    from outcomes.models.change import OutcomeFit
    from outcomes.models.covariates import Array, Terms
    from outcomes.models.description import Description
    from outcomes.models.effects import Row
    from outcomes.models.events import Mask, People
    from outcomes.models.gate import Gates
    from outcomes.models.layout import OutcomeRows
    from outcomes.models.shares import Population

WEIGHTED: Final = "observation-weighted"
ANY_OPIOID: Final = "any_opioid"
PREFIX: Final = "any_"
INCREASE: Final = 1.0
"""MME a day by which a mean dose must be higher to count as increased."""


def medication_people(rows: OutcomeRows, about: Description, terms: Terms) -> People:
    """Return everyone analysed, with opioid use at the start beside the covariates."""
    people = study_people(rows, about, terms)
    name = f"baseline_{ANY_OPIOID}"
    episodes = rows.study.dataset.episodes
    if name not in episodes:
        return people
    use = episodes[name].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    use = np.where(np.isnan(use), np.nanmean(use) if (~np.isnan(use)).any() else 0.0, use)
    covariates = np.column_stack([people.population.covariates, use - use.mean()])
    return replace(people, population=replace(people.population, covariates=covariates))


# ------------------------------------------------------------------------------------------- use
def use_rows(rows: OutcomeRows, weigh: SeenWeights, about: Description, gates: Gates) -> list[Row]:
    """Return the shares in use of every class that the dataset has by visit."""
    visit_rows = rows.study.dataset.visit_rows
    episodes = rows.study.dataset.episodes[SUBJECT]

    def events() -> Iterator[Event]:
        for name in [column for column in visit_rows.columns if str(column).startswith(PREFIX)]:
            used = wide_responses(episodes, visit_rows, rows.visits, name)
            weights = weigh(~np.isnan(used), rows.visits)
            for place, visit in enumerate(rows.visits):
                yield from _use_events(used[:, place], weights[place], _row(about, name, visit))

    return list(rows_of(events(), weigh.people, gates))


def _use_events(used: Array, weights: Array, row: Row) -> Iterator[Event]:
    """Yield the three ways to ask for a share in use."""
    seen = ~np.isnan(used)
    answers = np.where(seen, used, 0.0)[:, None]
    plain = seen.astype(np.float64)
    for method, responses, given in (
        (WEIGHTED, answers, weights),
        (OBSERVED, answers, plain),
        (FAILURE, np.where(seen[:, None], answers, 1.0), np.ones_like(plain)),
    ):
        said = {**row, "method": method}
        yield Event(responses=responses, counted=seen, weights=given, row=said)


@dataclass(kw_only=True, eq=False)
class SeenWeights:
    """Observation weights, worked out once for all questions of which the same were seen.

    Attributes
    ----------
    people : People
    notes : list of str
        Visits at which they cannot be estimated, and everyone seen counts alike.
    """

    people: People
    notes: list[str] = field(default_factory=list)
    _known: dict[bytes, list[Array]] = field(default_factory=dict)

    def __call__(self, seen: Mask, visits: Sequence[str]) -> list[Array]:
        """Return (n,) weights for each visit, given (n, T) who was seen."""
        key = np.packbits(seen).tobytes()
        if key not in self._known:
            found = observation_weights(seen, self.people.population)
            self._known[key] = [
                self._or_equal(weights, seen[:, place], visit)
                for place, (weights, visit) in enumerate(zip(found, visits, strict=True))
            ]
        return self._known[key]

    def _or_equal(self, weights: Array | EstimationError, seen: Mask, visit: str) -> Array:
        if not isinstance(weights, EstimationError):
            return weights
        self.notes.append(
            f"Medicines at {visit}: everyone seen counts alike, because the chance of being seen "
            f"could not be modelled. {weights}"
        )
        return seen.astype(np.float64)


def _row(about: Description, estimand: str, visit: str) -> Row:
    common = common_row(about, method=WEIGHTED, scale="risk")
    del common["scale"], common["term"], common["conf_level"], common["unit"]
    return {**common, "estimand": estimand, "visit": visit}


# ---------------------------------------------------------------------------------------- change
def change_rows(rows: OutcomeRows, weigh: SeenWeights, fit: OutcomeFit, gates: Gates) -> list[Row]:
    """Return changes of the mean dose, and what became of the dose of users and of others."""
    before = baseline_scores(rows)
    found = list(_mean_changes(fit, before, gates))
    used = rows.study.dataset.episodes[f"baseline_{ANY_OPIOID}"]
    start = _use(np.array(used.astype("Float64"), dtype=np.float64), before)
    visit_rows, episodes = rows.study.dataset.visit_rows, rows.study.dataset.episodes[SUBJECT]
    use = _use(wide_responses(episodes, visit_rows, rows.visits, ANY_OPIOID), rows.y)
    weights = weigh(~np.isnan(use), rows.visits)
    for place, visit in enumerate(rows.visits):
        closed = {exposure: why for (exposure, at), why in gates.items() if at == visit}
        for asked in _questions((start, before), (use[:, place], rows.y[:, place])):
            given = stand_in(
                weights[place] * asked.mask, asked.unknown, asked.like, weigh.people.population
            )
            for code, answer in asked.answers.items():
                row = {**_row(fit.about, code, visit), "population": asked.population}
                found += _weighted_rows(answer, given, weigh.people, row, closed)
    return found


def _use(recorded: Array, dose: Array) -> Array:
    """Return use as 1, 0 or NaN; a dose is use, whatever the window of the record of use."""
    return np.where(dose > 0, 1.0, recorded)


def stand_in(weights: Array, unknown: Mask, like: Mask, population: Population) -> Array:
    """Let those whose answer is known stand for others of their type whose answer is not.

    Parameters
    ----------
    weights : (n,) array
    unknown : (n,) bool array
        Whose answer is not known, though they are known to be like some.
    like : (n,) bool array
        Of whom those are, they among them; the weights of these add up to what they did before.
    population : Population

    Returns
    -------
    (n,) array
        All 0 in a type where nobody could stand for those who are not known.
    """
    exposure, k = population.exposure, population.n_exposures
    whole = np.bincount(exposure, weights * like, minlength=k)
    known = np.bincount(exposure, weights * (like & ~unknown), minlength=k)
    answerable = (known > 0) | (whole == 0)
    factor = np.divide(whole, known, out=np.ones(k), where=known > 0)
    given = np.where(like, weights * factor[exposure], weights)
    return np.where(unknown | ~answerable[exposure], 0.0, given)


def _mean_changes(fit: OutcomeFit, before: Array, gates: Gates) -> Iterator[Row]:
    """Yield adjusted means as changes from the mean at time zero that all types share."""
    about, effects = fit.about, fit.effects
    start = float(np.nanmean(before)) if (~np.isnan(before)).any() else np.nan
    errors = effects.std_error()
    for i, exposure in enumerate(about.exposures):
        for t, visit in enumerate(about.visits):
            reason = gates.get((exposure, visit), "")
            numbers = (float(effects.means[i, t]) - start, float(errors[i, t]))
            df = float(effects.df[i, t])
            yield {
                **common_row(about, scale="change"),
                **({} if reason else interval(*numbers, df, about.conf_level, tested=True)),
                "contrast": exposure,
                "level": exposure,
                "visit": visit,
                "n_episodes": int(about.episodes[t, i]),
                "n_patients": about.n_patients(t, [i]),
                "gate": reason or OPEN,
            }


@dataclass(frozen=True, kw_only=True, eq=False)
class _Question:
    """Whom a question is for and seen of, whose answer is not known, and the answers."""

    population: str
    mask: Mask
    unknown: Mask
    like: Mask
    answers: dict[str, Mask]


def _questions(start: tuple[Array, Array], end: tuple[Array, Array]) -> Iterator[_Question]:
    """Yield what is asked of use and dose at time zero and at a visit."""
    (used_before, before), (used, after) = start, end
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.round(after / before, DECIMALS)
        stopped = used == 0
        halved = (left <= 0.5) & ~stopped
        increased = np.round(after - before, DECIMALS) >= INCREASE
    seen = ~np.isnan(used)
    yield _Question(
        population="opioid dose at time zero",
        mask=seen & (before > 0),
        unknown=(used > 0) & np.isnan(after),
        like=used > 0,
        answers={
            "stopped": stopped,
            "halved": halved,
            "little_change": ~(stopped | halved | increased),
            "increased": increased,
        },
    )
    nobody = np.zeros_like(seen)
    yield _Question(
        population="no opioid at time zero",
        mask=seen & (used_before == 0),
        unknown=nobody,
        like=nobody,
        answers={"new_start": used > 0},
    )


def _weighted_rows(
    answer: Mask, weights: Array, people: People, row: Row, closed: dict[str, str]
) -> list[Row]:
    """Return a weighted share for each type, without comparisons."""
    shares, counts = weighted_shares(answer, weights, people)
    empty = {
        exposure: too_few(people.labels[exposure])
        for exposure, risk in zip(people.exposures, shares.risk, strict=True)
        if np.isnan(risk)
    }
    made = share_rows(
        shares,
        people.exposures,
        counts,
        conf_level=people.conf_level,
        common=row,
        gates={**empty, **closed},
    )
    return [one for one in made if one["scale"] == "risk"]


def weighted_shares(answer: Mask, weights: Array, people: People) -> tuple[Shares, Counts]:
    """Weighted mean of an answer for each type, with errors clustered by patient.

    Parameters
    ----------
    answer : (n,) bool array
    weights : (n,) array
        0 where the question is not for the episode, or its answer is unseen.
    people : People

    Returns
    -------
    Shares
        NaN for a type of fewer than two patients.
    Counts
    """
    population = people.population
    exposure, k = population.exposure, population.n_exposures

    def by_type(values: Array) -> Array:
        return np.bincount(exposure, values, minlength=k).astype(np.float64)

    used = weights > 0
    counts = count(used, population)
    enough = counts.n_patients > 1
    total = np.where(enough, by_type(weights), np.nan)
    risk = by_type(weights * answer) / total
    answered = by_type((used & answer).astype(np.float64))
    one_sided = enough & ((answered == 0) | (answered == counts.n_episodes))
    risk[one_sided] = answered[one_sided] > 0
    parts = weights * (answer - risk[exposure]) / total[exposure]
    sums = population.members.total(parts[:, None])[:, 0]
    spread = np.bincount(population.member_exposure, sums**2, minlength=k)
    variance = spread * counts.n_patients / np.maximum(counts.n_patients - 1, 1)
    shares = Shares(
        risk=risk,
        covariance=np.diag(variance),
        df=independent_degrees(variance, counts.n_patients),
        one_sided=one_sided,
    )
    return shares, replace(counts, worth=total**2 / by_type(weights**2))
