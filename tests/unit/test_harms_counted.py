"""Whom and what the harms of a report count, in words."""

from __future__ import annotations

import pandas as pd
import pytest

from outcomes.report.context import build_context
from outcomes.report.page import render_page
from outcomes.report.release import Release
from outcomes.report.safety import build_harms
from tests import report_example


def uncounted(**counts: float | None) -> str:
    """Return the sentence where these many episodes ended early, by type; None where hidden."""
    release = report_example.release()
    flow = release.table("flow")
    one = flow[flow["step"].eq("ended")].iloc[0]
    rows = [
        {**one, "step": f"ended_{name}", "n_episodes": float("nan") if n is None else n}
        for name, n in counts.items()
    ]
    flow = pd.concat([flow[flow["step"].ne("ended")], pd.DataFrame(rows, columns=flow.columns)])
    found = build_harms(build_context(Release(release.study, {**release.tables, "flow": flow})))
    assert found is not None
    return found.uncounted


@pytest.mark.parametrize(
    ("counts", "end"),
    [
        ({"exercise": 250, "other": 140}, ": 390."),
        ({"exercise": 1250, "other": None}, ": 1,250 and a hidden number more."),
        ({"exercise": None, "other": 0}, ": a hidden number of them."),
    ],
)
def test_episodes_over_before_time_zero_are_said_to_be_uncounted(
    counts: dict[str, float | None], end: str
) -> None:
    said = uncounted(**counts)
    assert said.startswith("Episodes that ended before day 14 are not counted here")
    assert said.endswith(end)


def test_nothing_is_said_where_none_ended_early() -> None:
    assert uncounted(exercise=0, other=0) == ""
    assert uncounted() == ""


def test_the_page_says_what_the_limits_assume_and_who_is_not_counted() -> None:
    page = render_page(report_example.release())
    assert "independent of the others (exact Poisson limits)" in page
    assert "not counted here, though harm may have ended them: 390." in page
