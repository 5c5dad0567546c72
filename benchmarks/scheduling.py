"""What a large cluster would lose: many packs on many unlike GPUs whose nodes fail, by the rules that workers follow.

    python benchmarks/scheduling.py [--packs 10000] [--gpus 64] [--repeats 5]

A simulation on paper: nothing is trained. A worker for each GPU goes through the packs in the order of the study and
claims the next that is free. A pack is saved after every epoch; when its node fails, the epoch that it is in is lost,
and its claim is void when the lease has run out. The node comes back, and its worker begins at the first pack again.
One worker leads: it goes through the packs until all are done. The others end when nothing was free on their way.
"""

from __future__ import annotations

import argparse
import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

LEASE = 1.0
"""Minutes after which the claim of a dead worker is void (`harness/records/workers.py`)."""

LOOK = 2 / 60
"""Minutes between two looks of the worker that leads, when nothing is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster and a study, in minutes.

    Parameters
    ----------
    packs, epochs : int
        How many packs, and the epochs of each, all equally long.
    shortest, longest : float
        Of a pack on a GPU of speed 1; uniform in between.
    gpus, gpus_per_node : int
        How many GPUs, and how many of them fail together.
    slowest, fastest : float
        The speeds of GPUs, evenly spread.
    between_failures, repair, start : float
        Mean time between two failures of a node, until it is back, and until its worker trains.
    longest_first : bool
        Whether the longest packs come first, and not in random order.
    """

    packs: int = 10_000
    epochs: int = 3
    shortest: float = 5.0
    longest: float = 60.0
    gpus: int = 64
    gpus_per_node: int = 1
    slowest: float = 0.5
    fastest: float = 2.0
    between_failures: float = 600.0
    repair: float = 5.0
    start: float = 2.0
    longest_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Where the minutes of all GPUs went, from the first worker's start to the last pack's end.

    Parameters
    ----------
    hours : float
        How long the study took.
    kept, lost, idle, down : float
        GPU minutes of epochs that counted, of epochs that a failure cut off, of workers that started or had nothing to
        train, and of nodes that were away.
    done : ndarray of int, shape (packs,)
        How many times each pack was trained to its end.
    failures : int
        How many workers a failure ended.
    """

    hours: float
    kept: float
    lost: float
    idle: float
    down: float
    done: NDArray[np.int64]
    failures: int

    @property
    def idle_share(self) -> float:
        """Idle minutes as a share of those in which nodes were there."""
        return self.idle / (self.kept + self.lost + self.idle)

    @property
    def lost_share(self) -> float:
        """Lost minutes as a share of those in which something was trained."""
        return self.lost / (self.kept + self.lost)


class _Worker:
    """The worker of a GPU: what it does since when."""

    def __init__(self, speed: float) -> None:
        self.speed = speed
        self.state = "idle"
        self.since = 0.0
        self.position = 0
        self.pack = -1
        # Events of a life that a failure has ended are void.
        self.life = 0


def simulate(cluster: Cluster, rng: np.random.Generator) -> Spent:
    """Run the study until its last pack is done.

    Parameters
    ----------
    cluster : Cluster
        The cluster and the study.
    rng : Generator
        Draws the lengths of the packs and the failures.
    """
    minutes = rng.uniform(cluster.shortest, cluster.longest, cluster.packs)
    if cluster.longest_first:
        minutes = np.sort(minutes)[::-1]
    workers = [_Worker(speed) for speed in rng.permutation(np.linspace(cluster.slowest, cluster.fastest, cluster.gpus))]
    spent = dict.fromkeys(("kept", "lost", "idle", "down"), 0.0)
    epochs = np.zeros(cluster.packs, dtype=np.int64)
    free = np.ones(cluster.packs, dtype=bool)
    done = np.zeros(cluster.packs, dtype=np.int64)
    leader: int | None = None
    failures = order = 0
    events: list[tuple[float, int, str, int, int]] = []

    def at(time: float, what: str, who: int, life: int) -> None:
        nonlocal order
        order += 1
        heapq.heappush(events, (time, order, what, who, life))

    def becomes(worker: _Worker, state: str, now: float, *, as_what: str | None = None) -> None:
        spent[as_what or worker.state] += now - worker.since
        worker.state, worker.since = state, now

    def next_epoch(number: int, now: float) -> None:
        worker = workers[number]
        at(now + minutes[worker.pack] / cluster.epochs / worker.speed, "epoch", number, worker.life)

    def claim(number: int, now: float) -> None:
        """Take the next free pack; at the end of the list lead, or leave."""
        nonlocal leader
        worker = workers[number]
        ahead = free[worker.position :]
        if ahead.any():
            worker.pack = worker.position + int(np.argmax(ahead))
            worker.position = worker.pack + 1
            free[worker.pack] = False
            becomes(worker, "kept", now)
            next_epoch(number, now)
            return
        becomes(worker, "idle", now)
        worker.pack = -1
        if leader is None:
            leader = number
        if leader == number:
            worker.position = 0
            at(now + LOOK, "claim", number, worker.life)

    nodes = range(0, cluster.gpus, cluster.gpus_per_node)
    for number in range(cluster.gpus):
        at(cluster.start, "claim", number, 0)
    for node in nodes:
        at(rng.exponential(cluster.between_failures), "failure", node, 0)
    leader, now = 0, 0.0
    while not done.all():
        now, _, what, who, life = heapq.heappop(events)
        if what == "failure":
            for number in range(who, min(who + cluster.gpus_per_node, cluster.gpus)):
                worker = workers[number]
                failures += worker.state == "kept"
                becomes(worker, "down", now, as_what="lost" if worker.state == "kept" else None)
                if worker.pack >= 0:
                    at(now + LEASE, "free", worker.pack, 0)
                worker.pack, worker.life = -1, worker.life + 1
                leader = None if leader == number else leader
                at(now + cluster.repair, "back", number, worker.life)
            at(now + cluster.repair + rng.exponential(cluster.between_failures), "failure", who, 0)
        elif what == "free":
            free[who] = True
        elif life == workers[who].life:
            worker = workers[who]
            if what == "back":
                becomes(worker, "idle", now)
                leader = who if leader is None else leader
                worker.position = 0
                at(now + cluster.start, "claim", who, life)
            elif what == "claim":
                claim(who, now)
            else:
                becomes(worker, "kept", now)
                epochs[worker.pack] += 1
                if epochs[worker.pack] < cluster.epochs:
                    next_epoch(who, now)
                else:
                    done[worker.pack] += 1
                    claim(who, now)
    for worker in workers:
        # What another one trains at the end is a pack that is done: there is none.
        becomes(worker, worker.state, now)
    return Spent(hours=now / 60, done=done, failures=failures, **spent)


def rows(standard: Cluster) -> Iterator[tuple[str, Cluster]]:
    """Yield what the table compares."""
    yield "as built", standard
    yield "8 GPUs a node, which fail together", replace(standard, gpus_per_node=8)
    yield "packs of 1 epoch", replace(standard, epochs=1)
    yield "packs of 2 epochs", replace(standard, epochs=2)
    yield "packs of 10 epochs", replace(standard, epochs=10)
    yield "a node is away for an hour", replace(standard, repair=60.0)
    yield "a tenth of the packs", replace(standard, packs=standard.packs // 10)
    yield "a tenth of the packs, the longest first", replace(standard, packs=standard.packs // 10, longest_first=True)


def main() -> None:
    """Simulate, and print a line for each cluster."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packs", type=int, default=Cluster().packs)
    parser.add_argument("--gpus", type=int, default=Cluster().gpus)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("| cluster | hours | failures | idle | work lost |\n| --- | --- | --- | --- | --- |")
    for name, cluster in rows(Cluster(packs=options.packs, gpus=options.gpus)):
        seen = [simulate(cluster, np.random.default_rng([options.seed, one])) for one in range(options.repeats)]
        hours, failures = (np.mean([getattr(one, what) for one in seen]) for what in ("hours", "failures"))
        idle, lost = ([100 * getattr(one, what) for one in seen] for what in ("idle_share", "lost_share"))
        print(
            f"| {name} | {hours:.1f} | {failures:.0f} | {np.mean(idle):.1f}% ({min(idle):.1f} to {max(idle):.1f}) "
            f"| {np.mean(lost):.1f}% ({min(lost):.1f} to {max(lost):.1f}) |"
        )


if __name__ == "__main__":
    main()
