"""Records in: a folder of exports becomes canonical tables in one DuckDB connection.

:func:`read_records` finds the files, looks for identifiers, matches or maps columns, writes typed
tables with integer keys, checks them against their contracts and sets faulty rows aside. It reports
everything at once: what is ``fatal`` ends in :class:`~outcomes.core.errors.RecordsError`, which
holds all problems; the rest is on :attr:`Records.problems`.

The connection works in memory up to a limit and then in a temporary folder, which is removed when
the connection is.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from outcomes.core.errors import RecordsError
from outcomes.core.problems import SEVERITIES, Problem
from outcomes.core.shown import Shown
from outcomes.records.feeds import Feed, canonical_feeds, missing_columns, missing_tables
from outcomes.records.hidden_codes import listed_codes
from outcomes.records.identifier_values import check_key_values
from outcomes.records.placing import Findings
from outcomes.records.schema import TABLES
from outcomes.records.sources import Loaded, Loader, Origin, ReadOptions, find_origins
from outcomes.records.staging import stage
from outcomes.records.validate import Said, check_types, validate_tables

if TYPE_CHECKING:
    import pandas as pd

    from outcomes.records.mapping import Mapping as RecordsMapping

MEMORY_LIMIT: Final = "2GB"
SET_ASIDE_UNREAD: Final = ("short_row", "long_row", "malformed_row", "truncated")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One source of one canonical table; its position is the number in ``_source``."""

    name: str
    table: str
    n_rows: int
    sha256: str


@dataclass(frozen=True, kw_only=True, repr=False)
class Records(Shown):
    """Canonical tables, checked, with faulty rows set aside.

    Attributes
    ----------
    connection : duckdb.DuckDBPyConnection
        Holds one relation a table with every declared column, ``_row`` and ``_source``; the rows
        set aside in ``quarantine_<table>``; and the source ids in ``key_<id>``.
    tables : tuple of str
        Canonical tables that are present.
    problems : tuple of Problem
        Everything found, the gravest first.
    sources : tuple of Source
    n_rows, n_quarantined : mapping of str to int
        Rows kept and rows set aside, by table.
    supplied : mapping of str to frozenset of str
        Columns that the records hold, by table; the others are NULL throughout.
    """

    connection: Any
    tables: tuple[str, ...]
    problems: tuple[Problem, ...]
    sources: tuple[Source, ...]
    n_rows: Mapping[str, int]
    n_quarantined: Mapping[str, int]
    supplied: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def has(self, table: str, column: str | None = None) -> bool:
        """Whether the records hold a table, or a column of it."""
        return table in self.tables and (column is None or column in self.supplied[table])

    def frame(self, sql_or_table: str) -> pd.DataFrame:
        """Return a table or the answer to a query as a DataFrame, through a cursor of its own."""
        query = f"FROM {sql_or_table}" if sql_or_table.isidentifier() else sql_or_table
        frame: pd.DataFrame = self.connection.cursor().execute(query).df()
        return frame

    def _shown(self) -> tuple[str, dict[str, str]]:
        aside = {name: f" ({n:,} set aside)" for name, n in self.n_quarantined.items() if n}
        found = Counter(problem.severity for problem in self.problems)
        return f"Records: {len(self.tables)} tables", {
            "rows": ", ".join(f"{t} {self.n_rows[t]:,}{aside.get(t, '')}" for t in self.tables),
            "problems": ", ".join(f"{found[s]} {s}" for s in SEVERITIES if found[s]) or "none",
            "look at": "outcomes.problems_table(records.problems), records.frame('episodes')",
        }


def read_records(
    path: str | Path,
    mapping: str | Path | RecordsMapping | None = None,
    *,
    connection: Any = None,
) -> Records:
    """Read, check and key a folder of CSV or Parquet files, one file, or a DuckDB database.

    Parameters
    ----------
    path : str or Path
        Where the records are.
    mapping : str, Path or Mapping, optional
        How the files relate to the canonical tables; without it, names decide.
    connection : duckdb.DuckDBPyConnection, optional
        Where to put the tables; default a new one in memory.

    Raises
    ------
    RecordsError
        Where something is fatal; ``problems`` holds everything that was found.
    SpecError
        Where the mapping is wrong.
    UsageError
        Where nothing is at ``path``.
    """
    plan = _read_plan(mapping)
    folder = Path(tempfile.mkdtemp(prefix="outcomes-"))
    try:
        con = _connect(folder) if connection is None else connection
        records = _read(con, Path(path), plan, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(con, shutil.rmtree, folder, ignore_errors=True)
    return records


def check_records(records: Records) -> list[Problem]:
    """Return everything that was found wrong with the records, the gravest first."""
    return list(records.problems)


def problems_table(problems: Iterable[Problem]) -> pd.DataFrame:
    """Return problems as a table, one row each; ``rows`` as text."""
    import pandas as pd

    names = ("severity", "table", "column", "rule", "count", "n_rows", "rows", "message", "remedy")
    rows = [
        {**problem.to_dict(), "rows": ", ".join(map(str, problem.rows))} for problem in problems
    ]
    return pd.DataFrame(rows, columns=[*names, "source"])


def _read_plan(mapping: str | Path | RecordsMapping | None) -> RecordsMapping | None:
    if mapping is None:
        return None
    from outcomes.records.mapping import Mapping as RecordsMapping
    from outcomes.records.mapping import read_mapping

    plan = mapping if isinstance(mapping, RecordsMapping) else read_mapping(mapping)
    if plan.dates is not None:
        from outcomes.records.date_guesses import check_forms

        name = Path(mapping).name if isinstance(mapping, str | Path) else "mapping"
        check_forms(plan.dates.format, name=name)
    return plan


def _connect(folder: Path) -> Any:
    import duckdb

    settings = {
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": str(folder),
        # Nothing is ever fetched from elsewhere.
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    return duckdb.connect(":memory:", config=settings)


def _read(con: Any, path: Path, plan: RecordsMapping | None, folder: Path) -> Records:
    origins, sheets = find_origins(path)
    loaded, problems = _load(con, origins, plan, folder)
    problems += [_unread_sheet(name) for name in sheets]
    feeds, found = canonical_feeds(loaded) if plan is None else _mapped(con, loaded, plan, origins)
    problems += found
    problems += _incoming(con, loaded, plan)
    problems += missing_columns(feeds)
    mapped = [table.table for table in plan.tables] if plan else []
    problems += missing_tables([*mapped, *(feed.table.name for feed in feeds)])
    stacked = frozenset(number for number, feed in enumerate(feeds) if feed.stacked)
    names = [feed.loaded.origin.name for feed in feeds]
    findings = Findings(con, names, {}, problems, stacked)
    check_types(findings, feeds)
    _stop_if_fatal(problems)
    supplied = stage(con, feeds)
    problems += check_key_values(con, feeds)
    findings.n_rows = _counts(con, supplied)
    aside = validate_tables(findings, supplied, _said(feeds, plan))
    _stop_if_fatal(problems)
    return _finished(con, feeds, supplied, problems, aside)


def _said(feeds: Iterable[Feed], plan: RecordsMapping | None) -> Said:
    """Gather what the mapping says of the columns of all feeds."""
    needed: dict[str, frozenset[str]] = {}
    dated: dict[str, frozenset[str]] = {}
    for feed in feeds:
        name = feed.table.name
        needed[name] = needed.get(name, frozenset()).union(feed.required)
        dated[name] = dated.get(name, frozenset()).union(feed.dated)
    return Said(needed=needed, dated=dated, listed=listed_codes(plan))


def _load(
    con: Any, origins: Iterable[Origin], plan: RecordsMapping | None, folder: Path
) -> tuple[list[Loaded], list[Problem]]:
    loader = Loader(con, folder)
    loaded: list[Loaded] = []
    for origin in origins:
        if _wanted(origin, plan):
            options = plan.options(origin.name) if plan else ReadOptions()
            loaded += loader.load(origin, options)
    return loaded, loader.problems


def _wanted(origin: Origin, plan: RecordsMapping | None) -> bool:
    """Files that no table could come from are not even opened."""
    from outcomes.records.names import normalised

    if origin.kind == "duckdb" or normalised(origin.stem) in TABLES:
        return True
    return plan is None or plan.names(origin)


def _unread_sheet(name: str) -> Problem:
    return Problem(
        severity="warning",
        table=Path(name).stem,
        rule="unread_format",
        message=f"is there as {name}, a kind of file that is not read",
        remedy="Save it as CSV or Parquet.",
        source=name,
    )


def _mapped(
    con: Any, loaded: list[Loaded], plan: RecordsMapping, origins: list[Origin]
) -> tuple[list[Feed], list[Problem]]:
    from outcomes.records.reshape import mapped_feeds

    return mapped_feeds(con, loaded, plan, origins)


def _incoming(con: Any, loaded: Sequence[Loaded], plan: RecordsMapping | None) -> list[Problem]:
    """Look at what comes in, column by column: identifiers, texts for nothing, starts."""
    from outcomes.records.blanks import check_blanks
    from outcomes.records.coverage import check_starts
    from outcomes.records.deidentify import check_identifiers

    starts = check_starts(con, loaded, plan)
    return [*check_identifiers(con, loaded, plan), *check_blanks(con, loaded, plan), *starts]


def _stop_if_fatal(problems: Sequence[Problem]) -> None:
    fatal = [problem for problem in problems if problem.severity == "fatal"]
    if fatal:
        more = f" (and {len(fatal) - 1} more)" if len(fatal) > 1 else ""
        raise RecordsError(f"The records cannot be used: {fatal[0]}{more}", _sorted(problems))


def _sorted(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    names = list(TABLES)

    def rank(problem: Problem) -> tuple[int, bool, int, str, str, str]:
        place = names.index(problem.table) if problem.table in names else len(names)
        severity = SEVERITIES.index(problem.severity)
        # Empty days follow from dates that could not be read, so those are named before them.
        follows = problem.rule != "unreadable_date"
        return severity, follows, place, problem.column, problem.rule, problem.source

    return tuple(sorted(problems, key=rank))


def _counts(con: Any, tables: Iterable[str]) -> dict[tuple[str, int], int]:
    return {
        (table, source): count
        for table in tables
        for source, count in con.execute(
            f"SELECT _source, count(*) FROM rows_{table} GROUP BY _source"
        ).fetchall()
    }


def _finished(
    con: Any,
    feeds: Sequence[Feed],
    supplied: Mapping[str, frozenset[str]],
    problems: Sequence[Problem],
    aside: dict[str, int],
) -> Records:
    tables = tuple(name for name in TABLES if name in supplied)
    unread = {feed.loaded.origin.name: feed.table.name for feed in feeds}
    for problem in problems:
        if problem.rule in SET_ASIDE_UNREAD and problem.source in unread:
            aside[unread[problem.source]] += problem.count
    for loaded in {feed.loaded.relation: feed.loaded for feed in feeds}.values():
        kind = "TABLE" if loaded.is_text or loaded.origin.member else "VIEW"
        con.execute(f"DROP {kind} {loaded.relation}")
    return Records(
        connection=con,
        tables=tables,
        problems=_sorted(problems),
        sources=tuple(
            Source(
                name=feed.loaded.origin.name,
                table=feed.table.name,
                n_rows=feed.loaded.n_rows,
                sha256=feed.loaded.sha256,
            )
            for feed in feeds
        ),
        n_rows={
            name: con.execute(f"SELECT count(*) FROM rows_{name}").fetchone()[0] for name in tables
        },
        n_quarantined={name: aside[name] for name in tables},
        supplied=supplied,
    )
