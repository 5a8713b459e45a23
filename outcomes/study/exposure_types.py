"""Intervention types of a study: which interventions make which, their order and their names.

Types are the study's own (``[[exposure.types]]``) or the catalog's. An intervention belongs to the
type that names it or its nearest parent; of several names that fit, the longest. The order is that
in which types are declared; two types that share the time come after the later of the two.

A combination is named for what is combined, in the order of the types but with exercise last, as
the field says it: ``manual_therapy+exercise``. Where ``study.toml`` writes a pair the other way
round, its spelling is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from outcomes.catalog.interventions import (
    ancestors,
    exposure_types,
    intervention_aliases,
    intervention_types,
    interventions,
)

if TYPE_CHECKING:
    from outcomes.study.sections import ExposureSpec

OUTSIDE: Final = "outside"
"""Therapy that is of none of the study's types, or a code that the catalog does not know."""
NONE: Final = ""
"""No therapy: assessment, referral, waiting."""
LAST_IN_PAIR: Final = "exercise"


@dataclass(frozen=True, kw_only=True)
class ExposureTypes:
    """The types of one study.

    Attributes
    ----------
    names : mapping of str to str
        Words for each type id, in the study's order.
    therapy : tuple of str
        Types that components of therapy make.
    untreated : str
        Type of those without therapy; empty where the study has none.
    prefixes : mapping of str to str
        Catalog id to type, everything below it included.
    spelling : mapping of frozenset to str
        Pairs as the study writes them.
    """

    names: Mapping[str, str]
    therapy: tuple[str, ...]
    untreated: str
    prefixes: Mapping[str, str]
    spelling: Mapping[frozenset[str], str] = field(default_factory=dict)

    def of(self, intervention: str) -> str:
        """Return the type of an intervention, ``OUTSIDE`` or ``NONE``."""
        known = intervention_aliases().get(intervention, intervention)
        if known not in interventions():
            return OUTSIDE
        for step in (known, *ancestors(known)):
            fits = [p for p in self.prefixes if step == p or step.startswith(f"{p}.")]
            if fits:
                found = self.prefixes[max(fits, key=len)]
                return found if found in self.therapy else NONE
        return OUTSIDE if exposure_types()[intervention_types()[known]].therapy else NONE

    def pair(self, first: str, second: str) -> str:
        """Return the name of a combination."""
        parts = sorted((first, second), key=lambda part: (part == LAST_IN_PAIR, self._place(part)))
        return self.spelling.get(frozenset(parts), "+".join(parts))

    def in_order(self, exposures: Iterable[str]) -> tuple[str, ...]:
        """Return exposures in the study's order."""

        def place(exposure: str) -> tuple[int, int, int]:
            parts = [self._place(part) for part in exposure.split("+")]
            return max(parts), len(parts), min(parts)

        return tuple(sorted(exposures, key=place))

    def label(self, exposure: str) -> str:
        """Return the words for an exposure."""
        first, *others = (self.names.get(part, part) for part in exposure.split("+"))
        return " + ".join([first, *(_inside(words) for words in others)])

    def phrase(self, exposure: str) -> str:
        """Return the same words within a sentence."""
        return _inside(self.label(exposure))

    def _place(self, part: str) -> int:
        return list(self.names).index(part) if part in self.names else len(self.names)


def _inside(words: str) -> str:
    """Lower case first, abbreviations as they are."""
    return words if words[:2].isupper() else words[:1].lower() + words[1:]


def study_types(exposure: ExposureSpec) -> ExposureTypes:
    """Return the types of a study."""
    spelling = {
        frozenset(written.split("+")): written
        for written in (*exposure.programs.values(), exposure.primary, exposure.reference)
        if "+" in written
    }
    if not exposure.types:
        return _catalog_types(spelling)
    treated = [kind for kind in exposure.types if kind.is_therapy]
    untreated = [kind.id for kind in exposure.types if not kind.is_therapy]
    return ExposureTypes(
        names={kind.id: kind.name for kind in exposure.types},
        therapy=tuple(kind.id for kind in treated),
        untreated=untreated[0] if untreated else "",
        prefixes={name: kind.id for kind in exposure.types for name in kind.interventions},
        spelling=spelling,
    )


def _catalog_types(spelling: Mapping[frozenset[str], str]) -> ExposureTypes:
    known = exposure_types().values()
    return ExposureTypes(
        names={kind.id: kind.label for kind in known},
        therapy=tuple(kind.id for kind in known if kind.therapy),
        untreated=next(kind.id for kind in known if not kind.therapy),
        prefixes={prefix: kind.id for kind in known for prefix in kind.prefixes},
        spelling=spelling,
    )
