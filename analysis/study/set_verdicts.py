"""Verdicts by test set: every comparison on each of several sets, and on how many of them there is a gap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from analysis.methods.arm_scores import ArmScores
from analysis.methods.crossed_design import SEEDS_FOR_A_VERDICT
from analysis.methods.partial_conjunction import partial_conjunction
from analysis.power.new_study import PlannedTest
from analysis.records.outcomes import Outcomes
from analysis.study.comparison_result import ComparisonResult
from analysis.study.comparison_tests import ComparisonTests, run_tests
from analysis.study.comparisons import arms_tested, correct, decided
from analysis.study.gap_intervals import level_of_verdicts
from analysis.study.plan import AnalysisPlan
from analysis.study.primary_test import planned_test
from analysis.study.seeds import SeedsInUse
from analysis.study.summaries import ArmSummary, summarize_arm

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetVerdicts:
    """One of several test sets with its verdicts, for new seeds and new examples of this set.

    Parameters
    ----------
    name : str
        What the study file calls it.
    n_examples, n_clusters : int, int or None
        The number of its examples, and of their clusters (None where the study has none).
    arms : tuple of ArmSummary
        The metric by arm on this set.
    comparisons : tuple of ComparisonResult
        Every comparison of the plan on this set, without the bootstrap; corrected over all sets and comparisons
        together, apart from the verdicts over the sets.
    """

    name: str
    n_examples: int
    n_clusters: int | None
    arms: tuple[ArmSummary, ...]
    comparisons: tuple[ComparisonResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCount:
    """On how many test sets the treatment of a comparison is better than the baseline, and on how many worse.

    Parameters
    ----------
    treatment, baseline : str
        The two arms.
    n_sets : int
        How many sets there are.
    better, worse : int
        On at least how many of them: lower limits that hold for all comparisons and both directions together with
        probability 1 - alpha, for new seeds and new examples of the same sets.
    better_p, worse_p : tuple of float
        The corrected p-values of "on at least 1, 2, ... sets" (partial conjunction, Bonferroni over comparisons and
        directions).
    """

    treatment: str
    baseline: str
    n_sets: int
    better: int
    worse: int
    better_p: tuple[float, ...]
    worse_p: tuple[float, ...]


def set_verdicts(
    outcomes: Outcomes, plan: AnalysisPlan, *, seeds: SeedsInUse, rng: np.random.Generator, compared: bool = True
) -> tuple[SetVerdicts, ...]:
    """Test and decide every comparison of the plan on each test set; empty where the study has one.

    Parameters
    ----------
    outcomes, plan : Outcomes, AnalysisPlan
        The study and its frozen plan, whose alpha is the error rate over all sets and comparisons together.
    seeds : SeedsInUse
        The seeds in use. Declared looks bind these verdicts as they bind those over the sets.
    rng : numpy.random.Generator
        For permutation tests that cannot count every rearrangement.
    compared : bool
        Whether verdicts may be read; where not, each set has its arms alone.
    """
    if not outcomes.sets:
        return ()
    sets, pairs = outcomes.by_set(), plan.all_comparisons(outcomes.arms) if compared else ()
    finished = {
        arm: [seed for seed in seeds.by_arm[arm] if outcomes.trials[arm, seed].status == "finished"]
        for arm in outcomes.arms
    }
    complete = [arm for arm, done in finished.items() if done and len(done) == len(seeds.by_arm[arm])]
    answered = {arm: finished[arm] for arm in complete if outcomes.has_classes}
    tests: list[tuple[Outcomes, PlannedTest, ComparisonTests]] = []
    summaries = []
    for one in sets:
        scores = {arm: one.scores(arm, seeds=done, metric=plan.metric) for arm, done in finished.items()}
        drawn = {arm: ArmScores(one.drawn(scores[arm])) for arm in complete}
        right = {arm: rows for arm, done in answered.items() if (rows := one.right(arm, seeds=done)) is not None}
        tests += [
            (
                one,
                planned_test(plan, n_arms=arms_tested(drawn, pair)),
                run_tests(one, plan, pair, scores=drawn, right=right, seeds=seeds, rng=rng),
            )
            for pair in pairs
        ]
        summaries.append(
            tuple(summarize_arm(one, arm, scores[arm], seeds=done, kind=plan.kind) for arm, done in finished.items())
        )
    corrected = correct(plan, [one.sequential for *_, one in tests])
    level = level_of_verdicts(plan.correction, plan.alpha, corrected) if tests else plan.alpha
    results = [
        decided(
            made,
            one,
            plan,
            seeds=seeds,
            bootstrap=None,
            n_comparisons=len(tests),
            test=planned,
            corrected=both,
            level=level,
        )
        for (one, planned, made), both in zip(tests, corrected, strict=True)
    ]
    return tuple(
        SetVerdicts(
            name=name,
            n_examples=one.n_examples,
            n_clusters=one.n_clusters,
            arms=arms,
            comparisons=tuple(results[number * len(pairs) : (number + 1) * len(pairs)]),
        )
        for number, (name, one, arms) in enumerate(zip(outcomes.sets, sets, summaries, strict=True))
    )


def count_sets(sets: Sequence[SetVerdicts], plan: AnalysisPlan) -> tuple[SetCount, ...]:
    """Count for every comparison on how many test sets it has a gap, at least; empty where the study has one set.

    Parameters
    ----------
    sets : sequence of SetVerdicts
        All sets of the study.
    plan : AnalysisPlan
        Its plan, whose alpha is shared by all comparisons and both directions.
    """
    by_pair = list(zip(*(one.comparisons for one in sets), strict=True))
    counts = []
    for results in by_pair:
        better, worse = (
            np.minimum(2 * len(by_pair) * partial_conjunction([_one_sided(one, sign) for one in results]), 1.0)
            for sign in ((1, -1) if plan.kind.higher_is_better else (-1, 1))
        )
        counts.append(
            SetCount(
                treatment=results[0].treatment,
                baseline=results[0].baseline,
                n_sets=len(results),
                better=int(np.count_nonzero(better < plan.alpha)),
                worse=int(np.count_nonzero(worse < plan.alpha)),
                better_p=tuple(better.tolist()),
                worse_p=tuple(worse.tolist()),
            )
        )
    return tuple(counts)


def with_set_names(sets: Sequence[SetVerdicts], rows: Sequence[Sequence[Row]]) -> list[tuple[str, Row]]:
    """Return what stands in the same place on every test set together, each with the name of its set.

    Parameters
    ----------
    sets : sequence of SetVerdicts
        All sets of the study.
    rows : sequence of sequences, all of one length
        Such as the comparisons or the arms of each set.
    """
    names = [one.name for one in sets]
    return [row for same in zip(*rows, strict=True) for row in zip(names, same, strict=True)]


def _one_sided(one: ComparisonResult, sign: int) -> float:
    """Return the p-value of a gap in one direction, valid at the look; NaN where there can be no verdict."""
    if one.result is None or min(one.result.n_seeds) < SEEDS_FOR_A_VERDICT or not one.verdict.asked:
        return math.nan
    half = one.sequential_p / 2
    return half if sign * one.estimate > 0 else 1 - half
