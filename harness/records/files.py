"""Files of a study: each is written whole or not at all, and what a full disk leaves is said."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from analysis.records.format import StoredFile
from harness.atomic_file import atomic_write, sync_folder
from harness.errors import ResultsError, why_unusable

WRITING = ".writing"
"""In a study's folder: folders of trials on their way to their place."""
# Copies of one trial that may come in between while it is written: each takes another worker that was taken for dead.
_MOST_COPIES = 100


def json_file(content: StoredFile) -> bytes:
    """Return what is stored as the bytes of a JSON file."""
    return (json.dumps(content.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_file(path: Path, content: bytes | memoryview) -> None:
    """Write a file of a study; its folder is made.

    Raises
    ------
    ResultsError
        If the disk does not take it.
    """
    try:
        with atomic_write(path) as stream:
            stream.write(content)
    except OSError as error:
        why = why_unusable(path, error)
        raise ResultsError(f"{path} cannot be written: {why}; what was stored before is kept") from error


def write_folder(
    folder: Path, files: Mapping[str, bytes | memoryview], *, study: Path, keeps: Callable[[Path], bool]
) -> bool:
    """Write a trial's folder with all its files at once, or leave the one that is there; return whether it was written.

    Two workers may write the same trial. Whoever comes second finds the whole folder of the first.

    Parameters
    ----------
    folder : Path
        The trial's folder.
    files : mapping of str to bytes
        What goes into it.
    study : Path
        The study's folder, on the same file system.
    keeps : callable
        Whether a folder that is there already stays. If not, the new one takes its place.

    Raises
    ------
    ResultsError
        If the disk does not take it.
    """
    made = study / WRITING / f"{folder.name}.{secrets.token_hex(4)}"
    try:
        made.mkdir(parents=True)
        # Nobody sees the folder before it has its name, so its files need no other name of their own.
        for name, content in files.items():
            with (made / name).open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
        sync_folder(made)
        folder.parent.mkdir(exist_ok=True)
        for _ in range(_MOST_COPIES):
            try:
                made.rename(folder)
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                    raise
                if keeps(folder) or not take_away(folder, study=study, keeps=keeps):
                    return False
            else:
                sync_folder(folder.parent)
                return True
        raise ResultsError(f"{folder} cannot be written: other processes write it again and again")
    except OSError as error:
        why = why_unusable(folder, error)
        raise ResultsError(f"{folder} cannot be written: {why}; what was stored before is kept") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def take_away(folder: Path, *, study: Path, keeps: Callable[[Path], bool]) -> bool:
    """Remove a trial's folder at once, unless it is to stay as it is by then; return whether it is gone.

    Parameters
    ----------
    folder : Path
        The trial's folder.
    study : Path
        The study's folder, on the same file system.
    keeps : callable
        Whether a folder stays.
    """
    gone = study / WRITING / f"{folder.name}.{secrets.token_hex(4)}"
    gone.parent.mkdir(exist_ok=True)
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return True
    # Looked at where nobody else writes: a moment before another worker may have put a finished one in its place.
    if keeps(gone):
        with suppress(OSError):
            gone.rename(folder)
        return False
    shutil.rmtree(gone, ignore_errors=True)
    return True
