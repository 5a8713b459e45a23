"""Several clinics, one analysis, no rows: moments out of each, added up in one place.

A file of moments is a zip archive: for every outcome the sums (``<outcome>.moments``) and what they
are of (``<outcome>.json``). It holds no row, but its counts are exact, small ones included: it is
meant for the partner who pools, not for publication. What comes out of pooling passes the gate.
"""

from __future__ import annotations

import datetime
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from outcomes.core.atomic import check_replaceable, replaced_file
from outcomes.core.errors import RecordsError, UsageError
from outcomes.core.progress import SILENT, Progress
from outcomes.core.provenance import hash_file, hash_json, versions
from outcomes.records import read_records
from outcomes.study.protocol import describe_study
from outcomes.study.spec import StudySpec, read_study
from outcomes.workflow.results import Results, write_results
from outcomes.workflow.run import check_quarantine, in_order, release_study

if TYPE_CHECKING:
    import pandas as pd

    from outcomes.stats.moments import Moments

Engine = Literal["duckdb", "frame"]
MANIFEST: Final = "manifest.json"
FORMAT: Final = "outcomes-moments"
_NOT_AN_ARCHIVE: Final = (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError)
"""What zipfile raises; RuntimeError where damage looks like a password or an unknown method."""
_NOT_AS_WRITTEN: Final = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
"""What JSON of another kind raises where it is taken apart."""
Part = tuple["Moments", Mapping[str, Any]]


# ----------------------------------------------------------------------------- out of a clinic
def write_moments(
    study: str | Path,
    *,
    out: Path,
    engine: Engine = "duckdb",
    records: Path | None = None,
    progress: Progress = SILENT,
) -> Path:
    """Write the moments of every outcome of a study.

    Parameters
    ----------
    study : str or Path
        A ``study.toml``, or the folder that holds one.
    out : Path
        File to write.
    engine : {"duckdb", "frame"}
    records : Path, optional
        Where the records are, instead of the place the study names.
    progress : Progress

    Returns
    -------
    Path
    """
    from outcomes.models.analysis import study_moments
    from outcomes.study.dataset import build_dataset

    spec = read_study(study, records=records)
    progress.total = 3
    with progress.stage("read", "Reading and checking the records"):
        found = read_records(spec.records_path, spec.mapping_path)
        check_quarantine(found, spec.records.quarantine_limit)
    with progress.stage("dataset", "Building the study dataset"):
        dataset = build_dataset(found, spec)
    with progress.stage("moments", "Adding up"):
        moments = study_moments(dataset, engine)
        with replaced_file(out) as partial:
            _write(partial, moments)
    progress.message(
        "The file holds exact counts: send it to the partner who pools, to no one else."
    )
    return out


def _write(path: Path, moments: Mapping[str, Part]) -> None:
    manifest = {"format": FORMAT, "schema": 1, "outcomes": list(moments), "versions": versions()}
    with zipfile.ZipFile(path, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        _put(archive, MANIFEST, json.dumps(manifest, indent=2).encode())
        for name, (sums, about) in moments.items():
            _put(archive, f"{name}.json", json.dumps(about).encode())
            _put(archive, f"{name}.moments", sums.to_bytes())


def _put(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a member without a time stamp, so that the same sums give the same bytes."""
    archive.writestr(zipfile.ZipInfo(name), content, compress_type=zipfile.ZIP_DEFLATED)


def _read(path: Path) -> dict[str, Part]:
    from outcomes.models.description import read_description
    from outcomes.stats.moments import Moments

    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read(MANIFEST))
            if manifest.get("format") != FORMAT:
                raise KeyError(FORMAT)
            parts = {
                name: (
                    Moments.from_bytes(archive.read(f"{name}.moments")),
                    json.loads(archive.read(f"{name}.json")),
                )
                for name in manifest["outcomes"]
            }
        for _, about in parts.values():
            read_description(about)
    except (UsageError, RecordsError) as error:  # they do not know of which file
        raise type(error)(f"{path}: {error}") from error
    except (*_NOT_AN_ARCHIVE, *_NOT_AS_WRITTEN) as error:
        raise UsageError(
            f"{path} is not a whole file of moments. Name files that 'outcomes moments' wrote."
        ) from error
    return parts


# ----------------------------------------------------------------------------------- and together
@dataclass(frozen=True, kw_only=True)
class Pooled:
    """What is known of a pooled study besides its sums."""

    spec: StudySpec
    exposures: tuple[str, ...]
    labels: dict[str, str]
    window_days: int
    notes: tuple[str, ...]


def pool_moments(files: Sequence[Path], *, out: Path) -> Path:
    """Run the pooled analysis and write a results folder of what it gives.

    Parameters
    ----------
    files : sequence of Path
        Written by :func:`write_moments` from the same study.
    out : Path
        Folder to write.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    UsageError, RecordsError, EstimationError
        Files that are no moments, of different studies, or without the primary comparison.
    """
    import pandas as pd

    from outcomes.models.analysis import analyse_moments, pool_moments

    check_replaceable(out.absolute())
    _check_once(files)
    sites = [_read(file) for file in files]
    found: dict[str, list[pd.DataFrame]] = {}
    abouts: dict[str, Mapping[str, Any]] = {}
    for name in sites[0]:
        moments, about = pool_moments(
            [_part(site, name, file) for site, file in zip(sites, files, strict=True)]
        )
        abouts[name] = about
        for table, rows in analyse_moments(moments, about).items():
            found.setdefault(table, []).append(rows)
    tables = {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}
    write_results(_results(tables, abouts, files), out)
    return out / "report.html"


def _check_once(files: Sequence[Path]) -> None:
    """Raise where two files are the same: their patients would count twice."""
    seen: dict[str, Path] = {}
    for file in files:
        if not file.is_file():
            continue
        content = hash_file(file)
        if content in seen:
            raise UsageError(
                f"{file} is the same as {seen[content]}: its patients would count twice. Name each"
                " once."
            )
        seen[content] = file


def _part(site: Mapping[str, Part], name: str, file: Path) -> Part:
    if name not in site:
        raise UsageError(f"{file} holds no moments of {name}. Make it again from the same study.")
    return site[name]


def _results(
    tables: Mapping[str, pd.DataFrame],
    abouts: Mapping[str, Mapping[str, Any]],
    files: Sequence[Path],
) -> Results:
    pooled = _pooled(next(iter(abouts.values())), len(files))
    inputs = {f"{place}-{file.name}": hash_file(file) for place, file in enumerate(files, start=1)}
    words = {
        **describe_study(pooled),
        "left_out": [
            {
                "what": "People, care, harms and shares",
                "why": "Pooled moments hold the models alone.",
            }
        ],
        "versions": versions(),
        "hashes": {"spec": pooled.spec.spec_hash, "records": hash_json(inputs)},
        "created": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    ordered = in_order(tables)
    return Results(
        spec=pooled.spec,
        tables=ordered,
        dataset=next(iter(ordered.values())).iloc[:0],
        release=release_study(ordered, words),
        manifest={
            "schema": 1,
            "study": pooled.spec.id,
            "spec_hash": pooled.spec.spec_hash,
            "inputs": inputs,
            "versions": versions(),
        },
    )


def _pooled(about: Mapping[str, Any], n_files: int) -> Pooled:
    spec = StudySpec.model_validate(about["spec"])
    return Pooled(
        spec=spec,
        exposures=tuple(about["exposures"]),
        labels=dict(about["labels"]),
        window_days=spec.time.window_days,
        notes=(f"Pooled from the moments of {n_files} files, without rows.",),
    )
