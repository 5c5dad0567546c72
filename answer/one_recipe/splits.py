"""Splits: seeds of one recipe, dealt to "methods" again and again, in blocks that are judged at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from analysis.methods.resamples import draw_counts

RESAMPLES = 399
"""Of a bootstrap: one more of them, times .05 over 2, is a whole number, so that its tails are just as large."""

BLOCK = 500
"""Splits of one block share their resamples, and their examples where these are drawn."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Splits that are judged at once, on the same examples.

    Parameters
    ----------
    right : ndarray of float64, shape (P, n)
        1 where a run of the pool is right on an example, else 0.
    overlaps : ndarray of float64, shape (P, P)
        How many examples every two runs of the pool both get right.
    methods : ndarray of int, shape (M, K, S)
        For each of M splits the S runs of each of K "methods", as rows of `right`.
    rng : numpy.random.Generator
        For what is resampled.
    """

    right: NDArray[np.float64]
    overlaps: NDArray[np.float64]
    methods: NDArray[np.int64]
    rng: np.random.Generator

    @property
    def n_seeds(self) -> int:
        """S."""
        return int(self.methods.shape[2])

    @property
    def n_examples(self) -> int:
        """How many examples there are, n."""
        return int(self.right.shape[1])

    @cached_property
    def counts(self) -> NDArray[np.float64]:
        """How many examples each run of a split gets right, shape (M, K, S)."""
        return np.diag(self.overlaps)[self.methods]

    @cached_property
    def resampled_counts(self) -> NDArray[np.float32]:
        """The same of each run of the pool in resamples of the examples, shape (P, RESAMPLES): whole numbers."""
        drawn = draw_counts(self.rng, RESAMPLES, self.n_examples)
        return (self.right.astype(np.float32) @ drawn.T.astype(np.float32)).astype(np.float32)


def blocks(
    right: NDArray[np.bool_],
    *,
    n_methods: int = 2,
    n_seeds: int,
    n_examples: int | None = None,
    draws: int,
    rng: np.random.Generator,
) -> Iterator[Block]:
    """Draw splits, each with other seeds in every "method".

    Parameters
    ----------
    right : ndarray of bool, shape (P, N)
        Whether each run of the pool is right on each example.
    n_methods, n_seeds : int
        K "methods" of S seeds each; no more together than P.
    n_examples : int or None
        How many examples are drawn for each block; all of them where None. Then one seed against another is drawn in
        every possible way, once, whatever `draws`.
    draws : int
        How many splits, a multiple of `BLOCK`.
    rng : numpy.random.Generator
    """
    P, N = right.shape
    if n_methods * n_seeds > P or draws % BLOCK:
        raise ValueError(
            f"expected at most {P} seeds and a multiple of {BLOCK} draws, got {n_methods} x {n_seeds} and {draws}"
        )
    scores = right.astype(np.float64)
    if is_complete(n_methods=n_methods, n_seeds=n_seeds, n_examples=n_examples):
        pairs = rng.permuted(np.stack(np.triu_indices(P, 1), axis=1), axis=1)
        parts = np.array_split(pairs[:, :, None], -(-len(pairs) // BLOCK))
    else:
        order = rng.permuted(np.broadcast_to(np.arange(P), (draws, P)), axis=1)
        parts = np.split(order[:, : n_methods * n_seeds].reshape(draws, n_methods, n_seeds), draws // BLOCK)
    overlaps = scores @ scores.T
    for methods in parts:
        if n_examples is None:
            yield Block(right=scores, overlaps=overlaps, methods=methods, rng=rng)
        else:
            drawn = scores[:, rng.choice(N, n_examples, replace=False)]
            yield Block(right=drawn, overlaps=drawn @ drawn.T, methods=methods, rng=rng)


def is_complete(*, n_methods: int, n_seeds: int, n_examples: int | None) -> bool:
    """Say whether `blocks` draws every split there is, once."""
    return n_methods == 2 and n_seeds == 1 and n_examples is None
