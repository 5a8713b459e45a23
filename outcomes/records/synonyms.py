"""Other words in use for tables, columns, codes and instruments, from ``data/synonyms.toml``.

They serve the first mapping that is proposed; nothing here is read when records are read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from outcomes.catalog.instruments import instrument_aliases, instrument_ids
from outcomes.catalog.interventions import intervention_types
from outcomes.records.names import normalised

BESIDE: Final = ("score", "t_score", "total_score", "total", "sum")
"""Words beside an instrument's name that say that the column is its score."""
SUMS: Final = ("total_score", "total", "sum")
"""Those that may mean answers added up, which not every instrument has as its score."""


@dataclass(frozen=True, kw_only=True)
class Meant:
    """The instrument that a word most likely means.

    ``ask`` is what a person has to answer before it is believed; empty where there is no doubt.
    ``known`` says whether a mapping understands the word without being told.
    """

    instrument: str
    ask: str = ""
    known: bool = False


@cache
def synonyms() -> Mapping[str, Any]:
    """Return other names in use; the caller must not change them."""
    place = files("outcomes.records") / "data" / "synonyms.toml"
    return tomllib.loads(place.read_text(encoding="utf-8"))


def instrument_name(name: str) -> str:
    """Catalog id for a name as a column bears it."""
    plain = normalised(name)
    return instrument_aliases().get(plain, plain)


def is_instrument(name: str) -> bool:
    """Whether the catalog knows a name."""
    return instrument_name(name) in instrument_ids()


def instrument_meant(name: str) -> Meant | None:
    """Return the instrument that a name most likely means; None for no likely one."""
    if is_instrument(name):
        return Meant(instrument=instrument_name(name), known=True)
    plain = normalised(name)
    for instrument, word in synonyms()["words"].items():
        if plain in word["names"]:
            return Meant(instrument=instrument, ask=word["ask"])
    for word in BESIDE:
        short = plain.removesuffix(f"_{word}")
        if short != plain and is_instrument(short):
            ask = "is it the score, not the sum of the answers?" if word in SUMS else ""
            return Meant(instrument=instrument_name(short), ask=ask)
    return None


def intervention_meant(name: str) -> str:
    """Return the intervention that a name most likely means; empty for no likely one."""
    plain = normalised(name)
    others = synonyms()["codes"]["intervention"].items()
    meant = {word: code for code, words in others for word in words}
    return meant.get(plain) or {normalised(one): one for one in intervention_types()}.get(plain, "")
