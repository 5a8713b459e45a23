"""Declared tables of people and places: patients, their episodes, therapists, clinics."""

from __future__ import annotations

from outcomes.core.contract import Column, Table
from outcomes.records.declare import amount, code, flag, key

PATIENTS = Table(
    name="patients",
    description="One row a person.",
    key=("patient_id",),
    columns=(
        key("patient_id", "Pseudonymous person"),
        Column(
            name="birth_year",
            kind="integer",
            description="Year of birth; allowed only where no age band is given",
            unit="year",
            low=1900,
            high=2100,
            disclosure="quasi",
        ),
        code("age_band", "Age in bands, such as 45-54, at the first episode"),
        code("sex", "Sex as recorded", ("female", "male", "other", "unknown")),
        code("education", "Highest education", ("primary", "secondary", "tertiary", "unknown")),
        code("language", "Language against the clinic's own", ("same", "other", "unknown")),
        code("smoking", "Smoking at the first episode", ("never", "former", "current", "unknown")),
    ),
)

EPISODES = Table(
    name="episodes",
    description="One row an episode of care, referral to discharge; the unit of analysis.",
    key=("episode_id",),
    required=True,
    columns=(
        key("episode_id", "Pseudonymous episode of care"),
        key("patient_id", "Who was treated", references="patients.patient_id"),
        key("clinic_id", "Where", references="clinics.clinic_id", required=False),
        key("provider_id", "Main therapist", references="providers.provider_id", required=False),
        Column(
            name="program",
            kind="category",
            description="Program or assigned arm as the clinic names it",
            open_values=True,
            disclosure="label",
        ),
        code(
            "body_region",
            "Region of the complaint",
            ("low_back", "mid_back", "neck", "shoulder", "hip", "knee", "other", "unknown"),
        ),
        code("diagnosis", "Diagnosis group or code"),
        code(
            "chronicity",
            "Chronic by the two questions of the NIH task force",
            ("acute", "subacute", "chronic", "unknown"),
        ),
        amount("pain_duration_months", "How long the pain has been a problem", "months", 0, 1200),
        code("onset", "How it began", ("injury", "insidious", "work", "unknown")),
        code("referral", "How the patient came", ("physician", "direct", "other", "unknown")),
        amount("referral_wait_days", "Days from referral to the first visit", "d", 0, 3650, 365),
        code("payer", "Who pays", ("private", "public", "work_injury", "self", "other", "unknown")),
        amount("age", "Age at the start of the episode; top-coded at 90", "years", 0, 120, 100),
        amount("bmi", "Body mass index at intake", "kg/m2", 8, 120, 70),
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
        flag("leg_pain", "Pain below the knee at intake"),
        flag("spine_surgery", "Spine surgery before the episode"),
        flag("depression", "Depression screen positive at intake"),
        code(
            "posture_load",
            "Sustained posture or ergonomic exposure at work",
            ("low", "medium", "high", "unknown"),
        ),
        code("lifting_load", "Lifting exposure at work", ("low", "medium", "high", "unknown")),
        code(
            "work_status",
            "Work at intake",
            ("working", "modified", "off_work", "not_employed", "retired", "unknown"),
        ),
        amount("activity_minutes", "Physical activity at intake", "min/week", 0, 10080, 3000),
        code(
            "subgroup",
            "Treatment-based classification",
            ("directional", "stabilisation", "manipulation", "none", "unknown"),
        ),
        flag("red_flags", "Any red flag at intake screening"),
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
        code(
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

PROVIDERS = Table(
    name="providers",
    description="One row a therapist.",
    key=("provider_id",),
    columns=(
        key("provider_id", "Pseudonymous therapist"),
        key("clinic_id", "Clinic", references="clinics.clinic_id", required=False),
        code("profession", "Profession"),
        amount("experience_years", "Years in practice", "years", 0, 70),
    ),
)

CLINICS = Table(
    name="clinics",
    description="One row a clinic.",
    key=("clinic_id",),
    columns=(
        key("clinic_id", "Pseudonymous clinic"),
        code("region", "Region, coarse"),
        code("kind", "Kind of clinic"),
        code("records_dose_as", "How dose is recorded", ("minutes", "units", "visits", "unknown")),
    ),
)
