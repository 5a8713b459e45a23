"""The text of a proposed ``study.toml``: each choice with its reason, each gap marked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from outcomes.catalog.instruments import instrument, instrument_ids
from outcomes.records.contents import Contents
from outcomes.records.names import normalised
from outcomes.study.outcome_sections import DEFAULT_OUTCOMES
from outcomes.study.proposed_visits import WINDOW, many, primary_visit, propose_visits
from outcomes.study.toml_text import toml_value

ROLES: Final = {"pain": ("pain",), "mobility": ("function", "performance")}
"""Groups of instruments that can stand for an outcome of the report."""
PREFERRED: Final = ("nprs", "odi")
COMPARATOR: Final = re.compile(
    r"usual|standard|routine|control|wait|^gp(_|$)|_gp(_|$)|^tau$|no_(treatment|therapy|care)"
    r"|untreated|placebo|sham|minimal|natural_history"
)
"""Names of types that others are usually compared to."""
MARGIN_SHARE: Final = 0.05


UNREAD: Final = "the records could not be read through the mapping yet"
"""What a study says that was written without a look at its records."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the records and their mapping are, relative to the study."""

    records: str
    mapping: str


def study_text(
    name: str,
    place: Place,
    contents: Contents,
    exposures: Mapping[str, int],
) -> str:
    """Write a study from what the records hold.

    Parameters
    ----------
    name : str
        Its id.
    place : Place
    contents : Contents
    exposures : mapping of str to int
        Episodes by intervention type, the commonest first.
    """
    outcomes = _outcomes(contents)
    visits = _visits(contents, outcomes)
    lines = [
        "# A first draft: read every line before you run it. Each guess has its reason, and what",
        "# could not be guessed is marked GAP. All other settings have their defaults.",
        *_head(name, place),
        *_population(contents),
        *_exposure(contents, exposures),
        *_primary(contents, outcomes, visits),
        *_outcome_tables(outcomes),
        *_visit_tables(visits),
    ]
    return "\n".join(lines) + "\n"


def unread_study_text(name: str, place: Place, again: str) -> str:
    """Write a study of defaults, where the records could not be read through the mapping.

    Parameters
    ----------
    name : str
        Its id.
    place : Place
    again : str
        The command that drafts it from the records once they can be read.
    """
    lines = [
        f"# GAP: {UNREAD}, so nothing below",
        "# comes from them: these are defaults. Mend mapping.toml until `outcomes check` reads the",
        f"# records, and then draft this file anew: {again}",
        *_head(name, place),
        "",
        "[exposure]",
        'reference = "usual_care"',
        'primary = "exercise"',
        "",
        "[primary]",
        'outcome = "pain"',
        f"visit = {toml_value(primary_visit([]))}",
    ]
    return "\n".join(lines) + "\n"


def _head(name: str, place: Place) -> list[str]:
    return [
        "schema = 1",
        f"id = {toml_value(name if name[0].isalnum() else 'study')}",
        "",
        "[records]",
        f"path = {toml_value(place.records)}",
        f"mapping = {toml_value(place.mapping)}",
    ]


def _population(contents: Contents) -> list[str]:
    regions = [region for region in contents.regions if region not in ("other", "unknown")]
    known = [region for region in regions if region in _known_regions()]
    if not known:
        return [
            "",
            "[population]",
            "# GAP: no region is recorded, so all episodes are taken together on purpose.",
            "body_regions = []",
            "pool_regions = true",
        ]
    others = ", ".join(f"{region} ({many(contents.regions[region])})" for region in known[1:])
    return [
        "",
        "[population]",
        f"# The region of most episodes ({many(contents.regions[known[0]])} of "
        f"{many(contents.n_episodes)})" + (f"; others: {others}" if others else ""),
        f"body_regions = {toml_value([known[0]])}",
    ]


def _known_regions() -> Sequence[str]:
    from outcomes.records.schema import EPISODES

    return EPISODES["body_region"].values


def _exposure(contents: Contents, exposures: Mapping[str, int]) -> list[str]:
    if contents.has_components or not contents.programs:
        return _delivered(contents, exposures)
    return _assigned(contents.programs)


def _delivered(contents: Contents, exposures: Mapping[str, int]) -> list[str]:
    reference, primary = _pair(list(exposures), ["usual_care", "exercise"])
    lines = ["", "[exposure]"]
    if not contents.has_components:
        lines.append("# GAP: neither components of sessions nor programs are recorded.")
    if len(exposures) > 1:
        counted = ", ".join(f"{kind} {many(count)}" for kind, count in exposures.items())
        lines.append(f"# Episodes by what was delivered in the first {WINDOW} days: {counted}.")
        lines.append("# The commonest is the reference, the next is compared to it.")
        lines += _other_references(reference, exposures)
    else:
        lines.append("# GAP: fewer than two types were found; choose what is compared.")
    return [
        *lines,
        'source = "components"',
        f"reference = {toml_value(reference)}",
        f"primary = {toml_value(primary)}",
    ]


def _pair(found: list[str], default: list[str]) -> tuple[str, str]:
    """The reference and the type compared to it."""
    chosen = [*found[:2], *(kind for kind in default if kind not in found[:2])]
    return chosen[0], chosen[1]


def _other_references(reference: str, kinds: Iterable[str]) -> list[str]:
    """Name what else could be the reference, types that look like a comparator first."""
    others = sorted((k for k in kinds if k != reference), key=lambda kind: not _compares(kind))
    if not others:
        return []
    usual = [kind for kind in others if _compares(kind)]
    lines = [f"# It could also be: {', '.join(others)}."]
    if usual and not _compares(reference):
        lines.append(f"# GAP: is {usual[0]} what the others should be compared to?")
    return lines


def _compares(kind: str) -> bool:
    """Whether a type is named like what treatments are usually compared to."""
    return COMPARATOR.search(kind) is not None


def _assigned(programs: Mapping[str, int]) -> list[str]:
    ids = {code: _type_id(code) for code in programs}
    kinds = list(dict.fromkeys(ids.values()))
    reference, primary = _pair(kinds, ["usual_care", "exercise"])
    more = [kind for kind in (reference, primary) if kind not in kinds]
    counted = ", ".join(f"{ids[code]} {many(count)}" for code, count in programs.items())
    lines = [
        "",
        "[exposure]",
        "# Components of sessions are not recorded, so the program decides what an episode had.",
        f"# Episodes by program: {counted}. The commonest is the reference.",
        *_other_references(reference, kinds),
        'source = "program"',
        f"programs = {toml_value(ids)}",
        f"reference = {toml_value(reference)}",
        f"primary = {toml_value(primary)}",
    ]
    for kind in [*kinds, *more]:
        lines += ["", "[[exposure.types]]", f"id = {toml_value(kind)}"]
    return lines


def _type_id(code: str) -> str:
    plain = normalised(code)
    return plain if plain[:1].isalpha() else f"program_{plain or 'unnamed'}"


def _outcomes(contents: Contents) -> list[dict[str, Any]]:
    """The instrument with most repeated scores for pain and mobility; opioids where recorded."""
    outcomes = []
    for role, groups in ROLES.items():
        held = [
            name
            for name in sorted(contents.instruments, key=lambda one: one not in PREFERRED)
            if name in instrument_ids() and instrument(name).group in groups
        ]
        if held:
            outcomes.append(_outcome(role, held[0], contents.instruments[held[0]]))
    if contents.has_medications:
        outcomes.append({**_default("medication"), "why": "prescriptions are recorded"})
    return outcomes or [{**_default("pain"), "why": "GAP: no instrument was measured twice"}]


def _default(role: str) -> dict[str, Any]:
    return dict(next(outcome for outcome in DEFAULT_OUTCOMES if outcome["role"] == role))


def _outcome(role: str, name: str, count: int) -> dict[str, Any]:
    default = _default(role)
    why = f"measured twice or more in {many(count)} episodes"
    if name == default["instrument"]:
        return {**default, "why": why}
    known = instrument(name)
    span = (known.score_max or 0) - (known.score_min or 0)
    return {
        **default,
        "instrument": name,
        "margin": round(MARGIN_SHARE * span, 3) if span > 0 else 1.0,
        "margin_source": "a placeholder of the proposal, not reviewed",
        "why": f"{why}. GAP: give the smallest difference worth having (margin)",
    }


def _visits(contents: Contents, outcomes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Visits where the outcomes were measured."""
    names = [outcome["instrument"] for outcome in outcomes if "instrument" in outcome]
    days = [day for name in names for day in contents.days.get(name, ())]
    return propose_visits(days, contents.n_episodes)


def _primary(
    contents: Contents, outcomes: Sequence[Mapping[str, Any]], visits: Sequence[Mapping[str, Any]]
) -> list[str]:
    return [
        "",
        "[primary]                                # GAP: declare it before you look at results",
        f"outcome = {toml_value(outcomes[0]['id'])}",
        f"visit = {toml_value(primary_visit(visits))}",
    ]


def _outcome_tables(outcomes: Sequence[Mapping[str, Any]]) -> list[str]:
    return _tables("outcomes", outcomes)


def _visit_tables(visits: Sequence[Mapping[str, Any]]) -> list[str]:
    if not visits:
        return ["", "# GAP: no score after the first days was found; the default visits are kept."]
    return _tables("visits", visits)


def _tables(name: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lines: list[str] = []
    for row in rows:
        lines += ["", f"[[{name}]]", f"# {row['why']}"]
        lines += [f"{key} = {toml_value(value)}" for key, value in row.items() if key != "why"]
    return lines
