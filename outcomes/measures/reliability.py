"""Consistency of a questionnaire, likeness within a clinic, and a standardised difference.

Cronbach's alpha, the one-way intraclass correlation ICC(1) and Hedges' g come from pingouin, which
is licensed under the GPL: this is the only module that imports it, when one of its functions is
called, and it is an extra of the package. Intervals are worked out here from the F distribution,
because pingouin returns them rounded to two digits: Feldt's interval for alpha, Searle's for the
ICC with the average group size n0 = (N - sum n_i^2 / N) / (k - 1) of unequal groups, and the normal
interval with the large-sample variance for g.

References: Feldt 1965 Psychometrika 30:357; Searle 1971 Linear Models; Hedges 1981 J Educ Stat
6:107.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import stats

from outcomes.core.errors import NotEstimable, UsageError

INSTALL: Final = 'pip install "outcomes[reliability]"'


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """An estimate between 0 and 1 for most uses, with its interval and what it rests on."""

    estimate: float
    conf_low: float
    conf_high: float
    conf_level: float
    n_observations: int
    n_groups: int


def _ask(name: str, *given: Any, **options: Any) -> Any:
    """Call one function of pingouin; its use of what pandas will drop is not the reader's matter.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    try:
        import pingouin
    except ImportError as error:
        raise UsageError(
            "Reliability figures need pingouin (GPL-3.0), which is not installed. "
            f"Install it with: {INSTALL}"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return getattr(pingouin, name)(*given, **options)


def cronbach_alpha(items: pd.DataFrame, *, conf_level: float = 0.95) -> Reliability:
    """Return Cronbach's alpha over complete forms, one row a form, one column an item.

    Raises
    ------
    NotEstimable
        If there are fewer than two items or three complete forms, or nothing varies.
    """
    complete = items.dropna().astype(float)
    forms, size = complete.shape
    if size < 2 or forms < 3 or not complete.sum(axis=1).var() > 0:
        raise NotEstimable(
            "Cronbach's alpha needs two items, three complete forms and varying sums."
        )
    alpha = float(_ask("cronbach_alpha", data=complete)[0])
    df = (forms - 1, (forms - 1) * (size - 1))
    tail = (1.0 - conf_level) / 2.0
    low = 1.0 - (1.0 - alpha) * stats.f.ppf(1.0 - tail, *df)
    high = 1.0 - (1.0 - alpha) * stats.f.ppf(tail, *df)
    return Reliability(
        estimate=alpha,
        conf_low=float(low),
        conf_high=float(high),
        conf_level=conf_level,
        n_observations=forms,
        n_groups=size,
    )


def group_icc(values: pd.Series, group: pd.Series, *, conf_level: float = 0.95) -> Reliability:
    """Return ICC(1): how alike the values of one clinic or provider are; negative ones are kept.

    Raises
    ------
    NotEstimable
        If there are fewer than two groups, no group has two values, or nothing varies.
    """
    data = pd.DataFrame({"value": values.astype(float), "group": group}).dropna()
    sizes = data["group"].value_counts().to_numpy(dtype=float)
    total, groups = float(sizes.sum()), len(sizes)
    if groups < 2 or total <= groups or not data["value"].var() > 0:
        raise NotEstimable("An ICC needs two groups, repeated values in one and some variation.")
    table = _ask("anova", data=data, dv="value", between="group", detailed=True)
    between, within = (float(value) for value in table["MS"].iloc[:2])
    average = (total - (sizes**2).sum() / total) / (groups - 1)
    if within == 0.0:
        ratio = low = high = np.inf
    else:
        ratio = between / within
        df = (groups - 1, total - groups)
        tail = (1.0 - conf_level) / 2.0
        low = ratio / stats.f.ppf(1.0 - tail, *df)
        high = ratio / stats.f.ppf(tail, *df)
    return Reliability(
        estimate=_icc(ratio, average),
        conf_low=_icc(low, average),
        conf_high=_icc(high, average),
        conf_level=conf_level,
        n_observations=int(total),
        n_groups=groups,
    )


def _icc(ratio: float, size: float) -> float:
    return 1.0 if np.isinf(ratio) else float((ratio - 1.0) / (ratio + size - 1.0))


def hedges_g(first: pd.Series, second: pd.Series, *, conf_level: float = 0.95) -> Reliability:
    """Return the difference of means in pooled SDs, ``first`` minus ``second``, for small samples.

    Raises
    ------
    NotEstimable
        If either has fewer than two values or nothing varies.
    """
    x, y = (one.dropna().to_numpy(dtype=float) for one in (first, second))
    if min(len(x), len(y)) < 2 or not x.var() + y.var() > 0:
        raise NotEstimable("Hedges' g needs two values in each group and some variation.")
    g = float(_ask("compute_effsize", x, y, eftype="hedges"))
    total = len(x) + len(y)
    error = np.sqrt(total / (len(x) * len(y)) + g**2 / (2.0 * total))
    reach = stats.norm.ppf(0.5 + conf_level / 2.0) * error
    return Reliability(
        estimate=g,
        conf_low=float(g - reach),
        conf_high=float(g + reach),
        conf_level=conf_level,
        n_observations=total,
        n_groups=2,
    )
