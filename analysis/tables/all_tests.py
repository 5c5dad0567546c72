"""Table of all tests: every p-value of every comparison, with what it speaks about."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.methods.crossed import CrossedResult, design_of
from analysis.study.comparisons import ComparisonResult
from analysis.tables.comparison_cells import INDEPENDENT, PAIRED, TWO_ALONE, primary_test_name, scale_of, size_cell
from analysis.tables.digits import fixed, p_value, percent, points
from analysis.tables.notes import of_training_sets
from analysis.tables.table import UNKNOWN, Column, Table, n_test_population

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    """One row: a test of a comparison."""

    pair: ComparisonResult
    name: str
    population: str
    p: str
    corrected: str = UNKNOWN
    remark: str


def all_tests_table(report: StudyReport, footer: str) -> Table:
    """Lay out every test of every comparison, each with what it speaks about."""
    tests = [test for pair in report.comparisons for test in _tests(report, pair)]
    return Table(
        title="All tests",
        columns=(
            Column("Comparison", [test.pair.name for test in tests]),
            Column("p", [test.p for test in tests], numeric=True),
            Column("Corrected p", [test.corrected for test in tests], numeric=True),
            Column("Remark", [test.remark for test in tests]),
            *n_test_population(
                [size_cell(test.pair) for test in tests],
                [test.name for test in tests],
                [test.population for test in tests],
            ),
        ),
        notes=(
            "Speaks about: what would be drawn again. Seeds and examples: the training procedure, on new examples. "
            "Seeds: new trials, on this test set. Examples: these trained models, on new examples.",
            *of_training_sets(report.training_sets),
            "Only the first two tests of a comparison decide its verdict. "
            + (
                "Multi-bootstrap: studentised. Floor: the smallest p that the test can give with this many seeds. Won: "
                "share of the seeds in which the first arm is better, with its interval."
                if report.crossing is None
                else "Tests that take seeds as independent of each other are not made."
            )
            + (
                " McNemar: the exact test of accuracy for each seed on its own, from the lowest to the highest p and "
                "gap. Each seed is two other trained models and another question: to count small p-values over seeds "
                "is no test."
                if any(pair.mcnemar for pair in report.comparisons)
                else ""
            ),
        ),
        footer=footer,
        detail=True,
    )


def _tests(report: StudyReport, pair: ComparisonResult) -> Iterator[_Test]:
    result, same, flip, bootstrap = pair.result, pair.equivalence, pair.sign_flip, pair.bootstrap
    name, population = primary_test_name(result), result.generalizes_to if result else UNKNOWN
    if result is None or same is None:
        yield _Test(pair=pair, name=name, population=population, p=UNKNOWN, remark=pair.verdict.reason)
        return
    yield _Test(
        pair=pair,
        name=name,
        population=population,
        p=p_value(result.p_value),
        corrected=p_value(pair.difference_p),
        remark=""
        if math.isnan(result.statistic)
        else f"t = {fixed(result.statistic, places=2)}, {fixed(result.df, places=1)} df",
    )
    yield _Test(
        pair=pair,
        name=f"equivalence at {scale_of(report).margin(report.plan.margin)}",
        population=same.generalizes_to,
        p=p_value(same.p_value),
        corrected=p_value(pair.equivalence_p),
        remark="",
    )
    if flip is None or bootstrap is None:
        yield from _each_seed(pair)
        return
    yield from _without_pooling(pair, result)
    yield _Test(
        pair=pair,
        name="multi-bootstrap",
        population=bootstrap.generalizes_to,
        p=p_value(bootstrap.p_studentised),
        remark=bootstrap.reason or f"{bootstrap.resamples} resamples; percentile {p_value(bootstrap.p_percentile)}",
    )
    yield _Test(
        pair=pair,
        name="sign-flip",
        population=flip.generalizes_to,
        p=p_value(flip.p_value),
        remark=f"floor {p_value(flip.floor)}; won {_seeds_won(pair)}",
    )
    yield from _each_seed(pair)


def _each_seed(pair: ComparisonResult) -> Iterator[_Test]:
    if not pair.mcnemar:
        return
    p_values = [test.p_exact for test in pair.mcnemar]
    low, high = p_value(min(p_values)), p_value(max(p_values))
    gaps = [test.estimate for test in pair.mcnemar]
    yield _Test(
        pair=pair,
        name="McNemar, each seed",
        population=pair.mcnemar[0].generalizes_to,
        p=_range(low, high),
        remark=f"gap {_range(points(min(gaps)), points(max(gaps)))}",
    )


def _without_pooling(pair: ComparisonResult, result: CrossedResult) -> Iterator[_Test]:
    """Give what the two arms show by themselves, by both designs; few pairs are judged as independent seeds anyway."""
    as_pairs = design_of(n_seeds=min(result.n_seeds)) == "A"
    other = "the other design"
    if result.n_arms > 2:
        rows = [(TWO_ALONE, result.pairwise_p_value, "as paired seeds" if as_pairs else "as independent seeds")]
        if as_pairs:
            rows.append((INDEPENDENT, result.other_p_value, other))
    else:
        rows = [(INDEPENDENT if result.design == "A" else PAIRED, result.other_p_value, other)]
    for name, p, remark in rows:
        yield _Test(pair=pair, name=name, population=result.generalizes_to, p=p_value(p), remark=remark)


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _seeds_won(pair: ComparisonResult) -> str:
    won = pair.outperforming
    if won is None:
        return UNKNOWN
    low, high = (percent(limit, places=0) for limit in won.interval)
    return f"{percent(won.estimate, places=0)} ({low} to {high})"
