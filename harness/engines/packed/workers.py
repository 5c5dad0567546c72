"""Worker threads: parts of a pack side by side, which on a CPU is faster than all threads on one part at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import TypeVar

import torch

from harness.engines.device import threads

Item = TypeVar("Item")
Result = TypeVar("Result")


class Workers:
    """Threads that compute parts of a pack; their results do not depend on who is faster.

    Parameters
    ----------
    count : int
        How many parts run side by side.
    pool : ThreadPoolExecutor or None
        None where there is one.
    """

    def __init__(self, count: int, pool: ThreadPoolExecutor | None) -> None:
        self.count = count
        self._pool = pool

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Return the function's result for each item, in order."""
        return list(map(function, items) if self._pool is None else self._pool.map(function, items))

    def parts(self, slots: Sequence[int], largest: int) -> list[list[int]]:
        """Cut trials into parts of at most `largest`, of nearly equal size, as many as keep every thread busy."""
        rounds = -(-len(slots) // (max(largest, 1) * self.count))
        number = min(len(slots), rounds * self.count)
        cuts = [len(slots) * i // number for i in range(number + 1)]
        return [list(slots[start:end]) for start, end in pairwise(cuts)]


def threads_of_part(device: torch.device, trials: int, *, worthwhile: int) -> int:
    """Return how many of torch's threads compute a part of a pack of so many trials: what its rounding depends on."""
    return min(torch.get_num_threads() // _side_by_side(device, trials), worthwhile)


def _side_by_side(device: torch.device, trials: int) -> int:
    return min(torch.get_num_threads(), trials) if device.type == "cpu" else 1


@contextmanager
def workers(device: torch.device, trials: int, *, worthwhile: int) -> Iterator[Workers]:
    """Share torch's threads out among the trials of a pack, for a while; a GPU is kept busy by one.

    A part gets no more of them than the `worthwhile` ones that its models are computed faster with: threads of one
    computation wait for each other at every step of it, and where other processes want the core they wait long.
    """
    count = _side_by_side(device, trials)
    with threads(threads_of_part(device, trials, worthwhile=worthwhile)):
        if count == 1:
            yield Workers(1, None)
            return
        # A thread takes over torch's number of threads when it first computes.
        with ThreadPoolExecutor(count) as pool:
            yield Workers(count, pool)
