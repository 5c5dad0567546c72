"""Rounding: the figures of every table become texts here, and nowhere else.

A figure keeps as many digits as its standard error justifies: two significant digits of that error decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.methods.interval import Interval
from analysis.tables.table import UNKNOWN

SEEDS_WORTH_PLANNING = 1000
_FEWEST_AND_MOST = (0, 4)
_TIMES = ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h"), (math.inf, 86400, "days"))


def decimals(standard_error: float) -> int:
    """Return how many decimals a figure deserves, so that its standard error shows two significant digits.

    Parameters
    ----------
    standard_error : float
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


def fixed(value: float, *, places: int, signed: bool = False) -> str:
    """Return a number with so many decimals."""
    if math.isnan(value):
        return UNKNOWN
    text = f"{value:{'+' if signed else ''}.{places}f}"
    # A gap that rounds to nothing has no direction to show.
    return text.lstrip("+-") if float(text) == 0 else text


def significant_digits(value: float, digits: int = 2) -> str:
    """Return a number with so many significant digits, no zeros behind them: ``0.5``, ``0.69``, ``12``."""
    return f"{value:.{digits}g}"


def declared(value: float) -> str:
    """Return a number that somebody chose, such as alpha, with no digit more than it has: ``0.05``."""
    return f"{value:.6g}"


def points(value: float, *, standard_error: float = math.nan, signed: bool = True) -> str:
    """Return a gap between shares in percentage points: ``+2.06 pp``."""
    if math.isnan(value):
        return UNKNOWN
    return f"{fixed(100 * value, places=decimals(100 * standard_error), signed=signed)} pp"


def declared_points(value: float) -> str:
    """Return a share that somebody chose, such as a margin, in percentage points: ``1 pp``."""
    return f"{declared(100 * value)} pp"


def points_interval(limits: Interval, *, standard_error: float = math.nan) -> str:
    """Return an interval of a gap, in percentage points: ``[-3.10, -1.02]``."""
    if any(math.isnan(limit) for limit in limits):
        return UNKNOWN
    if math.inf in limits:
        return "no limits"
    return _limits(100 * limits.low, 100 * limits.high, places=decimals(100 * standard_error))


def _limits(low: float, high: float, *, places: int) -> str:
    """Return both limits; one that is not 0 shows on which side of 0 it lies, with more decimals if need be."""

    def limit(value: float) -> str:
        enough = next((more for more in range(places, places + 4) if float(f"{value:.{more}f}")), places)
        return fixed(value, places=enough, signed=True)

    return f"[{limit(low)}, {limit(high)}]"


@dataclass(frozen=True, slots=True)
class Scale:
    """How a metric is written: shares as percentages, their gaps in points; log loss and its like as they are.

    Parameters
    ----------
    share : bool
        Whether the metric ends at 1.
    """

    share: bool

    def score(self, value: float, *, standard_error: float = math.nan) -> str:
        """Return a value of the metric."""
        if self.share:
            return percent(value, standard_error=standard_error)
        return fixed(value, places=decimals(standard_error))

    def gap(self, value: float, *, standard_error: float = math.nan, signed: bool = True) -> str:
        """Return a gap between two values."""
        if self.share or math.isnan(value):
            return points(value, standard_error=standard_error, signed=signed)
        return fixed(value, places=decimals(standard_error), signed=signed)

    def interval(self, limits: Interval, *, standard_error: float = math.nan) -> str:
        """Return an interval of a gap."""
        if self.share or not all(math.isfinite(limit) for limit in limits):
            return points_interval(limits, standard_error=standard_error)
        return _limits(*limits, places=decimals(standard_error))

    def margin(self, value: float) -> str:
        """Return a declared gap with no digit more than it has."""
        return declared_points(value) if self.share else declared(value)

    def planned_gap(self, gap: float, low: float = math.nan, high: float = math.nan) -> str:
        """Return a gap that a study can find, with two significant digits, and its range where it has one."""
        if math.isnan(gap):
            return UNKNOWN
        text, unit = self._planned(gap), " pp" if self.share else ""
        limits = [self._planned(limit) for limit in (low, high) if not math.isnan(limit)]
        if gap == 0 and len(set(limits)) > 1:
            # An estimate that was cut off at 0 is no best guess.
            return f"{' to '.join(limits)}{unit}"
        return f"{text}{unit} ({' to '.join(limits)})" if len(set(limits)) > 1 else f"{text}{unit}"

    def _planned(self, gap: float) -> str:
        # No gap between two shares is larger than all of it.
        if self.share and gap > 1:
            return "more than 100"
        value = 100 * gap if self.share else gap
        text = significant_digits(value)
        return f"{float(text):.0f}" if value > 99 and math.isfinite(value) else text


def percent(value: float, *, standard_error: float = math.nan, places: int | None = None) -> str:
    """Return a share as a percentage."""
    if math.isnan(value):
        return UNKNOWN
    return f"{100 * value:.{decimals(100 * standard_error) if places is None else places}f}%"


def small_percent(share: float) -> str:
    """Return a share that is small but never 0, as a percentage with one decimal: ``2.3%``, ``<0.1%``."""
    if math.isnan(share):
        return UNKNOWN
    return "<0.1%" if share < 0.001 else percent(share, places=1)


def whole_percent(share: float) -> str:
    """Return a share that is never 0, as a percentage without decimals: ``18%``, ``<1%``."""
    return "<1%" if share < 0.005 else percent(share, places=0)


def stated_percent(share: float) -> str:
    """Return a share that somebody stated as a percentage, with three significant digits at most: ``0.8%``."""
    return f"{significant_digits(100 * share, 3)}%"


def p_value(p: float) -> str:
    """Return a p-value: three decimals, or ``<0.001``."""
    if math.isnan(p):
        return UNKNOWN
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def precise_p_value(p: float) -> str:
    """Return a p-value with three significant digits, two below 0.001: ``0.0625``, ``7.6e-6``.

    Examples
    --------
    >>> precise_p_value(0.0625), precise_p_value(7.63e-6), precise_p_value(1.0)
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


def probability(p: float, *, exact_zero: bool = True) -> str:
    """Return a probability with two decimals; never 0 or 1 for what is neither.

    Parameters
    ----------
    p : float
        Between 0 and 1; NaN where it is unknown.
    exact_zero : bool
        Whether 0 means impossible. Where it only ran out of digits, it is ``<0.01``.
    """
    if math.isnan(p):
        return UNKNOWN
    if p < 0.005 and (p > 0 or not exact_zero):
        return "<0.01"
    return ">0.99" if 0.995 < p < 1 else f"{p:.2f}"


def confidence_level(alpha: float) -> str:
    """Return the confidence that belongs to an error rate: ``95%`` for 0.05.

    Examples
    --------
    >>> confidence_level(0.05), confidence_level(0.05 / 4), confidence_level(0.00001)
    ('95%', '98.75%', '99.999%')
    """
    # A confidence below 1 is never shown as 100%.
    digits = next((digits for digits in range(4, 17) if f"{100 * (1 - alpha):.{digits}g}" != "100"), 4)
    return f"{100 * (1 - alpha):.{digits}g}%"


def ratio_interval(ratio: float, limits: Interval) -> str:
    """Return a ratio with its interval, where it has one: ``0.65 [0.62, 0.69]``."""
    if math.isnan(ratio):
        return UNKNOWN
    if any(math.isnan(limit) for limit in limits):
        return f"{ratio:.2f}"
    high = "no limit" if math.isinf(limits.high) else f"{limits.high:.2f}"
    return f"{ratio:.2f} [{limits.low:.2f}, {high}]"


def times_as_long(ratio: float, limits: Interval) -> str:
    """Return a ratio of times as a sentence says it: ``1.31 times as long (1.20 to 1.43)``."""
    # Where it may be no difference at all, or far from 1, the second decimal tells something or nothing.
    places = 1 if limits.low > 1.01 and ratio >= 2 else 2
    return f"{ratio:.{places}f} times as long ({limits.low:.{places}f} to {limits.high:.{places}f})"


def factor(times: float) -> str:
    """Return how many times too large a figure is: ``×1.4``."""
    return UNKNOWN if math.isnan(times) else f"×{times:.1f}"


def exact_count(count: int | None) -> str:
    """Return a count with its thousands apart: ``124,441,344``."""
    return UNKNOWN if count is None else f"{count:,}"


def planned_range(needed: str, limits: Sequence[str], *, never: str) -> str:
    """Return how many it takes, with its range: ``9 (6 to 19)``, ``9 (6 to never)``, ``no number (12 at best)``.

    Parameters
    ----------
    needed : str
        The best guess, or `never`.
    limits : sequence of str
        The same at the lower and at the upper limits of what varies.
    never : str
        How it reads where no number is enough.
    """
    low, high = limits
    if low == high == needed:
        return needed
    if needed == never:
        return needed if low == never else f"no number ({low} at best)"
    return f"{needed} ({low} to {'never' if high == never else high})"


def alpha_of_each(alpha: float, n_comparisons: int) -> str:
    """Return the level of one comparison: ``alpha / 3 = 0.0167`` of three, ``alpha = 0.05`` of a single one."""
    share = f"alpha / {n_comparisons}" if n_comparisons > 1 else "alpha"
    return f"{share} = {significant_digits(alpha / n_comparisons, 3)}"


def planned_seeds(seeds: int | None, *, never: str) -> str:
    """Return a number of seeds that is worth planning, or that it is more, or that no number is enough."""
    if seeds is None:
        return never
    return str(seeds) if seeds <= SEEDS_WORTH_PLANNING else f"over {SEEDS_WORTH_PLANNING}"


def time_taken(seconds: float, limits: tuple[float, float] | None = None) -> str:
    """Return a time in the unit that suits it, and its range in the same unit: ``13.5 s (10.0 to 17.0)``."""
    if math.isnan(seconds):
        return UNKNOWN
    unit, word = next((unit, word) for limit, unit, word in _TIMES if seconds < limit)
    text = f"{_in_unit(seconds, unit)} {word}"
    return text if limits is None else f"{text} ({' to '.join(_in_unit(limit, unit) for limit in limits)})"


def _in_unit(seconds: float, unit: int) -> str:
    """Return a time with two or three significant digits."""
    value = seconds / unit
    return f"{value:.{2 if value < 1 else 1 if value < 20 else 0}f}"


def memory(size: int | None) -> str:
    """Return a size in MiB or GiB."""
    if size is None:
        return UNKNOWN
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
