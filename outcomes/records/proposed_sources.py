"""What a proposed mapping says of each source: which columns become ids, and what is left out, why.

An id is called a pseudonym only where its name does not say that it is the clinic's own number;
that is asked. A column that is named or filled like something that points at a person is dropped,
with the reason beside it. A number that ties files together and that nothing is made of is asked
about, because it may be the id that is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from outcomes.records.guesses import OTHER_DATE, RECORD_NUMBER, Guess, TableGuess
from outcomes.records.identifier_values import check_values
from outcomes.records.mapping_text import gap, quoted
from outcomes.records.names import normalised
from outcomes.records.not_taken import not_taken_lines
from outcomes.records.patterns import named_kind
from outcomes.records.schema import IDENTIFIERS
from outcomes.records.session_numbers import only_counts
from outcomes.records.sources import Loaded
from outcomes.records.sql import ident

HOW_TO: Final = "docs/how-to/map-your-records.md, Replace the clinic's own numbers"


def source_lines(
    connection: Any,
    source: Loaded,
    tables: Sequence[TableGuess],
    *,
    start: str,
    others: Sequence[Loaded],
    own: Mapping[str, str],
) -> list[str]:
    """Write what becomes of the columns of one source.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    source : Loaded
    tables : sequence of TableGuess
        What is made of the source.
    start : str
        Its column with the starts of episodes; empty for none.
    others : sequence of Loaded
        The other sources, to which a column may be a key.
    own : mapping of str to str
        From :func:`own_numbers`.
    """
    keys = _keys(tables)
    used = _used_columns(tables) | ({start} if start else set())
    free = [column for column in source.columns if column not in used]
    drop = {column: why for column in free if (why := _points(connection, source, column))}
    if any("day" in table.gaps for table in tables):
        drop = {column: _perhaps_day(column, why) for column, why in drop.items()}
    rest = not_taken_lines(source, used | {*keys, *drop})
    asked = [
        gap(question)
        for column in free
        if (question := _key_question(connection, source, column, others))
    ]
    if not (keys or drop):
        return [*rest, *asked]
    head = ["", f"[sources.{quoted(source.origin.name)}]"]
    return [*head, *_key_lines(connection, source, keys, own), *asked, *_drop_lines(drop), *rest]


def dropped_number(source: Loaded, tables: Sequence[TableGuess]) -> str:
    """The one column named like a record number of which nothing is made; empty for none."""
    free = set(source.columns) - _used_columns(tables)
    kinds = {column: kind for column in free if (kind := named_kind(column))}
    found = [column for column, kind in kinds.items() if kind.group == "record_number"]
    return found[0] if len(found) == 1 else ""


def own_numbers(
    connection: Any, parts: Iterable[tuple[Loaded, Sequence[TableGuess]]]
) -> dict[str, str]:
    """Return the ids that are made of columns named like the clinic's own numbers, with one each.

    Where one file calls an id a number, it is one in the other files too. Sessions are numbered
    file by file, so that a number which only counts the rows is none.
    """
    return {
        key: column
        for source, tables in parts
        for column, key in _keys(tables).items()
        if RECORD_NUMBER.search(normalised(column)) and not only_counts(connection, source, column)
    }


def _key_lines(
    connection: Any, source: Loaded, keys: Mapping[str, str], own: Mapping[str, str]
) -> list[str]:
    asked = {
        column: own[key]
        for column, key in keys.items()
        if key in own and not only_counts(connection, source, column)
    }
    pseudonyms = [column for column in keys if column not in asked]
    lines = [
        "# These become ids. Take a column out if its numbers mean something elsewhere:",
        f"pseudonymous = {quoted(pseudonyms)}",
    ] * bool(pseudonyms)
    if asked:
        named = " and ".join(
            repr(column)
            if RECORD_NUMBER.search(normalised(column))
            else f"{column!r} (as {number!r})"
            for column, number in asked.items()
        )
        verb = "is" if len(asked) == 1 else "are"
        lines += [
            gap(f"{named} {verb} named like the clinic's own number:"),
            "#      replace the numbers if they mean something outside this export",
            f"#      ({HOW_TO}).",
            f"#      Then write pseudonymous = {quoted([*pseudonyms, *asked])}",
        ]
    return lines


def _drop_lines(drop: dict[str, str]) -> list[str]:
    if not drop:
        return []
    reasons = [f"#   {column}: {why}" for column, why in drop.items()]
    return ["# Left out, each for its reason:", *reasons, f"drop = {quoted(list(drop))}"]


def _points(connection: Any, source: Loaded, column: str) -> str:
    """Why a column looks as if it pointed at a person; empty where it does not."""
    kind = named_kind(column)
    if kind:
        return f"named like {kind.what}"
    found = check_values(connection, source, {column: column}, frozenset())
    return found[0].message.replace("hold ", "holds ", 1) if found else ""


def _perhaps_day(column: str, why: str) -> str:
    """Add to a reason what to do where a date is the day that is missing."""
    if not re.search(r"\bdates?$", why) or OTHER_DATE.search(normalised(column)):
        return why
    return f"{why}; if it is the day, map day = {{ date = {quoted(column)} }} instead"


def _key_question(connection: Any, source: Loaded, column: str, others: Sequence[Loaded]) -> str:
    """Ask about a column that tells rows apart here and repeats in another file."""
    for other in others:
        twin = next((one for one in other.columns if normalised(one) == normalised(column)), "")
        if twin and _is_key(connection, (source, column), (other, twin)):
            return (
                f"{column!r} is different in every row here and repeats in {other.origin.name}: if"
                " it is a\n#      pseudonym of the case or the person, map it and list it under"
                " pseudonymous"
            )
    return ""


def _is_key(connection: Any, one: tuple[Loaded, str], many: tuple[Loaded, str]) -> bool:
    """Whether a column is unique in one file and repeats, with the same values, in another."""
    values = [
        f"(SELECT CAST({ident(column)} AS VARCHAR) AS v FROM {source.relation} "
        f"WHERE {ident(column)} IS NOT NULL)"
        for source, column in (one, many)
    ]
    (found,) = connection.execute(
        f"SELECT (SELECT count(*) > 1 AND count(*) = count(DISTINCT v) FROM {values[0]}) "
        f"AND (SELECT count(*) > count(DISTINCT v) FROM {values[1]}) "
        f"AND (SELECT count(*) > 0 FROM {values[0]} AS a SEMI JOIN {values[1]} AS b ON a.v = b.v)"
    ).fetchone()
    return bool(found)


def _keys(tables: Iterable[TableGuess]) -> dict[str, str]:
    """The columns that become ids, each with the id."""
    return {
        column: guess.column
        for table in tables
        for guess in table.columns
        if guess.column in IDENTIFIERS
        for column in _from(guess)
    }


def _from(guess: Guess) -> list[str]:
    """The columns that a guess is made from as they are."""
    said = guess.says.get("from", [])
    return [said] if isinstance(said, str) else list(said)


def _used_columns(tables: Iterable[TableGuess]) -> set[str]:
    used: set[str] = set()
    for table in tables:
        used |= {column for one in table.columns for column in _from(one)}
        used |= {str(one.says["date"]) for one in table.columns if "date" in one.says}
        used |= {column for one in table.wide for column in one.columns}
    return used
