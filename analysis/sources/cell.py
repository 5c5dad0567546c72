"""Cell: what one run answered after one epoch, while its rows are still being read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Cell:
    """Answers by number of the example, which grow with the examples that are known.

    Parameters
    ----------
    values : ndarray, shape (capacity,) or (capacity, classes)
        What was answered; anything where `seen` is False.
    seen : ndarray of bool, shape (capacity,)
        Which examples were answered.
    count : int
        How many were.
    """

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values
        self.seen = np.zeros(len(values), bool)
        self.count = 0

    def store(self, examples: NDArray[np.int64], values: NDArray[Any], *, n_examples: int) -> NDArray[np.bool_]:
        """Store answers, and return which of them are about an example that was answered before, shape (rows,)."""
        if n_examples > len(self.seen):
            self._grow(max(n_examples, 2 * len(self.seen)))
        again = self.seen[examples]
        self.seen[examples] = True
        self.values[examples] = values
        fresh = len(examples) - int(np.count_nonzero(again))
        before, self.count = self.count, int(np.count_nonzero(self.seen))
        if self.count < before + fresh:
            first = np.unique(examples, return_index=True)[1]
            twice = np.ones(len(examples), bool)
            twice[first] = False
            again |= twice
        return again

    def cut(self, n_examples: int) -> None:
        """Make the arrays as long as there are examples."""
        if n_examples > len(self.seen):
            self._grow(n_examples)
        self.values, self.seen = self.values[:n_examples], self.seen[:n_examples]

    def _grow(self, capacity: int) -> None:
        self.values = grown(self.values, capacity)
        self.seen = grown(self.seen, capacity)


def grown(values: NDArray[Any], capacity: int) -> NDArray[Any]:
    """Return an array with room for more rows, zero where nothing is yet."""
    larger = np.zeros((capacity, *values.shape[1:]), values.dtype)
    larger[: len(values)] = values
    return larger
