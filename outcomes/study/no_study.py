"""What to say where a path leads to no study: what is there instead, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from outcomes.records.sources import DATABASE_ENDINGS, TEXT_ENDINGS, find_origins

ENDINGS: Final = (*TEXT_ENDINGS, ".parquet", *DATABASE_ENDINGS)
FIRST: Final = "'outcomes init FOLDER --records EXPORTS' drafts a first one."
FROM: Final = (
    "Draft a study from it with 'outcomes init FOLDER --records EXPORTS', then give that FOLDER;"
    " 'outcomes check' also looks at records alone."
)


def holds_records(path: Path) -> bool:
    """Whether a path leads to a file that records come in, or to a folder with such files."""
    if path.is_file():
        return path.suffix.lower() in ENDINGS
    return path.is_dir() and bool(find_origins(path)[0])


def holds_sheets_alone(path: Path) -> bool:
    """Whether all there is, if anything, is of a kind that is not read, such as a workbook."""
    if not path.exists():
        return False
    origins, sheets = find_origins(path)
    if path.is_file():
        return bool(sheets)
    seen = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
    return not origins and len(sheets) == len(seen)


def is_mapping(content: Mapping[str, object]) -> bool:
    """Whether the content of a TOML file maps exports and declares nothing of a study."""
    return "tables" in content and not {"id", "exposure", "primary"} & set(content)


def mapping_given(path: Path) -> str:
    """Say that a path leads to a mapping."""
    return (
        f"{path.name}: is a mapping, which says how exports become records, not a study. Give the"
        " path of the study.toml whose [records] mapping names it, or of its folder."
    )


def no_study(path: Path) -> str:
    """Say that a path leads to no study; only its last part is named, and no file is opened."""
    if path.is_file():
        if holds_records(path):
            return f"{path.name}: is a file of records, not a study. {FROM}"
        return (
            f"{path.name}: cannot be read; look at who may read it. Give the path of a study.toml,"
            " or of its folder."
        )
    if not path.is_dir():
        return (
            f"{path.name}: cannot be read: it does not exist. Give the path of a"
            f" study.toml, or of its folder; {FIRST}"
        )
    where = f"study.toml: cannot be read: it is not in the folder {path.resolve().name!r}"
    if (path / "release").is_dir():
        return (
            f"{where}, which holds results. Give the folder of the study; 'outcomes report' writes"
            " a report again from results."
        )
    if holds_records(path):
        return f"{where}, which holds records. {FROM}"
    return f"{where}. Give the path of a study.toml, or of its folder; {FIRST}"
