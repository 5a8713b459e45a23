"""The identifier guard: columns that may point at a person stop the intake."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from outcomes.core.problems import Problem
from outcomes.records.feeds import Feed
from outcomes.records.names import normalised
from outcomes.records.sources import Loaded

_DIRECT = re.compile(r"(^|_)(name|mrn|ssn|phone|email|address|dob)($|_)")


def check_identifiers(
    connection: Any, loaded: Sequence[Loaded], feeds: Sequence[Feed], plan: Any
) -> list[Problem]:
    """Report columns whose names say that they hold direct identifiers."""
    return [
        Problem(
            severity="fatal",
            table=source.origin.stem,
            column=column,
            rule="identifier",
            message="is named like something that identifies a person",
            remedy="Leave it out of the export, or drop it in a mapping.",
            source=source.origin.name,
        )
        for source in loaded
        for column in source.columns
        if _DIRECT.search(normalised(column))
    ]
