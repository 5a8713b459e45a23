"""A study that was drafted before its records could be read: what it says, and what check asks."""

from __future__ import annotations

from pathlib import Path

from outcomes.study.propose import write_proposal, write_study
from outcomes.workflow import check_study
from tests.records_example import write_example


def asked(folder: Path) -> list[str]:
    """What check says of the draft itself."""
    return [str(one) for one in check_study(folder) if one.rule == "unread_draft"]


def test_a_draft_without_records_says_so_and_check_asks_for_another(tmp_path: Path) -> None:
    records, folder = tmp_path / "records", tmp_path / "my-study"
    write_example(records, {"assessments.csv": "episode_id,score\nE1,5\n"})
    _, study = write_proposal(folder, records)
    said = study.read_text()
    assert "GAP: the records could not be read through the mapping yet" in said
    assert "nor programs are recorded" not in said
    assert "measured twice" not in said
    assert asked(folder) == []

    (folder / "mapping.toml").write_text("schema = 1\ntables = []\n")
    (records / "assessments.csv").unlink()
    write_example(records)
    (problem,) = asked(folder)
    assert "was drafted before the records could be read" in problem
    assert f"outcomes init {folder} --records {records} --mapping" in problem

    write_study(folder, records, folder / "mapping.toml")
    assert asked(folder) == []
