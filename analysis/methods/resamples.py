"""Resamples of seeds and of examples as matrices of counts, and what a difference of means becomes in each.

A resample is told by how often it holds every seed and every example. Sums over a resample are then products of
these counts with the scores, so that thousands of resamples take a few matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.methods.arm_scores import Scores
from analysis.methods.interval import Interval
from analysis.methods.variance import ROUNDING

# Counts in one block: below 1 MB, so that a block stays in the processor's cache ...
_CELLS = 100_000
# ... unless the products would shrink to a few rows.
_LEAST_ROWS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arm:
    """One set of scores in every resample: their mean, their sums by example, and the three mean squares."""

    mean: NDArray[np.float64]
    example_sums: NDArray[np.floating]
    ms_seed: NDArray[np.float64]
    ms_example: NDArray[np.float64]
    ms_resid: NDArray[np.float64]


def draw_counts(
    rng: np.random.Generator, resamples: int, n: int, dtype: type[np.floating] = np.float64
) -> NDArray[Any]:
    """Draw n of n units with replacement, again and again, and count how often each unit was drawn.

    Parameters
    ----------
    rng : numpy.random.Generator
    resamples, n : int
        At least 1 each.
    dtype : type
        Of the counts.

    Returns
    -------
    ndarray, shape (resamples, n)
        Whole numbers whose rows add up to `n`.
    """
    counts = np.empty((resamples, n), dtype)
    step = max(1, _CELLS // n)
    for start in range(0, resamples, step):
        rows = counts[start : start + step]
        drawn = rng.integers(0, n, size=rows.shape)
        drawn += n * np.arange(len(rows))[:, None]
        rows[:] = np.bincount(drawn.ravel(), minlength=rows.size).reshape(rows.shape)
    return counts


def example_draws(
    rng: np.random.Generator, resamples: int, n_examples: int, dtype: type[np.floating] = np.float64
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Draw examples in blocks that fit into memory. The size of the blocks does not change the draws.

    Parameters
    ----------
    rng : numpy.random.Generator
    resamples, n_examples : int
        At least 1 each.
    dtype : type
        Of the counts.

    Yields
    ------
    tuple of slice and ndarray
        Which resamples, and how often each of them holds every example.
    """
    step = max(_LEAST_ROWS, _CELLS // n_examples)
    for start in range(0, resamples, step):
        rows = slice(start, min(start + step, resamples))
        yield rows, draw_counts(rng, rows.stop - rows.start, n_examples, dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """Scores of one arm or two, or differences of two arms, in the form in which they are resampled.

    Parameters
    ----------
    sources : tuple of ndarray, shape (2 * S, n)
        For each arm its scores less a constant, stacked on their squares: one product with counts then sums both.
    centres : tuple of float
        The mean of each arm's scores less that constant.
    columns : ndarray of int, shape (n,), or None
        Which examples these are; on all others the scores less the constant are 0 in every row. None for all examples.
    n_examples : int
        How many examples there are, N.
    size : float
        Largest absolute score, against which rounding is judged.
    """

    sources: tuple[NDArray[np.floating], ...]
    centres: tuple[float, ...]
    columns: NDArray[np.int64] | None
    n_examples: int
    size: float

    @property
    def dtype(self) -> type[np.floating]:
        """The precision in which counts are needed."""
        return self.sources[0].dtype.type

    def replicates(
        self, weights: Sequence[NDArray[np.float64]], V: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Resample the mean, or the difference of two means.

        Parameters
        ----------
        weights : sequence of ndarray, shape (B, S)
            For each arm, how often each resample holds every seed.
        V : ndarray, shape (B, N)
            How often each resample holds every example.

        Returns
        -------
        tuple of ndarray, shape (B,)
            Resampled less observed means, and the variances that `paired_variance`, or of two arms
            `independent_variance`, of `analysis.methods.variance` would give of the resampled matrices.
        """
        N, V = self.n_examples, V if self.columns is None else np.take(V, self.columns, axis=1)
        arms = [self._arm(W, V, y) for W, y in zip(weights, self.sources, strict=True)]
        seeds = [W.shape[1] for W in weights]
        shifts = [arm.mean - centre for arm, centre in zip(arms, self.centres, strict=True)]
        parts = [np.maximum(arm.ms_seed, arm.ms_resid) / (S * N) for arm, S in zip(arms, seeds, strict=True)]
        if len(arms) == 1:
            return shifts[0], parts[0] + np.maximum(arms[0].ms_example - arms[0].ms_resid, 0.0) / (seeds[0] * N)
        difference = arms[0].mean - arms[1].mean
        c_t, c_b = (np.divide(arm.example_sums, S, dtype=np.float64) for arm, S in zip(arms, seeds, strict=True))
        raw = np.einsum("bi,bi->b", V, np.square(c_t - c_b))
        squares = _above_noise(raw - N * difference**2, raw, N * (ROUNDING * self.size) ** 2)
        example = squares / (N - 1) - sum(arm.ms_resid / S for arm, S in zip(arms, seeds, strict=True))
        return shifts[0] - shifts[1], parts[0] + parts[1] + np.maximum(example, 0.0) / N

    def _arm(self, W: NDArray[np.float64], V: NDArray[np.floating], y: NDArray[np.floating]) -> _Arm:
        S, N = W.shape[1], self.n_examples
        sums = (V @ y.T).astype(np.float64)
        r = sums[:, :S] / N
        c = W.astype(y.dtype) @ y[:S]
        mean = np.einsum("bs,bs->b", W, r) / S
        raw = np.einsum("bs,bs->b", W, sums[:, S:])
        noise = S * N * (ROUNDING * self.size) ** 2
        seed = N * np.einsum("bs,bs->b", W, np.square(r - mean[:, None]))
        example = _weighted_squares(V, c) / S - S * N * mean**2
        resid = raw - S * N * mean**2 - seed - example
        return _Arm(
            mean=mean,
            example_sums=c,
            ms_seed=_above_noise(seed, raw, noise) / (S - 1),
            ms_example=_above_noise(example, raw, noise) / (N - 1),
            ms_resid=_above_noise(resid, raw, noise) / ((S - 1) * (N - 1)),
        )


def in_form(arms: Sequence[Scores], size: float) -> Resampled:
    """Bring scores into the form in which they are resampled.

    Whole numbers in bytes are summed in single precision, which is exact and twice as fast; and since most of them are
    alike, only the examples are summed on which some differ from the commonest one.

    Parameters
    ----------
    arms : sequence of ndarray, shape (S, N)
        The differences of two arms, or the scores of both.
    size : float
        Largest absolute score.
    """
    N = arms[0].shape[1]
    # The largest whole sums: squares over all examples, and the square of a sum over seeds, times the examples' counts.
    if all(y.dtype == np.int8 for y in arms) and N < 2**22 and max(len(y) for y in arms) < 2**8:
        values = range(min(int(y.min()) for y in arms), max(int(y.max()) for y in arms) + 1)
        commonest = max(values, key=lambda value: sum(np.count_nonzero(y == value) for y in arms))
        columns = np.flatnonzero(np.any([np.any(y != commonest, axis=0) for y in arms], axis=0))
        less = [y[:, columns] - np.float32(commonest) for y in arms]
        centres = tuple(float(y.sum(dtype=np.float64)) / (len(y) * N) for y in less)
        return Resampled(
            sources=tuple(map(_with_squares, less)), centres=centres, columns=columns, n_examples=N, size=size
        )
    less = [np.subtract(y, y.mean(), dtype=np.float64) for y in arms]
    return Resampled(
        sources=tuple(map(_with_squares, less)), centres=(0.0,) * len(arms), columns=None, n_examples=N, size=size
    )


def tail_size(resamples: int, confidence: float) -> int:
    """Count the resamples that an interval leaves out on each side, the observed estimate counted in.

    Parameters
    ----------
    resamples : int
        At least ``2 / (1 - confidence) - 1``.
    confidence : float
        Between 0 and 1, both excluded.

    Raises
    ------
    ValueError
        If `confidence` is outside its range, or if there are too few resamples for one in each tail.

    Examples
    --------
    >>> tail_size(10_000, 0.95), tail_size(39, 0.95)
    (250, 1)
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")
    tail = math.floor(round((resamples + 1) * (1 - confidence) / 2, 9))
    if tail < 1:
        least = math.ceil(round(2 / (1 - confidence) - 1, 9))
        raise ValueError(f"resamples must be at least {least} at confidence {confidence}, got {resamples}")
    return tail


def percentile_limits(estimates: NDArray[np.float64], confidence: float, rounding: float) -> tuple[Interval, float]:
    """Percentile interval of resampled estimates, and the two-sided p-value that belongs to it.

    Parameters
    ----------
    estimates : ndarray, shape (B,)
    confidence : float
        Between 0 and 1, both excluded.
    rounding : float
        Estimates this near to 0 count as 0, and so on both sides.
    """
    B = len(estimates)
    tail = tail_size(B, confidence)
    ordered = np.partition(estimates, [tail - 1, B - tail])
    side = min(np.count_nonzero(estimates <= rounding), np.count_nonzero(estimates >= -rounding))
    return Interval(float(ordered[tail - 1]), float(ordered[B - tail])), min(1.0, float(2 * (side + 1) / (B + 1)))


def _with_squares(y: NDArray[np.floating]) -> NDArray[np.floating]:
    both = np.empty((2 * len(y), y.shape[1]), y.dtype)
    both[: len(y)] = y
    np.square(y, out=both[len(y) :])
    return both


def _weighted_squares(V: NDArray[np.floating], c: NDArray[np.floating]) -> NDArray[np.float64]:
    """Sum the squares of every row of `c`, each as often as `V` counts it."""
    squares = np.square(c)
    if squares.dtype == np.float64:
        return np.asarray(np.einsum("bi,bi->b", V, squares))
    # Each product is whole and small, their sum no longer is.
    squares *= V
    return np.asarray(squares.sum(axis=1, dtype=np.float64))


def _above_noise(squares: NDArray[np.float64], raw: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    # Sums of squares come as differences of larger sums, so rounding leaves a share of those behind.
    return np.where(squares > ROUNDING * raw + noise, squares, 0.0)
