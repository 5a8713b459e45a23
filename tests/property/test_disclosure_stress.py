"""A stress test of unseen values beside its main comparison does not tell who was not seen.

The attack is a linear program over all pairs of types, with no code of the gate. Its unknowns are
the unseen shares. A shown share lies within five people of what it says. A test beside its
comparison says amount x u of the better type, or the difference of two such shares where the unseen
of both are worse: give or take half the steps of the two numbers, and five people where it may have
been made from a share that is shown.
"""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from outcomes.results.disclosure import release_tables
from outcomes.results.tables import build_table

TYPES = ("exercise", "manual_therapy", "both", "modalities", "education", "usual_care")
AMOUNT = 2.0
HIDDEN_UP_TO = 0.5
Tables = dict[str, pd.DataFrame]


class Study:
    """Six types of which some have a few unseen; ``apart``: only the better type's are worse."""

    def __init__(self, seed: int, *, apart: bool = True) -> None:
        rng = np.random.default_rng(seed)
        self.sizes = rng.integers(*((30, 60), (200, 600))[seed % 2], size=6)
        few, many = rng.integers(1, 9, 6), (self.sizes * rng.uniform(0.2, 0.4, 6)).astype(int)
        self.unseen = np.where(rng.random(6) < 0.6, few, many)
        self.means = rng.normal(0, 1, 6)
        self.apart = apart

    def told(self, i: int, j: int) -> np.ndarray:
        """Whose unseen shares move the comparison of two types, and which way."""
        signs = np.zeros(6)
        if self.apart:
            better = self.means[i] > self.means[j]
            signs[i if better else j] = -1 if better else 1
        else:
            signs[i], signs[j] = -1, 1
        return signs

    def tables(self) -> Tables:
        rows = [(i, j) for i, j in permutations(range(6), 2)]
        given = {
            "completeness": [self._seen(e, n, k) for e, n, k in self._groups()],
            "contrasts": [self._pair(i, j) for i, j in rows],
            "sensitivity": [self._pair(i, j, test=True) for i, j in rows],
        }
        return {name: build_table(name, made) for name, made in given.items()}

    def _groups(self) -> list[tuple[str, int, int]]:
        every = list(zip(TYPES, map(int, self.sizes), map(int, self.unseen), strict=True))
        return [*every, ("", int(self.sizes.sum()), int(self.unseen.sum()))]

    def _seen(self, exposure: str, n: int, k: int) -> dict[str, Any]:
        return {"outcome": "pain", "visit": "week_6", "exposure": exposure, "planned": True,
                "n_episodes": n, "n_observed": n - k, "share": (n - k) / n}  # fmt: skip

    def _pair(self, i: int, j: int, *, test: bool = False) -> dict[str, Any]:
        share = self.unseen / self.sizes
        seen = self.sizes - self.unseen
        moved = AMOUNT * float(self.told(i, j) @ share) if test else 0.0
        estimate = self.means[i] - self.means[j] + moved
        added = AMOUNT**2 * share * (1 - share) / self.sizes * np.abs(self.told(i, j))
        error = math.sqrt(4 / seen[i] + 4 / seen[j] + (added.sum() if test else 0.0))
        return {
            "analysis_id": "delta" if test else "primary", "term": "exposure",
            "method": "mmrm-delta" if test else "mmrm",
            "outcome": "pain", "visit": "week_6", "scale": "improvement",
            "level": TYPES[i], "reference": TYPES[j], "estimate": estimate, "std_error": error,
            "conf_low": estimate - 2 * error, "conf_high": estimate + 2 * error, "df": 60.0,
            "statistic": estimate / error, "p_value": 0.01, "gate": "open",
            "n_episodes": int(seen[i] + seen[j]),
        }  # fmt: skip


def _step(row: dict[str, Any], n: float) -> float:
    """The next of 1, 2, 5 times a power of ten at or above 5 / n of the standard error."""
    least = 5 / n * row["std_error"]
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-9))


def _on_steps(study: Study, exact: Tables) -> Tables:
    """The estimates of a release that rounds each by itself."""
    seen = dict(zip(TYPES, study.sizes - study.unseen, strict=True))
    made = {"completeness": release_tables(exact, profile="strict")["completeness"]}
    for name in ("contrasts", "sensitivity"):
        rows = exact[name].to_dict("records")
        for row in rows:
            step = _step(row, min(seen[row["level"]], seen[row["reference"]]))
            row["estimate"] = step * round(row["estimate"] / step)
        made[name] = pd.DataFrame(rows)
    return made


def _beside(tables: Tables) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Put each test beside its comparison."""
    main, test = (tables[name].to_dict("records") for name in ("contrasts", "sensitivity"))
    return list(zip(main, test, strict=True))


def _narrowed(study: Study, exact: Tables, shown: Tables, *, made_again: bool) -> list[str]:
    """Place the unseen of every type by the smallest and largest share that fits everything."""
    seen = dict(zip(TYPES, study.sizes - study.unseen, strict=True))
    shares = 1 - shown["completeness"]["share"].astype(float).to_numpy()[:6]
    reach = np.where(np.isnan(shares), 0.0, 5 / study.sizes)
    low = np.maximum(np.nan_to_num(shares, nan=0.0) - reach, 0)
    high = np.nan_to_num(shares, nan=HIDDEN_UP_TO) + reach
    left: list[np.ndarray] = []
    right: list[float] = []
    for (main, test), exactly in zip(_beside(shown), _beside(exact), strict=True):
        gap = (test["estimate"] - main["estimate"]) / AMOUNT
        if math.isnan(gap):
            continue
        n = min(seen[main["level"]], seen[main["reference"]])
        told = study.told(TYPES.index(main["level"]), TYPES.index(main["reference"]))
        half = sum(_step(row, n) for row in exactly) / 2 / AMOUNT
        half += np.abs(told) @ reach if made_again else 0.0
        left += [told, -told]
        right += [gap + half, half - gap]
    found = []
    for k in range(6):
        goal = np.eye(6)[k]
        ends = [
            linprog(sign * goal, A_ub=np.reshape(left, (-1, 6)), b_ub=right,
                    bounds=np.column_stack([low, high]))
            for sign in (1, -1)
        ]  # fmt: skip
        assert all(end.success for end in ends)
        least, most = ends[0].fun * (study.sizes[k] - 2), -ends[1].fun * (study.sizes[k] + 2)
        assert least - 1e-6 <= study.unseen[k] <= most + 1e-6
        if least > 0 and most < 11:
            found.append(f"{TYPES[k]}: {least:.2f} to {most:.2f}")
    return found


@pytest.mark.parametrize("seed", range(12))
def test_nobody_unseen_is_counted(seed: int) -> None:
    study = Study(seed)
    exact = study.tables()
    shown = release_tables(exact, profile="strict")
    assert _narrowed(study, exact, shown, made_again=True) == []


@pytest.mark.parametrize("apart", [True, False])
def test_steps_of_their_own_would_be_found(apart: bool) -> None:
    """The same attack counts people where each number is rounded by itself."""
    found = []
    for seed in range(12):
        study = Study(seed, apart=apart)
        exact = study.tables()
        found += _narrowed(study, exact, _on_steps(study, exact), made_again=False)
    assert len(found) > 5


def test_the_test_is_shown_where_the_share_is_shown() -> None:
    """It moves by the released share, and its error grows."""
    shown = [release_tables(Study(seed).tables(), profile="strict") for seed in range(4)]
    both = [t["sensitivity"].merge(t["contrasts"], on=["level", "reference"]) for t in shown]
    there = pd.concat(both).dropna(subset="estimate_x")
    assert 20 < len(there) < 100
    assert (there["estimate_x"].abs() < there["estimate_y"].abs() + AMOUNT * HIDDEN_UP_TO).all()
    assert there["std_error_x"].ge(there["std_error_y"]).all()
