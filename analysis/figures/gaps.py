"""Gaps figure: every gap with its interval, and what seeds alone or examples alone would make of it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from analysis.figures.figure import Figure, missing
from analysis.figures.key import KeyEntry, draw_key, key_height
from analysis.figures.marks import draw_mark, mark_of
from analysis.figures.rows import row_chart
from analysis.figures.style import BAND, INK, QUIET
from analysis.methods.interval import Interval
from analysis.study.study_report import StudyReport
from analysis.study.verdict import Verdict
from analysis.tables.comparison_cells import (
    comparison_n_test_population,
    gap_cell,
    interval_cell,
    level_header,
    levels_in_words,
    scale_of,
    verdict_cell,
    verdict_interval_cell,
)
from analysis.tables.table import UNKNOWN, Column
from analysis.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_NAME, _TITLE = "gaps", "Gaps"
_SEEDS, _EXAMPLES = "seeds only", "examples only"
_LONGEST_BASELINE = 20
_TOLD_AT_MOST, _FEW_ROWS = 8, 12
# Thin intervals may widen the picture by so much of what the bold ones take, on either side.
_ROOM_FOR_THIN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One comparison.

    Parameters
    ----------
    treatment, baseline : str
        The two arms.
    estimate : float
        Treatment minus baseline, in units of the metric; NaN where there is no test.
    interval : Interval
        That of the verdict: over new seeds and new examples.
    seeds_only, examples_only : Interval
        Over new seeds alone, and over new examples alone, at the same confidence; NaN where there is none.
    verdict : Verdict
    """

    treatment: str
    baseline: str
    estimate: float
    interval: Interval
    seeds_only: Interval
    examples_only: Interval
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """Every gap of a study.

    Parameters
    ----------
    rows : tuple of Gap
        At least one with an estimate.
    names : tuple of str
        What stands beside each row; in several lines where need be.
    margin : float
        The largest gap that does not matter.
    margin_label, xlabel : str
        The margin, and what the axis shows with its unit.
    scale : float
        What a gap is multiplied with to be in that unit.
    """

    rows: tuple[Gap, ...]
    names: tuple[str, ...]
    margin: float
    margin_label: str
    xlabel: str
    scale: float


def gaps_figure(report: StudyReport) -> Figure:
    """Show every gap of a study, with the margin."""
    pairs = report.comparisons
    title = f"Gaps in {report.metric.title}"
    if not any(math.isfinite(pair.estimate) for pair in pairs):
        reasons = dict.fromkeys(pair.verdict.reason or pair.reason for pair in pairs)
        why = f"no comparison could be tested: {'; '.join(filter(None, reasons))}" if pairs else "there is one arm"
        return missing(_NAME, title, f"{why[0].upper()}{why[1:]}.")
    gaps = gaps_of(report)
    return Figure(
        name=_NAME,
        title=title,
        caption=_caption(report, gaps),
        alt=_alt(report),
        columns=_columns(report, gaps),
        draw=partial(draw_gaps, gaps),
    )


def gaps_of(report: StudyReport) -> Gaps:
    """Collect the gaps of a study."""
    pairs, kind = report.comparisons, report.metric
    baseline = _shared_baseline(report)
    to = "" if baseline is None else f" to {baseline if len(baseline) <= _LONGEST_BASELINE else 'the baseline'}"
    unit = " (pp)" if kind.share else ""
    return Gaps(
        rows=tuple(
            Gap(
                treatment=pair.treatment,
                baseline=pair.baseline,
                estimate=pair.estimate,
                interval=pair.verdict_interval,
                seeds_only=pair.seeds_only,
                examples_only=pair.examples_only,
                verdict=pair.verdict,
            )
            for pair in pairs
        ),
        names=tuple(
            pair.treatment if baseline is not None else f"{pair.treatment}\nagainst {pair.baseline}" for pair in pairs
        ),
        margin=report.plan.margin,
        margin_label=f"margin of {scale_of(report).margin(report.plan.margin)}",
        xlabel=f"gap in {kind.title}{to}{unit}" + ("" if kind.higher_is_better else "; lower is better"),
        scale=100.0 if kind.share else 1.0,
    )


def _shared_baseline(report: StudyReport) -> str | None:
    baselines = {pair.baseline for pair in report.comparisons}
    return baselines.pop() if len(baselines) == 1 else None


def _has(gaps: Gaps, which: str) -> bool:
    return any(not math.isnan(getattr(row, which).low) for row in gaps.rows)


def _caption(report: StudyReport, gaps: Gaps) -> str:
    baseline = _shared_baseline(report)
    each = "each comparison" if baseline is None else f"each arm to {baseline}"
    unit = ", in percentage points (pp)" if report.metric.share else ""
    where = f", mean over {len(report.sets)} test sets" if report.sets else ""
    level = levels_in_words(pair.verdict_confidence for pair in report.comparisons)
    tested = [pair for pair in report.comparisons if pair.result is not None]
    populations = dict.fromkeys(pair.result.generalizes_to for pair in tested if pair.result is not None)
    parts = [
        f"Gap in {report.metric.title} of {each}{unit}{where}; the band is the {gaps.margin_label}.",
    ]
    if _has(gaps, "interval"):
        parts.append(f"Bold: the {level} intervals that belong to the verdicts, for new {' or '.join(populations)}.")
    else:
        reasons = dict.fromkeys(pair.verdict.reason or pair.reason for pair in report.comparisons)
        parts.append(f"There is no interval: {'; '.join(filter(None, reasons))}.")
    thin = [
        text
        for which, text in (
            ("seeds_only", "solid, if only seeds were drawn anew, on this very test set"),
            ("examples_only", "dashed, if only test examples were, for these trained models"),
        )
        if _has(gaps, which)
    ]
    if thin:
        parts.append(f"Thin, at the confidence of {level}: {'; '.join(thin)}.")
        if len(thin) > 1:
            parts.append("Papers that give one of the two disagree about the same gap; no verdict rests on them.")
    untested = len(report.comparisons) - len(tested)
    if untested:
        parts.append(f"{counted(untested, 'comparison')} could not be tested; the table of verdicts says why.")
    return " ".join(parts)


def _alt(report: StudyReport) -> str:
    pairs, margin = report.comparisons, scale_of(report).margin(report.plan.margin)
    if len(pairs) > _TOLD_AT_MOST:
        counts = Counter(pair.verdict.label for pair in pairs)
        told = ", ".join(f"{count} {label}" for label, count in counts.items())
        return f"Gaps in {report.metric.title} of {len(pairs)} comparisons with their intervals: {told}."
    told = "; ".join(
        f"{' '.join([pair.name, *_known(gap_cell(report, pair), verdict_interval_cell(report, pair))])}, "
        f"{verdict_cell(pair.verdict, margin)}"
        for pair in pairs
    )
    return f"Gaps in {report.metric.title} with their intervals: {told}."


def _known(*cells: str) -> list[str]:
    return [cell for cell in cells if cell != UNKNOWN]


def _columns(report: StudyReport, gaps: Gaps) -> tuple[Column, ...]:
    pairs = report.comparisons
    margin = scale_of(report).margin(report.plan.margin)

    def only(header: str, which: str) -> list[Column]:
        cells = [interval_cell(report, pair, getattr(pair, which)) for pair in pairs]
        return [Column(header, cells, numeric=True)] if _has(gaps, which) else []

    return (
        Column("Comparison", [pair.name for pair in pairs]),
        Column("Gap", [gap_cell(report, pair) for pair in pairs], numeric=True),
        Column(
            level_header(pair.verdict_confidence for pair in pairs),
            [verdict_interval_cell(report, pair) for pair in pairs],
            numeric=True,
        ),
        *only(_SEEDS.capitalize(), "seeds_only"),
        *only(_EXAMPLES.capitalize(), "examples_only"),
        Column("Verdict", [verdict_cell(pair.verdict, margin) for pair in pairs]),
        *comparison_n_test_population(pairs),
    )


def draw_gaps(gaps: Gaps, width: float) -> Picture:
    """Draw the gaps, so many points wide."""
    entries = [KeyEntry("seeds and examples", linewidth=2.4)] if _has(gaps, "interval") else []
    if _has(gaps, "seeds_only"):
        entries.append(KeyEntry(_SEEDS, colour=QUIET))
    if _has(gaps, "examples_only"):
        entries.append(KeyEntry(_EXAMPLES, colour=QUIET, dashed=True))
    entries.append(KeyEntry(gaps.margin_label, colour=BAND, patch=True))
    apart = 6.0 if len(gaps.rows) <= _FEW_ROWS else 4.0
    chart = row_chart(
        gaps.names,
        width=width,
        row=4 * apart + 2,
        xlabel=gaps.xlabel,
        endings=[row.verdict.label.replace(", within", ", within\n") for row in gaps.rows],
        key=key_height(entries, width),
    )
    axes = chart.axes
    low, high = _range(gaps)
    axes.set_xlim(low, high)
    axes.axvspan(-gaps.scale * gaps.margin, gaps.scale * gaps.margin, color=BAND, linewidth=0, zorder=0)
    axes.axvline(0, color=INK, linewidth=0.6, zorder=1)
    for row, place in zip(gaps.rows, chart.places, strict=True):
        if math.isnan(row.estimate):
            continue
        mark = mark_of(row.verdict)
        _line(axes, gaps, row.seeds_only, -place + apart, colour=QUIET, linewidth=0.9)
        _line(axes, gaps, row.examples_only, -place - apart, colour=QUIET, linewidth=0.9, dashed=True)
        _line(axes, gaps, row.interval, -place, colour=mark.colour, linewidth=2.4)
        draw_mark(axes, gaps.scale * row.estimate, -place, mark, size=7.0)
    draw_key(chart.picture, entries)
    return chart.picture


def _range(gaps: Gaps) -> tuple[float, float]:
    """Return the ends of the axis: all bold intervals, and of the thin ones as much as leaves these readable."""
    bold = [0.0, -gaps.margin, gaps.margin]
    for row in gaps.rows:
        bold += [value for value in (row.estimate, *row.interval) if math.isfinite(value)]
    low, high = min(bold), max(bold)
    thin = [value for row in gaps.rows for value in (*row.seeds_only, *row.examples_only) if math.isfinite(value)]
    room = _ROOM_FOR_THIN * (high - low)
    low, high = max(min([low, *thin]), low - room), min(max([high, *thin]), high + room)
    edge = 0.04 * (high - low)
    return gaps.scale * (low - edge), gaps.scale * (high + edge)


def _line(
    axes: Axes, gaps: Gaps, limits: Interval, y: float, *, colour: str, linewidth: float, dashed: bool = False
) -> None:
    """Draw an interval; where it leaves the picture, an arrow says so."""
    if math.isnan(limits.low):
        return
    ends = axes.get_xlim()
    low, high = (min(max(gaps.scale * limit, ends[0]), ends[1]) for limit in limits)
    axes.plot(
        [low, high],
        [y, y],
        color=colour,
        linewidth=linewidth,
        linestyle=(0, (2.5, 1.5)) if dashed else "-",
        zorder=2,
    )
    for beyond, at, shape in (
        (gaps.scale * limits.low < ends[0], low, "<"),
        (gaps.scale * limits.high > ends[1], high, ">"),
    ):
        if beyond:
            axes.plot([at], [y], shape, color=colour, markersize=3 + linewidth, markeredgewidth=0, clip_on=False)
