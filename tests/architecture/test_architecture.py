"""The papers agree with the tree."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import outcomes
from docs.generate import ARCHITECTURE, PACKAGE, ROOT, stale

TEXTS = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "analyses/*/*.md") for path in ROOT.glob(pattern)
)


def test_generated_pages_are_up_to_date() -> None:
    assert stale() == []


def test_architecture_names_every_module() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    modules = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*.py")
        if path.read_text(encoding="utf-8").strip()
    }
    named = set(re.findall(r"`(outcomes/[\w/]+\.py)`", text))
    assert named == modules


def test_every_module_says_what_it_is_about() -> None:
    silent = [
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*.py")
        if (text := path.read_text(encoding="utf-8").strip())
        and not text.startswith(('"""', 'r"""'))
    ]
    assert silent == []


@pytest.mark.parametrize("name", [n for n in outcomes.__all__ if not n.startswith("__")])
def test_promised_names_are_there(name: str) -> None:
    assert callable(getattr(outcomes, name))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute"):
        _ = outcomes.no_such_thing


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ["pandas", "numpy", "scipy", "duckdb", "plotly", "statsmodels", "pingouin", "formulaic"]
    code = (
        "import sys, outcomes, outcomes.cli;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_one_module_imports_pingouin() -> None:
    users = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"^\s*(import|from) pingouin", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert users == ["measures/reliability.py"]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (path.parent / target).exists()] == []


def test_make_targets_are_the_promised_ones() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", text, re.MULTILINE))
    promised = "help setup demo test quick bench simulation docs notebook clean"
    assert set(promised.split()) <= targets


def test_every_module_can_be_imported() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name != "__main__.py":
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            module = importlib.import_module(name.removesuffix(".__init__"))
            assert module.__doc__ or path.name == "__init__.py", f"{name} does not say what it is"
