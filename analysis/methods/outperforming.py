"""Probability of outperforming: how often one arm beats another when both are trained with one new seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.methods.clopper_pearson import clopper_pearson
from analysis.methods.interval import Interval
from analysis.methods.seed_scores import paired_differences


@dataclass(frozen=True, slots=True, kw_only=True)
class OutperformingResult:
    """The outcome of `probability_of_outperforming`. It generalises to new seeds on the same test set.

    Parameters
    ----------
    estimate : float
        Share of the paired seeds where the treatment is better, ties counted as half.
    interval : Interval
        Clopper-Pearson limits at `confidence`.
    confidence : float
    n_seeds : int
        Paired seeds.
    n_better, n_ties : int
        Seeds where the treatment is better, and where both are equally good.
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        What is unusual; empty if there is nothing to say.
    """

    estimate: float
    interval: Interval
    confidence: float
    n_seeds: int
    n_better: int
    n_ties: int
    generalizes_to: str = "seeds"
    reason: str


def probability_of_outperforming(
    treatment: ArrayLike, baseline: ArrayLike, *, confidence: float = 0.95
) -> OutperformingResult:
    """Estimate how often the treatment beats the baseline when both are trained with one new seed.

    Parameters
    ----------
    treatment, baseline : array_like, shape (S,)
        One score per trial, in any unit; position ``s`` of both arms is the same seed.
    confidence : float
        Of the interval, between 0 and 1, both excluded.

    Returns
    -------
    OutperformingResult
        Generalises to new seeds, not to new examples. It says how often, not by how much.

    Raises
    ------
    ValueError
        If an arm is not one row of finite scores, if the arms differ in length, or if `confidence` is outside
        its range.

    Notes
    -----
    The interval is the exact one of Clopper and Pearson, because seeds are few: resampling them would shrink it to
    a point wherever all seeds agree, and Wilson's covers as little as 83% where the share is near 0 or 1. Ties as
    half only lower the variance of the share below the binomial's, so that the interval errs on the wide side.

    References
    ----------
    Bouthillier et al. (2021), "Accounting for variance in machine learning benchmarks", Proceedings of Machine
    Learning and Systems 3. Clopper and Pearson (1934), Biometrika 26, 404-413.

    Examples
    --------
    >>> result = probability_of_outperforming([0.88, 0.91, 0.90, 0.92, 0.89], [0.87, 0.88, 0.88, 0.90, 0.85])
    >>> result.estimate, [round(limit, 3) for limit in result.interval]
    (1.0, [0.478, 1.0])
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence!r}")
    d, rounding = paired_differences(treatment, baseline)
    S, better = len(d), int(np.count_nonzero(d > rounding))
    ties = int(np.count_nonzero(np.abs(d) <= rounding))
    share = (better + ties / 2) / S
    return OutperformingResult(
        estimate=share,
        interval=clopper_pearson(better + ties / 2, S, tail=(1 - confidence) / 2),
        confidence=confidence,
        n_seeds=S,
        n_better=better,
        n_ties=ties,
        reason="the arms are equally good with every seed" if ties == S else "",
    )
