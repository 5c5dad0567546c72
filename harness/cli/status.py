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
) -> None:
    """Show how far a study is.

    Example: harness status

    Counts the trials of each arm by how they ended, says which are still to run and about how long that takes, gives
    the reason of each trial that did not finish, and names the process that runs the study now.

    Exit codes: 0 done; 2 a study cannot be read.
    """
    from harness.errors import ResultsError
    from harness.runs.status import read_status

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
