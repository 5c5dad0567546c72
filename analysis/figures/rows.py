"""Row charts: one row for each name, drawn against one axis; the names stand beside their rows or above them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from analysis.figures.style import PAPER, QUIET, SMALL, TEXT, cut_to_fit, text_width
from analysis.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

# Of the width, what names may take beside the rows.
_MOST_BESIDE = 0.4
_GAP, _LINE, _BELOW, _EDGE = 6.0, 10.0, 30.0, 4.0
# From one line of a text to the next, in sizes of its type.
_SPACING = 1.2


class RowChart(NamedTuple):
    """An empty chart, whose vertical axis counts points downwards: ``-places[i]`` is the middle of row i.

    Parameters
    ----------
    picture, axes : Picture, Axes
        Those of matplotlib.
    places : tuple of float
        The middle of every row.
    """

    picture: Picture
    axes: Axes
    places: tuple[float, ...]


def row_chart(
    names: Sequence[str], *, width: float, row: float, xlabel: str, endings: Sequence[str] = (), key: float = 0.0
) -> RowChart:
    """Make a chart with a row for each name.

    Parameters
    ----------
    names : sequence of str
        At least one, each in one line or in several. They are cut to fit, and then no two different ones are alike.
    width : float
        Of the page, in points.
    row : float
        Height of a row, in points.
    xlabel : str
        What the axis says.
    endings : sequence of str
        What stands at the right of each row, such as a verdict; empty for nothing.
    key : float
        Room for a key above the first row, in points.
    """
    from matplotlib.figure import Figure as Picture
    from matplotlib.ticker import MaxNLocator

    names, endings = list(map(printable, names)), list(map(printable, endings))
    widest = max(text_width(line) for name in names for line in name.split("\n"))
    right = _GAP + max(text_width(line, size=SMALL) for one in endings for line in one.split("\n")) if endings else _GAP
    beside = widest <= _MOST_BESIDE * width
    left = _EDGE + widest + _GAP if beside else _EDGE + _GAP
    label = 0.0 if beside else _LINE
    in_one_line = [name.replace("\n", " ") for name in names]
    shown = names if beside else cut_to_fit(in_one_line, width - left - _EDGE)
    each = row + label
    height = each * len(names)
    total = _EDGE + key + height + _BELOW
    picture = Picture(figsize=(width / 72, total / 72))
    # The axes begin under the first name.
    axes = picture.add_axes(
        (left / width, _BELOW / total, (width - left - right - _EDGE) / width, (height - label) / total)
    )
    axes.set_ylim(-height, -label)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    picture.text(
        (left + (width - left - right - _EDGE) / 2) / width,
        3 / total,
        printable(xlabel),
        ha="center",
        va="bottom",
        size=TEXT,
    )
    places = []
    for number, name in enumerate(shown):
        top = each * number
        middle = top + label + row / 2
        places.append(middle)
        if beside:
            _beside(axes, name, 0.0, -middle, shift=-_GAP, align="right", size=TEXT)
        else:
            _beside(axes, name, 0.0, -(top + label / 2 + 1), shift=0.0, align="left", size=TEXT)
        if endings:
            _beside(axes, endings[number], 1.0, -middle, shift=_GAP, align="left", size=SMALL, colour=QUIET)
    return RowChart(picture, axes, tuple(places))


def _beside(
    axes: Axes, text: str, x: float, y: float, *, shift: float, align: str, size: float, colour: str | None = None
) -> None:
    lines = text.split("\n")
    for number, line in enumerate(lines):
        # Each line for itself: a page, whose letters have other widths, would not align those of one text.
        axes.annotate(
            line,
            (x, y),
            xycoords=("axes fraction", "data"),
            xytext=(shift, ((len(lines) - 1) / 2 - number) * _SPACING * size),
            textcoords="offset points",
            ha=align,
            va="center",
            size=size,
            color=colour,
            annotation_clip=False,
            # Lines through the whole chart stop at words.
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5},
        )
