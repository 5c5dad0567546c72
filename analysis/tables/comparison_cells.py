"""Cells of comparisons: gap, interval and verdict, and what these rest on (n, test and population)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from analysis.methods.crossed_result import CrossedResult
from analysis.methods.interval import Interval
from analysis.study.comparison_result import ComparisonResult
from analysis.study.made_tests import primary_test_name
from analysis.study.verdict import Verdict
from analysis.tables.digits import Scale, confidence_level
from analysis.tables.table import UNKNOWN, Column, n_test_population, seeds_by_examples

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def scale_of(report: StudyReport) -> Scale:
    """Return how the study's metric is written."""
    return Scale(report.plan.kind.share)


def standard_error(comparison: ComparisonResult) -> float:
    """Return the standard error of the gap; NaN without a test."""
    return comparison.result.standard_error if comparison.result else math.nan


def gap_cell(report: StudyReport, comparison: ComparisonResult) -> str:
    """Return the gap of a comparison."""
    return scale_of(report).gap(comparison.estimate, standard_error=standard_error(comparison))


def interval_cell(report: StudyReport, comparison: ComparisonResult, limits: Interval) -> str:
    """Return an interval of the gap of a comparison."""
    return scale_of(report).interval(limits, standard_error=standard_error(comparison))


def verdict_interval_cell(report: StudyReport, comparison: ComparisonResult) -> str:
    """Return the interval that belongs to the verdict of a comparison."""
    text = interval_cell(report, comparison, comparison.verdict_interval)
    return open_where_cut(text, comparison.verdict_interval, margin=report.plan.margin)


def level_header(confidences: Iterable[float], of: str = "interval") -> str:
    """Return what stands over intervals, such as ``98.75% interval``; without a figure where no one holds for all."""
    levels = _levels(confidences)
    return f"{levels[0]} {of}" if len(levels) == 1 else f"{of[0].upper()}{of[1:]}"


def levels_in_words(confidences: Iterable[float]) -> str:
    """Return the confidence of several intervals: ``98.75%``, or ``98.33% to 99.99%`` where it differs."""
    levels = _levels(sorted(confidences))
    return " to ".join(dict.fromkeys((levels[0], levels[-1])))


def levels_by_comparison(named: Iterable[tuple[str, float]], of: str = "the intervals") -> list[str]:
    """Say the confidence of each comparison's interval where it differs: arms that left keep the level of their look.

    Parameters
    ----------
    named : iterable of (str, float)
        The comparison, and the confidence of its interval.
    of : str
        Of which intervals.
    """
    alike: dict[str, dict[str, None]] = {}
    for name, confidence in named:
        alike.setdefault(confidence_level(1 - confidence), {})[name] = None
    if len(alike) < 2:
        return []
    told = "; ".join(f"{level} for {', '.join(names)}" for level, names in alike.items())
    return [f"Confidence of {of}, by the look that each comparison has reached: {told}."]


def _levels(confidences: Iterable[float]) -> list[str]:
    return list(dict.fromkeys(confidence_level(1 - confidence) for confidence in confidences))


def open_where_cut(text: str, limits: Interval, *, margin: float) -> str:
    """Return the text of an interval with a round bracket at a limit of 0 or of the margin: it is not part of it."""
    low = "(" if limits.low in (0, -margin) else text[0]
    high = ")" if limits.high in (0, margin) else text[-1]
    return f"{low}{text[1:-1]}{high}" if len(text) > 1 else text


def agreement_in_words(intervals: Iterable[Interval], *, margin: float) -> str:
    """Say how intervals and their verdicts belong together, and what a round bracket means where there is one."""
    text = "without 0 where a gap is shown, within the margin where equivalence is"
    if any(limits.low in (0, -margin) or limits.high in (0, margin) for limits in intervals):
        text += "; a round bracket ends one at 0 or the margin, where the verdict shows more than it does alone"
    return text


def verdict_cell(verdict: Verdict, margin: str) -> str:
    """Return a verdict as an answer in plain words."""
    if verdict.direction is None:
        return f"equivalent within {margin}" if verdict.within_margin else verdict.label
    suffix = f", within the {margin} margin" if verdict.within_margin else f"; not equivalent at {margin}"
    return f"{verdict.direction}{suffix}"


def comparison_n_test_population(comparisons: Sequence[ComparisonResult]) -> tuple[Column, ...]:
    """Return the last three columns of a table with one row for each comparison."""
    return n_test_population(
        [size_cell(comparison) for comparison in comparisons],
        [primary_test_name(comparison.result) for comparison in comparisons],
        [comparison.result.generalizes_to if comparison.result else UNKNOWN for comparison in comparisons],
    )


def size_cell(comparison: ComparisonResult) -> str:
    """Return the n of a comparison."""
    n_seeds = seeds_of(comparison.result) or comparison.n_seeds
    return seeds_by_examples(n_seeds, comparison.n_examples, comparison.n_clusters)


def seeds_of(result: CrossedResult | None) -> str:
    """Return the numbers of seeds of two kinds that cross, such as ``5 × 4``; empty for seeds of one kind."""
    by_source = None if result is None else result.by_source
    return "" if by_source is None else f"{by_source.n_first} × {by_source.n_second}"
