"""Declared tables of the course: scores and answers, prescriptions, events."""

from __future__ import annotations

from typing import Final

from outcomes.core.contract import Column, Table
from outcomes.records.declare import amount, code, day, flag, key

EVENT_KINDS: Final = (
    "soreness",
    "flare",
    "fall",
    "adverse_drug_event",
    "serious_adverse_event",
    "new_injury",
    "pain_during_exercise",
    "stopped_for_pain",
    "contact_made",
    "neuro_symptom",
    "function_drop",
    "pain_on_movement",
    "red_flag_screen",
    "red_flag",
    "review",
    "referral",
    "recurrence",
    "care_seeking",
    "imaging",
    "injection",
    "surgery",
    "emergency_visit",
    "work_absence_start",
    "return_to_work",
    "workstation_change",
)
"""What ``events.kind`` may say; other codes are kept and reported."""

ASSESSMENTS = Table(
    name="assessments",
    description="One row a dated score.",
    columns=(
        key("episode_id", "Episode", references="episodes.episode_id"),
        day(),
        Column(
            name="instrument",
            kind="category",
            description="Id of the instrument catalog",
            required=True,
            nullable=False,
            open_values=True,
            disclosure="label",
        ),
        Column(
            name="score",
            kind="number",
            description="Result in the instrument's unit; its range is the catalog's",
            required=True,
            unit="instrument",
        ),
        code(
            "occasion",
            "What the assessment was for",
            ("intake", "progress", "discharge", "follow_up", "unknown"),
        ),
    ),
)

ITEMS = Table(
    name="items",
    description="One row an answer to one item, scored by the toolkit.",
    columns=(
        key("episode_id", "Episode", references="episodes.episode_id"),
        day(),
        Column(
            name="instrument",
            kind="category",
            description="Id of the instrument catalog",
            required=True,
            nullable=False,
            open_values=True,
            disclosure="label",
        ),
        Column(
            name="item",
            kind="integer",
            description="Number of the item, from 1",
            required=True,
            nullable=False,
            low=1,
            high=200,
            disclosure="label",
        ),
        Column(name="answer", kind="number", description="Answer as coded", required=True),
        code(
            "occasion",
            "What the assessment was for",
            ("intake", "progress", "discharge", "follow_up", "unknown"),
        ),
    ),
)

MEDICATIONS = Table(
    name="medications",
    description="One row a prescription or dispensing.",
    columns=(
        key("patient_id", "Patient", references="patients.patient_id"),
        Column(
            name="day",
            kind="integer",
            description="Start, on the patient's own clock",
            required=True,
            nullable=False,
            unit="d",
            low=-3650,
            high=36500,
        ),
        Column(
            name="drug",
            kind="category",
            description="Id of the medication catalog, or a name it knows",
            required=True,
            nullable=False,
            open_values=True,
            disclosure="label",
        ),
        code(
            "route",
            "Route",
            (
                "oral",
                "transdermal",
                "sublingual",
                "buccal",
                "nasal",
                "rectal",
                "parenteral",
                "topical",
                "unknown",
            ),
        ),
        amount("strength", "Strength of one unit", "as in unit", 0, 1_000_000),
        code("unit", "Unit of the strength", ("mg", "mcg", "mcg/h", "mg/ml", "g", "unknown")),
        amount("quantity", "Units dispensed", "units", 0, 100_000, 1000),
        amount("days_supply", "Days the quantity is meant to last", "d", 0, 365, 100),
        flag("as_needed", "Taken as needed"),
        code(
            "source",
            "Where the record comes from",
            ("dispensed", "prescribed", "reported", "unknown"),
        ),
    ),
)

EVENTS = Table(
    name="events",
    description="One row a dated event: harms, triggers, referrals, recurrence, work.",
    columns=(
        key("episode_id", "Episode", references="episodes.episode_id"),
        day(),
        Column(
            name="kind",
            kind="category",
            description="What happened",
            required=True,
            nullable=False,
            values=EVENT_KINDS,
            open_values=True,
            disclosure="label",
        ),
        code("detail", "Code that says more, such as a red flag or the place referred to"),
        code("severity", "Grade", ("minor", "moderate", "major", "unknown")),
        Column(
            name="acted_day",
            kind="integer",
            description="Day on which it was acted on",
            unit="d",
            low=-3650,
            high=7300,
        ),
    ),
)
