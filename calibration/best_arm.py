"""Confidence set for the best arm: how often it leaves the best arm out, and how many arms it rules out."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from analysis.methods.crossed import crossed_test
from analysis.methods.variance import pooled_seed_spread
from analysis.methods.with_the_best import compare_with_best
from calibration.counts import ClusteredCount, Size, streams
from calibration.families import PROMISED
from calibration.regimes import Regime, draw_arms

BEST_REGIMES = tuple(PROMISED[at] for at in (0, 2, -1))
BEST_ARMS = (3, 5, 9)
BEST_SEEDS = (3, 5, 10)
AHEAD = 0.02
"""How far one arm is ahead of all others where not all are equal: 2 percentage points of accuracy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BestArmRates:
    """What the confidence set at 95% did in one regime, with one number of arms and seeds.

    Parameters
    ----------
    regime : str
        Its name.
    n_arms, n_seeds : int
    equal : ClusteredCount
        Arms that the set leaves out where all are equally good, so that each of them is a best one.
    ahead : ClusteredCount
        Studies whose best arm the set leaves out where it is `AHEAD` of all others.
    ruled_out : ClusteredCount
        Of those others, the arms that the set leaves out.
    """

    regime: str
    n_arms: int
    n_seeds: int
    equal: ClusteredCount
    ahead: ClusteredCount
    ruled_out: ClusteredCount


def count_best_arm(regime: Regime, n_arms: int, n_seeds: int, size: Size) -> BestArmRates:
    """Count what the set leaves out where all arms are equal, and where the last one is ahead.

    Parameters
    ----------
    regime : Regime
        One of `BEST_REGIMES`.
    n_arms, n_seeds : int
    size : Size
    """
    rng, _ = streams(5000 + BEST_REGIMES.index(regime), n_arms, n_seeds)
    equal, ahead = (
        np.array([_left_out(regime, n_arms, n_seeds, rng, gap=gap) for _ in range(size.tables)])
        for gap in (0.0, -AHEAD)
    )
    return BestArmRates(
        regime=regime.name,
        n_arms=n_arms,
        n_seeds=n_seeds,
        equal=ClusteredCount.of(equal),
        ahead=ClusteredCount.of(ahead[:, -1:]),
        ruled_out=ClusteredCount.of(ahead[:, :-1]),
    )


def _left_out(regime: Regime, n_arms: int, n_seeds: int, rng: np.random.Generator, *, gap: float) -> NDArray[np.bool_]:
    drawn = draw_arms(regime, n_seeds, rng, gaps=(gap,) * (n_arms - 1))
    arms = {str(number): np.asarray(right, dtype=np.float64) for number, right in enumerate(drawn)}
    spread = pooled_seed_spread(list(arms.values()))
    tests = {(i, j): crossed_test(arms[i], arms[j], paired=True, spread=spread) for i, j in combinations(arms, 2)}
    return np.array([not one.in_set for one in compare_with_best(arms, tests).contenders])
