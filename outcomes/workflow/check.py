"""Checking before and after: the records of a study, and a finished report."""

from __future__ import annotations

from pathlib import Path

from outcomes.core.errors import RecordsError, UsageError
from outcomes.core.problems import Problem
from outcomes.core.progress import SILENT, Progress
from outcomes.records import check_records, read_records
from outcomes.study.exposure import check_components
from outcomes.study.spec import read_study
from outcomes.workflow.run import check_quarantine


def check_study(
    study: str | Path, *, records: Path | None = None, progress: Progress = SILENT
) -> list[Problem]:
    """Read and validate the records of a study and return every problem, the gravest first.

    What would stop the run for the study's sake is among them: records that do not say what was
    done, and more rows set aside than the study allows.

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
    found: list[Problem] = []
    with progress.stage("read", "Reading and checking the records"):
        try:
            records_read = read_records(spec.records_path, spec.mapping_path)
            found = check_records(records_read)
            check_components(records_read, spec.exposure)
            check_quarantine(records_read, spec.records.quarantine_limit)
        except RecordsError as error:
            if not error.problems:
                raise
            return list(dict.fromkeys([*error.problems, *found]))
    return found


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
