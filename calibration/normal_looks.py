"""Studies in normal theory that run until decided: many at once, look by look, by formulas of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.methods.looks import one_sided_thresholds, sequential_p, thresholds
from calibration.normal import (
    Bools,
    Fit,
    Floats,
    MeanSquares,
    claims,
    draw_seed_means,
    independent_fit,
    paired_fit,
    squares_of_arms,
    variances,
)
from calibration.regimes import N_EXAMPLES, Regime

# Sequential p-values are read off a table: no look with a smaller p than the first of these is told from it.
_LOG_P = np.linspace(-60.0, 0.0, 241)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What many studies of K comparisons claim at their end, and with how many trials.

    Parameters
    ----------
    difference, equivalence : ndarray of bool, shape (studies, K)
    better : ndarray of bool, shape (studies, K)
        Whether the treatment did better: the direction of a difference.
    trials : ndarray, shape (studies,)
    """

    difference: Bools
    equivalence: Bools
    better: Bools
    trials: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnStudies:
    """The numbers that studies in normal theory come down to.

    Parameters
    ----------
    seed_means : ndarray, shape (studies, S, K + 1)
        Mean score of each run over the test examples, less what the arm makes of these; the baseline is the last arm.
    example_means : ndarray, shape (studies, K + 1)
        What each arm makes of the test examples, on average.
    example_squares : ndarray, shape (studies, K)
        The mean square over examples of each pair, in units of its expectation for one arm.
    example, residual : float
        Variances of one arm, as `variances` returns them.
    """

    seed_means: Floats
    example_means: Floats
    example_squares: Floats
    example: float
    residual: float

    def first(self, n_seeds: int, in_play: Bools) -> tuple[MeanSquares, Floats]:
        """Return the means and mean squares of the first seeds, and how many arms they are pooled over.

        Parameters
        ----------
        n_seeds : int
        in_play : ndarray of bool, shape (studies, K + 1)
            The arms that were trained with all of these seeds.
        """
        S, N = n_seeds, N_EXAMPLES
        first = self.seed_means[:, :S]
        means = first.mean(axis=1)
        first = first - means[:, None]
        means = means + self.example_means
        square = np.einsum("msa,msa->ma", first, first)
        with_baseline = np.einsum("msa,ms->ma", first[:, :, :-1], first[:, :, -1])
        weights = in_play.astype(np.float64)
        n_arms = np.maximum(weights.sum(axis=1), 2)
        over_arms = np.einsum("msa,ma->ms", first, weights) / n_arms[:, None]
        interaction = (square * weights).sum(axis=1) - n_arms * np.einsum("ms,ms->m", over_arms, over_arms)
        K = means.shape[1] - 1
        squares = MeanSquares(
            n_seeds=S,
            n_examples=N,
            gap=means[:, :-1] - means[:, -1:],
            seed=N * (square[:, :-1] + square[:, -1:] - 2 * with_baseline) / (S - 1),
            example=(S * self.example + self.residual) * self.example_squares,
            # Of many thousand squares: they hardly vary.
            residual=np.full((len(means), K), 2 * self.residual),
            arm_seed=N * square / (S - 1),
            arm_residual=np.full((len(means), K + 1), self.residual),
            pooled_seed=2 * N * interaction / ((n_arms - 1) * (S - 1)),
        )
        return squares, n_arms


def draw_studies(
    regime: Regime, n_seeds: int, rng: np.random.Generator, *, gaps: Sequence[float], studies: int
) -> DrawnStudies:
    """Draw studies whose true gaps are known.

    Parameters
    ----------
    regime : Regime
    n_seeds : int
        Runs of each arm.
    rng : numpy.random.Generator
    gaps : sequence of float, length K
        True score of each treatment minus that of the baseline.
    studies : int
    """
    example, residual = variances(regime)
    n_arms = len(gaps) + 1
    seed_means = draw_seed_means(regime, n_seeds, residual, rng, n_arms=n_arms, studies=studies)
    example_means = rng.standard_normal((studies, n_arms)) * np.sqrt(example / N_EXAMPLES)
    example_means[:, :-1] += gaps
    pairs, _ = squares_of_arms(rng, N_EXAMPLES - 1, studies, len(gaps))
    return DrawnStudies(
        seed_means=seed_means,
        example_means=example_means,
        example_squares=pairs,
        example=example,
        residual=residual,
    )


def at_the_end(studies: DrawnStudies, *, margin: float, alpha: float) -> Claims:
    """Judge studies once, when all their seeds have run.

    Parameters
    ----------
    studies : DrawnStudies
    margin, alpha : float
    """
    n_studies, S, n_arms = studies.seed_means.shape
    judged = _judged(studies, S, np.ones((n_studies, n_arms), dtype=bool), margin=margin)
    differs, same = claims(judged.difference, judged.equivalence, alpha=alpha)
    return Claims(
        difference=differs,
        equivalence=same,
        better=judged.squares.gap > 0,
        trials=np.full(n_studies, float(S * n_arms)),
    )


def until_decided(
    studies: DrawnStudies, looks: tuple[int, ...], *, margin: float, alpha: float, hopeless: float
) -> Claims:
    """Judge studies look by look, and train only the arms of comparisons that are open.

    Parameters
    ----------
    studies : DrawnStudies
    looks : tuple of int
        Numbers of seeds; the last is that of the studies.
    margin, alpha : float
    hopeless : float
        A comparison with a smaller chance of a decision by the last look is given up.
    """
    n_studies, _, n_arms = studies.seed_means.shape
    K = n_arms - 1
    in_play = np.ones((n_studies, n_arms), dtype=bool)
    valid, same, better = np.ones((n_studies, K)), np.ones((n_studies, K)), np.zeros((n_studies, K), dtype=bool)
    trials = np.zeros(n_studies)
    seen: list[tuple[Floats, Bools]] = []
    before = 0
    for k, S in enumerate(looks):
        trials += in_play.sum(axis=1) * (S - before)
        before = S
        judged = _judged(studies, S, in_play, margin=margin)
        rises = judged.squares.gap > 0
        seen.append((_sequential(judged.difference, looks, k, 2), rises))
        # A look that pointed the other way supports no verdict.
        supports = [np.where(up == rises, p, 1.0) for p, up in seen]
        trained = in_play[:, :-1]
        valid = np.where(trained, np.minimum.reduce(supports), valid)
        better = np.where(trained, rises, better)
        same = np.where(trained, np.minimum(same, _sequential(judged.equivalence, looks, k, 1)), same)
        differs, within = claims(valid, same, alpha=alpha)
        if k + 1 == len(looks):
            break
        sharing = np.maximum(K - (differs & within).sum(axis=1), 1)
        chance = _chance(judged, looks, S, margin=margin, alpha=alpha, sharing=sharing)
        is_open = trained & ~differs & ~within & ~(chance < hopeless)
        in_play = np.concatenate([is_open, is_open.any(axis=1, keepdims=True)], axis=1)
    return Claims(difference=differs, equivalence=within, better=better, trials=trials)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """The primary test of every comparison; where `pairs` is False, by the design of independent seeds."""

    squares: MeanSquares
    fit: Fit
    seed: Floats
    seed_df: Floats
    pairs: Bools
    difference: Floats
    equivalence: Floats


def _judged(studies: DrawnStudies, n_seeds: int, in_play: Bools, *, margin: float) -> _Judged:
    squares, n_arms = studies.first(n_seeds, in_play)
    several = (n_arms > 2)[:, None]
    seed = np.where(several, squares.pooled_seed[:, None], squares.seed)
    seed_df = np.broadcast_to(((n_arms - 1) * (n_seeds - 1))[:, None], seed.shape)
    fit = paired_fit(squares, seed, seed_df)
    pairs = np.broadcast_to(several | (n_seeds >= 8), seed.shape)
    if not pairs.all():
        alone = independent_fit(squares)
        fit = Fit(
            standard_error=np.where(pairs, fit.standard_error, alone.standard_error),
            df=np.where(pairs, fit.df, alone.df),
        )
    return _Judged(
        squares=squares,
        fit=fit,
        seed=seed,
        seed_df=seed_df,
        pairs=pairs,
        difference=2 * special.stdtr(fit.df, -np.abs(squares.gap) / fit.standard_error),
        equivalence=special.stdtr(fit.df, (np.abs(squares.gap) - margin) / fit.standard_error),
    )


def _sequential(p: Floats, looks: tuple[int, ...], k: int, sides: int) -> Floats:
    """Return the overall levels at which look k would just reject."""
    return np.exp(np.interp(np.log(np.maximum(p, 1e-26)), _LOG_P, _log_levels(looks, k, sides)))


@lru_cache
def _log_levels(looks: tuple[int, ...], k: int, sides: int) -> Floats:
    earlier = [np.nan] * k
    return np.log([sequential_p([*earlier, p], looks, sides=sides) for p in np.exp(_LOG_P).tolist()])  # type: ignore[arg-type]


def _chance(
    judged: _Judged, looks: tuple[int, ...], n_seeds: int, *, margin: float, alpha: float, sharing: NDArray[np.int64]
) -> Floats:
    """Return the chance that the last look decides; NaN, which gives nothing up, for independent seeds."""
    squares, N, last = judged.squares, N_EXAMPLES, looks[-1]
    by_seed = np.maximum(judged.seed - squares.residual, 0) / N + squares.residual / N
    by_example = np.maximum(squares.example - squares.residual, 0) / n_seeds / N
    error = np.sqrt(by_seed / last + by_example)
    moves = np.sqrt(by_seed * (1 / n_seeds - 1 / last))
    df = np.maximum(judged.fit.df * last / n_seeds, 1.0)
    levels = [alpha / many for many in range(1, int(sharing.max()) + 1)]
    two_sided = np.array([thresholds(looks, alpha=level)[-1] for level in levels])[sharing - 1, None]
    one_sided = np.array([one_sided_thresholds(looks, alpha=level)[-1] for level in levels])[sharing - 1, None]
    reach = -error * special.stdtrit(df, two_sided / 2)
    room = margin + error * special.stdtrit(df, one_sided)

    def below(limit: Floats) -> Floats:
        return special.stdtr(judged.seed_df, (limit - squares.gap) / moves)

    chance = below(-reach) + 1 - below(reach) + np.where(room > 0, below(room) - below(-room), 0.0)
    chance = np.where(room >= reach, 1.0, chance)
    return np.where(judged.pairs, chance, np.nan)
