"""Frames: the tables of a report as tidy columns of numbers, for pandas. docs/frames.md lists every column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from analysis.problems import near
from analysis.study.frames.arms import arms, cost, runs, set_arms, set_runs
from analysis.study.frames.classes import agreement, churn, class_comparisons, classes
from analysis.study.frames.columns import Column, as_frame
from analysis.study.frames.comparisons import best, intervals, set_counts, set_verdicts, tests, verdicts
from analysis.study.frames.provenance import caveats, provenance
from analysis.study.frames.requirements import requirements
from analysis.study.frames.selection import claims, epochs, selection, selection_gaps
from analysis.study.frames.variance import deciding, detectable, sources, variance

if TYPE_CHECKING:
    import pandas as pd

    from analysis.study.report import StudyReport

FRAMES: Mapping[str, Callable[[StudyReport], list[Column]]] = {
    "requirements": requirements,
    "verdicts": verdicts,
    "set_verdicts": set_verdicts,
    "set_counts": set_counts,
    "arms": arms,
    "runs": runs,
    "set_arms": set_arms,
    "set_runs": set_runs,
    "cost": cost,
    "deciding": deciding,
    "claims": claims,
    "selection": selection,
    "selection_gaps": selection_gaps,
    "epochs": epochs,
    "classes": classes,
    "class_comparisons": class_comparisons,
    "tests": tests,
    "intervals": intervals,
    "best": best,
    "variance": variance,
    "sources": sources,
    "detectable": detectable,
    "agreement": agreement,
    "churn": churn,
    "provenance": provenance,
    "caveats": caveats,
}
"""Every frame, in the order of the tables."""


def frame_of(report: StudyReport, name: str) -> pd.DataFrame:
    """Return a frame of a report; `StudyReport.frame` says more."""
    if name not in FRAMES:
        raise ValueError(f"no frame {name!r}{near(name, FRAMES) or ';'} there are: {', '.join(FRAMES)}")
    frame = as_frame(FRAMES[name](report))
    plan = report.plan
    frame.attrs = {
        "name": report.name,
        "metric": report.metric.label,
        "higher_is_better": report.metric.higher_is_better,
        "margin": plan.margin,
        "alpha": plan.alpha,
    }
    return frame


def names_with_rows(report: StudyReport) -> tuple[str, ...]:
    """Return the names of the frames that have rows in this study, in the order of the tables."""
    return tuple(name for name, columns in FRAMES.items() if columns(report)[0].cells)
