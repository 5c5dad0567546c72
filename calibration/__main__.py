"""Calibration from the command line: simulate, write docs/calibration.md, and fail where a promise is broken."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from calibration.counts import Size
from calibration.every_count import every_count
from calibration.page import page
from calibration.promises import broken, promises
from calibration.simulation import simulate


def main(
    studies: Annotated[int, typer.Option(min=1, help="Simulated studies for each regime and number of seeds.")] = 2000,
    resampled: Annotated[int, typer.Option(min=1, help="Of these, studies for methods that resample.")] = 400,
    tables: Annotated[int, typer.Option(min=1, help="Studies for each table by class.")] = 800,
    normal: Annotated[int, typer.Option(min=16, help="Comparisons of each family in normal theory.")] = 400_000,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    folder: Annotated[Path, typer.Option(help="Where calibration.md and calibration.csv are written.")] = Path("docs"),
) -> None:
    """Count how often every method errs, over simulated studies whose truth is known."""
    with Progress() as bar:
        task = bar.add_task("simulating")
        result = simulate(
            Size(studies=studies, resampled=min(resampled, studies), tables=tables, normal=normal),
            workers=workers,
            done=lambda number, total: bar.update(task, completed=number, total=total),
        )
    # The processors' own time, which other work on the machine does not stretch.
    used = os.times()
    minutes = (used.children_user + used.children_system) / workers / 60
    text = page(result, command="nox -s calibration", minutes=minutes)
    (folder / "calibration.md").write_text(text, encoding="utf-8")
    (folder / "calibration.csv").write_text(every_count(result), encoding="utf-8")
    faults = broken(promises(result))
    for fault in faults:
        sys.stderr.write(f"broken promise: {fault}\n")
    sys.stdout.write(f"{folder / 'calibration.md'} after {minutes:.1f} minutes of every processor\n")
    raise typer.Exit(1 if faults else 0)


if __name__ == "__main__":
    typer.run(main)
