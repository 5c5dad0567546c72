"""Result of one comparison: its verdict, and every figure that a report shows of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.methods.bootstrap import MultiBootstrapResult
from analysis.methods.crossed_result import CrossedResult, Posterior
from analysis.methods.equivalence import EquivalenceResult
from analysis.methods.interval import Interval
from analysis.methods.label_permutation import LabelPermutationResult
from analysis.methods.mcnemar import McNemarResult
from analysis.methods.mcnemar_clustered import ClusteredMcNemarResult
from analysis.methods.outperforming import OutperformingResult
from analysis.methods.sign_flip import SignFlipResult
from analysis.methods.student import TResult
from analysis.power.settling import Settling
from analysis.study.futility import HOPELESS
from analysis.study.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonResult:
    """One comparison with its verdict.

    Parameters
    ----------
    treatment, baseline : str
        The two arms; every gap is treatment minus baseline, in units of the score.
    seeds : tuple of int
        The paired seeds; empty where runs are not paired by seed.
    n_seeds : tuple of (int, int)
        How many the treatment has, and the baseline.
    n_examples, n_clusters : int, int or None
        The number of test examples, and of their clusters (None where the study has none).
    verdict : Verdict
        The answer, from the primary test and the correction over all comparisons.
    result : CrossedResult or None
        The primary test, with variance components and the p-value of the other design; None where it could
        not be made. It generalises to new seeds and new examples, as do equivalence and intervals.
    verdict_confidence, verdict_interval : float, Interval
        The interval of the gap that belongs to the verdict: without 0 exactly where the corrected test shows a gap, and
        within the margin exactly where it shows equivalence. Under the joint step-down it is the Bonferroni interval,
        cut at 0 or at the margin (a limit that is not part of it) where the step-down shows more;
        `analysis.study.gap_intervals` says what holds for all comparisons together. At a declared look it is made from
        what the look may spend, and has no limits where that is nothing.
    confidence, interval : float, Interval
        The interval of the gap for this comparison alone, at 1 - alpha: no correction is in it, and it can leave out 0
        beside a verdict of undecided. Looks as above.
    family_confidence, family_interval : float, Interval
        The Bonferroni interval, the same at alpha / K for K comparisons: all K hold together.
    seeds_only, examples_only : Interval
        What `verdict_interval` is at the same confidence, uncut, where only seeds are drawn anew, on this very test set
        (paired t over seeds, or Welch's), and where only test examples are, for these trained models. Papers give one
        or the other; no verdict rests on them. The first is NaN where seeds of two kinds cross.
    sequential_p : float
        The p-value for a difference, valid at any of the declared looks; the raw one in a study without looks.
    at_looks : tuple of (TResult or None)
        The gap with its standard error at every declared look so far, by the primary test; None where dropped seeds
        left too few for a look. Empty in a study without looks.
    left : bool
        Whether it left at an earlier look than the study has reached: an arm of it is trained no further.
    chance : float
        Of an undecided comparison at a declared look: the chance that the last look decides it, as the seeds so far
        predict it for this very test set. NaN elsewhere.
    difference_p, equivalence_p : float
        The p-values for a difference and for equivalence after the joint step-down.
    equivalence : EquivalenceResult or None
        The two one-sided tests at the plan's margin, before correction; None where `result` is.
    posterior : Posterior
        With a flat prior: the probability that the gap is below -margin, within the margin, above it.
    settling_gap, settling_margin : Settling or None
        The sample sizes that would find a gap as large as the one seen, and one as large as the margin, at alpha / K
        and 80% power; None where there is nothing to plan from, or where seeds of two kinds cross.
    settling_equivalence : Settling or None
        Those that would show equivalence within the margin, if the true gap is the one seen; None also where that is
        as large as the margin.
    bootstrap : MultiBootstrapResult or None
        The multi-bootstrap over seeds and examples, with intervals at 1 - alpha or the nearest level that its resamples
        allow; None where `result` is, or where seeds of two kinds cross.
    sign_flip, outperforming : SignFlipResult or None, OutperformingResult or None
        Over paired seeds, for this very test set; None where `result` is.
    label_permutation : LabelPermutationResult or None
        The same question where runs are not paired by seed: whether it matters which runs belong to which arm. How
        often one arm outperforms the other is then not estimated: no run of one arm belongs to one of the other.
    mcnemar : tuple of McNemarResult or ClusteredMcNemarResult
        One result per seed, in the order of `seeds`; each is about the accuracy of two trained models on new examples.
        Empty without classes, and for a mean over several test sets: the comparisons of each set have their own.
    reason : str
        What is unusual about the tests; else empty.
    unlike : str
        How the paired trials differ apart from their arm, such as ``threads (1 against 2, in 6 of 6 pairs)``; else
        empty. Where they do, the machines may have caused the gap.
    """

    treatment: str
    baseline: str
    seeds: tuple[int, ...]
    n_seeds: tuple[int, int]
    n_examples: int
    n_clusters: int | None
    verdict: Verdict
    result: CrossedResult | None
    verdict_confidence: float
    verdict_interval: Interval
    confidence: float
    interval: Interval
    family_confidence: float
    family_interval: Interval
    seeds_only: Interval
    examples_only: Interval
    sequential_p: float
    at_looks: tuple[TResult | None, ...]
    left: bool
    chance: float
    difference_p: float
    equivalence_p: float
    equivalence: EquivalenceResult | None
    posterior: Posterior
    settling_gap: Settling | None
    settling_margin: Settling | None
    settling_equivalence: Settling | None
    bootstrap: MultiBootstrapResult | None
    sign_flip: SignFlipResult | None
    outperforming: OutperformingResult | None
    label_permutation: LabelPermutationResult | None
    mcnemar: tuple[McNemarResult | ClusteredMcNemarResult, ...]
    reason: str
    unlike: str

    @property
    def name(self) -> str:
        """The comparison in words: ``treatment against baseline``."""
        return f"{self.treatment} against {self.baseline}"

    @property
    def is_open(self) -> bool:
        """Whether it could be tested and is not decided, and further seeds may decide it."""
        return self.result is not None and not self.verdict.decided and not self.left and not self.chance < HOPELESS

    @property
    def estimate(self) -> float:
        """The gap; NaN where the test could not be made."""
        return self.result.estimate if self.result is not None else math.nan
