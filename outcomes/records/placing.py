"""Where a fault is: counts and first row numbers of a condition, by source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from outcomes.core.problems import FIRST_ROWS, Problem, Severity
from outcomes.records.sources import Loaded


@dataclass
class Findings:
    """Gathers problems of the staged tables; the only place that makes them from conditions.

    Attributes
    ----------
    connection : duckdb.DuckDBPyConnection
    sources : sequence of str
        File names by the number in ``_source``.
    n_rows : mapping of (str, int) to int
        Rows by table and source.
    stacked : frozenset of int
        Sources of which a row makes several, one a value.
    """

    connection: Any
    sources: Sequence[str]
    n_rows: Mapping[tuple[str, int], int]
    problems: list[Problem] = field(default_factory=list)
    stacked: frozenset[int] = frozenset()

    def say(
        self,
        severity: Severity,
        table: str,
        rule: str,
        message: str,
        remedy: str,
        column: str = "",
    ) -> None:
        """Add a problem of a whole table or column."""
        self.problems.append(
            Problem(
                severity=severity,
                table=table,
                column=column,
                rule=rule,
                message=message,
                remedy=remedy,
            )
        )

    def place(
        self,
        severity: Severity,
        table: str,
        rule: str,
        condition: str,
        message: str,
        remedy: str,
        column: str = "",
        counts: Mapping[int, int] | None = None,
    ) -> int:
        """Add one problem a source for the rows of ``rows_<table>`` that meet a condition."""
        by_source = counts if counts is not None else self.count(table, condition)
        for source, count in sorted(by_source.items()):
            if count:
                self.problems.append(
                    Problem(
                        severity=severity,
                        table=table,
                        column=column,
                        rule=rule,
                        message=message,
                        remedy=remedy,
                        count=count,
                        n_rows=self.n_rows[table, source],
                        rows=self._first_rows(table, condition, source),
                        source=self.sources[source],
                        counted="values" if source in self.stacked else "rows",
                    )
                )
        return sum(by_source.values())

    def count(self, table: str, condition: str) -> dict[int, int]:
        """Rows that meet a condition, by source."""
        found = self.connection.execute(
            f"SELECT _source, count(*) FROM rows_{table} WHERE {condition} GROUP BY _source"
        ).fetchall()
        return dict(found)

    def _first_rows(self, table: str, condition: str, source: int) -> tuple[int, ...]:
        found = self.connection.execute(
            f"SELECT DISTINCT _row FROM rows_{table} WHERE ({condition}) AND _source = {source} "
            f"ORDER BY _row LIMIT {FIRST_ROWS}"
        ).fetchall()
        return tuple(int(row) for (row,) in found)


def in_source(connection: Any, source: Loaded, condition: str, problem: Problem) -> list[Problem]:
    """Place a problem in the rows of a source that meet a condition; empty where none does."""
    (count,) = connection.execute(
        f"SELECT count(*) FROM {source.relation} WHERE {condition}"
    ).fetchone()
    if not count:
        return []
    rows = connection.execute(
        f"SELECT _row FROM {source.relation} WHERE {condition} ORDER BY _row LIMIT {FIRST_ROWS}"
    ).fetchall()
    return [
        replace(
            problem,
            count=count,
            n_rows=source.n_rows,
            rows=tuple(int(row) for (row,) in rows),
            source=source.origin.name,
        )
    ]
