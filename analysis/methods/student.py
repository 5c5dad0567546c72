"""Student's t interval of an estimate with a standard error."""

from __future__ import annotations

from scipy import special

from analysis.methods.interval import NO_INTERVAL, Interval


def t_interval(estimate: float, standard_error: float, df: float, *, confidence: float) -> Interval:
    """Confidence interval of an estimate; for the population that its standard error speaks about.

    Parameters
    ----------
    estimate, standard_error : float
        In one unit.
    df : float
        Degrees of freedom of the standard error.
    confidence : float
        Between 0 and 1, both excluded.

    Returns
    -------
    Interval
        NaN where there is no standard error, or one of 0.

    Raises
    ------
    ValueError
        If `confidence` is outside its range.

    Examples
    --------
    >>> [round(limit, 3) for limit in t_interval(0.02, 0.01, 4, confidence=0.95)]
    [-0.008, 0.048]
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")
    if not standard_error > 0:
        return NO_INTERVAL
    half = float(special.stdtrit(df, 0.5 + confidence / 2)) * standard_error
    return Interval(estimate - half, estimate + half)
