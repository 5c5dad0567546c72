"""Table of what would decide the undecided comparisons: seeds, test examples and more training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.study.goals import Goal, goals_of
from analysis.tables.comparison_cells import comparison_n_test_population, scale_of, standard_error
from analysis.tables.digits import (
    SEEDS_WORTH_PLANNING,
    alpha_of_each,
    planned_range,
    planned_seeds,
    time_taken,
    whole_percent,
)
from analysis.tables.in_words import what_would_decide
from analysis.tables.notes import mixed_times
from analysis.tables.table import Column, Table
from analysis.words import estimated_count, in_packs

if TYPE_CHECKING:
    from analysis.study.report import StudyReport

_NEVER = "never enough"


def deciding_table(report: StudyReport, footer: str) -> Table | None:
    """Lay out what would decide the undecided comparisons; None when there is none to plan for."""
    goals = list(goals_of(report.comparisons))
    if not goals:
        return None
    packs = [size for cost in report.costs for size in cost.pack_sizes]
    each = f"trials {in_packs(packs)} counted with their share of the pack" if packs else "one at a time"
    per_arm = "Seeds" if report.paired else "More runs"
    return Table(
        title="What would decide the rest",
        columns=(
            Column("Comparison", [goal.pair.name for goal in goals]),
            Column("To show", [_question(report, goal) for goal in goals]),
            Column(f"{per_arm} per arm", [_seeds(goal) for goal in goals], numeric=True),
            Column("or test examples", [_examples(goal) for goal in goals], numeric=True),
            *(
                [Column("More time", [time_taken(_more_seconds(report, goal)) for goal in goals], numeric=True)]
                if report.costs
                else []
            ),
            *comparison_n_test_population([goal.pair for goal in goals]),
        ),
        notes=(
            f"So many show it in {whole_percent(goals[0].settling.power)} of studies (the power), at "
            f"{alpha_of_each(report.plan.alpha, len(report.comparisons))}, by this study's variance components. In "
            "brackets: at their 95% limits, which are wide with few seeds.",
            "A gap: to find a true gap of this size. Equivalence: to show that one of this size lies within "
            f"{scale_of(report).margin(report.plan.margin)}. The true gap may be far from the observed one. {per_arm} "
            "per arm: on this test set; enough: so many have run. Test examples: with the seeds at hand.",
            *(
                [f"More time: the seeds still to run in both arms times their seconds of training and scoring, {each}."]
                if report.costs
                else []
            ),
            *(["Test examples: of all test sets together, in the proportions that they have."] if report.sets else []),
            *mixed_times((arm.arm, arm.mixed) for arm in report.costs),
            # Enough, and undecided all the same: that reads like a contradiction.
            *(
                f"{goal.pair.name}: {what_would_decide(report, goal.pair)}"
                for goal in goals
                if not goal.as_observed and goal.more_seeds == 0
            ),
            *(
                f"{goal.pair.name}, {_question(report, goal)}: {goal.settling.reason}."
                for goal in goals
                if goal.settling.seeds_needed is None and goal.settling.examples_needed is None and goal.settling.reason
            ),
        ),
        footer=footer,
    )


def _question(report: StudyReport, goal: Goal) -> str:
    if not goal.as_observed:
        return f"a gap of {scale_of(report).margin(report.plan.margin)}, the margin"
    gap = scale_of(report).gap(abs(goal.pair.estimate), standard_error=standard_error(goal.pair), signed=False)
    return f"{'a gap of' if goal.settling.margin is None else 'equivalence at'} {gap}, as observed"


def _seeds(goal: Goal) -> str:
    """Return the seeds that each arm needs; of runs that are not paired, how many more than the arms have now."""
    settling, run, result = goal.settling, min(goal.pair.n_seeds), goal.pair.result
    there = run if result is not None and not result.paired else 0
    needed, *limits = (
        planned_seeds(None if seeds is None else max(seeds - there, 0), never=_NEVER)
        for seeds in (settling.seeds_needed, *settling.seeds_needed_range)
    )
    text = planned_range(needed, limits, never=_NEVER)
    return f"enough: {text}" if settling.seeds_needed is not None and settling.seeds_needed <= run else text


def _examples(goal: Goal) -> str:
    needed, *limits = (
        _NEVER if count is None else estimated_count(count)
        for count in (goal.settling.examples_needed, *goal.settling.examples_needed_range)
    )
    text = planned_range(needed, limits, never=_NEVER)
    if goal.settling.examples_needed is None:
        return text
    return f"about {text}{' clusters' if goal.pair.n_clusters is not None else ''}"


def _more_seconds(report: StudyReport, goal: Goal) -> float:
    """Return how long the seeds that are still to run would take; NaN also where they are too many to plan."""
    seeds = goal.settling.seeds_needed
    return math.nan if seeds is None or seeds > SEEDS_WORTH_PLANNING else goal.more_seconds(report.costs)
