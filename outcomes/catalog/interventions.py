"""Interventions: the taxonomy, doses, codes, safety and the types that studies compare.

Ids are dotted (``exercise.strength.core``), three levels at most; single named exercises are
``form.<name>`` with a parent. Rows on dose and safety hold for children without their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from outcomes.catalog.facts import Review, read_csv, read_toml, review_of, unknown

COMBINED: Final = "combined"
USUAL_CARE: Final = "usual_care"
EVERYTHING: Final = "*"
"""In a row on safety: whatever the intervention."""


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """One row of the taxonomy."""

    id: str
    kind: str
    label: str
    definition: str
    activity: str
    source: str
    confidence: str
    review: Review
    parent: str = ""
    aliases: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    dose_fields: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExposureType:
    """A class of treatment that an analysis compares with others."""

    id: str
    label: str
    description: str
    prefixes: tuple[str, ...]
    therapy: bool
    source: str
    confidence: str


@cache
def interventions() -> Mapping[str, Intervention]:
    """Return the whole taxonomy by id, in the file's order."""
    document = read_toml("interventions/taxonomy.toml")
    review = document["review"]
    return {row["id"]: _built(row, review) for row in document["intervention"]}


def _built(row: Mapping[str, Any], review: Mapping[str, Any]) -> Intervention:
    names = ("aliases", "providers", "settings", "dose_fields")
    lists = {name: tuple(row.get(name, ())) for name in names}
    return Intervention(**{**row, **lists}, review=review_of(row, review))


def intervention_ids() -> tuple[str, ...]:
    """Return every intervention id, in the file's order."""
    return tuple(interventions())


@cache
def intervention_aliases() -> Mapping[str, str]:
    """Return other names in use, each with the id it stands for."""
    return {alias: row.id for row in interventions().values() for alias in row.aliases}


def intervention_id(name: str) -> str:
    """Return the catalog's id for an id or an alias.

    Raises
    ------
    UsageError
        If the catalog knows neither; the message names the nearest ids.
    """
    plain = name.strip().lower()
    found = intervention_aliases().get(plain, plain)
    if found not in interventions():
        raise unknown("intervention", name, [*interventions(), *intervention_aliases()])
    return found


def intervention(name: str) -> Intervention:
    """Return one intervention by id or alias."""
    return interventions()[intervention_id(name)]


def ancestors(name: str) -> tuple[str, ...]:
    """Return the parents of an intervention, nearest first."""
    parent = intervention(name).parent
    return (parent, *ancestors(parent)) if parent else ()


def top_group(name: str) -> str:
    """Return the group an intervention belongs to, such as ``exercise`` for ``form.plank``."""
    chain = ancestors(name)
    return chain[-1] if chain else intervention_id(name)


def is_active(name: str) -> bool:
    """Return whether the patient does the work (``mixed`` techniques count as passive)."""
    return intervention(name).activity == "active"


@cache
def exposure_types() -> Mapping[str, ExposureType]:
    """Return the analysis types by id, in the order in which reports show them."""
    rows = read_toml("interventions/exposure_types.toml")["type"]
    return {row["id"]: ExposureType(**{**row, "prefixes": tuple(row["prefixes"])}) for row in rows}


@cache
def intervention_types() -> Mapping[str, str]:
    """Return the analysis type of every intervention id and alias: to join with."""
    known = {name: _type_of(name) for name in interventions()}
    return known | {alias: known[name] for alias, name in intervention_aliases().items()}


def intervention_type(name: str) -> str | None:
    """Return the analysis type of an intervention; None where the code is not known."""
    return intervention_types().get(name.strip().lower())


def _type_of(name: str) -> str:
    prefixes = {prefix: row.id for row in exposure_types().values() for prefix in row.prefixes}
    fits = [prefix for prefix in prefixes if name == prefix or name.startswith(f"{prefix}.")]
    return prefixes[max(fits, key=len)]


def type_label(type_id: str) -> str:
    """Return the words for a type; ``manual_therapy+exercise`` names what is combined."""
    parts = type_id.split("+")
    known = exposure_types()
    words = [known[part].label if part in known else part.replace("_", " ") for part in parts]
    return " + ".join([words[0], *(_inside(word) for word in words[1:])])


def _inside(words: str) -> str:
    """Write a label within a phrase: lower case first, abbreviations as they are."""
    return words if words[:2].isupper() else words[0].lower() + words[1:]


@cache
def intervention_codes() -> Mapping[tuple[str, str], Mapping[str, str]]:
    """Return billing and procedure codes: (system, code) to intervention, timed, note, source.

    Labels are our own; the descriptors of CPT belong to the American Medical Association.
    """
    return {(row["system"], row["code"]): row for row in read_csv("interventions/codes.csv")}


def contraindications(name: str) -> tuple[Mapping[str, Any], ...]:
    """Return contraindications of an intervention: its own, else the nearest parent's."""
    return _inherited("interventions/safety.toml", "contraindication", name)


def harms(name: str) -> tuple[Mapping[str, Any], ...]:
    """Return recorded harms of an intervention: its own, else the nearest parent's."""
    return _inherited("interventions/safety.toml", "harm", name)


def doses(name: str) -> tuple[Mapping[str, Any], ...]:
    """Return plausible limits of dose fields: the intervention's own, else the nearest parent's."""
    return _inherited("interventions/dose.toml", "dose", name)


def _inherited(file: str, table: str, name: str) -> tuple[Mapping[str, Any], ...]:
    rows = read_toml(file)[table]
    always = tuple(row for row in rows if row["intervention"] == EVERYTHING)
    for candidate in (intervention_id(name), *ancestors(name)):
        found = tuple(row for row in rows if row["intervention"] == candidate)
        if found:
            return (*found, *always)
    return always
