"""The canonical tables, declared once.

Times are whole days from the start of the episode (``day``, negative before it), so that no
calendar date is needed. ``episodes.patient_day`` puts that start on the patient's own clock, on
which ``medications.day`` runs, so that prescriptions reach across episodes.

Only ``episodes`` and one of ``assessments`` and ``items`` are required. Every analysis says what it
needs and is left out, with a reason, when it is not there. Identifiers are pseudonyms by contract
and become integers at intake.
"""

from __future__ import annotations

from typing import Final

from outcomes.core.contract import Table
from outcomes.records.schema_care import CARE_PLANS, COMPONENTS, HOME_LOG, SESSIONS
from outcomes.records.schema_course import ASSESSMENTS, EVENT_KINDS, EVENTS, ITEMS, MEDICATIONS
from outcomes.records.schema_people import CLINICS, EPISODES, PATIENTS, PROVIDERS

__all__ = ["EPISODES", "EVENT_KINDS", "IDENTIFIERS", "PATIENTS", "TABLES"]

TABLES: Final[dict[str, Table]] = {
    table.name: table
    for table in (
        PATIENTS,
        EPISODES,
        SESSIONS,
        COMPONENTS,
        ASSESSMENTS,
        ITEMS,
        MEDICATIONS,
        EVENTS,
        CARE_PLANS,
        HOME_LOG,
        PROVIDERS,
        CLINICS,
    )
}

IDENTIFIERS: Final = ("patient_id", "episode_id", "session_id", "provider_id", "clinic_id")
"""Pseudonyms by contract: allowed as names after the mapping; value patterns still run on them."""
