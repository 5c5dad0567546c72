"""A study is run by one process at a time, which says beside the results who it is and what it does."""

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
# Who only looks whether a folder is held does so for an instant; a run waits longer than that.
_PATIENCE = 0.5
# On some shared file systems a lock is seen on its own machine only: there a run is believed while it gives signs.
_BELIEVED_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOwner:
    """The process that runs a study, or that ran it last and did not end in order.

    Parameters
    ----------
    host, pid, since : str, int, str
        Which process, and when it began.
    seen : str
        When it last gave a sign.
    alive : bool
        Whether it still runs.
    doing : str
        What it did then, in words.
    trials : list of mapping
        Each trial that it trained then: `arm`, `seed`, `epoch`, `epochs`, `step`, `steps`.
    seconds_left : float or None
        What it expected then.
    signal : str or None
        The signal that asked it to end.
    ended : str or None
        When it ended at that signal.
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

    @property
    def process(self) -> str:
        """Which process, in words."""
        return f"process {self.pid} on {self.host} since {self.since}"


class StudyLock:
    """A folder that this process holds.

    Parameters
    ----------
    folder : Path
        The study's results.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _HOLDER
        self._content: dict[str, Any] = {"host": platform.node(), "pid": os.getpid(), "since": provenance.now()}
        self._writing = threading.Lock()
        self.tell()

    def tell(self, **more: Any) -> None:
        """Tell beside the results what goes on, where that can be: it must neither stop a run nor hide an error."""
        partial = self._path.with_suffix(".partial")
        # A signal is told by a thread of its own.
        with self._writing, suppress(OSError):
            self._content |= {"seen": provenance.now(), **more}
            partial.write_text(json.dumps(self._content), "utf-8")
            partial.replace(self._path)

    def let_go(self) -> None:
        """Leave nothing behind, unless a signal ended the run: who comes back later wants to know."""
        if self._content.get("signal"):
            self.tell(ended=provenance.now())
            return
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


@contextmanager
def lock_study(folder: Path) -> Iterator[StudyLock]:
    """Hold the study's folder; the system lets go of it when the process ends, however it ends.

    Raises
    ------
    LockedError
        If another process holds it; names its host and process.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / _LOCK)
        lock.acquire(timeout=_PATIENCE)
    except filelock.Timeout:
        found = lock_owner(folder)
        who = "another process" if found is None else found.process
        raise LockedError(f"{folder} is being run by {who}; wait for it or stop it") from None
    except OSError as error:
        raise ResultsError(f"{folder} cannot be used for results: {error.strerror}") from None
    try:
        hold = StudyLock(folder)
        try:
            yield hold
        finally:
            hold.let_go()
    finally:
        lock.release()


def lock_owner(folder: Path) -> LockOwner | None:
    """Return who runs the study in a folder, or whom a signal or a kill ended; None where nobody is known."""
    try:
        found = json.loads((folder / _HOLDER).read_text("utf-8"))
        seen = found.get("seen", found["since"])
        age = (datetime.now(UTC) - datetime.fromisoformat(seen)).total_seconds()
        held = _held(folder / _LOCK)
        unsure = held is None or (not held and found["host"] != platform.node())
        trials, left = found.get("trials", []), found.get("seconds_left")
        return LockOwner(
            host=str(found["host"]),
            pid=int(found["pid"]),
            since=str(found["since"]),
            seen=str(seen),
            alive=age < _BELIEVED_SECONDS and not found.get("ended") if unsure else bool(held),
            doing=str(found.get("doing", "")),
            trials=[dict(trial) for trial in trials],
            seconds_left=None if left is None else float(left),
            signal=found.get("signal"),
            ended=found.get("ended"),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _held(lock: Path) -> bool | None:
    """Whether somebody holds the lock, None where that cannot be seen; looks for an instant."""
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
