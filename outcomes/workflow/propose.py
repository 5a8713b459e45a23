"""A first ``mapping.toml`` and ``study.toml`` for a folder of exports."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Sequence
from pathlib import Path

from outcomes.core.progress import SILENT, Progress


def propose_study_folder(
    folder: str | Path,
    records: str | Path,
    *,
    mapping: str | Path | None = None,
    progress: Progress = SILENT,
) -> list[Path]:
    """Look at exports and write both files, each guess with its reason, each gap marked.

    Parameters
    ----------
    folder : str or Path
        Where the files are written; existing ones are not overwritten.
    records : str or Path
        Folder of exports, or one file.
    mapping : str or Path, optional
        A mapping that a person has mended: ``study.toml`` alone is written anew from it.
    progress : Progress

    Returns
    -------
    list of Path
        The files written.
    """
    from outcomes.study.propose import write_proposal, write_study

    with progress.stage("init", "Looking at the exports"):
        if mapping is not None:
            return write_study(Path(folder), Path(records), Path(mapping))
        return write_proposal(Path(folder), Path(records))


def describe_proposal(files: Sequence[Path]) -> str:
    """Say in one line what is left to do in the files of a proposal, and what comes next."""
    from outcomes.records.not_taken import count_not_taken

    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    n_gaps, n_columns = text.count("GAP:"), count_not_taken(text)
    left = f"{_gaps(n_gaps)} to fill (search for GAP)" if n_gaps else "no gaps"
    left += f", {n_columns} column{'s' * (n_columns != 1)} not taken" if n_columns else ""
    kept = _kept_mapping(files)
    n_kept = kept.read_text(encoding="utf-8").count("GAP:") if kept else 0
    if kept and n_kept:
        left += f"; {_gaps(n_kept)} still stand in {kept.name}: take out those that are filled"
    return f"{left}; next: outcomes check {shlex.quote(str(files[0].parent))}"


def _gaps(count: int) -> str:
    return f"{count} gap{'s' * (count != 1)}"


def _kept_mapping(files: Sequence[Path]) -> Path | None:
    """The mapping of a study that was drafted anew beside it; None where it was written too."""
    study = files[-1]
    said = tomllib.loads(study.read_text(encoding="utf-8"))["records"]["mapping"]
    mapping = (study.parent / said).resolve()
    return None if len(files) > 1 else mapping
