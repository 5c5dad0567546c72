"""The studies that every package judges: simulated ones whose truth is known, and real ones without a gap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis import load
from benchmarks.peers.adapters.exchange import Studies
from calibration.regimes import REGIMES, Regime, draw

SEED = 20261129
"""All studies follow from this number and their design."""

REAL = "real"
SIMULATED = (REGIMES[0], REGIMES[1], Regime(name="one arm three times noisier", noisier=3.0))
N_SEEDS = (3, 5, 10)
N_EXAMPLES = (300, 872)
GAPS = (0.01, 0.02)


@dataclass(frozen=True, kw_only=True, order=True)
class Design:
    """A kind of study.

    Parameters
    ----------
    regime : str
        How the arms differ: one of `SIMULATED` by name, or `REAL`.
    seeds : int
        Runs of each arm.
    examples : int
    gap : float
        True accuracy of the treatment minus that of the baseline.
    """

    regime: str
    seeds: int
    examples: int
    gap: float

    @property
    def rng(self) -> np.random.Generator:
        """A generator that depends on the design alone, so that every part can be run by itself."""
        regime = [*(one.name for one in SIMULATED), REAL].index(self.regime)
        return np.random.default_rng([SEED, regime, self.seeds, self.examples, round(1000 * self.gap)])


def simulated() -> Iterator[Design]:
    """Yield the simulated designs: no gap in every regime, and gaps in the second."""
    for examples in N_EXAMPLES:
        for seeds in N_SEEDS:
            for regime, gap in (*((one, 0.0) for one in SIMULATED), *((SIMULATED[1], gap) for gap in GAPS)):
                yield Design(regime=regime.name, seeds=seeds, examples=examples, gap=gap)


def simulate(design: Design, studies: int) -> Studies:
    """Draw simulated studies, in which the arms share their seeds."""
    regime = next(one for one in SIMULATED if one.name == design.regime)
    rng = design.rng
    drawn = [draw(regime, design.seeds, rng, gap=design.gap, n_examples=design.examples)[1] for _ in range(studies)]
    return Studies(right=np.array([study.right for study in drawn]), paired=True)


def one_recipe(folder: Path) -> NDArray[np.bool_]:
    """Read the finished runs of a study with one arm: whether each is right on each example, shape (runs, examples)."""
    outcomes = load(folder)
    (arm,) = outcomes.arms
    finished = [outcomes.trials[arm, seed] for seed in outcomes.complete_seeds(arm)]
    return np.array([outcomes.predictions(trial) == outcomes.labels for trial in finished])


def divide(right: NDArray[np.bool_], design: Design, studies: int) -> Studies:
    """Draw two methods of S runs each out of the runs of one recipe, again and again.

    Raises
    ------
    ValueError
        If there are fewer than 2 S runs.
    """
    if len(right) < 2 * design.seeds:
        raise ValueError(f"{len(right)} runs cannot be divided into two methods of {design.seeds}")
    rng = design.rng
    chosen = [rng.permutation(len(right))[: 2 * design.seeds] for _ in range(studies)]
    arms = right[np.array(chosen)].reshape(studies, 2, design.seeds, right.shape[1])
    return Studies(right=arms, paired=False)
