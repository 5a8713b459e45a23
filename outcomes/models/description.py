"""What goes with the moments of an outcome so that they can be analysed without a row.

Sums and counts only, all of which add up over clinics: of every coded column by type, over all
analysed episodes whether followed or not (adjusted means average over them), and of who was seen at
each visit. A patient with episodes of several types is counted once in a pair of types: patients
are counted by the set of types that they were seen in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import RecordsError
from outcomes.models.covariates import Array, Coded
from outcomes.study.protocol import describe_outcome
from outcomes.study.spec import StudySpec

if TYPE_CHECKING:
    from outcomes.models.layout import OutcomeRows

SCHEMA: Final = 1
CHUNK: Final = 4096
"""Rows at a time: few enough to stay in the processor's cache."""
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Description:
    """What the moments of one outcome are of.

    Attributes
    ----------
    spec : StudySpec
    outcome : str
    exposures, visits : tuple of str
    labels : dict
        Exposure to its name in words.
    columns : tuple of Coded
        Of z.
    sums : (k, q) array
        Of each column by type, over all analysed episodes.
    squares : (q,) array
        Sums of squared distances from the fixed centres, in fixed scales.
    episodes : (T, k) int array
        Episodes seen.
    patients : tuple of dict
        For each visit, sets of types (as bits) and the number of patients seen in exactly those.
    complete : dict
        The same for patients seen at every visit of an episode.
    n_dropped : int
        Episodes that a missing covariate dropped.
    """

    spec: StudySpec
    outcome: str
    exposures: tuple[str, ...]
    labels: dict[str, str]
    visits: tuple[str, ...]
    columns: tuple[Coded, ...]
    sums: Array
    squares: Array
    episodes: Counts
    patients: tuple[dict[int, int], ...]
    complete: dict[int, int]
    n_dropped: int = 0

    @property
    def sizes(self) -> Array:
        """Analysed episodes by type, (k,)."""
        return self.sums[:, 0]

    @property
    def conf_level(self) -> float:
        """Confidence level of every interval."""
        return self.spec.model.conf_level

    @property
    def direction(self) -> int:
        """+1 where a rise is an improvement, -1 where a fall is."""
        return 1 if describe_outcome(self.spec.outcome(self.outcome))["higher_is_better"] else -1

    @property
    def unit(self) -> str:
        """Unit of the outcome."""
        return str(describe_outcome(self.spec.outcome(self.outcome))["unit"])

    def n_patients(self, visit: int, exposures: Sequence[int]) -> int:
        """Patients seen at a visit in any of some types."""
        bits = sum(1 << exposure for exposure in exposures)
        return sum(n for types, n in self.patients[visit].items() if types & bits)

    def at(self, visits: Sequence[str]) -> Description:
        """Return the description of some of the visits alone.

        Who was seen at each of those is not known from sums, so ``complete`` is empty.
        """
        places = [self.visits.index(visit) for visit in visits]
        return replace(
            self,
            visits=tuple(visits),
            episodes=self.episodes[places],
            patients=tuple(self.patients[place] for place in places),
            complete={},
        )

    def to_json(self) -> dict[str, Any]:
        """Return JSON values that :func:`read_description` takes back."""
        spec = self.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        spec["records"] = {  # where the records lie is nobody else's business
            "path": "moments",
            "quarantine_limit": self.spec.records.quarantine_limit,
        }
        return {
            "schema": SCHEMA,
            "spec": spec,
            "outcome": self.outcome,
            "exposures": list(self.exposures),
            "labels": self.labels,
            "visits": list(self.visits),
            "columns": [asdict(column) for column in self.columns],
            "sums": self.sums.tolist(),
            "squares": self.squares.tolist(),
            "episodes": self.episodes.tolist(),
            "patients": [_keyed(seen) for seen in self.patients],
            "complete": _keyed(self.complete),
            "n_dropped": self.n_dropped,
        }


def read_description(content: Mapping[str, Any]) -> Description:
    """Take back what :meth:`Description.to_json` gave.

    Raises
    ------
    RecordsError
        Where it was written by another version.
    """
    if content.get("schema") != SCHEMA:
        raise RecordsError(
            "The description of the moments was written by another version of this package. "
            "Make them again with this one."
        )
    visits = tuple(content["visits"])
    k, q = len(content["exposures"]), len(content["columns"])
    return Description(
        spec=StudySpec.model_validate(content["spec"]),
        outcome=content["outcome"],
        exposures=tuple(content["exposures"]),
        labels=dict(content["labels"]),
        visits=visits,
        columns=tuple(Coded(**column) for column in content["columns"]),
        sums=np.array(content["sums"], dtype=np.float64).reshape(k, q),
        squares=np.array(content["squares"], dtype=np.float64),
        episodes=np.array(content["episodes"], dtype=np.int64).reshape(len(visits), k),
        patients=tuple(_unkeyed(seen) for seen in content["patients"]),
        complete=_unkeyed(content["complete"]),
        n_dropped=content["n_dropped"],
    )


def _keyed(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(types): n for types, n in counts.items()}


def _unkeyed(counts: Mapping[str, int]) -> dict[int, int]:
    return {int(types): n for types, n in counts.items()}


def describe_rows(rows: OutcomeRows) -> Description:
    """Add up what goes with the moments of an outcome."""
    study = rows.study
    k = len(study.dataset.exposures)
    centres = np.array([column.centre for column in rows.columns])
    scales = np.array([column.scale for column in rows.columns])
    seen = ~np.isnan(rows.y)
    indicators = rows.z[:, 1 : 1 + k]
    return Description(
        spec=study.dataset.spec,
        outcome=rows.outcome.id,
        exposures=study.dataset.exposures,
        labels=dict(study.dataset.labels),
        visits=rows.visits,
        columns=rows.columns,
        sums=indicators.T @ rows.z,
        squares=_squares(rows.z, centres, scales),
        episodes=(seen.T.astype(np.float64) @ indicators).astype(np.int64),
        patients=tuple(_patients(study.patient, study.exposure, column) for column in seen.T),
        complete=_patients(study.patient, study.exposure, ~np.isnan(rows.y.sum(axis=1))),
        n_dropped=study.n_dropped,
    )


def _squares(z: Array, centres: Array, scales: Array) -> Array:
    """Sums of squares of (n, q) values about their centres, some rows at a time."""
    total = np.zeros(z.shape[1])
    for start in range(0, len(z), CHUNK):
        centred = (z[start : start + CHUNK] - centres) / scales
        total += np.einsum("ij,ij->j", centred, centred)
    return total


def _patients(
    patient: npt.NDArray[np.int64], exposure: npt.NDArray[np.int64], seen: npt.NDArray[np.bool_]
) -> dict[int, int]:
    """Count patients by the set of types that they were seen in."""
    types = np.zeros(int(patient.max(initial=-1)) + 1, dtype=np.int64)
    np.bitwise_or.at(types, patient[seen], np.int64(1) << exposure[seen])
    sets, counts = np.unique(types[types > 0], return_counts=True)
    return {int(bits): int(n) for bits, n in zip(sets, counts, strict=True)}
