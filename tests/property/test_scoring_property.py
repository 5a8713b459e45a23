"""What must hold for any answers: order, direction, range, and no invented score."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from outcomes.catalog.instruments import instrument
from outcomes.measures.score import score_instrument

SUMS = [
    "odi",
    "ndi",
    "phq_9",
    "gad_7",
    "tsk_11",
    "pseq",
    "berg_balance",
    "promis_pf_4a",
    "quickdash",
]
answers = st.one_of(st.none(), st.integers(-2, 8))


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(SUMS), st.data())
def test_scores_stay_in_range_or_are_missing(name: str, data: st.DataObject) -> None:
    asked = instrument(name)
    row = data.draw(st.lists(answers, min_size=len(asked.items), max_size=len(asked.items)))
    frame = pd.DataFrame([row], columns=list(asked.items), dtype=float)
    got = score_instrument(name, frame).iloc[0]
    if got["status"] in ("scored", "prorated"):
        assert asked.score_min is not None
        assert asked.score_max is not None
        assert asked.score_min <= got["score"] <= asked.score_max
    else:
        assert np.isnan(got["score"])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SUMS), st.data())
def test_one_answer_up_moves_the_score_up(name: str, data: st.DataObject) -> None:
    asked = instrument(name)
    low, high = asked.item_range[asked.items[0]]
    item = st.integers(int(low), int(high))
    row = data.draw(st.lists(item, min_size=len(asked.items), max_size=len(asked.items)))
    at = data.draw(st.integers(0, len(row) - 1))
    more = [*row]
    more[at] = min(int(high), more[at] + 1)
    frame = pd.DataFrame([row, more], columns=list(asked.items), dtype=float)
    got = score_instrument(name, frame)["score"]
    assert got[1] >= got[0]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_forms_do_not_see_each_other(data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.lists(answers, min_size=10, max_size=10), min_size=1, max_size=5))
    frame = pd.DataFrame(rows, columns=range(1, 11), dtype=float)
    together = score_instrument("odi", frame)
    alone = pd.concat([score_instrument("odi", frame.loc[[at]]) for at in frame.index])
    pd.testing.assert_frame_equal(together, alone)
