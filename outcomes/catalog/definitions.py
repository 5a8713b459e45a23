"""Definitions of outcomes: episodes, recurrence, recovery, response, windows, red flags, quality.

Published definitions stand side by side; where the toolkit proposes one, its source is
``project_rule``, the choice is recorded under ``docs/decisions`` and a study may choose another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from outcomes.catalog.facts import read_toml, unknown

FILE: Final = "outcome_definitions.toml"
PROJECT_RULE: Final = "project_rule"
DAYS_PER_WEEK: Final = 7


@dataclass(frozen=True, kw_only=True)
class VisitWindow:
    """A planned visit: its target and the days that count for it, from time zero, inclusive."""

    label: str
    day: int
    from_day: int
    to_day: int
    source: str
    confidence: str


def definition_topics() -> tuple[str, ...]:
    """Return what there are definitions of."""
    return tuple(name for name in read_toml(FILE) if name != "review")


@cache
def definitions_of(topic: str) -> tuple[Mapping[str, Any], ...]:
    """Return every definition of a topic, such as ``recurrence`` or ``red_flag``.

    Raises
    ------
    UsageError
        If there is no such topic.
    """
    document = read_toml(FILE)
    if topic not in definition_topics():
        raise unknown("topic of definitions", topic, definition_topics())
    found = document[topic]
    return tuple(found) if isinstance(found, list) else (found,)


@cache
def visit_windows() -> tuple[VisitWindow, ...]:
    """Return the toolkit's default visits; windows in whole days, without gaps or overlaps."""
    rows = definitions_of("window")
    return tuple(
        VisitWindow(
            label=row["label"],
            day=round(row["target"] * DAYS_PER_WEEK),
            from_day=int(row["low"] * DAYS_PER_WEEK) + (row["low"] % 1 > 0),
            to_day=int(row["high"] * DAYS_PER_WEEK),
            source=row["source"],
            confidence=row["confidence"],
        )
        for row in rows
    )
