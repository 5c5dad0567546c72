"""Slots of a cluster: the places where one pack at a time is trained, each with its worker."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.engines.packed.packs import PackKey
from harness.engines.ray.cluster import Cluster, Node, on_node
from harness.engines.ray.packs import Pack
from harness.engines.ray.worker import Inputs, Worker

_SECONDS_BETWEEN_LOOKS = 5.0
# A node where so many workers in a row could not begin is left out.
_MOST_FAILURES = 3
# Threads of a pack of small models: `PackedEngine` gives it no more.
_CORES_OF_SMALL = 2


@dataclass(slots=True, eq=False)
class Slot:
    """A place where one pack at a time is trained: a GPU, or some cores of a node.

    `awaits` is what its worker was last asked for, and `then` takes it; None while it has nothing to do. `pack` is what
    it trains, `began` whether it ever had an engine, `sizes` how many trials of a key it takes.
    """

    node: Node
    name: str
    worker: Any
    awaits: Any = None
    then: Callable[[Any], None] | None = None
    pack: Pack | None = None
    began: bool = False
    sizes: dict[PackKey, int] = field(default_factory=dict)


class Slots:
    """The slots of a cluster's nodes, which come and go.

    Parameters
    ----------
    cluster : Cluster
        The cluster.
    inputs : Inputs
        What every worker starts from.
    files : mapping of str to Path
        The files of the checkpoint, by name: a node that lacks one is sent it.
    small : bool
        Whether the model is so small that some cores of a node make a slot.
    say : callable
        Tells what a user should know, such as a node that is left out.
    """

    def __init__(
        self, cluster: Cluster, inputs: Inputs, files: Mapping[str, Path], *, small: bool, say: Callable[[str], None]
    ) -> None:
        import ray

        self._cluster = cluster
        # Once to the object store, from where each node fetches it once, however many workers it has.
        self._inputs = ray.put(inputs)
        self._files = files
        self._contents: dict[str, Any] = {}
        self._small = small
        self._say = say
        self._slots: list[Slot] = []
        # The nodes that were looked at, and how many workers in a row could not begin there.
        self._failures: dict[str, int] = {}
        self._looked = -math.inf

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots)

    def __len__(self) -> int:
        return len(self._slots)

    def busy(self) -> list[tuple[Slot, Pack]]:
        """Return those that train, each with its pack."""
        return [(slot, slot.pack) for slot in self._slots if slot.pack is not None]

    def drop(self, slot: Slot) -> None:
        """End a slot's worker, and go on without the slot until the next look."""
        import ray

        self._slots.remove(slot)
        ray.kill(slot.worker)

    def could_not_begin(self, slot: Slot, reason: str) -> None:
        """Note that the worker of a slot could not begin; after some in a row its node is left out."""
        self._failures[slot.node.id] += 1
        if self._failures[slot.node.id] >= _MOST_FAILURES:
            self._say(f"{slot.name} is left out: its worker could not begin ({reason})")

    def look(self) -> None:
        """Make slots of nodes that have joined, or whose workers died, every few seconds."""
        now = time.monotonic()
        if now - self._looked < _SECONDS_BETWEEN_LOOKS:
            return
        self._looked = now
        nodes = {node.id: node for node in self._cluster.nodes()}
        for slot in [slot for slot in self._slots if slot.pack is None and slot.node.id not in nodes]:
            self.drop(slot)
        joined = [node for node in nodes.values() if node.id not in self._failures]
        # Those that were there when the run began have been asked.
        unfit = self._cluster.unfit(joined) if self._failures else {}
        for node in joined:
            self._failures[node.id] = _MOST_FAILURES if node.name in unfit else 0
            if node.name in unfit:
                self._say(f"node {node.name} has joined, and is left out: {unfit[node.name]}")
        for node in nodes.values():
            names = {slot.name for slot in self._slots}
            if self._failures[node.id] < _MOST_FAILURES:
                count, cores = self._shape(node)
                for number in range(count):
                    name = node.name if count == 1 else f"{node.name}/{number}"
                    if name not in names:
                        self._slots.append(self._slot(node, name, cores, count))

    def _shape(self, node: Node) -> tuple[int, int]:
        """Return how many slots a node has, and how many cores each has."""
        if node.gpus:
            return node.gpus, node.cpus // node.gpus
        cores = min(_CORES_OF_SMALL, node.cpus) if self._small else node.cpus
        return node.cpus // cores, cores

    def _slot(self, node: Node, name: str, cores: int, count: int) -> Slot:
        import ray

        worker = (
            ray.remote(Worker)
            .options(
                num_cpus=cores,
                num_gpus=1 if node.gpus else 0,
                max_restarts=0,
                # A worker that trains must hear that it is to stop.
                max_concurrency=2,
                scheduling_strategy=on_node(node),
            )
            .remote(max(1, cores), gpu=node.gpus > 0, sharing=count)
        )
        slot = Slot(node=node, name=name, worker=worker, awaits=worker.lacks.remote(self._inputs))

        def send(lacking: list[str]) -> None:
            received = [worker.receive.remote(self._inputs, file, self._content(file)) for file in lacking]
            slot.awaits, slot.then = worker.open.remote(self._inputs, *received), opened

        def opened(_: None) -> None:
            self._failures[node.id] = 0
            slot.began = True

        slot.then = send
        return slot

    def _content(self, file: str) -> Any:
        """Return a file of the checkpoint in the object store: once there, each node fetches it once."""
        import ray

        if file not in self._contents:
            self._contents[file] = ray.put(self._files[file].read_bytes())
        return self._contents[file]
