"""A study dataset drawn from a known model, with the columns that the analysis reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from outcomes.study.spec import StudySpec

EXPOSURES = ("exercise", "manual_therapy", "usual_care")
VISITS = ("week_6", "week_12", "week_26", "week_52")
EFFECT = {"exercise": -1.0, "manual_therapy": -0.4, "usual_care": 0.0}
"""Mean difference from usual care in NPRS points, the same at every visit."""
LABELS = {
    "exercise": "Exercise",
    "manual_therapy": "Manual therapy",
    "usual_care": "Usual care",
}


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The attributes of a study dataset that the analysis reads."""

    spec: StudySpec
    episodes: pd.DataFrame
    visit_rows: pd.DataFrame
    exposures: tuple[str, ...]
    visits: tuple[str, ...]
    labels: dict[str, str] = field(default_factory=lambda: dict(LABELS))
    window_days: int = 14
    notes: tuple[str, ...] = ()
    delivered: pd.DataFrame = field(default_factory=pd.DataFrame)


PAIN = {"id": "pain", "role": "pain", "name": "Pain", "instrument": "nprs", "margin": 0.5}
MEDICATION = {
    "id": "medication", "role": "medication", "name": "Medication", "measure": "daily_mme",
    "margin": 5.0,
}  # fmt: skip


def spec(*, outcomes: tuple[dict[str, Any], ...] = (PAIN,), **sections: Any) -> StudySpec:
    """A study of three types; ``model`` and others replace whole tables."""
    given: dict[str, Any] = {
        "id": "stand-in",
        "records": {"path": "records"},
        "exposure": {"primary": "exercise"},
        "primary": {"outcome": "pain", "visit": "week_12"},
        "model": {"covariates": ["age", "sex", "clinic_id"], "draws": 5},
    }
    return StudySpec.model_validate({**given, "outcomes": list(outcomes), **sections})


def dataset(
    n: int = 600,
    *,
    seed: int = 1,
    study: StudySpec | None = None,
    follow_up: float = 0.8,
    whole: bool = True,
) -> Dataset:
    """Draw episodes: type depends on baseline and age, the course on type, baseline and age."""
    study = study or spec()
    rng = np.random.default_rng(seed)
    age = rng.normal(50, 12, n).round()
    baseline = np.clip(rng.normal(6, 1.8, n), 0, 10)
    lean = np.column_stack([0.03 * (50 - age), np.zeros(n), 0.15 * (baseline - 6)])
    exposure = np.array(EXPOSURES)[(lean + rng.gumbel(size=(n, 3))).argmax(axis=1)]
    course = _course(rng, n, age, baseline, exposure)
    if whole:
        baseline, course = baseline.round(), np.clip(course.round(), 0, 10)
    seen = rng.random(course.shape) < follow_up
    dose = np.where(rng.random(n) < 0.4, rng.gamma(2, 12, n), 0.0)
    later = dose[:, None] * rng.choice([0.0, 0.4, 1.0, 1.3], size=course.shape)
    ids = np.arange(1, n + 1) * 3
    patient = (np.arange(n) // 1.1).astype(int)  # some have two episodes, in one clinic
    clinic = rng.integers(1, 5, n)[patient]
    episodes = pd.DataFrame(
        {
            "episode_id": ids,
            "patient_id": patient,
            "clinic_id": pd.array(clinic, dtype="Int64"),
            "exposure": exposure,
            "age": np.where(rng.random(n) < 0.05, np.nan, age),
            "sex": rng.choice(["female", "male", None], n, p=[0.55, 0.4, 0.05]),
            "baseline_pain": np.where(rng.random(n) < 0.04, np.nan, baseline),
            "baseline_medication": dose,
            "baseline_any_opioid": dose > 0,
        }
    )
    visit_rows = pd.DataFrame(
        {
            "episode_id": np.repeat(ids, 4),
            "visit": np.tile(VISITS, n),
            "pain": np.where(seen, course, np.nan).ravel(),
            "medication": np.where(seen, later, np.nan).ravel(),
            "any_opioid": np.where(seen, later > 0, np.nan).ravel(),
        }
    )
    return Dataset(
        spec=study,
        episodes=episodes,
        visit_rows=visit_rows,
        exposures=EXPOSURES,
        visits=VISITS,
    )


def _course(
    rng: np.random.Generator,
    n: int,
    age: np.ndarray,
    baseline: np.ndarray,
    exposure: np.ndarray,
) -> np.ndarray:
    effect = np.array([EFFECT[name] for name in exposure])
    shared = rng.normal(0, 1.2, (n, 1))
    course = np.array([4.5, 4.0, 3.8, 3.8]) + effect[:, None] + shared
    return (
        course
        + 0.5 * (baseline[:, None] - 6)
        + 0.02 * (age[:, None] - 50)
        + rng.normal(0, 1.0, (n, 4))
    )
