"""Files that are missing, damaged, of another kind or without the columns that are needed."""

from __future__ import annotations

from tests.spec.broken import (
    ASSESSED,
    CANARY,
    HEADER,
    PARQUET_ONLY,
    SCORES_SQL,
    Broken,
    assessed,
    emptied,
    folder_named_like_a_file,
    parquet,
)

FILES = (
    Broken(
        name="no_file_at_all",
        arrange=emptied,
        severity="fatal",
        rule="missing_table",
        table="episodes",
    ),
    Broken(
        name="episodes_missing",
        files={"episodes.csv": None},
        severity="fatal",
        rule="missing_table",
        table="episodes",
    ),
    Broken(
        name="scores_missing",
        files={"assessments.csv": None},
        severity="fatal",
        rule="missing_table",
    ),
    Broken(name="empty_file", files=assessed(""), severity="warning", rule="empty_file"),
    Broken(
        name="blank_lines_only", files=assessed("\n \n\n"), severity="warning", rule="empty_file"
    ),
    Broken(name="header_only", files=assessed(HEADER), severity="fatal", rule="empty_table"),
    Broken(
        name="header_only_sessions",
        files={"sessions.csv": "session_id,episode_id,day\n", "components.csv": None},
        severity="warning",
        rule="empty_table",
        table="sessions",
        kept=10,
    ),
    Broken(
        name="cut_off_in_a_row",
        files=assessed(ASSESSED + f"E2,9,{CANARY}"),
        rule="truncated",
        rows=(11,),
        kept=10,
    ),
    Broken(
        name="quote_never_closed",
        files=assessed(ASSESSED + f'E2,9,"{CANARY},5\nE2,10,nprs,4\n'),
        severity="fatal",
        rule="unclosed_quote",
        rows=(11,),
    ),
    Broken(
        name="short_row",
        files=assessed(ASSESSED.replace("E1,42,nprs,4", f"E1,{CANARY}")),
        rule="short_row",
        rows=(2,),
        kept=9,
    ),
    Broken(
        name="long_row",
        files=assessed(ASSESSED.replace("E1,42,nprs,4", f"E1,42,nprs,4,{CANARY}")),
        rule="long_row",
        rows=(2,),
        kept=9,
    ),
    Broken(
        name="nul_bytes",
        files=assessed(ASSESSED.encode() + b"E2,9,nprs,\x00Zq7731\n"),
        severity="fatal",
        rule="nul_bytes",
    ),
    Broken(
        name="a_spreadsheet_by_another_name",
        files=assessed(b"PK\x03\x04" + CANARY.encode() * 9),
        severity="fatal",
        rule="not_text",
    ),
    Broken(
        name="a_spreadsheet",
        files={"assessments.csv": None, "assessments.xlsx": b"PK\x03\x04Zq7731"},
        severity="warning",
        rule="unread_format",
    ),
    Broken(
        name="utf16",
        files=assessed(ASSESSED.encode("utf-16")),
        severity="note",
        rule="encoding",
        kept=10,
    ),
    Broken(
        name="utf16_without_mark",
        files=assessed(ASSESSED.encode("utf-16-le")),
        severity="note",
        rule="encoding",
        kept=10,
    ),
    Broken(
        name="latin1",
        files={"clinics.csv": "clinic_id,region\nC1,n\xf8rth\nC2,south\n".encode("latin-1")},
        severity="note",
        rule="encoding",
        table="clinics",
        kept=10,
    ),
    Broken(
        name="duplicated_column",
        files=assessed(
            ASSESSED.replace(HEADER, "episode_id,day,instrument,score,Score\n")
            .replace("nprs,", "nprs,9,")
            .replace("odi,", "odi,9,")
        ),
        severity="fatal",
        rule="duplicate_column",
        column="score",
    ),
    Broken(
        name="two_files_for_a_table",
        files={"assessments.tsv": ASSESSED.replace(",", "\t")},
        arrange=parquet("assessments.parquet", SCORES_SQL.format(day0=0, day1=42, low=5, high=4)),
        severity="fatal",
        rule="two_sources",
    ),
    Broken(
        name="corrupt_parquet",
        files=PARQUET_ONLY | {"assessments.parquet": b"PAR1 Zq7731 PAR1"},
        severity="fatal",
        rule="unreadable",
    ),
    Broken(
        name="empty_parquet",
        files=PARQUET_ONLY | {"assessments.parquet": b""},
        severity="fatal",
        rule="unreadable",
    ),
    Broken(
        name="parquet_with_dates_for_days",
        files=PARQUET_ONLY,
        arrange=parquet(
            "assessments.parquet",
            SCORES_SQL.format(day0="DATE '2019-01-01'", day1="DATE '2019-02-01'", low=5, high=4),
        ),
        severity="fatal",
        rule="type",
        column="day",
    ),
    Broken(
        name="parquet_with_lists",
        files=PARQUET_ONLY,
        arrange=parquet(
            "assessments.parquet", SCORES_SQL.format(day0=0, day1=1, low="[5]", high="[4]")
        ),
        severity="fatal",
        rule="type",
        column="score",
    ),
    Broken(
        name="parquet_with_text_scores",
        files=PARQUET_ONLY,
        arrange=parquet(
            "assessments.parquet", SCORES_SQL.format(day0=0, day1=1, low="'5'", high=f"'{CANARY}'")
        ),
        rule="type",
        column="score",
        rows=(2,),
        kept=1,
    ),
    Broken(
        name="parquet_with_infinity",
        files=PARQUET_ONLY,
        arrange=parquet(
            "assessments.parquet",
            SCORES_SQL.format(day0=0, day1=1, low="5", high="CAST('inf' AS DOUBLE)"),
        ),
        rule="type",
        column="score",
        rows=(2,),
        kept=1,
    ),
    Broken(
        name="a_folder_for_a_file",
        arrange=folder_named_like_a_file,
        severity="fatal",
        rule="unreadable",
    ),
    Broken(
        name="no_header",
        files=assessed(ASSESSED.removeprefix(HEADER).replace("nprs", CANARY)),
        severity="fatal",
        rule="missing_column",
        column="episode_id",
    ),
    Broken(
        name="required_column_missing",
        files=assessed(ASSESSED.replace("score\n", "result\n", 1)),
        severity="fatal",
        rule="missing_column",
        column="score",
    ),
)
