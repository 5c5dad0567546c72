"""Studies in normal theory: their mean squares drawn at once, for many thousand studies a second.

No answer of any run is drawn. Where scores are normal, the means and mean squares of a study have known laws, and
these are drawn: an independent way to the crossed test, and the only one with studies enough to count its far tail.
The p-values are worked out here as well, by formulas of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from calibration.regimes import N_EXAMPLES, Regime, seed_shifts

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanSquares:
    """Means and mean squares of many studies of K treatments and a baseline with the same S seeds.

    Parameters
    ----------
    n_seeds, n_examples : int
    gap : ndarray, shape (studies, K)
        Mean score of each treatment minus that of the baseline.
    seed : ndarray, shape (studies, K)
        Mean square over seeds of each pair's differences.
    example, residual : ndarray, shape (studies, K)
        The same over examples, and what is left.
    arm_seed, arm_residual : ndarray, shape (studies, K + 1)
        Mean squares of each arm's own scores; the baseline is the last.
    pooled_seed : ndarray, shape (studies,)
        Twice the mean square of arm x seed, over all arms.
    """

    n_seeds: int
    n_examples: int
    gap: Floats
    seed: Floats
    example: Floats
    residual: Floats
    arm_seed: Floats
    arm_residual: Floats
    pooled_seed: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Standard error of each gap, and its degrees of freedom."""

    standard_error: Floats
    df: Floats


def variances(regime: Regime) -> tuple[float, float]:
    """Return what a regime's right and wrong answers amount to in normal theory.

    Parameters
    ----------
    regime : Regime

    Returns
    -------
    tuple of float
        Variance over examples of what one arm makes of them, and of what is left of one run on one example.
    """
    middle = special.ndtri(regime.accuracy)
    shift = float(seed_shifts(regime, 2)[-1])

    def shared(variance: float) -> float:
        """Return the covariance of two answers whose scores share so much of their variance."""
        correlation = variance / (1 + shift**2)
        both = stats.multivariate_normal(cov=[[1, correlation], [correlation, 1]]).cdf([middle, middle])
        return float(both) - regime.accuracy**2

    arms = shared(1 - regime.by_example - regime.left_over)
    runs = shared(1 - regime.left_over)
    return runs - arms, regime.accuracy * (1 - regime.accuracy) - runs - shared(shift**2)


def draw_mean_squares(
    regime: Regime, n_seeds: int, rng: np.random.Generator, *, n_treatments: int, studies: int
) -> MeanSquares:
    """Draw studies in which no arm is better than another.

    Parameters
    ----------
    regime : Regime
    n_seeds : int
        Runs of each arm.
    rng : numpy.random.Generator
    n_treatments : int
        K.
    studies : int
    """
    S, N, K = n_seeds, N_EXAMPLES, n_treatments
    example, residual = variances(regime)
    seed_means = draw_seed_means(regime, S, residual, rng, n_arms=K + 1, studies=studies)
    means = seed_means.mean(axis=1)
    seed_means -= means[:, None]
    means += rng.standard_normal((studies, K + 1)) * np.sqrt(example / N)
    arm_square = np.einsum("msa,msa->ma", seed_means, seed_means)
    with_baseline = np.einsum("msa,ms->ma", seed_means[:, :, :-1], seed_means[:, :, -1])
    over_arms = seed_means.mean(axis=2)
    interaction = arm_square.sum(axis=1) - (K + 1) * np.einsum("ms,ms->m", over_arms, over_arms)
    pairs, _ = squares_of_arms(rng, N - 1, studies, K)
    left_pairs, left_arms = squares_of_arms(rng, (S - 1) * (N - 1), studies, K)
    return MeanSquares(
        n_seeds=S,
        n_examples=N,
        gap=means[:, :-1] - means[:, -1:],
        seed=N * (arm_square[:, :-1] + arm_square[:, -1:] - 2 * with_baseline) / (S - 1),
        example=(S * example + residual) * pairs,
        residual=residual * left_pairs,
        arm_seed=N * arm_square / (S - 1),
        arm_residual=residual * left_arms,
        pooled_seed=2 * N * interaction / (K * (S - 1)),
    )


def draw_seed_means(
    regime: Regime, n_seeds: int, residual: float, rng: np.random.Generator, *, n_arms: int, studies: int
) -> Floats:
    """Draw by how much each run's mean differs from its arm's, through its seed and what is left: (studies, S, arms).

    `residual` is the variance of one run on one example, as `variances` returns it.
    """
    sds = regime.seed_sds(n_arms)
    covariance = sds[:, None] * sds * regime.seed_correlations(n_arms) + residual / N_EXAMPLES * np.eye(n_arms)
    return rng.standard_normal((studies, n_seeds, n_arms)) @ np.linalg.cholesky(covariance).T


def squares_of_arms(rng: np.random.Generator, df: int, studies: int, n_treatments: int) -> tuple[Floats, Floats]:
    """Draw mean squares of independent arms of variance 1: of every treatment minus the baseline, and of every arm.

    Turned so that the baseline's deviations lie along one axis, a treatment's are one normal number along it and a
    chi-square across it, all independent (Bartlett's decomposition of a Wishart matrix).
    """
    baseline = np.sqrt(rng.chisquare(df, (studies, 1)))
    along = rng.standard_normal((studies, n_treatments))
    across = rng.chisquare(df - 1, (studies, n_treatments))
    arms = np.concatenate([along**2 + across, baseline**2], axis=1)
    return ((along - baseline) ** 2 + across) / df, arms / df


def paired_fit(squares: MeanSquares, seed: Floats, df: int | Floats) -> Fit:
    """Fit paired seeds (design A), with a mean square over seeds of so many degrees of freedom."""
    S, N = squares.n_seeds, squares.n_examples
    a = np.maximum(seed, squares.residual)
    g = np.maximum(squares.example - squares.residual, 0)
    c = 1 + (6.5 / df) ** 2
    spread = (c * a) ** 2 / df + squares.example**2 / (N - 1) + squares.residual**2 / ((S - 1) * (N - 1))
    return Fit(standard_error=np.sqrt((a + g) / (S * N)), df=(c * a + g) ** 2 / spread)


def independent_fit(squares: MeanSquares) -> Fit:
    """Fit the seeds of two arms as independent of each other (design B)."""
    S, N = squares.n_seeds, squares.n_examples
    arms = np.maximum(squares.arm_seed, squares.arm_residual)
    treatment, baseline = arms[:, :-1], arms[:, -1:]
    g = np.maximum(squares.example - squares.arm_residual[:, :-1] - squares.arm_residual[:, -1:], 0)
    c = 1 + (3.5 / (2 * (S - 1))) ** 2 if S >= 4 else 1.0
    spread = c**2 * (treatment**2 + baseline**2) / (S - 1) + squares.example**2 / (N - 1)
    return Fit(
        standard_error=np.sqrt((treatment + baseline + g) / (S * N)), df=(c * (treatment + baseline) + g) ** 2 / spread
    )


def pooled(squares: MeanSquares) -> Fit:
    """Fit the primary test: from three arms and three seeds on its mean square over seeds is that of all arms."""
    n_treatments = squares.gap.shape[1]
    if n_treatments == 1 or squares.n_seeds < 3:
        return by_pair(squares)
    return paired_fit(squares, squares.pooled_seed[:, None], n_treatments * (squares.n_seeds - 1))


def by_pair(squares: MeanSquares) -> Fit:
    """Fit the test of two arms: as pairs from eight seeds on, else as independent seeds."""
    return paired_fit(squares, squares.seed, squares.n_seeds - 1) if squares.n_seeds >= 8 else independent_fit(squares)


def difference_p(gap: Floats, fit: Fit) -> Floats:
    """Return two-sided p-values for a gap of 0; where t is below 1.9, and p above .0574, 1 saves the time."""
    t = np.abs(gap) / fit.standard_error
    p = np.ones_like(t)
    far = t > 1.9
    p[far] = 2 * special.stdtr(fit.df[far], -t[far])
    return p


def equivalence_p(gap: Floats, fit: Fit, *, margin: float) -> Floats:
    """Return p-values of equivalence; where t is below 1.6, and p above .0547, 1 saves the time."""
    t = (margin - np.abs(gap)) / fit.standard_error
    p = np.ones_like(t)
    far = t > 1.6
    p[far] = special.stdtr(fit.df[far], -t[far])
    return p


def false_claims(gaps: Floats, difference: Floats, equivalence: Floats, *, margin: float, alpha: float) -> Bools:
    """Say which studies make any false claim after the joint step-down.

    Parameters
    ----------
    gaps : ndarray, shape (K,)
        The true ones.
    difference, equivalence : ndarray, shape (studies, K)
        Raw p-values.
    margin, alpha : float

    Returns
    -------
    ndarray of bool, shape (studies,)
    """
    differs, same = claims(difference, equivalence, alpha=alpha)
    wrong: Bools = (differs & (gaps == 0)) | (same & (np.abs(gaps) >= margin - 1e-12))
    return np.asarray(wrong.any(axis=1))


def claims(difference: Floats, equivalence: Floats, *, alpha: float) -> tuple[Bools, Bools]:
    """Say which comparisons differ, and which lie within the margin, after the joint step-down.

    Parameters
    ----------
    difference, equivalence : ndarray, shape (studies, K)
        Raw p-values.
    alpha : float

    Returns
    -------
    tuple of ndarray of bool, shape (studies, K)
    """
    K = difference.shape[1]
    p = np.concatenate([difference, equivalence], axis=1)
    claimed = np.zeros(p.shape, dtype=bool)
    going = np.flatnonzero(p.min(axis=1) * K <= alpha)
    order = np.argsort(p[going], axis=1)
    answered = np.zeros((len(going), K), dtype=np.int64)
    open_rows = np.arange(len(going))
    for step in range(2 * K):
        which = order[open_rows, step]
        factor = K - np.count_nonzero(answered[open_rows] == 2, axis=1)
        rejects = factor * p[going[open_rows], which] <= alpha
        open_rows, which = open_rows[rejects], which[rejects]
        if not len(open_rows):
            break
        claimed[going[open_rows], which] = True
        answered[open_rows, which % K] += 1
    return claimed[:, :K], claimed[:, K:]
