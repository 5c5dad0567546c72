"""Scores of one arm by seed and example, with the means and sums of squares that every test of them begins with."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = NDArray[np.float64] | NDArray[np.int8]
"""By seed and example, shape (S, N): right and wrong as 1 and 0 in a byte, or numbers of any kind."""

# Numbers in a block, 256 KB of them: one that stays in the processor's cache is passed through several times.
_CELLS = 32_768


class MeanSquares(NamedTuple):
    """Mean squares over seeds, over examples and of the residual, and the terms of the last two by example."""

    seed: float
    example: float
    residual: float
    examples: NDArray[np.float64]
    residuals: NDArray[np.float64]

    def above(self, noise: float) -> MeanSquares:
        """Return them with 0 in the place of a mean square that is no larger than rounding `noise`."""
        seed, example, residual = (square if square > noise else 0.0 for square in self[:3])
        return MeanSquares(seed, example, residual, self.examples, self.residuals)

    @property
    def seed_component(self) -> float:
        """The variance that a new seed brings."""
        return max(self.seed - self.residual, 0.0) / len(self.examples)


class ArmScores:
    """The scores of one arm; what several tests need of them is worked out once.

    Parameters
    ----------
    scores : array_like, shape (S, N)
        One row for each seed and one column for each example or cluster. Right and wrong as bool, or as 1 and 0 in
        int8, stay in a byte each; everything else becomes float64.
    """

    def __init__(self, scores: ArrayLike) -> None:
        y = np.asarray(scores)
        if y.dtype == np.bool_:
            y = y.view(np.int8)
        # Differences of larger numbers would not fit into a byte.
        small = y.dtype == np.int8 and y.size > 0 and y.min() >= 0 and y.max() <= 1
        self.y: Scores = y if small else np.asarray(y, dtype=np.float64)
        self._first: dict[int, ArmScores] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """The numbers of seeds and of examples."""
        return self.y.shape

    def first(self, n_seeds: int | None) -> ArmScores:
        """Return the scores of the first seeds; these themselves where None, or where there are no more."""
        if n_seeds is None or n_seeds >= len(self.y):
            return self
        if n_seeds not in self._first:
            self._first[n_seeds] = ArmScores(self.y[:n_seeds])
        return self._first[n_seeds]

    @cached_property
    def finite(self) -> bool:
        """Whether every score is."""
        return self.y.dtype == np.int8 or bool(np.isfinite(self.y).all())

    @cached_property
    def size(self) -> float:
        """The largest absolute score."""
        return max(abs(float(self.y.max())), abs(float(self.y.min())))

    @cached_property
    def seed_sums(self) -> NDArray[np.float64]:
        """Over the examples, shape (S,)."""
        return np.asarray(self.y.sum(axis=1, dtype=np.float64))

    @cached_property
    def example_sums(self) -> NDArray[np.float64]:
        """Over the seeds, shape (N,)."""
        return np.asarray(self.y.sum(axis=0, dtype=np.float64))

    @property
    def seed_means(self) -> NDArray[np.float64]:
        """The mean of every seed, shape (S,)."""
        return self.seed_sums / self.shape[1]

    @property
    def example_means(self) -> NDArray[np.float64]:
        """The mean on every example, shape (N,)."""
        return self.example_sums / self.shape[0]

    @cached_property
    def fixed(self) -> bool:
        """Whether every seed scores like the first."""
        return bool((self.y == self.y[0]).all())

    @cached_property
    def mean_squares(self) -> MeanSquares:
        """The split of the variation of these scores; S and N are at least 2."""
        return _mean_squares(_blocks(self), self.seed_sums, self.example_sums)


def as_arm(scores: ArrayLike | ArmScores) -> ArmScores:
    """Return scores as those of an arm, or as they are where they are that already."""
    return scores if isinstance(scores, ArmScores) else ArmScores(scores)


def difference_squares(treatment: ArmScores, baseline: ArmScores) -> MeanSquares:
    """Split the variation of the differences of two arms, pair by pair of seeds.

    Parameters
    ----------
    treatment, baseline : ArmScores
        Of one shape, with the same seeds and examples in the same order; S and N at least 2.
    """
    return _mean_squares(
        _blocks(treatment, baseline),
        treatment.seed_sums - baseline.seed_sums,
        treatment.example_sums - baseline.example_sums,
    )


def _blocks(arm: ArmScores, other: ArmScores | None = None) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield some columns of the scores after the other, less those of the other arm; a block may be overwritten."""
    S, N = arm.shape
    edges = np.linspace(0, N, -(-N * S // _CELLS) + 1).astype(int)
    room = np.empty((S, int(np.diff(edges).max())))
    for start, stop in itertools.pairwise(edges):
        columns, block = slice(start, stop), room[:, : stop - start]
        if other is None:
            block[:] = arm.y[:, columns]
        else:
            np.subtract(arm.y[:, columns], other.y[:, columns], out=block)
        yield columns, block


def _mean_squares(
    blocks: Iterator[tuple[slice, NDArray[np.float64]]],
    seed_sums: NDArray[np.float64],
    example_sums: NDArray[np.float64],
) -> MeanSquares:
    S, N = len(seed_sums), len(example_sums)
    r, c = seed_sums / N, example_sums / S
    D = r.mean()
    examples = S * (c - D) ** 2 * N / (N - 1)
    squares = np.empty(N)
    for columns, block in blocks:
        # In place, since every further array would leave the cache.
        block -= r[:, None]
        block -= c[columns]
        block += D
        np.square(block, out=block)
        np.sum(block, axis=0, out=squares[columns])
    residuals = squares / (S - 1) * N / (N - 1)
    return MeanSquares(
        seed=float(N * np.sum((r - D) ** 2) / (S - 1)),
        example=float(examples.mean()),
        residual=float(residuals.mean()),
        examples=examples,
        residuals=residuals,
    )
