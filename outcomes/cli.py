"""The command line: words in, a path or a number on standard output, all else on standard error.

Every command does its imports when it runs, so that ``--help`` answers at once. Errors that the
package raises on purpose end with their own exit code and one message, as does a disk that cannot
be read or written; anything else is a bug of ours and ends with exit code 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from outcomes import __version__
from outcomes.core.errors import ExitCode, OutcomesError, RecordsError, SpecError

if TYPE_CHECKING:
    from outcomes.core.problems import Problem
    from outcomes.core.progress import Progress

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Clinical outcomes studies of therapy programs: records in, an honest report out.",
)

Study = Annotated[Path, typer.Argument(help="A study.toml, or the folder that holds one.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error.")]
RecordsPath = Annotated[
    Path | None,
    typer.Option("--records", help="Where the records are, instead of the place study.toml names."),
]
Audience = Annotated[
    Literal["board", "clinic", "methods"], typer.Option(help="Whom the report is for.")
]


def _version(value: bool) -> None:
    if value:
        typer.echo(f"outcomes {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def _progress(quiet: bool, total: int = 0) -> Progress:
    from outcomes.core.progress import Progress

    return Progress(total=total, quiet=quiet)


@app.command()
def demo(
    episodes: Annotated[int, typer.Option(min=100, help="How many episodes to make up.")] = 2000,
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("reports/demo"),
    seed: Annotated[int, typer.Option(help="Seed of the records.")] = 20261123,
    quiet: Quiet = False,
) -> None:
    """Make synthetic records, run the whole study, write one report."""
    from outcomes.workflow import run_demo

    typer.echo(run_demo(episodes=episodes, seed=seed, out=out, progress=_progress(quiet)))


@app.command()
def synthesize(
    episodes: Annotated[int, typer.Option(min=1, help="How many episodes.")],
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 20261123,
    file_format: Annotated[
        Literal["parquet", "csv"], typer.Option("--format", help="File format.")
    ] = "parquet",
    messy: Annotated[
        bool, typer.Option("--messy", help="Write them as a real export would look.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Make records with a planted truth."""
    from outcomes.simulate import write_records

    path = write_records(
        out,
        episodes=episodes,
        seed=seed,
        format=file_format,
        messy=messy,
        progress=_progress(quiet),
    )
    typer.echo(path)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where mapping.toml and study.toml are written.")],
    records: Annotated[Path, typer.Option(help="Folder of exports to look at.")],
    mapping: Annotated[
        Path | None,
        typer.Option(
            help="A mapping.toml that you have mended: study.toml alone is drafted anew from it."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Look at exports and write mapping.toml and study.toml, each guess with its reason."""
    from outcomes.workflow import describe_proposal, propose_study_folder

    files = propose_study_folder(folder, records, mapping=mapping, progress=_progress(quiet))
    for path in files:
        typer.echo(path)
    typer.echo(describe_proposal(files), err=True)


@app.command()
def check(
    study: Annotated[
        Path,
        typer.Argument(
            help="A study.toml, or the folder that holds one; or records alone: a folder, or a"
            " file."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Problems as JSON.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
    records: RecordsPath = None,
    quiet: Quiet = False,
) -> None:
    """Read and validate the records, list every problem and what the study would stumble over.

    Ends with 4 where rows have an error, although run sets those rows aside and goes ahead.
    """
    from outcomes.workflow import check_study

    problems = check_study(study, records=records, progress=_progress(quiet))
    if as_json:
        typer.echo(json.dumps([problem.to_dict() for problem in problems], indent=2))
    else:
        _say_problems(problems)
    failing = {"fatal", "error", "warning"} if strict else {"fatal", "error"}
    if any(problem.severity in failing for problem in problems):
        raise typer.Exit(ExitCode.RECORDS)


@app.command()
def run(
    study: Study,
    out: Annotated[
        Path | None, typer.Option(help="Results folder; default: results/ beside study.toml.")
    ] = None,
    engine: Annotated[
        Literal["duckdb", "frame"], typer.Option(help="What adds up the moments.")
    ] = "duckdb",
    records: RecordsPath = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(help="Folder of finished stages, so that a broken run can go on. Private."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Run the whole study; the results folder appears in one rename."""
    from outcomes.workflow import STAGES, run_study_folder

    folder = run_study_folder(
        study,
        out=out,
        engine=engine,
        records=records,
        checkpoints=checkpoints,
        progress=_progress(quiet, total=len(STAGES)),
    )
    typer.echo(folder / "report.html")


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="A results folder.")],
    audience: Audience = "clinic",
    out: Annotated[Path | None, typer.Option(help="File to write.")] = None,
) -> None:
    """Write the report again from the tables alone."""
    from outcomes.workflow import render_report

    typer.echo(render_report(results, out or results / "report.html", audience=audience))


@app.command(name="check-report")
def check_report(
    file: Annotated[Path, typer.Argument(help="A finished report.")],
) -> None:
    """Read a finished report back and fail on what leaked."""
    from outcomes.workflow import check_report as check_file

    findings = check_file(file)
    for finding in findings:
        typer.echo(finding)
    if findings:
        raise typer.Exit(ExitCode.DISCLOSURE)
    typer.echo(f"{file}: nothing found that should not be in it", err=True)


@app.command()
def catalog(
    kind: Annotated[
        Literal["types", "instruments", "interventions", "medications"] | None,
        typer.Argument(help="Which part; types are what a study compares."),
    ] = None,
    item: Annotated[str | None, typer.Argument(metavar="[ID]", help="One entry.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show what the toolkit knows, with sources."""
    from outcomes.workflow import describe_catalog

    typer.echo(describe_catalog(kind, item, as_json=as_json))


@app.command()
def moments(
    study: Study,
    out: Annotated[Path, typer.Option(help="File to write.")],
    engine: Annotated[Literal["duckdb", "frame"], typer.Option(help="What adds up.")] = "duckdb",
    records: RecordsPath = None,
    quiet: Quiet = False,
) -> None:
    """Write the sums that a clinic may send instead of rows."""
    from outcomes.workflow import write_moments

    path = write_moments(study, out=out, engine=engine, records=records, progress=_progress(quiet))
    typer.echo(path)


@app.command()
def pool(
    files: Annotated[list[Path], typer.Argument(help="Files written by 'outcomes moments'.")],
    out: Annotated[Path, typer.Option(help="Folder to write into.")],
) -> None:
    """Run the pooled analysis from the sums of several clinics."""
    from outcomes.workflow import pool_moments

    typer.echo(pool_moments(files, out=out))


@app.command()
def conformance(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="CASE", help="Cases by name, such as a_us_reml; default: all."),
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option(help="Folder of reference cases, instead of those that came along."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Fit reference cases and show how far the mixed model is from other programs.

    Ends with 5 where a number is not within its tolerance, and says which. All cases take half a
    minute, or some minutes on a slow machine; one takes seconds.
    """
    from outcomes.conformance.cases import find_cases
    from outcomes.conformance.compare import compare_cases
    from outcomes.conformance.table import agreement, verdict

    folder = find_cases(cases)
    found = compare_cases(folder, names or (), progress=_progress(quiet))
    typer.echo(agreement(folder, found))
    typer.echo(verdict(found), err=True)
    if not all(one.holds for one in found):
        raise typer.Exit(ExitCode.ESTIMATION)


def _say_problems(problems: list[Problem]) -> None:
    for problem in problems:
        typer.echo(f"{problem.severity:<8}{problem}")
    if not problems:
        typer.echo("No problem found.", err=True)
    if any(problem.rows for problem in problems):
        typer.echo("Row 1 is the first below the header of its file.", err=True)


def _fail(error: OutcomesError) -> NoReturn:
    typer.echo(f"outcomes: {error}", err=True)
    details: dict[str, str] = {}
    if isinstance(error, SpecError):
        details = {fault: fault for fault in error.faults}
    elif isinstance(error, RecordsError):
        details = {str(problem): f"{problem.severity}: {problem}" for problem in error.problems}
    for said, detail in details.items():
        if said not in str(error):
            typer.echo(f"  {detail}", err=True)
    sys.exit(error.exit_code)


def answer() -> None:
    """Run a command and turn errors into messages and exit codes."""
    try:
        app()
    except OutcomesError as error:
        _fail(error)
    except OSError as error:
        typer.echo(
            f"outcomes: {error}. Nothing was changed. Look at the disk, and at who may read and"
            " write there.",
            err=True,
        )
        sys.exit(ExitCode.USAGE)
