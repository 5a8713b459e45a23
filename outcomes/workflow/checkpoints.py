"""Finished stages kept in a folder, so that a broken run goes on where it stopped.

A stage is kept as its tables (Parquet) and its words (JSON) under a name that holds the hash of
everything it depends on; it appears in one rename. The folder is private, like the records: tables
are at full precision.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outcomes.core.atomic import replaced_folder

if TYPE_CHECKING:
    import pandas as pd

WORDS = "stage.json"


@dataclass(frozen=True, kw_only=True)
class StageOutput:
    """What a stage yields.

    Attributes
    ----------
    tables : dict of DataFrame
        Result tables by name.
    fits : dict
        Models as plain values.
    left_out : tuple of (str, str)
        What could not be described, and why.
    notes : tuple of str
    """

    tables: Mapping[str, pd.DataFrame]
    fits: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checkpoints:
    """Where stages are kept; nowhere without a folder."""

    folder: Path | None
    key: str

    @classmethod
    def at(cls, folder: str | Path | None, *, key: str) -> Checkpoints:
        """Keep stages in ``folder`` under a key."""
        return cls(None if folder is None else Path(folder), key[:16])

    def has(self, name: str) -> bool:
        """Tell whether a stage is kept."""
        place = self._place(name)
        return place is not None and (place / WORDS).is_file()

    def stage(self, name: str, work: Callable[[], StageOutput]) -> StageOutput:
        """Return a kept stage, or do its work and keep it."""
        place = self._place(name)
        if place is None:
            return work()
        if self.has(name):
            return _read(place)
        output = work()
        with replaced_folder(place, marker=WORDS) as partial:
            _write(output, partial)
        return output

    def _place(self, name: str) -> Path | None:
        return None if self.folder is None else self.folder / f"{name}-{self.key}"


def _write(output: StageOutput, folder: Path) -> None:
    for name, table in output.tables.items():
        table.to_parquet(folder / f"{name}.parquet", index=False)
    words = {
        "tables": list(output.tables),
        "fits": dict(output.fits),
        "left_out": [list(pair) for pair in output.left_out],
        "notes": list(output.notes),
    }
    (folder / WORDS).write_text(json.dumps(words), encoding="utf-8")


def _read(folder: Path) -> StageOutput:
    import pandas as pd

    words = json.loads((folder / WORDS).read_text(encoding="utf-8"))
    return StageOutput(
        tables={name: pd.read_parquet(folder / f"{name}.parquet") for name in words["tables"]},
        fits=words["fits"],
        left_out=tuple((what, why) for what, why in words["left_out"]),
        notes=tuple(words["notes"]),
    )
