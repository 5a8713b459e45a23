"""The reference cases of the mixed model: where they are, and what each one holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from outcomes.core.errors import UsageError

PLACES: Final = (
    Path(__file__).parent / "reference",
    Path(__file__).parents[2] / "tests" / "parity" / "mmrm",
)
"""In an installed package, and in a checkout."""

NOT_FITTED: Final = ("sp_exp",)
"""Structures of the cases that :func:`outcomes.fit_mmrm` does not offer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """A fit of another program.

    Attributes
    ----------
    name : str
    entry : mapping
        What the index says of it.
    numbers : mapping
        Model, levels and every number.
    all_differences : mapping
        Sandwich inference of all differences by its closed form, where the program was asked for
        some of them only; else empty.
    data : DataFrame
        Columns that are factors have their levels in order.
    """

    name: str
    entry: Mapping[str, Any]
    numbers: Mapping[str, Any]
    all_differences: Mapping[str, Any]
    data: pd.DataFrame


@dataclass(frozen=True, kw_only=True, eq=False)
class CaseFolder:
    """A folder of cases: ``fitted`` by this package, and those ``left_out`` by name."""

    path: Path
    index: Mapping[str, Any]

    @property
    def fitted(self) -> tuple[str, ...]:
        """Names of the mixed models that this package can fit."""
        return tuple(n for n in self._mixed_models if n not in self.left_out)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the mixed models whose covariance structure it does not have."""
        cases = self.index["cases"]
        return tuple(n for n in self._mixed_models if cases[n]["covariance"] in NOT_FITTED)

    @property
    def _mixed_models(self) -> list[str]:
        return [name for name, entry in self.index["cases"].items() if entry.get("covariance")]

    @property
    def tolerances(self) -> dict[str, float]:
        """By the index's name of the quantity."""
        given = self.index["tolerances"]["mmrm"]
        return {
            name: float(value)
            for name, rule in given.items()
            if isinstance(rule, dict)
            for value in rule.values()
        }

    def read(self, name: str) -> Case:
        """Read one case."""
        numbers = _json(self.path / self.index["cases"][name]["file"])
        closed = _json(self.path / self.index["cases"]["sandwich_df_closed_form"]["file"])
        return Case(
            name=name,
            entry=self.index["cases"][name],
            numbers=numbers,
            all_differences=closed.get(name, {}),
            data=_data(self.path / numbers["data"], numbers["levels"]),
        )


def find_cases(path: Path | None = None) -> CaseFolder:
    """Open the folder of cases: the one given, the package's own, or the checkout's.

    Raises
    ------
    UsageError
        Where there is none.
    """
    places = PLACES if path is None else (path,)
    for place in places:
        if (place / "index.json").is_file():
            return CaseFolder(path=place, index=_json(place / "index.json"))
    raise UsageError(
        f"The reference cases are not here: no index.json in {' or '.join(map(str, places))}."
        " Install the package from its wheel, or run this in a checkout."
    )


def _data(path: Path, levels: Mapping[str, list[str]]) -> pd.DataFrame:
    data = pd.read_csv(path)
    for column, values in levels.items():
        data[column] = pd.Categorical(data[column], categories=values)
    return data


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
