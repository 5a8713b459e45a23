"""Adjusted means of the change from one visit to another.

A mean change is a cell mean at the later visit minus the one at the earlier visit, as rows of
coefficients; its standard error has the covariance of both in it. Contrasts of such means are
differences of changes: what a comparison is at the later visit minus what it was at the earlier
one, an interaction contrast of the factor and the visit [1]_.

References
----------
.. [1] Boik RJ. Interactions, partial interactions, and interaction contrasts in the analysis of
   variance. Psychol Bull 1979;86:1084-1089.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outcomes.core.errors import UsageError
from outcomes.models.categories import label
from outcomes.models.reference_grid import (
    At,
    CellMeans,
    ReferenceGrid,
    Weighting,
    check_levels_known,
    without_rounding,
)
from outcomes.models.used_rows import Averaging


def means_between(
    grid: ReferenceGrid,
    factors: Sequence[str],
    visit: str,
    between: Sequence[object] | None,
    *,
    weights: Weighting = "equal",
    average_over: Averaging = "rows",
    at: At | None = None,
) -> CellMeans:
    """Cell means of ``factors``, or those at one visit minus those at another.

    Parameters
    ----------
    factors : sequence of str
        The visit may be among them; of changes it comes first in the answer.
    visit : str
        Name of the visit column.
    between : pair, optional
        The earlier and the later visit.
    weights, average_over, at
        Of :meth:`ReferenceGrid.cell_means`.

    Raises
    ------
    UsageError
        Where ``between`` is no pair of different visits, or the model has no visit.
    """
    if between is None:
        return grid.cell_means(factors, weights=weights, average_over=average_over, at=at)
    first, second = check_between(grid, visit, between, at)
    others = [name for name in factors if name != visit]
    found = grid.cell_means(
        (visit, *others),
        weights=weights,
        average_over=average_over,
        at={**(at or {}), visit: [first, second]},
    )
    half = len(found.cells) // 2
    turned = found.cells[0][0] != first
    low, high = found.rows[:half], found.rows[half:]
    name = f"{second} - {first}"
    return CellMeans(
        factors=found.factors,
        cells=[(name, *cell[1:]) for cell in found.cells[:half]],
        rows=without_rounding(low - high if turned else high - low, np.abs(low) + np.abs(high)),
        members=found.members[:half] | found.members[half:],
    )


def check_between(
    grid: ReferenceGrid, visit: str, between: Sequence[object], at: At | None
) -> tuple[str, str]:
    """The two visits of ``between``, from which to which.

    Raises
    ------
    UsageError
        Where they are no pair of different visits, or ``at`` chooses visits too.
    """
    if isinstance(between, str) or len(between) != 2:
        raise UsageError("between= takes two visits: from which to which.")
    first, second = map(label, between)
    if visit in (at or {}):
        raise UsageError(f"between= and at= both choose levels of '{visit}'.")
    if visit in grid.levels:
        check_levels_known(visit, [first, second], grid.levels[visit])
    if first == second:
        raise UsageError(f"between= names '{first}' twice.")
    return first, second
