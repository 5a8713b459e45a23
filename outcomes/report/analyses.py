"""The analyses of one comparison: what each is called, and which could not be made, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from outcomes.report.study import Study
from outcomes.results.wording import capitalised, in_sentence

NAMES: Final[dict[str, tuple[str, str]]] = {
    "primary": ("Main analysis", "Mixed model, missing at random"),
    "complete_cases": ("Complete cases", "Only those seen at every visit"),
    "observed_only": ("Observed values only", "Nobody's unseen values are filled in"),
    "delta": (
        "Missing not at random",
        "Unseen values taken to be worse in the type that fared better",
    ),
    "no_clinic": ("Clinics not held fixed", "Comparison across clinics, too"),
    "unadjusted": ("No adjustment", "Plain group means: not a result"),
}
WINDOW: Final = "window_"


@dataclass(frozen=True, kw_only=True)
class Unmade:
    """An analysis of an outcome that was asked for and gave nothing."""

    outcome: str
    analysis: str
    why: str


def analysis_name(analysis: str, method: str = "") -> tuple[str, str]:
    """Return the name of an analysis, and what differs in it."""
    if analysis in NAMES:
        return NAMES[analysis]
    if analysis.startswith(WINDOW):
        days = analysis.removeprefix(WINDOW).removesuffix("_days")
        return f"Exposure window of {days} days", "Type fixed at another time"
    return capitalised(analysis.replace("_", " ")), method.replace("_", " ")


def what_differs(analysis: str, method: str = "") -> str:
    """Say in a sentence what differs in an analysis: ``only those seen at every visit``."""
    name, differs = analysis_name(analysis, method)
    return in_sentence(differs or name)


def unmade_analyses(study: Study) -> Iterator[Unmade]:
    """Yield the analyses that the study's notes say could not be made."""
    for note in study.raw.get("notes") or []:
        found = read_unmade(study, str(note))
        if found is not None:
            yield found


def read_unmade(study: Study, note: str) -> Unmade | None:
    """Read a note such as ``pain, complete cases: the model did not converge``; else None."""
    head, _, why = note.partition(": ")
    outcome, _, words = head.partition(", ")
    analysis = words.replace(" ", "_")
    if outcome not in study.outcomes or not (analysis in NAMES or analysis.startswith(WINDOW)):
        return None
    return Unmade(outcome=outcome, analysis=analysis, why=why.strip().rstrip("."))
