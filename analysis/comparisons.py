"""Every comparison of the plan: the primary test, correction and verdict, and the other tests beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.crossed import CrossedResult, crossed_test
from analysis.equivalence import EquivalenceResult, tost
from analysis.mcnemar import McNemarResult, mcnemar
from analysis.multiplicity import joint_step_down
from analysis.outcomes import Outcomes
from analysis.permutation import SignFlipResult, sign_flip
from analysis.plan import AnalysisPlan, Comparison
from analysis.power import Settling, settle
from analysis.verdict import Verdict, decide
from analysis.words import named_trials

_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonReport:
    """One comparison with its verdict.

    Parameters
    ----------
    treatment, baseline
        The two arms; every gap is treatment minus baseline, in units of the score.
    seeds
        The paired seeds.
    n_examples
        The number of test examples.
    verdict
        The answer, from the primary test and the correction over all comparisons.
    result
        The primary test, with variance components and the p-value of the other design; None where it could
        not be made. It generalises to new seeds and new examples, as do equivalence and intervals.
    confidence, interval
        The interval of the gap for this comparison alone, at 1 - alpha.
    family_confidence, family_interval
        The Bonferroni interval, at 1 - alpha / K for K comparisons.
    difference_p, equivalence_p
        The p-values for a difference and for equivalence after the joint step-down.
    equivalence
        The two one-sided tests at the plan's margin, before correction; None where `result` is.
    posterior
        With a flat prior: the probability that the gap is below -margin, within the margin, above it.
    settling_gap, settling_margin
        What it would take to find a gap as large as the one seen, and one as large as the margin, at
        alpha / K and 80% power; None where there is nothing to plan from.
    sign_flip
        Over seeds, for this very test set; None where `result` is.
    mcnemar
        One result a seed, in the order of `seeds`; each is about new examples for two trained models.
    reason
        What is unusual about the tests; else empty.
    """

    treatment: str
    baseline: str
    seeds: tuple[int, ...]
    n_examples: int
    verdict: Verdict
    result: CrossedResult | None
    confidence: float
    interval: tuple[float, float]
    family_confidence: float
    family_interval: tuple[float, float]
    difference_p: float
    equivalence_p: float
    equivalence: EquivalenceResult | None
    posterior: tuple[float, float, float]
    settling_gap: Settling | None
    settling_margin: Settling | None
    sign_flip: SignFlipResult | None
    mcnemar: tuple[McNemarResult, ...]
    reason: str

    @property
    def name(self) -> str:
        """The comparison in words: ``treatment against baseline``."""
        return f"{self.treatment} against {self.baseline}"

    @property
    def estimate(self) -> float:
        """The gap; NaN where the test could not be made."""
        return self.result.estimate if self.result is not None else _NAN


@dataclass(frozen=True, slots=True, kw_only=True)
class BestArms:
    """Which arms may still be the best one.

    An arm leaves when a corrected comparison of the plan puts it below another arm. The best procedure is
    among the others except with probability alpha, for new seeds and new examples.

    Parameters
    ----------
    highest
        The arm with the highest mean; None when no arm finished.
    in_play
        The arms that no comparison puts below another.
    below
        The arms that one does.
    not_compared
        Arms in play whose comparison with the highest is not in the plan or has no verdict.
    """

    highest: str | None
    in_play: tuple[str, ...]
    below: tuple[str, ...]
    not_compared: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tested:
    comparison: Comparison
    refusal: str
    result: CrossedResult | None
    equivalence: EquivalenceResult | None
    sign_flip: SignFlipResult | None
    mcnemar: tuple[McNemarResult, ...]


def compare(outcomes: Outcomes, plan: AnalysisPlan, *, seeds: Sequence[int]) -> tuple[ComparisonReport, ...]:
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

    Returns
    -------
    tuple of ComparisonReport
        In the order of `AnalysisPlan.all_comparisons`.
    """
    tested = [_test(outcomes, plan, pair, seeds=seeds) for pair in plan.all_comparisons(outcomes.arms)]
    adjusted = joint_step_down(
        [one.result.p_value if one.result else _NAN for one in tested],
        [one.equivalence.p_value if one.equivalence else _NAN for one in tested],
    )
    return tuple(
        _decided(one, outcomes, plan, seeds=seeds, n_comparisons=len(tested), difference_p=gap, equivalence_p=same)
        for one, gap, same in zip(tested, adjusted.difference, adjusted.equivalence, strict=True)
    )


def best_arms(means: dict[str, float], comparisons: Sequence[ComparisonReport]) -> BestArms:
    """Say which arms the corrected comparisons leave in play for being the best.

    Parameters
    ----------
    means
        The mean score of each arm, NaN where no trial finished.
    comparisons
        All comparisons of the plan.
    """
    below = {
        one.treatment if one.verdict.label.startswith("worse") else one.baseline
        for one in comparisons
        if one.verdict.differs
    }
    in_play = tuple(arm for arm in means if arm not in below)
    known = {arm: mean for arm, mean in means.items() if not math.isnan(mean)}
    highest = max(known, key=lambda arm: known[arm]) if known else None
    answered = {frozenset((one.treatment, one.baseline)) for one in comparisons if one.verdict.label != "no verdict"}
    return BestArms(
        highest=highest,
        in_play=in_play,
        below=tuple(arm for arm in means if arm in below),
        not_compared=tuple(
            arm
            for arm in in_play
            if highest is not None and arm != highest and frozenset((arm, highest)) not in answered
        ),
    )


def _refusal(outcomes: Outcomes, pair: Comparison, seeds: Sequence[int]) -> str:
    unfinished = outcomes.unfinished(arms=(pair.treatment, pair.baseline))
    lost = [trial for trial in unfinished if trial.seed in seeds]
    if lost:
        return named_trials(lost)
    return "" if seeds else "no seed with which every arm finished"


def _test(outcomes: Outcomes, plan: AnalysisPlan, pair: Comparison, *, seeds: Sequence[int]) -> _Tested:
    refusal = _refusal(outcomes, pair, seeds)
    if refusal:
        return _Tested(comparison=pair, refusal=refusal, result=None, equivalence=None, sign_flip=None, mcnemar=())
    treatment = outcomes.scores(pair.treatment, seeds=seeds)
    baseline = outcomes.scores(pair.baseline, seeds=seeds)
    result = crossed_test(treatment, baseline, paired=True)
    return _Tested(
        comparison=pair,
        refusal="",
        result=result,
        equivalence=tost(result.estimate, result.standard_error, result.df, margin=plan.margin),
        sign_flip=sign_flip(treatment.sum(axis=1), baseline.sum(axis=1), n_examples=outcomes.n_examples),
        mcnemar=tuple(mcnemar(one, other) for one, other in zip(treatment, baseline, strict=True)),
    )


def _decided(
    tested: _Tested,
    outcomes: Outcomes,
    plan: AnalysisPlan,
    *,
    seeds: Sequence[int],
    n_comparisons: int,
    difference_p: float,
    equivalence_p: float,
) -> ComparisonReport:
    result, level = tested.result, plan.alpha / n_comparisons
    unknown = (_NAN, _NAN)
    return ComparisonReport(
        treatment=tested.comparison.treatment,
        baseline=tested.comparison.baseline,
        seeds=tuple(seeds),
        n_examples=outcomes.n_examples,
        verdict=decide(
            result,
            difference_p=difference_p,
            equivalence_p=equivalence_p,
            plan=plan,
            refusal=tested.refusal,
        ),
        result=result,
        confidence=1 - plan.alpha,
        interval=result.interval(1 - plan.alpha) if result else unknown,
        family_confidence=1 - level,
        family_interval=result.interval(1 - level) if result else unknown,
        difference_p=difference_p,
        equivalence_p=equivalence_p,
        equivalence=tested.equivalence,
        posterior=result.posterior(plan.margin) if result else (_NAN, _NAN, _NAN),
        settling_gap=_settling(result, result.estimate, level) if result else None,
        settling_margin=_settling(result, plan.margin, level) if result else None,
        sign_flip=tested.sign_flip,
        mcnemar=tested.mcnemar,
        reason=tested.refusal or (result.reason if result else ""),
    )


def _settling(result: CrossedResult, gap: float, level: float) -> Settling | None:
    return settle(result, gap=gap, alpha=level) if result.standard_error > 0 else None
