"""Tests of one comparison: the primary test, equivalence and the tests beside it, before any correction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.methods.arm_scores import ArmScores
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.equivalence import EquivalenceResult
from analysis.methods.label_permutation import LabelPermutationResult, label_permutation
from analysis.methods.mcnemar import McNemarResult
from analysis.methods.mcnemar_clustered import ClusteredMcNemarResult, mcnemar_by_seed
from analysis.methods.one_population import gap_over_examples, gap_over_seeds
from analysis.methods.outperforming import OutperformingResult, probability_of_outperforming
from analysis.methods.sign_flip import SignFlipResult, sign_flip
from analysis.methods.student import TResult
from analysis.records.outcomes import Outcomes
from analysis.study.plan import AnalysisPlan, Comparison
from analysis.study.primary_test import (
    NO_P_VALUES,
    PValues,
    equivalence_test,
    primary_test,
    results_at_looks,
    sequential_p_values,
)
from analysis.study.refusals import before_first_look, refusal
from analysis.study.seeds import SeedsInUse


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonTests:
    """What every test says about one comparison.

    Parameters
    ----------
    comparison : Comparison
        The two arms.
    refusal : str
        Why there is no test; else empty.
    result, equivalence : CrossedResult or None, EquivalenceResult or None
        The primary test, and equivalence at the plan's margin: about new seeds and new examples.
    sequential : PValues
        Their p-values, valid at any of the declared looks; the raw ones in a study without looks.
    at_looks : tuple of (CrossedResult or None)
        The primary test at every look so far, as `results_at_looks` gives them.
    over_seeds, over_examples : TResult or None
        The gap about new seeds alone, on this very test set, and about new examples alone, for these trained models.
        That over seeds is None where seeds of two kinds cross.
    sign_flip, outperforming : SignFlipResult or None, OutperformingResult or None
        About new seeds, on this very test set; for paired seeds.
    label_permutation : LabelPermutationResult or None
        The same in the place of `sign_flip`, for runs that are not paired by seed.
    mcnemar : tuple of McNemarResult or ClusteredMcNemarResult
        One result per paired seed: about new examples, for two trained models. Empty without classes, and for a mean
        over several test sets.
    """

    comparison: Comparison
    refusal: str
    result: CrossedResult | None = None
    equivalence: EquivalenceResult | None = None
    sequential: PValues = NO_P_VALUES
    at_looks: tuple[CrossedResult | None, ...] = ()
    over_seeds: TResult | None = None
    over_examples: TResult | None = None
    sign_flip: SignFlipResult | None = None
    outperforming: OutperformingResult | None = None
    label_permutation: LabelPermutationResult | None = None
    mcnemar: tuple[McNemarResult | ClusteredMcNemarResult, ...] = ()


def run_tests(
    outcomes: Outcomes,
    plan: AnalysisPlan,
    pair: Comparison,
    *,
    scores: Mapping[str, ArmScores],
    right: Mapping[str, NDArray[np.bool_]],
    seeds: SeedsInUse,
    rng: np.random.Generator,
) -> ComparisonTests:
    """Run every test of one comparison.

    Parameters
    ----------
    outcomes, plan : Outcomes, AnalysisPlan
        The study and its frozen plan.
    pair : Comparison
        The two arms.
    scores : mapping of str to ArmScores, shape (S, examples or clusters)
        By arm, of those that finished with all seeds.
    right : mapping of str to ndarray of bool, shape (S, examples)
        Whether these arms are right; empty in a study without classes or scores of 0 and 1 alone.
    seeds : SeedsInUse
        The seeds in use.
    rng : numpy.random.Generator
        For a permutation test that cannot count every rearrangement.
    """
    if early := before_first_look(seeds.look):
        return ComparisonTests(comparison=pair, refusal=early)
    both = (pair.treatment, pair.baseline)
    seeds = seeds.of(plan, *both)
    of_both = {arm: scores[arm].first(len(seeds.by_arm[arm])) for arm in both if arm in scores}
    refused = refusal(outcomes, plan, both, {arm: y.y for arm, y in of_both.items()}, seeds)
    if refused:
        return ComparisonTests(comparison=pair, refusal=refused)
    treatment, baseline = of_both[pair.treatment], of_both[pair.baseline]
    right = {arm: right[arm][: len(seeds.by_arm[arm])] for arm in both if arm in right}
    strata = outcomes.strata
    result = primary_test(plan, scores, pair.treatment, pair.baseline, strata=strata)
    at_looks = results_at_looks(plan, scores, pair, seeds=seeds, strata=strata)
    # A mean over several test sets is no count of right answers.
    counted = bool(right) and not outcomes.sets
    tests = ComparisonTests(
        comparison=pair,
        refusal="",
        result=result,
        equivalence=equivalence_test(result, margin=plan.margin),
        sequential=sequential_p_values(result, at_looks, look=seeds.look, margin=plan.margin),
        at_looks=at_looks,
        over_examples=gap_over_examples(treatment, baseline, strata=strata),
        mcnemar=mcnemar_by_seed(right[pair.treatment], right[pair.baseline], outcomes.clusters)
        if counted and plan.paired
        else (),
    )
    if plan.crossing is not None:
        # The other tests take the seeds as independent of each other.
        return tests
    means = [scored.seed_means for scored in (treatment, baseline)]
    tests = replace(tests, over_seeds=gap_over_seeds(*means, paired=plan.paired))
    counts, n_examples = means, None
    if plan.metric in ("accuracy", "score") and counted:
        counts, n_examples = [right[arm].sum(axis=1) for arm in both], outcomes.n_examples
    if not plan.paired:
        return replace(tests, label_permutation=label_permutation(*counts, n_examples=n_examples, rng=rng))
    sign = 1 if plan.kind.higher_is_better else -1
    return replace(
        tests,
        sign_flip=sign_flip(*counts, n_examples=n_examples, rng=rng),
        outperforming=probability_of_outperforming(sign * means[0], sign * means[1], confidence=1 - plan.alpha),
    )
