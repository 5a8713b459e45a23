"""The default engine: DuckDB lays the rows out and streams them in Arrow batches.

The statement keeps to the subset of SQL that other engines read alike: visits are pivoted by
``max(case when ...)``, and an unseen value is null, never NaN. Batches come in the order of the
subjects' keys, so that the sums are the same on every run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.engines.frame import GROUP, SUBJECT, VISIT
from outcomes.records.sql import ident, literal
from outcomes.stats.moments import Layout, Moments, accumulate

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

BATCH: Final = 65_536


def sum_moments(
    layout: Layout,
    subjects: pd.DataFrame,
    visit_rows: pd.DataFrame,
    *,
    response: str,
    connection: duckdb.DuckDBPyConnection | None = None,
) -> Moments:
    """Add up the moments of a study's wide rows, as :func:`outcomes.engines.frame.sum_moments`.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection, optional
        Database to work in, through a cursor of its own; default a new one in memory.
    """
    import duckdb
    import pyarrow as pa

    cursor = (connection or duckdb.connect()).cursor()
    names = {column: f"z_{place}" for place, column in enumerate(layout.columns)}
    wide = subjects[[SUBJECT, GROUP, *names]].rename(columns=names)
    total: Moments | None = None
    try:
        cursor.register("wide_subjects", pa.Table.from_pandas(wide, preserve_index=False))
        visits = visit_rows[[SUBJECT, VISIT, response]]
        cursor.register("wide_visits", pa.Table.from_pandas(visits, preserve_index=False))
        for batch in cursor.execute(wide_statement(layout, response)).to_arrow_reader(BATCH):
            part = _batch_moments(layout, batch)
            total = part if total is None else total + part
    finally:
        cursor.close()
    return _nobody(layout) if total is None else total


def wide_statement(layout: Layout, response: str) -> str:
    """Return the statement that gives one row a subject: group, baseline columns, responses."""
    value = f"v.{ident(response)}"
    pivot = ", ".join(
        f"max(case when v.{VISIT} = {literal(visit)} then {value} end) as y_{place}"
        for place, visit in enumerate(layout.visits)
    )
    z = ", ".join(f"s.z_{place}" for place in range(len(layout.columns)))
    y = ", ".join(f"p.y_{place}" for place in range(len(layout.visits)))
    return (
        f"select s.{GROUP}, {z}, {y} from wide_subjects s left join ("
        f"select v.{SUBJECT}, {pivot} from wide_visits v group by v.{SUBJECT}"
        f") p on p.{SUBJECT} = s.{SUBJECT} order by s.{SUBJECT}"
    )


def _batch_moments(layout: Layout, batch: pa.RecordBatch) -> Moments:
    """Hand the rows of a batch to the kernel; null is NaN there."""
    group, *columns = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
    numbers = np.column_stack(columns).astype(np.float64, copy=False)
    q = len(layout.columns)
    return accumulate(layout, numbers[:, :q], numbers[:, q:], group=group.astype(np.int64))


def _nobody(layout: Layout) -> Moments:
    z, y = np.zeros((0, len(layout.columns))), np.zeros((0, len(layout.visits)))
    return accumulate(layout, z, y, group=np.zeros(0, dtype=np.int64))
