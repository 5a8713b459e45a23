"""Statements in a row: each keeps its answer under a name that the next one reads.

Every statement is a plain ``select`` in the subset of SQL that DuckDB and Spark read alike: no
arrays, no ``qualify``, ``min_by`` and ``row_number`` for choices, denominators behind ``nullif``.
What the engine needs around it (temporary tables, a cursor of its own) is here and nowhere else.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pandas as pd
    from numpy.typing import NDArray

    from outcomes.records.files import Records


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A cursor into the records, with the answers that were kept."""

    cursor: duckdb.DuckDBPyConnection
    records: Records

    def keep(self, name: str, select: str) -> None:
        """Keep the answer to a statement as a table."""
        self.cursor.execute(f"create or replace temp table {name} as {select}")

    def give(self, name: str, frame: pd.DataFrame) -> None:
        """Keep a frame as a table."""
        self.cursor.register(f"{name}_frame", frame)
        self.keep(name, f"select * from {name}_frame")
        self.cursor.unregister(f"{name}_frame")

    def columns(self, select: str) -> dict[str, NDArray[Any]]:
        """Return the columns of an answer; missing numbers are NaN."""
        found = self.cursor.execute(select).fetchnumpy()
        return {name: _plain(values) for name, values in found.items()}

    def frame(self, select: str) -> pd.DataFrame:
        """Return an answer as a frame."""
        found: pd.DataFrame = self.cursor.execute(select).df()
        return found

    def coded(self, select: str) -> pd.DataFrame:
        """Return an answer as a frame whose texts are categories."""
        return coded_frame(self.cursor, select)

    def row(self, select: str) -> tuple[Any, ...]:
        """Return the one row of an answer; missing sums are 0."""
        found = self.cursor.execute(select).fetchone()
        return tuple(value or 0 for value in found or ())


def coded_frame(cursor: duckdb.DuckDBPyConnection, select: str) -> pd.DataFrame:
    """Return an answer with a code a row for every text, so that each is made and read once."""
    import pyarrow as pa

    table = cursor.execute(select).to_arrow_table()
    texts = [column.name for column in table.schema if pa.types.is_string(column.type)]
    frame: pd.DataFrame = table.to_pandas(categories=texts)
    return frame


def _plain(values: Any) -> NDArray[Any]:
    if not isinstance(values, np.ma.MaskedArray):
        return np.asarray(values)
    if values.dtype.kind == "O":
        return np.asarray(values.filled(None))
    return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))


@contextmanager
def steps_in(records: Records) -> Iterator[Steps]:
    """Open the records; what was kept goes when it is closed."""
    cursor = records.connection.cursor()
    try:
        yield Steps(cursor=cursor, records=records)
    finally:
        cursor.close()
