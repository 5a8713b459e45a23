"""A first ``mapping.toml`` and ``study.toml`` for a folder of exports.

The exports are looked at once without a plan and once through the proposed mapping; what they hold
then decides what the study proposes: the region of most episodes, the commonest intervention type
as the reference and the next as the type it is compared to, the instruments and visits with most
scores. Once a person has mended the mapping, the study alone can be drafted anew from it. Every
line says why, and what nobody could guess is marked GAP. A proposal is no protocol:
the primary comparison has to be declared before results are seen.
"""

from __future__ import annotations

import os
import shlex
from collections import Counter
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from outcomes.core.atomic import replaced_file
from outcomes.core.errors import RecordsError, UsageError
from outcomes.records.contents import read_contents
from outcomes.records.files import read_records
from outcomes.records.mapping import Mapping, read_mapping
from outcomes.records.names import normalised
from outcomes.records.propose import propose_mapping, propose_more
from outcomes.records.sources import nothing_readable
from outcomes.study.proposed_text import Place, study_text, unread_study_text

if TYPE_CHECKING:
    from outcomes.core.problems import Problem
    from outcomes.records.files import Records
    from outcomes.study.spec import StudySpec

FILES: Final = ("mapping.toml", "study.toml")
MOST_PROBLEMS: Final = 20


def write_proposal(folder: Path, records: Path) -> list[Path]:
    """Look at exports and write both files.

    Parameters
    ----------
    folder : Path
        Where the files are written; it is made where it is not there.
    records : Path
        Folder of exports, or one file.

    Returns
    -------
    list of Path
        ``mapping.toml`` and ``study.toml``.

    Raises
    ------
    UsageError
        Where nothing at ``records`` can be read, or one of the files exists already.
    """
    there = [name for name in FILES if (folder / name).exists()]
    if there:
        raise UsageError(_left_alone(folder, records, there))
    proposal = propose_mapping(records)
    if not proposal.n_files:
        raise UsageError(nothing_readable(records))
    mapping = proposal.text
    folder.mkdir(parents=True, exist_ok=True)
    with replaced_file(folder / "mapping.toml") as partial:
        partial.write_text(mapping, encoding="utf-8")
    try:
        held: Records | None = read_records(records, folder / "mapping.toml")
        problems: tuple[Problem, ...] = ()
    except RecordsError as error:
        held, problems = None, error.problems
    if problems:
        with replaced_file(folder / "mapping.toml") as partial:
            partial.write_text(_with_problems(mapping, problems), encoding="utf-8")
    text = propose_study(folder, records, held)
    with replaced_file(folder / "study.toml") as partial:
        partial.write_text(text, encoding="utf-8")
    return [folder / name for name in FILES]


def write_study(folder: Path, records: Path, mapping: Path) -> list[Path]:
    """Write ``study.toml`` anew from what the records hold through a mapping, which stays as it is.

    A ``study.toml`` that is there already is kept under another name, because a person may have
    worked on it.

    Returns
    -------
    list of Path
        ``study.toml`` alone.

    Raises
    ------
    SpecError, RecordsError
        Where the mapping is wrong, or the records cannot be read through it; nothing is written.
    """
    plan = read_mapping(mapping)
    held = read_records(records, plan)
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in _more(records, plan, mapping.name))
    text += propose_study(folder, records, held, mapping)
    study = folder / "study.toml"
    if study.exists():
        kept = _free_name(study)
        study.replace(kept)
        text = f"# The study.toml that was here before is kept as {kept.name}.\n{text}"
    with replaced_file(study) as partial:
        partial.write_text(text, encoding="utf-8")
    return [study]


def _more(records: Path, plan: Mapping, name: str) -> list[str]:
    """Say what the mapping could take besides, now that its ids are known."""
    more = propose_more(records, plan)
    lead = f"# {name} is as it was. By the guesses of `outcomes init` it could also take:"
    return [lead, *(f"#   {one}" for one in more), "#"] if more else []


def _left_alone(folder: Path, records: Path, there: list[str]) -> str:
    """Say what is left alone, and how to go on from it."""
    text = f"{folder} already holds {' and '.join(there)}, which is left alone."
    if "mapping.toml" in there:
        text += f" To draft study.toml anew from the mapping as it stands: {again(folder, records)}"
        text += " (a study.toml there is kept under another name)." * ("study.toml" in there)
        text += "." * ("study.toml" not in there)
    return f"{text} To look at the exports afresh, name another folder, or move the file away."


def again(folder: Path, records: Path, mapping: Path | None = None) -> str:
    """The command that drafts a study anew from a mapping that was mended."""
    places = (folder, "--records", records, "--mapping", mapping or folder / FILES[0])
    return shlex.join(["outcomes", "init", *map(str, places)])


def _free_name(file: Path) -> Path:
    """The first of ``study.toml.bak``, ``study.toml.bak2``, ... that is not taken."""
    names = (f"{file.name}.bak{'' if k == 1 else k}" for k in count(1))
    return next(path for name in names if not (path := file.with_name(name)).exists())


def propose_study(
    folder: Path, path: Path, records: Records | None, mapping: Path | None = None
) -> str:
    """Write the study as text; ``records`` is None where they could not be read yet."""
    place = Place(
        records=_relative(path, folder), mapping=_relative(mapping or folder / FILES[0], folder)
    )
    name = normalised(folder.resolve().name).replace("_", "-") or "study"
    if records is None:
        return unread_study_text(name, place, again(folder, path, mapping))
    contents = read_contents(records)
    first = _spec(study_text(name, place, contents, {}), folder)
    counts = exposure_counts(records, first) if contents.has_components else {}
    return study_text(name, place, contents, counts)


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def exposure_counts(records: Records, spec: StudySpec) -> dict[str, int]:
    """Count the eligible episodes of each single intervention type, the commonest first."""
    from outcomes.study.episodes import Flow, find_candidates
    from outcomes.study.exposure import find_exposure, keep_held
    from outcomes.study.exposure_types import study_types
    from outcomes.study.steps import steps_in

    types = study_types(spec.exposure)
    with steps_in(records) as steps:
        eligible, _ = find_candidates(steps, spec.population, spec.time.window_days, Flow())
        keep_held(steps, types, spec.time.window_days)
        found = find_exposure(steps, eligible, types, spec.exposure)
    counted = Counter(str(name) for name in found.types if name and "+" not in name)
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))


def _spec(text: str, folder: Path) -> StudySpec:
    import tomllib

    from outcomes.study.spec import StudySpec

    content: dict[str, object] = tomllib.loads(text)
    return StudySpec.model_validate({**content, "folder": folder.resolve()})


def _with_problems(mapping: str, problems: tuple[Problem, ...]) -> str:
    """Put what stops the records on top of the mapping, without any value of a row."""
    fatal = [problem for problem in problems if problem.severity == "fatal"]
    lines = ["# GAP: the records cannot be read through this mapping yet:"]
    lines += [f"#   {problem}".replace("\n", " ") for problem in fatal[:MOST_PROBLEMS]]
    lines += [f"#   and {len(fatal) - MOST_PROBLEMS} more"] * (len(fatal) > MOST_PROBLEMS)
    return "\n".join([*lines, "", mapping])
