"""Figures of the page: false claims by test, and how seeds scatter."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from analysis.figures.key import KeyEntry, draw_key, key_height
from analysis.figures.rows import row_chart
from analysis.figures.style import BAND, BLUE, FAINT, INK, ORANGE, PAPER, QUIET, SMALL, TEXT, WIDTHS
from analysis.tables.digits import percent
from answer.one_recipe.findings import HABITUAL, Findings, rate_in
from answer.one_recipe.methods import ALPHA, METHODS
from answer.one_recipe.rates import SMALL_TEST_SET
from answer.svg import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

CLAIMS, SEEDS = "one-recipe-claims", "one-recipe-seeds"
_WIDTH = WIDTHS["double"]


def figures(findings: Findings) -> dict[str, str]:
    """Return both figures as SVG files by their names, on white paper; the same findings give the same text."""
    return {
        f"{name}.svg": svg(name, partial(draw, findings)) for name, draw in ((CLAIMS, draw_claims), (SEEDS, draw_seeds))
    }


def draw_claims(findings: Findings) -> Picture:
    """Draw how often each test claims a gap: one pair of runs, and a few seeds of each "method"."""
    shown = [(method, 1) for method in METHODS if method.takes(1)]
    shown += [(method, HABITUAL) for method in METHODS if method.takes(HABITUAL)]
    rates = [findings.rate(method.name, S) for method, S in shown]
    entries = [KeyEntry(f"{findings.pool.n_examples} examples, with 95% interval", colour=BLUE, shape="o")]
    if findings.small:
        entries.append(KeyEntry(f"{SMALL_TEST_SET} of them", colour=ORANGE, shape="s", hollow=True))
    entries.append(KeyEntry(f"no more than {percent(ALPHA, places=0)} is promised", colour=BAND, patch=True))
    chart = row_chart(
        [f"{method.name}, {'one pair' if S == 1 else f'{S} seeds'}" for method, S in shown],
        width=_WIDTH,
        row=16.0,
        xlabel='Splits of one recipe into two "methods" in which a gap is claimed (%)',
        endings=[
            f"{percent(rate.share, places=1)}, about {method.population}"
            for rate, (method, _) in zip(rates, shown, strict=True)
        ],
        key=key_height(entries, _WIDTH),
    )
    axes = chart.axes
    axes.axvspan(0, 100 * ALPHA, color=BAND, linewidth=0, zorder=0)
    for rate, (method, S), place in zip(rates, shown, chart.places, strict=True):
        if findings.small:
            small = rate_in(findings.small, method.name, S)
            axes.plot(
                [100 * small.share], [-place - 4], "s", color=ORANGE, markerfacecolor=PAPER, markersize=3.5, zorder=3
            )
        axes.plot([100 * limit for limit in rate.interval], [-place + 2] * 2, color=BLUE, linewidth=1.4, zorder=2)
        axes.plot([100 * rate.share], [-place + 2], "o", color=BLUE, markersize=5, markeredgewidth=0, zorder=3)
    axes.set_xlim(left=0)
    draw_key(chart.picture, entries)
    return chart.picture


def draw_seeds(findings: Findings) -> Picture:
    """Draw a QQ plot of the runs, and how often two of them are so far apart."""
    from matplotlib.figure import Figure as Picture

    height = 190.0
    picture = Picture(figsize=(_WIDTH / 72, height / 72))
    left = picture.add_axes((34 / _WIDTH, 32 / height, 186 / _WIDTH, 132 / height))
    right = picture.add_axes((280 / _WIDTH, 32 / height, 196 / _WIDTH, 132 / height))
    _draw_quantiles(left, findings)
    _draw_gaps(right, findings)
    for axes, x, title, label in (
        (left, 4, f"{findings.seeds.n_seeds} runs, in SDs from their mean", "expected of normal runs"),
        (right, 250, "Pairs of runs at least so far apart (%)", "gap of two runs (percentage points)"),
    ):
        picture.text(x / _WIDTH, 1 - 14 / height, title, size=TEXT, va="baseline", color=INK)
        axes.set_xlabel(label, labelpad=4)
    return picture


def _draw_quantiles(axes: Axes, findings: Findings) -> None:
    plot = findings.quantiles
    axes.fill_between(plot.expected, plot.low, plot.high, color=BAND, linewidth=0, zorder=0)
    ends = [plot.expected[0], plot.expected[-1]]
    axes.plot(ends, ends, color=QUIET, linewidth=0.8, zorder=1)
    axes.plot(plot.expected, plot.seen, "o", color=BLUE, markersize=2.6, markeredgewidth=0, alpha=0.75, zorder=2)
    axes.text(
        0.97,
        0.04,
        "band: 95% of normal samples\nlie wholly within",
        transform=axes.transAxes,
        size=SMALL,
        ha="right",
        va="bottom",
        color=QUIET,
    )


def _draw_gaps(axes: Axes, findings: Findings) -> None:
    sizes, n = findings.gaps.sizes, findings.gaps.n_examples
    steps = np.arange(sizes[-1] + 2)
    shares = 100 * (len(sizes) - np.searchsorted(sizes, steps)) / len(sizes)
    axes.step(100 * steps / n, shares, where="mid", color=BLUE, linewidth=1.4, zorder=2)
    ends = 0.0
    for published in findings.published:
        x, share = 100 * published.examples / n, 100 * published.rate.share
        ends = max(ends, x)
        axes.plot([x, x], [0, share], color=FAINT, linewidth=0.8, zorder=1)
        axes.plot([x], [share], "D", color=ORANGE, markersize=4, markeredgewidth=0, zorder=3)
        axes.annotate(
            f"{100 * published.gap:.2g} published: {share:.0f}%",
            (x, share),
            xytext=(6, 3),
            textcoords="offset points",
            size=SMALL,
            va="bottom",
            color=INK,
        )
    axes.set_xlim(0, 1.35 * max(ends, 100 * float(sizes[-1]) / n))
    axes.set_ylim(0, 105)
