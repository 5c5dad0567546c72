"""Hartley's maximum F-ratio: how often the largest and the smallest of several equal variances differ so much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy import special

# Gauss-Legendre points on each piece of the integral; the pieces halve towards 0, where it turns sharply.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
_EDGES = np.concatenate([[0.0], 2.0 ** np.arange(-60, 1)])


def largest_ratio_p_value(ratio: float, *, df: Sequence[int]) -> float:
    """Chance that the largest of several independent mean squares exceeds the smallest by a ratio.

    All of them estimate one and the same variance, from normal values. It is the p-value of Hartley's test, and says
    nothing about which of several variances differ.

    Parameters
    ----------
    ratio : float
        Largest mean square over smallest, at least 1.
    df : sequence of int
        Degrees of freedom of each mean square, at least 1; two mean squares or more.

    Returns
    -------
    float
        Between 0 and 1; for new samples of the same sizes.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    References
    ----------
    Hartley (1950), Biometrika 37, 308-312. Pearson and Hartley (1966), Biometrika Tables for Statisticians 1, table 31.

    Examples
    --------
    The 5% point of four mean squares with 7 degrees of freedom is 8.44:

    >>> round(largest_ratio_p_value(8.44, df=[7] * 4), 3)
    0.05
    """
    if not ratio >= 1:
        raise ValueError(f"ratio must be at least 1, got {ratio!r}")
    if len(df) < 2 or min(df) < 1:
        raise ValueError(f"expected at least 2 variances with at least 1 degree of freedom, got {list(df)}")
    counts = Counter(df)
    # Each number of degrees of freedom in turn has the smallest mean square.
    below = sum(count * _smallest(ratio, own, counts) for own, count in counts.items())
    return min(1.0, max(0.0, 1.0 - below))


def _smallest(ratio: float, own: int, counts: Counter[int]) -> float:
    """Chance that one mean square with `own` degrees of freedom is the smallest, and no other beyond the ratio."""
    # Over the probability u that it is reached: the others lie between it and `ratio` times it.
    half = np.diff(_EDGES) / 2
    u = (_EDGES[:-1] + half)[:, None] + half[:, None] * _NODES
    smallest = 2 * special.gammaincinv(own / 2, u) / own
    others = np.ones_like(u)
    for df, count in counts.items():
        # Both by the upper tail or both by the lower one would lose the difference where it is small.
        reached = u if df == own else special.gammainc(df / 2, df * smallest / 2)
        between = np.clip(special.gammainc(df / 2, ratio * df * smallest / 2) - reached, 0.0, 1.0)
        others *= between ** (count - (df == own))
    return float(np.sum(half[:, None] * _WEIGHTS * others))
