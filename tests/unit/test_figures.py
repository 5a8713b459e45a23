"""Still pictures and Plotly figures say the same, and nothing that is hidden."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest

from outcomes.figures.codelivery import Combination, codelivery_figure, codelivery_picture
from outcomes.figures.forest import ForestRow, build_scale, forest_figure
from outcomes.figures.mini import mini_picture
from outcomes.figures.responder import Share, responder_figure
from outcomes.figures.svg import (
    Estimate,
    Scale,
    axis_picture,
    definitions,
    marker_shapes,
    row_picture,
    whisker,
)
from outcomes.figures.theme import CONFIG, build_looks
from outcomes.figures.timeline import build_level, build_timeline
from outcomes.figures.trajectory import (
    Course,
    Value,
    panel_picture,
    spread,
    together_picture,
    trajectory_figure,
)

LOOKS = build_looks(
    [
        {"id": "exercise", "name": "Exercise"},
        {"id": "manual_therapy", "name": "<b>Manual</b>"},
        {"id": "usual_care", "name": "Usual care", "reference": True},
    ]
)


def _line(*values: float | None) -> list[Value]:
    return [
        Value(
            estimate=v,
            low=None if v is None else v - 0.2,
            high=None if v is None else v + 0.2,
            n=100,
            text="gate" if v is None else f"{v}",
        )
        for v in values
    ]


def _course() -> Course:
    timeline = build_timeline(
        [("week_6", "6", 42), ("week_12", "12", 84), ("end", "discharge", None)], start=True
    )
    lines = {
        "exercise": _line(6.0, 4.4, 3.6, 3.5),
        "manual_therapy": _line(6.0, 4.3, None, 3.9),
        "usual_care": _line(6.0, 4.9, 4.5, 4.1),
    }
    return Course(timeline=timeline, lines=lines, looks=LOOKS)


def test_an_event_stands_after_the_last_visit_and_is_not_joined() -> None:
    line = _course().timeline
    assert line.weeks[:3] == (0.0, 6.0, 12.0)
    assert line.weeks[3] > 12
    assert line.joined == (True, True, True, False)


def test_a_line_stops_where_a_mean_is_not_shown() -> None:
    points = _course().points("manual_therapy")
    assert len(points) == 3
    assert not points[2].joined
    picture = panel_picture(_course(), "manual_therapy", "usual_care", "pain")
    assert "not shown" in picture


def test_a_hidden_number_of_people_is_hatched() -> None:
    start, first, *rest = _course().lines["exercise"]
    lines = {**_course().lines, "exercise": [start, replace(first, n=None), *rest]}
    course = replace(_course(), lines=lines)
    picture = panel_picture(course, "exercise", "usual_care", "pain")
    assert picture.count('href="#hid"') == 1
    assert picture.count(">100<") == 7
    assert "–" not in picture


def test_the_range_holds_every_interval() -> None:
    level = _course().level
    assert level.low <= 3.3
    assert level.high >= 6.2
    assert build_level([2.0, 2.0]).high > 2.0


def test_plotly_draws_a_panel_a_type_and_a_gap_for_what_is_hidden() -> None:
    figure = trajectory_figure(_course(), "usual_care")
    assert len(figure.data) == 2 * 4
    manual = next(t for t in figure.data if t.name == "<b>Manual</b>")
    assert list(manual.y) == [6.0, 4.3, None, 3.9]
    assert figure.layout.showlegend is False


def test_the_forest_axis_cuts_only_extreme_intervals() -> None:
    usual = [(0.6, 1.2), (0.3, 0.9), (-0.2, 0.5)]
    scale = build_scale([*usual, (-40.0, 40.0)], 0.5)
    assert scale.low < -0.8
    assert scale.cut(40.0)
    assert not any(scale.cut(end) for pair in usual for end in pair)


def test_an_interval_that_leaves_the_axis_ends_in_an_arrow() -> None:
    scale = Scale(low=-1, high=1)
    drawn = whisker(scale, Estimate(estimate=0.5, low=0.1, high=3.0))
    assert "#cut1" in drawn
    assert "#cap" in drawn


def test_a_gated_row_has_no_mark() -> None:
    drawn = row_picture(LOOKS["exercise"], None, Scale(low=-1, high=1), behind="forest-pain")
    assert drawn.count("<use") == 1


def test_a_forest_in_plotly_names_the_reason() -> None:
    at = Estimate(estimate=0.9, low=0.6, high=1.2)
    rows = [
        ForestRow(label="Exercise", look=LOOKS["exercise"], at=at, text="0.9 (0.6 to 1.2)"),
        ForestRow(label="Manual", look=LOOKS["manual_therapy"], at=None, reason="floor 40 %"),
    ]
    figure = forest_figure(rows, margin=0.5, better="less pain", worse="more pain")
    assert len(figure.data) == 1
    texts = [a.text for a in figure.layout.annotations]
    assert "Not shown: floor 40 %" in texts


def test_shares_that_are_hidden_leave_a_gap() -> None:
    seen = Share(estimate=0.5, low=0.4, high=0.6, text="50 (40 to 60)")
    hidden = Share(estimate=None, low=None, high=None, text="hidden")
    figure = responder_figure([1, 2], {"exercise": [seen, hidden]}, LOOKS, unit="points")
    assert list(figure.data[0].y) == [50.0, None]


def test_combinations_join_their_parts() -> None:
    rows = [
        Combination(name="A + B", parts=("A", "B"), n=40),
        Combination(name="other", parts=(), n=20, pooled=True),
    ]
    drawn = codelivery_picture(rows)
    assert drawn.count('class="tie"') == 1
    assert "other combinations" in drawn
    assert list(codelivery_figure(rows).data[0].x) == [20, 40]


def test_markers_are_defined_once_for_each_type_and_size() -> None:
    drawn = definitions(marker_shapes(LOOKS.values()))
    assert all(drawn.count(f'id="{size}{slot}"') == 1 for size in "ab" for slot in range(3))


def test_a_small_trajectory_has_its_numbers_at_the_visit_of_the_card() -> None:
    course = _course()
    picture = mini_picture(course, "exercise", "usual_care", "week_6")
    assert [words for words in ("4.4", "4.9") if words in picture] == ["4.4", "4.9"]
    assert "3.5" not in picture
    assert "4.1" not in picture
    last = mini_picture(course, "exercise", "usual_care", "end")
    assert "3.5 Exercise" in last
    assert "4.4" not in last
    assert "axl" not in picture


def test_every_name_at_an_end_is_joined_to_its_line() -> None:
    course = _course()
    whole = together_picture(course, "exercise", "pain")
    assert whole.count('class="led') == len(LOOKS)
    short = {**course.lines, "manual_therapy": _line(6.0, 4.3, 4.1, None)}
    cut = together_picture(replace(course, lines=short), "exercise", "pain")
    assert cut.count('class="led') == len(LOOKS) - 1


def test_labels_at_the_ends_of_an_axis_stay_inside() -> None:
    drawn = axis_picture(Scale(low=0.0, high=0.42, ticks=(0.0, 0.2, 0.4)), share=True)
    labels = re.findall(r'text-anchor="(\w+)">([^<]+)<', drawn)
    assert labels == [("start", "0"), ("middle", "20"), ("end", "40\u00a0%")]


def test_end_labels_are_spread_and_kept_inside() -> None:
    places = spread([10, 11, 12, 178], 13, 8, 180)
    gaps = [b - a for a, b in pairwise(places)]
    assert min(gaps) >= 13
    assert places[-1] <= 180


@pytest.mark.parametrize("key", ["showSendToCloud", "displayModeBar", "displaylogo"])
def test_plotly_offers_nothing_that_leaves_the_page(key: str) -> None:
    assert CONFIG[key] is False
    assert CONFIG["plotlyServerURL"] == ""
