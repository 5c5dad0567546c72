"""Atomic file writes: a file is there whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Write under another name, flush to the disk, rename: a reader sees the old file, or the whole new one.

    What breaks in between leaves the old file as it was and nothing beside it, and is passed on; a disk that takes no
    more as an `OSError`, also where what writes makes an error of its own of it, as `torch.save` does.

    Parameters
    ----------
    path : Path
        The file; its folder is made. A pipe or a device takes what is written as it comes.
    """
    if _is_no_file(path):
        # Renaming would put a file in its place.
        with path.open("wb") as stream:
            yield stream
        return
    # A name of its own: two processes may write the same file.
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        if isinstance(error, RuntimeError) and isinstance(error.__context__, OSError):
            error = error.__context__
        if isinstance(error, OSError) and error.filename is None:
            # A write that fails knows a descriptor only.
            error.filename = str(path)
        raise error from None


def _is_no_file(path: Path) -> bool:
    """Whether a name stands for a folder, a pipe or a device, such as standard output under any of its names."""
    try:
        return path.parent == Path("/dev") or not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def sync_folder(folder: Path) -> None:
    """Flush to the disk which files are in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
