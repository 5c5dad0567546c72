"""Influence of every example on a metric that is no plain mean: F1, balanced accuracy, MCC and the like by example.

Such a metric is a function of the confusion matrix. Each trial contributes its metric plus the influence of every
example on it (the infinitesimal jackknife). The mean over examples is then exactly the metric, and the spread
over examples is what new examples would do to it, so that `crossed_test` applies unchanged.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.metrics.auroc import auroc_scores
from analysis.metrics.calibration_error import brier_scores, log_loss_scores
from analysis.metrics.classes import class_dtype, correct, labelled_probabilities, predicted_classes
from analysis.metrics.confusion_metrics import ConfusionMetric, confusion_metric
from analysis.metrics.metric_kinds import METRICS

Floats = NDArray[np.float64]


def confusion_scores(metric: ConfusionMetric, labels: ArrayLike, predictions: ArrayLike) -> Floats:
    """Score every example so that the mean of each trial is its metric.

    Parameters
    ----------
    metric : ConfusionMetric
        From `confusion_metric`.
    labels : array_like of int, shape (N,)
        True classes, from 0 to ``C - 1``.
    predictions : array_like of int, shape (S, N)
        Predicted classes, one row per trial.

    Returns
    -------
    ndarray of float, shape (S, N)
        Metric of the trial plus influence of the example, ready for `crossed_test`. Single values can lie far
        outside the metric's range: an example of a rare class moves the metric much. A trial whose metric is
        undefined is NaN throughout.

    Raises
    ------
    ValueError
        If the shapes do not match, or anything but classes is found.

    See Also
    --------
    auroc_scores : For the area under the ROC curve.
    metric_scores : The same for any metric, by its name.

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
    for name, values in (("labels", truth), ("predictions", answers)):
        if values.dtype.kind not in "iub":
            raise ValueError(f"{name} must be class numbers, got {values.dtype}")
        if values.min() < 0 or values.max() >= C:
            raise ValueError(f"{name} must lie between 0 and {C - 1}, got {values.min()} to {values.max()}")
    S, N = answers.shape
    # Which cell of the confusion matrix an answer is in, in the smallest numbers that hold it.
    small = class_dtype(C * C)
    rows = (truth.astype(np.int64) * C).astype(small)
    cells = answers.astype(small)
    cells += rows
    shares = np.stack([np.bincount(row, minlength=C * C) for row in cells]) / N
    p = shares.reshape(S, C, C)
    slopes = metric.gradient(p).reshape(S, C * C)
    by_cell = metric.value(p)[:, None] + slopes - np.sum(shares * slopes, axis=1, keepdims=True)
    scores = np.empty((S, N))
    for run, row, values in zip(scores, cells, by_cell, strict=True):
        np.take(values, row, out=run)
    return scores


def metric_scores(name: str, labels: ArrayLike, probabilities: ArrayLike) -> Floats:
    """Score every example of every trial by a metric of `METRICS`, so that each trial's mean is its metric.

    Parameters
    ----------
    name : str
        A key of `METRICS` whose `task` is classification. The predicted class is the first of the largest
        probabilities. ``auroc`` is class 1 against class 0, and with more classes the mean over the classes, each
        against the rest.
    labels : array_like of int, shape (N,)
        True classes, from 0 to ``C - 1``.
    probabilities : array_like, shape (S, N, C)
        Of every class, by trial and example.

    Returns
    -------
    ndarray of float, shape (S, N)
        Ready for `crossed_test`, whose result generalises to new seeds and new examples. NaN throughout for a
        trial whose metric is undefined, as `confusion_metric` and `auroc_scores` say.

    Raises
    ------
    ValueError
        If there is no such metric, the shapes do not match, a label is no class, or a probability is not
        finite.

    See Also
    --------
    class_metric_scores : The same for predicted classes, by metrics that need no probabilities.
    correct, confusion_scores, auroc_scores, log_loss_scores, brier_scores : The functions that it calls.
    regression_scores : The same for predicted numbers.

    Examples
    --------
    >>> probabilities = [[[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]]
    >>> {name: round(float(metric_scores(name, [0, 0, 1, 1], probabilities).mean()), 3)
    ...  for name, kind in METRICS.items() if kind.task == "classification"} # doctest: +NORMALIZE_WHITESPACE
    {'accuracy': 0.75, 'balanced_accuracy': 0.75, 'macro_f1': 0.733, 'mcc': 0.577, 'auroc': 1.0,
     'log_loss': 0.4, 'brier': 0.25}
    """
    known = [kind.name for kind in METRICS.values() if kind.task == "classification"]
    if name not in known:
        raise ValueError(f"no metric of classes is called {name!r}: choose from {', '.join(known)}")
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
    return class_metric_scores(name, truth, predicted_classes(p), n_classes=C)


def class_metric_scores(name: str, labels: ArrayLike, predictions: ArrayLike, *, n_classes: int) -> Floats:
    """Score every example of every trial by a metric of predicted classes, so that each trial's mean is its metric.

    Parameters
    ----------
    name : str
        A key of `METRICS` that needs no probabilities.
    labels : array_like of int, shape (N,)
        True classes, from 0 to ``n_classes - 1``.
    predictions : array_like of int, shape (S, N)
        Predicted classes, one row per trial.
    n_classes : int
        Number of classes, at least 2.

    Returns
    -------
    ndarray of float, shape (S, N)
        As `metric_scores` makes them.

    Raises
    ------
    ValueError
        If there is no such metric, or the shapes or classes do not match.

    Examples
    --------
    >>> class_metric_scores("accuracy", [0, 1, 1], [[0, 0, 1]], n_classes=2).tolist()
    [[1.0, 0.0, 1.0]]
    """
    if name == "accuracy":
        return np.stack([correct(labels, answer) for answer in np.asarray(predictions)])
    return confusion_scores(confusion_metric(name, n_classes=n_classes), labels, predictions)
