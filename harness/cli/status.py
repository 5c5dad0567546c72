"""`harness status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.shared import AsJson, Root, console_for, load, print_json, results_of


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
        [results / load(study, None).name] if study is not None and study.is_file() else results_of(study or results)
    )
    found = [read_status(path) for path in folders]
    if as_json:
        print_json([one.to_json() for one in found])
        return
    from harness.screens import show_status

    console = console_for()
    for one in found:
        show_status(console, one)
