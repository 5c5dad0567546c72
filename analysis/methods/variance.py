"""Variance components of a gap, over seeds and examples, and the standard error that they make.

Seeds and examples are crossed: every seed meets every example. Both ways to estimate the variance of a mean
difference stand here, for seeds in pairs and for independent seeds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.methods.interval import Interval

# Scores that are equal up to this share of their size differ by rounding alone.
ROUNDING = 1e-12


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
    seed_sd_interval : Interval
        95% limits of ``sqrt(seed)``: chi-square limits of the mean square over seeds with ``n_seeds - 1``
        degrees of freedom, less the residual's share (Tukey-Williams). Where the residual is negligible they
        are the SD times 0.52 and 6.3 at three seeds. With independent seeds two arms contribute and the
        limits are wider than they would have to be. NaN below two seeds.

    References
    ----------
    Williams (1962), "A confidence interval for variance components", Biometrika 49, 278-281.
    """

    seed: float
    example: float
    residual: float
    n_seeds: int
    n_examples: int
    seed_sd_interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class VarianceFit:
    """Variance of the mean difference over new seeds and new examples.

    Parameters
    ----------
    variance : float
        Squared standard error of the mean difference.
    df : float
        Its degrees of freedom (Satterthwaite); NaN where the variance is 0.
    components : VarianceComponents
    seeds_matter : bool
        Whether any score changes from seed to seed.
    """

    variance: float
    df: float
    components: VarianceComponents
    seeds_matter: bool


def _mean_squares(y: NDArray[np.float64], size: float) -> tuple[float, float, float]:
    """Mean squares over seeds, over examples, and of the residual; rounding noise counts as 0."""
    S, N = y.shape
    r, c = y.mean(axis=1), y.mean(axis=0)
    D = r.mean()
    noise = max(S, N) * (ROUNDING * size) ** 2
    residual = y - r[:, None] - c[None, :] + D
    squares = (
        N * np.sum((r - D) ** 2) / (S - 1),
        S * np.sum((c - D) ** 2) / (N - 1),
        np.sum(residual**2) / ((S - 1) * (N - 1)),
    )
    seed, example, resid = (float(square) if square > noise else 0.0 for square in squares)
    return seed, example, resid


def paired_variance(d: NDArray[np.float64], size: float) -> VarianceFit:
    """Variance of the mean of the differences `d` (design A).

    Parameters
    ----------
    d : ndarray, shape (S, N)
        Score of the treatment minus score of the baseline, one row per paired seed; S and N at least 2.
    size : float
        Largest absolute score, against which rounding is judged.

    Returns
    -------
    VarianceFit
        For new seeds and new examples. The mean square over seeds counts as no smaller than the residual's,
        which it exceeds on average: otherwise a lucky draw of similar seeds would buy thousands of degrees of
        freedom.

    References
    ----------
    Hillis (2007), Statistics in Medicine 26, 596-619 (degrees of freedom).
    """
    S, N = d.shape
    ms_seed, ms_example, ms_resid = _mean_squares(d, size)
    a = max(ms_seed, ms_resid)
    V = (a + max(ms_example - ms_resid, 0.0)) / (S * N)
    spread = a**2 / (S - 1) + ms_example**2 / (N - 1) + ms_resid**2 / ((S - 1) * (N - 1))
    return VarianceFit(
        variance=V,
        df=(S * N * V) ** 2 / spread if V > 0 else float("nan"),
        components=VarianceComponents(
            seed=max(ms_seed - ms_resid, 0.0) / N,
            example=max(ms_example - ms_resid, 0.0) / S,
            residual=ms_resid,
            n_seeds=S,
            n_examples=N,
            seed_sd_interval=_seed_sd_interval(ms_seed, ms_resid, S, N),
        ),
        seeds_matter=ms_seed > 0 or ms_resid > 0,
    )


def independent_variance(y_t: NDArray[np.float64], y_b: NDArray[np.float64], size: float) -> VarianceFit:
    """Variance of the difference of two arms' means when their seeds are independent (design B).

    Parameters
    ----------
    y_t, y_b : ndarray, shapes (S_t, N) and (S_b, N)
        Scores of the treatment and of the baseline on the same examples; all dimensions at least 2.
    size : float
        Largest absolute score, against which rounding is judged.

    Returns
    -------
    VarianceFit
        For new seeds and new examples. Each arm brings its own variation over seeds; the examples, which both
        arms share, enter through the difference of the arms' example means.

    References
    ----------
    Hillis (2007), Statistics in Medicine 26, 596-619 (degrees of freedom).
    """
    N = y_t.shape[1]
    arms = [(len(y), *_mean_squares(y, size)) for y in (y_t, y_b)]
    A = [max(ms_seed, ms_resid) / (S * N) for S, ms_seed, _, ms_resid in arms]
    var_c = float(np.var(y_t.mean(axis=0) - y_b.mean(axis=0), ddof=1))
    var_c = var_c if var_c > (ROUNDING * size) ** 2 else 0.0
    example = max(var_c - sum(ms_resid / S for S, _, _, ms_resid in arms), 0.0)
    V = sum(A) + example / N
    spread = sum(A_g**2 / (arm[0] - 1) for A_g, arm in zip(A, arms, strict=True)) + (var_c / N) ** 2 / (N - 1)
    seeds = min(len(y_t), len(y_b))
    ms_seed = sum(arm[1] for arm in arms)
    ms_resid = sum(arm[3] for arm in arms)
    return VarianceFit(
        variance=V,
        df=V**2 / spread if V > 0 else float("nan"),
        components=VarianceComponents(
            seed=sum(max(seed - resid, 0.0) for _, seed, _, resid in arms) / N,
            example=example,
            residual=ms_resid,
            n_seeds=seeds,
            n_examples=N,
            seed_sd_interval=_seed_sd_interval(ms_seed, ms_resid, seeds, N),
        ),
        seeds_matter=ms_seed > 0 or ms_resid > 0,
    )


def _seed_sd_interval(ms_seed: float, ms_resid: float, n_seeds: int, n_examples: int) -> Interval:
    df = n_seeds - 1
    limits = (df * ms_seed / special.chdtri(df, tail) for tail in (0.025, 0.975))
    return Interval(*(math.sqrt(max(float(limit) - ms_resid, 0.0) / n_examples) for limit in limits))
