"""Metrics that are no plain mean, as scores by example: precision, recall, F1, balanced accuracy, MCC.

Such a metric is a function of the confusion matrix. Each run contributes its metric plus the influence of every
example on it (the infinitesimal jackknife). The mean over examples is then exactly the metric, and the spread
over examples is what new examples would do to it, so that `crossed_test` applies unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.metrics.calibration_error import brier_scores, log_loss_scores
from analysis.metrics.scores import METRICS, auroc_scores, correct, labelled_probabilities, predicted_classes

Floats = NDArray[np.float64]

# Share of hits among what: weight of the examples of the class, weight of its predictions, name of the mean.
_BY_CLASS = {"precision": (0, 1, None), "recall": (1, 0, "balanced_accuracy"), "f1": (1, 1, "macro_f1")}


class ConfusionMetric(Protocol):
    """A metric that depends on the confusion matrix alone.

    Both methods take the share of every cell, shape (..., C, C): rows true, columns predicted, sum 1. They
    describe the runs on their test set, and are NaN where the metric is undefined.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def n_classes(self) -> int: ...  # noqa: D102

    def value(self, p: ArrayLike) -> Floats:
        """Value of the metric, shape (...)."""

    def gradient(self, p: ArrayLike) -> Floats:
        """Partial derivative by every cell's share, shape (..., C, C)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Accuracy:
    name: str
    n_classes: int

    def value(self, p: ArrayLike) -> Floats:
        return _hits(_cells(p, self.n_classes))

    def gradient(self, p: ArrayLike) -> Floats:
        return np.broadcast_to(np.eye(self.n_classes), _cells(p, self.n_classes).shape).copy()


@dataclass(frozen=True, slots=True, kw_only=True)
class _ByClass:
    """``(a + b) * hits / (a * true + b * predicted)`` for one class: recall, precision and F1 in one."""

    name: str
    n_classes: int
    label: int
    true: int
    predicted: int

    def value(self, p: ArrayLike) -> Floats:
        return self._value_and_size(_cells(p, self.n_classes))[0]

    def gradient(self, p: ArrayLike) -> Floats:
        value, size = self._value_and_size(_cells(p, self.n_classes))
        own = np.eye(self.n_classes)[self.label]
        weight = self.true * own[:, None] + self.predicted * own[None, :]
        hit = (self.true + self.predicted) * np.outer(own, own)
        slope: Floats = (hit - value[..., None, None] * weight) / size[..., None, None]
        return slope

    def _value_and_size(self, p: Floats) -> tuple[Floats, Floats]:
        true, predicted = p[..., self.label, :].sum(axis=-1), p[..., :, self.label].sum(axis=-1)
        # F1 without an example of the class is undefined like recall: it would only count false alarms.
        defined = (true if self.true else predicted) > 0
        size = np.where(defined, self.true * true + self.predicted * predicted, np.nan)
        return (self.true + self.predicted) * p[..., self.label, self.label] / size, size


@dataclass(frozen=True, slots=True, kw_only=True)
class _Macro:
    name: str
    n_classes: int
    parts: tuple[_ByClass, ...]

    def value(self, p: ArrayLike) -> Floats:
        return np.asarray(np.mean([part.value(p) for part in self.parts], axis=0), dtype=np.float64)

    def gradient(self, p: ArrayLike) -> Floats:
        return np.asarray(np.mean([part.gradient(p) for part in self.parts], axis=0), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mcc:
    """Covariance of the true and the predicted class indicators over the root of their variances."""

    name: str
    n_classes: int

    def value(self, p: ArrayLike) -> Floats:
        return self._parts(_cells(p, self.n_classes))[0]

    def gradient(self, p: ArrayLike) -> Floats:
        cells = _cells(p, self.n_classes)
        value, root, by_true, by_predicted = self._parts(cells)
        total, true, predicted = cells.sum(axis=(-2, -1)), cells.sum(axis=-1), cells.sum(axis=-2)
        top = _hits(cells)[..., None, None] + total[..., None, None] * np.eye(self.n_classes)
        top = top - predicted[..., :, None] - true[..., None, :]
        bottom = by_true[..., :, None] + by_predicted[..., None, :]
        slope: Floats = top / root[..., None, None] - value[..., None, None] * bottom
        return slope

    def _parts(self, p: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        true, predicted = p.sum(axis=-1), p.sum(axis=-2)
        # A sum over the other classes is exactly 0 where there are none; 1 minus a share would leave rounding.
        others = 1 - np.eye(self.n_classes)
        variances = [(share * (share @ others)).sum(axis=-1) for share in (true, predicted)]
        defined = (variances[0] > 0) & (variances[1] > 0)
        of_true, of_predicted = (np.where(defined, variance, np.nan) for variance in variances)
        root = np.sqrt(of_true * of_predicted)
        top = p.sum(axis=(-2, -1)) * _hits(p) - (true * predicted).sum(axis=-1)
        return top / root, root, true @ others / of_true[..., None], predicted @ others / of_predicted[..., None]


def confusion_metric(name: str, *, n_classes: int) -> ConfusionMetric:
    """Find a metric of the confusion matrix by its name.

    Parameters
    ----------
    name : str
        ``accuracy``, ``balanced_accuracy`` (mean recall), ``macro_f1`` (mean of the classes' F1), ``mcc``
        (Matthews' correlation, for several classes Gorodkin's); or ``precision:K``, ``recall:K``, ``f1:K`` for
        class number K.
    n_classes : int
        Number of classes, at least 2.

    Returns
    -------
    ConfusionMetric
        Undefined, and NaN: precision of a class that was never predicted; recall and F1 of a class without an
        example, and with it balanced accuracy and macro-F1; MCC where all examples are of one class or all
        predictions are.

    Raises
    ------
    ValueError
        If there is no such metric, or fewer than two classes.

    References
    ----------
    Gorodkin (2004), Computational Biology and Chemistry 28, 367-374. Takahashi, Yamamoto, Kuchiba and Koyama
    (2022), Applied Intelligence 52, 4961-4972 (macro-F1 by the delta method).

    Examples
    --------
    >>> shares = [[0.5, 0.1], [0.2, 0.2]]
    >>> [round(float(confusion_metric(name, n_classes=2).value(shares)), 3) for name in ("recall:1", "f1:1", "mcc")]
    [0.5, 0.571, 0.356]
    """
    if n_classes < 2:
        raise ValueError(f"n_classes must be at least 2, got {n_classes}")
    named: dict[str, ConfusionMetric] = {
        "accuracy": _Accuracy(name="accuracy", n_classes=n_classes),
        "mcc": _Mcc(name="mcc", n_classes=n_classes),
    }
    for kind, (true, predicted, macro) in _BY_CLASS.items():
        parts = tuple(
            _ByClass(name=f"{kind}:{label}", n_classes=n_classes, label=label, true=true, predicted=predicted)
            for label in range(n_classes)
        )
        named |= {part.name: part for part in parts}
        if macro:
            named[macro] = _Macro(name=macro, n_classes=n_classes, parts=parts)
    if name not in named:
        raise ValueError(f"no metric is called {name!r}: choose from {', '.join(named)}")
    return named[name]


def confusion_scores(metric: ConfusionMetric, labels: ArrayLike, predictions: ArrayLike) -> Floats:
    """Score every example so that the mean of each run is its metric.

    Parameters
    ----------
    metric : ConfusionMetric
        From `confusion_metric`.
    labels : array_like of int, shape (N,)
        True classes, from 0 to ``C - 1``.
    predictions : array_like of int, shape (S, N)
        Predicted classes, one row a run.

    Returns
    -------
    ndarray of float, shape (S, N)
        Metric of the run plus influence of the example, ready for `crossed_test`. Single values can lie far
        outside the metric's range: an example of a rare class moves the metric much. A run whose metric is
        undefined is NaN throughout.

    Raises
    ------
    ValueError
        If the shapes do not match, or anything but classes is found.

    References
    ----------
    Efron (1982), The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6 (infinitesimal jackknife).

    Examples
    --------
    >>> scores = confusion_scores(confusion_metric("recall:1", n_classes=2), [0, 0, 1, 1], [[0, 1, 1, 0]])
    >>> scores.tolist()
    [[0.5, 0.5, 1.5, -0.5]]
    """
    C = metric.n_classes
    truth, answers = np.asarray(labels), np.asarray(predictions)
    if answers.ndim != 2 or truth.shape != answers.shape[1:] or answers.size == 0:
        raise ValueError(
            "labels must be one row of examples and predictions a matrix of runs x the same examples, "
            f"got shapes {truth.shape} and {answers.shape}"
        )
    for what, values in (("labels", truth), ("predictions", answers)):
        if values.dtype.kind not in "iub":
            raise ValueError(f"{what} must be class numbers, got {values.dtype}")
        if values.min() < 0 or values.max() >= C:
            raise ValueError(f"{what} must lie between 0 and {C - 1}, got {values.min()} to {values.max()}")
    S, N = answers.shape
    rows = truth.astype(np.int64) * C
    shares = np.stack([np.bincount(rows + answer, minlength=C * C) for answer in answers]) / N
    p = shares.reshape(S, C, C)
    slopes = metric.gradient(p).reshape(S, C * C)
    by_cell = metric.value(p)[:, None] + slopes - np.sum(shares * slopes, axis=1, keepdims=True)
    scores = np.empty((S, N))
    for run, answer, values in zip(scores, answers, by_cell, strict=True):
        run[:] = values[rows + answer]
    return scores


def metric_scores(name: str, labels: ArrayLike, probabilities: ArrayLike) -> Floats:
    """Score every example of every run by a metric of `METRICS`, so that each run's mean is its metric.

    Parameters
    ----------
    name : str
        A key of `METRICS`. The predicted class is the first of the largest probabilities. ``auroc`` is class
        1 against class 0, and with more classes the mean over the classes, each against the rest.
    labels : array_like of int, shape (N,)
        True classes, from 0 to ``C - 1``.
    probabilities : array_like, shape (S, N, C)
        Of every class, by run and example.

    Returns
    -------
    ndarray of float, shape (S, N)
        Ready for `crossed_test`, whose result generalises to new seeds and new examples. NaN throughout for a
        run whose metric is undefined, as `confusion_metric` and `auroc_scores` say.

    Raises
    ------
    ValueError
        If there is no such metric, the shapes do not match, a label is no class, or a probability is not
        finite.

    Examples
    --------
    >>> probabilities = [[[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]]
    >>> {name: round(float(metric_scores(name, [0, 0, 1, 1], probabilities).mean()), 3) for name in METRICS}
    ... # doctest: +NORMALIZE_WHITESPACE
    {'accuracy': 0.75, 'balanced_accuracy': 0.75, 'macro_f1': 0.733, 'mcc': 0.577, 'auroc': 1.0,
     'log_loss': 0.4, 'brier': 0.25}
    """
    if name not in METRICS:
        raise ValueError(f"no metric is called {name!r}: choose from {', '.join(METRICS)}")
    truth, p = labelled_probabilities(labels, probabilities)
    if name == "log_loss":
        return log_loss_scores(truth, p)
    if name == "brier":
        return brier_scores(truth, p)
    C = p.shape[2]
    if name == "auroc":
        positives = [1] if C == 2 else range(C)
        areas = [auroc_scores(truth, p[:, :, label], positive=label) for label in positives]
        return np.asarray(np.mean(areas, axis=0), dtype=np.float64)
    answers = predicted_classes(p)
    if name == "accuracy":
        return np.stack([correct(truth, answer) for answer in answers])
    return confusion_scores(confusion_metric(name, n_classes=C), truth, answers)


def _cells(p: ArrayLike, n_classes: int) -> Floats:
    cells = np.asarray(p, dtype=np.float64)
    if cells.shape[-2:] != (n_classes, n_classes):
        raise ValueError(f"p must end in {n_classes} x {n_classes} shares, got shape {cells.shape}")
    return cells


def _hits(p: Floats) -> Floats:
    return np.asarray(np.trace(p, axis1=-2, axis2=-1), dtype=np.float64)
