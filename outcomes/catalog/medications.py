"""Medications: drugs, classes, names in use, and the opioid conversion factors by version.

Names are resolved by an exact dictionary only. Edit distance never decides a drug: hydrocodone and
hydromorphone, tramadol and trazodone are a few letters apart. In a combination the opioid is booked
as opioid and the other ingredient in its own class.

MME are analytic constants that describe recorded prescriptions. They are not for choosing,
converting or changing a dose. Defined daily doses live in a folder of their own, which a
distributor may leave out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from outcomes.catalog.facts import data_path, read_csv, read_toml, unknown

DEFAULT_FACTORS: Final = "cdc-2022"
ANY_OPIOID: Final = "any_opioid"
OPIOID: Final = "opioid"
OPIOID_AGONIST: Final = "opioid_agonist"
OUTSIDE_MME: Final = "buprenorphine"
"""Never converted: counted as opioid agonist treatment, in a row of its own."""

_SALTS: Final = (
    "hcl|hydrochloride|sulfate|sulphate|bitartrate|tartrate|phosphate|citrate|sodium|potassium|"
    "acetate|succinate|maleate|besylate|mesylate|er|ir|xr|sr|cr|la|dr|ec|odt|tablets?|tabs?|"
    "capsules?|caps?|film|patch(?:es)?|oral|transdermal|solution|extended|release|mg|mcg|ml|hr|h"
)
_NOISE: Final = re.compile(rf"\b(?:{_SALTS})\b|[\d.,#%]+")
_SPLIT: Final = re.compile(r"[/+&;,\-]|\band\b|\bwith\b|\s{2,}")


@dataclass(frozen=True, kw_only=True)
class Drug:
    """One ingredient."""

    id: str
    drug_class: str
    group: str
    atc: tuple[str, ...]
    source: str
    confidence: str
    max_daily: float | None = None
    max_daily_unit: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Factor:
    """What one unit of strength is worth in oral morphine milligrams, for some routes.

    ``dose_above`` and ``dose_to`` bound the day's dose where the factor depends on it (methadone
    bands, closed on the right). ``dispensed_days`` is set where the published factor already holds
    the days that one patch is worn.
    """

    drug: str
    route: str
    form: str
    unit: str
    factor: float | None
    version: str
    source: str
    confidence: str
    dose_above: float | None = None
    dose_to: float | None = None
    dispensed_days: float | None = None
    note: str = ""

    @property
    def worn(self) -> float | None:
        """The factor per unit in use at one time: a dispensing factor without its days."""
        if self.factor is None or self.dispensed_days is None:
            return self.factor
        return self.factor / self.dispensed_days


@cache
def class_groups() -> Mapping[str, str]:
    """Return the reported group of every drug class."""
    rows = read_toml("medications/classes.toml")["group"]
    return {name: row["id"] for row in rows for name in row["classes"]}


@cache
def group_labels() -> Mapping[str, str]:
    """Return the words for every group of medications, in the order in which reports show them."""
    return {row["id"]: row["label"] for row in read_toml("medications/classes.toml")["group"]}


@cache
def drugs() -> Mapping[str, Drug]:
    """Return every ingredient by id."""
    return {row["id"]: _drug(row) for row in read_csv("medications/drugs.csv")}


def _drug(row: Mapping[str, str]) -> Drug:
    agonist = row["id"] == OUTSIDE_MME
    return Drug(
        id=row["id"],
        drug_class=row["class"],
        group=OPIOID_AGONIST if agonist else class_groups()[row["class"]],
        atc=tuple(row["atc"].split()),
        source=row["source"],
        confidence=row["confidence"],
        max_daily=float(row["max_daily"]) if row["max_daily"] else None,
        max_daily_unit=row["max_daily_unit"],
        note=row["note"],
    )


def drug(name: str) -> Drug:
    """Return one ingredient by id.

    Raises
    ------
    UsageError
        If the catalog has no such ingredient.
    """
    found = drugs().get(name)
    if found is None:
        raise unknown("medication", name, drugs())
    return found


@cache
def _names() -> Mapping[str, tuple[str, ...]]:
    """Return every exact name: ids, synonyms and trade names, with the ingredients meant."""
    known = drugs()
    names: dict[str, tuple[str, ...]] = {name: (name,) for name in known}
    names |= {name.replace("_", " "): (name,) for name in known}
    names |= {row["name"]: (row["drug"],) for row in read_csv("medications/synonyms.csv")}
    for row in read_csv("medications/trade_names.csv"):
        parts = tuple(part for part in row["ingredients"].split() if part in known)
        names.setdefault(row["trade"].lower(), parts)
    return {name: parts for name, parts in names.items() if parts}


@cache
def ingredients(name: str) -> tuple[str, ...]:
    """Return the known ingredients of a name as written, opioids first; empty where none is known.

    Takes ids, synonyms, trade names and combinations such as ``hydrocodone/acetaminophen 5-325``.
    """
    plain = " ".join(name.lower().split())
    known = _names()
    if plain in known:
        return _opioids_first(known[plain])
    bare = [" ".join(_NOISE.sub(" ", part).split()) for part in _SPLIT.split(plain)]
    found = {one for part in (*bare, " ".join(bare)) for one in known.get(part, ())}
    return _opioids_first(tuple(sorted(found)))


def _opioids_first(names: tuple[str, ...]) -> tuple[str, ...]:
    known = drugs()
    return tuple(sorted(names, key=lambda one: known[one].drug_class != "opioid"))


def drug_group(name: str) -> str | None:
    """Return the group that a record of this name is reported under; None where it is not known.

    A group's or class's own id is taken too, for records that say no more than ``nsaid``.
    """
    plain = name.strip().lower()
    if plain in group_labels():
        return plain
    if plain in class_groups():
        return class_groups()[plain]
    found = ingredients(name)
    return drugs()[found[0]].group if found else None


def drug_groups(name: str) -> tuple[str, ...]:
    """Return every group that a record of this name counts in: each ingredient's own."""
    found = tuple(dict.fromkeys(drugs()[one].group for one in ingredients(name)))
    single = drug_group(name)
    return found or ((single,) if single else ())


@cache
def factor_versions() -> Mapping[str, Mapping[str, Any]]:
    """Return the published tables of conversion factors by id."""
    return {row["id"]: row for row in read_toml("medications/mme.toml")["version"]}


@cache
def mme_factors(version: str = DEFAULT_FACTORS) -> tuple[Factor, ...]:
    """Return the factors of one version; one that amends another replaces its rows drug by drug.

    Raises
    ------
    UsageError
        If there is no such version.
    """
    versions = factor_versions()
    if version not in versions:
        raise unknown("version of conversion factors", version, versions)
    rows = read_csv("medications/mme.csv")
    own = tuple(_factor(row) for row in rows if row["version"] == version)
    base = versions[version].get("base", "")
    amended = {row.drug for row in own}
    kept = (row for row in mme_factors(base) if row.drug not in amended) if base else ()
    return (*own, *kept)


def _factor(row: Mapping[str, str]) -> Factor:
    numbers = {
        name: float(row[name]) if row[name] else None
        for name in ("factor", "dose_above", "dose_to", "dispensed_days")
    }
    return Factor(
        drug="levomethadyl" if row["drug"].startswith("levomethadyl") else row["drug"],
        route=row["route"],
        form=row["form"],
        unit=row["strength_unit"],
        version=row["version"],
        source=row["source"],
        confidence=row["confidence"],
        note=row["note"],
        **numbers,
    )


@cache
def ddd_values() -> Mapping[tuple[str, str], tuple[float, str]]:
    """Return defined daily doses: (drug, route letter) to value and unit; empty where left out."""
    if not data_path("medications/ddd/ddd.csv").is_file():
        return {}
    rows = read_csv("medications/ddd/ddd.csv")
    return {(row["drug"], row["route"]): (float(row["value"]), row["unit"]) for row in rows}


def definitions() -> tuple[Mapping[str, Any], ...]:
    """Return published definitions of use, long-term use, stopping, reduction and adherence."""
    return tuple(read_toml("medications/definitions.toml")["definition"])
