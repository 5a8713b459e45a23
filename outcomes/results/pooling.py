"""Rare combinations of components become one row.

A rare combination may be one person's. Combinations below what may be shown are pooled as 'other';
where the pool itself would be too small, the next rarest joins it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from outcomes.results.rounding import round_count, smallest_shown

if TYPE_CHECKING:
    import pandas as pd

OTHER: Final = "other"


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
