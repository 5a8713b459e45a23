"""What became of opioid users whose dose is not known, or is outside MME."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from outcomes.models.analysis import analyse
from outcomes.models.medication import stand_in
from tests.unit.analysis_standin import EXPOSURES, MEDICATION, PAIN, Dataset, dataset, spec
from tests.unit.test_responder import people_of

PARTS = ["stopped", "halved", "little_change", "increased"]


def draw_whole() -> Dataset:
    """Everyone seen at every visit."""
    study = spec(outcomes=(PAIN, MEDICATION))
    return dataset(500, seed=4, follow_up=1.1, study=study)


def parts_of(data: Dataset) -> pd.DataFrame:
    """Return the four shares at week 12, a column a part and a row a type."""
    table = analyse(data).tables["medication_change"]
    rows = table[table["estimand"].isin(PARTS) & table["visit"].eq("week_12")]
    return rows.pivot(index="level", columns="estimand", values="estimate").loc[list(EXPOSURES)]


def users_at_week_12(data: Dataset) -> np.ndarray:
    """Return the rows of those with a dose at time zero and at week 12."""
    before = data.visit_rows["episode_id"].map(
        data.episodes.set_index("episode_id")["baseline_medication"]
    )
    rows = data.visit_rows["visit"].eq("week_12") & data.visit_rows["medication"].gt(0)
    return (rows & (before > 0)).to_numpy()


def test_a_dose_not_known_is_no_stop() -> None:
    """Half of the users lose their dose: nobody has stopped who had not, and the rest is shared."""
    data = draw_whole()
    before = parts_of(data)
    users = np.flatnonzero(users_at_week_12(data))
    rows = data.visit_rows.copy()
    rows.loc[users[::2], "medication"] = np.nan
    after = parts_of(replace(data, visit_rows=rows))
    np.testing.assert_allclose(after["stopped"], before["stopped"], atol=1e-12)
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(after, before, atol=0.15)


def test_agonist_treatment_is_no_stop() -> None:
    """Half of the users change to a medicine outside MME: the dose is 0, and none has stopped."""
    data = draw_whole()
    before = parts_of(data)
    rows = data.visit_rows.copy()
    rows.loc[np.flatnonzero(users_at_week_12(data))[::2], "medication"] = 0.0
    after = parts_of(replace(data, visit_rows=rows))
    np.testing.assert_allclose(after["stopped"], before["stopped"], atol=1e-12)
    np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-12)
    assert (after["halved"] > before["halved"] + 0.1).all()


def test_those_known_stand_for_those_who_are_not() -> None:
    people = people_of(np.array([0, 0, 0, 0, 1, 1]), np.zeros((6, 0)), np.arange(6))
    weights = np.array([1.0, 2.0, 1.0, 5.0, 1.0, 1.0])
    users = np.array([True, True, True, False, True, False])
    unknown = np.array([False, True, False, False, True, False])
    given = stand_in(weights, unknown, users, people.population)
    assert given.tolist() == pytest.approx([2, 0, 2, 5, 0, 0])
