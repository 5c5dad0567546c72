"""Interval: the lower and the upper limit of an interval estimate."""

from __future__ import annotations

from typing import NamedTuple


class Interval(NamedTuple):
    """Two limits, in the units of the estimate.

    It unpacks as ``low, high``, and in JSON it is a list of both.

    Parameters
    ----------
    low, high : float
        NaN where there is no limit to give, infinite where nothing is ruled out on that side.
    """

    low: float
    high: float


NO_INTERVAL = Interval(float("nan"), float("nan"))
"""What stands where there is nothing to give an interval from."""
