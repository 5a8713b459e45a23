"""Reading the catalog's files: sources, reviews, and errors that suggest what was meant.

Files are read on first use and kept. A fact without a review of its own has that of its file.
"""

from __future__ import annotations

import csv
import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final, Literal

from outcomes.core.errors import UsageError

Confidence = Literal["verified", "memory"]
CONFIDENCES: Final = ("verified", "memory")
MEMORY: Final = "memory"
"""Source key of what is common knowledge of the field and was not looked up."""


@dataclass(frozen=True, kw_only=True)
class Review:
    """Who signed a fact, when, and when it is due again; empty where nobody has."""

    reviewer: str = ""
    reviewed: str = ""
    next_review: str = ""

    @property
    def done(self) -> bool:
        """Whether a clinician has signed."""
        return bool(self.reviewer and self.reviewed)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a fact comes from, and how much of that was read."""

    key: str
    citation: str
    seen: str
    doi: str = ""
    pmid: str = ""


def data_path(name: str) -> Traversable:
    """Return a place in the catalog's data folder; ``name`` uses forward slashes."""
    place: Traversable = files("outcomes.catalog") / "data"
    for part in name.split("/"):
        place = place / part
    return place


@cache
def read_toml(name: str) -> Mapping[str, Any]:
    """Return a data file as parsed; the caller must not change it."""
    return tomllib.loads(data_path(name).read_text(encoding="utf-8"))


@cache
def read_csv(name: str) -> tuple[Mapping[str, str], ...]:
    """Return the rows of a data file; the caller must not change them."""
    text = data_path(name).read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def review_of(fact: Mapping[str, Any], file_review: Mapping[str, Any]) -> Review:
    """Return the fact's own review, or its file's."""
    return Review(
        reviewer=fact.get("reviewer", file_review.get("reviewer", "")),
        reviewed=fact.get("reviewed", file_review.get("reviewed", "")),
        next_review=fact.get("next_review", file_review.get("next_review", "")),
    )


@cache
def sources() -> Mapping[str, Source]:
    """Return every source by key."""
    return {
        key: Source(
            key=key,
            citation=row["citation"],
            seen=row.get("seen", MEMORY),
            doi=row.get("doi", ""),
            pmid=row.get("pmid", ""),
        )
        for key, row in read_toml("sources.toml").items()
    }


def source(key: str) -> Source:
    """Return one source.

    Raises
    ------
    UsageError
        If the catalog has no such key.
    """
    found = sources().get(key)
    if found is None:
        raise unknown("source", key, sources())
    return found


def unknown(kind: str, given: str, known: Iterable[str]) -> UsageError:
    """Build the error for an id that the catalog does not have, with the nearest ones it has."""
    names = sorted(known)
    near = difflib.get_close_matches(given.lower(), names, n=3, cutoff=0.5)
    hint = f"Did you mean {', '.join(near)}?" if near else f"There are {len(names)} to choose from."
    return UsageError(f"The catalog has no {kind} {given!r}. {hint}")
