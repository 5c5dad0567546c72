"""`harness run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import output
from harness.cli.shared import (
    AsJson,
    Overrides,
    Root,
    StudyFile,
    console_for,
    load,
    needs_training_libraries,
    print_json,
)


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

    What is finished is not trained again. Says first how many cells there are and how long they will take. Trains many
    trials at once where that is possible; engine=trainer trains one after the other. Ctrl-C once finishes the running
    trial, or the epoch of those that run together, twice stops at once; the same command goes on where it stopped.
    A relative data.path or model is looked up from the working folder, then from the study file's folder; what was
    read is printed first.
    Exits with 0 when every cell finished, with 1 when one failed, diverged or is missing, with 2 when the input is
    wrong.
    """
    from harness.hub import offline_if_unreachable

    loaded = load(study, overrides)
    offline_if_unreachable(loaded)
    with needs_training_libraries():
        from harness.progress import display_for
        from harness.runner import run_study
    if not as_json:
        output.forgive()
    console = console_for(stderr=as_json)
    summary = run_study(loaded, results, storage=storage, display=display_for(console))
    if as_json:
        print_json(
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
