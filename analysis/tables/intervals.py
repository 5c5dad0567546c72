"""Interval table: intervals for one comparison and for all, and posterior probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.tables.comparison_cells import (
    comparison_n_test_population,
    gap_cell,
    interval_cell,
    level_header,
    levels_by_comparison,
    scale_of,
)
from analysis.tables.digits import probability
from analysis.tables.table import Column, Table

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def interval_table(report: StudyReport, footer: str) -> Table:
    """Lay out intervals for one comparison and for all, and the approximate Bayesian reading."""
    pairs, k = report.comparisons, len(report.comparisons)
    margin = scale_of(report).margin(report.plan.margin)
    alone, for_all = (
        level_header(levels, of)
        for levels, of in (
            ((pair.confidence for pair in pairs), "alone"),
            ((pair.family_confidence for pair in pairs), f"for all {k}"),
        )
    )
    for_family = [interval_cell(report, pair, pair.family_interval) for pair in pairs]
    together = f" For all {k}: Bonferroni, alpha / {k} for each, so that they hold together." if k > 1 else ""
    return Table(
        title="Intervals and probabilities",
        columns=(
            Column("Comparison", [pair.name for pair in pairs]),
            Column("Gap", [gap_cell(report, pair) for pair in pairs], numeric=True),
            Column(alone, [interval_cell(report, pair, pair.interval) for pair in pairs], numeric=True),
            *([Column(for_all, for_family, numeric=True)] if k > 1 else []),
            Column(f"P below -{margin}", [probability(pair.posterior[0]) for pair in pairs], numeric=True),
            Column(f"P within {margin}", [probability(pair.posterior[1]) for pair in pairs], numeric=True),
            Column(f"P above {margin}", [probability(pair.posterior[2]) for pair in pairs], numeric=True),
            *comparison_n_test_population(pairs),
        ),
        notes=(
            f"Alone: for that comparison by itself, with no correction in it; it can leave out 0 where the verdict is "
            f"undecided.{together}",
            *levels_by_comparison([(pair.name, pair.confidence) for pair in pairs], "the intervals alone"),
            *(
                levels_by_comparison([(pair.name, pair.family_confidence) for pair in pairs], f"those for all {k}")
                if k > 1
                else []
            ),
            "P: approximate posterior probability that the gap lies there, with a flat prior.",
        ),
        footer=footer,
        detail=True,
    )
