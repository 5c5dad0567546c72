"""Discordance plots: McNemar's p over every overlap of errors, computed first, then drawn by matplotlib."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.printable import printable
from analysis.published.audit import Audit
from analysis.published.overlaps import p_over_discordance
from analysis.published.pairs import PairAudit

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

# More points than this no page can show.
_MOST_POINTS = 2000
_MOST_PANELS = 12
_LOWEST_P = 1e-6
_EXACT, _MID, _QUIET = "#1f4e79", "#c55a11", "#7f7f7f"


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


def draw_discordance(curves: Sequence[DiscordanceCurve], *paths: Path) -> None:
    """Draw one panel per curve, and save them as one picture.

    Parameters
    ----------
    curves : sequence of DiscordanceCurve
        At least one. Of many, twelve are drawn: those first whose test depends on the discordance.
    *paths : Path
        Files to write; their endings say in which format.
    """
    from matplotlib.figure import Figure

    curves = sorted(curves, key=lambda curve: not curve.p_exact.min() <= curve.alpha < curve.p_exact.max())[
        :_MOST_PANELS
    ]
    columns = min(2, len(curves))
    rows = -(-len(curves) // columns)
    figure = Figure(figsize=(5.2 * columns, 3.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for place, curve in zip(axes, curves, strict=False):
        _draw(place, curve)
    for place in axes[len(curves) :]:
        place.set_axis_off()
    legend: dict[str, Artist] = {}
    for place in axes:
        handles, labels = place.get_legend_handles_labels()
        legend |= dict(zip(labels, handles, strict=True))
    figure.legend(
        list(legend.values()), list(legend), loc="outside lower center", ncols=len(legend), frameon=False, fontsize=8
    )
    with warnings.catch_warnings():
        # A name in letters that the font lacks is drawn as boxes: the picture shows it, the terminal need not warn.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        for path in paths:
            figure.savefig(path, dpi=150)


def _draw(axes: Axes, curve: DiscordanceCurve) -> None:
    x = curve.discordance
    marker = "o" if len(x) < 3 else None
    axes.axhline(curve.alpha, color=_QUIET, linewidth=0.8, linestyle=":", label=f"p = {curve.alpha:g}")
    axes.plot(x, curve.p_exact, color=_EXACT, marker=marker, label="exact p")
    axes.plot(x, curve.p_mid, color=_MID, linestyle="--", marker=marker, label="mid-p")
    if curve.significant_up_to is not None:
        # A single discordance has no width of its own: one to each side makes it seen.
        span = int(x[0]) - 1, curve.significant_up_to + 1
        axes.axvspan(*span, color=_EXACT, alpha=0.12, linewidth=0, label=f"exact p ≤ {curve.alpha:g}")
    if curve.measured is not None:
        axes.axvspan(*curve.measured, color=_QUIET, alpha=0.3, linewidth=0, label="discordance of your own runs")
    axes.set_yscale("log")
    axes.set_ylim(bottom=max(_LOWEST_P, min(curve.alpha / 5, float(curve.p_mid.min()) / 2)), top=1.4)
    if curve.p_exact.max() < _LOWEST_P:
        axes.text(0.5, 0.1, f"below {_LOWEST_P:g} throughout", transform=axes.transAxes, ha="center", fontsize=8)
    axes.set_title(printable(curve.name), fontsize=10, parse_math=False)
    axes.set_xlabel(f"examples on which exactly one model is right (of {curve.n:,})", fontsize=8)
    axes.set_ylabel("McNemar p", fontsize=8)
    axes.tick_params(labelsize=8)
    share = axes.secondary_xaxis("top", functions=(_times(100 / curve.n), _times(curve.n / 100)))
    share.tick_params(labelsize=7, pad=1)
    share.xaxis.set_major_formatter("{x:g}%")


def _times(factor: float) -> Callable[[ArrayLike], ArrayLike]:
    return lambda value: np.asarray(value) * factor
