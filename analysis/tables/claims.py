"""Claim table: published gaps beside the study's own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.study.made_tests import primary_test_name
from analysis.tables.comparison_cells import (
    level_header,
    levels_by_comparison,
    open_where_cut,
    size_cell,
    standard_error,
)
from analysis.tables.digits import points, points_interval
from analysis.tables.notes import about_the_first_set
from analysis.tables.table import UNKNOWN, Column, Table, n_test_population

if TYPE_CHECKING:
    from analysis.study.report import StudyReport


def claim_table(report: StudyReport, footer: str) -> Table | None:
    """Lay out published gaps beside the measured ones; None when the study has no claims."""
    if not report.claims:
        return None
    # Figures are published of one test set.
    comparisons = report.sets[0].comparisons if report.sets else report.comparisons
    by_arms = {(pair.treatment, pair.baseline): pair for pair in comparisons}
    rows = []
    for claim in report.claims:
        pair = by_arms.get((claim.treatment, claim.baseline))
        rows.append((claim, pair, standard_error(pair) if pair is not None else math.nan))
    measured = [pair for _, pair, _ in rows if pair is not None]
    # Only what is checked rests on a test.
    tested = [pair if claim.kind == "check" else None for claim, pair, _ in rows]
    return Table(
        title="Published claims",
        columns=(
            Column("Source", [claim.source for claim in report.claims]),
            Column("Comparison", [pair.name if pair is not None else UNKNOWN for _, pair, _ in rows]),
            Column(
                "Published gap",
                [
                    f"{points(claim.published_gap)} (n = {claim.n})" if pair is not None else UNKNOWN
                    for claim, pair, _ in rows
                ],
                numeric=True,
            ),
            Column(
                "Measured gap",
                [points(claim.measured_gap, standard_error=error) for claim, _, error in rows],
                numeric=True,
            ),
            Column(
                level_header(pair.verdict_confidence for pair in measured),
                [
                    open_where_cut(
                        points_interval(claim.interval, standard_error=error), claim.interval, margin=report.plan.margin
                    )
                    for claim, _, error in rows
                ],
                numeric=True,
            ),
            Column(
                "Reading",
                [claim.reading if claim.kind == "check" else f"context: {claim.reading}" for claim in report.claims],
            ),
            *n_test_population(
                [size_cell(pair) if pair is not None else UNKNOWN for pair in tested],
                [primary_test_name(pair.result) if pair is not None else "none" for pair in tested],
                [pair.result.generalizes_to if pair is not None and pair.result else UNKNOWN for pair in tested],
            ),
        ),
        notes=(
            "The interval is that of the verdict, for the mean over seeds. A single published run of each arm varies "
            "more, so a published gap outside the interval is not wrong for that reason alone.",
            *levels_by_comparison((pair.name, pair.verdict_confidence) for pair in measured),
            *about_the_first_set(report),
        ),
        footer=footer,
    )
