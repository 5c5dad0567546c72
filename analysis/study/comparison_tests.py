"""Every test of one comparison, before any correction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.methods.crossed import CrossedResult, crossed_test
from analysis.methods.equivalence import EquivalenceResult, tost
from analysis.methods.looks import sequential_p
from analysis.methods.mcnemar import ClusteredMcNemarResult, McNemarResult, mcnemar_by_seed
from analysis.methods.outperforming import OutperformingResult, probability_of_outperforming
from analysis.methods.permutation import SignFlipResult, sign_flip
from analysis.metrics.scores import METRICS
from analysis.records.outcomes import Outcomes, Trial, named_trials
from analysis.study.looks import Look
from analysis.study.plan import FEWEST_SEEDS_AT_A_LOOK, AnalysisPlan, Comparison

Scores = NDArray[np.float64]

_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonTests:
    """What every test says about one comparison.

    Parameters
    ----------
    comparison
        The two arms.
    refusal
        Why there is no test; else empty.
    result, equivalence
        The primary test, and equivalence at the plan's margin: about new seeds and new examples.
    sequential_p, sequential_equivalence_p
        Their p-values as they hold at any of the declared looks; the raw ones in a study without looks.
    sign_flip, outperforming
        About new seeds, on this very test set.
    mcnemar
        One result a seed: about new examples, for two trained models.
    """

    comparison: Comparison
    refusal: str
    result: CrossedResult | None = None
    equivalence: EquivalenceResult | None = None
    sequential_p: float = _NAN
    sequential_equivalence_p: float = _NAN
    sign_flip: SignFlipResult | None = None
    outperforming: OutperformingResult | None = None
    mcnemar: tuple[McNemarResult | ClusteredMcNemarResult, ...] = ()


def lost_trials(
    outcomes: Outcomes, arms: Sequence[str], seeds: Sequence[int], waiting: Sequence[int] = ()
) -> list[Trial]:
    """Return the trials that leave some arms without a verdict.

    Those without usable predictions among the seeds in use, and those that ended without among the seeds that wait: a
    trial that diverged is not forgotten because another arm's has yet to run.
    """
    return [
        trial
        for trial in outcomes.unfinished(arms=arms)
        if trial.seed in seeds or (trial.seed in waiting and not trial.pending)
    ]


def undefined_trials(scores: Mapping[str, Scores], seeds: Sequence[int]) -> str:
    """Name the runs without a score, such as ``lora seed 3, full seed 0``; empty where every run has one.

    Parameters
    ----------
    scores
        By arm, one row a seed; a run whose metric is undefined is NaN throughout.
    seeds
        Of the rows.
    """
    return ", ".join(
        f"{arm} seed {seed}"
        for arm, rows in scores.items()
        for seed, row in zip(seeds, rows, strict=True)
        if math.isnan(row[0])
    )


def _refusal(
    outcomes: Outcomes,
    plan: AnalysisPlan,
    pair: Comparison,
    scores: Mapping[str, Scores],
    seeds: Sequence[int],
    waiting: Sequence[int],
) -> str:
    # Under drop_seed a seed with such a trial leaves every arm, as soon as it has run in all of them.
    ended = waiting if plan.failed_trials == "refuse" else ()
    lost = lost_trials(outcomes, (pair.treatment, pair.baseline), seeds, ended)
    if lost:
        return named_trials(lost)
    if not seeds:
        return "no seed with which every arm finished" + (" yet" if waiting else "")
    undefined = undefined_trials({arm: scores[arm] for arm in (pair.treatment, pair.baseline)}, seeds)
    if not undefined:
        return ""
    empty = [name for label, name in enumerate(outcomes.manifest.data.classes) if not np.any(outcomes.labels == label)]
    why = f"; no test example is of class {', '.join(empty)}" if empty else ""
    return f"{METRICS[plan.metric].title} is undefined: {undefined}{why}"


def run_tests(
    outcomes: Outcomes,
    plan: AnalysisPlan,
    pair: Comparison,
    scores: Mapping[str, Scores],
    right: Mapping[str, NDArray[np.bool_]],
    *,
    seeds: Sequence[int],
    waiting: Sequence[int],
    look: Look | None,
    rng: np.random.Generator,
) -> ComparisonTests:
    """Make every test of one comparison.

    Parameters
    ----------
    outcomes, plan
        The study and its frozen plan.
    pair
        The two arms.
    scores
        By arm, of those that finished with all seeds, shape (S, examples or clusters).
    right
        Whether these arms are right, shape (S, examples).
    seeds
        The seeds in use.
    waiting
        The seeds that are set aside until they have run in every arm.
    look
        The look that has been reached, in a study that declares looks.
    rng
        For a permutation test that cannot count every rearrangement.
    """
    if look is not None and not look.number:
        return ComparisonTests(comparison=pair, refusal=f"the first look is at {look.looks[0]} seeds")
    refusal = _refusal(outcomes, plan, pair, scores, seeds, waiting)
    if refusal:
        return ComparisonTests(comparison=pair, refusal=refusal)
    treatment, baseline = scores[pair.treatment], scores[pair.baseline]
    result = crossed_test(treatment, baseline, paired=True)
    same = tost(result.estimate, result.standard_error, result.df, margin=plan.margin)
    honest = sequential_p_values(result, treatment, baseline, margin=plan.margin, look=look, seeds=seeds)
    right_t, right_b = right[pair.treatment], right[pair.baseline]
    means = [scored.mean(axis=1) for scored in (treatment, baseline)]
    sign = 1 if METRICS[plan.metric].higher_is_better else -1
    if plan.metric == "accuracy":
        flip = sign_flip(right_t.sum(axis=1), right_b.sum(axis=1), n_examples=outcomes.n_examples)
    else:
        flip = sign_flip(means[0], means[1], rng=rng)
    return ComparisonTests(
        comparison=pair,
        refusal="",
        result=result,
        equivalence=same,
        sequential_p=honest[0],
        sequential_equivalence_p=honest[1],
        sign_flip=flip,
        outperforming=probability_of_outperforming(sign * means[0], sign * means[1], confidence=1 - plan.alpha),
        mcnemar=mcnemar_by_seed(right_t, right_b, outcomes.clusters),
    )


def sequential_p_values(
    result: CrossedResult,
    treatment: Scores,
    baseline: Scores,
    *,
    margin: float,
    look: Look | None,
    seeds: Sequence[int],
) -> tuple[float, float]:
    """Return the p-values for a difference and for equivalence that hold at any of the looks so far.

    Parameters
    ----------
    result
        The crossed test of these scores; without looks its own p-values are honest.
    treatment, baseline
        Scores with the seeds in use, shape (S, examples or clusters).
    margin
        Of the equivalence test.
    look
        The look that has been reached, in a study that declares looks.
    seeds
        The seeds in use, in the order of the rows.
    """
    if look is None:
        return result.p_value, tost(result.estimate, result.standard_error, result.df, margin=margin).p_value
    rises = treatment.mean() > baseline.mean()
    difference, equivalence = [], []
    for so_far in look.earlier(seeds):
        # Dropped seeds may leave too few for the test that all looks share: such a look rejects nothing.
        if len(so_far) < FEWEST_SEEDS_AT_A_LOOK:
            difference.append(_NAN)
            equivalence.append(_NAN)
            continue
        then = crossed_test(treatment[: len(so_far)], baseline[: len(so_far)], paired=True)
        # A verdict names the direction of the gap as it is now; a look that pointed the other way does not support it.
        difference.append(then.p_value if (then.estimate > 0) == rises else 1.0)
        equivalence.append(tost(then.estimate, then.standard_error, then.df, margin=margin).p_value)
    return sequential_p(difference, look.looks, sides=2), sequential_p(equivalence, look.looks, sides=1)
