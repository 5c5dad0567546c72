"""Crossed test, the primary one: do two training procedures differ, over new seeds and new test examples at once.

Seeds and examples are two crossed random factors: every seed meets every example. Each of them alone makes a
gap look surer than it is. The test follows the analysis of readers and cases in diagnostic radiology, with
seeds as readers.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from analysis.methods.arm_scores import ArmScores, as_arm, difference_squares
from analysis.methods.clusters import cluster_numbers
from analysis.methods.components import VarianceComponents
from analysis.methods.crossed_design import SEEDS_FOR_A_VERDICT, Design, design_of, has_plain_df
from analysis.methods.crossed_seeds import CrossedSeedsResult
from analysis.methods.interval import NO_INTERVAL
from analysis.methods.student import TResult
from analysis.methods.variance import (
    ROUNDING,
    SeedSpread,
    VarianceFit,
    independent_variance,
    paired_variance,
    pooled_seed_spread,
)

__all__ = [
    "SEEDS_FOR_A_VERDICT",
    "SEEDS_OF_A_SOURCE",
    "CrossedResult",
    "Posterior",
    "SeedSpread",
    "VarianceComponents",
    "crossed_test",
    "pooled_seed_spread",
]

# With fewer initialisations, or fewer data orders, no correction of their degrees of freedom keeps the far tail.
SEEDS_OF_A_SOURCE = 4
_NAN = float("nan")


class Posterior(NamedTuple):
    """Approximate posterior probabilities of a true gap; they add up to 1. In JSON it is a list of the three.

    Parameters
    ----------
    below, within, above : float
        That the gap lies below ``-margin``, within the margin, and above ``margin``.
    """

    below: float
    within: float
    above: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossedResult(TResult):
    """The outcome of `crossed_test`. It generalises to new seeds and new examples of the same kind.

    Parameters
    ----------
    estimate : float
        Mean score of the treatment minus mean score of the baseline, in units of the score.
    standard_error : float
        Of the estimate, over seeds and examples. 0 where no score varies.
    df : float
        Degrees of freedom (Satterthwaite).
    statistic : float
        ``estimate / standard_error``.
    p_value : float
        Two-sided, for a difference of 0.
    design : {"A", "B", "C"}
        A: the same seeds drive both arms, as pairs. B: the seeds of the two arms are independent. C: seeds of two kinds
        cross in both arms; then `by_source` is the result of `crossed_seeds_test`, which this one repeats.
    paired : bool
        Whether both arms have the same seeds, by whichever design they are judged.
    n_arms : int
        How many arms the variation over seeds was estimated from: 2, or all arms of a study where it was pooled.
    n_seeds : tuple of int
        Of the treatment and of the baseline.
    n_examples : int
    other_p_value : float
        What the other design would have said; NaN where there is no other, as for seeds that are not paired.
    pairwise_p_value : float
        What these two arms say without the others; `p_value` where nothing was pooled.
    seed_correlation : float
        Pearson correlation of the two arms' seed means over paired seeds. NaN for unpaired seeds, for fewer
        than three (two points always lie on a line), and where an arm's seed means are all the same.
    components : VarianceComponents
    generalizes_to : str
        The population that the result speaks about.
    reason : str
        Why a number above is NaN, or what is unusual; empty if there is nothing to say.
    """

    statistic: float
    p_value: float
    design: Design
    paired: bool = True
    n_arms: int
    n_seeds: tuple[int, int]
    n_examples: int
    other_p_value: float
    pairwise_p_value: float
    seed_correlation: float
    components: VarianceComponents
    by_source: CrossedSeedsResult | None = None
    generalizes_to: str = "seeds and examples"
    reason: str

    @property
    def shares(self) -> tuple[float, float, float]:
        """Which share of the squared standard error comes from seeds, from examples, and from the rest."""
        parts, arms = self.components, self.components.by_arm
        seeds, rest = parts.seed / parts.n_seeds, parts.residual / parts.n_seeds
        if arms is not None and self.n_seeds[0] != self.n_seeds[1]:
            seeds = sum(arm.seed / S for arm, S in zip(arms, self.n_seeds, strict=True))
            rest = sum(arm.residual / S for arm, S in zip(arms, self.n_seeds, strict=True))
        variances = (seeds, parts.example / parts.n_examples, rest / parts.n_examples)
        of_seeds, of_examples, of_the_rest = (part / sum(variances) for part in variances)
        return of_seeds, of_examples, of_the_rest

    def posterior(self, margin: float) -> Posterior:
        """Approximate posterior shares of the true gap, under a flat prior.

        The posterior is taken as a t distribution at the estimate, with the standard error as its scale.

        Parameters
        ----------
        margin : float
            The largest gap that does not matter, above 0, in units of the score.

        Returns
        -------
        Posterior
            NaN where the test has no standard error, or a standard error of 0.

        Raises
        ------
        ValueError
            If `margin` is not a positive, finite number.
        """
        if not (math.isfinite(margin) and margin > 0):
            raise ValueError(f"margin must be positive and finite, got {margin!r}")
        if not self.standard_error > 0:
            return Posterior(_NAN, _NAN, _NAN)
        below = float(special.stdtr(self.df, (-margin - self.estimate) / self.standard_error))
        above = float(special.stdtr(self.df, (self.estimate - margin) / self.standard_error))
        return Posterior(below, max(0.0, 1.0 - below - above), above)


def crossed_test(
    treatment: ArrayLike | ArmScores,
    baseline: ArrayLike | ArmScores,
    *,
    paired: bool,
    spread: SeedSpread | None = None,
    strata: Iterable[Hashable] | None = None,
    before_pooling: bool = False,
) -> CrossedResult:
    """Test whether two training procedures differ in their mean score.

    Seeds and examples are both random. Paired seeds are analysed through the differences within a seed (design A):
    from eight seeds on for two arms, from three on where the variation over seeds is pooled over three arms or more.
    Fewer, unpaired or unequal seeds are analysed as independent samples (design B), which errs towards caution where
    shared seeds move both arms alike. The choice never depends on the scores.

    Parameters
    ----------
    treatment : array_like, shape (S_t, N)
        Scores of the treatment, one row per seed and one column per example: 0 or 1 for accuracy, any finite
        number for other metrics.
    baseline : array_like, shape (S_b, N)
        Scores of the baseline on the same examples in the same order. If `paired`, with the same seeds in the
        same order.
    paired : bool
        Whether row ``s`` of both arms comes from the same seed.
    spread : SeedSpread or None
        The variation over seeds that all arms of the study share (`pooled_seed_spread`); only for paired seeds.
    strata : iterable of int or str, length N, or None
        Which of several fixed test sets each column belongs to (`set_strata`), for scores of `set_scores`: the degrees
        of freedom are then those of a stratified sample.
    before_pooling : bool
        Whether to judge as plans were judged that were frozen before arms could be pooled: design A from four seeds
        on, with degrees of freedom that take estimated shares as known.

    Returns
    -------
    CrossedResult
        Generalises to new seeds and new examples. With one seed in an arm, or one example, there is an
        estimate but no p-value. If no score varies at all, p is 1 where the arms agree and NaN where they do
        not.

    Raises
    ------
    ValueError
        If an array is not two-dimensional and finite, if the shapes do not match, or if `spread` does not fit paired
        seeds of this number.

    See Also
    --------
    pooled_seed_spread : The variation over seeds of all arms of a study.
    crossed_seeds_test : For seeds of two kinds that cross.
    multi_bootstrap : By resampling.
    cluster_scores : For examples that come in clusters.
    set_scores : For several test sets.

    References
    ----------
    Dorfman, Berbaum and Metz (1992), Investigative Radiology 27, 723-731. Obuchowski and Rockette (1995),
    Communications in Statistics 24, 285-308. Hillis (2007), Statistics in Medicine 26, 596-619 (degrees of
    freedom); Hillis (2014), Statistics in Medicine 33, 330-360. Owen (2007), Annals of Applied Statistics 1,
    386-411.

    Examples
    --------
    >>> treatment = [[1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 0, 1], [1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 1]]
    >>> baseline = [[1, 0, 1, 0, 1, 0], [1, 0, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0], [1, 0, 1, 0, 1, 0]]
    >>> result = crossed_test(treatment, baseline, paired=True)
    >>> f"{result.estimate:.3f}, standard error {result.standard_error:.3f}, p = {result.p_value:.2f}"
    '0.375, standard error 0.168, p = 0.07'
    >>> third = [[1, 1, 1, 0, 1, 0], [1, 0, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0], [1, 0, 1, 1, 1, 0]]
    >>> pooled = crossed_test(
    ...     treatment, baseline, paired=True, spread=pooled_seed_spread([treatment, baseline, third])
    ... )
    >>> f"{pooled.n_arms} arms, df {result.df:.1f} -> {pooled.df:.1f}, p = {pooled.p_value:.2f}"
    '3 arms, df 5.1 -> 6.5, p = 0.06'
    """
    y_t, y_b = _checked(treatment, baseline, paired=paired)
    (S_t, N), S_b = y_t.shape, y_b.shape[0]
    if spread is not None and (not paired or spread.df != (spread.n_arms - 1) * (S_t - 1)):
        raise ValueError(f"the spread over seeds does not belong to {S_t} paired seeds, got {spread}, paired={paired}")
    size = max(y_t.size, y_b.size)
    D = float(y_t.seed_means.mean() - y_b.seed_means.mean())
    no_gap = abs(D) <= ROUNDING * size
    n_arms = spread.n_arms if spread is not None else 2
    design = design_of(n_seeds=S_t, n_arms=n_arms, before_pooling=before_pooling) if paired else "B"
    reasons: list[str] = []
    if N == 1:
        reasons.append("one test example or cluster says nothing about new examples")
    if min(S_t, S_b) == 1:
        reasons.append("one seed says nothing about a training procedure")
    if reasons:
        return CrossedResult(
            estimate=D,
            standard_error=_NAN,
            df=_NAN,
            statistic=_NAN,
            p_value=_NAN,
            design=design,
            paired=paired,
            n_arms=2,
            n_seeds=(S_t, S_b),
            n_examples=N,
            other_p_value=_NAN,
            pairwise_p_value=_NAN,
            seed_correlation=_NAN,
            components=VarianceComponents(
                seed=_NAN,
                example=_NAN,
                residual=_NAN,
                n_seeds=min(S_t, S_b),
                n_examples=N,
                seed_df=min(S_t, S_b) - 1,
                seed_sd_interval=NO_INTERVAL,
            ),
            reason="; ".join(reasons),
        )

    alone = design_of(n_seeds=S_t, before_pooling=before_pooling) if paired else "B"
    columns = None if strata is None else cluster_numbers(strata, N)
    plain = alone == "A" or has_plain_df("B", n_seeds=S_t)
    independent = independent_variance(y_t, y_b, size, strata=columns, plain_df=plain)
    plain_pairs = has_plain_df("A", n_seeds=S_t, before_pooling=before_pooling)
    squares = difference_squares(y_t, y_b) if paired else None
    pairs = squares and paired_variance(squares, size, n_seeds=S_t, strata=columns, plain_df=plain_pairs)
    by_pair = pairs if pairs is not None and alone == "A" else independent
    pooled = (
        paired_variance(squares, size, n_seeds=S_t, strata=columns, spread=spread)
        if squares is not None and spread is not None and design == "A"
        else None
    )
    fit = pooled or by_pair
    other = independent if design == "A" else pairs
    if fit.variance == 0:
        reasons.append(
            "the arms scored every example alike: nothing varies, so there is no interval"
            if no_gap
            else "every difference is the same: nothing varies, so the gap cannot be judged"
        )
    reasons.extend(_unmoved(y_t, y_b, fit))
    return CrossedResult(
        estimate=D,
        standard_error=math.sqrt(fit.variance),
        df=fit.df,
        statistic=D / math.sqrt(fit.variance) if fit.variance > 0 else _NAN,
        p_value=_p_value(D, fit, no_gap=no_gap),
        design=design,
        paired=paired,
        n_arms=n_arms if pooled else 2,
        n_seeds=(S_t, S_b),
        n_examples=N,
        other_p_value=_NAN if other is None else _p_value(D, other, no_gap=no_gap),
        pairwise_p_value=_p_value(D, by_pair, no_gap=no_gap),
        seed_correlation=_seed_correlation(y_t, y_b, size) if paired else _NAN,
        components=replace(fit.components, by_arm=independent.components.by_arm),
        reason="; ".join(reasons),
    )


def _checked(
    treatment: ArrayLike | ArmScores, baseline: ArrayLike | ArmScores, *, paired: bool
) -> tuple[ArmScores, ArmScores]:
    y_t, y_b = as_arm(treatment), as_arm(baseline)
    for name, y in (("treatment", y_t), ("baseline", y_b)):
        if len(y.shape) != 2 or 0 in y.shape:
            raise ValueError(f"{name} must be a matrix of seeds x examples, got shape {y.shape}")
        if not y.finite:
            raise ValueError(f"{name} must hold finite scores, got {np.count_nonzero(~np.isfinite(y.y))} others")
    if y_t.shape[1] != y_b.shape[1]:
        raise ValueError(
            "both arms must be scored on the same examples, "
            f"got {y_t.shape[1]} for the treatment and {y_b.shape[1]} for the baseline"
        )
    if paired and y_t.shape != y_b.shape:
        raise ValueError(
            "paired arms need the same seeds, "
            f"got {y_t.shape[0]} for the treatment and {y_b.shape[0]} for the baseline; pass paired=False"
        )
    return y_t, y_b


def _p_value(D: float, fit: VarianceFit, *, no_gap: bool) -> float:
    if fit.variance > 0:
        return 2 * float(special.stdtr(fit.df, -abs(D) / math.sqrt(fit.variance)))
    return 1.0 if no_gap else _NAN


def _unmoved(y_t: ArmScores, y_b: ArmScores, fit: VarianceFit) -> list[str]:
    fixed = [name for name, y in (("treatment", y_t), ("baseline", y_b)) if y.fixed]
    if len(fixed) == 2:
        return ["the seeds changed nothing"]
    if fixed:
        return [f"the seeds changed nothing in the {fixed[0]}"]
    return [] if fit.seeds_matter else ["the seeds changed nothing in the difference"]


def _seed_correlation(y_t: ArmScores, y_b: ArmScores, size: float) -> float:
    r_t, r_b = y_t.seed_means, y_b.seed_means
    if len(r_t) < 3 or min(float(np.ptp(r_t)), float(np.ptp(r_b))) <= ROUNDING * size:
        return _NAN
    return float(np.corrcoef(r_t, r_b)[0, 1])
