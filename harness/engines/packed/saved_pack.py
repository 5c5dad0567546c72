"""Saved pack: a pack on disk, written at the end of every epoch, so that a kill costs at most one epoch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from harness.atomic_file import atomic_write
from harness.study.trials import Trial

# Raise it when what is saved changes, or how a pack is trained: saved packs of an older version are ignored.
_VERSION = 4


class SavedPack:
    """The file of one pack.

    Parameters
    ----------
    folder : Path or None
        The folder of all saved packs of a study; None saves nothing.
    pack : sequence of Trial
        The whole pack, finished trials included.
    say : callable
        Tells the user that a pack could not be saved.
    """

    def __init__(self, folder: Path | None, pack: Sequence[Trial], say: Callable[[str], None]) -> None:
        self._pack = [trial.key for trial in pack]
        self._path = folder / file_name(self._pack) if folder is not None else None
        self._say = say
        self._warned = False

    def members(self, pack: Sequence[Trial], wanted: Sequence[Trial]) -> tuple[Trial, ...]:
        """Return the trials to train together: those of the saved pack, else those that are wanted."""
        if self.content is not None:
            return tuple(trial for trial in pack if trial.key in self.content["keys"])
        return tuple(wanted)

    @cached_property
    def content(self) -> dict[str, Any] | None:
        """What an earlier process saved; None if nothing, or if it cannot be read."""
        return _read(self._path) if self._path is not None and self._path.exists() else None

    def save(self, content: dict[str, Any]) -> None:
        """Save the pack as it is: a reader sees the old file or the whole new one."""
        if self._path is None:
            return
        try:
            with atomic_write(self._path) as stream:
                torch.save({"version": _VERSION, "pack": self._pack, **content}, stream)
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            if not self._warned:
                self._say(f"{self._path} cannot be written: {reason}; if this run is stopped, this pack starts anew")
            self._warned = True

    def discard(self) -> None:
        """Delete the file: all trials of the pack are recorded."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)


def file_name(pack: Sequence[str]) -> str:
    """Return the name of the file of the pack of these keys."""
    return f"{hashlib.sha256(json.dumps([_VERSION, *pack]).encode()).hexdigest()[:20]}.pt"


def kept_packs(folder: Path) -> list[list[str]]:
    """Return the keys of each saved pack of a folder, finished trials included."""
    contents = [_read(path, mmap=True) for path in sorted(folder.glob("*.pt"))]
    return [list(content["pack"]) for content in contents if content is not None]


def saved_trials(paths: Iterable[Path]) -> set[str]:
    """Return the keys of the trials whose training these files hold; those that are recorded may be among them."""
    contents = [_read(path, mmap=True) for path in paths]
    return {key for content in contents if content is not None for key in content["keys"]}


def discard_recorded(folder: Path, done: Container[str]) -> None:
    """Delete the saved packs of a folder whose trials are all done: a kill came between the last record and this."""
    for path in folder.glob("*.pt"):
        content = _read(path, mmap=True)
        if content is not None and all(key in done for key in content["keys"]):
            with suppress(OSError):
                path.unlink()


def _read(path: Path, *, mmap: bool = False) -> dict[str, Any] | None:
    """Return what a file holds, None if it cannot be read; with `mmap` weights stay on disk until they are used."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception:  # a torn or foreign file raises whatever its bytes suggest
        return None
    return content if isinstance(content, dict) and content.get("version") == _VERSION else None
