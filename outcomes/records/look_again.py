"""What a mapping that a person has mended says already, when the exports are looked at again."""

from __future__ import annotations

from outcomes.records.guesses import Guess, TableGuess
from outcomes.records.mapping import Mapping, TableMap, is_source
from outcomes.records.names import normalised
from outcomes.records.schema import IDENTIFIERS, TABLES
from outcomes.records.sources import Loaded


def told_ids(plan: Mapping, source: Loaded) -> dict[str, str]:
    """Return the column of a source for each id that the mapping makes of one column."""
    by_name = {normalised(column): column for column in source.columns}
    return {
        name: by_name[normalised(value.source[0])]
        for table in _tables(plan, source)
        for name, value in table.columns.items()
        if name in IDENTIFIERS and len(value.source) == 1 and normalised(value.source[0]) in by_name
    }


def not_mapped(plan: Mapping, source: Loaded, guess: TableGuess) -> list[Guess]:
    """Return the guesses of a table that the mapping neither has nor drops.

    Nothing but ids would be no gain. Files that the mapping does not name are matched by name.
    """
    if not plan.names(source.origin) and normalised(source.origin.stem) in TABLES:
        return []
    same = [table for table in _tables(plan, source) if table.table == guess.table.name]
    have = {name for table in same for name in _filled(table, source)}
    left = plan.dropped(source.origin)
    more = [
        one
        for one in guess.columns
        if one.column not in have and not any(normalised(name) in left for name in _made_from(one))
    ]
    return more if any(one.column not in IDENTIFIERS for one in more) else []


def _tables(plan: Mapping, source: Loaded) -> list[TableMap]:
    return [table for table in plan.tables if is_source(source.origin, table.source)]


def _filled(table: TableMap, source: Loaded) -> set[str]:
    """Canonical columns that a table of the mapping fills."""
    filled = {*table.columns, *(name for wide in table.wide for name in wide.set)}
    if table.wide:
        filled |= {"day", "instrument", "score", "intervention", "minutes"}
    return filled | ({normalised(name) for name in source.columns} if table.take_named else set())


def _made_from(guess: Guess) -> list[str]:
    said = guess.says.get("from", guess.says.get("date", []))
    return [said] if isinstance(said, str) else list(said)
