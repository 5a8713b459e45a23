"""Random studies for the tests of the disclosure gate: people first, then their tables.

Every table is counted from the same people, so all sums and nestings of a real study hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from outcomes.results.poisson import poisson_limits
from outcomes.results.tables import build_table

EXPOSURES = ("exercise", "manual_therapy", "modalities", "usual_care")
VISITS = ("week_6", "week_12")
COMPONENTS = {
    "exercise": None,
    "exercise.strength": "exercise",
    "exercise.strength.core": "exercise.strength",
    "manual": None,
    "manual.massage": "manual",
    "modality": None,
    "modality.tens": "modality",
}
Rows = list[dict[str, Any]]


class People:
    """A random study; ``sizes`` are the groups' sizes."""

    def __init__(self, seed: int, sizes: tuple[int, ...]) -> None:
        self.rng = np.random.default_rng(seed)
        self.exposures = EXPOSURES[-len(sizes) :]
        self.group = np.repeat(np.arange(len(sizes)), sizes)
        self.n = len(self.group)
        self.patient = np.where(self.rng.random(self.n) < 0.03, -1, np.arange(self.n))
        self.seen = {
            (outcome, visit): self.chance(0.5, 1.0)
            for outcome in ("pain", "mobility")
            for visit in ("baseline", *VISITS)
        }
        self.gain = self.rng.normal(2, 2.5, self.n).round()

    def chance(self, low: float, high: float) -> np.ndarray:
        """Draw yes or no a person, with a probability a group between ``low`` and ``high``."""
        share = self.rng.uniform(low, high, len(self.exposures))
        return self.rng.random(self.n) < share[self.group]

    def groups(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield every group, then all together."""
        for k, exposure in enumerate(self.exposures):
            yield exposure, self.group == k
        yield "", np.ones(self.n, dtype=bool)

    def episodes_and_patients(self, mask: np.ndarray) -> dict[str, int]:
        """Count episodes and patients."""
        return {"n_episodes": int(mask.sum()), "n_patients": len(set(self.patient[mask]))}


def tables(seed: int, sizes: tuple[int, ...]) -> dict[str, pd.DataFrame]:
    """Return the exact tables of a random study."""
    people = People(seed, sizes)
    made = {
        "flow": _flow(people),
        "baseline": _baseline(people),
        "completeness": _completeness(people),
        "components": _components(people),
        "combinations": _combinations(people),
        "dose": _dose(people),
        "harms": _harms(people),
        "described": _described(people),
        "ls_means": _means(people),
        "contrasts": _contrasts(people),
        "responders": _responders(people),
        "medication_change": _changes(people),
        "medication_use": _uses(people),
        "sensitivity": _sensitivity(people),
        "gate": _gate(people),
        "problems": _problems(people),
    }
    made["balance"] = _balance(people, made["baseline"])
    return {name: build_table(name, rows) for name, rows in made.items()}


def _flow(people: People) -> Rows:
    left = [int(n) for n in people.rng.integers(0, 40, 3)]
    counts = [("records", people.n + sum(left))]
    counts += [(f"left_{k}", n) for k, n in enumerate(left)] + [("analysed", people.n)]
    return [
        {
            "order": k,
            "step": step,
            "kind": "left_out" if step.startswith("left") else "kept",
            "label": step,
            "n_episodes": n,
            "n_patients": max(n - int(people.rng.integers(0, 8)), 0),
        }
        for k, (step, n) in enumerate(counts)
    ]


def _baseline(people: People) -> Rows:
    rows = []
    known = people.chance(0.9, 1.0)
    weights = people.rng.dirichlet(np.array([6.0, 3.0, 0.6, 0.2]))
    level = people.rng.choice(4, people.n, p=weights)
    leg = people.chance(0.02, 0.98)
    age = people.rng.normal(50, 14, people.n).round()
    for exposure, mask in people.groups():
        there = mask & known
        counted = {"exposure": exposure, "n_episodes": int(there.sum())}
        counted |= {"n_missing": int((mask & ~known).sum())}
        for k in range(4):
            count = int((there & (level == k)).sum())
            rows.append(_share("diagnosis", f"level_{k}", count, counted))
        rows.append(_share("leg_pain", "yes", int((there & leg).sum()), counted))
        rows.append(
            {
                "variable": "age",
                "statistic": "mean",
                "estimate": _or_nan(np.mean, age[there]),
                "std_dev": _or_nan(np.std, age[there]),
                **counted,
            }
        )
    return rows


def _or_nan(function: Any, values: np.ndarray) -> float:
    return float(function(values)) if len(values) else float("nan")


def _share(variable: str, level: str, count: int, counted: dict[str, Any]) -> dict[str, Any]:
    n = counted["n_episodes"]
    share = {"statistic": "share", "count": count, "estimate": count / n if n else None}
    return {"variable": variable, "level": level, **share, **counted}


def _balance(people: People, baseline: Rows) -> Rows:
    at = {(r["variable"], r.get("level", ""), r["exposure"]): r for r in baseline}
    rows = []
    for (variable, level, exposure), row in at.items():
        reference = at[variable, level, people.exposures[-1]]
        if exposure in people.exposures[:-1] and level:
            p, q = row["estimate"] or 0.0, reference["estimate"] or 0.0
            spread = np.sqrt((p * (1 - p) + q * (1 - q)) / 2)
            smd = (p - q) / spread if spread else 0.0
            words = {"variable": variable, "level": level, "exposure": exposure}
            rows.append({**words, "reference": people.exposures[-1], "smd": smd})
    return rows


def _completeness(people: People) -> Rows:
    return [
        {
            "outcome": outcome,
            "visit": visit,
            "exposure": exposure,
            "planned": True,
            "n_episodes": int(mask.sum()),
            "n_observed": int((mask & seen).sum()),
            "share": (mask & seen).sum() / mask.sum(),
        }
        for (outcome, visit), seen in people.seen.items()
        for exposure, mask in people.groups()
    ]


def _components(people: People) -> Rows:
    rows = []
    had: dict[str, np.ndarray] = {}
    for name, parent in COMPONENTS.items():
        inside = had[parent] if parent else np.ones(people.n, dtype=bool)
        had[name] = inside & people.chance(0.0 if not parent else 0.5, 1.0)
        early = had[name] & people.chance(0.7, 1.0)
        for period, mask in (("window", early), ("episode", had[name])):
            for exposure, group in people.groups():
                n, total = int((mask & group).sum()), int(group.sum())
                words = {"exposure": exposure, "intervention": name, "period": period}
                counts = {"n_episodes": n, "n_total": total, "share": n / total}
                rows.append({**words, **counts, "median": 23.5, "unit": "min"})
    return rows


def _combinations(people: People) -> Rows:
    weights = people.rng.dirichlet(np.full(9, 0.7))
    found = people.rng.choice(9, people.n, p=weights)
    return [
        {"combination": f"A + B{k}", "size": 2, "n_episodes": int((found == k).sum())}
        for k in range(9)
        if (found == k).any()
    ]


def _dose(people: People) -> Rows:
    known = people.chance(0.8, 1.0)
    jump = people.chance(0.0, 1.0)
    rows = []
    for exposure, mask in people.groups():
        there = mask & known
        n = int(there.sum())
        share = (there & jump).sum() / n if n else None
        numbers = {"estimate": 8.0, "low": 5.0, "high": 12.0} if n else {}
        rows.append({"exposure": exposure, "measure": "sessions", "statistic": "median"}
                    | numbers | {"n_episodes": n})  # fmt: skip
        rows.append({"exposure": exposure, "measure": "jump", "statistic": "share",
                     "estimate": share, "n_episodes": n})  # fmt: skip
    return rows


def _harms(people: People) -> Rows:
    rows = []
    sessions = people.rng.integers(1, 12, people.n)
    for event, often in (("soreness", 0.4), ("fall", 0.03)):
        number = people.rng.poisson(often * people.rng.random(4)[people.group])
        major = people.rng.binomial(number, 0.2)
        for severity, found in (("any", number), ("minor", number - major), ("major", major)):
            for exposure, mask in people.groups():
                time, n = float(sessions[mask].sum()), int(found[mask].sum())
                low, high = (1000 * limit / time for limit in poisson_limits(n))
                rows.append(
                    {
                        "exposure": exposure,
                        "event": event,
                        "severity": severity,
                        "n_events": n,
                        "n_episodes": int((found[mask] > 0).sum()),
                        "n_total": int(mask.sum()),
                        "denominator": time,
                        "rate_unit": "per 1,000 sessions",
                        "rate": 1000 * n / time,
                        "conf_low": low,
                        "conf_high": high,
                    }
                )
    return rows


def _described(people: People) -> Rows:
    known, worse = people.chance(0.6, 1.0), people.chance(0.0, 0.3)
    number = people.rng.poisson(0.3, people.n)
    rows = []
    for exposure, mask in people.groups():
        there = mask & known
        n, count, years = int(there.sum()), int((there & worse).sum()), 0.8 * float(there.sum())
        words = {"exposure": exposure, "domain": "Course", "n_episodes": n}
        share = count / n if n else None
        rows.append({**words, "measure": "worse", "statistic": "share", "count": count}
                    | {"estimate": share})  # fmt: skip
        late = None if share is None else 0.01 + 0.97 * share
        rows.append(
            {**words, "measure": "reached", "statistic": "share", "count": count, "estimate": late}
        )
        events = int(number[there].sum())
        low, high = (limit / years if n else None for limit in poisson_limits(events))
        rows.append({**words, "measure": "recurrence", "statistic": "rate"}
                    | {"count": int((number[there] > 0).sum()), "conf_low": low}
                    | {"estimate": events / years if n else None, "conf_high": high})  # fmt: skip
    return rows


def _common(outcome: str, visit: str, scale: str) -> dict[str, Any]:
    return {"analysis_id": "primary", "outcome": outcome, "visit": visit, "scale": scale,
            "method": "mmrm", "term": "exposure", "gate": "open"}  # fmt: skip


def _numbers(estimate: float, n: int) -> dict[str, float]:
    error = 2 / np.sqrt(n)
    limits = {"conf_low": estimate - 2 * error, "conf_high": estimate + 2 * error}
    test = {"statistic": estimate / error, "p_value": 0.0123456, "df": n - 1.0}
    return {"estimate": estimate, "std_error": error, **limits, **test}


def _means(people: People) -> Rows:
    rows = []
    for (outcome, visit), seen in people.seen.items():
        for exposure, mask in people.groups():
            counts = people.episodes_and_patients(mask & seen)
            if exposure and visit != "baseline" and counts["n_episodes"]:
                numbers = _numbers(4.123456, counts["n_episodes"])
                rows.append(_common(outcome, visit, "mean") | numbers | counts
                            | {"level": exposure})  # fmt: skip
    return rows


def _contrasts(people: People) -> Rows:
    rows = []
    means = _means(people)
    for row in means:
        for other in means:
            same = all(row[key] == other[key] for key in ("outcome", "visit"))
            if same and row["level"] != other["level"]:
                n = row["n_episodes"] + other["n_episodes"]
                rows.append(_common(row["outcome"], row["visit"], "improvement")
                            | _numbers(0.654321, n) | {"n_episodes": n, "level": row["level"]}
                            | {"reference": other["level"]})  # fmt: skip
    return rows


def _responders(people: People) -> Rows:
    rows: Rows = []
    for visit in VISITS:
        for threshold in range(-3, 8):
            shares: dict[str, tuple[float, int]] = {}
            for exposure, mask in people.groups():
                there = mask & people.seen["pain", visit]
                n, gained = int(there.sum()), int((there & (people.gain >= threshold)).sum())
                if exposure and n:
                    shares[exposure] = gained / n, n
            rows += _risks(visit, threshold, shares)
    return rows


def _risks(visit: str, threshold: int, shares: dict[str, tuple[float, int]]) -> Rows:
    words = {**_common("pain", visit, "risk"), "method": "observed-only", "threshold": threshold}
    rows = [
        words | _numbers(share, n) | {"n_episodes": n, "n_patients": n, "level": exposure}
        for exposure, (share, n) in shares.items()
    ]
    first, last = next(iter(shares.items())), list(shares.items())[-1]
    (level, (share, n)), (reference, (other, m)) = first, last
    pair = {"level": level, "reference": reference, "n_episodes": n + m}
    if level != reference:
        numbers = _numbers(share - other, min(n, m))
        rows.append(words | numbers | pair | {"scale": "risk_difference"})
    return rows


def _changes(people: People) -> Rows:
    rows = []
    parts = ("stopped", "halved", "little_change", "increased")
    found = people.rng.choice(4, people.n, p=people.rng.dirichlet(np.array([2.0, 2, 5, 0.5])))
    users = people.chance(0.2, 0.6)
    for exposure, mask in people.groups():
        n = int((mask & users).sum())
        for k, part in enumerate(parts):
            if exposure and n:
                share = (mask & users & (found == k)).sum() / n
                rows.append(_common("medication", "week_12", "risk") | _numbers(share, n)
                            | {"estimand": part, "method": "observed-only", "level": exposure}
                            | {"n_episodes": n})  # fmt: skip
    return rows


def _uses(people: People) -> Rows:
    """Shares with drawn values: what is behind them is no whole number."""
    rows = []
    used = people.chance(0.02, 0.6)
    for exposure, mask in people.groups():
        n = int(mask.sum())
        share = 0.002 + 0.99 * (mask & used).sum() / n
        if exposure:
            words = {**_common("any_opioid", "week_12", "risk"), "method": "mmrm-draws"}
            rows.append(words | _numbers(share, n) | {"n_episodes": n, "level": exposure})
    return rows


def _sensitivity(people: People) -> Rows:
    """Comparisons of complete cases, whose groups stand in no table, and the stress tests."""
    always = np.logical_and.reduce(list(people.seen.values()))
    sizes = {exposure: int((mask & always).sum()) for exposure, mask in people.groups()}
    last = people.exposures[-1]
    complete = [
        _common("pain", "week_12", "improvement")
        | _numbers(0.5, sizes[exposure] + sizes[last] + 1)
        | {"analysis_id": "complete_cases", "level": exposure, "reference": last}
        | {"n_episodes": sizes[exposure] + sizes[last]}
        for exposure in people.exposures[:-1]
    ]
    return complete + [_stressed(people, row) for row in _contrasts(people)]


def _stressed(people: People, main: dict[str, Any]) -> dict[str, Any]:
    """Take the unseen of the better type to be worse by 2."""
    group = people.group == people.exposures.index(main["level"])
    unseen = 1 - people.seen[main["outcome"], main["visit"]][group].mean()
    error = np.sqrt(main["std_error"] ** 2 + 4 * unseen * (1 - unseen) / group.sum())
    moved = {"estimate": main["estimate"] - 2 * unseen, "std_error": error}
    limits = {
        "conf_low": moved["estimate"] - 2 * error,
        "conf_high": moved["estimate"] + 2 * error,
    }
    return main | moved | limits | {"analysis_id": "delta", "method": "mmrm-delta"}


def _gate(people: People) -> Rows:
    rows = []
    for (outcome, visit), seen in people.seen.items():
        for exposure, mask in people.groups():
            n, total = int((mask & seen).sum()), int(mask.sum())
            words = {"outcome": outcome, "visit": visit, "exposure": exposure}
            if exposure:
                reason = f"only {n} episodes" if n < 30 else ""
                rows.append(words | {"check": "group_size", "value": n, "limit": 30,
                                     "passed": n >= 30, "reason": reason})  # fmt: skip
                rows.append(words | {"check": "follow_up", "value": n / total, "limit": 0.6,
                                     "passed": True, "reason": ""})  # fmt: skip
    return rows


def _problems(people: People) -> Rows:
    return [
        {
            "severity": "error",
            "table": "assessments",
            "column": "score",
            "rule": "range",
            "message": "are outside 0-100",
            "count": int(n),
            "n_rows": 20_310,
        }
        for n in people.rng.integers(0, 30, 4)
    ]
