"""Intervals of a gap over one population alone: new seeds on this test set, or new examples for these trained models.

Papers report one or the other, and so disagree about the same gap. Neither speaks about training procedures on new
data: for that, and for the headline, there is `analysis.crossed_test`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.methods.arm_scores import ArmScores, as_arm
from analysis.methods.over_seeds import paired_t
from analysis.methods.student import TResult
from analysis.methods.variance import ROUNDING, df_over_examples

_NAN = float("nan")


def gap_over_seeds(treatment: ArrayLike, baseline: ArrayLike, *, paired: bool) -> TResult:
    """Return the gap of two arms with its standard error over seeds, on a test set that stays what it is.

    Parameters
    ----------
    treatment, baseline : array_like, shapes (S_t,) and (S_b,)
        One score per trial.
    paired : bool
        Whether position ``s`` of both arms is the same seed: Student's t of the differences, else Welch's.

    Returns
    -------
    TResult
        Generalises to new seeds. The standard error is NaN with one seed in an arm, and 0 where nothing varies.

    References
    ----------
    Welch (1947), Biometrika 34, 28-35.

    Examples
    --------
    >>> arms = [0.88, 0.91, 0.90, 0.92], [0.87, 0.88, 0.88, 0.90]
    >>> [round(gap_over_seeds(*arms, paired=paired).standard_error, 4) for paired in (True, False)]
    [0.0041, 0.0106]
    """
    if paired:
        return paired_t(treatment, baseline)
    arms = [np.asarray(scores, dtype=np.float64) for scores in (treatment, baseline)]
    size = max(float(np.abs(y).max()) for y in arms)
    parts = [_squared_error(y, size) for y in arms]
    variance = sum(parts)
    df = variance**2 / sum(v**2 / (len(y) - 1) for v, y in zip(parts, arms, strict=True)) if variance > 0 else _NAN
    return TResult(estimate=float(arms[0].mean() - arms[1].mean()), standard_error=math.sqrt(variance), df=df)


def gap_over_examples(
    treatment: ArrayLike | ArmScores, baseline: ArrayLike | ArmScores, *, strata: NDArray[np.int64] | None = None
) -> TResult:
    """Return the mean gap of these trained models with its standard error over test examples.

    Parameters
    ----------
    treatment, baseline : array_like, shapes (S_t, N) and (S_b, N)
        Scores by seed and by example or cluster, as for `crossed_test`.
    strata : ndarray of int, shape (N,), or None
        The test set of each example, for scores of `set_scores`; None for one set.

    Returns
    -------
    TResult
        Generalises to new examples, for the mean over these very models. The standard error is NaN with one example,
        and 0 where nothing varies.

    Examples
    --------
    >>> gap = gap_over_examples([[1, 1, 1, 0], [1, 1, 1, 1]], [[0, 1, 0, 0], [0, 1, 1, 0]])
    >>> round(gap.estimate, 3), round(gap.standard_error, 3)
    (0.5, 0.204)
    """
    y_t, y_b = as_arm(treatment), as_arm(baseline)
    c = y_t.example_means - y_b.example_means
    variance = _squared_error(c, max(y_t.size, y_b.size))
    df = float(df_over_examples((c - c.mean()) ** 2, strata)) if variance > 0 else _NAN
    return TResult(estimate=float(c.mean()), standard_error=math.sqrt(variance), df=df)


def _squared_error(values: NDArray[np.float64], size: float) -> float:
    """Return the squared standard error of a mean; NaN for one value, and 0 where rounding alone tells them apart."""
    if len(values) < 2:
        return _NAN
    return float(values.var(ddof=1)) / len(values) if float(np.ptp(values)) > ROUNDING * size else 0.0
