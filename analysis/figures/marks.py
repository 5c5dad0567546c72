"""Marks of verdicts: a shape and a colour for each, so that they differ in grey as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from analysis.figures.style import BLUE, GREEN, ORANGE, PAPER, QUIET
from analysis.study.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Mark(NamedTuple):
    """How a verdict is drawn.

    Parameters
    ----------
    shape : str
        Matplotlib's name of the marker.
    colour : str
    hollow : bool
        Whether it is filled with paper.
    """

    shape: str
    colour: str
    hollow: bool = False


def mark_of(verdict: Verdict) -> Mark:
    """Return the mark of a verdict: up for better, down for worse, a square for equivalent, hollow for undecided."""
    if verdict.direction is not None:
        return Mark("^", BLUE) if verdict.direction == "better" else Mark("v", ORANGE)
    return Mark("s", GREEN) if verdict.within_margin else Mark("o", QUIET, hollow=True)


def draw_mark(axes: Axes, x: float, y: float, mark: Mark, *, size: float = 6.0) -> None:
    """Draw a mark, so many points wide, that stands out from a line under it."""
    axes.plot(
        [x],
        [y],
        mark.shape,
        color=mark.colour,
        markersize=size,
        markeredgewidth=1.2 if mark.hollow else 0.6,
        markeredgecolor=mark.colour if mark.hollow else PAPER,
        markerfacecolor=PAPER if mark.hollow else mark.colour,
        zorder=3,
        # One on the edge of a chart is drawn whole.
        clip_on=False,
    )
