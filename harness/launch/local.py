"""Local workers: several processes on this machine, each with a GPU of its own or its share of the cores."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from harness.engines.device import SHARED_BY, cores
from harness.errors import LockedError, ResultsError, why_unusable
from harness.launch.launcher import Launcher, refusal
from harness.records.lock import WORKERS, is_locked, lock_while_open

# A worker that a signal killed is started again so often. What it trained is not lost, and whatever kills it may pass.
_STARTS = 4


_TRACEBACK = "Traceback (most recent call last)"


@dataclass(slots=True)
class _Worker:
    name: str
    process: subprocess.Popen[bytes]
    starts: int = 1
    ended: bool = False
    refused: bool = False


class LocalWorkers(Launcher):
    """Workers on this machine.

    Parameters
    ----------
    arguments : sequence of str
        What `harness` is given to make one worker.
    number : int
        How many.
    gpus : sequence of str
        What CUDA calls the GPUs, of which each worker gets one; none to share the cores.
    folder : Path
        The study's results. Logs go to .workers/logs in it, one a worker.
    """

    def __init__(self, arguments: Sequence[str], number: int, *, gpus: Sequence[str], folder: Path) -> None:
        self._arguments = arguments
        self._number = number
        self._gpus = gpus
        self._logs = folder / WORKERS / "logs"
        self._workers: list[_Worker] = []
        self._news: list[str] = []
        self._stopping = False

    def start(self) -> None:
        """Start the workers, whose logs replace those of an earlier run.

        Raises
        ------
        LockedError
            If a worker of an earlier run still lives.
        ResultsError
            If the folder for logs cannot be used.
        """
        try:
            self._logs.mkdir(parents=True, exist_ok=True)
            # Workers outlive a process of --on that was killed, and until one of them leads nothing else tells of them.
            for log in sorted(self._logs.glob("*.log")):
                if is_locked(log):
                    raise LockedError(f"{log} belongs to a worker that still runs; wait for it or stop it")
            for number in range(self._number):
                name = f"worker {number + 1}"
                self._log(name).unlink(missing_ok=True)
                self._workers.append(_Worker(name, self._started(number, name)))
        except OSError as error:
            self.close()
            why = why_unusable(self._logs, error)
            raise ResultsError(f"{self._logs} cannot be used for logs: {why}") from None

    def running(self) -> int:
        """Return how many workers run; one that a signal killed is started again."""
        for number, worker in enumerate(self._workers):
            code = worker.process.poll()
            if code is None or worker.ended:
                continue
            if code >= 0 or self._stopping:
                worker.ended = True
                worker.refused = code == 2
                said = self._said(worker.name)
                # One that a signal ended while it started may leave a traceback, which is no error.
                if code == 2 or (code > 0 and _TRACEBACK in said and not self._stopping):
                    line = said.rpartition("\n")[2]
                    self._news.append(f"{worker.name} ended with an error: {line}; its log: {self._log(worker.name)}")
                continue
            died = f"{worker.name} was killed by {_name_of(-code)}"
            worker.ended = worker.starts >= _STARTS
            if worker.ended:
                self._news.append(f"{died}, {worker.starts} times in all; it is not started again")
            else:
                self._news.append(f"{died}, and is started again: {self._log(worker.name)}")
                worker.starts += 1
                worker.process = self._started(number, worker.name)
        if all(worker.refused for worker in self._workers):
            self._news.clear()
            raise refusal(self._said(self._workers[0].name))
        return sum(not worker.ended for worker in self._workers)

    def stop(self, signal: str) -> None:
        """Send every worker the same signal, so that `harness status` tells the user's own."""
        self._stopping = True
        for worker in self._workers:
            if worker.process.poll() is None:
                worker.process.send_signal(Signals[signal])

    def news(self) -> Sequence[str]:
        """Return what happened to workers since the last call."""
        news, self._news = self._news, []
        return news

    def close(self) -> None:
        """Stop what still runs, and wait for its end."""
        self.stop("SIGTERM")
        for worker in self._workers:
            worker.process.wait()

    def _started(self, number: int, name: str) -> subprocess.Popen[bytes]:
        environment = dict(os.environ)
        if self._gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self._gpus[number]
        else:
            environment.setdefault("OMP_NUM_THREADS", str(max(1, cores() // self._number)))
            environment[SHARED_BY] = str(self._number)
        with self._log(name).open("ab") as log:
            lock_while_open(log)
            # Safe path: a folder named harness where the command is given is not this package. A session of its own:
            # Ctrl-C is for the launcher, which passes it on.
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "harness", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self._logs / f"{name.replace(' ', '-')}.log"

    def _said(self, name: str) -> str:
        """Return what a worker's log says."""
        try:
            return self._log(name).read_text("utf-8", "replace").strip()
        except OSError:
            return "its log is gone"


def _name_of(number: int) -> str:
    """Return the name of a signal; real-time ones have none."""
    return Signals(number).name if number in set(Signals) else f"signal {number}"
