"""Frame of requirements: its figures are those of the table."""

from __future__ import annotations

import pandas as pd

from analysis.study.report import StudyReport
from analysis.tables.comparison_cells import scale_of
from analysis.tables.digits import confidence_level, p_value
from tests.analysis.study.frames.cells import Cells, Row, assert_written, cut, interval, rests_on

BEFORE_MARGIN = {"not worse than": "by", "equivalent to": "within"}


def requirement(report: StudyReport, row: Row) -> Cells:
    scale, limits = scale_of(report), interval(row)
    asked = f"{row.arm} {row.relation} {row.other}"
    if not pd.isna(row.margin):
        asked += f" {BEFORE_MARGIN[row.relation]} {scale.margin(row.margin)}"
    pair = next(one for one in report.comparisons if {one.treatment, one.baseline} == {row.arm, row.other})
    error = pair.result.standard_error if pair.result else float("nan")
    text = cut(scale.interval(limits, standard_error=error), limits, report.plan.margin)
    return {
        "Requirement": asked,
        "Answer": row.answer,
        "Gap": scale.gap(row.gap, standard_error=error),
        f"{confidence_level(1 - row.confidence)} interval": cut(text, limits, 0 if pd.isna(row.margin) else row.margin),
        "Corrected p": p_value(row.p),
        **rests_on(report, row),
    }


def test_requirements(report: StudyReport) -> None:
    asked = []
    for pair in report.comparisons:
        asked += [
            f"{pair.treatment} better than {pair.baseline}",
            f"{pair.baseline} not worse than {pair.treatment} by 0.07",
            f"{pair.treatment} equivalent to {pair.baseline}",
        ]
    answered = report.require(*asked)
    assert len(answered.frame("requirements")) == len(asked) > 0
    assert_written(answered, "Requirements", "requirements", requirement)
    assert report.frame("requirements").empty
