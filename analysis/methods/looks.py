"""Looks at a growing study: how small p must be at each declared number of seeds, so that looking costs nothing.

A study that is tested again and again as its seeds come in rejects too often. An error-spending plan fixes
beforehand how much of the level each look may use. Here it is the plan of O'Brien-Fleming kind: next to
nothing at the early looks, nearly all of it at the last.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

_NAN = float("nan")
_MOST_SEEDS = 10_000
# A look that may spend less than this never rejects: nothing near the end of floating point is trusted.
_NOTHING = 1e-280
_FAR = 9.0
# Distance of two nodes, in SDs of the narrowest curve: Gaussian curves are then integrated to rounding.
_STEP = 0.7


def thresholds(looks: Sequence[int], *, alpha: float) -> tuple[float, ...]:
    """How small a two-sided p must be at each look.

    Each side spends half of `alpha`, by the function of Lan and DeMets that imitates O'Brien and Fleming's
    boundaries. The fraction of information at a look is its share of the seeds at the last one.

    Parameters
    ----------
    looks : sequence of int
        Seeds in each arm at all declared looks, increasing; at least two looks, from 2 to 10,000 seeds.
    alpha : float
        Two-sided level of the whole study, between 0 and 1.

    Returns
    -------
    tuple of float
        Stop and reject at look k if its p-value is at most the k-th number. p-values are compared, and never
        a t statistic with a normal boundary, which would reject too often at few seeds. 0 where a look comes
        so early that it may not reject at all. The promise holds for the population of the test that gave
        the p-values.

    Raises
    ------
    ValueError
        If `alpha` is out of range or if the looks are not as said above.

    See Also
    --------
    one_sided_thresholds : For one-sided p-values.
    sequential_p : One p-value for all looks so far.
    spent : How much of the level is spent by then.

    References
    ----------
    Lan and DeMets (1983), Biometrika 70, 659-663. Jennison and Turnbull (2000), Group Sequential Methods with
    Applications to Clinical Trials, chapters 7 and 19 (boundaries by recursive integration).

    Examples
    --------
    >>> [f"{threshold:.3g}" for threshold in thresholds([4, 8, 12, 20], alpha=0.05)]
    ['1.08e-06', '0.000788', '0.00736', '0.0475']
    """
    declared = _checked_looks(looks)
    _check_alpha(alpha)
    return tuple(2 * float(special.ndtr(-z)) for z in _boundaries(declared, len(declared), alpha, 2))


def one_sided_thresholds(looks: Sequence[int], *, alpha: float) -> tuple[float, ...]:
    """How small a one-sided p must be at each look, as for equivalence.

    The p-value of an equivalence test is one-sided, and spends its own `alpha` on its one side.

    Parameters
    ----------
    looks : sequence of int
        As for `thresholds`.
    alpha : float
        One-sided level of the whole study, between 0 and 1.

    Returns
    -------
    tuple of float
        Stop and reject at look k if its one-sided p-value is at most the k-th number; for the population of
        the test that gave the p-values.

    Raises
    ------
    ValueError
        As for `thresholds`.

    See Also
    --------
    thresholds : For two-sided p-values.
    sequential_p : One p-value for all looks so far.

    References
    ----------
    As for `thresholds`.

    Examples
    --------
    >>> [f"{threshold:.2g}" for threshold in one_sided_thresholds([4, 8, 12, 20], alpha=0.05)]
    ['1.2e-05', '0.0019', '0.011', '0.046']
    """
    declared = _checked_looks(looks)
    _check_alpha(alpha)
    return tuple(float(special.ndtr(-z)) for z in _boundaries(declared, len(declared), alpha, 1))


def spent(looks: Sequence[int], k: int, alpha: float) -> float:
    """How much of a two-sided level is spent once look k is done.

    Parameters
    ----------
    looks : sequence of int
        As for `thresholds`.
    k : int
        Looks done, from 0 to all of them.
    alpha : float
        Two-sided level of the whole study, between 0 and 1.

    Returns
    -------
    float
        The chance of a rejection at one of the first k looks where there is no gap; for the population of
        the test that gives the p-values.

    Raises
    ------
    ValueError
        If `k` is out of range, or as for `thresholds`.

    See Also
    --------
    thresholds : How small p must be at each look.

    Examples
    --------
    >>> round(spent([4, 8, 12, 20], 3, 0.05), 4), round(spent([4, 8, 12, 20], 4, 0.05), 4)
    (0.0076, 0.05)
    """
    declared = _checked_looks(looks)
    _check_alpha(alpha)
    if not 0 <= k <= len(declared):
        raise ValueError(f"k must lie between 0 and the {len(declared)} declared looks, got {k!r}")
    return 0.0 if k == 0 else 2 * _side_spent(declared[k - 1] / declared[-1], alpha / 2)


def sequential_p(p_values: Sequence[float], looks: Sequence[int], *, sides: Literal[1, 2]) -> float:
    """One p-value for a study that has been looked at several times.

    It is the smallest overall level at which one of the looks so far would have rejected. It does not depend
    on why the study stopped, or on whether it will go on, and may be corrected for several comparisons like
    any other p-value.

    Parameters
    ----------
    p_values : sequence of float
        At the looks reached so far, in order, each from all the seeds at that look. A look with NaN rejects
        nothing.
    looks : sequence of int
        **All** declared looks, as for `thresholds`.
    sides : {1, 2}
        1 for one-sided p-values, as those of an equivalence test; 2 for two-sided ones.

    Returns
    -------
    float
        Never below the smallest of the p-values; for the population of the test that gave them. NaN if all
        of them are.

    Raises
    ------
    ValueError
        If there are no p-values or more than looks, if one lies outside [0, 1], or as for `thresholds`.

    See Also
    --------
    thresholds : How small a two-sided p must be at each look.
    one_sided_thresholds : The same for a one-sided p.

    References
    ----------
    Liu and Anderson (2008), Journal of the American Statistical Association 103, 1621-1630.

    Examples
    --------
    The third look has p = .004, which is below its threshold of .0074 at a level of .05:

    >>> round(sequential_p([0.21, 0.03, 0.004], [4, 8, 12, 20], sides=2), 3)
    0.034
    """
    declared = _checked_looks(looks)
    if sides not in (1, 2):
        raise ValueError(f"sides must be 1 or 2, got {sides!r}")
    if not 1 <= len(p_values) <= len(declared):
        raise ValueError(f"need one p-value for each look so far, 1 to {len(declared)} of them, got {len(p_values)}")
    wrong = [p for p in p_values if not (math.isnan(p) or 0 <= p <= 1)]
    if wrong:
        raise ValueError(f"p-values must lie between 0 and 1, got {wrong[0]!r}")
    if all(math.isnan(p) for p in p_values):
        return _NAN

    smallest = 1.0
    # The last look comes first: it usually has the smallest level, and the others then need no search.
    for k in range(len(p_values), 0, -1):
        p = p_values[k - 1]
        if not math.isnan(p):
            smallest = _level_rejecting(max(p, _NOTHING), declared, k, sides, smallest)
    return smallest


def _level_rejecting(p: float, looks: tuple[int, ...], k: int, sides: Literal[1, 2], most: float) -> float:
    """Find the overall level at which look k just rejects p; `most` if that is no smaller."""
    z = -float(special.ndtri(p / sides))

    def excess(log_alpha: float) -> float:
        return min(_boundaries(looks, k, math.exp(log_alpha), sides)[-1], 1e3) - z

    # Just below 1, where nothing would be left to spend.
    highest = math.log(min(most, 1 - 1e-9))
    # The threshold of a look is no larger than the level, so that p itself is a lower limit.
    lowest = math.log(p)
    if lowest >= highest or excess(highest) >= 0:
        return most
    if excess(lowest) <= 0:
        return p
    return math.exp(optimize.brentq(excess, lowest, highest, xtol=1e-9, rtol=1e-12))


def _side_spent(fraction: float, side_alpha: float) -> float:
    return 2 * float(special.ndtr(special.ndtri(side_alpha / 2) / math.sqrt(fraction)))


@functools.lru_cache(maxsize=10_000)
def _boundaries(looks: tuple[int, ...], k: int, alpha: float, sides: Literal[1, 2]) -> tuple[float, ...]:
    """Boundaries of z at the first k looks; infinite where a look may not reject.

    The score ``z * sqrt(fraction)`` is a Brownian motion. Its density among the paths that have not crossed is
    carried from look to look on Gauss-Legendre nodes between the boundaries.
    """
    fractions = [look / looks[-1] for look in looks[:k]]
    boundaries: list[float] = []
    done, now = 0.0, 0.0
    nodes, mass = np.zeros(1), np.ones(1)
    for i, fraction in enumerate(fractions):
        target = _side_spent(fraction, alpha / sides) - done
        if target < _NOTHING:
            boundaries.append(math.inf)
            continue
        done += target
        step = math.sqrt(fraction - now)
        bound = _bound(nodes, mass, step, target)
        boundaries.append(bound / math.sqrt(fraction))
        if i + 1 == k:
            break
        narrowest = min(step, math.sqrt(fractions[i + 1] - fraction))
        # Paths far below the upper boundary do not come back; with two sides the lower boundary cuts them off.
        low = -bound if sides == 2 else min(bound, 0.0) - _FAR * math.sqrt(fraction)
        new, weights = _nodes(low, bound, narrowest)
        kernel = np.exp(-0.5 * ((new[:, None] - nodes[None, :]) / step) ** 2) / (step * math.sqrt(2 * math.pi))
        nodes, mass, now = new, weights * (kernel @ mass), fraction
    return tuple(boundaries)


def _bound(nodes: NDArray[np.float64], mass: NDArray[np.float64], step: float, target: float) -> float:
    """Find the score that the paths so far exceed with probability `target` one step on."""

    def excess(bound: float) -> float:
        crossing = float(mass @ special.ndtr((nodes - bound) / step))
        return math.log(max(crossing, 1e-305) / target)

    high = float(nodes.max()) + 38 * step
    low = float(nodes.min()) - _FAR * step
    # Where all that is left is spent, rounding may leave no crossing within the bracket.
    return float(optimize.brentq(excess, low, high, xtol=1e-13, rtol=1e-13)) if excess(low) > 0 else low


def _nodes(low: float, high: float, narrowest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    count = max(16, math.ceil(0.5 * math.pi * (high - low) / (_STEP * narrowest)))
    nodes, weights = _legendre(count)
    half = (high - low) / 2
    return low + half * (nodes + 1), half * weights


@functools.lru_cache(maxsize=256)
def _legendre(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.polynomial.legendre.leggauss(count)


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}")


def _checked_looks(looks: Sequence[int]) -> tuple[int, ...]:
    declared = tuple(looks)
    rising = all(before < after for before, after in itertools.pairwise(declared))
    if len(declared) < 2 or not rising or declared[0] < 2 or declared[-1] > _MOST_SEEDS:
        raise ValueError(
            f"looks must be two or more increasing numbers of seeds from 2 to {_MOST_SEEDS}, got {list(declared)!r}"
        )
    return declared
