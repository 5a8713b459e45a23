"""A small canonical folder of records that is right in every respect, as text by file name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

EXAMPLE: Mapping[str, str] = {
    "patients.csv": "patient_id,age_band,sex\nP1,45-54,female\nP2,35-44,male\nP3,55-64,female\n",
    "episodes.csv": (
        "episode_id,patient_id,clinic_id,body_region,patient_day,end_day,age\n"
        "E1,P1,C1,low_back,0,80,47\n"
        "E2,P2,C1,low_back,0,75,39\n"
        "E3,P3,C2,neck,0,90,61\n"
        "E4,P1,C1,low_back,400,90,48\n"
    ),
    "clinics.csv": "clinic_id,region\nC1,north\nC2,south\n",
    "sessions.csv": (
        "session_id,episode_id,day,attended\n"
        "S1,E1,0,true\nS2,E1,7,true\nS3,E2,0,true\nS4,E3,3,false\nS5,E4,2,true\n"
    ),
    "components.csv": (
        "session_id,intervention,minutes,sets\n"
        "S1,exercise.strength,25,3\nS1,modality.heat,10,\nS2,exercise.strength,30,3\n"
        "S3,manual.mobilisation,20,\nS5,exercise.general,30,2\n"
    ),
    "assessments.csv": (
        "episode_id,day,instrument,score\n"
        "E1,0,nprs,7\nE1,42,nprs,4\nE1,0,odi,40\nE1,42,odi,62\n"
        "E2,1,nprs,6\nE2,44,nprs,5\nE3,0,nprs,8\nE3,40,nprs,3\nE4,0,nprs,5\nE4,43,nprs,2\n"
    ),
    "medications.csv": (
        "patient_id,day,drug,route,strength,unit,quantity,days_supply\n"
        "P1,-10,oxycodone,oral,5,mg,60,30\nP2,5,ibuprofen,oral,400,mg,30,10\n"
    ),
}
ASSESSED_ROWS = EXAMPLE["assessments.csv"].count("\n") - 1


def write_example(folder: Path, changes: Mapping[str, str | bytes | None] | None = None) -> Path:
    """Write the example; ``changes`` replaces files, adds some, or leaves them out (None)."""
    folder.mkdir(parents=True, exist_ok=True)
    content: dict[str, str | bytes | None] = {**EXAMPLE, **(changes or {})}
    for name, text in content.items():
        if text is not None:
            data = text if isinstance(text, bytes) else text.encode()
            (folder / name).write_bytes(data)
    return folder
