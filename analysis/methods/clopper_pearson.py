"""Clopper-Pearson limits: the exact confidence limits of a share."""

from __future__ import annotations

from scipy import special

from analysis.methods.interval import Interval


def clopper_pearson(hits: float, trials: float, *, tail: float) -> Interval:
    """Exact limits of a binomial share.

    They are those of ``scipy.stats.binomtest(hits, trials).proportion_ci()``, without loading scipy.stats, which
    takes longer than most reports. Half hits are taken as well: ties that count half for either side.

    Parameters
    ----------
    hits, trials : float
        Successes, and all attempts, of which there is at least one; not checked.
    tail : float
        Chance that either limit misses the share, at most: 0.025 for an interval of 95%, 0.05 for one limit alone.

    Returns
    -------
    Interval
        From 0 to 1; for the population that the attempts are drawn from.

    References
    ----------
    Clopper and Pearson (1934), Biometrika 26, 404-413.

    Examples
    --------
    >>> [round(limit, 3) for limit in clopper_pearson(5, 5, tail=0.025)]
    [0.478, 1.0]
    """
    return Interval(
        low=float(special.betaincinv(hits, trials - hits + 1, tail)) if hits > 0 else 0.0,
        high=float(special.betaincinv(hits + 1, trials - hits, 1 - tail)) if hits < trials else 1.0,
    )
