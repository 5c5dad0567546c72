"""`harness run --on`: several workers train one study, and one terminal shows how far they are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.on import launcher_of

if TYPE_CHECKING:
    from rich.console import Console

    from harness.cli.on import On
    from harness.launch.launcher import Launcher
    from harness.runs.budget import Budget
    from harness.runs.looks import LookByLook
    from harness.runs.run import RunSummary
    from harness.runs.status import StudyStatus
    from harness.study.study import Study


def attend(
    launcher: Launcher, folder: Path, console: Console, *, shows: bool, looks: LookByLook | None = None
) -> str | None:
    """Start workers and show how far they are until all have ended; return the signal that ended them early.

    The first signal is passed on to them, and so is the second.

    Parameters
    ----------
    launcher : Launcher
        Starts them.
    folder : Path
        The study's results.
    console : Console
        Where to show it.
    shows : bool
        Whether to show how far they are; news of workers are shown in any case.
    looks : LookByLook, optional
        How they go from look to look; it says what each look has decided, which the worker that leads says in its log.

    Raises
    ------
    HarnessError
        If they cannot be started, or were refused what they were asked for.
    """
    from analysis.errors import AnalysisError
    from analysis.words import counted
    from harness.cli.watch import SECONDS, Glance, show_on
    from harness.errors import HarnessError, ResultsError
    from harness.records.lock import lock_owner
    from harness.records.store import KnownTrials, Store
    from harness.runs.status import read_status
    from harness.signals import stop_on_signal

    known = KnownTrials()
    noted = 0

    def tell(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    def stopping(name: str) -> None:
        again = "Ctrl-C" if name == "SIGINT" else name
        tell(f"{again}: the workers finish what they train, an epoch or a trial; a second {again} stops now")

    def glance() -> Glance:
        try:
            return Glance(statuses=(read_status(folder, known),), problems=())
        except ResultsError:
            # Before the search has ended there is no study.
            owner = lock_owner(folder)
            doing = "" if owner is None or not owner.doing else f"{folder.name}: {owner.doing}"
            return Glance(statuses=(), problems=(doing,) if doing else ())

    def look() -> None:
        """Have a look explained that the worker which leads has noted."""
        nonlocal noted
        if looks is None or (found := len(Store(folder).looks())) == noted:
            return
        try:
            looks.still_open(looks.sizes[0], False)
        except (HarnessError, AnalysisError) as error:
            tell(f"what look {found} decided cannot be shown: {error}")
        noted = found

    with (
        stop_on_signal(stopping) as stop,
        show_on(console, "Ctrl-C ends the run; nothing that finished is lost")
        if shows
        else nullcontext(lambda _: None) as show,
    ):
        asked = False
        try:
            launcher.start()
            if shows:
                # They load their libraries and the data before there is anything else to show.
                tell(f"starting {counted(launcher.running(), 'worker')}")
            going_on = True
            while going_on:
                try:
                    going_on = launcher.running() > 0
                    for line in launcher.news():
                        tell(line)
                    look()
                    # What has been asked to end is no last run yet.
                    if not asked:
                        show(glance())
                    if stop.by is not None and not asked:
                        asked = True
                        launcher.stop(stop.by)
                    if going_on:
                        time.sleep(SECONDS)
                except KeyboardInterrupt:
                    launcher.stop(stop.by or "SIGINT")
        finally:
            launcher.close()
    return stop.by


def summary_of(
    status: StudyStatus, folder: Path, arms: Sequence[str], *, ran: int, stopped_by: str | None
) -> RunSummary:
    """Return how a run of several workers ended.

    Parameters
    ----------
    status : StudyStatus
        How far the study is now.
    folder : Path
        The study's results.
    arms : sequence of str
        The arms that were to be trained.
    ran : int
        How many trials the workers trained.
    stopped_by : str or None
        The signal that ended it early.
    """
    from collections import Counter

    from harness.runs.run import RunSummary

    asked = [one for one in status.arms if one.arm in arms]
    statuses = sum((Counter(one.statuses) for one in asked), Counter())
    return RunSummary(
        folder=folder,
        spared=statuses.pop("spared", 0),
        statuses=dict(statuses),
        waiting=sum(len(one.seeds_to_run) for one in status.arms if one.arm not in arms),
        ran=ran,
        stopped_by=stopped_by,
    )


def _records(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/record.json")}


def train_on(
    on: On,
    study: Study,
    arguments: Sequence[str],
    folder: Path,
    *,
    arms: Sequence[str],
    looks: LookByLook | None,
    budget: Budget | None,
    console: Console,
    shows: bool,
) -> RunSummary:
    """Train a study with several workers.

    Parameters
    ----------
    on : On
        Where.
    study : Study
        The study.
    arguments : sequence of str
        What `harness` is given to make one worker.
    folder : Path
        The study's results.
    arms : sequence of str
        The arms to train.
    looks : LookByLook or None
        How workers go from look to look; None where they train all seeds.
    budget : Budget or None
        What each worker may take.
    console : Console
        Where to show how far they are.
    shows : bool
        Whether to.

    Raises
    ------
    HarnessError
        If the study is being run, if workers cannot be started, or if they were refused what they were asked for.
    """
    from harness.errors import LockedError, ResultsError
    from harness.records.lock import join_instead, lock_owner, lock_workers, locked
    from harness.runs.run import summary_before_training
    from harness.runs.status import read_status

    owner = lock_owner(folder)
    if owner is not None and owner.alive:
        raise join_instead(locked(folder, owner))
    launcher = launcher_of(on, arguments, folder)
    try:
        with lock_workers(folder):
            before = _records(folder)
            stopped_by = attend(launcher, folder, console, shows=shows, looks=looks)
    except LockedError as error:
        raise join_instead(error) from None
    if stopped_by is None and budget is not None and budget.is_over():
        stopped_by = budget.name
    if not (folder / "study.json").exists():
        if stopped_by is None:
            raise ResultsError(f"{folder}: no worker trained anything; their logs are in {folder / '.workers'}")
        return summary_before_training(study, folder, arms, stopped_by)
    ran = len(_records(folder).items() - before.items())
    return summary_of(read_status(folder), folder, arms, ran=ran, stopped_by=stopped_by)
