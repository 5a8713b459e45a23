"""What no reference case is about, and what it is tested against instead.

The cases hold estimates, means, differences and type III tests of :func:`outcomes.fit_mmrm`. What
else it answers is held to definitions, to special cases that another program has, or to refits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """Something that is not in the cases: ``against`` what it is tested, and in which file."""

    what: str
    against: str
    where: str


ELSEWHERE: Final = (
    Elsewhere(
        what="predictions, marginal and conditional, and likelihood-ratio tests of covariance",
        against="numbers of the same cases: mmrm's predictions (its standard errors by formula), "
        "and its log-likelihoods",
        where="tests/parity/test_after_fit.py",
    ),
    Elsewhere(
        what="likelihood-ratio tests of fixed effects",
        against="mixed models of statsmodels with a random intercept",
        where="tests/unit/test_fit_comparison.py",
    ),
    Elsewhere(
        what="type II tests",
        against="statsmodels at one visit; the fall of the weighted sum of squares at several",
        where="tests/unit/test_fit_mmrm.py",
    ),
    Elsewhere(
        what="p-values and limits adjusted for several comparisons (Dunnett, all pairs, Holm)",
        against="the multivariate t of SciPy, printed tables of Dunnett and of Tukey's range; "
        "Holm's by hand",
        where="tests/unit/test_fit_mmrm.py",
    ),
    Elsewhere(
        what="sandwiches by clusters above the subject, and probability weights",
        against="the definition with dense matrices; a subject twice for a weight of two",
        where="tests/unit/test_sandwich.py",
    ),
    Elsewhere(
        what="the jackknife",
        against="as many fits without a cluster; CR3 at one visit",
        where="tests/unit/test_sandwich.py, tests/parity/test_identities.py",
    ),
    Elsewhere(
        what="an offset, and levels with one mean at a visit (`equal_at`)",
        against="fits of the shifted response; fits with columns made by hand",
        where="tests/unit/test_offset_and_equal_levels.py",
    ),
    Elsewhere(
        what="standardised means and effects",
        against="loops over people and stacked estimating equations in NumPy",
        where="tests/unit/test_standardisation.py",
    ),
    Elsewhere(
        what="changes between visits and their differences",
        against="t tests of SciPy and regressions of statsmodels on complete data",
        where="tests/unit/test_visit_changes.py, tests/parity/test_identities.py",
    ),
    Elsewhere(
        what="influence of a clinic",
        against="refits without it; Cook's distance of statsmodels at one visit",
        where="tests/unit/test_influence.py",
    ),
)
