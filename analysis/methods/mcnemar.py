"""McNemar's test: whether two trained models would differ on new examples."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from analysis.methods.clusters import cluster_numbers

# Chances below this are left out: sums of them would still be far below any level, and short rows are fast.
_NEGLIGIBLE = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemarResult:
    """The outcome of McNemar's test for one pair of trained models; it generalises to new examples.

    Parameters
    ----------
    only_treatment : int
        Examples that the treatment alone got right (b).
    only_baseline : int
        Examples that the baseline alone got right (c).
    n : int
        All examples.
    estimate : float
        ``(b - c) / n``: accuracy of the treatment minus accuracy of the baseline.
    p_exact : float
        Two-sided exact conditional p-value.
    p_mid : float
        Two-sided mid-p value: less conservative, and rarely above its level.
    generalizes_to : str
        The population that the result speaks about.
    """

    only_treatment: int
    only_baseline: int
    n: int
    estimate: float
    p_exact: float
    p_mid: float
    generalizes_to: str = "examples"


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


def mcnemar(treatment: ArrayLike, baseline: ArrayLike) -> McNemarResult:
    """Compare two trained models on the examples where exactly one of them is right.

    Parameters
    ----------
    treatment, baseline : array_like, shape (N,)
        True or 1 where the model is right, False or 0 where it is wrong; the same examples in the same order.
        One run of each arm: examples of several seeds are not independent and must not be pooled.

    Returns
    -------
    McNemarResult
        Generalises to new examples for these two models, and says nothing about other seeds.

    Raises
    ------
    ValueError
        If the arrays are not one-dimensional, of equal length, and made of zeros and ones.

    Examples
    --------
    >>> mcnemar([1, 1, 1, 0, 1], [0, 0, 1, 1, 0]).estimate
    0.4
    """
    right_t, right_b = _pair(treatment, baseline)
    return mcnemar_from_counts(
        int(np.count_nonzero(right_t & ~right_b)), int(np.count_nonzero(right_b & ~right_t)), n=len(right_t)
    )


def mcnemar_from_counts(b: int, c: int, *, n: int) -> McNemarResult:
    """McNemar's test from the two discordant counts.

    Parameters
    ----------
    b : int
        Examples that the treatment alone got right.
    c : int
        Examples that the baseline alone got right.
    n : int
        All examples, at least 1 and at least ``b + c``.

    Returns
    -------
    McNemarResult
        Generalises to new examples for these two models. Without any disagreement both p-values are 1.

    Raises
    ------
    ValueError
        If a count is negative, or if there are more disagreements than examples.

    References
    ----------
    Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91, sections on the exact
    conditional and the mid-p test.

    Examples
    --------
    >>> result = mcnemar_from_counts(1, 7, n=21)
    >>> round(result.p_exact, 4), round(result.p_mid, 4)
    (0.0703, 0.0391)
    """
    if min(b, c) < 0 or n < 1 or b + c > n:
        raise ValueError(f"need b >= 0, c >= 0, n >= 1 and b + c <= n, got b={b}, c={c}, n={n}")
    p_exact, p_mid = _binomial(b, c)
    return McNemarResult(only_treatment=b, only_baseline=c, n=n, estimate=(b - c) / n, p_exact=p_exact, p_mid=p_mid)


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
        One run of each arm.
    clusters : iterable of str or int, length N
        The cluster of each example.

    Returns
    -------
    ClusteredMcNemarResult
        Generalises to new examples, in new clusters, for these two models. With one example a cluster it is
        `mcnemar`.

    Raises
    ------
    ValueError
        If the arrays are not one-dimensional, of equal length, and made of zeros and ones, or if an example
        has no cluster.

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
    right_t, right_b = _pair(treatment, baseline)
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
    """Make McNemar's test for each pair of runs, never pooled over seeds.

    Parameters
    ----------
    treatment, baseline : array_like, shape (S, N)
        Whether each run is right on each example; rows are paired seeds.
    clusters : sequence of str or int, length N, or None
        The cluster of each example, where examples come in clusters.

    Returns
    -------
    tuple
        One result a seed; each generalises to new examples for its two models.
    """
    return tuple(
        mcnemar(one, other) if clusters is None else mcnemar_clustered(one, other, clusters)
        for one, other in zip(np.asarray(treatment), np.asarray(baseline), strict=True)
    )


def binomial_p(b: ArrayLike, c: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """McNemar's p-values for many pairs of discordant counts at once.

    Parameters
    ----------
    b, c : array_like of int
        Whole numbers from 0, which are not checked; both broadcast.

    Returns
    -------
    tuple of ndarray
        The exact and the mid-p values, two-sided, for new examples; 1 where both counts are 0.
    """
    b, c = np.asarray(b), np.asarray(c)
    fewer, m = np.minimum(b, c), b + c
    tail = special.bdtr(fewer, m, 0.5)
    beyond = np.where(fewer > 0, special.bdtr(np.maximum(fewer - 1, 0), m, 0.5), 0.0)
    p_mid = np.where(b == c, 1 - (tail - beyond) / 2, tail + beyond)
    # Half of all outcomes or more: exactly 1, which the tail misses by its rounding.
    return np.where(m - 2 * fewer <= 1, 1.0, np.minimum(1.0, 2 * tail)), np.where(m == 0, 1.0, p_mid)


def _binomial(b: int, c: int) -> tuple[float, float]:
    """Return the exact and the mid-p value of `b` against `c`."""
    p_exact, p_mid = binomial_p(b, c)
    return float(p_exact), float(p_mid)


def _sign_flip(d: NDArray[np.int64]) -> tuple[float, float]:
    """Return the exact and the mid-p value of the sum of `d` under all assignments of signs."""
    d = d[d != 0]
    if d.size:
        d = d // np.gcd.reduce(d)
    sizes, counts = np.unique(np.abs(d), return_counts=True)
    if len(sizes) <= 1:
        return _binomial(int(np.count_nonzero(d > 0)), int(np.count_nonzero(d < 0)))
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


def _pair(treatment: ArrayLike, baseline: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    right_t, right_b = _right("treatment", treatment), _right("baseline", baseline)
    if len(right_t) != len(right_b):
        raise ValueError(
            "both models must be scored on the same examples, "
            f"got {len(right_t)} for the treatment and {len(right_b)} for the baseline"
        )
    return right_t, right_b


def _right(name: str, values: ArrayLike) -> NDArray[np.bool_]:
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be one row of right (1) and wrong (0), got shape {array.shape}")
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise ValueError(f"{name} must hold right (1) and wrong (0) only")
    return array.astype(np.bool_)
