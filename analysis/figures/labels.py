"""Labels of points: the name of each beside it, where it hides neither another point nor another name, nor a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.figures.style import SMALL, cut_to_fit, text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_AWAY, _HEIGHT, _POINT = 6.0, 8.0, 4.0
# Where a name may stand, in the order of preference: to which side, and how many points higher.
_PLACES = (("left", 6.0), ("left", -6.0), ("right", 6.0), ("right", -6.0), ("left", 0.0), ("right", 0.0))

Point = tuple[float, float]
Box = tuple[float, float, float, float]


def label_points(
    axes: Axes, names: Sequence[str], points: Sequence[Point], *, lines: Sequence[tuple[Point, Point]] = ()
) -> None:
    """Write the name of every point beside it; one for which there is no room stays without.

    Parameters
    ----------
    axes : Axes
        With the limits that it keeps.
    names : sequence of str
        Cut to fit into a third of the width.
    points : sequence of (float, float)
        Where they are, in the units of the axes.
    lines : sequence of (point, point)
        Level or upright, from their lower end to the other, in the same units. A name crosses one only where there is
        no other room.
    """
    per_dot = 72 / axes.figure.dpi
    frame = axes.get_window_extent()
    left, bottom, right, top = (per_dot * side for side in (frame.x0, frame.y0, frame.x1, frame.y1))

    def on_page(point: Point) -> Point:
        x, y = axes.transData.transform(point)
        return per_dot * x, per_dot * y

    at = [on_page(point) for point in points]
    drawn: list[Box] = [(*on_page(start), *on_page(end)) for start, end in lines]
    taken: list[Box] = [(x - _POINT, y - _POINT, x + _POINT, y + _POINT) for x, y in at]
    for name, (x, y) in zip(cut_to_fit(names, (right - left) / 3, size=SMALL), at, strict=True):
        length = text_width(name, size=SMALL)
        free = []
        for align, higher in _PLACES:
            start = x + _AWAY if align == "left" else x - _AWAY - length
            box = (start, y + higher - _HEIGHT / 2, start + length, y + higher + _HEIGHT / 2)
            inside = left <= box[0] and box[2] <= right and bottom <= box[1] and box[3] <= top
            if inside and not any(_overlap(box, other) for other in taken):
                free.append((any(_overlap(box, line) for line in drawn), align, higher, box))
        if not free:
            continue
        _, align, higher, box = min(free, key=lambda place: place[0])
        axes.annotate(
            name,
            (x, y),
            xycoords="figure points",
            xytext=(_AWAY if align == "left" else -_AWAY, higher),
            textcoords="offset points",
            ha=align,
            va="center_baseline",
            size=SMALL,
        )
        taken.append(box)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
