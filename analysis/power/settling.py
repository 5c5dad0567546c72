"""Sample sizes that settle an open question: the gap that can be found, and the seeds or examples that it takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from analysis.methods.crossed import SEEDS_FOR_A_VERDICT, CrossedResult
from analysis.methods.variance import VarianceComponents
from analysis.power.noncentral import check_levels
from analysis.power.sizes import detectable, detectable_gap_at, floor_gap_at

# Beyond this many seeds or examples an answer would help nobody.
_MOST = 10_000_000
_NAN = float("nan")


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
    check_levels(alpha, power)
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
    parts = result.components
    seeds = seeds_needed(parts, gap, n_examples=parts.n_examples, alpha=alpha, power=power)
    low, high = (
        seeds_needed(replace(parts, seed=sd**2), gap, n_examples=parts.n_examples, alpha=alpha, power=power)
        for sd in parts.seed_sd_interval
    )
    examples = examples_needed(parts, gap, n_seeds=parts.n_seeds, alpha=alpha, power=power)
    return Settling(
        detectable_gap=detectable(result.standard_error, result.df, alpha, power),
        floor_gap=floor_gap_at(parts, n_examples=parts.n_examples, alpha=alpha, power=power),
        seeds_needed=seeds,
        seeds_needed_range=(low, high),
        examples_needed=examples,
        reason=shortfall(parts, gap, seeds=seeds, examples=examples, alpha=alpha, power=power),
    )


def seeds_needed(
    components: VarianceComponents, gap: float, *, n_examples: int, alpha: float, power: float = 0.8
) -> int | None:
    """Fewest seeds in each arm that find a gap on a test set of this size.

    Parameters
    ----------
    components : VarianceComponents
    gap : float
        True gap, in units of the score; its sign does not matter.
    n_examples : int
        Test examples, at least 2.
    alpha : float
        Two-sided level, between 0 and 1.
    power : float
        Wanted chance of finding the gap, between `alpha` and 1.

    Returns
    -------
    int or None
        At least 3, without which there is no verdict; None where no number of seeds does, because the gap lies
        at or below `floor_gap_at`.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    if not abs(gap) > floor_gap_at(components, n_examples=n_examples, alpha=alpha, power=power):
        return None

    def enough(n_seeds: int) -> bool:
        smallest = detectable_gap_at(components, n_seeds=n_seeds, n_examples=n_examples, alpha=alpha, power=power)
        return smallest <= abs(gap)

    fewest = _smallest(enough)
    return None if fewest is None else max(fewest, SEEDS_FOR_A_VERDICT)


def examples_needed(
    components: VarianceComponents, gap: float, *, n_seeds: int, alpha: float, power: float = 0.8
) -> int | None:
    """Fewest test examples that find a gap with this number of seeds.

    Parameters
    ----------
    components : VarianceComponents
    gap : float
        True gap, in units of the score; its sign does not matter.
    n_seeds : int
        Seeds in each arm, at least 2.
    alpha : float
        Two-sided level, between 0 and 1.
    power : float
        Wanted chance of finding the gap, between `alpha` and 1.

    Returns
    -------
    int or None
        At least 2; None where no number of examples does, because the seeds alone vary too much.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    check_levels(alpha, power)
    if n_seeds < 2:
        raise ValueError(f"need at least two seeds, got {n_seeds}")
    if not abs(gap) > detectable(math.sqrt(components.seed / n_seeds), n_seeds - 1, alpha, power):
        return None

    def enough(n_examples: int) -> bool:
        smallest = detectable_gap_at(components, n_seeds=n_seeds, n_examples=n_examples, alpha=alpha, power=power)
        return smallest <= abs(gap)

    return _smallest(enough)


def shortfall(
    components: VarianceComponents,
    gap: float,
    *,
    seeds: int | None,
    examples: int | None,
    alpha: float,
    power: float = 0.8,
) -> str:
    """Say why no number of seeds finds a gap, and what would.

    Parameters
    ----------
    components : VarianceComponents
    gap : float
        True gap, in units of the score; its sign does not matter.
    seeds, examples : int or None
        As `seeds_needed` and `examples_needed` answer.
    alpha, power : float
        As for these.

    Returns
    -------
    str
        Empty where a number of seeds does.
    """
    if seeds is not None:
        return ""
    if gap == 0:
        return "no study finds a gap of 0; equivalence within the margin is another question"
    if examples is not None:
        return "no number of seeds finds this gap on a test set of this size: it takes more test examples"

    # Seeds that leave half of the squared standard error to the examples.
    def enough(n_seeds: int) -> bool:
        return detectable(math.sqrt(components.seed / n_seeds), n_seeds - 1, alpha, power) <= abs(gap) / math.sqrt(2)

    more_seeds = _smallest(enough)
    if more_seeds is not None:
        both = examples_needed(components, gap, n_seeds=more_seeds, alpha=alpha, power=power)
        if both is not None:
            return (
                "neither more seeds nor more test examples alone find this gap; "
                f"{more_seeds} seeds on {both} test examples would"
            )
    return "this gap is too small to be found"


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
