"""The table of flipped examples: how many there are, and how many there would be by chance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.study.flips import AnsweredExamples, Flips
from analysis.tables.digits import fixed
from analysis.tables.table import Column, Table, seeds_by_examples, without_test

if TYPE_CHECKING:
    from analysis.study.study_report import StudyReport


def flip_table(examples: AnsweredExamples, report: StudyReport) -> Table | None:
    """Lay out how many examples flip, in each direction; None where nothing is compared."""
    if not examples.flips:
        return None
    runs = {arm.arm: len(arm.seeds) for arm in report.arms}
    better = "right" if examples.right else "better"
    notes = [
        "An example flips that one arm gets right in more than half of its runs and the other does not. By chance: how "
        "many examples would flip so if each example's right answers were dealt to the runs of both arms at random. "
        "It describes these runs and tests nothing."
        if examples.right
        else "An example flips where, of all pairs of a run of each arm, one arm is better in so many more that the "
        "difference is half of all pairs. It describes these runs and tests nothing."
    ]
    return Table(
        title="Examples that flip",
        columns=(
            Column("Comparison", [f"{one.treatment} against {one.baseline}" for one in examples.flips]),
            Column(f"Only the first arm {better}", [_count(one, 0) for one in examples.flips], numeric=True),
            Column(f"Only the second arm {better}", [_count(one, 1) for one in examples.flips], numeric=True),
            *without_test(
                [
                    seeds_by_examples((runs[one.treatment], runs[one.baseline]), examples.n_examples)
                    for one in examples.flips
                ]
            ),
        ),
        notes=tuple(notes),
        footer="",
    )


def _count(flips: Flips, side: int) -> str:
    expected = flips.expected[side]
    chance = "" if math.isnan(expected) else f" (by chance {fixed(expected, places=1)})"
    return f"{flips.counts[side]}{chance}"
