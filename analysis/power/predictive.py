"""Predictive power: the chance that the last look decides a comparison that an earlier one leaves open."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.methods.moments import FloatOrArray


def predictive_power(
    estimate: FloatOrArray,
    *,
    by_seed: FloatOrArray,
    by_example: FloatOrArray,
    seed_df: int,
    df: FloatOrArray,
    n_seeds: int,
    last: int,
    levels: tuple[FloatOrArray, FloatOrArray],
    margin: float,
) -> NDArray[np.float64]:
    """Chance that the last look finds a gap, or shows it to lie within the margin.

    The test examples stay the same. Further seeds move the estimate by what they differ from those that have run, and
    what these tell of a new seed is as uncertain as their number makes it.

    Parameters
    ----------
    estimate : float or ndarray
        The gap at this look; all arrays broadcast.
    by_seed : float or ndarray
        Variance that a new seed brings to the mean over these examples, in one seed of each arm.
    by_example : float or ndarray
        Variance of the gap over new test sets of this size.
    seed_df : int
        Degrees of freedom of the variation over seeds.
    df : float or ndarray
        Degrees of freedom of the test at this look.
    n_seeds, last : int
        Seeds in each arm at this look, and at the last one.
    levels : tuple of (float or ndarray)
        What the last look may spend, two-sided for a difference and one-sided for equivalence.
    margin : float
        Of the equivalence test.

    Returns
    -------
    ndarray
        From 0 to 1, for new seeds on this very test set; NaN where nothing varies.

    References
    ----------
    Jennison and Turnbull (2000), Group Sequential Methods with Applications to Clinical Trials, chapter 10 (conditional
    and predictive power).
    """
    error = np.sqrt(np.divide(by_seed, last) + by_example)
    moves = np.sqrt(np.multiply(by_seed, 1 / n_seeds - 1 / last))
    df = np.maximum(np.multiply(df, last / n_seeds), 1.0)
    reach = -error * special.stdtrit(df, np.divide(levels[0], 2))
    room = margin + error * special.stdtrit(df, levels[1])

    def below(limit: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        away = np.subtract(limit, estimate)
        # Where no seed moves the estimate, it stays.
        share: NDArray[np.float64] = np.where(
            moves > 0, special.stdtr(seed_df, away / np.where(moves > 0, moves, 1.0)), away > 0
        )
        return share

    equivalent = np.where(room > 0, below(room) - below(-room), 0.0)
    chance = np.where(room >= reach, 1.0, 1.0 - (below(reach) - below(-reach)) + equivalent)
    return np.where((error > 0) & np.isfinite(moves), chance, np.nan)
