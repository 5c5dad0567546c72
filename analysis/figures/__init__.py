"""Figures: a small named result is computed first, then drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.figures.figure import Figure

if TYPE_CHECKING:
    from analysis.study.study_report import StudyReport

__all__ = ["Figure", "build"]


def build(report: StudyReport) -> tuple[Figure, ...]:
    """Return every figure of a report, in the order of a reader; one that cannot be drawn says why.

    Where verdicts are withheld, that of every run alone: no other describes trials without comparing arms.

    It computes words and numbers and draws nothing: matplotlib is loaded by `Figure.svg` and `Figure.files`.

    Parameters
    ----------
    report : StudyReport
        What `analysis.study.report.analyze` returns.
    """
    from analysis.figures.classes import classes_figure
    from analysis.figures.cost import cost_figure
    from analysis.figures.epochs import epochs_figure
    from analysis.figures.gaps import gaps_figure
    from analysis.figures.power import power_figure
    from analysis.figures.runs import runs_figure

    if report.withheld:
        return (runs_figure(report),)
    figures = (gaps_figure, runs_figure, cost_figure, power_figure, classes_figure, epochs_figure)
    return tuple(figure(report) for figure in figures)
