"""Workers of a study: the processes that train it side by side, and the trials that each of them has claimed.

A worker holds a lease, which it renews as long as it lives, and writes beside it what it is doing and which trials it
has claimed. A claim is a hint and no lock: a worker that was merely stopped for longer than its lease lasts goes on
when it comes back, and then two of them train the same trials. That does no harm, because the first record of a trial
stays.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import filelock

from analysis.words import counted
from harness import provenance
from harness.errors import ResultsError, why_unusable
from harness.records.lock import LEASE_SECONDS, WORKERS, forget_empty
from harness.records.process import RunProcess, process_in

# To look at the others' claims and to write one's own takes milliseconds.
_TURN_SECONDS = 10.0


class Worker:
    """One of the workers of a study: this process.

    Parameters
    ----------
    folder : Path
        The study's results.
    say : callable
        Is told of a worker that ended without notice.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder = folder / WORKERS
        self._say = say
        self._writing = threading.Lock()
        self._others: dict[str, filelock.SoftFileLease] = {}
        self._content: dict[str, Any] = {"host": platform.node(), "pid": os.getpid(), "since": provenance.now()}
        self._join()

    def tell(self, **more: Any) -> None:
        """Write what this process is doing; a failure to write neither stops a run nor hides an error."""
        # A signal is reported from its own thread. Whom the others take for dead joins anew before it claims again.
        if self._lease.compromise is None:
            with self._writing, suppress(OSError):
                self._write(**more)

    def claim(self, keys: Collection[str]) -> bool:
        """Claim trials in the place of those claimed before; return whether no living worker had claimed one of them.

        Parameters
        ----------
        keys : collection of str
            The keys of the trials.

        Raises
        ------
        ResultsError
            If the claim cannot be written.
        """
        if self._lease.compromise is not None:
            # Others took this process for dead, and its trials for free.
            self.leave()
            self._join()
        try:
            with self._turn():
                if not self.claimed_by_others().isdisjoint(keys):
                    return False
                with self._writing:
                    self._write(claims=sorted(keys))
        except OSError as error:
            raise ResultsError(f"{self._folder} cannot be written: {error.strerror}") from error
        return True

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one worker at a time look at the others' claims and write its own; go on where that takes long."""
        path = self._folder / "turn.lease"
        forget_empty(path)
        lease = filelock.SoftFileLease(path, lease_duration=_TURN_SECONDS)
        # A claim is a hint: to wait for ever for one's turn would be worse than to claim what another does.
        with suppress(filelock.Timeout):
            lease.acquire(timeout=3 * _TURN_SECONDS)
        try:
            yield
        finally:
            lease.release()

    def claimed_by_others(self) -> set[str]:
        """Return the keys of the trials that other living workers have claimed."""
        return {key for other in self._living() for key in other}

    def claimed_elsewhere(self) -> bool:
        """Whether a worker on another machine has claimed something: its death would be seen after its lease only."""
        others = [path for path in self._folder.glob("*.json") if path != self._file]
        return any(_claims(told) and told.get("host") != platform.node() for told in map(_content, others))

    def is_alone(self) -> bool:
        """Whether no other worker lives."""
        return next(self._living(), None) is None

    def leave(self) -> None:
        """Give up all claims."""
        with self._writing, suppress(OSError):
            self._file.unlink(missing_ok=True)
            self._lease.release()

    def _join(self) -> None:
        # A new name: what the others know of the old one is that it is gone.
        name = f"{platform.node()}-{os.getpid()}-{secrets.token_hex(2)}"
        self._file = self._folder / f"{name}.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            # Not bound to a thread: the last to use it may be the one that ends the run.
            self._lease = filelock.SoftFileLease(
                self._folder / f"{name}.lease", lease_duration=LEASE_SECONDS, thread_local=False
            )
            self._lease.acquire()
            with self._writing:
                self._write(claims=[])
        except OSError as error:
            why = why_unusable(self._folder, error)
            raise ResultsError(f"{self._folder} cannot be used for results: {why}") from None

    def _write(self, **more: Any) -> None:
        self._content |= {"seen": provenance.now(), **more}
        written = self._file.with_suffix(".partial")
        written.write_text(json.dumps(self._content), "utf-8")
        written.replace(self._file)

    def _living(self) -> Iterator[list[str]]:
        """Yield the claims of every other worker that lives, and clear away what is left of the dead."""
        for path in sorted(self._folder.glob("*.json")):
            if path != self._file and not self._is_gone(path):
                yield _claims(_content(path))

    def _is_gone(self, path: Path) -> bool:
        """Whether the lease of another worker has run out, or its process has ended; then its file is removed."""
        forget_empty(path.with_suffix(".lease"))
        # One object for as long as this process lives: it remembers since when it has seen no sign of life.
        lease = self._others.setdefault(
            path.stem, filelock.SoftFileLease(path.with_suffix(".lease"), lease_duration=LEASE_SECONDS)
        )
        try:
            lease.acquire(blocking=False)
        except (filelock.Timeout, filelock.LeaseSettingsMismatch):
            # Another version may renew its lease at other times.
            return False
        left = _content(path)
        for file in (path, path.with_suffix(".partial")):
            file.unlink(missing_ok=True)
        lease.release()
        del self._others[path.stem]
        if claims := _claims(left):
            named = f"process {left.get('pid')} on {left.get('host')}"
            self._say(f"{named} ended without notice; what it trained is free again: {counted(len(claims), 'trial')}")
        return True


def _content(path: Path) -> dict[str, Any]:
    """Return what a worker wrote; nothing where it has just left."""
    with suppress(OSError, ValueError):
        content = json.loads(path.read_text("utf-8"))
        if isinstance(content, dict):
            return content
    return {}


def workers_of(folder: Path) -> tuple[RunProcess, ...]:
    """Return the workers of a study: those that live, and those that ended without notice and were not yet missed."""
    found = (process_in(path, partial(_lives, path)) for path in sorted((folder / WORKERS).glob("*.json")))
    return tuple(process for process in found if process is not None)


def _lives(path: Path, process: RunProcess) -> bool:
    """Whether a worker has renewed its lease lately, and, on this machine, whether its process is there."""
    if time.time() - path.with_suffix(".lease").stat().st_mtime >= 2 * LEASE_SECONDS:
        return False
    if process.host == platform.node():
        try:
            os.kill(process.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
    return True


def _claims(content: Mapping[str, Any]) -> list[str]:
    """Return the keys that a worker has claimed, by what it wrote."""
    claims = content.get("claims")
    return [key for key in claims if isinstance(key, str)] if isinstance(claims, list) else []


@contextmanager
def join(folder: Path, say: Callable[[str], None]) -> Iterator[Worker]:
    """Take part in a study as a worker.

    Parameters
    ----------
    folder : Path
        The study's results.
    say : callable
        Is told of a worker that ended without notice.

    Raises
    ------
    ResultsError
        If its folder cannot be written.
    """
    worker = Worker(folder, say)
    try:
        yield worker
    finally:
        worker.leave()
