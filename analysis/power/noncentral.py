"""Noncentral t: the chance that a t-test is significant where there is a gap."""

from __future__ import annotations

import math

from scipy import special

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


def _right_sign(noncentrality: float, df: float, critical: float) -> float:
    if noncentrality >= _FAR and math.isfinite(df):
        return float(special.chdtr(df, df * (noncentrality / critical) ** 2))
    # Mirrored, so that a small chance keeps its digits.
    return float(special.nctdtr(df, -noncentrality, -critical))
