"""Do intervals of standardised effects hold the effect in the people that were drawn from?

``python -m tests.simulation.standardisation --studies 1000`` draws studies of two visits in which
the higher x the more have the exposure, and the effect at the last visit is a curve of x, a
covariate of mean 0 and variance 1.

*Right*: x is uniform, the effect 1 + 4 x squared, 5 on average and 1 at the mean of x, which is
what LS means say; a third is not seen at the last visit, more of those who were high before; the
model is ``score ~ exposure*week*(x + I(x**2))``.

*Straight*: x is skewed, the effect 1 + x squared, everyone is seen, and the model knows of no
curve, ``score ~ exposure*week*x``. No estimate is then right; what the intervals have to hold is
what studies without end would find. It tells whether the two errors, of the coefficients and of who
was drawn, may be added as if one did not go with the other.

A row compares the average standard error with the spread of the estimates, and counts how often
95 % intervals hold that number, with covariates ``random`` and with covariates ``fixed``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import t as t_distribution

import outcomes
from outcomes.models.standardisation import standardise
from outcomes.stats.inference import prepare_inference
from outcomes.stats.sandwich import sandwich_of

RIGHT = "score ~ exposure*week*(x + I(x**2))"
STRAIGHT = "score ~ exposure*week*x"
METHODS = ("kenward-roger", "CR0", "CR2", "CR3")


@dataclass(frozen=True)
class Design:
    """One cell of the table: people, and whether the model has the curve."""

    people: int
    curve: bool


def designs() -> Iterator[Design]:
    """Yield the cells of the table."""
    for curve, people in product((True, False), (30, 100, 400)):
        yield Design(people=people, curve=curve)


def draw(design: Design, rng: np.random.Generator) -> pd.DataFrame:
    """Draw a study, one row a person and week."""
    n, curve = design.people, design.curve
    x = rng.uniform(-np.sqrt(3), np.sqrt(3), n) if curve else rng.exponential(1, n) - 1
    exposed = rng.random(n) < 1 / (1 + np.exp(-0.7 * x))
    y = rng.normal(size=(n, 2)) @ np.linalg.cholesky([[1.0, 0.5], [0.5, 1.5]]).T + x[:, None]
    y[:, 1] += 0.5 * x**2 + exposed * (1 + (4 if curve else 1) * x**2)
    if curve:
        y[rng.random(n) < 1 / (1 + np.exp(1.2 - 0.5 * y[:, 0])), 1] = np.nan
    return pd.DataFrame(
        {
            "id": np.repeat(np.arange(n), 2),
            "week": np.tile([6, 52], n),
            "x": np.repeat(x, 2),
            "exposure": np.repeat(np.where(exposed, "b", "a"), 2),
            "score": y.ravel(),
        }
    )


@cache
def target(curve: bool) -> float:
    """Return what studies without end find."""
    if curve:
        return 5.0
    data = draw(Design(people=200_000, curve=False), np.random.default_rng(1))
    fit = outcomes.fit_mmrm(data, STRAIGHT, subject="id", visit="week", inference="residual")
    return float(fit.standardised_contrasts("exposure", "week").estimate.iloc[-1])


def one_study(design: Design, seed: int) -> dict[tuple[str, str], float]:
    """Return the estimate, the LS difference, standard errors, and whether intervals hold."""
    data = draw(design, np.random.default_rng([seed, design.people, design.curve]))
    formula = RIGHT if design.curve else STRAIGHT
    fit = outcomes.fit_mmrm(data, formula, subject="id", visit="week")
    asked = standardise(fit.grid, fit.fit.inference.beta, fit.spec, "exposure", "week")
    rows, weights = asked.cells.rows[1::2] - asked.cells.rows[::2], np.array([[-1.0, 1.0]])
    found = {("", "LS"): float(fit.contrasts("exposure", "week").estimate.iloc[-1])}
    for method in METHODS:
        reml, empirical = fit.fit.reml, None
        if method.startswith("CR"):
            empirical = sandwich_of(reml, fit.grid.design.subjects, method)
        inference = prepare_inference(reml, method, empirical)
        random, fixed = asked.linear(inference, None, rows, weights), inference.linear(rows)
        found["", "estimate"] = float(fixed.estimate[-1])
        for name, linear in (("random", random), ("fixed", fixed)):
            half = linear.std_error[-1] * t_distribution.ppf(0.975, linear.df[-1])
            held = abs(linear.estimate[-1] - target(design.curve)) <= half
            found[method, f"{name} se"] = float(linear.std_error[-1])
            found[method, f"{name} held"] = 100.0 * held
    return found


def _cell(job: tuple[Design, int, int]) -> pd.DataFrame:
    design, first, studies = job
    return pd.DataFrame([one_study(design, seed) for seed in range(first, first + studies)])


def run(cells: list[Design], studies: int, workers: int) -> pd.DataFrame:
    """Return one row a design and method."""
    out = []
    with ProcessPoolExecutor(max_workers=workers) as pool:
        for design, found in zip(
            cells, pool.map(_cell, [(d, 1, studies) for d in cells]), strict=True
        ):
            spread = found["", "estimate"].std()
            for method in METHODS:
                row = {
                    "people": design.people,
                    "model": "right" if design.curve else "straight",
                    "to find": target(design.curve),
                    "estimate": found["", "estimate"].mean(),
                    "LS": found["", "LS"].mean(),
                    "inference": method,
                }
                for name in ("random", "fixed"):
                    row[f"{name}: se/spread"] = found[method, f"{name} se"].mean() / spread
                    row[f"{name}: held"] = found[method, f"{name} held"].mean()
                out.append(row)
    return pd.DataFrame(out)


def main(arguments: list[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    given = parser.parse_args(arguments)
    error = 100 * np.sqrt(0.05 * 0.95 / given.studies)
    ratio = 1 / np.sqrt(2 * given.studies)
    table = run(list(designs()), given.studies, given.workers)
    sys.stdout.write(
        f"{given.studies:,} studies a row; Monte Carlo error of what is held {error:.1f}, of a"
        f" ratio {ratio:.3f}.\n{table.round(3).to_string(index=False)}\n"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
