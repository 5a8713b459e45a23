"""What the records hold of everybody's opioids: read and added up once for all windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.catalog.medications import OPIOID, OPIOID_AGONIST, drug_groups, ingredients
from outcomes.measures.fills import derive_fills
from outcomes.measures.medication import mme_intervals
from outcomes.study.steps import steps_in

if TYPE_CHECKING:
    import pandas as pd

    from outcomes.records.files import Records
    from outcomes.study.outcome_sections import OutcomeSpec
    from outcomes.study.spec import StudySpec
    from outcomes.study.steps import Steps

DRUGS: Final = "select distinct drug from medications where drug is not null order by 1"
OPIOIDS: Final = """
select m.patient_id, m.day, m.drug, m.route, m.strength, m.unit, m.quantity, m.days_supply,
       m.as_needed, m.source
from medications m
join opioid_names o on o.drug = m.drug
order by m.patient_id, m.day, m._source, m._row
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Opioids:
    """Opioids under the rules of one outcome.

    Attributes
    ----------
    medications : DataFrame
        Records of opioids, and of medicines that the catalog does not know.
    fills : DataFrame
        Of each record: ``patient_id``, ``status`` (whether its dose counts, or why not), and its
        first and last day, refills carried forward.
    intervals : DataFrame
        Of constant dose, as of :func:`outcomes.measures.medication.daily_mme`.
    """

    medications: pd.DataFrame
    fills: pd.DataFrame
    intervals: pd.DataFrame

    def statuses(self, patients: pd.Series) -> dict[str, int]:
        """Count the records of some patients by status."""
        theirs = np.isin(self.medications["patient_id"].to_numpy(), patients.to_numpy())
        counts = self.fills.loc[theirs, "status"].value_counts()
        return {str(name): int(n) for name, n in counts.items()}


def read_opioids(steps: Steps, outcome: OutcomeSpec) -> Opioids | None:
    """Return the opioids of every patient; None where the records hold no medicines."""
    if not steps.records.has("medications"):
        return None
    steps.give("opioid_names", _opioid_names(steps))
    medications = steps.coded(OPIOIDS)
    fills = derive_fills(
        medications,
        factors=outcome.factors,
        overlap=outcome.overlap,
        as_needed=outcome.as_needed,
    )
    return Opioids(
        medications=medications,
        fills=fills[["patient_id", "status", "start_day", "end_day"]],
        intervals=mme_intervals(fills, outcome.factors),
    )


def opioids_by_outcome(records: Records, spec: StudySpec) -> dict[str, Opioids | None]:
    """Return the opioids of each outcome that is a dose."""
    with steps_in(records) as steps:
        doses = [outcome for outcome in spec.outcomes if outcome.measure == "daily_mme"]
        return {outcome.id: read_opioids(steps, outcome) for outcome in doses}


def may_be_opioid(drug: str) -> bool:
    """Whether a medicine is an opioid, or one that the catalog does not know."""
    return bool({OPIOID, OPIOID_AGONIST}.intersection(drug_groups(drug))) or not ingredients(drug)


def _opioid_names(steps: Steps) -> pd.DataFrame:
    """Return the names of opioids, and those that may be: the catalog does not know them."""
    import pandas as pd

    kept = [name for name in steps.columns(DRUGS)["drug"] if may_be_opioid(str(name))]
    return pd.DataFrame({"drug": pd.Series(kept, dtype="object")})
