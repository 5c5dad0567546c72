"""Confusion matrices of two classes: all that a set of printed figures allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.published.exact_measures import mcc_above, mean_above

Measure = Literal["accuracy", "precision", "recall", "f1", "mcc"]

MACRO, WEIGHTED = 2, 3
"""As the class of a `Bound`: the mean of both classes, plain or weighted by their test examples."""

LISTED = 12
"""Up to this many matrices are listed one by one."""

_NO_RANGE = (math.nan, math.nan)


class Matrix(NamedTuple):
    """A confusion matrix of two classes: TP, FN, FP, TN where class 0 is the positive one.

    Parameters
    ----------
    right_0, wrong_0 : int
        Examples of class 0 that are classified right and wrong.
    wrong_1, right_1 : int
        Examples of class 1 that are classified wrong and right.
    """

    right_0: int
    wrong_0: int
    wrong_1: int
    right_1: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a printed figure says about a confusion matrix.

    Parameters
    ----------
    measure : Measure
    of : int
        The class that the figure is about, 0 or 1, or `MACRO` or `WEIGHTED`; without meaning for accuracy and MCC.
    low, high : Fraction
        The least and the greatest number that round to the figure.
    """

    measure: Measure
    of: int
    low: Fraction
    high: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrices:
    """The confusion matrices that fit. A description of one run on one test set.

    Parameters
    ----------
    count : int
        How many there are; 0 where the figures contradict each other.
    listed : tuple of Matrix
        Each of them; empty where there are more than `LISTED`.
    precision, recall, f1 : tuple of tuple of float
        By class the least and the greatest value over all of them; NaN where there are none, or where a class that is
        never predicted has no precision.
    macro_f1 : tuple of float
        The same for the mean of both F1.
    """

    count: int
    listed: tuple[Matrix, ...]
    precision: tuple[tuple[float, float], ...]
    recall: tuple[tuple[float, float], ...]
    f1: tuple[tuple[float, float], ...]
    macro_f1: tuple[float, float]


def fitting_matrices(class_counts: tuple[int, int], bounds: Sequence[Bound]) -> Matrices:
    """Find every confusion matrix of two classes that agrees with all printed figures.

    Parameters
    ----------
    class_counts : tuple of int
        The test examples of class 0 and of class 1, at least 1 each.
    bounds : sequence of Bound
        What the figures say. A precision that is undefined, of a class that is never predicted, counts as 0, and so
        does MCC there.

    Raises
    ------
    ValueError
        If a class has no example.

    Notes
    -----
    With the right answers `a` of class 0 and `b` of class 1 every measure of one class is a ratio of linear terms in
    `a` and `b`, so that a bound is a half-plane; and every measure, the means and MCC too, grows with `b`. For each `a`
    the matrices that fit are therefore those of one interval of `b`, found exactly in whole numbers.

    Examples
    --------
    >>> from analysis.published.printed_figures import read_share
    >>> accuracy, f1 = read_share("0.883"), read_share("0.8866666666666667")
    >>> matrices = fitting_matrices((444, 428), [
    ...     Bound(measure="accuracy", of=0, low=accuracy.low, high=accuracy.high),
    ...     Bound(measure="f1", of=0, low=f1.low, high=f1.high),
    ... ])
    >>> matrices.listed
    (Matrix(right_0=399, wrong_0=45, wrong_1=57, right_1=371),)
    """
    if min(class_counts) < 1:
        raise ValueError(f"need at least one example of each class, got {class_counts}")
    size, other = class_counts
    a = np.arange(size + 1)
    low, high = np.zeros(size + 1, dtype=np.int64), np.full(size + 1, other)
    flat = [bound for bound in bounds if _is_linear(bound)]
    for bound in flat:
        _narrow(bound, a, low, high, class_counts)
        a, low, high = (side[low <= high] for side in (a, low, high))
    for bound in bounds:
        if bound not in flat:
            low, high = _bisect(bound, a, low, high, class_counts)
            a, low, high = (side[low <= high] for side in (a, low, high))
    a, low, high = _without_undefined(bounds, a, low, high, class_counts)
    return _described(a, low, high, class_counts)


def _is_linear(bound: Bound) -> bool:
    return bound.measure != "mcc" and (bound.measure in ("accuracy", "recall") or bound.of in (0, 1))


def _terms(bound: Bound, class_counts: tuple[int, int], share: Fraction) -> tuple[Fraction, Fraction, Fraction]:
    """Return u, v, w so that the measure is at least `share` exactly where ``u * a + v * b >= w``."""
    size, other = class_counts
    n, unit = size + other, Fraction(1)
    # The weighted mean of both recalls is the accuracy.
    if bound.measure == "accuracy" or (bound.measure == "recall" and bound.of == WEIGHTED):
        return unit, unit, share * n
    if bound.measure == "recall" and bound.of == MACRO:
        return unit * other, unit * size, 2 * share * size * other
    if bound.measure == "recall":
        return (unit, 0 * unit, share * size) if bound.of == 0 else (0 * unit, unit, share * other)
    if bound.measure == "precision":
        return (1 - share, share, share * other) if bound.of == 0 else (share, 1 - share, share * size)
    return (2 - share, share, share * n) if bound.of == 0 else (share, 2 - share, share * n)


def _narrow(
    bound: Bound, a: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64], class_counts: tuple[int, int]
) -> None:
    """Narrow the intervals of b to where a measure that is linear lies within its bound."""
    size, other = class_counts
    # Rounding reaches below 0 and above 1, the measure does not.
    for share, is_low in ((max(bound.low, Fraction(0)), True), (min(bound.high, Fraction(1)), False)):
        terms = _terms(bound, class_counts, share)
        scale = math.lcm(*(term.denominator for term in terms))
        u, v, w = (int(term * scale) for term in terms)
        # Whole numbers of Python where those of the machine could overflow.
        rest = w - u * (a if abs(w) + abs(u) * size < 2**62 else a.astype(object))
        if v == 0:
            outside = (rest > 0 if is_low else rest < 0).astype(bool)
            high[outside] = low[outside] - 1
        elif is_low:
            np.maximum(low, np.minimum(-(-rest // v), other + 1).astype(np.int64), out=low)
        else:
            np.minimum(high, np.maximum(rest // v, -1).astype(np.int64), out=high)


def _bisect(
    bound: Bound, a: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64], class_counts: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the intervals of b in which a mean of both classes, or MCC, lies within its bound."""

    def above(share: Fraction, b: NDArray[np.int64], *, strictly: bool) -> NDArray[np.bool_]:
        if bound.measure == "mcc":
            return mcc_above(share, a, b, class_counts, strictly=strictly)
        weights = (1, 1) if bound.of == MACRO else class_counts
        return mean_above(bound.measure, weights, share, a, b, class_counts, strictly=strictly)

    # The least b that reaches the lower bound, and the least that passes the upper one.
    reached = _least(low, high, lambda b: above(bound.low, b, strictly=False))
    passed = _least(low, high, lambda b: above(bound.high, b, strictly=True))
    return reached, passed - 1


def _least(
    low: NDArray[np.int64], high: NDArray[np.int64], holds: Callable[[NDArray[np.int64]], NDArray[np.bool_]]
) -> NDArray[np.int64]:
    """Return for each row the least b from `low` to `high` for which a growing condition holds; high + 1 for none."""
    first, last = low, high + 1
    while (first < last).any():
        # Rows that are done would step beyond what a class holds.
        middle = np.minimum((first + last) // 2, high)
        yes = holds(middle)
        open_ = first < last
        last = np.where(open_ & yes, middle, last)
        first = np.where(open_ & ~yes, middle + 1, first)
    return first


def _without_undefined(
    bounds: Sequence[Bound],
    a: NDArray[np.int64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    class_counts: tuple[int, int],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Take out the matrices whose precision is 0 / 0 where a precision above 0 was printed."""
    size, other = class_counts
    printed = {bound.of for bound in bounds if bound.measure == "precision" and bound.low > 0}
    if 0 in printed:
        high = np.where((a == 0) & (high == other), high - 1, high)
    if 1 in printed:
        low = np.where((a == size) & (low == 0), low + 1, low)
    kept = low <= high
    return a[kept], low[kept], high[kept]


def _described(
    a: NDArray[np.int64], low: NDArray[np.int64], high: NDArray[np.int64], class_counts: tuple[int, int]
) -> Matrices:
    size, other = class_counts
    count = int((high - low + 1).sum())
    if count == 0:
        none = (_NO_RANGE, _NO_RANGE)
        return Matrices(count=0, listed=(), precision=none, recall=none, f1=none, macro_f1=_NO_RANGE)
    listed = (
        tuple(
            Matrix(int(right), size - int(right), other - b, b)
            for right, first, last in zip(a, low, high, strict=True)
            for b in range(int(first), int(last) + 1)
        )
        if count <= LISTED
        else ()
    )
    # Every measure grows with b, so the ends of the intervals hold its least and its greatest value.
    right, least, most = (side.astype(np.float64) for side in (a, low, high))
    f1 = [(_f1(right, b, size + other), _f1(b, right, size + other)) for b in (least, most)]
    return Matrices(
        count=count,
        listed=listed,
        precision=(
            _range(_ratio(right, right + other - least), _ratio(right, right + other - most)),
            _range(_ratio(least, least + size - right), _ratio(most, most + size - right)),
        ),
        recall=(_range(right / size, right / size), _range(least / other, most / other)),
        f1=(_range(f1[0][0], f1[1][0]), _range(f1[0][1], f1[1][1])),
        macro_f1=_range((f1[0][0] + f1[0][1]) / 2, (f1[1][0] + f1[1][1]) / 2),
    )


def _f1(right: NDArray[np.float64], other_right: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    return 2 * right / (n + right - other_right)


def _ratio(right: NDArray[np.float64], predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    out = np.full(len(right), np.nan)
    np.divide(right, predicted, out=out, where=predicted > 0)
    return out


def _range(least: NDArray[np.float64], most: NDArray[np.float64]) -> tuple[float, float]:
    both = np.concatenate([least, most])
    both = both[~np.isnan(both)]
    return (float(both.min()), float(both.max())) if both.size else _NO_RANGE
