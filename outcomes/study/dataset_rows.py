"""The rows of the dataset: what is known of each episode at time zero, and its values at visits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from outcomes.core.errors import SpecError
from outcomes.records.schema import EPISODES, PATIENTS
from outcomes.study.covariates import covariate_columns
from outcomes.study.medicines import find_doses
from outcomes.study.unplaced import find_unplaced
from outcomes.study.visits import BASELINE, catalog_id, find_scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from outcomes.records.files import Records
    from outcomes.study.exposure import Exposure
    from outcomes.study.opioids import Opioids
    from outcomes.study.spec import StudySpec
    from outcomes.study.steps import Steps

    Floats = NDArray[np.float64]

ANY_OPIOID: Final = "any_opioid"
CLOCKS: Final = ("patient_day", "end_day", "followed_to_day", "start_month", "discharge_reason")


def episode_rows(
    steps: Steps,
    eligible: pd.DataFrame,
    found: Exposure,
    analysed: NDArray[np.bool_],
    spec: StudySpec,
) -> pd.DataFrame:
    """Return the analysed episodes with keys, exposure, covariates, clocks, shares and groups.

    A covariate of the model that the records do not hold is a column without any value.
    """
    ids = eligible.loc[analysed, ["episode_id"]].reset_index(drop=True)
    steps.give("analysed_keys", ids)
    steps.keep("analysed_ids", ANALYSED)
    frame = steps.coded(_columns_statement(steps.records))
    frame.insert(4, "exposure", pd.Series(found.types[analysed], dtype="object"))
    for column in frame.columns.difference(["exposure"]):
        frame[column] = _typed(frame[column], str(column))
    absent = {name: np.nan for name in spec.model.covariates if name not in frame}
    shares = {f"share_{name}": values[analysed] for name, values in found.shares.items()}
    groups = {f"has_{name}": values[analysed] for name, values in found.groups.items()}
    return pd.concat([frame, pd.DataFrame(absent | shares | groups, index=frame.index)], axis=1)


ANALYSED: Final = """
select c.episode_id, c.patient_id, c.patient_day, c.end_day, c.followed_to_day
from candidates c join analysed_keys a on a.episode_id = c.episode_id
"""
_KINDS: Final = {c.name: c.kind for c in (*PATIENTS.columns, *EPISODES.columns)}


def _columns_statement(records: Records) -> str:
    """Return the statement for all recorded columns of the analysed episodes."""
    keys = ["episode_id", "patient_id", "clinic_id", "provider_id"]
    picked = [f"e.{name}" for name in keys]
    picked += [
        f"{'e' if table == 'episodes' else 'p'}.{column.name}"
        for table, column in covariate_columns()
        if column.name not in keys and records.has(table, column.name)
    ]
    picked += ["a.patient_day"]
    picked += [f"e.{name}" for name in CLOCKS[1:] if records.has("episodes", name)]
    people = "left join patients p on p.patient_id = e.patient_id"
    return (
        f"select {', '.join(picked)} from episodes e"
        f" join analysed_ids a on a.episode_id = e.episode_id"
        f" {people if records.has('patients') else ''} order by e.episode_id"
    )


def _typed(column: pd.Series, name: str) -> pd.Series:
    kind = _KINDS[name]
    if kind == "boolean":
        return column.astype("boolean")
    if kind in ("key", "integer") and name != "episode_id" and name != "patient_id":
        return column.astype("Int64")
    return column.astype("object").where(column.notna(), np.nan) if kind in _TEXT else column


_TEXT: Final = ("category", "month", "string")


def covariate_notes(records: Records, spec: StudySpec) -> list[str]:
    """Say which covariates of the model the records do not hold."""
    supplied = {
        column.name for table, column in covariate_columns() if records.has(table, column.name)
    }
    absent = [name for name in spec.model.covariates if name not in supplied]
    if not absent:
        return []
    listed = ", ".join(repr(name) for name in absent)
    if spec.model.covariate_missing == "drop":
        text = (
            f"study.toml [model] covariates: {listed} not in the records, and covariate_missing ="
            " 'drop' would leave nobody. Take them out of the list."
        )
        raise SpecError(text, [text])
    return [f"Not adjusted for, because the records do not hold them: {listed}."]


# ------------------------------------------------------------------------------------------ values
@dataclass(frozen=True, kw_only=True)
class Values:
    """By outcome: time zero, then each visit of the study, episodes across; NaN where unseen."""

    outcomes: dict[str, Floats]
    any_opioid: Floats | None


def find_values(
    steps: Steps,
    spec: StudySpec,
    ids: NDArray[np.int64],
    opioids: Mapping[str, Opioids | None],
    *,
    length: int,
) -> tuple[Values, list[str]]:
    """Return every outcome of the analysed episodes; ``analysed_ids`` has been kept."""
    codes = {o.id: catalog_id(o.instrument) for o in spec.outcomes if o.measure == "score"}
    listed = list(dict.fromkeys(codes.values()))
    scores, notes = find_scores(steps, ids, listed, spec.visits, spec.time, window_days=length)
    notes += _unplaced_notes(steps, spec, listed, length)
    values = {name: scores[code] for name, code in codes.items()}
    any_opioid: Floats | None = None
    for outcome in spec.outcomes:
        if outcome.measure == "daily_mme":
            coverage = spec.medication.coverage
            values[outcome.id], used, more = find_doses(
                steps,
                outcome,
                spec.visits,
                opioids[outcome.id],
                coverage=coverage,
                window_days=length,
            )
            any_opioid = used if any_opioid is None else any_opioid
            notes += more
    for outcome in spec.outcomes:
        if np.isnan(values[outcome.id]).all() and outcome.measure == "score":
            notes.append(
                f"{outcome.name}: no analysed episode has a score of {outcome.instrument!r}."
            )
    return Values(outcomes=values, any_opioid=any_opioid), notes


def _unplaced_notes(steps: Steps, spec: StudySpec, codes: list[str], length: int) -> list[str]:
    """Say which outcomes have many scores that no visit takes; ``score_days`` has been kept."""
    days: dict[str, Counter[int]] = {code: Counter() for code in codes}
    counted = "select number, study_day, count(*) as n from score_days group by number, study_day"
    for number, day, n in zip(*steps.columns(counted).values(), strict=True):
        days[codes[int(number)]][int(day) + length] = int(n)
    scored = [outcome for outcome in spec.outcomes if outcome.measure == "score"]
    found = {o.name: find_unplaced(days[catalog_id(o.instrument)], spec, length) for o in scored}
    return [f"{name}: {unplaced}." for name, unplaced in found.items() if unplaced]


def with_baselines(spec: StudySpec, episodes: pd.DataFrame, values: Values) -> pd.DataFrame:
    """Put the values at time zero beside the episodes."""
    at_zero: dict[str, object] = {
        f"{BASELINE}_{o.id}": values.outcomes[o.id][0] for o in spec.outcomes
    }
    if values.any_opioid is not None:
        first = pd.Series(values.any_opioid[0], index=episodes.index)
        at_zero[f"{BASELINE}_{ANY_OPIOID}"] = first.astype("boolean")
    return pd.concat([episodes, pd.DataFrame(at_zero, index=episodes.index)], axis=1)


def visit_rows(spec: StudySpec, episodes: pd.DataFrame, values: Values) -> pd.DataFrame:
    """Return one row an episode and visit; outcomes are missing where they are not planned."""
    labels = [visit.label for visit in spec.visits]
    n = len(episodes)
    columns: dict[str, object] = {
        "episode_id": np.repeat(episodes["episode_id"].to_numpy(), len(labels)),
        "visit": pd.Series(labels * n, dtype="object"),
    }
    for outcome in spec.outcomes:
        laid = values.outcomes[outcome.id][1:].T.copy()
        unplanned = [k for k, v in enumerate(labels) if outcome.visits and v not in outcome.visits]
        laid[:, unplanned] = np.nan
        columns[outcome.id] = laid.ravel()
    if values.any_opioid is not None:
        columns[ANY_OPIOID] = values.any_opioid[1:].T.ravel()
    return pd.DataFrame(columns)


def nothing_delivered() -> pd.DataFrame:
    """Return the table of what was delivered where the records do not say."""
    types = {
        "episode_id": "int64", "intervention": "category", "period": "category",
        "sessions": "int64", "minutes": "float64", "units": "float64",
    }  # fmt: skip
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})
