"""Study lock: one process at a time leads a study; .holder.json names the process and what it is doing."""

from __future__ import annotations

import errno
import glob
import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import filelock

from harness import provenance
from harness.errors import LockedError, ResultsError, why_unusable
from harness.records.process import RunProcess, process_in

_LOCK, _HOLDER = ".lock", ".holder.json"
WORKERS = ".workers"
"""In a study's folder: what each worker tells of itself, and its lease."""
# `harness status` holds the lock for an instant to see whether it is free; a run waits longer than that.
_PATIENCE = 0.5
# A lease is written in milliseconds.
_WRITTEN_WITHIN = 5.0
# What a file system without locks answers.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
# Some shared file systems show a lock only on its own machine. Elsewhere a run counts as alive if it wrote recently.
_BELIEVED_SECONDS = 120
# After so long without a sign of life a process on another machine is taken for dead; on the same one, at once.
LEASE_SECONDS = 60.0


class StudyLock:
    """The lock that this process holds on a study, and what it writes beside the results.

    Parameters
    ----------
    folder : Path
        The study's results.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / _HOLDER
        self._content: dict[str, Any] = {"host": platform.node(), "pid": os.getpid(), "since": provenance.now()}
        self._writing = threading.Lock()
        self.tell()

    def tell(self, **more: Any) -> None:
        """Write what this process is doing; a failure to write neither stops a run nor hides an error."""
        partial = self._path.with_suffix(".partial")
        # A signal is reported from its own thread.
        with self._writing, suppress(OSError):
            self._content |= {"seen": provenance.now(), **more}
            partial.write_text(json.dumps(self._content), "utf-8")
            partial.replace(self._path)

    def release(self) -> None:
        """Delete the file, unless a signal ended the run: `harness status` will say so."""
        if self._content.get("signal"):
            # It has gone on since it told what it was doing, to the end of a trial or an epoch.
            self.tell(ended=provenance.now(), doing="", trials=[])
            return
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


@contextmanager
def lock_study(folder: Path) -> Iterator[StudyLock]:
    """Lock a study's folder; the operating system releases the lock when the process ends, however it ends.

    Where the file system has no such locks, or shows them on their own machine only, what the other process wrote of
    itself in the last two minutes counts.

    Raises
    ------
    LockedError
        If another process holds the lock; names its host and process.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        owner = lock_owner(folder)
        if owner is not None and owner.alive and owner.host != platform.node():
            raise locked(folder, owner)
        file_lock = _acquired(folder / _LOCK)
    except filelock.Timeout:
        raise locked(folder, lock_owner(folder)) from None
    except OSError as error:
        raise ResultsError(f"{folder} cannot be used for results: {why_unusable(folder, error)}") from None
    try:
        lock = StudyLock(folder)
        try:
            yield lock
        finally:
            lock.release()
    finally:
        file_lock.release()


@contextmanager
def lock_workers(folder: Path) -> Iterator[None]:
    """Let one process at a time start workers of a study, before any of them leads it.

    Raises
    ------
    LockedError
        If another process starts workers of it, or attends to them.
    """
    workers = folder / WORKERS
    try:
        workers.mkdir(parents=True, exist_ok=True)
        lock = _acquired(workers / _LOCK)
    except filelock.Timeout:
        raise locked(folder, lock_owner(folder)) from None
    except OSError as error:
        raise ResultsError(f"{workers} cannot be used for results: {why_unusable(workers, error)}") from None
    try:
        yield
    finally:
        lock.release()


def _acquired(path: Path) -> filelock.BaseFileLock:
    try:
        lock: filelock.BaseFileLock = filelock.FileLock(path, fallback_to_soft=False)
        lock.acquire(timeout=_PATIENCE)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        lease = path.with_name(f"{path.name}.lease")
        forget_empty(lease)
        lock = filelock.SoftFileLease(lease, lease_duration=LEASE_SECONDS, thread_local=False)
        lock.acquire(timeout=_PATIENCE)
    return lock


def forget_empty(lease: Path) -> None:
    """Remove a lease that a killed process had made and not yet written.

    filelock 4.2 writes it right after, and takes an empty one for somebody's for ever.
    """
    with suppress(OSError):
        found = lease.stat()
        if not found.st_size and time.time() - found.st_mtime > _WRITTEN_WITHIN:
            lease.unlink()


def locked(folder: Path, owner: RunProcess | None) -> LockedError:
    """Return the error that says which process runs the study in a folder."""
    who = "another process" if owner is None else owner.process
    return LockedError(f"{folder} is being run by {who}; wait for it or stop it")


def join_instead(error: LockedError) -> LockedError:
    """Return the error with the way out that a run has."""
    return LockedError(f"{error}, or train beside it with --worker")


def lock_owner(folder: Path) -> RunProcess | None:
    """Return the process that runs the study in a folder, or whose run ended early; None if none is known."""

    def alive(process: RunProcess) -> bool:
        locked = is_locked(folder / _LOCK)
        if locked is None or (not locked and process.host != platform.node()):
            age = _age_of_lease(folder, process)
            return (process.seconds_since_seen if age is None else age) < _BELIEVED_SECONDS and not process.ended
        return locked

    return process_in(folder / _HOLDER, alive)


def _age_of_lease(folder: Path, process: RunProcess) -> float | None:
    """Return the seconds since a process renewed the lease that it has as a worker; None where it has none."""
    pattern = f"{glob.escape(process.host)}-{process.pid}-*.lease"
    with suppress(OSError):
        ages = [time.time() - path.stat().st_mtime for path in (folder / WORKERS).glob(pattern)]
        return min(ages, default=None)
    return None


def says_it_runs(folder: Path) -> bool:
    """Whether a process said lately that it runs the study in a folder; takes no lock, and is less sure than one."""
    process = process_in(folder / _HOLDER, lambda one: one.seconds_since_seen < _BELIEVED_SECONDS and not one.ended)
    return process is not None and process.alive


def lock_while_open(file: BinaryIO) -> None:
    """Lock a file for as long as this process, or one that inherits it, has it open; without locks, do nothing."""
    with suppress(OSError, ImportError):
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_locked(path: Path) -> bool | None:
    """Whether a process holds the lock on a file, None where that cannot be seen."""
    try:
        import fcntl

        stream = path.open("rb")
    except FileNotFoundError:
        return False
    except (OSError, ImportError):
        return None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return True
        except OSError:
            return None
    return False
