"""What a reader can work out: the smallest interval of every count, from all that is released.

The reader knows every sum that counts must satisfy (:mod:`outcomes.results.ledger`), that a
released count stands for the five whole numbers that round to it, and that a hidden one is not
negative. With x the counts, A the sums and [l, h] what is released, a count can be

    min x_i  to  max x_i   subject to   A x = 0,  l <= x <= h.

It is *given away* where that interval holds neither 0 nor any number from the threshold up. First
bounds are passed along single sums until they stop moving; what survives is settled by linear
programs. One program that pushes all small counts down together, and one that pushes all up, clear
most of them at once: a point where a count is 0, or reaches the threshold, is proof enough.

Not covered: a reader who knows some of the hidden counts from elsewhere, and one who reasons from
the fact that nothing is hidden without need. References: Fischetti M, Salazar JJ. Models and
algorithms for the 2-dimensional cell suppression problem in statistical disclosure control. Math
Program 1999;84:283-312. Hundepool A et al. Statistical Disclosure Control. Wiley 2012, chapter 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.core.errors import DisclosureError
from outcomes.results.ledger import Ledger, Relation

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy.sparse import csr_array

TOLERANCE: Final = 1e-6
MOST_PASSES: Final = 60


@dataclass(frozen=True)
class Bounds:
    """Lowest and highest value of every entry of a ledger, as a reader sees them; (n,) each."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def gives_away(self, entry: int, threshold: int) -> bool:
        """Whether the interval lies inside 1 to threshold - 1."""
        return bool(self.low[entry] > TOLERANCE and self.high[entry] < threshold - TOLERANCE)


def narrowed(
    ledger: Ledger, bounds: Bounds, threshold: int, *, integral: bool = False
) -> list[int]:
    """Return the entries that a reader can place inside 1 to threshold - 1.

    Parameters
    ----------
    ledger : Ledger
    bounds : Bounds
        What is released of each entry.
    threshold : int
    integral : bool
        Let the reader know that counts are whole numbers also where several sums meet: slower, for
        tests. Without it the gate may hide a little more than it must, never less than a reader
        without whole-number arithmetic could use.

    Returns
    -------
    list of int
        Entries in order; empty where nothing is given away.
    """
    small = [i for i, e in enumerate(ledger.entries) if e.protected and 0 < e.value < threshold]
    passed = tighten(ledger, bounds)
    found = [i for i in small if passed.gives_away(i, threshold)]
    return found or _Program(ledger, passed, small, integral).given_away(small, threshold)


# ------------------------------------------------------------------------------ passing bounds on
def tighten(ledger: Ledger, bounds: Bounds) -> Bounds:
    """Pass bounds along single sums, all sums at once, until they stop moving."""
    sums = _Terms.of(ledger)
    low, high = bounds.low.copy(), bounds.high.copy()
    for _ in range(MOST_PASSES):
        lower, upper = sums.implied(low, high)
        tighter_low, tighter_high = low.copy(), high.copy()
        np.maximum.at(tighter_low, sums.entry, lower)
        np.minimum.at(tighter_high, sums.entry, upper)
        moved = (tighter_low > low + TOLERANCE) | (tighter_high < high - TOLERANCE)
        if not moved.any():
            break
        low = np.where(moved, tighter_low, low)
        high = np.where(moved, tighter_high, high)
    return Bounds(low, high)


@dataclass(frozen=True)
class _Terms:
    """All sums as one list of terms: the sum each belongs to, its entry and weight, (m,) each."""

    relation: NDArray[np.intp]
    entry: NDArray[np.intp]
    weight: NDArray[np.float64]
    whole: NDArray[np.bool_]

    @classmethod
    def of(cls, ledger: Ledger) -> _Terms:
        sizes = [len(relation.entries) for relation in ledger.relations]
        entry = [place for relation in ledger.relations for place in relation.entries]
        weight = [w for relation in ledger.relations for w in relation.weights]
        whole = np.array([one.whole for one in ledger.entries], dtype=bool)
        places = np.array(entry, dtype=np.intp)
        return cls(
            np.repeat(np.arange(len(sizes)), sizes),
            places,
            np.array(weight, dtype=np.float64),
            whole[places],
        )

    def implied(
        self, low: NDArray[np.float64], high: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the other terms of its sum leave for each term's entry."""
        up = self.weight > 0
        at_low, at_high = self.weight * low[self.entry], self.weight * high[self.entry]
        least, most = np.where(up, at_low, at_high), np.where(up, at_high, at_low)
        one = -self._others(most, np.inf) / self.weight
        other = -self._others(least, -np.inf) / self.weight
        lower, upper = np.minimum(one, other), np.maximum(one, other)
        rounded_up, rounded_down = np.ceil(lower - TOLERANCE), np.floor(upper + TOLERANCE)
        return np.where(self.whole, rounded_up, lower), np.where(self.whole, rounded_down, upper)

    def _others(self, terms: NDArray[np.float64], infinite: float) -> NDArray[np.float64]:
        """Return the sum of the other terms of each term's sum, infinite where one of them is."""
        finite = np.isfinite(terms)
        value = np.where(finite, terms, 0.0)
        total = np.bincount(self.relation, value)[self.relation] - value
        open_ends = np.bincount(self.relation, ~finite)[self.relation] - ~finite
        return np.where(open_ends > 0.5, infinite, total)


# ------------------------------------------------------------------------------- linear programs
class _Program:
    """The sums and bounds as a linear program over the entries tied to small counts."""

    def __init__(
        self, ledger: Ledger, bounds: Bounds, small: Sequence[int], integral: bool
    ) -> None:
        relations, entries = _tied(ledger, small)
        self.place = {entry: k for k, entry in enumerate(entries)}
        self.low, self.high = bounds.low[entries], bounds.high[entries]
        self.sums = self._sums([ledger.relations[r] for r in relations])
        self.integral = np.array([integral and ledger.entries[e].whole for e in entries])

    def _sums(self, relations: list[Relation]) -> csr_array:
        from scipy.sparse import csr_array

        row = [k for k, r in enumerate(relations) for _ in r.entries]
        column = [self.place[entry] for r in relations for entry in r.entries]
        weight = [w for r in relations for w in r.weights]
        return csr_array((weight, (row, column)), shape=(len(relations), len(self.place)))

    def given_away(self, small: Sequence[int], threshold: int) -> list[int]:
        """Return the small entries that no feasible point takes to 0 or to the threshold."""
        open_ = [entry for entry in small if entry in self.place]
        if not open_:
            return []
        before = len(open_) + 1
        while open_ and len(open_) < before:
            before = len(open_)
            for sign in (1.0, -1.0):
                together = np.zeros(len(self.place))
                together[[self.place[entry] for entry in open_]] = sign
                open_ = self._left(open_, self._solve(together, threshold), threshold)
                if not open_:
                    break
        return [entry for entry in open_ if not self._cleared(entry, threshold)]

    def _cleared(self, entry: int, threshold: int) -> bool:
        goal = np.zeros(len(self.place))
        goal[self.place[entry]] = 1.0
        return any(
            not self._left([entry], self._solve(sign * goal, threshold), threshold)
            for sign in (1.0, -1.0)
        )

    def _left(
        self, entries: Sequence[int], point: NDArray[np.float64], threshold: int
    ) -> list[int]:
        at = {entry: point[self.place[entry]] for entry in entries}
        return [e for e, x in at.items() if TOLERANCE < x < threshold - TOLERANCE]

    def _solve(self, goal: NDArray[np.float64], threshold: int) -> NDArray[np.float64]:
        """Return a point with the smallest ``goal``.

        A count that is pushed up earns nothing beyond the threshold, so that one cannot take what
        would clear several.
        """
        from scipy.optimize import Bounds as Box
        from scipy.optimize import LinearConstraint, milp

        pushed = np.flatnonzero(goal < 0)
        n, n_sums = len(goal), self.sums.shape[0]
        caps = np.full(len(pushed), float(threshold))
        found = milp(
            np.concatenate([np.maximum(goal, 0), np.full(len(pushed), -1.0)]),
            constraints=LinearConstraint(
                self._with_caps(pushed),
                np.concatenate([np.zeros(n_sums), np.full(len(pushed), -np.inf)]),
                np.zeros(n_sums + len(pushed)),
            ),
            bounds=Box(
                np.concatenate([self.low, np.zeros(len(pushed))]),
                np.concatenate([self.high, caps]),
            ),
            integrality=np.concatenate([self.integral, np.zeros(len(pushed))]),
        )
        if found.x is None:
            raise DisclosureError(f"Released counts contradict each other: {found.message}")
        point: NDArray[np.float64] = np.asarray(found.x[:n], dtype=np.float64)
        return point

    def _with_caps(self, pushed: NDArray[np.intp]) -> csr_array:
        """Return the sums, and below them one row ``earned - count <= 0`` a pushed count."""
        from scipy.sparse import csr_array, eye_array, hstack, vstack

        n = self.sums.shape[1]
        if not len(pushed):
            return self.sums
        picks = csr_array(
            (np.ones(len(pushed)), (np.arange(len(pushed)), pushed)), shape=(len(pushed), n)
        )
        none = csr_array((self.sums.shape[0], len(pushed)))
        earned = hstack([-picks, csr_array(eye_array(len(pushed)))])
        return csr_array(vstack([hstack([self.sums, none]), earned]))


def _tied(ledger: Ledger, small: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the relations and entries that any small count is tied to, however far."""
    of_entry: dict[int, list[int]] = {}
    for place, relation in enumerate(ledger.relations):
        for entry in relation.entries:
            of_entry.setdefault(entry, []).append(place)
    entries = {entry for entry in small if entry in of_entry}
    waiting, relations = list(entries), set()
    while waiting:
        for place in of_entry[waiting.pop()]:
            if place in relations:
                continue
            relations.add(place)
            new = set(ledger.relations[place].entries) - entries
            entries |= new
            waiting.extend(new)
    return sorted(relations), sorted(entries)
