"""Variance components of a gap, over seeds and examples, and the standard error that they make.

Seeds and examples are crossed: every seed meets every example. Both ways to estimate the variance of a mean
difference stand here, for seeds in pairs and for independent seeds, and what a study's other arms add to the first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
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
    seed_df : int
        Degrees of freedom of the mean square over seeds: ``n_seeds - 1`` for a pair of arms, more where the study's
        other arms are pooled.
    seed_sd_interval : Interval
        95% limits of ``sqrt(seed)``: chi-square limits of the mean square over seeds with `seed_df` degrees of
        freedom, less the residual's share (Tukey-Williams). Where the residual is negligible they are the SD times
        0.52 and 6.3 at three seeds of one pair. With independent seeds two arms contribute and the limits are wider
        than they would have to be. NaN below two seeds.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedSpread:
    """How far the arms of a study differ from seed to seed, pooled over all of them.

    Parameters
    ----------
    mean_square : float
        Of the difference of two arms over seeds: twice the mean square of arm x seed.
    df : int
        Its degrees of freedom, ``(n_arms - 1) * (n_seeds - 1)``.
    n_arms : int
        How many arms were pooled.
    """

    mean_square: float
    df: int
    n_arms: int


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


def caution(seed_df: int, *, arms_apart: bool = False) -> float:
    """Return how many times the degrees of freedom count the seeds' share of the variance.

    Satterthwaite's formula takes the estimated shares as if they were known. A few seeds that agree by chance then
    err twice: the standard error is too small, and the degrees of freedom are too many. Far out, where a correction
    over many comparisons looks, that rejects up to four times too often. Counted this many times, the rejections stay
    within 1.3 times every level from .05 down to .00125, whatever the seeds' share (docs/calibration.md). Where seeds
    are all that varies, the degrees of freedom are theirs as before.

    Parameters
    ----------
    seed_df : int
        Degrees of freedom of the variation over seeds, at least 4 for the promise to hold.
    arms_apart : bool
        Whether two arms brought them, each with a mean square of its own: both rarely come out small at once.

    Examples
    --------
    >>> [round(caution(F), 2) for F in (4, 7, 14, 49)]
    [3.64, 1.86, 1.22, 1.02]
    >>> round(caution(6, arms_apart=True), 2)
    1.34
    """
    return 1 + ((3.5 if arms_apart else 6.5) / seed_df) ** 2


def _noise(S: int, N: int, size: float) -> float:
    """Return the largest mean square that rounding alone may leave."""
    return max(S, N) * (ROUNDING * size) ** 2


def _mean_squares(y: NDArray[np.float64], size: float) -> tuple[float, float, float]:
    """Mean squares over seeds, over examples, and of the residual; rounding noise counts as 0."""
    S, N = y.shape
    r, c = y.mean(axis=1), y.mean(axis=0)
    D = r.mean()
    noise = _noise(S, N, size)
    residual = y - r[:, None] - c[None, :] + D
    squares = (
        N * np.sum((r - D) ** 2) / (S - 1),
        S * np.sum((c - D) ** 2) / (N - 1),
        np.sum(residual**2) / ((S - 1) * (N - 1)),
    )
    seed, example, resid = (float(square) if square > noise else 0.0 for square in squares)
    return seed, example, resid


def pooled_seed_spread(arms: Sequence[ArrayLike]) -> SeedSpread:
    """Pool the variation over seeds of all arms of a study.

    A seed that moves all arms alike moves no difference. What is left, arm by seed, is estimated from all arms at
    once, as the analysis of readers and cases does. It assumes that every two arms differ alike from seed to seed:
    that all arms vary alike, and that no two share more of a seed's luck than any other two.

    Parameters
    ----------
    arms : sequence of array_like, shape (S, N) each
        The scores of two arms or more, one row per seed, with the same seeds and the same examples in the same order;
        S and N at least 2.

    Returns
    -------
    SeedSpread
        With two arms it is the mean square over seeds of their differences.

    Raises
    ------
    ValueError
        If there are fewer than two arms, or if their shapes differ.

    References
    ----------
    Dorfman, Berbaum and Metz (1992), Investigative Radiology 27, 723-731. Obuchowski and Rockette (1995),
    Communications in Statistics 24, 285-308.

    Examples
    --------
    >>> means = np.array([[0.90, 0.91, 0.92], [0.88, 0.90, 0.92], [0.91, 0.91, 0.91]])
    >>> spread = pooled_seed_spread([np.tile(arm[:, None], 100) for arm in means])
    >>> round(spread.mean_square, 3), spread.df, spread.n_arms
    (0.02, 4, 3)
    """
    scores = [np.asarray(arm, dtype=np.float64) for arm in arms]
    shapes = sorted({y.shape for y in scores})
    if len(arms) < 2 or len(shapes) > 1:
        raise ValueError(f"expected two arms or more of one shape, got {len(arms)} of {shapes}")
    T, (S, N) = len(scores), shapes[0]
    means = np.stack([y.mean(axis=1) for y in scores])
    interaction = means - means.mean(axis=1, keepdims=True) - means.mean(axis=0) + means.mean()
    df = (T - 1) * (S - 1)
    square = 2 * N * float(np.sum(interaction**2)) / df
    size = max(float(np.abs(y).max()) for y in scores)
    return SeedSpread(mean_square=square if square > _noise(S, N, size) else 0.0, df=df, n_arms=T)


def paired_variance(
    d: NDArray[np.float64], size: float, *, spread: SeedSpread | None = None, plain_df: bool = False
) -> VarianceFit:
    """Variance of the mean of the differences `d` (design A).

    Parameters
    ----------
    d : ndarray, shape (S, N)
        Score of the treatment minus score of the baseline, one row per paired seed; S and N at least 2.
    size : float
        Largest absolute score, against which rounding is judged.
    spread : SeedSpread or None
        The variation over seeds that the arms of the study share; that of this pair alone where None.
    plain_df : bool
        Whether the degrees of freedom are Satterthwaite's, without the `caution` about the seeds' share.

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
    F = S - 1
    if spread is not None:
        ms_seed, F = spread.mean_square, spread.df
    a, g = max(ms_seed, ms_resid), max(ms_example - ms_resid, 0.0)
    c = 1.0 if plain_df else caution(F)
    squares = (c * a) ** 2 / F + ms_example**2 / (N - 1) + ms_resid**2 / ((S - 1) * (N - 1))
    return VarianceFit(
        variance=(a + g) / (S * N),
        df=(c * a + g) ** 2 / squares if squares > 0 else float("nan"),
        components=VarianceComponents(
            seed=max(ms_seed - ms_resid, 0.0) / N,
            example=max(ms_example - ms_resid, 0.0) / S,
            residual=ms_resid,
            n_seeds=S,
            n_examples=N,
            seed_df=F,
            seed_sd_interval=_seed_sd_interval(ms_seed, ms_resid, F, N),
        ),
        seeds_matter=ms_seed > 0 or ms_resid > 0,
    )


def independent_variance(
    y_t: NDArray[np.float64], y_b: NDArray[np.float64], size: float, *, plain_df: bool = True
) -> VarianceFit:
    """Variance of the difference of two arms' means when their seeds are independent (design B).

    Parameters
    ----------
    y_t, y_b : ndarray, shapes (S_t, N) and (S_b, N)
        Scores of the treatment and of the baseline on the same examples; all dimensions at least 2.
    size : float
        Largest absolute score, against which rounding is judged.
    plain_df : bool
        Whether the degrees of freedom are Satterthwaite's, without the `caution` about the seeds' share.

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
    c = 1.0 if plain_df else caution(len(y_t) + len(y_b) - 2, arms_apart=True)
    squares = sum((c * A_g) ** 2 / (arm[0] - 1) for A_g, arm in zip(A, arms, strict=True)) + (var_c / N) ** 2 / (N - 1)
    seeds = min(len(y_t), len(y_b))
    ms_seed = sum(arm[1] for arm in arms)
    ms_resid = sum(arm[3] for arm in arms)
    return VarianceFit(
        variance=sum(A) + example / N,
        df=(c * sum(A) + example / N) ** 2 / squares if squares > 0 else float("nan"),
        components=VarianceComponents(
            seed=sum(max(seed - resid, 0.0) for _, seed, _, resid in arms) / N,
            example=example,
            residual=ms_resid,
            n_seeds=seeds,
            n_examples=N,
            seed_df=seeds - 1,
            seed_sd_interval=_seed_sd_interval(ms_seed, ms_resid, seeds - 1, N),
        ),
        seeds_matter=ms_seed > 0 or ms_resid > 0,
    )


def _seed_sd_interval(ms_seed: float, ms_resid: float, df: int, n_examples: int) -> Interval:
    limits = (df * ms_seed / special.chdtri(df, tail) for tail in (0.025, 0.975))
    return Interval(*(math.sqrt(max(float(limit) - ms_resid, 0.0) / n_examples) for limit in limits))
