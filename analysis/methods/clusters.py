"""Clusters of test examples: the clusters, not the examples, are what would be drawn anew."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def cluster_numbers(clusters: Iterable[Hashable], n: int) -> NDArray[np.int64]:
    """Give each cluster a number, from 0 in the order of their first examples.

    Parameters
    ----------
    clusters : iterable of str or int, length N
        Which group each example belongs to.
    n : int
        The number of examples, N.

    Returns
    -------
    ndarray of int, shape (N,)
        The number of each example's cluster.

    Raises
    ------
    ValueError
        If there is not one label for each example, or if one is missing.

    Examples
    --------
    >>> cluster_numbers(["b", "a", "b"], 3).tolist()
    [0, 1, 0]
    """
    seen: dict[Hashable, int] = {}
    try:
        labels = clusters.tolist() if isinstance(clusters, np.ndarray) else list(clusters)
        numbers = [seen.setdefault(label, len(seen)) for label in labels]
    except TypeError:
        raise ValueError("clusters must be one row of labels, such as names or numbers") from None
    if len(numbers) != n:
        raise ValueError(f"clusters must name the cluster of each example, got {len(numbers)} for {n} examples")
    # NaN, the missing value of tables, differs from itself.
    if any(label is None or label != label for label in seen):
        raise ValueError("clusters must name the cluster of each example, got a missing label")
    return np.array(numbers, dtype=np.int64)


def cluster_scores(scores: ArrayLike, clusters: Iterable[Hashable]) -> NDArray[np.float64]:
    """Turn scores by example into scores by cluster, for `crossed_test` and its neighbours.

    Examples of one document, or near duplicates, are right or wrong together. Treated as if they were
    independent they make every gap look surer than it is.

    Parameters
    ----------
    scores : array_like, shape (S, N) or (N,)
        Scores by example; NaN stays NaN.
    clusters : iterable of str or int, length N
        Which group each example belongs to.

    Returns
    -------
    ndarray of float, shape (S, G) or (G,)
        One column per cluster, in the order of their first examples. The mean of a row is that of the examples,
        whatever the sizes of the clusters; with one example in each nothing changes. A test of these scores
        generalises to new clusters.

    Raises
    ------
    ValueError
        If the scores are not one or several rows of examples, or if an example has no cluster.

    Notes
    -----
    The mean over examples is a ratio of two sums over clusters, of scores and of sizes. A cluster's score is the mean
    plus ``G / N`` times the sum of its examples' deviations from it: the linearised ratio.

    References
    ----------
    Cochran (1977), Sampling Techniques, third edition, section 9A.

    Examples
    --------
    >>> cluster_scores([1.0, 1.0, 0.0, 1.0], ["a", "a", "b", "c"]).tolist()
    [1.125, 0.1875, 0.9375]
    """
    y = np.asarray(scores, dtype=np.float64)
    if y.ndim not in (1, 2) or y.size == 0:
        raise ValueError(f"scores must be one row of examples or a matrix of seeds x examples, got shape {y.shape}")
    which = cluster_numbers(clusters, y.shape[-1])
    n_clusters = int(which.max()) + 1
    rows = np.atleast_2d(y)
    means = rows.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(which, weights=row, minlength=n_clusters) for row in rows - means])
    scored = means + sums * n_clusters / len(which)
    return scored if y.ndim == 2 else np.asarray(scored[0])
