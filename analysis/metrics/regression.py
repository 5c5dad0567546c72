"""Regression metrics by example: squared error, and Pearson's and Spearman's correlation through influence values.

A correlation is no mean over examples. Each trial contributes its correlation plus the influence of every example on
it, as in `analysis.metrics.influence` for the metrics of the confusion matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def mse_scores(labels: ArrayLike, predictions: ArrayLike) -> Floats:
    """Score every example by its squared error. The mean of each trial is its mean squared error.

    Parameters
    ----------
    labels : array_like of float, shape (N,)
        True values.
    predictions : array_like of float, shape (S, N)
        Predicted values, one row per trial.

    Returns
    -------
    ndarray of float, shape (S, N)
        In squared units of the labels, ready for `crossed_test`. Lower is better.

    Raises
    ------
    ValueError
        If the shapes do not match, or a number is not finite.

    See Also
    --------
    pearson_scores, spearman_scores : Scores that do not depend on the units of the predictions.

    Examples
    --------
    >>> mse_scores([1.0, 2.0, 4.0], [[1.0, 2.5, 3.0]]).tolist()
    [[0.0, 0.25, 1.0]]
    """
    y, predicted = _values(labels, predictions)
    return np.asarray((predicted - y) ** 2, dtype=np.float64)


def pearson_scores(labels: ArrayLike, predictions: ArrayLike) -> Floats:
    """Score every example so that the mean of each trial is Pearson's correlation of labels and predictions.

    Parameters
    ----------
    labels : array_like of float, shape (N,)
        True values.
    predictions : array_like of float, shape (S, N)
        Predicted values, one row per trial.

    Returns
    -------
    ndarray of float, shape (S, N)
        Correlation of the trial plus influence of the example, ready for `crossed_test`. Single values can lie far
        outside -1 to 1: the influence of an outlier has no bound. NaN throughout for a trial that predicts one and the
        same value everywhere, and for every trial where all labels are equal: a constant has no correlation.

    Raises
    ------
    ValueError
        If the shapes do not match, or a number is not finite.

    See Also
    --------
    spearman_scores : The correlation of the ranks, on which an outlier has a bounded influence.

    Notes
    -----
    With ``z`` the standardised values, an example's influence is ``z_x z_y - r (z_x^2 + z_y^2) / 2``.

    References
    ----------
    Devlin, Gnanadesikan and Kettenring (1975), Biometrika 62, 531-545.

    Examples
    --------
    >>> scores = pearson_scores([1.0, 2.0, 3.0, 4.0], [[1.0, 3.0, 2.0, 4.0]])
    >>> scores.round(2).tolist(), round(float(scores.mean()), 2)
    ([[1.16, 0.44, 0.44, 1.16]], 0.8)
    """
    y, predicted = _values(labels, predictions)
    z_y = _standardised(y)
    return np.stack([_correlated(z_y, _standardised(row)) for row in predicted])


def spearman_scores(labels: ArrayLike, predictions: ArrayLike) -> Floats:
    """Score every example so that the mean of each trial is Spearman's correlation of labels and predictions.

    Parameters
    ----------
    labels : array_like of float, shape (N,)
        True values.
    predictions : array_like of float, shape (S, N)
        Predicted values, one row per trial.

    Returns
    -------
    ndarray of float, shape (S, N)
        Correlation of the trial plus influence of the example, ready for `crossed_test`. NaN throughout for a trial
        that predicts one and the same value everywhere, and for every trial where all labels are equal.

    Raises
    ------
    ValueError
        If the shapes do not match, or a number is not finite.

    See Also
    --------
    pearson_scores : The correlation of the values themselves.

    Notes
    -----
    Equal values share the mean of their ranks. An example counts twice: by its own two ranks, as in Pearson's
    correlation of the ranks, and by moving the ranks of the examples above it. Without the second part the standard
    error would be too small, by 4% for normal values with a correlation of .8.

    References
    ----------
    Croux and Dehon (2010), Statistical Methods and Applications 19, 497-515.

    Examples
    --------
    >>> scores = spearman_scores([1.0, 2.0, 3.0, 4.0], [[0.1, 0.9, 0.3, 7.0]])
    >>> scores.round(2).tolist(), round(float(scores.mean()), 2)
    ([[1.4, 0.2, 0.2, 1.4]], 0.8)
    """
    y, predicted = _values(labels, predictions)
    of_labels = _Ranks(y)
    scores = np.empty(predicted.shape)
    for run, row in zip(scores, predicted, strict=True):
        ranks = _Ranks(row)
        run[:] = _correlated(of_labels.z, ranks.z)
        rho = run.mean()
        run += of_labels.mean_above(ranks.z - rho * of_labels.z) + ranks.mean_above(of_labels.z - rho * ranks.z)
    return scores


def regression_scores(name: str, labels: ArrayLike, predictions: ArrayLike) -> Floats:
    """Score every example of every trial by a regression metric of `METRICS`, so that each trial's mean is its metric.

    Parameters
    ----------
    name : str
        ``mse``, ``pearson`` or ``spearman``: a key of `METRICS` whose `task` is regression.
    labels : array_like of float, shape (N,)
        True values.
    predictions : array_like of float, shape (S, N)
        Predicted values, one row per trial.

    Returns
    -------
    ndarray of float, shape (S, N)
        Ready for `crossed_test`, whose result generalises to new seeds and new examples. NaN throughout for a trial
        whose correlation is undefined, as `pearson_scores` says.

    Raises
    ------
    ValueError
        If there is no such metric, the shapes do not match, or a number is not finite.

    See Also
    --------
    mse_scores, pearson_scores, spearman_scores : The functions that it calls.
    metric_scores : The same for classes.

    Examples
    --------
    >>> labels, predictions = [1.0, 2.0, 3.0, 4.0], [[1.0, 2.5, 2.5, 6.0]]
    >>> names = ("pearson", "spearman", "mse")
    >>> {name: round(float(regression_scores(name, labels, predictions).mean()), 3) for name in names}
    {'pearson': 0.913, 'spearman': 0.949, 'mse': 1.125}
    """
    by_name = {"pearson": pearson_scores, "spearman": spearman_scores, "mse": mse_scores}
    if name not in by_name:
        raise ValueError(f"no regression metric is called {name!r}: choose from {', '.join(by_name)}")
    return by_name[name](labels, predictions)


class _Ranks:
    """Values by their place among all: the share below, ties counting half."""

    def __init__(self, values: Floats) -> None:
        self._order = np.argsort(values, kind="stable")
        ordered = values[self._order]
        self._first = np.searchsorted(ordered, values, side="left")
        self._end = np.searchsorted(ordered, values, side="right")
        shares = (self._first + self._end) / (2 * len(values))
        self._sd = shares.std()
        self.z = _standardised(shares)

    def mean_above(self, weights: Floats) -> Floats:
        """Return what one more example at each place does to the mean of place times weight, per SD of the places.

        It lifts every example above it by one place and its equals by half a place.
        """
        sums = np.concatenate([[0.0], np.cumsum(weights[self._order])])
        lifted = sums[-1] - (sums[self._first] + sums[self._end]) / 2
        return np.asarray(lifted / (len(weights) * self._sd), dtype=np.float64)


def _standardised(values: Floats) -> Floats:
    """Return values with mean 0 and SD 1 (dividing by N); NaN where they are all equal."""
    if values.min() == values.max():
        return np.full(values.shape, np.nan)
    # A power of two changes no digit, and brings values whose squares would leave the floating-point range near 1.
    scaled = np.ldexp(values, -np.frexp(np.abs(values).max())[1])
    centred = scaled - scaled.mean()
    return np.asarray(centred / centred.std(), dtype=np.float64)


def _correlated(z_x: Floats, z_y: Floats) -> Floats:
    """Return correlation plus influence of standardised values."""
    r = (z_x * z_y).mean()
    return np.asarray(r + z_x * z_y - r * (z_x**2 + z_y**2) / 2, dtype=np.float64)


def _values(labels: ArrayLike, predictions: ArrayLike) -> tuple[Floats, Floats]:
    y, predicted = np.asarray(labels), np.asarray(predictions)
    if predicted.ndim != 2 or y.shape != predicted.shape[1:] or predicted.size == 0:
        raise ValueError(
            "labels must be one row of examples and predictions a matrix of runs x the same examples, "
            f"got shapes {y.shape} and {predicted.shape}"
        )
    for name, values in (("labels", y), ("predictions", predicted)):
        if values.dtype.kind not in "iuf":
            raise ValueError(f"{name} must be numbers, got {values.dtype}")
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite, got {np.count_nonzero(~np.isfinite(values))} others")
    return y.astype(np.float64), predicted.astype(np.float64)
