"""Rank confidence sets: which ranks each of many systems may have, from tests of every two of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.methods.multiplicity import holm


def shown_better(p_better: ArrayLike, *, alpha: float) -> NDArray[np.bool_]:
    """Decide by Holm's method, over every two systems in both directions, which one is better than which.

    Parameters
    ----------
    p_better : array_like, shape (k, k)
        At ``[i, j]`` the one-sided p-value for "i is better than j", from 0 to 1. The diagonal means nothing; NaN, of
        two systems that are not tested, still counts.
    alpha : float
        The chance of any false claim, a wrong direction among them.

    Returns
    -------
    ndarray of bool, shape (k, k)
        At ``[i, j]`` whether i is shown to be better. Generalises to what the p-values generalise to.

    Raises
    ------
    ValueError
        If the p-values are no square, or if one lies outside 0 to 1.

    See Also
    --------
    rank_sets : What that leaves of the ranks.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70, for k(k - 1) one-sided hypotheses.

    Examples
    --------
    >>> shown_better([[1, 0.01, 0.001], [0.99, 1, 0.3], [0.999, 0.7, 1]], alpha=0.05).tolist()
    [[False, True, True], [False, False, False], [False, False, False]]
    """
    p = np.asarray(p_better, dtype=np.float64)
    if p.ndim != 2 or p.shape[0] != p.shape[1]:
        raise ValueError(f"expected as many rows as columns, got shape {p.shape}")
    apart = ~np.eye(len(p), dtype=bool)
    shown = np.zeros(p.shape, dtype=bool)
    shown[apart] = holm(p[apart]) <= alpha
    return shown


def rank_sets(better: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the ranks that each system may have, given which ones are shown to be better than which.

    Parameters
    ----------
    better : ndarray of bool, shape (k, k)
        What `shown_better` returns.

    Returns
    -------
    ndarray of int, shape (k, 2)
        The best and the worst rank of each system, from 1 to k; a system's true rank is one more than the systems that
        are truly better. The sets of all systems hold their true ranks together, as surely as no claim is false.

    References
    ----------
    Mogstad, Romano, Shaikh and Wilhelm (2024), Review of Economic Studies 91, 476-518, section 3: simultaneous
    confidence sets for all ranks from tests of every two.

    Examples
    --------
    >>> import numpy as np
    >>> rank_sets(np.array([[False, True, True], [False, False, False], [False, False, False]])).tolist()
    [[1, 1], [2, 3], [2, 3]]
    """
    return np.stack([1 + better.sum(axis=0), len(better) - better.sum(axis=1)], axis=1)
