"""Power of a study: the gaps that it can find, from stated figures before it runs, from its own after a pilot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from analysis.errors import AnalysisError, PlanError, Problem
from analysis.methods.arm_scores import ArmScores
from analysis.methods.looks import thresholds
from analysis.power.new_study import PlannedTest
from analysis.power.planning import Plan, plan_comparison
from analysis.power.single_run import mcnemar_power, single_run_detectable_gap
from analysis.power.stated_figures import stated_components
from analysis.records.loading import load
from analysis.records.outcomes import Outcomes
from analysis.study.analysis_block import frozen_plan
from analysis.study.cost import ArmCost, arm_cost
from analysis.study.plan import AnalysisPlan, Comparison
from analysis.study.primary_test import planned_test, primary_test

POWER = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedFigures:
    """Figures that are assumed of a study that has not run; shares of the test examples.

    Parameters
    ----------
    seed_sd : float
        SD of a trial's accuracy over seeds. Plans cover the range from half of it to twice as much.
    discordance : float
        Share of examples on which exactly one of two trials is right, one trial of each arm.
    rerun_discordance : float
        The same for two seeds of one arm.
    """

    seed_sd: float = 0.01
    discordance: float = 0.08
    rerun_discordance: float = 0.05


class PlannedComparison(NamedTuple):
    """A comparison by its name, with the sample sizes that it needs."""

    name: str
    plan: Plan


class LookThreshold(NamedTuple):
    """A declared look: its number of seeds, and the largest p-value of a single comparison that counts there."""

    n_seeds: int
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPower:
    """What the comparisons of a study can find or show, over new seeds and new examples.

    Parameters
    ----------
    stated : StatedFigures or None
        The figures that were assumed; None after a pilot, whose own variance components are used.
    pilot_seeds : int
        The number of seeds of the pilot, in the smallest arm where they differ; 0 before one.
    plans : tuple of PlannedComparison
        After a pilot, one plan for each comparison; before, one plan for any comparison.
    n_comparisons : int
        How many comparisons share alpha.
    one_run_gap, one_run_power : float
        With one trial of each arm, for two trained models on new examples: the smallest gap that the exact McNemar test
        finds, and its power for a gap as large as the margin. NaN after a pilot and for other metrics than accuracy.
    clustered : bool
        Whether the counts of examples are counts of clusters.
    looks : tuple of LookThreshold
        The declared looks, with the largest p-value that counts at each for a comparison alone.
    pack_sizes : tuple of int
        The pack sizes of the pilot's trials: the planned hours hold for trials in such packs.
    mixed : tuple of (str, str)
        The arms whose trials in the pilot ran under different conditions, each with these conditions: their planned
        hours describe no single machine.
    """

    stated: StatedFigures | None
    pilot_seeds: int
    plans: tuple[PlannedComparison, ...]
    n_comparisons: int
    one_run_gap: float
    one_run_power: float
    clustered: bool
    looks: tuple[LookThreshold, ...]
    pack_sizes: tuple[int, ...]
    mixed: tuple[tuple[str, str], ...]


def study_power(
    plan: AnalysisPlan,
    *,
    arms: Sequence[str],
    n_seeds: int,
    n_examples: int | None,
    stated: StatedFigures,
    folder: Path | Outcomes | None = None,
    pilot_examples: int | None = None,
    power: float = POWER,
) -> StudyPower | None:
    """Say which gaps a study can find.

    Parameters
    ----------
    plan : AnalysisPlan
        Its analysis plan.
    arms : sequence of str
        Its arms.
    n_seeds : int
        Its seeds.
    n_examples : int or None
        Its test examples, where they are known.
    stated : StatedFigures
        The figures to assume before there is a pilot.
    folder : Path or Outcomes or None
        Its results folder, or what has been read of it, where there is one of the same settings: with two finished
        seeds or more it is the pilot.
    pilot_examples : int or None
        The number of test examples to plan for after a pilot; the pilot's own where None.
    power : float
        The wanted chance to find a gap, or to show equivalence; above the plan's alpha and below 1.

    Returns
    -------
    StudyPower or None
        None where nothing can be planned: one seed, one arm, an unknown number of test examples, or, before a pilot,
        another metric than accuracy.

    Raises
    ------
    PlanError
        If the stated figures are impossible.
    """
    pairs = plan.all_comparisons(arms)
    if not pairs or n_seeds < 2:
        return None
    alone = plan.alpha / len(pairs)
    looks: tuple[LookThreshold, ...] = ()
    if plan.looks:
        looks = tuple(map(LookThreshold, plan.looks, thresholds(plan.looks, alpha=plan.alpha)))
    pilot = _pilot(folder, paired=plan.paired)
    if pilot is not None:
        plan = _as_frozen(plan, pilot)
        seeds = {arm: pilot.complete_seeds(arm) for arm in pilot.arms}
        costs = {arm: arm_cost(arm, [pilot.trials[arm, seed] for seed in own]) for arm, own in seeds.items()}
        plans = _from_pilot(
            pilot,
            plan,
            pairs,
            costs,
            test=planned_test(plan, n_arms=len(arms)),
            n_seeds=n_seeds,
            n_examples=pilot_examples,
            alpha=alone,
            power=power,
        )
        if plans:
            return StudyPower(
                stated=None,
                pilot_seeds=min(map(len, seeds.values())),
                plans=plans,
                n_comparisons=len(pairs),
                one_run_gap=math.nan,
                one_run_power=math.nan,
                clustered=pilot.n_clusters is not None,
                looks=looks,
                pack_sizes=tuple(sorted({size for cost in costs.values() for size in cost.pack_sizes})),
                mixed=tuple((arm, cost.mixed) for arm, cost in costs.items() if cost.mixed),
            )
    if plan.metric != "accuracy" or n_examples is None or n_examples < 2:
        return None
    planned = _from_stated(
        stated, plan, n_arms=len(arms), n_seeds=n_seeds, n_examples=n_examples, alpha=alone, power=power
    )
    return StudyPower(
        stated=stated,
        pilot_seeds=0,
        plans=(PlannedComparison("any comparison", planned),),
        n_comparisons=len(pairs),
        one_run_gap=single_run_detectable_gap(stated.discordance, n_examples, alpha=plan.alpha, power=power),
        one_run_power=_one_run_power(stated, plan, n_examples),
        clustered=False,
        looks=looks,
        pack_sizes=(),
        mixed=(),
    )


def _one_run_power(stated: StatedFigures, plan: AnalysisPlan, n_examples: int) -> float:
    if plan.margin > stated.discordance:
        return math.nan
    return mcnemar_power(plan.margin, stated.discordance, n_examples, alpha=plan.alpha)


def _from_stated(
    stated: StatedFigures,
    plan: AnalysisPlan,
    *,
    n_arms: int,
    n_seeds: int,
    n_examples: int,
    alpha: float,
    power: float,
) -> Plan:
    # No accuracy varies more than this, and the upper end of the range stops there.
    most = max(math.sqrt(max(stated.rerun_discordance, 0.0) / 2), stated.seed_sd)
    try:
        middle, low, high = (
            stated_components(
                seed_sd=seed_sd,
                discordance=stated.discordance,
                rerun_discordance=stated.rerun_discordance,
                n_examples=n_examples,
            )
            for seed_sd in (stated.seed_sd, stated.seed_sd / 2, min(2 * stated.seed_sd, most))
        )
    except ValueError as error:
        raise PlanError([Problem(path=(), message=f"the stated figures are impossible: {error}")]) from None
    return plan_comparison(
        middle,
        low=low,
        high=high,
        n_seeds=n_seeds,
        n_examples=n_examples,
        margin=plan.margin,
        alpha=alpha,
        power=power,
        test=planned_test(plan, n_arms=n_arms),
    )


def _pilot(folder: Path | Outcomes | None, *, paired: bool) -> Outcomes | None:
    if folder is None or (isinstance(folder, Path) and not (folder / "study.json").exists()):
        return None
    try:
        outcomes = load(folder) if isinstance(folder, Path) else folder
    except AnalysisError:
        # `harness analyze` says what is wrong with a folder; a plan works without it.
        return None
    # Seeds that cross are no pilot for seeds that do not, nor runs without pairs for runs with them.
    if outcomes.manifest.crossing is not None or outcomes.manifest.paired != paired:
        return None
    return outcomes if min(len(outcomes.complete_seeds(arm)) for arm in outcomes.arms) > 1 else None


def _as_frozen(plan: AnalysisPlan, pilot: Outcomes) -> AnalysisPlan:
    """Return the pilot's own plan where it is the same: an older version may have frozen it, and then judges it."""
    try:
        frozen = frozen_plan(pilot.manifest, arms=pilot.arms, score=pilot.score_kind)
    except PlanError:
        return plan
    return frozen if frozen.model_copy(update={"variance": plan.variance}) == plan else plan


def _from_pilot(
    pilot: Outcomes,
    plan: AnalysisPlan,
    pairs: Sequence[Comparison],
    costs: Mapping[str, ArmCost],
    *,
    test: PlannedTest,
    n_seeds: int,
    n_examples: int | None,
    alpha: float,
    power: float,
) -> tuple[PlannedComparison, ...]:
    scores = {
        arm: ArmScores(pilot.drawn(pilot.scores(arm, seeds=pilot.complete_seeds(arm), metric=plan.metric)))
        for arm in pilot.arms
    }
    plans = []
    for pair in pairs:
        arms = (pair.treatment, pair.baseline)
        if not set(arms) <= set(pilot.arms):
            continue
        treatment, baseline = (scores[arm] for arm in arms)
        if not (treatment.finite and baseline.finite):
            continue
        result = primary_test(plan, scores, pair.treatment, pair.baseline, strata=pilot.strata)
        seconds = sum(costs[arm].further_trial_seconds for arm in arms)
        if result.standard_error > 0:
            planned = plan_comparison(
                result.components,
                n_seeds=n_seeds,
                n_examples=n_examples or treatment.shape[1],
                margin=plan.margin,
                alpha=alpha,
                power=power,
                test=test,
                seconds_per_pair=seconds if math.isfinite(seconds) else None,
            )
            plans.append(PlannedComparison(str(pair), planned))
    return tuple(plans)
