"""Frames of figures without a verdict: they are those of the tables."""

from __future__ import annotations

import math

from analysis.metrics.metric_kinds import METRICS
from analysis.study.report import StudyReport
from analysis.tables.digits import Scale, confidence_level, points, points_interval
from analysis.tables.table import UNKNOWN, seeds_by_examples
from tests.analysis.study.frames.cells import (
    POPULATION,
    SIZE,
    TEST,
    Cells,
    Row,
    assert_written,
    cut,
    errors,
    interval,
    known,
    over_seeds,
    pair,
    size,
    titled,
)


def selection(report: StudyReport, row: Row) -> Cells:
    (arm,) = (arm for arm in report.frame("arms").itertuples() if arm.arm == row.arm)
    error = over_seeds(arm) if row.score == report.plan.metric and arm.sd > 0 else math.nan
    scale = Scale(report.plan.kind.share if row.score == report.plan.metric else METRICS[row.score].share)
    return {
        "Arm": row.arm,
        "Epochs": str(row.n_epochs),
        "Last epoch": scale.score(row.last, standard_error=error),
        "Chosen on hold-out": scale.score(row.holdout, standard_error=error),
        "Best on test": scale.score(row.best, standard_error=error),
        "Selection lift": scale.gap(row.lift, standard_error=error),
        f"{confidence_level(1 - row.confidence)} interval": scale.interval(interval(row), standard_error=error),
        SIZE: seeds_by_examples(row.n_seeds, row.n_examples),
        TEST: "paired t",
        POPULATION: row.generalizes_to,
    }


def test_selection(report: StudyReport) -> None:
    assert_written(report, "What choosing the epoch on the test split would add", "selection", selection)


def test_gaps_by_selection_are_those_of_the_note(report: StudyReport) -> None:
    table = titled(report, "What choosing the epoch on the test split would add")
    frame = report.frame("selection_gaps")
    assert frame.empty == (table is None)
    for row in frame.itertuples():
        assert table is not None
        last, holdout, best = (points(gap) for gap in (row.last, row.holdout, row.best))
        said = (
            f"{pair(row)} {last} at the last epoch, {holdout} at the epoch chosen on the hold-out, {best} at the best"
        )
        assert said in " ".join(table.notes)


def claim(report: StudyReport, row: Row) -> Cells:
    paired, limits = known(row.treatment) is not None, interval(row)
    checked = row.kind == "check"
    error = errors(report)[pair(row)] if paired else math.nan
    confidence = known(row.confidence) or report.comparisons[0].verdict_confidence
    return {
        "Source": row.source,
        "Comparison": pair(row) if paired else UNKNOWN,
        "Published gap": f"{points(row.published_gap)} (n = {row.n_published})" if paired else UNKNOWN,
        "Measured gap": points(row.measured_gap, standard_error=error),
        f"{confidence_level(1 - confidence)} interval": cut(
            points_interval(limits, standard_error=error), limits, report.plan.margin
        ),
        "Reading": row.reading if checked else f"context: {row.reading}",
        SIZE: size(report, row) if checked else UNKNOWN,
        TEST: row.test if checked else "none",
        POPULATION: known(row.generalizes_to) or UNKNOWN,
    }


def test_claims(report: StudyReport) -> None:
    assert_written(report, "Published claims", "claims", claim)
    for row, one in zip(report.frame("claims").itertuples(), report.claims, strict=True):
        assert (known(row.inside), known(row.verdict)) == (one.inside, one.verdict or None)
        assert (known(row.printed_treatment) or "", known(row.printed_baseline) or "") == one.printed
