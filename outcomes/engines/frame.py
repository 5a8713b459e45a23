"""The reference engine: data frames, slow and obvious.

Every engine answers the same call, :func:`sum_moments`: lay the visits of each subject beside its
baseline columns and hand the rows to the one kernel, :func:`outcomes.stats.moments.accumulate`.
Engines differ in where the rows are laid out; what they return agrees to rounding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.stats.moments import Layout, Moments, accumulate

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    from numpy.typing import NDArray

SUBJECT: Final = "episode_id"
GROUP: Final = "_group"
VISIT: Final = "visit"


def sum_moments(
    layout: Layout,
    subjects: pd.DataFrame,
    visit_rows: pd.DataFrame,
    *,
    response: str,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> Moments:
    """Add up the moments of a study's wide rows.

    Parameters
    ----------
    layout : Layout
        Baseline columns, visits and covariance groups, with their fixed shifts and scales.
    subjects : DataFrame
        One row a subject: ``episode_id``, ``_group`` (place in ``layout.groups``) and one float
        column for each of ``layout.columns``; nothing missing.
    visit_rows : DataFrame
        ``episode_id``, ``visit`` and the response, NaN where unseen. At most one row a subject and
        visit; visits that the layout does not hold and unknown subjects are passed over.
    response : str
        Column of ``visit_rows``.
    connection : optional
        Not used here; engines that need a database take it.

    Returns
    -------
    Moments
    """
    y = wide_responses(subjects[SUBJECT], visit_rows, layout.visits, response)
    z = subjects[list(layout.columns)].to_numpy(dtype=np.float64)
    return accumulate(layout, z, y, group=subjects[GROUP].to_numpy(dtype=np.int64))


def wide_responses(
    subjects: pd.Series, visit_rows: pd.DataFrame, visits: tuple[str, ...], response: str
) -> NDArray[np.float64]:
    """Lay one response out, a row a subject and a column a visit; NaN where it was not seen."""
    import pandas as pd

    row = pd.Index(subjects).get_indexer(pd.Index(visit_rows[SUBJECT]))
    column = pd.Index(visits).get_indexer(pd.Index(visit_rows[VISIT]))
    here = (row >= 0) & (column >= 0)
    values = visit_rows[response].to_numpy(dtype=np.float64, na_value=np.nan)
    wide = np.full(len(subjects) * len(visits), np.nan)
    place = (row * len(visits) + column)[here]
    if place.size and np.bincount(place).max() > 1:
        raise ValueError("A subject has more than one row at a visit.")
    wide[place] = values[here]
    return wide.reshape(len(subjects), len(visits))
