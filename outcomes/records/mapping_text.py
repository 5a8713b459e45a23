"""The lines of a ``mapping.toml``: values in TOML, and the tables that were guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from outcomes.records.guesses import Guess, TableGuess
from outcomes.records.schema import IDENTIFIERS

BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
"""Keys that TOML takes without quotation marks."""


def quoted(value: Any) -> str:
    """Write one TOML value."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(str(k))} = {quoted(v)}" for k, v in value.items())
        return f"{{ {inside} }}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(quoted(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else quoted(name)


def gap(text: str) -> str:
    """Mark what a person has to fill or to answer."""
    return f"# GAP: {text}"


def table_lines(source: str, guess: TableGuess, dropped: str = "") -> list[str]:
    """Write what one table is made of; gaps stand apart.

    ``dropped`` is a column of the source that may be the id that is missing.
    """
    lines = [
        "",
        f"[[tables]]                               # {guess.reason}",
        f"source = {quoted(source)}",
        f"table = {quoted(guess.table.name)}",
        "take_named = false",
    ]
    lines += ["distinct = true                          # equal rows count once"] * guess.distinct
    if guess.filter:
        lines.append(f"filter = {quoted(guess.filter)}    # the other rows say nothing")
    lines += [
        gap(f"{guess.table.name}.{column} is required and no column looks like it")
        for column in guess.gaps
    ]
    if dropped and any(column in IDENTIFIERS for column in guess.gaps):
        lines.append(f"#      {dropped!r} was dropped: is it a pseudonym, and this id?")
    if guess.columns:
        lines += ["", "[tables.columns]"]
    for one in guess.columns:
        lines += [gap(question) for question in one.gaps]
        lines.append(f"{column_text(one)}    # {one.reason}")
    for wide in guess.wide:
        lines += ["", "[[tables.wide]]", f"# {wide.reason}"]
        lines += [gap(question) for question in wide.gaps]
        lines += [f"{key} = {quoted(value)}" for key, value in wide.says.items()]
    return lines


def date_lines(source: str, episode: str, patient: str, start: str) -> list[str]:
    """Write where the first day of each episode stands."""
    return [
        "",
        "[dates]                                  # dates become days, and are dropped",
        f"source = {quoted(source)}",
        f"episode = {quoted(episode)}",
        *([f"patient = {quoted(patient)}"] if patient else []),
        f"start = {quoted(start)}",
    ]


def column_text(guess: Guess) -> str:
    """Write one column as a mapping says it."""
    says = guess.says
    return f"{guess.column} = {quoted(says['from'] if set(says) == {'from'} else says)}"
