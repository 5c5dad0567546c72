"""`harness run`: trains what is missing of a study."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli import output
from harness.cli.ending import ending, kept_work
from harness.cli.on import cluster_of, place_of
from harness.cli.shared import (
    AsJson,
    Overrides,
    Root,
    StudyFile,
    console_for,
    load,
    needs_training_libraries,
    print_json,
    results_option,
)
from harness.cli.train_on import train_on
from harness.cli.until_decided import look_by_look
from harness.errors import HarnessError

if TYPE_CHECKING:
    from harness.progress.displays import Display
    from harness.runs.status import StudyStatus
    from harness.study.study import Study


def run(
    study: StudyFile,
    overrides: Overrides = None,
    results: Root = Path("results"),
    same: Annotated[
        bool,
        typer.Option("--same", help="Start from the overrides of the study's last run, then apply those given here."),
    ] = False,
    arms: Annotated[
        str | None,
        typer.Option(
            metavar="ARM,ARM",
            help="Train only these arms now; the others stay in the study and wait.",
            show_default=False,
        ),
    ] = None,
    until_decided: Annotated[
        bool,
        typer.Option(
            "--until-decided",
            help="Stop at each look that the plan declares (analysis.looks), go on with the arms of open comparisons, "
            "and end when none is open.",
        ),
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME|TRIALS",
            help="End after so much time or so many trials, such as 6h, 90min or 200trials; the same command goes on.",
            show_default=False,
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="Train with several workers: local:N for N on this machine, local for one on each of its GPUs, which "
            "is the default where there are several; slurm:N for N jobs of Slurm; ray:ADDRESS for the nodes of a "
            "Ray cluster (HOST:PORT of its head, or auto on one of its nodes; ray alone starts one here).",
            show_default=False,
        ),
    ] = None,
    sbatch: Annotated[
        str | None,
        typer.Option(
            metavar="OPTIONS",
            help="With --on slurm:N, what sbatch is asked for, such as 'partition=gpu time=4:00:00 gres=gpu:1'.",
            show_default=False,
        ),
    ] = None,
    worker: Annotated[
        bool,
        typer.Option(
            "--worker",
            help="Where another process runs the study already, train beside it, on this machine or on another one "
            "that shares the folder of the results.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, say what would be trained, and write nothing.")
    ] = False,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The database that optuna-dashboard shows; default: optuna.db in the study's results.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train every arm with every seed.

    Example: harness run embedded/quickstart seeds=4

    Trials that have finished are not trained again: the same command continues a run that was stopped, and a larger
    number of seeds trains only the new ones. Before it trains, it prints what changed since the study's last run, which
    data it read, how many trials there are and about how long they will take.

    With --until-decided it trains only what may still decide something. The plan declares looks: analysis.looks=auto,
    which is at 30, 45, 60, 75 and 100% of the seeds, or numbers of seeds. At each look a comparison leaves that is
    decided, or that has a chance below 5% of being decided by the last look. P-values allow for the looks.

    Many trials train at once where that is possible; engine=trainer trains one at a time. Press Ctrl-C once to finish
    the current trial or epoch, twice to stop now. SIGTERM, SIGHUP and SIGUSR1 do the same. The command that continues
    is then printed.

    Exit codes: 0 every trial that was asked for finished; 1 one failed, diverged or is missing; 2 the input is wrong;
    130 Ctrl-C came while model and data were read.
    """
    from harness.hub import offline_if_unreachable

    given = [*(_last_overrides(study, overrides or (), results) if same else ()), *(overrides or ())]
    loaded = load(study, _last_of_each(given))
    offline_if_unreachable(loaded)
    with needs_training_libraries():
        from harness.progress.displays import display_for
        from harness.runs.budget import parse_budget
        from harness.runs.runner import asked_arms, run_study
        from harness.search.storage_url import check_url, shown_url
    if not as_json:
        output.forgive()
    from harness.cli.screens import show_status

    console = console_for(stderr=as_json)
    display = display_for(console)
    asked = None if arms is None else [arm.strip() for arm in arms.split(",") if arm.strip()]
    chosen = asked_arms(loaded, asked)
    if until_decided and asked is not None:
        raise HarnessError("--until-decided chooses the arms itself; leave --arms out")
    looks = look_by_look(loaded, results / loaded.name, display.say) if until_decided else None
    limit = None if budget is None else parse_budget(budget)
    place = place_of(on, worker=worker, budget=limit, sbatch=sbatch)

    root_option = results_option(results)
    # A password is not shown; whoever pastes the command fills it in.
    storage_option = [] if storage is None else ["--storage", shown_url(storage)]
    arms_option = [] if asked is None else ["--arms", ",".join(asked)]
    looks_option = ["--until-decided"] if until_decided else []
    budget_option = [] if budget is None else ["--budget", budget]
    on_option = [] if on is None else ["--on", on, *([] if sbatch is None else ["--sbatch", sbatch])]

    def command(*options: str) -> str:
        always = [*budget_option, *root_option, *storage_option, *on_option]
        return shlex.join(["harness", "run", str(study), *loaded.overrides, *options, *always])

    for line in _differences(loaded, results / loaded.name, asked, root_option):
        display.say(line)
    if storage is not None and (dry_run or place is not None):
        check_url(storage)
    if dry_run:
        ahead = _ahead(loaded, results / loaded.name, chosen, display, until_decided=until_decided)
        if as_json:
            print_json("run", [ahead.to_json()])
        else:
            show_status(console, ahead)
        return
    before = kept_work(results / loaded.name)
    if place is not None and place.place != "ray":
        given_storage = [] if storage is None else ["--storage", storage]
        arguments = ["run", str(study), *loaded.overrides, *arms_option, *looks_option, *budget_option, *given_storage]
        arguments += ["--worker", *root_option]
        summary = train_on(
            place,
            loaded,
            arguments,
            results / loaded.name,
            arms=chosen,
            looks=looks,
            budget=limit,
            console=console,
            shows=not as_json,
        )
    else:
        with cluster_of(place) as cluster:
            summary = run_study(
                loaded,
                results,
                storage=storage,
                arms=asked,
                looks=looks,
                budget=limit,
                cluster=cluster,
                as_worker=worker,
                display=display,
            )
    if as_json:
        content = {
            "name": loaded.name,
            "folder": str(summary.folder),
            "statuses": dict(summary.statuses),
            "waiting": summary.waiting,
            "spared": summary.spared,
            "elsewhere": summary.elsewhere,
            "ran": summary.ran,
            "turns": summary.turns,
            "stopped": summary.stopped,
            "stopped_by": summary.stopped_by,
        }
        print_json("run", [content])
    else:
        again = command(*arms_option, *looks_option)
        for line in ending(summary, again, command(), before, until_decided=until_decided):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if summary.complete else 1)


def _ahead(study: Study, folder: Path, arms: Sequence[str], display: Display, *, until_decided: bool) -> StudyStatus:
    """Check everything as a run does, say what was read, and return what it would train."""
    from harness.records.manifest import data_messages
    from harness.records.store import Store
    from harness.runs.preview import TrialInputs, preview
    from harness.runs.runner import prepare

    checkpoint, data, _ = prepare(study, say=display.say)
    for line in data_messages(study, data, Store(folder).manifest()):
        display.say(line)
    inputs = TrialInputs(model=checkpoint.identity_at_start, data=data.fingerprint, n_classes=len(data.classes))
    return preview(study, folder, arms=arms, inputs=inputs, until_decided=until_decided)


def _last_overrides(study: Path, overrides: Sequence[str], results: Path) -> list[str]:
    """Return the overrides of the study's last run."""
    from harness.errors import ResultsError
    from harness.records.store import Store
    from harness.study import document

    folder = results / str(document.read(study, overrides).data.get("name"))
    manifest = Store(folder).manifest()
    if manifest is None:
        raise ResultsError(f"--same: {folder} holds no study yet; run the study once without --same")
    return list(manifest.overrides)


def _last_of_each(overrides: Sequence[str]) -> list[str]:
    """Leave out what a later override of the same key replaces."""
    by_key: dict[str, str] = {}
    for override in overrides:
        key = override.partition("=")[0].strip()
        by_key.pop(key, None)
        by_key[key] = override
    return list(by_key.values())


def _differences(study: Study, folder: Path, arms: Sequence[str] | None, root_option: Sequence[str]) -> list[str]:
    """Say what the results in the folder were last run with, where that differs."""
    from harness.cli.differences import differences
    from harness.records.store import Store
    from harness.runs.preview import preview

    manifest = Store(folder).manifest()
    if manifest is None:
        return []
    trained = []
    if set(study.arms) - set(manifest.arms):
        trained = [arm.arm for arm in preview(study, folder).arms if set(arm.statuses) - {"missing"}]
    lines = differences(manifest.study, study.model_dump(mode="json"), trained=trained)
    if not lines:
        return []
    before = (manifest.study_file, manifest.overrides, manifest.asked_arms)
    hint = []
    if manifest.study_file is None:
        # Noted by an older version: the overrides are all that is known of the command.
        if manifest.overrides and manifest.overrides != study.overrides:
            hint = [f"the last run's overrides were: {shlex.join(manifest.overrides)}"]
    elif before != (study.file, study.overrides, None if arms is None else tuple(arms)):
        arms_option = [] if manifest.asked_arms is None else ["--arms", ",".join(manifest.asked_arms)]
        command = ["harness", "run", manifest.study_file, *manifest.overrides, *arms_option, *root_option]
        hint = [f"the last run was: {shlex.join(command)}"]
    return [f"changed since the last run in {folder}:", *(f"  {line}" for line in lines), *hint]
