"""Every notebook runs from top to bottom, in the folder it lives in."""

from __future__ import annotations

from pathlib import Path

import jupytext
import pytest

from docs.generate import ROOT

NOTEBOOKS = sorted(
    path for path in (ROOT / "analyses").glob("*/*.md") if "jupytext:" in path.read_text("utf-8")
)


def test_there_is_a_notebook() -> None:
    assert [path.name for path in NOTEBOOKS] == ["back-pain.md"]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path) -> None:
    from nbclient import NotebookClient

    notebook = jupytext.read(path)
    done = NotebookClient(
        notebook, timeout=240, resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    code = [cell for cell in done.cells if cell.cell_type == "code"]
    assert len(code) >= 8
    assert all(cell.outputs for cell in code if not cell.source.startswith("import"))
