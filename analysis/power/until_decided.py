"""Studies that run until decided, before they run: what they show, and how many trials they take.

No answer of any run is drawn: seed means and mean squares follow their laws in normal theory, many studies at once.
They are judged by the formulas of the test that will be run, look by look, as `harness run --until-decided` goes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.methods.components import VarianceComponents
from analysis.methods.looks import one_sided_thresholds, thresholds
from analysis.methods.moments import caution, independent_moments, paired_moments
from analysis.power.new_study import PlannedTest
from analysis.power.predictive import predictive_power

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What studies come to on average.

    Parameters
    ----------
    shown : float
        The share of comparisons of which the truth is shown: the gap with its sign, or equivalence where there is none.
    trials : float
        The mean number of trials, of all arms together.
    """

    shown: float
    trials: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnStudies:
    """Many studies without any gap, as the numbers that they come down to; `draw_studies` makes them.

    Parameters
    ----------
    components : VarianceComponents
        The true variances of each comparison.
    n_examples : int
    pairs : ndarray of int, shape (K, 2)
        The treatment and the baseline of each comparison, as numbers of arms.
    seed_means : ndarray, shape (studies, S, arms)
        What each trial's seed makes of its mean score.
    example_means : ndarray, shape (studies, arms)
        What each arm makes of the test examples, on average.
    example_squares : ndarray, shape (studies, K)
        Each comparison's mean square over examples, in units of its expectation.
    """

    components: VarianceComponents
    n_examples: int
    pairs: NDArray[np.intp]
    seed_means: Floats
    example_means: Floats
    example_squares: Floats


def draw_studies(
    components: VarianceComponents,
    pairs: Sequence[tuple[int, int]],
    *,
    n_seeds: int,
    n_examples: int,
    studies: int,
    rng: np.random.Generator,
) -> DrawnStudies:
    """Draw studies whose arms are equal, to be judged at any looks and with any gap.

    Parameters
    ----------
    components : VarianceComponents
        Of every comparison alike. Arms count as alike over seeds, and their seeds as independent of each other.
    pairs : sequence of (int, int)
        The treatment and the baseline of each comparison, as numbers of arms from 0.
    n_seeds, n_examples : int
        The most seeds in each arm that a look will take, and test examples; at least 2 each.
    studies : int
    rng : numpy.random.Generator
    """
    n_arms, N = 1 + max(max(pair) for pair in pairs), n_examples
    of_seed, of_example = (components.seed + components.residual / N) / 2, components.example / N / 2
    return DrawnStudies(
        components=components,
        n_examples=N,
        pairs=np.array(pairs),
        seed_means=math.sqrt(of_seed) * rng.standard_normal((studies, n_seeds, n_arms)),
        example_means=math.sqrt(of_example) * rng.standard_normal((studies, n_arms)),
        example_squares=rng.chisquare(N - 1, (studies, len(pairs))) / (N - 1),
    )


def outlook(
    studies: DrawnStudies,
    looks: Sequence[int],
    *,
    gap: float,
    margin: float,
    alpha: float,
    test: PlannedTest,
    hopeless: float,
) -> Outlook:
    """Say what studies come to that are judged at these looks, and train only what stands in an open comparison.

    Parameters
    ----------
    studies : DrawnStudies
    looks : sequence of int
        Numbers of seeds, increasing, from 2 to those that were drawn. A single one: all trials run, and are judged
        once.
    gap : float
        The true gap of every comparison; its sign does not matter.
    margin : float
        Of the equivalence tests.
    alpha : float
        Error rate over all comparisons, both questions and all looks, after the joint step-down.
    test : PlannedTest
        How the comparisons are judged; its arms are those of the whole study.
    hopeless : float
        A comparison whose chance of a decision by the last look is smaller is given up.

    Returns
    -------
    Outlook
        Over new seeds and new examples, in normal theory. 2,000 studies give a share to within two points or so.

    Examples
    --------
    >>> from analysis.power.stated_figures import stated_components
    >>> parts = stated_components(seed_sd=0.01, discordance=0.08, rerun_discordance=0.05, n_examples=872)
    >>> rng = np.random.default_rng(1)
    >>> drawn = draw_studies(parts, [(0, 1)], n_seeds=20, n_examples=872, studies=2000, rng=rng)
    >>> how = {"margin": 0.01, "alpha": 0.05, "test": PlannedTest(), "hopeless": 0.05}
    >>> for gap in (0.02, 0.04):
    ...     once, looked = (outlook(drawn, looks, gap=gap, **how) for looks in ([20], [6, 9, 12, 15, 20]))
    ...     print(f"{once.shown:.2f} with {once.trials:.0f} trials, {looked.shown:.2f} with {looked.trials:.0f}")
    0.84 with 40 trials, 0.83 with 27
    1.00 with 40 trials, 1.00 with 15
    """
    n_studies, _, n_arms = studies.seed_means.shape
    K, last = len(studies.pairs), looks[-1]
    two_sided, one_sided = _levels(tuple(looks), alpha, K)
    stands_in = np.zeros((K, n_arms), dtype=np.int64)
    np.put_along_axis(stands_in, studies.pairs, 1, axis=1)
    in_play, better = np.ones((n_studies, n_arms), dtype=bool), np.zeros((n_studies, K), dtype=bool)
    # By how many comparisons alpha may be shared for a test to reject: the most so far, by the sign of the gap.
    up, down, same = (np.zeros((n_studies, K), dtype=np.int64) for _ in range(3))
    trials, before = np.zeros(n_studies), 0
    for number, S in enumerate(looks):
        n_trained = in_play.sum(axis=1)
        trials += n_trained * (S - before)
        before = S
        for n in np.unique(n_trained[n_trained > 0]):
            rows = np.flatnonzero(n_trained == n)
            how = test._replace(n_arms=int(n) if test.n_arms > 2 else 2)
            at = _judge(studies, rows, in_play[rows], S, gap=abs(gap), test=how)
            trained = in_play[rows][:, studies.pairs].all(axis=2)
            rises = at.gap > 0
            finds = _sharing(2 * special.stdtr(at.df, -np.abs(at.gap) / at.error), two_sided[:, number])
            shows = _sharing(special.stdtr(at.df, (np.abs(at.gap) - margin) / at.error), one_sided[:, number])
            for most, now in ((up, finds * rises), (down, finds * ~rises), (same, shows)):
                most[rows] = np.where(trained, np.maximum(most[rows], now), most[rows])
            better[rows] = np.where(trained, rises, better[rows])
            differs, within = _claims(np.where(better[rows], up[rows], down[rows]), same[rows])
            if last == S:
                continue
            undecided = trained & ~differs & ~within
            if how.design(last) == how.design(S):
                sharing = np.maximum(K - (differs & within).sum(axis=1, keepdims=True), 1)
                chance = predictive_power(
                    at.gap,
                    by_seed=at.by_seed,
                    by_example=at.by_example,
                    seed_df=at.seed_df,
                    df=at.df,
                    n_seeds=S,
                    last=last,
                    levels=(two_sided[sharing - 1, -1], one_sided[sharing - 1, -1]),
                    margin=margin,
                )
                undecided &= ~(chance < hopeless)
            in_play[rows] = undecided.astype(np.int64) @ stands_in > 0
    differs, within = _claims(np.where(better, up, down), same)
    return Outlook(shown=float(np.mean(differs & better if gap else within)), trials=float(trials.mean()))


class _Judged(NamedTuple):
    """The primary test of every comparison at one look, and what it says of the variances."""

    gap: Floats
    error: Floats
    df: Floats
    by_seed: Floats
    by_example: Floats
    seed_df: int


def _judge(
    studies: DrawnStudies, rows: NDArray[np.intp], in_play: Bools, n_seeds: int, *, gap: float, test: PlannedTest
) -> _Judged:
    """Make the primary test with the first seeds, pooled over the arms that have them."""
    S, N, parts = n_seeds, studies.n_examples, studies.components
    treatment, baseline = studies.pairs.T
    first = studies.seed_means[rows, :S]
    means = first.mean(axis=1)
    first = first - means[:, None]
    means = means + studies.example_means[rows]
    ms_example = (S * parts.example + parts.residual) * studies.example_squares[rows]
    if test.design(S) == "A":
        seed_df = (test.n_arms - 1) * (S - 1)
        if test.n_arms > 2:
            first = first * in_play[:, None]
            over_arms = first.sum(axis=2) / test.n_arms
            interaction = np.square(first).sum(axis=(1, 2)) - test.n_arms * np.square(over_arms).sum(axis=1)
            ms_seed = 2 * N * interaction[:, None] / seed_df
        else:
            ms_seed = N * np.square(first[:, :, treatment] - first[:, :, baseline]).sum(axis=1) / seed_df
        V, df = paired_moments(
            ms_seed,
            ms_example,
            parts.residual,
            n_seeds=S,
            n_examples=N,
            seed_df=seed_df,
            weight=1.0 if test.has_plain_df(S) else caution(seed_df),
        )
        by_seed = np.maximum(ms_seed, parts.residual) / N
    else:
        seed_df, half = S - 1, parts.residual / 2
        of_arms = N * np.square(first).sum(axis=1) / (S - 1)
        arms = of_arms[:, treatment], of_arms[:, baseline]
        V, df = independent_moments(
            arms,
            (half, half),
            ms_example / S,
            n_seeds=(S, S),
            n_examples=N,
            plain_df=test.has_plain_df(S),
        )
        by_seed = (np.maximum(arms[0], half) + np.maximum(arms[1], half)) / N
    return _Judged(
        gap=means[:, treatment] - means[:, baseline] + gap,
        error=np.sqrt(V),
        df=df,
        by_seed=np.broadcast_to(by_seed, V.shape),
        by_example=np.maximum(ms_example - parts.residual, 0.0) / (S * N),
        seed_df=seed_df,
    )


@functools.lru_cache(maxsize=512)
def _levels(looks: tuple[int, ...], alpha: float, n_comparisons: int) -> tuple[Floats, Floats]:
    """Return what each look may spend, two-sided and one-sided, where so many comparisons share alpha: (K, looks)."""
    shares = [alpha / sharing for sharing in range(1, n_comparisons + 1)]
    if len(looks) == 1:
        return np.array(shares)[:, None], np.array(shares)[:, None]
    two_sided, one_sided = ([of(looks, alpha=share) for share in shares] for of in (thresholds, one_sided_thresholds))
    return np.array(two_sided), np.array(one_sided)


def _sharing(p_values: Floats, levels: Floats) -> Counts:
    """Return by how many comparisons alpha may be shared so that each p-value still rejects; 0 where by none."""
    return np.searchsorted(-levels, -p_values, side="right").astype(np.int64)


def _claims(differs: Counts, same: Counts) -> tuple[Bools, Bools]:
    """Return what the joint step-down claims: a comparison of which both is claimed leaves its share to the others."""
    sharing = np.full((len(differs), 1), differs.shape[1])
    while True:
        claims = differs >= sharing, same >= sharing
        left = np.maximum(differs.shape[1] - (claims[0] & claims[1]).sum(axis=1, keepdims=True), 1)
        if np.array_equal(left, sharing):
            return claims
        sharing = left
