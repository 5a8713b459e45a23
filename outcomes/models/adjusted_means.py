"""Tables of LS means and of their contrasts: names, counts and families of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import UsageError
from outcomes.models.comparisons import Coefficients, Kind, build_comparisons
from outcomes.models.estimate_rows import adjust, estimate, estimate_table
from outcomes.models.reference_grid import At, CellMeans, ReferenceGrid, without_rounding
from outcomes.models.visit_changes import means_between
from outcomes.stats.inference import Inference, Linear

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """What every table of one model shares.

    Attributes
    ----------
    inference : Inference
    outcome : str
        Name of the response.
    visit : str
        Name of the visit column.
    level : float
        Confidence level.
    """

    inference: Inference
    outcome: str
    visit: str
    level: float


def ls_means_table(question: Question, cells: CellMeans) -> pd.DataFrame:
    """One row a cell. The visit stands in ``visit``, the other levels in ``level``."""
    others = [k for k, name in enumerate(cells.factors) if name != question.visit]
    about: dict[str, Any] = {
        "outcome": question.outcome,
        "scale": "mean",
        "term": ":".join(cells.factors[k] for k in others) or question.visit,
        "level": [":".join(cell[k] for k in others) for cell in cells.cells],
        **seen_subjects(cells.members.sum(axis=1)),
    }
    if question.visit in cells.factors:
        place = cells.factors.index(question.visit)
        about["visit"] = [cell[place] for cell in cells.cells]
    linear = estimate(question.inference, cells.rows)
    linear = replace(linear, estimate=linear.estimate + cells.shift)
    return estimate_table("ls_means", about, linear, level=question.level)


@dataclass(frozen=True, kw_only=True, eq=False)
class Contrasts:
    """Contrasts before they are estimated.

    Attributes
    ----------
    about : dict
        Columns that say what each is; one value, or one a row.
    rows : (m, p) array
        NaN where a mean that takes part does not exist.
    weights : (m / n_places, l) array
        Of the l levels at each place.
    n_places : int
        Combinations at each of which there are the same ``m / n_places`` contrasts.
    """

    about: dict[str, Any]
    rows: Array
    weights: Array
    n_places: int


def build_contrasts(
    grid: ReferenceGrid,
    visit: str,
    factor: str,
    by: str | Sequence[str] | None,
    *,
    kind: Kind = "reference",
    reference: object = None,
    coefficients: Coefficients | None = None,
    at: At | None = None,
    between: Sequence[object] | None = None,
) -> Contrasts:
    """Contrasts of ``factor`` at each combination of ``by``; see ``MmrmResult.contrasts``.

    Raises
    ------
    UsageError
        Where options are not known or do not go together.
    """
    if between is not None and factor == visit:
        raise UsageError("between= is two visits at which another factor is compared.")
    around = (by,) if isinstance(by, str) else tuple(by or ())
    cells = means_between(grid, (*around, factor), visit, between, at=at)
    return compare_cells(cells, visit, kind=kind, reference=reference, coefficients=coefficients)


def compare_cells(
    cells: CellMeans,
    visit: str,
    *,
    kind: Kind,
    reference: object = None,
    coefficients: Coefficients | None = None,
) -> Contrasts:
    """Contrasts of the last factor of ``cells`` at each combination of the others."""
    factor = cells.factors[-1]
    levels = list(dict.fromkeys(cell[-1] for cell in cells.cells))
    places = list(dict.fromkeys(cell[:-1] for cell in cells.cells))
    asked = build_comparisons(factor, levels, kind, reference=reference, coefficients=coefficients)
    weights = np.array([comparison.weights for comparison in asked])
    at = named_places(visit, cells.factors[:-1], places)
    about = {
        "term": factor,
        "contrast": [c.name for c in asked] * len(places),
        "level": [c.level for c in asked] * len(places),
        "reference": [c.reference for c in asked] * len(places),
        **{name: np.repeat(values, len(asked)) for name, values in at.items()},
        **seen_subjects(_counts(weights, cells, len(places))),
    }
    rows = weigh(weights, cells.rows)
    return Contrasts(about=about, rows=rows, weights=weights, n_places=len(places))


def contrast_table(
    question: Question,
    asked: Contrasts,
    linear: Linear,
    *,
    adjust_by: str | None,
    family: Literal["by", "all"],
) -> pd.DataFrame:
    """One row a contrast.

    Raises
    ------
    UsageError
        Where an option is not known.
    """
    if family not in ("by", "all"):
        raise UsageError(f"family={family!r} is not known; choose 'by' or 'all'.")
    families = [np.arange(len(asked.rows))]
    if family == "by":
        families = list(families[0].reshape(asked.n_places, -1))
    return estimate_table(
        "contrasts",
        {"outcome": question.outcome, "scale": "mean", **asked.about},
        linear,
        level=question.level,
        adjusted=adjust(linear, families, adjust_by, question.level),
    )


def weigh(weights: Array, values: Array) -> Array:
    """Weigh (c, l) the l levels at each of several places: (places * l, p) to (places * c, p).

    A level that weighs nothing does not spoil the others.
    """
    by_place = values.reshape(-1, weights.shape[1], values.shape[1])
    absent: npt.NDArray[np.bool_] = np.asarray(np.isnan(by_place).any(axis=2))
    filled = np.where(absent[:, :, None], 0.0, by_place)
    rows: Array = np.einsum("kl,blp->bkp", weights, filled, optimize=True)
    terms = np.einsum("kl,blp->bkp", np.abs(weights), np.abs(filled), optimize=True)
    rows = without_rounding(rows, terms)
    rows[absent @ (weights != 0).T.astype(np.int64) > 0] = np.nan
    return rows.reshape(-1, values.shape[1])


def named_places(
    visit: str, factors: Sequence[str], places: Sequence[tuple[str, ...]]
) -> dict[str, list[str]]:
    """Columns ``visit`` and ``subgroup`` of combinations of levels."""
    at = [dict(zip(factors, place, strict=True)) for place in places]
    visits = [levels.pop(visit, "") for levels in at]
    subgroups = [", ".join(f"{k}={v}" for k, v in levels.items()) for levels in at]
    return {"visit": visits, "subgroup": subgroups}


def seen_subjects(counts: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.int64]]:
    """The model knows subjects alone, and takes each for a patient with one episode."""
    return {"n_patients": counts, "n_episodes": counts}


def _counts(weights: Array, cells: CellMeans, n_places: int) -> npt.NDArray[np.int64]:
    """Subjects behind each contrast."""
    members = cells.members.reshape(n_places, weights.shape[1], -1)
    counts = [
        members[place][row != 0].any(axis=0).sum() for place in range(n_places) for row in weights
    ]
    return np.array(counts, dtype=np.int64)
