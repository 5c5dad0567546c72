"""Metrics of the confusion matrix, with their derivatives: precision, recall, F1, balanced accuracy, MCC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Share of hits among what: weight of the examples of the class, weight of its predictions, name of the mean.
_BY_CLASS = {"precision": (0, 1, None), "recall": (1, 0, "balanced_accuracy"), "f1": (1, 1, "macro_f1")}


class ConfusionMetric(Protocol):
    """A metric that depends on the confusion matrix alone.

    It describes the trials on their test set.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def n_classes(self) -> int: ...  # noqa: D102

    def value(self, p: ArrayLike) -> Floats:
        """Return the metric.

        Parameters
        ----------
        p : array_like, shape (..., C, C)
            Share of every cell: rows true, columns predicted, sum 1.

        Returns
        -------
        ndarray of float, shape (...)
            NaN where the metric is undefined.
        """

    def gradient(self, p: ArrayLike) -> Floats:
        """Return the partial derivatives of the metric by the share of every cell.

        Parameters
        ----------
        p : array_like, shape (..., C, C)
            As for `value`.

        Returns
        -------
        ndarray of float, shape (..., C, C)
            NaN where the metric is undefined.
        """


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
        indicator = np.eye(self.n_classes)[self.label]
        weight = self.true * indicator[:, None] + self.predicted * indicator[None, :]
        hit = (self.true + self.predicted) * np.outer(indicator, indicator)
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


def _cells(p: ArrayLike, n_classes: int) -> Floats:
    cells = np.asarray(p, dtype=np.float64)
    if cells.shape[-2:] != (n_classes, n_classes):
        raise ValueError(f"p must end in {n_classes} x {n_classes} shares, got shape {cells.shape}")
    return cells


def _hits(p: Floats) -> Floats:
    return np.asarray(np.trace(p, axis1=-2, axis2=-1), dtype=np.float64)
