"""McNemar's test for examples that come in clusters; and the test of each pair of trials of a study.

Whole clusters change sides under the null hypothesis, so that the test is a sign-flip over clusters.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.methods.clusters import cluster_numbers
from analysis.methods.mcnemar import McNemarResult, binomial_p, mcnemar, paired_answers

# Chances below this are left out: sums of them would still be far below any level, and short rows are fast.
_NEGLIGIBLE = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredMcNemarResult:
    """The outcome of `mcnemar_clustered` for one pair of trained models; it generalises to new examples.

    The new examples come in new clusters.

    Parameters
    ----------
    only_treatment : int
        Examples that the treatment alone got right (b).
    only_baseline : int
        Examples that the baseline alone got right (c).
    n : int
        All examples.
    n_clusters : int
        All clusters.
    estimate : float
        ``(b - c) / n``: accuracy of the treatment minus accuracy of the baseline.
    p_exact : float
        Two-sided exact p-value.
    p_mid : float
        Two-sided mid-p value: less conservative.
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        What is unusual; empty if there is nothing to say.
    """

    only_treatment: int
    only_baseline: int
    n: int
    n_clusters: int
    estimate: float
    p_exact: float
    p_mid: float
    generalizes_to: str = "examples"
    reason: str


def mcnemar_clustered(
    treatment: ArrayLike, baseline: ArrayLike, clusters: Iterable[Hashable]
) -> ClusteredMcNemarResult:
    """Compare two trained models on examples that come in clusters, such as documents or near duplicates.

    Examples of one cluster are not independent, and McNemar's test would count them as if they were. Here
    swapping the models within a whole cluster changes nothing under the null hypothesis.

    Parameters
    ----------
    treatment, baseline : array_like, shape (N,)
        True or 1 where the model is right, False or 0 where it is wrong; the same examples in the same order.
        One trial of each arm.
    clusters : iterable of str or int, length N
        The cluster of each example.

    Returns
    -------
    ClusteredMcNemarResult
        Generalises to new examples, in new clusters, for these two models. With one example per cluster it is
        `mcnemar`.

    Raises
    ------
    ValueError
        If the arrays are not one-dimensional, of equal length, and made of zeros and ones, or if an example
        has no cluster.

    See Also
    --------
    mcnemar : For independent examples.
    cluster_scores : Clusters for the tests over seeds and examples.

    Notes
    -----
    A cluster counts by its difference: examples right for the treatment alone minus those right for the
    baseline alone. All assignments of signs to these differences are equally likely; their sums are counted
    exactly. Clusters with differences of one size go in together, as a binomial variable.

    References
    ----------
    Fisher (1935), The Design of Experiments, section 21. Durkalski, Palesch, Lipsitz and Rust (2003),
    Statistics in Medicine 22, 2417-2428 (asymptotic tests for the same data).

    Examples
    --------
    >>> right_t, right_b = [1, 1, 1, 1, 1, 1, 0, 1], [0, 0, 0, 1, 0, 0, 1, 0]
    >>> mcnemar(right_t, right_b).p_exact
    0.125
    >>> mcnemar_clustered(right_t, right_b, ["a", "a", "a", "a", "b", "b", "c", "d"]).p_exact
    0.375
    """
    right_t, right_b = paired_answers(treatment, baseline)
    codes = cluster_numbers(clusters, len(right_t))
    d = right_t.astype(np.int64) - right_b
    n_clusters = int(codes.max()) + 1
    by_cluster = np.bincount(codes[d == 1], minlength=n_clusters) - np.bincount(codes[d == -1], minlength=n_clusters)
    p_exact, p_mid = _sign_flip(by_cluster)
    return ClusteredMcNemarResult(
        only_treatment=int(np.count_nonzero(d == 1)),
        only_baseline=int(np.count_nonzero(d == -1)),
        n=len(d),
        n_clusters=n_clusters,
        estimate=int(d.sum()) / len(d),
        p_exact=p_exact,
        p_mid=p_mid,
        reason="" if by_cluster.any() else "in every cluster the models are equally often right",
    )


def mcnemar_by_seed(
    treatment: ArrayLike, baseline: ArrayLike, clusters: Sequence[Hashable] | None
) -> tuple[McNemarResult | ClusteredMcNemarResult, ...]:
    """Make McNemar's test for each pair of trials, never pooled over seeds.

    Parameters
    ----------
    treatment, baseline : array_like, shape (S, N)
        Whether each trial is right on each example; rows are paired seeds.
    clusters : sequence of str or int, length N, or None
        The cluster of each example, where examples come in clusters.

    Returns
    -------
    tuple of McNemarResult or ClusteredMcNemarResult
        One result per seed; each generalises to new examples for its two models.
    """
    return tuple(
        mcnemar(right_t, right_b) if clusters is None else mcnemar_clustered(right_t, right_b, clusters)
        for right_t, right_b in zip(np.asarray(treatment), np.asarray(baseline), strict=True)
    )


def _sign_flip(d: NDArray[np.int64]) -> tuple[float, float]:
    """Return the exact and the mid-p value of the sum of `d` under all assignments of signs."""
    d = d[d != 0]
    if d.size:
        d = d // np.gcd.reduce(d)
    sizes, counts = np.unique(np.abs(d), return_counts=True)
    if len(sizes) <= 1:
        p_exact, p_mid = binomial_p(np.count_nonzero(d > 0), np.count_nonzero(d < 0))
        return float(p_exact), float(p_mid)
    # Flipping a sign moves the sum by twice its size, so sums over the positive ones say all there is to know.
    share, least = np.ones(1), 0
    for i in np.argsort(-counts):
        size = int(sizes[i])
        chance, fewest = _binomial_shares(int(counts[i]))
        longer = np.zeros(len(share) + size * (len(chance) - 1))
        for k, weight in enumerate(chance):
            longer[k * size : k * size + len(share)] += weight * share
        kept = np.flatnonzero(longer > _NEGLIGIBLE)
        share, least = longer[kept[0] : kept[-1] + 1], least + size * fewest + int(kept[0])
    sums = 2 * (least + np.arange(len(share))) - int(np.abs(d).sum())
    observed = abs(int(d.sum()))
    at = float(share[np.abs(sums) == observed].sum())
    beyond = float(share[np.abs(sums) > observed].sum())
    return min(1.0, beyond + at), min(1.0, beyond + at / 2)


def _binomial_shares(m: int) -> tuple[NDArray[np.float64], int]:
    """Return the chances of the numbers of heads in `m` tosses that are not negligible, and the least of these."""
    half = m // 2
    k = np.arange(half, m)
    # From the middle outwards: chances that shrink at every step carry no cancellation into the tails.
    upper = np.concatenate([[1.0], np.cumprod((m - k) / (k + 1))])
    heads = np.arange(m + 1)
    chance = upper[np.where(heads >= half, heads - half, m - heads - half)]
    chance /= chance.sum()
    kept = np.flatnonzero(chance > _NEGLIGIBLE)
    return chance[kept], int(kept[0])
