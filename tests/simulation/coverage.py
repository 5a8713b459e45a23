"""Does the study recover what was planted? Many synthetic data sets, one table.

``python -m tests.simulation.coverage --studies 400 --episodes 5000`` makes data sets with seeds 1,
2, ..., takes each the whole way a user would (files, intake, dataset, mixed model from moments) and
compares every adjusted contrast with usual care to the mean difference of the stored potential
outcomes over exactly the episodes that were analysed.

For each outcome the table says: in how many of a hundred the 95 % interval holds the truth, with
its Monte Carlo error over data sets; the mean bias, in percent of the effect and in standard
deviations of the outcome; the mean standard error over the spread of the errors, with its Monte
Carlo error. The same for plain differences of means, which are no result. A contrast that the gate
keeps back counts as neither; the share of those is in the table too.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

import outcomes
from outcomes.models.analysis import analyse_moments, study_moments
from outcomes.models.effects import welch_effects
from outcomes.simulate import write_records
from outcomes.study.dataset import StudyDataset, build_dataset
from outcomes.study.groups import group_codes
from outcomes.workflow.demo import demo_study

Z = 1.959964
BLOCKS = 20


def one_study(seed: int, episodes: int) -> pd.DataFrame:
    """Return one row a contrast of one data set: estimate, limits, truth, plain difference."""
    with tempfile.TemporaryDirectory() as name:
        folder = write_records(Path(name) / "records", episodes=episodes, seed=seed)
        records = outcomes.read_records(folder)
        dataset = build_dataset(records, demo_study(folder))
        truth = _truth(folder, records.frame("key_episode_id"), dataset)
    parts = []
    for outcome, (moments, about) in study_moments(dataset).items():
        contrasts = analyse_moments(moments, about)["contrasts"]
        mine = contrasts[
            (contrasts["reference"] == "usual_care") & (contrasts["scale"] == "improvement")
        ]
        parts.append(mine.assign(outcome=outcome).merge(_plain(dataset, outcome)))
    found = pd.concat(parts, ignore_index=True).merge(truth)
    return found.assign(seed=seed)


def _truth(folder: Path, keys: pd.DataFrame, dataset: StudyDataset) -> pd.DataFrame:
    """Return the true improvement of each type over usual care in the analysed episodes."""
    sources = keys.set_index("id")["source"][dataset.episodes["episode_id"]]
    potential = pd.read_parquet(folder / "truth" / "potential_outcomes.parquet")
    here = potential[potential["episode_id"].isin(set(sources))]
    names = [f"if_{exposure}" for exposure in dataset.exposures]
    means = here.groupby(["outcome", "visit"])[names].mean()
    gains = means.rsub(means["if_usual_care"], axis=0).rename(columns=lambda n: n[3:])
    return gains.melt(ignore_index=False, var_name="level", value_name="truth").reset_index()


def _plain(dataset: StudyDataset, outcome: str) -> pd.DataFrame:
    """Return plain differences of means with their standard errors, lower being better."""
    wide = dataset.visit_rows.pivot_table(
        index="episode_id", columns="visit", values=outcome, dropna=False
    ).reindex(dataset.episodes["episode_id"])[list(dataset.visits)]
    values = wide.to_numpy(dtype=np.float64)
    k = len(dataset.exposures)
    effects = welch_effects(values, group_codes(dataset), k)
    spread = np.nanstd(values, axis=0)
    rows = []
    for level, exposure in enumerate(dataset.exposures[:-1]):
        for place, visit in enumerate(dataset.visits):
            own, other = ((e, place) for e in (level, k - 1))
            gap = effects.covariance[(*own, *own)] + effects.covariance[(*other, *other)]
            rows.append(
                {
                    "level": exposure,
                    "visit": visit,
                    "plain": effects.means[other] - effects.means[own],
                    "plain_error": float(np.sqrt(gap)),
                    "spread": spread[place],
                }
            )
    return pd.DataFrame(rows)


def run(studies: int, episodes: int, workers: int, first: int = 1) -> pd.DataFrame:
    """Run the studies and return all rows."""
    seeds = range(first, first + studies)
    with ProcessPoolExecutor(max_workers=workers) as pool:
        return pd.concat(pool.map(one_study, seeds, [episodes] * studies), ignore_index=True)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row an outcome, adjusted and plain."""
    shown = rows[rows["gate"] == "open"]
    kept_back = 100 * (rows["gate"] != "open").groupby(rows["outcome"]).mean()
    limits = {
        "adjusted": ("estimate", "std_error", shown["conf_low"], shown["conf_high"]),
        "unadjusted": (
            "plain", "plain_error",
            shown["plain"] - Z * shown["plain_error"], shown["plain"] + Z * shown["plain_error"],
        ),
    }  # fmt: skip
    found = []
    for kind, (estimate, error, low, high) in limits.items():
        work = shown.assign(
            miss=shown[estimate] - shown["truth"],
            error=shown[error],
            held=(low <= shown["truth"]) & (shown["truth"] <= high),
        )
        found += [
            {"outcome": outcome, "analysis": kind, **_judged(part), "kept_back": kept_back[outcome]}
            for outcome, part in work.groupby("outcome", sort=False)
        ]
    return pd.DataFrame(found)


def _judged(part: pd.DataFrame) -> dict[str, float]:
    cells = part.groupby(["level", "visit"])
    bias, truth, spread = (cells[name].mean() for name in ("miss", "truth", "spread"))
    by_study = part.groupby("seed")["held"].mean()
    return {
        "coverage": 100 * part["held"].mean(),
        "coverage_mc_error": 100 * by_study.std(ddof=1) / np.sqrt(len(by_study)),
        "bias_percent": 100 * bias.abs().mean() / truth.abs().mean(),
        "bias_sd": (bias.abs() / spread).mean(),
        "mean_bias": bias.mean(),
        "error_ratio": _error_ratio(part),
        "error_ratio_mc_error": _monte_carlo_error(part),
    }


def _error_ratio(part: pd.DataFrame) -> float:
    cells = part.groupby(["level", "visit"])
    return float(np.sqrt((cells["error"].mean() ** 2).mean() / cells["miss"].var().mean()))


def _monte_carlo_error(part: pd.DataFrame) -> float:
    """Of the ratio, by the jackknife over blocks of data sets."""
    seeds = part["seed"].unique()
    blocks = np.array_split(seeds, min(BLOCKS, len(seeds)))
    if len(seeds) < 2 * len(blocks):
        return float("nan")
    without = np.array([_error_ratio(part[~part["seed"].isin(block)]) for block in blocks])
    return float(np.sqrt((len(blocks) - 1) * without.var()))


def main(arguments: list[str]) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument("--episodes", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    given = parser.parse_args(arguments)
    rows = run(given.studies, given.episodes, given.workers)
    text = summary(rows).round(3).to_string(index=False)
    sys.stdout.write(
        f"{given.studies} data sets of {given.episodes:,} episodes, all contrasts with usual care\n"
        f"{text}\n"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
