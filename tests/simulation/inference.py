"""Do the tests of the mixed model keep their level? Many small trials with nothing to find.

``python -m tests.simulation.inference --studies 2000`` draws trials of two groups, four visits and
a baseline score, of 10 to 200 people a group, balanced and 1 to 3, complete and with dropout that
depends on the last score seen; fits ``score ~ baseline*visit + exposure*visit``, unstructured, by
REML; and counts how often the difference at the last visit, and the differences at all visits
together, are called real at 5 %. As the model is linear, 100 % less the first is the coverage of
the 95 % interval whatever the difference is.

A second table has groups of clinics instead of people, with an effect of the clinic that all of its
patients share: there the sandwich and the jackknife by clinic are the ones to hold.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
from scipy.stats import t as t_distribution

from outcomes.core.errors import EstimationError
from outcomes.stats.inference import prepare_inference
from outcomes.stats.jackknife import leave_clusters_out
from outcomes.stats.moments import accumulate, choose_layout
from outcomes.stats.reml import fit_reml
from outcomes.stats.sandwich import sandwich_of
from outcomes.stats.subjects import Subjects

VISITS = 4
DEVIATION = np.array([1.0, 1.2, 1.4, 1.6])
CORRELATION = 0.5 ** (np.abs(np.subtract.outer(range(VISITS), range(VISITS))) / 2)
SIGMA = np.outer(DEVIATION, DEVIATION) * CORRELATION
MISSED = (0.03, 0.06, 0.08, 0.10)
CLINIC = 0.6
"""Standard deviation of a clinic's effect."""
METHODS = ("kenward-roger", "satterthwaite", "CR0", "CR2", "CR3")


@dataclass(frozen=True)
class Design:
    """One cell of a table: people a group, or clinics a group with ``size`` people each."""

    first: int
    second: int
    dropout: bool
    size: int = 0

    @property
    def clinics(self) -> bool:
        """Whether groups are made of clinics."""
        return self.size > 0


def people_designs() -> Iterator[Design]:
    """Yield the cells of the first table."""
    for n, uneven, dropout in product((10, 20, 50, 100, 200), (False, True), (False, True)):
        yield Design(first=n, second=3 * n if uneven else n, dropout=dropout)


def clinic_designs() -> Iterator[Design]:
    """Yield the cells of the second table."""
    for clinics in (4, 6, 10, 20):
        yield Design(first=clinics, second=clinics, dropout=True, size=12)


def draw(design: Design, rng: np.random.Generator) -> tuple[Subjects, np.ndarray]:
    """Draw a trial with no difference: its rows, and the maps of its model."""
    each = max(design.size, 1)
    group = np.repeat([0.0, 1.0], [design.first * each, design.second * each])
    n = group.size
    unit = np.arange(n) // each
    baseline = rng.normal(size=n)
    y = rng.normal(size=(n, VISITS)) @ np.linalg.cholesky(SIGMA).T + 0.6 * baseline[:, None]
    if design.clinics:
        y += rng.normal(0, CLINIC, unit.max() + 1)[unit][:, None]
    if design.dropout:
        _drop_out(y, rng)
    z = np.column_stack([np.ones(n), group, baseline])
    subjects = Subjects(
        z=z, y=y, group=np.zeros(n, dtype=np.int64), cluster=unit if design.clinics else None
    )
    return subjects, np.stack(
        [np.kron(np.eye(VISITS)[t][:, None], np.eye(3)) for t in range(VISITS)]
    )


def _drop_out(y: np.ndarray, rng: np.random.Generator) -> None:
    """Let people leave for good, the sooner the higher their last score: missing at random."""
    away, last = np.zeros(len(y), dtype=bool), np.zeros(len(y))
    for visit, missed in enumerate(MISSED):
        odds = np.log(missed / (1 - missed)) + (0.4 * last if visit else 0.0)
        away |= rng.random(len(y)) < 1 / (1 + np.exp(-odds))
        y[away, visit] = np.nan
        last = np.where(away, last, y[:, visit])


def one_trial(design: Design, seed: int) -> dict[str, float]:
    """Return, by method, the p-value at the last visit and that of all visits together."""
    subjects, maps = draw(design, np.random.default_rng([seed, *_key(design)]))
    layout = choose_layout(
        subjects.z, subjects.y, columns="1gb", visits=[f"v{t}" for t in range(VISITS)]
    )
    moments = accumulate(layout, subjects.z, subjects.y, cluster=subjects.cluster)
    found: dict[str, float] = {}
    rows = np.eye(3 * VISITS)[1::3]
    try:
        fit = fit_reml(moments, maps)
        for method in (*METHODS, *(["jackknife"] if design.clinics else [])):
            empirical = None
            if method.startswith("CR"):
                empirical = sandwich_of(fit, subjects, method)
            elif method == "jackknife":
                empirical = leave_clusters_out(fit, moments, maps)
            asked = prepare_inference(fit, method, empirical)
            last = asked.linear(rows[-1:])
            ratio = abs(last.estimate[0] / last.std_error[0])
            found[method] = 2 * float(t_distribution.sf(ratio, last.df[0]))
            if not design.clinics:
                found[f"{method}, all visits"] = asked.joint(rows).p_value
    except EstimationError:
        found["not fitted"] = 1.0
    return found


def _key(design: Design) -> tuple[int, ...]:
    return design.first, design.second, int(design.dropout), design.size


def _cell(job: tuple[Design, int, int]) -> pd.DataFrame:
    design, first, studies = job
    return pd.DataFrame([one_trial(design, seed) for seed in range(first, first + studies)])


def run(designs: list[Design], studies: int, workers: int) -> pd.DataFrame:
    """Return one row a design: percent of trials in which each test finds what is not there."""
    found = []
    with ProcessPoolExecutor(max_workers=workers) as pool:
        for design, p_values in zip(
            designs, pool.map(_cell, [(d, 1, studies) for d in designs]), strict=True
        ):
            tests = p_values.drop(columns="not fitted", errors="ignore")
            found.append(
                {
                    "a group": f"{design.first} and {design.second}",
                    "dropout": "yes" if design.dropout else "no",
                    **(100 * (tests < 0.05).sum() / tests.notna().sum()).to_dict(),
                    "not fitted": 100 * tests.iloc[:, 0].isna().mean(),
                }
            )
    return pd.DataFrame(found)


def main(arguments: list[str]) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    given = parser.parse_args(arguments)
    error = 100 * np.sqrt(0.05 * 0.95 / given.studies)
    for title, designs in (
        ("people", list(people_designs())),
        ("clinics of 12 people", list(clinic_designs())),
    ):
        table = run(designs, given.studies, given.workers)
        sys.stdout.write(
            f"Type I error at 5 %, in percent of {given.studies:,} trials a row; Monte Carlo error"
            f" {error:.2f}. Groups of {title}.\n{table.round(1).to_string(index=False)}\n\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
