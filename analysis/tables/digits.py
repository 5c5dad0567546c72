"""Rounding, and nothing but rounding: figures become texts here and nowhere else.

A figure keeps as many digits as its standard error justifies: two significant digits of that error decide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.tables.table import UNKNOWN

_FEWEST_AND_MOST = (0, 4)
_TIMES = ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h"), (math.inf, 86400, "days"))


def decimals(standard_error: float) -> int:
    """Return how many decimals a figure deserves, so that its standard error shows two significant digits.

    Parameters
    ----------
    standard_error
        In the unit of the figure. Where it is unknown or 0, two decimals.

    Examples
    --------
    >>> decimals(0.52), decimals(0.034), decimals(12.0)
    (2, 3, 0)
    """
    if not (math.isfinite(standard_error) and standard_error > 0):
        return 2
    fewest, most = _FEWEST_AND_MOST
    return min(max(1 - math.floor(math.log10(standard_error)), fewest), most)


def points(value: float, *, standard_error: float = math.nan, signed: bool = True) -> str:
    """Return a gap between shares in percentage points: ``+2.06 pp``."""
    if math.isnan(value):
        return UNKNOWN
    return f"{_fixed(100 * value, decimals(100 * standard_error), signed=signed)} pp"


def plain_points(value: float) -> str:
    """Return a declared share, such as a margin, in percentage points with no digit more than it has."""
    return f"{100 * value:.6g} pp"


def points_interval(limits: tuple[float, float], *, standard_error: float = math.nan) -> str:
    """Return an interval of a gap, in percentage points: ``[-3.10, -1.02]``."""
    if any(math.isnan(limit) for limit in limits):
        return UNKNOWN
    if math.inf in limits:
        return "no limits"
    places = decimals(100 * standard_error)
    low, high = (_fixed(100 * limit, places, signed=True) for limit in limits)
    return f"[{low}, {high}]"


@dataclass(frozen=True, slots=True)
class Scale:
    """How a metric is written: shares as percentages, their gaps in points; log loss and its like as they are.

    Parameters
    ----------
    share
        Whether the metric ends at 1.
    """

    share: bool

    def score(self, value: float, *, standard_error: float = math.nan) -> str:
        """Return a value of the metric."""
        if self.share:
            return percent(value, standard_error=standard_error)
        return number(value, places=decimals(standard_error))

    def gap(self, value: float, *, standard_error: float = math.nan, signed: bool = True) -> str:
        """Return a gap between two values."""
        if self.share or math.isnan(value):
            return points(value, standard_error=standard_error, signed=signed)
        return _fixed(value, decimals(standard_error), signed=signed)

    def interval(self, limits: tuple[float, float], *, standard_error: float = math.nan) -> str:
        """Return an interval of a gap."""
        if self.share or not all(math.isfinite(limit) for limit in limits):
            return points_interval(limits, standard_error=standard_error)
        low, high = (_fixed(limit, decimals(standard_error), signed=True) for limit in limits)
        return f"[{low}, {high}]"

    def margin(self, value: float) -> str:
        """Return a declared gap with no digit more than it has."""
        return plain_points(value) if self.share else f"{value:.6g}"


def percent(value: float, *, standard_error: float = math.nan, places: int | None = None) -> str:
    """Return a share as a percentage."""
    if math.isnan(value):
        return UNKNOWN
    return f"{100 * value:.{decimals(100 * standard_error) if places is None else places}f}%"


def p_value(p: float) -> str:
    """Return a p-value: three decimals, or ``<0.001``."""
    if math.isnan(p):
        return UNKNOWN
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def significant(value: float) -> str:
    """Return a number with two significant digits, no zeros behind them: ``0.5``, ``0.69``, ``12``."""
    return f"{value:.2g}"


def small_p(p: float) -> str:
    """Return a p-value with three significant digits, two below 0.001: ``0.0625``, ``7.6e-6``.

    Examples
    --------
    >>> small_p(0.0625), small_p(7.63e-6), small_p(1.0)
    ('0.0625', '7.6e-6', '1')
    """
    if math.isnan(p):
        return UNKNOWN
    if p < 1e-300:
        return "<1e-300"
    if p < 0.001:
        digits, _, power = f"{p:.1e}".partition("e")
        return f"{digits}e{int(power)}"
    return "1" if p > 0.9995 else f"{p:#.3g}"


def probability(p: float) -> str:
    """Return a probability with two decimals; never 0 or 1 for what is neither."""
    if math.isnan(p):
        return UNKNOWN
    if 0 < p < 0.005:
        return "<0.01"
    return ">0.99" if 0.995 < p < 1 else f"{p:.2f}"


def number(value: float, *, places: int) -> str:
    """Return a plain number."""
    return UNKNOWN if math.isnan(value) else _fixed(value, places, signed=False)


def level(alpha: float) -> str:
    """Return the confidence that belongs to an error rate: ``95%`` for 0.05.

    Examples
    --------
    >>> level(0.05), level(0.05 / 4), level(0.00001)
    ('95%', '98.75%', '99.999%')
    """
    # A confidence below 1 is never shown as 100%.
    digits = next((digits for digits in range(4, 17) if f"{100 * (1 - alpha):.{digits}g}" != "100"), 4)
    return f"{100 * (1 - alpha):.{digits}g}%"


def ratio_interval(ratio: float, limits: tuple[float, float]) -> str:
    """Return a ratio with its interval, where it has one: ``0.65 [0.62, 0.69]``."""
    if math.isnan(ratio):
        return UNKNOWN
    if any(math.isnan(limit) for limit in limits):
        return f"{ratio:.2f}"
    high = "no limit" if math.isinf(limits[1]) else f"{limits[1]:.2f}"
    return f"{ratio:.2f} [{limits[0]:.2f}, {high}]"


def whole(count: int | None) -> str:
    """Return a count with its thousands apart: ``124,441,344``."""
    return UNKNOWN if count is None else f"{count:,}"


def about(count: int) -> str:
    """Return an estimated count with two significant digits: ``40,000``."""
    if count < 100:
        return str(count)
    unit = 10 ** (len(str(count)) - 2)
    return f"{round(count / unit) * unit:,}"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it, with two or three significant digits."""
    if math.isnan(seconds):
        return UNKNOWN
    unit, word = _unit(seconds)
    return f"{_in_unit(seconds, unit)} {word}"


def duration_range(seconds: float, limits: tuple[float, float]) -> str:
    """Return a time with its range in the same unit: ``13.5 s (10.0 to 17.0)``."""
    if math.isnan(seconds):
        return UNKNOWN
    unit, word = _unit(seconds)
    low, high = (_in_unit(limit, unit) for limit in limits)
    return f"{_in_unit(seconds, unit)} {word} ({low} to {high})"


def memory(size: int | None) -> str:
    """Return a size in MiB or GiB."""
    if size is None:
        return UNKNOWN
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"


def _fixed(value: float, places: int, *, signed: bool) -> str:
    text = f"{value:{'+' if signed else ''}.{places}f}"
    # A gap that rounds to nothing has no direction to show.
    return text.lstrip("+-") if float(text) == 0 else text


def _unit(seconds: float) -> tuple[int, str]:
    return next((unit, word) for limit, unit, word in _TIMES if seconds < limit)


def _in_unit(seconds: float, unit: int) -> str:
    value = seconds / unit
    return f"{value:.{2 if value < 1 else 1 if value < 20 else 0}f}"
