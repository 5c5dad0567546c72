"""Distribution of seeds: how runs of one recipe scatter, whether normally, and how far two of them differ."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from analysis.methods.interval import Interval
from analysis.study.verdict import collapse_rate_limit
from answer.one_recipe.pool import Pool
from answer.one_recipe.rates import Rate, rate_of

SAMPLES = 500
"""Simulated samples for each thing that a test of normality might find."""

_BAND_SAMPLES = 5000

_CONFIDENCE = 0.95
# A run at chance level gets no more right than guessing the most frequent class would in all but one of so many runs.
_GUESSED_AT_MOST = 0.999

Floats = NDArray[np.float64]
Sample = Callable[[np.random.Generator, tuple[int, ...]], Floats]


def _low_now_and_then(share: float, far: float) -> Sample:
    return lambda rng, shape: rng.standard_normal(shape) - far * (rng.random(shape) < share)


ALTERNATIVES: dict[str, Sample] = {
    "nothing: seeds are normal": lambda rng, shape: rng.standard_normal(shape),
    "heavy tails: Student's t, 5 degrees of freedom": lambda rng, shape: rng.standard_t(5, shape) * math.sqrt(3 / 5),
    "a skew: one less an exponential": lambda rng, shape: 1 - rng.standard_exponential(shape),
    "one seed in twenty lies 3 SDs low": _low_now_and_then(0.05, 3),
    "one seed in fifty lies 6 SDs low": _low_now_and_then(0.02, 6),
}
"""What seeds might be like, in SDs of the other seeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Normality:
    """Shapiro and Wilk's test of the seeds.

    Parameters
    ----------
    statistic, p_value : float
    found : dict of str to float
        How often it finds each of `ALTERNATIVES` at .05, with as many seeds, on as fine a scale.

    References
    ----------
    Shapiro and Wilk (1965), Biometrika 52, 591-611.
    """

    statistic: float
    p_value: float
    found: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedDistribution:
    """Accuracies of the runs of one recipe, on one test set.

    Parameters
    ----------
    n_seeds, n_examples : int
    mean, sd : float
        As shares.
    sd_interval : Interval
        95% limits of the SD, for other seeds on this test set; it takes seeds for normal.
    lowest, highest : int
        Right answers of the worst and of the best run.
    collapsed : int
        Runs at chance level.
    collapse_limit : float
        The largest share of such runs that is possible after so many (95%, one-sided).
    normality : Normality
    """

    n_seeds: int
    n_examples: int
    mean: float
    sd: float
    sd_interval: Interval
    lowest: int
    highest: int
    collapsed: int
    collapse_limit: float
    normality: Normality


def seed_distribution(pool: Pool, rng: np.random.Generator) -> SeedDistribution:
    """Describe how the runs of a pool scatter.

    Parameters
    ----------
    pool : Pool
    rng : numpy.random.Generator
        For what the test of normality can find.
    """
    P, N = pool.right.shape
    accuracies = pool.counts / N
    sd = float(accuracies.std(ddof=1))
    low, high = (sd * math.sqrt((P - 1) / special.chdtri(P - 1, tail)) for tail in (0.025, 0.975))
    collapsed = int(np.count_nonzero(pool.counts <= chance_level(pool)))
    return SeedDistribution(
        n_seeds=P,
        n_examples=N,
        mean=float(accuracies.mean()),
        sd=sd,
        sd_interval=Interval(low, high),
        lowest=int(pool.counts.min()),
        highest=int(pool.counts.max()),
        collapsed=collapsed,
        collapse_limit=collapse_rate_limit(P, seen=collapsed),
        normality=_normality(pool.counts, rng),
    )


def chance_level(pool: Pool) -> int:
    """Return how many right answers a run that learned nothing may have."""
    from scipy import stats

    return int(stats.binom.ppf(_GUESSED_AT_MOST, pool.n_examples, pool.largest_class))


def _normality(counts: NDArray[np.int64], rng: np.random.Generator) -> Normality:
    from scipy import stats

    statistic, p_value = stats.shapiro(counts)
    found = {}
    for name, sample in ALTERNATIVES.items():
        # Runs get whole numbers of examples right.
        drawn = np.round(sample(rng, (SAMPLES, len(counts))) * counts.std(ddof=1))
        found[name] = float(np.mean([stats.shapiro(one).pvalue <= 0.05 for one in drawn]))
    return Normality(statistic=float(statistic), p_value=float(p_value), found=found)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantilePlot:
    """Runs in order against what is expected of normal ones, in SDs from their mean.

    Parameters
    ----------
    expected, seen : ndarray, shape (P,)
        Ascending.
    low, high : ndarray, shape (P,)
        In 95% of normal samples of this size every run lies within.

    References
    ----------
    Aldor-Noiman, Brown, Buja, Rolke and Stine (2013), The American Statistician 67, 249-260: a band that holds for all
    runs at once.
    """

    expected: Floats
    seen: Floats
    low: Floats
    high: Floats


def quantile_plot(counts: NDArray[np.int64], rng: np.random.Generator) -> QuantilePlot:
    """Lay runs out for a QQ plot.

    Parameters
    ----------
    counts : ndarray of int, shape (P,)
        Right answers of each run.
    rng : numpy.random.Generator
        For the band.
    """
    P = len(counts)
    samples = np.sort(rng.standard_normal((_BAND_SAMPLES, P)), axis=1)
    samples -= samples.mean(axis=1, keepdims=True)
    samples /= samples.std(axis=1, ddof=1, keepdims=True)
    by_run = np.sort(samples, axis=0)
    # How far out in the order of the samples each run of each sample is, and each sample by the worst of its runs.
    place = samples.argsort(axis=0).argsort(axis=0)
    outermost = np.minimum(place, _BAND_SAMPLES - 1 - place).min(axis=1)
    left_out = int(np.quantile(outermost, 1 - _CONFIDENCE, method="lower"))
    ordered = np.sort(counts)
    return QuantilePlot(
        expected=special.ndtri((np.arange(1, P + 1) - 0.375) / (P + 0.25)),
        seen=(ordered - ordered.mean()) / ordered.std(ddof=1),
        low=by_run[left_out],
        high=by_run[_BAND_SAMPLES - 1 - left_out],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GapsOfTwo:
    """How far two single runs of one recipe end up from each other.

    Parameters
    ----------
    sizes : ndarray of int, shape (P * (P - 1) / 2,)
        The gap of every two runs in examples, ascending.
    n_examples : int
    """

    sizes: NDArray[np.int64]
    n_examples: int

    def quantile(self, share: float) -> int:
        """Return the gap that this share of pairs does not exceed, in examples."""
        return int(np.quantile(self.sizes, share, method="inverted_cdf"))


def gaps_of_two(counts: NDArray[np.int64], n_examples: int) -> GapsOfTwo:
    """Return the gaps of every two runs.

    Parameters
    ----------
    counts : ndarray of int, shape (P,)
        Right answers of each run.
    n_examples : int
    """
    first, second = np.triu_indices(len(counts), 1)
    return GapsOfTwo(sizes=np.sort(np.abs(counts[first] - counts[second])), n_examples=n_examples)


def at_least(counts: NDArray[np.int64], gap: int) -> Rate:
    """Return the share of all pairs of runs that end up at least so many examples apart.

    Parameters
    ----------
    counts : ndarray of int, shape (P,)
        Right answers of each run.
    gap : int
        In examples.
    """
    pairs = np.stack(np.triu_indices(len(counts), 1), axis=1)
    far = np.abs(counts[pairs[:, 0]] - counts[pairs[:, 1]]) >= gap
    return rate_of([far], pairs, n_pool=len(counts), complete=True)
