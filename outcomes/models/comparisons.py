"""Which levels are compared with which: names and weights of the contrasts of one factor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from outcomes.core.errors import UsageError
from outcomes.models.categories import label
from outcomes.models.reference_grid import check_levels_known

Kind = Literal["reference", "pairwise", "consecutive", "custom"]
Coefficients = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One contrast.

    Attributes
    ----------
    name : str
    level, reference : str
        Empty for a custom contrast.
    weights : tuple of float
        One a level of the factor; they add up to zero.
    """

    name: str
    level: str
    reference: str
    weights: tuple[float, ...]


def build_comparisons(
    factor: str,
    levels: Sequence[str],
    kind: Kind,
    *,
    reference: object = None,
    coefficients: Coefficients | None = None,
) -> list[Comparison]:
    """Contrasts of ``levels``.

    Parameters
    ----------
    kind : {'reference', 'pairwise', 'consecutive', 'custom'}
        Every level minus the reference; every later minus every earlier level; every level minus
        the one before; or as ``coefficients`` say.
    reference : level, optional
        The first level where not given.
    coefficients : mapping of mappings, optional
        Name of a contrast to weights by level; levels not named weigh zero.

    Raises
    ------
    UsageError
        Where an option does not go with the kind, or weights do not add up to zero.
    """
    if (kind == "custom") != (coefficients is not None):
        raise UsageError("kind='custom' and coefficients= belong together.")
    if reference is not None and kind != "reference":
        raise UsageError(f"reference= has no meaning with kind={kind!r}.")
    if coefficients is not None:
        return [_custom(factor, levels, name, given) for name, given in coefficients.items()]
    if kind not in _PAIRS:
        raise UsageError(f"kind={kind!r} is not known; choose from {[*_PAIRS, 'custom']}.")
    base = levels[0] if reference is None else label(reference)
    check_levels_known(factor, [base], levels)
    pairs = _PAIRS[kind](levels, base)
    if not pairs:
        raise UsageError(f"Factor '{factor}' has one level; nothing can be compared.")
    return [_pair(levels, level, other) for level, other in pairs]


def _against(levels: Sequence[str], base: str) -> list[tuple[str, str]]:
    return [(level, base) for level in levels if level != base]


def _all_pairs(levels: Sequence[str], base: str) -> list[tuple[str, str]]:
    return [(late, early) for k, early in enumerate(levels) for late in levels[k + 1 :]]


def _neighbours(levels: Sequence[str], base: str) -> list[tuple[str, str]]:
    return list(zip(levels[1:], levels[:-1], strict=True))


_PAIRS: Final[dict[str, Callable[[Sequence[str], str], list[tuple[str, str]]]]] = {
    "reference": _against,
    "pairwise": _all_pairs,
    "consecutive": _neighbours,
}


def _pair(levels: Sequence[str], level: str, other: str) -> Comparison:
    weights = tuple(float(name == level) - float(name == other) for name in levels)
    return Comparison(name=f"{level} - {other}", level=level, reference=other, weights=weights)


def _custom(
    factor: str, levels: Sequence[str], name: str, given: Mapping[str, float]
) -> Comparison:
    by_label = {label(level): float(weight) for level, weight in given.items()}
    check_levels_known(factor, list(by_label), levels)
    weights = np.array([by_label.get(level, 0.0) for level in levels])
    if not weights.any() or abs(weights.sum()) > 1e-9 * np.abs(weights).sum():
        raise UsageError(
            f"The weights of contrast '{name}' must add up to zero, not all of them 0."
        )
    return Comparison(name=str(name), level="", reference="", weights=tuple(weights))
