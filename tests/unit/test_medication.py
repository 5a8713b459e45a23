"""Doses, windows and classes of medicines on records small enough to count by hand."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from outcomes.catalog.medications import (
    ddd_values,
    drug_group,
    factor_versions,
    ingredients,
    mme_factors,
)
from outcomes.core.errors import UsageError
from outcomes.measures.fills import derive_fills
from outcomes.measures.medication import (
    average_mme,
    classes_used,
    concurrent_days,
    daily_mme,
    dose_unknown,
)
from outcomes.measures.medication_change import covered_share, dose_change, first_stop
from outcomes.measures.medication_check import check_fills

OTHER = {
    row["id"]: row
    for row in tomllib.loads(
        (Path(__file__).parents[1] / "parity" / "medication" / "ledger.toml").read_text("utf-8")
    )["other"]
}


def records(*rows: dict[str, Any]) -> pd.DataFrame:
    base = {
        "patient_id": 1,
        "day": 0,
        "drug": "oxycodone",
        "route": "oral",
        "strength": 10.0,
        "unit": "mg",
        "quantity": 90.0,
        "days_supply": 30.0,
        "as_needed": False,
        "source": "dispensed",
    }
    return pd.DataFrame([{**base, **row} for row in rows])


def window(start: int, end: int, patient: int = 1) -> pd.DataFrame:
    return pd.DataFrame({"patient_id": [patient], "start_day": [start], "end_day": [end]})


def runs(doses: pd.DataFrame) -> list[tuple[int, int, float]]:
    return list(zip(doses["start_day"], doses["end_day"], doses["mme"], strict=True))


def test_refills_carry_forward_at_most_seven_days_in_a_chain() -> None:
    days = [0, 26, 52, 78]
    doses = daily_mme(records(*({"day": day} for day in days)))
    # four days early each: 4, then 7 (not 8), then 7 again: what is beyond is taken together
    assert derive_fills(records(*({"day": day} for day in days)))["moved_days"].tolist() == [
        0,
        4,
        7,
        7,
    ]
    assert runs(doses) == [
        (0, 58, 45.0),
        (59, 59, 90.0),
        (60, 84, 45.0),
        (85, 88, 90.0),
        (89, 114, 45.0),
    ]
    assert doses.attrs["days_moved"] == 18
    assert (doses["mme"] * (doses["end_day"] - doses["start_day"] + 1)).sum() == pytest.approx(5400)


def test_a_gap_ends_the_chain() -> None:
    fills = derive_fills(records({"day": 0}, {"day": 25}, {"day": 90}, {"day": 118}))
    assert fills["moved_days"].tolist() == [0, 5, 0, 2]


def test_other_strength_or_route_is_another_product() -> None:
    doses = daily_mme(records({}, {"day": 25, "strength": 5.0}))
    assert runs(doses) == [(0, 24, 45.0), (25, 29, 67.5), (30, 54, 22.5)]
    assert doses["n_products"].tolist() == [1, 2, 1]


def test_exact_duplicates_are_one_record() -> None:
    assert runs(daily_mme(records({}, {}))) == [(0, 29, 45.0)]
    two = records({"dispensing_id": 1}, {"dispensing_id": 2})
    assert runs(daily_mme(two, overlap="concurrent")) == [(0, 29, 90.0)]


def test_patients_do_not_mix() -> None:
    doses = daily_mme(
        records({"patient_id": 2}, {"patient_id": 1, "day": 20}, {"patient_id": 2, "day": 30})
    )
    assert doses["patient_id"].tolist() == [1, 2]
    assert runs(doses) == [(20, 49, 45.0), (0, 59, 45.0)]


def test_opioid_agonist_treatment_stays_outside() -> None:
    buprenorphine = {"drug": "buprenorphine", "strength": 8.0, "route": "sublingual"}
    program = {"drug": "methadone", "oud": True}
    assert daily_mme(records(buprenorphine, program)).empty
    used = classes_used(records(buprenorphine), window(0, 10)).iloc[0]
    assert used[["opioid_agonist", "any_opioid", "opioid"]].tolist() == [True, True, False]
    assert OTHER["v25_oud_buprenorphine"]["mme"] == "none"
    treated = classes_used(records(program), window(0, 10)).iloc[0]
    assert treated[["opioid_agonist", "opioid"]].tolist() == [True, False]


def test_methadone_in_a_program_only_by_its_flag() -> None:
    assert daily_mme(records({"drug": "methadone"}))["mme"].tolist() == [141.0]


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({"drug": "pain pill"}, "drug_unknown"),
        ({"drug": "opioid"}, "drug_unknown"),
        ({"drug": "ibuprofen"}, "not_opioid"),
        ({"drug": "nsaid"}, "not_opioid"),
        ({"unit": "spoon"}, "unit_unknown"),
        ({"drug": "fentanyl", "route": "transdermal", "unit": "mg"}, "unit_unknown"),
        ({"drug": "levorphanol"}, "no_factor"),
        ({"route": "parenteral"}, "no_factor"),
        ({"strength": 0.0}, "strength_invalid"),
        ({"strength": np.nan}, "strength_invalid"),
        ({"quantity": -1.0}, "quantity_invalid"),
        ({"days_supply": np.nan}, "days_supply_missing"),
        ({"days_supply": 0.0}, "days_supply_invalid"),
        ({"days_supply": 400.0}, "days_supply_invalid"),
        ({"strength": 10_000.0}, "implausible_dose"),
    ],
)
def test_every_record_has_a_status(row: dict[str, Any], status: str) -> None:
    fills = derive_fills(records(row))
    assert fills["status"].tolist() == [status]
    doses = daily_mme(records(row, {"patient_id": 2}))
    assert doses["patient_id"].tolist() == [2]
    problems = {problem.rule: problem for problem in check_fills(fills)}
    assert (status in problems) == (status != "not_opioid")
    assert all(str(row["drug"]) not in str(p) for p in problems.values() if "drug" in row)


def test_unclear_records_make_lower_bounds() -> None:
    doses = daily_mme(records({}, {"drug": "pain pill", "day": 10, "days_supply": 5.0}))
    assert doses[["start_day", "lower_bound"]].to_numpy().tolist() == [
        [0, False],
        [10, True],
        [15, False],
    ]


def test_implausible_dose_is_kept_for_the_reader_only() -> None:
    case = OTHER["v24_implausible"]
    row = {**case["rx"][0], "unit": "mg", "route": "buccal"}
    fills = derive_fills(records(row), factors=case["version"])
    assert fills["mme"].tolist() == [case["computed_mme_per_day"]]
    assert fills["status"].tolist() == ["implausible_dose"]


def test_as_needed() -> None:
    rows = records(
        {"quantity": 60.0, "days_supply": 5.0, "strength": 5.0, "as_needed": True},
        {"quantity": 60.0, "days_supply": 5.0, "strength": 5.0, "as_needed": True, "day": 30},
    )
    assert daily_mme(rows)["mme"].tolist() == [90.0, 90.0]
    assert runs(daily_mme(rows, as_needed="dispensed")) == [(0, 29, 15.0), (30, 34, 90.0)]
    assert daily_mme(rows, as_needed="exclude").empty


def test_patch_wear() -> None:
    patch = {"drug": "fentanyl", "route": "transdermal", "strength": 25.0, "unit": "mcg/h"}
    two_at_once = records({**patch, "quantity": 20.0})
    assert daily_mme(two_at_once)["mme"].tolist() == [120.0]
    short = records({**patch, "quantity": 5.0, "days_supply": np.nan, "wear_hours": 48.0})
    assert runs(daily_mme(short)) == [(0, 9, 60.0)]


def test_by_day_and_intervals_agree() -> None:
    rows = records({}, {"drug": "tramadol", "day": 12}, {"day": 70})
    days = daily_mme(rows, by_day=True)
    whole = daily_mme(rows)
    assert len(days) == (whole["end_day"] - whole["start_day"] + 1).sum()
    assert days["mme"].mean() * len(days) == pytest.approx(
        average_mme(whole, window(-5, 200)).item() * 206
    )


def test_average_over_windows() -> None:
    doses = daily_mme(records({}, {"patient_id": 3, "day": 100}))
    asked = pd.concat(
        [
            window(-10, -1),
            window(0, 29),
            window(20, 39),
            window(0, 9, 2),
            window(120, 149, 3),
            window(5, 4),
        ]
    )
    asked.index = pd.Index([7, 5, 3, 1, 0, 9])
    answer = average_mme(doses, asked)
    assert answer.index.tolist() == asked.index.tolist()
    assert answer.iloc[:5].tolist() == [0.0, 45.0, 22.5, 0.0, 15.0]
    assert np.isnan(answer.iloc[5])


def test_no_records_is_no_dose() -> None:
    empty = records({}).iloc[:0]
    assert daily_mme(empty).empty
    assert average_mme(daily_mme(empty), window(0, 9)).tolist() == [0.0]
    assert not classes_used(empty, window(0, 9)).to_numpy().any()


def test_classes_touch_windows() -> None:
    rows = records(
        {"drug": "Percocet", "days_supply": 10.0},
        {"drug": "gabapentin", "day": 10, "days_supply": np.nan},
        {"drug": "zzz"},
    )
    used = classes_used(
        rows, pd.concat([window(0, 9), window(9, 9), window(10, 12), window(0, 9, 2)])
    )
    assert used["opioid"].tolist() == [True, True, False, False]
    assert used["acetaminophen"].tolist() == [True, True, False, False]
    assert used["gabapentinoid"].tolist() == [False, False, True, False]
    assert used.attrs["unknown"] == 1


def test_use_follows_refills_that_are_carried_forward() -> None:
    """30 days on day 0 and on day 25: the second lasts to day 59, as its dose does."""
    rows = records({}, {"day": 25}, {"drug": "diazepam", "day": 55, "days_supply": 30.0})
    late = window(56, 70)
    assert average_mme(daily_mme(rows), late).item() > 0
    assert not classes_used(rows, late)["any_opioid"].item()
    fills = derive_fills(rows)
    assert classes_used(rows, late, fills=fills)["any_opioid"].item()
    assert classes_used(rows, late, fills=fills.iloc[:2])["any_opioid"].item()
    assert concurrent_days(rows, window(0, 90), fills=fills).item() == 5


def test_a_dose_is_unknown_only_beside_a_known_opioid() -> None:
    rows = records(
        {"days_supply": np.nan, "day": 5},
        {"patient_id": 2, "strength": np.nan},
        {"patient_id": 3, "drug": "zzz"},
        {"patient_id": 4},
    )
    asked = pd.concat(
        [window(0, 9), window(6, 9), *(window(20, 29, n) for n in (2, 3, 4)), window(40, 49, 2)]
    )
    answer = dose_unknown(derive_fills(rows), asked)
    assert answer.tolist() == [True, False, True, False, False, False]


def test_overlap_with_benzodiazepines_counts_agonists_apart() -> None:
    rows = records(
        {"drug": "buprenorphine", "days_supply": 10.0},
        {"drug": "diazepam", "day": 5, "days_supply": 30.0},
    )
    assert concurrent_days(rows, window(0, 60)).item() == 5
    assert concurrent_days(rows, window(0, 60), first="opioid").item() == 0


def test_bad_calls_say_what_is_wrong() -> None:
    with pytest.raises(UsageError, match="lacks the columns strength"):
        daily_mme(records({}).drop(columns="strength"))
    with pytest.raises(UsageError, match="cdc-2022"):
        daily_mme(records({}), "cdc-2202")
    with pytest.raises(UsageError, match="overlap"):
        daily_mme(records({}), overlap="max")  # type: ignore[arg-type]


def test_names_are_exact() -> None:
    assert ingredients("HYDROCODONE-ACETAMINOPHEN 5-325 MG") == ("hydrocodone", "acetaminophen")
    assert (
        ingredients("acetaminophen 325 MG / hydrocodone bitartrate 10 MG Oral Tablet")[0]
        == "hydrocodone"
    )
    assert ingredients("hydrocodon") == ()
    assert drug_group("Paracetamol") == "acetaminophen"
    assert drug_group("tramadol") == "opioid"
    assert drug_group("trazodone") == "sleep"


def test_every_version_of_factors_loads() -> None:
    for version in factor_versions():
        rows = mme_factors(version)
        assert rows
        assert all(row.factor is None or 0 < row.factor <= 40 for row in rows)
    amended = {row.drug for row in mme_factors("cdc-2018-methadone-bands")}
    assert {"oxycodone", "methadone"} <= amended


def test_dose_change() -> None:
    case = OTHER["v29_reduction"]["rows"]
    frame = pd.DataFrame(case)
    answer = dose_change(frame["baseline"], frame["followup"])
    for row, got in zip(case, answer.itertuples(), strict=True):
        if row["reduction"] == "none":
            assert np.isnan(got.reduction)
            assert got.new_start
            continue
        assert got.reduction == pytest.approx(row["reduction"])
        assert (got.reduced_30, got.reduced_50) == (row["r30"], row["r50"])
        assert got.ceased == row.get("cessation", False)
    missing = dose_change(pd.Series([50.0]), pd.Series([np.nan]))
    assert missing.isna().all(axis=None)


def test_nobody_with_an_opioid_on_record_has_ceased() -> None:
    """Stopped; agonist treatment instead; a dose not known; new, of a dose not known; nothing."""
    answer = dose_change(
        pd.Series([50.0, 50.0, 50.0, 0.0, 0.0]),
        pd.Series([0.0, 0.0, np.nan, np.nan, 0.0]),
        uses_before=pd.Series([1.0, 1.0, 1.0, 0.0, 1.0]),
        uses_after=pd.Series([0.0, 1.0, 1.0, 1.0, 1.0]),
    )
    assert answer["ceased"].tolist() == [True, False, False, pd.NA, pd.NA]
    assert answer["reduced_50"].tolist() == [True, True, pd.NA, pd.NA, pd.NA]
    assert answer["new_start"].tolist() == [pd.NA, pd.NA, pd.NA, True, pd.NA]


def test_stopping_needs_time_to_be_seen() -> None:
    case = OTHER["v27_discontinuation_gap"]
    doses = daily_mme(records({}, {"day": 30}))
    followed = pd.DataFrame({"patient_id": [1], "end_day": [180]})
    for gap in (60, 90, 180):
        expected = case[f"gap_{gap}"]
        got = first_stop(doses, followed, gap).iloc[0]
        assert bool(got["stopped"]) == expected["stopped"]
        if expected["stopped"]:
            assert (got["stop_day"], got["known_on_day"]) == (60, expected["known_on_day"])


def test_a_restart_within_the_gap_is_no_stop() -> None:
    case = OTHER["v28_restart_inside_gap"]
    doses = daily_mme(records({}, {"day": 75}))
    followed = pd.DataFrame({"patient_id": [1], "end_day": [300]})
    short, long = (first_stop(doses, followed, gap).iloc[0] for gap in (30, 60))
    assert (short["n_courses"], short["stop_day"]) == (2, case["gap_30"]["first_stop_day"])
    assert (long["n_courses"], long["stop_day"]) == (1, case["gap_60"]["stop_day"])


def test_covered_share() -> None:
    case = OTHER["v30_pdc_mpr"]
    fills = pd.DataFrame({"patient_id": 1, "day": [0, 25, 70], "days_supply": 30})
    got = covered_share(fills, window(0, 99)).iloc[0]
    assert got["pdc"] == pytest.approx(case["pdc_carry_forward"])
    assert got["mpr"] == pytest.approx(case["mpr"])


def test_defined_daily_doses() -> None:
    values = ddd_values()
    for row in OTHER["v31_ddd"]["rows"]:
        if row["ddd"] == "none":
            assert (row["drug"], "O") not in values
            continue
        value, unit = values[row["drug"], "O"]
        milligrams = value * (1000.0 if unit == "g" else 1.0)
        assert row["mg_per_day"] / milligrams == pytest.approx(row["ddd"], abs=1e-6)
