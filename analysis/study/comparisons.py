"""Every comparison of the plan: the primary test, correction and verdict, and the other tests beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.methods.bootstrap import MultiBootstrapResult, bootstrap_study
from analysis.methods.crossed import CrossedResult
from analysis.methods.equivalence import EquivalenceResult
from analysis.methods.mcnemar import ClusteredMcNemarResult, McNemarResult
from analysis.methods.multiplicity import benjamini_hochberg, joint_step_down
from analysis.methods.outperforming import OutperformingResult
from analysis.methods.permutation import SignFlipResult
from analysis.metrics.scores import METRICS
from analysis.power.settling import Settling, settle
from analysis.records.outcomes import Outcomes
from analysis.study.comparison_tests import ComparisonTests, lost_trials, run_tests
from analysis.study.conditions import unlike
from analysis.study.looks import Look
from analysis.study.plan import AnalysisPlan, Comparison
from analysis.study.verdict import Verdict, decide

_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonResult:
    """One comparison with its verdict.

    Parameters
    ----------
    treatment, baseline
        The two arms; every gap is treatment minus baseline, in units of the score.
    seeds
        The paired seeds.
    n_examples, n_clusters
        The number of test examples, and of their clusters (None where the study has none).
    verdict
        The answer, from the primary test and the correction over all comparisons.
    result
        The primary test, with variance components and the p-value of the other design; None where it could
        not be made. It generalises to new seeds and new examples, as do equivalence and intervals.
    confidence, interval
        The interval of the gap for this comparison alone, at 1 - alpha; at a declared look, at what the look's
        spending leaves, and without limits where that is nothing.
    family_confidence, family_interval
        The Bonferroni interval, the same at alpha / K for K comparisons.
    sequential_p
        The p-value for a difference, honest at any of the declared looks; the raw one in a study without looks.
    difference_p, equivalence_p
        The p-values for a difference and for equivalence after the joint step-down.
    equivalence
        The two one-sided tests at the plan's margin, before correction; None where `result` is.
    posterior
        With a flat prior: the probability that the gap is below -margin, within the margin, above it.
    settling_gap, settling_margin
        What it would take to find a gap as large as the one seen, and one as large as the margin, at
        alpha / K and 80% power; None where there is nothing to plan from.
    bootstrap
        The multi-bootstrap over seeds and examples, with intervals at 1 - alpha or as near to it as its resamples
        reach; None where `result` is.
    sign_flip, outperforming
        Over seeds, for this very test set; None where `result` is.
    mcnemar
        One result a seed, in the order of `seeds`; each is about the accuracy of two trained models on new examples.
    reason
        What is unusual about the tests; else empty.
    unlike
        In what the paired trials differ besides their arm, such as ``threads (1 against 2, in 6 of 6 pairs)``; else
        empty. A gap may then be that of the machines.
    """

    treatment: str
    baseline: str
    seeds: tuple[int, ...]
    n_examples: int
    n_clusters: int | None
    verdict: Verdict
    result: CrossedResult | None
    confidence: float
    interval: tuple[float, float]
    family_confidence: float
    family_interval: tuple[float, float]
    sequential_p: float
    difference_p: float
    equivalence_p: float
    equivalence: EquivalenceResult | None
    posterior: tuple[float, float, float]
    settling_gap: Settling | None
    settling_margin: Settling | None
    bootstrap: MultiBootstrapResult | None
    sign_flip: SignFlipResult | None
    outperforming: OutperformingResult | None
    mcnemar: tuple[McNemarResult | ClusteredMcNemarResult, ...]
    reason: str
    unlike: str

    @property
    def name(self) -> str:
        """The comparison in words: ``treatment against baseline``."""
        return f"{self.treatment} against {self.baseline}"

    @property
    def estimate(self) -> float:
        """The gap; NaN where the test could not be made."""
        return self.result.estimate if self.result is not None else _NAN


def compare(
    outcomes: Outcomes,
    plan: AnalysisPlan,
    *,
    seeds: Sequence[int],
    waiting: Sequence[int] = (),
    look: Look | None,
    resamples: int,
    rng: np.random.Generator,
) -> tuple[ComparisonResult, ...]:
    """Make every comparison of the plan and decide it.

    Parameters
    ----------
    outcomes
        The study.
    plan
        The frozen plan.
    seeds
        The seeds to use, the same for every arm. An arm that did not finish with all of them gets no verdict,
        and its comparisons still count in the correction.
    waiting
        The seeds that are set aside until they have run in every arm.
    look
        The look that has been reached, in a study that declares looks.
    resamples
        How often the multi-bootstrap resamples, at least 2. Its confidence is 1 - alpha, or the most that so few
        resamples can give.
    rng
        For what is resampled.

    Returns
    -------
    tuple of ComparisonResult
        In the order of `AnalysisPlan.all_comparisons`.
    """
    pairs = plan.all_comparisons(outcomes.arms)
    complete = [arm for arm in outcomes.arms if seeds and not lost_trials(outcomes, (arm,), seeds)]
    scores = {arm: outcomes.drawn(outcomes.scores(arm, seeds=seeds, metric=plan.metric)) for arm in complete}
    right = {arm: outcomes.answers(arm, seeds=seeds) == outcomes.labels for arm in complete}
    tested = [
        run_tests(outcomes, plan, pair, scores, right, seeds=seeds, waiting=waiting, look=look, rng=rng)
        for pair in pairs
    ]
    made = [(pair.treatment, pair.baseline) for pair, one in zip(pairs, tested, strict=True) if one.result is not None]
    # Few resamples reach no far tail: their interval is then the widest that they can give, and says so.
    reach = min(1 - plan.alpha, 1 - 2 / (resamples + 1))
    bootstraps = bootstrap_study(scores, made, rng=rng, resamples=resamples, confidence=reach) if made else {}
    difference, equivalence = _corrected(
        plan, [one.sequential_p for one in tested], [one.sequential_equivalence_p for one in tested]
    )
    return tuple(
        _decided(
            one,
            outcomes,
            plan,
            seeds=seeds,
            look=look,
            bootstrap=bootstraps.get((one.comparison.treatment, one.comparison.baseline)),
            n_comparisons=len(tested),
            difference_p=gap,
            equivalence_p=same,
        )
        for one, gap, same in zip(tested, difference, equivalence, strict=True)
    )


def _corrected(
    plan: AnalysisPlan, difference: Sequence[float], equivalence: Sequence[float]
) -> tuple[Sequence[float], Sequence[float]]:
    if plan.correction == "holm":
        adjusted = joint_step_down(difference, equivalence)
        return adjusted.difference, adjusted.equivalence
    pooled = benjamini_hochberg([*difference, *equivalence]).tolist()
    return pooled[: len(difference)], pooled[len(difference) :]


def _decided(
    tested: ComparisonTests,
    outcomes: Outcomes,
    plan: AnalysisPlan,
    *,
    seeds: Sequence[int],
    look: Look | None,
    bootstrap: MultiBootstrapResult | None,
    n_comparisons: int,
    difference_p: float,
    equivalence_p: float,
) -> ComparisonResult:
    result, level = tested.result, plan.alpha / n_comparisons
    # A study that looks again spends its error over the looks, and its intervals are as wide as that demands.
    alone, shared = (look.level(plan.alpha), look.level(level)) if look and look.number else (plan.alpha, level)
    reasons = [result.reason] if result is not None and result.reason else []
    if 1 - shared == 1:
        reasons.append("so early a look may reject nothing, and its interval has no limits")
    return ComparisonResult(
        treatment=tested.comparison.treatment,
        baseline=tested.comparison.baseline,
        seeds=tuple(seeds),
        n_examples=outcomes.n_examples,
        n_clusters=outcomes.n_clusters,
        verdict=decide(
            result,
            difference_p=difference_p,
            equivalence_p=equivalence_p,
            alpha=plan.alpha,
            higher_is_better=METRICS[plan.metric].higher_is_better,
            refusal=tested.refusal,
        ),
        result=result,
        confidence=1 - alone,
        interval=interval_at(result, 1 - alone),
        family_confidence=1 - shared,
        family_interval=interval_at(result, 1 - shared),
        sequential_p=tested.sequential_p,
        difference_p=difference_p,
        equivalence_p=equivalence_p,
        equivalence=tested.equivalence,
        posterior=result.posterior(plan.margin) if result else (_NAN, _NAN, _NAN),
        settling_gap=_settling(result, result.estimate, level) if result else None,
        settling_margin=_settling(result, plan.margin, level) if result else None,
        bootstrap=bootstrap,
        sign_flip=tested.sign_flip,
        outperforming=tested.outperforming,
        mcnemar=tested.mcnemar,
        reason=tested.refusal or "; ".join(reasons),
        unlike=_unlike(outcomes, tested.comparison, seeds),
    )


def _unlike(outcomes: Outcomes, pair: Comparison, seeds: Sequence[int]) -> str:
    records = [
        (one, other)
        for seed in seeds
        if (one := outcomes.trials[pair.treatment, seed].record) is not None
        and (other := outcomes.trials[pair.baseline, seed].record) is not None
    ]
    return unlike([one for one, _ in records], [other for _, other in records])


def interval_at(result: CrossedResult | None, confidence: float) -> tuple[float, float]:
    """Return the interval of a gap; without limits where a look comes so early that it may reject nothing.

    Parameters
    ----------
    result
        The primary test; None where it could not be made.
    confidence
        Above 0 and at most 1.
    """
    if result is None:
        return _NAN, _NAN
    return result.interval(confidence) if confidence < 1 else (-math.inf, math.inf)


def _settling(result: CrossedResult, gap: float, level: float) -> Settling | None:
    return settle(result, gap=gap, alpha=level) if result.standard_error > 0 else None
