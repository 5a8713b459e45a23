"""A local Spark that answers recorded statements, and what counts as the same answer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.spec.recorded_sql import Step

TOLERANCE = 1e-9
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    # Names are quoted as the standard has it; without this Spark takes "pain" for a text.
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    # A few hundred rows: one part each, or the time goes into the parts.
    "spark.sql.shuffle.partitions": "1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
"""Everything else, the strict arithmetic of ANSI among it, is as Spark 4 comes."""


class Spark:
    """A local Spark with the tables of a study."""

    def __init__(self, spark: Any, folder: Path) -> None:
        self._spark = spark
        self._folder = folder
        self._made = 0

    def place(self, name: str, table: pa.Table) -> None:
        """Make a table visible under a name, through Parquet."""
        self._made += 1
        path = self._folder / f"{name}_{self._made}.parquet"
        pq.write_table(table, path)
        self._spark.read.parquet(str(path)).createOrReplaceTempView(name)

    def ask(self, select: str) -> pa.Table:
        """Return the answer to a statement."""
        return self._spark.sql(select).toArrow()


@contextmanager
def local_spark(folder: Path) -> Iterator[Spark]:
    """Start a Spark of two threads; it is stopped at the end."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("portable-sql")
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    spark = builder.config("spark.sql.warehouse.dir", str(folder / "warehouse")).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        yield Spark(spark, folder)
    finally:
        spark.stop()


def replay(spark: Spark, steps: Sequence[Step]) -> Iterator[tuple[Step, str]]:
    """Ask Spark everything in order and yield each question with what is wrong, "" if nothing.

    Tables that a statement made are Spark's own from then on. Where they were wrong the recorded
    ones take their place, so that every statement is judged for itself.
    """
    waiting: dict[str, pa.Table] = {}
    for step in steps:
        table = step.answer
        if step.effect != "given":
            for name in [name for name in waiting if re.search(rf"\b{name}\b", step.select)]:
                spark.place(name, waiting.pop(name))
            table, fault = _asked(spark, step)
            yield step, fault
        if step.effect != "asked":
            waiting[step.table] = table


def _asked(spark: Spark, step: Step) -> tuple[pa.Table, str]:
    from pyspark.errors import PySparkException

    try:
        answer = spark.ask(step.select)
    except PySparkException as error:
        return step.answer, f"Spark refuses it: {str(error).splitlines()[0]}"
    fault = difference(step.answer, answer, in_order=_is_ordered(step.select))
    return (step.answer if fault else answer), fault


def _is_ordered(select: str) -> bool:
    """Whether an answer comes in an order: its last ``order by`` stands in no brackets."""
    return ")" not in re.split(r"\border\s+by\b", select)[-1] and "order by" in select


# ----------------------------------------------------------------------------------------- answers
def difference(duckdb: pa.Table, spark: pa.Table, *, in_order: bool = False) -> str:
    """Say how two answers differ; "" where they do not.

    Numbers that are whole in both are equal, others agree to a billionth; a null equals a null
    only. Columns need their names where a name was given. Rows may come in any order unless the
    statement asks for one.
    """
    names = [name for name in duckdb.column_names if name.isidentifier()]
    if names != [spark.column_names[duckdb.column_names.index(name)] for name in names]:
        return f"columns are {spark.column_names}, not {duckdb.column_names}"
    if duckdb.num_rows != spark.num_rows:
        return f"{spark.num_rows} rows, not {duckdb.num_rows}"
    ours, theirs = _rows(duckdb), _rows(spark)
    if not in_order:
        ours, theirs = sorted(ours, key=_rank), sorted(theirs, key=_rank)
    differ = [k for k, (a, b) in enumerate(zip(ours, theirs, strict=True)) if not _same(a, b)]
    if not differ:
        return ""
    first = differ[0]
    return f"{len(differ)} of {len(ours)} rows differ, first {theirs[first]}, not {ours[first]}"


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    columns = [[_plain(value) for value in column.to_pylist()] for column in table.columns]
    return list(zip(*columns, strict=True))


def _plain(value: Any) -> Any:
    """Sums of whole numbers may come as decimals; NaN is a value that equals itself."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def _rank(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Sort by what is exact first, nulls before all, then by rounded numbers."""
    return tuple(map(_exact, row)), tuple(map(_rounded, row))


def _exact(value: Any) -> tuple[str, Any]:
    return ("", 0) if value is None or isinstance(value, float) else (type(value).__name__, value)


def _rounded(value: Any) -> tuple[bool, float]:
    return (True, float(f"{value:.9g}")) if isinstance(value, float) else (False, 0.0)


def _same(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> bool:
    return len(ours) == len(theirs) and all(map(_equal, ours, theirs))


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return type(a) is type(b) and bool(a == b)
