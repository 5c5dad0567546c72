"""Crossing: the analysis of a study whose initialisation and data order have seeds of their own that cross."""

from __future__ import annotations

import math

from analysis.methods.arm_scores import Scores
from analysis.methods.components import VarianceComponents
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.crossed_seeds import crossed_seeds_test
from analysis.methods.interval import NO_INTERVAL
from analysis.records.manifest import Crossing
from analysis.study.seeds import SeedsInUse

NOT_INDEPENDENT = "seeds by source cross, and so are not independent of each other"
"""Why a figure over independent seeds is not given."""


def crossing_test(treatment: Scores, baseline: Scores, crossing: Crossing) -> CrossedResult:
    """Return the crossed-seeds test of two arms in the form of the primary test.

    Parameters
    ----------
    treatment, baseline : ndarray, shape (A * B, N)
        Scores by pair of seeds, initialisation by initialisation, and by example or cluster.
    crossing : Crossing
        How many initialisations there are, and how many data orders.

    Returns
    -------
    CrossedResult
        Of design C. Its components are those of the variance of this very mean: `seed` holds initialisation, data order
        and their interaction together, so they say nothing about other numbers of seeds. `by_source` tells them apart.
    """
    shape = (*crossing, treatment.shape[1])
    result = crossed_seeds_test(treatment.reshape(shape), baseline.reshape(shape))
    n_pairs, n_examples = treatment.shape
    variance, shares = result.standard_error**2, result.shares
    seeds = shares.first + shares.second + shares.interaction
    return CrossedResult(
        estimate=result.estimate,
        standard_error=result.standard_error,
        df=result.df,
        statistic=result.statistic,
        p_value=result.p_value,
        design="C",
        n_arms=2,
        n_seeds=(n_pairs, n_pairs),
        n_examples=n_examples,
        other_p_value=math.nan,
        pairwise_p_value=result.p_value,
        seed_correlation=math.nan,
        components=VarianceComponents(
            seed=variance * seeds * n_pairs,
            example=variance * shares.example * n_examples,
            residual=variance * shares.residual * n_pairs * n_examples,
            n_seeds=n_pairs,
            n_examples=n_examples,
            seed_df=min(crossing) - 1,
            seed_sd_interval=NO_INTERVAL,
        ),
        by_source=result,
        reason=result.reason,
    )


def incomplete(crossing: Crossing | None, seeds: SeedsInUse) -> str:
    """Say why a crossing cannot be judged yet; empty where it can, and in a study without one."""
    if crossing is None or len(seeds.used) == math.prod(crossing):
        return ""
    return (
        f"{len(seeds.used)} of {math.prod(crossing)} pairs of an initialisation and a data order have finished in "
        "every arm, and the test takes all"
    )
