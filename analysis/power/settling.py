"""Settling: what it would take to find the gap of a comparison that has run, or to show that it is small."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from analysis.methods.components import VarianceComponents
from analysis.methods.crossed_design import SEEDS_FOR_A_VERDICT
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.power.needed_sizes import Question, checked, examples_needed, seeds_needed, shortfall
from analysis.power.new_study import PlannedTest
from analysis.power.sizes import check_levels, detectable_gap_at, floor_gap_at

_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """What it takes to settle a question, at the wanted power. All gaps are in units of the score.

    Parameters
    ----------
    gap : float
        The true gap that is supposed.
    margin : float or None
        None where the gap is to be found; else the margin that it is to be shown to lie within.
    detectable_gap : float
        The smallest true gap that a study with the present seeds and examples finds; NaN below three seeds, which
        never give a verdict.
    floor_gap : float
        The smallest true gap that any number of seeds finds on a test set of the present size. It comes from
        the standard error that remains, ``sqrt(components.example / n_examples)``; 0 where that was estimated as 0.
    floor_gap_range : Interval
        The same at the 95% limits of the SD over examples.
    seeds_needed : int or None
        Seeds in each arm that settle the question on a test set of the present size; where the arms have unequal
        numbers, seeds in the smaller one, while the other keeps its lead. None where no number of seeds does: then it
        takes more test examples.
    seeds_needed_range : tuple of (int or None)
        The same with both the SD over seeds and that over examples at their lower, and at their upper 95% limits.
    examples_needed : int or None
        Test examples that settle it with the present number of seeds. None where no number of examples does: then it
        takes more seeds.
    examples_needed_range : tuple of (int or None)
        The same at these limits.
    alpha, power : float
        The level and the wanted chance.
    test : PlannedTest
        How a study of another size will be judged.
    reason : str
        Why a value is missing; empty if none is.
    """

    gap: float
    margin: float | None
    detectable_gap: float
    floor_gap: float
    floor_gap_range: Interval
    seeds_needed: int | None
    seeds_needed_range: tuple[int | None, int | None]
    examples_needed: int | None
    examples_needed_range: tuple[int | None, int | None]
    alpha: float
    power: float
    test: PlannedTest
    reason: str


def settle(
    result: CrossedResult,
    *,
    gap: float,
    alpha: float,
    power: float = 0.8,
    margin: float | None = None,
    test: PlannedTest | None = None,
) -> Settling:
    """Say what it would take to find a gap with the crossed test, or to show that it is small.

    The numbers come from variance components, which few seeds estimate poorly: at three seeds of a pair the seed SD is
    known to within a factor of several, so the range belongs beside every single number. They also trust that
    new seeds and new examples resemble those at hand. A gap that was itself estimated here tends to be too
    large where it was picked for being large, and then the answer is too hopeful.

    Parameters
    ----------
    result : CrossedResult
        Of the comparison at hand.
    gap : float
        The true gap, in units of the score; its sign does not matter.
    alpha : float
        Level, between 0 and 1; after Bonferroni where there are several comparisons. Two-sided for finding the gap,
        one-sided for each of the two tests of equivalence.
    power : float
        Wanted chance of settling the question, between `alpha` and 1.
    margin : float or None
        None: the gap is to be found. Else it is to be shown to lie within this margin.
    test : PlannedTest or None
        How more seeds will be judged; as `result` was where None. Its lead is that of the result, unless it is paired.

    Returns
    -------
    Settling
        For new seeds and new examples, by the test that will be run at each size (`power_at`).

    Raises
    ------
    ValueError
        If `alpha` or `power` is out of range, if the gap is not finite, or if the margin is not positive and finite.

    References
    ----------
    Hillis, Obuchowski and Berbaum (2011), Academic Radiology 18, 129-142 (power for readers and cases). Phillips
    (1990), Journal of Pharmacokinetics and Biopharmaceutics 18, 137-144 (power of two one-sided tests).
    """
    check_levels(alpha, power)
    question = checked(Question(gap, margin))
    if test is None:
        test = PlannedTest(n_arms=result.n_arms, paired=result.paired)
    if not test.paired:
        test = test._replace(lead=result.n_seeds[0] - result.n_seeds[1])
    if not result.standard_error > 0:
        return Settling(
            gap=gap,
            margin=margin,
            detectable_gap=_NAN,
            floor_gap=_NAN,
            floor_gap_range=NO_INTERVAL,
            seeds_needed=None,
            seeds_needed_range=(None, None),
            examples_needed=None,
            examples_needed_range=(None, None),
            alpha=alpha,
            power=power,
            test=test,
            reason=f"nothing to plan from: {result.reason}",
        )
    parts = result.components
    S, N = parts.n_seeds, parts.n_examples
    seeds, *seeds_range = (
        seeds_needed(c, question, n_examples=N, alpha=alpha, power=power, test=test) for c in (parts, *at_limits(parts))
    )
    examples, *examples_range = (
        examples_needed(c, question, n_seeds=S, alpha=alpha, power=power, test=test) for c in (parts, *at_limits(parts))
    )
    return Settling(
        gap=gap,
        margin=margin,
        detectable_gap=_NAN
        if S < SEEDS_FOR_A_VERDICT
        else detectable_gap_at(parts, n_seeds=S, n_examples=N, alpha=alpha, power=power, test=test),
        floor_gap=floor_gap_at(parts, n_examples=N, alpha=alpha, power=power),
        floor_gap_range=Interval(*(floor_gap_at(c, n_examples=N, alpha=alpha, power=power) for c in at_limits(parts))),
        seeds_needed=seeds,
        seeds_needed_range=(seeds_range[0], seeds_range[1]),
        examples_needed=examples,
        examples_needed_range=(examples_range[0], examples_range[1]),
        alpha=alpha,
        power=power,
        test=test,
        reason=shortfall(parts, question, seeds=seeds, examples=examples, alpha=alpha, power=power, test=test),
    )


def at_limits(components: VarianceComponents) -> tuple[VarianceComponents, VarianceComponents]:
    """Return the components with the SDs over seeds and over examples at their lower, and at their upper 95% limits.

    An SD without limits stays as it is.
    """
    low, high = (
        replace(
            components,
            seed=components.seed if math.isnan(seed) else seed**2,
            example=components.example if math.isnan(example) else example**2,
            by_arm=None,
        )
        for seed, example in zip(components.seed_sd_interval, components.example_sd_interval, strict=True)
    )
    return low, high
