"""Several test sets in one question: scores whose mean is the mean over the sets, and the strata that they come in.

The sets are fixed, and the examples of each are drawn anew: a stratified sample. The seeds are shared, since every
trial is scored on all sets.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.methods.clusters import cluster_numbers


def set_scores(
    scores: ArrayLike, sets: Iterable[Hashable], *, clusters: Iterable[Hashable] | None = None
) -> NDArray[np.float64]:
    """Turn scores on several test sets into scores whose mean is the mean over the sets, for `crossed_test`.

    Every set weighs the same, whatever its size: which sets there are is a choice, and so is not a matter of how many
    examples somebody collected.

    Parameters
    ----------
    scores : array_like, shape (S, N)
        Scores by example; NaN stays NaN. The mean over the examples of a set is the set's score, so a metric of the
        confusion matrix has to be computed within each set.
    sets : iterable of str or int, length N
        Which test set each example belongs to; at least two sampling units in each.
    clusters : iterable of str or int, length N, or None
        Which cluster each example belongs to, where the examples come in clusters, as for `cluster_scores`, which then
        has to follow. An example that two sets share is a cluster of its two copies: it is drawn once.

    Returns
    -------
    ndarray of float, shape (S, N)
        The mean of a row is the mean over the sets of the row's scores. With one set these are the scores as they
        came. Test them with the strata that `set_strata` gives: the result generalises to new seeds and to new examples
        of these same sets, and not to other sets.

    Raises
    ------
    ValueError
        If the scores are no matrix, an example has no set or no cluster, or a set holds fewer than two sampling units.

    See Also
    --------
    set_strata : The strata of these scores.
    partial_conjunction : On how many of the sets is there a gap?

    Notes
    -----
    With M sets of N_k examples, an example's score is the row's mean plus ``N / (M N_k)`` times its deviation from the
    mean of its set. The squared deviations then add up to the variance of a stratified mean, ``sum_k s_k^2 / (M^2
    N_k)``; the factor ``N_k / (N_k - 1) * (N - 1) / N`` makes it so exactly. Where there are clusters, N and N_k in
    this factor count clusters.

    References
    ----------
    Cochran (1977), Sampling Techniques, third edition, sections 5.3 and 5.4 (stratified means).

    Examples
    --------
    >>> set_scores([[1.0, 1.0, 0.0, 1.0, 0.0, 0.0]], ["a", "a", "b", "b", "b", "b"]).mean(axis=1).tolist()
    [0.625]
    """
    y = np.asarray(scores, dtype=np.float64)
    if y.ndim != 2 or y.size == 0:
        raise ValueError(f"scores must be a matrix of seeds x examples, got shape {y.shape}")
    N = y.shape[1]
    number, units = _numbered(sets, clusters, N)
    M, n_units = int(number.max()) + 1, int(units.max()) + 1
    if M == 1:
        return y
    members = [number == k for k in range(M)]
    means = [y[:, member].mean(axis=1, keepdims=True) for member in members]
    whole = np.mean(means, axis=0)
    scored = np.empty_like(y)
    for member, mean in zip(members, means, strict=True):
        n = len(np.unique(units[member]))
        exact = np.sqrt(n / (n - 1) * (n_units - 1) / n_units)
        scored[:, member] = whole + exact * N / (M * np.count_nonzero(member)) * (y[:, member] - mean)
    return scored


def set_strata(sets: Iterable[Hashable], *, clusters: Iterable[Hashable] | None = None) -> NDArray[np.int64]:
    """Return the stratum of every column of the scores that `set_scores` makes.

    Parameters
    ----------
    sets : iterable of str or int, length N
        Which test set each example belongs to.
    clusters : iterable of str or int, length N, or None
        Which cluster each example belongs to, where the examples come in clusters.

    Returns
    -------
    ndarray of int, shape (N,) or (G,)
        The set of every example, or of every cluster in the order of `cluster_scores`; of several sets the one with the
        fewest sampling units, which claims the fewest degrees of freedom.

    Raises
    ------
    ValueError
        If an example has no set or no cluster, or a set holds fewer than two sampling units.

    Examples
    --------
    >>> set_strata(["a", "a", "b", "b", "b"]).tolist()
    [0, 0, 1, 1, 1]
    >>> set_strata(["a", "a", "b", "b", "b"], clusters=["x", "y", "x", "z", "w"]).tolist()
    [0, 0, 1, 1]
    """
    labels = list(sets)
    number, units = _numbered(labels, clusters, len(labels))
    sizes = [len(np.unique(units[number == k])) for k in range(int(number.max()) + 1)]
    strata = np.empty(int(units.max()) + 1, dtype=np.int64)
    # The smallest set writes last.
    for k in sorted(range(len(sizes)), key=lambda k: -sizes[k]):
        strata[units[number == k]] = k
    return strata


def _numbered(
    sets: Iterable[Hashable], clusters: Iterable[Hashable] | None, n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the number of each example's set, and of its sampling unit."""
    try:
        number = cluster_numbers(sets, n)
    except ValueError as error:
        raise ValueError(str(error).replace("clusters", "sets").replace("cluster", "set")) from None
    units = np.arange(n) if clusters is None else cluster_numbers(clusters, n)
    for k in range(int(number.max(initial=-1)) + 1):
        if len(np.unique(units[number == k])) < 2:
            kind = "examples" if clusters is None else "clusters"
            raise ValueError(f"every test set needs two or more {kind}, got one in set number {k + 1}")
    return number, units
