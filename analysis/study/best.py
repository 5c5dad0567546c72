"""Best arms: the confidence set of the best arm, over all arms of a study whatever its plan compares."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from analysis.methods.arm_scores import ArmScores, Scores
from analysis.methods.interval import Interval
from analysis.methods.looks import one_sided_thresholds
from analysis.methods.with_the_best import Contender, compare_with_best
from analysis.records.outcomes import Outcomes
from analysis.study.plan import AnalysisPlan
from analysis.study.primary_test import primary_test
from analysis.study.refusals import before_first_look, refusal
from analysis.study.seeds import SeedsInUse
from analysis.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class BestArms:
    """Which arms may be the best one: a confidence set, for new seeds and new examples.

    It is a statement of its own at the plan's alpha, beside the verdicts, and takes every pair of arms into account,
    also those that the plan does not compare.

    Parameters
    ----------
    in_play : tuple of str
        The arms that may be the best: with probability `confidence` at least, the best of the judged arms is among
        them. Empty where there is a `reason`.
    ruled_out : tuple of str
        The judged arms that are not in the set.
    top : tuple of str
        The arms in the set that have the best mean; more than one where they share it.
    not_judged : tuple of (str, str)
        Arms that no test could include, each with the reason. The statement holds for the other arms only.
    contenders : tuple of Contender
        Every judged arm against the best of the others, with simultaneous intervals, in units of the metric; positive
        where the arm's metric is higher, also where lower is better.
    confidence : float
        1 - alpha.
    n_arms : int
        How many arms the variation over seeds was estimated from, at most where arms have left: 2 where it was not
        pooled, 0 without a set.
    reason : str
        Why there is no set; else empty.
    generalizes_to : str
        The population that the set speaks about.
    """

    in_play: tuple[str, ...]
    ruled_out: tuple[str, ...]
    top: tuple[str, ...]
    not_judged: tuple[tuple[str, str], ...]
    contenders: tuple[Contender, ...]
    confidence: float
    n_arms: int
    reason: str
    generalizes_to: str = "seeds and examples"


def best_arms(outcomes: Outcomes, plan: AnalysisPlan, scores: Mapping[str, Scores], *, seeds: SeedsInUse) -> BestArms:
    """Find the arms that may be the best.

    Parameters
    ----------
    outcomes, plan : Outcomes, AnalysisPlan
        The study and its frozen plan.
    scores : mapping of str to ndarray of float64
        The plan's metric by arm and example, one row for each seed in use with which the arm finished.
    seeds : SeedsInUse
        The seeds in use. At a declared look the tests share, by Bonferroni, what the look may spend. Where arms have
        left, every two are compared at the last look that both have reached: what the looks of each pair spend adds up
        to its share of alpha, whenever it leaves.
    """
    if early := before_first_look(seeds.look):
        return no_set(plan, early)
    not_judged = {arm: why for arm in outcomes.arms if (why := refusal(outcomes, plan, (arm,), scores, seeds))}
    judged = [arm for arm in outcomes.arms if arm not in not_judged]
    if len(judged) < 2:
        return no_set(plan, f"{counted(len(judged), 'arm')} can be judged, and it takes 2", not_judged)
    sign = 1 if plan.kind.higher_is_better else -1
    drawn = {arm: ArmScores(sign * outcomes.drawn(scores[arm])) for arm in judged}
    strata = outcomes.strata
    results = {(i, j): primary_test(plan, drawn, i, j, strata=strata) for i, j in combinations(judged, 2)}
    levels = _pair_levels(plan, seeds, list(results), n_others=len(judged) - 1)
    found = compare_with_best(drawn, results, alpha=plan.alpha, pair_level=levels)
    if found.reason:
        return no_set(plan, found.reason, not_judged)
    in_play = found.may_be_best
    means = {arm: float(y.seed_means.mean()) for arm, y in drawn.items()}
    best = max(means.values())
    return BestArms(
        in_play=in_play,
        ruled_out=tuple(arm for arm in judged if arm not in in_play),
        # Two means of equally many right answers may differ in their last bits, by the order of the sum.
        top=tuple(arm for arm in in_play if math.isclose(means[arm], best, rel_tol=1e-12)),
        not_judged=tuple(not_judged.items()),
        contenders=found.contenders if sign > 0 else tuple(map(_lower_is_better, found.contenders)),
        confidence=found.confidence,
        n_arms=max(result.n_arms for result in results.values()),
        reason="",
    )


def no_set(plan: AnalysisPlan, reason: str, not_judged: Mapping[str, str] | None = None) -> BestArms:
    """Return a statement about the best arm that names none, with the reason."""
    return BestArms(
        in_play=(),
        ruled_out=(),
        top=(),
        not_judged=tuple((not_judged or {}).items()),
        contenders=(),
        confidence=1 - plan.alpha,
        n_arms=0,
        reason=reason,
    )


def _pair_levels(
    plan: AnalysisPlan, seeds: SeedsInUse, pairs: Sequence[tuple[str, str]], *, n_others: int
) -> dict[tuple[str, str], float] | None:
    # The sharper level of a single look would let several looks together err a little more often than alpha.
    if seeds.look is None:
        return None
    at_looks = one_sided_thresholds(seeds.look.looks, alpha=plan.alpha / n_others)
    return {pair: at_looks[seeds.look.of(pair, plan.alpha).number - 1] for pair in pairs}


def _lower_is_better(one: Contender) -> Contender:
    """Turn a contender of negated scores into one in units of the metric."""
    return replace(one, estimate=-one.estimate, interval=Interval(-one.interval.high, -one.interval.low))
