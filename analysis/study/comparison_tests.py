"""Tests of one comparison: the primary test, equivalence and the tests beside it, before any correction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.methods.arm_scores import ArmScores, Scores
from analysis.methods.crossed import crossed_test
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.equivalence import EquivalenceResult, tost
from analysis.methods.label_permutation import LabelPermutationResult, label_permutation
from analysis.methods.looks import sequential_p
from analysis.methods.mcnemar import McNemarResult
from analysis.methods.mcnemar_clustered import ClusteredMcNemarResult, mcnemar_by_seed
from analysis.methods.one_population import gap_over_examples, gap_over_seeds
from analysis.methods.outperforming import OutperformingResult, probability_of_outperforming
from analysis.methods.sign_flip import SignFlipResult, sign_flip
from analysis.methods.student import TResult
from analysis.methods.variance import pooled_seed_spread
from analysis.power.new_study import PlannedTest
from analysis.records.outcomes import Outcomes
from analysis.records.trial import Trial, named_trials
from analysis.study.crossing import crossing_test, incomplete
from analysis.study.looks import Look
from analysis.study.plan import FEWEST_SEEDS_AT_A_LOOK, AnalysisPlan, Comparison
from analysis.study.seeds import SeedsInUse

Strata = NDArray[np.int64] | None

_NAN = float("nan")


class PValues(NamedTuple):
    """The p-values of both questions: whether there is a difference, and whether the gap lies within the margin."""

    difference: float
    equivalence: float


NO_P_VALUES = PValues(_NAN, _NAN)


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


def lost_trials(outcomes: Outcomes, seeds: Mapping[str, Sequence[int]], waiting: Sequence[int] = ()) -> list[Trial]:
    """Return the trials that leave some arms without a verdict.

    Among an arm's seeds in use, these are all trials without usable predictions. Among the seeds that wait, they are
    those that have ended without: a trial that diverged still counts while another arm has yet to run its seed.
    """
    return [
        trial
        for trial in outcomes.unfinished(arms=list(seeds))
        if trial.seed in seeds[trial.arm] or (trial.seed in waiting and not trial.pending)
    ]


def undefined_trials(scores: Mapping[str, Scores], seeds: Mapping[str, Sequence[int]]) -> str:
    """Name the trials without a score, such as ``lora seed 3, full seed 0``; empty where every trial has one.

    Parameters
    ----------
    scores : mapping of str to ndarray of float64
        By arm, one row per seed; a trial whose metric is undefined is NaN throughout.
    seeds : mapping of str to sequence of int
        Of the rows, by arm.
    """
    return ", ".join(
        f"{arm} seed {seed}"
        for arm, rows in scores.items()
        for seed, row in zip(seeds[arm], rows, strict=True)
        if math.isnan(row[0])
    )


def refusal(
    outcomes: Outcomes, plan: AnalysisPlan, arms: Sequence[str], scores: Mapping[str, Scores], seeds: SeedsInUse
) -> str:
    """Say why these arms cannot be tested; empty where they can.

    Parameters
    ----------
    outcomes, plan : Outcomes, AnalysisPlan
        The study and its frozen plan.
    arms : sequence of str
        The arms that a test would be about.
    scores : mapping of str to ndarray of float64
        By arm, one row for each seed in use; only those arms are needed that finished with all of them.
    seeds : SeedsInUse
        The seeds in use.
    """
    # Under drop_seed a seed with such a trial leaves every arm, as soon as it has run in all of them.
    ended = seeds.waiting if plan.failed_trials == "refuse" else ()
    lost = lost_trials(outcomes, {arm: seeds.by_arm[arm] for arm in arms}, ended)
    if lost:
        return named_trials(lost)
    if not seeds.used:
        return "no seed has finished in every arm" + (" yet" if seeds.waiting else "")
    if without := [arm for arm in arms if not seeds.by_arm[arm]]:
        return f"no run of {' and of '.join(without)} has finished"
    if waits := incomplete(plan.crossing, seeds):
        return waits
    undefined = undefined_trials({arm: scores[arm] for arm in arms}, seeds.by_arm)
    if not undefined:
        return ""
    if outcomes.is_regression:
        constant = "all labels are equal" if np.ptp(outcomes.labels) == 0 else "it predicts the same for every example"
        return f"{plan.kind.title} is undefined: {undefined}; {constant}"
    empty = {
        name: None
        for one in outcomes.by_set()
        for label, name in enumerate(outcomes.manifest.data.classes)
        if not np.any(one.labels == label)
    }
    where = "in one of the test sets no" if outcomes.sets else "no test"
    why = f"; {where} example is of class {', '.join(empty)}" if empty else ""
    return f"{plan.kind.title} is undefined: {undefined}{why}"


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
    if seeds.look is not None and not seeds.look.number:
        return ComparisonTests(comparison=pair, refusal=f"the first look is at {seeds.look.looks[0]} seeds")
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
    equivalence = equivalence_test(result, margin=plan.margin)
    over_examples = gap_over_examples(treatment, baseline, strata=strata)
    # A mean over several test sets is no count of right answers.
    counted = bool(right) and not outcomes.sets
    by_seed = (
        mcnemar_by_seed(right[pair.treatment], right[pair.baseline], outcomes.clusters)
        if counted and plan.paired
        else ()
    )
    if plan.crossing is not None:
        # The other tests take the seeds as independent of each other.
        raw = PValues(result.p_value, equivalence.p_value)
        return ComparisonTests(
            comparison=pair,
            refusal="",
            result=result,
            equivalence=equivalence,
            sequential=raw,
            over_examples=over_examples,
            mcnemar=by_seed,
        )
    means = [scored.seed_means for scored in (treatment, baseline)]
    over_seeds = gap_over_seeds(*means, paired=plan.paired)
    at_looks = results_at_looks(plan, scores, pair, seeds=seeds, strata=strata)
    sign = 1 if plan.kind.higher_is_better else -1
    counts, n_examples = means, None
    if plan.metric in ("accuracy", "score") and counted:
        counts, n_examples = [right[arm].sum(axis=1) for arm in (pair.treatment, pair.baseline)], outcomes.n_examples
    if not plan.paired:
        raw = PValues(result.p_value, equivalence.p_value)
        dealt = label_permutation(*counts, n_examples=n_examples, rng=rng)
        return ComparisonTests(
            comparison=pair,
            refusal="",
            result=result,
            equivalence=equivalence,
            sequential=raw,
            over_seeds=over_seeds,
            over_examples=over_examples,
            label_permutation=dealt,
        )
    return ComparisonTests(
        comparison=pair,
        refusal="",
        result=result,
        equivalence=equivalence,
        sequential=sequential_p_values(result, at_looks, look=seeds.look, margin=plan.margin),
        at_looks=at_looks,
        over_seeds=over_seeds,
        over_examples=over_examples,
        sign_flip=sign_flip(*counts, n_examples=n_examples, rng=rng),
        outperforming=probability_of_outperforming(sign * means[0], sign * means[1], confidence=1 - plan.alpha),
        mcnemar=by_seed,
    )


def primary_test(
    plan: AnalysisPlan,
    scores: Mapping[str, ArmScores],
    treatment: str,
    baseline: str,
    *,
    n_seeds: int | None = None,
    strata: Strata = None,
) -> CrossedResult:
    """Test the gap of two arms as the plan declares: with the variation over seeds of all arms, or of these two.

    Where seeds of two kinds cross, their own test takes its place, and nothing is pooled; nor is it where runs are not
    paired by seed, which are independent of each other in the two arms.

    Parameters
    ----------
    plan : AnalysisPlan
        The frozen plan.
    scores : mapping of str to ArmScores, shape (S, examples or clusters)
        By arm, of those that finished with all seeds of theirs. An arm with an undefined score is not pooled, nor is
        one that left with fewer seeds than are used.
    treatment, baseline : str
        Two of the arms, whose scores are defined.
    n_seeds : int or None
        How many of the first seeds are used; None for all that both arms have.
    strata : ndarray of int, shape (examples or clusters,), or None
        The test set of each column of the scores, where there are several.
    """
    if plan.paired:
        n_seeds = n_seeds or min(len(scores[arm].y) for arm in (treatment, baseline))
    first = {arm: y.first(n_seeds) for arm, y in scores.items() if len(y.y) >= (n_seeds or 0)}
    rows = {arm: y for arm, y in first.items() if y.finite}
    if plan.crossing is not None:
        return crossing_test(rows[treatment].y, rows[baseline].y, plan.crossing)
    n_rows, n_examples = rows[treatment].shape
    poolable = plan.paired and plan.variance == "pooled" and len(rows) > 2 and min(n_rows, n_examples) > 1
    return crossed_test(
        rows[treatment],
        rows[baseline],
        paired=plan.paired,
        spread=pooled_seed_spread(list(rows.values())) if poolable else None,
        strata=strata,
        before_pooling=plan.variance is None,
    )


def planned_test(plan: AnalysisPlan, *, n_arms: int) -> PlannedTest:
    """Say how `primary_test` will judge a study with so many arms, to plan its size."""
    pooled = max(n_arms, 2) if plan.paired and plan.variance == "pooled" else 2
    return PlannedTest(n_arms=pooled, paired=plan.paired, before_pooling=plan.variance is None)


def equivalence_test(result: CrossedResult, *, margin: float) -> EquivalenceResult:
    """Return the two one-sided tests of a gap at a margin."""
    return tost(result.estimate, result.standard_error, result.df, margin=margin)


def results_at_looks(
    plan: AnalysisPlan, scores: Mapping[str, ArmScores], pair: Comparison, *, seeds: SeedsInUse, strata: Strata = None
) -> tuple[CrossedResult | None, ...]:
    """Return the primary test of a comparison at every look so far; empty in a study without looks.

    Dropped seeds may leave too few for a look: it is then None, and rejects nothing.

    Parameters
    ----------
    plan, scores, pair : AnalysisPlan, mapping of str to ArmScores, Comparison
        As in `primary_test`; the rows are the seeds in use.
    seeds : SeedsInUse
        The seeds in use, in the order of the rows.
    strata : ndarray of int or None
        As in `primary_test`.
    """
    if seeds.look is None:
        return ()
    return tuple(
        None
        if len(so_far) < FEWEST_SEEDS_AT_A_LOOK
        else primary_test(plan, scores, pair.treatment, pair.baseline, n_seeds=len(so_far), strata=strata)
        for so_far in seeds.look.earlier(seeds.used)
    )


def sequential_p_values(
    result: CrossedResult, at_looks: Sequence[CrossedResult | None], *, look: Look | None, margin: float
) -> PValues:
    """Return the p-values for a difference and for equivalence that are valid at any of the looks so far.

    Parameters
    ----------
    result : CrossedResult
        The primary test with the seeds in use, whose p-values are valid in a study without looks.
    at_looks : sequence of CrossedResult or None
        As `results_at_looks` gives them.
    look : Look or None
        The look that has been reached; None in a study without looks.
    margin : float
        Of the equivalence test.
    """
    if look is None:
        return PValues(result.p_value, equivalence_test(result, margin=margin).p_value)
    rises = result.estimate > 0
    # A verdict names the direction of the gap as it is now; a look that pointed the other way does not support it.
    difference = [_NAN if one is None else one.p_value if (one.estimate > 0) == rises else 1.0 for one in at_looks]
    equivalence = [_NAN if one is None else equivalence_test(one, margin=margin).p_value for one in at_looks]
    return PValues(sequential_p(difference, look.looks, sides=2), sequential_p(equivalence, look.looks, sides=1))
