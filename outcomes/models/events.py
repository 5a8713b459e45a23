"""Yes-or-no questions about episodes as rows of the share tables, by method and gate.

An event is 1, 0 or drawn for each episode; an episode whose answer cannot exist (an improvement
without a baseline) has weight 0 in the regression, and the standardisation is still over everyone.

Where nobody or everybody of a type has the event, seen and drawn, a logistic regression has no
finite solution. Such a type is left out of it; its share is 0 or 1, without a standard error and
with exact limits (:mod:`outcomes.models.share_rows`). Less than half an event, all of it drawn,
counts as none: one draw of one unseen visit does not decide how a share is made.

The release gate, not the model, hides a zero that stands beside small counts: a reason in its place
would tell it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import EstimationError
from outcomes.models.share_rows import Counts, share_rows, too_few
from outcomes.models.shares import Answers, Population, Shares, standardised_shares

if TYPE_CHECKING:
    from outcomes.models.effects import Row

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
HALF_AN_EVENT: Final = 0.5
BATCH: Final = 32
"""Events at a time: more share a pass over the data, and each holds two numbers an episode."""


@dataclass(frozen=True, kw_only=True)
class People:
    """Whom the shares of an outcome are for, and what closes a share.

    Attributes
    ----------
    population : Population
        Of every analysed episode.
    exposures : tuple of str
    labels : dict
        Exposure to its name in words.
    conf_level : float
    """

    population: Population
    exposures: tuple[str, ...]
    labels: dict[str, str]
    conf_level: float


@dataclass(frozen=True, kw_only=True)
class Event:
    """One question.

    Attributes
    ----------
    responses : (n, m) array
        Draws of the event, 0 or 1; one column where nothing was drawn.
    counted : (n,) bool array
        Episodes with an observed answer: the counts of the rows.
    weights : (n,) array
        Of the regression; 0 where there is no answer.
    row : dict
        What the rows of the question say.
    """

    responses: Array
    counted: Mask
    weights: Array
    row: Row


@dataclass(frozen=True, kw_only=True, eq=False)
class _Prepared:
    """An event without its draws.

    Attributes
    ----------
    known : Shares
        Shares of 0 and 1 of types that lie on one side; NaN of others.
    answered : (k,) bool array
        Types with answers of two patients or more.
    answers : Answers or None
        For the regression; None where it has nothing to say.
    counts : Counts
    row : dict
    """

    known: Shares
    answered: Mask
    answers: Answers | None
    counts: Counts
    row: Row


def _prepare(event: Event, people: People) -> _Prepared:
    known, answered = _one_sided(event, people)
    asked = answered & np.isnan(known.risk)
    population = people.population
    answers = None
    if asked.any():
        answers = Answers.of(event.responses, population, weights=event.weights, asked=asked)
    return _Prepared(
        known=known,
        answered=answered,
        answers=answers,
        counts=count(event.counted, population),
        row=event.row,
    )


def _one_sided(event: Event, people: People) -> tuple[Shares, Mask]:
    """Return shares of 0 and 1 of types that lie on one side, and which types have answers.

    One patient's episodes alone say nothing of the spread between patients.
    """
    mean, used = event.responses.mean(axis=1), event.weights > 0
    exposure, k = people.population.exposure[used], len(people.exposures)
    total = np.bincount(exposure, minlength=k)
    events = np.bincount(exposure, mean[used], minlength=k)
    answered = people.population.n_clusters(used) > 1
    shares = _no_shares(k)
    for risk, away in ((0.0, events), (1.0, total - events)):
        here = answered & (away < HALF_AN_EVENT)
        shares.risk[here], shares.one_sided[here] = risk, True
        shares.covariance[here], shares.covariance[:, here] = 0.0, 0.0
    return shares, answered


def _event_rows(
    event: _Prepared,
    found: Shares | EstimationError | None,
    people: People,
    gates: Mapping[str, str],
) -> list[Row]:
    """Return the rows of one event.

    Parameters
    ----------
    event : _Prepared
    found : Shares, EstimationError or None
        What the regression says.
    people : People
    gates : mapping
        Exposures that are not shown at this visit, with the reason.
    """
    closed = {e: too_few(people.labels[e]) for e in _named(people, ~event.answered)}
    shares = event.known
    if isinstance(found, Shares):
        shares = _spread(found, shares)
    elif found is not None and event.answers is not None:
        closed |= dict.fromkeys(_named(people, event.answers.asked), found.reason)
    return share_rows(
        shares,
        people.exposures,
        event.counts,
        conf_level=people.conf_level,
        common=event.row,
        gates={**closed, **gates},
    )


def _named(people: People, which: Mask) -> list[str]:
    return [exposure for exposure, here in zip(people.exposures, which, strict=True) if here]


def _spread(shares: Shares, others: Shares) -> Shares:
    """Lay shares of some types beside those of the others."""
    here = ~np.isnan(shares.risk)
    risk, covariance = others.risk.copy(), others.covariance.copy()
    risk[here] = shares.risk[here]
    covariance[np.ix_(here, here)] = shares.covariance[np.ix_(here, here)]
    return Shares(risk=risk, covariance=covariance, df=shares.df, one_sided=others.one_sided)


def _no_shares(k: int) -> Shares:
    """Return shares of which none is known."""
    return Shares(
        risk=np.full(k, np.nan),
        covariance=np.full((k, k), np.nan),
        df=np.full((k, k), np.nan),
        one_sided=np.zeros(k, dtype=np.bool_),
    )


def count(counted: Mask, population: Population) -> Counts:
    """Count episodes and patients behind the shares, by exposure."""
    return Counts(
        n_episodes=np.bincount(population.exposure[counted], minlength=population.n_exposures),
        n_patients=population.n_clusters(counted),
    )


def rows_of(
    events: Iterable[Event], people: People, gates: Mapping[tuple[str, str], str]
) -> Iterator[Row]:
    """Yield the rows of several events, many at a time: fits of one population share the way."""
    prepared = (_prepare(event, people) for event in events)
    while batch := list(islice(prepared, BATCH)):
        asked = [event.answers for event in batch if event.answers is not None]
        found = iter(standardised_shares(asked, people.population))
        for event in batch:
            visit = str(event.row["visit"])
            closed = {exposure: why for (exposure, at), why in gates.items() if at == visit}
            answer = None if event.answers is None else next(found)
            yield from _event_rows(event, answer, people, closed)
