"""Power of McNemar's test: what one trial of each arm can find."""

from __future__ import annotations

import functools
import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special


def mcnemar_power(
    gap: float, discordance: float, n: int, *, alpha: float = 0.05, method: Literal["exact", "mid"] = "exact"
) -> float:
    """Chance that McNemar's test finds a gap between two trained models.

    The number of discordant examples is itself random: the power is averaged over it, and exact.

    Parameters
    ----------
    gap : float
        True difference in accuracy, no larger than the discordance; its sign does not matter.
    discordance : float
        Expected share of examples on which exactly one of the two models is right, from 0 to 1.
    n : int
        Test examples, at least 1.
    alpha : float
        Two-sided level, between 0 and 1.
    method : {"exact", "mid"}
        The exact conditional p-value or the mid-p value.

    Returns
    -------
    float
        Chance of a p-value of at most `alpha`, over new examples for two given models; it says nothing about
        other seeds.

    Raises
    ------
    ValueError
        If an argument is out of range.

    See Also
    --------
    single_run_detectable_gap : The gap that is found with a wanted power.
    power_at : For several seeds.

    References
    ----------
    Duffy (1984), Biometrics 40, 1005-1015 (unconditional power of the conditional test). Fagerland, Lydersen
    and Laake (2013), BMC Medical Research Methodology 13:91 (mid-p).

    Examples
    --------
    >>> round(mcnemar_power(0.028, 0.08, 872), 2)
    0.81
    """
    if not (0 <= discordance <= 1 and abs(gap) <= discordance):
        raise ValueError(f"need |gap| <= discordance <= 1, got gap={gap!r} and discordance={discordance!r}")
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n!r}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}")
    if method not in ("exact", "mid"):
        raise ValueError(f'method must be "exact" or "mid", got {method!r}')
    return _power(gap / discordance, *_rejections(discordance, n, alpha, method)) if discordance > 0 else 0.0


def single_run_detectable_gap(discordance: float, n: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest gap that one trial of each arm finds with the exact McNemar test.

    Parameters
    ----------
    discordance : float
        Expected share of examples on which exactly one of the two models is right; above 0, at most 1.
    n : int
        Test examples, at least 1.
    alpha : float
        Two-sided level, between 0 and 1.
    power : float
        Wanted chance of finding the gap, between `alpha` and 1.

    Returns
    -------
    float
        Gap in accuracy, for new examples and these two models only. NaN where even a gap as large as the
        discordance would be found too rarely.

    Raises
    ------
    ValueError
        If an argument is out of range.

    See Also
    --------
    mcnemar_power : The power for a given gap.
    detectable_gap_at : For several seeds.

    Examples
    --------
    >>> round(100 * single_run_detectable_gap(0.08, 872), 1)
    2.8
    """
    if not 0 < alpha < power < 1:
        raise ValueError(f"need 0 < alpha < power < 1, got alpha={alpha!r} and power={power!r}")
    if not (0 < discordance <= 1 and n >= 1):
        raise ValueError(f"need 0 < discordance <= 1 and n >= 1, got {discordance!r} and {n!r}")

    def excess(gap: float) -> float:
        return mcnemar_power(gap, discordance, n, alpha=alpha) - power

    if excess(discordance) < 0:
        return float("nan")
    return float(optimize.brentq(excess, 0.0, discordance, xtol=1e-9))


def _power(lean: float, m: NDArray[np.int_], weight: NDArray[np.float64], most: NDArray[np.float64]) -> float:
    share = 0.5 + abs(lean) / 2
    rejected = special.bdtr(most, m, 1 - share) + special.bdtr(most, m, share)
    return float(weight @ np.minimum(rejected, 1.0))


@functools.lru_cache(maxsize=8)
def _rejections(
    discordance: float, n: int, alpha: float, method: Literal["exact", "mid"]
) -> tuple[NDArray[np.int_], NDArray[np.float64], NDArray[np.float64]]:
    """Discordant counts, their probabilities, and the most that the smaller cell may hold for a rejection."""
    # Nine standard deviations to each side hold all the discordant counts that matter.
    reach = 9 * math.sqrt(n * discordance * (1 - discordance)) + 10
    m = np.arange(max(1, int(n * discordance - reach)), min(n, math.ceil(n * discordance + reach)) + 1)
    weight = special.bdtr(m, n, discordance) - special.bdtr(m - 1, n, discordance)
    most = np.ceil(special.bdtrik(alpha / 2, m, 0.5))
    most = np.where(special.bdtr(most, m, 0.5) > alpha / 2, most - 1, most)
    if method == "mid":
        # The mid-p value at one more lies above the exact one at `most`: only that one can come in as well.
        tail, beyond = special.bdtr(most + 1, m, 0.5), special.bdtr(most, m, 0.5)
        beyond = np.where(most >= 0, beyond, 0.0)
        p_mid = np.where(2 * (most + 1) == m, 1 - (tail - beyond) / 2, tail + beyond)
        most = np.where((p_mid <= alpha) & (2 * (most + 1) <= m), most + 1, most)
    some = most >= 0
    return m[some], np.asarray(weight[some], dtype=np.float64), np.asarray(most[some], dtype=np.float64)
