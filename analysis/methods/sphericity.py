"""Sphericity: whether every two arms of a study differ alike from seed to seed, as pooling their variation assumes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.methods.variance import ROUNDING


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceSpread:
    """How unlike the differences of two arms spread over seeds; it speaks about this test set.

    Parameters
    ----------
    most, least : tuple of int
        The rows of the two arms whose difference varies most from seed to seed, and of those whose varies least.
    ratio : float
        SD over seeds of the first difference, divided by that of the second; infinite where the second never varies,
        NaN where none does.
    p_value : float
        How often so large a ratio arises where every two arms differ alike; 1 where none varies.
    """

    most: tuple[int, int]
    least: tuple[int, int]
    ratio: float
    p_value: float


def difference_spread(means: ArrayLike, *, rng: np.random.Generator, draws: int = 2000) -> DifferenceSpread:
    """Compare the SDs over seeds of all pairwise differences between arms.

    Arms that vary unlike over seeds make it large, and so do arms of which some share the luck of a seed and others do
    not, though all vary alike. Its law where all differ alike is simulated, from normal means.

    Parameters
    ----------
    means : array_like, shape (T, S)
        Mean score of each of three arms or more with each of two paired seeds or more.
    rng : numpy.random.Generator
        For the simulation.
    draws : int
        Simulated studies.

    Returns
    -------
    DifferenceSpread

    Raises
    ------
    ValueError
        If the shape is another one.

    References
    ----------
    Huynh and Feldt (1970), JASA 65, 1582-1589 (equal variances of all differences).

    Examples
    --------
    >>> alike = np.random.default_rng(0).normal(size=(4, 10))
    >>> together = np.vstack([alike[:1], 0.1 * alike[1:] + alike[1]])
    >>> for means in (alike, together):
    ...     spread = difference_spread(means, rng=np.random.default_rng(1))
    ...     print(spread.most, spread.least, round(spread.ratio, 1), round(spread.p_value, 3))
    (0, 1) (1, 3) 1.8 0.358
    (0, 1) (1, 3) 19.4 0.0
    """
    m = np.asarray(means, dtype=np.float64)
    if m.ndim != 2 or m.shape[0] < 3 or m.shape[1] < 2:
        raise ValueError(f"expected the means of three arms or more with two seeds or more, got shape {m.shape}")
    pairs = list(combinations(range(len(m)), 2))
    noise = (ROUNDING * float(np.abs(m).max())) ** 2
    # Difference by difference: two arms that are alike to the last bit must not differ by rounding.
    variances = np.array([(m[first] - m[second]).var(ddof=1) for first, second in pairs])
    variances[variances <= noise] = 0.0
    high, low = int(variances.argmax()), int(variances.argmin())
    if variances[high] == 0:
        return DifferenceSpread(most=pairs[high], least=pairs[low], ratio=math.nan, p_value=1.0)
    ratio = float(variances[high] / variances[low]) if variances[low] > 0 else math.inf
    simulated = _variances(rng.standard_normal((draws, *m.shape)))
    reached = np.count_nonzero(simulated.max(axis=-1) >= ratio * simulated.min(axis=-1))
    return DifferenceSpread(
        most=pairs[high], least=pairs[low], ratio=math.sqrt(ratio), p_value=float((reached + 1) / (draws + 1))
    )


def _variances(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variance over seeds of every pairwise difference, shape (..., pairs), from means (..., T, S)."""
    centred = means - means.mean(axis=-1, keepdims=True)
    products = centred @ np.swapaxes(centred, -1, -2) / (means.shape[-1] - 1)
    own = np.diagonal(products, axis1=-2, axis2=-1)
    first, second = np.triu_indices(means.shape[-2], 1)
    return np.asarray(own[..., first] + own[..., second] - 2 * products[..., first, second])
