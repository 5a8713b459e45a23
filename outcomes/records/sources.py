"""The files of a records folder, opened as relations that DuckDB can scan.

A folder holds one file a table (``.csv .tsv .txt .parquet``) or one folder of Parquet parts a
table; a DuckDB database holds one table a table. Text files are read with every column as text, so
that a cell that is not what it should be becomes a problem with a row number and never a failed
read. Parquet and DuckDB tables keep their types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from outcomes.core.errors import UsageError
from outcomes.core.problems import Problem, Severity
from outcomes.core.provenance import hash_file
from outcomes.records.delimited import (
    Broken,
    Bytes,
    Layout,
    clean_copy,
    read_bytes,
    read_layout,
)
from outcomes.records.names import unique_names
from outcomes.records.sql import ident, literal

TEXT_ENDINGS: Final = (".csv", ".tsv", ".txt")
DATABASE_ENDINGS: Final = (".duckdb", ".ddb", ".db")
TRUTH: Final = "truth"
"""Folder beside synthetic records that holds what was planted; never read as records."""
SHEET_ENDINGS: Final = (
    ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".sav", ".dta", ".sas7bdat", ".rds", ".accdb",
    ".mdb", ".gz", ".zip",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What a mapping may say about one text file; empty means found out."""

    separator: str = ""
    encoding: str = ""
    decimal: str = ""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One thing to read: a file, or a table of a database (``member``)."""

    name: str
    stem: str
    path: Path
    kind: str
    member: str = ""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """One origin as a relation: its columns with their DuckDB types, and ``_row``.

    ``is_text`` says that every column is the text of a cell; ``decimal`` is the decimal mark in it.
    """

    origin: Origin
    relation: str
    columns: Mapping[str, str]
    n_rows: int
    sha256: str
    is_text: bool
    decimal: str = "."
    repeated: tuple[str, ...] = ()
    broken: Broken = field(default_factory=Broken)


def find_origins(path: Path) -> tuple[list[Origin], list[str]]:
    """List what can be read at ``path``, and the names of files that look like data but cannot.

    Raises
    ------
    UsageError
        Where nothing is there.
    """
    if not path.exists():
        raise UsageError(f"{path} does not exist. Name the folder or file that holds the records.")
    if path.is_file():
        return ([] if _is_sheet(path) else [_origin(path)]), [path.name] * _is_sheet(path)
    entries = sorted(
        entry
        for entry in path.iterdir()
        if not entry.name.startswith(".") and not entry.is_fifo()  # reading one waits for ever
    )
    origins = [_origin(entry) for entry in entries if entry.suffix.lower() in TEXT_ENDINGS]
    origins += [_origin(entry) for entry in entries if entry.suffix.lower() == ".parquet"]
    for folder in (entry for entry in entries if entry.is_dir() and entry.name != TRUTH):
        origins += [
            Origin(name=f"{folder.name}/{p.name}", stem=folder.name, path=p, kind="parquet")
            for p in sorted(folder.glob("*.parquet"))
        ]
    return origins, [entry.name for entry in entries if entry.is_file() and _is_sheet(entry)]


def nothing_readable(path: Path) -> str:
    """Say that nothing at a path can be read as records, what is there, and what could be read."""
    origins, sheets = find_origins(path)
    found = ""
    if sheets:
        found = f" {', '.join(sheets[:3])}: save {'each' if sheets[1:] else 'it'} as CSV."
    elif origins:
        found = f" {origins[0].name}: is empty, damaged or of another kind: export it again."
    return (
        f"{path} holds nothing that can be read.{found} Records are read from"
        f" {', '.join((*TEXT_ENDINGS, '.parquet'))} or a DuckDB database."
    )


def _is_sheet(path: Path) -> bool:
    return path.suffix.lower() in SHEET_ENDINGS


def _origin(path: Path) -> Origin:
    ending = path.suffix.lower()
    if path.is_dir() or ending == ".parquet":
        kind = "parquet"
    else:
        kind = "duckdb" if ending in DATABASE_ENDINGS or _is_database(path) else "text"
    return Origin(name=path.name, stem=path.stem, path=path, kind=kind)


def _is_database(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(12)[8:12] == b"DUCK"


class Loader:
    """Turns origins into relations of one connection and gathers what was wrong with them.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Where the relations are made (names ``raw_0``, ``raw_1``, ...).
    folder : Path
        Temporary folder for clean copies of text files.
    """

    def __init__(self, connection: Any, folder: Path) -> None:
        self._connection = connection
        self._folder = folder
        self._count = 0
        self.problems: list[Problem] = []

    def load(self, origin: Origin, options: ReadOptions) -> list[Loaded]:
        """Open one origin; an empty list where it could not be, with a fatal problem."""
        import duckdb

        readers = {"text": self._text, "parquet": self._parquet, "duckdb": self._database}
        try:
            return readers[origin.kind](origin, options)
        except duckdb.InterruptException:
            raise
        except (duckdb.Error, OSError, UnicodeError, LookupError):
            # The reader's own words may quote the file, so they are not passed on.
            remedy = "It may be cut off, empty, damaged or of another kind: export it again."
            if options.encoding:
                remedy += f" Or is it not in {options.encoding!r}, the encoding in the mapping?"
            what = f"cannot be read as {_KIND_WORDS[origin.kind]}"
            self._say(origin, "fatal", "unreadable", what, remedy)
            return []

    def _say(
        self, origin: Origin, severity: Severity, rule: str, message: str, remedy: str, **more: Any
    ) -> None:
        self.problems.append(
            Problem(
                severity=severity,
                table=origin.stem,
                rule=rule,
                message=message,
                remedy=remedy,
                source=origin.name,
                **more,
            )
        )

    def _name(self) -> str:
        self._count += 1
        return f"raw_{self._count - 1}"

    # -- Parquet and DuckDB -------------------------------------------------------------------

    def _parquet(self, origin: Origin, options: ReadOptions) -> list[Loaded]:
        name = self._name()
        scan = f"read_parquet({literal(str(origin.path))}, file_row_number = true)"
        described = self._connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
        columns = {row[0]: row[1] for row in described if row[0] not in _OWN_NAMES}
        listed = ", ".join(map(ident, columns))
        self._connection.execute(
            f"CREATE VIEW {name} AS SELECT {listed}, file_row_number + 1 AS _row FROM {scan}"
        )
        return [self._loaded(origin, name, columns, hash_file(origin.path))]

    def _database(self, origin: Origin, options: ReadOptions) -> list[Loaded]:
        attached = self._name() + "_db"
        self._connection.execute(
            f"ATTACH {literal(str(origin.path))} AS {ident(attached)} (READ_ONLY)"
        )
        tables = self._connection.execute(
            "SELECT table_name FROM information_schema.tables "
            f"WHERE table_catalog = {literal(attached)} AND table_schema = 'main' ORDER BY 1"
        ).fetchall()
        digest = hash_file(origin.path)
        return [self._member(origin, attached, table, digest) for (table,) in tables]

    def _member(self, origin: Origin, attached: str, table: str, digest: str) -> Loaded:
        name = self._name()
        place = f"{ident(attached)}.main.{ident(table)}"
        described = self._connection.execute(f"DESCRIBE SELECT * FROM {place}").fetchall()
        columns = {row[0]: row[1] for row in described if row[0] not in _OWN_NAMES}
        listed = ", ".join(map(ident, columns))
        self._connection.execute(
            f"CREATE TABLE {name} AS SELECT {listed}, row_number() OVER () AS _row FROM {place}"
        )
        member = Origin(
            name=f"{origin.name}:{table}",
            stem=table,
            path=origin.path,
            kind=origin.kind,
            member=table,
        )
        return self._loaded(member, name, columns, digest)

    def _loaded(
        self, origin: Origin, name: str, columns: Mapping[str, str], digest: str, **more: Any
    ) -> Loaded:
        (n_rows,) = self._connection.execute(f"SELECT count(*) FROM {name}").fetchone()
        is_text = bool(more.pop("is_text", False))
        return Loaded(
            origin=origin,
            relation=name,
            columns=columns,
            n_rows=n_rows,
            sha256=digest,
            is_text=is_text,
            **more,
        )

    # -- text ---------------------------------------------------------------------------------

    def _text(self, origin: Origin, options: ReadOptions) -> list[Loaded]:
        found = read_bytes(origin.path, options.encoding)
        if found.binary or found.nul_bytes:
            self._damaged(origin, found)
            return []
        layout = read_layout(origin.path, found.encoding, options.separator)
        if layout is None:
            self._say(origin, "warning", "empty_file", "is an empty file", "Export it again.")
            return []
        table = self._text_table(origin, found, layout, options)
        if not table.n_rows and not table.broken.n_rows:
            message = "holds a header and no row"
            self._say(origin, "warning", "empty_file", message, "Export it again.")
        return [table]

    def _damaged(self, origin: Origin, found: Bytes) -> None:
        what = "is not a text file" if found.binary else f"holds {found.nul_bytes:,} NUL bytes"
        rule = "not_text" if found.binary else "nul_bytes"
        self._say(
            origin, "fatal", rule, what, "Such a file is damaged or of another kind: export again."
        )

    def _text_table(
        self, origin: Origin, found: Bytes, layout: Layout, options: ReadOptions
    ) -> Loaded:
        name = self._name()
        names, repeated = unique_names(list(layout.header))
        broken = Broken()
        if not (found.is_utf8 and self._read_strictly(name, origin.path, layout, names)):
            copy = self._folder / f"{name}.csv"
            broken = clean_copy(origin.path, found.encoding, layout, copy)
            self._read_copy(name, copy, names)
            copy.unlink()
        self._say_text(origin, found, broken)
        return self._loaded(
            origin,
            name,
            dict.fromkeys(names, "VARCHAR"),
            found.sha256,
            is_text=True,
            decimal=options.decimal or ("," if layout.separator in ";\t" else "."),
            repeated=tuple(repeated),
            broken=broken,
        )

    def _read_strictly(self, name: str, path: Path, layout: Layout, names: list[str]) -> bool:
        """Read with DuckDB alone; False where one row is not as it should be."""
        import duckdb

        if any("\n" in cell or "\r" in cell for cell in layout.header):
            return False
        try:
            self._connection.execute(
                f"CREATE TABLE {name} AS SELECT *, row_number() OVER () AS _row FROM "
                f"{_csv_scan(path, names, layout.separator, layout.skip + 1)}"
            )
        except duckdb.InterruptException:
            raise
        except duckdb.Error:
            return False
        return True

    def _read_copy(self, name: str, copy: Path, names: list[str]) -> None:
        listed = ", ".join(map(ident, names))
        self._connection.execute(
            f"CREATE TABLE {name} AS SELECT {listed}, CAST(_row AS BIGINT) AS _row FROM "
            f"{_csv_scan(copy, ['_row', *names], ',', 0)}"
        )

    def _say_text(self, origin: Origin, found: Bytes, broken: Broken) -> None:
        if found.stray:
            self._say(
                origin,
                "warning",
                "encoding",
                "hold letters that are not UTF-8, as the file is, and were read as Windows writes"
                " them (cp1252)",
                "Look at them, and export the file in one encoding.",
                rows=tuple(broken.stray[:5]),
                count=len(broken.stray),
                n_rows=broken.n_rows,
            )
        elif not found.is_utf8:
            self._say(
                origin,
                "note",
                "encoding",
                f"is not UTF-8 and was read as {found.encoding}",
                "Say otherwise in the mapping (sources, encoding) if letters look wrong.",
            )
        if broken.unclosed:
            self._say(
                origin,
                "fatal",
                "unclosed_quote",
                "opens a quote that is never closed, so the rows after it cannot be told apart",
                "The file is cut off or damaged: export it again.",
                rows=(broken.unclosed,),
                count=1,
                n_rows=broken.n_rows,
            )
        elif not found.ends_in_newline and broken.n_rows in broken.short:
            self._say(
                origin,
                "error",
                "truncated",
                "ends in the middle of a row",
                "The file was cut off and rows may be missing: export it again.",
                rows=(broken.n_rows,),
                count=1,
                n_rows=broken.n_rows,
            )
            broken.short.remove(broken.n_rows)
        self._say_rows(origin, broken)

    def _say_rows(self, origin: Origin, broken: Broken) -> None:
        wrong = (
            (broken.short, "short_row", "have fewer cells than the header"),
            (broken.long, "long_row", "have more cells than the header"),
            (broken.malformed, "malformed_row", "have quotes that cannot be read"),
        )
        for rows, rule, message in wrong:
            if rows:
                self._say(
                    origin,
                    "error",
                    rule,
                    message,
                    "They are set aside; look for separators or quotes within cells.",
                    rows=tuple(rows[:5]),
                    count=len(rows),
                    n_rows=broken.n_rows,
                )


_OWN_NAMES: Final = ("_row", "_source", "_bad", "file_row_number")
_KIND_WORDS: Final = {
    "text": "a text file",
    "parquet": "a Parquet file",
    "duckdb": "a DuckDB database",
}


def _csv_scan(path: Path, names: list[str], separator: str, skip: int) -> str:
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({literal(str(path))}, auto_detect = false, header = false, skip = {skip}, "
        f"delim = {literal(separator)}, quote = '\"', escape = '\"', nullstr = '', "
        f"columns = {{{columns}}}, max_line_size = 10000000)"
    )
