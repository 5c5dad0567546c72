"""Resamples of seeds and of examples as matrices of counts, and what a difference of means becomes in each.

A resample is told by how often it holds every seed and every example. Sums over a resample are then products of
these counts with the scores, so that thousands of resamples take a few matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.methods.interval import Interval
from analysis.methods.variance import ROUNDING

# Counts in one block: below 1 MB, so that a block stays in the processor's cache ...
_CELLS = 100_000
# ... unless the products would shrink to a few rows.
_LEAST_ROWS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arm:
    """One set of scores in every resample: their mean, their example means, and the three mean squares."""

    mean: NDArray[np.float64]
    example_means: NDArray[np.float64]
    ms_seed: NDArray[np.float64]
    ms_example: NDArray[np.float64]
    ms_resid: NDArray[np.float64]


def draw_counts(rng: np.random.Generator, resamples: int, n: int) -> NDArray[np.float64]:
    """Draw n of n units with replacement, again and again, and count how often each unit was drawn.

    Parameters
    ----------
    rng : numpy.random.Generator
    resamples, n : int
        At least 1 each.

    Returns
    -------
    ndarray, shape (resamples, n)
        Whole numbers whose rows add up to `n`.
    """
    drawn = rng.integers(0, n, size=(resamples, n))
    drawn += n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n).astype(np.float64)


def example_draws(
    rng: np.random.Generator, resamples: int, n_examples: int
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Draw examples in blocks that fit into memory. The size of the blocks does not change the draws.

    Parameters
    ----------
    rng : numpy.random.Generator
    resamples, n_examples : int
        At least 1 each.

    Yields
    ------
    tuple of slice and ndarray
        Which resamples, and how often each of them holds every example.
    """
    step = max(_LEAST_ROWS, _CELLS // n_examples)
    for start in range(0, resamples, step):
        rows = slice(start, min(start + step, resamples))
        yield rows, draw_counts(rng, rows.stop - rows.start, n_examples)


def with_squares(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stack scores, less their mean, on their squares: one product with counts then sums both.

    Parameters
    ----------
    y : ndarray, shape (S, N)

    Returns
    -------
    ndarray, shape (2 * S, N)
    """
    both = np.empty((2 * len(y), y.shape[1]))
    np.subtract(y, y.mean(), out=both[: len(y)])
    np.square(both[: len(y)], out=both[len(y) :])
    return both


def paired_replicates(
    W: NDArray[np.float64], V: NDArray[np.float64], d: NDArray[np.float64], size: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean difference in every resample, less the observed one, with its variance by design A.

    Parameters
    ----------
    W : ndarray, shape (B, S)
        How often each resample holds every seed.
    V : ndarray, shape (B, N)
        How often each resample holds every example.
    d : ndarray, shape (2 * S, N)
        Differences `with_squares`; S and N at least 2.
    size : float
        Largest absolute score, against which rounding is judged.

    Returns
    -------
    tuple of ndarray, shape (B,)
        Means, and the variances that `analysis.methods.variance.paired_variance` would give of the resampled matrix.
    """
    S, N = W.shape[1], V.shape[1]
    arm = _arm(W, V, d, size)
    a = np.maximum(arm.ms_seed, arm.ms_resid)
    return arm.mean, (a + np.maximum(arm.ms_example - arm.ms_resid, 0.0)) / (S * N)


def independent_replicates(
    W_t: NDArray[np.float64],
    W_b: NDArray[np.float64],
    V: NDArray[np.float64],
    y_t: NDArray[np.float64],
    y_b: NDArray[np.float64],
    size: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Difference of two arms' means in every resample, less the observed one, with its variance by design B.

    Parameters
    ----------
    W_t, W_b : ndarray, shapes (B, S_t) and (B, S_b)
        How often each resample holds every seed of the treatment and of the baseline.
    V : ndarray, shape (B, N)
        How often each resample holds every example, in both arms alike.
    y_t, y_b : ndarray, shapes (2 * S_t, N) and (2 * S_b, N)
        Scores `with_squares`; seeds and examples at least 2.
    size : float
        Largest absolute score, against which rounding is judged.

    Returns
    -------
    tuple of ndarray, shape (B,)
        Differences, and the variances that `analysis.methods.variance.independent_variance` would give
        of the resampled matrices.
    """
    N = V.shape[1]
    arms = [(_arm(W, V, y, size), W.shape[1]) for W, y in ((W_t, y_t), (W_b, y_b))]
    (treatment, _), (baseline, _) = arms
    difference = treatment.mean - baseline.mean
    c = treatment.example_means - baseline.example_means
    raw = np.einsum("bi,bi->b", V, np.square(c))
    squares = _above_noise(raw - N * difference**2, raw, N * (ROUNDING * size) ** 2)
    seeds = sum(np.maximum(arm.ms_seed, arm.ms_resid) / (S * N) for arm, S in arms)
    example = squares / (N - 1) - sum(arm.ms_resid / S for arm, S in arms)
    return difference, seeds + np.maximum(example, 0.0) / N


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


def _arm(W: NDArray[np.float64], V: NDArray[np.float64], y: NDArray[np.float64], size: float) -> _Arm:
    S, N = W.shape[1], V.shape[1]
    sums = V @ y.T
    r = sums[:, :S] / N
    c = (W / S) @ y[:S]
    mean = np.einsum("bs,bs->b", W, r) / S
    raw = np.einsum("bs,bs->b", W, sums[:, S:])
    noise = S * N * (ROUNDING * size) ** 2
    seed = N * np.einsum("bs,bs->b", W, np.square(r - mean[:, None]))
    example = S * (np.einsum("bi,bi->b", V, np.square(c)) - N * mean**2)
    resid = raw - S * N * mean**2 - seed - example
    return _Arm(
        mean=mean,
        example_means=c,
        ms_seed=_above_noise(seed, raw, noise) / (S - 1),
        ms_example=_above_noise(example, raw, noise) / (N - 1),
        ms_resid=_above_noise(resid, raw, noise) / ((S - 1) * (N - 1)),
    )


def _above_noise(squares: NDArray[np.float64], raw: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    # Sums of squares come as differences of larger sums, so rounding leaves a share of those behind.
    return np.where(squares > ROUNDING * raw + noise, squares, 0.0)
