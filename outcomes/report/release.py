"""What a report is made from: the released tables and the study in words, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outcomes.core.errors import UsageError
from outcomes.results.tables import TABLES, build_table

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
SUPPRESSED = "suppressed"
AGAIN = "Make the release again with 'outcomes run'."


@dataclass(frozen=True)
class Release:
    """A release read back: ``study.json`` and the tables that passed the gate.

    Attributes
    ----------
    study : dict
        The study in words: exposures, visits, outcomes, methods, facts, versions.
    tables : dict of DataFrame
        Contract tables with a boolean column ``suppressed``; hidden cells are null.
    """

    study: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def table(self, name: str) -> pd.DataFrame:
        """Return a table, empty where the release does not hold it."""
        found = self.tables.get(name)
        if found is None:
            return with_suppressed(build_table(name, []))
        return found


def with_suppressed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with a column ``suppressed`` that is never missing."""
    marked = table.get(SUPPRESSED)
    flags = False if marked is None else marked.astype("boolean").fillna(False).astype(bool)
    return table.assign(**{SUPPRESSED: flags})


def read_release(folder: str | Path) -> Release:
    """Read a release folder.

    Parameters
    ----------
    folder : path
        Holds ``study.json`` and ``tables/*.parquet``.

    Returns
    -------
    Release

    Raises
    ------
    UsageError
        Where the folder is not a release, or one of a later version.
    """
    import pandas as pd

    folder = Path(folder)
    words = folder / "study.json"
    if not words.is_file():
        raise UsageError(f"{folder} holds no study.json, so it is not a release folder.")
    try:
        study = json.loads(words.read_text(encoding="utf-8"))
        schema = study.get("schema")
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{words} is damaged. {AGAIN}") from error
    if schema != SCHEMA:
        raise UsageError(f"{words} has schema {schema!r}; this version reads {SCHEMA}.")
    tables = {}
    for path in sorted((folder / "tables").glob("*.parquet")):
        if path.stem not in TABLES:
            continue
        try:
            tables[path.stem] = with_suppressed(pd.read_parquet(path))
        except (ValueError, OSError) as error:
            raise UsageError(f"{path} is damaged. {AGAIN}") from error
        absent = {column.name for column in TABLES[path.stem].columns} - set(tables[path.stem])
        if absent:
            raise UsageError(f"{path} holds another table: no {sorted(absent)[0]!r}. {AGAIN}")
    return Release(study, tables)
