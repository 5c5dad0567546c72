"""McNemar's test: would two trained models differ on new examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemarResult:
    """The outcome of McNemar's test for one pair of trained models; it generalises to new examples.

    Parameters
    ----------
    only_treatment : int
        Examples that the treatment alone got right (b).
    only_baseline : int
        Examples that the baseline alone got right (c).
    n : int
        All examples.
    estimate : float
        ``(b - c) / n``: accuracy of the treatment minus accuracy of the baseline.
    p_exact : float
        Two-sided exact conditional p-value.
    p_mid : float
        Two-sided mid-p value: less conservative, and rarely above its level.
    generalizes_to : str
        The population that the result speaks about.
    """

    only_treatment: int
    only_baseline: int
    n: int
    estimate: float
    p_exact: float
    p_mid: float
    generalizes_to: str = "examples"


def mcnemar(treatment: ArrayLike, baseline: ArrayLike) -> McNemarResult:
    """Compare two trained models on the examples where exactly one of them is right.

    Parameters
    ----------
    treatment, baseline : array_like, shape (N,)
        True or 1 where the model is right, False or 0 where it is wrong; the same examples in the same order.
        One trial of each arm: examples of several seeds are not independent and must not be pooled.

    Returns
    -------
    McNemarResult
        Generalises to new examples for these two models, and says nothing about other seeds.

    Raises
    ------
    ValueError
        If the arrays are not one-dimensional, of equal length, and made of zeros and ones.

    See Also
    --------
    mcnemar_from_counts : From the two counts.
    mcnemar_clustered : For examples that come in clusters.
    newcombe_interval : How large the gap is.

    Examples
    --------
    >>> mcnemar([1, 1, 1, 0, 1], [0, 0, 1, 1, 0]).estimate
    0.4
    """
    right_t, right_b = paired_answers(treatment, baseline)
    return mcnemar_from_counts(
        int(np.count_nonzero(right_t & ~right_b)), int(np.count_nonzero(right_b & ~right_t)), n=len(right_t)
    )


def mcnemar_from_counts(b: int, c: int, *, n: int) -> McNemarResult:
    """McNemar's test from the two discordant counts.

    Parameters
    ----------
    b : int
        Examples that the treatment alone got right.
    c : int
        Examples that the baseline alone got right.
    n : int
        All examples, at least 1 and at least ``b + c``.

    Returns
    -------
    McNemarResult
        Generalises to new examples for these two models. Without any disagreement both p-values are 1.

    Raises
    ------
    ValueError
        If a count is negative, or if there are more disagreements than examples.

    See Also
    --------
    mcnemar : From right and wrong by example.

    References
    ----------
    Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91, sections on the exact
    conditional and the mid-p test.

    Examples
    --------
    >>> result = mcnemar_from_counts(1, 7, n=21)
    >>> round(result.p_exact, 4), round(result.p_mid, 4)
    (0.0703, 0.0391)
    """
    if min(b, c) < 0 or n < 1 or b + c > n:
        raise ValueError(f"need b >= 0, c >= 0, n >= 1 and b + c <= n, got b={b}, c={c}, n={n}")
    p_exact, p_mid = binomial_p(b, c)
    return McNemarResult(
        only_treatment=b, only_baseline=c, n=n, estimate=(b - c) / n, p_exact=float(p_exact), p_mid=float(p_mid)
    )


def binomial_p(b: ArrayLike, c: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """McNemar's p-values for many pairs of discordant counts at once.

    Parameters
    ----------
    b, c : array_like of int
        Whole numbers from 0, which are not checked; both broadcast.

    Returns
    -------
    tuple of ndarray
        The exact and the mid-p values, two-sided, for new examples; 1 where both counts are 0.
    """
    b, c = np.asarray(b), np.asarray(c)
    fewer, m = np.minimum(b, c), b + c
    tail = special.bdtr(fewer, m, 0.5)
    beyond = np.where(fewer > 0, special.bdtr(np.maximum(fewer - 1, 0), m, 0.5), 0.0)
    p_mid = np.where(b == c, 1 - (tail - beyond) / 2, tail + beyond)
    # Half of all outcomes or more: exactly 1, which the tail misses by its rounding.
    return np.where(m - 2 * fewer <= 1, 1.0, np.minimum(1.0, 2 * tail)), np.where(m == 0, 1.0, p_mid)


def paired_answers(treatment: ArrayLike, baseline: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Check whether each model is right on each example, for one trial of each arm.

    Parameters
    ----------
    treatment, baseline : array_like, shape (N,)

    Returns
    -------
    tuple of ndarray of bool

    Raises
    ------
    ValueError
        If the arrays are not one-dimensional, of equal length, and made of zeros and ones.
    """
    right_t, right_b = _right("treatment", treatment), _right("baseline", baseline)
    if len(right_t) != len(right_b):
        raise ValueError(
            "both models must be scored on the same examples, "
            f"got {len(right_t)} for the treatment and {len(right_b)} for the baseline"
        )
    return right_t, right_b


def _right(name: str, values: ArrayLike) -> NDArray[np.bool_]:
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be one row of right (1) and wrong (0), got shape {array.shape}")
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise ValueError(f"{name} must hold right (1) and wrong (0) only")
    return array.astype(np.bool_)
