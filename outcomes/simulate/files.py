"""Records with a planted truth, written as files: tables, truth and a manifest, in one rename."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from outcomes.core.atomic import replaced_folder
from outcomes.core.progress import SILENT, Progress
from outcomes.core.provenance import hash_file, versions
from outcomes.records.schema import TABLES
from outcomes.simulate.care import make_care
from outcomes.simulate.columns import Codes, Streams, ids, table
from outcomes.simulate.courses import make_courses
from outcomes.simulate.doses import make_doses
from outcomes.simulate.happenings import make_events
from outcomes.simulate.people import episode_table, make_people
from outcomes.simulate.planted import OUTCOMES, TYPES, VISITS, Array, effects
from outcomes.simulate.scores import make_scores

Format = Literal["parquet", "csv"]
TRUTH: Final = "truth"
MANIFEST: Final = "manifest.json"
DICTIONARY: Final = "dictionary.md"
SYNTHETIC: Final = "synthetic records; every person in them is made up"
ROW_GROUP: Final = 50_000
"""Rows that are read at a time: each thread of a reader takes a group of its own."""


def make_records(episodes: int, seed: int) -> tuple[dict[str, pa.Table], dict[str, Array], Codes]:
    """Make canonical tables, the potential outcomes (n, k, T), and the type of each episode."""
    streams = Streams(seed)
    people = make_people(episodes, streams)
    courses = make_courses(people, streams)
    care = make_care(people, courses, streams)
    doses = make_doses(people, courses, care.end_day, streams)
    tables = {
        **people.tables,
        "episodes": episode_table(people, care.end_day, doses.followed, care.program),
        **care.tables,
        **make_scores(people, courses, care.end_day, streams),
        "medications": doses.table,
        "events": make_events(people, courses, care, doses.followed, streams),
    }
    truth = {"pain": courses.pain, "mobility": courses.disability, "medication": doses.potential}
    ordered = {name: _declared(tables[name], name) for name in TABLES}
    return ordered, truth, Codes(courses.type, TYPES)


def _declared(found: pa.Table, name: str) -> pa.Table:
    """Put columns in the contract's order."""
    return found.select([column for column in TABLES[name].names if column in found.column_names])


def write_records(
    out: str | Path,
    *,
    episodes: int,
    seed: int,
    format: Format = "parquet",  # noqa: A002 - the word of the command line
    messy: bool = False,
    progress: Progress = SILENT,
) -> Path:
    """Write synthetic records and their truth.

    Parameters
    ----------
    out : str or Path
        Folder to write; replaced where it holds records of ours.
    episodes : int
    seed : int
        Same seed, same bytes.
    format : {"parquet", "csv"}
    messy : bool
        Write them as a clinic's export would look, with a ``mapping.toml`` that reads them back.
    progress : Progress

    Returns
    -------
    Path
        The folder.
    """
    folder = Path(out)
    with progress.stage("make", f"Making {episodes:,} episodes"):
        tables, truth, types = make_records(episodes, seed)
    with progress.stage("write", "Writing files"), replaced_folder(folder) as partial:
        if messy:
            from outcomes.simulate.messy import write_export

            write_export(tables, partial, seed)
        else:
            for name, found in tables.items():
                _write_table(found, partial / f"{name}.{format}", format)
        _write_truth(partial / TRUTH, truth, types)
        _write_dictionary(partial / DICTIONARY, tables)
        _write_manifest(partial, episodes, seed, tables)
    return folder


def are_synthetic(folder: Path) -> bool:
    """Whether the manifest beside the records says that they were made here."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("what") == SYNTHETIC


def _write_table(found: pa.Table, path: Path, format_: Format) -> None:
    if format_ == "csv":
        pyarrow.csv.write_csv(found, path)
    else:
        pyarrow.parquet.write_table(
            found, path, compression="zstd", store_schema=False, row_group_size=ROW_GROUP
        )


def _write_truth(folder: Path, truth: Mapping[str, Array], types: Codes) -> None:
    """Write one row an episode, outcome and visit with a column for every type."""
    folder.mkdir()
    n = len(types.codes)
    visits = tuple(VISITS)
    parts = []
    for outcome, potential in truth.items():
        each = np.moveaxis(potential, 1, 2).reshape(n * len(visits), len(TYPES))
        columns = {f"if_{name}": each[:, k] for k, name in enumerate(TYPES)}
        parts.append(
            table(
                episode_id=ids("E", np.repeat(np.arange(n), len(visits))),
                outcome=Codes(np.zeros(n * len(visits), dtype=np.int64), (outcome,)),
                visit=Codes(np.tile(np.arange(len(visits)), n), visits),
                type=types[np.repeat(np.arange(n), len(visits))],
                **columns,
            )
        )
    _write_table(pa.concat_tables(parts), folder / "potential_outcomes.parquet", "parquet")


def _write_dictionary(path: Path, tables: Mapping[str, pa.Table]) -> None:
    """Say what every column is, from the declarations of the tables."""
    lines = [
        "# Data dictionary",
        "",
        "Synthetic records: every person in them is made up. Days run from the start of the",
        "episode, those of `medications` on the patient's own clock.",
    ]
    for name, found in tables.items():
        contract = TABLES[name]
        lines += ["", f"## {name}", "", f"{contract.description} {found.num_rows:,} rows.", ""]
        lines += ["| column | type | unit | what |", "|---|---|---|---|"]
        for column_name in found.column_names:
            column = contract[column_name]
            lines.append(
                f"| `{column.name}` | {column.kind} | {column.unit} | {column.description} |"
            )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_manifest(folder: Path, episodes: int, seed: int, tables: Mapping[str, pa.Table]) -> None:
    written = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest: dict[str, Any] = {
        "schema": 1,
        "what": SYNTHETIC,
        "episodes": episodes,
        "seed": seed,
        "versions": versions(("outcomes", "numpy", "pyarrow")),
        "rows": {name: found.num_rows for name, found in tables.items()},
        "sha256": {path.relative_to(folder).as_posix(): hash_file(path) for path in written},
        "outcomes": dict(OUTCOMES),
        "planted": effects(),
        "truth": (
            "truth/potential_outcomes.parquet: what each episode's recorded outcome would have been"
            " under every type (columns if_<type>). episode_id is that of the episodes table. The"
            " true contrast is the difference of two columns, averaged over the analysed episodes."
        ),
    }
    text = json.dumps(manifest, indent=2)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
