"""Discordance figure: McNemar's p over every overlap of errors that published figures allow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.figures.figure import Figure, missing
from analysis.figures.key import KeyEntry, draw_key, key_height
from analysis.figures.panels import panels
from analysis.figures.style import BAND, BLUE, FAINT, ORANGE, QUIET, SMALL
from analysis.published.audit import Audit
from analysis.published.overlaps import p_over_discordance
from analysis.published.pairs import PairAudit
from analysis.tables.audit.gaps import overlap_table
from analysis.tables.digits import declared
from analysis.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_NAME, _TITLE = "discordance", "p over every overlap of errors"
# More points than this no page can show.
_MOST_POINTS = 2000
_MOST_PANELS = 12
_LOWEST_P = 1e-6
_HEIGHT = 76.0
_TOLD_AT_MOST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscordanceCurve:
    """McNemar's p-value of one published gap over every discordance that it allows; about new examples.

    Parameters
    ----------
    name : str
        The pair.
    n : int
        Test examples.
    gap : int
        Difference in right answers; where the figures allow several, the largest.
    discordance : array of int, shape (k,)
        Numbers of examples on which exactly one model is right, ascending.
    p_exact, p_mid : array of float, shape (k,)
        The p-value at each.
    alpha : float
        The error rate.
    significant_up_to : int or None
        The greatest discordance with an exact p-value of at most alpha; None where there is none.
    measured : (float, float) or None
        The least and the greatest discordance of a study's own trials, carried over to `n`; None without a study.
    """

    name: str
    n: int
    gap: int
    discordance: NDArray[np.int64]
    p_exact: NDArray[np.float64]
    p_mid: NDArray[np.float64]
    alpha: float
    significant_up_to: int | None
    measured: tuple[float, float] | None


def discordance_figure(audit: Audit) -> Figure:
    """Show McNemar's p of every pair over the discordance, which published figures leave open.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    """
    curves, table = discordance_curves(audit), overlap_table(audit)
    if not curves or table is None:
        return missing(_NAME, _TITLE, "For no pair do the figures say how many answers were right.")
    # Those first whose test depends on the discordance.
    shown = sorted(curves, key=lambda curve: not curve.p_exact.min() <= curve.alpha < curve.p_exact.max())
    shown = shown[:_MOST_PANELS]
    return Figure(
        name=_NAME,
        title=_TITLE,
        caption=_caption(audit, shown, n_curves=len(curves)),
        alt=_alt(curves),
        columns=table.columns,
        draw=partial(draw_discordance, shown),
    )


def discordance_curves(audit: Audit) -> tuple[DiscordanceCurve, ...]:
    """Compute the curve of every pair whose numbers of right answers are known.

    Parameters
    ----------
    audit : Audit
        What `analysis.published.audit.audit` returns.
    """
    several = len(audit.reports) > 1
    return tuple(
        _curve(pair, f"{report.report.name}: {pair.name}" if several else pair.name)
        for report in audit.reports
        for pair in report.pairs
        if pair.overlaps is not None
    )


def _curve(pair: PairAudit, name: str) -> DiscordanceCurve:
    overlaps = pair.overlaps
    if overlaps is None:
        raise ValueError(f"{name}: {pair.reason}")
    gap = max(overlaps.gap, key=abs)
    least, most = max(overlaps.discordance[0], abs(gap)), overlaps.discordance[1]
    steps = np.unique(np.linspace(0, (most - least) // 2, _MOST_POINTS).astype(np.int64))
    discordance = least + 2 * steps
    p_exact, p_mid = p_over_discordance(gap, discordance)
    measured = pair.rerun.discordance[1:] if pair.rerun is not None else None
    return DiscordanceCurve(
        name=name,
        n=overlaps.n,
        gap=gap,
        discordance=discordance,
        p_exact=p_exact,
        p_mid=p_mid,
        alpha=overlaps.alpha,
        significant_up_to=overlaps.significant_up_to,
        measured=(measured[0] * overlaps.n, measured[1] * overlaps.n) if measured is not None else None,
    )


def _caption(audit: Audit, shown: Sequence[DiscordanceCurve], *, n_curves: int) -> str:
    alpha = declared(audit.alpha)
    parts = [
        "McNemar's p of the published gap, by the number of test examples on which exactly one of the two models is "
        "right, over all numbers that the figures allow; where they allow several gaps, of the largest. Solid: exact; "
        f"dashed: mid-p; dotted: p = {alpha}. It is about these two trained models, on new examples.",
    ]
    if any(curve.significant_up_to is not None for curve in shown):
        parts.append(f"Band: exact p at most {alpha}.")
    if any(curve.measured is not None for curve in shown):
        parts.append("Darker: the discordance of your own runs, carried over to the number of published examples.")
    if len(shown) < n_curves:
        parts.append(f"Shown are {len(shown)} of {counted(n_curves, 'pair')}, undecided ones first; the table has all.")
    return " ".join(parts)


def _alt(curves: Sequence[DiscordanceCurve]) -> str:
    told = [
        f"{curve.name}: discordance {curve.discordance[0]:,} to {curve.discordance[-1]:,} of {curve.n:,} examples, "
        + (
            f"exact p at most {declared(curve.alpha)} up to {curve.significant_up_to:,}"
            if curve.significant_up_to is not None
            else f"exact p never at most {declared(curve.alpha)}"
        )
        for curve in curves[:_TOLD_AT_MOST]
    ]
    more = f"; and {len(curves) - _TOLD_AT_MOST} more" if len(curves) > _TOLD_AT_MOST else ""
    return f"McNemar's p over the discordance. {'; '.join(told)}{more}."


def draw_discordance(curves: Sequence[DiscordanceCurve], width: float) -> Picture:
    """Draw a panel for each curve, so many points wide."""
    from matplotlib.ticker import LogLocator, NullFormatter

    (alpha,) = {curve.alpha for curve in curves}
    entries = [
        KeyEntry("exact p", colour=BLUE, linewidth=1.4),
        KeyEntry("mid-p", colour=ORANGE, dashed=True, linewidth=1.1),
    ]
    if any(curve.significant_up_to is not None for curve in curves):
        entries.append(KeyEntry(f"exact p ≤ {declared(alpha)}", colour=BAND, patch=True))
    if any(curve.measured is not None for curve in curves):
        entries.append(KeyEntry("your own runs", colour=FAINT, patch=True))
    sizes = {curve.n for curve in curves}
    of = f"(of {sizes.pop():,})" if len(sizes) == 1 else "(%)"
    chart = panels(
        [curve.name for curve in curves],
        width=width,
        height=_HEIGHT,
        xlabel=f"discordant examples {of}",
        ylabel="McNemar's p",
        key=key_height(entries, width),
    )
    first = chart.axes[0]
    first.set_yscale("log")
    first.yaxis.set_major_locator(LogLocator(numticks=4))
    first.yaxis.set_major_formatter(lambda p, _: _power(p))
    first.yaxis.set_minor_formatter(NullFormatter())
    lowest = min(float(curve.p_mid.min()) for curve in curves)
    first.set_ylim(bottom=max(_LOWEST_P, min(alpha / 5, lowest / 2)), top=1.4)
    for axes, curve in zip(chart.axes, curves, strict=True):
        _draw(axes, curve, scale=1.0 if of != "(%)" else 100 / curve.n)
    draw_key(chart.picture, entries)
    return chart.picture


def _draw(axes: Axes, curve: DiscordanceCurve, *, scale: float) -> None:
    x = scale * curve.discordance
    marker = "o" if len(x) < 3 else None
    if curve.significant_up_to is not None:
        # A single discordance has no width of its own: one to each side makes it seen.
        span = scale * (curve.discordance[0] - 1), scale * (curve.significant_up_to + 1)
        axes.axvspan(*span, color=BAND, linewidth=0, zorder=0)
    if curve.measured is not None:
        axes.axvspan(*(scale * side for side in curve.measured), color=FAINT, linewidth=0, zorder=0.5)
    axes.axhline(curve.alpha, color=QUIET, linewidth=0.7, linestyle=":")
    axes.plot(x, curve.p_exact, color=BLUE, linewidth=1.4, marker=marker, markersize=3)
    axes.plot(x, curve.p_mid, color=ORANGE, linewidth=1.1, linestyle=(0, (2.5, 1.5)), marker=marker, markersize=3)
    if curve.p_exact.max() < _LOWEST_P:
        axes.text(0.5, 0.1, f"below {_power(_LOWEST_P)}", transform=axes.transAxes, ha="center", size=SMALL)


def _power(p: float) -> str:
    """Return a power of ten as it stands at an axis."""
    return f"{p:g}" if p >= 0.01 else f"1e{round(math.log10(p))}"
