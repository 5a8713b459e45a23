"""Rows of the table ``described``: one value an episode in, rows by intervention type out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.results.tables import build_table
from outcomes.study.analysed import summarise
from outcomes.study.groups import exposure_order, group_masks
from outcomes.study.rates import free_of_event, rate

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from outcomes.measures.reliability import Reliability
    from outcomes.study.dataset import StudyDataset
    from outcomes.study.groups import Masks
    from outcomes.study.rates import Limits

DAYS_PER_YEAR: Final = 365.25
PER_100_YEARS: Final = "per 100 patient-years"
SHARE: Final = "share"
ALPHA: Final = "alpha"
ICC: Final = "icc"
COEFFICIENTS: Final = {ALPHA: "Cronbach's alpha", ICC: "ICC(1)"}


Counts = dict[str, dict[str, float]]
"""What was counted, by exposure ("" for all together) and name."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """Rows of ``described`` as they are found; a measure without any value leaves no row."""

    dataset: StudyDataset
    rows: list[dict[str, object]] = field(default_factory=list)
    masks: Masks = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "masks", group_masks(self.dataset))

    @property
    def conf_level(self) -> float:
        """Confidence level of every interval."""
        return self.dataset.spec.model.conf_level

    def table(self) -> pd.DataFrame:
        """Return the rows as the contract has them."""
        return build_table("described", self.rows)

    def add(
        self,
        domain: str,
        measure: str,
        label: str,
        values: NDArray[np.float64],
        *,
        statistic: str = SHARE,
        unit: str = SHARE,
        visit: str = "",
    ) -> None:
        """Describe one value an episode; NaN where the episode is not counted."""
        words = _words(domain, measure, label, unit, visit)
        for row in summarise(self.masks, values, statistic):
            kept = {name: value for name, value in row.items() if name not in ("low", "high")}
            self.rows.append(words | kept)

    def add_means(
        self, domain: str, measure: str, label: str, counted: Counts, *, unit: str, visit: str = ""
    ) -> None:
        """Add ``n``, ``mean`` and ``spread`` that were counted by exposure."""
        words = _words(domain, measure, label, unit, visit)
        for exposure in exposure_order(self.dataset):
            row = counted.get(exposure, {})
            self.rows.append(
                words
                | {
                    "exposure": exposure,
                    "statistic": "mean",
                    "estimate": row.get("mean", np.nan),
                    "std_dev": row.get("spread", np.nan),
                    "n_episodes": int(row.get("n", 0)),
                }
            )

    def add_counts(
        self, domain: str, measure: str, label: str, counted: Counts, *, visit: str = ""
    ) -> None:
        """Add ``count`` of ``n`` that were counted by exposure as shares."""
        if not any(row["n"] for row in counted.values()):
            return
        words = _words(domain, measure, label, SHARE, visit)
        for exposure in exposure_order(self.dataset):
            row = counted.get(exposure, {})
            n, count = int(row.get("n", 0)), int(row.get("count", 0))
            self.rows.append(
                words
                | {
                    "exposure": exposure,
                    "statistic": SHARE,
                    "estimate": count / n if n else np.nan,
                    "count": count,
                    "n_episodes": n,
                }
            )

    def add_coefficient(
        self,
        domain: str,
        measure: str,
        label: str,
        found: Reliability | None,
        *,
        statistic: str,
        visit: str,
    ) -> None:
        """Add an alpha or ICC of all together; none where it could not be estimated."""
        if found is None:
            return
        words = _words(domain, measure, label, COEFFICIENTS[statistic], visit)
        self.rows.append(
            words
            | {
                "exposure": "",
                "statistic": statistic,
                "estimate": found.estimate,
                "conf_low": found.conf_low,
                "conf_high": found.conf_high,
                "conf_level": found.conf_level,
                "n_episodes": found.n_observations,
            }
        )

    def add_rate(
        self,
        domain: str,
        measure: str,
        label: str,
        *,
        events: NDArray[np.float64],
        days: NDArray[np.float64],
    ) -> None:
        """Describe events over the days that each episode was at risk, in 100 patient-years."""
        at_risk = ~np.isnan(days) & (days > 0)
        if not at_risk.any():
            return
        words = _words(domain, measure, label, PER_100_YEARS, "")
        for exposure, mask in self.masks:
            seen = events[mask & at_risk]
            years = float(days[mask & at_risk].sum()) / DAYS_PER_YEAR
            found = rate(int(np.nansum(seen)), years, 100, level=self.conf_level)
            count = int(np.count_nonzero(np.nan_to_num(seen)))
            self.rows.append(
                words
                | _limits(found)
                | {
                    "conf_level": self.conf_level,
                    "exposure": exposure,
                    "statistic": "rate",
                    "count": count,
                    "n_episodes": len(seen),
                }
            )

    def add_reached(
        self,
        domain: str,
        measure: str,
        label: str,
        *,
        days: NDArray[np.float64],
        happened: NDArray[np.bool_],
        by_day: float,
        free: bool = False,
    ) -> None:
        """Describe the share with an event by a day, or still ``free`` of it.

        ``days`` is the day of the event or the last day at risk, NaN where the episode was not at
        risk. ``count`` is the number of events seen by the day: with people leaving early it is not
        the share times ``n_episodes``.
        """
        known = ~np.isnan(days)
        if not known.any():
            return
        words = _words(domain, measure, label, SHARE, "")
        for exposure, mask in self.masks:
            group = mask & known
            found = free_of_event(days[group], happened[group], by_day, level=self.conf_level)
            row = _limits(found if free else found.complement())
            row |= {"exposure": exposure, "statistic": SHARE, "n_episodes": int(group.sum())}
            row["conf_level"] = self.conf_level
            row["count"] = int(np.count_nonzero(happened[group] & (days[group] <= by_day)))
            self.rows.append(words | row)


def _words(domain: str, measure: str, label: str, unit: str, visit: str) -> dict[str, object]:
    return {"domain": domain, "measure": measure, "label": label, "unit": unit, "visit": visit}


def _limits(found: Limits) -> dict[str, object]:
    return {"estimate": found.estimate, "conf_low": found.low, "conf_high": found.high}


def flag(answer: NDArray[np.bool_], applies: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return 1 where the answer is yes, 0 where no, NaN where the question does not apply."""
    return np.where(applies, answer.astype(np.float64), np.nan)
