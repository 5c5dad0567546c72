"""Worker: what trains on a node, in a process of its own: it is sent packs, and streams back what happens."""

from __future__ import annotations

import hashlib
import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness import provenance
from harness.atomic_file import atomic_write
from harness.engines.engine import Engine, Progress
from harness.engines.result import TrialResult
from harness.study.trials import Trial

if TYPE_CHECKING:
    from harness.data.tokenization import TokenizedDataset
    from harness.models.checkpoints import Checkpoint
    from harness.study.settings import Data

# A larger state stays on its node: on a network of 1 Gbit/s this much takes 2 s, after every epoch of every pack.
LARGEST_STATE = 256 << 20
# A message costs the driver about a millisecond. Outcomes go at once, progress waits for so long.
_SECONDS_BETWEEN_REPORTS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the trials of a study are trained with: it travels to each node once.

    `weights` names the files of the checkpoint, each with the SHA-256 of its content.
    """

    checkpoint: Checkpoint
    weights: Mapping[str, str]
    data: TokenizedDataset
    data_settings: Data
    pad_token_id: int
    engine: str


@dataclass(frozen=True, slots=True)
class Said:
    """What the engine wants a user to know."""

    text: str


@dataclass(frozen=True, slots=True)
class State:
    """A saved pack as it is now: its file, its size in bytes, and its content.

    The content is None where the file is gone, and then the size is 0, or where it is too large to send.
    """

    file: str
    size: int
    content: bytes | None


Event = Progress | TrialResult | Said | State


class Worker:
    """One slot of a node: a GPU, or some cores.

    Parameters
    ----------
    threads : int
        Its cores.
    gpu : bool
        Whether it trains on a GPU, the one that Ray shows it.
    sharing : int
        How many workers share the node's memory, itself among them.
    """

    def __init__(self, threads: int, *, gpu: bool, sharing: int) -> None:
        if os.environ.get("OMP_NUM_THREADS") == str(threads):
            # Ray's doing. torch chooses for itself as it does anywhere, among hyper-threads too.
            del os.environ["OMP_NUM_THREADS"]
        if not gpu:
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        import torch

        from harness.engines.device import SHARED_BY

        os.environ[SHARED_BY] = str(sharing)
        torch.set_num_threads(min(torch.get_num_threads(), threads))
        self._files = Path(tempfile.gettempdir()) / f"ablation-harness-{os.getuid()}"
        self._packs = _own_folder(self._files / "packs")
        self._stop = threading.Event()
        self._sent: dict[str, tuple[int, int]] = {}
        self._events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
        self._reports: dict[str, Progress] = {}
        self._engine: Engine

    def lacks(self, inputs: Inputs) -> list[str]:
        """Return which of the checkpoint's files are not on this node."""
        return [name for name in inputs.weights if self._find(inputs, name) is None]

    def receive(self, inputs: Inputs, name: str, content: bytes) -> None:
        """Keep a file of the checkpoint for the workers of this node, and for the next run."""
        with atomic_write(self._files / inputs.weights[name] / name) as stream:
            stream.write(content)

    def open(self, inputs: Inputs, *_received: None) -> None:
        """Make the engine; Ray begins once what comes after the inputs is there."""
        from harness.engines.packed import PackedEngine
        from harness.engines.trainer import TrainerEngine

        weights = tuple(path for name in inputs.weights if (path := self._find(inputs, name)) is not None)
        checkpoint = replace(inputs.checkpoint, weights=weights)
        of_study = (checkpoint, inputs.data, inputs.data_settings, inputs.pad_token_id)
        if inputs.engine == "trainer":
            self._engine = TrainerEngine(*of_study)
        else:
            self._engine = PackedEngine(*of_study, folder=self._packs, say=self._say)

    def size(self, trial: Trial) -> int:
        """Return how many trials of this one's key make a pack here."""
        from harness.engines.packed import PackedEngine

        return self._engine.size(trial) if isinstance(self._engine, PackedEngine) else 1

    def train(self, pack: Sequence[Trial], done: Collection[str], states: Mapping[str, bytes]) -> Iterator[list[Event]]:
        """Train a pack, and yield what happens, in its order; of steps only the last.

        Parameters
        ----------
        pack : sequence of Trial
            The whole pack.
        done : collection of str
            The keys of its trials that need not be trained.
        states : mapping of str to bytes
            The saved packs to go on from, by the names of their files.
        """
        for left in self._packs.iterdir():
            left.unlink()
        for name, content in states.items():
            (self._packs / name).write_bytes(content)
        self._sent = self._stamps()
        # The engine has a thread of its own: it reports from the middle of a step, and this one must yield.
        threading.Thread(target=self._train, args=(pack, done), daemon=True).start()
        while True:
            events = self._happened()
            reports, self._reports = self._reports, {}
            batch: list[Event] = [*reports.values()]
            for event in events:
                if isinstance(event, BaseException):
                    raise event
                if event is not None:
                    batch.append(event)
            if batch:
                yield batch
            if None in events:
                return

    def stop(self) -> None:
        """End what is trained with its epoch."""
        self._stop.set()

    def _find(self, inputs: Inputs, name: str) -> Path | None:
        """Return a file of the checkpoint: where the driver has it too, or where one was received."""
        digest = inputs.weights[name]
        there = [path for path in inputs.checkpoint.weights or () if path.name == name]
        return next((path for path in (*there, self._files / digest / name) if sha256(path) == digest), None)

    def _happened(self) -> list[Event | BaseException | None]:
        """Return what has happened besides steps: at once, or nothing after a while."""
        events = []
        with suppress(queue.Empty):
            events.append(self._events.get(timeout=_SECONDS_BETWEEN_REPORTS))
            while True:
                events.append(self._events.get_nowait())
        return events

    def _report(self, progress: Progress) -> None:
        self._reports[progress.trial.key] = progress

    def _train(self, pack: Sequence[Trial], done: Collection[str]) -> None:
        try:
            for outcome in self._engine.train(pack, report=self._report, done=done, stop=self._ends):
                self._send_states()
                self._events.put(replace(outcome, provenance=provenance.describe()))
            self._send_states()
            self._events.put(None)
        except BaseException as error:
            self._events.put(error)

    def _ends(self) -> bool:
        # An engine asks between two epochs, when it has saved the pack.
        self._send_states()
        return self._stop.is_set()

    def _say(self, text: str) -> None:
        self._events.put(Said(text))

    def _send_states(self) -> None:
        """Send the saved packs that have changed."""
        now = self._stamps()
        for name in self._sent.keys() - now.keys():
            self._events.put(State(name, 0, None))
        for name, (_, size) in now.items():
            if now[name] != self._sent.get(name):
                content = (self._packs / name).read_bytes() if size <= LARGEST_STATE else None
                self._events.put(State(name, size, content))
        self._sent = now

    def _stamps(self) -> dict[str, tuple[int, int]]:
        known = {path.name: path.stat() for path in self._packs.glob("*.pt")}
        return {name: (found.st_mtime_ns, found.st_size) for name, found in known.items()}


def _own_folder(folder: Path) -> Path:
    """Make a folder for this process, and remove those of processes that are gone: Ray kills them as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.iterdir():
        try:
            os.kill(int(other.name), 0)
        except (OSError, ValueError):
            shutil.rmtree(other, ignore_errors=True)
    own = folder / str(os.getpid())
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    return own


def sha256(path: Path) -> str | None:
    """Return the SHA-256 of a file, or None where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None
