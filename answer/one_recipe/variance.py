"""Variance of one recipe's answers: what seeds bring, what examples bring and what is left, real and simulated."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from analysis.methods.components import seed_sd_interval
from analysis.methods.interval import Interval
from calibration.regimes import Regime, draw_arms, seed_shifts


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Variance of whether one run of a recipe is right on one example, in its parts.

    Parameters
    ----------
    accuracy : float
    seed, example, left : float
        Variances that a new seed brings on all examples alike, a new example for all seeds alike, and what is left: a
        run that is lucky on one example. They add up to about ``accuracy * (1 - accuracy)``.
    seed_sd_interval : Interval or None
        95% limits of the SD over seeds; None where it is known.
    """

    accuracy: float
    seed: float
    example: float
    left: float
    seed_sd_interval: Interval | None = None

    @property
    def seed_sd(self) -> float:
        """SD over seeds of a run's accuracy on infinitely many examples."""
        return math.sqrt(self.seed)

    def sds(self, n_examples: int) -> tuple[float, float, float]:
        """Return the SDs of a run's accuracy on so many examples: from seeds, from what is left, from examples."""
        return self.seed_sd, math.sqrt(self.left / n_examples), math.sqrt(self.example / n_examples)

    @property
    def discordance(self) -> float:
        """Share of examples on which exactly one of two runs is right."""
        return 2 * (self.seed + self.left)


def split(right: NDArray[np.bool_]) -> Split:
    """Split the variance of real answers.

    Parameters
    ----------
    right : ndarray of bool, shape (P, N)
        Whether each run is right on each example.
    """
    P, N = right.shape
    y = right.astype(np.float64)
    r, c, mean = y.mean(axis=1), y.mean(axis=0), y.mean()
    ms_seed = N * float(r.var(ddof=1))
    ms_example = P * float(c.var(ddof=1))
    ms_left = float(np.square(y - r[:, None] - c + mean).sum()) / ((P - 1) * (N - 1))
    return Split(
        accuracy=float(mean),
        seed=max(ms_seed - ms_left, 0.0) / N,
        example=max(ms_example - ms_left, 0.0) / P,
        left=ms_left,
        seed_sd_interval=seed_sd_interval(ms_seed, ms_left, P - 1, N),
    )


def split_of(regime: Regime) -> Split:
    """Split the variance of one arm of a simulated regime: what it is by its law, without drawing anything.

    Parameters
    ----------
    regime : Regime
        One of `calibration.regimes.REGIMES`, or another whose baseline neither collapses nor is skewed.
    """
    middle = float(special.ndtri(regime.accuracy))
    shift = float(seed_shifts(regime, 2)[-1])

    def shared(variance: float) -> float:
        correlation = variance / (1 + shift**2)
        both = stats.multivariate_normal(cov=[[1, correlation], [correlation, 1]]).cdf([middle, middle])
        return float(both) - regime.accuracy**2

    seed, example = shared(shift**2), shared(1 - regime.left_over)
    return Split(
        accuracy=regime.accuracy,
        seed=seed,
        example=example,
        left=regime.accuracy * (1 - regime.accuracy) - seed - example,
    )


def regime_like(real: Split) -> Regime:
    """Return the regime whose accuracy, seed SD and rest are those of real answers, with arms alike.

    Parameters
    ----------
    real : Split
        With an accuracy above a half.
    """
    start = Regime(name="as measured", accuracy=real.accuracy, seed_sd=real.seed_sd, by_example=0.0)

    def too_much(left_over: float) -> float:
        return split_of(replace(start, left_over=left_over)).left - real.left

    return replace(start, left_over=float(optimize.brentq(too_much, 1e-6, 0.99, xtol=1e-6)))


def simulated_pools(
    regime: Regime, rng: np.random.Generator, *, n_seeds: int, n_examples: int, count: int
) -> list[NDArray[np.bool_]]:
    """Draw pools of one simulated recipe, each with examples of its own.

    Parameters
    ----------
    regime : Regime
    rng : numpy.random.Generator
    n_seeds, n_examples : int
        Of each pool.
    count : int
        How many pools.
    """
    return [draw_arms(regime, n_seeds, rng, gaps=(0.0,), n_examples=n_examples)[-1] for _ in range(count)]
