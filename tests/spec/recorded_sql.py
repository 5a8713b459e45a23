"""Every statement that a study sends to DuckDB, taken down while the study is made.

:class:`RecordingConnection` stands where the records' connection stands. What is around a
statement (``create temp table ... as``, ``insert into``) belongs to the engine; what has to be
portable is the select in it, which is taken down with DuckDB's answer and every table it could see.
"""

from __future__ import annotations

import dataclasses
import re
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from outcomes.models.site import study_moments
from outcomes.records import Records, read_records
from outcomes.simulate import write_records
from outcomes.study.dataset import build_dataset
from outcomes.study.episodes import Flow, find_candidates
from outcomes.study.spec import StudySpec
from outcomes.study.steps import steps_in
from outcomes.study.visits import find_scores
from outcomes.workflow.demo import demo_study
from outcomes.workflow.run import describe
from tests.records_example import write_example

Effect = Literal["given", "kept", "asked"]

_KEEP = r"create\s+(?:or\s+replace\s+)?temp\s+table\s+(\w+)\s+as\s+(.+)"
_INSERT = r"insert\s+into\s+(\w+)\s+(.+)"
_CHANGE = r"(?:create\s+temp\s+table|delete\s+from)\s+(\w+)\s*(?:\(|where\s).+"
_PASSED_ON = (
    "keep", "give", "columns", "frame", "coded", "coded_frame", "row", "run", "fetch",
    "per_episode",
)  # fmt: skip
"""Calls that only hand a statement on; it belongs to who calls them."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A select and its answer; what is ``given`` is a table as it stood, without a text."""

    effect: Effect
    table: str
    select: str
    answer: pa.Table
    origin: str


class RecordingConnection:
    """A connection or cursor of DuckDB that takes down what it is asked."""

    def __init__(self, inner: Any, steps: list[Step]) -> None:
        self._inner = inner
        self._steps = steps

    def cursor(self) -> RecordingConnection:
        return RecordingConnection(self._inner.cursor(), self._steps)

    def register(self, name: str, frame: Any) -> None:
        self._inner.register(name, frame)
        self.give(name)

    def execute(self, text: str, *parameters: Any) -> Any:
        assert not parameters, f"{_origin()}: engines mark parameters differently; write literals"
        effect, table, select = apart(text)
        if select:
            answer = self._inner.execute(select).to_arrow_table()
            self._take_down(effect, table, select, answer)
        result = self._inner.execute(text)
        if table and effect != "kept":
            self.give(table)
        return result

    def give(self, name: str) -> None:
        """Take down a table that no statement made."""
        found = self._inner.execute(f'select * from "{name}"').to_arrow_table()
        self._take_down("given", name, "", found)

    def _take_down(self, effect: Effect, table: str, select: str, answer: pa.Table) -> None:
        self._steps.append(
            Step(effect=effect, table=table, select=select, answer=answer, origin=_origin())
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def apart(text: str) -> tuple[Effect, str, str]:
    """Return what becomes of an answer, the table that is made or changed, and the select."""
    if found := _match(_KEEP, text):
        return "kept", found[1], found[2]
    if found := _match(_INSERT, text):
        return "asked", found[1], found[2]
    if found := _match(_CHANGE, text):
        return "given", found[1], ""
    return "asked", "", text


def _match(pattern: str, text: str) -> re.Match[str] | None:
    return re.fullmatch(pattern, text.strip(), re.DOTALL | re.IGNORECASE)


def _origin() -> str:
    """Return the function of the package that asked, as ``study/dose.py:_contacts``."""
    for frame in reversed(traceback.extract_stack()):
        parts = Path(frame.filename).parts
        if "outcomes" in parts and frame.name not in _PASSED_ON:
            place = len(parts) - parts[::-1].index("outcomes")
            return f"{'/'.join(parts[place:])}:{frame.name}"
    return "?"


def record_study(folder: Path, *, episodes: int, seed: int) -> list[Step]:
    """Make a small study from simulated records and return what was asked on the way."""
    steps: list[Step] = []
    write_records(folder / "records", episodes=episodes, seed=seed)
    records = _recording(read_records(folder / "records"), steps)
    study = _study(folder / "records")
    dataset = build_dataset(records, study)
    describe(dataset, records)
    study_moments(dataset, connection=records.connection)
    _record_scores_from_items(records, study)
    _record_poor_records(folder / "poor", steps)
    return steps


def _recording(records: Records, steps: list[Step]) -> Records:
    connection = RecordingConnection(records.connection, steps)
    for name in records.tables:
        connection.give(name)
    return dataclasses.replace(records, connection=connection)


def _study(records: Path) -> StudySpec:
    """The demonstration, with a visit at discharge and a lower bar for types."""
    plain = demo_study(records).model_dump(by_alias=True, exclude_none=True)
    discharge = {"label": "discharge", "event": "discharge", "within_days": 30}
    return StudySpec.model_validate(
        plain
        | {
            "visits": [*plain["visits"], discharge],
            "exposure": plain["exposure"] | {"min_group": 5},
        }
    )


def _record_scores_from_items(records: Records, study: StudySpec) -> None:
    """Scores of an instrument that a study compares and of which only answers are recorded."""
    with steps_in(records) as opened:
        opened.keep("analysed_ids", "select episode_id, end_day from episodes")
        ids = opened.columns("select episode_id from analysed_ids order by episode_id")
        codes = ("promis_pf_4a",)
        find_scores(opened, ids["episode_id"], codes, study.visits, study.time, window_days=14)


def _record_poor_records(folder: Path, steps: list[Step]) -> None:
    """Who is eligible where there are age bands, and no ages and no clock of the patient."""
    episodes = "episode_id,patient_id,body_region,end_day\nE1,P1,low_back,80\nE2,P2,neck,75\n"
    alone: dict[str, str | bytes | None] = {
        "episodes.csv": episodes + "E3,P2,low_back,60\nE4,P3,low_back,\n"
    }
    alone |= dict.fromkeys(f"{name}.csv" for name in ("clinics", "sessions", "components"))
    records = _recording(read_records(write_example(folder, alone)), steps)
    with steps_in(records) as opened:
        population = demo_study(folder).population
        find_candidates(opened, population, 14, Flow())
        find_candidates(opened, population.model_copy(update={"episodes": "first"}), 14, Flow())
