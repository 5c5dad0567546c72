"""Frames of classes and of answers: their figures are those of the tables."""

from __future__ import annotations

from analysis.study.report import StudyReport
from analysis.tables.arms import sampling_error
from analysis.tables.digits import confidence_level, p_value, percent, points, points_interval
from tests.analysis.study.frames.cells import (
    Cells,
    Row,
    assert_written,
    cut,
    describes,
    interval,
    known,
    pair,
    rests_on,
    titled,
)


def by_class(_: StudyReport, row: Row) -> Cells:
    error = sampling_error(row.recall, row.n_class_examples)
    part = f" ({row.n_precision} of {row.n_seeds} seeds)" if 0 < row.n_precision < row.n_seeds else ""
    return {
        "Arm": row.arm,
        "Class": row.label,
        "Precision": f"{percent(row.precision, standard_error=error)}{part}",
        "Recall": percent(row.recall, standard_error=error),
        "F1": percent(row.f1, standard_error=error),
        **describes(row.n_seeds, row.n_class_examples),
    }


def test_classes(report: StudyReport) -> None:
    assert_written(report, "Precision, recall and F1 by class", "classes", by_class)


def compared(report: StudyReport, row: Row) -> Cells:
    limits = interval(row)
    text = points_interval(limits, standard_error=row.standard_error)
    return {
        "Comparison": pair(row),
        "Measure": f"{row.measure} of {row.label}",
        "Gap": points(row.gap, standard_error=row.standard_error),
        f"{confidence_level(1 - row.confidence)} interval": cut(text, limits, row.margin),
        "Corrected p": p_value(row.p_difference),
        "Verdict": row.verdict,
        **rests_on(report, row),
    }


def test_class_comparisons(report: StudyReport) -> None:
    assert_written(report, "Precision and recall by class, compared", "class_comparisons", compared)
    frame = report.frame("class_comparisons")
    assert frame[frame.verdict == "no verdict"].reason.notna().all()
    assert frame[frame.verdict == "no verdict"].p.isna().all()


def agreement(_: StudyReport, row: Row) -> Cells:
    return {
        "Arm": row.arm,
        "All seeds right": percent(row.always_right, places=1),
        "Same wrong answer": percent(row.always_wrong, places=1),
        "Seeds disagree": percent(row.disputed, places=1),
        "Churn between seeds": percent(row.churn, places=1),
        **describes(row.n_seeds, row.n_examples),
    }


def test_agreement(report: StudyReport) -> None:
    assert_written(report, "Agreement of the seeds", "agreement", agreement)


def test_churn_is_that_of_the_note(report: StudyReport) -> None:
    table, frame = titled(report, "Agreement of the seeds"), report.frame("churn")
    note = next((note for note in table.notes if note.startswith("Churn, ")), "") if table else ""
    for row in frame.itertuples():
        between, within = percent(row.between, places=1), percent(row.within, places=1)
        said = f"{between} between the arms, {within} between seeds of one arm ({points(row.excess)})"
        assert (f"{pair(row)}: {said}" in note) == (known(row.reason) is None)
