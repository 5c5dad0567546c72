"""Runs figure: the metric of every run as a dot, by arm, with paired seeds joined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from analysis.figures.figure import Figure, missing
from analysis.figures.rows import row_chart
from analysis.figures.style import BLUE, INK, QUIET
from analysis.study.study_report import StudyReport
from analysis.tables.arms import metric_title, standard_error
from analysis.tables.comparison_cells import scale_of
from analysis.tables.table import Column, seeds_by_examples
from analysis.words import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

_NAME, _TITLE = "runs", "Every run"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmDots:
    """The runs of one arm.

    Parameters
    ----------
    arm : str
        The name of the arm.
    seeds : tuple of int
        Of the runs.
    values : tuple of float
        The metric of each run, in units of the metric; NaN where it is undefined.
    mean : float
        Their mean; NaN where one is undefined.
    """

    arm: str
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    mean: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDots:
    """Every run of a study, by arm; a description of these trials.

    Parameters
    ----------
    arms : tuple of ArmDots
        The arms that have a run with a value, in the order of the study.
    paired : bool
        Whether the same seed in two arms is a pair.
    xlabel : str
        What is shown, with its unit.
    scale : float
        What a value is multiplied with to be in that unit.
    highest : float
        The highest value that there can be, in that unit; infinite where there is none.
    """

    arms: tuple[ArmDots, ...]
    paired: bool
    xlabel: str
    scale: float
    highest: float


def runs_figure(report: StudyReport) -> Figure:
    """Show every run of a study."""
    dots = run_dots(report)
    if not dots.arms:
        finished = any(arm.seeds for arm in report.arms)
        why = f"{metric_title(report)} is undefined in every trial" if finished else "No trial has finished"
        return missing(_NAME, _TITLE, f"{why}.")
    return Figure(
        name=_NAME,
        title=f"{metric_title(report)} of every run",
        caption=_caption(report, dots),
        alt=_alt(report, dots),
        columns=_columns(report),
        draw=partial(draw_runs, dots),
    )


def run_dots(report: StudyReport) -> RunDots:
    """Collect the runs of a study."""
    share = report.metric.share
    return RunDots(
        arms=tuple(
            ArmDots(arm=arm.arm, seeds=arm.seeds, values=arm.values, mean=arm.mean)
            for arm in report.arms
            if not all(map(math.isnan, arm.values))
        ),
        paired=report.paired,
        xlabel=f"{report.metric.title} (%)" if share else report.metric.title,
        scale=100.0 if share else 1.0,
        highest=100.0 if share else math.inf,
    )


def _caption(report: StudyReport, dots: RunDots) -> str:
    n_runs = max(len(arm.values) for arm in dots.arms)
    each = "over the test sets, the mean of" if report.sets else "on"
    parts = [
        f"{metric_title(report)} of every run, a dot each, {each} "
        f"{counted(report.n_examples, 'test example')}; the bar is the mean of the arm."
    ]
    if len(dots.arms) > 1 and n_runs > 1:
        parts.append(
            "Lines join the runs of one seed."
            if dots.paired
            else "The runs are not paired by seed, so none are joined."
        )
    undefined = sum(map(math.isnan, (value for arm in report.arms for value in arm.values)))
    if undefined:
        parts.append(f"{counted(undefined, 'run')} without a value {'is' if undefined == 1 else 'are'} not drawn.")
    without = [arm.arm for arm in report.arms if not arm.seeds]
    if without:
        parts.append(f"No run of {', '.join(without)} has finished.")
    parts.append("It describes these trials and tests nothing.")
    return " ".join(parts)


def _alt(report: StudyReport, dots: RunDots) -> str:
    scale = scale_of(report)
    shown = {arm.arm for arm in dots.arms}
    spans = []
    for arm in report.arms:
        if arm.arm in shown:
            error = standard_error(report, arm)
            low, high = (
                scale.score(side(value for value in arm.values if not math.isnan(value)), standard_error=error)
                for side in (min, max)
            )
            spans.append(f"{arm.arm} {low}" if low == high else f"{arm.arm} {low} to {high}")
    return f"{metric_title(report)} of every run by arm, from the lowest to the highest: {'; '.join(spans)}."


def _columns(report: StudyReport) -> tuple[Column, ...]:
    scale = scale_of(report)
    rows = [
        (arm, run, value, standard_error(report, arm))
        for arm in report.arms
        for run, value in zip(arm.runs, arm.values, strict=True)
    ]
    return (
        Column("Arm", [arm.arm for arm, *_ in rows]),
        Column("Seed" if report.paired else "Run", [run for _, run, *_ in rows]),
        Column(
            metric_title(report),
            [scale.score(value, standard_error=error) for *_, value, error in rows],
            numeric=True,
        ),
        Column("Seeds × examples", [seeds_by_examples(1, arm.n_examples) for arm, *_ in rows], numeric=True),
    )


def draw_runs(dots: RunDots, width: float) -> Picture:
    """Draw the dots, so many points wide."""
    many = len(dots.arms) > 12
    chart = row_chart([arm.arm for arm in dots.arms], width=width, row=12.0 if many else 18.0, xlabel=dots.xlabel)
    axes = chart.axes
    if dots.paired:
        x, y = _lines(dots, chart.places)
        axes.plot(x, y, color=QUIET, linewidth=0.4, alpha=0.6)
    for arm, place in zip(dots.arms, chart.places, strict=True):
        mean = dots.scale * arm.mean
        axes.plot([mean, mean], [-place - 5, -place + 5], color=BLUE, linewidth=2.2)
        values = [dots.scale * value for value in arm.values]
        axes.plot(values, [-place] * len(values), "o", color=INK, markersize=3, markeredgewidth=0, alpha=0.65)
    axes.set_xlim(*_range(dots))
    return chart.picture


def _range(dots: RunDots) -> tuple[float, float]:
    """Return the ends of the axis; that of a share does not go far beyond all of it."""
    values = [dots.scale * value for arm in dots.arms for value in arm.values if not math.isnan(value)]
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, min(high + room, max(dots.highest, high) + 0.1 * room)


def _lines(dots: RunDots, places: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the lines between neighbouring arms as one line with gaps."""
    x: list[float] = []
    y: list[float] = []
    for (upper, top), (lower, bottom) in pairwise(zip(dots.arms, places, strict=True)):
        there = dict(zip(lower.seeds, lower.values, strict=True))
        for seed, value in zip(upper.seeds, upper.values, strict=True):
            if seed in there:
                x += [dots.scale * value, dots.scale * there[seed], math.nan]
                y += [-top, -bottom, math.nan]
    return x, y
