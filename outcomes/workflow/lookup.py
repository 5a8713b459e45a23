"""What ``outcomes catalog`` prints: entries of the catalog with their sources and review state."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, Final, Literal

from outcomes.catalog.facts import Review, sources, unknown
from outcomes.catalog.instruments import instrument, instruments
from outcomes.catalog.interventions import (
    contraindications,
    doses,
    exposure_types,
    harms,
    intervention,
    intervention_types,
    interventions,
)
from outcomes.catalog.medications import drug, drugs, mme_factors

Kind = Literal["types", "instruments", "interventions", "medications"]


def describe_catalog(kind: Kind | None, item: str | None, *, as_json: bool = False) -> str:
    """Return a listing, or one entry with its sources.

    Parameters
    ----------
    kind : {"types", "instruments", "interventions", "medications"}, optional
        Which part; all parts are counted where it is not given.
    item : str, optional
        Id or alias of one entry.
    as_json : bool

    Raises
    ------
    UsageError
        Where the catalog has no such entry.
    """
    if kind is None:
        return _said(_overview(), as_json)
    if item is None:
        return _said(_LISTS[kind](), as_json)
    entry = _ENTRIES[kind](item)
    return json.dumps(entry, indent=2, ensure_ascii=False) if as_json else _page(entry)


def _said(rows: list[dict[str, Any]], as_json: bool) -> str:
    return json.dumps(rows, indent=2, ensure_ascii=False) if as_json else _columns(rows)


# --------------------------------------------------------------------------------------- listings
def _overview() -> list[dict[str, Any]]:
    rows = []
    for kind, listing in _LISTS.items():
        found = listing()
        verified = sum(row["confidence"] == "verified" for row in found)
        rows.append({"catalog": kind, "entries": len(found), "verified": verified})
    return rows


def _instruments() -> list[dict[str, Any]]:
    return [
        {
            "id": one.id,
            "name": one.name,
            "range": _range(one.score_min, one.score_max),
            "unit": one.unit,
            "better": "higher" if one.higher_is_better else "lower",
            **_state(one.confidence, one.review),
        }
        for one in instruments()
    ]


def _types() -> list[dict[str, Any]]:
    """List what a study compares: the names that [exposure] reference and primary may have."""
    return [
        {
            "id": one.id,
            "label": one.label,
            "therapy": "yes" if one.therapy else "no",
            "takes": ", ".join(one.prefixes),
            "confidence": one.confidence,
        }
        for one in exposure_types().values()
    ]


def _interventions() -> list[dict[str, Any]]:
    return [
        {"id": one.id, "label": one.label, **_state(one.confidence, one.review)}
        for one in interventions().values()
    ]


def _medications() -> list[dict[str, Any]]:
    return [
        {"id": one.id, "class": one.drug_class, "confidence": one.confidence}
        for one in drugs().values()
    ]


def _state(confidence: str, review: Review) -> dict[str, str]:
    return {"confidence": confidence, "review": "reviewed" if review.done else "not reviewed"}


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    return f"{'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}".strip()


# ------------------------------------------------------------------------------------ one entry
def _instrument(name: str) -> dict[str, Any]:
    return _cited(_plain(instrument(name)))


def _intervention(name: str) -> dict[str, Any]:
    one = intervention(name)
    return _cited(
        {
            **_plain(one),
            "dose": [dict(row) for row in doses(one.id)],
            "contraindications": [dict(row) for row in contraindications(one.id)],
            "harms": [dict(row) for row in harms(one.id)],
        }
    )


def _type(name: str) -> dict[str, Any]:
    """One type with the interventions that belong to it."""
    known = exposure_types()
    if name not in known:
        raise unknown("type", name, list(known))
    components = [one for one in interventions() if intervention_types()[one] == name]
    return _cited({**_plain(known[name]), "components": components})


def _medication(name: str) -> dict[str, Any]:
    one = drug(name)
    factors = [_plain(row) for row in mme_factors() if row.drug == one.id]
    return _cited({**_plain(one), "mme_factors": factors})


_LISTS: Final[Mapping[Kind, Callable[[], list[dict[str, Any]]]]] = {
    "types": _types,
    "instruments": _instruments,
    "interventions": _interventions,
    "medications": _medications,
}
_ENTRIES: Final[Mapping[Kind, Callable[[str], dict[str, Any]]]] = {
    "types": _type,
    "instruments": _instrument,
    "interventions": _intervention,
    "medications": _medication,
}


def _plain(value: Any) -> Any:
    """Turn dataclasses into plain values and leave out what is empty."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        pairs = {str(key): _plain(inner) for key, inner in value.items()}
        return {key: inner for key, inner in pairs.items() if inner not in ("", None, [], {})}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return value


def _cited(entry: dict[str, Any]) -> dict[str, Any]:
    """Add the citation of every source key that the entry names."""
    known = sources()
    keys = [key for key in dict.fromkeys(_source_keys(entry)) if key in known]
    cited = {key: f"{known[key].citation} (seen: {known[key].seen})" for key in keys}
    return {**entry, "sources": cited}


def _source_keys(value: Any) -> Iterable[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "source" and isinstance(inner, str):
                yield inner
            else:
                yield from _source_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _source_keys(inner)


# ----------------------------------------------------------------------------------------- layout
def _columns(rows: list[dict[str, Any]]) -> str:
    names = list(rows[0])
    cells = [names, *([str(row[name]) for name in names] for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def _page(value: Any, indent: int = 0) -> str:
    """Lay out an entry as indented lines."""
    pad, lines = "  " * indent, []
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            lines += [f"{pad}{key}:", _page(inner, indent + 1)] if inner else []
        elif isinstance(inner, list) and inner and isinstance(inner[0], Mapping):
            lines.append(f"{pad}{key}:")
            for row in inner:
                lines.append(f"{pad}  -")
                lines.append(_page(row, indent + 2))
        else:
            text = ", ".join(map(str, inner)) if isinstance(inner, list) else str(inner)
            lines.append(f"{pad}{key}: {text}")
    return "\n".join(lines)
