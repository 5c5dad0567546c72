"""Partial conjunction: on at least how many of several test sets there is an effect."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def partial_conjunction(p_values: ArrayLike) -> NDArray[np.float64]:
    """P-values of "at least u of the M null hypotheses are false", for u = 1 to M.

    Unlike a p-value that is combined from all, a small one here does not come from a single test set: for u sets it
    takes u small p-values. The largest u whose p-value is at most alpha is a lower confidence limit, at 1 - alpha, of
    the number of sets with an effect, and needs no further correction over u.

    Parameters
    ----------
    p_values : array_like, shape (M,)
        Of one question on M test sets, from 0 to 1; one-sided ones ask about a direction. They may depend on each other
        in any way, as they do where the sets share their seeds. NaN, a set on which the question cannot be asked,
        counts as 1.

    Returns
    -------
    ndarray of float, shape (M,)
        The p-value for at least 1, 2, ..., M sets, ascending; it generalises to what the p-values generalise to.

    Raises
    ------
    ValueError
        If the input is not one row of p-values, or one lies outside 0 to 1.

    See Also
    --------
    holm : On which of the sets?

    Notes
    -----
    ``(M - u + 1) * p_(u)``, Bonferroni's p-value of the M - u + 1 largest, at least that of fewer sets and at most 1:
    Holm's adjusted p-values in their order.

    References
    ----------
    Benjamini and Heller (2008), Biometrics 64, 1215-1222. Friston, Penny and Glaser (2005), NeuroImage 25, 661-667.

    Examples
    --------
    >>> partial_conjunction([0.001, 0.40, 0.01]).tolist()
    [0.003, 0.02, 0.4]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or p.size == 0:
        raise ValueError(f"p_values must be one row of at least one p-value, got shape {p.shape}")
    outside = p[~np.isnan(p) & ~((p >= 0) & (p <= 1))]
    if outside.size:
        raise ValueError(f"p-values must lie between 0 and 1, got {outside.tolist()}")
    ascending = np.sort(np.where(np.isnan(p), 1.0, p))
    return np.maximum.accumulate(np.minimum(np.arange(p.size, 0, -1) * ascending, 1.0))
