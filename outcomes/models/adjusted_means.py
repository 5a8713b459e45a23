"""Tables of LS means and of their contrasts: names, counts and families of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from outcomes.core.errors import UsageError
from outcomes.models.comparisons import Coefficients, Comparison, Kind, build_comparisons
from outcomes.models.estimate_rows import adjust, estimate, estimate_table
from outcomes.models.reference_grid import CellMeans
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
    return estimate_table("ls_means", about, linear, level=question.level)


def contrast_table(
    question: Question,
    cells: CellMeans,
    *,
    kind: Kind,
    reference: object,
    coefficients: Coefficients | None,
    adjust_by: str | None,
    family: Literal["by", "all"],
) -> pd.DataFrame:
    """Contrasts of the last factor of ``cells``, at each combination of the ones before it.

    Raises
    ------
    UsageError
        Where an option is not known or does not go with the others.
    """
    if family not in ("by", "all"):
        raise UsageError(f"family={family!r} is not known; choose 'by' or 'all'.")
    factor = cells.factors[-1]
    levels = list(dict.fromkeys(cell[-1] for cell in cells.cells))
    places = list(dict.fromkeys(cell[:-1] for cell in cells.cells))
    asked = build_comparisons(factor, levels, kind, reference=reference, coefficients=coefficients)
    weights = np.array([comparison.weights for comparison in asked])
    by_place = cells.rows.reshape(len(places), len(levels), -1)
    rows = _weigh(weights, by_place).reshape(len(places) * len(asked), -1)
    linear = estimate(question.inference, rows)
    families = [np.arange(len(rows))]
    if family == "by":
        families = list(np.arange(len(rows)).reshape(len(places), -1))
    return estimate_table(
        "contrasts",
        {
            "outcome": question.outcome,
            "scale": "mean",
            "term": factor,
            **_names(question, cells.factors, places, asked),
            **_seen(_counts(weights, cells, len(places))),
        },
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
    question: Question,
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
    names["visit"] = [levels.pop(question.visit, "") for levels in at]
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
