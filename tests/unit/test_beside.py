"""A second process gives the same numbers, and a lost one costs nothing but time."""

from __future__ import annotations

import os
from concurrent.futures import BrokenExecutor
from dataclasses import replace

import numpy as np
import pytest
from pandas.testing import assert_frame_equal

from outcomes.core.errors import NotEstimable
from outcomes.core.progress import SILENT
from outcomes.models.analysis import Analyses, analyse
from outcomes.workflow import beside
from outcomes.workflow.beside import Modelling
from tests.unit.analysis_standin import dataset, spec

MANY = beside.LARGE


@pytest.fixture(scope="module")
def plain() -> Analyses:
    return analyse(dataset(500, study=spec(model={"covariates": ["age"]})))


def _same(found: Analyses, plain: Analyses) -> None:
    assert found.notes == plain.notes
    assert list(found.fits) == list(plain.fits)
    for name, table in plain.tables.items():
        assert_frame_equal(found.tables[name], table)


def test_a_second_process_changes_no_number(plain: Analyses) -> None:
    data = dataset(500, study=spec(model={"covariates": ["age"]}))
    with Modelling(MANY) as models:
        models.begin(data, {}, "duckdb")
        _same(models.finish(SILENT), plain)


@pytest.mark.parametrize("begun", [False, True])
def test_a_lost_process_is_made_up_for(plain: Analyses, *, begun: bool) -> None:
    data = dataset(500, study=spec(model={"covariates": ["age"]}))
    with Modelling(MANY) as models:
        lost = models._process.submit(os._exit, 1)
        if begun:
            models.begin(data, {}, "duckdb")
        with pytest.raises(BrokenExecutor):
            lost.result()
        if not begun:
            models.begin(data, {}, "duckdb")
        _same(models.finish(SILENT), plain)


def test_what_the_other_process_raises_is_raised_here() -> None:
    data = dataset(500, study=spec(model={"covariates": []}))
    data = replace(data, visit_rows=data.visit_rows.assign(pain=np.nan))
    with Modelling(MANY) as models:
        models.begin(data, {}, "duckdb")
        with pytest.raises(NotEstimable):
            models.finish(SILENT)


def test_a_small_study_stays_where_it_is() -> None:
    with Modelling(MANY - 1) as models:
        assert models._process is None


def test_where_no_process_can_be_had_this_one_does_it_all(
    plain: Analyses, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("loky.ProcessPoolExecutor", refused)
    data = dataset(500, study=spec(model={"covariates": ["age"]}))
    with Modelling(MANY) as models:
        models.begin(data, {}, "duckdb")
        _same(models.finish(SILENT), plain)
