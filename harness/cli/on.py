"""`harness run --on`: where workers train, and what starts them there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from harness.engines.ray.cluster import Cluster
    from harness.launch.launcher import Launcher
    from harness.runs.budget import Budget

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


def launcher_of(on: On, arguments: Sequence[str], folder: Path) -> Launcher:
    """Return what starts workers: on a Slurm, or on this machine, there one for each GPU, or as many as asked for.

    Parameters
    ----------
    on : On
        Where, and how many.
    arguments : sequence of str
        What `harness` is given to make one worker.
    folder : Path
        The study's results.

    Raises
    ------
    HarnessError
        If options for Slurm are none, or if there are fewer GPUs here, or without GPUs fewer cores.
    """
    from harness.engines.device import cores, visible_gpus
    from harness.errors import HarnessError
    from harness.launch.local import LocalWorkers
    from harness.launch.slurm import SlurmWorkers

    if on.place == "slurm":
        return SlurmWorkers(arguments, on.number or 1, sbatch=on.sbatch, folder=folder)
    gpus = visible_gpus()
    most, of = (len(gpus), "GPUs") if gpus else (cores(), "cores")
    number = on.number or (len(gpus) if gpus else 1)
    if number > most:
        raise HarnessError(f"--on local:{number}: expected at most one worker for each of the {most} {of} here")
    return LocalWorkers(arguments, number, gpus=gpus, folder=folder)
