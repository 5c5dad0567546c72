"""Figures: a small named result is computed first, then drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.figures.figure import Figure

if TYPE_CHECKING:
    from analysis.study.study_report import StudyReport

__all__ = ["Figure", "build"]


def build(report: StudyReport) -> tuple[Figure, ...]:
    """Return every figure of a report, in the order of a reader; one that cannot be drawn says why.

    It computes words and numbers and draws nothing: matplotlib is loaded by `Figure.svg` and `Figure.save`.

    Parameters
    ----------
    report : StudyReport
        What `analysis.study.report.analyze` returns.
    """
    from analysis.figures.runs import runs_figure

    return (runs_figure(report),)
