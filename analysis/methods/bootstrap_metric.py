"""Multi-bootstrap for metrics of the confusion matrix: precision, F1, balanced accuracy and their kind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.methods.bootstrap import MultiBootstrapResult
from analysis.methods.interval import NO_INTERVAL
from analysis.methods.resamples import draw_counts, example_draws, percentile_limits, tail_size
from analysis.methods.variance import ROUNDING

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_NAN = float("nan")


class CellMetric(Protocol):
    """A metric that is a function of the shares of the confusion matrix's cells."""

    @property
    def n_classes(self) -> int:
        """Number of classes C, at least 2."""
        ...

    def value(self, p: NDArray[np.float64], /) -> NDArray[np.float64]:
        """Value at cell shares `p` of shape (..., C, C), rows true and columns predicted; NaN where undefined."""
        ...


def multi_bootstrap_metric(
    metric: CellMetric,
    labels: ArrayLike,
    treatment: ArrayLike,
    baseline: ArrayLike,
    *,
    paired: bool,
    rng: np.random.Generator,
    resamples: int = 10_000,
    confidence: float = 0.95,
) -> MultiBootstrapResult:
    """Bootstrap the difference of two arms' mean metric over seeds and examples at once.

    An arm's metric is the mean of its trials' metrics, each computed from that trial's confusion matrix on the
    resampled examples.

    Parameters
    ----------
    metric : CellMetric
        Its `value` takes cell shares of any leading shape and gives one number per matrix.
    labels : array_like of int, shape (N,)
        True classes, from 0 to ``metric.n_classes - 1``.
    treatment, baseline : array_like of int, shapes (S_t, N) and (S_b, N)
        Predicted classes, one row per seed, on the same examples in the same order. If `paired`, with the same
        seeds in the same order.
    paired : bool
        Whether row ``s`` of both arms comes from the same seed.
    rng : numpy.random.Generator
        Source of the draws. The same state gives the same result.
    resamples : int
        At least ``2 / (1 - confidence) - 1``.
    confidence : float
        Between 0 and 1, both excluded.

    Returns
    -------
    MultiBootstrapResult
        Generalises to new seeds and new examples. The studentised numbers are NaN. Resamples in which a drawn trial
        has no metric (a class that it never predicts, say) are left out and counted in `reason`; where they could
        fill a tail of the interval, there is none. With one seed in an arm, or one example, there is an estimate
        and nothing else.

    Raises
    ------
    ValueError
        If an array holds anything but classes, if the shapes do not match, or if `resamples` or `confidence` are
        outside their range.

    See Also
    --------
    multi_bootstrap : For scores by example.
    confusion_scores : Such a metric as scores by example, for `crossed_test`.

    References
    ----------
    Sellam et al. (2022), "The MultiBERTs", ICLR, section 3.

    Examples
    --------
    >>> class Precision:
    ...     n_classes = 2
    ...     def value(self, p):
    ...         return p[..., 1, 1] / p[..., 1].sum(axis=-1)
    >>> labels = [1, 1, 1, 1, 0, 0, 0, 0]
    >>> treatment = [[1, 1, 1, 1, 0, 0, 0, 1], [1, 1, 1, 0, 0, 0, 0, 0]]
    >>> baseline = [[1, 1, 0, 1, 0, 1, 1, 0], [1, 1, 1, 1, 0, 1, 1, 1]]
    >>> rng = np.random.default_rng(0)
    >>> result = multi_bootstrap_metric(Precision(), labels, treatment, baseline, paired=True, rng=rng)
    >>> f"{result.estimate:.3f}"
    '0.314'
    """
    tail_size(resamples, confidence)
    cells_t, cells_b = _cells(labels, treatment, baseline, metric.n_classes, paired=paired)
    S_t, S_b, N = len(cells_t), len(cells_b), cells_t.shape[1]
    arms = [_indicators(cells, metric.n_classes) for cells in (cells_t, cells_b)]
    values_t, values_b = (_run_values(metric, np.ones((1, N)), arm) for arm in arms)
    estimate = float(values_t.mean() - values_b.mean())
    reasons = []
    if N == 1:
        reasons.append("one test example says nothing about new examples")
    if min(S_t, S_b) == 1:
        reasons.append("one seed says nothing about a training procedure")
    if not math.isfinite(estimate):
        estimate = _NAN
        reasons.append("the metric is undefined for a run")
    interval, p_value, error = NO_INTERVAL, _NAN, _NAN
    if not reasons:
        W_t = draw_counts(rng, resamples, S_t)
        W_b = W_t if paired else draw_counts(rng, resamples, S_b)
        drawn = np.empty(resamples)
        for rows, V in example_draws(rng, resamples, N):
            means = (
                # A trial that was not drawn may be undefined.
                np.einsum("bs,bs->b", W, np.where(W > 0, _run_values(metric, V, arm), 0.0)) / W.shape[1]
                for W, arm in zip((W_t[rows], W_b[rows]), arms, strict=True)
            )
            drawn[rows] = next(means) - next(means)
        reasons.append("no studentised interval for a metric of the confusion matrix")
        defined = drawn[np.isfinite(drawn)]
        lost = resamples - len(defined)
        if lost:
            reasons.append(f"the metric is undefined in {lost} of {resamples} resamples: they are left out")
        if lost >= resamples * (1 - confidence) / 2:
            reasons.append("too many resamples are left out for an interval")
        else:
            error = float(defined.std(ddof=1))
            interval, p_value = percentile_limits(defined, confidence, ROUNDING)
    return MultiBootstrapResult(
        estimate=estimate,
        bootstrap_se=error,
        percentile_interval=interval,
        p_percentile=p_value,
        studentised_interval=NO_INTERVAL,
        p_studentised=_NAN,
        confidence=confidence,
        resamples=resamples,
        n_seeds=(S_t, S_b),
        n_examples=N,
        reason="; ".join(reasons),
    )


def _indicators(cells: NDArray[np.int64], n_classes: int) -> csr_array:
    """Which examples (columns) lie in which cell of which trial (rows): one entry for each trial and example."""
    from scipy.sparse import csr_array

    S, N = cells.shape
    rows = (cells + n_classes**2 * np.arange(S)[:, None]).ravel()
    return csr_array((np.ones(S * N), (rows, np.tile(np.arange(N), S))), shape=(S * n_classes**2, N))


def _run_values(metric: CellMetric, V: NDArray[np.float64], indicators: csr_array) -> NDArray[np.float64]:
    """Metric of every trial on every resample of examples (rows of `V`)."""
    B, N = V.shape
    C = metric.n_classes
    shares = (indicators @ np.ascontiguousarray(V.T) / N).T.reshape(B, -1, C, C)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(metric.value(shares), dtype=np.float64)


def _cells(
    labels: ArrayLike, treatment: ArrayLike, baseline: ArrayLike, n_classes: int, *, paired: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if n_classes < 2:
        raise ValueError(f"n_classes must be at least 2, got {n_classes}")
    arrays = {"labels": (labels, 1), "treatment": (treatment, 2), "baseline": (baseline, 2)}
    checked = []
    for name, (given, ndim) in arrays.items():
        values = np.asarray(given)
        if values.ndim != ndim or values.size == 0 or values.dtype.kind not in "iub":
            wanted = "one row of class numbers" if ndim == 1 else "a matrix of class numbers, seeds x examples"
            raise ValueError(f"{name} must be {wanted}, got shape {values.shape} of {values.dtype}")
        if values.min() < 0 or values.max() >= n_classes:
            raise ValueError(f"{name} must lie between 0 and {n_classes - 1}, got {values.min()} to {values.max()}")
        checked.append(values.astype(np.int64))
    truth, runs_t, runs_b = checked
    if not len(truth) == runs_t.shape[1] == runs_b.shape[1]:
        raise ValueError(
            "every example needs a label and a prediction of each run, "
            f"got {len(truth)} labels and predictions of shapes {runs_t.shape} and {runs_b.shape}"
        )
    if paired and len(runs_t) != len(runs_b):
        raise ValueError(
            "paired arms need the same seeds, "
            f"got {len(runs_t)} for the treatment and {len(runs_b)} for the baseline; pass paired=False"
        )
    return truth * n_classes + runs_t, truth * n_classes + runs_b
