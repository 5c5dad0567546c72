"""Confusion matrix of one trial, and precision, recall and F1 by class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.metrics.classes import check_range, class_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """Precision, recall and F1 of every class, in the order of the labels.

    Parameters
    ----------
    precision : tuple of float
        Share of right answers among the predictions of a class. NaN where it was never predicted.
    recall : tuple of float
        Share of right answers among the examples of a class. NaN where it has no example.
    f1 : tuple of float
        ``2 TP / (2 TP + FP + FN)``: the harmonic mean of the two, and 0 where none of the class's examples
        was found. NaN where the class has no example.
    reason : str
        Why a value is NaN; empty if none is.
    """

    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    reason: str


def confusion(labels: ArrayLike, predictions: ArrayLike, *, n_classes: int) -> NDArray[np.int64]:
    """Count the examples of each true class by predicted class.

    Parameters
    ----------
    labels, predictions : array_like of int, shape (N,)
        True and predicted classes, from 0 to ``n_classes - 1``.
    n_classes : int
        Number of classes, at least 2.

    Returns
    -------
    ndarray of int, shape (n_classes, n_classes)
        Rows are true classes, columns predicted ones. A description of this trial on this test set.

    Raises
    ------
    ValueError
        If the arrays differ in length, or hold anything but classes.

    Examples
    --------
    >>> confusion([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], n_classes=2).tolist()
    [[1, 1], [1, 2]]
    """
    if n_classes < 2:
        raise ValueError(f"n_classes must be at least 2, got {n_classes}")
    truth, answer = class_numbers(labels, predictions)
    for name, values in (("labels", truth), ("predictions", answer)):
        check_range(name, values, n_classes)
    cells = np.bincount(truth * n_classes + answer, minlength=n_classes**2)
    return cells.reshape(n_classes, n_classes).astype(np.int64)


def class_scores(confusion: ArrayLike) -> ClassScores:
    """Precision, recall and F1 of every class.

    Parameters
    ----------
    confusion : array_like of int, shape (C, C)
        Counts, rows true and columns predicted, as `confusion` makes them.

    Returns
    -------
    ClassScores
        A description of this trial on this test set.

    Raises
    ------
    ValueError
        If the matrix is not square, or if a count is negative.

    Examples
    --------
    >>> scores = class_scores([[1, 1], [1, 3]])
    >>> scores.precision, scores.recall, scores.f1
    ((0.5, 0.75), (0.5, 0.75), (0.5, 0.75))
    """
    cells = np.asarray(confusion, dtype=np.float64)
    if cells.ndim != 2 or cells.shape[0] != cells.shape[1] or cells.size == 0:
        raise ValueError(f"confusion must be a square matrix, got shape {cells.shape}")
    if not (cells >= 0).all():
        raise ValueError("confusion must hold counts of 0 or more")
    hits, examples, predicted = np.diag(cells), cells.sum(axis=1), cells.sum(axis=0)
    reasons = [f"class {label} has no examples: no recall, no F1" for label in np.flatnonzero(examples == 0)]
    reasons += [f"class {label} was never predicted: no precision" for label in np.flatnonzero(predicted == 0)]
    return ClassScores(
        precision=_share(hits, predicted, predicted > 0),
        recall=_share(hits, examples, examples > 0),
        f1=_share(2 * hits, examples + predicted, examples > 0),
        reason="; ".join(reasons),
    )


def _share(part: NDArray[np.float64], whole: NDArray[np.float64], defined: NDArray[np.bool_]) -> tuple[float, ...]:
    return tuple(np.divide(part, whole, out=np.full(part.shape, np.nan), where=defined).tolist())
