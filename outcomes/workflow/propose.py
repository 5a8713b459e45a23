"""A first ``mapping.toml`` and ``study.toml`` for a folder of exports."""

from __future__ import annotations

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
