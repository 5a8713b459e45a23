"""Invented releases of other shapes: few and many types, one visit, gated, randomised, empty."""

from __future__ import annotations

from typing import Any

import pandas as pd

from outcomes.report.release import Release
from outcomes.results.tables import ESTIMATE_TABLES, build_table
from tests import report_example as example

TYPED = ("exposure", "level", "reference")
HOSTILE = '</script><script>alert("x")</script><img src=x onerror=alert(1)>&amp;'


def _study(release: Release, **changes: Any) -> dict[str, Any]:
    return {**release.study, **changes}


def _renamed(table: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    return table.assign(**{c: table[c].replace(names) for c in TYPED if c in table})


def _only(table: pd.DataFrame, kept: set[str]) -> pd.DataFrame:
    for column in TYPED:
        if column in table:
            table = table[table[column].isin(kept | {""})]
    return table.reset_index(drop=True)


def two_types() -> Release:
    """Two types and nothing else."""
    release = example.release()
    kept = {"exercise", "usual_care"}
    exposures = [e for e in release.study["exposures"] if e["id"] in kept]
    tables = {name: _only(table, kept) for name, table in release.tables.items()}
    return Release(_study(release, exposures=exposures), tables)


def twelve_types() -> Release:
    """The six types, and each but the reference a second time under a long name, and one more."""
    release = example.release()
    old = [e["id"] for e in release.study["exposures"] if not e["reference"]]
    again = {i: f"{i}_at_home_with_telephone_calls" for i in old}
    third = {"exercise": "another_kind_of_exercise"}
    exposures = list(release.study["exposures"][:-1])
    for copies in (again, third):
        exposures += [
            {"id": new, "name": f"{new.replace('_', ' ').capitalize()}", "parts": [new]}
            for new in copies.values()
        ]
    exposures.append(release.study["exposures"][-1])
    tables = {
        name: pd.concat(
            [table, _renamed(table, again), _renamed(table, third)], ignore_index=True
        ).drop_duplicates(ignore_index=True)
        if any(c in table for c in TYPED)
        else table
        for name, table in release.tables.items()
    }
    return Release(_study(release, exposures=exposures), tables)


def one_visit() -> Release:
    """One planned visit."""
    release = example.release()
    visits = [v for v in release.study["visits"] if v["label"] == "week_12"]
    tables = {
        name: table[table["visit"].isin(["", "baseline", "week_12"])].reset_index(drop=True)
        if "visit" in table
        else table
        for name, table in release.tables.items()
    }
    return Release(_study(release, visits=visits), tables)


def all_gated() -> Release:
    """No difference and no mean may be shown."""
    release = example.release()
    numbers = ["estimate", "std_error", "conf_low", "conf_high"]
    tables = dict(release.tables)
    for name in ESTIMATE_TABLES:
        tables[name] = tables[name].assign(
            gate="12 % were measured, floor 40 %", **dict.fromkeys(numbers)
        )
    return Release(release.study, tables)


def trial() -> Release:
    """A randomised trial: three arms, no sessions, no medicines, one outcome."""
    release = example.release()
    kept = {"exercise", "manual_therapy", "usual_care"}
    exposures = [e for e in release.study["exposures"] if e["id"] in kept]
    outcomes = [o for o in release.study["outcomes"] if o["id"] == "pain"]
    absent = ("components", "combinations", "dose", "harms", "medication_use", "medication_change")
    tables = {
        name: _only(table, kept) for name, table in release.tables.items() if name not in absent
    }
    for name, table in tables.items():
        if "outcome" in table:
            tables[name] = table[table["outcome"].isin(["pain"])].reset_index(drop=True)
    study = _study(
        release,
        exposures=exposures,
        outcomes=outcomes,
        design="randomised",
        profile="public-data",
        threshold=0,
        window_days=0,
    )
    return Release(study, tables)


def empty() -> Release:
    """Every table without a row."""
    release = example.release()
    tables = {name: build_table(name, []).assign(suppressed=False) for name in release.tables}
    return Release(release.study, tables)


def hostile() -> Release:
    """Labels that try to be markup, scripts and formulas."""
    release = example.release()
    exposures = [
        {**e, "name": f"{HOSTILE}{e['name']}" if e["id"] == "exercise" else f"=cmd {e['name']}"}
        for e in release.study["exposures"]
    ]
    tables = {}
    for name, table in release.tables.items():
        texts = [c for c in ("label", "message", "remedy", "combination", "domain") if c in table]
        tables[name] = table.assign(**{c: HOSTILE + table[c].astype(str) for c in texts})
    return Release(_study(release, exposures=exposures, title=HOSTILE, question=HOSTILE), tables)


def one_threshold() -> Release:
    """Shares for every threshold at the declared visit, for one threshold at the others."""
    release = example.release()
    table = release.tables["responders"]
    kept = table["visit"].eq("week_12") | table["threshold"].isin([2, 10])
    rows = table[kept].reset_index(drop=True)
    return Release(release.study, {**release.tables, "responders": rows})


def long_names() -> Release:
    """Names that fill lines."""
    release = example.release()
    exposures = [
        {**e, "name": f"{e['name']} given twice weekly by a specialised physiotherapy team"}
        for e in release.study["exposures"]
    ]
    return Release(_study(release, exposures=exposures), release.tables)


VARIANTS = {
    "two_types": two_types,
    "twelve_types": twelve_types,
    "one_visit": one_visit,
    "all_gated": all_gated,
    "trial": trial,
    "empty": empty,
    "hostile": hostile,
    "long_names": long_names,
    "one_threshold": one_threshold,
}
