"""Variance of a gap over new seeds and new examples, from the scores.

Seeds and examples are crossed: every seed meets every example. Both ways to estimate the variance of a mean
difference stand here, for seeds in pairs and for independent seeds, and what a study's other arms add to the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.methods.arm_scores import ArmScores, MeanSquares, as_arm
from analysis.methods.components import ArmComponents, VarianceComponents, example_sd_interval, seed_sd_interval
from analysis.methods.moments import caution, independent_moments, paired_moments

# Scores that are equal up to this share of their size differ by rounding alone.
ROUNDING = 1e-12


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


def _noise(S: int, N: int, size: float) -> float:
    """Return the largest mean square that rounding alone may leave."""
    return max(S, N) * (ROUNDING * size) ** 2


def df_over_examples(terms: NDArray[np.float64], strata: NDArray[np.int64] | None) -> float:
    """Degrees of freedom of a mean square, the mean of one term by example; over strata, Satterthwaite's."""
    if strata is None or not terms.any():
        return len(terms) - 1
    sums = np.bincount(strata, weights=terms)
    # A test set may share all its examples but one with smaller sets.
    df = np.maximum(np.bincount(strata) - 1, 1)
    return float(sums.sum() ** 2 / np.sum(sums**2 / df))


def pooled_seed_spread(arms: Sequence[ArrayLike | ArmScores]) -> SeedSpread:
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
        If there are fewer than two arms, if they are not matrices of one shape with two seeds and two examples or
        more, or if a score is not finite.

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
    scores = [as_arm(arm) for arm in arms]
    shapes = sorted({y.shape for y in scores})
    if len(arms) < 2 or len(shapes) > 1 or len(shapes[0]) != 2 or min(shapes[0]) < 2:
        raise ValueError(
            "expected two arms or more of one shape, two seeds or more x two examples or more, "
            f"got {len(arms)} of {', '.join(map(str, shapes))}"
        )
    if not all(y.finite for y in scores):
        raise ValueError("expected finite scores in every arm, got others")
    T, (S, N) = len(scores), shapes[0]
    means = np.stack([y.seed_means for y in scores])
    interaction = means - means.mean(axis=1, keepdims=True) - means.mean(axis=0) + means.mean()
    df = (T - 1) * (S - 1)
    square = 2 * N * float(np.sum(interaction**2)) / df
    size = max(y.size for y in scores)
    return SeedSpread(mean_square=square if square > _noise(S, N, size) else 0.0, df=df, n_arms=T)


def paired_variance(
    squares: MeanSquares,
    size: float,
    *,
    n_seeds: int,
    spread: SeedSpread | None = None,
    plain_df: bool = False,
    strata: NDArray[np.int64] | None = None,
) -> VarianceFit:
    """Variance of the mean of the differences of paired seeds (design A).

    Parameters
    ----------
    squares : MeanSquares
        Of the differences; see `analysis.methods.arm_scores.difference_squares`.
    size : float
        Largest absolute score, against which rounding is judged.
    n_seeds : int
        The number of pairs.
    spread : SeedSpread or None
        The variation over seeds that the arms of the study share; that of this pair alone where None.
    plain_df : bool
        Whether the degrees of freedom are Satterthwaite's, without the `caution` about the seeds' share.
    strata : ndarray of int, shape (N,), or None
        The test set of each example, for scores of `set_scores`; None for one set.

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
    S, N = n_seeds, len(squares.examples)
    squares = squares.above(_noise(S, N, size))
    if spread is not None:
        squares, F = squares._replace(seed=spread.mean_square), spread.df
    else:
        F = S - 1
    V, df = paired_moments(
        squares.seed,
        squares.example,
        squares.residual,
        n_seeds=S,
        n_examples=N,
        seed_df=F,
        weight=1.0 if plain_df else caution(F),
        example_df=df_over_examples(squares.examples, strata),
        residual_df=(S - 1) * df_over_examples(squares.residuals, strata),
    )
    return VarianceFit(
        variance=float(V),
        df=float(df),
        components=VarianceComponents(
            seed=squares.seed_component,
            example=max(squares.example - squares.residual, 0.0) / S,
            residual=squares.residual,
            n_seeds=S,
            n_examples=N,
            seed_df=F,
            seed_sd_interval=seed_sd_interval(squares.seed, squares.residual, F, N),
            example_sd_interval=example_sd_interval(
                squares.example / S, squares.residual / S, squares.examples / S, squares.residuals / S, S - 1
            ),
        ),
        seeds_matter=squares.seed > 0 or squares.residual > 0,
    )


def independent_variance(
    treatment: ArmScores,
    baseline: ArmScores,
    size: float,
    *,
    plain_df: bool = True,
    strata: NDArray[np.int64] | None = None,
) -> VarianceFit:
    """Variance of the difference of two arms' means when their seeds are independent (design B).

    Parameters
    ----------
    treatment, baseline : ArmScores, shapes (S_t, N) and (S_b, N)
        On the same examples; all dimensions at least 2.
    size : float
        Largest absolute score, against which rounding is judged.
    plain_df : bool
        Whether the degrees of freedom are Satterthwaite's, without the `caution` about the seeds' share; only for arms
        with equally many seeds. Where one arm has fewer, these carry most of the variance, and plain degrees of
        freedom reject up to twice too often at .05. There every arm's share has the caution of its own seeds.
    strata : ndarray of int, shape (N,), or None
        The test set of each example, for scores of `set_scores`; None for one set.

    Returns
    -------
    VarianceFit
        For new seeds and new examples. Each arm brings its own variation over seeds; the examples, which both
        arms share, enter through the difference of the arms' example means.

    References
    ----------
    Hillis (2007), Statistics in Medicine 26, 596-619 (degrees of freedom).
    """
    N, seeds = treatment.shape[1], (treatment.shape[0], baseline.shape[0])
    arms = [arm.mean_squares.above(_noise(arm.shape[0], N, size)) for arm in (treatment, baseline)]
    c = treatment.example_means - baseline.example_means
    deviations = (c - c.mean()) ** 2 * N / (N - 1)
    var_c = float(deviations.mean())
    var_c = var_c if var_c > (ROUNDING * size) ** 2 else 0.0
    V, df = independent_moments(
        (arms[0].seed, arms[1].seed),
        (arms[0].residual, arms[1].residual),
        var_c,
        n_seeds=seeds,
        n_examples=N,
        plain_df=plain_df,
        example_df=df_over_examples(deviations, strata),
    )
    noise = sum(arm.residual / S for arm, S in zip(arms, seeds, strict=True))
    ms_seed, ms_resid, fewest = sum(arm.seed for arm in arms), sum(arm.residual for arm in arms), min(seeds)
    return VarianceFit(
        variance=float(V),
        df=float(df),
        components=VarianceComponents(
            seed=sum(arm.seed_component for arm in arms),
            example=max(var_c - noise, 0.0),
            residual=ms_resid,
            n_seeds=fewest,
            n_examples=N,
            seed_df=fewest - 1,
            seed_sd_interval=seed_sd_interval(ms_seed, ms_resid, fewest - 1, N),
            example_sd_interval=example_sd_interval(
                var_c,
                noise,
                deviations,
                sum((arm.residuals / S for arm, S in zip(arms, seeds, strict=True)), np.zeros(N)),
                sum(seeds) - 2,
            ),
            by_arm=(
                ArmComponents(arms[0].seed_component, arms[0].residual),
                ArmComponents(arms[1].seed_component, arms[1].residual),
            ),
        ),
        seeds_matter=ms_seed > 0 or ms_resid > 0,
    )
