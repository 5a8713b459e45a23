"""What a proposed mapping leaves behind, as comments, so that nothing is lost without a word."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterable
from typing import Final

from outcomes.records.patterns import is_value_like
from outcomes.records.sources import Loaded
from outcomes.records.wide_guesses import looks_like

WIDTH = 96
LISTED: Final = re.compile(r"^# Not taken from .*: nothing is made yet of (\d+) columns?$", re.M)


def not_taken_lines(source: Loaded, taken: Collection[str]) -> list[str]:
    """List the columns of which nothing is made, each that looks like a score with why not.

    A name that may itself be the value of a cell, as in a file without a header, is given by its
    position.
    """
    rest = [
        (position, column)
        for position, column in enumerate(source.columns, start=1)
        if column not in taken
    ]
    if not rest:
        return []
    plain: list[str] = []
    explained: list[str] = []
    for position, column in rest:
        if is_value_like(column):
            plain.append(f"column {position}")
        elif why := looks_like(column):
            explained.append(f"#   {column}: {why}")
        else:
            plain.append(column)
    return [
        "",
        f"# Not taken from {source.origin.name}: nothing is made yet of {_columns(len(rest))}",
        *_wrapped(plain),
        *explained,
    ]


def count_not_taken(mapping: str) -> int:
    """Count the columns that the comments of a proposed mapping list as not taken."""
    return sum(map(int, LISTED.findall(mapping)))


def _columns(count: int) -> str:
    return f"{count} column{'s' * (count != 1)}"


def unread_lines(sources: Iterable[Loaded]) -> list[str]:
    """List files that are not read at all."""
    names = [source.origin.name for source in sources]
    lead = "# Not taken, because these files do not bear the name of a canonical table:"
    return ["", lead, *_wrapped(names)] if names else []


def _wrapped(names: list[str]) -> list[str]:
    return textwrap.wrap(
        ", ".join(names),
        WIDTH,
        initial_indent="#   ",
        subsequent_indent="#   ",
        break_long_words=False,
        break_on_hyphens=False,
    )
