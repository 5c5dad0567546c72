"""AUROC, the area under the ROC curve, as scores by example."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.metrics.classes import class_numbers


def auroc_scores(labels: ArrayLike, scores: ArrayLike, *, positive: int) -> NDArray[np.float64]:
    """Score every example so that the mean is the area under the ROC curve of one class against the rest.

    The area is the share of pairs of a positive and a negative example in which the positive scores higher,
    ties counting half. An example's placement value is its own share of such pairs; each placement's distance
    from the area, weighted by ``N`` over the number of examples on its side, is the example's influence.

    Parameters
    ----------
    labels : array_like of int, shape (N,)
        True classes.
    scores : array_like, shape (S, N)
        By trial and example, any finite number that is larger the likelier the positive class: its probability.
    positive : int
        The positive class; all others are negative.

    Returns
    -------
    ndarray of float, shape (S, N)
        Area plus influence, ready for `crossed_test`: row means are exactly the areas, and their variance
        over examples is DeLong's but for factors ``n / (n - 1)``. Single values lie outside 0 to 1. NaN
        throughout where no example is positive or none is negative: there is no pair.

    Raises
    ------
    ValueError
        If the shapes do not match, the labels are no class numbers, or a score is not finite.

    See Also
    --------
    confusion_scores : For metrics of the confusion matrix.
    metric_scores : The same for any metric, by its name.

    References
    ----------
    DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845.

    Examples
    --------
    >>> auroc_scores([0, 0, 1, 1], [[0.1, 0.4, 0.35, 0.8]], positive=1).mean(axis=1).tolist()
    [0.75]
    """
    values = np.asarray(scores)
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "iuf":
        raise ValueError(f"scores must be a matrix of runs x examples, got shape {values.shape} of {values.dtype}")
    if not np.isfinite(values).all():
        raise ValueError(f"scores must be finite, got {np.count_nonzero(~np.isfinite(values))} others")
    truth, _ = class_numbers(labels, np.zeros(values.shape[1], dtype=np.int64), pair="column of scores")
    is_positive = truth == positive
    N, n_positive = len(truth), int(np.count_nonzero(is_positive))
    result = np.full(values.shape, np.nan)
    if n_positive in (0, N):
        return result
    for run, row in zip(result, values, strict=True):
        positives, negatives = row[is_positive], row[~is_positive]
        above = _share_below(negatives, positives)
        area = above.mean()
        run[is_positive] = area + (above - area) * (N / n_positive)
        run[~is_positive] = area + (1 - _share_below(positives, negatives) - area) * (N / (N - n_positive))
    return result


def _share_below(others: NDArray[np.generic], values: NDArray[np.generic]) -> NDArray[np.float64]:
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    return below / (2 * len(others))
