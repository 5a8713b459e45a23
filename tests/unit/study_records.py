"""Records and a study small enough to count by hand, written as files and read as users do."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from outcomes.records.files import Records, read_records
from outcomes.study.spec import StudySpec

Rows = Iterable[Mapping[str, Any]]

PAIN = {"id": "pain", "role": "pain", "instrument": "nprs", "margin": 0.5}
MOBILITY = {"id": "mobility", "role": "mobility", "instrument": "odi", "margin": 5.0}
MEDICATION = {"id": "medication", "role": "medication", "measure": "daily_mme", "margin": 5.0}


def write_records(folder: Path, **tables: Rows) -> Records:
    """Write each table as CSV and read the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        listed = list(rows)
        columns = list(dict.fromkeys(key for row in listed for key in row))
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(listed)
    return read_records(folder)


def episode(number: int, **given: Any) -> dict[str, Any]:
    """One low back pain episode of its own patient, in care for 90 days."""
    base = {
        "episode_id": f"e{number:04d}",
        "patient_id": f"p{number:04d}",
        "clinic_id": "c1",
        "body_region": "low_back",
        "age": 45,
        "patient_day": 0,
        "end_day": 90,
    }
    return {**base, **given}


def treated(
    number: int, *parts: tuple[str, Any], day: int = 3, **given: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One session of an episode with its components (intervention, minutes)."""
    session = f"s{number:04d}-{day}-{len(given)}"
    components = [
        {"session_id": session, "intervention": name, "minutes": minutes} for name, minutes in parts
    ]
    return {
        "session_id": session,
        "episode_id": f"e{number:04d}",
        "day": day,
        "attended": True,
        **given,
    }, components


def delivered(
    sessions: Iterable[tuple[dict[str, Any], list[dict[str, Any]]]],
) -> dict[str, list[dict[str, Any]]]:
    """Return the two tables of what :func:`treated` made."""
    made = list(sessions)
    return {
        "sessions": [session for session, _ in made],
        "components": [part for _, parts in made for part in parts],
    }


def score(number: int, day: int, value: float, instrument: str = "nprs", **given: Any) -> Any:
    """One assessment."""
    return {
        "episode_id": f"e{number:04d}",
        "day": day,
        "instrument": instrument,
        "score": value,
        **given,
    }


def study(**given: Any) -> StudySpec:
    """Exercise against usual care, pain at week 6, groups of two or more."""
    exposure = {"primary": "exercise", "min_group": 2, **given.pop("exposure", {})}
    base: dict[str, Any] = {
        "id": "s",
        "records": {"path": "x"},
        "exposure": exposure,
        "visits": [{"label": "week_6", "day": 42, "from_day": 28, "to_day": 63}],
        "outcomes": [PAIN],
        "primary": {"outcome": "pain", "visit": "week_6"},
        "model": {"covariates": ["age"]},
    }
    return StudySpec.model_validate({**base, **given})
