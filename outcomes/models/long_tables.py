"""Long tables from which a mixed model takes columns: in memory, or in Parquet files.

A table in memory is read whole. Of files, one column at a time is: what all rows have to agree on
(subjects, visits, levels, what is missing) is found from single columns, and numbers are then read
a part at a time, in which all rows of a subject, or of a cluster, stand together. Where the files
do not keep them together, a copy of their numbers is sorted once on disk, in little memory; it is
deleted with the table.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import UsageError

Integers = npt.NDArray[np.int64]

ROWS_AT_ONCE: Final = 1 << 16
_SORT_MEMORY: Final = "512MB"
_ROW: Final = "row of the files"
"""Name of the column of row numbers in a sorted copy; not to clash with a user's."""


def take_columns(data: Any, names: Sequence[str]) -> pd.DataFrame:
    """A pandas table of these columns, its rows counted from 0.

    Raises
    ------
    UsageError
        Where it is no table, or has a column not at all or twice.
    """
    if hasattr(data, "collect") and not hasattr(data, "to_pandas"):
        data = data.collect()
    present = data.column_names if hasattr(data, "column_names") else getattr(data, "columns", None)
    if present is None or not (isinstance(data, pd.DataFrame) or hasattr(data, "to_pandas")):
        raise UsageError(
            "The data must be a pandas, polars or Arrow table; a fit also takes a Parquet path."
        )
    needed = list(dict.fromkeys(names))
    _check_names(needed, list(present))
    chosen = data[needed] if isinstance(data, pd.DataFrame) else data.select(needed).to_pandas()
    return pd.DataFrame(chosen).reset_index(drop=True)


def _check_names(needed: Sequence[str], present: Sequence[Any]) -> None:
    absent = [name for name in needed if name not in present]
    if absent:
        raise UsageError(
            f"No column {', '.join(map(repr, absent))} in the data. There are: "
            f"{', '.join(map(str, present))}."
        )
    repeated = [name for name in needed if present.count(name) > 1]
    if repeated:
        raise UsageError(f"Several columns are named {', '.join(map(repr, repeated))}.")


@dataclass(frozen=True, kw_only=True, eq=False)
class ParquetTable:
    """The rows of one or more Parquet files behind each other, read by column or by part.

    Attributes
    ----------
    names : tuple of str
        Columns.
    files : tuple of Path
    sizes : tuple of int
        Rows of each.
    stamps : tuple
        Length and time of each, to notice a change between two passes.
    """

    names: tuple[str, ...]
    files: tuple[Path, ...]
    sizes: tuple[int, ...]
    stamps: tuple[tuple[int, int], ...]
    _sorted: dict[tuple[str, ...], Path] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """Rows."""
        return sum(self.sizes)

    def __getitem__(self, name: str) -> pd.Series:
        """One column of all rows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._check_unchanged()
        parts = [pq.read_table(file, columns=[name]).column(name) for file in self.files]
        column = pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)
        return pd.Series(column.to_pandas(), name=name)

    def batches(
        self, names: Sequence[str], order: str | None = None
    ) -> Iterator[tuple[Integers, pd.DataFrame]]:
        """Row numbers and these columns, some rows at a time.

        Parameters
        ----------
        order : str, optional
            Column whose equal values come together; without it rows come as in the files.
        """
        import pyarrow.parquet as pq

        self._check_unchanged()
        if order is not None:
            file, columns = self._together(names, order), [_ROW, *names]
            for batch in pq.ParquetFile(file).iter_batches(ROWS_AT_ONCE, columns=columns):
                frame = batch.to_pandas()
                yield frame.pop(_ROW).to_numpy(dtype=np.int64), frame
            return
        start = 0
        for file in self.files:
            for batch in pq.ParquetFile(file).iter_batches(ROWS_AT_ONCE, columns=list(names)):
                yield np.arange(start, start + batch.num_rows), batch.to_pandas()
                start += batch.num_rows

    def _together(self, names: Sequence[str], order: str) -> Path:
        """A copy in which rows are sorted by ``order``; made once."""
        key = (order, *names)
        if key not in self._sorted:
            folder = Path(tempfile.mkdtemp(prefix="outcomes-"))
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            self._sorted[key] = _write_sorted(self, names, order, folder)
        return self._sorted[key]

    def _check_unchanged(self) -> None:
        if tuple(map(_stamp, self.files)) != self.stamps:
            raise UsageError("The Parquet files have changed since they were first read.")


def open_parquet(path: str | Path, names: Sequence[str]) -> ParquetTable:
    """Open a Parquet file, or all those of a folder in the order of their names.

    Raises
    ------
    UsageError
        Where there is none, one cannot be read, or a column is absent or differs between files.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = Path(path)
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise UsageError(f"No Parquet file at '{path}'.")
    schemas, sizes = [], []
    for file in files:
        try:
            schemas.append(pq.read_schema(file))
            sizes.append(pq.read_metadata(file).num_rows)
        except pa.ArrowException as error:
            raise UsageError(f"'{file}' cannot be read as a Parquet file.") from error
    needed = list(dict.fromkeys(names))
    for file, schema in zip(files, schemas, strict=True):
        _check_names(needed, schema.names)
        other = [name for name in needed if schema.field(name).type != schemas[0].field(name).type]
        if other:
            raise UsageError(
                f"Column {', '.join(map(repr, other))} of '{file.name}' is of another type than "
                f"that of '{files[0].name}'."
            )
    return ParquetTable(
        names=tuple(schemas[0].names),
        files=tuple(files),
        sizes=tuple(sizes),
        stamps=tuple(_stamp(file) for file in files),
    )


def _stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError as error:
        raise UsageError(f"'{file}' can no longer be read.") from error
    return found.st_size, found.st_mtime_ns


def _write_sorted(table: ParquetTable, names: Sequence[str], order: str, folder: Path) -> Path:
    """Write the columns in order of one of them, with the number of each row."""
    import duckdb

    # The database does not tell 'age' from 'Age', and would take one for the other.
    present = [name.casefold() for name in table.names]
    if any(present.count(name.casefold()) > 1 for name in [*names, order]):
        raise UsageError(
            f"Rows of a '{order}' do not stand together in the files, and they cannot be sorted, "
            "as columns differ in capitals alone. Sort the files, or rename the columns."
        )
    starts = np.cumsum([0, *table.sizes[:-1]])
    columns = ", ".join(map(_quoted, dict.fromkeys([*names, order])))
    parts = [
        f"SELECT file_row_number + {start} AS {_quoted(_ROW)}, {columns} "
        f"FROM read_parquet({_text(file)}, file_row_number = true)"
        for file, start in zip(table.files, starts, strict=True)
    ]
    kept = ", ".join(map(_quoted, [_ROW, *names]))
    out = folder / "sorted.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{_SORT_MEMORY}'")
        connection.execute(f"SET temp_directory = {_text(folder)}")
        connection.execute(
            f"COPY (SELECT {kept} FROM ({' UNION ALL '.join(parts)}) ORDER BY {_quoted(order)}) "
            f"TO {_text(out)} (FORMAT parquet, ROW_GROUP_SIZE {ROWS_AT_ONCE})"
        )
    return out


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
