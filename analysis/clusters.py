"""Test examples that come in groups: the groups, not the examples, are then what would be drawn anew."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def cluster_scores(scores: ArrayLike, clusters: Sequence[Hashable] | NDArray[np.generic]) -> NDArray[np.float64]:
    """Turn scores by example into scores by cluster, for `crossed_test` and its neighbours.

    Examples of one document, or near duplicates of a sentence, are right or wrong together. Treated as if they were
    independent they make every gap look surer than it is.

    Parameters
    ----------
    scores : array_like, shape (S, N) or (N,)
        Scores by example; NaN stays NaN.
    clusters : sequence, shape (N,)
        Which group each example belongs to; any labels.

    Returns
    -------
    ndarray of float, shape (S, G) or (G,)
        One column a cluster, in the order of their first examples. The mean of a row is that of the examples, whatever
        the sizes of the clusters; with one example in each nothing changes. A test of these scores generalises to new
        clusters.

    Raises
    ------
    ValueError
        If the number of clusters' labels is not that of the examples.

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
    labels = list(clusters)
    if y.ndim not in (1, 2) or y.shape[-1] != len(labels):
        raise ValueError(f"every example needs its cluster, got scores of shape {y.shape} and {len(labels)} clusters")
    numbers: dict[Hashable, int] = {}
    which = np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.int64)
    rows = np.atleast_2d(y)
    means = rows.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(which, weights=row, minlength=len(numbers)) for row in rows - means])
    scored = means + sums * len(numbers) / len(labels)
    return scored if y.ndim == 2 else np.asarray(scored[0])
