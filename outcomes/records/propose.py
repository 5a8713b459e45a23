"""A first ``mapping.toml`` for a folder of exports: guesses with their reasons, gaps marked.

The proposal is a draft for a person to read. What could not be guessed stands in it as ``GAP``; a
column that looks as if it pointed at a person is dropped; an id is called a pseudonym only where
its name does not say that it is the clinic's own number. Only names of columns and codes that the
catalog knows are written, never what else stands in a cell.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from outcomes.records.code_guesses import look_at_codes
from outcomes.records.component_guesses import guess_components, repeats
from outcomes.records.date_guesses import guess_forms
from outcomes.records.feeds import canonical_feeds, missing_columns, missing_tables
from outcomes.records.guesses import (
    Guess,
    TableGuess,
    best_table,
    guess_columns,
    guess_date,
    guess_table,
    only_date,
)
from outcomes.records.look_again import not_mapped, told_ids
from outcomes.records.mapping import Mapping
from outcomes.records.mapping_text import column_text, date_lines, gap, quoted, table_lines
from outcomes.records.names import normalised
from outcomes.records.not_taken import not_taken_lines, unread_lines
from outcomes.records.patterns import named_kind
from outcomes.records.proposed_sources import dropped_number, own_numbers, source_lines
from outcomes.records.schema import TABLES
from outcomes.records.session_numbers import case_of, count_anew, find_first_day
from outcomes.records.sources import Loaded, Loader, ReadOptions, find_origins
from outcomes.records.wide_guesses import WideGuess, guess_instruments, guess_wide


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """The text of a ``mapping.toml`` and how many gaps are marked in it."""

    text: str
    n_gaps: int
    n_files: int


def propose_mapping(path: str | Path) -> Proposal:
    """Look at exports and propose how they relate to the canonical tables.

    Raises
    ------
    UsageError
        Where nothing is at ``path``.
    """
    with _looked_at(Path(path), None) as (connection, loaded):
        draft = _Draft(connection, loaded)
        if _is_canonical(loaded) and not draft.adds_to_names:
            return _canonical(loaded)
        return draft.proposal()


def propose_more(path: str | Path, plan: Mapping) -> list[str]:
    """Look at exports again, knowing the ids of a mapping, for what else it could take.

    Returns
    -------
    list of str
        Source, table and columns in the words of a mapping; empty where it takes all that is
        guessed.
    """
    with _looked_at(Path(path), plan) as (connection, loaded):
        draft = _Draft(connection, loaded, plan)
        found = [
            (source.origin, table, not_mapped(plan, source, table))
            for source, tables in draft.parts
            for table in tables
            if not table.gaps
        ]
    return [
        f"{origin.name}, table {table.table.name}: {', '.join(map(column_text, guesses))}"
        for origin, table, guesses in found
        if guesses
    ]


@contextmanager
def _looked_at(path: Path, plan: Mapping | None) -> Iterator[tuple[Any, list[Loaded]]]:
    """Load the sources at a path for as long as they are looked at."""
    import duckdb

    folder = Path(tempfile.mkdtemp(prefix="outcomes-"))
    connection = duckdb.connect(":memory:")
    try:
        origins, _ = find_origins(path)
        loader = Loader(connection, folder)
        ways = [(one, plan.options(one.name) if plan else ReadOptions()) for one in origins]
        yield connection, [one for origin, way in ways for one in loader.load(origin, way)]
    finally:
        connection.close()
        shutil.rmtree(folder, ignore_errors=True)


def _is_canonical(loaded: Sequence[Loaded]) -> bool:
    feeds, problems = canonical_feeds(loaded)
    missing = [*missing_columns(feeds), *missing_tables(feed.table.name for feed in feeds)]
    named = [
        column
        for feed in feeds
        for column in feed.loaded.columns
        if normalised(column) not in feed.table and named_kind(column)
    ]
    return not (missing or named or any(problem.severity == "fatal" for problem in problems))


def _canonical(loaded: Sequence[Loaded]) -> Proposal:
    read = [source for source in loaded if normalised(source.origin.stem) in TABLES]
    lines = [
        "# These files have the name of a canonical table and the columns that it needs, so there",
        "# is nothing to map: files are matched to tables, and columns to columns, by name.",
        *(f"#   {source.origin.name}" for source in read),
    ]
    lines += unread_lines(source for source in loaded if source not in read)
    for source in read:
        table = TABLES[normalised(source.origin.stem)]
        lines += not_taken_lines(source, {c for c in source.columns if normalised(c) in table})
    lines += ["", "schema = 1", "tables = []"]
    return Proposal(text="\n".join(lines) + "\n", n_gaps=0, n_files=len(loaded))


class _Draft:
    """Gathers guesses over all sources; the start of an episode may be in another file."""

    def __init__(
        self, connection: Any, loaded: Sequence[Loaded], plan: Mapping | None = None
    ) -> None:
        self._connection = connection
        self._plan = plan
        self._loaded = [source for source in loaded if source.columns]
        self._start = self._find_start()
        self._anew = count_anew(connection, self._loaded)
        self.parts = [(source, self._tables(source)) for source in self._loaded]

    @property
    def adds_to_names(self) -> bool:
        """Whether cells need more than that files and columns bear canonical names."""
        guesses = [guess for _, tables in self.parts for table in tables for guess in table.columns]
        changed = any(guess.gaps or {"recode", "missing"} & set(guess.says) for guess in guesses)
        return changed or len([one for _, tables in self.parts for one in tables]) > len(self.parts)

    def proposal(self) -> Proposal:
        """Write the mapping."""
        parts = self.parts
        fed = {table.table.name for _, tables in parts for table in tables}
        lines = [
            "# A first draft: read every line. Each guess has its reason, and what could not be",
            "# guessed is marked GAP. How a mapping works: docs/how-to/map-your-records.md",
            "schema = 1",
        ]
        lines += self._missing_tables(fed)
        own = own_numbers(self._connection, parts)
        for source, tables in parts:
            here = self._start[1] if self._start and self._start[0] is source else ""
            others = [one for one in self._loaded if one is not source]
            lines += source_lines(
                self._connection, source, tables, start=here, others=others, own=own
            )
        if self._start is not None:
            start, day = self._start
            patient = guess_column_of("patient_id", start)
            lines += date_lines(start.origin.name, case_of(start), patient, day)
            if guess_date("start", list(start.columns)) != day:
                lines.append(_assumed_start(start))
            lines += self._form_lines(parts)
        for source, tables in parts:
            for table in tables:
                dropped = dropped_number(source, tables)
                lines += table_lines(source.origin.name, table, dropped)
        if not fed:
            lines.insert(3, "tables = []")
        text = "\n".join(lines) + "\n"
        return Proposal(text=text, n_gaps=text.count("# GAP: "), n_files=len(parts))

    # -- what is what ---------------------------------------------------------------------------

    def _find_start(self) -> tuple[Loaded, str] | None:
        for source in sorted(self._loaded, key=lambda one: _rank(one.origin.stem)):
            start = guess_date("start", list(source.columns))
            if start and case_of(source):
                return source, start
        for source in self._loaded:
            # The one date of the cases' own file is their start, whatever it is called.
            start = only_date(list(source.columns))
            if start and case_of(source) and _rank(source.origin.stem) < 2:
                return source, start
        return find_first_day(self._loaded)

    def _tables(self, source: Loaded) -> list[TableGuess]:
        names = list(source.columns)
        wide = guess_wide(names)
        used = {column for one in wide for column in one.columns}
        rest = [name for name in names if name not in used]
        found = [self._fitting(source, rest, wide)]
        table = found[0].table
        if table.name in ("sessions", "components"):
            found = self._delivered(source, found[0], rest)
        if table.name == "episodes" and not self._has_named("patients"):
            found += self._people(source, rest)
        if table.name in ("patients", "episodes") and wide:
            reason = "scores stand in columns beside each other"
            found.append(self._table(source, "assessments", reason, rest, wide))
        if table.name in ("patients", "assessments") and not self._has_episodes(source):
            reason = "no other file holds episodes: one a person is assumed"
            found.insert(0, self._table(source, "episodes", reason, rest, []))
            found[0].distinct = table.name == "assessments"
            self._made_of_cases(source, found[1], found[0])
        return found

    def _made_of_cases(self, source: Loaded, people: TableGuess, cases: TableGuess) -> None:
        """Tell one row a case from one row a person, where a file of people holds both ids."""
        ids = {
            one.column: one for one in cases.columns if one.column in ("episode_id", "patient_id")
        }
        if len(ids) == 2 and ids["episode_id"].says != ids["patient_id"].says:
            cases.reason = "no other file holds episodes, and this one has their id"
            if people.table.name == "patients":
                people.distinct = repeats(self._connection, source, ids["patient_id"])

    def _fitting(self, source: Loaded, rest: list[str], wide: list[WideGuess]) -> TableGuess:
        """The table that a file's name speaks of, unless its columns are those of another."""
        fits = best_table(rest, dated=self._start is not None)
        table, reason = guess_table(source.origin.stem)
        if table is None:
            return self._table(source, fits, "its columns fit best", rest, wide)
        named = self._table(source, table.name, reason, rest, wide)
        both = {table.name, fits} == {"sessions", "components"}
        if not named.gaps or both or normalised(source.origin.stem) in TABLES:
            return named
        reason = f"named like {table.name}, but its columns are those of {fits}"
        other = self._table(source, fits, reason, rest, wide)
        return named if other.gaps else other

    def _delivered(self, source: Loaded, found: TableGuess, names: list[str]) -> list[TableGuess]:
        """Sessions, and what was given in them, where one file holds both."""
        both = self._both(source, found, names)
        if both is None:
            return [found]
        sessions, given = both
        key = next((one for one in sessions.columns if one.column == "session_id"), None)
        sessions.distinct = key is not None and repeats(self._connection, source, key)
        return [sessions, given]

    def _both(
        self, source: Loaded, found: TableGuess, names: list[str]
    ) -> tuple[TableGuess, TableGuess] | None:
        """What the file holds beside the table that it was taken for, unless another file does."""
        if found.table.name == "components":
            sessions = self._table(source, "sessions", "no other file holds sessions", names, [])
            return None if sessions.gaps or self._has_named("sessions") else (sessions, found)
        given = guess_components(self._connection, source, names)
        if given is None or self._has_named("components"):
            return None
        return found, self._finished(source, given)

    def _has_named(self, name: str) -> bool:
        return any(guess_table(one.origin.stem)[0] is TABLES[name] for one in self._loaded)

    def _people(self, source: Loaded, names: list[str]) -> list[TableGuess]:
        """Describe patients from the episodes' file, where it says something about them."""
        found = self._table(source, "patients", "no other file holds patients", names, [])
        found.distinct = True
        return [found] if len(found.columns) > 1 and not found.gaps else []

    def _has_episodes(self, source: Loaded) -> bool:
        others = [one for one in self._loaded if one is not source]
        named = [guess_table(one.origin.stem)[0] for one in others]
        return TABLES["episodes"] in named or source is not self._episode_source()

    def _episode_source(self) -> Loaded:
        """The source that episodes are made from where no file is named after them."""
        return min(self._loaded, key=lambda one: _rank(one.origin.stem))

    def _table(
        self, source: Loaded, name: str, reason: str, names: list[str], wide: list[WideGuess]
    ) -> TableGuess:
        table = TABLES[name]
        guess = TableGuess(table=table, reason=reason)
        dated = self._start is not None or (self._plan is not None and self._plan.dates is not None)
        told = told_ids(self._plan, source) if self._plan else None
        guess.columns = guess_columns(table, names, dated=dated, told=told)
        have = {one.column: one for one in guess.columns}
        if (
            "episode_id" in table
            and "episode_id" not in have
            and "patient_id"
            in (
                person := {
                    one.column: one for one in guess_columns(TABLES["patients"], names, dated=False)
                }
            )
        ):
            says = person["patient_id"].says
            guess.columns.insert(
                0, Guess(column="episode_id", says=says, reason="one episode a person is assumed")
            )
        if name == "assessments" and "score" not in have:
            guess.wide = wide or guess_instruments(names)
            if any("{" in str(one.says.get("pattern")) for one in guess.wide):
                guess.columns = [one for one in guess.columns if one.column == "episode_id"]
        return self._finished(source, guess)

    def _finished(self, source: Loaded, guess: TableGuess) -> TableGuess:
        """Add what the cells show, and what is not there."""
        guess.columns = [self._with_case(source, one) for one in guess.columns]
        look_at_codes(self._connection, source, guess)
        required = [column.name for column in guess.table.columns if column.required]
        guess.gaps = [column for column in required if column not in guess.filled]
        return guess

    def _with_case(self, source: Loaded, guess: Guess) -> Guess:
        """Join a session's number to the case where every case begins to count anew."""
        case = case_of(source)
        if guess.column != "session_id" or not case or not self._anew:
            return guess
        reason = f"{guess.reason}; its numbers repeat, so with the case"
        return replace(guess, says={"from": [case, guess.says["from"]]}, reason=reason)

    # -- how it is written ----------------------------------------------------------------------

    def _missing_tables(self, fed: set[str]) -> list[str]:
        return [
            gap(
                f"no file was recognised as {problem.table} {problem.message.split('(')[-1]}"
            ).replace(")", "")
            for problem in missing_tables(fed)
        ]

    def _form_lines(self, parts: Sequence[tuple[Loaded, list[TableGuess]]]) -> list[str]:
        """Say how dates are written, where their cells settle it; ask where they do not."""
        columns = [self._start] if self._start is not None else []
        for source, tables in parts:
            dates = [one.says["date"] for t in tables for one in t.columns if "date" in one.says]
            columns += [(source, date) for date in dates]
        found = guess_forms(self._connection, columns)
        if found.gaps:
            known = list(dict.fromkeys([*found.forms, "%d/%m/%Y"]))
            lines = [gap(question) for question in found.gaps]
            return [*lines, f"#      in a line such as format = {quoted(known)}"]
        if not found.forms:
            return []
        notes = [f"# Look here: {note}." for note in found.notes]
        return [*notes, f"format = {quoted(found.forms)}    # as the dates are written"]


def _assumed_start(source: Loaded) -> str:
    """Say why dates that are not named like starts stand for them."""
    if _rank(source.origin.stem) < 2:
        return "# Look here: the one date of this file. Did care begin on it?"
    return "# No file says when episodes began: the first of these is day 0."


def guess_column_of(column: str, source: Loaded) -> str:
    """The source's column for a declared one; empty for none."""
    guesses = guess_columns(TABLES["episodes"], list(source.columns), dated=False)
    found = [guess.says["from"] for guess in guesses if guess.column == column]
    return str(found[0]) if found else ""


def _rank(stem: str) -> int:
    """Where episodes most likely stand: their own file, the people's, the scores', any."""
    table, _ = guess_table(stem)
    order = ("episodes", "patients", "assessments")
    return order.index(table.name) if table and table.name in order else len(order)
