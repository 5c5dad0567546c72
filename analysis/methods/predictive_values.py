"""Weighted generalised score test: do two trained models differ in precision on new examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictiveValueTest:
    """The comparison of one predictive value: how often a kind of prediction is right.

    Parameters
    ----------
    value_treatment, value_baseline : float
        Share of right answers among the predictions of this kind; NaN where a model makes none.
    difference : float
        Treatment minus baseline.
    statistic : float
        Chi-square with one degree of freedom under the null hypothesis. NaN without any spread.
    p_value : float
        Two-sided and asymptotic.
    reason : str
        Why a value is missing; empty if none is.
    """

    value_treatment: float
    value_baseline: float
    difference: float
    statistic: float
    p_value: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictiveValueResult:
    """The outcome of `weighted_generalized_score` for one pair of trained models; it generalises to new examples.

    Parameters
    ----------
    positive : int
        The class whose predictions are judged.
    precision : PredictiveValueTest
        Predictions of the class that are right (positive predictive value).
    negative_predictive_value : PredictiveValueTest
        Predictions of any other class whose example is indeed not of the class.
    n : int
        All examples.
    generalizes_to : str
        The population that the result speaks about.
    """

    positive: int
    precision: PredictiveValueTest
    negative_predictive_value: PredictiveValueTest
    n: int
    generalizes_to: str = "examples"


def weighted_generalized_score(
    labels: ArrayLike, treatment: ArrayLike, baseline: ArrayLike, *, positive: int
) -> PredictiveValueResult:
    """Compare the precision, and the negative predictive value, of two trained models.

    McNemar's test does not fit precision: the models predict the class for different examples, so the two
    shares have different denominators.

    Parameters
    ----------
    labels : array_like of int, shape (N,)
        True classes.
    treatment, baseline : array_like of int, shape (N,)
        Predicted classes of one trial of each arm, for the same examples in the same order.
    positive : int
        The class whose predictions are judged; all others together are its negative.

    Returns
    -------
    PredictiveValueResult
        Generalises to new examples for these two models, and says nothing about other seeds. The p-values are
        asymptotic: with few predictions that only one of the models makes, take them with care.

    Raises
    ------
    ValueError
        If the arrays are not one-dimensional whole numbers of equal length, or empty.

    Notes
    -----
    With ``n_t`` and ``n_b`` predictions and the pooled share ``p``, the variance of the difference is
    ``(p (1 - p) - 2 C) (1 / n_t + 1 / n_b)``. ``C``, the covariance, comes from the examples where both models
    make the prediction, and what it leaves of ``p (1 - p)`` from those where exactly one does.

    References
    ----------
    Kosinski (2013), Statistics in Medicine 32, 964-977 (weighted generalised score).

    Examples
    --------
    >>> labels = [1, 1, 1, 1, 1, 1, 0, 0, 0, 0]
    >>> result = weighted_generalized_score(
    ...     labels, [1, 1, 1, 1, 1, 0, 0, 0, 0, 1], [1, 1, 1, 0, 0, 0, 1, 1, 0, 0], positive=1
    ... )
    >>> round(result.precision.difference, 3), round(result.precision.p_value, 3)
    (0.233, 0.332)
    """
    truth = _classes("labels", labels)
    answer_t, answer_b = _classes("treatment", treatment), _classes("baseline", baseline)
    if not len(truth) == len(answer_t) == len(answer_b):
        raise ValueError(
            "both models must be scored on the same examples, "
            f"got {len(truth)} labels, {len(answer_t)} for the treatment and {len(answer_b)} for the baseline"
        )
    of_class, predicts_t, predicts_b = truth == positive, answer_t == positive, answer_b == positive
    return PredictiveValueResult(
        positive=int(positive),
        precision=_compare(of_class, predicts_t, predicts_b, f"class {positive}"),
        negative_predictive_value=_compare(~of_class, ~predicts_t, ~predicts_b, f"any class but {positive}"),
        n=len(truth),
    )


def _compare(
    right: NDArray[np.bool_], predicts_t: NDArray[np.bool_], predicts_b: NDArray[np.bool_], kind: str
) -> PredictiveValueTest:
    n_t, n_b = int(np.count_nonzero(predicts_t)), int(np.count_nonzero(predicts_b))
    right_t, right_b = int(np.count_nonzero(right & predicts_t)), int(np.count_nonzero(right & predicts_b))
    value_t = right_t / n_t if n_t else _NAN
    value_b = right_b / n_b if n_b else _NAN
    if not (n_t and n_b):
        without = [name for name, number in (("treatment", n_t), ("baseline", n_b)) if number == 0]
        return PredictiveValueTest(
            value_treatment=value_t,
            value_baseline=value_b,
            difference=_NAN,
            statistic=_NAN,
            p_value=_NAN,
            reason="; ".join(f"the {name} never predicts {kind}" for name in without),
        )
    pooled = (right_t + right_b) / (n_t + n_b)
    alone = predicts_t != predicts_b
    right_alone = int(np.count_nonzero(right & alone))
    wrong_alone = int(np.count_nonzero(alone)) - right_alone
    # p (1 - p) - 2 C: the predictions that both models make cancel exactly.
    spread = (right_alone * (1 - pooled) ** 2 + wrong_alone * pooled**2) / (n_t + n_b)
    difference = value_t - value_b
    statistic, p_value, reason = _NAN, 1.0, ""
    if spread > 0:
        statistic = difference**2 / (spread * (1 / n_t + 1 / n_b))
        p_value = float(special.chdtrc(1, statistic))
    elif alone.any():
        reason = f"every prediction of {kind} is {'right' if pooled == 1 else 'wrong'}"
    else:
        reason = f"both models predict {kind} for the same examples"
    return PredictiveValueTest(
        value_treatment=value_t,
        value_baseline=value_b,
        difference=difference,
        statistic=statistic,
        p_value=p_value,
        reason=reason,
    )


def _classes(name: str, values: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be one class per example, got shape {array.shape}")
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold class numbers (whole numbers), got {array.dtype}")
    return array.astype(np.int64)
