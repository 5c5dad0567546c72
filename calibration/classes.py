"""Tables by class: false claims over the precision and the recall of every class, after one correction of them all."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from analysis.methods.crossed import crossed_test
from analysis.methods.equivalence import tost
from analysis.methods.multiplicity import joint_step_down
from analysis.methods.variance import pooled_seed_spread
from analysis.metrics.confusion_metrics import confusion_metric
from analysis.metrics.influence import confusion_scores
from calibration.counts import Count, Size, streams
from calibration.families import ALPHA, MARGIN
from calibration.regimes import Regime, SimulatedArm, draw_labelled

N_CLASSES = 20
CLASS_SEEDS = (3, 5, 10)
CLASS_ARMS = (2, 5)

# The largest class is three times the smallest, which has 22 examples.
_WEIGHTS = np.linspace(1, 3, N_CLASSES)
CLASS_REGIMES = tuple(
    Regime(name=name, seed_sd=seed_sd, class_shares=tuple((_WEIGHTS / _WEIGHTS.sum()).tolist()))
    for name, seed_sd in (("mild seed effect", 0.008), ("strong seed effect", 0.018))
)
"""The regimes of the tables by class."""


@dataclass(slots=True, kw_only=True)
class ClassRates:
    """How often a table by class makes any false claim.

    Parameters
    ----------
    regime : str
        Its name.
    n_arms, n_seeds : int
    joint, uncorrected : Count
        Studies with any false claim: after the joint step-down over the table, and without a correction.
    """

    regime: str
    n_arms: int
    n_seeds: int
    joint: Count = field(default_factory=Count)
    uncorrected: Count = field(default_factory=Count)


def count_classes(regime: Regime, n_arms: int, n_seeds: int, size: Size) -> ClassRates:
    """Count false claims in tables by class; every arm treats every class alike.

    Parameters
    ----------
    regime : Regime
        One of `CLASS_REGIMES`.
    n_arms, n_seeds : int
    size : Size
    """
    rng, _ = streams(3000 + CLASS_REGIMES.index(regime), n_arms, n_seeds)
    rates = ClassRates(regime=regime.name, n_arms=n_arms, n_seeds=n_seeds)
    for _ in range(size.tables):
        arms = draw_labelled(regime, n_seeds, rng, n_arms=n_arms)
        difference: list[float] = []
        equivalence: list[float] = []
        for label in range(N_CLASSES):
            for scores in (
                [_precision(arm, label) for arm in arms],
                [arm.right[:, arm.labels == label].astype(np.float64) for arm in arms],
            ):
                for differs, same in _p_values(scores):
                    difference.append(differs)
                    equivalence.append(same)
        adjusted = joint_step_down(difference, equivalence)
        rates.joint.add(bool(np.nanmin(adjusted.difference) <= ALPHA))
        rates.uncorrected.add(bool(np.nanmin(difference) <= ALPHA))
    return rates


def _precision(arm: SimulatedArm, label: int) -> NDArray[np.float64]:
    return confusion_scores(confusion_metric(f"precision:{label}", n_classes=N_CLASSES), arm.labels, arm.predictions)


def _p_values(arms: list[NDArray[np.float64]]) -> list[tuple[float, float]]:
    """Return both p-values of every treatment against the baseline, the last arm; NaN where a run has no score."""
    *treatments, baseline = arms
    if not all(np.isfinite(arm).all() for arm in arms):
        return [(math.nan, math.nan)] * len(treatments)
    spread = pooled_seed_spread(arms) if treatments[1:] else None
    results = [crossed_test(treatment, baseline, paired=True, spread=spread) for treatment in treatments]
    return [(one.p_value, tost(one.estimate, one.standard_error, one.df, margin=MARGIN).p_value) for one in results]
