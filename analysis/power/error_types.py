"""Type S and Type M errors: the chance that a significant gap has the wrong sign, and how much it exaggerates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.power.noncentral import chances

_NAN = float("nan")
# Points of the sum over estimated standard errors: it is exact to nine digits with half as many.
_POINTS = 20_001


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorTypes:
    """The outcome of `error_types`; it speaks about the population that the standard error covers.

    Parameters
    ----------
    power : float
        Chance of a significant result, of either sign.
    type_s : float
        Chance that a significant result has the wrong sign.
    type_m : float
        How many times too large a significant estimate is on average, in absolute value; 1 would be right.
    reason : str
        Why a number above is NaN; empty if none is.
    """

    power: float
    type_s: float
    type_m: float
    reason: str


def error_types(gap: float, standard_error: float, df: float, *, alpha: float) -> ErrorTypes:
    """Say what a significant result would be worth if the true gap were this large.

    A study with little power is significant only where chance has helped, so that its significant gaps are
    too large, and some point the wrong way. The gap must come from outside the study, or be one that would
    matter: taken from the study's own estimate it says nothing new.

    Parameters
    ----------
    gap : float
        Supposed true gap, in units of the score.
    standard_error : float
        Of the estimate, in the same units; above 0.
    df : float
        Degrees of freedom of the standard error, above 0; infinite where it is known.
    alpha : float
        Two-sided level, between 0 and 1.

    Returns
    -------
    ErrorTypes
        For the population that the standard error covers. At a gap of 0 there is no right sign and nothing
        to exaggerate: both are NaN, with a reason.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    The estimate is normal about the true gap and is divided by an estimated standard error, as in the test
    itself, so that the power is that of the noncentral t. With infinite `df` this is the calculation of
    Gelman and Carlin; theirs for few degrees of freedom lets the estimate itself follow a t distribution,
    which describes another experiment and gives larger figures.

    References
    ----------
    Gelman and Carlin (2014), "Beyond power calculations: assessing type S (sign) and type M (magnitude)
    errors", Perspectives on Psychological Science 9, 641-651.

    Examples
    --------
    A true gap of 0.5 points, with a standard error of 1 point: significant results are rare, one in eleven
    points the wrong way, and they are nearly five times too large.

    >>> errors = error_types(0.005, 0.01, math.inf, alpha=0.05)
    >>> round(errors.power, 3), round(errors.type_s, 3), round(errors.type_m, 2)
    (0.079, 0.088, 4.79)
    """
    if not math.isfinite(gap):
        raise ValueError(f"gap must be finite, got {gap!r}")
    if not (math.isfinite(standard_error) and standard_error > 0):
        raise ValueError(f"standard_error must be positive and finite, got {standard_error!r}")
    if not df > 0:
        raise ValueError(f"df must be above 0, got {df!r}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}")
    noncentrality = abs(gap) / standard_error
    right, wrong = chances(noncentrality, df, alpha)
    power = right + wrong
    if gap == 0:
        return ErrorTypes(power=power, type_s=_NAN, type_m=_NAN, reason="a gap of 0 has no sign and no size")
    if power == 0:
        return ErrorTypes(power=power, type_s=_NAN, type_m=_NAN, reason="no study would find anything")
    # The mean of |x| beyond both limits, for x normal about the noncentrality with SD 1.
    reach, share = _limits(df, alpha)
    density = np.exp(-0.5 * (reach - noncentrality) ** 2) + np.exp(-0.5 * (reach + noncentrality) ** 2)
    size = float(share @ density) / math.sqrt(2 * math.pi) + noncentrality * (right - wrong)
    return ErrorTypes(power=power, type_s=wrong / power, type_m=size / (power * noncentrality), reason="")


def _limits(df: float, alpha: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many true standard errors an estimate must reach to be significant, and in which share of the studies.

    The limit differs from study to study because each one estimates its own standard error. Its logarithm is cut into
    even steps, and reaches as far down as rare findings come from.
    """
    critical = float(special.stdtrit(df, 1 - alpha / 2))
    if math.isinf(df):
        return np.array([critical]), np.ones(1)
    around = 12 / math.sqrt(2 * df)
    logs = np.linspace(-max(40 / df, around), max(math.log1p(80 / df) / 2, around), _POINTS)
    density = np.exp(df * (logs - np.expm1(2 * logs) / 2))
    return critical * np.exp(logs), density / density.sum()
