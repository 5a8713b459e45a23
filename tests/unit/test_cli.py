"""The command line: exit codes, places, and what goes to which stream."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from outcomes import __version__
from outcomes.core.errors import ExitCode

pytestmark = pytest.mark.slow

STUDY = """
schema = 1
id = "tiny"
[records]
path = "records"
[exposure]
reference = "usual_care"
primary = "exercise"
[primary]
outcome = "pain"
visit = "week_12"
"""


def outcomes(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "outcomes", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Return a folder with a study whose records have two scores and no one to compare."""
    folder = tmp_path / "records"
    folder.mkdir()
    (tmp_path / "study.toml").write_text(STUDY)
    (folder / "episodes.csv").write_text("episode_id,patient_id,body_region\n1,1,low_back\n")
    (folder / "assessments.csv").write_text(
        "episode_id,day,instrument,score\n1,0,nprs,6\n1,84,nprs,4\n"
    )
    (folder / "sessions.csv").write_text("session_id,episode_id,day\n1,1,3\n")
    (folder / "components.csv").write_text("session_id,intervention,minutes\n1,tens,30\n")
    return tmp_path


def test_version_and_help(tmp_path: Path) -> None:
    assert outcomes("--version", cwd=tmp_path).stdout == f"outcomes {__version__}\n"
    helped = outcomes("--help", cwd=tmp_path)
    assert helped.returncode == ExitCode.FINE
    for command in ("demo", "synthesize", "init", "check", "run", "report", "check-report"):
        assert command in helped.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["fly"],
        ["run"],
        ["run", ".", "--engine", "abacus"],
        ["demo", "--episodes", "3"],
        ["check-report", "missing.html"],
        ["report", "."],
        ["catalog", "instruments", "no_such_thing"],
        ["init", "here", "--records", "nowhere"],
    ],
)
def test_wrong_use_ends_with_2(arguments: list[str], tmp_path: Path) -> None:
    done = outcomes(*arguments, cwd=tmp_path)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_missing_study_ends_with_3(tmp_path: Path) -> None:
    done = outcomes("run", tmp_path, cwd=tmp_path)
    assert done.returncode == ExitCode.SPEC
    assert "study.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_faults_of_a_study_at_once(study: Path) -> None:
    text = STUDY.replace("week_12", "week_13").replace("exercise", "exercize")
    (study / "study.toml").write_text(text)
    done = outcomes("check", study, cwd=study)
    assert done.returncode == ExitCode.SPEC
    assert "week_13" in done.stderr
    assert "exercize" in done.stderr


def test_unusable_records_end_with_4(study: Path) -> None:
    (study / "records" / "assessments.csv").unlink()
    done = outcomes("run", study, "--quiet", cwd=study)
    assert done.returncode == ExitCode.RECORDS
    assert "assessments" in done.stderr
    assert not (study / "results").exists()


def test_a_primary_without_groups_ends_with_5(study: Path) -> None:
    done = outcomes("run", study, "--quiet", cwd=study)
    assert done.returncode == ExitCode.ESTIMATION, done.stderr
    assert "Traceback" not in done.stderr
    assert not (study / "results").exists()
    assert [path.name for path in study.iterdir() if path.name.startswith(".")] == []


def test_foreign_results_folder_is_left_alone(study: Path) -> None:
    (study / "results").mkdir()
    (study / "results" / "thesis.txt").write_text("years of work")
    done = outcomes("run", study, cwd=study)
    assert done.returncode == ExitCode.USAGE
    assert (study / "results" / "thesis.txt").exists()


def test_check_lists_problems_as_json(study: Path) -> None:
    with (study / "records" / "assessments.csv").open("a") as handle:
        handle.write("1,85,nprs,7731\n")
    done = outcomes("check", study, "--json", "--quiet", cwd=study)
    assert done.returncode == ExitCode.RECORDS
    problems = json.loads(done.stdout)
    wrong = [one for one in problems if one["column"] == "score"]
    assert wrong
    assert wrong[0]["rows"] == [3]
    assert "7731" not in done.stdout.replace('"count"', "")


def test_check_says_what_the_study_would_stumble_over(study: Path) -> None:
    done = outcomes("check", study, "--quiet", cwd=study)
    assert done.returncode == ExitCode.RECORDS
    lines = done.stdout.splitlines()
    assert lines[0].startswith("fatal   study.toml [primary]: The primary comparison")
    assert any("[[visits]] (week_26)" in line for line in lines)
    assert any("[[outcomes]] (mobility)" in line for line in lines)


def test_check_looks_at_records_alone(study: Path) -> None:
    for place in ("records", "records/episodes.csv"):
        done = outcomes("check", study / place, "--quiet", cwd=study)
        assert "study.toml" not in done.stdout + done.stderr
        assert done.returncode == (ExitCode.FINE if place == "records" else ExitCode.RECORDS)


def test_init_can_draft_the_study_from_a_mended_mapping(study: Path) -> None:
    drafted = ["init", study / "new", "--records", study / "records", "--quiet"]
    assert outcomes(*drafted, cwd=study).returncode == ExitCode.FINE
    again = outcomes(*drafted, cwd=study)
    assert again.returncode == ExitCode.USAGE
    assert "--mapping" in again.stderr
    done = outcomes(*drafted, "--mapping", study / "new" / "mapping.toml", cwd=study)
    assert done.stdout == f"{study / 'new' / 'study.toml'}\n"
    assert done.returncode == ExitCode.FINE, done.stderr


@pytest.mark.parametrize("given", ["nope", "records", "records/episodes.csv"])
def test_a_path_to_no_study_ends_with_3_and_what_to_do(given: str, study: Path) -> None:
    done = outcomes("run", study / given, cwd=study)
    assert done.returncode == ExitCode.SPEC
    assert "outcomes init" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_mapping_is_no_study(command: str, study: Path) -> None:
    mapping = study / "mapping.toml"
    mapping.write_text('schema = 1\n[[tables]]\nsource = "a.csv"\ntable = "episodes"\n')
    done = outcomes(command, mapping, cwd=study)
    assert done.returncode == ExitCode.SPEC
    assert "is a mapping" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ([], "holds nothing that can be read"),
        (["visits.xlsx"], "visits.xlsx: save it as CSV"),
        (["a.xlsx", "b.sav"], "a.xlsx, b.sav: save each as CSV"),
        (["empty.csv"], "empty.csv: is empty, damaged or of another kind"),
    ],
)
def test_a_folder_with_nothing_to_read_is_refused(
    held: list[str], says: str, tmp_path: Path
) -> None:
    exports = tmp_path / "exports"
    exports.mkdir()
    for name in held:
        (exports / name).touch()
    refused = [outcomes("init", "new", "--records", exports, "--quiet", cwd=tmp_path)]
    if held != ["empty.csv"]:
        refused.append(outcomes("check", exports, "--quiet", cwd=tmp_path))
    for done in refused:
        assert done.returncode == ExitCode.USAGE, done.stderr
        assert says in done.stderr
        assert ".csv, .tsv, .txt, .parquet" in done.stderr
        assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["exports"]


def test_a_folder_with_other_things_lacks_a_study(study: Path) -> None:
    (study / "study.toml").unlink()
    (study / "notes.xlsx").touch()
    done = outcomes("check", study, cwd=study)
    assert done.returncode == ExitCode.SPEC
    assert "study.toml: cannot be read: it is not in the folder" in done.stderr


def test_a_study_is_no_mapping(study: Path) -> None:
    given = ["init", "new", "--records", "records", "--mapping", "study.toml", "--quiet"]
    done = outcomes(*given, cwd=study)
    assert done.returncode == ExitCode.SPEC
    assert "study.toml: is a study, not a mapping" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (study / "new").exists()


def test_init_says_what_is_left_to_do(study: Path) -> None:
    (study / "records" / "assessments.csv").write_text("episode_id,day,score,a,b\n1,0,6,1,1\n")
    given = ["init", "new", "--records", "records", "--quiet"]
    done = outcomes(*given, cwd=study)
    assert done.returncode == ExitCode.FINE
    assert done.stdout.splitlines() == ["new/mapping.toml", "new/study.toml"]
    text = "".join((study / name).read_text() for name in done.stdout.splitlines())
    gaps = text.count("GAP:")
    assert gaps > 1
    assert done.stderr == (
        f"{gaps} gaps to fill (search for GAP), 2 columns not taken; next: outcomes check new\n"
    )


@pytest.mark.parametrize("kind", ["instruments", "interventions", "medications"])
def test_catalog_lists_every_part(kind: str, tmp_path: Path) -> None:
    listed = json.loads(outcomes("catalog", kind, "--json", cwd=tmp_path).stdout)
    assert len(listed) > 50
    assert all(row["confidence"] in ("verified", "memory") for row in listed)
    one = outcomes("catalog", kind, listed[0]["id"], cwd=tmp_path)
    assert "sources:" in one.stdout
    assert one.returncode == ExitCode.FINE


def test_catalog_lists_the_types_that_a_study_compares(tmp_path: Path) -> None:
    listed = json.loads(outcomes("catalog", "types", "--json", cwd=tmp_path).stdout)
    by_id = {row["id"]: row for row in listed}
    assert by_id["usual_care"]["therapy"] == "no"
    assert by_id["exercise"]["takes"].startswith("exercise")
    one = outcomes("catalog", "types", "exercise", cwd=tmp_path)
    assert "exercise.strength.core" in one.stdout
    assert "manual" not in one.stdout.split("components:")[1].splitlines()[0]
    wrong = outcomes("catalog", "types", "exercize", cwd=tmp_path)
    assert wrong.returncode == ExitCode.USAGE
    assert "Did you mean exercise?" in wrong.stderr


LONG_QUERY = """
import sys, duckdb, outcomes.workflow
def never_ends(*_, **__):
    print("started", file=sys.stderr, flush=True)
    duckdb.sql("SELECT sum(a.range * b.range) FROM range(9999999) a, range(9999999) b").fetchall()
outcomes.workflow.check_study = never_ends
sys.argv = ["outcomes", "check", "."]
from outcomes.__main__ import main
main()
"""


def interrupted(command: list[str], marker: str, after: float) -> tuple[int, str]:
    """Press Ctrl-C a while after a line on standard error; returns exit code and what was said."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        said = ""
        while marker not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        time.sleep(after)
        os.killpg(process.pid, signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    return process.returncode, said + rest


def test_ctrl_c_within_a_query_ends_without_a_traceback() -> None:
    code, said = interrupted([sys.executable, "-c", LONG_QUERY], "started", 0.3)
    assert code == ExitCode.INTERRUPTED
    assert "Traceback" not in said
    assert "Aborted" in said


def test_ctrl_c_at_any_moment_of_a_check_ends_without_a_traceback(tmp_path: Path) -> None:
    made = ("--episodes", "10000", "--out", "records", "--format", "csv", "--quiet")
    assert outcomes("synthesize", *made, cwd=tmp_path).returncode == ExitCode.FINE
    command = [sys.executable, "-m", "outcomes", "check", str(tmp_path / "records")]
    for after in (0.0, 0.1, 0.3, 0.5, 0.7):
        code, said = interrupted(command, "Reading and checking", after)
        assert (code, "Traceback" in said) == (ExitCode.INTERRUPTED, False), (after, said)


PRESSED_WITHIN = {
    "importing the command line": """
class Presses:
    def find_spec(self, name, *_):
        if name == "typer":
            press()
sys.meta_path.insert(0, Presses())
""",
    "a text that exec runs": """
import outcomes.workflow
outcomes.workflow.check_study = lambda *_, **__: exec("press()", {"press": press})
""",
    "a destructor": """
import outcomes.workflow
class Held:
    def __del__(self):
        press()
def check_study(*_, **__):
    Held()
    return []
outcomes.workflow.check_study = check_study
""",
    "the end of the interpreter": """
import atexit
atexit.register(press)
import outcomes.workflow
outcomes.workflow.check_study = lambda *_, **__: press()
""",
}


@pytest.mark.parametrize("within", PRESSED_WITHIN)
def test_ctrl_c_ends_without_a_traceback_within(within: str, tmp_path: Path) -> None:
    (tmp_path / "pressed.py").write_text(
        "import os, signal, sys\n"
        "def press():\n    os.kill(os.getpid(), signal.SIGINT)\n"
        f"{PRESSED_WITHIN[within]}\n"
        "sys.argv = ['outcomes', 'check', '.']\n"
        "from outcomes.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pressed"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (ExitCode.INTERRUPTED, False), done
    assert done.stderr.endswith("Aborted.\n")
