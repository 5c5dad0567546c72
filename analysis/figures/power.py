"""Power figure: how small a gap more seeds would find, and the floor that only more test examples lower."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from analysis.figures.figure import Figure, missing
from analysis.figures.key import KeyEntry, draw_key, key_height
from analysis.figures.marks import draw_mark, mark_of
from analysis.figures.panels import panels
from analysis.figures.style import BAND, INK, QUIET
from analysis.methods.crossed_design import SEEDS_FOR_A_VERDICT
from analysis.methods.crossed_result import CrossedResult
from analysis.methods.interval import Interval
from analysis.power.settling import Settling
from analysis.power.sizes import detectable_gap_at
from analysis.study.comparison_result import ComparisonResult
from analysis.study.study_report import StudyReport
from analysis.study.verdict import Verdict
from analysis.tables.comparison_cells import comparison_n_test_population, scale_of
from analysis.tables.digits import alpha_of_each, percent
from analysis.tables.table import Column
from analysis.tables.variance import floor_cell
from analysis.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_NAME, _TITLE = "power", "What more seeds would find"
_MOST_PANELS, _MOST_POINTS = 8, 30
_TOLD_AT_MOST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerCurve:
    """What one comparison can find, by number of seeds, over new seeds and new examples; gaps in units of the metric.

    Parameters
    ----------
    name : str
        The comparison.
    verdict : Verdict
    gap : float
        The size of the gap that was seen.
    n_seeds : int
        Seeds in each arm; in the smaller one where they differ.
    now : float
        The smallest gap that these find with the wanted chance; NaN below three seeds, which never give a verdict.
    seeds : tuple of int
        Numbers of seeds, ascending.
    found : tuple of float
        The smallest gap that each of these numbers finds.
    floor, floor_range : float, Interval
        The smallest gap that any number of seeds finds on this test set, with its 95% limits.
    """

    name: str
    verdict: Verdict
    gap: float
    n_seeds: int
    now: float
    seeds: tuple[int, ...]
    found: tuple[float, ...]
    floor: float
    floor_range: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """What the comparisons of a study can find.

    Parameters
    ----------
    curves : tuple of PowerCurve
        At least one.
    margin : float
        The largest gap that does not matter.
    margin_label, xlabel, ylabel : str
        The margin, and what the axes show with their units.
    scale : float
        What a gap is multiplied with to be in that unit.
    """

    curves: tuple[PowerCurve, ...]
    margin: float
    margin_label: str
    xlabel: str
    ylabel: str
    scale: float


def power_figure(report: StudyReport) -> Figure:
    """Show what more seeds would find in each comparison."""
    planned = _planned(report)
    if not planned:
        return missing(_NAME, _TITLE, _why_not(report))
    seeds = "seeds" if report.paired else "runs"
    return Figure(
        name=_NAME,
        title=f"What more {seeds} would find",
        caption=_caption(report, planned, seeds),
        alt=_alt(report, planned),
        columns=_columns(report, planned, seeds),
        draw=partial(draw_power, power_of(report)),
    )


def power_of(report: StudyReport) -> Power:
    """Compute what more seeds would find, for as many comparisons as are drawn."""
    # Open questions first: more seeds are for them.
    drawn = sorted(_planned(report), key=lambda one: not one[0].verdict.undecided)[:_MOST_PANELS]
    share = report.metric.share
    return Power(
        curves=tuple(power_curve(*one) for one in drawn),
        margin=report.plan.margin,
        margin_label=f"margin of {scale_of(report).margin(report.plan.margin)}",
        xlabel="seeds in each arm" if report.paired else "runs in the smaller arm",
        ylabel=f"smallest gap found{' (pp)' if share else ''}",
        scale=100.0 if share else 1.0,
    )


_Planned = tuple[ComparisonResult, CrossedResult, Settling]


def _planned(report: StudyReport) -> list[_Planned]:
    return [
        (pair, pair.result, pair.settling_margin)
        for pair in report.comparisons
        if pair.result is not None and pair.settling_margin is not None and report.n_examples > 1
    ]


def _why_not(report: StudyReport) -> str:
    if not report.comparisons:
        return "There is one arm."
    if report.crossing is not None:
        return "Seeds of two kinds cross, and more of one kind is not more of the other."
    reasons = dict.fromkeys(
        (pair.result.reason if pair.result is not None else pair.verdict.reason) or pair.reason
        for pair in report.comparisons
    )
    return f"There is nothing to plan from: {'; '.join(filter(None, reasons))}."


def power_curve(pair: ComparisonResult, result: CrossedResult, settling: Settling) -> PowerCurve:
    """Compute what a comparison finds at other numbers of seeds, as `settling` plans them."""
    now = min(pair.n_seeds)
    most = max(2 * now, now + 8)
    if settling.seeds_needed is not None and settling.seeds_needed <= 4 * now:
        most = max(most, settling.seeds_needed)
    points = np.linspace(SEEDS_FOR_A_VERDICT, most, _MOST_POINTS).round().astype(int).tolist()
    seeds = sorted({*points, max(now, SEEDS_FOR_A_VERDICT)})
    return PowerCurve(
        name=pair.name,
        verdict=pair.verdict,
        gap=abs(pair.estimate),
        n_seeds=now,
        now=settling.detectable_gap,
        seeds=tuple(seeds),
        found=tuple(found_with(n_seeds, result, settling) for n_seeds in seeds),
        floor=settling.floor_gap,
        floor_range=settling.floor_gap_range,
    )


def found_with(n_seeds: int, result: CrossedResult, settling: Settling) -> float:
    """Return the smallest gap that so many seeds find on this test set, with the chance and level of `settling`."""
    return detectable_gap_at(
        result.components,
        n_seeds=n_seeds,
        n_examples=result.components.n_examples,
        alpha=settling.alpha,
        power=settling.power,
        test=settling.test,
    )


def _caption(report: StudyReport, planned: Sequence[_Planned], seeds: str) -> str:
    shown = min(len(planned), _MOST_PANELS)
    left_out = len(planned) - shown
    level = alpha_of_each(report.plan.alpha, len(report.comparisons))
    chance = percent(planned[0][2].power, places=0)
    parts = [
        f"The smallest true gap that is found with a chance of {chance} at {level}, by the number of {seeds} in each "
        f"arm, for new {planned[0][1].generalizes_to}; from this study's variance components, which few {seeds} "
        "estimate poorly.",
        f"Dot: the {seeds} at hand. Dashed: the floor, which no number of {seeds} gets below on this test set, with "
        "its 95% limits at the right; only more test examples lower it. "
        "Mark on the axis: the size of the gap that was seen; an arrow where it lies higher. Band: gaps within the "
        "margin.",
    ]
    if left_out:
        parts.append(
            f"Shown are {shown} of {counted(len(planned), 'comparison')}, undecided ones first; the table has all."
        )
    return " ".join(parts)


def _alt(report: StudyReport, planned: Sequence[_Planned]) -> str:
    scale = scale_of(report)
    told = []
    for pair, result, settling in planned[:_TOLD_AT_MOST]:
        now, floor = (
            scale.gap(gap, standard_error=result.standard_error, signed=False)
            for gap in (settling.detectable_gap, settling.floor_gap)
        )
        told.append(f"{pair.name} {now} now, floor {floor}")
    more = len(planned) - len(told)
    return (
        "Curves of the smallest gap that is found, which fall with the number of seeds towards a floor: "
        f"{'; '.join(told)}{f'; and {more} more' if more else ''}."
    )


def _columns(report: StudyReport, planned: Sequence[_Planned], seeds: str) -> tuple[Column, ...]:
    scale = scale_of(report)
    pairs = [pair for pair, *_ in planned]
    now = max(min(pair.n_seeds) for pair in pairs)

    def with_more(more: int) -> list[str]:
        return [
            scale.gap(
                found_with(min(pair.n_seeds) + more, result, settling) if more else settling.detectable_gap,
                standard_error=result.standard_error,
                signed=False,
            )
            for pair, result, settling in planned
        ]

    return (
        Column("Comparison", [pair.name for pair in pairs]),
        Column("Found now", with_more(0), numeric=True),
        *(
            Column(f"{more} more {seeds}", with_more(more), numeric=True)
            for more in sorted({max(-(-now // 2), SEEDS_FOR_A_VERDICT - 1), max(now, SEEDS_FOR_A_VERDICT), 3 * now})
        ),
        Column(
            "Any number (95% limits)",
            [floor_cell(scale, result, settling) for _, result, settling in planned],
            numeric=True,
        ),
        *comparison_n_test_population(pairs),
    )


def draw_power(power: Power, width: float) -> Picture:
    """Draw the curves, so many points wide."""
    entries = [
        KeyEntry("found", linewidth=1.2),
        KeyEntry("now", shape="o"),
        KeyEntry("floor", colour=QUIET, dashed=True),
        KeyEntry(power.margin_label, colour=BAND, patch=True),
    ]
    picture, axes = panels(
        [curve.name for curve in power.curves],
        width=width,
        height=70.0,
        xlabel=power.xlabel,
        ylabel=power.ylabel,
        key=key_height(entries, width),
    )
    axes[0].set_xlim(SEEDS_FOR_A_VERDICT - 0.5, max(curve.seeds[-1] for curve in power.curves) + 0.5)
    axes[0].set_ylim(0, power.scale * _highest(power))
    for place, curve in zip(axes, power.curves, strict=True):
        _draw_curve(place, curve, power)
    draw_key(picture, entries)
    return picture


def _highest(power: Power) -> float:
    """Return where the axis ends: above what is found now, and above the margin."""
    highest = 1.25 * power.margin
    for curve in power.curves:
        now = curve.found[0] if math.isnan(curve.now) else curve.now
        highest = max(highest, 1.6 * now)
    return highest


def _draw_curve(axes: Axes, curve: PowerCurve, power: Power) -> None:
    from matplotlib.ticker import MaxNLocator

    scale, top = power.scale, axes.get_ylim()[1]
    axes.axhspan(0, scale * power.margin, color=BAND, linewidth=0, zorder=0)
    axes.axhline(scale * curve.floor, color=QUIET, linewidth=0.9, linestyle=(0, (2.5, 1.5)), zorder=1)
    right = axes.get_xlim()[1]
    low, high = (scale * limit for limit in curve.floor_range)
    if math.isfinite(low):
        axes.plot([right, right], [low, min(high, top)], color=QUIET, linewidth=1.6, zorder=1, clip_on=False)
    axes.plot(curve.seeds, [scale * gap for gap in curve.found], color=INK, linewidth=1.2, zorder=2)
    if math.isfinite(curve.now):
        axes.plot([curve.n_seeds], [scale * curve.now], "o", color=INK, markersize=4, markeredgewidth=0, zorder=4)
    # On the axis, where it hides no curve.
    at = axes.get_xlim()[0]
    if scale * curve.gap <= top:
        draw_mark(axes, at, scale * curve.gap, mark_of(curve.verdict), size=6.0)
    else:
        axes.annotate(
            "",
            (at, top),
            xytext=(0, -9),
            textcoords="offset points",
            arrowprops={"arrowstyle": "->", "color": mark_of(curve.verdict).colour, "linewidth": 1.0},
        )
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
