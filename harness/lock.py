"""A study is run by one process at a time."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from harness import provenance
from harness.errors import LockedError, ResultsError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the study's folder; the system lets go of it when the process ends, however it ends.

    Raises
    ------
    LockedError
        If another process holds it; names its host and process.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise LockedError(f"{folder} is being run by {_holder(folder)}; wait for it or stop it") from None
    except OSError as error:
        raise ResultsError(f"{folder} cannot be used for results: {error.strerror}") from None
    holder = {"host": platform.node(), "pid": os.getpid(), "since": provenance.now()}
    try:
        # Who holds the folder is told where that can be; a folder that takes no more must not hide its own reason.
        with suppress(OSError):
            (folder / ".holder.json").write_text(json.dumps(holder), "utf-8")
        yield
    finally:
        with suppress(OSError):
            (folder / ".holder.json").unlink(missing_ok=True)
        lock.release()


def _holder(folder: Path) -> str:
    try:
        holder = json.loads((folder / ".holder.json").read_text("utf-8"))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"
