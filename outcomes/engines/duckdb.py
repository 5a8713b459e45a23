"""The default engine: DuckDB lays the visits out and streams them in Arrow batches.

The statement keeps to the subset of SQL that other engines read alike: visits are pivoted by
``max(case when ...)``, and an unseen value is null, never NaN. Batches come in the order of the
subjects' keys, so that the sums are the same on every run; each meets its baseline columns, which
stay where they are, on the way to the kernel.
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
    from numpy.typing import NDArray

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

    z = subjects[list(layout.columns)].to_numpy(dtype=np.float64)
    group = subjects[GROUP].to_numpy(dtype=np.int64)
    in_order = np.argsort(subjects[SUBJECT].to_numpy(), kind="stable")
    cursor = (connection or duckdb.connect()).cursor()
    total, done = _nobody(layout), 0
    try:
        for name, frame in (
            ("wide_subjects", subjects[[SUBJECT]]),
            ("wide_visits", visit_rows[[SUBJECT, VISIT, response]]),
        ):
            cursor.register(name, pa.Table.from_pandas(frame, preserve_index=False))
        for batch in cursor.execute(wide_statement(layout, response)).to_arrow_reader(BATCH):
            rows = in_order[done : done + batch.num_rows]
            total += accumulate(layout, z[rows], _responses(batch), group=group[rows])
            done += batch.num_rows
    finally:
        cursor.close()
    return total


def wide_statement(layout: Layout, response: str) -> str:
    """Return the statement that gives the responses of every subject, in order of their keys."""
    value = f"v.{ident(response)}"
    pivot = ", ".join(
        f"max(case when v.{VISIT} = {literal(visit)} then {value} end) as y_{place}"
        for place, visit in enumerate(layout.visits)
    )
    y = ", ".join(f"p.y_{place}" for place in range(len(layout.visits)))
    return (
        f"select {y} from wide_subjects s left join ("
        f"select v.{SUBJECT}, {pivot} from wide_visits v group by v.{SUBJECT}"
        f") p on p.{SUBJECT} = s.{SUBJECT} order by s.{SUBJECT}"
    )


def _responses(batch: pa.RecordBatch) -> NDArray[np.float64]:
    """Return the responses of a batch; null is NaN."""
    columns = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
    return np.column_stack(columns).astype(np.float64, copy=False)


def _nobody(layout: Layout) -> Moments:
    z, y = np.zeros((0, len(layout.columns))), np.zeros((0, len(layout.visits)))
    return accumulate(layout, z, y, group=np.zeros(0, dtype=np.int64))
