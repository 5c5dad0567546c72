"""Futility: whether a comparison that is still open can reach a decision by the last declared look."""

from __future__ import annotations

import math

from analysis.methods.crossed import CrossedResult
from analysis.methods.crossed_design import design_of
from analysis.methods.looks import one_sided_thresholds, thresholds
from analysis.power.predictive import predictive_power
from analysis.study.looks import Look

HOPELESS = 0.05
"""A comparison with a smaller chance of a decision by the last look is given up. That costs power and no alpha.

With the looks it costs two points of power (docs/calibration.md); .10 would cost twice as much and save little more.
"""


def chance_of_decision(result: CrossedResult, look: Look, *, alpha: float, margin: float) -> float:
    """Return the chance that the last look decides what this look leaves open, as the seeds so far predict it.

    The test examples stay the same. Further seeds move the estimate by what they differ from those that have run, and
    what these tell of a new seed is as uncertain as their number makes it: the chance is predictive power.

    Parameters
    ----------
    result : CrossedResult
        The primary test at this look.
    look : Look
        The look that has been reached.
    alpha : float
        What the comparison may spend over all looks.
    margin : float
        Of the equivalence test.

    Returns
    -------
    float
        From 0 to 1, for new seeds on this very test set; NaN where there is nothing to compute it from, as where the
        last look judges by another design.

    References
    ----------
    Jennison and Turnbull (2000), Group Sequential Methods with Applications to Clinical Trials, chapter 10 (conditional
    and predictive power). Stopping for futility that is not binding leaves the error rate as it is.
    """
    parts = result.components
    now, last = min(result.n_seeds), look.looks[-1]
    if design_of(n_seeds=last, n_arms=result.n_arms) != result.design:
        return math.nan
    levels = thresholds(look.looks, alpha=alpha)[-1], one_sided_thresholds(look.looks, alpha=alpha)[-1]
    return float(
        predictive_power(
            result.estimate,
            # A new seed moves the mean over these examples by its own effect and by its luck on each of them.
            by_seed=parts.seed + parts.residual / parts.n_examples,
            by_example=parts.example / parts.n_examples,
            seed_df=parts.seed_df,
            df=result.df,
            n_seeds=now,
            last=last,
            levels=levels,
            margin=margin,
        )
    )
