"""Power of a t-test: the chance of a significant result where there is a gap."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

_DF_FOR_SCIPY = 5
# Upper tail probabilities of a chi-square variable, in the middle of cells that narrow towards both ends.
_STEPS = np.arange(2001) / 2000
_TAILS = (_STEPS**2 * (3 - 2 * _STEPS))[1::2]
_SHARES = np.diff((_STEPS**2 * (3 - 2 * _STEPS))[::2])


def limits(df: float, alpha: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many true standard errors an estimate must reach to be significant, over studies of this kind.

    The limit differs from study to study because each one estimates its own standard error. Given the limit,
    the estimate is normal; every probability of the noncentral t is an average over these limits.

    Parameters
    ----------
    df : float
        Degrees of freedom, above 0; may be infinite.
    alpha : float
        Two-sided level, between 0 and 1.

    Returns
    -------
    tuple of ndarray
        Limits, and the share of the studies that each stands for; a single limit if `df` is infinite.
    """
    critical = float(special.stdtrit(df, 1 - alpha / 2))
    if math.isinf(df):
        return np.array([critical]), np.ones(1)
    return critical * np.sqrt(special.chdtri(df, _TAILS) / df), _SHARES


def chances(noncentrality: float, df: float, alpha: float) -> tuple[float, float]:
    """Chances of a significant result with the right sign and with the wrong sign.

    Parameters
    ----------
    noncentrality : float
        True gap over true standard error, at least 0.
    df, alpha : float
        As for `limits`.

    Returns
    -------
    tuple of float
        Both together are the power; at a noncentrality of 0 each is half of `alpha`.
    """
    reach, share = limits(df, alpha)
    return float(share @ special.ndtr(noncentrality - reach)), float(share @ special.ndtr(-noncentrality - reach))


@functools.lru_cache(maxsize=10_000)
def noncentrality_for(df: float, alpha: float, power: float) -> float:
    """Return the noncentrality at which a two-sided t-test has this power.

    Parameters
    ----------
    df : float
        Degrees of freedom, above 0; may be infinite.
    alpha : float
        Two-sided level, between 0 and 1.
    power : float
        Chance of a significant result with the right sign, above `alpha` and below 1.

    Returns
    -------
    float
    """
    critical = float(special.stdtrit(df, 1 - alpha / 2))
    if df >= _DF_FOR_SCIPY:
        return float(special.nctdtrinc(df, 1 - power, critical))
    # With few degrees of freedom scipy's inverse may run for ever.
    reach, share = limits(df, alpha)

    def excess(noncentrality: float) -> float:
        return float(share @ special.ndtr(noncentrality - reach)) - power

    return float(optimize.brentq(excess, -10.0, reach[0] + 10.0, xtol=1e-9))


def check_levels(alpha: float, power: float) -> None:
    """Refuse a level or a power out of range.

    Raises
    ------
    ValueError
        Unless ``0 < alpha < power < 1``.
    """
    if not 0 < alpha < power < 1:
        raise ValueError(f"need 0 < alpha < power < 1, got alpha={alpha!r} and power={power!r}")
