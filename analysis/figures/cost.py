"""Cost figure: the training time of every arm against the quality that it keeps, both with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from analysis.figures.figure import Figure, missing
from analysis.figures.labels import Point, label_points
from analysis.figures.marks import draw_mark, mark_of
from analysis.figures.style import BAND, INK, QUIET, SMALL, TEXT
from analysis.methods.interval import Interval
from analysis.study.comparison_result import ComparisonResult
from analysis.study.study_report import StudyReport
from analysis.study.time_ratio import TimeRatio
from analysis.study.verdict import Verdict
from analysis.tables.arms import metric_title
from analysis.tables.comparison_cells import (
    gap_cell,
    level_header,
    levels_in_words,
    scale_of,
    size_cell,
    verdict_cell,
    verdict_interval_cell,
)
from analysis.tables.cost import how_compared
from analysis.tables.digits import ratio_interval
from analysis.tables.table import Column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_NAME, _TITLE = "cost", "Cost against quality"
_HEIGHT, _LEFT, _RIGHT, _BELOW, _ABOVE = 130.0, 30.0, 12.0, 30.0, 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Costly:
    """One arm against the baseline.

    Parameters
    ----------
    arm : str
    ratio, ratio_interval : float, Interval
        Its time for every second of the baseline; the interval is NaN where there is none.
    gap, interval : float, Interval
        Its metric minus that of the baseline, with the interval of the verdict, in units of the metric.
    verdict : Verdict
    """

    arm: str
    ratio: float
    ratio_interval: Interval
    gap: float
    interval: Interval
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class CostAndQuality:
    """What the arms of a study cost, and the quality that they keep, against its baseline.

    Parameters
    ----------
    arms : tuple of Costly
        At least one.
    baseline : str
        The arm at a ratio of 1 and a gap of 0.
    margin : float
        The largest gap that does not matter.
    xlabel, ylabel : str
        What the axes show, with their units.
    scale : float
        What a gap is multiplied with to be in that unit.
    """

    arms: tuple[Costly, ...]
    baseline: str
    margin: float
    xlabel: str
    ylabel: str
    scale: float


def cost_figure(report: StudyReport) -> Figure:
    """Show the cost of every arm against the quality that it keeps."""
    compared = _compared(report)
    if not compared:
        return missing(_NAME, _TITLE, _why_not(report))
    return Figure(
        name=_NAME,
        title=_TITLE,
        caption=_caption(report, compared),
        alt=_alt(report, compared),
        columns=_columns(report, compared),
        draw=partial(draw_cost, cost_and_quality(report)),
    )


def cost_and_quality(report: StudyReport) -> CostAndQuality:
    """Collect what the arms of a study cost, and the quality that they keep."""
    kind = report.metric
    return CostAndQuality(
        arms=tuple(
            Costly(
                arm=pair.treatment,
                ratio=ratio.ratio,
                ratio_interval=ratio.interval,
                gap=pair.estimate,
                interval=pair.verdict_interval,
                verdict=pair.verdict,
            )
            for pair, ratio in _compared(report)
        ),
        baseline=report.plan.baseline,
        margin=report.plan.margin,
        xlabel="training time relative to the baseline",
        ylabel=f"gap in {kind.title}{' (pp)' if kind.share else ''}"
        + ("" if kind.higher_is_better else "; lower is better"),
        scale=100.0 if kind.share else 1.0,
    )


def _compared(report: StudyReport) -> list[tuple[ComparisonResult, TimeRatio]]:
    ratios = {(one.treatment, one.baseline): one for one in report.time_ratios if math.isfinite(one.ratio)}
    return [
        (pair, ratios[pair.treatment, pair.baseline])
        for pair in report.comparisons
        if pair.baseline == report.plan.baseline
        and (pair.treatment, pair.baseline) in ratios
        and math.isfinite(pair.estimate)
    ]


def _why_not(report: StudyReport) -> str:
    if not report.comparisons:
        return "There is one arm."
    if report.imported is not None:
        return "The study was trained elsewhere, and what it took is not known."
    if report.costs and not any(arm.measured for arm in report.costs):
        return f"No arm was timed alone, and trials of a pack have no time of their own: harness time {report.name}."
    reasons = dict.fromkeys(one.reason for one in report.time_ratios if math.isnan(one.ratio))
    if told := "; ".join(filter(None, reasons)):
        return f"Training times cannot be compared: {told}."
    return "No comparison with the baseline could be tested."


def _caption(report: StudyReport, compared: Sequence[tuple[ComparisonResult, TimeRatio]]) -> str:
    level = levels_in_words(pair.verdict_confidence for pair, _ in compared)
    populations = dict.fromkeys(one.result.generalizes_to for one, _ in compared if one.result is not None)
    shown = {report.plan.baseline, *(one.treatment for one, _ in compared)}
    left_out = [arm.arm for arm in report.arms if arm.arm not in shown]
    return " ".join(
        [
            f"Training time of each arm relative to {report.plan.baseline}, the diamond, against the gap in "
            f"{report.metric.title}.",
            *how_compared(report, [one for _, one in compared]),
            f"Up: the {level} intervals that belong to the verdicts, for new {' or '.join(populations)}. Band: the "
            f"margin of {scale_of(report).margin(report.plan.margin)}.",
            *([f"Without a time or a test, and so not drawn: {', '.join(left_out)}."] if left_out else []),
        ]
    )


def _alt(report: StudyReport, compared: Sequence[tuple[ComparisonResult, TimeRatio]]) -> str:
    margin = scale_of(report).margin(report.plan.margin)
    told = "; ".join(
        f"{pair.treatment} takes {ratio.ratio:.2f} of the time at {gap_cell(report, pair)}, "
        f"{verdict_cell(pair.verdict, margin)}"
        for pair, ratio in compared
    )
    return f"Time against quality relative to {report.plan.baseline}: {told}."


def _columns(report: StudyReport, compared: Sequence[tuple[ComparisonResult, TimeRatio]]) -> tuple[Column, ...]:
    pairs = [pair for pair, _ in compared]
    margin = scale_of(report).margin(report.plan.margin)
    return (
        Column("Arm", [pair.treatment for pair in pairs]),
        Column("Time ratio", [ratio_interval(ratio.ratio, ratio.interval) for _, ratio in compared], numeric=True),
        Column(f"{metric_title(report)} gap", [gap_cell(report, pair) for pair in pairs], numeric=True),
        Column(
            level_header(pair.verdict_confidence for pair in pairs),
            [verdict_interval_cell(report, pair) for pair in pairs],
            numeric=True,
        ),
        Column("Verdict", [verdict_cell(pair.verdict, margin) for pair in pairs]),
        Column("Seeds × examples", [size_cell(pair) for pair in pairs]),
    )


def draw_cost(cost: CostAndQuality, width: float) -> Picture:
    """Draw the arms, so many points wide."""
    from matplotlib.figure import Figure as Picture
    from matplotlib.ticker import MaxNLocator

    total = _ABOVE + _HEIGHT + _BELOW
    picture = Picture(figsize=(width / 72, total / 72))
    room = width - _LEFT - _RIGHT
    axes = picture.add_axes((_LEFT / width, _BELOW / total, room / width, _HEIGHT / total))
    picture.text(4 / width, 1 - 11 / total, cost.ylabel, size=SMALL, color=QUIET)
    picture.text((_LEFT + room / 2) / width, 3 / total, cost.xlabel, ha="center", va="bottom", size=TEXT)
    _set_limits(axes, cost)
    scale = cost.scale
    axes.axhspan(-scale * cost.margin, scale * cost.margin, color=BAND, linewidth=0, zorder=0)
    axes.axhline(0, color=INK, linewidth=0.6, zorder=1)
    axes.axvline(1, color=QUIET, linewidth=0.5, zorder=1)
    lines: list[tuple[Point, Point]] = []
    for arm in cost.arms:
        mark = mark_of(arm.verdict)
        x, y = arm.ratio, scale * arm.gap
        own = []
        low, high = (scale * limit for limit in arm.interval)
        bottom, top = axes.get_ylim()
        if not math.isnan(low):
            own.append(((x, max(low, bottom)), (x, min(high, top))))
        left, right = arm.ratio_interval
        if not math.isnan(left):
            own.append(((left, y), (min(right, axes.get_xlim()[1]), y)))
        for start, end in own:
            axes.plot([start[0], end[0]], [start[1], end[1]], color=mark.colour, linewidth=1.4, zorder=2)
        lines += own
        draw_mark(axes, x, y, mark)
    axes.plot([1], [0], "D", color=INK, markersize=5, markeredgewidth=0, zorder=3)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    label_points(
        axes,
        [cost.baseline, *(arm.arm for arm in cost.arms)],
        [(1.0, 0.0), *((arm.ratio, scale * arm.gap) for arm in cost.arms)],
        lines=lines,
    )
    return picture


def _set_limits(axes: Axes, cost: CostAndQuality) -> None:
    """Set the ends of the axes: all of every interval that ends, but none so long that nothing else can be seen."""
    ratios = [1.0, *(arm.ratio for arm in cost.arms)]
    longest = 2 * max(ratios)
    ratios += [min(limit, longest) for arm in cost.arms for limit in arm.ratio_interval if math.isfinite(limit)]
    gaps = [0.0, -cost.margin, cost.margin]
    gaps += [value for arm in cost.arms for value in (arm.gap, *arm.interval) if math.isfinite(value)]
    for set_limits, values, scale in ((axes.set_xlim, ratios, 1.0), (axes.set_ylim, gaps, cost.scale)):
        edge = 0.08 * (max(values) - min(values)) or 0.1
        set_limits(scale * (min(values) - edge), scale * (max(values) + edge))
