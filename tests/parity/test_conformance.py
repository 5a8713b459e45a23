"""The mixed model beside other programs: every number of every case, and the page that says so."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import outcomes
from docs.generate import CONFORMANCE, conformance_page
from outcomes.conformance import pairs
from outcomes.conformance.cases import PLACES, Case, CaseFolder, find_cases
from outcomes.conformance.compare import Comparison, compare_case, compare_cases, tolerances
from outcomes.conformance.elsewhere import ELSEWHERE
from outcomes.conformance.pairs import METHODS
from outcomes.conformance.table import agreement, verdict
from outcomes.conformance.wrong import wrong_answers
from outcomes.core.errors import ExitCode, NotConverged, UsageError

pytestmark = pytest.mark.slow

FOLDER = find_cases(Path(__file__).parent / "mmrm")
ALLOWED = tolerances(FOLDER.tolerances)
SMALL = "c_us_reml"
"""The case to plant errors in: of few patients, with every inference and every table."""


@cache
def compared(name: str) -> list[Comparison]:
    return compare_cases(FOLDER, [name])


def test_every_mixed_model_of_the_index_is_fitted_or_left_out_by_structure() -> None:
    assert len(FOLDER.fitted) + len(FOLDER.left_out) == FOLDER.index["n_mmrm_cases"]
    structures = {FOLDER.index["cases"][name]["covariance"] for name in FOLDER.left_out}
    assert structures == {"sp_exp"}
    assert pairs.fit_mmrm is outcomes.fit_mmrm


@pytest.mark.parametrize("name", FOLDER.fitted)
def test_every_number_of_a_case_is_compared_and_holds(name: str) -> None:
    found, case = compared(name), FOLDER.read(name)
    assert [one for one in found if not one.holds] == []
    assert sum(one.numbers for one in found) == held_by(case)


def held_by(case: Case) -> int:
    """How many numbers a case holds of what is compared."""
    model = case.numbers
    criteria = ("loglik", "aic", "aicc", "bic")
    of_fit = ("n_observations", "n_patients", *criteria, "beta", "beta_cov_model")
    count = sum(leaves(model[key]) for key in (*of_fit, "covariance_matrix"))
    count += sum(leaves(model["methods"].get(method, {})) for method in METHODS)
    if "residual" in model["methods"]:
        count += model["n_coefficients"] - 1  # one number, compared at every coefficient
    return count + leaves(case.all_differences)


def leaves(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(leaves, value.values()))
    if isinstance(value, list):
        return sum(map(leaves, value))
    return int(isinstance(value, int | float))


@pytest.mark.parametrize("name", FOLDER.fitted)
def test_a_tolerance_is_smaller_than_the_distance_to_any_wrong_answer(name: str) -> None:
    answers = wrong_answers(FOLDER.read(name))
    assert answers
    assert [one for one in answers if one.distance <= ALLOWED[one.quantity]] == []


def test_the_page_is_up_to_date() -> None:
    found = [one for name in FOLDER.fitted for one in compared(name)]
    assert CONFORMANCE.read_text(encoding="utf-8") == conformance_page(FOLDER, found)


# ----------------------------------------------------------------------------------- planted errors
def _in_std_error(numbers: dict[str, Any]) -> None:
    numbers["methods"]["kenward_roger_linear"]["differences"]["std_error"][1] *= 1 + 1e-5


def _in_df(numbers: dict[str, Any]) -> None:
    numbers["methods"]["between_within"]["ls_means_df"][0] += 1


def _in_joint_test(numbers: dict[str, Any]) -> None:
    numbers["methods"]["sandwich_cr2"]["joint_tests"]["den_df"][0] *= 1 + 1e-5


def _in_loglik(numbers: dict[str, Any]) -> None:
    numbers["loglik"] += 1e-7


def _in_covariance(numbers: dict[str, Any]) -> None:
    numbers["covariance_matrix"]["values"][0][1] *= 1 + 1e-5


def _in_name(numbers: dict[str, Any]) -> None:
    numbers["beta"]["names"][1] = "grip"


PLANTED: list[tuple[Callable[[dict[str, Any]], None], str]] = [
    (
        _in_std_error,
        "standard error (Kenward-Roger, linear, differences at each visit): off by 1.0e-5, "
        "allowed: 1e-7",
    ),
    (_in_df, "df (between-within, LS means, equal weights): off by"),
    (_in_joint_test, "denominator df (sandwich CR2, joint tests): off by 1.0e-5"),
    (_in_loglik, "log-likelihood: off by 1.0e-7, allowed: 1e-8"),
    (_in_covariance, "covariance matrix: off by"),
    (_in_name, "beta: a number of the reference is missing"),
]


@pytest.mark.parametrize(("plant", "said"), PLANTED)
def test_a_planted_error_is_found_and_named(
    plant: Callable[[dict[str, Any]], None], said: str
) -> None:
    case = FOLDER.read(SMALL)
    numbers = json.loads(json.dumps(case.numbers))
    plant(numbers)
    text = verdict(compare_case(replace(case, numbers=numbers), ALLOWED))
    assert f"- {SMALL}: {said}" in text


def test_a_case_that_cannot_be_fitted_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotConverged("no optimum")

    monkeypatch.setattr(pairs, "fit_mmrm", refuse)
    text = agreement(FOLDER, compare_cases(FOLDER, [SMALL]))
    assert f"- {SMALL}: fit (Satterthwaite): the model could not be fitted" in text


# -------------------------------------------------------------------------------------- the command
@pytest.fixture
def copied(tmp_path: Path) -> CaseFolder:
    """Return a folder with one case alone."""
    closed = "sandwich_df_closed_form"
    cases = {name: FOLDER.index["cases"][name] for name in (SMALL, closed)}
    for file in [*(one["file"] for one in cases.values()), cases[SMALL]["data"]]:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(FOLDER.path / file, tmp_path / file)
    (tmp_path / "index.json").write_text(json.dumps({**FOLDER.index, "cases": cases}))
    return find_cases(tmp_path)


def conformance(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    arguments = ["-m", "outcomes", "conformance", *names, "--quiet", "--cases", str(folder)]
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


def test_the_command_ends_with_5_where_a_number_is_off(copied: CaseFolder) -> None:
    fine = conformance(copied.path)
    assert fine.returncode == ExitCode.FINE, fine.stderr
    assert fine.stdout.startswith("# The mixed model beside other programs\n")
    assert "Cases: 1, " in fine.stdout
    assert f"| {SMALL} " in fine.stdout
    file = copied.path / "numbers" / f"{SMALL}.json"
    numbers = json.loads(file.read_text())
    _in_std_error(numbers)
    file.write_text(json.dumps(numbers))
    off = conformance(copied.path)
    assert off.returncode == ExitCode.ESTIMATION
    assert f"- {SMALL}: standard error (Kenward-Roger, linear" in off.stderr
    assert "**< 1e-5**" in off.stdout


def test_where_there_are_no_cases_it_says_so(tmp_path: Path) -> None:
    done = conformance(tmp_path)
    assert done.returncode == ExitCode.USAGE
    assert f"no reference cases in {tmp_path}: it has no index.json" in done.stderr
    absent = conformance(tmp_path / "nosuch")
    assert absent.returncode == ExitCode.USAGE
    assert f"no folder {tmp_path / 'nosuch'}: --cases names a folder" in absent.stderr
    (tmp_path / "index.json").write_text('{"cases": {}}')
    with pytest.raises(UsageError, match="lists no case"):
        compare_cases(find_cases(tmp_path))


def test_the_command_does_the_cases_that_are_named() -> None:
    done = conformance(FOLDER.path, SMALL)
    assert done.returncode == ExitCode.FINE, done.stderr
    assert "Cases: 1, " in done.stdout
    unknown = conformance(FOLDER.path, "c_us_rmel")
    assert unknown.returncode == ExitCode.USAGE
    assert f"no case 'c_us_rmel'. Names like it: {SMALL}, " in unknown.stderr
    with pytest.raises(UsageError, match="Names like it: a_us_ml, a_us_reml"):
        FOLDER.choose(["a_us_"])
    with pytest.raises(UsageError, match="'a_sp_exp_ml' is left out"):
        FOLDER.choose(["a_sp_exp_ml"])


def test_what_is_tested_elsewhere_is_where_it_is_said_to_be() -> None:
    files = {file for one in ELSEWHERE for file in one.where.split(", ")}
    assert [file for file in files if not (FOLDER.path.parents[2] / file).is_file()] == []


def test_an_installed_package_looks_in_itself_first() -> None:
    assert PLACES[0].parent == Path(pairs.__file__).parent
    assert PLACES[1] == FOLDER.path
