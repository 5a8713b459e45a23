"""The gate: what is hidden, what is rounded, what is shown, and what a reader cannot work out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from outcomes.core.errors import UsageError
from outcomes.results import disclosure
from outcomes.results.audit import audit_release
from outcomes.results.disclosure import release_tables, release_words
from outcomes.results.poisson import events_behind, poisson_limits
from outcomes.results.relations import build_ledger
from outcomes.results.rounding import (
    error_step,
    is_small,
    ladder,
    round_count,
    smallest_shown,
    to_step,
)
from outcomes.results.suppression import small_entries
from outcomes.results.tables import TABLES, build_table
from tests import disclosure_example, report_example

GROUPS = {"exercise": 300, "usual_care": 400}


def _strict(threshold: int = 11, **rows: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    tables = {name: build_table(name, given) for name, given in rows.items()}
    return release_tables(tables, profile="strict", threshold=threshold)


def _completeness(seen: dict[str, int], sizes: dict[str, int] = GROUPS) -> list[dict[str, Any]]:
    numbers = {e: (n, seen[e]) for e, n in sizes.items()}
    numbers[""] = (sum(sizes.values()), sum(seen.values()))
    return [
        {
            "outcome": "pain",
            "visit": "week_6",
            "exposure": exposure,
            "planned": True,
            "n_episodes": n,
            "n_observed": k,
            "share": k / n,
        }
        for exposure, (n, k) in numbers.items()
    ]


def _levels(counts: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    """Baseline rows of one category: counts by exposure and level."""
    everyone = {level: sum(c[level] for c in counts.values()) for level in ("a", "b")}
    return [
        {
            "variable": "sex",
            "level": level,
            "exposure": exposure,
            "statistic": "share",
            "count": n,
            "n_episodes": sum(levels.values()),
            "n_missing": 0,
            "estimate": n / sum(levels.values()),
        }
        for exposure, levels in {**counts, "": everyone}.items()
        for level, n in levels.items()
    ]


# --------------------------------------------------------------------------------------- rounding
@pytest.mark.parametrize(("threshold", "least"), [(2, 5), (5, 10), (10, 15), (11, 15), (20, 25)])
def test_the_smallest_shown_count(threshold: int, least: int) -> None:
    assert smallest_shown(threshold) == least


def test_hidden_counts_include_the_threshold_and_shown_ones_nothing_below_it() -> None:
    for threshold in range(2, 60):
        assert is_small(threshold, threshold)
        shown = [n for n in range(1, 200) if not is_small(n, threshold)]
        assert min(shown) > threshold
        assert all(abs(round_count(n) - n) <= 2 for n in shown)


def test_steps() -> None:
    assert [ladder(s) for s in (0.011, 0.02, 0.3, 1.0, 7.0)] == [0.02, 0.02, 0.5, 1.0, 10.0]
    assert ladder(0.0) == ladder(math.nan) == 0.0
    assert to_step(4.1234, 0.05) == 4.1
    assert to_step(0.123456, 0.0) == 0.123
    assert math.isnan(to_step(math.nan, 0.1))


@pytest.mark.parametrize("n", [13, 40, 100, 333, 1000])
def test_a_standard_error_tells_no_more_than_the_rounded_count(n: int) -> None:
    """Knowing the exact spread, a reader still cannot tell four neighbouring numbers apart."""
    error = 2.0 / math.sqrt(n)
    step = error_step(error, n)
    released = to_step(error, step)
    fits = [m for m in range(2, 2 * n) if abs(2 / math.sqrt(m) - released) <= step / 2 + 1e-12]
    assert n in fits
    assert len(fits) >= 4


@pytest.mark.parametrize("n", [0, 1, 3, 10, 11, 64, 250])
def test_a_rate_with_exact_limits_tells_its_events(n: int) -> None:
    years = 37.3
    assert events_behind(n / years, poisson_limits(n)[1] / years) == n


# ------------------------------------------------------------------------------------- who is seen
def test_counts_and_shares_are_those_of_rounded_counts() -> None:
    shown = _strict(completeness=_completeness({"exercise": 253, "usual_care": 318}))[
        "completeness"
    ]
    assert shown["n_observed"].tolist() == [255, 320, 570]
    assert shown["share"].tolist() == pytest.approx([255 / 300, 320 / 400, 570 / 700], abs=1e-4)
    assert not shown["suppressed"].any()


def test_a_share_is_hidden_where_few_are_left_over() -> None:
    shown = _strict(completeness=_completeness({"exercise": 297, "usual_care": 318}))[
        "completeness"
    ]
    first = shown.iloc[0]
    assert pd.isna(first.n_observed)
    assert math.isnan(first.share)
    assert first.suppressed
    assert first.n_episodes == 300


def test_everybody_and_nobody_are_shown() -> None:
    everybody = _strict(completeness=_completeness(GROUPS))["completeness"]
    assert everybody["share"].tolist() == [1.0, 1.0, 1.0]
    nobody = _strict(completeness=_completeness({"exercise": 0, "usual_care": 0}))["completeness"]
    assert nobody["n_observed"].tolist() == [0, 0, 0]


def test_a_zero_beside_others_is_hidden_like_a_small_number() -> None:
    shown = _strict(completeness=_completeness({"exercise": 0, "usual_care": 200}))["completeness"]
    assert shown["n_observed"].isna().tolist()[0]


def test_two_levels_are_hidden_together() -> None:
    counts = {"exercise": {"a": 46, "b": 4}, "usual_care": {"a": 150, "b": 150}}
    shown = _strict(baseline=_levels(counts))["baseline"]
    one = shown[shown["exposure"].eq("exercise")]
    assert one["count"].isna().all()
    assert one["estimate"].isna().all()
    assert shown.loc[shown["exposure"].eq("usual_care"), "estimate"].tolist() == [0.5, 0.5]


def test_a_number_under_two_names_is_one() -> None:
    """The group's size stands in another table, too: hiding it there would hide nothing."""
    sizes = {"exercise": 300, "manual_therapy": 200, "usual_care": 100}
    had = {"exercise": 295, "manual_therapy": 150, "usual_care": 50, "": 495}
    described = [
        {
            "measure": "m",
            "exposure": exposure,
            "statistic": "share",
            "count": n,
            "n_episodes": sizes.get(exposure, 600),
            "estimate": n / sizes.get(exposure, 600),
        }
        for exposure, n in had.items()
    ]
    seen = {"exercise": 200, "manual_therapy": 100, "usual_care": 60}
    given = {"completeness": _completeness(seen, sizes), "described": described}
    places = build_ledger({name: build_table(name, rows) for name, rows in given.items()}).placed
    for row in range(4):
        assert places["completeness", row, "n_episodes"] == places["described", row, "n_episodes"]
    shown = _strict(**given)
    assert shown["completeness"]["n_episodes"].tolist() == [300, 200, 100, 600]
    assert shown["described"]["n_episodes"].tolist() == [300, 200, 100, 600]
    assert shown["described"]["count"].isna().tolist()[0]
    assert math.isnan(shown["described"]["estimate"].tolist()[0])


def test_rare_levels_are_pooled_and_not_named() -> None:
    counts = {"exercise": (250, 20, 1, 2), "usual_care": (150, 150, 0, 3)}
    levels = ("retired", "working", "typed by somebody", "another")
    baseline = [
        {
            "variable": "work",
            "level": level,
            "exposure": exposure,
            "statistic": "share",
            "count": n,
            "n_episodes": sum(numbers),
            "n_missing": 0,
            "estimate": n / sum(numbers),
        }
        for exposure, numbers in {**counts, "": (400, 170, 1, 5)}.items()
        for level, n in zip(levels, numbers, strict=True)
    ]
    balance = [
        {"variable": "work", "level": level, "exposure": "exercise", "reference": "usual_care"}
        | {"smd": 0.1}
        for level in levels
    ]
    shown = _strict(baseline=baseline, balance=balance)
    assert shown["baseline"]["level"].tolist() == ["retired", "working", "rare levels"] * 3
    assert shown["balance"]["level"].tolist() == ["retired", "working", "rare levels"]
    assert shown["baseline"].loc[lambda t: t.level.eq("rare levels"), "count"].isna().all()
    assert shown["balance"]["suppressed"].tolist()[-1]
    exact = {
        "baseline": build_table("baseline", baseline),
        "balance": build_table("balance", balance),
    }
    assert audit_release(exact, shown, threshold=11) == []


def test_a_category_whose_levels_are_all_rare_is_one_pool_of_everybody() -> None:
    """25 levels of one person each in a group of 25: their shares add up to more than 1."""
    sizes = {"exercise": 25, "usual_care": 35, "": 60}
    levels = [f"code {k}" for k in range(35)]
    baseline = [
        {"variable": "diagnosis", "level": level, "exposure": exposure, "statistic": "share"}
        | {"count": n, "n_episodes": size, "n_missing": 0, "estimate": n / size}
        for exposure, size in sizes.items()
        for k, level in enumerate(levels)
        for n in [int(k < 25) * (exposure != "usual_care") + (exposure != "exercise")]
    ]
    assert sum(row["estimate"] for row in baseline if row["exposure"] == "exercise") > 1
    balance = [
        {"variable": "diagnosis", "level": level, "exposure": "exercise", "smd": 0.1}
        | {"reference": "usual_care"}
        for level in levels
    ]
    shown = _strict(baseline=baseline, balance=balance)
    assert shown["baseline"]["estimate"].tolist() == [1.0] * 3
    assert shown["balance"]["smd"].tolist() == [0.0]


def test_a_group_below_the_threshold_is_hidden_with_what_gives_it_away() -> None:
    sizes = {"exercise": 300, "modalities": 5}
    seen = {"exercise": 200, "modalities": 4}
    shown = _strict(completeness=_completeness(seen, sizes))["completeness"]
    assert shown["n_episodes"].isna().tolist() == [False, True, True]


def test_no_reader_narrows_a_two_way_table() -> None:
    """An attack of its own: rows, columns and rounding, by linear programs."""
    rng = np.random.default_rng(5)
    for _ in range(25):
        x = rng.poisson(rng.choice([6, 14, 40, 200], size=(2, 3)))
        counts = {f"g{j}": {"a": int(x[0, j]), "b": int(x[1, j])} for j in range(3)}
        shown = _strict(baseline=_levels(counts))["baseline"]
        assert _narrowed_two_way(shown, x) == []


def _narrowed_two_way(shown: pd.DataFrame, x: np.ndarray) -> list[tuple[int, int, float, float]]:
    """Return cells of 1 to 10 that lie within 1 to 10 for whoever knows the released table."""
    full = np.zeros((3, 4))
    full[:2, :3] = x
    full[:2, 3], full[2] = full[:2].sum(axis=1), full[:2].sum(axis=0)
    released = np.full((3, 4), np.nan)
    names = {"g0": 0, "g1": 1, "g2": 2, "": 3}
    for row in shown.to_dict("records"):
        i, j = "ab".index(row["level"]), names[row["exposure"]]
        released[i, j] = np.nan if pd.isna(row["count"]) else row["count"]
        released[2, j] = np.nan if pd.isna(row["n_episodes"]) else row["n_episodes"]
    sums = [_signed({(0, j): 1, (1, j): 1, (2, j): -1}) for j in range(4)]
    sums += [_signed({(i, 0): 1, (i, 1): 1, (i, 2): 1, (i, 3): -1}) for i in range(3)]
    limits = [(0, None) if np.isnan(r) else (max(r - 2, 0), r + 2) for r in released.ravel()]
    found = []
    for i, j in np.argwhere((full >= 1) & (full <= 10)):
        goal = np.zeros(12)
        goal[4 * i + j] = 1
        ends = [
            linprog(s * goal, A_eq=np.array(sums), b_eq=np.zeros(7), bounds=limits) for s in (1, -1)
        ]
        low = ends[0].fun
        high = -ends[1].fun if ends[1].success else np.inf
        if low > 1e-7 and high < 11 - 1e-7:
            found.append((int(i), int(j), low, high))
    return found


def _signed(places: dict[tuple[int, int], int]) -> np.ndarray:
    row = np.zeros(12)
    for (i, j), sign in places.items():
        row[4 * i + j] = sign
    return row


# ---------------------------------------------------------------------------------- what was given
def test_nested_groups_cannot_be_subtracted() -> None:
    rows = [
        {"exposure": "", "intervention": name, "period": "window", "n_episodes": n,
         "n_total": 700, "share": n / 700, "median": 24.0, "unit": "min"}
        for name, n in (("exercise", 301), ("exercise.strength", 296))
    ]  # fmt: skip
    shown = _strict(components=rows)["components"]
    assert shown["n_episodes"].isna().sum() == 1
    rows[1]["n_episodes"] = 260
    assert not _strict(components=rows)["components"]["n_episodes"].isna().any()


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ("opioid_stopped", "opioid_halved"),
        ("any_mme_90", "any_mme_50"),
        ("uses_opioid", "uses_any_opioid"),
        ("nprs_remission", "nprs_acceptable"),
        ("intake_all", "intake_pain"),
    ],
)
def test_a_description_within_another_cannot_be_subtracted(part: str, whole: str) -> None:
    def shown(rest: int) -> int:
        rows = [
            {"domain": "D", "measure": measure, "exposure": "", "visit": "week_12", "count": n,
             "statistic": "share", "estimate": n / 300, "unit": "share", "n_episodes": 300}
            for measure, n in ((part, 60), (whole, 60 + rest))
        ]  # fmt: skip
        return int(_strict(described=rows)["described"]["count"].notna().sum())

    assert shown(5) == 1
    assert shown(40) == 2


def test_users_without_a_dose_cannot_be_worked_out() -> None:
    """Use is known of a few more people than the dose is."""

    def shown(rest: int) -> tuple[int, int]:
        words = {**disclosure_example._common("medication", "week_12", "risk"), "unit": ""}
        seen = [
            {**row, "outcome": "medication", "visit": "week_12"}
            for row in _completeness({"exercise": 150, "usual_care": 200})
        ]
        use = [
            {**words, "estimand": "any_opioid", "method": "observed-only", "level": "exercise",
             "estimate": 0.4, "n_episodes": 150 + rest}
        ]  # fmt: skip
        dose = [
            {"domain": "D", "measure": measure, "exposure": "", "visit": "week_12", "count": 60,
             "statistic": "share", "estimate": 60 / n, "unit": "share", "n_episodes": n}
            for measure, n in (("opioid_increased", 200), ("opioid_stopped", 200 + rest))
        ]  # fmt: skip
        tables = _strict(completeness=seen, medication_use=use, described=dose)
        both = [
            *tables["completeness"].query("exposure == 'exercise'")["n_observed"],
            *tables["medication_use"]["n_episodes"],
        ]
        described = tables["described"]["n_episodes"]
        return int(pd.notna(both).sum()), int(described.notna().sum())

    assert shown(4) == (1, 1)
    assert shown(0) == shown(40) == (2, 2)


def test_rare_combinations_are_pooled() -> None:
    counts = {"A + B": 100, "A": 40, "B": 9, "C": 3, "A + C": 14}
    rows = [{"combination": c, "size": 1, "n_episodes": n} for c, n in counts.items()]
    shown = _strict(combinations=rows)["combinations"]
    assert shown["combination"].tolist() == ["A + B", "A", "other"]
    assert shown["n_episodes"].tolist() == [100, 40, 25]


def test_medians_and_quartiles_need_people_on_either_side() -> None:
    rows = [
        {"exposure": e, "measure": "sessions", "statistic": "median", "estimate": 8.123,
         "low": 5.0, "high": 12.0, "n_episodes": n}
        for e, n in (("a", 15), ("b", 30), ("c", 60))
    ]  # fmt: skip
    shown = _strict(dose=rows)["dose"]
    assert shown["estimate"].isna().tolist() == [True, False, False]
    assert shown["low"].isna().tolist() == [True, True, False]
    assert shown["estimate"].tolist()[2] == 8.1


# ------------------------------------------------------------------------------------------ events
def _harm(n_events: int, n_episodes: int) -> dict[str, Any]:
    low, high = poisson_limits(n_events)
    return {
        "exposure": "exercise",
        "event": "flare",
        "severity": "any",
        "n_events": n_events,
        "n_episodes": n_episodes,
        "n_total": 300,
        "denominator": 2134.0,
        "rate_unit": "per 1,000 sessions",
        "rate": 1000 * n_events / 2134,
        "conf_low": 1000 * low / 2134,
        "conf_high": 1000 * high / 2134,
    }


def test_rates_are_those_of_the_released_events() -> None:
    shown = _strict(harms=[_harm(43, 37)])["harms"].iloc[0]
    assert (shown.n_events, shown.n_episodes, shown.denominator) == (45, 35, 2150)
    assert shown.rate == pytest.approx(1000 * 45 / 2150, rel=0.01)
    assert events_behind(shown.rate, shown.conf_high) == pytest.approx(45, abs=1)


def test_few_events_have_no_rate() -> None:
    shown = _strict(harms=[_harm(4, 3)])["harms"].iloc[0]
    assert pd.isna(shown.n_events)
    assert math.isnan(shown.rate)
    assert math.isnan(shown.conf_high)
    assert shown.denominator == 2150
    assert shown.suppressed


def test_a_described_rate_does_not_tell_its_events() -> None:
    low, high = poisson_limits(43)
    row = {"domain": "Course", "measure": "recurrence", "exposure": "", "statistic": "rate",
           "estimate": 43 / 2.5, "conf_low": low / 2.5, "conf_high": high / 2.5,
           "count": 40, "n_episodes": 300}  # fmt: skip
    shown = _strict(described=[row])["described"].iloc[0]
    assert events_behind(shown.estimate, shown.conf_high) == pytest.approx(45, abs=1)
    assert shown.estimate == pytest.approx(45 / 2.5, rel=0.01)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_rates_of_another_level_are_read_and_made_again_at_that_level(level: float) -> None:
    low, high = poisson_limits(43, level)
    row = {"domain": "Course", "measure": "recurrence", "exposure": "", "statistic": "rate",
           "estimate": 43 / 2.5, "conf_low": low / 2.5, "conf_high": high / 2.5,
           "conf_level": level, "count": 40, "n_episodes": 300}  # fmt: skip
    exact = {"described": [row], "harms": [_harm(43, 37) | {"conf_level": level}]}
    entries = build_ledger({name: build_table(name, rows) for name, rows in exact.items()})
    assert entries.entries[entries.placed["described", 0, "estimate"]].value == 43
    released = _strict(**exact)
    described, harm = released["described"].iloc[0], released["harms"].iloc[0]
    low, high = poisson_limits(45, level)
    assert described.estimate == pytest.approx(45 / 2.5, rel=0.01)
    assert described.conf_high == pytest.approx(high / 2.5, rel=0.01)
    assert harm.conf_low == pytest.approx(1000 * low / 2150, rel=0.01)
    given = {name: build_table(name, rows) for name, rows in exact.items()}
    assert audit_release(given, released, threshold=11) == []


# --------------------------------------------------------------------------------------- estimates
def _estimate(scale: str, level: str, n: int, reference: str = "", **more: Any) -> dict[str, Any]:
    return {
        "analysis_id": "primary", "outcome": "pain", "visit": "week_6", "scale": scale,
        "level": level, "reference": reference, "estimate": 3.456789, "std_error": 0.123456,
        "df": n - 2.0, "statistic": 28.0, "p_value": 1.2345e-9, "conf_low": 3.2345,
        "conf_high": 3.6789, "n_episodes": n, "n_patients": n, "gate": "open", **more,
    }  # fmt: skip


def test_estimates_of_small_groups_are_hidden_wherever_they_stand() -> None:
    shown = _strict(
        ls_means=[_estimate("mean", "a", 300), _estimate("mean", "b", 8)],
        contrasts=[_estimate("improvement", "a", 308, "b")],
    )
    assert shown["ls_means"]["estimate"].isna().tolist() == [False, True]
    for column in ("estimate", "std_error", "conf_low", "p_value", "n_episodes"):
        assert shown["contrasts"][column].isna().all()
    assert shown["contrasts"]["suppressed"].all()


def test_estimates_keep_useful_digits() -> None:
    shown = _strict(
        ls_means=[_estimate("mean", "a", 301), _estimate("mean", "b", 402)],
        contrasts=[_estimate("improvement", "a", 703, "b")],
    )
    row = shown["contrasts"].iloc[0]
    assert abs(row.estimate - 3.456789) < 0.1 * 0.123456
    assert abs(row.std_error - 0.123456) < 0.05 * 0.123456
    assert row.n_episodes == 700
    assert math.isnan(row.df)
    assert row.p_value == 0.001
    assert not row.suppressed


def test_an_estimate_without_a_number_behind_it_is_hidden() -> None:
    row = _estimate("mean", "a", 300, n_episodes=None)
    assert _strict(ls_means=[row])["ls_means"]["estimate"].isna().all()


def test_risks_stand_on_released_counts_and_their_difference_on_them() -> None:
    risks = [
        _estimate("risk", "a", 300, estimate=123 / 300, threshold=2.0),
        _estimate("risk", "b", 400, estimate=201 / 400, threshold=2.0),
    ]
    pair = _estimate("risk_difference", "a", 700, "b", threshold=2.0,
                     estimate=123 / 300 - 201 / 400, conf_low=-0.17, conf_high=-0.02)  # fmt: skip
    shown = _strict(responders=[*risks, pair])["responders"]
    assert shown["estimate"].tolist() == pytest.approx([125 / 300, 0.5, 125 / 300 - 0.5], abs=1e-4)


def test_a_share_of_a_hidden_number_does_not_tell_it() -> None:
    """49 of 55 seen is hidden, and counts beside shares of the 49 would tell it."""
    sizes = {"exercise": 55, "education": 200, "usual_care": 300}
    seen = {"exercise": 49, "education": 140, "usual_care": 200}
    described = [
        {"domain": "Pain", "measure": f"reached_{k}", "visit": "week_6", "exposure": exposure}
        | {"statistic": "share", "count": k, "n_episodes": n, "estimate": k / n}
        for k in (17, 25, 34, 35)
        for exposure, n in seen.items()
    ]
    score = {"measure": "score", "statistic": "mean", "estimate": 3.2, "std_dev": 2.1}
    given = {
        "completeness": _completeness(seen, sizes),
        "described": [*described, described[0] | score | {"count": None}],
    }
    shown = _strict(**given)
    few = shown["described"].query("exposure == 'exercise'")
    assert few["estimate"].tolist() == [0.4, 0.6, 0.8, 0.8, 3.2]
    assert few[["count", "n_episodes"]].isna().all(axis=None)
    assert math.isnan(few["std_dev"].iloc[-1])  # the plain standard error is in another table
    exact = {name: build_table(name, rows) for name, rows in given.items()}
    assert audit_release(exact, shown, threshold=11) == []


def test_shares_of_a_hidden_number_do_not_tell_one_more_in_the_one() -> None:
    """136 and 135 of 411 lie on either side of a step, and count as one number."""
    seen = {"exercise": 411, "usual_care": 300}
    sizes = {"exercise": 415, "usual_care": 400}
    described = [
        {"domain": "Medicines", "measure": f"uses_{k}", "visit": "week_6", "exposure": "exercise"}
        | {"statistic": "share", "count": k, "n_episodes": 411, "estimate": k / 411}
        for k in (136, 135)
    ]
    shown = _strict(completeness=_completeness(seen, sizes), described=described)["described"]
    assert shown["n_episodes"].isna().all()
    assert shown["estimate"].nunique() == 1


def test_missing_as_failure_is_hidden_where_it_would_tell_who_was_seen() -> None:
    """295 of 300 seen is hidden, and failure over observed shares is seen over all."""
    sizes, seen = {"exercise": 300, "usual_care": 400}, {"exercise": 295, "usual_care": 300}
    rows = [
        _estimate("risk", level, n, estimate=share, conf_low=share - 0.05, conf_high=share + 0.05)
        | {"method": method}
        for method, of in (("observed-only", seen), ("missing-is-failure", sizes))
        for level, n in seen.items()
        for share in [0.6012 * n / of[level]]
    ]
    pairs = [
        _estimate("risk_difference", "exercise", 595, "usual_care", estimate=0.1, method=method)
        for method in ("observed-only", "missing-is-failure")
    ]
    shown = _strict(responders=[*rows, *pairs], completeness=_completeness(seen, sizes))
    estimates = shown["responders"]["estimate"]
    assert estimates.notna().tolist() == [True, True, False, True, True, False]
    assert (
        shown["responders"].loc[estimates.isna(), ["conf_low", "std_error"]].isna().all(axis=None)
    )


def test_a_p_value_tells_no_more_than_estimate_and_error() -> None:
    """It follows from what is released, give or take the degrees of freedom."""
    groups = [_estimate("mean", level, 50) for level in ("exercise", "usual_care")]
    numbers = {"estimate": 0.4321, "std_error": 0.1834, "statistic": 2.356}
    pair = _estimate("improvement", "exercise", 100, "usual_care", **numbers)
    alike = [_strict(ls_means=groups, contrasts=[pair | {"p_value": p}]) for p in (0.02, 0.0205)]
    first, second = (shown["contrasts"].iloc[0] for shown in alike)
    assert first["p_value"] == second["p_value"]
    normal = math.erfc(first["estimate"] / first["std_error"] / math.sqrt(2))
    assert first["p_value"] == pytest.approx(normal, rel=0.15)


def test_exact_limits_of_nobody_do_not_tell_of_how_many() -> None:
    """Limits of 0 of 50 and 0 of 300: a step of .005 would tell the 50 to two or three."""
    sizes, seen = {"exercise": 55, "usual_care": 300}, {"exercise": 50, "usual_care": 250}
    ends = {level: 1 - 0.025 ** (1 / n) for level, n in seen.items()}
    none = {"std_error": None, "df": None, "statistic": None, "p_value": None, "estimate": 0.0}
    rows = [
        _estimate("risk", level, seen[level], **none | {"conf_low": 0.0, "conf_high": end})
        for level, end in ends.items()
    ]
    limits = {"conf_low": -ends["usual_care"], "conf_high": ends["exercise"]}
    pair = _estimate("risk_difference", "exercise", 300, "usual_care", **none | limits)
    shown = _strict(responders=[*rows, pair], completeness=_completeness(seen, sizes))
    first, second, difference = shown["responders"].to_dict("records")
    assert [row["estimate"] for row in (first, second, difference)] == [0.0, 0.0, 0.0]
    assert first["conf_high"] == 0.1
    assert difference["conf_high"] == first["conf_high"]
    assert difference["conf_low"] == -second["conf_high"]


def test_a_stress_test_of_unseen_values_is_made_from_what_is_released() -> None:
    """575 of 575 and 322 of 325 seen: 2 x 3 / 325 on steps of its own would tell the 3."""
    sizes = {"exercise": 325, "usual_care": 575, "education": 400}
    seen = {"exercise": 322, "usual_care": 575, "education": 300}
    better = {"usual_care": "exercise", "exercise": "education"}
    given: dict[str, list[dict[str, Any]]] = {"contrasts": [], "sensitivity": []}
    for reference, level in better.items():
        n = seen[level] + seen[reference]
        main = _estimate("improvement", level, n, reference, estimate=0.1712, std_error=0.1523)
        unseen = 1 - seen[level] / sizes[level]
        moved = {"estimate": 0.1712 - 2 * unseen, "std_error": 0.1601}
        given["contrasts"].append(main)
        given["sensitivity"].append(main | moved | {"method": "mmrm-delta"})
    shown = _strict(**given, completeness=_completeness(seen, sizes))
    few, many = shown["sensitivity"].to_dict("records")
    assert math.isnan(few["estimate"])
    assert few["suppressed"]
    main = shown["contrasts"].to_dict("records")[1]
    assert many["estimate"] == pytest.approx(main["estimate"] - 2 * 0.25)
    assert many["conf_low"] < main["conf_low"] - 2 * 0.25
    assert many["std_error"] > main["std_error"]
    exact = {name: build_table(name, rows) for name, rows in given.items()}
    exact["completeness"] = build_table("completeness", _completeness(seen, sizes))
    assert audit_release(exact, shown, threshold=11) == []
    on_steps = shown | {"sensitivity": exact["sensitivity"].assign(estimate=[0.152, -0.329])}
    assert len(audit_release(exact, on_steps, threshold=11)) == 1


def test_thresholds_in_points_and_in_percent_are_kept_apart() -> None:
    rows = []
    for unit, (k, m) in {"points": (60, 200), "percent of baseline": (120, 0)}.items():
        words = {"threshold": 30.0, "threshold_unit": unit}
        rows += [
            _estimate("risk", "a", 300, estimate=k / 300, **words),
            _estimate("risk", "b", 400, estimate=m / 400, **words),
            _estimate("risk", "c", 400, estimate=(0 if m else 5) / 400, **words),
            _estimate("risk_difference", "a", 700, "b", estimate=k / 300 - m / 400, **words),
        ]
    shown = _strict(responders=rows)["responders"].set_index(["threshold_unit", "scale", "level"])
    points, percent = shown.loc["points"], shown.loc["percent of baseline"]
    assert points.loc[("risk_difference", "a"), "estimate"] == pytest.approx(0.2 - 0.5)
    assert points.loc[("risk", "c"), "estimate"] == 0
    assert percent.loc[("risk", "a"), "estimate"] == pytest.approx(0.4)
    assert percent["estimate"].isna().tolist() == [False, True, True, True]


def test_a_risk_with_few_people_on_either_side_is_hidden() -> None:
    risks = [_estimate("risk", e, 300, estimate=k / 300) for e, k in (("a", 5), ("b", 295))]
    shown = _strict(responders=risks)["responders"]
    assert shown["estimate"].isna().all()
    assert shown["conf_high"].isna().all()


def test_steps_of_a_responder_curve_cannot_be_subtracted() -> None:
    rows = [
        _estimate("risk", "a", 300, estimate=k / 300, threshold=float(t))
        for t, k in ((2, 121), (3, 116), (4, 60))
    ]
    shown = _strict(responders=rows)["responders"]
    assert shown["estimate"].isna().sum() == 1


def test_reasons_of_the_gate_do_not_count() -> None:
    place = {"outcome": "pain", "visit": "week_6", "exposure": "b"}
    words = "only 7 episodes measured"
    gate = [{**place, "check": "group_size", "value": 7, "limit": 30, "passed": False,
             "reason": words}]  # fmt: skip
    row = _estimate("improvement", "a", 307, "b", gate=words)
    shown = _strict(gate=gate, contrasts=[row])
    assert shown["gate"]["reason"].tolist() == ["fewer than 30 episodes"]
    assert shown["gate"]["value"].isna().all()
    assert shown["contrasts"]["gate"].tolist() == ["fewer than 30 episodes"]


def test_reasons_that_hold_only_the_limit_keep_their_words() -> None:
    place = {"outcome": "pain", "visit": "week_6", "exposure": "b", "passed": False}
    gate = [
        {**place, "check": "group_size", "value": 27, "limit": 30,
         "reason": "fewer than 30 episodes of Massage"},
        {**place, "check": "follow_up", "value": 0.31, "limit": 0.4,
         "reason": "fewer than 40 % of Massage measured"},
    ]  # fmt: skip
    both = "; ".join(str(row["reason"]) for row in gate)
    shown = _strict(gate=gate, contrasts=[_estimate("improvement", "a", 307, "b", gate=both)])
    assert shown["gate"]["reason"].tolist() == [row["reason"] for row in gate]
    assert shown["contrasts"]["gate"].tolist() == [both]


@pytest.mark.parametrize(
    ("text", "released"),
    [
        ("The age of 3 eligible episodes is not recorded.",
         "The age of a few eligible episodes is not recorded."),
        ("Doses are not known for 7 of 3,418 episodes.",
         "Doses are not known for a few of about 3,400 episodes."),
        ("1,234 episodes with a missing covariate were left out.",
         "about 1,200 episodes with a missing covariate were left out."),
        ("On 4 days there are two scores.", "On a few days there are two scores."),
        ("'exercise' has 5, fewer than 30. By type: exercise 5, usual_care 81.",
         "'exercise' has a few, fewer than 30. By type: exercise a few, usual_care about 80."),
        ("Minutes in 3, billed units in 2 clinics.", "Minutes in 3, billed units in 2 clinics."),
        ("fewer than 30 episodes of Massage", "fewer than 30 episodes of Massage"),
        ("Type fixed in a window of 14 days; ended before day 14.",
         "Type fixed in a window of 14 days; ended before day 14."),
    ],
)  # fmt: skip
def test_counts_in_sentences_are_coarse(text: str, released: str) -> None:
    words = {"notes": [text], "left_out": [{"what": "x", "why": text}], "title": text}
    shown = release_words(words, profile="strict", threshold=11)
    assert shown == {
        "notes": [released],
        "left_out": [{"what": "x", "why": released}],
        "title": text,
    }
    assert release_words(words, profile="internal", threshold=11) == words


# ------------------------------------------------------------------------------------- all together
@pytest.fixture(scope="module")
def exact() -> dict[str, pd.DataFrame]:
    return disclosure_example.tables(2, (309, 187, 338, 431))


@pytest.fixture(scope="module")
def released(exact: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    return release_tables(exact, profile="strict", threshold=11)


def test_counts_are_multiples_of_five_and_never_small(released: dict[str, pd.DataFrame]) -> None:
    for name, table in released.items():
        for column in TABLES[name].columns:
            if column.disclosure == "count":
                shown = table[column.name].dropna().astype(int)
                assert ((shown == 0) | ((shown >= 15) & (shown % 5 == 0))).all(), name


def test_most_of_a_study_of_usual_size_is_shown(released: dict[str, pd.DataFrame]) -> None:
    for name, column, least in (
        ("completeness", "share", 0.75),
        ("contrasts", "estimate", 1.0),
        ("ls_means", "estimate", 1.0),
        ("baseline", "estimate", 0.6),
        ("components", "share", 0.7),
    ):
        assert released[name][column].notna().mean() >= least, name


def test_hidden_cells_are_marked(
    exact: dict[str, pd.DataFrame], released: dict[str, pd.DataFrame]
) -> None:
    for name, table in released.items():
        if name != "combinations":
            numbers = [c for c in TABLES[name].names if c != "df"]
            lost = (exact[name][numbers].notna() & table[numbers].isna()).any(axis=1)
            assert table["suppressed"].tolist() == lost.tolist(), name


def test_the_same_tables_give_the_same_release(
    exact: dict[str, pd.DataFrame], released: dict[str, pd.DataFrame]
) -> None:
    again = release_tables(exact, profile="strict", threshold=11)
    for name, table in released.items():
        pd.testing.assert_frame_equal(table, again[name])


def test_the_attack_finds_what_hiding_small_counts_alone_leaves(
    exact: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        disclosure, "choose_hidden", lambda ledger, t: frozenset(small_entries(ledger, t))
    )
    half_done = release_tables(exact, profile="strict", threshold=11)
    assert len(audit_release(exact, half_done, threshold=11)) > 5


def test_the_invented_report_release_passes_nearly_whole() -> None:
    given = {n: t.drop(columns="suppressed") for n, t in report_example.tables().items()}
    shown = release_tables(given, profile="strict", threshold=11)
    unseen = given["contrasts"]["outcome"].eq("mobility") & given["contrasts"]["visit"].eq(
        "week_26"
    )
    for name in ("contrasts", "ls_means"):
        there = given[name]["estimate"].notna() & (~unseen if name == "contrasts" else True)
        assert shown[name]["estimate"].notna().tolist() == there.tolist()
    assert shown["baseline"]["estimate"].notna().mean() > 0.9


@pytest.mark.parametrize("profile", ["internal", "public-data"])
def test_other_profiles_keep_exact_numbers(profile: Any) -> None:
    table = build_table("completeness", _completeness({"exercise": 3, "usual_care": 399}))
    shown = release_tables({"completeness": table}, profile=profile, threshold=11)["completeness"]
    pd.testing.assert_frame_equal(shown.drop(columns="suppressed"), table)
    assert not shown["suppressed"].any()


def test_empty_tables_pass() -> None:
    empty = {name: build_table(name, []) for name in TABLES}
    shown = release_tables(empty, profile="strict", threshold=11)
    assert set(shown) == set(TABLES)
    for name, table in shown.items():
        assert list(table.columns) == [*TABLES[name].names, "suppressed"]
        assert table.empty


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"profile": "open", "threshold": 11}, "profile 'open'"),
        ({"profile": "strict", "threshold": 1}, "threshold 1"),
    ],
)
def test_requests_that_make_no_sense(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        release_tables({}, **given)


def test_a_table_that_nobody_declared_does_not_pass() -> None:
    with pytest.raises(UsageError, match="patients"):
        release_tables({"patients": pd.DataFrame()}, profile="strict", threshold=11)


def test_a_hidden_zero_of_episodes_is_not_told_by_its_patients() -> None:
    steps = [
        ("records", "kept", 257, None),
        ("set_aside", "left_out", 5, None),
        ("young", "left_out", 0, 0),
        ("eligible", "kept", 252, 231),
        ("ended", "left_out", 0, 0),
        ("analysed", "kept", 252, 231),
    ]
    rows = [
        {
            "order": order,
            "step": step,
            "kind": kind,
            "label": step,
            "n_episodes": episodes,
            "n_patients": patients,
        }
        for order, (step, kind, episodes, patients) in enumerate(steps)
    ]
    flow = _strict(flow=rows)["flow"].set_index("step")
    assert flow.loc[["set_aside", "young"], ["n_episodes", "n_patients"]].isna().all(axis=None)
    assert flow.loc["ended", ["n_episodes", "n_patients"]].tolist() == [0, 0]


def test_a_hidden_reason_may_be_zero_for_all_a_reader_knows() -> None:
    steps = [
        ("records", "kept", 330),
        ("region", "left_out", 20),
        ("young", "left_out", 2),
        ("red_flag", "left_out", 3),
        ("old", "left_out", 0),
        ("eligible", "kept", 305),
        ("ended", "left_out", 0),
        ("analysed", "kept", 305),
    ]
    rows = [
        {
            "order": order,
            "step": step,
            "kind": kind,
            "label": step,
            "n_episodes": episodes,
            "n_patients": episodes,
        }
        for order, (step, kind, episodes) in enumerate(steps)
    ]
    flow = _strict(flow=rows)["flow"].set_index("step")["n_episodes"]
    assert flow[["young", "red_flag", "old"]].isna().all()
    assert flow["ended"] == 0
