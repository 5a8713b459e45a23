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

from outcomes.core.contract import Column, Table

YES_NO_UNKNOWN: Final = ("yes", "no", "unknown")
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


def _key(name: str, what: str, *, references: str = "", required: bool = True) -> Column:
    return Column(
        name=name,
        kind="key",
        description=what,
        required=required,
        nullable=not required,
        references=references,
        disclosure="identifier",
    )


def _day(what: str = "Days from the start of the episode", *, required: bool = True) -> Column:
    return Column(
        name="day",
        kind="integer",
        description=what,
        required=required,
        nullable=not required,
        unit="d",
        low=-3650,
        high=7300,
        warn_low=-365,
        warn_high=1460,
    )


def _code(
    name: str, what: str, values: tuple[str, ...] = (), *, open_values: bool = True
) -> Column:
    return Column(
        name=name,
        kind="category",
        description=what,
        values=values,
        open_values=open_values,
        disclosure="quasi",
    )


def _flag(name: str, what: str) -> Column:
    return Column(name=name, kind="boolean", description=what, disclosure="quasi")


def _amount(
    name: str,
    what: str,
    unit: str,
    low: float | None = 0,
    high: float | None = None,
    warn_high: float | None = None,
) -> Column:
    return Column(
        name=name,
        kind="number",
        description=what,
        unit=unit,
        low=low,
        high=high,
        warn_high=warn_high,
    )


PATIENTS = Table(
    name="patients",
    description="One row a person.",
    key=("patient_id",),
    columns=(
        _key("patient_id", "Pseudonymous person"),
        Column(
            name="birth_year",
            kind="integer",
            description="Year of birth; allowed only where no age band is given",
            unit="year",
            low=1900,
            high=2100,
            disclosure="quasi",
        ),
        _code("age_band", "Age in bands, such as 45-54, at the first episode"),
        _code("sex", "Sex as recorded", ("female", "male", "other", "unknown")),
        _code("education", "Highest education", ("primary", "secondary", "tertiary", "unknown")),
        _code("language", "Language against the clinic's own", ("same", "other", "unknown")),
        _code("smoking", "Smoking at the first episode", ("never", "former", "current", "unknown")),
    ),
)

EPISODES = Table(
    name="episodes",
    description="One row an episode of care, referral to discharge; the unit of analysis.",
    key=("episode_id",),
    required=True,
    columns=(
        _key("episode_id", "Pseudonymous episode of care"),
        _key("patient_id", "Who was treated", references="patients.patient_id"),
        _key("clinic_id", "Where", references="clinics.clinic_id", required=False),
        _key("provider_id", "Main therapist", references="providers.provider_id", required=False),
        Column(
            name="program",
            kind="category",
            description="Program or assigned arm as the clinic names it",
            open_values=True,
            disclosure="label",
        ),
        _code(
            "body_region",
            "Region of the complaint",
            ("low_back", "mid_back", "neck", "shoulder", "hip", "knee", "other", "unknown"),
        ),
        _code("diagnosis", "Diagnosis group or code"),
        _code(
            "chronicity",
            "Chronic by the two questions of the NIH task force",
            ("acute", "subacute", "chronic", "unknown"),
        ),
        _amount("pain_duration_months", "How long the pain has been a problem", "months", 0, 1200),
        _code("onset", "How it began", ("injury", "insidious", "work", "unknown")),
        _code("referral", "How the patient came", ("physician", "direct", "other", "unknown")),
        _amount("referral_wait_days", "Days from referral to the first visit", "d", 0, 3650, 365),
        _code(
            "payer", "Who pays", ("private", "public", "work_injury", "self", "other", "unknown")
        ),
        _amount("age", "Age at the start of the episode; top-coded at 90", "years", 0, 120, 100),
        _amount("bmi", "Body mass index at intake", "kg/m2", 8, 120, 70),
        Column(
            name="comorbidities",
            kind="integer",
            description="Number of long-term conditions",
            low=0,
            high=40,
            disclosure="quasi",
        ),
        Column(
            name="previous_episodes",
            kind="integer",
            description="Earlier episodes of this complaint",
            low=0,
            high=200,
            disclosure="quasi",
        ),
        _flag("leg_pain", "Pain below the knee at intake"),
        _flag("spine_surgery", "Spine surgery before the episode"),
        _flag("depression", "Depression screen positive at intake"),
        _code(
            "posture_load",
            "Sustained posture or ergonomic exposure at work",
            ("low", "medium", "high", "unknown"),
        ),
        _code("lifting_load", "Lifting exposure at work", ("low", "medium", "high", "unknown")),
        _code(
            "work_status",
            "Work at intake",
            ("working", "modified", "off_work", "not_employed", "retired", "unknown"),
        ),
        _amount("activity_minutes", "Physical activity at intake", "min/week", 0, 10080, 3000),
        _code(
            "subgroup",
            "Treatment-based classification",
            ("directional", "stabilisation", "manipulation", "none", "unknown"),
        ),
        _flag("red_flags", "Any red flag at intake screening"),
        Column(
            name="patient_day",
            kind="integer",
            description="Start of the episode on the patient's own clock; 0 for a first episode",
            unit="d",
            low=0,
            high=36500,
        ),
        Column(
            name="start_month",
            kind="month",
            description="Calendar month of the start (YYYY-MM); optional, for charts over time",
            disclosure="quasi",
        ),
        Column(
            name="end_day",
            kind="integer",
            description="Last day of care",
            unit="d",
            low=0,
            high=7300,
            warn_high=1460,
        ),
        Column(
            name="followed_to_day",
            kind="integer",
            description="Last day until which prescriptions and events of the patient are known",
            unit="d",
            low=0,
            high=7300,
        ),
        _code(
            "discharge_reason",
            "Why care ended",
            (
                "goals_met",
                "plateau",
                "self_discharge",
                "lost",
                "referred_on",
                "payer",
                "ongoing",
                "unknown",
            ),
        ),
    ),
)

SESSIONS = Table(
    name="sessions",
    description="One row a contact, planned or held.",
    key=("session_id",),
    columns=(
        _key("session_id", "Pseudonymous session"),
        _key("episode_id", "Episode", references="episodes.episode_id"),
        _day(),
        _code("setting", "Where", ("clinic", "home", "pool", "group", "remote", "unknown")),
        _flag("supervised", "A therapist was present"),
        _flag("attended", "The patient came"),
        _flag("planned", "It was in the plan"),
        _amount("rpe", "Exertion of the session, Borg CR10", "points", 0, 10),
    ),
)

COMPONENTS = Table(
    name="components",
    description="One row an intervention within a session, with its dose.",
    columns=(
        _key("session_id", "Session", references="sessions.session_id"),
        Column(
            name="intervention",
            kind="category",
            description="Id of the intervention catalog",
            required=True,
            nullable=False,
            open_values=True,
            disclosure="label",
        ),
        _amount("minutes", "Time spent", "min", 0, 480, 120),
        _amount("units", "Billed units, where minutes are not recorded", "units", 0, 32, 8),
        _amount("sets", "Sets", "sets", 0, 50, 10),
        _amount("repetitions", "Repetitions a set", "repetitions", 0, 1000, 60),
        _amount("load", "Load", "kg", 0, 500, 200),
        _amount("level", "Progression level within the exercise, 1 easiest", "level", 0, 20, 10),
        _amount("intensity", "Stimulation intensity", "mA", 0, 200, 100),
        _amount("frequency_hz", "Stimulation frequency", "Hz", 0, 5_000_000, 200),
        Column(
            name="grade",
            kind="integer",
            description="Grade of a mobilisation or manipulation, 1-5",
            low=1,
            high=5,
        ),
        _code("region", "Body region treated"),
        _code("format", "Individual or group", ("individual", "group", "unknown")),
        _code("domain", "Domain of a training or education", ("work", "sleep", "daily", "unknown")),
    ),
)

ASSESSMENTS = Table(
    name="assessments",
    description="One row a dated score.",
    columns=(
        _key("episode_id", "Episode", references="episodes.episode_id"),
        _day(),
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
        _code(
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
        _key("episode_id", "Episode", references="episodes.episode_id"),
        _day(),
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
        _code(
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
        _key("patient_id", "Patient", references="patients.patient_id"),
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
        _code(
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
        _amount("strength", "Strength of one unit", "as in unit", 0, 1_000_000),
        _code("unit", "Unit of the strength", ("mg", "mcg", "mcg/h", "mg/ml", "g", "unknown")),
        _amount("quantity", "Units dispensed", "units", 0, 100_000, 1000),
        _amount("days_supply", "Days the quantity is meant to last", "d", 0, 365, 100),
        _flag("as_needed", "Taken as needed"),
        _code(
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
        _key("episode_id", "Episode", references="episodes.episode_id"),
        _day(),
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
        _code("detail", "Code that says more, such as a red flag or the place referred to"),
        _code("severity", "Grade", ("minor", "moderate", "major", "unknown")),
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

CARE_PLANS = Table(
    name="care_plans",
    description="One row a planned component.",
    columns=(
        _key("episode_id", "Episode", references="episodes.episode_id"),
        _day(),
        Column(
            name="intervention",
            kind="category",
            description="Planned intervention",
            required=True,
            nullable=False,
            open_values=True,
            disclosure="label",
        ),
        _amount("sessions_planned", "Sessions planned", "sessions", 0, 500, 100),
        _amount("per_week", "Sessions a week", "1/week", 0, 21, 7),
        _amount("home_per_week", "Home sessions a week", "1/week", 0, 35, 14),
        _flag("tailored", "Adapted to the patient"),
        _code("goal", "Main goal"),
    ),
)

HOME_LOG = Table(
    name="home_log",
    description="One row a week or day of what was done at home.",
    columns=(
        _key("episode_id", "Episode", references="episodes.episode_id"),
        _day("Last day of the logged period"),
        Column(
            name="intervention",
            kind="category",
            description="What was done",
            required=True,
            nullable=False,
            open_values=True,
            disclosure="label",
        ),
        _amount("sessions", "Home sessions in the period", "sessions", 0, 100, 21),
        _amount("minutes", "Minutes in the period", "min", 0, 10080, 1500),
        _code("source", "Self-report or device", ("self_report", "device", "unknown")),
    ),
)

PROVIDERS = Table(
    name="providers",
    description="One row a therapist.",
    key=("provider_id",),
    columns=(
        _key("provider_id", "Pseudonymous therapist"),
        _key("clinic_id", "Clinic", references="clinics.clinic_id", required=False),
        _code("profession", "Profession"),
        _amount("experience_years", "Years in practice", "years", 0, 70),
    ),
)

CLINICS = Table(
    name="clinics",
    description="One row a clinic.",
    key=("clinic_id",),
    columns=(
        _key("clinic_id", "Pseudonymous clinic"),
        _code("region", "Region, coarse"),
        _code("kind", "Kind of clinic"),
        _code("records_dose_as", "How dose is recorded", ("minutes", "units", "visits", "unknown")),
    ),
)

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
