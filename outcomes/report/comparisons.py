"""Every comparison that a report can show: any type, comparator, visit and outcome.

The table ``contrasts`` holds all pairs. A pair that is stored one way round only is turned: the
estimate changes its sign and the limits change places. Verdicts come from
:func:`outcomes.results.wording.judge`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from outcomes.report.analyses import Unmade, unmade_analyses, what_differs
from outcomes.report.study import Outcome, Study
from outcomes.results.wording import (
    Comparison,
    Verdict,
    amount,
    estimate_text,
    finding,
    interval,
    judge,
    missing,
    number,
)

if TYPE_CHECKING:
    import pandas as pd

    from outcomes.report.release import Release

OPEN = "open"
PRIMARY = "primary"
UNADJUSTED = "unadjusted"
SHOWN_SCALES = ("improvement", "change")

Key = tuple[str, str, str, str]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One interval of an estimate table, with the reason where it is not shown."""

    estimate: float | None
    low: float | None
    high: float | None
    n: float | None
    reason: str = ""
    analysis: str = PRIMARY
    method: str = ""

    def turned(self) -> Row:
        """Return the same comparison the other way round."""
        return Row(
            estimate=None if self.estimate is None else -self.estimate,
            low=None if self.high is None else -self.high,
            high=None if self.low is None else -self.low,
            n=self.n,
            reason=self.reason,
            analysis=self.analysis,
            method=self.method,
        )


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A comparison with its verdict and its words."""

    outcome: Outcome
    exposure: str
    reference: str
    visit: str
    row: Row
    verdict: Verdict
    reference_name: str
    n: float | None
    n_reference: float | None

    @property
    def finding(self) -> str:
        """What was found, as a heading."""
        return finding(self.verdict, self.outcome.words, self.reference_name)

    @property
    def amount(self) -> str:
        """The difference in words."""
        return amount(self.row.estimate, self.outcome.words)

    @property
    def plain_amount(self) -> str:
        """The difference in words without the bracket of its unit, to stand before a bracket."""
        return re.sub(r" \([^)]*\)", "", self.amount)

    @property
    def interval(self) -> str:
        """The interval in words."""
        return interval(self.row.low, self.row.high, self.outcome.words.decimals)

    @property
    def estimate(self) -> str:
        """The estimate alone."""
        return number(self.row.estimate, self.outcome.words.decimals)

    @property
    def size(self) -> str:
        """The estimate without its sign, for a heading that says the direction."""
        size = None if self.row.estimate is None else abs(self.row.estimate)
        return number(size, self.outcome.words.decimals)

    @property
    def size_interval(self) -> str:
        """The interval that goes with ``size``."""
        row = self.row if (self.row.estimate or 0.0) >= 0 else self.row.turned()
        return interval(row.low, row.high, self.outcome.words.decimals)

    @property
    def both(self) -> str:
        """Estimate and interval."""
        return estimate_text(
            self.row.estimate, self.row.low, self.row.high, self.outcome.words.decimals
        )


@dataclass(frozen=True)
class Comparisons:
    """All comparisons of a release, looked up by outcome, exposure, reference and visit."""

    study: Study
    rows: dict[Key, Row]
    checks: dict[Key, list[Row]]
    planned: dict[tuple[str, str], bool]
    observed: dict[tuple[str, str, str], float | None]
    reasons: dict[tuple[str, str, str], str]
    shares: dict[tuple[str, str], float | None] = field(default_factory=dict)
    unmade: dict[str, list[Unmade]] = field(default_factory=dict)
    made: dict[Key, Contrast] = field(default_factory=dict)

    def get(self, outcome: str, exposure: str, reference: str = "", visit: str = "") -> Contrast:
        """Return a comparison; reference and visit default to the study's."""
        key = (outcome, exposure, reference or self.study.reference, visit or self._visit())
        if key not in self.made:
            self.made[key] = self._make(key)
        return self.made[key]

    def measured(self, outcome: str) -> dict[str, float]:
        """Return the share of all episodes that have a value, by visit, as far as shown."""
        everyone = {v: self.shares.get((outcome, v)) for v in self.study.visits}
        return {visit: share for visit, share in everyone.items() if share is not None}

    def _visit(self) -> str:
        return self.study.primary_visit

    def _make(self, key: Key) -> Contrast:
        outcome, exposure, reference, visit = key
        row = self._row(key)
        words = self.study.outcomes[outcome]
        checks = [check for check in self.checks_of(key) if check.method != UNADJUSTED]
        verdict = judge(
            Comparison(
                low=row.low,
                high=row.high,
                margin=words.margin,
                planned=self.planned.get((outcome, visit), True),
                reason=row.reason,
                checks=tuple((check.low, check.high) for check in checks),
                names=tuple(what_differs(check.analysis, check.method) for check in checks),
                n_unmade=len(self.unmade.get(outcome, [])),
                randomised=self.study.randomised,
            )
        )
        return Contrast(
            outcome=words,
            exposure=exposure,
            reference=reference,
            visit=visit,
            row=row,
            verdict=verdict,
            reference_name=self.study.name(reference),
            n=self.observed.get((outcome, exposure, visit)),
            n_reference=self.observed.get((outcome, reference, visit)),
        )

    def _row(self, key: Key) -> Row:
        outcome, exposure, reference, visit = key
        found = self.rows.get(key)
        if found is None:
            other = self.rows.get((outcome, reference, exposure, visit))
            found = other.turned() if other is not None else None
        if found is None:
            why = (
                self.reasons.get((outcome, visit, exposure))
                or self.reasons.get((outcome, visit, reference))
                or "it could not be estimated"
            )
            return Row(estimate=None, low=None, high=None, n=None, reason=why)
        return found

    def checks_of(self, key: Key) -> list[Row]:
        """Return the same comparison in the other analyses, whichever way round it is stored."""
        outcome, exposure, reference, visit = key
        found = self.checks.get(key)
        if found is not None:
            return found
        return [row.turned() for row in self.checks.get((outcome, reference, exposure, visit), [])]


def build_comparisons(study: Study, release: Release) -> Comparisons:
    """Read contrasts, checks, gates and counts of a release.

    Parameters
    ----------
    study : Study
    release : Release

    Returns
    -------
    Comparisons
    """
    hidden = study.hidden_text.removeprefix("hidden: ") + " patients"
    checks: dict[Key, list[Row]] = {}
    for key, row in _rows(release.table("sensitivity"), hidden):
        checks.setdefault(key, []).append(row)
    unmade: dict[str, list[Unmade]] = {}
    for analysis in unmade_analyses(study):
        unmade.setdefault(analysis.outcome, []).append(analysis)
    contrasts = release.table("contrasts")
    completeness = release.table("completeness")
    planned, observed = _counts(completeness)
    return Comparisons(
        study=study,
        rows=dict(_rows(main_rows(contrasts), hidden)),
        checks=checks,
        planned=planned,
        observed=observed,
        reasons=_reasons(release.table("gate")),
        shares=_shares(completeness),
        unmade=unmade,
    )


def main_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the main analysis in everyone."""
    here = table["subgroup"].eq("")
    if table["analysis_id"].eq(PRIMARY).any():
        here &= table["analysis_id"].eq(PRIMARY)
    return table[here]


def _rows(table: pd.DataFrame, hidden: str) -> Iterator[tuple[Key, Row]]:
    scales = table["scale"].isin(SHOWN_SCALES)
    for record in table[scales & table["reference"].ne("")].to_dict("records"):
        key = (record["outcome"], record["level"], record["reference"], record["visit"])
        yield key, read_row(record, hidden)


def read_row(record: dict[Any, Any], hidden: str) -> Row:
    """Read one row of an estimate table."""
    low, high = as_number(record["conf_low"]), as_number(record["conf_high"])
    gate = str(record["gate"])
    reason = "" if gate in ("", OPEN) else gate
    if not reason and record.get("suppressed") and missing(low):
        reason = hidden
    return Row(
        estimate=as_number(record["estimate"]),
        low=low,
        high=high,
        n=as_number(record["n_episodes"]),
        reason=reason,
        analysis=str(record["analysis_id"]),
        method=str(record["method"]),
    )


def as_number(value: Any) -> float | None:
    """Return a float, or None where nothing is there."""
    import pandas as pd

    return None if value is None or pd.isna(value) else float(value)


def _counts(
    table: pd.DataFrame,
) -> tuple[dict[tuple[str, str], bool], dict[tuple[str, str, str], float | None]]:
    planned: dict[tuple[str, str], bool] = {}
    observed: dict[tuple[str, str, str], float | None] = {}
    for row in table.to_dict("records"):
        flag = row["planned"]
        if as_number(flag) is not None:
            planned[row["outcome"], row["visit"]] = bool(flag)
        observed[row["outcome"], row["exposure"], row["visit"]] = as_number(row["n_observed"])
    return planned, observed


def _shares(table: pd.DataFrame) -> dict[tuple[str, str], float | None]:
    """Return the share of all episodes that were measured, by outcome and visit."""
    everyone = table[table["exposure"].eq("")].to_dict("records")
    return {(row["outcome"], row["visit"]): as_number(row["share"]) for row in everyone}


def _reasons(table: pd.DataFrame) -> dict[tuple[str, str, str], str]:
    failed = table[table["passed"].astype("boolean").eq(False).fillna(False)]
    return {
        (row["outcome"], row["visit"], row["exposure"]): str(row["reason"])
        for row in failed.to_dict("records")
    }
