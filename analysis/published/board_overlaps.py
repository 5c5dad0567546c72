"""Overlaps on a leaderboard: McNemar's test of every two systems, at the best and the worst overlap of errors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special


def p_at_best(gap: NDArray[np.int64]) -> NDArray[np.float64]:
    """One-sided exact p-values for differences in right answers, where the errors of two models overlap the most.

    Parameters
    ----------
    gap : ndarray of int
        The greatest difference that the figures allow, first model minus second; on so many examples exactly one of
        the two is right.

    Returns
    -------
    ndarray of float
        ``2 ** -gap``; 1 where it is 0 or below.
    """
    p: NDArray[np.float64] = np.exp2(-np.maximum(gap, 0).astype(np.float64))
    return p


def p_at_worst(better: NDArray[np.int64], worse: NDArray[np.int64], *, n: int) -> NDArray[np.float64]:
    """One-sided exact p-values for two numbers of right answers, where the errors of two models overlap the least.

    Parameters
    ----------
    better, worse : ndarray of int
        The right answers of the first model at their least, and of the second at their greatest.
    n : int
        Test examples.

    Returns
    -------
    ndarray of float
        Of the binomial distribution over the greatest discordance; 1 where the first model need not be better.
    """
    better, worse = np.broadcast_arrays(better, worse)
    p = np.ones(better.shape)
    apart = better > worse
    better, worse = better[apart], worse[apart]
    only_first, only_second = np.minimum(better, n - worse), np.minimum(worse, n - better)
    p[apart] = special.bdtr(only_second, only_first + only_second, 0.5)
    return p


def p_better(right: NDArray[np.int64], *, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Test of every two systems whether one is better, over all overlaps of errors and all that figures leave open.

    Parameters
    ----------
    right : ndarray of int, shape (k, 2)
        The least and the greatest number of right answers of each system, from 0 to `n`.
    n : int
        Test examples.

    Returns
    -------
    tuple of ndarray, shape (k, k)
        At ``[i, j]`` the least and the greatest one-sided p-value for "i is better than j", on new examples; the
        diagonal is 1.

    Notes
    -----
    The p-value falls when a difference grows by one, even if the discordance grows with it; and the greatest
    discordance never grows by more. So the least p-value is that of the greatest difference at the largest overlap, and
    the greatest is that of the least difference at the smallest overlap. Of single numbers of right answers the least
    ones can all be true at once: where every system is right on all that a worse one is right on.

    See Also
    --------
    analysis.published.overlaps.overlaps : The same for one pair, with everything else that follows.

    Examples
    --------
    >>> import numpy as np
    >>> least, greatest = p_better(np.array([[770, 770], [752, 752]]), n=872)
    >>> f"{2 * least[0, 1]:.2g}", f"{2 * greatest[0, 1]:.2g}"
    ('7.6e-06', '0.25')
    """
    low, high = right[:, 0], right[:, 1]
    best = p_at_best(high[:, None] - low[None, :])
    worst = p_at_worst(low[:, None], high[None, :], n=n)
    np.fill_diagonal(best, 1.0)
    np.fill_diagonal(worst, 1.0)
    return best, worst
