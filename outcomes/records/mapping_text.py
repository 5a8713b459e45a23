"""The lines of a ``mapping.toml``: values in TOML, and the tables that were guessed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from outcomes.records.guesses import TableGuess


def quoted(value: Any) -> str:
    """Write one TOML value."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{json.dumps(str(k))} = {quoted(v)}" for k, v in value.items())
        return f"{{ {inside} }}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(quoted(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def table_lines(source: str, guess: TableGuess) -> list[str]:
    """Write what one table is made of; gaps stand apart."""
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
        f"# GAP: {guess.table.name}.{column} is required and no column looks like it"
        for column in guess.gaps
    ]
    if guess.columns:
        lines += ["", "[tables.columns]"]
    for one in guess.columns:
        lines += [f"# GAP: {gap}" for gap in one.gaps]
        lines.append(f"{one.column} = {_said(one.says)}    # {one.reason}")
    for wide in guess.wide:
        lines += ["", "[[tables.wide]]", f"# {wide.reason}"]
        lines += [f"# GAP: {gap}" for gap in wide.gaps]
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


def _said(says: Mapping[str, Any]) -> str:
    return quoted(says["from"]) if set(says) == {"from"} else quoted(says)
