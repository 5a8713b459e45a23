"""The analysed episodes inside the records' database, so that sums are made where the rows are.

Every description works the same way: one set-based statement gives a value for each episode that
has one, those values are laid beside ``dataset.episodes`` row by row, and are then summarised by
intervention type. Nothing here depends on the order of rows in a file.

The statements keep to SQL that DuckDB and Spark read alike: no arrays, no ``qualify``, integer
division written as ``floor``, denominators guarded by ``nullif``.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pandas as pd
    from numpy.typing import NDArray

    from outcomes.records.files import Records
    from outcomes.study.dataset import StudyDataset
    from outcomes.study.groups import Masks

LeftOut = list[tuple[str, str]]
"""What could not be described, and why."""

_COLUMNS = ("episode_id", "patient_id", "exposure", "patient_day", "end_day", "followed_to_day")


@dataclass(frozen=True, kw_only=True)
class Analysed:
    """An open description: a cursor that sees the records and the table ``analysed``.

    ``analysed`` has one row an episode of the study: its ``position`` in ``dataset.episodes``
    (0 first), ``episode_id``, ``patient_id``, ``exposure``, ``patient_day``, ``end_day`` and
    ``followed_to_day`` (they fall back on each other), ``zero_day``, the day of time zero,
    ``next_day``, the day on which the patient's next episode of the same region began, and
    ``until_day``, the last day at risk: follow-up, cut where that next episode takes over.
    """

    cursor: duckdb.DuckDBPyConnection
    dataset: StudyDataset
    records: Records
    left_out: LeftOut = field(default_factory=list)

    @property
    def n(self) -> int:
        """Number of analysed episodes."""
        return len(self.dataset.episodes)

    @property
    def everyone(self) -> NDArray[np.bool_]:
        """Yes for every analysed episode."""
        return np.ones(self.n, dtype=bool)

    def needs(self, what: str, table: str, *columns: str) -> bool:
        """Return whether the records hold these columns; note ``what`` is left out if not."""
        if not self.records.has(table):
            self.left_out.append((what, f"The records hold no table '{table}'."))
            return False
        absent = [column for column in columns if not self.records.has(table, column)]
        if absent:
            names = " and ".join(f"'{column}'" for column in absent)
            self.left_out.append((what, f"Table '{table}' has no column {names}."))
        return not absent

    def run(self, sql: str) -> None:
        """Run one statement for its effect on temporary tables."""
        self.cursor.execute(sql)

    def fetch(self, sql: str) -> dict[str, NDArray[Any]]:
        """Return the columns of a result; missing numbers are NaN."""
        columns = self.cursor.execute(sql).fetchnumpy()
        return {name: _plain(values) for name, values in columns.items()}

    def per_episode(self, sql: str, *, absent: float = np.nan) -> dict[str, NDArray[np.float64]]:
        """Lay a result with a ``position`` beside the episodes; ``absent`` where it has no row."""
        columns = self.fetch(sql)
        position = columns.pop("position").astype(np.intp)
        laid = {}
        for name, values in columns.items():
            laid[name] = np.full(self.n, absent)
            laid[name][position] = values.astype(np.float64)
        return laid


def _plain(values: Any) -> NDArray[Any]:
    """Turn a masked column into a plain one: "" for missing text, NaN for missing numbers."""
    if not isinstance(values, np.ma.MaskedArray):
        return np.asarray(values)
    if values.dtype.kind in "OUS":
        return np.asarray(values.filled(""))
    return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))


@contextmanager
def analysed_in(
    dataset: StudyDataset, records: Records, left_out: LeftOut | None = None
) -> Iterator[Analysed]:
    """Open the records with the study's episodes beside them; temporary tables go with it."""
    cursor = records.connection.cursor()
    try:
        cursor.register("analysed_frame", _frame(dataset))
        cursor.execute(_ANALYSED)
        cursor.unregister("analysed_frame")
        yield Analysed(
            cursor=cursor,
            dataset=dataset,
            records=records,
            left_out=[] if left_out is None else left_out,
        )
    finally:
        cursor.close()


_ANALYSED = """
create temp table analysed as
with turns as (
  select episode_id,
         lead(patient_day) over (
           partition by patient_id, body_region order by patient_day, episode_id
         ) - patient_day as next_day
  from episodes where patient_day is not null
), placed as (
  select f.*, case when t.next_day > 0 then t.next_day end as next_day
  from analysed_frame f left join turns t on t.episode_id = f.episode_id
)
select *,
       case when next_day <= followed_to_day then next_day - 1 else followed_to_day end as until_day
from placed
"""


def _frame(dataset: StudyDataset) -> pd.DataFrame:
    import pandas as pd

    episodes = dataset.episodes
    frame = pd.DataFrame(index=pd.RangeIndex(len(episodes), name="position"))
    for name in _COLUMNS:
        values = episodes[name].to_numpy() if name in episodes else np.full(len(episodes), np.nan)
        frame[name] = values if name == "exposure" else pd.array(values, dtype="Int64")
    frame["end_day"] = frame["end_day"].fillna(frame["followed_to_day"])
    frame["followed_to_day"] = frame["followed_to_day"].fillna(frame["end_day"])
    frame["zero_day"] = dataset.window_days
    return frame.reset_index()


def summarise(masks: Masks, values: NDArray[np.float64], statistic: str) -> list[dict[str, object]]:
    """Describe one value an episode, by exposure and all together.

    Parameters
    ----------
    masks : tuple
        Each exposure with its rows, of :func:`outcomes.study.groups.group_masks`.
    values : ndarray
        One entry a row of ``dataset.episodes``; NaN where the episode is not counted. For a share
        1 (has it) or 0 (has it not).
    statistic : {"mean", "median", "share"}

    Returns
    -------
    list of dict
        ``exposure, statistic, estimate, n_episodes`` and, as the statistic has them, ``std_dev``,
        ``low`` and ``high`` (quartiles), ``count``. No row where nobody has a value at all.
    """
    rows: list[dict[str, object]] = []
    known = ~np.isnan(values)
    if not known.any():
        return rows
    for exposure, mask in masks:
        group = values[mask & known]
        row: dict[str, object] = {
            "exposure": exposure,
            "statistic": statistic,
            "n_episodes": len(group),
        }
        rows.append(row | _SUMMARIES[statistic](group))
    return rows


def _share(group: NDArray[np.float64]) -> dict[str, object]:
    count = int(np.count_nonzero(group))
    return {"count": count, "estimate": count / len(group) if len(group) else np.nan}


def _average(group: NDArray[np.float64]) -> dict[str, object]:
    return {
        "estimate": float(group.mean()) if len(group) else np.nan,
        "std_dev": float(group.std(ddof=1)) if len(group) > 1 else np.nan,
    }


def _quartiles(group: NDArray[np.float64]) -> dict[str, object]:
    cuts = np.quantile(group, [0.25, 0.5, 0.75]) if len(group) else np.full(3, np.nan)
    low, middle, high = (float(cut) for cut in cuts)
    return {"estimate": middle, "low": low, "high": high}


_SUMMARIES = {"share": _share, "mean": _average, "median": _quartiles}
