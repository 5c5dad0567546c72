"""Slurm's queue: what its commands say. Its accounting is never asked, because many sites have none."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import HarnessError

# In every other state a job runs, waits, or is about to.
_ENDED = {
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
}
# The controller serves all users of a site.
_EVERY = 5.0
# The controller may be busy or restart; then its commands wait.
_PATIENCE = 60.0
_FORMAT = ",".join(f"{field}:|" for field in ("JobArrayID", "State", "NodeList", "Reason", "exit_code"))


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """One job as the queue shows it: its state, its nodes, why it waits, and the exit code of what has ended."""

    state: str
    nodes: str = ""
    reason: str = ""
    code: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether it neither runs nor waits."""
        return self.state in _ENDED

    @property
    def waits_for(self) -> str | None:
        """What keeps it in the queue, in Slurm's words; None where it does not wait, or Slurm has not said yet."""
        return self.reason if self.state == "PENDING" and self.reason not in ("", "None") else None


class Watch:
    """What the queue shows of a job or of each job of an array, asked for at most every few seconds.

    Parameters
    ----------
    job : str
        What Slurm calls it.
    """

    def __init__(self, job: str) -> None:
        self.job = job
        self._next = float("-inf")

    def look(self, *, at_once: bool = False) -> dict[str, QueuedJob] | None:
        """Return what `jobs_of` says; None too where it was asked just now."""
        if time.monotonic() < self._next and not at_once:
            return None
        self._next = time.monotonic() + _EVERY
        return jobs_of(self.job)


def ask(*command: str, script: str = "") -> subprocess.CompletedProcess[str]:
    """Run one of Slurm's commands; where it does not answer, that is an exit code too."""
    try:
        return subprocess.run(command, input=script, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]} did not answer within {_PATIENCE:.0f} s")
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]}: {error.strerror}")


def jobs_of(job: str) -> dict[str, QueuedJob] | None:
    """Return what the queue shows of a job or of each job of an array, by their names such as 12_3.

    Slurm forgets a job some minutes after its end: it is then not among them. None where Slurm does not answer, which
    says nothing about the job.
    """
    said = ask("squeue", "--noheader", "--array", "--states=all", f"--jobs={job}", f"--Format={_FORMAT}")
    if said.returncode:
        return {} if "Invalid job id" in said.stderr else None
    rows = (line.split("|") for line in said.stdout.splitlines() if line.count("|") == 5)
    return {name: QueuedJob(state, nodes, reason, _exit_code(code)) for name, state, nodes, reason, code, _ in rows}


def _exit_code(shown: str) -> int:
    """Return an exit code that Slurm shows as what wait(2) gave, or as code:signal.

    >>> _exit_code("512"), _exit_code("2:0"), _exit_code("9")
    (2, 2, 0)
    """
    code, colon, _ = shown.strip().partition(":")
    if not code.isdecimal():
        return 0
    return int(code) if colon else int(code) >> 8


def partitions() -> list[str]:
    """Return the names of the partitions, or none where Slurm does not say."""
    return ask("sinfo", "--noheader", "--format=%R").stdout.split()


def complaint(said: subprocess.CompletedProcess[str]) -> str:
    """Return on one line what a command of Slurm complained about."""
    lines = [line.strip() for line in said.stderr.splitlines() if line.strip() and not line.startswith("Try ")]
    program = said.args[0]
    words = [line.removeprefix(f"{program}: ").removeprefix("error: ") for line in lines]
    return "; ".join(words) or f"{program} ended with exit code {said.returncode}"


def submit(script: str, options: Sequence[str]) -> str:
    """Submit a batch script and return the name of its job.

    Raises
    ------
    HarnessError
        If Slurm refuses it.
    """
    said = ask("sbatch", "--parsable", *options, script=script)
    if said.returncode:
        raise HarnessError(f"Slurm refuses the job: {complaint(said)}")
    # On a federation, the name of the cluster follows.
    return said.stdout.strip().partition(";")[0]
