"""Options of `--sbatch`: from text to what sbatch takes, checked before anything is queued."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from harness.errors import HarnessError, did_you_mean
from harness.launch import slurm_queue
from harness.launch.slurm_job import MAKING_ROOM

# What the array is made of: one worker a job, one log a job.
_OURS = ("array", "error", "nodes", "ntasks", "ntasks-per-node", "open-mode", "output", "requeue", "wrap")
_SIGNAL = re.compile(rf"(?:SIG)?({'|'.join(name.removeprefix('SIG') for name in MAKING_ROOM)})@(\d+)")
_DEFAULT_SIGNAL = "TERM@120"


def parse_options(text: str) -> dict[str, str]:
    """Return the options in a text, and the signal before the time limit where it names none.

    Raises
    ------
    HarnessError
        If a part is not key=value, or a key belongs to the array.

    >>> parse_options("partition=gpu gres=gpu:1")
    {'signal': 'TERM@120', 'partition': 'gpu', 'gres': 'gpu:1'}
    """
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise HarnessError(f"--sbatch {text!r}: {error}") from None
    options = {"signal": _DEFAULT_SIGNAL}
    for part in parts:
        key, _, value = part.removeprefix("--").partition("=")
        if not (key and value):
            raise HarnessError(f"--sbatch: {part!r} is not key=value; an example is 'partition=gpu time=4:00:00'")
        key = key.replace("_", "-")
        if key in _OURS:
            raise HarnessError(f"--sbatch: {key} cannot be set, because each worker is a job of one array")
        options[key] = value
    if not _SIGNAL.fullmatch(options["signal"]):
        names = ", ".join(name.removeprefix("SIG") for name in MAKING_ROOM)
        raise HarnessError(
            f"--sbatch: signal={options['signal']} is not NAME@SECONDS such as {_DEFAULT_SIGNAL}; names: {names}"
        )
    return options


def grace_of(options: Mapping[str, str]) -> float:
    """Return the seconds between the signal before the time limit and the limit.

    >>> grace_of({"signal": "USR1@300"})
    300.0
    """
    return float(options["signal"].partition("@")[2])


def as_flags(options: Mapping[str, str]) -> list[str]:
    """Return the options as sbatch takes them.

    >>> as_flags({"partition": "gpu"})
    ['--partition=gpu']
    """
    return [f"--{key}={value}" for key, value in options.items()]


def check_options(options: Mapping[str, str], number: int) -> None:
    """Ask Slurm whether it would take so many such jobs as an array; queues nothing.

    Raises
    ------
    HarnessError
        If a partition does not exist, or sbatch refuses the options.
    """
    known = slurm_queue.partitions()
    for asked in options.get("partition", "").split(","):
        if asked and known and asked not in known:
            raise HarnessError(
                f"--sbatch: no partition {asked!r}{did_you_mean(asked, known)}; Slurm has {', '.join(known)}"
            )
    of_ours = (f"--array=0-{number - 1}", "--output=/dev/null", "--wrap=true")
    said = slurm_queue.ask("sbatch", "--test-only", *of_ours, *as_flags(options))
    if said.returncode:
        shown = " ".join(f"{key}={value}" for key, value in options.items())
        raise HarnessError(f"--on slurm: Slurm does not take {number} jobs with {shown}: {slurm_queue.complaint(said)}")
