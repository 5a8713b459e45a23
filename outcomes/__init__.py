"""Clinical outcomes studies of therapy programs: records in, an honest interactive report out.

Nothing heavy is imported until it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PLACES = {
    "check_records": "outcomes.records",
    "daily_mme": "outcomes.measures.medication",
    "fit_mmrm": "outcomes.models.mmrm",
    "problems_table": "outcomes.records",
    "read_records": "outcomes.records",
    "read_study": "outcomes.study.spec",
    "render_report": "outcomes.workflow",
    "run_study": "outcomes.workflow",
    "score_instrument": "outcomes.measures.score",
}

__all__ = [
    "__version__",
    "check_records",
    "daily_mme",
    "fit_mmrm",
    "problems_table",
    "read_records",
    "read_study",
    "render_report",
    "run_study",
    "score_instrument",
]

if TYPE_CHECKING:
    from outcomes.measures.medication import daily_mme
    from outcomes.measures.score import score_instrument
    from outcomes.models.mmrm import fit_mmrm
    from outcomes.records import check_records, problems_table, read_records
    from outcomes.study.spec import read_study
    from outcomes.workflow import render_report, run_study


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'outcomes' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
