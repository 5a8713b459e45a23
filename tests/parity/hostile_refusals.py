"""Hostile fits that end in a named error, and the words that say what to do."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from outcomes.core.errors import NotConverged, NotEstimable, UsageError
from tests.parity.hostile_checks import FORMULA
from tests.parity.hostile_numbers import (
    APART,
    DATA,
    EXPOSURE_LOST,
    SEEN_ONCE,
    by_subject,
    compound,
    pairs,
    rows,
    without,
)

COMPLETE = rows()
ONE_EACH = COMPLETE[np.arange(len(COMPLETE)) % 3 == pd.factorize(COMPLETE["id"])[0] % 3]


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A fit that ends in ``error`` whose message has these ``words``."""

    data: object
    error: type
    words: tuple
    formula: str = FORMULA
    options: dict = field(default_factory=dict)


def many_covariates(n, count):
    rng = np.random.default_rng(2)
    data = rows(n=n)
    names = [f"x{k}" for k in range(count)]
    return data.assign(**{name: rng.standard_normal(len(data)) for name in names}), names


def saturated(count, **options):
    data, names = many_covariates(5, count)
    return {"data": data, "formula": f"score ~ {' + '.join(names)}", **options}


def renamed(old, new):
    return DATA.rename(columns={old: new})


def weighed(value):
    return DATA.assign(w=np.where(DATA.index == 4, value, 1.0))


WEIGHED = {"options": {"weights": "w"}, "error": UsageError}
NOTHING = {"error": NotEstimable, "words": ("0 usable rows", "Check missing responses")}
EXACT = {"error": NotEstimable, "words": ("explains the response exactly", "fewer terms")}
SINGULAR = {"error": NotConverged, "words": ("tends to a singular one", "simpler structure")}

REFUSED = {
    "one patient a group": Refused(
        data=rows(n=3, groups=3), formula="score ~ exposure*visit", **EXACT
    ),
    "one patient a covariance group": Refused(
        data=DATA.assign(arm=np.where(DATA["id"] == "p0001", "one", "many")),
        options={"group": "arm"},
        error=NotEstimable,
        words=("1 of 2 levels of column 'arm'", "one covariance for all groups"),
    ),
    "two patients in a covariance group": Refused(
        data=COMPLETE.assign(arm=np.where(COMPLETE["id"] < "p0002", "two", "many")),
        options={"group": "arm", "covariance": "cs"},
        error=NotEstimable,
        words=("do not determine", "one covariance for all groups"),
    ),
    "a visit seen once": Refused(
        data=SEEN_ONCE,
        error=NotEstimable,
        words=("Fewer than two responses were seen at 'v02'", "Leave the visit out", "'cs'"),
    ),
    "a visit seen by nobody": Refused(
        data=without(DATA, DATA["visit"] == "v02"),
        error=NotEstimable,
        words=("No response was seen at 'v02'", "leave the visit out"),
    ),
    "a covariance group that misses a visit": Refused(
        data=EXPOSURE_LOST,
        options={"group": "exposure"},
        error=NotEstimable,
        words=("at 'v02' in group 'b'", "'cs'"),
    ),
    "two visits never seen together": Refused(
        data=APART, error=NotEstimable, words=("'v01' and 'v02'", "such as 'cs'")
    ),
    "visits seen in pairs that contradict each other": Refused(
        data=pairs((0.9, 0.9, -0.9)), formula="score ~ visit", **SINGULAR
    ),
    "visits seen in pairs that contradict a Toeplitz matrix": Refused(
        data=pairs((0.9, 0.1, 0.9)),
        formula="score ~ visit",
        options={"covariance": "toep"},
        error=NotConverged,
        words=("'toep' tends to a singular one", "'cs'"),
    ),
    "neighbouring visits never seen together, ante-dependent": Refused(
        data=without(
            COMPLETE,
            (COMPLETE["exposure"] == "a") & (COMPLETE["visit"] == "v01")
            | (COMPLETE["exposure"] == "b") & (COMPLETE["visit"] == "v02"),
        ),
        options={"covariance": "adh"},
        error=NotConverged,
        words=("'adh' tends to a singular one", "'ar1h'"),
    ),
    "one row a subject": Refused(
        data=ONE_EACH,
        options={"covariance": "cs"},
        error=NotEstimable,
        words=("No subject was seen at two visits", "names a row"),
    ),
    "one subject": Refused(
        data=DATA[DATA["id"] == "p0001"],
        error=NotEstimable,
        words=("1 subject are left", "two or more"),
    ),
    "two subjects": Refused(data=rows(n=2), formula="score ~ visit", **SINGULAR),
    "a constant response": Refused(data=DATA.assign(score=7.0), **EXACT),
    "a constant response far from zero": Refused(data=DATA.assign(score=1e9 + 0.1), **EXACT),
    "a response that is constant at one visit": Refused(
        data=DATA.assign(score=DATA["score"].mask(DATA["visit"] == "v01", 3.3)),
        error=NotEstimable,
        words=("does not vary at 'v01'", "Leave the visit out", "'cs'"),
    ),
    "a response that is a covariate": Refused(
        data=DATA.assign(age=DATA["score"].fillna(0)), formula="score ~ age", **EXACT
    ),
    "responses that add up to nothing": Refused(
        data=COMPLETE.assign(
            score=COMPLETE["score"] - COMPLETE.groupby("id")["score"].transform("mean")
        ),
        options={"covariance": "cs"},
        error=NotConverged,
        words=("'cs' tends to a singular one", "fewer visits"),
    ),
    "a correlation of 1 - 1e-7": Refused(
        data=rows(n=60, correlation=compound(1 - 1e-7, 3)),
        options={"covariance": "cs"},
        error=NotEstimable,
        words=("visits say nearly the same", "one visit repeat another", "fewer visits"),
    ),
    "a correlation of 1 - 1e-12": Refused(
        data=rows(correlation=compound(1 - 1e-12, 3)),
        **SINGULAR,
    ),
    "more coefficients than rows": Refused(**saturated(20), **EXACT),
    "as many coefficients as rows": Refused(**saturated(14), **EXACT),
    "one coefficient fewer than rows": Refused(
        **saturated(13), error=NotEstimable, words=("do not determine", "fewer terms")
    ),
    "maximum likelihood with three coefficients fewer than rows": Refused(
        **saturated(11, options={"method": "ml", "inference": "residual", "covariance": "cs"}),
        error=NotConverged,
        words=("tends to a singular one", "fewer terms"),
    ),
    "twelve visits of twelve patients": Refused(
        data=rows(n=12, visits=12, groups=1), formula="score ~ visit", **SINGULAR
    ),
    "rows twice": Refused(
        data=pd.concat([DATA, DATA.iloc[5:8]]),
        error=UsageError,
        words=("3 rows repeat a 'id' at a 'visit'", "120, 121, 122", "Keep one"),
    ),
    "an infinite covariate": Refused(
        data=DATA.assign(age=DATA["age"].mask(DATA["id"] == "p0001", np.inf)),
        error=UsageError,
        words=("Infinite", "'age'", "set them missing"),
    ),
    "an infinite response": Refused(
        data=DATA.assign(score=DATA["score"].mask(DATA.index == 4, -np.inf)),
        error=UsageError,
        words=("Infinite", "'score' in 1 rows"),
    ),
    "no subject in a row": Refused(
        data=DATA.assign(id=DATA["id"].mask(DATA.index == 3)),
        error=UsageError,
        words=("'id': 1 rows are empty", "Complete or drop"),
    ),
    "no visit in a row": Refused(
        data=DATA.assign(visit=DATA["visit"].mask(DATA.index == 3)),
        error=UsageError,
        words=("'visit': 1 rows are empty",),
    ),
    "a negative weight": Refused(
        data=weighed(-1), words=("'w': 1 rows", "not positive"), **WEIGHED
    ),
    "a weight of zero": Refused(data=weighed(0), words=("Set the response missing",), **WEIGHED),
    "an infinite weight": Refused(data=weighed(np.inf), words=("'w': 1 rows",), **WEIGHED),
    "a weight too small to be squared": Refused(
        data=weighed(1e-300), words=("between 1e-30 and 1e+30",), **WEIGHED
    ),
    "no weight at all": Refused(data=DATA.assign(w=np.nan), **{**WEIGHED, **NOTHING}),
    "probability weights by visit": Refused(
        data=DATA.assign(w=1.0 + DATA.index % 2),
        options={"weights": "w", "weight_kind": "probability", "inference": "CR2"},
        error=UsageError,
        words=("one weight a subject",),
    ),
    "responses too small to be squared": Refused(
        data=DATA.assign(score=DATA["score"] * 1e-150),
        error=UsageError,
        words=("'score'", "Change the unit"),
    ),
    "responses too large to be squared": Refused(
        data=DATA.assign(score=DATA["score"] * 1e160), error=UsageError, words=("Change the unit",)
    ),
    "a covariate too large to be squared": Refused(
        data=DATA.assign(age=DATA["age"] * 1e200), error=UsageError, words=("'age'", "unit")
    ),
    "an empty table": Refused(data=DATA.iloc[:0], **NOTHING),
    "an empty polars table": Refused(data=pl.from_pandas(DATA).head(0), **NOTHING),
    "an empty Arrow table": Refused(data=pa.Table.from_pandas(DATA).slice(0, 0), **NOTHING),
    "all responses missing": Refused(data=DATA.assign(score=np.nan), **NOTHING),
    "all of a covariate missing": Refused(
        data=DATA.assign(dose=np.nan),
        formula="score ~ dose + visit",
        error=NotEstimable,
        words=("0 usable rows", f"miss a covariate (dose {DATA['score'].count()})"),
    ),
    "all responses None": Refused(data=DATA.assign(score=None), **NOTHING),
    "all responses pd.NA": Refused(
        data=DATA.assign(score=pd.array([pd.NA] * len(DATA), dtype="Float64")), **NOTHING
    ),
    "a response of texts": Refused(
        data=DATA.assign(score=DATA["score"].astype(str)),
        error=UsageError,
        words=("'score' is no number", "Convert"),
    ),
    "no table": Refused(
        data={"score": [1.0]}, error=UsageError, words=("pandas, polars or Arrow",)
    ),
    "one cluster": Refused(
        data=DATA.assign(clinic="A"),
        options={"inference": "CR2", "cluster": "clinic"},
        error=NotEstimable,
        words=("one cluster", "Leave cluster out"),
    ),
    "the jackknife with few clusters": Refused(
        data=DATA.assign(clinic=by_subject(DATA, lambda rng, n: np.arange(n) % 4)),
        options={"inference": "jackknife", "cluster": "clinic"},
        error=NotEstimable,
        words=("4 clusters and needs 6", "'kenward-roger'"),
    ),
    "the subject as a covariate": Refused(
        data=DATA,
        formula="score ~ id + visit",
        error=UsageError,
        words=("'id' has a level of its own for each of the 40 subjects", "leave out"),
    ),
    "a number stored as text": Refused(
        data=DATA.assign(age=DATA["age"].astype(str)),
        error=UsageError,
        words=("'age' has a level of its own", "Convert"),
    ),
    "days as visits": Refused(
        data=DATA.assign(visit=np.arange(len(DATA))),
        error=UsageError,
        words=("'visit' has 120 visits", "visits=", "planned visits"),
    ),
    "no visits": Refused(
        data=DATA, options={"visits": []}, error=UsageError, words=("0 visits", "Name them")
    ),
    "a visit as a number and as a text": Refused(
        data=DATA.assign(visit=pd.Series([6, 12, "6"] * 40, dtype=object)),
        error=UsageError,
        words=("40 rows repeat", "Keep one"),
    ),
    "lists as subjects": Refused(
        data=DATA.assign(id=[[k] for k in DATA["id"]]),
        error=UsageError,
        words=("'id' holds values such as lists", "text or numbers"),
    ),
    "several columns of subjects": Refused(
        data=DATA, options={"subject": ["id"]}, error=UsageError, words=("subject= must name one",)
    ),
    "no covariance": Refused(
        data=DATA, options={"covariance": None}, error=UsageError, words=("covariance: nothing",)
    ),
    "a name that a formula takes for a number": Refused(
        data=renamed("age", "1"),
        formula="score ~ `1` + exposure*visit",
        error=UsageError,
        words=("named '1'", "another name"),
    ),
    "a covariate called Intercept": Refused(
        data=renamed("age", "Intercept"),
        formula="score ~ Intercept + exposure*visit",
        error=UsageError,
        words=("'Intercept'", "another name"),
    ),
    "a covariate named like an interaction": Refused(
        data=DATA.assign(**{"age:exposure[T.b]": 1.0}),
        formula="score ~ age*exposure + `age:exposure[T.b]`",
        error=UsageError,
        words=("'age:exposure[T.b]'", "another name"),
    ),
    "a category named like the function around it": Refused(
        data=renamed("exposure", "C"),
        formula="score ~ age + C(C)*visit",
        error=UsageError,
        words=("'C' is the name of a function", "another one"),
    ),
    "a number named like the function around it": Refused(
        data=renamed("age", "log"),
        formula="score ~ log(log) + exposure*visit",
        error=UsageError,
        words=("'log' is the name of a function",),
    ),
    "a Python word inside a function": Refused(
        data=renamed("exposure", "class"),
        formula="score ~ age + C(class)*visit",
        error=UsageError,
        words=("must be Python", "another name"),
    ),
    "levels that leave rows out": Refused(
        data=DATA,
        formula="score ~ C(exposure, levels=['a']) + visit",
        error=UsageError,
        words=("cannot be computed", "outside of the nominated levels"),
    ),
    "contrasts with a base that no one has": Refused(
        data=DATA,
        formula="score ~ C(visit, contr.treatment(base='w'))",
        error=UsageError,
        words=("cannot be computed",),
    ),
    "contrasts that are none": Refused(
        data=DATA, formula="score ~ C(visit, Treatment)", error=UsageError, words=("'Treatment'",)
    ),
    "a quote inside a quoted name": Refused(
        data=renamed("age", "a`b"),
        formula="score ~ `a`b` + exposure*visit",
        error=UsageError,
        words=("cannot be read",),
    ),
}
