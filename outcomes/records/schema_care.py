"""Declared tables of care: sessions and what was done in them, plans, what was done at home."""

from __future__ import annotations

from outcomes.core.contract import Column, Table
from outcomes.records.declare import amount, code, day, flag, key

SESSIONS = Table(
    name="sessions",
    description="One row a contact, planned or held.",
    key=("session_id",),
    columns=(
        key("session_id", "Pseudonymous session"),
        key("episode_id", "Episode", references="episodes.episode_id"),
        day(),
        code("setting", "Where", ("clinic", "home", "pool", "group", "remote", "unknown")),
        flag("supervised", "A therapist was present"),
        flag("attended", "The patient came"),
        flag("planned", "It was in the plan"),
        amount("rpe", "Exertion of the session, Borg CR10", "points", 0, 10),
    ),
)

COMPONENTS = Table(
    name="components",
    description="One row an intervention within a session, with its dose.",
    columns=(
        key("session_id", "Session", references="sessions.session_id"),
        Column(
            name="intervention",
            kind="category",
            description="Id of the intervention catalog",
            required=True,
            nullable=False,
            open_values=True,
            disclosure="label",
        ),
        amount("minutes", "Time spent", "min", 0, 480, 120),
        amount("units", "Billed units, where minutes are not recorded", "units", 0, 32, 8),
        amount("sets", "Sets", "sets", 0, 50, 10),
        amount("repetitions", "Repetitions a set", "repetitions", 0, 1000, 60),
        amount("load", "Load", "kg", 0, 500, 200),
        amount("level", "Progression level within the exercise, 1 easiest", "level", 0, 20, 10),
        amount("intensity", "Stimulation intensity", "mA", 0, 200, 100),
        amount("frequency_hz", "Stimulation frequency", "Hz", 0, 5_000_000, 200),
        Column(
            name="grade",
            kind="integer",
            description="Grade of a mobilisation or manipulation, 1-5",
            low=1,
            high=5,
        ),
        code("region", "Body region treated"),
        code("format", "Individual or group", ("individual", "group", "unknown")),
        code("domain", "Domain of a training or education", ("work", "sleep", "daily", "unknown")),
    ),
)

CARE_PLANS = Table(
    name="care_plans",
    description="One row a planned component.",
    columns=(
        key("episode_id", "Episode", references="episodes.episode_id"),
        day(),
        Column(
            name="intervention",
            kind="category",
            description="Planned intervention",
            required=True,
            nullable=False,
            open_values=True,
            disclosure="label",
        ),
        amount("sessions_planned", "Sessions planned", "sessions", 0, 500, 100),
        amount("per_week", "Sessions a week", "1/week", 0, 21, 7),
        amount("home_per_week", "Home sessions a week", "1/week", 0, 35, 14),
        flag("tailored", "Adapted to the patient"),
        code("goal", "Main goal"),
    ),
)

HOME_LOG = Table(
    name="home_log",
    description="One row a week or day of what was done at home.",
    columns=(
        key("episode_id", "Episode", references="episodes.episode_id"),
        day("Last day of the logged period"),
        Column(
            name="intervention",
            kind="category",
            description="What was done",
            required=True,
            nullable=False,
            open_values=True,
            disclosure="label",
        ),
        amount("sessions", "Home sessions in the period", "sessions", 0, 100, 21),
        amount("minutes", "Minutes in the period", "min", 0, 10080, 1500),
        code("source", "Self-report or device", ("self_report", "device", "unknown")),
    ),
)
