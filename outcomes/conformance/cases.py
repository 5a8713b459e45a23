"""The reference cases of the mixed model: where they are, and what each one holds."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
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

    def choose(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return these of ``fitted``, or all where none is named.

        Raises
        ------
        UsageError
            Where one is not among them, or where there is no case at all.
        """
        if not self.fitted:
            raise UsageError(f"{self.path}: its index lists no case of the mixed model.")
        chosen = tuple(dict.fromkeys(names))
        for name in chosen:
            if name in self.left_out:
                raise UsageError(
                    f"Case '{name}' is left out: there is no such covariance structure."
                )
            if name not in self.fitted:
                near = [one for one in self.fitted if name in one][:8]
                near = near or difflib.get_close_matches(name.lower(), self.fitted, n=8)
                raise UsageError(
                    f"There is no case '{name}'. "
                    + (f"Names like it: {', '.join(near)}. " if near else "")
                    + f"All {len(self.fitted)} are in the column 'case' of docs/conformance.md."
                )
        return chosen or self.fitted

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
    for place in PLACES if path is None else (path,):
        if (place / "index.json").is_file():
            return CaseFolder(path=place, index=_json(place / "index.json"))
    if path is not None and path.is_dir():
        raise UsageError(f"There are no reference cases in {path}: it has no index.json.")
    if path is not None:
        raise UsageError(
            f"There is no folder {path}: --cases names a folder of reference cases. To run some of"
            " those that came along, give their names alone: outcomes conformance a_us_reml."
        )
    raise UsageError(
        f"The reference cases are not here: no index.json in {' or '.join(map(str, PLACES))}."
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
