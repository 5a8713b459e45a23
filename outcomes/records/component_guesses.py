"""What was given in sessions, where their own file says it: rows or columns of interventions.

A file of sessions may name an intervention in every row, or hold a column for each one, with
minutes or a tick. Either becomes the table of components beside the table of sessions. A cell that
says that nothing was given makes no component.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from outcomes.records.columns import FALSE_WORDS, MISSING_WORDS, TRUE_WORDS
from outcomes.records.guesses import Guess, TableGuess, guess_codes, guess_columns
from outcomes.records.names import normalised
from outcomes.records.schema import TABLES
from outcomes.records.sources import Loaded
from outcomes.records.sql import ident
from outcomes.records.synonyms import intervention_meant
from outcomes.records.wide_guesses import WideGuess

MOST_TICKS: Final = 12
_MINUTES: Final = "min|mins|minutes|minuten"
_TIMED: Final = re.compile(rf"(?P<word>.+)_(?:{_MINUTES})|(?:{_MINUTES})_(?P<other>.+)")
NOT_GIVEN: Final = (0, -9, -99, -999, 999)
"""Minutes that mean that nothing was given, or that nothing is known."""


def guess_components(connection: Any, source: Loaded, names: Sequence[str]) -> TableGuess | None:
    """Guess components from a file of sessions; None where it does not say what was given."""
    table = TABLES["components"]
    columns = guess_columns(table, names, dated=False)
    given = next((one for one in columns if one.column == "intervention"), None)
    if given is not None:
        reason = f"{given.says['from']!r} says what was given in the sessions"
        found = TableGuess(table=table, reason=reason, columns=columns)
        if _has_empty(connection, source, given):
            found.filter = [{"column": given.says["from"], "filled": True}]
        return found
    wide = [one for name in names if (one := _given(connection, source, name))]
    if not wide:
        return None
    # Other amounts of the row are those of the whole session, so only its id comes along.
    columns = [one for one in columns if one.column == "session_id"]
    reason = "columns of the sessions say what was given"
    return TableGuess(table=table, reason=reason, columns=columns, wide=wide)


def repeats(connection: Any, source: Loaded, key: Guess) -> bool:
    """Whether the file has several rows of one key, such as a session with two components."""
    said = key.says["from"]
    columns = ", ".join(map(ident, [said] if isinstance(said, str) else said))
    (found,) = connection.execute(
        f"SELECT count(*) > count(DISTINCT ({columns})) FROM {source.relation}"
    ).fetchone()
    return bool(found)


def _has_empty(connection: Any, source: Loaded, guess: Guess) -> bool:
    column = ident(guess.says["from"])
    (found,) = connection.execute(
        f"SELECT count(*) > count(nullif(trim(CAST({column} AS VARCHAR)), '')) "
        f"FROM {source.relation}"
    ).fetchone()
    return bool(found)


def _given(connection: Any, source: Loaded, name: str) -> WideGuess | None:
    """Guess what one column says of one intervention: its minutes, or that it was given."""
    plain = normalised(name)
    timed = _TIMED.fullmatch(plain)
    word = (timed["word"] or timed["other"]) if timed else plain
    code = intervention_meant(word)
    if not code:
        return None
    ticks = None if timed else _ticks(connection, source, name)
    if ticks is not None:
        says = {"value": "", "only": ticks}
        return _wide(name, code, says, f"{name!r} is ticked where {code} was given")
    nothing = _nothing(connection, source, name)
    says = {"value": "minutes", **({"missing": nothing} if nothing else {})}
    why = f"{name!r} most likely is the time spent on {code}"
    why += "; what lies outside or is 0 was not given" if nothing else ""
    ask = () if timed else (f"are the numbers in {name!r} minutes?",)
    return _wide(name, code, says, why, ask)


def _wide(
    name: str, code: str, says: dict[str, Any], reason: str, gaps: tuple[str, ...] = ()
) -> WideGuess:
    said = {"column": name, "set": {"intervention": code}, **says}
    return WideGuess(says=said, reason=reason, instruments={name: code}, gaps=gaps)


def _ticks(connection: Any, source: Loaded, name: str) -> list[str] | None:
    """Codes of a column that mean yes; None where it holds others than yes and no."""
    found = _texts(connection, source, name, "TRUE")
    known = guess_codes("yes_no", found)
    yes = [code for code in found if code.lower() in TRUE_WORDS or known.get(code) == "true"]
    no = [
        code
        for code in found
        if code.lower() in (*FALSE_WORDS, *MISSING_WORDS) or known.get(code) == "false"
    ]
    return yes if yes and len(yes) + len(no) == len(found) else None


def _nothing(connection: Any, source: Loaded, name: str) -> list[str]:
    """Ways in which a column of minutes writes that nothing was given."""
    text = f"replace(trim(CAST({ident(name)} AS VARCHAR)), ',', '.')"
    listed = ", ".join(map(str, NOT_GIVEN))
    return _texts(connection, source, name, f"TRY_CAST({text} AS DOUBLE) IN ({listed})")


def _texts(connection: Any, source: Loaded, name: str, condition: str) -> list[str]:
    rows = connection.execute(
        f"SELECT DISTINCT trim(CAST({ident(name)} AS VARCHAR)) FROM {source.relation} "
        f"WHERE {ident(name)} IS NOT NULL AND {condition} ORDER BY 1 LIMIT {MOST_TICKS + 1}"
    ).fetchall()
    return [text for (text,) in rows]
