"""Variance components of a gap: what seeds, examples and the rest bring, with the limits of their SDs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.methods.interval import NO_INTERVAL, Interval


class ArmComponents(NamedTuple):
    """The variances of one arm by itself, over seeds; as in `VarianceComponents`, for one trial on one example.

    Parameters
    ----------
    seed : float
        Variance that a new seed brings, on all examples alike.
    residual : float
        What is left: a seed that does well on one example and badly on another.
    """

    seed: float
    residual: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceComponents:
    """Where the variation of a difference between two arms comes from.

    The three variances belong to the difference of **one** trial of each arm on **one** example, so that the
    squared standard error at ``S`` seeds per arm and ``N`` examples is ``seed / S + example / N + residual /
    (S * N)``. With independent seeds (design B) `seed` and `residual` are sums over the two arms.

    Parameters
    ----------
    seed : float
        Variance that a new seed brings, on all examples alike.
    example : float
        Variance of the true difference from example to example.
    residual : float
        What is left: a seed that does well on one example and badly on another.
    n_seeds, n_examples : int
        What they were estimated from; with unequal arms the smaller number of seeds.
    seed_df : int
        Degrees of freedom of the mean square over seeds: ``n_seeds - 1`` for a pair of arms, more where the study's
        other arms are pooled.
    seed_sd_interval : Interval
        95% limits of ``sqrt(seed)``: chi-square limits of the mean square over seeds with `seed_df` degrees of
        freedom, less the residual's share (Tukey-Williams). Where the residual is negligible they are the SD times
        0.52 and 6.3 at three seeds of one pair. With independent seeds two arms contribute and the limits are wider
        than they would have to be. NaN below two seeds.
    example_sd_interval : Interval
        95% limits of ``sqrt(example)`` (Williams). Scores that are right or wrong have far heavier tails than
        normal ones, and limits that took them for normal would hold the truth in two thirds of all studies: the
        degrees of freedom are those that the scatter of the examples' own squares implies, and no more than the
        normal ones. NaN where nothing was estimated.
    by_arm : tuple of ArmComponents, or None
        Those of the treatment and of the baseline, which design B needs; None where they are not known.

    References
    ----------
    Williams (1962), "A confidence interval for variance components", Biometrika 49, 278-281.
    """

    seed: float
    example: float
    residual: float
    n_seeds: int
    n_examples: int
    seed_df: int
    seed_sd_interval: Interval
    example_sd_interval: Interval = NO_INTERVAL
    by_arm: tuple[ArmComponents, ArmComponents] | None = None


def seed_sd_interval(ms_seed: float, ms_resid: float, df: int, n_examples: int) -> Interval:
    """Give 95% limits of the SD over seeds, from the mean square over seeds with its degrees of freedom."""
    limits = (df * ms_seed / special.chdtri(df, tail) for tail in (0.025, 0.975))
    return Interval(*(math.sqrt(max(float(limit) - ms_resid, 0.0) / n_examples) for limit in limits))


def example_sd_interval(
    between: float, noise: float, squares: NDArray[np.float64], noises: NDArray[np.float64], seed_df: int
) -> Interval:
    """Give 95% limits of the SD over examples, whose variance is estimated as `between` less `noise`.

    `squares` and `noises` are the terms by example whose means these are.
    """
    N = len(squares)
    df = min(_implied_df(between, squares), N - 1)
    noise_df = min(_implied_df(noise, noises), seed_df * (N - 1))
    limits = (
        df * (between - noise * float(special.fdtri(df, noise_df, 1 - tail))) / float(special.chdtri(df, tail))
        for tail in (0.025, 0.975)
    )
    return Interval(*(math.sqrt(max(limit, 0.0)) for limit in limits))


def _implied_df(square: float, terms: NDArray[np.float64]) -> float:
    """Return the degrees of freedom of a mean square, from the scatter of its terms by example."""
    variance = float(terms.var(ddof=1)) / len(terms)
    return 2 * square**2 / variance if variance > 0 and square > 0 else math.inf
