"""Names beside points: each where it hides no point, no other name, and if there is room no line."""

from __future__ import annotations

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.labels import label_points


@pytest.fixture
def axes() -> Axes:
    """A chart of 200 by 200 points, whose units are points."""
    made = Figure(figsize=(200 / 72, 200 / 72), dpi=72).add_axes((0, 0, 1, 1))
    made.set_xlim(0, 200)
    made.set_ylim(0, 200)
    return made


def places(axes: Axes) -> list[tuple[str, tuple[float, float]]]:
    return [(text.get_text(), text.xyann) for text in axes.texts]


def test_a_name_stands_right_above_its_point(axes: Axes) -> None:
    label_points(axes, ["full"], [(100, 100)])
    assert places(axes) == [("full", (6.0, 6.0))]


def test_a_name_crosses_no_line_where_it_has_other_room(axes: Axes) -> None:
    label_points(axes, ["full"], [(100, 100)], lines=[((50, 106), (150, 106))])
    assert places(axes) == [("full", (6.0, -6.0))]
    upright = ((110, 20), (110, 180))
    label_points(axes, ["left"], [(100, 50)], lines=[upright])
    assert places(axes)[1:] == [("left", (-6.0, 6.0))]


def test_a_name_crosses_a_line_rather_than_being_left_out(axes: Axes) -> None:
    label_points(axes, ["full"], [(100, 100)], lines=[((0, y), (200, y)) for y in (94, 100, 106)])
    assert places(axes) == [("full", (6.0, 6.0))]


def test_a_name_without_room_is_left_out(axes: Axes) -> None:
    """Points stand wherever it might."""
    around = [(100 + x, 100 + y) for x in (-12, 12) for y in (-6, 0, 6)]
    label_points(axes, ["full", *[""] * len(around)], [(100, 100), *around])
    assert "full" not in dict(places(axes))
