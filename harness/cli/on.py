"""`harness run --on`: several workers train one study, and one terminal shows how far they are."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.console import Console

    from harness.engines.ray.cluster import Cluster
    from harness.launch.launcher import Launcher
    from harness.runs.budget import Budget
    from harness.runs.run import RunSummary
    from harness.runs.status import StudyStatus
    from harness.study.study import Study

_ON = re.compile(r"(local)(?::(\d+))?|(slurm):(\d+)|(ray)(?::(.+))?")
_EXPECTED = (
    "expected local:N for N workers on this machine, local for one on each of its GPUs, slurm:N for N jobs of Slurm, "
    "ray, or ray:ADDRESS"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class On:
    """Where workers train.

    Parameters
    ----------
    place : str
        ``local``: on this machine; ``slurm``: as jobs of a Slurm; ``ray``: on the nodes of a cluster.
    number : int or None
        How many; None where they are not counted.
    sbatch : str
        Options of sbatch: key=value, separated by blanks.
    address : str or None
        Of the cluster; None for one that is started here.
    """

    place: Literal["local", "slurm", "ray"]
    number: int | None = None
    sbatch: str = ""
    address: str | None = None


def parse_on(text: str) -> On:
    """Read what `--on` is given.

    Raises
    ------
    HarnessError
        If it is no place.

    Examples
    --------
    >>> parse_on("local:2").number, parse_on("ray:10.0.0.5:6379").address
    (2, '10.0.0.5:6379')
    """
    from harness.errors import HarnessError

    found = _ON.fullmatch(text.strip())
    number = None if found is None else found[2] or found[4]
    if found is None or (number is not None and not int(number)):
        raise HarnessError(f"--on: {_EXPECTED}; got {text!r}")
    if found[5]:
        return On(place="ray", address=found[6])
    return On(place="slurm" if found[3] else "local", number=None if number is None else int(number))


def place_of(on: str | None, *, worker: bool, budget: Budget | None, sbatch: str | None = None) -> On | None:
    """Return where several workers train; None where this process trains.

    Parameters
    ----------
    on : str or None
        What `--on` was given; None where several GPUs decide it.
    worker : bool
        Whether this process is one of several already.
    budget : Budget or None
        What the run may take.
    sbatch : str or None
        What `--sbatch` was given.

    Raises
    ------
    HarnessError
        If it is no place, or if what was asked for contradicts itself.
    """
    from harness.engines.device import visible_gpus
    from harness.errors import HarnessError

    if sbatch is not None and (on is None or parse_on(on).place != "slurm"):
        raise HarnessError(f"--sbatch: its options are for --on slurm:N; got {f'--on {on}' if on else 'no --on'}")
    counts_trials = budget is not None and budget.trials is not None
    if on is None:
        return On(place="local") if not worker and not counts_trials and len(visible_gpus()) > 1 else None
    if worker:
        raise HarnessError("--on starts workers, and --worker is one; leave one of them out")
    place = parse_on(on)
    if place.place != "ray" and budget is not None and counts_trials:
        raise HarnessError(f"--budget {budget.text}: --on takes a time, such as 6h: each worker counts its own trials")
    return replace(place, sbatch=sbatch or "")


@contextmanager
def cluster_of(on: On | None) -> Iterator[Cluster | None]:
    """Connect to a cluster for a while; None where none is named."""
    if on is None:
        yield None
        return
    from harness.engines.ray.cluster import connected

    with connected(on.address) as cluster:
        yield cluster


def slurm_workers(on: On, arguments: Sequence[str], folder: Path) -> Launcher:
    """Return the workers on a Slurm.

    Parameters
    ----------
    on : On
        How many, and the options of their jobs.
    arguments : sequence of str
        What `harness` is given to make one worker.
    folder : Path
        The study's results.

    Raises
    ------
    HarnessError
        If the options of their jobs are none.
    """
    from harness.launch.slurm import SlurmWorkers

    return SlurmWorkers(arguments, on.number or 1, sbatch=on.sbatch, folder=folder)


def local_workers(on: On, arguments: Sequence[str], folder: Path) -> Launcher:
    """Return the workers on this machine: one for each GPU, or as many as asked for.

    Parameters
    ----------
    on : On
        How many.
    arguments : sequence of str
        What `harness` is given to make one worker.
    folder : Path
        The study's results.

    Raises
    ------
    HarnessError
        If there are fewer GPUs, or without GPUs fewer cores.
    """
    from harness.engines.device import cores, visible_gpus
    from harness.errors import HarnessError
    from harness.launch.local import LocalWorkers

    gpus = visible_gpus()
    most, of = (len(gpus), "GPUs") if gpus else (cores(), "cores")
    number = on.number or (len(gpus) if gpus else 1)
    if number > most:
        raise HarnessError(f"--on local:{number}: expected at most one worker for each of the {most} {of} here")
    return LocalWorkers(arguments, number, gpus=gpus, logs=folder / ".workers" / "logs")


def attend(launcher: Launcher, folder: Path, console: Console, *, shows: bool) -> str | None:
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

    Raises
    ------
    HarnessError
        If they cannot be started, or were refused what they were asked for.
    """
    from harness.cli.watch import SECONDS, Glance, show_on
    from harness.errors import ResultsError
    from harness.records.lock import lock_owner
    from harness.records.store import KnownTrials
    from harness.runs.status import read_status
    from harness.signals import stop_on_signal

    known = KnownTrials()

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

    with (
        stop_on_signal(stopping) as stop,
        show_on(console, "Ctrl-C ends the run; nothing that finished is lost")
        if shows
        else nullcontext(lambda _: None) as show,
    ):
        asked = False
        try:
            launcher.start()
            going_on = True
            while going_on:
                try:
                    going_on = launcher.running() > 0
                    for line in launcher.news():
                        tell(line)
                    # What has been asked to end is no last run yet.
                    if not asked:
                        show(glance())
                    if stop.is_set() and not asked:
                        asked = True
                        launcher.stop()
                    if going_on:
                        time.sleep(SECONDS)
                except KeyboardInterrupt:
                    launcher.stop()
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
    from harness.records.lock import lock_owner
    from harness.runs.run import summary_before_training
    from harness.runs.status import read_status

    owner = lock_owner(folder)
    if owner is not None and owner.alive:
        raise LockedError(
            f"{folder} is being run by {owner.process}; wait for it or stop it, or train beside it with --worker"
        )
    launcher = (slurm_workers if on.place == "slurm" else local_workers)(on, arguments, folder)
    before = _records(folder)
    stopped_by = attend(launcher, folder, console, shows=shows)
    if stopped_by is None and budget is not None and budget.is_over():
        stopped_by = budget.name
    if not (folder / "study.json").exists():
        if stopped_by is None:
            raise ResultsError(f"{folder}: no worker trained anything; their logs are in {folder / '.workers'}")
        return summary_before_training(study, folder, arms, stopped_by)
    ran = len(_records(folder).items() - before.items())
    return summary_of(read_status(folder), folder, arms, ran=ran, stopped_by=stopped_by)
