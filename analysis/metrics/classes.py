"""Classes of labels and predictions: their numbers checked, the most probable one, right or wrong by example."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Up to so many, the largest probability is found class by class.
_FEW_CLASSES = 16


def class_numbers(
    labels: ArrayLike, predictions: ArrayLike, *, pair: str = "prediction"
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Check that labels and predictions are class numbers, one of each for every example, and return both as arrays."""
    truth, answer = np.asarray(labels), np.asarray(predictions)
    for name, values in (("labels", truth), ("predictions", answer)):
        if values.ndim != 1 or (values.size and values.dtype.kind not in "iub"):
            raise ValueError(f"{name} must be one row of class numbers, got shape {values.shape} of {values.dtype}")
    if len(truth) != len(answer):
        raise ValueError(f"every label needs one {pair}, got {len(truth)} and {len(answer)}")
    return truth.astype(np.int64), answer.astype(np.int64)


def check_range(name: str, values: NDArray[np.int64], n_classes: int) -> None:
    """Check that class numbers are those of so many classes."""
    if values.size and not (values.min() >= 0 and values.max() < n_classes):
        raise ValueError(f"{name} must lie between 0 and {n_classes - 1}, got {values.min()} to {values.max()}")


def labelled_probabilities(
    labels: ArrayLike, probabilities: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """Check true classes against the class probabilities of several trials.

    Parameters
    ----------
    labels : array_like of int, shape (N,)
        True classes, from 0 to ``C - 1``.
    probabilities : array_like, shape (S, N, C)
        Finite; C at least 2. Whether they sum to 1 is not looked at.

    Returns
    -------
    tuple of ndarray
        Both as arrays; the probabilities in their own precision. They describe these trials on this test set.

    Raises
    ------
    ValueError
        If the shapes do not match, a label is no class, or a probability is not finite.
    """
    p = np.asarray(probabilities)
    if p.ndim != 3 or p.size == 0 or p.shape[2] < 2 or p.dtype.kind not in "iuf":
        raise ValueError(
            "probabilities must be an array of runs x examples x classes, with two classes or more, "
            f"got shape {p.shape} of {p.dtype}"
        )
    p = p if p.dtype.kind == "f" else p.astype(np.float64)
    if not np.isfinite(p).all():
        raise ValueError(f"probabilities must be finite, got {np.count_nonzero(~np.isfinite(p))} others")
    truth, _ = class_numbers(labels, np.zeros(p.shape[1], dtype=np.int64), pair="row of probabilities")
    check_range("labels", truth, p.shape[2])
    return truth, p


def class_dtype(n_classes: int) -> np.dtype[np.unsignedinteger]:
    """Return the smallest unsigned integers that number so many classes.

    Examples
    --------
    >>> class_dtype(3), class_dtype(1000)
    (dtype('uint8'), dtype('uint16'))
    """
    smallest: np.dtype[np.unsignedinteger] = np.min_scalar_type(n_classes - 1)
    return smallest


def predicted_classes(probabilities: NDArray[np.floating]) -> NDArray[np.integer]:
    """Return the class with the largest probability, the first of several equal ones.

    Parameters
    ----------
    probabilities : array, shape (..., classes)
        Class probabilities, none of them NaN.

    Returns
    -------
    ndarray, shape (...)
        Of the smallest unsigned integers that hold them; see `class_dtype`.

    Examples
    --------
    >>> predicted_classes(np.array([[0.2, 0.8], [0.5, 0.5]])).tolist()
    [1, 0]
    """
    n_classes = probabilities.shape[-1]
    if n_classes > _FEW_CLASSES:
        return np.asarray(np.argmax(probabilities, axis=-1), dtype=class_dtype(n_classes))
    # Class by class: many short rows of a few numbers each are what argmax is slow with.
    largest = probabilities[..., 0]
    predicted = np.zeros(largest.shape, class_dtype(n_classes))
    for label in range(1, n_classes):
        np.copyto(predicted, label, where=probabilities[..., label] > largest)
        largest = np.maximum(largest, probabilities[..., label])
    return predicted


def correct(labels: ArrayLike, predictions: ArrayLike) -> NDArray[np.float64]:
    """Score every prediction: 1 where it is right, 0 where it is wrong. Their mean is the accuracy.

    Parameters
    ----------
    labels, predictions : array_like of int, shape (N,)
        True and predicted classes.

    Returns
    -------
    ndarray of float, shape (N,)
        Per-example scores, ready for `crossed_test`.

    Raises
    ------
    ValueError
        If the arrays are not one-dimensional whole numbers of equal length.

    See Also
    --------
    metric_scores : Scores for other metrics, by their names.

    Examples
    --------
    >>> correct([0, 1, 1], [0, 0, 1]).tolist()
    [1.0, 0.0, 1.0]
    """
    truth, answer = class_numbers(labels, predictions)
    return np.asarray(truth == answer, dtype=np.float64)
