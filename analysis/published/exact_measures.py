"""Exact measures: means over two classes, and Matthews' correlation, against a number; floats only where they are sure.

`a` and `b` are the right answers of class 0 and of class 1, as in `analysis.published.matrices`.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

# Floating point is surer than this by far.
_DOUBTFUL = 1e-12


def mean_above(
    measure: str,
    weights: tuple[int, int],
    share: Fraction,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    class_counts: tuple[int, int],
    *,
    strictly: bool,
) -> NDArray[np.bool_]:
    """Return whether the mean of both classes' F1 or precision is at least a share, or strictly more."""
    size, other = class_counts
    if measure == "f1":
        twice, first, second = 2, size + other + a - b, size + other + b - a
    else:
        # Where a class is never predicted its ratio is 0 / 0, and counts as 0.
        twice, first, second = 1, np.maximum(a + other - b, 1), np.maximum(b + size - a, 1)
    beyond = twice * (weights[0] * a / first + weights[1] * b / second) - sum(weights) * float(share)
    above: NDArray[np.bool_] = beyond > 0
    # Next to the share, where floating point cannot tell, whole numbers do: both ratios and the share multiplied out.
    for at in np.flatnonzero(np.abs(beyond) < _DOUBTFUL * sum(weights)):
        right_a, right_b, denominator_a, denominator_b = (int(side[at]) for side in (a, b, first, second))
        left = share.denominator * twice * (weights[0] * right_a * denominator_b + weights[1] * right_b * denominator_a)
        right = sum(weights) * share.numerator * denominator_a * denominator_b
        above[at] = left > right if strictly else left >= right
    return above


def mcc_above(
    share: Fraction, a: NDArray[np.int64], b: NDArray[np.int64], class_counts: tuple[int, int], *, strictly: bool
) -> NDArray[np.bool_]:
    """Return whether Matthews' correlation is at least a number from -1 to 1, or strictly more.

    Where one class is predicted for all examples it is 0 / 0, and counts as 0.

    References
    ----------
    Matthews (1975), Biochimica et Biophysica Acta 405, 442-451.
    """
    size, other = class_counts
    predicted, rest = a + other - b, size - a + b
    one_class = (predicted == 0) | (rest == 0)
    numerator = np.where(one_class, 0, a * other + b * size - size * other)
    root = np.sqrt(1.0 * size * other * np.where(one_class, 1.0, 1.0 * predicted * rest))
    beyond = numerator / root - float(share)
    above: NDArray[np.bool_] = beyond > 0
    # Squared, with their signs: x against s * root becomes x * |x| against s * |s| * root ** 2, in whole numbers.
    for at in np.flatnonzero(np.abs(beyond) < _DOUBTFUL):
        x, squared = int(numerator[at]), size * other * max(int(predicted[at]) * int(rest[at]), 1)
        left = x * abs(x) * share.denominator**2
        right = share.numerator * abs(share.numerator) * squared
        above[at] = left > right if strictly else left >= right
    return above
