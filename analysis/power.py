"""What would settle an open question: what gap can be found, and with how many seeds or examples."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, special

from analysis.crossed import CrossedResult, VarianceComponents

# Beyond this many seeds or examples an answer would help nobody.
_MOST = 10_000_000
_NAN = float("nan")
_DF_FOR_SCIPY = 5
# Upper tail probabilities of a chi-square variable, in the middle of a thousand equal shares.
_QUANTILES = (np.arange(1000) + 0.5) / 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """What it takes to find a gap, at the wanted power. All gaps are in units of the score.

    Parameters
    ----------
    detectable_gap : float
        The smallest true gap that the present seeds and examples find.
    floor_gap : float
        The smallest true gap that any number of seeds finds on a test set of the present size. It comes from
        the standard error that remains, ``sqrt(components.example / n_examples)``.
    seeds_needed : int or None
        Seeds in each arm that find the gap on a test set of the present size. None where no number of seeds
        does: then it takes more test examples.
    seeds_needed_range : tuple of (int or None)
        The same at the lower and the upper 95% limit of the seed SD.
    examples_needed : int or None
        Test examples that find the gap with the present number of seeds. None where no number of examples
        does: then it takes more seeds.
    reason : str
        Why a value is missing; empty if none is.
    """

    detectable_gap: float
    floor_gap: float
    seeds_needed: int | None
    seeds_needed_range: tuple[int | None, int | None]
    examples_needed: int | None
    reason: str


def standard_error_at(components: VarianceComponents, *, n_seeds: int, n_examples: int) -> float:
    """Predict the standard error of a difference for another study size.

    Parameters
    ----------
    components : VarianceComponents
        As `crossed_test` estimates them.
    n_seeds : int
        Seeds in each arm, at least 1.
    n_examples : int
        Test examples, at least 1.

    Returns
    -------
    float
        Over new seeds and new examples of the same kind, in units of the score. At the size that the
        components come from it equals the test's own standard error, as long as both arms have the same
        number of seeds.

    Raises
    ------
    ValueError
        If a number is below 1.

    Examples
    --------
    >>> components = VarianceComponents(
    ...     seed=1e-4, example=0.02, residual=0.05, n_seeds=5, n_examples=872, seed_sd_interval=(0.006, 0.029)
    ... )
    >>> round(standard_error_at(components, n_seeds=5, n_examples=872), 4)
    0.0074
    >>> round(standard_error_at(components, n_seeds=20, n_examples=872), 4)
    0.0056
    """
    if min(n_seeds, n_examples) < 1:
        raise ValueError(f"need at least one seed and one example, got {n_seeds} and {n_examples}")
    return math.sqrt(
        components.seed / n_seeds + components.example / n_examples + components.residual / (n_seeds * n_examples)
    )


def settle(result: CrossedResult, *, gap: float, alpha: float, power: float = 0.8) -> Settling:
    """Say what it would take to find a gap with the crossed test.

    The numbers come from variance components, which few seeds estimate poorly: at three seeds the seed SD is
    known to within a factor of several, so the range belongs beside every single number. They also trust that
    new seeds and new examples resemble those at hand. A gap that was itself estimated here tends to be too
    large where it was picked for being large, and then the answer is too hopeful.

    Parameters
    ----------
    result : CrossedResult
        Of the comparison at hand.
    gap : float
        The true gap to be found, in units of the score; its sign does not matter.
    alpha : float
        Two-sided level, between 0 and 1; after Bonferroni where there are several comparisons.
    power : float
        Wanted chance of finding the gap, between `alpha` and 1.

    Returns
    -------
    Settling
        For new seeds and new examples. Power is that of the noncentral t, with the degrees of freedom that
        design A would have at each size. For unpaired seeds these are too few, and the answer errs towards
        more seeds.

    Raises
    ------
    ValueError
        If `alpha` or `power` is out of range, or if the gap is not finite.

    References
    ----------
    Hillis, Obuchowski and Berbaum (2011), Academic Radiology 18, 129-142 (power for readers and cases).
    """
    _check_levels(alpha, power)
    if not math.isfinite(gap):
        raise ValueError(f"gap must be finite, got {gap!r}")
    if not result.standard_error > 0:
        return Settling(
            detectable_gap=_NAN,
            floor_gap=_NAN,
            seeds_needed=None,
            seeds_needed_range=(None, None),
            examples_needed=None,
            reason=f"nothing to plan from: {result.reason}",
        )
    gap = abs(gap)
    parts = result.components
    S, N = parts.n_seeds, parts.n_examples

    def seeds(seed_variance: float) -> int | None:
        planned = replace(parts, seed=seed_variance)
        return _smallest(lambda s: _detectable_at(planned, s, N, alpha, power) <= gap)

    floor_gap = _detectable(math.sqrt(parts.example / N), N - 1, alpha, power)
    within_reach = gap > floor_gap
    low, high = parts.seed_sd_interval
    seeds_needed = seeds(parts.seed) if within_reach else None
    examples_needed = None
    if gap > _detectable(math.sqrt(parts.seed / S), S - 1, alpha, power):
        examples_needed = _smallest(lambda n: _detectable_at(parts, S, n, alpha, power) <= gap)
    return Settling(
        detectable_gap=_detectable(result.standard_error, result.df, alpha, power),
        floor_gap=floor_gap,
        seeds_needed=seeds_needed,
        seeds_needed_range=(seeds(low**2), seeds(high**2)) if within_reach else (None, None),
        examples_needed=examples_needed,
        reason=_reason(parts, gap, seeds_needed, examples_needed, alpha, power),
    )


def single_run_detectable_gap(discordance: float, n: int, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest gap that one run of each arm finds with the exact McNemar test.

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

    Examples
    --------
    >>> round(100 * single_run_detectable_gap(0.08, 872), 1)
    2.8
    """
    _check_levels(alpha, power)
    if not (0 < discordance <= 1 and n >= 1):
        raise ValueError(f"need 0 < discordance <= 1 and n >= 1, got {discordance!r} and {n!r}")
    # Ten standard deviations to each side hold all the discordant counts that matter.
    reach = 10 * math.sqrt(n * discordance) + 10
    m = np.arange(max(1, int(n * discordance - reach)), min(n, math.ceil(n * discordance + reach)) + 1)
    weight = special.bdtr(m, n, discordance) - special.bdtr(m - 1, n, discordance)
    k = np.ceil(special.bdtrik(alpha / 2, m, 0.5))
    k = np.where(special.bdtr(k, m, 0.5) > alpha / 2, k - 1, k)
    m, weight, k = m[k >= 0], weight[k >= 0], k[k >= 0]

    def excess(gap: float) -> float:
        lean = min(1.0, 0.5 + gap / discordance / 2)
        return float(weight @ (special.bdtr(k, m, 1 - lean) + special.bdtr(k, m, lean))) - power

    if excess(discordance) < 0:
        return _NAN
    return float(optimize.brentq(excess, 0.0, discordance, xtol=1e-9))


def _check_levels(alpha: float, power: float) -> None:
    if not 0 < alpha < power < 1:
        raise ValueError(f"need 0 < alpha < power < 1, got alpha={alpha!r} and power={power!r}")


def _detectable(standard_error: float, df: float, alpha: float, power: float) -> float:
    if standard_error == 0:
        return 0.0
    return standard_error * _noncentrality(df, float(special.stdtrit(df, 1 - alpha / 2)), power)


@functools.lru_cache(maxsize=10_000)
def _noncentrality(df: float, critical: float, power: float) -> float:
    """Return the noncentrality at which t exceeds `critical` with this power."""
    if df >= _DF_FOR_SCIPY:
        return float(special.nctdtrinc(df, 1 - power, critical))
    # With few degrees of freedom scipy's inverse may run for ever. Given the estimated spread, t is normal; the spread
    # is averaged over its quantiles.
    limits = critical * np.sqrt(special.chdtri(df, _QUANTILES) / df)

    def excess(noncentrality: float) -> float:
        return float(special.ndtr(noncentrality - limits).mean()) - power

    return float(optimize.brentq(excess, -10.0, limits[0] + 10.0, xtol=1e-9))


def _detectable_at(parts: VarianceComponents, S: int, N: int, alpha: float, power: float) -> float:
    ms_resid = parts.residual
    ms_seed = N * parts.seed + ms_resid
    ms_example = S * parts.example + ms_resid
    total = ms_seed + S * parts.example
    spread = ms_seed**2 / (S - 1) + ms_example**2 / (N - 1) + ms_resid**2 / ((S - 1) * (N - 1))
    standard_error = standard_error_at(parts, n_seeds=S, n_examples=N)
    return _detectable(standard_error, total**2 / spread if spread > 0 else _NAN, alpha, power)


def _smallest(enough: Callable[[int], bool]) -> int | None:
    """Find the smallest number from 2 on that is enough; None beyond `_MOST`."""
    high = 2
    while not enough(high):
        high *= 2
        if high > _MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _reason(
    parts: VarianceComponents, gap: float, seeds: int | None, examples: int | None, alpha: float, power: float
) -> str:
    if seeds is not None:
        return ""
    if gap == 0:
        return "no study finds a gap of 0; equivalence within the margin is another question"
    if examples is not None:
        return "no number of seeds finds this gap on a test set of this size: it takes more test examples"
    # Seeds that leave half of the squared standard error to the examples.
    more_seeds = _smallest(lambda s: _detectable(math.sqrt(parts.seed / s), s - 1, alpha, power) <= gap / math.sqrt(2))
    if more_seeds is not None:
        both = _smallest(lambda n: _detectable_at(parts, more_seeds, n, alpha, power) <= gap)
        if both is not None:
            return (
                "neither more seeds nor more test examples alone find this gap; "
                f"{more_seeds} seeds on {both} test examples would"
            )
    return "this gap is too small to be found"
