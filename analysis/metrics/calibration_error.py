"""Calibration of probabilities: log loss and Brier score by example, and calibration error as a description."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.metrics.classes import labelled_probabilities, predicted_classes


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """The examples on which a model is about equally confident.

    Parameters
    ----------
    count : int
        Examples in the bin.
    confidence : float
        Mean probability of the predicted class. NaN in an empty bin.
    accuracy : float
        Share of right predictions. NaN in an empty bin.
    """

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationError:
    """Expected calibration error of one trained model; it describes this trial on this test set.

    Parameters
    ----------
    value : float
        From 0 to 1: mean distance between confidence and accuracy, the bins weighted by their examples.
    bins : tuple of CalibrationBin
        Of equal width from 0 to 1, ascending.
    generalizes_to : str
        Nothing: the value comes without a test.
    reason : str
        Which bins are NaN, and why; empty if none is.
    """

    value: float
    bins: tuple[CalibrationBin, ...]
    generalizes_to: str = "nothing: a description of this run on this test set"
    reason: str


def expected_calibration_error(labels: ArrayLike, probabilities: ArrayLike, *, bins: int = 15) -> CalibrationError:
    """Describe how far a model's confidence in its predictions is from its accuracy.

    There is no test and no interval, on purpose. The value is a sum of absolute differences, so that noise
    never cancels: a perfectly calibrated model scores above 0, the more so the fewer examples and the more
    bins there are. The bias depends on the accuracy too, and a gap between two models may be nothing but a
    gap between their biases. Compare calibration by log loss or Brier score, which are means of scores.

    Parameters
    ----------
    labels : array_like of int, shape (N,)
        True classes, from 0 to ``C - 1``.
    probabilities : array_like, shape (N, C)
        Of every class, for one trial. The predicted class is the first of the largest.
    bins : int
        Number of bins of equal width, at least 1. A confidence on an edge belongs to the lower bin.

    Returns
    -------
    CalibrationError
        Generalises to nothing; values with different test sets or bins are not comparable.

    Raises
    ------
    ValueError
        If the shapes do not match, a label is no class, a row of probabilities is none, or `bins` is below 1.

    References
    ----------
    Naeini, Cooper and Hauskrecht (2015), AAAI, 2901-2907. Guo, Pleiss, Sun and Weinberger (2017), ICML,
    1321-1330, section 2. Nixon et al. (2019), CVPR Workshops, 38-41 (bias and bins).

    Examples
    --------
    >>> result = expected_calibration_error([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], bins=2)
    >>> round(result.value, 3), [each.count for each in result.bins]
    (0.133, [0, 3])
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    table = np.asarray(probabilities)
    if table.ndim != 2:
        raise ValueError(f"probabilities must be a matrix of examples x classes, got shape {table.shape}")
    truth, p = labelled_probabilities(labels, table[None])
    _check_shares(p)
    confidence = p[0].max(axis=1)
    right = predicted_classes(p[0]) == truth
    # In the precision of the probabilities, or a 32-bit 0.8 would lie above an edge at 0.8.
    edges = (np.arange(1, bins) / bins).astype(confidence.dtype)
    # Edge by edge, which is many times faster than a search for every example.
    place = np.zeros(len(confidence), np.min_scalar_type(bins))
    for edge in edges:
        place += confidence > edge
    count = np.bincount(place, minlength=bins)
    filled = count > 0
    sums = [np.bincount(place, weights=values, minlength=bins) for values in (confidence, right)]
    means = [np.divide(total, count, out=np.full(bins, np.nan), where=filled) for total in sums]
    empty = int(np.count_nonzero(~filled))
    return CalibrationError(
        value=float(np.abs(sums[0] - sums[1]).sum() / len(truth)),
        bins=tuple(
            CalibrationBin(count=int(n), confidence=float(mean), accuracy=float(share))
            for n, mean, share in zip(count, *means, strict=True)
        ),
        reason=f"{empty} of {bins} bins hold no example" if empty else "",
    )


def log_loss_scores(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.float64]:
    """Score every prediction by its log loss: minus the natural logarithm of the true class's probability.

    Parameters
    ----------
    labels : array_like of int, shape (N,)
        True classes, from 0 to ``C - 1``.
    probabilities : array_like, shape (S, N, C)
        Of every class, by trial and example; each sums to 1. A probability of the true class below the
        resolution of 32-bit numbers (about 1.2e-7) counts as that resolution: the loss ends at 15.9, and a
        single rounded 0 does not make a whole trial infinite.

    Returns
    -------
    ndarray of float, shape (S, N)
        Per-example scores, ready for `crossed_test`. Lower is better.

    Raises
    ------
    ValueError
        If the shapes do not match, a label is no class, or a row of probabilities is none.

    See Also
    --------
    brier_scores : Squared errors, which are bounded.
    metric_scores : The same for any metric, by its name.

    Examples
    --------
    >>> log_loss_scores([0, 1], [[[0.5, 0.5], [0.75, 0.25]]]).round(3).tolist()
    [[0.693, 1.386]]
    """
    truth, p = labelled_probabilities(labels, probabilities)
    _check_shares(p)
    chosen = p[:, np.arange(len(truth)), truth].astype(np.float64)
    return np.log(1 / np.clip(chosen, float(np.finfo(np.float32).eps), 1.0))


def brier_scores(labels: ArrayLike, probabilities: ArrayLike) -> NDArray[np.float64]:
    """Score every prediction by its squared error over all classes (Brier).

    Parameters
    ----------
    labels : array_like of int, shape (N,)
        True classes, from 0 to ``C - 1``.
    probabilities : array_like, shape (S, N, C)
        Of every class, by trial and example; each sums to 1.

    Returns
    -------
    ndarray of float, shape (S, N)
        Per-example scores from 0 to 2, ready for `crossed_test`. Lower is better. With two classes they are
        twice the squared error of one column, which other programs report.

    Raises
    ------
    ValueError
        If the shapes do not match, a label is no class, or a row of probabilities is none.

    See Also
    --------
    log_loss_scores : A loss that punishes confident mistakes harder.
    metric_scores : The same for any metric, by its name.

    References
    ----------
    Brier (1950), Monthly Weather Review 78, 1-3.

    Examples
    --------
    >>> brier_scores([0, 1], [[[0.5, 0.5], [0.75, 0.25]]]).tolist()
    [[0.5, 1.125]]
    """
    truth, p = labelled_probabilities(labels, probabilities)
    _check_shares(p)
    scores = np.zeros(p.shape[:2])
    for label in range(p.shape[2]):
        scores += (p[:, :, label] - (truth == label).astype(np.float64)) ** 2
    return scores


def _check_shares(p: NDArray[np.floating]) -> None:
    # 32-bit softmax over many classes is off by some 1e-6; a row of logits by far more.
    total = p.sum(axis=2, dtype=np.float64)
    if p.min() < -1e-6 or np.abs(total - 1).max() > 1e-3:
        raise ValueError(
            "probabilities must be 0 or more and sum to 1 over the classes, "
            f"got a smallest one of {p.min():.3g} and sums from {total.min():.6g} to {total.max():.6g}"
        )
