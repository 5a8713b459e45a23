"""Tables of LS means and of their contrasts: names, counts and families of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import UsageError
from outcomes.models.comparisons import Coefficients, Comparison, Kind, build_comparisons
from outcomes.models.estimate_rows import adjust, estimate, estimate_table
from outcomes.models.reference_grid import At, CellMeans, ReferenceGrid
from outcomes.models.visit_changes import means_between
from outcomes.stats.inference import Inference

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
        **_seen(cells.members.sum(axis=1)),
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
    n_places : int
        Combinations at each of which there are the same ``m / n_places`` contrasts.
    """

    about: dict[str, Any]
    rows: Array
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
    levels = list(dict.fromkeys(cell[-1] for cell in cells.cells))
    places = list(dict.fromkeys(cell[:-1] for cell in cells.cells))
    asked = build_comparisons(factor, levels, kind, reference=reference, coefficients=coefficients)
    weights = np.array([comparison.weights for comparison in asked])
    by_place = cells.rows.reshape(len(places), len(levels), -1)
    about = {
        "term": factor,
        **_names(visit, cells.factors, places, asked),
        **_seen(_counts(weights, cells, len(places))),
    }
    rows = _weigh(weights, by_place).reshape(len(places) * len(asked), -1)
    return Contrasts(about=about, rows=rows, n_places=len(places))


def contrast_table(
    question: Question,
    asked: Contrasts,
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
    linear = estimate(question.inference, asked.rows)
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


def _weigh(weights: Array, by_place: Array) -> Array:
    """(places, comparisons, p); a level that weighs nothing does not spoil the others."""
    absent: npt.NDArray[np.bool_] = np.asarray(np.isnan(by_place).any(axis=2))
    filled = np.where(absent[:, :, None], 0.0, by_place)
    rows: Array = np.einsum("kl,blp->bkp", weights, filled)
    rows[absent @ (weights != 0).T.astype(np.int64) > 0] = np.nan
    return rows


def _names(
    visit: str,
    factors: Sequence[str],
    places: Sequence[tuple[str, ...]],
    asked: Sequence[Comparison],
) -> dict[str, list[str]]:
    names = {
        "contrast": [c.name for _ in places for c in asked],
        "level": [c.level for _ in places for c in asked],
        "reference": [c.reference for _ in places for c in asked],
    }
    at = [dict(zip(factors[:-1], place, strict=True)) for place in places for _ in asked]
    names["visit"] = [levels.pop(visit, "") for levels in at]
    names["subgroup"] = [", ".join(f"{k}={v}" for k, v in levels.items()) for levels in at]
    return names


def _seen(n_subjects: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.int64]]:
    """The model knows subjects alone, and takes each for a patient with one episode."""
    return {"n_patients": n_subjects, "n_episodes": n_subjects}


def _counts(weights: Array, cells: CellMeans, n_places: int) -> npt.NDArray[np.int64]:
    """Subjects behind each contrast."""
    members = cells.members.reshape(n_places, weights.shape[1], -1)
    counts = [
        members[place][row != 0].any(axis=0).sum() for place in range(n_places) for row in weights
    ]
    return np.array(counts, dtype=np.int64)
