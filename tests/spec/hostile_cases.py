"""The broken inputs: of ``study.toml``, of whole tables, and of single rows."""

from __future__ import annotations

from outcomes.core.errors import ExitCode
from tests.spec.hostile import (
    CANARY,
    EPISODES,
    NUMBER,
    SCORES,
    STUDY,
    Hostile,
    added,
    bytes_of,
    cell,
    column,
    each,
    half_a_parquet,
    study,
    together,
    without,
)

SPEC, RECORDS, ESTIMATION = ExitCode.SPEC, ExitCode.RECORDS, ExitCode.ESTIMATION
FINE = ExitCode.FINE
FORMULA = "=cmd|' /C calc'!A0"
SCRIPT = "<script>alert(1)</script>"


def _faulty(name: str, old: str, new: str, *says: str) -> Hostile:
    return Hostile(name=name, change=study(old, new), code=SPEC, says=says)


STUDIES = (
    _faulty("covariate", '"sex"]', '"shoe_size"]', "[model] covariates", "'shoe_size'", "choose"),
    _faulty("outcome", 'outcome = "pain"', 'outcome = "joy"', "[primary] outcome", "'pain'"),
    _faulty("visit", 'visit = "week_6"', 'visit = "week_7"', "[primary] visit", "'week_6'"),
    _faulty("type", 'primary = "exercise"', 'primary = "magic"', "[exposure] primary", "'magic'"),
    _faulty("instrument", '"nprs"', '"smileys"', "[[outcomes]] 1 (pain)", "'smileys'"),
    _faulty("key", "[gate]", "[gate]\ngroup_sise = 1", "[gate] group_sise", "'group_size'"),
    _faulty("number", "margin = 0.5", "margin = -1", "(pain) margin", "more than 0"),
    _faulty("no_margin", "margin = 0.5\n", "", "(pain) margin", "is missing", "Smallest"),
    _faulty("endless", "margin = 0.5", "margin = inf", "(pain) margin", "finite"),
    _faulty("twice", "[gate]", '[records]\npath = "x"\n[gate]', "not valid TOML", "line"),
    _faulty("threshold", "[gate]", "[disclosure]\nthreshold = 3\n[gate]", "threshold", "11"),
    _faulty("no_exposure", STUDY[STUDY.index("[exposure]") : STUDY.index("[primary]")], "",
            "exposure: is missing", "Add the table [exposure]"),
    Hostile(name="empty_study", change=bytes_of("study.toml", lambda _: b""), code=SPEC,
            says=("4 faults", "id: is missing", "primary: is missing. Add", "--records PATH")),
    Hostile(name="half_a_study", change=bytes_of("study.toml", lambda old: old[:43]), code=SPEC,
            says=("study.toml", "not valid TOML", "Mend")),
    Hostile(name="utf16_study", code=SPEC, says=("line 1 is not UTF-8", "Save"),
            change=bytes_of("study.toml", lambda old: old.decode().encode("utf-16"))),
    Hostile(name="nul_study", code=SPEC, says=("NUL", "UTF-8"),
            change=bytes_of("study.toml", lambda old: old + b"#\0")),
    Hostile(name="no_study", change=lambda d: (d / "study.toml").unlink(), code=SPEC,
            says=("study.toml", "cannot be read", "Give the path")),
    Hostile(name="no_mapping", code=SPEC, says=("mapping.toml", "cannot be read"),
            change=study('path = "records"', 'path = "records"\nmapping = "mapping.toml"')),
    Hostile(name="no_records", code=ExitCode.USAGE, says=("nowhere", "does not exist"),
            change=study('"records"', '"nowhere"')),
)  # fmt: skip


def _few(kept: set[int]) -> Hostile:
    """Leave the exercise of some episodes only."""
    change = each(
        "components",
        lambda k, cells: cells if k in kept or k % 2 == 0 else [cells[0], "care.assessment", "20"],
    )
    return Hostile(
        name=f"a_group_of_{len(kept)}",
        change=together(change, study("min_group = 10", "min_group = 2")),
        code=ESTIMATION,
        says=("the primary type 'exercise'", f"has {len(kept)}", "min_group = 2", "[population]"),
        check_code=RECORDS,
    )


TABLES = (
    Hostile(name="no_episodes", change=without("episodes"), code=RECORDS,
            says=("episodes: is required", "episodes.csv or episodes.parquet")),
    Hostile(name="no_scores", change=without("assessments"), code=RECORDS,
            says=("assessments: is required", "outcomes init")),
    Hostile(name="no_sessions", change=without("sessions", "components"), code=RECORDS,
            says=("sessions: is needed to tell the types apart", "source = 'program'")),
    Hostile(name="no_components", change=without("components"), code=RECORDS,
            says=("components: is needed to tell the types apart", "Export")),
    Hostile(name="half_a_parquet", change=half_a_parquet, code=RECORDS,
            says=("assessments: cannot be read as a Parquet file", "export it again")),
    Hostile(name="types", code=RECORDS,
            change=each("assessments", lambda _, c: [*c[:3], CANARY]),
            says=("assessments.score", f"{SCORES} of {SCORES} rows are not numbers",
                  "first rows 1, 2, 3", "Correct the cells")),
    Hostile(name="duplicate_episodes", code=RECORDS,
            change=added("episodes", *(f"E{k},P{k},{CANARY},30,self,9" for k in range(1, 41))),
            says=("episodes.episode_id", "80 of 100 rows share their episode_id", "first rows 1,",
                  "quarantine_limit allows 20%", "set aside")),
    Hostile(name="days_reversed", code=RECORDS,
            change=each("episodes", lambda _, c: [*c[:5], f"-{NUMBER}"]),
            says=("episodes.end_day", "outside 0 to 7300 d", "first rows 1, 2", "Correct them")),
    Hostile(name="all_out_of_range", code=RECORDS,
            change=each("assessments", lambda _, c: [*c[:3], NUMBER]),
            says=("assessments.score", "outside 0 to 10 for instrument 'nprs'", "first rows 1,",
                  "raw sums")),
    Hostile(name="orphans", code=RECORDS,
            change=each("assessments", lambda k, c: [f"{CANARY}{k}", *c[1:]]),
            says=("assessments.episode_id", "refer to an id that episodes does not hold",
                  "first rows 1,", "Export both tables")),
    Hostile(name="empty_scores", change=each("assessments", lambda *_: None), code=RECORDS,
            says=("assessments: holds no row", "Export it again")),
    Hostile(name="empty_episodes", change=each("episodes", lambda *_: None), code=RECORDS,
            says=("episodes: holds no row", "sessions.episode_id", "first rows 1,")),
    Hostile(name="empty_sessions", change=each("sessions", lambda *_: None), code=RECORDS,
            says=("components.session_id", "sessions: holds no row", "quarantine_limit")),
    Hostile(name="empty_file", change=bytes_of("records/assessments.csv", lambda _: b""),
            code=RECORDS, says=("assessments: is required", "assessments: ", "empty")),
    Hostile(name="nul_bytes", code=RECORDS, says=("assessments", "NUL bytes", "export again"),
            change=added("assessments", f"E1,60,nprs,\0{CANARY}")),
    Hostile(name="spreadsheet", code=RECORDS,
            says=("assessments: is not a text file", "export again"),
            change=bytes_of("records/assessments.csv", lambda _: b"PK\x03\x04" + b"Zq7731" * 9)),
    Hostile(name="open_quote", code=RECORDS, says=("assessments", "quote"),
            change=added("assessments", f'E1,60,"{CANARY},5', "E2,60,nprs,4")),
    Hostile(name="telephones", code=RECORDS, says=("patients.telephone", "drop"),
            change=column("patients", "telephone", lambda c: f"{NUMBER}{c[0][1:]}")),
    Hostile(name="names", code=RECORDS, says=("patients.last_name", "drop"),
            change=column("patients", "last_name", lambda _: CANARY)),
    Hostile(name="a_date_of_birth", code=RECORDS, says=("episodes.age", "dates"),
            change=each("episodes", lambda _, c: [*c[:3], "1971-03-09", *c[4:]])),
    Hostile(name="two_tables_at_fault", code=RECORDS,
            change=together(each("sessions", lambda _, c: [*c[:2], CANARY, c[3]]),
                            each("assessments", lambda _, c: [*c[:3], NUMBER])),
            says=("sessions.day", "not whole numbers", "assessments.score", "outside 0 to 10")),
    Hostile(name="two_tables_missing_and_one_named", code=RECORDS,
            change=together(without("assessments"), column("patients", "mrn", lambda _: NUMBER),
                            bytes_of("records/components.csv", lambda old: old + b"\0")),
            says=("assessments: is required", "patients.mrn", "components", "NUL")),
    Hostile(name="no_exercise_coded", change=each("components", lambda *_: None), code=ESTIMATION,
            says=("the primary type 'exercise' has 0", "intervention codes"), check_code=RECORDS),
    _few(set()),
    _few({1}),
    Hostile(name="one_visit", code=ESTIMATION, check_code=RECORDS,
            change=each("assessments", lambda _, c: c if c[1] == "0" else None),
            says=("none of the 60 analysed episodes", "'week_6'", "widen the window")),
    Hostile(name="all_missing", code=ESTIMATION, check_code=RECORDS,
            change=each("assessments", lambda _, c: [*c[:3], ""]),
            says=("none of the 60 analysed episodes has scores", "[primary]")),
    Hostile(name="other_instrument", change=study('"nprs"', '"odi"'), code=ESTIMATION,
            check_code=RECORDS, says=("scores of 'odi'", "[primary]")),
    Hostile(name="a_group_without_follow_up", code=ESTIMATION, check_code=FINE,
            change=each("assessments", lambda k, c: c if c[1] == "0" or k % 6 > 3 or not k % 6
                        else None),
            says=("no episode of Exercise was measured", "[primary] pain at week_6")),
    Hostile(name="a_covariate_that_is_the_type", code=ESTIMATION, check_code=FINE,
            change=together(study('"age", "sex"', '"onset"'),
                            column("episodes", "onset",
                                   lambda c: "work" if int(c[0][1:]) % 2 else "injury")),
            says=("[primary] pain at week_6", "covariates", "[model] covariates")),
    Hostile(name="scores_without_spread", code=ESTIMATION, check_code=FINE,
            change=each("assessments", lambda _, c: [*c[:3], "5"]),
            says=("spread",)),
)  # fmt: skip


def _odd(
    name: str, table: str, row: str, number: int | str, *says: str, fails: bool = True
) -> Hostile:
    """One odd row after the right ones: it is named, set aside or kept, and the rest goes on."""
    return Hostile(
        name=name,
        change=added(table, row),
        code=RECORDS if fails else FINE,
        says=(f"{table}", f"first rows {number}", *says),
    )


ROWS = (
    _odd("score_text", "assessments", f"E1,60,nprs,{CANARY}", SCORES + 1, ".score", "not numbers"),
    _odd("score_range", "assessments", f"E1,61,nprs,{NUMBER}", SCORES + 1, ".score", "0 to 10"),
    _odd("score_huge", "assessments", f"E1,62,nprs,{NUMBER * 3}", SCORES + 1, ".score"),
    _odd("day_huge", "assessments", f"E1,{NUMBER * 4},nprs,5", SCORES + 1, ".day", "whole numbers"),
    _odd("day_far", "assessments", f"E1,{NUMBER},nprs,5", SCORES + 1, ".day", "-3650 to 7300"),
    _odd("orphan", "assessments", f"{CANARY},60,nprs,5", SCORES + 1, ".episode_id", "Export both"),
    _odd("short_row", "assessments", f"E1,{CANARY}", SCORES + 1, "fewer cells"),
    _odd("long_row", "assessments", f"E1,63,nprs,4,{CANARY}", SCORES + 1, "more cells"),
    _odd("unknown_instrument", "assessments", f"E1,64,{CANARY},5", SCORES + 1, "catalog",
         fails=False),
    _odd("same_day", "assessments", "E1,56,nprs,5", f"2, {SCORES + 1}", "same instrument and day",
         fails=False),
    _odd("duplicate_key", "episodes", f"E2,P2,low_back,50,{CANARY},90", EPISODES + 1,
         ".episode_id", "share their episode_id", "correct the export"),
    _odd("days_out_of_order", "episodes", f"E61,P3,low_back,50,public,-{NUMBER}", EPISODES + 1,
         ".end_day", "0 to 7300"),
    _odd("age_huge", "episodes", f"E61,P3,low_back,99{NUMBER}99999,public,9", EPISODES + 1, ".age"),
    _odd("unknown_payer", "episodes", f"E61,P3,low_back,50,{CANARY},90", EPISODES + 1, ".payer",
         "does not know", fails=False),
    _odd("formula", "episodes", f'E61,P3,low_back,50,"{FORMULA}{CANARY}",90', EPISODES + 1,
         ".payer", "spreadsheet formula", fails=False),
    _odd("markup", "episodes", f"E61,P3,low_back,50,<script>{CANARY}</script>,90", EPISODES + 1,
         ".payer", "markup", fails=False),
    _odd("unknown_region", "episodes", f"E61,P3,{CANARY},50,public,90", EPISODES + 1,
         ".body_region", fails=False),
    _odd("unknown_intervention", "components", f"S1,{CANARY},20", EPISODES + 1, ".intervention",
         fails=False),
    _odd("minutes_negative", "components", f"S1,exercise.general,-{NUMBER}", EPISODES + 1,
         ".minutes"),
    _odd("session_of_nobody", "sessions", f"S61,{CANARY},2,true", EPISODES + 1, ".episode_id"),
    _odd("attended_text", "sessions", f"S61,E1,3,{CANARY}", EPISODES + 1, ".attended"),
    _odd("unknown_sex", "patients", f"P61,{CANARY}", EPISODES + 1, ".sex", fails=False),
    Hostile(name="utf16", code=FINE, says=("assessments", "read as utf-16", "encoding"),
            change=bytes_of("records/assessments.csv", lambda old: old.decode().encode("utf-16"))),
    Hostile(name="nobody_described", change=each("patients", lambda *_: None), code=FINE,
            says=("patients: holds no row", "episodes.patient_id", "first rows 1,")),
    Hostile(name="first_row", change=cell("assessments", 1, 3, CANARY), code=RECORDS,
            says=("assessments.score", "1 of 180 rows", "first rows 1)")),
)  # fmt: skip

COLLINEAR = together(
    column("episodes", "bmi", lambda cells: 0.5 * int(cells[3]) + 10),
    study('"age", "sex"', '"age", "sex", "bmi"'),
)
"""Body mass index as half the age and ten: it says nothing that the age does not."""
LABELS = study(
    "[primary]\n",
    f"""\
[[exposure.types]]
id = "exercise"
name = "{SCRIPT}"
interventions = ["exercise"]
[[exposure.types]]
id = "usual_care"
name = "{FORMULA}"
[primary]
""",
)
