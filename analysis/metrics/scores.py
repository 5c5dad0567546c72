"""Scores of predictions: right or wrong by example, AUROC, and precision, recall and F1 by class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Up to so many, the largest probability is found class by class.
_FEW_CLASSES = 16


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


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricKind:
    """What a study has to know about a metric to show it.

    Parameters
    ----------
    name : str
        As a study file writes it.
    title : str
        As a table shows it.
    higher_is_better : bool
    share : bool
        Whether it ends at 1 and its differences are shown in percentage points.
    task : {"classification", "regression", "scores"}
        Whether it judges predicted classes or predicted numbers, or is itself what a study stores for each example.
    of_probabilities : bool
        Whether it needs the probability of each class, so that predicted classes alone do not give it.
    """

    name: str
    title: str
    higher_is_better: bool = True
    share: bool = True
    task: Literal["classification", "regression", "scores"] = "classification"
    of_probabilities: bool = False

    @property
    def label(self) -> str:
        """The metric as a study file writes it; a score by the name that others gave it."""
        return self.title if self.task == "scores" else self.name

    @property
    def heading(self) -> str:
        """The title at the beginning of a sentence; a score keeps the name that others gave it."""
        return self.title if self.task == "scores" else f"{self.title[0].upper()}{self.title[1:]}"


METRICS: Mapping[str, MetricKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            MetricKind(name="accuracy", title="accuracy"),
            MetricKind(name="balanced_accuracy", title="balanced accuracy"),
            MetricKind(name="macro_f1", title="macro-F1"),
            MetricKind(name="mcc", title="MCC"),
            MetricKind(name="auroc", title="AUROC", of_probabilities=True),
            MetricKind(name="log_loss", title="log loss", higher_is_better=False, share=False, of_probabilities=True),
            MetricKind(name="brier", title="Brier score", higher_is_better=False, share=False, of_probabilities=True),
            MetricKind(name="pearson", title="Pearson correlation", share=False, task="regression"),
            MetricKind(name="spearman", title="Spearman correlation", share=False, task="regression"),
            MetricKind(name="mse", title="mean squared error", higher_is_better=False, share=False, task="regression"),
        )
    }
)


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
    truth, answer = _classes(labels, predictions)
    for name, values in (("labels", truth), ("predictions", answer)):
        _check_range(name, values, n_classes)
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
    truth, answer = _classes(labels, predictions)
    return np.asarray(truth == answer, dtype=np.float64)


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
    truth, _ = _classes(labels, np.zeros(values.shape[1], dtype=np.int64), pair="column of scores")
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
    truth, _ = _classes(labels, np.zeros(p.shape[1], dtype=np.int64), pair="row of probabilities")
    _check_range("labels", truth, p.shape[2])
    return truth, p


def _classes(
    labels: ArrayLike, predictions: ArrayLike, *, pair: str = "prediction"
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    truth, answer = np.asarray(labels), np.asarray(predictions)
    for name, values in (("labels", truth), ("predictions", answer)):
        if values.ndim != 1 or (values.size and values.dtype.kind not in "iub"):
            raise ValueError(f"{name} must be one row of class numbers, got shape {values.shape} of {values.dtype}")
    if len(truth) != len(answer):
        raise ValueError(f"every label needs one {pair}, got {len(truth)} and {len(answer)}")
    return truth.astype(np.int64), answer.astype(np.int64)


def _check_range(name: str, values: NDArray[np.int64], n_classes: int) -> None:
    if values.size and not (values.min() >= 0 and values.max() < n_classes):
        raise ValueError(f"{name} must lie between 0 and {n_classes - 1}, got {values.min()} to {values.max()}")


def _share_below(others: NDArray[np.generic], values: NDArray[np.generic]) -> NDArray[np.float64]:
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    return below / (2 * len(others))


def _share(part: NDArray[np.float64], whole: NDArray[np.float64], defined: NDArray[np.bool_]) -> tuple[float, ...]:
    return tuple(np.divide(part, whole, out=np.full(part.shape, np.nan), where=defined).tolist())
