"""The reference studies from scratch: say how long they take on this machine, then train them."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from analysis.tables.digits import time_taken
from answer.studies import PLANNED, Planned
from harness.errors import HarnessError
from harness.hub import offline_if_unreachable
from harness.runs.runner import prepare
from harness.study.loading import load_study
from harness.study.trials import make_trial


def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[STUDY]...", help=f"Of {', '.join(PLANNED)}; default all.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="An encoder that stands in for the models of the reports, with less data and fewer seeds."),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="A folder with SST-2; default GLUE on the Hub.")] = None,
    studies: Annotated[Path, typer.Option(help="The folder of the study files.")] = Path("studies"),
    results: Annotated[Path, typer.Option(help="The folder of the results.")] = Path("results"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how long it takes.")] = False,
) -> None:
    """Train the reference studies: by default with the models of the reports, on all of SST-2.

    Example: python -m answer.from_scratch --model ./minilm --data ./sst2 lora_rank

    What has finished is not trained again. Exit codes: 0 every trial finished; 1 one did not; 2 the input is wrong.
    """
    chosen = names or list(PLANNED)
    if unknown := [name for name in chosen if name not in PLANNED]:
        sys.stderr.write(f"error: expected studies of {', '.join(PLANNED)}, got {', '.join(unknown)}\n")
        raise typer.Exit(2)
    commands = {name: arguments(PLANNED[name], studies, model=model, data=data) for name in chosen}
    try:
        seconds = {name: estimate(given) for name, given in commands.items()}
    except HarnessError as error:
        sys.stderr.write(f"error: {error}\n")
        raise typer.Exit(2) from None
    for name, taken in seconds.items():
        sys.stdout.write(f"{name}: {_about(taken)}\n")
    sys.stdout.write(f"all of it: {_about(sum(seconds.values()))}, less what has finished already\n")
    if dry_run:
        return
    codes = [_run(given, results) for given in commands.values()]
    raise typer.Exit(1 if any(codes) else 0)


def arguments(planned: Planned, studies: Path, *, model: str | None, data: Path | None) -> list[str]:
    """Return what `harness run` is given for a reference study: its file and the overrides."""
    given = [str(studies / f"{planned.file}.yaml"), *planned.own, "store_texts=false"]
    if model is not None:
        given += [f"model={model}", *planned.stand_in]
    if data is not None:
        given += [f"data.path={data}", "data.name=null"]
    return given


def estimate(given: Sequence[str]) -> float:
    """Return about how many seconds a study takes on this machine, from a few steps of each of its arms."""
    study = load_study(Path(given[0]), given[1:])
    offline_if_unreachable(study)
    checkpoint, tokenized, engine = prepare(study)
    model, data = checkpoint.identity_at_start, tokenized.fingerprint
    (seed, pair), *_ = study.numbered_seeds.items()
    seconds = 0.0
    for name, arm in study.arms.items():
        trials = len(study.numbered_seeds) + (arm.search.trials if arm.search is not None else 0)
        seconds += trials * engine.estimate(make_trial(study, name, arm, seed=seed, pair=pair, model=model, data=data))
    return seconds


def _about(seconds: float) -> str:
    return "not known" if math.isnan(seconds) else f"about {time_taken(seconds)}"


def _run(given: Sequence[str], results: Path) -> int:
    command = [sys.executable, "-m", "harness", "run", *given, "--results", str(results)]
    if any(override.startswith("analysis.looks=") for override in given):
        command.append("--until-decided")
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    typer.run(main)
