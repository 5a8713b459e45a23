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

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import EstimationError
from outcomes.models.share_rows import HALF_AN_EVENT, Counts, share_rows
from outcomes.models.shares import Population, Shares, standardised_shares

if TYPE_CHECKING:
    from outcomes.models.effects import Row

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


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


def event_rows(
    event: Event, people: People, gates: Mapping[str, str], start: Shares | None = None
) -> tuple[list[Row], Shares | None]:
    """Return the rows of one event, and a start for a similar one.

    Parameters
    ----------
    event : Event
    people : People
    gates : mapping
        Exposures that are not shown at this visit, with the reason.
    start : Shares, optional
        From a similar event with the same types.
    """
    shares, asked = _one_sided(event, people)
    closed = {e: f"nobody of {people.labels[e]} to ask" for e in _named(people, ~asked)}
    open_types = asked & np.isnan(shares.risk)
    near: Shares | None = None
    if open_types.any():
        try:
            found = _shares(event, people, open_types, start)
        except EstimationError as error:
            closed |= dict.fromkeys(_named(people, open_types), str(error))
        else:
            shares = _spread(found, open_types, shares)
            near = found if open_types.all() else None
    rows = share_rows(
        shares,
        people.exposures,
        count(event.counted, people.population),
        conf_level=people.conf_level,
        common=event.row,
        gates={**closed, **gates},
    )
    return rows, near


def _one_sided(event: Event, people: People) -> tuple[Shares, Mask]:
    """Return shares of 0 and 1 of types that lie on one side, and which types have answers."""
    mean, used = event.responses.mean(axis=1), event.weights > 0
    exposure, k = people.population.exposure[used], len(people.exposures)
    total = np.bincount(exposure, minlength=k)
    events = np.bincount(exposure, mean[used], minlength=k)
    shares = empty_shares(k)
    for risk, away in ((0.0, events), (1.0, total - events)):
        here = (total > 0) & (away < HALF_AN_EVENT)
        shares.risk[here] = risk
        shares.covariance[here], shares.covariance[:, here] = 0.0, 0.0
    return shares, total > 0


def _named(people: People, which: Mask) -> list[str]:
    return [exposure for exposure, here in zip(people.exposures, which, strict=True) if here]


def _shares(event: Event, people: People, open_types: Mask, start: Shares | None) -> Shares:
    population = people.population
    if open_types.all():
        return standardised_shares(event.responses, population, weights=event.weights, start=start)
    code = np.cumsum(open_types) - 1
    here = open_types[population.exposure]
    fewer = replace(
        population,
        exposure=np.where(here, code[population.exposure], 0),
        n_exposures=int(open_types.sum()),
    )
    return standardised_shares(event.responses, fewer, weights=event.weights * here)


def _spread(shares: Shares, open_types: Mask, others: Shares) -> Shares:
    """Lay shares of some types beside those of the others."""
    risk, covariance = others.risk.copy(), others.covariance.copy()
    risk[open_types] = shares.risk
    covariance[np.ix_(open_types, open_types)] = shares.covariance
    return replace(others, risk=risk, covariance=covariance, df=shares.df)


def empty_shares(k: int) -> Shares:
    """Return shares of which none is known."""
    return Shares(
        risk=np.full(k, np.nan),
        covariance=np.full((k, k), np.nan),
        df=np.inf,
        beta=np.zeros(0),
        crude=np.zeros(k),
    )


def count(counted: Mask, population: Population) -> Counts:
    """Count episodes and patients behind the shares, by exposure."""
    k = population.n_exposures
    patient, n_patients = population.clusters
    exposure = population.exposure[counted]
    seen = np.zeros((k, n_patients), dtype=bool)
    seen[exposure, patient[counted]] = True
    return Counts(n_episodes=np.bincount(exposure, minlength=k), n_patients=seen.sum(axis=1))


def rows_of(
    events: Iterator[Event], people: People, gates: Mapping[tuple[str, str], str]
) -> Iterator[Row]:
    """Yield the rows of several events; each starts from the solution of the one before."""
    start: Shares | None = None
    for event in events:
        visit = str(event.row["visit"])
        closed = {exposure: why for (exposure, at), why in gates.items() if at == visit}
        rows, start = event_rows(event, people, closed, start)
        yield from rows
