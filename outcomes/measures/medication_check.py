"""What prescription records cannot tell, said with counts and rows and without any value."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from outcomes.core.problems import FIRST_ROWS, Problem, Severity

TABLE: Final = "medications"

_RULES: Final[dict[str, tuple[Severity, str, str, str]]] = {
    "duplicate": (
        "warning",
        "",
        "equal another row in every column",
        "Counted once. Two fills on one day need a dispensing_id of their own.",
    ),
    "drug_unknown": (
        "warning",
        "drug",
        "name a medicine the catalog does not know",
        "Map the names; until then doses beside them are lower bounds.",
    ),
    "unit_unknown": (
        "warning",
        "unit",
        "have a unit that does not fit the medicine's conversion factor",
        "Use mg, mcg or g, and mcg/h for patches.",
    ),
    "no_factor": (
        "warning",
        "route",
        "are opioids without a factor for their route in this version",
        "Choose another version of factors, or report the medicine as use only.",
    ),
    "strength_invalid": ("warning", "strength", "lack a strength above 0", "Add the strength."),
    "quantity_invalid": ("warning", "quantity", "lack a quantity above 0", "Add the quantity."),
    "days_supply_missing": (
        "warning",
        "days_supply",
        "are opioids without days of supply",
        "Derive it from the directions before import; it is not guessed.",
    ),
    "days_supply_invalid": (
        "warning",
        "days_supply",
        "have days of supply outside 1-180",
        "Correct the days of supply.",
    ),
    "implausible_dose": (
        "warning",
        "strength",
        "come to more than 1,000 MME a day and were left out of doses",
        "Look at the unit first: mg for mcg is a thousandfold.",
    ),
    "outside_mme": (
        "note",
        "drug",
        "are opioid agonist treatment, which is outside MME",
        "They are reported in a row of their own.",
    ),
}
_FLAGS: Final[dict[str, tuple[str, str, str]]] = {
    "route_assumed": (
        "route",
        "have neither route nor form and were read as oral",
        "Add the route.",
    ),
    "days_derived": (
        "days_supply",
        "are patches whose days of supply were derived from the wear interval",
        "Add wear_hours where patches are not changed every 72 h.",
    ),
    "patch_flag": (
        "quantity",
        "are patches whose number does not fit the wear interval",
        "Check days of supply; 48 h or the nearest number worn was taken.",
    ),
}


def check_fills(fills: pd.DataFrame) -> list[Problem]:
    """Return a problem for each status and flag of derived fills that a reader should know."""
    found = [_problem(fills["status"] == status, status, *rule) for status, rule in _RULES.items()]
    counted = fills["status"] == "counted"
    found += [
        _problem(counted & fills[flag].astype(bool), flag, "note", *rule)
        for flag, rule in _FLAGS.items()
    ]
    return [problem for problem in found if problem.count]


def _problem(
    rows: pd.Series, rule: str, severity: Severity, column: str, message: str, remedy: str
) -> Problem:
    place = np.flatnonzero(rows.to_numpy(dtype=bool))
    return Problem(
        severity=severity,
        table=TABLE,
        column=column,
        rule=rule,
        message=message,
        remedy=remedy,
        count=len(place),
        n_rows=len(rows),
        rows=tuple(int(row) + 1 for row in place[:FIRST_ROWS]),
    )
