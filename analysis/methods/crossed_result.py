"""Result of the crossed test: the gap, what its standard error comes from, and the posterior under a flat prior."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from scipy import special

from analysis.methods.components import VarianceComponents
from analysis.methods.crossed_design import Design
from analysis.methods.crossed_seeds import CrossedSeedsResult
from analysis.methods.student import TResult


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


NO_POSTERIOR = Posterior(math.nan, math.nan, math.nan)
"""What stands where there is nothing to give a posterior from."""


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
            return NO_POSTERIOR
        below = float(special.stdtr(self.df, (-margin - self.estimate) / self.standard_error))
        above = float(special.stdtr(self.df, (self.estimate - margin) / self.standard_error))
        return Posterior(below, max(0.0, 1.0 - below - above), above)
