"""Rare combinations of components become one row.

A rare combination may be one person's. Combinations below what may be shown are pooled as 'other';
where the pool itself would be too small, the next rarest joins it.

So do rare levels of a category. A level that few people have in all may be one person's, too, and
its name may be whatever somebody typed: a code that no list knows stands in the tables as it was
recorded. Such levels of one variable are pooled under one name, in the groups' shares and in their
differences alike. The only level of a yes-or-no variable keeps its name: nobody typed it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from outcomes.results.rounding import is_small, round_count, smallest_shown
from outcomes.results.tables import build_table
from outcomes.results.view import Row, as_float, records

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

OTHER: Final = "other"
RARE: Final = "rare levels"
_UNNAMED: Final = ("", "yes")
Levels = frozenset[tuple[str, str]]
"""Variables with a level."""


def pool_rare(tables: Mapping[str, pd.DataFrame], threshold: int) -> dict[str, pd.DataFrame]:
    """Return the tables with their rows counted anew, rare combinations and levels pooled."""
    given = {name: table.reset_index(drop=True) for name, table in tables.items()}
    if "combinations" in given:
        given["combinations"] = pool_combinations(given["combinations"], threshold)
    rare = _rare_levels(records(given["baseline"]), threshold) if "baseline" in given else None
    if rare:
        shares = _pool_shares(records(given["baseline"]), rare)
        given["baseline"] = build_table("baseline", shares)
        if "balance" in given:
            pooled = _pool_differences(records(given["balance"]), rare, shares)
            given["balance"] = build_table("balance", pooled)
    return given


def pool_combinations(table: pd.DataFrame, threshold: int) -> pd.DataFrame:
    """Return the table ``combinations`` with its rare rows pooled in a last row."""
    import pandas as pd

    counts = table["n_episodes"].astype("float64").fillna(0.0)
    least = smallest_shown(threshold)
    pooled = counts.map(round_count).lt(least) | table["combination"].eq(OTHER)
    for row in counts[~pooled].sort_values(kind="stable").index:
        if not pooled.any() or round_count(float(counts[pooled].sum())) >= least:
            break
        pooled[row] = True
    if not pooled.any():
        return table
    rest = {"combination": OTHER, "size": 0, "n_episodes": int(counts[pooled].sum())}
    last = pd.DataFrame([rest]).astype(table.dtypes.to_dict())
    return pd.concat([table[~pooled], last], ignore_index=True)


# ----------------------------------------------------------------------------------------- levels
def _rare_levels(rows: list[Row], threshold: int) -> Levels:
    """Return the levels that too few have in all, as the row of all together or the groups say."""
    groups: dict[tuple[str, str], float] = {}
    everyone: dict[tuple[str, str], float] = {}
    for row in rows:
        place, count = (row["variable"], row["level"]), as_float(row["count"])
        if row["level"] in _UNNAMED or math.isnan(count):
            continue
        if row["exposure"]:
            groups[place] = groups.get(place, 0.0) + count
        else:
            everyone[place] = count
    return frozenset(p for p, n in (groups | everyone).items() if is_small(n, threshold))


def _pool_shares(rows: list[Row], rare: Levels) -> list[Row]:
    kept: list[Row] = []
    pools: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        if (row["variable"], row["level"]) not in rare:
            kept.append(row)
            continue
        pool = pools.get((row["variable"], row["exposure"]))
        if pool is None:
            pool = row | {"level": RARE}
            pools[row["variable"], row["exposure"]] = pool
            kept.append(pool)
        else:
            pool["count"] += row["count"]
    for pool in pools.values():
        pool["estimate"] = _share(pool)
    return kept


def _share(row: Row) -> float:
    """Return the share of a pool from its counts: a sum of rounded shares may pass 1."""
    known = as_float(row["n_episodes"])
    return as_float(row["count"]) / known if known > 0 else math.nan


def _pool_differences(rows: list[Row], rare: Levels, shares: list[Row]) -> list[Row]:
    """Pool the differences; the one of a pool is made from its shares."""
    share = {
        (row["variable"], row["exposure"]): as_float(row["estimate"])
        for row in shares
        if row["level"] == RARE
    }
    kept: list[Row] = []
    pooled: set[tuple[str, str]] = set()
    for row in rows:
        place = (row["variable"], row["exposure"])
        if (row["variable"], row["level"]) not in rare:
            kept.append(row)
        elif place not in pooled:
            pooled.add(place)
            both = (share[place], share[row["variable"], row["reference"]])
            smd = share_difference(*both)
            kept.append(row | {"level": RARE, "smd": smd, "smd_weighted": math.nan})
    return kept


def share_difference(share: float, reference: float) -> float:
    """Return the difference of two shares in units of their pooled spread."""
    spread = math.sqrt((share * (1 - share) + reference * (1 - reference)) / 2)
    if spread > 0:
        return (share - reference) / spread
    return 0.0 if share == reference else math.nan
