"""The whole way on synthetic records, for someone who has just arrived."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from outcomes.core.atomic import check_replaceable
from outcomes.core.progress import SILENT, Progress
from outcomes.study.spec import StudySpec
from outcomes.workflow.run import STAGES, run_study

RECORDS: Final = "records"
RESULTS: Final = "results"


def demo_study(records: Path) -> StudySpec:
    """Return the study that the demonstration runs."""
    return StudySpec.model_validate(
        {
            "id": "demo",
            "title": "Back pain therapy, six intervention types (synthetic records)",
            "question": "Which kinds of back pain therapy went with better results, and how sure"
            " can we be?",
            "records": {"path": str(records)},
            "exposure": {"primary": "exercise", "reference": "usual_care"},
            "primary": {"outcome": "pain", "visit": "week_12"},
        }
    )


def run_demo(*, episodes: int, seed: int, out: Path, progress: Progress = SILENT) -> Path:
    """Make records, run the study and return the path of its report.

    Parameters
    ----------
    episodes, seed : int
        Size and seed of the synthetic records.
    out : Path
        Folder that receives ``records/`` and ``results/``.
    progress : Progress
    """
    from outcomes.simulate import write_records

    progress.total = len(STAGES) + 1
    records, results = out / RECORDS, out / RESULTS
    check_replaceable(records.absolute())
    check_replaceable(results.absolute())
    with progress.stage("synthesize", "Making synthetic records"):
        write_records(records, episodes=episodes, seed=seed)
    study = demo_study(records.absolute())
    run_study(study, out=results, progress=progress)
    (out / "study.toml").write_text(_relative(study, out), encoding="utf-8")
    return results / "report.html"


def _relative(study: StudySpec, out: Path) -> str:
    """Write the study beside its records, so that it can be changed and run again."""
    where = os.path.relpath(study.records_path, out.absolute())
    placed = study.records.model_copy(update={"path": Path(where).as_posix()})
    return study.model_copy(update={"records": placed}).to_toml()
