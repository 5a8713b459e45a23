"""A long table of patients in clinics, for what is asked after a fit; and dense algebra for it."""

import numpy as np
import pandas as pd

from outcomes import fit_mmrm

FORMULA = "score ~ age*week + exposure*week + sex"
WEEKS = (6, 12, 52)


def trial(n=90, missing=0.25, seed=3, clinics=9):
    """One row a patient and week; ages, sexes, clinics and weights do not change within one."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(n), len(WEEKS))
    root = np.linalg.cholesky([[4.0, 2.0, 1.5], [2.0, 5.0, 3.0], [1.5, 3.0, 6.0]])
    data = pd.DataFrame(
        {
            "id": [f"p{k:03}" for k in who],
            "week": np.tile(WEEKS, n),
            "exposure": np.array(["usual", "exercise", "manual"])[np.arange(n) % 3][who],
            "sex": np.array(["f", "m"])[rng.integers(0, 2, n)][who],
            "age": rng.normal(50, 9, n)[who],
            "clinic": np.array([f"c{k}" for k in rng.integers(0, clinics, n)])[who],
            "weight": rng.uniform(0.5, 2, len(who)),
            "score": (rng.standard_normal((n, 3)) @ root.T).ravel(),
        }
    )
    data["score"] += 0.1 * data.age + 0.5 * (data.exposure == "manual") * (data.week > 6)
    data.loc[rng.random(len(data)) < missing, "score"] = np.nan
    return data


def fit(data, formula=FORMULA, **options):
    return fit_mmrm(data, formula, **{"subject": "id", "visit": "week", **options})


def design(result, data):
    """Design rows by hand: the numbers that a formula's coefficients multiply."""
    out = []
    for name in result.beta.index:
        column = np.ones(len(data))
        for part in name.split(":"):
            if part == "age":
                column = column * data.age
            elif part != "(Intercept)":
                factor = next(
                    f for f in ("week", "exposure", "sex", "clinic") if part.startswith(f)
                )
                column = column * (data[factor].astype(str) == part[len(factor) :])
        out.append(np.asarray(column, float))
    return np.column_stack(out)


def covariance_of(result, rows):
    """The covariance of a subject's rows, divided by their weights where the fit has some."""
    visits = rows.week.astype(str)
    found = result.covariance
    if isinstance(found, dict):
        found = found[rows[result.spec.group].iloc[0]]
    root = np.sqrt(rows.weight) if result.spec.weights else np.ones(len(rows))
    return found.loc[visits, visits].to_numpy() / np.outer(root, root)
