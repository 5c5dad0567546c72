"""`harness status`: how far studies are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.shared import AsJson, Root, complain, console_for, print_json, results_of


def status(
    study: Annotated[
        Path | None,
        typer.Argument(
            metavar="[STUDY]",
            help="The name of a study in the folder of all results, its folder, or a study file; default: every study.",
        ),
    ] = None,
    results: Root = Path("results"),
    as_json: AsJson = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Look again every 2 seconds until nothing is left to run, or until Ctrl-C: a terminal is redrawn, a "
            "log gets a line when something has changed, and with --json an object in one line.",
        ),
    ] = False,
) -> None:
    """Show how far a study is.

    Example: harness status

    Counts the trials of each arm by how they ended, says which are still to run and about how long that takes, gives
    the reason of each trial that did not finish, and names the process that runs the study now, with its pace and when
    it is expected to end. With --watch a study that is not there yet, or cannot be read, is waited for.

    Exit codes: 0 done, or --watch ended by Ctrl-C; 2 a study cannot be read.
    """
    from harness.errors import ResultsError
    from harness.runs.status import read_status

    if watch:
        from harness.cli.watch import watch as watch_studies

        watch_studies(study, results, as_json=as_json)
        return
    folders = results_of(study, results)
    statuses, errors = [], []
    for path in folders:
        try:
            statuses.append(read_status(path))
        except ResultsError as error:
            # One study among many does not hide the others.
            if len(folders) == 1:
                raise
            errors.append(f"{path.name}: {error}")
    if as_json:
        print_json("status", [study_status.to_json() for study_status in statuses], errors=errors)
    else:
        from harness.cli.screens import show_status

        console = console_for()
        for study_status in statuses:
            show_status(console, study_status)
    for message in errors:
        complain(f"error: {message}")
    if errors:
        raise typer.Exit(2)
