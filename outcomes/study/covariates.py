"""Which recorded columns may describe an episode at time zero.

Everything here is known before the episode starts or at intake; what happens later (end of care,
its reason, how long the patient was followed) can never be a covariate.
"""

from __future__ import annotations

from typing import Final

from outcomes.core.contract import Column
from outcomes.records.schema import EPISODES, PATIENTS

NOT_COVARIATES: Final = (
    "episode_id", "patient_id", "program", "start_month", "patient_day", "end_day",
    "followed_to_day", "discharge_reason",
)  # fmt: skip
"""Keys, assignment, clocks, and what is only known after time zero."""


def covariate_columns() -> tuple[tuple[str, Column], ...]:
    """Return (table, column) of every column that can be a covariate, in the schema's order."""
    pairs = [("episodes", column) for column in EPISODES.columns]
    pairs += [("patients", column) for column in PATIENTS.columns]
    return tuple(pair for pair in pairs if pair[1].name not in NOT_COVARIATES)


def covariate_names() -> tuple[str, ...]:
    """Return the names that ``[model] covariates`` may hold."""
    return tuple(column.name for _, column in covariate_columns())
