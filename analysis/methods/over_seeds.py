"""Paired t and Wilcoxon over the seeds' mean scores: would new seeds differ on this very test set.

Each takes one score per trial, paired by seed. Neither knows how sure the test set itself is: for that, and for the
headline, there is `analysis.crossed_test`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from analysis.methods.rearrangements import flips_on_lattice
from analysis.methods.seed_scores import paired_differences
from analysis.methods.student import TResult

_NAN = float("nan")
_ALIKE = "the arms are equally good with every seed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedTResult(TResult):
    """The outcome of `paired_t`. It generalises to new seeds on the same test set.

    Parameters
    ----------
    estimate : float
        Mean score of the treatment minus mean score of the baseline, in units of the score.
    standard_error : float
        Of the estimate, over seeds. 0 where every difference is the same, NaN for one seed.
    df : float
        ``S - 1``; NaN where the standard error is 0 or NaN.
    statistic : float
        ``estimate / standard_error``.
    p_value : float
        Two-sided, for a difference of 0.
    n_seeds : int
        Paired seeds.
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        Why a number above is NaN, or what is unusual; empty if there is nothing to say.
    """

    statistic: float
    p_value: float
    n_seeds: int
    generalizes_to: str = "seeds"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WilcoxonResult:
    """The outcome of `wilcoxon`. It generalises to new seeds on the same test set.

    Parameters
    ----------
    estimate : float
        Hodges-Lehmann: the median of the means of all pairs of differences, each with itself included.
    statistic : float
        Sum of the ranks of the seeds where the treatment is better.
    p_value : float
        Two-sided and exact, with ties and zeros as they are.
    floor : float
        The smallest p-value that this number of seeds can give.
    n_seeds : int
        Paired seeds.
    n_ties : int
        Of these the seeds where both arms are equally good.
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        What is unusual; empty if there is nothing to say.
    """

    estimate: float
    statistic: float
    p_value: float
    floor: float
    n_seeds: int
    n_ties: int
    generalizes_to: str = "seeds"
    reason: str


def paired_t(treatment: ArrayLike, baseline: ArrayLike) -> PairedTResult:
    """Compare the mean scores of paired seeds by Student's t.

    Parameters
    ----------
    treatment, baseline : array_like, shape (S,)
        One score per trial, in any unit; position ``s`` of both arms is the same seed.

    Returns
    -------
    PairedTResult
        Generalises to new seeds, not to new examples: where the seeds change little it calls almost any gap
        real, since this test set stays what it is. With one seed there is an estimate but no p-value. If the
        differences do not vary, p is 1 where they are 0 and NaN where they are not.

    Raises
    ------
    ValueError
        If an arm is not one row of finite scores, or if the arms differ in length.

    See Also
    --------
    wilcoxon : By signed ranks, for seeds with outliers.
    sign_flip : Assumes no distribution.
    crossed_test : Also over new examples.

    References
    ----------
    Student (1908), Biometrika 6, 1-25.

    Examples
    --------
    >>> result = paired_t([0.88, 0.91, 0.90, 0.92], [0.87, 0.88, 0.88, 0.90])
    >>> f"{result.estimate:.3f}, standard error {result.standard_error:.4f}, p = {result.p_value:.3f}"
    '0.020, standard error 0.0041, p = 0.016'
    """
    d, rounding = paired_differences(treatment, baseline)
    S, D = len(d), float(d.mean())
    df, statistic, p_value, reason = _NAN, _NAN, _NAN, ""
    standard_error = float(d.std(ddof=1)) / math.sqrt(S) if S > 1 else _NAN
    if S == 1:
        reason = "one seed says nothing about new seeds"
    elif float(np.ptp(d)) > rounding:
        df, statistic = float(S - 1), D / standard_error
        p_value = 2 * float(special.stdtr(df, -abs(statistic)))
    else:
        standard_error = 0.0
        p_value = 1.0 if abs(D) <= rounding else _NAN
        reason = _ALIKE if abs(D) <= rounding else "every difference is the same, so the gap cannot be judged"
    return PairedTResult(
        estimate=D,
        standard_error=standard_error,
        df=df,
        statistic=statistic,
        p_value=p_value,
        n_seeds=S,
        reason=reason,
    )


def wilcoxon(treatment: ArrayLike, baseline: ArrayLike) -> WilcoxonResult:
    """Compare paired seeds by Wilcoxon's signed ranks, exactly, whatever the ties.

    Parameters
    ----------
    treatment, baseline : array_like, shape (S,)
        One score per trial, in any unit; position ``s`` of both arms is the same seed.

    Returns
    -------
    WilcoxonResult
        Generalises to new seeds, not to new examples.

    Raises
    ------
    ValueError
        If an arm is not one row of finite scores, or if the arms differ in length.

    See Also
    --------
    paired_t : By the mean difference.
    sign_flip : Of the differences themselves.

    Notes
    -----
    Differences of 0 are ranked with the others and then dropped (Pratt); equal sizes share their mean rank. The
    p-value counts all assignments of signs to those ranks. Twice a mean rank is a whole number, so there is
    nothing to approximate; ``scipy.stats.wilcoxon`` gives the same up to 13 pairs, where it goes through all
    assignments, and an approximation beyond. Differences tie where they differ by rounding alone (1e-12 of the
    largest score).

    References
    ----------
    Wilcoxon (1945), Biometrics Bulletin 1, 80-83. Pratt (1959), JASA 54, 655-667. Hodges and Lehmann (1963),
    Annals of Mathematical Statistics 34, 598-611 (the estimate).

    Examples
    --------
    >>> result = wilcoxon([0.88, 0.91, 0.90, 0.92, 0.89, 0.90], [0.87, 0.88, 0.88, 0.90, 0.90, 0.85])
    >>> result.statistic, result.p_value
    (19.5, 0.09375)
    """
    d, rounding = paired_differences(treatment, baseline)
    S = len(d)
    doubled = _doubled_ranks(np.abs(d), rounding) * np.sign(d).astype(np.int64)
    doubled[np.abs(d) <= rounding] = 0
    first, second = np.triu_indices(S)
    return WilcoxonResult(
        estimate=float(np.median((d[first] + d[second]) / 2)),
        statistic=float(doubled[doubled > 0].sum()) / 2,
        p_value=flips_on_lattice(doubled),
        floor=2.0 ** (1 - S),
        n_seeds=S,
        n_ties=int(np.count_nonzero(doubled == 0)),
        reason="" if doubled.any() else _ALIKE,
    )


def _doubled_ranks(sizes: NDArray[np.float64], rounding: float) -> NDArray[np.int64]:
    """Twice the mean rank of each size; sizes that differ by rounding share theirs."""
    order = np.argsort(sizes, kind="stable")
    new = np.diff(sizes[order], prepend=-np.inf) > rounding
    starts = np.flatnonzero(new)
    counts = np.diff(starts, append=len(sizes))
    doubled = np.empty(len(sizes), dtype=np.int64)
    doubled[order] = np.repeat(2 * starts + counts + 1, counts)
    return doubled
