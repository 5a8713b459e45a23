"""Which covariance structures are special cases of which.

A structure is in another where every matrix of the one is a matrix of the other. The direct steps
are listed; what follows from them by going on follows. With two visits there is one correlation,
and all structures with one variance are the same, as are all with two; with one visit all are.

All correlations are inside (-1, 1) and all variances positive, so that equal variances or a
pattern of the correlations is never on the boundary of the larger structure: the likelihood ratio
has its plain chi-squared limit [1]_, without the mixtures that a variance of zero would ask for
[2]_.

References
----------
.. [1] Wilks SS. The large-sample distribution of the likelihood ratio for testing composite
   hypotheses. Ann Math Stat 1938;9:60-62.
.. [2] Self SG, Liang K-Y. Asymptotic properties of maximum likelihood estimators and likelihood
   ratio tests under nonstandard conditions. J Am Stat Assoc 1987;82:605-610.
"""

from __future__ import annotations

from typing import Final

from outcomes.stats.covariance import structure

_STEPS: Final[dict[str, tuple[str, ...]]] = {
    "cs": ("csh", "toep"),
    "csh": ("toeph",),
    "ar1": ("ar1h", "toep", "ad"),
    "ar1h": ("toeph", "adh"),
    "toep": ("toeph",),
    "toeph": ("us",),
    "ad": ("adh",),
    "adh": ("us",),
    "us": (),
}


def is_nested(small: str, large: str, n_visits: int) -> bool:
    """Whether every matrix of ``small`` is one of ``large``; so it is of itself."""
    small, large = _plainest(small, n_visits), _plainest(large, n_visits)
    return small == large or any(is_nested(step, large, n_visits) for step in _STEPS[small])


def _plainest(name: str, n_visits: int) -> str:
    """The name of the simplest structure with the same matrices."""
    if n_visits > 2:
        return name
    one_variance = structure(name, 2).n_parameters == 2
    return "cs" if one_variance or n_visits == 1 else "us"
