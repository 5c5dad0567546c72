"""Table of all tests: every p-value of every comparison, with what it speaks about."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.methods.outperforming import OutperformingResult
from analysis.study.comparison_result import ComparisonResult
from analysis.study.made_tests import EQUIVALENCE, MadeTest, made_tests
from analysis.tables.comparison_cells import scale_of, size_cell
from analysis.tables.digits import fixed, p_value, percent, points
from analysis.tables.notes import of_training_sets
from analysis.tables.table import UNKNOWN, Column, Table, n_test_population

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One row: a test of a comparison, or one test of every seed."""

    pair: ComparisonResult
    name: str
    population: str
    p: str
    corrected: str = UNKNOWN
    remark: str


def all_tests_table(report: StudyReport, footer: str) -> Table:
    """Lay out every test of every comparison, each with what it speaks about."""
    rows = [row for pair in report.comparisons for row in _rows(report, pair)]
    counted_share = report.metric.title if report.answers == "scores" else "accuracy"
    return Table(
        title="All tests",
        columns=(
            Column("Comparison", [row.pair.name for row in rows]),
            Column("p", [row.p for row in rows], numeric=True),
            Column("Corrected p", [row.corrected for row in rows], numeric=True),
            Column("Remark", [row.remark for row in rows]),
            *n_test_population(
                [size_cell(row.pair) for row in rows],
                [row.name for row in rows],
                [row.population for row in rows],
            ),
        ),
        notes=(
            "Speaks about: what would be drawn again. Seeds and examples: the training procedure, on new examples. "
            "Seeds: new trials, on this test set. Examples: these trained models, on new examples.",
            *of_training_sets(report.training_sets),
            "Only the first two tests of a comparison decide its verdict. "
            + (
                "Multi-bootstrap: studentised. Floor: the smallest p that the test can give with this many seeds. "
                + (
                    "Won: share of the seeds in which the first arm is better, with its interval."
                    if report.paired
                    else "Without pairs by seed there is no McNemar test for each seed, and no share of seeds won."
                )
                if report.crossing is None
                else "Tests that take seeds as independent of each other are not made."
            )
            + (
                f" McNemar: the exact test of {counted_share} for each seed on its own, from the lowest to the highest "
                "p and gap. Each seed is two other trained models and another question: to count small p-values over "
                "seeds is no test."
                if any(pair.mcnemar for pair in report.comparisons)
                else ""
            ),
        ),
        footer=footer,
        detail=True,
    )


def _rows(report: StudyReport, pair: ComparisonResult) -> Iterator[_Row]:
    by_seed = []
    for test in made_tests(pair):
        if test.seed is not None:
            by_seed.append(test)
            continue
        margin = f" at {scale_of(report).margin(report.plan.margin)}" if test.name == EQUIVALENCE else ""
        yield _Row(
            pair=pair,
            name=f"{test.name}{margin}",
            population=test.generalizes_to or UNKNOWN,
            p=p_value(test.p_value),
            corrected=p_value(test.corrected_p),
            remark=_remark(test),
        )
    if by_seed:
        p_values, gaps = [test.p_value for test in by_seed], [test.gap for test in by_seed]
        yield _Row(
            pair=pair,
            name=by_seed[0].name,
            population=by_seed[0].generalizes_to,
            p=_range(p_value(min(p_values)), p_value(max(p_values))),
            remark=f"gap {_range(points(min(gaps)), points(max(gaps)))}",
        )


def _remark(test: MadeTest) -> str:
    if test.resamples is not None and not test.remark:
        return f"{test.resamples} resamples; percentile {p_value(test.percentile_p)}"
    if not math.isnan(test.floor):
        won = f"; won {_seeds_won(test.won)}" if test.won is not None else ""
        return f"floor {p_value(test.floor)}{won}"
    if not math.isnan(test.statistic):
        return f"t = {fixed(test.statistic, places=2)}, {fixed(test.df, places=1)} df"
    return test.remark


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _seeds_won(won: OutperformingResult) -> str:
    low, high = (percent(limit, places=0) for limit in won.interval)
    return f"{percent(won.estimate, places=0)} ({low} to {high})"
