"""What a run answers with, and the folder that holds it.

Two tiers: ``private/`` has full precision and row numbers, for the people who hold the records;
``release/`` is what passed the gate, and the report is made from it alone. The folder appears in
one rename, so there is never half of one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from outcomes.core.atomic import replaced_folder
from outcomes.core.errors import UsageError
from outcomes.core.progress import SILENT, Progress
from outcomes.core.shown import Shown
from outcomes.records import problems_table
from outcomes.records.codes import is_formula
from outcomes.report.page import write_page
from outcomes.report.release import Release, read_release

if TYPE_CHECKING:
    import pandas as pd

    from outcomes.core.problems import Problem
    from outcomes.study.spec import StudySpec

Audience = Literal["board", "clinic", "methods"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Results(Shown):
    """Answer of a run.

    Attributes
    ----------
    spec : StudySpec
        The request.
    tables : dict of DataFrame
        Result tables at full precision; they belong to those who hold the records.
    dataset : DataFrame
        One row an episode and visit: scores, change, improvement, exposure, covariates.
    release : Release
        The tables that passed the disclosure gate and the study in words.
    problems : tuple of Problem
        What intake found.
    fits : dict
        Coefficients, covariances and convergence of every model, as plain values.
    manifest : dict
        Specification and its hash, hashes of the inputs, versions, counts, seconds a stage.
    """

    spec: StudySpec
    tables: Mapping[str, pd.DataFrame]
    dataset: pd.DataFrame
    release: Release
    problems: tuple[Problem, ...] = ()
    fits: Mapping[str, Any] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def _shown(self) -> tuple[str, dict[str, str]]:
        """The answer is the report's first sentence, so it passed the gate like the report."""
        from outcomes.report.context import build_context

        counts = self.manifest.get("counts", {})
        sizes = [
            f"{counts[key]:,} {what}"
            for key, what in (
                ("episodes_analysed", "episodes analysed"),
                ("patients_analysed", "patients"),
            )
            if key in counts
        ]
        primary = self.spec.primary
        return f"Results of {self.spec.id!r}", {
            "size": " of ".join(sizes),
            "answer": build_context(self.release).narrative.headline(),
            "primary": f"{primary.exposure} against {primary.reference}, {primary.outcome} at"
            f" {primary.visit}",
            "tables": ", ".join(self.tables),
            "problems": str(len(self.problems)),
            "look at": "results.tables['contrasts'], results.dataset, results.problems,"
            " outcomes.render_report(results, 'report.html')",
        }


def write_results(results: Results, folder: Path, *, progress: Progress = SILENT) -> Path:
    """Write the results folder, report included, and return its path.

    Raises
    ------
    UsageError
        Where ``folder`` holds something that is not a results folder.
    """
    with replaced_folder(folder) as partial:
        with progress.stage("write", "Writing the tables"):
            _write_private(results, partial / "private")
            _write_release(results.release, partial / "release")
        with progress.stage("report", "Writing the report"):
            write_page(read_release(partial / "release"), partial / "report.html")
        stages = {"stages": [asdict(record) for record in progress.records]}
        _write_json({**results.manifest, **stages}, partial / "manifest.json")
    return folder


def _write_private(results: Results, folder: Path) -> None:
    (folder / "tables").mkdir(parents=True)
    (folder / "fits").mkdir()
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")  # nobody commits it by accident
    for name, table in results.tables.items():
        table.to_parquet(folder / "tables" / f"{name}.parquet", index=False)
    problems_table(results.problems).to_parquet(folder / "problems.parquet", index=False)
    for name, fit in results.fits.items():
        _write_json(fit, folder / "fits" / f"{name}.json")


def _write_release(release: Release, folder: Path) -> None:
    (folder / "tables").mkdir(parents=True)
    _write_json(release.study, folder / "study.json")
    for name, table in release.tables.items():
        table.to_parquet(folder / "tables" / f"{name}.parquet", index=False)
        _inert(table).to_csv(folder / "tables" / f"{name}.csv", index=False)


def _inert(table: pd.DataFrame) -> pd.DataFrame:
    """Put an apostrophe before texts that a spreadsheet would run, such as a name from a study."""
    texts = table.select_dtypes(exclude=["number", "bool", "boolean"])
    inert = texts.apply(lambda column: column.map(lambda t: f"'{t}" if is_formula(t) else t))
    return table.assign(**{str(name): inert[name] for name in inert})


def _write_json(value: Any, path: Path) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def render_report(
    results: Results | str | Path, out: str | Path, *, audience: Audience = "clinic"
) -> Path:
    """Write the report from released tables alone.

    Parameters
    ----------
    results : Results, str or Path
        The answer of a run, or a results folder.
    out : str or Path
        File to write.
    audience : {"clinic", "board", "methods"}

    Returns
    -------
    Path

    Raises
    ------
    UsageError
        Where ``results`` is not a results folder, or ``out`` is a folder.
    """
    target = Path(out)
    if target.is_dir():
        raise UsageError(f"{target} is a folder; name a file, such as {target / 'report.html'}.")
    if isinstance(results, Results):
        return write_page(results.release, target, audience)
    folder = Path(results)
    if not (folder / "release").is_dir():
        raise UsageError(
            f"{folder} holds no release/ folder. Name the folder that 'outcomes run' wrote."
        )
    return write_page(read_release(folder / "release"), target, audience)
