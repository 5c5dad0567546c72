"""`harness status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.shared import AsJson, Root, complain, console_for, print_json, results_of


def status(
    study: Annotated[
        Path | None,
        typer.Argument(metavar="[STUDY]", help="A study file or its results; default every study."),
    ] = None,
    results: Root = Path("results"),
    as_json: AsJson = False,
) -> None:
    """Show how far a study is.

    Cells done, failed and to run, and the time that is left. Exits with 0, and with 2 when a study cannot be read.
    """
    from harness.errors import ResultsError
    from harness.runs.overview import status as read_status

    folders = results_of(study, results)
    found, refused = [], []
    for path in folders:
        try:
            found.append(read_status(path))
        except ResultsError as error:
            # One study among many does not hide the others.
            if len(folders) == 1:
                raise
            refused.append(f"{path.name}: {error}")
    if as_json:
        print_json("status", [one.to_json() for one in found], errors=refused)
    else:
        from harness.cli.screens import show_status

        console = console_for()
        for one in found:
            show_status(console, one)
    for said in refused:
        complain(f"error: {said}")
    if refused:
        raise typer.Exit(2)
