"""Design rows of every subject at every level of an exposure and every visit, a few at a time.

A covariate of the formula is the exposure or the visit, which are set; or fixed for everyone; or a
subject's own value; or a function of the visit. Each is an array that broadcasts over visits,
levels and subjects. What changes within subjects otherwise has no value at a visit that was not
seen, and is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import UsageError
from outcomes.models.reference_grid import At, ReferenceGrid

Array = npt.NDArray[np.float64]
Values = npt.NDArray[Any]

_ROWS_AT_ONCE: Final = 1 << 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Counterfactual:
    """What everyone is set to.

    Attributes
    ----------
    grid : ReferenceGrid
    visits, levels : tuple of str
        T visits and A levels of the exposure.
    columns : dict
        Covariate to values, or to codes of its levels, that broadcast to (T, A, n).
    """

    grid: ReferenceGrid
    visits: tuple[str, ...]
    levels: tuple[str, ...]
    columns: dict[str, Values]

    def average(self, shares: Array, beta: Array) -> tuple[Array, Array]:
        """Average over subjects, with S sets of weights ``shares`` (S, n).

        Returns
        -------
        rows : (S, T, A, p) array
            Mean design rows.
        own : (T, A, n) array
            Each subject's rows times beta.

        Raises
        ------
        UsageError
            Where a term is not finite.
        """
        n, size = shares.shape[1], len(self.visits) * len(self.levels)
        rows, own = np.zeros((beta.size * size, len(shares))), np.empty((size, n))
        for some in self._parts(n):
            x = self.grid.design.rows(self._frame(some))
            with np.errstate(invalid="ignore"):
                own[:, some] = (x @ beta).reshape(size, -1)
                # Formulas are evaluated by column: this way round nothing is copied.
                rows += x.T.reshape(len(rows), -1) @ shares[:, some].T
        if not np.isfinite(own).all():
            raise UsageError(
                "A term of the formula is not finite for some subjects when they are set to "
                "another level or visit, such as a logarithm of zero."
            )
        shape = (len(self.visits), len(self.levels))
        by_group = np.moveaxis(rows.reshape(beta.size, *shape, -1), (3, 0), (0, 3))
        return by_group, own.reshape(*shape, n)

    def _parts(self, n: int) -> Iterator[slice]:
        at_once = max(1, _ROWS_AT_ONCE // (len(self.visits) * len(self.levels)))
        for start in range(0, n, at_once):
            yield slice(start, min(start + at_once, n))

    def _frame(self, some: slice) -> pd.DataFrame:
        """Covariates of some subjects, who run fastest, then levels."""
        shape = (len(self.visits), len(self.levels), some.stop - some.start)
        frame: dict[str, Any] = {}
        for name, values in self.columns.items():
            here = values[:, :, some] if values.shape[2] > 1 else values
            flat = np.broadcast_to(here, shape).reshape(-1)
            if name in self.grid.levels:
                levels = pd.Index(self.grid.levels[name], dtype=object)
                frame[name] = pd.Categorical.from_codes(flat.astype(np.int64), levels)
            else:
                frame[name] = flat
        return pd.DataFrame(frame)


def set_exposure(grid: ReferenceGrid, exposure: str, visit: str, at: At) -> Counterfactual:
    """Set everyone to each level of ``exposure`` at each visit, and to what ``at`` fixes.

    Raises
    ------
    UsageError
        Where a covariate changes within subjects, or is fixed at several levels.
    """
    levels, numbers = grid.read_at(at)
    visits = levels.get(visit, grid.data.visits)
    columns: dict[str, Values] = {}
    changing = []
    for name in grid.covariates:
        if name == exposure:
            columns[name] = _codes(grid, name, levels[name])[None, :, None]
        elif name == visit:
            columns[name] = _codes(grid, name, visits)[:, None, None]
        elif name in numbers:
            columns[name] = np.full((1, 1, 1), numbers[name])
        elif name in at:
            columns[name] = _only(grid, name, levels[name])
        else:
            found = _own(grid, name, visits)
            changing += [name] * (found is None)
            columns |= {} if found is None else {name: found}
    if changing:
        raise UsageError(
            f"{', '.join(map(repr, changing))} changes within subjects, so that nobody has a value "
            "of their own at every visit, and it may itself follow from the exposure: fix it by "
            "at=, or take it out of the formula."
        )
    return Counterfactual(grid=grid, visits=visits, levels=levels[exposure], columns=columns)


def _codes(grid: ReferenceGrid, name: str, levels: tuple[str, ...]) -> Values:
    return np.array([grid.levels[name].index(level) for level in levels])


def _only(grid: ReferenceGrid, name: str, levels: tuple[str, ...]) -> Values:
    if len(levels) > 1:
        raise UsageError(f"at= gives '{name}' {len(levels)} levels; everyone is set to one.")
    return _codes(grid, name, levels)[:, None, None]


def _own(grid: ReferenceGrid, name: str, visits: tuple[str, ...]) -> Values | None:
    """Values by subject (1, 1, n), or by visit (T, 1, 1); None where it is neither."""
    rows = grid.data
    column = rows.frame[name].cat.codes if name in grid.levels else rows.numbers([name])[name]
    values: Values = column.to_numpy()
    by_subject = np.zeros(rows.n_subjects, dtype=values.dtype)
    by_subject[rows.subject] = values
    if (by_subject[rows.subject] == values).all():
        return by_subject[None, None, :]
    by_visit = np.zeros(len(rows.visits), dtype=values.dtype)
    by_visit[rows.visit] = values
    if (by_visit[rows.visit] == values).all():
        return by_visit[[rows.visits.index(visit) for visit in visits], None, None]
    return None
