"""Rows of coefficients that average a model over a reference grid.

Method
------
An LS mean [1]_ is the model's prediction at the levels of some *target* factors, numeric covariates
at their mean, averaged over the levels of all other factors with weights that are

* ``equal``: the same for every combination;
* ``proportional``: the frequency of the combination among the rows used in the fit;
* ``cells``: its frequency within the target levels.

The means and frequencies count every used row once (``rows``), or every patient once however many
rows there are (``patients``). A numeric covariate with two values is a number, at its mean.

A term of the model depends only on the factors in it, so that each term is averaged over those
alone: twenty factors cost no more than their largest interaction, and nothing is approximated.

References
----------
.. [1] Searle SR, Speed FM, Milliken GA. Population marginal means in the linear model: an
   alternative to least squares means. Am Stat 1980;34:216-221.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import UsageError
from outcomes.models.categories import label
from outcomes.models.design import Design
from outcomes.models.used_rows import Averaging, LongRows

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Weighting = Literal["equal", "proportional", "cells"]
At = Mapping[str, object]

ROUNDING: Final = 1e-13


@dataclass(frozen=True, kw_only=True, eq=False)
class CellMeans:
    """One row of coefficients a combination of levels.

    Attributes
    ----------
    factors : tuple of str
        The targets.
    cells : list of tuples
        m combinations of their levels; the last factor runs fastest.
    rows : (m, p) array
        NaN where the weights are frequencies and the combination was never seen.
    members : (m, n) array of bool
        Subjects seen in the combination.
    shift : float or (m,) array
        What is added to each mean, known and not estimated: the offset of the model.
    """

    factors: tuple[str, ...]
    cells: list[tuple[str, ...]]
    rows: Array
    members: npt.NDArray[np.bool_]
    shift: float | Array = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ReferenceGrid:
    """The used rows of a fit, to be averaged over.

    Attributes
    ----------
    design : Design
    data : LongRows
    covariates : tuple of str
        Columns on the right side of the formula.
    """

    design: Design
    data: LongRows
    covariates: tuple[str, ...]

    @cached_property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """Factors of the model, and their levels."""
        levels = self.data.levels
        return {name: levels[name] for name in self.covariates if name in levels}

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Numeric covariates of the model."""
        return tuple(name for name in self.covariates if name not in self.levels)

    def cell_means(
        self,
        factors: Sequence[str],
        *,
        weights: Weighting = "equal",
        average_over: Averaging = "rows",
        at: At | None = None,
    ) -> CellMeans:
        """Average over everything but ``factors``.

        Parameters
        ----------
        factors : sequence of str
            Factors of the model.
        weights, average_over
            See the module.
        at : mapping, optional
            A numeric covariate to a number, a factor to a level or some levels: a target then has
            these alone, another factor is averaged over these alone.

        Raises
        ------
        UsageError
            For names, levels or words that do not exist.
        """
        self.check_factors(factors)
        _check_words(weights, average_over)
        given, at = self.take_offset(at or {})
        offset = self.data.offset
        levels, fixed = self._at(at, average_over)
        targets = combinations({name: levels[name] for name in factors})
        rows = self._averaged(targets, levels, [fixed], weights, average_over)
        return CellMeans(
            factors=tuple(factors),
            cells=list(targets.itertuples(index=False, name=None)),
            rows=rows[0],
            members=self.members(targets),
            shift=offset.means[average_over] if given is None and offset else given or 0.0,
        )

    def slopes(self, factors: Sequence[str], numbers: Sequence[str]) -> Array:
        """(m, p): change of the cell means as numeric covariates, and their product, grow by one.

        Only terms that hold each of ``numbers`` as it is take part.
        """
        levels, fixed = self._at({}, "rows")
        corners = list(product((0.0, 1.0), repeat=len(numbers)))
        rows = self._averaged(
            combinations({name: levels[name] for name in factors}),
            levels,
            [{**fixed, **dict(zip(numbers, corner, strict=True))} for corner in corners],
            holding=numbers,
        )
        signs = np.array([(-1.0) ** (len(numbers) - sum(corner)) for corner in corners])
        return np.asarray(np.einsum("c,cmp->mp", signs, rows))

    def _averaged(
        self,
        targets: pd.DataFrame,
        levels: Mapping[str, Sequence[str]],
        several: Sequence[Mapping[str, float]],
        weights: Weighting = "equal",
        average_over: Averaging = "rows",
        *,
        holding: Sequence[str] = (),
    ) -> Array:
        """(c, m, p): design rows at ``targets``, by terms that hold some numbers as they are.

        ``several`` are c sets of numbers at which the covariates are fixed.
        """
        rows = np.zeros((len(several), len(targets), len(self.design.columns)))
        grouped = list(self._by_extra_factors(list(targets.columns), holding))
        averaged = [combinations({n: levels[n] for n in extra}) for extra, _ in grouped]
        points = [targets.merge(others, how="cross") for others in averaged]
        predicted = self._predict(points, levels, several)
        for (_, places), others, values in zip(grouped, averaged, predicted, strict=True):
            shares = self._shares(targets, others, levels, weights, average_over)
            by_target = values.reshape(len(several), len(targets), len(others), -1)
            for place in places:
                rows[:, :, place] = np.einsum("mk,cmkp->cmp", shares, by_target[..., place])
        return rows

    def _predict(
        self,
        points: Sequence[pd.DataFrame],
        levels: Mapping[str, Sequence[str]],
        several: Sequence[Mapping[str, float]],
    ) -> list[Array]:
        """(c, m, p) each: design rows at several sets of points, at the price of one evaluation."""
        if not points:
            return []
        together = pd.concat(points, ignore_index=True)
        n = len(together)
        frame: dict[str, Any] = {}
        for name in self.covariates:
            if name in self.levels:
                given = together[name] if name in together else pd.Series([None] * n, dtype=object)
                codes = pd.Categorical(given, categories=self.levels[name]).codes
                # A factor that a point does not name is in none of the terms that are taken of it.
                somewhere = self.levels[name].index(levels[name][0])
                codes = np.tile(np.where(codes < 0, somewhere, codes), len(several))
                index = pd.Index(self.levels[name], dtype=object)
                frame[name] = pd.Categorical.from_codes(codes, index)
            else:
                frame[name] = np.repeat([fixed[name] for fixed in several], n)
        rows = self.design.rows(pd.DataFrame(frame)).reshape(len(several), n, -1)
        ends = np.cumsum([len(some) for some in points])[:-1]
        return np.split(rows, ends, axis=1)

    def take_offset(self, at: At) -> tuple[float | None, At]:
        """The offset that ``at`` gives, if any, and the rest: all of it where it is a covariate."""
        offset = self.data.offset
        if offset is None or offset.name not in at:
            return None, at
        rest = {n: v for n, v in at.items() if n != offset.name or n in self.covariates}
        return _number(offset.name, at[offset.name]), rest

    def _at(
        self, at: At, average_over: Averaging
    ) -> tuple[dict[str, tuple[str, ...]], dict[str, float]]:
        """Levels of each factor, and the number of each covariate."""
        levels, given = self.read_at(at)
        means = self.data.means
        return levels, {n: given.get(n, means[n][average_over]) for n in self.numbers}

    def read_at(self, at: At) -> tuple[dict[str, tuple[str, ...]], dict[str, float]]:
        """Levels of each factor, all but where ``at`` chooses, and the numbers that it gives.

        Raises
        ------
        UsageError
            Where it names what is not in the model.
        """
        unknown = [name for name in at if name not in self.covariates]
        if unknown:
            raise UsageError(
                f"at= names {', '.join(map(repr, unknown))}; the model has "
                f"{', '.join(map(repr, self.covariates))}."
            )
        levels = {
            name: some_levels(name, at[name], all_levels) if name in at else all_levels
            for name, all_levels in self.levels.items()
        }
        return levels, {name: _number(name, at[name]) for name in self.numbers if name in at}

    def check_factors(self, names: Sequence[str]) -> None:
        """Raise where a name is no factor of the model, or is there twice.

        Raises
        ------
        UsageError
        """
        wrong = [name for name in names if name not in self.levels]
        if wrong:
            declared = ", ".join(f"C({name})" for name in wrong if name in self.numbers)
            raise UsageError(
                f"{', '.join(map(repr, wrong))} is no factor of the model. Its factors are "
                f"{', '.join(map(repr, self.levels)) or 'none'}; its numeric covariates "
                f"{', '.join(map(repr, self.numbers)) or 'none'}."
                + f" Write {declared} in the formula to make levels of numbers."
                * bool(declared)
            )
        if len(set(names)) < len(names):
            raise UsageError(f"A factor is named twice among {', '.join(map(repr, names))}.")

    def _by_extra_factors(
        self, targets: Sequence[str], holding: Sequence[str]
    ) -> Iterator[tuple[tuple[str, ...], list[slice]]]:
        """Terms that hold the numbers as they are, by the factors they are averaged over."""
        free = [name for name in self.levels if name not in targets]
        groups: dict[tuple[str, ...], list[slice]] = {}
        for (term, place), names in zip(
            self.design.model_spec.term_slices.items(), self.design.linked, strict=True
        ):
            if not set(holding) <= {str(factor.expr) for factor in term.factors}:
                continue
            groups.setdefault(tuple(n for n in free if n in names), []).append(place)
        yield from groups.items()

    def _shares(
        self,
        targets: pd.DataFrame,
        others: pd.DataFrame,
        levels: Mapping[str, Sequence[str]],
        weights: Weighting,
        average_over: Averaging,
    ) -> Array:
        """(m, k): weights of the combinations averaged over; rows sum to 1."""
        m, k = len(targets), len(others)
        if weights == "equal":
            return np.full((m, k), 1 / k)
        cell, other = self._places(targets), self._places(others)
        if weights == "proportional":
            cell, m = np.where(other < 0, -1, 0), 1
        kept = (cell >= 0) & (other >= 0) & self._allowed(levels, list(targets.columns))
        unit = self.data.subject * m + cell
        counts = self._row_weights(average_over, unit[kept])
        flat = np.bincount(cell[kept] * k + other[kept], weights=counts, minlength=m * k)
        within = flat.reshape(m, k)
        total = within.sum(axis=1, keepdims=True)
        shares = np.divide(within, total, out=np.full((m, k), np.nan), where=total > 0)
        return np.broadcast_to(shares, (len(targets), k))

    def _allowed(
        self, levels: Mapping[str, Sequence[str]], targets: Sequence[str]
    ) -> npt.NDArray[np.bool_]:
        """(N,): rows at the levels that factors are averaged over, of all terms alike.

        A term is averaged over its own factors alone, which gives the average of the whole where
        all terms count the same rows.
        """
        allowed = np.ones(len(self.data.frame), dtype=np.bool_)
        for name, chosen in levels.items():
            if name not in targets and len(chosen) < len(self.levels[name]):
                allowed &= self.data.frame[name].isin(list(chosen)).to_numpy()
        return allowed

    def _row_weights(self, average_over: Averaging, unit: Integers) -> Array:
        """One a row, or one a unit shared by its rows."""
        if average_over == "rows":
            return np.ones(unit.size)
        _, where, counts = np.unique(unit, return_inverse=True, return_counts=True)
        return np.asarray(1 / counts[where])

    def _places(self, combinations: pd.DataFrame) -> Integers:
        """(N,): which of the combinations a used row has; -1 for none of them."""
        place = np.zeros(len(self.data.frame), dtype=np.int64)
        width = 1
        for name in reversed(combinations.columns):
            chosen = list(dict.fromkeys(combinations[name]))
            codes = self.data.frame[name].cat.set_categories(chosen).cat.codes.to_numpy()
            place = np.where((codes < 0) | (place < 0), -1, place + width * codes.astype(np.int64))
            width *= len(chosen)
        return place

    def members(self, targets: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """(m, n): subjects with a used row at each combination of levels."""
        place = self._places(targets)
        members = np.zeros((len(targets), self.data.n_subjects), dtype=np.bool_)
        members[place[place >= 0], self.data.subject[place >= 0]] = True
        return members


def without_rounding(sums: Array, terms: Array) -> Array:
    """Sums, zero where next to nothing is left of the sum of their absolute terms.

    What is left would be taken for information: a difference that a model holds at zero would have
    a standard error, and a test.
    """
    return np.where(np.abs(sums) <= ROUNDING * terms, 0.0, sums)


def check_levels_known(factor: str, names: Sequence[str], levels: Sequence[str]) -> None:
    """Raise where a factor has no such level.

    Raises
    ------
    UsageError
    """
    unknown = [name for name in names if name not in levels]
    if unknown:
        raise UsageError(
            f"Factor '{factor}' has no level {', '.join(map(repr, unknown))}; it has "
            f"{', '.join(map(repr, levels))}."
        )


def some_levels(name: str, asked: object, levels: Sequence[str]) -> tuple[str, ...]:
    """The levels that are asked for, one or several, in the order of the factor.

    Raises
    ------
    UsageError
    """
    chosen = tuple(map(label, asked if isinstance(asked, list | tuple) else [asked]))
    check_levels_known(name, chosen, levels)
    if not chosen:
        raise UsageError(f"Factor '{name}' is given no level.")
    return tuple(level for level in levels if level in chosen)


def combinations(levels: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """All combinations, the last name fastest; one row without columns where there is no name."""
    return pd.DataFrame(list(product(*levels.values())), columns=list(levels), dtype=object)


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise UsageError(
            f"at= must give the numeric covariate '{name}' one number; ask once more for another."
        )
    return float(value)


def _check_words(weights: str, average_over: str) -> None:
    for word, allowed in ((weights, get_args(Weighting)), (average_over, get_args(Averaging))):
        if word not in allowed:
            raise UsageError(f"'{word}' is not one of {', '.join(map(repr, allowed))}.")
