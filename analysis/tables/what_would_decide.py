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
    estimated_count,
    planned_seeds,
    significant_digits,
    time_taken,
)
from analysis.tables.notes import mixed_times
from analysis.tables.table import Column, Table
from analysis.words import in_packs

if TYPE_CHECKING:
    from analysis.study.report import StudyReport

_NEVER = "never enough"


@dataclass(frozen=True, slots=True)
class _Goal:
    """One row: what is to be found in which comparison, and what that takes."""

    pair: ComparisonResult
    gap: str
    settling: Settling


def deciding_table(report: StudyReport, footer: str) -> Table | None:
    """Lay out what would decide the undecided comparisons; None when there is none to plan for."""
    goals = [goal for pair in report.comparisons for goal in _goals(report, pair)]
    if not goals:
        return None
    k = len(report.comparisons)
    packs = [size for cost in report.costs for size in cost.pack_sizes]
    each = f"trials {in_packs(packs)} counted with their share of the pack" if packs else "one at a time"
    return Table(
        title="What would decide the rest",
        columns=(
            Column("Comparison", [goal.pair.name for goal in goals]),
            Column("To find a gap of", [goal.gap for goal in goals]),
            Column("Seeds per arm", [_seeds(goal.settling) for goal in goals], numeric=True),
            Column("or test examples", [_examples(goal) for goal in goals], numeric=True),
            Column("More training", [time_taken(_more_seconds(report, goal)) for goal in goals], numeric=True),
            *comparison_n_test_population([goal.pair for goal in goals]),
        ),
        notes=(
            f"For 80% power at alpha / {k} = {significant_digits(report.plan.alpha / k, 3)}, from this study's "
            "variance components. In brackets: at the 95% limits of the seed SD, which are wide with few seeds.",
            "Seeds per arm: on this test set. Test examples: with the seeds at hand. If the true gap is zero, about "
            "as many as for the margin would also show equivalence. The observed gap may be far from the true one.",
            f"More training: the seeds still to run in both arms times their measured seconds, {each}; none is given "
            "where that many seeds have run without deciding it. With fewer than four seeds the figures tend to be too "
            "large.",
            *mixed_times((arm.arm, arm.mixed) for arm in report.costs),
            *(
                f"{goal.pair.name}, {goal.gap}: {goal.settling.reason}."
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
    # A gap that looks smaller than the margin is a matter of equivalence, not of finding it.
    if abs(pair.estimate) >= report.plan.margin and pair.settling_gap is not None:
        gap = scale.gap(abs(pair.estimate), standard_error=standard_error(pair), signed=False)
        yield _Goal(pair, f"{gap}, as observed", pair.settling_gap)
    if pair.settling_margin is not None:
        yield _Goal(pair, f"{scale.margin(report.plan.margin)}, the margin", pair.settling_margin)


def _seeds(settling: Settling) -> str:
    needed = planned_seeds(settling.seeds_needed, never=_NEVER)
    limits = list(dict.fromkeys(planned_seeds(limit, never=_NEVER) for limit in settling.seeds_needed_range))
    return needed if settling.seeds_needed is None or limits == [needed] else f"{needed} ({' to '.join(limits)})"


def _examples(goal: _Goal) -> str:
    if goal.settling.examples_needed is None:
        return _NEVER
    clusters = " clusters" if goal.pair.n_clusters is not None else ""
    return f"about {estimated_count(goal.settling.examples_needed)}{clusters}"


def _more_seconds(report: StudyReport, goal: _Goal) -> float:
    """Return how long the seeds that are still to run would take; NaN where there are none, or too many to plan."""
    seeds, run = goal.settling.seeds_needed, len(goal.pair.seeds)
    # Seeds that have run already had their chance: what they did not show, their number alone will not.
    if seeds is None or not run < seeds <= SEEDS_WORTH_PLANNING:
        return math.nan
    by_arm = {cost.arm: cost.further_seconds for cost in report.costs}
    return (seeds - run) * (by_arm[goal.pair.treatment] + by_arm[goal.pair.baseline])
