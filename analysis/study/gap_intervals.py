"""Intervals of a gap: at a level of one's own choice, and the one that belongs to a corrected verdict."""

from __future__ import annotations

import math

from analysis.methods.interval import NO_INTERVAL, Interval
from analysis.methods.student import TResult
from analysis.study.looks import Look
from analysis.study.plan import Correction
from analysis.study.primary_test import PValues


def interval_at(result: TResult | None, confidence: float) -> Interval:
    """Return the interval of a gap; without limits where a look comes so early that it cannot reject anything.

    Parameters
    ----------
    result : TResult or None
        The primary test; None where it could not be made.
    confidence : float
        Above 0 and at most 1.
    """
    if result is None:
        return NO_INTERVAL
    return result.interval(confidence) if confidence < 1 else Interval(-math.inf, math.inf)


def at_look(alpha: float, look: Look | None) -> float:
    """Return what is left of an error rate at a look: a study with several of them spends it over all.

    Parameters
    ----------
    alpha : float
        Two-sided, over all looks.
    look : Look or None
        The look that has been reached; None in a study without looks, and all of `alpha` is then there.
    """
    return look.level(alpha) if look is not None and look.number else alpha


def level_of_verdicts(correction: Correction, alpha: float, corrected: list[PValues]) -> float:
    """Return the error rate of each interval that stands beside a corrected verdict, before any looks.

    Under the joint step-down it is ``alpha / K``. Under Benjamini-Hochberg over 2K p-values it is ``alpha R / (2K)``
    with R claims (1 where there is none): the p-value up to which that correction makes claims.

    Parameters
    ----------
    correction : Correction
        The plan's.
    alpha : float
        The error rate of the plan.
    corrected : list of PValues, length K
        The corrected p-values of all comparisons.

    References
    ----------
    Benjamini and Yekutieli (2005), JASA 100, 71-81 (intervals beside Benjamini-Hochberg).
    """
    if correction == "holm":
        return alpha / len(corrected)
    claims = sum(p < alpha for both in corrected for p in both)
    return alpha * max(claims, 1) / (2 * len(corrected))


def verdict_interval(
    result: TResult | None, confidence: float, corrected: PValues, *, alpha: float, margin: float
) -> Interval:
    """Return the interval of a gap that belongs to its verdict.

    It leaves out 0 exactly where the corrected test shows a gap, and lies within the margin exactly where the corrected
    test shows equivalence. It is the interval at `confidence`, cut where the correction has shown more than that
    interval does by itself: at 0 where a later step of the step-down (or an earlier look) showed the gap, at the
    margin where equivalence was shown, whose tests are one-sided. A limit of 0 or of the margin is then not part of it.

    Under the joint step-down, where `confidence` is ``1 - alpha / K``, two statements hold with probability
    ``1 - alpha`` each: all K uncut intervals hold their true gaps, and no cut is false, since every cut is a claim of
    the step-down. So both hold with probability ``1 - 2 alpha`` at least. (Intervals that agree with a step-down and
    hold all gaps at ``1 - alpha`` are known; while any question is open they end at 0 wherever a gap was shown, however
    large the gap.)

    Parameters
    ----------
    result : TResult or None
        The primary test; None where it could not be made.
    confidence : float
        Of the uncut interval: 1 minus `level_of_verdicts`, at the look that has been reached.
    corrected : PValues
        The corrected p-values of both questions; NaN cuts nothing.
    alpha : float
        What these are compared with.
    margin : float
        Of the equivalence test.

    Returns
    -------
    Interval
        Generalises to new seeds and new examples, as `result` does. Without limits where there is no test; also where
        an earlier look has shown what this look's interval rules out, which is the one case without such an interval.

    References
    ----------
    Strassburger and Bretz (2008), Statistics in Medicine 27, 4914-4927, and Guilbaud (2008), Biometrical Journal 50,
    678-692 (intervals that agree with Holm's step-down). Hsu, Hwang, Liu and Ruberg (1994), Biometrika 81, 103-114
    (with equivalence).

    Examples
    --------
    Four comparisons. The gap of this one was shown at the last step of the step-down, with p = .02, at which the
    interval at alpha / 4 still holds 0:

    >>> gap = TResult(estimate=0.03, standard_error=0.012, df=20.0)
    >>> [round(limit, 3) for limit in gap.interval(1 - 0.05 / 4)]
    [-0.003, 0.063]
    >>> interval = verdict_interval(gap, 1 - 0.05 / 4, PValues(0.02, 0.9), alpha=0.05, margin=0.01)
    >>> [round(limit, 3) for limit in interval]
    [0.0, 0.063]
    """
    low, high = interval_at(result, confidence)
    if result is not None and corrected.difference < alpha:
        low, high = (max(low, 0.0), high) if result.estimate > 0 else (low, min(high, 0.0))
    if corrected.equivalence < alpha:
        low, high = max(low, -margin), min(high, margin)
    return Interval(low, high) if low < high else NO_INTERVAL
