"""What must hold before a difference is shown, checked for each outcome, visit and type.

``group_size``
    Episodes of the type that were analysed.
``follow_up``
    Share of them that was seen at the visit.
``measured``
    Whether enough episodes, all types together, were measured at the visit for it to be in the
    model at all. The row is there only where they were not, and holds the least number alone: how
    many there were is in ``completeness``.
``varies``
    Whether those measured at the visit, of all types, had more than one value. There as well, the
    row is there only where they had not.
``estimable``
    Whether the model has a mean there at all (1 or 0).
``overlap``
    How far the type lies from everyone in what predicts the outcome: the distance of its mean
    prognostic score from that of all who were followed, in standard deviations of the score within
    types. The prognostic score is the covariates' part of the fitted model at the visit [1]_.
    Regression adjusts by extrapolation where groups lie more than half a standard deviation apart
    [2]_, which is the default limit. This and ``estimable`` are asked only where group size and
    follow-up suffice: of a number that is kept back they would tell whether it is zero.
``converged``
    Whether the model could be fitted; the value is the norm of its gradient.

A difference is shown where both of its types pass every check. Reasons name limits, never what was
found: a share of a small group would give its count away.

References
----------
.. [1] Stuart EA, Lee BK, Leacy FP. Prognostic score-based balance measures can be a useful
   diagnostic for propensity score methods in comparative effectiveness research. J Clin Epidemiol
   2013;66:S84-S90.
.. [2] Rubin DB. Using propensity scores to help design observational studies. Health Serv Outcomes
   Res Methodol 2001;2:169-188.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

from outcomes.results.wording import number, percent
from outcomes.stats.identify import constant_visits

if TYPE_CHECKING:
    from outcomes.models.change import OutcomeFit
    from outcomes.models.covariates import Array
    from outcomes.models.description import Description
    from outcomes.models.effects import Row
    from outcomes.stats.moments import Moments
    from outcomes.study.spec import StudySpec

GRADIENT_LIMIT: Final = 1e-3
LEAST_SEEN: Final = 10
"""Values of an outcome below which a visit is not in its model."""
Gates = dict[tuple[str, str], str]


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Answer of the checks of one outcome.

    Attributes
    ----------
    rows : tuple of dict
        Of the table ``gate``.
    reasons : dict
        Exposure and visit to the reasons why nothing is shown there.
    """

    rows: tuple[Row, ...]
    reasons: Gates


def check_gate(fit: OutcomeFit) -> Gate:
    """Check every type at every visit."""
    about, limit = fit.about, fit.about.spec.gate.smd
    there = ~np.isnan(fit.effects.means)
    distance = prognostic_distance(fit)
    rows = [_row(about, "", "", "converged", fit.fit.gradient_norm, GRADIENT_LIMIT, "")]
    for (t, visit), (e, exposure) in product(enumerate(about.visits), enumerate(about.exposures)):
        counted = _counted(about, t, e)
        # What a fit makes of a type says whether any of it was seen: not asked where too few were.
        asked = all(check[-1] for check in counted)
        of_the_fit = (
            ("estimable", float(there[e, t]), 1.0, bool(there[e, t])),
            ("overlap", distance[e, t], limit, not distance[e, t] > limit),
        )
        unasked = (("estimable", np.nan, 1.0, True), ("overlap", np.nan, limit, True))
        checks = (*counted, *(of_the_fit if asked else unasked))
        rows += [_judged(about, visit, exposure, *check) for check in checks]
    return Gate(rows=tuple(rows), reasons=_reasons(rows))


def count_gate(about: Description) -> Gate:
    """Check what needs no fit: the size of each type, and how many of it were seen."""
    rows = tuple(
        _judged(about, visit, exposure, *check)
        for (t, visit), (e, exposure) in product(
            enumerate(about.visits), enumerate(about.exposures)
        )
        for check in _counted(about, t, e)
    )
    return Gate(rows=rows, reasons=_reasons(list(rows)))


Check = tuple[str, float, float, bool]


def _counted(about: Description, visit: int, exposure: int) -> tuple[Check, ...]:
    limits = about.spec.gate
    size = float(about.sizes[exposure])
    # A type of which a missing covariate dropped every episode is there, and empty.
    share = float(about.episodes[visit, exposure]) / size if size else 0.0
    return (
        ("group_size", size, float(limits.group_size), size >= limits.group_size),
        ("follow_up", share, limits.follow_up, share >= limits.follow_up),
    )


def _judged(
    about: Description, visit: str, exposure: str, check: str, value: float, limit: float, ok: bool
) -> Row:
    place = about.visits.index(visit), about.exposures.index(exposure)
    seen = bool(about.episodes[place])
    reason = "" if ok else _reason(check, about.labels[exposure], limit, seen=seen)
    return _row(about, visit, exposure, check, value, limit, reason)


def failed_gate(about: Description, reason: str) -> Gate:
    """Return the gate of an outcome whose model could not be fitted."""
    rows = tuple(
        _row(about, visit, exposure, "converged", float("nan"), GRADIENT_LIMIT, reason)
        for visit, exposure in product(about.visits, about.exposures)
    )
    return Gate(rows=rows, reasons=_reasons(list(rows)))


def visits_left_out(moments: Moments, about: Description) -> dict[str, str]:
    """Return visits that cannot be in the model, and the check that each did not pass.

    Never the declared visit of the primary outcome, and none where that, or every visit, cannot be
    fitted anyway: this is for the model to say.
    """
    least = least_seen(about.spec)
    seen = dict(zip(about.visits, about.episodes.sum(axis=1).tolist(), strict=True))
    found = dict.fromkeys(constant_visits(moments), "varies")
    found |= {visit: "measured" for visit, n in seen.items() if n < least}
    primary = about.spec.primary.visit if about.outcome == about.spec.primary.outcome else ""
    hopeless = len(found) == len(seen) or seen.get(primary, 2) < 2
    return {} if hopeless else {visit: why for visit, why in found.items() if visit != primary}


def least_seen(spec: StudySpec) -> int:
    """Return how many values of an outcome a visit needs: as many as a group has episodes."""
    return max(LEAST_SEEN, spec.exposure.min_group)


def left_out_gate(about: Description, checks: Mapping[str, str]) -> Gate:
    """Return the gate of visits that are not in the model."""
    least = least_seen(about.spec)
    words = {
        "measured": f"fewer than {least} episodes were measured",
        "varies": "everyone measured had the same value",
    }
    limits = {"measured": float(least), "varies": 0.0}
    rows = tuple(
        _row(about, visit, exposure, check, float("nan"), limits[check], words[check])
        for (visit, check), exposure in product(checks.items(), about.exposures)
    )
    return Gate(rows=rows, reasons=_reasons(list(rows)))


def _row(
    about: Description,
    visit: str,
    exposure: str,
    check: str,
    value: float,
    limit: float,
    reason: str,
) -> Row:
    return {
        "outcome": about.outcome,
        "visit": visit,
        "exposure": exposure,
        "check": check,
        "value": value,
        "limit": limit,
        "passed": not reason,
        "reason": reason,
    }


def _reason(check: str, name: str, limit: float, *, seen: bool) -> str:
    return {
        "group_size": f"fewer than {number(limit, 0)} episodes of {name}",
        "follow_up": f"fewer than {percent(limit)} of {name} measured",
        "estimable": (
            f"{name} cannot be told apart from the covariates"
            if seen
            else f"no episode of {name} was measured"
        ),
        "overlap": (
            f"{name} differs from the others in what predicts the outcome by more than "
            f"{number(limit, 2)} standard deviations"
        ),
    }[check]


def _reasons(rows: list[Row]) -> Gates:
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if not row["passed"]:
            found.setdefault((str(row["exposure"]), str(row["visit"])), []).append(
                str(row["reason"])
            )
    return {cell: "; ".join(reasons) for cell, reasons in found.items()}


def prognostic_distance(fit: OutcomeFit) -> Array:
    """Distance of each type's mean prognostic score from that of everyone followed, (k, T)."""
    about, moments = fit.about, fit.moments
    k, visits = fit.effects.means.shape
    total = moments.products[:, 0].sum(axis=0)
    exposures = [1 + p for p, column in enumerate(about.columns) if column.kind == "exposure"]
    sizes = total[exposures, 0]
    distance = np.zeros((k, visits))
    for t, score in enumerate(_score_vectors(fit)):
        sums = total[exposures] @ score
        with np.errstate(invalid="ignore", divide="ignore"):
            means = sums / sizes
            # within types: what is left of the sum of squares after the means of the types
            within = score @ total @ score - np.nansum(sizes * means**2)
            spread = np.sqrt(max(within, 0.0) / sizes.sum())
            distance[:, t] = np.abs(means - sums.sum() / sizes.sum()) / spread
    return np.where(np.isfinite(distance), distance, 0.0)


def _score_vectors(fit: OutcomeFit) -> Iterator[Array]:
    """For each visit, the covariates' part of the fitted mean as a function of the stored row."""
    k, visits = fit.effects.means.shape
    m = k + len(fit.terms.names)
    rows = fit.moments.layout.wide_maps(fit.maps)
    beta = np.where(np.isnan(fit.fit.beta), 0.0, fit.fit.beta)
    for t in range(visits):
        covariates = slice(t * m + k, (t + 1) * m)
        yield rows[t][:, covariates] @ beta[covariates]
