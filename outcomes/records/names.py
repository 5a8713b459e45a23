"""Column and file names as people write them, brought to one form.

``PatientID``, ``Patient ID`` and ``patient-id`` are all ``patient_id``: camel case is split, every
run of other characters becomes one underscore, and the ends are cut. Accents fall away, and a sharp
s is two.
"""

from __future__ import annotations

import re
import unicodedata

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHER = re.compile(r"[^a-z0-9]+")


def normalised(name: str) -> str:
    """Bring a name to lower-case words joined by underscores."""
    spelled = name.replace("ß", "ss").replace("ẞ", "SS")
    plain = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()
    return _OTHER.sub("_", _CAMEL.sub("_", plain).lower()).strip("_")


def unique_names(header: list[str]) -> tuple[list[str], list[str]]:
    """Give every column a name of its own.

    Returns
    -------
    names : list of str
        One name a column; a repeated one gets a number, an empty one becomes ``column 3``.
    repeated : list of str
        Names that were there more than once, whatever their case.
    """
    names: list[str] = []
    repeated: list[str] = []
    taken = {"_row", "_source", "_bad"}
    for position, given in enumerate(header, start=1):
        name = base = given.strip() or f"column {position}"
        count = 2
        while name.lower() in taken:
            name, count = f"{base} ({count})", count + 1
        if name != base:
            repeated.append(base)
        taken.add(name.lower())
        names.append(name)
    return names, repeated
