"""Columns and values that point at a person, and mappings that do not fit the files."""

from __future__ import annotations

from tests.spec.broken import CANARY, LONG_CELL, Broken, assessed, row, score

PEOPLE = (
    Broken(
        name="column_of_names",
        files={"patients.csv": f"patient_id,Last Name\nP1,{CANARY}\n"},
        severity="fatal",
        rule="identifier",
        table="patients",
        column="Last Name",
    ),
    Broken(
        name="column_of_birth_dates",
        files={"patients.csv": f"patient_id,DOB\nP1,{CANARY}\n"},
        severity="fatal",
        rule="identifier",
        table="patients",
        column="DOB",
    ),
    Broken(
        name="column_of_record_numbers",
        files={"patients.csv": f"patient_id,MRN\nP1,{CANARY}\n"},
        severity="fatal",
        rule="identifier",
        table="patients",
        column="MRN",
    ),
    Broken(
        name="column_of_notes",
        files={"patients.csv": f"patient_id,Progress notes\nP1,{CANARY}\n"},
        severity="fatal",
        rule="identifier",
        table="patients",
        column="Progress notes",
    ),
    Broken(
        name="mail_address_in_a_code",
        files=row("clinics", f"C9,{CANARY}@example.org"),
        severity="fatal",
        rule="identifier",
        table="clinics",
        column="region",
        rows=(3,),
    ),
    Broken(
        name="social_security_numbers_as_ids",
        files={"patients.csv": "patient_id,sex\n078-05-1120,male\nP1,female\n"},
        severity="fatal",
        rule="identifier",
        table="patients",
        column="patient_id",
        rows=(1,),
    ),
    Broken(
        name="mail_addresses_as_ids",
        files={"patients.csv": f"patient_id,sex\n{CANARY}@example.org,male\nP1,female\n"},
        severity="fatal",
        rule="identifier",
        table="patients",
        column="patient_id",
        rows=(1,),
    ),
    Broken(
        name="very_long_cell",
        files=row("clinics", f"C9,{LONG_CELL}"),
        severity="fatal",
        rule="identifier",
        table="clinics",
        column="region",
        rows=(3,),
    ),
)

SOURCE = '[sources."assessments.csv"]\npseudonymous = ["episode_id"]\n'
MAPPED = SOURCE + '[[tables]]\nsource = "assessments.csv"\ntable = "assessments"\n'

MAPPINGS = (
    Broken(
        name="mapped_file_missing",
        mapping='[[tables]]\nsource = "scores.csv"\ntable = "assessments"\n',
        severity="fatal",
        rule="missing_file",
    ),
    Broken(
        name="mapped_column_missing",
        mapping=MAPPED + '[tables.columns]\nscore = "scor"\n',
        severity="fatal",
        rule="missing_column",
    ),
    Broken(
        name="mapped_pattern_matches_nothing",
        mapping=MAPPED + '[[tables.wide]]\npattern = "{instrument}_wk{week}"\n',
        severity="fatal",
        rule="missing_column",
    ),
    Broken(
        name="mapped_start_missing",
        mapping=MAPPED
        + '[dates]\nsource = "visits.csv"\nepisode = "episode_id"\nstart = "start"\n',
        severity="fatal",
        rule="missing_file",
        table="episodes",
    ),
    Broken(
        name="mapped_id_not_declared",
        mapping=MAPPED.removeprefix(SOURCE),
        severity="fatal",
        rule="identifier",
        column="episode_id",
    ),
    Broken(
        name="code_not_recoded",
        files=assessed(score("5", instrument=CANARY)),
        mapping=MAPPED
        + '[tables.columns]\ninstrument = { from = "instrument", '
        + 'recode = { nprs = "nprs", odi = "odi" } }\n',
        severity="warning",
        rule="unmapped_code",
        column="instrument",
        rows=(11,),
        kept=10,
    ),
)
