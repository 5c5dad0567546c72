"""A pack between two processes: kept at the end of every epoch, so that a kill costs at most one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from harness.atomic_file import atomic_write
from harness.study.trials import Trial

# A change of what is kept, or of how a pack is trained, is a new version: an older state is not gone on from.
_VERSION = 2


class State:
    """Where a pack is kept.

    Parameters
    ----------
    folder : Path or None
        The folder of all packs of a study; None keeps nothing.
    pack : sequence of Trial
        The whole pack, finished trials included.
    say : callable
        Tells that a state could not be kept.
    """

    def __init__(self, folder: Path | None, pack: Sequence[Trial], say: Callable[[str], None]) -> None:
        name = hashlib.sha256(json.dumps([_VERSION, *(trial.key for trial in pack)]).encode()).hexdigest()[:20]
        self._path = folder / f"{name}.pt" if folder is not None else None
        self._say = say
        self._told = False

    def members(self, pack: Sequence[Trial], done: Container[str]) -> tuple[Trial, ...]:
        """Return the trials that are trained together: those of the state, else those that are not done."""
        if self.kept is not None:
            return tuple(trial for trial in pack if trial.key in self.kept["keys"])
        return tuple(trial for trial in pack if trial.key not in done)

    @cached_property
    def kept(self) -> dict[str, Any] | None:
        """What an earlier process kept; None if nothing, or if it cannot be read."""
        return _read(self._path) if self._path is not None and self._path.exists() else None

    def save(self, content: dict[str, Any]) -> None:
        """Keep the pack as it is: a reader sees the old state or the whole new one."""
        if self._path is None:
            return
        try:
            with atomic_write(self._path) as stream:
                torch.save({"version": _VERSION, **content}, stream)
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            if not self._told:
                self._say(f"{self._path} cannot be written: {reason}; a run that is cut short starts this pack anew")
            self._told = True

    def discard(self) -> None:
        """Forget the pack: all of its trials are recorded."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)


def forget_recorded(folder: Path, done: Container[str]) -> None:
    """Delete the packs of a folder whose trials are all done: a kill came between the last record and this."""
    for path in folder.glob("*.pt"):
        found = _read(path, mmap=True)
        if found is not None and all(key in done for key in found["keys"]):
            with suppress(OSError):
                path.unlink()


def _read(path: Path, *, mmap: bool = False) -> dict[str, Any] | None:
    """Return what a file keeps, None if it cannot be read; with `mmap` weights are left on disk until they are used."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception:  # a torn or foreign file raises whatever its bytes suggest
        return None
    return found if isinstance(found, dict) and found.get("version") == _VERSION else None
