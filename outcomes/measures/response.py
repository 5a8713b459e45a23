"""From two scores to what happened to one person: change, improvement, response, getting worse.

``change`` is follow-up minus baseline in instrument units; ``improvement`` is change signed so that
positive is better. Thresholds here judge one person's change, never a difference between groups
(Dworkin 2009): a threshold of change can hide many responders below the mean or few above it.
Percent rules need a baseline above zero. A missing score at either end makes every answer missing.
Comparisons are made after rounding to six decimals, so that 30 percent of a tidy baseline counts as
30 percent.

References: ostelo2008, immpact2008, immpact2009 in the catalog's sources.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from outcomes.catalog.instruments import Instrument, instrument
from outcomes.core.errors import UsageError

DECIMALS: Final = 6
LOW_RISK_TOTAL: Final = 3
HIGH_RISK_PSYCHOSOCIAL: Final = 4
MUCH_IMPROVED: Final = 2


def derive_response(
    baseline: pd.Series,
    follow_up: pd.Series,
    instrument_id: str,
    *,
    threshold: float | None = None,
    percent: float | None = None,
) -> pd.DataFrame:
    """Judge each person's change by the instrument's direction and thresholds.

    Parameters
    ----------
    baseline, follow_up : Series
        Scores on one index.
    instrument_id : str
        Id or alias.
    threshold : float, optional
        Smallest improvement in points that counts; default the catalog's.
    percent : float, optional
        Smallest improvement in percent of baseline that counts; default the catalog's.

    Returns
    -------
    DataFrame
        ``change, improvement, improvement_percent`` and the nullable flags ``responder`` (points),
        ``responder_percent``, ``deteriorated`` (worse by at least the threshold), ``remission`` and
        ``acceptable_state`` (levels at follow-up). A flag without a threshold is missing
        throughout.
    """
    known = instrument(instrument_id)
    default = known.responder
    points = threshold if threshold is not None else default.mcid if default else None
    share = percent if percent is not None else default.percent if default else None
    change = follow_up - baseline
    better = (change * known.direction).round(DECIMALS)
    relative = (100.0 * better / baseline.where(baseline > 0)).round(DECIMALS)
    return pd.DataFrame(
        {
            "change": change,
            "improvement": better,
            "improvement_percent": relative,
            "responder": _at_least(better, points),
            "responder_percent": _at_least(relative, share),
            "deteriorated": _at_least(-better, points),
            "remission": reaches(follow_up, known, default.remission if default else None),
            "acceptable_state": reaches(follow_up, known, default.acceptable if default else None),
        }
    )


def _at_least(values: pd.Series, size: float | None) -> pd.Series:
    if size is None:
        return pd.Series(pd.NA, index=values.index, dtype="boolean")
    return (values >= round(size, DECIMALS)).astype("boolean").where(values.notna())


def reaches(scores: pd.Series, known: Instrument, level: float | None) -> pd.Series:
    """Return whether each score is at a level or on its better side; nullable."""
    signed = scores * known.direction
    return _at_least(signed, None if level is None else level * known.direction)


def common_change(baseline: pd.DataFrame, follow_up: pd.DataFrame) -> pd.DataFrame:
    """Return means and change over the activities rated at both times, as the PSFS asks.

    Both frames have one row a person on one index and one column an activity.
    """
    both = baseline.notna() & follow_up.reindex_like(baseline).notna()
    before = baseline.where(both).mean(axis=1)
    after = follow_up.reindex_like(baseline).where(both).mean(axis=1)
    return pd.DataFrame(
        {"baseline": before, "follow_up": after, "change": after - before, "n": both.sum(axis=1)}
    )


def severity_band(scores: pd.Series, instrument_id: str, source: str = "") -> pd.Series:
    """Return the name of the published band each score lies in; missing outside all of them.

    Parameters
    ----------
    scores : Series
        Scores in the instrument's unit.
    instrument_id : str
        Id or alias.
    source : str, optional
        Which publication's bands; the first of the catalog's when not given.

    Raises
    ------
    UsageError
        If the catalog has no bands, or none from that source.
    """
    known = instrument(instrument_id)
    bands = [
        t for t in known.thresholds if t.kind == "severity_cut" and t.label and t.high is not None
    ]
    chosen = source or (bands[0].source if bands else "")
    bands = [band for band in bands if band.source == chosen and band.scale == bands[0].scale]
    if not bands:
        raise UsageError(f"The catalog has no severity bands for {known.id} {chosen}.".rstrip())
    names = pd.Series(pd.NA, index=scores.index, dtype="string")
    for band in sorted(bands, key=lambda one: one.low or 0.0):
        names = names.mask((scores >= (band.low or 0.0)).fillna(False), band.label)
    top = max(band.high or 0.0 for band in bands)
    return names.where(scores <= top)


def start_back_risk(total: pd.Series, psychosocial: pd.Series) -> pd.Series:
    """Return the risk group of the STarT Back tool: low, medium or high (Hill 2008)."""
    high = np.where(psychosocial >= HIGH_RISK_PSYCHOSOCIAL, "high", "medium")
    group = pd.Series(np.where(total <= LOW_RISK_TOTAL, "low", high), index=total.index)
    return group.astype("string").where(total.notna() & psychosocial.notna())


def much_improved(impression: pd.Series) -> pd.Series:
    """Return whether a patient's global impression is much or very much improved (1-7 coding)."""
    return (impression <= MUCH_IMPROVED).astype("boolean").where(impression.notna())
