"""Keys: what lines, marks and bands stand for, in as many lines above a figure as the words need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.figures.marks import Mark, draw_mark
from analysis.figures.style import INK, SMALL, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_SAMPLE, _SMALL_SAMPLE, _GAP, _BETWEEN, _LINE, _EDGE, _BELOW = 14.0, 6.0, 3.0, 9.0, 11.0, 4.0, 4.0


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One entry of a key: a sample and its words.

    Parameters
    ----------
    words : str
    colour : str
    linewidth : float
        In points.
    dashed : bool
    patch : bool
        Whether it is a band rather than a line.
    bar : bool
        Whether it is a bar of a small chart.
    shape : str
        Matplotlib's name of a marker that is drawn in the place of the line; empty for the line.
    hollow : bool
        Whether that marker is filled with paper.
    """

    words: str
    colour: str = INK
    linewidth: float = 0.9
    dashed: bool = False
    patch: bool = False
    bar: bool = False
    shape: str = ""
    hollow: bool = False


def key_height(entries: Sequence[KeyEntry], width: float) -> float:
    """Return how high a key is on a page of this width, in points."""
    return _LINE * len(_in_lines(entries, width)) + _BELOW if entries else 0.0


def draw_key(picture: Picture, entries: Sequence[KeyEntry]) -> None:
    """Draw a key along the upper edge of a picture."""
    width, height = (72 * float(inches) for inches in picture.get_size_inches())
    # One unit is one point.
    axes = picture.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    for number, line in enumerate(_in_lines(entries, width)):
        x, y = _EDGE, height - _EDGE / 2 - _LINE * (number + 0.5)
        for entry in line:
            _sample(axes, entry, x, y)
            axes.text(x + _sample_width(entry) + _GAP, y, entry.words, size=SMALL, va="center_baseline")
            x += _width(entry) + _BETWEEN


def _sample(axes: Axes, entry: KeyEntry, x: float, y: float) -> None:
    from matplotlib.patches import Rectangle

    width = _sample_width(entry)
    if entry.patch or entry.bar:
        low, high = (y - 4, 7) if entry.bar else (y - 3, 6)
        axes.add_patch(Rectangle((x, low), width, high, color=entry.colour, linewidth=0))
    elif entry.shape:
        draw_mark(axes, x + width / 2, y, Mark(entry.shape, entry.colour, entry.hollow), size=5.5)
    else:
        style = (0, (2.5, 1.5)) if entry.dashed else "-"
        axes.plot([x, x + width], [y, y], color=entry.colour, linewidth=entry.linewidth, linestyle=style)


def _sample_width(entry: KeyEntry) -> float:
    return _SMALL_SAMPLE if entry.shape or entry.bar else _SAMPLE


def _width(entry: KeyEntry) -> float:
    return _sample_width(entry) + _GAP + text_width(entry.words, size=SMALL)


def _in_lines(entries: Sequence[KeyEntry], width: float) -> list[list[KeyEntry]]:
    lines: list[list[KeyEntry]] = [[]]
    x = _EDGE
    for entry in entries:
        if lines[-1] and x + _width(entry) > width - _EDGE:
            lines.append([])
            x = _EDGE
        lines[-1].append(entry)
        x += _width(entry) + _BETWEEN
    return lines
