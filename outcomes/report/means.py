"""Adjusted means of every type at every visit, and the start that all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from outcomes.report.comparisons import Row, as_number, main_rows, read_row
from outcomes.report.study import Study
from outcomes.results.wording import missing

if TYPE_CHECKING:
    from outcomes.report.release import Release


@dataclass(frozen=True)
class Means:
    """Adjusted means looked up by outcome, exposure and visit."""

    study: Study
    rows: dict[tuple[str, str, str], Row]
    starts: dict[str, float]

    def get(self, outcome: str, exposure: str, visit: str) -> Row | None:
        """Return an adjusted mean, or None where none is shown."""
        row = self.rows.get((outcome, exposure, visit))
        return None if row is None or row.reason or missing(row.estimate) else row

    def reason(self, outcome: str, exposure: str, visit: str) -> str:
        """Why a mean is not shown; empty where it is, or was never asked for."""
        row = self.rows.get((outcome, exposure, visit))
        return row.reason if row else ""

    def at(self, outcome: str, visit: str) -> dict[str, float]:
        """Return the shown means of all types at a visit."""
        found = {e: self.get(outcome, e, visit) for e in self.study.exposures}
        return {e: r.estimate for e, r in found.items() if r and r.estimate is not None}

    def gain(self, outcome: str, mean: float) -> float | None:
        """Return the improvement from the shared start to a mean."""
        start = self.starts.get(outcome)
        if start is None:
            return None
        return mean - start if self.study.outcomes[outcome].higher_is_better else start - mean


def build_means(study: Study, release: Release) -> Means:
    """Read the adjusted means, and the mean at time zero of everyone together."""
    hidden = study.hidden_text.removeprefix("hidden: ") + " patients"
    table = main_rows(release.table("ls_means"))
    rows = {
        (r["outcome"], r["level"], r["visit"]): read_row(r, hidden)
        for r in table[table["scale"].eq("mean")].to_dict("records")
    }
    base = release.table("baseline")
    everyone = base[base["exposure"].eq("") & base["statistic"].eq("mean")]
    known = {r["variable"]: as_number(r["estimate"]) for r in everyone.to_dict("records")}
    starts = {o: known.get(f"baseline_{o}") for o in study.outcomes}
    return Means(study, rows, {o: v for o, v in starts.items() if v is not None})
