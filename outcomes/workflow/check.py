"""Checking before and after: the records of a study, and a finished report."""

from __future__ import annotations

from pathlib import Path

from outcomes.core.errors import RecordsError, UsageError
from outcomes.core.problems import SEVERITIES, Problem
from outcomes.core.progress import SILENT, Progress
from outcomes.records import check_records, read_records
from outcomes.records.sources import nothing_readable
from outcomes.study.no_study import holds_records, holds_sheets_alone
from outcomes.study.propose import again
from outcomes.study.proposed_text import UNREAD
from outcomes.study.spec import FILE_NAME, StudySpec, read_study
from outcomes.study.unmet import check_asked
from outcomes.workflow.run import check_quarantine


def check_study(
    study: str | Path, *, records: Path | None = None, progress: Progress = SILENT
) -> list[Problem]:
    """Read and validate the records of a study and return every problem, the gravest first.

    What the study would stumble over is among them: records that do not say what was done, more
    rows set aside than the study allows, instruments, visits, programs and covariates that the
    records do not hold, groups that are too small. Nothing is fitted.

    Parameters
    ----------
    study : str or Path
        A ``study.toml``, or the folder that holds one; or records without a study.
    records : Path, optional
        Where the records are, instead of the place the study names.
    progress : Progress

    Raises
    ------
    SpecError
        Where ``study.toml`` or the mapping is wrong, or nothing of the kind is there.
    UsageError
        Where nothing is there at all, or only files of a kind that is not read.
    """
    place = Path(study)
    if records is None and not (place / FILE_NAME).is_file():
        if holds_records(place):
            return _of_records(place, progress)
        if holds_sheets_alone(place):
            raise UsageError(nothing_readable(place))
    spec = read_study(place, records=records)
    found: list[Problem] = []
    try:
        with progress.stage("read", "Reading and checking the records"):
            held = read_records(spec.records_path, spec.mapping_path)
        found += check_records(held)
        drafted = _drafted_unread(place, spec)
        with progress.stage("dataset", "Looking for what the study needs"):
            # A study that was made up without its records has nothing to ask of them yet.
            found += drafted or check_asked(held, spec)
        check_quarantine(held, spec.records.quarantine_limit)
    except RecordsError as error:
        if not error.problems:
            raise
        found += error.problems
    return _gravest_first(found)


def _drafted_unread(place: Path, spec: StudySpec) -> list[Problem]:
    """Ask for a new draft of a study that was written before its records could be read."""
    file = place / FILE_NAME if place.is_dir() else place
    if UNREAD not in file.read_text(encoding="utf-8"):
        return []
    command = again(file.parent, spec.records_path, spec.mapping_path)
    return [
        Problem(
            severity="warning",
            table=FILE_NAME,
            rule="unread_draft",
            message="was drafted before the records could be read, and now they can",
            remedy=f"Draft it anew from what they hold: {command} (or take its first lines out, if"
            " it says what you mean).",
            source=FILE_NAME,
        )
    ]


def _of_records(path: Path, progress: Progress) -> list[Problem]:
    with progress.stage("read", "Reading and checking the records: no study is there"):
        try:
            return check_records(read_records(path))
        except RecordsError as error:
            if not error.problems:
                raise
            return list(error.problems)


def _gravest_first(problems: list[Problem]) -> list[Problem]:
    """Put fatal problems first; a table that errors have emptied stands behind those errors."""

    def rank(problem: Problem) -> tuple[int, bool]:
        emptied = problem.rule == "empty_table" and errors
        severity = "error" if emptied else problem.severity
        return SEVERITIES.index(severity), emptied

    errors = any(problem.severity == "error" for problem in problems)
    return sorted(dict.fromkeys(problems), key=rank)


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
