"""What a prescribed product converts to: ingredient, unit and factor, looked up once a product.

A product is drug, route, form and unit as written. The lookup never guesses: a unit that does not
fit the factor's, a route without a factor, a name that is in no dictionary are statuses of their
own. The one assumption, oral use where neither route nor form is recorded and the unit is a weight,
is marked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from outcomes.catalog.medications import (
    OPIOID,
    OUTSIDE_MME,
    Factor,
    drug_group,
    drugs,
    ingredients,
    mme_factors,
)

COUNTED: Final = "counted"
NOT_OPIOID: Final = "not_opioid"
OUTSIDE: Final = "outside_mme"
UNKNOWN_DRUG: Final = "drug_unknown"
UNKNOWN_UNIT: Final = "unit_unknown"
NO_FACTOR: Final = "no_factor"
PATCH_UNIT: Final = "mcg/hr"

_UNITS: Final[dict[str, tuple[str, float]]] = {
    "mg": ("mg", 1.0),
    "g": ("mg", 1000.0),
    "mcg": ("mg", 0.001),
    "mg/ml": ("mg", 1.0),
    "mcg/ml": ("mg", 0.001),
    "mcg/hr": (PATCH_UNIT, 1.0),
    "mg/hr": (PATCH_UNIT, 1000.0),
}
_NOT_INJECTED: Final = ("oral", "transdermal", "buccal", "sublingual", "nasal", "rectal")
_ROUTES: Final[dict[str, tuple[str, ...]]] = {
    "any": (*_NOT_INJECTED, "parenteral"),
    "not stated": (*_NOT_INJECTED, "parenteral"),
    "not injection": _NOT_INJECTED,
    "buccal or sublingual": ("buccal", "sublingual"),
    "transmucosal": ("buccal", "sublingual"),
}
_FORM_ROUTES: Final = {
    "patch": "transdermal",
    "transdermal": "transdermal",
    "buccal": "buccal",
    "lozenge": "buccal",
    "sublingual": "sublingual",
    "nasal": "nasal",
    "suppositor": "rectal",
    "inject": "parenteral",
}


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """How records of one product become morphine equivalents.

    ``unit_scale`` turns the recorded strength into the factor's unit; ``factor`` is missing where
    it depends on the day's dose (methadone bands).
    """

    status: str
    ingredient: str = ""
    unit_scale: float = float("nan")
    factor: float = float("nan")
    patch: bool = False
    route_assumed: bool = False


def conversion(drug: str, route: str, form: str, unit: str, *, factors: str) -> Conversion:
    """Return how a product converts under a version of the factors; words in lower case."""
    found = ingredients(drug)
    if not found:
        other = drug_group(drug) not in (None, OPIOID)
        return Conversion(status=NOT_OPIOID if other else UNKNOWN_DRUG)
    name = found[0]
    if drugs()[name].drug_class != OPIOID:
        return Conversion(status=NOT_OPIOID, ingredient=name)
    if name == OUTSIDE_MME:
        return Conversion(status=OUTSIDE, ingredient=name)
    base, scale = _UNITS.get(plain_unit(unit), ("", 0.0))
    if not base:
        return Conversion(status=UNKNOWN_UNIT, ingredient=name)
    return _opioid(name, _route(route, form, base), base, scale, factors)


def plain_unit(text: str) -> str:
    """Return a unit of strength as the catalog writes it: ``mcg`` and ``/hr``."""
    plain = text.lower().replace("µ", "u").replace("μ", "u").replace(" ", "")
    plain = plain.replace("/hour", "/hr").replace("ug", "mcg")
    return f"{plain}r" if plain.endswith("/h") else plain


def _route(route: str, form: str, base: str) -> str:
    """Return the route as recorded, else as unit or form tell; empty where nothing does."""
    if route not in ("", "unknown"):
        return route
    if base == PATCH_UNIT:
        return "transdermal"
    ways = [way for word, way in _FORM_ROUTES.items() if word in form]
    return ways[0] if ways else "oral" if form else ""


def _opioid(name: str, route: str, base: str, scale: float, factors: str) -> Conversion:
    assumed = not route
    way = route or "oral"
    rows = [row for row in mme_factors(factors) if row.drug == name and row.worn is not None]
    rows = [row for row in rows if way in _ROUTES.get(row.route, (row.route,))]
    fits = [row for row in rows if (row.unit == PATCH_UNIT) == (base == PATCH_UNIT)]
    if not fits:
        return Conversion(status=UNKNOWN_UNIT if rows else NO_FACTOR, ingredient=name)
    return _scaled(fits[0], scale, assumed)


def _scaled(row: Factor, scale: float, assumed: bool) -> Conversion:
    banded = row.dose_above is not None
    return Conversion(
        status=COUNTED,
        ingredient=row.drug,
        unit_scale=scale * (1000.0 if row.unit == "mcg" else 1.0),
        factor=float("nan") if banded else float(row.worn or 0.0),
        patch=row.unit == PATCH_UNIT,
        route_assumed=assumed,
    )
