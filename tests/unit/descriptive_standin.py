"""A study dataset small enough to count by hand, and its records."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import duckdb
import pandas as pd

from outcomes.records.schema import TABLES


def outcome(**given: Any) -> SimpleNamespace:
    """One outcome of a study; unset fields are those of a pain score."""
    base: dict[str, Any] = {
        "id": "pain",
        "role": "pain",
        "name": "Pain",
        "instrument": "nprs",
        "measure": "score",
        "visits": (),
        "window_days": 28,
        "factors": "cdc-2022",
        "responders": (SimpleNamespace(threshold=2.0, percent=None, name="MCID", source="x"),),
    }
    return SimpleNamespace(**{**base, **given})


PAIN = outcome()
MEDICATION = outcome(
    id="medication", role="medication", name="Medication", instrument=None, measure="daily_mme",
    responders=(),
)  # fmt: skip
WEEK_6 = SimpleNamespace(
    label="week_6", name="Week 6", day=42, from_day=28, to_day=63, event="", within_days=14
)
DISCHARGE = SimpleNamespace(
    label="discharge",
    name="Discharge",
    day=None,
    from_day=None,
    to_day=None,
    event="discharge",
    within_days=14,
)


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """The attributes of a study dataset that descriptions read."""

    episodes: pd.DataFrame
    visit_rows: pd.DataFrame
    delivered: pd.DataFrame
    exposures: tuple[str, ...]
    labels: dict[str, str]
    visits: tuple[str, ...]
    spec: Any
    window_days: int = 14
    notes: tuple[str, ...] = ()
    flow: pd.DataFrame = field(default_factory=pd.DataFrame)


def stand_in(
    episodes: pd.DataFrame,
    *,
    visit_rows: pd.DataFrame | None = None,
    delivered: pd.DataFrame | None = None,
    outcomes: tuple[Any, ...] = (PAIN,),
    visits: tuple[Any, ...] = (WEEK_6,),
    exposures: tuple[str, ...] = ("exercise", "usual_care"),
    window_days: int = 14,
    conf_level: float = 0.95,
) -> StandIn:
    """Build a dataset around ``episodes``; what is not given is empty."""
    ids = [o.id for o in outcomes]
    if visit_rows is None:
        visit_rows = pd.DataFrame(
            [
                {"episode_id": e, "visit": v.label, **dict.fromkeys(ids, float("nan"))}
                for e in episodes["episode_id"]
                for v in visits
            ]
        )
    if delivered is None:
        delivered = pd.DataFrame(
            columns=["episode_id", "intervention", "period", "sessions", "minutes", "units"]
        )
    return StandIn(
        episodes=episodes,
        visit_rows=visit_rows,
        delivered=delivered,
        exposures=exposures,
        labels={e: e.replace("_", " ").capitalize() for e in exposures},
        visits=tuple(v.label for v in visits),
        window_days=window_days,
        spec=SimpleNamespace(
            outcomes=outcomes,
            visits=visits,
            primary=SimpleNamespace(outcome=outcomes[0].id, visit=visits[0].label),
            model=SimpleNamespace(conf_level=conf_level),
            time=SimpleNamespace(window_days=window_days, baseline_from_day=-30, tie="earlier"),
        ),
    )


_TYPES = {"integer": "BIGINT", "key": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN"}


class StandInRecords:
    """A database with canonical tables, typed as intake leaves them."""

    def __init__(self, **tables: list[dict[str, Any]]) -> None:
        self.connection = duckdb.connect()
        tables = {"episodes": [], **tables}
        self.given = {name: {key for row in rows for key in row} for name, rows in tables.items()}
        self.tables = tuple(tables)
        for name, rows in tables.items():
            columns = TABLES[name].columns
            declared = ", ".join(f"{c.name} {_TYPES.get(c.kind, 'VARCHAR')}" for c in columns)
            self.connection.execute(f"create table {name} ({declared}, _row BIGINT)")
            marks = ", ".join("?" for _ in range(len(columns) + 1))
            for k, row in enumerate(rows, start=1):
                unknown = set(row) - set(TABLES[name].names)
                assert not unknown, f"{name} declares no {unknown}"
                values = [row.get(c.name) for c in columns]
                self.connection.execute(f"insert into {name} values ({marks})", [*values, k])

    def has(self, table: str, column: str | None = None) -> bool:
        """Whether the table, and the column in it, were exported."""
        return table in self.given and (column is None or column in self.given[table])
