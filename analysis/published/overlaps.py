"""Overlaps of two models' right answers: McNemar's test over all that two accuracies on one test set allow.

Two accuracies do not say on how many examples exactly one of the models is right. But that number, the discordance,
must lie in a range, and McNemar's test can be made over that range.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.methods.mcnemar import binomial_p
from analysis.methods.proportions import GapInterval, newcombe_interval, tango_interval

OverlapOutcome = Literal[
    "cannot be significant", "significant whatever the overlap", "undetermined without predictions"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlaps:
    """McNemar's test over all overlaps; it generalises to new examples, for these two trained models.

    Where a printed figure allows several numbers of right answers, all pairs of them are tested.

    Parameters
    ----------
    n : int
        Test examples.
    alpha : float
        The two-sided level.
    gap : tuple of int
        The least and the greatest difference in right answers, treatment minus baseline.
    discordance : tuple of int
        The least and the greatest number of examples on which exactly one of the two can be right.
    p_exact, p_mid : tuple of float
        The least and the greatest p-value.
    significant_up_to, significant_up_to_mid : int or None
        The greatest discordance at which the p-value is at most alpha, for the pair of counts that allows most; None
        where it never is.
    outcome : OverlapOutcome
        By the exact p-value.
    at_least, at_most : tuple of GapInterval
        The interval of the gap in accuracy by Newcombe and by Tango, at the least and at the greatest discordance of
        the numbers of right answers in the middle of what the figures allow.
    generalizes_to : str
        The population that the results speak about.
    """

    n: int
    alpha: float
    gap: tuple[int, int]
    discordance: tuple[int, int]
    p_exact: tuple[float, float]
    p_mid: tuple[float, float]
    significant_up_to: int | None
    significant_up_to_mid: int | None
    outcome: OverlapOutcome
    at_least: tuple[GapInterval, GapInterval]
    at_most: tuple[GapInterval, GapInterval]
    generalizes_to: str = "examples"


def overlaps(
    treatment: tuple[int, int],
    baseline: tuple[int, int],
    *,
    n: int,
    by_class: Sequence[tuple[int, int, int]] = (),
    alpha: float = 0.05,
    confidence: float = 0.95,
) -> Overlaps:
    """Make McNemar's test over every overlap that two numbers of right answers allow.

    Parameters
    ----------
    treatment, baseline : tuple of int
        The least and the greatest number of right answers of each model, from 0 to `n`.
    n : int
        Test examples, at least 1.
    by_class : sequence of tuple of int
        Where the right answers of each class are known: those of the treatment, those of the baseline, and the
        examples of the class. They narrow the discordance.
    alpha : float
        Two-sided level, above 0 and at most 0.5.
    confidence : float
        Of the intervals, between 0 and 1.

    Returns
    -------
    Overlaps
        Generalises to new examples for these two models, and says nothing about other seeds.

    Raises
    ------
    ValueError
        If a number of right answers does not lie between 0 and `n`, if the classes do not add up to them, or if
        `alpha` is out of range.

    See Also
    --------
    p_over_discordance : The p-values of one difference at each discordance.

    Notes
    -----
    For a fixed difference the exact p-value grows with the discordance, and so does the mid-p value unless the
    difference is 0 (there it is 1 without any discordance, 0.75 at 2, and grows from then on). So the ends of the range
    hold the least and the greatest p-value, and nothing is sampled.

    Examples
    --------
    >>> result = overlaps((770, 770), (752, 752), n=872)
    >>> result.discordance, result.significant_up_to, result.significant_up_to_mid, result.outcome
    ((18, 222), 74, 82, 'undetermined without predictions')
    >>> [f"{p:.2g}" for p in result.p_exact]
    ['7.6e-06', '0.25']
    """
    for low, high in (treatment, baseline):
        if not 0 <= low <= high <= n or n < 1:
            raise ValueError(f"need 0 <= right answers <= n and n >= 1, got {low} to {high} of {n}")
    if not 0 < alpha <= 0.5:
        raise ValueError(f"alpha must lie above 0 and be at most 0.5, got {alpha!r}")
    gaps, least, most = _ranges(treatment, baseline, n, by_class)
    at_least, at_most = _p(gaps, least), _p(gaps, most)
    (low_exact, low_mid), (high_exact, high_mid) = at_least, at_most
    level = (gaps == 0) & (least == 0) & (most >= 2)
    low_mid = np.where(level, _p(gaps, np.full_like(gaps, 2))[1], low_mid)
    high_mid = np.where((gaps == 0) & (least == 0), 1.0, high_mid)
    p_exact = float(low_exact.min()), float(high_exact.max())
    return Overlaps(
        n=n,
        alpha=alpha,
        gap=(int(gaps.min()), int(gaps.max())),
        discordance=(int(least.min()), int(most.max())),
        p_exact=p_exact,
        p_mid=(float(low_mid.min()), float(high_mid.max())),
        significant_up_to=_significant_up_to(
            gaps, least, most, at_least[0] <= alpha, at_most[0] <= alpha, alpha, kind=0
        ),
        significant_up_to_mid=_significant_up_to(
            gaps, least, most, at_least[1] <= alpha, at_most[1] <= alpha, alpha, kind=1
        ),
        outcome=_outcome(p_exact, alpha),
        at_least=_intervals(treatment, baseline, n, by_class, confidence, end=0),
        at_most=_intervals(treatment, baseline, n, by_class, confidence, end=1),
    )


def p_over_discordance(gap: int, discordance: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the exact and the mid-p values of McNemar's test for one difference at many discordances.

    Parameters
    ----------
    gap : int
        Difference in right answers.
    discordance : ndarray of int
        Numbers of examples on which exactly one model is right, each at least `gap` and of its parity.
    """
    return _p(np.full_like(discordance, gap), discordance)


def _p(gaps: NDArray[np.int64], discordance: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    fewer = (discordance - np.abs(gaps)) // 2
    return binomial_p(fewer, discordance - fewer)


def _ranges(
    treatment: tuple[int, int], baseline: tuple[int, int], n: int, by_class: Sequence[tuple[int, int, int]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return every difference that is possible, and the least and the greatest discordance at each."""
    if by_class:
        sums = tuple(map(sum, zip(*by_class, strict=True)))
        if sums != (treatment[0], baseline[0], n) or treatment[0] != treatment[1] or baseline[0] != baseline[1]:
            raise ValueError(f"the classes add up to {sums}, not to {(treatment, baseline, n)}")
        for right_t, right_b, size in by_class:
            if not (0 <= right_t <= size and 0 <= right_b <= size):
                raise ValueError(f"a class of {size} cannot have {right_t} and {right_b} right answers")
        least = sum(abs(right_t - right_b) for right_t, right_b, _ in by_class)
        most = sum(_most(right_t, right_b, size) for right_t, right_b, size in by_class)
        return tuple(np.array([value]) for value in (sums[0] - sums[1], least, most))  # type: ignore[return-value]
    gaps = np.arange(treatment[0] - baseline[1], treatment[1] - baseline[0] + 1)
    # At one difference the greatest discordance grows with the right answers up to half of n, and falls from there.
    first = np.maximum(treatment[0], baseline[0] + gaps)
    last = np.minimum(treatment[1], baseline[1] + gaps)
    right = np.clip((n + gaps) // 2, first, last)
    return gaps, np.abs(gaps), _most(right, right - gaps, n)


def _most(right_t: ArrayLike, right_b: ArrayLike, n: int) -> NDArray[np.int64]:
    """Return the greatest discordance that so many right answers allow."""
    right_t, right_b = np.asarray(right_t, dtype=np.int64), np.asarray(right_b, dtype=np.int64)
    most: NDArray[np.int64] = np.minimum(right_t, n - right_b) + np.minimum(right_b, n - right_t)
    return most


def _significant_up_to(
    gaps: NDArray[np.int64],
    least: NDArray[np.int64],
    most: NDArray[np.int64],
    somewhere: NDArray[np.bool_],
    throughout: NDArray[np.bool_],
    alpha: float,
    *,
    kind: Literal[0, 1],
) -> int | None:
    """Find the greatest discordance with a p-value of at most alpha, given for which gaps both ends have one."""
    if not somewhere.any():
        return None
    answers = [int(most[throughout].max())] if throughout.any() else []
    part = somewhere & ~throughout
    if part.any():
        # At one discordance a larger difference has the smaller p-value, so the largest reaches furthest.
        at = int(np.argmax(np.where(part, np.abs(gaps), -1)))
        gap, low, high = gaps[at : at + 1], least[at : at + 1], most[at : at + 1]
        while low[0] < high[0]:
            middle = low + (high - low + 2) // 4 * 2
            low, high = (middle, high) if _p(gap, middle)[kind][0] <= alpha else (low, middle - 2)
        answers.append(int(low[0]))
    return max(answers)


def _outcome(p_exact: tuple[float, float], alpha: float) -> OverlapOutcome:
    if p_exact[0] > alpha:
        return "cannot be significant"
    return "significant whatever the overlap" if p_exact[1] <= alpha else "undetermined without predictions"


def _intervals(
    treatment: tuple[int, int],
    baseline: tuple[int, int],
    n: int,
    by_class: Sequence[tuple[int, int, int]],
    confidence: float,
    *,
    end: Literal[0, 1],
) -> tuple[GapInterval, GapInterval]:
    right_t, right_b = sum(treatment) // 2, sum(baseline) // 2
    ranges = _ranges((right_t, right_t), (right_b, right_b), n, by_class)
    discordance = int(ranges[1 + end][0])
    only_t = (discordance + right_t - right_b) // 2
    only_b = discordance - only_t
    both = right_t - only_t
    return (
        newcombe_interval(both, only_t, only_b, n - both - only_t - only_b, confidence=confidence),
        tango_interval(only_t, only_b, n=n, confidence=confidence),
    )
