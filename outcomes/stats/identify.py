"""Can these seen visits determine the covariance at all? Asked before the fit, by counting."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from outcomes.core.errors import NotEstimable
from outcomes.stats.covariance import OWN_VARIANCES
from outcomes.stats.moments import Moments

SAME = 1e-13
"""Squares about the mean, beside those about the shift, that are rounding."""


def check_identified(moments: Moments, covariance: str) -> None:
    """Raise where a group, a visit or a pair of visits that the structure needs was never seen.

    Raises
    ------
    NotEstimable
        Names the visits, and the group where there are several.
    """
    if moments.n_subjects == 0:
        raise NotEstimable("No subject has a seen response: there is nothing to fit.")
    unseen = [
        v for v, seen in zip(moments.layout.visits, moments.seen.T, strict=True) if not seen.any()
    ]
    if unseen:
        raise NotEstimable(
            f"No response was seen at {', '.join(map(repr, unseen))}: leave the visit out."
        )
    for code, label in enumerate(moments.layout.groups):
        together = _together(moments, code)
        where = f" in group '{label}'" if len(moments.layout.groups) > 1 else ""
        if not together.any():
            raise NotEstimable(
                f"No response was seen{where}: leave the group out, or use one covariance for all."
            )
        if covariance in OWN_VARIANCES:
            _check_visits(moments, together, where)
        _check_repeated(together, where)
        if covariance == "us":
            _check_pairs(moments, together, where)


def constant_visits(moments: Moments) -> tuple[str, ...]:
    """Visits at which every seen response is the same number."""
    layout, seen = moments.layout, moments.seen
    found = []
    for t, visit in enumerate(layout.visits):
        place = 1 + layout.n_columns + t
        block = moments.products[seen[:, t], layout.own_block(t, moments.products.shape[1])]
        count, total, square = (
            float(block[:, a, b].sum()) for a, b in ((0, 0), (0, place), (place, place))
        )
        if count > 1 and square - total**2 / count <= SAME * max(square, 1e-300):
            found.append(visit)
    return tuple(found)


def _together(moments: Moments, group: int) -> npt.NDArray[np.int64]:
    """(T, T): subjects seen at both visits."""
    rows = moments.group == group
    seen = moments.seen[rows].astype(np.int64)
    return np.asarray((seen * moments.count[rows, None]).T @ seen)


def _check_visits(moments: Moments, together: npt.NDArray[np.int64], where: str) -> None:
    visits = moments.layout.visits
    rare = [visits[t] for t in range(len(visits)) if together[t, t] < 2]
    if rare:
        raise NotEstimable(
            f"Fewer than two responses were seen at {', '.join(map(repr, rare))}{where}: the "
            "spread there cannot be estimated. Leave the visit out, "
            f"{'use one covariance for all groups, ' if where else ''}or use a structure with one "
            "variance such as 'cs'."
        )


def _check_repeated(together: npt.NDArray[np.int64], where: str) -> None:
    if len(together) > 1 and not np.triu(together, 1).any():
        raise NotEstimable(
            f"No subject{where} was seen at two visits, so that nothing tells how visits are "
            "related. Is the column of subjects one that names a row? Else analyse one visit by "
            f"itself{', or use one covariance for all groups' if where else ''}."
        )


def _check_pairs(moments: Moments, together: npt.NDArray[np.int64], where: str) -> None:
    visits = moments.layout.visits
    apart = [
        f"'{visits[a]}' and '{visits[b]}'"
        for a, b in zip(*np.nonzero(np.triu(together == 0)), strict=True)
    ]
    if apart:
        groups = " or one covariance for all groups" if where else ""
        raise NotEstimable(
            f"No subject{where} was seen at both {'; '.join(apart)}: an unstructured covariance is "
            f"not identified. Use a simpler structure such as 'cs'{groups}, or leave one of the "
            "visits out."
        )
