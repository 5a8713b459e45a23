"""An invented release, as the workflow would write it, for the tests of the report.

All numbers are made up. The tables follow the contracts through ``build_table``; some cells are
hidden as the gate would hide them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pandas as pd

from outcomes.report.release import Release
from outcomes.results.tables import build_table

EXPOSURES = {
    "exercise": "Exercise",
    "manual_therapy": "Manual therapy",
    "manual_therapy+exercise": "Manual therapy + exercise",
    "modalities": "TENS and other modalities",
    "education_posture": "Education and posture",
    "usual_care": "Usual care",
}
SIZES = dict(zip(EXPOSURES, (840, 515, 975, 285, 370, 610), strict=True))
VISITS = {"week_6": 42, "week_12": 84, "week_26": 182, "week_52": 364}
MEANS = {
    "pain": (
        (4.41, 3.61, 3.40, 3.51),
        (4.30, 3.94, 3.93, 3.94),
        (4.07, 3.28, 3.17, 3.25),
        (4.65, 4.36, 4.19, 4.17),
        (4.71, 4.11, 3.79, 3.75),
        (4.93, 4.52, 4.24, 4.13),
    ),
    "mobility": (
        (30.9, 26.1, 24.0, 24.0),
        (30.7, 27.9, 27.1, 27.1),
        (29.6, 24.8, 23.2, 23.2),
        (32.2, 29.8, 28.4, 28.2),
        (32.1, 28.2, 25.9, 25.6),
        (33.1, 30.4, 28.6, 27.9),
    ),
    "medication": (
        (12.3, 10.6, 9.6, 9.7),
        (12.5, 11.6, 11.3, 11.5),
        (11.6, 9.5, 8.6, 8.6),
        (13.0, 12.9, 12.6, 12.8),
        (12.8, 11.7, 10.9, 10.9),
        (13.1, 12.5, 12.0, 11.9),
    ),
}
SPREAD = {"pain": 2.1, "mobility": 14.0, "medication": 24.0}
BASELINE = {"pain": (6.1, 1.8), "mobility": (38.6, 14.1), "medication": (14.2, 26.0)}
SHARE = (0.86, 0.79, 0.68, 0.6)


def study() -> dict[str, Any]:
    """What the workflow says about the study in words."""
    return {
        "schema": 1,
        "id": "back-pain",
        "title": "Back pain therapy, six intervention types",
        "question": "Which kinds of back pain therapy went with better results, and how sure can"
        " we be?",
        "design": "observational",
        "profile": "strict",
        "threshold": 11,
        "profile_reason": "",
        "exposures": [
            {"id": i, "name": n, "parts": i.split("+"), "reference": i == "usual_care"}
            for i, n in EXPOSURES.items()
        ],
        "reference": "usual_care",
        "primary": {"outcome": "pain", "exposure": "exercise", "visit": "week_12"},
        "visits": [
            {
                "label": label,
                "name": f"Week {day // 7}",
                "day": day,
                "from_day": day - 14,
                "to_day": day + 21,
                "event": "",
            }
            for label, day in VISITS.items()
        ],
        "outcomes": [_outcome(*row) for row in _OUTCOMES],
        "conf_level": 0.95,
        "window_days": 14,
        "methods": [
            {"part": "Eligibility", "target": "Adults with low back pain", "emulation": "The same"},
            {
                "part": "Time zero",
                "target": "Day of randomisation",
                "emulation": "Day 14, the end of the exposure window",
            },
        ],
        "paragraphs": {
            "estimand": "Average difference in the outcome at each visit in everyone analysed.",
            "model": "Mixed model for repeated measures: type by visit and baseline by visit.",
            "missing": "Every number assumes that whether a value was seen depends on what was seen"
            " before.",
            "assumptions": "No unmeasured reason for the choice of type also bears on the outcome.",
            "mcid": "It is a mark for one person's change and is used for shares of people.",
        },
        "facts": [
            {
                "fact": "NPRS: mcid 2 points, back pain",
                "source": "childs2005",
                "confidence": "verified",
                "review": "not reviewed by a clinician",
            },
            {
                "fact": "ODI: mcid 10 points, back pain",
                "source": "ostelo2008",
                "confidence": "memory",
                "review": "not reviewed by a clinician",
            },
        ],
        "notes": ["3 clinics recorded no minutes: classified by billed units."],
        "left_out": [{"what": "Quality-adjusted years", "why": "No EQ-5D index in the records."}],
        "versions": {"outcomes": "0.1.0", "pandas": "3.1.0"},
        "hashes": {"spec": "9f3c" * 16, "records": "41ad" * 16},
        "created": "2026-11-24",
    }


_OUTCOMES = (
    ("pain", "Pain", "NPRS", "Numeric pain rating scale", 10, "less pain", "more pain", 0.5, 2.0),
    (
        "mobility",
        "Mobility",
        "ODI",
        "Oswestry Disability Index",
        100,
        "less disability",
        "more disability",
        4.0,
        10.0,
    ),
    (
        "medication",
        "Medication",
        "Daily MME",
        "Oral morphine milligram equivalents per day",
        None,
        "a lower opioid dose",
        "a higher opioid dose",
        2.5,
        None,
    ),
)


def _outcome(*row: Any) -> dict[str, Any]:
    name, title, instrument, long, high, better, worse, margin, mcid = row
    marks = [{"value": mcid, "percent": None, "name": "MCID, one person", "source": "childs2005"}]
    return {
        "id": name,
        "role": name,
        "name": title,
        "instrument": instrument,
        "instrument_name": long,
        "unit": "mg a day (MME)" if high is None else "points",
        "low": 0,
        "high": high,
        "higher_is_better": False,
        "better": better,
        "worse": worse,
        "margin": margin,
        "margin_source": "Lower edge of a small difference between groups",
        "thresholds": marks if mcid else [],
    }


# ---------------------------------------------------------------------------------------- tables
def _seen(exposure: str, place: int, *, n: int | None = None) -> int:
    share = SHARE[place] - (0.22 if exposure == "modalities" and place == 3 else 0.0)
    return 5 * round((n or SIZES[exposure]) * share / 5)


def _error(outcome: str, exposure: str, place: int) -> float:
    return SPREAD[outcome] / math.sqrt(_seen(exposure, place))


def _gate(outcome: str, exposures: tuple[str, ...], place: int) -> str:
    bad = outcome == "medication" and place == 3 and "modalities" in exposures
    return "38 % of TENS and other modalities measured, floor 40 %" if bad else "open"


def _common(outcome: str, visit: str, scale: str) -> dict[str, object]:
    return {
        "analysis_id": "primary",
        "outcome": outcome,
        "estimand": "treatment-policy",
        "population": "analysed",
        "method": "mmrm",
        "scale": scale,
        "term": "exposure",
        "visit": visit,
        "conf_level": 0.95,
    }


def _interval(estimate: float, error: float) -> dict[str, float]:
    return {
        "estimate": estimate,
        "std_error": error,
        "conf_low": estimate - 1.96 * error,
        "conf_high": estimate + 1.96 * error,
    }


def ls_means() -> Iterator[dict[str, object]]:
    """Adjusted means."""
    for outcome, means in MEANS.items():
        for exposure, values in zip(EXPOSURES, means, strict=True):
            for place, (visit, value) in enumerate(zip(VISITS, values, strict=True)):
                gate = _gate(outcome, (exposure,), place)
                shown = gate == "open"
                if outcome == "mobility" and visit == "week_26":
                    continue
                yield {
                    **_common(outcome, visit, "mean"),
                    **(_interval(value, _error(outcome, exposure, place)) if shown else {}),
                    "level": exposure,
                    "n_episodes": _seen(exposure, place),
                    "gate": gate,
                }


def contrasts(
    *, shift: float = 0.0, stretch: float = 1.0, **fields: object
) -> Iterator[dict[str, object]]:
    """All ordered pairs; shifted and stretched for the other analyses."""
    for outcome, means in MEANS.items():
        table = dict(zip(EXPOSURES, means, strict=True))
        for level, reference in permutations(EXPOSURES, 2):
            for place, visit in enumerate(VISITS):
                gate = _gate(outcome, (level, reference), place)
                error = math.hypot(_error(outcome, level, place), _error(outcome, reference, place))
                value = table[reference][place] - table[level][place] + shift * error
                yield {
                    **_common(outcome, visit, "improvement"),
                    **(_interval(value, stretch * error) if gate == "open" else {}),
                    "level": level,
                    "reference": reference,
                    "n_episodes": _seen(level, place) + _seen(reference, place),
                    "gate": gate,
                    **fields,
                }


_ANALYSES = (
    ("window_7", "mmrm", -0.3, 1.1),
    ("window_28", "mmrm", 0.2, 1.1),
    ("complete_cases", "mmrm", 0.4, 1.15),
    ("delta", "mmrm-delta", -0.9, 1.1),
    ("no_clinic", "mmrm", 0.1, 1.0),
)


def sensitivity() -> Iterator[dict[str, object]]:
    """The main comparisons asked in other ways."""
    for name, method, shift, stretch in _ANALYSES:
        for row in contrasts(shift=shift, stretch=stretch, analysis_id=name, method=method):
            if row["reference"] == "usual_care":
                yield row


def unadjusted() -> Iterator[dict[str, object]]:
    """Plain differences of means."""
    for row in contrasts(shift=1.6, analysis_id="unadjusted", method="unadjusted"):
        yield {**row, "scale": "improvement"}


def flow() -> list[dict[str, object]]:
    """From records to analysis."""
    rows = (
        ("records", "kept", "episodes of care in the records", 5410),
        ("age", "left_out", "Under 18 years", 120),
        ("red_flag", "left_out", "Referred on for a serious cause at intake", 145),
        ("region", "left_out", "Not a low back pain episode", None),
        ("eligible", "kept", "eligible episodes", 4945),
        ("no_baseline", "left_out", "No baseline pain or disability score", 485),
        ("ended", "left_out", "Ended before day 14", 390),
        ("unclassified", "left_out", "No type could be named", 470),
        ("analysed", "kept", "analysed, in six types fixed by day 14", 3595),
        ("no_follow_up", "left_out", "No follow-up value at any visit", 355),
        ("followed", "kept", "with at least one follow-up value", 3240),
    )
    return [
        {
            "order": k,
            "step": step,
            "kind": kind,
            "label": label,
            "n_episodes": n,
            "n_patients": None if n is None else 5 * round(0.93 * n / 5),
        }
        for k, (step, kind, label, n) in enumerate(rows)
    ]


_NUMBERS = (
    ("age", "Age", "years", (48.2, 46.9, 49.6, 57.8, 45.1, 52.4), 14.0),
    ("bmi", "Body mass index", "kg/m2", (27.1, 26.8, 27.3, 28.9, 26.2, 27.8), 4.6),
    ("baseline_pain", "Pain at time zero", "points", (6.0, 6.2, 6.1, 6.5, 5.8, 6.3), 1.8),
    (
        "baseline_mobility",
        "Mobility at time zero",
        "points",
        (37.4, 38.1, 39.0, 43.9, 35.6, 40.2),
        14.1,
    ),
    (
        "baseline_medication",
        "Medication at time zero",
        "MME/day",
        (12.6, 14.1, 13.8, 19.7, 10.9, 17.0),
        26.0,
    ),
)
_SHARES = (
    ("sex", "Sex", "female", (0.58, 0.55, 0.58, 0.63, 0.55, 0.58)),
    ("sex", "Sex", "male", (0.42, 0.45, 0.42, 0.37, 0.45, 0.42)),
    ("chronicity", "Chronicity", "acute", (0.14, 0.18, 0.12, 0.08, 0.2, 0.13)),
    ("chronicity", "Chronicity", "subacute", (0.25, 0.27, 0.22, 0.17, 0.31, 0.23)),
    ("chronicity", "Chronicity", "chronic", (0.61, 0.55, 0.66, 0.75, 0.49, 0.64)),
    ("spine_surgery", "Earlier spine surgery", "yes", (0.08, 0.07, 0.1, 0.15, None, 0.11)),
    (
        "baseline_any_opioid",
        "Any opioid up to time zero",
        "yes",
        (0.29, 0.31, 0.3, 0.38, 0.27, 0.34),
    ),
)


def baseline() -> Iterator[dict[str, object]]:
    """The groups at time zero."""
    total = sum(SIZES.values())
    for name, label, unit, values, spread in _NUMBERS:
        pooled = sum(v * n for v, n in zip(values, SIZES.values(), strict=True)) / total
        for exposure, value in zip([*EXPOSURES, ""], [*values, pooled], strict=True):
            yield {
                "variable": name,
                "label": label,
                "unit": unit,
                "statistic": "mean",
                "exposure": exposure,
                "estimate": value,
                "std_dev": spread,
                "n_episodes": SIZES.get(exposure, total),
                "n_missing": 0,
            }
    for name, label, level, shares in _SHARES:
        for exposure, share in zip([*EXPOSURES, ""], [*shares, 0.3], strict=True):
            n = SIZES.get(exposure, total)
            yield {
                "variable": name,
                "label": label,
                "statistic": "share",
                "level": level,
                "exposure": exposure,
                "estimate": share,
                "count": None if share is None else 5 * round(share * n / 5),
                "n_episodes": n,
                "n_missing": 15,
            }


def balance() -> Iterator[dict[str, object]]:
    """Standardised differences from usual care."""
    for name, label, _unit, values, spread in _NUMBERS:
        for exposure, value in zip(EXPOSURES, values, strict=True):
            if exposure != "usual_care":
                smd = (value - values[-1]) / spread
                yield _smd(name, label, "", exposure, smd)
    for name, label, level, shares in _SHARES:
        for exposure, share in zip(EXPOSURES, shares, strict=True):
            if exposure != "usual_care":
                smd = None if share is None else (share - shares[-1]) / 0.47
                yield _smd(name, label, level, exposure, smd)


def _smd(name: str, label: str, level: str, exposure: str, smd: float | None) -> dict[str, object]:
    return {
        "variable": name,
        "label": label,
        "level": level,
        "exposure": exposure,
        "reference": "usual_care",
        "smd": smd,
        "smd_weighted": None if smd is None else 0.08 * smd,
    }


def completeness() -> Iterator[dict[str, object]]:
    """Who was still measured."""
    total = sum(SIZES.values())
    for outcome in MEANS:
        for exposure in [*EXPOSURES, ""]:
            n = SIZES.get(exposure, total)
            for place, visit in enumerate(["baseline", *VISITS]):
                planned = not (outcome == "mobility" and visit == "week_26")
                seen = n if not place else _seen(exposure, place - 1, n=n)
                seen = seen if planned else 0
                yield {
                    "outcome": outcome,
                    "visit": visit,
                    "exposure": exposure,
                    "planned": planned,
                    "n_episodes": n,
                    "n_observed": seen,
                    "share": seen / n,
                }


def responders() -> Iterator[dict[str, object]]:
    """Shares reaching a threshold, and getting worse."""
    for outcome, high, step, noticed in (("pain", 8, 1, 2), ("mobility", 40, 5, 10)):
        asked = [("treatment-policy", 1, t) for t in range(0, high + 1, step)]
        for exposure, means in zip(EXPOSURES, MEANS[outcome], strict=True):
            for place, visit in enumerate(VISITS):
                gain = BASELINE[outcome][0] - means[place]
                for estimand, sign, t in (*asked, ("worse", -1, noticed)):
                    z = (sign * gain - t) / (1.15 * SPREAD[outcome])
                    share = 0.5 * (1 + math.erf(z / math.sqrt(2)))
                    error = math.sqrt(share * (1 - share) / _seen(exposure, place))
                    yield {
                        **_common(outcome, visit, "risk"),
                        "method": "draws",
                        **_interval(share, error),
                        "estimand": estimand,
                        "level": exposure,
                        "threshold": t,
                        "n_episodes": _seen(exposure, place),
                        "gate": "open",
                    }


def medication_use() -> Iterator[dict[str, object]]:
    """Any opioid and other classes."""
    starts = {"any_opioid": 0.3, "nsaid": 0.46, "gabapentinoid": 0.12}
    for name, start in starts.items():
        for slot, exposure in enumerate(EXPOSURES):
            for place, visit in enumerate(VISITS):
                share = start * (0.82 - 0.05 * place + 0.03 * slot)
                hidden = name == "gabapentinoid" and exposure == "modalities"
                numbers = _interval(share, 0.02)
                yield {
                    **_common(name, visit, "risk"),
                    "method": "draws",
                    **({} if hidden else numbers),
                    "level": exposure,
                    "n_episodes": _seen(exposure, place),
                    "gate": "open",
                }


def medication_change() -> Iterator[dict[str, object]]:
    """What became of those who took opioids at the start."""
    parts = {"stopped": 0.17, "halved": 0.24, "little_change": 0.47, "increased": 0.12}
    for slot, exposure in enumerate(EXPOSURES):
        for place, visit in enumerate(VISITS):
            for name, share in parts.items():
                move = 0.03 * (2.5 - slot) * (1 if name == "stopped" else 0)
                move -= 0.03 * (2.5 - slot) * (1 if name == "little_change" else 0)
                hidden = exposure == "education_posture" and name in ("increased", "little_change")
                yield {
                    **_common("medication", visit, "risk"),
                    "method": "observed-only",
                    "estimand": name,
                    **({} if hidden else _interval(share + move, 0.03)),
                    "level": exposure,
                    "n_episodes": _seen(exposure, place) // 3,
                    "gate": "open",
                }


def components() -> Iterator[dict[str, object]]:
    """What was delivered."""
    parts = (
        ("exercise", "Exercise", "exercise", 0.8),
        ("exercise.strength", "Strength", "exercise", 0.6),
        ("exercise.strength.core", "Core", "exercise", 0.5),
        ("manual.massage", "Massage", "manual", 0.33),
        ("modality.tens", "TENS", "modality", 0.09),
        ("training.posture", "Posture correction", "training", 0.11),
        ("education.pain", "Pain education", "education", 0.5),
    )
    total = sum(SIZES.values())
    for period in ("window", "episode"):
        for name, label, kind, share in parts:
            for exposure in [*EXPOSURES, ""]:
                n = SIZES.get(exposure, total)
                hidden = name == "modality.tens" and exposure == "education_posture"
                yield {
                    "exposure": exposure,
                    "intervention": name,
                    "label": label,
                    "kind": kind,
                    "period": period,
                    "n_episodes": None if hidden else 5 * round(share * n / 5),
                    "n_total": n,
                    "share": None if hidden else share,
                    "median": 24.0,
                    "unit": "min",
                }


_COMBINATIONS = (
    ("Strength and core + Stretching and mind-body + Education", 610),
    ("Strength and core + Mobilisation and manipulation + Education", 490),
    ("None recorded", 450),
    ("Strength and core + Stretching and mind-body + Massage", 400),
    ("Massage + Mobilisation and manipulation", 295),
    ("Aerobic + Strength and core + Education", 270),
    ("Posture and ergonomics + Education", 230),
    ("Heat and cold + Massage + Strength and core", 185),
    ("Heat and cold + TENS and electrical", 140),
    ("Massage + Heat and cold + TENS and electrical", 95),
    ("Heat and cold + Massage + Ultrasound", 60),
    ("other", 370),
)


def combinations() -> Iterator[dict[str, object]]:
    """What went together."""
    for words, n in _COMBINATIONS:
        size = 0 if words in ("other", "None recorded") else words.count(" + ") + 1
        yield {"combination": words, "size": size, "n_episodes": n}


def dose() -> Iterator[dict[str, object]]:
    """How much."""
    measures = (
        ("sessions_attended", "Sessions attended", "sessions", (8, 6, 10, 6, 4, 1)),
        ("weeks_in_care", "Weeks from first to last session", "weeks", (7, 5, 9, 5, 5, 1)),
        ("minutes_per_session", "Minutes a session", "min", (34, 24, 42, 27, 31, None)),
        (
            "supervised_share",
            "Supervised, of sessions attended",
            "share",
            (0.64, 1.0, 0.72, 0.88, 0.91, None),
        ),
    )
    for name, label, unit, values in measures:
        for exposure, value in zip(EXPOSURES, values, strict=True):
            yield {
                "exposure": exposure,
                "measure": name,
                "label": label,
                "unit": unit,
                "statistic": "median",
                "estimate": value,
                "low": None if value is None else value * 0.6,
                "high": None if value is None else min(value * 1.5, 1 if unit == "share" else 99),
                "n_episodes": SIZES[exposure],
            }


def harms() -> Iterator[dict[str, object]]:
    """Unwanted events."""
    rates = {
        "soreness": ("Soreness after a session", (31, 45, 39, 12, None, None)),
        "flare": ("Flare", (6.8, 5.3, 6.2, 6.7, None, None)),
        "serious_adverse_event": ("Serious adverse event", (None,) * 6),
    }
    for event, (label, values) in rates.items():
        for exposure, rate in zip(EXPOSURES, values, strict=True):
            sessions = SIZES[exposure] * 7
            yield {
                "exposure": exposure,
                "event": event,
                "label": label,
                "severity": "any",
                "n_events": None if rate is None else 5 * round(rate * sessions / 5000),
                "n_episodes": None if rate is None else max(15, 5 * round(rate * sessions / 7000)),
                "n_total": SIZES[exposure],
                "denominator": sessions,
                "rate_unit": "per 1,000 sessions",
                "rate": rate,
                "conf_low": None if rate is None else rate * 0.85,
                "conf_high": None if rate is None else rate * 1.17,
            }
    yield {
        "exposure": "",
        "event": "serious_adverse_event",
        "label": "Serious adverse event",
        "severity": "any",
        "n_events": 15,
        "n_episodes": 15,
        "n_total": 3595,
        "denominator": 24610,
        "rate_unit": "per 1,000 sessions",
        "rate": 0.6,
        "conf_low": 0.3,
        "conf_high": 1.0,
    }


def described() -> Iterator[dict[str, object]]:
    """Other outcomes."""
    rows = (
        ("Function", "tug", "Timed Up and Go", "mean", "seconds", 10.2),
        (
            "Function",
            "tug_improved",
            "Timed Up and Go: better by 1.4 or more",
            "share",
            "share",
            0.4,
        ),
        ("Quality of life", "eq_vas", "EQ VAS", "mean", "points", 66.0),
        (
            "Recurrence",
            "recurrence",
            "A new episode of pain",
            "rate",
            "per 100 patient-years",
            18.0,
        ),
        ("Help triggers", "severe_pain", "Pain of 7 or more at week 6", "share", "share", 0.12),
        ("Falls", "falls", "Falls", "rate", "per 100 patient-years", 7.0),
    )
    for domain, measure, label, statistic, unit, value in rows:
        for visit in ("baseline", "week_12") if statistic == "mean" else ("week_12",):
            for slot, exposure in enumerate([*EXPOSURES, ""]):
                hidden = measure == "falls" and slot == 4
                yield {
                    "domain": domain,
                    "measure": measure,
                    "label": label,
                    "exposure": exposure,
                    "visit": "" if statistic == "rate" else visit,
                    "statistic": statistic,
                    "estimate": None if hidden else value * (1 + 0.02 * slot),
                    "unit": unit,
                    "count": None if hidden or statistic == "mean" else 40,
                    "n_episodes": 300,
                }


def gate() -> Iterator[dict[str, object]]:
    """Checks before a difference was shown."""
    for outcome in MEANS:
        for place, visit in enumerate(VISITS):
            for exposure in EXPOSURES:
                reason = _gate(outcome, (exposure,), place)
                yield {
                    "outcome": outcome,
                    "visit": visit,
                    "exposure": exposure,
                    "check": "follow_up",
                    "value": _seen(exposure, place) / SIZES[exposure],
                    "limit": 0.4,
                    "passed": reason == "open",
                    "reason": "" if reason == "open" else reason,
                }


def problems() -> list[dict[str, object]]:
    """What was wrong in the records."""
    rows = (
        ("error", "assessments", "score", "range", "Outside 0-100 for 'odi'", "Set aside", 15),
        ("warning", "components", "minutes", "missing", "No minutes", "Counted without them", 1930),
        ("note", "episodes", "payer", "code", "Code not in the mapping", "Shown as other", None),
    )
    return [
        {
            "severity": severity,
            "table": table,
            "column": column,
            "rule": rule,
            "message": message,
            "remedy": remedy,
            "count": n,
            "n_rows": 20310,
        }
        for severity, table, column, rule, message, remedy, n in rows
    ]


_MAKERS = {
    "flow": flow,
    "baseline": baseline,
    "balance": balance,
    "completeness": completeness,
    "ls_means": ls_means,
    "contrasts": contrasts,
    "unadjusted": unadjusted,
    "sensitivity": sensitivity,
    "responders": responders,
    "medication_use": medication_use,
    "medication_change": medication_change,
    "components": components,
    "combinations": combinations,
    "dose": dose,
    "harms": harms,
    "described": described,
    "gate": gate,
    "problems": problems,
}
_CELLS = {
    "flow": "n_episodes",
    "baseline": "estimate",
    "balance": "smd",
    "medication_use": "estimate",
    "medication_change": "estimate",
    "components": "n_episodes",
    "dose": "estimate",
    "harms": "rate",
    "described": "estimate",
    "problems": "count",
}


def tables() -> dict[str, pd.DataFrame]:
    """All released tables, with what is hidden marked."""
    made = {}
    for name, make in _MAKERS.items():
        table = build_table(name, list(make()))
        cell = _CELLS.get(name)
        hidden = table[cell].isna() if cell and name != "dose" else pd.Series(False, table.index)
        made[name] = table.assign(suppressed=hidden.astype(bool))
    return made


def release(**changes: Any) -> Release:
    """The invented release; ``changes`` replace fields of the study."""
    return Release({**study(), **changes}, tables())


def write(folder: Path) -> Path:
    """Write the invented release as the workflow does."""
    (folder / "tables").mkdir(parents=True)
    (folder / "study.json").write_text(json.dumps(study()), encoding="utf-8")
    for name, table in tables().items():
        table.to_parquet(folder / "tables" / f"{name}.parquet", index=False)
    return folder
