"""Comparisons of the plan: the tests of each, the correction over all of them, and the verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from analysis.methods.arm_scores import ArmScores, Scores
from analysis.methods.bootstrap import MultiBootstrapResult, bootstrap_study
from analysis.methods.crossed_result import NO_POSTERIOR
from analysis.methods.multiplicity import benjamini_hochberg, joint_step_down
from analysis.methods.student import TResult
from analysis.power.new_study import PlannedTest
from analysis.power.settling import Settling, settle
from analysis.records.outcomes import Outcomes
from analysis.study.comparison_result import ComparisonResult
from analysis.study.comparison_tests import ComparisonTests, run_tests
from analysis.study.conditions import unlike
from analysis.study.futility import chance_of_decision
from analysis.study.gap_intervals import at_look, interval_at, level_of_verdicts, verdict_interval
from analysis.study.plan import AnalysisPlan, Comparison
from analysis.study.primary_test import PValues, planned_test
from analysis.study.seeds import SeedsInUse
from analysis.study.verdict import decide


def compare(
    outcomes: Outcomes,
    plan: AnalysisPlan,
    scores: Mapping[str, Scores],
    *,
    seeds: SeedsInUse,
    resamples: int,
    rng: np.random.Generator,
) -> tuple[ComparisonResult, ...]:
    """Test and decide every comparison of the plan.

    Parameters
    ----------
    outcomes : Outcomes
        The study.
    plan : AnalysisPlan
        The frozen plan.
    scores : mapping of str to ndarray of float64
        The plan's metric by arm and example, one row for each seed in use with which the arm finished. An arm that did
        not finish with all of them gets no verdict, and its comparisons still count in the correction.
    seeds : SeedsInUse
        The seeds in use.
    resamples : int
        How often the multi-bootstrap resamples, at least 2. Its confidence is 1 - alpha, or the highest that so few
        resamples can give.
    rng : numpy.random.Generator
        For the resampling.

    Returns
    -------
    tuple of ComparisonResult
        In the order of `AnalysisPlan.all_comparisons`.
    """
    pairs = plan.all_comparisons(outcomes.arms)
    if not pairs:
        return ()
    complete = [arm for arm, rows in scores.items() if 0 < len(rows) == len(seeds.by_arm[arm])]
    drawn = {arm: ArmScores(outcomes.drawn(scores[arm])) for arm in complete}
    answered = {arm: outcomes.right(arm, seeds=seeds.by_arm[arm]) for arm in complete}
    right = {arm: rows for arm, rows in answered.items() if rows is not None}
    tests = [run_tests(outcomes, plan, pair, scores=drawn, right=right, seeds=seeds, rng=rng) for pair in pairs]
    tested = [(pair.treatment, pair.baseline) for pair, one in zip(pairs, tests, strict=True) if one.result is not None]
    # A few resamples say nothing about far tails: the interval is then the widest that they can give, and says so.
    confidence = min(1 - plan.alpha, 1 - 2 / (resamples + 1))
    # It resamples seeds as independent of each other.
    resampled = tested if plan.crossing is None else []
    bootstraps: dict[tuple[str, str], MultiBootstrapResult] = {}
    # Arms that left early have fewer seeds than those that stayed: pairs with the same number are resampled together.
    for n_seeds, alike in _by_seeds(resampled, seeds, plan).items():
        rows = {arm: y.first(n_seeds) for arm, y in drawn.items() if len(y.y) >= (n_seeds or 0)}
        bootstraps |= bootstrap_study(
            rows, alike, paired=plan.paired, rng=rng, resamples=resamples, confidence=confidence
        )
    corrected = correct(plan, [one.sequential for one in tests])
    level = level_of_verdicts(plan.correction, plan.alpha, corrected)
    results = [
        decided(
            one,
            outcomes,
            plan,
            seeds=seeds,
            bootstrap=bootstraps.get((pair.treatment, pair.baseline)),
            n_comparisons=len(pairs),
            test=planned_test(plan, n_arms=arms_tested(drawn, pair)),
            corrected=both,
            level=level,
        )
        for pair, one, both in zip(pairs, tests, corrected, strict=True)
    ]
    return tuple(_with_chances(results, plan, seeds=seeds))


def _with_chances(
    results: Sequence[ComparisonResult], plan: AnalysisPlan, *, seeds: SeedsInUse
) -> list[ComparisonResult]:
    """Return a family of comparisons with the chance that the last look decides those that are undecided.

    Where both questions of a comparison are answered, it leaves its share of alpha to the others, as in the step-down.
    """
    sharing = sum(not (one.verdict.differs and one.verdict.within_margin) for one in results)
    told = []
    for one in results:
        look = seeds.of(plan, one.treatment, one.baseline).look
        if look is not None and look.number and not look.is_last and one.verdict.undecided and one.result is not None:
            chance = chance_of_decision(one.result, look, alpha=plan.alpha / sharing, margin=plan.margin)
            one = replace(one, chance=chance)
        told.append(one)
    return told


def arms_tested(scores: Mapping[str, ArmScores], pair: Comparison) -> int:
    """Return over how many arms the test of a pair can pool: those with as many seeds as it uses."""
    size = min((len(scores[arm].y) for arm in (pair.treatment, pair.baseline) if arm in scores), default=0)
    return sum(len(y.y) >= size and y.first(size).finite for y in scores.values())


def _by_seeds(
    pairs: Sequence[tuple[str, str]], seeds: SeedsInUse, plan: AnalysisPlan
) -> dict[int | None, list[tuple[str, str]]]:
    """Return pairs of arms by how many seeds they share; None for all seeds of runs that are not paired by seed."""
    found: dict[int | None, list[tuple[str, str]]] = {}
    for pair in pairs:
        found.setdefault(len(seeds.of(plan, *pair).used) if plan.paired else None, []).append(pair)
    return found


def correct(plan: AnalysisPlan, p_values: Sequence[PValues]) -> list[PValues]:
    """Correct the p-values of a family of comparisons as the plan declares."""
    difference, equivalence = [p.difference for p in p_values], [p.equivalence for p in p_values]
    if plan.correction == "holm":
        adjusted = joint_step_down(difference, equivalence)
        return [PValues(*both) for both in zip(adjusted.difference, adjusted.equivalence, strict=True)]
    pooled = benjamini_hochberg([*difference, *equivalence]).tolist()
    return [PValues(*both) for both in zip(pooled[: len(p_values)], pooled[len(p_values) :], strict=True)]


def decided(
    tests: ComparisonTests,
    outcomes: Outcomes,
    plan: AnalysisPlan,
    *,
    seeds: SeedsInUse,
    bootstrap: MultiBootstrapResult | None,
    n_comparisons: int,
    test: PlannedTest,
    corrected: PValues,
    level: float,
) -> ComparisonResult:
    """Decide one comparison of a family, from its tests and corrected p-values; `level` is that of its interval."""
    result, each = tests.result, plan.alpha / n_comparisons
    newest = seeds.look
    seeds = seeds.of(plan, tests.comparison.treatment, tests.comparison.baseline)
    alone, shared, beside = (at_look(alpha, seeds.look) for alpha in (plan.alpha, each, level))
    belonging = verdict_interval(result, 1 - beside, corrected, alpha=plan.alpha, margin=plan.margin)

    def settled(gap: float, margin: float | None = None) -> Settling | None:
        # Where seeds of two kinds cross, more of one is not more of the other: no single number would settle it.
        if result is None or not result.standard_error > 0 or result.by_source is not None:
            return None
        return settle(result, gap=gap, margin=margin, alpha=each, test=test)

    reasons = [result.reason] if result is not None and result.reason else []
    if result is not None and result.standard_error > 0 and math.isnan(belonging.low):
        reasons.append("an earlier look has shown what the interval of this look rules out, so no interval is given")
    if 1 - min(shared, beside) == 1:
        reasons.append("so early a look cannot reject anything, so its interval has no limits")
    return ComparisonResult(
        treatment=tests.comparison.treatment,
        baseline=tests.comparison.baseline,
        seeds=seeds.used if plan.paired else (),
        n_seeds=(len(seeds.by_arm[tests.comparison.treatment]), len(seeds.by_arm[tests.comparison.baseline])),
        n_examples=outcomes.n_examples,
        n_clusters=outcomes.n_clusters,
        verdict=decide(
            result,
            difference_p=corrected.difference,
            equivalence_p=corrected.equivalence,
            alpha=plan.alpha,
            higher_is_better=plan.kind.higher_is_better,
            refusal=tests.refusal,
        ),
        result=result,
        verdict_confidence=1 - beside,
        verdict_interval=belonging,
        confidence=1 - alone,
        interval=interval_at(result, 1 - alone),
        family_confidence=1 - shared,
        family_interval=interval_at(result, 1 - shared),
        seeds_only=interval_at(tests.over_seeds, 1 - beside),
        examples_only=interval_at(tests.over_examples, 1 - beside),
        sequential_p=tests.sequential.difference,
        at_looks=tuple(
            one and TResult(estimate=one.estimate, standard_error=one.standard_error, df=one.df)
            for one in tests.at_looks
        ),
        left=seeds.look is not newest,
        chance=math.nan,
        difference_p=corrected.difference,
        equivalence_p=corrected.equivalence,
        equivalence=tests.equivalence,
        posterior=result.posterior(plan.margin) if result else NO_POSTERIOR,
        settling_gap=settled(result.estimate) if result else None,
        settling_margin=settled(plan.margin),
        settling_equivalence=settled(result.estimate, plan.margin)
        if result and abs(result.estimate) < plan.margin
        else None,
        bootstrap=bootstrap,
        sign_flip=tests.sign_flip,
        outperforming=tests.outperforming,
        label_permutation=tests.label_permutation,
        mcnemar=tests.mcnemar,
        reason=tests.refusal or "; ".join(reasons),
        # Without pairs no trial is set against another; the footer tells the conditions of all of them.
        unlike=_unlike(outcomes, tests.comparison, seeds.used) if plan.paired else "",
    )


def _unlike(outcomes: Outcomes, pair: Comparison, seeds: Sequence[int]) -> str:
    records = [
        (treatment, baseline)
        for seed in seeds
        if (treatment := outcomes.trials[pair.treatment, seed].record) is not None
        and (baseline := outcomes.trials[pair.baseline, seed].record) is not None
    ]
    return unlike([treatment for treatment, _ in records], [baseline for _, baseline in records])
