"""Panels: small charts of one kind in a grid, with common axes, each under its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from analysis.figures.style import INK, QUIET, SMALL, TEXT, cut_to_fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture

_LEFT, _RIGHT, _BELOW, _YLABEL, _TITLE, _BETWEEN, _EDGE = 28.0, 6.0, 30.0, 11.0, 13.0, 10.0, 4.0
_NARROWEST = 78.0


class Panels(NamedTuple):
    """Empty panels.

    Parameters
    ----------
    picture : Picture
    axes : tuple of Axes
        One for each name, in their order.
    """

    picture: Picture
    axes: tuple[Axes, ...]


def panels(names: Sequence[str], *, width: float, height: float, xlabel: str, ylabel: str, key: float = 0.0) -> Panels:
    """Make a panel for each name, as many beside each other as there is room for; their axes are the same.

    Parameters
    ----------
    names : sequence of str
        At least one; cut to fit.
    width : float
        Of the page, in points.
    height : float
        Of a panel, in points.
    xlabel, ylabel : str
        What the axes say; the vertical one above the panels, where it reads without a turn of the head.
    key : float
        Room for a key above, in points.
    """
    from matplotlib.figure import Figure as Picture

    room = width - _LEFT - _RIGHT
    columns = min(len(names), int((room + _BETWEEN) // (_NARROWEST + _BETWEEN)))
    rows = -(-len(names) // columns)
    each = (room - _BETWEEN * (columns - 1)) / columns
    above = _EDGE + key + _YLABEL
    total = above + rows * (_TITLE + height) + (rows - 1) * _BETWEEN / 2 + _BELOW
    picture = Picture(figsize=(width / 72, total / 72))
    made: list[Axes] = []
    for number, name in enumerate(cut_to_fit(names, each + _BETWEEN / 2)):
        row, column = divmod(number, columns)
        top = above + row * (_TITLE + height + _BETWEEN / 2)
        left = _LEFT + column * (each + _BETWEEN)
        place = (left / width, 1 - (top + _TITLE + height) / total, each / width, height / total)
        axes = picture.add_axes(place, sharex=made[0] if made else None, sharey=made[0] if made else None)
        axes.tick_params(labelleft=column == 0, labelbottom=number + columns >= len(names))
        picture.text(left / width, 1 - (top + _TITLE - 4) / total, name, size=TEXT, va="baseline", color=INK)
        made.append(axes)
    picture.text((_LEFT + room / 2) / width, 3 / total, xlabel, ha="center", va="bottom", size=TEXT)
    picture.text(_EDGE / width, 1 - (above - 3) / total, ylabel, size=SMALL, va="baseline", color=QUIET)
    return Panels(picture, tuple(made))
