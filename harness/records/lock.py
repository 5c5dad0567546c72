"""Study lock: one process at a time runs a study; .holder.json names the process and what it is doing."""

from __future__ import annotations

import json
import os
import platform
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from harness import provenance
from harness.errors import LockedError, ResultsError

_LOCK, _HOLDER = ".lock", ".holder.json"
# `harness status` holds the lock for an instant to see whether it is free; a run waits longer than that.
_PATIENCE = 0.5
# Some shared file systems show a lock only on its own machine. Elsewhere a run counts as alive if it wrote recently.
_BELIEVED_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOwner:
    """The process that runs a study, or whose run ended early.

    Parameters
    ----------
    host, pid, since : str, int, str
        The process, and when it started.
    seen : str
        When it last wrote to the file.
    alive : bool
        Whether it still runs.
    doing : str
        What it was doing then, in words.
    trials : list of mapping
        The trials that it was training then: `arm`, `seed`, `epoch`, `epochs`, `step`, `steps`.
    seconds_left : float or None
        Its estimate then.
    signal : str or None
        The signal that asked it to end.
    ended : str or None
        When it ended after that signal.
    settings : str
        What identifies the settings that it runs the study with, and the version of this package.
    """

    host: str
    pid: int
    since: str
    seen: str
    alive: bool
    doing: str = ""
    trials: list[Mapping[str, Any]]
    seconds_left: float | None = None
    signal: str | None = None
    ended: str | None = None
    settings: str = ""

    @property
    def process(self) -> str:
        """The process in words."""
        return f"process {self.pid} on {self.host} since {self.since}"


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
            self.tell(ended=provenance.now())
            return
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


@contextmanager
def lock_study(folder: Path) -> Iterator[StudyLock]:
    """Lock a study's folder; the operating system releases the lock when the process ends, however it ends.

    Raises
    ------
    LockedError
        If another process holds the lock; names its host and process.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file_lock = filelock.FileLock(folder / _LOCK)
        file_lock.acquire(timeout=_PATIENCE)
    except filelock.Timeout:
        owner = lock_owner(folder)
        who = "another process" if owner is None else owner.process
        raise LockedError(f"{folder} is being run by {who}; wait for it or stop it") from None
    except OSError as error:
        raise ResultsError(f"{folder} cannot be used for results: {error.strerror}") from None
    try:
        lock = StudyLock(folder)
        try:
            yield lock
        finally:
            lock.release()
    finally:
        file_lock.release()


def lock_owner(folder: Path) -> LockOwner | None:
    """Return the process that runs the study in a folder, or whose run ended early; None if none is known."""
    try:
        content = json.loads((folder / _HOLDER).read_text("utf-8"))
        seen = content.get("seen", content["since"])
        age = (datetime.now(UTC) - datetime.fromisoformat(seen)).total_seconds()
        locked = _is_locked(folder / _LOCK)
        unsure = locked is None or (not locked and content["host"] != platform.node())
        trials, left = content.get("trials", []), content.get("seconds_left")
        return LockOwner(
            host=str(content["host"]),
            pid=int(content["pid"]),
            since=str(content["since"]),
            seen=str(seen),
            alive=age < _BELIEVED_SECONDS and not content.get("ended") if unsure else bool(locked),
            doing=str(content.get("doing", "")),
            trials=[dict(trial) for trial in trials],
            seconds_left=None if left is None else float(left),
            signal=content.get("signal"),
            ended=content.get("ended"),
            settings=str(content.get("settings", "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def says_it_runs(folder: Path) -> bool:
    """Whether a process said lately that it runs the study in a folder; takes no lock, and is less sure than one."""
    try:
        content = json.loads((folder / _HOLDER).read_text("utf-8"))
        age = (datetime.now(UTC) - datetime.fromisoformat(content["seen"])).total_seconds()
        return age < _BELIEVED_SECONDS and not content.get("ended")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def _is_locked(lock: Path) -> bool | None:
    """Whether a process holds the lock, None where that cannot be seen."""
    try:
        import fcntl

        stream = lock.open("rb")
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
