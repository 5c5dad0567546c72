"""Table of what would decide the undecided comparisons: seeds, test examples and more training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.power.settling import Settling
from analysis.study.comparisons import ComparisonResult
from analysis.tables.comparison_cells import comparison_n_test_population, scale_of, standard_error
from analysis.tables.digits import (
    SEEDS_WORTH_PLANNING,
    alpha_of_each,
    planned_range,
    planned_seeds,
    time_taken,
)
from analysis.tables.notes import mixed_times
from analysis.tables.table import Column, Table
from analysis.words import estimated_count, in_packs

if TYPE_CHECKING:
    from analysis.study.report import StudyReport

_NEVER = "never enough"


@dataclass(frozen=True, slots=True)
class _Goal:
    """One row: what is to be shown in which comparison, and what that takes."""

    pair: ComparisonResult
    question: str
    settling: Settling


def deciding_table(report: StudyReport, footer: str) -> Table | None:
    """Lay out what would decide the undecided comparisons; None when there is none to plan for."""
    goals = [goal for pair in report.comparisons for goal in _goals(report, pair)]
    if not goals:
        return None
    packs = [size for cost in report.costs for size in cost.pack_sizes]
    each = f"trials {in_packs(packs)} counted with their share of the pack" if packs else "one at a time"
    return Table(
        title="What would decide the rest",
        columns=(
            Column("Comparison", [goal.pair.name for goal in goals]),
            Column("To show", [goal.question for goal in goals]),
            Column("Seeds per arm", [_seeds(goal) for goal in goals], numeric=True),
            Column("or test examples", [_examples(goal) for goal in goals], numeric=True),
            Column("More training", [time_taken(_more_seconds(report, goal)) for goal in goals], numeric=True),
            *comparison_n_test_population([goal.pair for goal in goals]),
        ),
        notes=(
            f"For 80% power at {alpha_of_each(report.plan.alpha, len(report.comparisons))}, from this study's "
            "variance components. In brackets: at their 95% limits, which are wide with few seeds.",
            "A gap: to find a true gap of this size. Equivalence: to show that one of this size lies within "
            f"{scale_of(report).margin(report.plan.margin)}. The true gap may be far from the observed one. Seeds per "
            "arm: on this test set; enough: so many have run. Test examples: with the seeds at hand.",
            f"More training: the seeds still to run in both arms times their measured seconds, {each}.",
            *(["Test examples: of all test sets together, in the proportions that they have."] if report.sets else []),
            *mixed_times((arm.arm, arm.mixed) for arm in report.costs),
            *(
                f"{goal.pair.name}, {goal.question}: {goal.settling.reason}."
                for goal in goals
                if goal.settling.seeds_needed is None and goal.settling.examples_needed is None and goal.settling.reason
            ),
        ),
        footer=footer,
    )


def _goals(report: StudyReport, pair: ComparisonResult) -> Iterator[_Goal]:
    if not pair.verdict.undecided or pair.result is None:
        return
    scale = scale_of(report)
    margin = scale.margin(report.plan.margin)
    observed = scale.gap(abs(pair.estimate), standard_error=standard_error(pair), signed=False)
    # A gap that looks smaller than the margin is a matter of equivalence, not of finding it.
    if pair.settling_equivalence is not None:
        yield _Goal(pair, f"equivalence at {observed}, as observed", pair.settling_equivalence)
    elif pair.settling_gap is not None:
        yield _Goal(pair, f"a gap of {observed}, as observed", pair.settling_gap)
    if pair.settling_margin is not None:
        yield _Goal(pair, f"a gap of {margin}, the margin", pair.settling_margin)


def _seeds(goal: _Goal) -> str:
    settling = goal.settling
    needed, *limits = (
        planned_seeds(seeds, never=_NEVER) for seeds in (settling.seeds_needed, *settling.seeds_needed_range)
    )
    text = planned_range(needed, limits, never=_NEVER)
    run = settling.seeds_needed is not None and settling.seeds_needed <= len(goal.pair.seeds)
    return f"enough: {text}" if run else text


def _examples(goal: _Goal) -> str:
    needed, *limits = (
        _NEVER if count is None else estimated_count(count)
        for count in (goal.settling.examples_needed, *goal.settling.examples_needed_range)
    )
    text = planned_range(needed, limits, never=_NEVER)
    if goal.settling.examples_needed is None:
        return text
    return f"about {text}{' clusters' if goal.pair.n_clusters is not None else ''}"


def _more_seconds(report: StudyReport, goal: _Goal) -> float:
    """Return how long the seeds that are still to run would take; NaN where there are none, or too many to plan."""
    seeds, run = goal.settling.seeds_needed, len(goal.pair.seeds)
    # Seeds that have run already had their chance: what they did not show, their number alone will not.
    if seeds is None or not run < seeds <= SEEDS_WORTH_PLANNING:
        return math.nan
    by_arm = {cost.arm: cost.further_seconds for cost in report.costs}
    return (seeds - run) * (by_arm[goal.pair.treatment] + by_arm[goal.pair.baseline])
