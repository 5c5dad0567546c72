"""Hartley's maximum F-ratio: how often the largest and the smallest of several equal variances differ so much."""

from __future__ import annotations

import numpy as np
from scipy import special

# Gauss-Legendre points on each piece of the integral; the pieces halve towards 0, where it turns sharply.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
_EDGES = np.concatenate([[0.0], 2.0 ** np.arange(-60, 1)])


def largest_ratio_p_value(ratio: float, *, n_variances: int, df: int) -> float:
    """Chance that the largest of several independent mean squares exceeds the smallest by a ratio.

    All of them estimate one and the same variance, from normal values. It is the p-value of Hartley's test, and says
    nothing about which of several variances differ.

    Parameters
    ----------
    ratio : float
        Largest mean square over smallest, at least 1.
    n_variances : int
        How many mean squares there are, at least 2.
    df : int
        Degrees of freedom of each, at least 1.

    Returns
    -------
    float
        Between 0 and 1; for new samples of the same size.

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

    >>> round(largest_ratio_p_value(8.44, n_variances=4, df=7), 3)
    0.05
    """
    if not ratio >= 1:
        raise ValueError(f"ratio must be at least 1, got {ratio!r}")
    if n_variances < 2 or df < 1:
        raise ValueError(f"expected at least 2 variances with at least 1 degree of freedom, got {n_variances} and {df}")
    # Over the probability u that the smallest mean square is reached: the others lie between it and `ratio` times it.
    half = np.diff(_EDGES) / 2
    u = (_EDGES[:-1] + half)[:, None] + half[:, None] * _NODES
    # Both by the upper tail or both by the lower one would lose the difference where it is small.
    smallest = special.gammaincinv(df / 2, u)
    between = np.clip(special.gammainc(df / 2, ratio * smallest) - u, 0.0, 1.0)
    below = n_variances * float(np.sum(half[:, None] * _WEIGHTS * between ** (n_variances - 1)))
    return min(1.0, max(0.0, 1.0 - below))
