"""Hostile fits that end in numbers: small data, each with one thing that is hard."""

import numpy as np
import pandas as pd

from tests.parity.hostile_checks import Numbers


def rows(n=40, visits=3, rho=0.5, *, seed=0, missing=0.0, groups=2, correlation=None):
    """Long rows of ``n`` subjects: id, visit, exposure, age, sex, score of spread one."""
    rng = np.random.default_rng(seed)
    if correlation is None:
        correlation = rho ** np.abs(np.subtract.outer(range(visits), range(visits)))
    noise = rng.standard_normal((n, visits)) @ np.linalg.cholesky(correlation).T
    subject, visit = np.repeat(np.arange(n), visits), np.tile(np.arange(visits), n)
    exposure = np.arange(n) % groups
    data = pd.DataFrame(
        {
            "id": [f"p{k:04}" for k in subject],
            "visit": [f"v{k:02}" for k in visit],
            "exposure": np.array(list("abcdefgh"))[exposure][subject],
            "age": rng.normal(50, 9, n)[subject],
            "sex": np.array(["f", "m"])[rng.integers(0, 2, n)][subject],
        }
    )
    data["score"] = noise.ravel() + 0.5 * exposure[subject] + 0.3 * visit + 0.02 * data["age"]
    data.loc[rng.random(len(data)) < missing, "score"] = np.nan
    return data


def by_subject(data, draw):
    """One number a subject."""
    codes, subjects = pd.factorize(data["id"])
    return np.asarray(draw(np.random.default_rng(3), len(subjects)))[codes]


def without(data, where):
    return data.assign(score=data["score"].mask(where))


def compound(rho, visits):
    return (1 - rho) * np.eye(visits) + rho


def spread_weights(data, by_visit=False):
    rng = np.random.default_rng(4)
    if by_visit:
        return data.assign(w=10 ** rng.uniform(-3, 3, len(data)))
    return data.assign(w=by_subject(data, lambda rng, n: 10 ** rng.uniform(-3, 3, n)))


def birth_year(data, powers):
    year = by_subject(data, lambda rng, n: rng.integers(1935, 2004, n)).astype(float)
    return data.assign(**{f"year{k}": year**k for k in range(1, powers + 1)})


def centred_years(data):
    """The same span, and one times the highest power: the same likelihood by REML."""
    year = data["year1"] - 1970
    return data.assign(**{name: year ** int(name[-1]) for name in data if "year" in name})


def nearly(data, size):
    noise = by_subject(data, lambda rng, n: rng.standard_normal(n))
    return data.assign(older=data["age"] * (1 + size * noise))


def outlier(data, column, size):
    out = data.copy()
    out.loc[out["id"] == "p0004", column] *= size
    return out


def pairs(correlations, n=60):
    """Each subject at two of three visits."""
    rng = np.random.default_rng(1)
    found = []
    for k in range(n):
        (a, b), rho = [((0, 1), 0), ((0, 2), 1), ((1, 2), 2)][k % 3]
        noise = np.linalg.cholesky(compound(correlations[rho], 2)) @ rng.standard_normal(2)
        found += [(f"p{k}", f"v{visit}", value) for visit, value in zip((a, b), noise, strict=True)]
    return pd.DataFrame(found, columns=["id", "visit", "score"])


DATA = rows(missing=0.1)
EXPOSURE_LOST = without(DATA, (DATA["exposure"] == "b") & (DATA["visit"] == "v02"))
SEEN_ONCE = without(rows(), (rows()["visit"] == "v02") & (rows()["id"] != "p0003"))
APART = without(rows(), rows()["visit"] == np.where(rows()["id"].str[-1] < "5", "v01", "v02"))
FEW = DATA.assign(arm=np.where(DATA["id"] < "p0006", "few", "many"))
NEAR_SINGULAR = {"beta": 1e-7, "std_error": 1e-6, "df": 1e-4, "near": 1e-4}
"""With correlations of 0.99999 the inverse covariance loses five digits, its square ten."""

NUMBERS = {
    "plain": Numbers(data=DATA),
    "a visit seen once": Numbers(data=SEEN_ONCE, options={"covariance": ["us", "cs"]}),
    "a response that is constant at one visit": Numbers(
        data=DATA.assign(score=DATA["score"].mask(DATA["visit"] == "v01", 3.3)),
        options={"covariance": ["us", "csh", "cs"]},
    ),
    "perfectly collinear covariates": Numbers(
        data=DATA.assign(older=2 * DATA["age"] + 1), formula="score ~ age + older + exposure*visit"
    ),
    "covariates alike up to 1e-9": Numbers(
        data=nearly(DATA, 1e-9), formula="score ~ age + older + exposure*visit"
    ),
    "covariates alike up to 1e-5": Numbers(
        data=nearly(DATA, 1e-5),
        formula="score ~ age + older + exposure*visit",
        dense=lambda data: data.assign(older=data["older"] - data["age"]),
        only=("(Intercept)", "older", "exposureb", "visitv01", "visitv02"),
    ),
    "correlation 0.999": Numbers(data=rows(rho=0.999, n=60), near=1e-6, df=1e-5, std_error=1e-7),
    "correlation 0.99999": Numbers(data=rows(rho=0.99999, n=60), **NEAR_SINGULAR),
    "correlation 0.99999 of six visits": Numbers(
        data=rows(rho=0.99999, n=60, visits=6), starts=0, **NEAR_SINGULAR
    ),
    "correlation 0.99999, compound symmetry": Numbers(
        data=rows(n=60, correlation=compound(0.99999, 3)),
        options={"covariance": "cs"},
        **NEAR_SINGULAR,
    ),
    "twelve visits of thirty patients": Numbers(
        data=rows(n=30, visits=12), formula="score ~ exposure*visit", starts=0
    ),
    "twelve visits of thirty patients, a third missing": Numbers(
        data=rows(n=30, visits=12, missing=0.3),
        options={"covariance": ["us", "toeph", "ar1h"]},
        starts=1,
    ),
    "precision weights over a factor of 1e6": Numbers(
        data=spread_weights(DATA), options={"weights": "w"}
    ),
    "precision weights over a factor of 1e6, by visit": Numbers(
        data=spread_weights(DATA, by_visit=True), options={"weights": "w"}
    ),
    "responses of 1e-9": Numbers(data=DATA.assign(score=DATA["score"] * 1e-9), starts=0),
    "year of birth and its square": Numbers(
        data=birth_year(DATA, 2),
        formula="score ~ year1 + year2 + exposure*visit",
        dense=centred_years,
        only=("year2", "exposureb", "visitv01", "visitv02"),
    ),
    "three powers of the year of birth": Numbers(
        data=birth_year(DATA, 3),
        formula="score ~ year1 + year2 + year3 + exposure*visit",
        dense=centred_years,
        only=("year3", "exposureb", "visitv01", "visitv02"),
        beta=1e-7,  # the cube of a year in double precision is known to 1e-9 of what it adds
    ),
    "duplicated patients": Numbers(data=pd.concat([DATA, DATA.assign(id=DATA["id"] + "x")])),
    "an exposure that misses a visit": Numbers(data=EXPOSURE_LOST),
    "an exposure of a single patient": Numbers(
        data=DATA.assign(exposure=DATA["exposure"].mask(DATA["id"] == "p0003", "z"))
    ),
    "two visits never seen together": Numbers(data=APART, options={"covariance": ["us", "toeph"]}),
    "visits seen in pairs only": Numbers(data=pairs((0.5, 0.5, 0.5)), formula="score ~ visit"),
    "half of the subjects seen once": Numbers(
        data=without(rows(), (rows()["id"] < "p0020") & (rows()["visit"] != "v01"))
    ),
    "one visit": Numbers(data=DATA[DATA["visit"] == "v01"], formula="score ~ age + exposure"),
    "two subjects": Numbers(
        data=rows(n=2), formula="score ~ visit", options={"covariance": "cs"}, starts=0
    ),
    "three coefficients fewer than rows": Numbers(
        data=rows(n=5), formula="score ~ exposure*visit", options={"covariance": "cs"}, starts=0
    ),
    "a level that no one has": Numbers(
        data=DATA.assign(site=pd.Categorical(DATA["sex"], ["f", "m", "x"])),
        formula="score ~ site + exposure*visit",
        dense=lambda data: data.assign(site=data["sex"]),
    ),
    "few patients in a covariance group": Numbers(data=FEW, options={"group": "arm"}),
    "a covariance group that misses a visit": Numbers(
        data=EXPOSURE_LOST, options={"group": "exposure", "covariance": ["us", "cs"]}
    ),
    "maximum likelihood with half as many coefficients as rows": Numbers(
        data=rows(n=8, visits=3),
        formula="score ~ age*visit + exposure*visit",
        options={"method": "ml", "inference": "satterthwaite", "covariance": "cs"},
        starts=0,
    ),
    "correlation -0.9": Numbers(data=rows(n=60, visits=2, correlation=compound(-0.9, 2))),
    "compound symmetry next to its lower bound": Numbers(
        data=rows(n=60, visits=4, correlation=compound(-1 / 3 + 1e-3, 4)),
        options={"covariance": "cs"},
        near=1e-6,
        df=1e-6,
    ),
    "a negative correlation, autoregressive": Numbers(
        data=rows(
            n=60, correlation=(-0.9) ** np.abs(np.subtract.outer(np.arange(3), np.arange(3)))
        ),
        options={"covariance": "ar1"},
        df=1e-6,
    ),
    "a covariate that changes over time": Numbers(
        data=DATA.assign(dose=np.random.default_rng(6).integers(0, 9, len(DATA)).astype(float)),
        formula="score ~ dose*visit + exposure*visit",
    ),
    "slopes in cells of a few patients": Numbers(
        data=rows(n=9, groups=3, seed=13),
        formula="score ~ age*sex*exposure",
        options={"covariance": "cs"},
    ),
    "an interaction of everything": Numbers(data=DATA, formula="score ~ age*sex*exposure*visit"),
    "a covariate of 1e6 standard deviations": Numbers(data=outlier(DATA, "age", 1.8e5)),
    "a response of 1e6 standard deviations": Numbers(
        data=DATA.assign(score=DATA["score"].mask(DATA.index == 4, 1e6)),
        **{**NEAR_SINGULAR, "beta": 1e-6},  # all visits share a unit: ten digits of the others go
    ),
}
