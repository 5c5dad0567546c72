"""Job of a Slurm array: one worker as a child process, told to end in time, and back in the queue where that is due."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.launch import slurm_queue
from harness.records.lock import WORKERS

# Slurm makes room, or the time limit is near: the job comes back.
MAKING_ROOM = ("SIGTERM", "SIGUSR1", "SIGUSR2")
# Somebody wants it to end.
_ENDING = ("SIGHUP", "SIGINT")
# Seconds before the end of its grace at which a job asks for a requeue although its worker still runs.
_RESERVED = 15.0
# 1: some trial did not finish. That is in its record, and the worker has done its part.
_DONE = (0, 1)
# So often in a row a job comes back although no epoch ended in between: it would never get further.
_FRUITLESS = 3


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """What submitit calls in each job of the array.

    The worker is a child process: what kills it, such as a lack of memory, leaves this one to say so in the log, and to
    ask for a requeue when the grace is over before the worker's epoch. submitit's own handlers of signals are replaced:
    they would requeue at once, and only where submitit was told the time limit in minutes.

    Parameters
    ----------
    command : tuple of str
        The worker's command with its arguments.
    grace : float
        Seconds between the signal that Slurm sends and the end of the job.
    folder : Path
        The study's results, as an absolute path.
    """

    command: tuple[str, ...]
    grace: float
    folder: Path

    def __call__(self) -> None:
        """Run the worker; exits with its code where it could not do its part."""
        before = _kept(self.folder)
        code, told = self._run()
        if code is not None and code < 0:
            _say(f"the worker was killed by {signal.Signals(-code).name}")
            code = 128 - code
        if told in MAKING_ROOM and code != 0:
            sys.exit(self._requeue(fruitless=_kept(self.folder) == before))
        if code not in _DONE and told is None:
            sys.exit(code)

    def _run(self) -> tuple[int | None, str | None]:
        """Return the worker's exit code, None where it still runs at the end of the grace, and the first signal."""
        numbers = [signal.Signals[name] for name in (*MAKING_ROOM, *_ENDING)]
        awaited = [*numbers, signal.SIGCHLD]
        # Blocked, a signal waits until somebody asks for it: none is lost, and none comes between two lines.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
        # Slurm sends it with others, and submitit would note it as a warning.
        signal.signal(signal.SIGCONT, signal.SIG_DFL)
        worker = subprocess.Popen(self.command, preexec_fn=_hears_only_ctrl_c(before))
        told, end = None, float("inf")
        while (code := worker.poll()) is None and time.monotonic() < end:
            came = signal.sigtimedwait(awaited, min(60.0, max(end - time.monotonic(), 0.0)))
            name = "SIGCHLD" if came is None else signal.Signals(came.si_signo).name
            if told is None and name != "SIGCHLD":
                told = name
                _say(f"{told}: the worker ends with its epoch")
                worker.send_signal(signal.SIGINT)
                if told in MAKING_ROOM:
                    end = time.monotonic() + max(self.grace - _RESERVED, 0.0)
            elif name in _ENDING:
                _say(f"{name} again: the worker ends now")
                worker.send_signal(signal.SIGINT)
        return code, told

    def _requeue(self, *, fruitless: bool) -> int:
        """Ask Slurm to run this job again, unless it has decided already, and return the exit code.

        A job that was cancelled no longer counts as running, nor does one that Slurm has preempted and puts back by
        itself. One that runs on another node was taken for lost here, and is not to be disturbed there.

        Parameters
        ----------
        fruitless : bool
            Whether no epoch of the study ended while the job ran.
        """
        array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
        # The plain id of an array's last job is that of the whole array.
        name = os.environ["SLURM_JOB_ID"] if array is None else f"{array}_{task}"
        job = (slurm_queue.jobs_of(name) or {}).get(name)
        if job is None or job.state != "RUNNING" or job.nodes != os.environ["SLURMD_NODENAME"]:
            seen = "nothing" if job is None else f"{job.state} {job.nodes}".strip()
            _say(f"no requeue asked for: Slurm says {seen} of job {name}")
            return 1
        if self._comes_back_in_vain(name, fruitless=fruitless):
            _say(
                f"not requeued: {_FRUITLESS + 1} times in a row this job was told to end before an epoch had ended; "
                "give it more time, such as --sbatch 'time=4:00:00', or a partition that preempts less"
            )
            return 1
        said = slurm_queue.ask("scontrol", "requeue", name)
        if said.returncode:
            _say(f"not requeued: {slurm_queue.complaint(said)}")
            return 1
        _say(f"job {name} is requeued, and its worker will go on")
        return 0

    def _comes_back_in_vain(self, name: str, *, fruitless: bool) -> bool:
        """Count in a file, for the job that comes back knows nothing else, and say whether it should stay away."""
        counted = self.folder / WORKERS / "slurm" / in_vain(name)
        try:
            before = len(counted.read_bytes()) if counted.exists() else 0
            if not fruitless:
                counted.unlink(missing_ok=True)
            elif before < _FRUITLESS:
                counted.write_bytes(b"." * (before + 1))
        except OSError as error:
            _say(f"{counted} cannot be written: {error.strerror}")
            return False
        return fruitless and before >= _FRUITLESS


def in_vain(name: str) -> str:
    """Return the name of the file, beside its log, that counts how often a job came back in vain."""
    return f"{name}_in_vain"


def _kept(folder: Path) -> list[int | None]:
    """Return when something was last kept of a study: an epoch of a pack, a trial or a candidate, each by renaming."""
    times: list[int | None] = []
    for name in ("packs", "trials", "tuning"):
        try:
            times.append((folder / name).stat().st_mtime_ns)
        except OSError:
            times.append(None)
    return times


def _hears_only_ctrl_c(mask: Iterable[int]) -> Callable[[], None]:
    """Return what makes a new process ignore the signals of Slurm, which reach a job's first process or all of them.

    Where they reach all, the worker would hear each twice, once from here, and the second one ends an epoch half-way.
    """

    def prepare() -> None:
        for name in (*MAKING_ROOM, "SIGHUP"):
            signal.signal(signal.Signals[name], signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    return prepare


def _say(what: str) -> None:
    print(what, flush=True)  # noqa: T201
