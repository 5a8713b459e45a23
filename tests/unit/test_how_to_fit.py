"""The pages on how to fit a trial, and on what to ask of a fit, run as they stand."""

import re
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "how-to"


@pytest.fixture
def run(monkeypatch, tmp_path):
    # A page reads what the repository holds, and writes a file of its own.
    (tmp_path / "tests").symlink_to(PAGES.parents[1] / "tests")
    monkeypatch.chdir(tmp_path)

    def every_block(page):
        """Return the page's text, and the names that its blocks leave behind."""
        text, names = (PAGES / page).read_text(), {}
        for block in re.findall(r"```python\n(.*?)```", text, flags=re.S):
            exec(compile(block, page, "exec"), names)
        return text, names

    return every_block


@pytest.mark.slow
def test_every_block_and_call_of_the_page_on_fits_runs(run, capsys):
    text, names = run("look-into-a-fit.md")
    assert "Type III tests" in capsys.readouterr().out
    calls = [call for line in text.splitlines() for call in re.findall(r"\| `(.*)` \|$", line)]
    assert len(calls) == 10
    for call in calls:
        for one in call.split("`, `"):
            assert len(eval(one, names)) > 0


@pytest.mark.slow
def test_every_block_of_the_page_on_trials_runs(run):
    _, names = run("fit-a-trial.md")
    notes = "\n".join(names["small"].notes)
    assert "Covariance 'us' could not be fitted" in notes
    assert "Covariance 'csh' was used instead" in notes
    assert names["by_arm"].fit.reml.covariance == "us"
    assert set(names["by_arm"].covariance) == set(names["arms"])
    assert set(names["treated"]["gate"]) == {"open"}
