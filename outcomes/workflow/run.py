"""The stages of a study, from records to a results folder.

    read -> dataset -> describe, model -> release -> write -> report

Each stage has a name, shows its progress and leaves its seconds and peak memory in the manifest.
``describe`` and ``model`` need nothing of each other. In a large study they run side by side
(:mod:`outcomes.workflow.beside`), and the seconds of ``model`` are those that it took longer. Both
yield tables alone, so they can be kept in a checkpoint folder and taken from there when a broken
run starts again; what a checkpoint belongs to is in its name: the hash of the specification, of the
input files and of this package's version.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from outcomes.core.atomic import check_replaceable
from outcomes.core.errors import EstimationError, RecordsError
from outcomes.core.problems import Problem
from outcomes.core.progress import SILENT, Progress
from outcomes.core.provenance import hash_json, versions
from outcomes.core.threads import one_thread
from outcomes.records import Records, problems_table, read_records
from outcomes.report.release import Release, with_suppressed
from outcomes.results.disclosure import release_tables, release_words
from outcomes.results.tables import TABLES, build_table
from outcomes.study.spec import StudySpec, read_study
from outcomes.workflow.beside import Modelling
from outcomes.workflow.checkpoints import Checkpoints, StageOutput
from outcomes.workflow.results import Results, write_results

if TYPE_CHECKING:
    import pandas as pd

    from outcomes.models.analysis import Analyses
    from outcomes.study.dataset import StudyDataset

Engine = Literal["duckdb", "frame"]

STAGES: Final = (
    ("read", "Reading and checking the records"),
    ("dataset", "Building the study dataset"),
    ("describe", "Describing people, care, harms and other outcomes"),
    ("model", "Fitting the models"),
    ("release", "Passing the disclosure gate"),
    ("write", "Writing the tables"),
    ("report", "Writing the report"),
)
_LABELS: Final = dict(STAGES)


def run_study_folder(
    study: str | Path,
    *,
    out: Path | None = None,
    engine: Engine = "duckdb",
    records: Path | None = None,
    checkpoints: Path | None = None,
    progress: Progress = SILENT,
) -> Path:
    """Read ``study.toml``, run it and write its results folder.

    Parameters
    ----------
    study : str or Path
        A ``study.toml``, or the folder that holds one.
    out : Path, optional
        Results folder; default ``results`` beside ``study.toml``.
    engine : {"duckdb", "frame"}
    records : Path, optional
        Where the records are, instead of the place the study names.
    checkpoints : Path, optional
        Folder of finished stages.
    progress : Progress

    Returns
    -------
    Path
        The results folder.
    """
    spec = read_study(study, records=records)
    folder = spec.folder / "results" if out is None else out
    run_study(spec, out=folder, engine=engine, checkpoints=checkpoints, progress=progress)
    return folder


@one_thread
def run_study(
    study: StudySpec,
    out: str | Path | None = None,
    engine: Engine = "duckdb",
    *,
    checkpoints: str | Path | None = None,
    progress: Progress = SILENT,
) -> Results:
    """Run a study.

    Parameters
    ----------
    study : StudySpec
        From :func:`outcomes.read_study`.
    out : str or Path, optional
        Results folder to write; nothing is written without it.
    engine : {"duckdb", "frame"}
        What adds up the moments.
    checkpoints : str or Path, optional
        Folder of finished stages; private, like the records.
    progress : Progress

    Returns
    -------
    Results

    Raises
    ------
    RecordsError, EstimationError, UsageError
        Records that cannot be used; a primary comparison that cannot be estimated; a folder that
        is not ours.
    """
    if out is not None:
        check_replaceable(Path(out).absolute())
    results = _run(study, engine, checkpoints, progress)
    if out is not None:
        write_results(results, Path(out), progress=progress)
    return results


def _run(
    study: StudySpec, engine: Engine, checkpoints: str | Path | None, progress: Progress
) -> Results:
    with progress.stage("read", _LABELS["read"]):
        records = read_records(study.records_path, study.mapping_path)
        check_quarantine(records, study.records.quarantine_limit)
    with Modelling(records.n_rows.get("episodes", 0)) as models:
        with progress.stage("dataset", _LABELS["dataset"]):
            dataset, others, notes = build_datasets(records, study)
        kept = Checkpoints.at(checkpoints, key=hash_json(_identity(study, records, engine)))
        if not kept.has("model"):
            models.begin(dataset, others, engine)
        with progress.stage("describe", _LABELS["describe"]), _one_thread(records):
            described = kept.stage("describe", lambda: describe(dataset, records))
        with progress.stage("model", _LABELS["model"]):
            modelled = kept.stage("model", lambda: _modelled(models.finish(progress)))
    tables = in_order({**described.tables, **modelled.tables})
    with progress.stage("release", _LABELS["release"]):
        words = study_words(dataset, records, [*described.left_out], [*notes, *modelled.notes])
        release = release_study(tables, words)
    return Results(
        spec=study,
        tables=tables,
        dataset=dataset.long,
        release=release,
        problems=records.problems,
        fits=modelled.fits,
        manifest=describe_run(study, records, dataset, engine),
    )


# ------------------------------------------------------------------------------------ the stages
def check_quarantine(records: Records, limit: float) -> None:
    """Stop where more of a table was set aside than the study allows.

    Raises
    ------
    RecordsError
    """
    beyond = [
        Problem(
            severity="fatal",
            table=name,
            rule="quarantine_limit",
            message=f"were set aside; [records] quarantine_limit allows {limit:.0%}",
            remedy="Mend what 'outcomes check' lists, or raise the limit knowingly.",
            count=aside,
            n_rows=aside + records.n_rows[name],
        )
        for name, aside in records.n_quarantined.items()
        if aside > limit * (aside + records.n_rows[name])
    ]
    if beyond:
        raise RecordsError(
            f"Too many rows were set aside: {beyond[0]}", [*beyond, *records.problems]
        )


def build_datasets(
    records: Records, study: StudySpec
) -> tuple[StudyDataset, dict[str, StudyDataset], list[str]]:
    """Build the study's dataset, one for every other length of the exposure window, and notes.

    A window in which the declared groups are too small leaves its sensitivity analysis out.
    """
    from outcomes.study.dataset import build_dataset
    from outcomes.study.opioids import opioids_by_outcome

    opioids = opioids_by_outcome(records, study)
    windows = [days for days in study.time.sensitivity_windows if days != study.time.window_days]
    dataset = build_dataset(records, study, opioids=opioids)
    others: dict[str, StudyDataset] = {}
    notes: list[str] = []
    for days in windows:
        try:
            others[f"window_{days}"] = build_dataset(
                records, study, window_days=days, described=False, opioids=opioids
            )
        except EstimationError as error:
            notes.append(f"The window of {days} days was left out of the checks: {error}")
    return dataset, others, notes


def describe(dataset: StudyDataset, records: Records) -> StageOutput:
    """Describe people, care, harms and other outcomes."""
    from outcomes.study.delivery import combinations_table, components_table
    from outcomes.study.dose import dose_table
    from outcomes.study.events import described_table, harms_table
    from outcomes.study.population import balance_table, baseline_table, completeness_table

    left_out: list[tuple[str, str]] = []
    tables = {
        "flow": dataset.flow,
        "baseline": baseline_table(dataset),
        "balance": balance_table(dataset),
        "completeness": completeness_table(dataset),
        "components": components_table(dataset, records, left_out=left_out),
        "combinations": combinations_table(dataset),
        "dose": dose_table(dataset, records, left_out=left_out),
        "harms": harms_table(dataset, records, left_out=left_out),
        "described": described_table(dataset, records, left_out=left_out),
        "problems": _problems(records),
    }
    return StageOutput(tables=tables, left_out=tuple(left_out))


@contextmanager
def _one_thread(records: Records) -> Iterator[None]:
    """Let the database work in one thread: sums then come in the same order on every run.

    In a large study the other processor is busy with the models meanwhile.
    """
    database = records.connection
    (before,) = database.execute("select current_setting('threads')").fetchone()
    database.execute("set threads = 1")
    try:
        yield
    finally:
        database.execute(f"set threads = {int(before)}")


def _problems(records: Records) -> pd.DataFrame:
    """Return what intake found, without row numbers."""
    found = problems_table(records.problems)
    names = [column.name for column in TABLES["problems"].columns]
    return build_table("problems", found[names])


def _modelled(found: Analyses) -> StageOutput:
    return StageOutput(tables=found.tables, fits=found.fits, notes=found.notes)


def release_study(tables: Mapping[str, pd.DataFrame], words: Mapping[str, Any]) -> Release:
    """Pass the tables through the one gate."""
    released = release_tables(tables, profile=words["profile"], threshold=words["threshold"])
    marked = {name: with_suppressed(table) for name, table in released.items()}
    said = release_words(words, profile=words["profile"], threshold=words["threshold"])
    return Release(study=said, tables=marked)


def in_order(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return the tables in the order of their contracts."""
    return {name: tables[name] for name in TABLES if name in tables}


# ------------------------------------------------------------------------------- words and origin
def study_words(
    dataset: StudyDataset,
    records: Records,
    left_out: list[tuple[str, str]],
    notes: list[str],
) -> dict[str, Any]:
    """Return everything that a report says apart from its numbers."""
    from outcomes.simulate.files import are_synthetic
    from outcomes.study.protocol import describe_study

    words = describe_study(dataset)
    return {
        **words,
        "synthetic": are_synthetic(Path(dataset.spec.records_path)),
        "notes": [*words["notes"], *notes],
        "left_out": [{"what": what, "why": why} for what, why in dict.fromkeys(left_out)],
        "versions": versions(),
        "hashes": {"spec": dataset.spec.spec_hash, "records": hash_json(input_hashes(records))},
        "created": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def input_hashes(records: Records) -> dict[str, str]:
    """Return the hash of every file that was read, by its name."""
    return {source.name: source.sha256 for source in records.sources}


def _identity(study: StudySpec, records: Records, engine: Engine) -> dict[str, Any]:
    """Return what a checkpoint belongs to."""
    return {
        "spec": study.spec_hash,
        "inputs": input_hashes(records),
        "version": versions()["outcomes"],
        "engine": engine,
    }


def describe_run(
    study: StudySpec, records: Records, dataset: StudyDataset, engine: Engine
) -> dict[str, Any]:
    """Return the manifest of a run but for its stages."""
    return {
        "schema": 1,
        "study": study.id,
        "spec": study.model_dump(mode="json", by_alias=True, exclude_none=True),
        "spec_hash": study.spec_hash,
        "inputs": input_hashes(records),
        "versions": versions(),
        "engine": engine,
        "seed": study.model.seed,
        "counts": {
            "rows": dict(records.n_rows),
            "rows_set_aside": dict(records.n_quarantined),
            "episodes_analysed": len(dataset.episodes),
            "patients_analysed": int(dataset.episodes["patient_id"].nunique()),
        },
    }
