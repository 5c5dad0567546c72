"""Class tables: precision, recall and F1 of every arm by class, and their gaps compared."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.study.class_comparisons import ClassComparison
from analysis.study.made_tests import primary_test_name
from analysis.study.summaries import ClassSummary
from analysis.tables.arms import sampling_error
from analysis.tables.comparison_cells import (
    agreement_in_words,
    level_header,
    levels_by_comparison,
    open_where_cut,
    seeds_of,
)
from analysis.tables.digits import (
    declared_points,
    p_value,
    percent,
    points,
    points_interval,
)
from analysis.tables.notes import about_the_first_set, grouped_by_reason, of_its_own
from analysis.tables.table import UNKNOWN, Column, Table, n_test_population, seeds_by_examples, without_test
from analysis.words import counted

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def class_table(report: StudyReport, footer: str) -> Table | None:
    """Lay out precision, recall and F1 by arm and class; None where no trial finished, and in a regression."""
    if not report.classes:
        return None
    rows = [(row, sampling_error(row.recall, row.n_class_examples)) for row in report.classes]
    return Table(
        title="Precision, recall and F1 by class",
        columns=(
            Column("Arm", [row.arm for row in report.classes]),
            Column("Class", [row.label for row in report.classes]),
            Column("Precision", [precision_cell(row, error) for row, error in rows], numeric=True),
            Column("Recall", [percent(row.recall, standard_error=error) for row, error in rows], numeric=True),
            Column("F1", [percent(row.f1, standard_error=error) for row, error in rows], numeric=True),
            *without_test([seeds_by_examples(row.n_seeds, row.n_class_examples) for row in report.classes]),
        ),
        notes=(
            "Means over seeds. The examples counted are those of the class.",
            *about_the_first_set(report),
            *(f"{row.arm}, class {row.label}: {row.reason}{_over(row)}." for row in report.classes if row.reason),
        ),
        footer=footer,
        detail=True,
    )


def precision_cell(row: ClassSummary, error: float) -> str:
    """Return a precision, and over how many seeds it is a mean where that is not all of them."""
    cell = percent(row.precision, standard_error=error)
    return f"{cell} ({row.n_defined[0]} of {row.n_seeds} seeds)" if 0 < row.n_defined[0] < row.n_seeds else cell


def _over(row: ClassSummary) -> str:
    return "; its precision is undefined there, and the mean is over the other seeds" if row.n_defined[0] else ""


def class_comparison_table(report: StudyReport, footer: str) -> Table | None:
    """Lay out the differences in precision and recall of every class; None without a test."""
    rows = report.class_comparisons
    if not rows:
        return None
    errors = [row.result.standard_error if row.result else math.nan for row in rows]
    margin = report.class_margin
    # Comparisons that could not be made are not shown, and still count in the correction.
    size = len({(row.label, row.measure) for row in rows}) * len(report.comparisons)
    agreement = agreement_in_words([row.verdict_interval for row in rows], margin=margin)
    return Table(
        title="Precision and recall by class, compared",
        columns=(
            Column("Comparison", [_name(row) for row in rows]),
            Column("Measure", [f"{row.measure} of {row.label}" for row in rows]),
            Column(
                "Gap",
                [points(row.estimate, standard_error=error) for row, error in zip(rows, errors, strict=True)],
                numeric=True,
            ),
            Column(
                level_header(row.verdict_confidence for row in rows),
                [
                    open_where_cut(
                        points_interval(row.verdict_interval, standard_error=error),
                        row.verdict_interval,
                        margin=margin,
                    )
                    for row, error in zip(rows, errors, strict=True)
                ],
                numeric=True,
            ),
            Column("Corrected p", [p_value(row.difference_p) for row in rows], numeric=True),
            Column("Verdict", [row.verdict.label for row in rows]),
            *n_test_population(
                [
                    seeds_by_examples(seeds_of(row.result) or row.n_seeds, row.n_examples, row.n_clusters)
                    for row in rows
                ],
                [primary_test_name(row.result) for row in rows],
                [row.result.generalizes_to if row.result else UNKNOWN for row in rows],
            ),
        ),
        notes=(
            f"{of_its_own(report.plan)}: corrected by the joint Holm step-down over all {counted(size, 'row')} "
            "together, those without a verdict included.",
            f"Intervals hold together (Bonferroni, alpha / {size}): {agreement}. "
            f"Equivalent: within {declared_points(margin)}.",
            *levels_by_comparison((_name(row), row.verdict_confidence) for row in rows),
            "Precision is tested through influence values; recall is about new examples of its class.",
            *about_the_first_set(report),
            *grouped_by_reason([(f"{_name(row)}, {row.measure} of {row.label}", row.verdict.reason) for row in rows]),
        ),
        footer=footer,
        detail=True,
    )


def _name(row: ClassComparison) -> str:
    return f"{row.treatment} against {row.baseline}"
