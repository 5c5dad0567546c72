"""Shared parts of the commands: options, loading a study, finding results, JSON output."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from analysis.collector import paused_collector
from analysis.printable import CONTROLS, printable

if TYPE_CHECKING:
    from rich.console import Console

    from harness.study.study import Study

StudyFile = Annotated[
    Path,
    typer.Argument(
        metavar="STUDY",
        help="The study file, or embedded/quickstart, the study that comes with the harness. A relative data.path or "
        "model in a file is looked up from the working folder, then from the folder of the file.",
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="KEY=VALUE",
        help="Settings that replace those of the file, such as: seeds=5 training.learning_rate=1e-4",
        show_default=False,
    ),
]
Root = Annotated[
    Path, typer.Option("--results", metavar="DIR", help="The folder of all results, with one folder per study.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]

SCHEMA = 1
"""The version of what commands print as JSON."""

_FILE_WIDTH = 120
_FIRST = "run a study first: harness run embedded/quickstart"
_WIDTHS = range(20, 1001)


class Format(StrEnum):
    """What `analyze` and `audit` print; `json` is the same as --json."""

    terminal = "terminal"
    markdown = "markdown"
    latex = "latex"
    json = "json"


def load(path: Path, overrides: Sequence[str] | None) -> Study:
    """Load a study with the analysis checking its own blocks, so that one report holds all problems."""
    from analysis.records.data_entry import Task
    from analysis.study.analysis_block import check_plan
    from harness.study.loading import load_study

    def check(raw: Mapping[str, Any], arms: Sequence[str]) -> Iterator[tuple[tuple[str | int, ...], str]]:
        task: Task = "regression" if raw.get("task") == "regression" else "classification"
        blocks = raw.get("analysis"), raw.get("claims")
        for problem in check_plan(*blocks, arms=arms, task=task, seeds=raw.get("seeds")):
            yield problem.path, problem.message

    return load_study(path, overrides or (), checks=[check])


def study_named(asked: Path, results: Path) -> Path:
    """Return the folder of a study in `results` that is asked for by its name; else what was asked."""
    folder = results / asked
    return folder if (folder / "study.json").exists() and not asked.is_file() else asked


def results_of(asked: Path | None, results: Path) -> list[Path]:
    """Return the folders of results that a command is asked about; an error where there are none.

    Parameters
    ----------
    asked : Path or None
        The name of a study in `results`, a study file, the results of one study, or a folder of such; None for every
        study in `results`.
    results : Path
        The folder that holds one folder per study.
    """
    from harness.embedded import study_file
    from harness.errors import ResultsError, there_are
    from harness.runs.status import find_studies

    if asked is not None and study_file(asked).is_file():
        folder = results / load(asked, None).name
        if find_studies(folder) == [folder]:
            return [folder]
        command = shlex.join(["harness", "run", str(asked), *results_option(results)])
        # Without its manifest a study is not known, but its trials are not lost.
        lost = f"{folder} holds trials but no study.json; to write it again" if (folder / "trials").is_dir() else ""
        raise ResultsError(f"{lost or f'{asked} has not run yet'}: {command}")
    folder = results if asked is None else study_named(asked, results)
    if not folder.exists():
        known = find_studies(results)
        candidates = [
            *find_studies(folder.parent),
            *folder.parent.glob("*.yaml"),
            *folder.parent.glob("*.yml"),
            *known,
        ]
        by_name = {path.name: path for path in candidates}
        near = get_close_matches(folder.name, by_name, n=1)
        there = there_are([str(path) for path in known]) if known else _FIRST
        raise ResultsError(f"{folder} does not exist; {f'did you mean {by_name[near[0]]}?' if near else there}")
    folders = find_studies(folder)
    if not folders:
        raise ResultsError(f"{folder} holds no results; {_FIRST}")
    return folders


def results_of_again(asked: Path | None, results: Path) -> Iterator[tuple[list[Path], str]]:
    """Yield, again and again, what `results_of` returns, or no folder and why it has to be waited for.

    Parameters
    ----------
    asked, results : Path or None, Path
        What `results_of` takes. A study file is read until its results are there: somebody may write the next study
        into it.
    """
    from harness.embedded import study_file
    from harness.errors import ResultsError

    from_file = asked is not None and study_file(asked).is_file()
    folders: list[Path] = []
    while True:
        problem = ""
        if not (from_file and folders):
            try:
                folders = results_of(asked, results)
            except ResultsError as error:
                folders, problem = [], f"waiting: {error}"
        yield folders, problem


def is_one_study(asked: Path | None, results: Path, folders: Sequence[Path]) -> bool:
    """Return whether one study was asked for, by its name, its folder or its file, and `folders` is where it is."""
    from harness.embedded import study_file

    if asked is None:
        return list(folders) == [results]
    return list(folders) == [study_named(asked, results)] or study_file(asked).is_file()


def results_option(results: Path) -> list[str]:
    """Return the option that names the folder of all results, where it is not the default."""
    return [] if results == Path("results") else ["--results", str(results)]


@contextmanager
def needs_training_libraries() -> Iterator[None]:
    """Say how to install the libraries that train, where one is missing; while they load, nothing is collected."""
    from harness.errors import HarnessError

    try:
        # They make a million objects that stay.
        with paused_collector():
            yield
    except ModuleNotFoundError as error:
        raise HarnessError(
            f"{error.name} is not installed; training needs the extra train: in a checkout, pip install -e '.[train]'"
        ) from None


def console_for(*, stderr: bool = False) -> Console:
    """Return a console; where no terminal is, as wide as COLUMNS says or tables need, and no blanks at the ends."""
    from harness.cli.console import PipedConsole, SafeConsole

    file = sys.stderr if stderr else sys.stdout
    console = SafeConsole(file=file, highlight=False)
    if console.is_terminal:
        return console
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() and int(columns) in _WIDTHS else _FILE_WIDTH
    return PipedConsole(file=file, highlight=False, width=width)


def print_json(command: str, studies: Sequence[Any], *, errors: Sequence[str] = (), indent: int | None = 1) -> None:
    """Print what a command found, in the one shape that docs/json.md describes; without an indent in one line."""
    content = {"schema": SCHEMA, "command": command, "studies": list(studies), "errors": list(errors)}
    ascii_only = not sys.stdout.encoding.lower().startswith("utf")
    text = json.dumps(content, indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    # JSON leaves some control characters as they are; a program reads either.
    sys.stdout.write(CONTROLS.sub(lambda control: f"\\u{ord(control[0]):04x}", text) + "\n")
    # A reader of lines waits for each.
    sys.stdout.flush()


def complain(message: str) -> None:
    """Write a message to standard error."""
    sys.stderr.write(f"{printable(message)}\n")
