"""Prescription ledgers worked by hand: daily doses, means, threshold days and overlaps."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from outcomes.measures.fills import NOT_COMPUTABLE, derive_fills
from outcomes.measures.medication import (
    average_mme,
    concurrent_days,
    daily_mme,
    days_at_or_above,
)

LEDGER = tomllib.loads(
    (Path(__file__).parents[1] / "parity" / "medication" / "ledger.toml").read_text("utf-8")
)
# worked out there by the dispensing rule of that table; here patches always count as worn
WORN_RULE = ("v04_fentanyl_patch_48h", "cdc-2018")
POLICY = {"concurrent": "concurrent", "carry_forward": "sum"}


def medications(rows: list[dict[str, Any]]) -> pd.DataFrame:
    columns = ["patient_id", "day", "drug", "form", "strength", "unit", "quantity", "days_supply"]
    renamed = [{**row, "patient_id": 1, "unit": row["strength_unit"]} for row in rows]
    return pd.DataFrame(renamed).reindex(columns=[*columns, "as_needed"])


def cases() -> list[Any]:
    rows = [
        (vector, expected)
        for vector in LEDGER["vector"]
        for expected in vector["expect"]
        if expected["clip_to_window"]
    ]
    return [
        pytest.param(*row, id=f"{row[0]['id']}-{row[1]['version']}-{row[1]['overlap_policy']}")
        for row in rows
    ]


@pytest.mark.parametrize(("vector", "expected"), cases())
def test_ledger(vector: dict[str, Any], expected: dict[str, Any]) -> None:
    records = medications(vector["rx"])
    policy = POLICY[expected["overlap_policy"]]
    doses = daily_mme(records, expected["version"], overlap=policy)
    window = pd.DataFrame(
        {"patient_id": [1], "start_day": [0], "end_day": [vector["window_days"] - 1]}
    )
    scale = 120 / 180 if (vector["id"], expected["version"]) == WORN_RULE else 1.0
    statuses = doses.attrs["statuses"]
    not_computable = sum(statuses.get(name, 0) for name in NOT_COMPUTABLE)
    assert not_computable == expected["fills_not_computable"]
    overlap = concurrent_days(records, window, second="benzodiazepine")
    assert overlap.item() == expected["overlap_days_benzodiazepine"]
    if "daily_runs" not in expected:
        assert doses.empty
        return
    by_day = daily_mme(records, expected["version"], overlap=policy, by_day=True)
    dose = by_day.set_index("day")["mme"].reindex(range(vector["window_days"]), fill_value=0.0)
    for first, last, mme in expected["daily_runs"]:
        assert dose.loc[first:last].tolist() == pytest.approx([mme * scale] * (last - first + 1))
    mean = average_mme(doses, window).item()
    assert mean == pytest.approx(expected["mean_fixed_window"] * scale, abs=5e-5)
    assert mean * vector["window_days"] == pytest.approx(expected["total_mme"] * scale)
    assert days_at_or_above(doses, window, 0).item() == expected["on_therapy_days"]
    assert days_at_or_above(doses, window, 50).item() == expected["days_ge_50"]
    assert days_at_or_above(doses, window, 90).item() == expected["days_ge_90"]
    assert dose.max() == pytest.approx(expected["max_daily"] * scale)
    fills = derive_fills(records, factors=expected["version"], overlap=policy)
    on_therapy = mean * vector["window_days"] / expected["on_therapy_days"]
    assert on_therapy == pytest.approx(expected["mean_on_therapy"] * scale, abs=5e-5)
    assert len(fills) == len(records)
