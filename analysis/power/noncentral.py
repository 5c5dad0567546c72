"""Noncentral t: the chance that a t-test is significant where there is a gap, and the gap that it finds."""

from __future__ import annotations

import functools
import math

from scipy import optimize, special

# Beside so large a noncentrality the estimate's own error is nothing, and scipy takes seconds or has no value.
_FAR = 1e4
# Beyond it the wrong sign has a chance below 1e-349, and what scipy gives is noise.
_NEVER_WRONG = 40


def chances(noncentrality: float, df: float, alpha: float) -> tuple[float, float]:
    """Chances of a significant result with the right sign and with the wrong sign.

    Parameters
    ----------
    noncentrality : float
        True gap over true standard error, at least 0.
    df : float
        Degrees of freedom, above 0; may be infinite.
    alpha : float
        Two-sided level, between 0 and 1.

    Returns
    -------
    tuple of float
        Both together are the power; at a noncentrality of 0 each is half of `alpha`.
    """
    critical = float(special.stdtrit(df, 1 - alpha / 2))
    wrong = float(special.nctdtr(df, noncentrality, -critical)) if noncentrality < _NEVER_WRONG else 0.0
    # Below about 1e-18 scipy has no value.
    return _right_sign(noncentrality, df, critical), 0.0 if math.isnan(wrong) else wrong


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
    if math.isinf(df):
        return critical + float(special.ndtri(power))
    # Half of the misses allowed to the estimate, half to its standard error: enough, so that the root lies below.
    half = (1 - power) / 2
    most = critical * math.sqrt(special.chdtri(df, half) / df) - float(special.ndtri(half))
    # scipy's own inverse, nctdtrinc, is right to five digits only and may run for ever.
    return float(optimize.brentq(lambda at: _right_sign(at, df, critical) - power, 0.0, most, xtol=1e-12))


def _right_sign(noncentrality: float, df: float, critical: float) -> float:
    if noncentrality >= _FAR and math.isfinite(df):
        return float(special.chdtr(df, df * (noncentrality / critical) ** 2))
    # Mirrored, so that a small chance keeps its digits.
    return float(special.nctdtr(df, -noncentrality, -critical))


def check_levels(alpha: float, power: float) -> None:
    """Refuse a level or a power out of range.

    Raises
    ------
    ValueError
        Unless ``0 < alpha < power < 1``.
    """
    if not 0 < alpha < power < 1:
        raise ValueError(f"need 0 < alpha < power < 1, got alpha={alpha!r} and power={power!r}")
