"""Nothing half-written, problems without values, stages that are kept."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from outcomes.core.atomic import replaced_file, replaced_folder
from outcomes.core.errors import (
    DisclosureError,
    EstimationError,
    ExitCode,
    NotConverged,
    RecordsError,
    SpecError,
    UsageError,
)
from outcomes.core.problems import Problem
from outcomes.core.progress import Progress
from outcomes.core.provenance import hash_file, hash_json, hash_text, versions


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "results"
    with replaced_folder(target) as partial:
        (partial / "manifest.json").write_text("{}")
        assert not target.exists()
    assert names(target) == ["manifest.json"]
    assert names(tmp_path) == ["results"]


def test_own_folder_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "results"
    for number in range(2):
        with replaced_folder(target) as partial:
            (partial / "manifest.json").write_text(str(number))
    assert (target / "manifest.json").read_text() == "1"
    assert names(tmp_path) == ["results"]


def test_interrupted_work_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "results"
    with replaced_folder(target) as partial:
        (partial / "manifest.json").write_text("old")

    def interrupted() -> None:
        with replaced_folder(target) as partial:
            (partial / "manifest.json").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (target / "manifest.json").read_text() == "old"
    assert names(tmp_path) == ["results"]


def test_foreign_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="left alone"), replaced_folder(tmp_path):
        raise AssertionError
    assert names(tmp_path) == ["thesis.txt"]


def test_a_file_is_no_folder_and_a_folder_no_file(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("")
    with pytest.raises(UsageError, match="is a file"), replaced_folder(file):
        raise AssertionError
    with pytest.raises(UsageError, match="is a folder"), replaced_file(tmp_path):
        raise AssertionError


def test_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.html"
    with replaced_file(target) as partial:
        partial.write_text("page")
        assert not target.exists()
    assert target.read_text() == "page"
    assert names(target.parent) == ["report.html"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (SpecError("x"), 3),
        (RecordsError("x"), 4),
        (EstimationError("x"), 5),
        (NotConverged("x"), 5),
        (DisclosureError("x"), 6),
    ],
)
def test_one_exit_code_a_kind(error: UsageError, code: int) -> None:
    assert error.exit_code == code
    assert ExitCode(code)


def test_problem_in_words() -> None:
    problem = Problem(
        severity="error",
        table="assessments",
        column="score",
        rule="range",
        message="are outside 0-100 for instrument 'odi'",
        remedy="'odi' expects percent.",
        count=14,
        n_rows=20_310,
        rows=(112, 998, 1204),
    )
    assert str(problem) == (
        "assessments.score: 14 of 20,310 rows are outside 0-100 for instrument 'odi' "
        "(first rows 112, 998, 1204). 'odi' expects percent."
    )
    assert problem.to_dict()["rows"] == [112, 998, 1204]


def test_stages_are_plain_lines_without_a_terminal() -> None:
    stream = io.StringIO()
    progress = Progress(total=2, stream=stream)
    with progress.stage("read", "Reading"):
        progress.update(1, 2)
    with pytest.raises(ValueError, match="stop"), progress.stage("model", "Fitting"):
        raise ValueError("stop")
    assert stream.getvalue() == "[1/2] Reading ...\n[2/2] Fitting ...\n"
    assert [record.name for record in progress.records] == ["read", "model"]
    assert all(record.seconds >= 0 and record.peak_mb > 1 for record in progress.records)


def test_quiet_says_nothing() -> None:
    stream = io.StringIO()
    with Progress(quiet=True, stream=stream).stage("read", "Reading"):
        pass
    assert stream.getvalue() == ""


def test_a_terminal_sees_one_line_rewritten() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    progress = Progress(stream=stream)
    with progress.stage("read", "Reading"):
        progress.update(1, 4)
        progress.update(2, 4)  # too soon after the first to be shown
    text = stream.getvalue()
    assert "1/4" in text
    assert "2/4" not in text
    assert text.endswith(" s\n")


def test_hashes_do_not_depend_on_order(tmp_path: Path) -> None:
    assert hash_json({"a": 1, "b": [2]}) == hash_json({"b": [2], "a": 1})
    (tmp_path / "f").write_text("abc")
    assert hash_file(tmp_path / "f") == hash_text("abc")
    assert versions(("no-such-package",))["no-such-package"] == "not installed"
