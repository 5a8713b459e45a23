"""The truth that is planted: what each intervention type does to each outcome at each visit.

Differences are from usual care, signed so that positive is better, in the outcome's unit; for
opioids they are the share of the dose that is saved. Sizes follow reviews of trials for low back
pain: differences between therapies and usual care of half a point to one point of ten for pain and
3 to 6 of 100 for disability, largest at three months and smaller at a year; passive modalities
close to nothing. They are choices within that range and no claim about any therapy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

TYPES: Final = (
    "exercise",
    "manual_therapy",
    "manual_therapy+exercise",
    "modalities",
    "education_posture",
    "usual_care",
)
USUAL_CARE: Final = TYPES.index("usual_care")
WINDOW_DAYS: Final = 14
"""Length of the exposure window; its end is time zero."""
VISITS: Final[Mapping[str, int]] = {"week_6": 42, "week_12": 84, "week_26": 182, "week_52": 364}
"""Target days from time zero."""
SPREAD: Final = (10, 14, 35, 45)
"""How far from its target a visit may fall, in days; always inside the visit's window."""

PAIN: Final = np.array(
    [
        [0.50, 0.70, 0.70, 0.50],
        [0.60, 0.50, 0.40, 0.30],
        [0.80, 1.00, 0.90, 0.70],
        [0.20, 0.15, 0.10, 0.00],
        [0.20, 0.35, 0.40, 0.40],
        [0.00, 0.00, 0.00, 0.00],
    ]
)
DISABILITY: Final = np.array(
    [
        [2.5, 4.0, 4.0, 3.5],
        [3.0, 2.5, 2.0, 1.5],
        [4.0, 5.5, 5.0, 4.5],
        [1.0, 0.5, 0.5, 0.0],
        [1.5, 2.0, 2.5, 2.5],
        [0.0, 0.0, 0.0, 0.0],
    ]
)
DOSE_SAVED: Final = np.array(
    [
        [0.08, 0.15, 0.20, 0.20],
        [0.06, 0.10, 0.10, 0.10],
        [0.12, 0.22, 0.25, 0.25],
        [0.02, 0.02, 0.02, 0.00],
        [0.06, 0.10, 0.12, 0.12],
        [0.00, 0.00, 0.00, 0.00],
    ]
)

OUTCOMES: Final[Mapping[str, str]] = {
    "pain": "nprs",
    "mobility": "odi",
    "medication": "mean daily MME over the 28 days up to the visit",
}


def effects() -> dict[str, dict[str, list[float]]]:
    """Return what was planted, by outcome and type, one number a visit."""
    tables = {"pain": PAIN, "mobility": DISABILITY, "medication_share_saved": DOSE_SAVED}
    return {
        outcome: {name: table[k].tolist() for k, name in enumerate(TYPES)}
        for outcome, table in tables.items()
    }
