"""Checking before and after: the records of a study, and a finished report."""

from __future__ import annotations

from pathlib import Path

from outcomes.core.errors import RecordsError, UsageError
from outcomes.core.problems import Problem
from outcomes.core.progress import SILENT, Progress
from outcomes.records import check_records, read_records
from outcomes.study.spec import read_study


def check_study(
    study: str | Path, *, records: Path | None = None, progress: Progress = SILENT
) -> list[Problem]:
    """Read and validate the records of a study and return every problem, the gravest first.

    Parameters
    ----------
    study : str or Path
        A ``study.toml``, or the folder that holds one.
    records : Path, optional
        Where the records are, instead of the place the study names.
    progress : Progress

    Raises
    ------
    SpecError
        Where ``study.toml`` or the mapping is wrong.
    """
    spec = read_study(study, records=records)
    with progress.stage("read", "Reading and checking the records"):
        try:
            return check_records(read_records(spec.records_path, spec.mapping_path))
        except RecordsError as error:
            if not error.problems:
                raise
            return list(error.problems)


def check_report(file: str | Path) -> list[str]:
    """Read a finished report back and return what should not be in it.

    Raises
    ------
    UsageError
        Where the file cannot be read as a report.
    """
    from outcomes.report.leaks import find_leaks

    try:
        page = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read as a report. Name an HTML file.") from error
    return find_leaks(page)
