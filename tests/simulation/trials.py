"""Small trials whose truth is known, for :mod:`tests.simulation.inference`.

Every trial has a baseline score, a reference group and one or two exposures, and at every visit an
effect of both. ``SHAPES`` says what else:

``people``
    Four visits, standard deviations from 1.0 to 1.6, correlations that fall with the distance;
    nothing differs between the two groups.
``exposures``
    Three visits, three groups, standard deviations from 1.0 to 2.5, an autoregressive correlation
    of 0.7: the first exposure differs from the reference by 0.3, 0.6 and 0.9, the second does not.
``clinics``
    As ``people``, in groups of clinics of 12 people with an effect of the clinic that all of its
    patients share.
``spreads``
    As ``people``, with standard deviations twice as large in the second group.

With dropout, a person leaves for good, the sooner the higher the last score seen: missing at
random.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MISSED: Final = (0.03, 0.06, 0.08, 0.10)
"""Share that leaves at each visit, at a last score of zero."""
BY_SCORE: Final = 0.4
BASELINE: Final = 0.6
CLINIC: Final = 0.6
"""Standard deviation of a clinic's effect."""


@dataclass(frozen=True, eq=False)
class Shape:
    """What the trials of a table have in common.

    Attributes
    ----------
    sigma : (T, T) array
        Covariance of the visits, given the baseline.
    planted : (groups - 1, T) array
        Differences of the exposures from the reference.
    size : int
        People a clinic; 0 where groups are made of people.
    spread : tuple of float
        Standard deviations of each group, beside ``sigma``.
    """

    sigma: Array
    planted: Array
    size: int = 0
    spread: tuple[float, ...] = (1.0, 1.0, 1.0)

    @property
    def n_visits(self) -> int:
        """T."""
        return len(self.sigma)

    @property
    def n_columns(self) -> int:
        """One, exposures, baseline."""
        return len(self.planted) + 2

    def row(self, exposure: int, visit: int) -> Array:
        """Return the coefficients of the difference of an exposure, from 1, at a visit."""
        return np.eye(self.n_visits * self.n_columns)[visit * self.n_columns + exposure]


def _covariance(deviation: list[float], correlation: float) -> Array:
    visit = np.arange(len(deviation))
    return np.outer(deviation, deviation) * correlation ** np.abs(np.subtract.outer(visit, visit))


_FOUR: Final = _covariance([1.0, 1.2, 1.4, 1.6], np.sqrt(0.5))
_NOTHING: Final = np.zeros((1, 4))
SHAPES: Final[Mapping[str, Shape]] = {
    "people": Shape(_FOUR, _NOTHING),
    "exposures": Shape(
        _covariance([1.0, 1.5, 2.5], 0.7), np.array([[0.3, 0.6, 0.9], [0.0, 0.0, 0.0]])
    ),
    "clinics": Shape(_FOUR, _NOTHING, size=12),
    "spreads": Shape(_FOUR, _NOTHING, spread=(1.0, 2.0)),
}


@dataclass(frozen=True)
class Design:
    """One row of a table: people, or clinics, in the reference and in each exposure."""

    table: str
    groups: tuple[int, ...]
    dropout: bool

    @property
    def shape(self) -> Shape:
        """What it shares with the rest of its table."""
        return SHAPES[self.table]

    def key(self) -> tuple[int, ...]:
        """Return what tells its random numbers from those of other designs."""
        own = () if self.table in ("people", "clinics") else (list(SHAPES).index(self.table),)
        return (*self.groups, int(self.dropout), self.shape.size, *own)


def designs() -> Iterator[Design]:
    """Yield the rows of all tables."""
    for n, uneven, dropout in product((10, 20, 50, 100, 200), (False, True), (False, True)):
        yield Design("people", (n, 3 * n if uneven else n), dropout)
    for n, uneven in product((10, 20, 50), (False, True)):
        yield Design("exposures", (3 * n if uneven else n, n, n), dropout=True)
    for clinics in (4, 6, 10, 20):
        yield Design("clinics", (clinics, clinics), dropout=True)
    for groups in ((20, 60), (60, 20)):
        yield Design("spreads", groups, dropout=True)


@dataclass(frozen=True, eq=False)
class Trial:
    """Baseline columns (n, q), responses (n, T), and each person's group and cluster (n,)."""

    z: Array
    y: Array
    group: npt.NDArray[np.int64]
    cluster: npt.NDArray[np.int64]


def draw(design: Design, seed: int) -> Trial:
    """Draw a trial; a cluster is a clinic, or else a person."""
    rng, shape = np.random.default_rng([seed, *design.key()]), design.shape
    group = np.repeat(np.arange(len(design.groups)), np.multiply(design.groups, shape.size or 1))
    n = group.size
    cluster = np.arange(n) // (shape.size or 1)
    baseline = rng.normal(size=n)
    noise = rng.normal(size=(n, shape.n_visits)) @ np.linalg.cholesky(shape.sigma).T
    y = noise * np.array(shape.spread)[group, None] + BASELINE * baseline[:, None]
    if shape.size:
        y += rng.normal(0, CLINIC, cluster.max() + 1)[cluster][:, None]
    exposed = (group[:, None] == np.arange(1, len(design.groups))).astype(np.float64)
    y += exposed @ shape.planted
    if design.dropout:
        _drop_out(y, rng)
    return Trial(
        z=np.column_stack([np.ones(n), exposed, baseline]), y=y, group=group, cluster=cluster
    )


def _drop_out(y: Array, rng: np.random.Generator) -> None:
    away, last = np.zeros(len(y), dtype=bool), np.zeros(len(y))
    for visit, missed in enumerate(MISSED[: y.shape[1]]):
        odds = np.log(missed / (1 - missed)) + (BY_SCORE * last if visit else 0.0)
        away |= rng.random(len(y)) < 1 / (1 + np.exp(-odds))
        y[away, visit] = np.nan
        last = np.where(away, last, y[:, visit])
