"""The commands. The only place where `harness` and `analysis` meet; each command imports what it needs when it runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from harness.study import Study

app = typer.Typer(
    help="Which gaps between fine-tuned models are real? Train every arm with every seed, then ask.\n\n"
    "harness run studies/quickstart.yaml && harness analyze",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file, such as studies/quickstart.yaml.")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Dotted overrides: seeds=5 training.learning_rate=1e-4",
        show_default=False,
    ),
]
Root = Annotated[Path, typer.Option("--results", metavar="DIR", help="The folder that holds one folder a study.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


_FILE_WIDTH = 120


class Format(StrEnum):
    """What `analyze` prints."""

    terminal = "terminal"
    markdown = "markdown"
    latex = "latex"
    json = "json"


@app.command()
def run(
    study: StudyFile,
    overrides: Overrides = None,
    results: Root = Path("results"),
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Optuna's storage; default results/<study>/optuna.db.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train every arm with every seed.

    What is finished is not trained again. Says first how many cells there are and how long they will take. Ctrl-C
    once finishes the running trial, twice stops it; the same command goes on where it stopped. Exits with 0 when
    every cell finished, with 1 when one failed, diverged or is missing, with 2 when the input is wrong.
    """
    from harness.hub import offline_if_unreachable

    loaded = _load(study, overrides)
    offline_if_unreachable(loaded)
    with _needs_training_libraries():
        from harness.progress import display_for
        from harness.runner import run_study
    console = _console(stderr=as_json)
    summary = run_study(loaded, results, storage=storage, display=display_for(console))
    if as_json:
        _print_json(
            {
                "folder": str(summary.folder),
                "statuses": dict(summary.statuses),
                "ran": summary.ran,
                "stopped": summary.stopped,
            }
        )
    elif summary.complete:
        console.print(f"Now: harness analyze {summary.folder}", markup=False, highlight=False, soft_wrap=True)
    else:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(summary.statuses.items()))
        hint = "the same command goes on from here" if summary.stopped else f"see: harness status {summary.folder}"
        console.print(f"{counts}; {hint}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if summary.complete else 1)


@app.command()
def analyze(
    folder: Annotated[
        Path, typer.Argument(metavar="[RESULTS]", help="One study's results, or the folder of all.")
    ] = Path("results"),
    form: Annotated[
        Format, typer.Option("--format", help="What to print; both reports are written in any case.")
    ] = Format.terminal,
    details: Annotated[
        bool, typer.Option("--details", help="Print every test, interval and variance component as well.")
    ] = False,
    resamples: Annotated[
        int, typer.Option(min=99, metavar="N", help="How often the multi-bootstrap resamples seeds and examples.")
    ] = 10_000,
) -> None:
    """Say which gaps are real.

    And for which population, and what would settle the rest. Prints the tables, and writes all of them to
    report/tables.md and report/tables.tex in the study's folder.
    """
    from analysis import analyze as analyze_folder
    from analysis import tables
    from harness.errors import ResultsError

    reports = {path: analyze_folder(path, resamples=resamples) for path in _studies(folder)}
    for path, report in reports.items():
        target = path / "report"
        try:
            target.mkdir(exist_ok=True)
            (target / "tables.md").write_text(tables.markdown(report), "utf-8")
            (target / "tables.tex").write_text(tables.latex(report), "utf-8")
        except OSError as error:
            raise ResultsError(f"{target} cannot be written: {error.strerror}") from None
    if form is Format.json:
        found = [report.to_json() for report in reports.values()]
        _print_json(found[0] if (folder / "study.json").exists() else found)
        return
    console = _console()
    for path, report in reports.items():
        if form is Format.terminal:
            for part in tables.terminal(report, details=details):
                console.print(part)
            more = "" if details else "; every test and interval: --details"
            written = f"All tables: {path / 'report' / 'tables.md'} and tables.tex{more}\n"
            console.print(written, markup=False, highlight=False, soft_wrap=True)
        else:
            sys.stdout.write(tables.markdown(report) if form is Format.markdown else tables.latex(report))


@app.command()
def status(
    study: Annotated[
        Path | None,
        typer.Argument(metavar="[STUDY]", help="A study file or its results; default every study."),
    ] = None,
    results: Root = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Show how far a study is.

    Cells done, failed and to run, and the time that is left.
    """
    from harness.overview import status as read_status

    folders = (
        [results / _load(study, None).name] if study is not None and study.is_file() else _studies(study or results)
    )
    found = [read_status(path) for path in folders]
    if as_json:
        _print_json([one.to_json() for one in found])
        return
    from harness.screens import show_status

    console = _console()
    for one in found:
        show_status(console, one)


@app.command()
def plan(
    study: StudyFile,
    overrides: Overrides = None,
    results: Root = Path("results"),
    seed_sd: Annotated[
        float | None,
        typer.Option(
            help="Supposed SD over seeds of a run's accuracy; before a run 0.01, one point.", show_default=False
        ),
    ] = None,
    discordance: Annotated[
        float | None,
        typer.Option(
            help="Supposed share of test sentences on which one run of each arm differs in being right; before a run "
            "0.08.",
            show_default=False,
        ),
    ] = None,
    rerun_discordance: Annotated[
        float | None,
        typer.Option(help="The same for two seeds of one arm; before a run 0.05.", show_default=False),
    ] = None,
    test_examples: Annotated[
        int | None, typer.Option(min=2, help="Test sentences to reckon with; default the study's.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a study would be, and what it can find.

    Its cells and their time where it is known, each arm's parameters, how small a p its seeds can give, and how small
    a gap: from the study's own figures once two seeds have run, else from those that you state or from usual ones.
    """
    from analysis.jsonable import jsonable
    from analysis.outlook import Stated, outlook
    from analysis.permutation import label_permutation_floor, sign_flip_floor
    from analysis.plan import parse_plan
    from analysis.tables import as_terminal
    from analysis.tables.outlook import outlook_tables
    from harness.hub import offline_if_unreachable
    from harness.overview import same_settings

    loaded = _load(study, overrides)
    offline_if_unreachable(loaded)
    sizes, remarks, n_test = _sizes(loaded)
    seeds = len(loaded.seeds)
    floors = {"sign-flip": sign_flip_floor(seeds), "label permutation": label_permutation_floor(seeds, seeds)}
    seconds = _measured_seconds(results / loaded.name)
    analysis_plan = parse_plan(loaded.analysis, arms=list(loaded.arms))
    figures = {"seed_sd": seed_sd, "discordance": discordance, "rerun_discordance": rerun_discordance}
    given = {name: figure for name, figure in figures.items() if figure is not None}
    # What somebody states goes before what has run, and what ran with other settings says nothing about these.
    pilot = None if given else results / loaded.name
    if pilot is not None and not same_settings(loaded, pilot):
        remarks.append(f"{pilot} holds results of other settings; they are not used here")
        pilot = None
    found = outlook(
        analysis_plan,
        arms=list(loaded.arms),
        n_seeds=seeds,
        n_examples=test_examples or n_test,
        stated=Stated(**given),
        folder=pilot,
        pilot_examples=test_examples,
    )
    if as_json:
        _print_json(
            {
                "name": loaded.name,
                "cells": len(loaded.arms) * seeds,
                "arms": sizes,
                "seeds": list(loaded.seeds),
                "floors": floors,
                "seconds_left": seconds,
                "remarks": remarks,
                "outlook": jsonable(found),
            }
        )
        return
    from harness.screens import show_plan

    console = _console()
    show_plan(console, loaded, sizes, remarks, floors, seconds)
    if found is not None:
        for part in as_terminal.laid_out(outlook_tables(found, analysis_plan)):
            console.print(part)
    elif seeds == 1 or len(loaded.arms) == 1:
        console.print("what it can find: a gap between procedures takes two arms and more than one seed")
    elif analysis_plan.metric != "accuracy":
        console.print(f"what it can find in {analysis_plan.metric}: known once two seeds have run")
    else:
        console.print("what it can find: known once the data are here; --test-examples N says it for N sentences")


def main() -> None:
    """Run a command; an error that a user can put right is one message and exit code 2."""
    from analysis.errors import AnalysisError
    from harness.errors import HarnessError

    try:
        app()
    except (HarnessError, AnalysisError) as error:
        problems = getattr(error, "problems", ())
        head = f"{len(problems)} problems:\n" if len(problems) > 1 else "error: "
        sys.stderr.write(f"{head}{error}\n")
        sys.exit(2)
    except BrokenPipeError:
        # The reader of a pipe has seen enough, as in `harness analyze | head`.
        sys.stderr.close()
        sys.exit(0)


def _load(path: Path, overrides: Sequence[str] | None) -> Study:
    """Load a study with the analysis checking its own blocks, so that one report holds all problems."""
    from analysis.plan import check_plan
    from harness.study import load_study

    def check(raw: Mapping[str, Any], arms: Sequence[str]) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for problem in check_plan(raw.get("analysis"), raw.get("claims"), arms=arms):
            yield problem.path, problem.message

    return load_study(path, overrides or (), checks=[check])


def _studies(folder: Path) -> list[Path]:
    from harness.errors import ResultsError
    from harness.overview import find

    found = find(folder)
    if not found:
        raise ResultsError(f"{folder} holds no results; run a study first: harness run studies/quickstart.yaml")
    return found


@contextmanager
def _needs_training_libraries() -> Iterator[None]:
    from harness.errors import HarnessError

    try:
        yield
    except ModuleNotFoundError as error:
        raise HarnessError(
            f"{error.name} is not installed; training needs it: pip install 'ablation-harness[train]'"
        ) from None


def _sizes(study: Study) -> tuple[list[dict[str, Any]], list[str], int | None]:
    """Return each arm's parameter counts, or why they are not known; remarks; and the number of test examples."""
    from harness.errors import HarnessError

    try:
        with _needs_training_libraries():
            from harness.planning import sizes
    except HarnessError as error:
        return [{"arm": arm, "total": None, "trainable": None, "reason": str(error)} for arm in study.arms], [], None
    counted, remarks, n_test = sizes(study)
    rows = [
        {
            "arm": size.arm,
            "total": size.parameters.total if size.parameters else None,
            "trainable": size.parameters.trainable if size.parameters else None,
            "reason": size.reason,
        }
        for size in counted
    ]
    return rows, list(remarks), n_test


def _measured_seconds(folder: Path) -> float | None:
    from harness.overview import known
    from harness.overview import status as read_status

    return known(read_status(folder).seconds_left) if (folder / "study.json").exists() else None


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    # Where there is no terminal to fit, tables get the width that they need.
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=_FILE_WIDTH)


def _print_json(content: Any) -> None:
    sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
