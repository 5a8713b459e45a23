"""The page on what to ask of a fit runs as it stands."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "look-into-a-fit.md"


@pytest.mark.slow
def test_every_block_and_call_runs(monkeypatch, capsys, tmp_path):
    # The page reads what the repository holds, and writes a file of its own.
    (tmp_path / "tests").symlink_to(PAGE.parents[2] / "tests")
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text()
    names = {}
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.S):
        exec(compile(block, PAGE.name, "exec"), names)
    assert "Type III tests" in capsys.readouterr().out
    calls = [call for line in text.splitlines() for call in re.findall(r"\| `(.*)` \|$", line)]
    assert len(calls) == 10
    for call in calls:
        for one in call.split("`, `"):
            assert len(eval(one, names)) > 0
