"""Broken input through the commands: the right exit code, a placed message, and nothing left."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pytest

from outcomes.cli import answer
from outcomes.core.errors import ExitCode
from outcomes.records.schema import TABLES as TABLES_IN
from outcomes.simulate import write_records
from tests.spec.hostile import CANARY, NUMBER, Hostile, together, write_study
from tests.spec.hostile_cases import COLLINEAR, FORMULA, LABELS, ROWS, SCRIPT, STUDIES, TABLES

FAILING = (*STUDIES, *TABLES)


class Command:
    """The command line within this process, its temporary files under the test's eye."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scratch: Path
    ) -> None:
        self.monkeypatch, self.capsys, self.scratch = monkeypatch, capsys, scratch
        scratch.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    def __call__(self, *arguments: str | Path) -> tuple[int, str, str]:
        """Return exit code, standard output and standard error."""
        self.monkeypatch.setattr(sys, "argv", ["outcomes", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            answer()
        said = self.capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    return Command(monkeypatch, capsys, tmp_path / "scratch")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_study(tmp_path / "study")


def files_in(folder: Path) -> set[Path]:
    """Return everything below a folder, hidden or not."""
    return set(folder.rglob("*"))


def text_of(path: Path) -> str:
    """Return what a file says, Parquet unpacked."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path).to_csv()
    return path.read_text(encoding="utf-8")


def repeats_a_value(text: str) -> bool:
    return CANARY.lower() in text.lower() or NUMBER in text.replace(",", "")


# ------------------------------------------------------------------------------ what cannot be run
@pytest.mark.parametrize("case", FAILING, ids=lambda case: case.name)
def test_a_run_that_fails_says_where_and_leaves_nothing(
    case: Hostile, folder: Path, command: Command
) -> None:
    case.change(folder)
    before = files_in(folder)
    code, out, err = command("run", folder, "--quiet")
    assert code == case.code, err
    assert out == ""
    assert [words for words in case.says if words not in err] == []
    assert not repeats_a_value(err)
    assert "Traceback" not in err
    assert files_in(folder) == before
    assert [path for path in files_in(command.scratch) if path.is_file()] == []


@pytest.mark.parametrize("case", FAILING, ids=lambda case: case.name)
def test_check_finds_what_stops_a_run(case: Hostile, folder: Path, command: Command) -> None:
    case.change(folder)
    code, out, err = command("check", folder, "--quiet")
    wanted = case.code if case.check_code is None else case.check_code
    assert code == wanted, out + err
    if wanted is not ExitCode.FINE:
        assert [words for words in case.says if words not in out + err] == []
    assert not repeats_a_value(out + err)
    assert "Traceback" not in err


# ---------------------------------------------------------------------------- what is set aside
@pytest.mark.parametrize("case", ROWS, ids=lambda case: case.name)
def test_one_odd_row_is_named_and_its_value_is_not(
    case: Hostile, folder: Path, command: Command
) -> None:
    case.change(folder)
    code, out, err = command("check", folder, "--quiet")
    assert code == case.code, out + err
    assert [words for words in case.says if words not in out] == []
    assert not repeats_a_value(out + err)


def test_all_odd_rows_at_once_leave_no_value_in_any_file(folder: Path, command: Command) -> None:
    for case in ROWS:
        if case.name not in ("nobody_described", "utf16", "short_row", "duplicate_key"):
            case.change(folder)
    code, out, err = command("run", folder, "--quiet")
    assert code == ExitCode.FINE, err
    assert out == f"{folder / 'results' / 'report.html'}\n"
    results = folder / "results"
    shown = [p for p in files_in(results) if p.is_file() and results / "private" not in p.parents]
    assert len(shown) > 20
    assert [p.name for p in shown if repeats_a_value(text_of(p))] == []
    assert not repeats_a_value(text_of(results / "private" / "problems.parquet"))
    assert not repeats_a_value(err)
    code, _, _ = command("check-report", results / "report.html")
    assert code == ExitCode.FINE


@pytest.mark.slow
def test_an_odd_code_in_every_category_stays_in_the_house(folder: Path, command: Command) -> None:
    write_records(folder / "made", episodes=300, seed=5, format="csv")
    for name in ("dictionary.md", "manifest.json"):
        (folder / "made" / name).unlink()
    text = (folder / "study.toml").read_text()
    for old, new in (('"records"', '"made"'), ('covariates = ["age", "sex"]\n', "")):
        text = text.replace(old, new)
    (folder / "study.toml").write_text(text)
    columns = sum(odd_codes(path) for path in sorted((folder / "made").glob("*.csv")))
    assert columns > 30
    code, _, err = command("run", folder, "--quiet")
    assert code == ExitCode.FINE, err
    release = folder / "results" / "release"
    shown = [*release.rglob("*.*"), folder / "results" / "report.html"]
    assert [path.name for path in shown if repeats_a_value(text_of(path))] == []
    code, out, _ = command("check", folder, "--quiet")
    assert code == ExitCode.FINE
    assert out.count("does not know") > 20
    assert not repeats_a_value(out)


def odd_codes(path: Path) -> int:
    """Write something nobody knows into one row of each category; returns how many there are."""
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    names = [c.name for c in TABLES_IN[path.stem].columns if c.kind == "category"]
    names = [name for name in names if name in rows]
    for row, name in enumerate(names, start=7 if len(rows) > 50 else 0):
        rows.loc[row % len(rows), name] = f"{CANARY} {name}"
    rows.to_csv(path, index=False)
    return len(names)


# --------------------------------------------------------------------------------- what still runs
def test_hostile_names_stay_names(folder: Path, command: Command) -> None:
    together(COLLINEAR, LABELS)(folder)
    code, _, err = command("run", folder, "--quiet")
    assert code == ExitCode.FINE, err
    results = folder / "results"
    page = (results / "report.html").read_text(encoding="utf-8")
    assert SCRIPT not in page
    assert "&lt;script&gt;alert(1)" in page
    cells = [
        text
        for path in sorted((results / "release" / "tables").glob("*.csv"))
        for row in csv.reader(path.read_text(encoding="utf-8").splitlines())
        for text in row
    ]
    assert any(FORMULA in text for text in cells)
    assert [text for text in cells if text[:1] in ("=", "@", "+", "\t")] == []


@pytest.mark.slow
def test_covariates_that_say_the_same_are_told_once(folder: Path, command: Command) -> None:
    command("run", folder, "--quiet")
    alone = pd.read_csv(folder / "results" / "release" / "tables" / "contrasts.csv")
    COLLINEAR(folder)
    code, _, err = command("run", folder, "--quiet")
    assert code == ExitCode.FINE, err
    both = pd.read_csv(folder / "results" / "release" / "tables" / "contrasts.csv")
    pd.testing.assert_frame_equal(both, alone)
    assert "cannot be estimated" in (folder / "results" / "release" / "study.json").read_text()


# ------------------------------------------------------------------------------------------ places
@pytest.mark.parametrize("place", ["study.toml", "study.toml/results", "records/patients.csv/x/y"])
def test_results_have_no_place_below_a_file(place: str, folder: Path, command: Command) -> None:
    before = {path: path.stat().st_mtime_ns for path in files_in(folder)}
    code, out, err = command("run", folder, "--out", folder / place)
    assert (code, out) == (ExitCode.USAGE, "")
    assert "Reading" not in err  # it is said before anything is read
    assert {path: path.stat().st_mtime_ns for path in files_in(folder)} == before


def test_a_folder_that_is_not_ours_is_left_alone(folder: Path, command: Command) -> None:
    (folder / "results").mkdir()
    (folder / "results" / "thesis.txt").write_text("years of work")
    before = files_in(folder)
    code, _, err = command("run", folder)
    assert code == ExitCode.USAGE
    assert "holds no manifest.json" in err
    assert files_in(folder) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_leave_to_write_is_said_first(folder: Path, command: Command) -> None:
    (folder / "locked").mkdir(mode=0o555)
    code, _, err = command("run", folder, "--out", folder / "locked" / "results")
    assert code == ExitCode.USAGE
    assert "cannot be written" in err
    assert "Reading" not in err


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (OSError(28, "No space left on device"), ExitCode.USAGE),
    ],
    ids=["interrupted", "disk_full"],
)
def test_a_run_that_is_stopped_keeps_the_last_results(
    fault: BaseException,
    answer: ExitCode,
    folder: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = folder / "results"
    kept.mkdir()
    (kept / "manifest.json").write_text("{}")
    before = files_in(folder)

    def stopped(*_: object) -> None:
        raise fault

    monkeypatch.setattr("outcomes.workflow.results.write_page", stopped)
    code, out, err = command("run", folder, "--quiet")
    assert (code, out) == (answer, "")
    assert "Traceback" not in err
    assert files_in(folder) == before
    assert (kept / "manifest.json").read_text() == "{}"


def test_the_process_itself_ends_with_the_code(folder: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (folder / "records" / "assessments.csv").write_text(f"episode_id,day\n{CANARY},{NUMBER}\n")
    done = subprocess.run(
        [sys.executable, "-m", "outcomes", "run", folder],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    assert done.returncode == ExitCode.RECORDS
    assert "assessments.score" in done.stderr
    assert not repeats_a_value(done.stdout + done.stderr)
    assert "Traceback" not in done.stderr
    assert not (folder / "results").exists()
    assert list(scratch.iterdir()) == []


def test_there_are_enough_cases_and_each_has_a_name_of_its_own() -> None:
    names = [case.name for case in (*FAILING, *ROWS)]
    assert len(set(names)) == len(names) >= 60
