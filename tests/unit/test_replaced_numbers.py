"""The code by which the how-to replaces a clinic's own numbers."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def rows(file: Path) -> list[dict[str, str]]:
    """Rows of a file with semicolons."""
    with file.open(encoding="utf-8") as text:
        return list(csv.DictReader(text, delimiter=";"))


def test_numbers_are_new_and_the_same_in_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (code,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/how-to/map-your-records.md").read_text("utf-8"), re.S
    )
    cases = [f"{70211 + k};{9000 + k // 2};neck" for k in range(20)]
    scores = [f"{70211 + k % 20};{k}" for k in range(60)]
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "cases.csv").write_text("\n".join(["CaseNo;PatNo;Area", *cases]))
    (tmp_path / "export" / "scores.csv").write_text("\n".join(["Case;ODI", *scores]))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "map-your-records.md", "exec"), {})

    made = rows(tmp_path / "replaced" / "cases.csv")
    number = {70211 + k: row["CaseNo"] for k, row in enumerate(made)}
    assert sorted(map(int, number.values())) == list(range(1, 21))
    assert len({row["PatNo"] for row in made}) == 10
    assert {row["Area"] for row in made} == {"neck"}
    told = [row["Case"] for row in rows(tmp_path / "replaced" / "scores.csv")]
    assert told == [number[70211 + k % 20] for k in range(60)]
