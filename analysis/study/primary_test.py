"""Primary test of a gap, as the plan declares it: with the seeds in use, at every look, and in a planned study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.methods.arm_scores import ArmScores
from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.equivalence import EquivalenceResult, tost
from analysis.methods.looks import sequential_p
from analysis.methods.variance import pooled_seed_spread
from analysis.power.new_study import PlannedTest
from analysis.study.crossing import crossing_test
from analysis.study.looks import Look
from analysis.study.plan import FEWEST_SEEDS_AT_A_LOOK, AnalysisPlan, Comparison
from analysis.study.seeds import SeedsInUse

Strata = NDArray[np.int64] | None

_NAN = float("nan")


class PValues(NamedTuple):
    """The p-values of both questions: whether there is a difference, and whether the gap lies within the margin."""

    difference: float
    equivalence: float


NO_P_VALUES = PValues(_NAN, _NAN)


def primary_test(
    plan: AnalysisPlan,
    scores: Mapping[str, ArmScores],
    treatment: str,
    baseline: str,
    *,
    n_seeds: int | None = None,
    strata: Strata = None,
) -> CrossedResult:
    """Test the gap of two arms as the plan declares: with the variation over seeds of all arms, or of these two.

    Where seeds of two kinds cross, their own test takes its place, and nothing is pooled; nor is it where runs are not
    paired by seed, which are independent of each other in the two arms.

    Parameters
    ----------
    plan : AnalysisPlan
        The frozen plan.
    scores : mapping of str to ArmScores, shape (S, examples or clusters)
        By arm, of those that finished with all seeds of theirs. An arm with an undefined score is not pooled, nor is
        one that left with fewer seeds than are used.
    treatment, baseline : str
        Two of the arms, whose scores are defined.
    n_seeds : int or None
        How many of the first seeds are used; None for all that both arms have.
    strata : ndarray of int, shape (examples or clusters,), or None
        The test set of each column of the scores, where there are several.
    """
    if plan.paired:
        n_seeds = n_seeds or min(len(scores[arm].y) for arm in (treatment, baseline))
    first = {arm: y.first(n_seeds) for arm, y in scores.items() if len(y.y) >= (n_seeds or 0)}
    rows = {arm: y for arm, y in first.items() if y.finite}
    if plan.crossing is not None:
        return crossing_test(rows[treatment].y, rows[baseline].y, plan.crossing)
    n_rows, n_examples = rows[treatment].shape
    poolable = plan.paired and plan.variance == "pooled" and len(rows) > 2 and min(n_rows, n_examples) > 1
    return crossed_test(
        rows[treatment],
        rows[baseline],
        paired=plan.paired,
        spread=pooled_seed_spread(list(rows.values())) if poolable else None,
        strata=strata,
        before_pooling=plan.variance is None,
    )


def planned_test(plan: AnalysisPlan, *, n_arms: int) -> PlannedTest:
    """Say how `primary_test` will judge a study with so many arms, to plan its size."""
    pooled = max(n_arms, 2) if plan.paired and plan.variance == "pooled" else 2
    return PlannedTest(n_arms=pooled, paired=plan.paired, before_pooling=plan.variance is None)


def equivalence_test(result: CrossedResult, *, margin: float) -> EquivalenceResult:
    """Return the two one-sided tests of a gap at a margin."""
    return tost(result.estimate, result.standard_error, result.df, margin=margin)


def results_at_looks(
    plan: AnalysisPlan, scores: Mapping[str, ArmScores], pair: Comparison, *, seeds: SeedsInUse, strata: Strata = None
) -> tuple[CrossedResult | None, ...]:
    """Return the primary test of a comparison at every look so far; empty in a study without looks.

    Dropped seeds may leave too few for a look: it is then None, and rejects nothing.

    Parameters
    ----------
    plan, scores, pair : AnalysisPlan, mapping of str to ArmScores, Comparison
        As in `primary_test`; the rows are the seeds in use.
    seeds : SeedsInUse
        The seeds in use, in the order of the rows.
    strata : ndarray of int or None
        As in `primary_test`.
    """
    if seeds.look is None:
        return ()
    return tuple(
        None
        if len(so_far) < FEWEST_SEEDS_AT_A_LOOK
        else primary_test(plan, scores, pair.treatment, pair.baseline, n_seeds=len(so_far), strata=strata)
        for so_far in seeds.look.earlier(seeds.used)
    )


def sequential_p_values(
    result: CrossedResult, at_looks: Sequence[CrossedResult | None], *, look: Look | None, margin: float
) -> PValues:
    """Return the p-values for a difference and for equivalence that are valid at any of the looks so far.

    Parameters
    ----------
    result : CrossedResult
        The primary test with the seeds in use, whose p-values are valid in a study without looks.
    at_looks : sequence of CrossedResult or None
        As `results_at_looks` gives them.
    look : Look or None
        The look that has been reached; None in a study without looks.
    margin : float
        Of the equivalence test.
    """
    if look is None:
        return PValues(result.p_value, equivalence_test(result, margin=margin).p_value)
    rises = result.estimate > 0
    # A verdict names the direction of the gap as it is now; a look that pointed the other way does not support it.
    difference = [_NAN if one is None else one.p_value if (one.estimate > 0) == rises else 1.0 for one in at_looks]
    equivalence = [_NAN if one is None else equivalence_test(one, margin=margin).p_value for one in at_looks]
    return PValues(sequential_p(difference, look.looks, sides=2), sequential_p(equivalence, look.looks, sides=1))
