"""Episodes by intervention type, and the words for what stands in their columns.

Every descriptive table has a row for each type, in the study's order, and one for all together,
whose exposure is the empty string.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from outcomes.study.dataset import StudyDataset

    Masks = tuple[tuple[str, NDArray[np.bool_]], ...]

ALL: Final = ""
"""The exposure of a row about all types together."""

COLUMN_LABELS: Final[dict[str, str]] = {
    "age": "Age",
    "age_band": "Age band",
    "sex": "Sex",
    "education": "Education",
    "language": "Language",
    "smoking": "Smoking",
    "body_region": "Body region",
    "diagnosis": "Diagnosis",
    "chronicity": "Chronicity",
    "pain_duration_months": "Duration of pain",
    "onset": "Onset",
    "referral": "Referral",
    "referral_wait_days": "Wait from referral to first visit",
    "payer": "Payer",
    "bmi": "Body mass index",
    "comorbidities": "Long-term conditions",
    "previous_episodes": "Earlier episodes",
    "leg_pain": "Pain below the knee",
    "spine_surgery": "Earlier spine surgery",
    "depression": "Depression screen positive",
    "posture_load": "Posture load at work",
    "lifting_load": "Lifting load at work",
    "work_status": "Work at intake",
    "activity_minutes": "Physical activity",
    "subgroup": "Treatment-based class",
    "red_flags": "Any red flag at intake",
}
"""Covariates known at the start of care, in the order in which tables show them."""


def exposure_order(dataset: StudyDataset) -> tuple[str, ...]:
    """Return the exposures in the study's order, then all together."""
    return (*dataset.exposures, ALL)


def group_codes(dataset: StudyDataset) -> NDArray[np.intp]:
    """Return the position in ``dataset.exposures`` of each row of ``dataset.episodes``."""
    import pandas as pd

    found = pd.Index(dataset.exposures).get_indexer(pd.Index(dataset.episodes["exposure"]))
    return np.asarray(found, dtype=np.intp)


def group_masks(dataset: StudyDataset) -> Masks:
    """Return each exposure, then all together, with the rows of ``dataset.episodes`` in it."""
    codes = group_codes(dataset)
    groups = [(exposure, codes == k) for k, exposure in enumerate(dataset.exposures)]
    return (*groups, (ALL, np.ones(len(codes), dtype=bool)))
