"""A short version of the simulation; the long one is ``make simulation``."""

from __future__ import annotations

import pytest

from tests.simulation.coverage import one_study, summary


@pytest.mark.slow
def test_adjusted_contrasts_hold_the_truth_and_plain_ones_do_not() -> None:
    import pandas as pd

    rows = pd.concat([one_study(seed, 3000) for seed in (11, 12, 13, 14)])
    table = summary(rows).set_index(["outcome", "analysis"])
    assert len(table) == 6
    for outcome in ("pain", "mobility", "medication"):
        adjusted = table.loc[(outcome, "adjusted")]
        # 80 intervals that hang together: their coverage varies by some 5 points around 95.
        assert adjusted["coverage"] > 80
        assert 0.7 < adjusted["error_ratio"] < 1.4
        assert adjusted["bias_sd"] < 0.06
    for outcome in ("pain", "mobility"):
        assert table.loc[(outcome, "unadjusted"), "coverage"] < 60
