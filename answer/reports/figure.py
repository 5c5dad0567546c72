"""Figure of docs/answer.md and README: published gaps of single runs beside those of many runs of the stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.figures.key import KeyEntry, draw_key, key_height
from analysis.figures.rows import row_chart
from analysis.figures.style import BAND, BLUE, FAINT, INK, ORANGE, PAPER, QUIET, WIDTHS
from answer.reports.findings import Findings

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

ANSWER = "answer"
_WIDTH = WIDTHS["double"]


def draw(findings: Findings) -> Picture:
    """Draw a row for each published pair: its gap, and where the study has run, the gaps of its runs."""
    pairs = findings.pairs
    margin = 100 * max((pair.runs.study.report.plan.margin for pair in pairs if pair.runs is not None), default=0.01)
    entries = [
        KeyEntry("published, one run each", colour=ORANGE, shape="D"),
        KeyEntry("stand-in: one run each", colour=QUIET, shape="o", hollow=True),
        KeyEntry("stand-in: new seeds and new sentences", colour=BLUE, linewidth=2.4),
        KeyEntry(f"margin of {margin:g} pp", colour=BAND, patch=True),
    ]
    chart = row_chart(
        [
            f"{pair.pair.treatment} against {pair.pair.baseline}\n{' against '.join(pair.pair.printed)}"
            for pair in pairs
        ],
        width=_WIDTH,
        row=30.0,
        xlabel="gap in accuracy (percentage points)",
        endings=["not run yet" if pair.runs is None else pair.runs.comparison.verdict.label for pair in pairs],
        key=key_height(entries, _WIDTH),
    )
    axes = chart.axes
    axes.axvspan(-margin, margin, color=BAND, linewidth=0, zorder=0)
    axes.axvline(0, color=FAINT, linewidth=0.8, zorder=1)
    for pair, place in zip(pairs, chart.places, strict=True):
        axes.plot([100 * pair.pair.gap], [-place + 9], "D", color=ORANGE, markersize=5, markeredgewidth=0, zorder=3)
        if pair.runs is None:
            continue
        gaps, one = 100 * pair.runs.gaps, pair.runs.comparison
        axes.plot(gaps, [-place] * len(gaps), "o", color=QUIET, markerfacecolor=PAPER, markersize=4, zorder=2)
        axes.plot(
            [100 * limit for limit in one.verdict_interval], [-place - 9] * 2, color=BLUE, linewidth=2.4, zorder=2
        )
        axes.plot([100 * one.estimate], [-place - 9], "o", color=INK, markersize=4.5, markeredgewidth=0, zorder=3)
    draw_key(chart.picture, entries)
    return chart.picture
