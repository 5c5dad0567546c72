"""Shared luck: how the seeds of two arms correlate that share head and batches."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.methods.seed_scores import seed_scores
from analysis.records.outcomes import Outcomes
from analysis.study.analysis_block import parse_plan

_NORMAL_975 = 1.959963984540054
_NAN = math.nan
_FEWEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedCorrelation:
    """Pearson correlation of two arms' means over their paired seeds.

    Parameters
    ----------
    treatment, baseline : str
    n_seeds : int
    correlation : float
        Of the means on this test set; NaN below three seeds and where an arm's means are all the same. What a run
        happens to get right on single examples is in the means as well, and is not shared: the seeds' own effects are
        correlated more.
    interval : Interval
        95% limits for other seeds, on this test set (Fisher's z, for normal means); NaN below four seeds.

    References
    ----------
    Fisher (1921), Metron 1, 3-32.
    """

    treatment: str
    baseline: str
    n_seeds: int
    correlation: float
    interval: Interval


def seed_correlation(
    treatment: str, baseline: str, treatment_means: ArrayLike, baseline_means: ArrayLike
) -> SeedCorrelation:
    """Correlate the means of two arms over paired seeds.

    Parameters
    ----------
    treatment, baseline : str
        Names of the arms.
    treatment_means, baseline_means : array_like, shape (S,)
        The metric of each run; position ``s`` of both arms is the same seed.

    Raises
    ------
    ValueError
        If an arm is not one row of finite scores, or if the arms differ in length.

    Examples
    --------
    >>> one = seed_correlation("lora", "full", [0.85, 0.86, 0.88, 0.90, 0.87], [0.88, 0.90, 0.91, 0.90, 0.89])
    >>> f"{one.correlation:.2f} [{one.interval.low:.2f}, {one.interval.high:.2f}]"
    '0.66 [-0.55, 0.98]'
    """
    one, other = seed_scores(treatment, treatment_means), seed_scores(baseline, baseline_means)
    if len(one) != len(other):
        raise ValueError(f"expected as many seeds of {treatment} as of {baseline}, got {len(one)} and {len(other)}")
    S, correlation, interval = len(one), _NAN, NO_INTERVAL
    if S >= 3 and min(float(np.ptp(one)), float(np.ptp(other))) > 0:
        correlation = float(np.corrcoef(one, other)[0, 1])
        if S >= 4 and abs(correlation) < 1:
            z, half = math.atanh(correlation), _NORMAL_975 / math.sqrt(S - 3)
            interval = Interval(math.tanh(z - half), math.tanh(z + half))
    return SeedCorrelation(
        treatment=treatment, baseline=baseline, n_seeds=S, correlation=correlation, interval=interval
    )


def seed_correlations(outcomes: Outcomes) -> tuple[SeedCorrelation, ...]:
    """Correlate both arms of every comparison of a study, in its metric.

    Parameters
    ----------
    outcomes : Outcomes
        Of any study. Seeds that one of the two arms did not finish are left out.

    Returns
    -------
    tuple of SeedCorrelation
        In the order of the plan, without comparisons of fewer than 6 seeds, whose intervals say next to nothing; empty
        where runs are not paired by seed, and for a study with one arm.
    """
    manifest, arms = outcomes.manifest, outcomes.arms
    if not manifest.paired or len(arms) < 2:
        return ()
    plan = parse_plan(
        manifest.analysis,
        arms=arms,
        task=manifest.data.task,
        has_probabilities=outcomes.has_probabilities,
        score=outcomes.score_kind,
    )
    found = []
    for pair in plan.all_comparisons(arms):
        sides = (pair.treatment, pair.baseline)
        lost = {trial.seed for trial in outcomes.unfinished(arms=sides)}
        seeds = [seed for seed in outcomes.seeds if seed not in lost]
        if len(seeds) >= _FEWEST:
            means = [outcomes.scores(arm, seeds=seeds, metric=plan.metric).mean(axis=1) for arm in sides]
            found.append(seed_correlation(*sides, *means))
    return tuple(found)
