"""Moments of a gap: its variance and degrees of freedom, from mean squares that were seen or that are planned with."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatOrArray = float | NDArray[np.float64]


def caution(seed_df: int, *, arms_apart: bool = False) -> float:
    """Return how many times the degrees of freedom count the seeds' share of the variance.

    Satterthwaite's formula takes the estimated shares as if they were known. A few seeds that agree by chance then
    err twice: the standard error is too small, and the degrees of freedom are too many. Far out, where a correction
    over many comparisons looks, that rejects up to four times too often. Counted this many times, the rejections stay
    within 1.3 times every level from .05 down to .00125, whatever the seeds' share (docs/calibration.md). Where seeds
    are all that varies, the degrees of freedom are theirs as before.

    Parameters
    ----------
    seed_df : int
        Degrees of freedom of the variation over seeds, at least 4 for the promise to hold.
    arms_apart : bool
        Whether two arms brought them, each with a mean square of its own: both rarely come out small at once.

    Examples
    --------
    >>> [round(caution(F), 2) for F in (4, 7, 14, 49)]
    [3.64, 1.86, 1.22, 1.02]
    >>> round(caution(6, arms_apart=True), 2)
    1.34
    """
    return 1 + ((3.5 if arms_apart else 6.5) / seed_df) ** 2


def paired_moments(
    ms_seed: FloatOrArray,
    ms_example: FloatOrArray,
    ms_resid: FloatOrArray,
    *,
    n_seeds: int,
    n_examples: int,
    seed_df: int,
    weight: float,
    example_df: float | None = None,
    residual_df: float | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variance of a mean difference by design A, and its degrees of freedom, from mean squares.

    Parameters
    ----------
    ms_seed, ms_example, ms_resid : float or ndarray
        Mean squares of the differences over seeds and over examples, and of the residual; they broadcast.
    n_seeds, n_examples : int
        At least 2 each.
    seed_df : int
        Degrees of freedom of `ms_seed`.
    weight : float
        How many times the degrees of freedom count the seeds' share: `caution`, or 1.
    example_df, residual_df : float or None
        Degrees of freedom of `ms_example` and `ms_resid`; those of one test set where None.

    Returns
    -------
    tuple of ndarray
        The degrees of freedom are NaN where all mean squares are 0.
    """
    a = np.maximum(ms_seed, ms_resid)
    g = np.maximum(np.subtract(ms_example, ms_resid), 0.0)
    squares = (
        (weight * a) ** 2 / seed_df
        + np.square(ms_example) / (n_examples - 1 if example_df is None else example_df)
        + np.square(ms_resid) / ((n_seeds - 1) * (n_examples - 1) if residual_df is None else residual_df)
    )
    return (a + g) / (n_seeds * n_examples), _ratio((weight * a + g) ** 2, squares)


def independent_moments(
    ms_seed: tuple[FloatOrArray, FloatOrArray],
    ms_resid: tuple[FloatOrArray, FloatOrArray],
    var_c: FloatOrArray,
    *,
    n_seeds: tuple[int, int],
    n_examples: int,
    plain_df: bool,
    example_df: float | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variance of a mean difference by design B, and its degrees of freedom, from mean squares.

    Parameters
    ----------
    ms_seed : tuple of (float or ndarray)
        Mean squares over the seeds of the treatment and of the baseline; all arrays broadcast.
    ms_resid : tuple of (float or ndarray)
        Those of the two residuals.
    var_c : float or ndarray
        Variance over examples of the difference of the two arms' means.
    n_seeds : tuple of int
        At least 2 each.
    n_examples : int
        At least 2.
    plain_df : bool
        Whether the degrees of freedom count the seeds' share once; only for equal numbers of seeds.
    example_df : float or None
        Degrees of freedom of `var_c`; those of one test set where None.

    Returns
    -------
    tuple of ndarray
        The degrees of freedom are NaN where nothing varies.
    """
    N = n_examples
    A = [np.maximum(ms, resid) / (S * N) for ms, resid, S in zip(ms_seed, ms_resid, n_seeds, strict=True)]
    G = np.maximum(var_c - sum(resid / S for resid, S in zip(ms_resid, n_seeds, strict=True)), 0.0) / N
    if n_seeds[0] != n_seeds[1]:
        weights = [caution(S - 1, arms_apart=True) for S in n_seeds]
    else:
        weights = [1.0 if plain_df else caution(sum(n_seeds) - 2, arms_apart=True)] * 2
    counted = [weight * A_g for weight, A_g in zip(weights, A, strict=True)]
    squares = sum(A_g**2 / (S - 1) for A_g, S in zip(counted, n_seeds, strict=True))
    squares = squares + np.square(np.divide(var_c, N)) / (N - 1 if example_df is None else example_df)
    return A[0] + A[1] + G, _ratio((counted[0] + counted[1] + G) ** 2, squares)


def _ratio(upper: NDArray[np.float64], lower: NDArray[np.float64]) -> NDArray[np.float64]:
    upper, lower = np.broadcast_arrays(upper, lower)
    ratio = np.full(upper.shape, np.nan)
    np.divide(upper, lower, out=ratio, where=lower > 0)
    return ratio
