"""Do the tests and intervals of the mixed model keep what they promise? Many small trials.

``python -m tests.simulation.inference --studies 2000 --write`` draws trials of known truth, which
:mod:`tests.simulation.trials` describes; fits ``score ~ baseline*visit + exposure*visit``,
unstructured, by REML; and counts in how many of them each test at 5 % finds what is not there, or,
which is the same question, the 95 % interval misses what is. The counts go to
``docs/methods/mmrm-errors.json``, row by row, so that a run that was interrupted goes on where it
was, and ``python -m docs.generate`` makes the tables of ``docs/methods/mmrm-errors.md`` of them.
Without ``--write`` the tables are printed.

Trial number k of a row has seed k, so that each can be drawn again alone; with the counts are the
p-values of the first ones, which the tests compare with those of the code as it is.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import scipy
from scipy.special import stdtr

import outcomes
from docs.levels import GROUPED, LEVEL, RESULTS, TABLES, monte_carlo_error, table_of
from outcomes.core.errors import EstimationError
from outcomes.stats.inference import Inference, prepare_inference
from outcomes.stats.jackknife import leave_clusters_out
from outcomes.stats.layout import Layout
from outcomes.stats.moments import accumulate, choose_layout
from outcomes.stats.reml import fit_reml
from outcomes.stats.sandwich import POWERS, sandwich_of
from outcomes.stats.subjects import Subjects
from tests.simulation.trials import Design, Shape, Trial, designs, draw

Array = npt.NDArray[np.float64]
PValues = dict[tuple[str, str], float]
"""By question and method."""

FIRST: Final = 2
"""Trials of which the p-values are kept."""
AT_ONCE: Final = 50
MANY: Final = 100
DEAR_STUDIES: Final = 500
"""Trials of the jackknife where a group has ``MANY`` people, each of whom is a fit."""


def one_trial(design: Design, seed: int) -> PValues:
    """Return the p-values of a trial; a test that has no answer is not among them."""
    trial, found = draw(design, seed), {}
    jackknife_too = seed <= _asked("jackknife", design, seed)
    for method, asked in _inferences(design.shape, trial, jackknife_too=jackknife_too):
        for question, (rows, truth) in _questions(design).items():
            try:
                found[question, method] = _p_value(asked, rows, truth)
            except EstimationError:
                continue
    return found


def _questions(design: Design) -> dict[str, tuple[Array, float]]:
    """Rows of coefficients, and what one row is in truth."""
    shape = design.shape
    last, idle = shape.n_visits - 1, len(shape.planted)
    found = {
        "one": (shape.row(idle, last)[None], 0.0),
        "all": (np.stack([shape.row(idle, t) for t in range(shape.n_visits)]), 0.0),
    }
    if shape.planted.any():
        found["planted"] = shape.row(1, last)[None], float(shape.planted[0, last])
    return found


def _p_value(asked: Inference, rows: Array, truth: float) -> float:
    if len(rows) > 1:
        return asked.joint(rows).p_value
    found = asked.linear(rows)
    ratio = abs(found.estimate[0] - truth) / found.std_error[0]
    return 2 * float(stdtr(found.df[0], -ratio))


def _asked(method: str, design: Design, studies: int) -> int:
    """Return in how many trials a method is asked: the first ones, where it is dear."""
    dear = method == "jackknife" and min(design.groups) >= MANY
    return min(studies, DEAR_STUDIES) if dear else studies


def _inferences(
    shape: Shape, trial: Trial, *, jackknife_too: bool
) -> Iterator[tuple[str, Inference]]:
    """Yield each method that has an answer, with what can be asked of it."""
    maps = np.stack(
        [np.kron(row[:, None], np.eye(shape.n_columns)) for row in np.eye(shape.n_visits)]
    )
    cluster = trial.cluster if jackknife_too else None
    moments = accumulate(_layout(shape, trial), trial.z, trial.y, cluster=cluster)
    subjects = Subjects(
        z=trial.z,
        y=trial.y,
        group=np.zeros(len(trial.z), dtype=np.int64),
        cluster=trial.cluster if shape.size else None,
    )
    try:
        fit = fit_reml(moments, maps, adjusted=True)
    except EstimationError:
        return
    yield "kenward-roger", prepare_inference(fit, "kenward-roger")
    yield "satterthwaite", prepare_inference(fit, "satterthwaite")
    for kind in POWERS:
        yield kind, prepare_inference(fit, kind, sandwich_of(fit, subjects, kind))
    if jackknife_too:
        with suppress(EstimationError):
            jackknife = leave_clusters_out(fit, moments, maps)
            yield "jackknife", prepare_inference(fit, "jackknife", jackknife)
    if len(set(shape.spread)) > 1:
        with suppress(EstimationError):
            layout = replace(_layout(shape, trial), groups=("reference", "exposure"))
            by_group = accumulate(layout, trial.z, trial.y, group=trial.group)
            yield GROUPED, prepare_inference(fit_reml(by_group, maps, adjusted=True))


def _layout(shape: Shape, trial: Trial) -> Layout:
    names = [f"z{j}" for j in range(shape.n_columns)]
    return choose_layout(
        trial.z, trial.y, columns=names, visits=[f"v{t}" for t in range(shape.n_visits)]
    )


def _some_trials(job: tuple[Design, int, int]) -> list[PValues]:
    design, first, end = job
    return [one_trial(design, seed) for seed in range(first, end)]


def run(design: Design, studies: int, pool: Executor) -> dict[str, Any]:
    """Return a row: trials, and those in which each test finds what is not there."""
    starts = range(1, studies + 1, AT_ONCE)
    jobs = [(design, first, min(first + AT_ONCE, studies + 1)) for first in starts]
    trials = [trial for some in pool.map(_some_trials, jobs) for trial in some]
    tests: dict[str, dict[str, dict[str, float]]] = {}
    first: dict[str, dict[str, list[float | None]]] = {}
    for question, method in dict.fromkeys(key for trial in trials for key in trial):
        values = np.array([trial.get((question, method), np.nan) for trial in trials])
        answered, significant = int(np.isfinite(values).sum()), int((values < LEVEL).sum())
        tests.setdefault(question, {})[method] = {
            "asked": _asked(method, design, studies),
            "answered": answered,
            "significant": significant,
            "percent": round(100 * significant / answered, 3),
            "error": round(monte_carlo_error(significant, answered), 3),
        }
        kept = [trial.get((question, method)) for trial in trials[:FIRST]]
        first.setdefault(question, {})[method] = kept
    return {
        **name(design),
        "studies": studies,
        "fitted": sum(bool(trial) for trial in trials),
        "tests": tests,
        "first_p_values": first,
    }


def name(design: Design) -> dict[str, Any]:
    """Return what a row is called in the file."""
    return {"table": design.table, "groups": list(design.groups), "dropout": design.dropout}


def _software() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "outcomes": outcomes.__version__,
    }


def _begun(path: Path, studies: int) -> list[dict[str, Any]]:
    """Return the rows of an interrupted run of as many trials with the same software."""
    if not path.is_file():
        return []
    stored = json.loads(path.read_text(encoding="utf-8"))
    if stored["software"] != _software():
        return []
    asked = [name(design) for design in designs()]
    return [
        row
        for row in stored["rows"]
        if row["studies"] == studies and {key: row[key] for key in asked[0]} in asked
    ]


def _ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows in the order of the tables."""
    order = [name(design) for design in designs()]
    return sorted(rows, key=lambda row: order.index({key: row[key] for key in order[0]}))


def _store(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the rows, one a line."""
    lines = [json.dumps(row) for row in _ordered(rows)]
    head = json.dumps({"level": LEVEL, "seeds": "from 1", "software": _software()})[:-1]
    text = f'{head},\n"rows": [\n' + ",\n".join(lines) + "\n]}\n"
    path.with_suffix(".new").write_text(text, encoding="utf-8")
    path.with_suffix(".new").replace(path)


def main(arguments: list[str]) -> None:
    """Count, and print the tables or store what they are made of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--write", action="store_true", help="store, or go on with a stored run")
    parser.add_argument("--anew", action="store_true", help="do not go on, begin")
    given = parser.parse_args(arguments)
    rows = _begun(RESULTS, given.studies) if given.write and not given.anew else []
    done = [{key: row[key] for key in ("table", "groups", "dropout")} for row in rows]
    left = [design for design in designs() if name(design) not in done]
    with ProcessPoolExecutor(max_workers=given.workers) as pool:
        for design in sorted(left, key=lambda one: sum(one.groups) * max(one.shape.size, 1)):
            rows.append(run(design, given.studies, pool))
            sys.stderr.write(f"{time.strftime('%H:%M:%S')} {design}\n")
            if given.write:
                _store(RESULTS, rows)
    if not given.write:
        for table in TABLES:
            sys.stdout.write(f"{table}\n{table_of(_ordered(rows), table)}\n\n")


if __name__ == "__main__":
    main(sys.argv[1:])
