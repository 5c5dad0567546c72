"""Multiple-comparison correction, also for comparisons that ask two questions: is there a gap, and is it small.

Holm and Benjamini-Hochberg equal those of ``statsmodels.stats.multitest``, of which they do without the loading time
(more than that of all else that a report needs) and take p-values that are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class JointCorrection:
    """Adjusted p-values of `joint_step_down`, in the order of the comparisons.

    Parameters
    ----------
    difference : tuple of float
        For "there is a gap". NaN where the raw p-value is.
    equivalence : tuple of float
        For "the gap is within the margin". NaN where the raw p-value is.
    """

    difference: tuple[float, ...]
    equivalence: tuple[float, ...]


def joint_step_down(difference: Sequence[float], equivalence: Sequence[float]) -> JointCorrection:
    """Adjust the p-values of K comparisons for both questions at once.

    The chance of any false claim in the whole family, of a gap or of equivalence, stays below alpha. No gap
    at all and a gap beyond the margin cannot both be true of one comparison, so at most K of the 2K null
    hypotheses hold: the smallest p-value is multiplied by K, not by 2K, and the factor falls when both
    questions of a comparison are answered.

    Parameters
    ----------
    difference : sequence of float, length K
        Raw p-values for a difference of 0, from 0 to 1. NaN stays NaN and its comparison still counts.
    equivalence : sequence of float, length K
        Raw equivalence p-values of the same comparisons in the same order.

    Returns
    -------
    JointCorrection
        Generalises to what the raw p-values generalise to.

    Raises
    ------
    ValueError
        If the lengths differ, or if a p-value lies outside 0 to 1.

    See Also
    --------
    holm : One question per comparison.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70. Shaffer (1986), JASA 81, 826-831, section 2
    (logically related hypotheses).

    Examples
    --------
    >>> adjusted = joint_step_down([0.01, 0.40], [0.90, 0.02])
    >>> adjusted.difference, adjusted.equivalence
    ((0.02, 0.8), (0.9, 0.04))
    """
    K = len(difference)
    if len(equivalence) != K:
        raise ValueError(
            f"every comparison needs both p-values, got {K} for the difference and {len(equivalence)} for equivalence"
        )
    pooled = np.asarray([*difference, *equivalence], dtype=np.float64)
    _check_range(pooled)
    adjusted = np.full(2 * K, np.nan)
    answered = np.zeros(K, dtype=np.int64)
    largest = 0.0
    # A NaN sorts last, is never rejected, and so never lowers the factor of the others.
    for index in np.argsort(pooled, kind="stable")[: np.count_nonzero(~np.isnan(pooled))]:
        factor = K - np.count_nonzero(answered == 2)
        largest = max(largest, min(1.0, factor * float(pooled[index])))
        adjusted[index] = largest
        answered[index % K] += 1
    return JointCorrection(difference=tuple(adjusted[:K].tolist()), equivalence=tuple(adjusted[K:].tolist()))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's adjusted p-values, in the order they came in.

    Parameters
    ----------
    p_values : array_like, shape (K,)
        Raw p-values from 0 to 1. NaN stays NaN and still counts.

    Returns
    -------
    ndarray, shape (K,)
        Generalises to what the raw p-values generalise to.

    Raises
    ------
    ValueError
        If the input is not one-dimensional, or if a p-value lies outside 0 to 1.

    See Also
    --------
    joint_step_down : Two questions per comparison.
    benjamini_hochberg : For exploration.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70.

    Examples
    --------
    >>> holm([0.04, 0.01, 0.03]).tolist()
    [0.06, 0.03, 0.06]
    """
    p, order = _ordered(p_values)
    stepped = np.maximum.accumulate(np.arange(p.size, 0, -1) * p[order])
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Benjamini and Hochberg's adjusted p-values, in the order they came in; for exploration.

    They bound the expected share of false claims among all claims, not the chance of a single false one: what
    they single out deserves a second study, not a verdict. The bound is proved for p-values that are independent,
    or positively dependent (PRDS: positive regression dependency on each one of those whose null hypothesis is
    true). Two-sided p-values of gaps against one baseline, and the two questions of one comparison, need not be;
    for these it is no more than a guide.

    Parameters
    ----------
    p_values : array_like, shape (K,)
        Raw p-values from 0 to 1. NaN stays NaN and still counts.

    Returns
    -------
    ndarray, shape (K,)
        Generalises to what the raw p-values generalise to.

    Raises
    ------
    ValueError
        If the input is not one-dimensional, or if a p-value lies outside 0 to 1.

    See Also
    --------
    holm : Bounds the chance of a single false claim.

    References
    ----------
    Benjamini and Hochberg (1995), JRSS B 57, 289-300 (independent p-values). Benjamini and Yekutieli (2001),
    Annals of Statistics 29, 1165-1188 (positive dependence).

    Examples
    --------
    >>> benjamini_hochberg([0.04, 0.01, 0.03]).round(3).tolist()
    [0.04, 0.03, 0.04]
    """
    p, order = _ordered(p_values)
    # fmin skips the NaN at the end on its way down, so that the values before it stay defined.
    stepped = np.fmin.accumulate((p.size * p[order] / np.arange(1, p.size + 1))[::-1])[::-1]
    adjusted = np.empty_like(p)
    adjusted[order] = np.where(np.isnan(p[order]), np.nan, np.minimum(stepped, 1.0))
    return adjusted


def _ordered(p_values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Give back the p-values as they came, and their order from the smallest up, NaN last."""
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise ValueError(f"p_values must be one-dimensional, got shape {p.shape}")
    _check_range(p)
    return p, np.argsort(p, kind="stable")


def _check_range(p: NDArray[np.float64]) -> None:
    outside = p[~np.isnan(p) & ~((p >= 0) & (p <= 1))]
    if outside.size:
        raise ValueError(f"p-values must lie between 0 and 1, got {outside.tolist()}")
